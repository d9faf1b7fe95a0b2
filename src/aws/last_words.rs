//! What an instance said last, where it did not become healthy: in its group's log, and else on its console.

use std::time::Duration;

use super::{Error, Session, error::Call, logs, stack};

/// Lines of it that are of use.
const LINES: usize = 15;

/// What was just written to a log can be read a few seconds later.
const PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(2)];

/// The end of what an instance said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastWords {
    /// Id of the instance.
    pub instance: String,
    /// The last lines, oldest first. There may be none.
    pub lines: Vec<String>,
}

impl LastWords {
    /// Reads them. Its first boot writes why it failed to the log before it signals that it did; the log goes with a
    /// stack that is rolled back, and the console is read by EC2 a minute or two late.
    pub async fn of(session: &Session, stack: &str, instance: &str) -> Result<Self, Error> {
        let mut lines = Vec::new();
        for pause in PAUSES {
            tokio::time::sleep(pause).await;
            lines = logged(session, stack, instance).await.unwrap_or_default();
            if !lines.is_empty() {
                break;
            }
        }
        if lines.is_empty() {
            lines = on_console(session, instance).await?;
        }
        lines.drain(..lines.len().saturating_sub(LINES));
        Ok(Self { instance: instance.to_owned(), lines })
    }
}

/// Returns what the first boot of an instance has written to its group's log.
async fn logged(session: &Session, stack: &str, instance: &str) -> Result<Vec<String>, Error> {
    let stream = format!("{instance}/boot");
    for (_, group) in logs::groups(&stack::resources(session, stack).await?) {
        let request = session.logs().filter_log_events().log_group_name(&group).log_stream_names(&stream);
        // Groups of other instances do not have the stream, and say so.
        let Ok(found) = request.send().await.map_err(Call::new("logs", "FilterLogEvents", &group).failed()) else {
            continue;
        };
        let events = found.events.unwrap_or_default().into_iter().filter_map(|event| event.message);
        let lines: Vec<String> = events.flat_map(|message| readable(&message)).collect();
        if !lines.is_empty() {
            return Ok(lines);
        }
    }
    Ok(Vec::new())
}

async fn on_console(session: &Session, instance: &str) -> Result<Vec<String>, Error> {
    let call = Call::new("ec2", "GetConsoleOutput", instance);
    let found = session.instances().get_console_output().instance_id(instance).latest(true).send().await;
    Ok(decoded(&found.map_err(call.failed())?.output.unwrap_or_default()))
}

/// A console's output comes in base64.
fn decoded(output: &str) -> Vec<String> {
    let plain: String = output.split_whitespace().collect();
    readable(&String::from_utf8_lossy(&aws_smithy_types::base64::decode(plain).unwrap_or_default()))
}

/// Returns the lines that say something, without the characters that are meant for a terminal.
fn readable(text: &str) -> Vec<String> {
    let clean = |line: &str| line.chars().filter(|letter| !letter.is_control()).collect::<String>();
    text.lines().map(clean).filter(|line| !line.trim().is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_console_is_readable() {
        let text: Vec<String> = (0..40).map(|number| format!("line {number}\r\n\u{1b}\n")).collect();
        let lines = decoded(&aws_smithy_types::base64::encode(text.concat()));
        assert_eq!((lines.len(), lines.last().map(String::as_str)), (40, Some("line 39")));
        assert_eq!(decoded("not base64"), Vec::<String>::new());
    }
}
