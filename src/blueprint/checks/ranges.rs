//! Lengths of time and sizes beyond the limits that the schema has beside their fields.

use std::str::FromStr;

use serde_json::Value;

use super::Subject;
use crate::blueprint::{
    diagnostic::{dotted, join},
    quantity::{Bytes, Span},
    schema,
};

pub(super) fn check(subject: &mut Subject<'_>) {
    walk(subject, "", subject.blueprint);
}

fn walk(subject: &mut Subject<'_>, pointer: &str, value: &Value) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| walk(subject, &join(pointer, key), value)),
        Value::String(text) if is_within(pointer, text) == Some(false) => {
            if let Some((least, most)) = schema::part(pointer).and_then(schema::range) {
                subject.error(&[pointer], format!("`{}` must be from {least} to {most}", dotted(pointer)), None);
            }
        }
        _ => {}
    }
}

/// Tells whether a quantity is within its field's limits; None for what is no such quantity, or has no limits.
pub(super) fn is_within(pointer: &str, text: &str) -> Option<bool> {
    let (least, most) = schema::part(pointer).and_then(schema::range)?;
    between::<Span>(text, least, most).or_else(|| between::<Bytes>(text, least, most))
}

fn between<Q: FromStr + PartialOrd>(text: &str, least: &str, most: &str) -> Option<bool> {
    let read = |text: &str| text.parse::<Q>().ok();
    Some((read(least)?..=read(most)?).contains(&read(text)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Finds every quantity of the schema: it is a text whose examples are quantities.
    fn quantities(part: &Value, found: &mut Vec<Value>) {
        match part {
            Value::Object(map) => {
                if map.contains_key("pattern") && map.contains_key("examples") {
                    found.push(part.clone());
                }
                map.values().for_each(|part| quantities(part, found));
            }
            Value::Array(all) => all.iter().for_each(|part| quantities(part, found)),
            _ => {}
        }
    }

    #[test]
    fn every_quantity_has_limits_of_its_own_kind() {
        let mut found = Vec::new();
        quantities(schema::whole(), &mut found);
        assert!(found.len() >= 9, "{found:?}");
        for part in found {
            let (least, most) = schema::range(&part).unwrap_or_else(|| panic!("no limits: {part}"));
            let example = part["examples"][0].as_str().unwrap();
            let holds =
                |low, high| between::<Span>(example, low, high).or_else(|| between::<Bytes>(example, low, high));
            assert!(holds(least, most).is_some(), "{part}");
            assert_eq!(
                between::<Span>(least, least, most).or_else(|| between::<Bytes>(least, least, most)),
                Some(true)
            );
        }
    }

    #[test]
    fn limits_belong_to_what_is_allowed() {
        for (pointer, text, within) in [
            ("/ttl", "1m", Some(true)),
            ("/ttl", "59s", Some(false)),
            ("/ttl", "365d", Some(true)),
            ("/ttl", "365d1s", Some(false)),
            ("/balancer/max_upload", "1GB", Some(true)),
            ("/balancer/max_upload", "1GiB", Some(false)),
            ("/balancer/max_upload", "5m", None),
            ("/name", "5m", None),
            ("/nothing/here", "5m", None),
        ] {
            assert_eq!(is_within(pointer, text), within, "{pointer} {text}");
        }
    }
}
