//! Tags of queues and topics: what they may be. In which words they are refused is each service's own.

use std::{collections::BTreeMap, ops::RangeInclusive};

const MOST: usize = 50;
const KEY: RangeInclusive<usize> = 1..=128;
const VALUE: RangeInclusive<usize> = 0..=256;
/// Begins the keys that the service itself gives, in whatever case.
const RESERVED: &str = "aws:";

/// Why a tag is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Wrong {
    #[error("Tag keys must be between 1 and 128 characters in length.")]
    Key,
    #[error("Tag values must be between 0 and 256 characters in length.")]
    Value,
    #[error("Tag keys must not start with aws:, which is reserved.")]
    Reserved,
    #[error("There must be at most 50 tags.")]
    TooMany,
}

/// Adds tags, of which each takes the place of one with its key.
pub(crate) fn add(tags: &mut BTreeMap<String, String>, given: BTreeMap<String, String>) -> Result<(), Wrong> {
    for (key, value) in &given {
        if !KEY.contains(&key.chars().count()) {
            return Err(Wrong::Key);
        }
        if !VALUE.contains(&value.chars().count()) {
            return Err(Wrong::Value);
        }
        if key.get(..RESERVED.len()).is_some_and(|start| start.eq_ignore_ascii_case(RESERVED)) {
            return Err(Wrong::Reserved);
        }
    }
    tags.extend(given);
    if tags.len() > MOST { Err(Wrong::TooMany) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(key: &str, value: &str) -> Result<(), Wrong> {
        add(&mut BTreeMap::new(), BTreeMap::from([(key.to_owned(), value.to_owned())]))
    }

    #[test]
    fn keys_and_values_have_lengths_in_characters() {
        assert_eq!(added("k", ""), Ok(()));
        assert_eq!(added(&"é".repeat(128), &"é".repeat(256)), Ok(()));
        assert_eq!(added("", "v"), Err(Wrong::Key));
        assert_eq!(added(&"k".repeat(129), "v"), Err(Wrong::Key));
        assert_eq!(added("k", &"v".repeat(257)), Err(Wrong::Value));
    }

    #[test]
    fn the_prefix_of_the_service_is_reserved() {
        assert_eq!(added("aws:x", "v"), Err(Wrong::Reserved));
        assert_eq!(added("AWS:", "v"), Err(Wrong::Reserved));
        assert_eq!(added("aws", "v"), Ok(()));
    }

    #[test]
    fn there_are_at_most_fifty() {
        let mut tags = (0..50).map(|n| (n.to_string(), String::new())).collect();
        assert_eq!(add(&mut tags, BTreeMap::from([("7".to_owned(), "again".to_owned())])), Ok(()));
        assert_eq!(add(&mut tags, BTreeMap::from([("new".to_owned(), String::new())])), Err(Wrong::TooMany));
    }
}
