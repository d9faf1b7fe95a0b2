//! What an instance said last, where it did not become healthy.

use super::{Error, Session, error::Call};

/// Lines of it that are of use.
const LINES: usize = 15;

/// Returns the end of an instance's console. It is empty while EC2 has not read it yet, which takes a minute or two.
pub async fn last_words(session: &Session, instance: &str) -> Result<Vec<String>, Error> {
    let call = Call::new("ec2", "GetConsoleOutput", instance);
    let found = session.instances().get_console_output().instance_id(instance).latest(true).send().await;
    Ok(end(&found.map_err(call.failed())?.output.unwrap_or_default()))
}

/// The output comes in base64, with the terminal's own characters in it.
fn end(encoded: &str) -> Vec<String> {
    let plain: String = encoded.split_whitespace().collect();
    let bytes = aws_smithy_types::base64::decode(plain).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let clean = |line: &str| line.chars().filter(|letter| !letter.is_control()).collect::<String>();
    let lines: Vec<String> = text.lines().map(clean).filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LINES)..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_readable() {
        let text: Vec<String> = (0..40).map(|number| format!("line {number}\r\n\u{1b}\n")).collect();
        let lines = end(&aws_smithy_types::base64::encode(text.concat()));
        assert_eq!(lines.len(), LINES);
        assert_eq!(lines.last().map(String::as_str), Some("line 39"));
        assert_eq!(end("not base64"), Vec::<String>::new());
    }
}
