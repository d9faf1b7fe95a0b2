//! The JSON that a subscriber gets which did not ask for raw messages.

use serde_json::{Map, Value, json};

use crate::{
    clock::{Millis, iso8601},
    sqs::MessageAttributes,
};

use super::{
    delivery::UNSUBSCRIBED,
    error::SnsError,
    signing::{Signatures, ToSign, Version},
};

const NOTIFICATION: &str = "Notification";

/// What an envelope is made of.
pub(super) struct Notification<'a> {
    pub(super) message_id: &'a str,
    pub(super) topic_arn: &'a str,
    pub(super) subscription_arn: String,
    pub(super) authority: &'a str,
    pub(super) subject: Option<&'a str>,
    pub(super) message: &'a str,
    pub(super) attributes: &'a MessageAttributes,
    /// Where the topic keeps an order.
    pub(super) sequence_number: Option<&'a str>,
    pub(super) signature_version: Version,
    pub(super) at: Millis,
}

/// What asks a server to confirm its subscription, or whether it wants back one that ended.
pub(super) struct Confirmation<'a> {
    pub(super) message_id: &'a str,
    pub(super) topic_arn: &'a str,
    /// The ARN of the subscription that ended.
    pub(super) ended: Option<&'a str>,
    pub(super) authority: &'a str,
    pub(super) token: &'a str,
    pub(super) signature_version: Version,
    pub(super) at: Millis,
}

impl Notification<'_> {
    /// What is to be signed. The service signs nothing of a topic that keeps an order.
    pub(super) fn to_sign(&self) -> Option<ToSign> {
        if self.sequence_number.is_some() {
            return None;
        }
        let at = iso8601(self.at);
        let mut fields = vec![("Message", self.message), ("MessageId", self.message_id)];
        fields.extend(self.subject.map(|subject| ("Subject", subject)));
        fields.extend([("Timestamp", at.as_str()), ("TopicArn", self.topic_arn), ("Type", NOTIFICATION)]);
        Some(ToSign::new(self.signature_version, &fields))
    }

    pub(super) fn to_json(&self, signatures: &Signatures) -> Result<String, SnsError> {
        let mut envelope = Map::new();
        envelope.insert("Type".into(), json!(NOTIFICATION));
        envelope.insert("MessageId".into(), json!(self.message_id));
        if let Some(number) = self.sequence_number {
            envelope.insert("SequenceNumber".into(), json!(number));
        }
        envelope.insert("TopicArn".into(), json!(self.topic_arn));
        if let Some(subject) = self.subject {
            envelope.insert("Subject".into(), json!(subject));
        }
        envelope.insert("Message".into(), json!(self.message));
        envelope.insert("Timestamp".into(), json!(iso8601(self.at)));
        if let Some(text) = self.to_sign() {
            signatures.add_to(&mut envelope, text, self.authority)?;
        }
        let unsubscribe =
            format!("http://{}/?Action=Unsubscribe&SubscriptionArn={}", self.authority, self.subscription_arn);
        envelope.insert("UnsubscribeURL".into(), json!(unsubscribe));
        if !self.attributes.is_empty() {
            let attributes = self.attributes.iter().map(|(name, attribute)| {
                let value = attribute.string_value.as_ref().or(attribute.binary_value.as_ref());
                (name.clone(), json!({"Type": attribute.data_type, "Value": value}))
            });
            envelope.insert("MessageAttributes".into(), Value::Object(attributes.collect()));
        }
        Ok(Value::Object(envelope).to_string())
    }
}

impl Confirmation<'_> {
    pub(super) fn kind(&self) -> &'static str {
        if self.ended.is_some() { UNSUBSCRIBED } else { "SubscriptionConfirmation" }
    }

    pub(super) fn to_json(&self, signatures: &Signatures) -> Result<String, SnsError> {
        let (chosen, visit) = match self.ended {
            None => (format!("subscribe to the topic {}", self.topic_arn), "confirm the subscription"),
            Some(ended) => {
                (format!("deactivate subscription {ended}"), "cancel this operation and restore the subscription")
            }
        };
        let message =
            format!("You have chosen to {chosen}.\nTo {visit}, visit the SubscribeURL included in this message.");
        let url = format!(
            "http://{}/?Action=ConfirmSubscription&TopicArn={}&Token={}",
            self.authority, self.topic_arn, self.token
        );
        let at = iso8601(self.at);
        let signed = [
            ("Message", message.as_str()),
            ("MessageId", self.message_id),
            ("SubscribeURL", &url),
            ("Timestamp", &at),
            ("Token", self.token),
            ("TopicArn", self.topic_arn),
            ("Type", self.kind()),
        ];
        let signed = ToSign::new(self.signature_version, &signed);
        let mut envelope = Map::new();
        envelope.insert("Type".into(), json!(self.kind()));
        envelope.insert("MessageId".into(), json!(self.message_id));
        envelope.insert("Token".into(), json!(self.token));
        envelope.insert("TopicArn".into(), json!(self.topic_arn));
        envelope.insert("Message".into(), json!(message));
        envelope.insert("SubscribeURL".into(), json!(url));
        envelope.insert("Timestamp".into(), json!(at));
        signatures.add_to(&mut envelope, signed, self.authority)?;
        Ok(Value::Object(envelope).to_string())
    }
}
