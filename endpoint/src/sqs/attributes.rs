//! Attributes of a queue: which there are, what they may be, what they are when nobody says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::{Millis, SECOND};

use super::error::SqsError;

/// Names and values as clients see them.
pub(crate) type AttributeMap = BTreeMap<String, String>;

const DELAY: &str = "DelaySeconds";
const MAXIMUM_SIZE: &str = "MaximumMessageSize";
const RETENTION: &str = "MessageRetentionPeriod";
const WAIT: &str = "ReceiveMessageWaitTimeSeconds";
const VISIBILITY: &str = "VisibilityTimeout";
const KMS_REUSE: &str = "KmsDataKeyReusePeriodSeconds";
pub(super) const REDRIVE: &str = "RedrivePolicy";
const REDRIVE_ALLOW: &str = "RedriveAllowPolicy";
pub(super) const POLICY: &str = "Policy";
const KMS_KEY: &str = "KmsMasterKeyId";
const MANAGED_SSE: &str = "SqsManagedSseEnabled";

/// The largest message, its attributes included.
pub(super) const MAX_MESSAGE: i64 = 1_048_576;
/// The longest visibility timeout: twelve hours.
pub(super) const MAX_VISIBILITY: i64 = 43_200;
pub(super) const MAX_DELAY: i64 = 900;
pub(super) const MAX_WAIT: i64 = 20;

/// Attributes that are whole numbers: name, least, most, default.
const NUMBERS: &[(&str, i64, i64, i64)] = &[
    (DELAY, 0, MAX_DELAY, 0),
    (MAXIMUM_SIZE, 1024, MAX_MESSAGE, MAX_MESSAGE),
    (RETENTION, 60, 1_209_600, 345_600),
    (WAIT, 0, MAX_WAIT, 0),
    (VISIBILITY, 0, MAX_VISIBILITY, 30),
    (KMS_REUSE, 60, 86_400, 300),
];

const FIFO_QUEUE: &str = "FifoQueue";
const CONTENT_BASED: &str = "ContentBasedDeduplication";
const DEDUPLICATION_SCOPE: &str = "DeduplicationScope";
const THROUGHPUT_LIMIT: &str = "FifoThroughputLimit";

/// Attributes that only queues which keep an order have: name, and what each may be, its default first.
const FIFO: &[(&str, &[&str])] = &[
    (FIFO_QUEUE, &["true"]),
    (CONTENT_BASED, &["false", "true"]),
    (DEDUPLICATION_SCOPE, &["queue", "messageGroup"]),
    (THROUGHPUT_LIMIT, &["perQueue", "perMessageGroupId"]),
];

/// Attributes that are computed when asked for.
pub(super) const COMPUTED: &[&str] = &[
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
];

/// The attributes that were set on a queue; what was not has its default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct QueueAttributes(AttributeMap);

/// Where messages go that were received too often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Redrive {
    pub(crate) target_arn: String,
    pub(crate) max_receives: i64,
}

impl Redrive {
    /// The policy as it is answered: as it was given, but with a number where that was given as text.
    fn written(&self, given: &str) -> String {
        let mut policy: Value = serde_json::from_str(given).unwrap_or_default();
        if !policy["maxReceiveCount"].is_string() {
            return given.to_owned();
        }
        policy["maxReceiveCount"] = self.max_receives.into();
        policy.to_string()
    }
}

impl QueueAttributes {
    /// Checks `given` and sets it, for a queue that keeps an order or one that does not. An empty value removes a policy.
    pub(super) fn set(&mut self, given: &AttributeMap, fifo: bool) -> Result<(), SqsError> {
        let managed = given.get(MANAGED_SSE).is_some_and(|managed| managed == "true");
        if managed && given.get(KMS_KEY).is_some_and(|key| !key.is_empty()) {
            return Err(SqsError::TwoEncryptions);
        }
        for (name, value) in given {
            let normal = check(name, value, fifo)?;
            match normal {
                Some(value) => self.0.insert(name.clone(), value),
                None => self.0.remove(name),
            };
        }
        // The one kind of encryption ends the other.
        if managed {
            self.0.remove(KMS_KEY);
        } else if given.get(KMS_KEY).is_some_and(|key| !key.is_empty()) {
            self.0.remove(MANAGED_SSE);
        }
        let per_group = self.0.get(THROUGHPUT_LIMIT).is_some_and(|limit| limit == "perMessageGroupId");
        if per_group && !self.deduplicates_by_group() {
            let reason = format!(
                "{THROUGHPUT_LIMIT} can be perMessageGroupId only where {DEDUPLICATION_SCOPE} is messageGroup."
            );
            return Err(SqsError::InvalidAttributeValue { attribute: THROUGHPUT_LIMIT.into(), reason });
        }
        Ok(())
    }

