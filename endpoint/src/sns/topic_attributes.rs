//! Attributes of a topic: which there are, what they may be, what they are when nobody says.

use serde_json::{Map, Value, json};

use crate::names::Names;

use super::{AttributeMap, policy, topics::Topic};

pub(super) const FIFO_TOPIC: &str = "FifoTopic";
pub(super) const CONTENT_BASED: &str = "ContentBasedDeduplication";
pub(super) const THROUGHPUT_SCOPE: &str = "FifoThroughputScope";
pub(super) const POLICY: &str = "Policy";
pub(super) const DELIVERY_POLICY: &str = "DeliveryPolicy";
pub(super) const SIGNATURE_VERSION: &str = "SignatureVersion";

/// Attributes that can be set, and whether their value is a JSON object.
const SETTABLE: &[(&str, bool)] = &[
    ("DisplayName", false),
    (POLICY, true),
    (DELIVERY_POLICY, true),
    ("KmsMasterKeyId", false),
    (SIGNATURE_VERSION, false),
    ("TracingConfig", false),
];
/// Attributes of topics that keep an order: name, and what each may be.
const FIFO: &[(&str, &[&str])] =
    &[(FIFO_TOPIC, &["true"]), (CONTENT_BASED, &["true", "false"]), (THROUGHPUT_SCOPE, &["Topic", "MessageGroup"])];
/// Delivery logs name roles; they are kept and nothing is logged.
const FEEDBACK: [&str; 3] = ["SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate", "FailureFeedbackRoleArn"];

/// All attributes, those that are computed among them; `confirmed` and `pending` count subscriptions.
pub(super) fn described(topic: Topic, names: &Names, (confirmed, pending): (i64, i64)) -> AttributeMap {
    let computed = [
        ("Owner", names.account.clone()),
        ("TopicArn", names.topic_arn(&topic.name)),
        ("DisplayName", String::new()),
        (POLICY, topic.policy(names).to_string()),
        ("EffectiveDeliveryPolicy", policy::effective_of_topic(topic.attributes.get(DELIVERY_POLICY))),
        ("SubscriptionsConfirmed", confirmed.to_string()),
        ("SubscriptionsPending", pending.to_string()),
        ("SubscriptionsDeleted", "0".to_owned()),
    ];
    let mut all: AttributeMap = computed.map(|(name, value)| (name.to_owned(), value)).into();
    let fifo = topic.is_fifo();
    if fifo {
        all.insert(CONTENT_BASED.to_owned(), "false".to_owned());
    }
    all.extend(topic.attributes);
    if let Some(set) = all.get_mut(DELIVERY_POLICY) {
        *set = policy::of_topic(set);
    }
    if !fifo {
        // A topic that was said to keep no order does not show that.
        all.remove(FIFO_TOPIC);
    }
    all
}

/// The policy of a topic that was given none.
pub(super) fn default_policy(arn: &str, account: &str) -> Value {
    let actions = [
        "GetTopicAttributes",
        "SetTopicAttributes",
        "AddPermission",
        "RemovePermission",
        "DeleteTopic",
        "Subscribe",
        "ListSubscriptionsByTopic",
        "Publish",
    ];
    json!({
        "Version": "2008-10-17", "Id": "__default_policy_ID",
        "Statement": [{"Sid": "__default_statement_ID", "Effect": "Allow", "Principal": {"AWS": "*"},
            "Action": actions.map(|action| format!("SNS:{action}")), "Resource": arn,
            "Condition": {"StringEquals": {"AWS:SourceOwner": account}}}],
    })
}

/// Checks an attribute of a topic that keeps an order, or of one that does not.
pub(super) fn check_attribute(name: &str, value: &str, fifo: bool) -> Result<(), String> {
    if let Some((_, values)) = FIFO.iter().find(|(attribute, _)| *attribute == name) {
        // A standard topic may say that it is none.
        return match () {
            () if fifo && values.contains(&value) => Ok(()),
            () if !fifo && value == "false" => Ok(()),
            () => Err(format!("{name}: Invalid value [{value}] for this type of topic.")),
        };
    }
    if name == "ArchivePolicy" || name == "DataProtectionPolicy" {
        return Err(format!("{name}: archives and data protection are not offered by this endpoint."));
    }
    let is_feedback = FEEDBACK.iter().any(|suffix| name.ends_with(suffix));
    match SETTABLE.iter().find(|(settable, _)| *settable == name) {
        Some((SIGNATURE_VERSION, _)) if value != "1" && value != "2" => {
            Err(format!("{name}: Invalid value [{value}]. Must be 1 or 2."))
        }
        Some((_, true)) if !value.is_empty() && serde_json::from_str::<Map<String, Value>>(value).is_err() => {
            Err(format!("{name}: failed to parse JSON."))
        }
        Some(_) => Ok(()),
        None if is_feedback => Ok(()),
        None => Err("AttributeName".into()),
    }
}
