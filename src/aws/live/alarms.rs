//! Alarms that ring, laid on the parts that they are about.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::types::StateValue;

use crate::{
    aws::{
        Session,
        error::{Call, Error},
    },
    cloudformation,
    status::{Detail, Health, Part},
};

/// Most names that one call takes.
const NAMES: usize = 100;

/// Returns the logical ids of the alarms that ring, each with what it says. Those that scale are no news.
pub(super) async fn ringing(
    session: &Session,
    alarms: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Error> {
    let names: Vec<String> = alarms.values().filter(|name| !name.is_empty()).cloned().collect();
    let mut found = BTreeMap::new();
    for names in names.chunks(NAMES) {
        let request = session.metrics().describe_alarms().set_alarm_names(Some(names.to_vec()));
        let request = request.state_value(StateValue::Alarm);
        let call = Call::new("cloudwatch", "DescribeAlarms", &names[0]);
        let answer = request.send().await.map_err(call.failed())?;
        for alarm in answer.metric_alarms() {
            let id = alarms.iter().find(|(_, name)| Some(name.as_str()) == alarm.alarm_name()).map(|(id, _)| id);
            if let (Some(id), Some(words)) = (id, alarm.alarm_description()) {
                found.insert(id.clone(), words.to_owned());
            }
        }
    }
    Ok(found)
}

/// Lays alarms on their parts. Returns why they could not be seen.
pub(super) fn lay_on(parts: &mut [Part], ringing: Result<BTreeMap<String, String>, Error>) -> Option<String> {
    let ringing = match ringing {
        Ok(ringing) => ringing,
        Err(error) => return Some(crate::error::chain(&error)),
    };
    for part in parts {
        let ids = match &part.detail {
            Detail::Balancer { .. } => vec!["UnhealthyTargetsAlarm".to_owned()],
            Detail::Queue { .. } => {
                let queue = cloudformation::queue(&part.name);
                let stem = queue.strip_suffix("Queue").unwrap_or(&queue);
                vec![format!("{stem}DeadLettersAlarm"), format!("{stem}AgeAlarm")]
            }
            _ => continue,
        };
        if let Some(words) = ids.iter().find_map(|id| ringing.get(id)) {
            part.health = part.health.max(Health::Degraded);
            part.reason.get_or_insert_with(|| words.clone());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_is_told_of_at_its_part() {
        let queue = Detail::Queue { visible: 9, in_flight: 0, oldest_seconds: 900, dead: 0 };
        let mut parts =
            [Part { detail: queue, name: "tag".to_owned(), health: Health::Ok, reason: None, look_again: false }];
        let words = "Tasks of queue tag wait too long.";
        let ringing = BTreeMap::from([("TagAgeAlarm".to_owned(), words.to_owned())]);
        assert_eq!(lay_on(&mut parts, Ok(ringing)), None);
        assert_eq!((parts[0].health, parts[0].reason.as_deref()), (Health::Degraded, Some(words)));
    }
}