    /// The first of `given` that differs from what is set here.
    pub(super) fn first_difference(&self, given: &AttributeMap, fifo: bool) -> Result<Option<String>, SqsError> {
        for (name, value) in given {
            let same = match (check(name, value, fifo)?, self.get(name)) {
                (Some(given), Some(current)) => given == current || same_json(&given, &current),
                (given, current) => given == current,
            };
            if !same {
                return Ok(Some(name.clone()));
            }
        }
        Ok(None)
    }

    /// Whether it was said that the queue keeps an order; those that do say so when they are made.
    pub(super) fn is_fifo(&self) -> bool {
        self.0.contains_key(FIFO_QUEUE)
    }

    /// Whether a message without a deduplication id has one by its content.
    pub(super) fn deduplicates_by_content(&self) -> bool {
        self.0.get(CONTENT_BASED).is_some_and(|value| value == "true")
    }

    /// Whether the same deduplication id in another group is another message.
    pub(super) fn deduplicates_by_group(&self) -> bool {
        self.0.get(DEDUPLICATION_SCOPE).is_some_and(|scope| scope == "messageGroup")
    }

    /// The value of a settable attribute, its default where it was not set.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        if let Some(value) = self.0.get(name) {
            return Some(value.clone());
        }
        if let Some((_, values)) = FIFO.iter().find(|(fifo, _)| *fifo == name) {
            return self.is_fifo().then(|| values[0].to_owned());
        }
        match NUMBERS.iter().find(|(number, ..)| *number == name) {
            // Meaningless without a key, and so not shown.
            Some((KMS_REUSE, ..)) if !self.0.contains_key(KMS_KEY) => None,
            Some((.., default)) => Some(default.to_string()),
            None => (name == MANAGED_SSE).then(|| (!self.0.contains_key(KMS_KEY)).to_string()),
        }
    }

    /// Every settable attribute that has a value.
    pub(super) fn all(&self) -> AttributeMap {
        let numbers = NUMBERS.iter().map(|(name, ..)| *name);
        let names = numbers.chain([REDRIVE, REDRIVE_ALLOW, POLICY, KMS_KEY, MANAGED_SSE]);
        let names = names.chain(FIFO.iter().map(|(name, _)| *name));
        names.filter_map(|name| Some((name.to_owned(), self.get(name)?))).collect()
    }

    fn number(&self, name: &str) -> i64 {
        if let Some(value) = self.0.get(name) {
            return value.parse().unwrap_or_default();
        }
        NUMBERS.iter().find(|(number, ..)| *number == name).map_or(0, |(.., default)| *default)
    }

    pub(super) fn delay(&self) -> i64 {
        self.number(DELAY)
    }

    pub(super) fn maximum_size(&self) -> usize {
        usize::try_from(self.number(MAXIMUM_SIZE)).unwrap_or_default()
    }

    pub(super) fn retention(&self) -> Millis {
        self.number(RETENTION) * SECOND
    }

    pub(super) fn wait(&self) -> i64 {
        self.number(WAIT)
    }

    pub(super) fn visibility(&self) -> i64 {
        self.number(VISIBILITY)
    }

    pub(super) fn policy(&self) -> Option<&str> {
        self.0.get(POLICY).map(String::as_str)
    }

    pub(super) fn set_policy(&mut self, policy: Option<String>) {
        match policy {
            Some(policy) => self.0.insert(POLICY.to_owned(), policy),
            None => self.0.remove(POLICY),
        };
    }

    pub(super) fn redrive(&self) -> Option<Redrive> {
        parse_redrive(self.0.get(REDRIVE)?).ok()
    }

    /// Whether a queue with these attributes takes dead letters of the queue `source_arn`.
    pub(super) fn admits_dead_letters_of(&self, source_arn: &str) -> bool {
        let Some(policy) = self.0.get(REDRIVE_ALLOW).and_then(|text| serde_json::from_str::<Value>(text).ok()) else {
            return true;
        };
        match policy["redrivePermission"].as_str() {
            Some("denyAll") => false,
            Some("byQueue") => {
                policy["sourceQueueArns"].as_array().is_some_and(|arns| arns.iter().any(|arn| arn == source_arn))
            }
            _ => true,
        }
    }
}

/// Whether `name` may be asked for.
pub(super) fn is_known(name: &str) -> bool {
    COMPUTED.contains(&name)
        || NUMBERS.iter().any(|(number, ..)| *number == name)
        || [REDRIVE, REDRIVE_ALLOW, POLICY, KMS_KEY, MANAGED_SSE, "All"].contains(&name)
        || FIFO.iter().any(|(fifo, _)| *fifo == name)
}

/// The value as it is kept; none removes the attribute.
fn check(name: &str, value: &str, fifo: bool) -> Result<Option<String>, SqsError> {
    let invalid = |reason: String| SqsError::InvalidAttributeValue { attribute: name.to_owned(), reason };
    let invalid_policy =
        |reason: String| SqsError::InvalidParameter { parameter: REDRIVE, value: value.to_owned(), reason };
    if let Some((_, least, most, _)) = NUMBERS.iter().find(|(number, ..)| *number == name) {
        let number: i64 = value.trim().parse().map_err(|_| invalid(format!("{value:?} is not a whole number.")))?;
        if !(*least..=*most).contains(&number) {
            return Err(invalid(format!("{number} is not between {least} and {most}.")));
        }
        return Ok(Some(number.to_string()));
    }
    match name {
        REDRIVE | REDRIVE_ALLOW | POLICY | KMS_KEY if value.is_empty() => Ok(None),
        REDRIVE => parse_redrive(value).map(|redrive| Some(redrive.written(value))).map_err(invalid_policy),
        REDRIVE_ALLOW => check_redrive_allow(value).map(|()| Some(value.to_owned())).map_err(invalid),
        POLICY => match serde_json::from_str::<Value>(value) {
            Ok(Value::Object(_)) => Ok(Some(value.to_owned())),
            _ => Err(invalid("it is not a JSON object.".into())),
        },
        KMS_KEY => Ok(Some(value.to_owned())),
        MANAGED_SSE if value == "true" || value == "false" => Ok(Some(value.to_owned())),
        MANAGED_SSE => Err(invalid(format!("{value:?} is not true or false."))),
        _ => match FIFO.iter().find(|(attribute, _)| *attribute == name).filter(|_| fifo) {
            Some((_, values)) if values.contains(&value) => Ok(Some(value.to_owned())),
            Some((FIFO_QUEUE, _)) => Err(invalid("Modifying queue type is not supported.".into())),
            Some((_, values)) => Err(invalid(format!("{value:?} is not {}.", values.join(" or ")))),
            None => Err(SqsError::InvalidAttributeName(name.to_owned())),
        },
    }
}

fn parse_redrive(text: &str) -> Result<Redrive, String> {
    let not_a_map = || "Redrive policy is not a valid JSON map.".to_owned();
    let missing = |name: &str| format!("Redrive policy does not contain mandatory attribute: {name}.");
    let policy: Map<String, Value> = serde_json::from_str(text).map_err(|_| not_a_map())?;
    if let Some(unknown) =
        policy.keys().find(|name| !["deadLetterTargetArn", "maxReceiveCount"].contains(&name.as_str()))
    {
        return Err(format!(
            "Only following attributes are supported: [deadLetterTargetArn, maxReceiveCount], not {unknown}."
        ));
    }
    let target = policy.get("deadLetterTargetArn").ok_or_else(|| missing("deadLetterTargetArn"))?;
    let target = target.as_str().filter(|arn| arn.starts_with("arn:"));
    let target = target.ok_or("Invalid value for deadLetterTargetArn.")?;
    let count = policy.get("maxReceiveCount").ok_or_else(|| missing("maxReceiveCount"))?;
    let number = count.as_i64().or_else(|| count.as_str()?.parse().ok()).filter(|count| (1..=1000).contains(count));
    let max_receives = number.ok_or_else(|| {
        format!("Invalid value for maxReceiveCount: {count}, valid values are from 1 to 1000 both inclusive.")
    })?;
    Ok(Redrive { target_arn: target.to_owned(), max_receives })
}

fn check_redrive_allow(text: &str) -> Result<(), String> {
    let policy: Value = serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
    match (policy["redrivePermission"].as_str(), policy.get("sourceQueueArns").and_then(Value::as_array)) {
        (Some("allowAll" | "denyAll"), None) => Ok(()),
        (Some("byQueue"), Some(arns)) if (1..=10).contains(&arns.len()) && arns.iter().all(Value::is_string) => Ok(()),
        _ => Err("redrivePermission is allowAll, denyAll, or byQueue with 1 to 10 sourceQueueArns".into()),
    }
}

fn same_json(a: &str, b: &str) -> bool {
    matches!((serde_json::from_str::<Value>(a), serde_json::from_str::<Value>(b)), (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(name: &str, value: &str) -> AttributeMap {
        AttributeMap::from([(name.to_owned(), value.to_owned())])
    }

    fn refused(name: &str, value: &str) -> String {
        QueueAttributes::default().set(&given(name, value), false).unwrap_err().to_string()
    }

    #[test]
    fn defaults_are_those_of_the_service() {
        let attributes = QueueAttributes::default();
        assert_eq!(attributes.visibility(), 30);
        assert_eq!(attributes.retention(), 345_600_000);
        assert_eq!(attributes.maximum_size(), 1_048_576);
        assert_eq!(attributes.all().get("SqsManagedSseEnabled").map(String::as_str), Some("true"));
        assert!(!attributes.all().contains_key("KmsDataKeyReusePeriodSeconds"));
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        assert!(refused("VisibilityTimeout", "43201").contains("between 0 and 43200"));
        assert!(refused("DelaySeconds", "soon").contains("whole number"));
        assert_eq!(refused("FifoQueue", "true"), "Unknown Attribute FifoQueue.");
        assert_eq!(refused("Colour", "red"), "Unknown Attribute Colour.");
        assert!(refused("RedrivePolicy", "{}").contains("deadLetterTargetArn"));
        assert!(refused("RedriveAllowPolicy", r#"{"redrivePermission":"byQueue"}"#).contains("sourceQueueArns"));
    }

    #[test]
    fn the_same_policy_written_otherwise_is_no_difference() {
        let mut attributes = QueueAttributes::default();
        attributes.set(&given(REDRIVE, r#"{"deadLetterTargetArn":"arn:a","maxReceiveCount":3}"#), false).unwrap();
        let same = given(REDRIVE, r#"{ "maxReceiveCount": 3, "deadLetterTargetArn": "arn:a" }"#);
        assert_eq!(attributes.first_difference(&same, false).unwrap(), None);
        let other = given(REDRIVE, r#"{"deadLetterTargetArn":"arn:a","maxReceiveCount":4}"#);
        assert_eq!(attributes.first_difference(&other, false).unwrap().as_deref(), Some(REDRIVE));
        assert_eq!(attributes.first_difference(&given("VisibilityTimeout", "30"), false).unwrap(), None);
        let text = given(REDRIVE, r#"{"deadLetterTargetArn":"arn:a","maxReceiveCount":"3"}"#);
        assert_eq!(attributes.first_difference(&text, false).unwrap(), None);
        attributes.set(&text, false).unwrap();
        assert!(attributes.get(REDRIVE).unwrap().contains(r#""maxReceiveCount":3"#));
        attributes.set(&given(REDRIVE, ""), false).unwrap();
        assert_eq!(attributes.redrive(), None);
    }

    #[test]
    fn a_dead_letter_queue_says_whose() {
        let mut attributes = QueueAttributes::default();
        assert!(attributes.admits_dead_letters_of("a"));
        attributes
            .set(&given(REDRIVE_ALLOW, r#"{"redrivePermission":"byQueue","sourceQueueArns":["a"]}"#), false)
            .unwrap();
        assert!(attributes.admits_dead_letters_of("a"));
        assert!(!attributes.admits_dead_letters_of("b"));
    }
}
