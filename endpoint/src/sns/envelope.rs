//! The JSON that a subscriber gets which did not ask for raw messages.

use serde_json::{Map, Value, json};

use crate::{
    clock::{Millis, iso8601},
    sqs::MessageAttributes,
};

use super::delivery::UNSUBSCRIBED;

/// What an envelope is made of.
pub(super) struct Notification<'a> {
    pub(super) message_id: &'a str,
    pub(super) topic_arn: &'a str,
    pub(super) subscription_arn: &'a str,
    pub(super) authority: &'a str,
    pub(super) subject: Option<&'a str>,
    pub(super) message: &'a str,
    pub(super) attributes: &'a MessageAttributes,
    /// Where the topic keeps an order.
    pub(super) sequence_number: Option<&'a str>,
    pub(super) signature_version: &'a str,
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
    pub(super) signature_version: &'a str,
    pub(super) at: Millis,
}

impl Notification<'_> {
    pub(super) fn to_json(&self) -> String {
        let mut envelope = Map::new();
        envelope.insert("Type".into(), json!("Notification"));
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
        // The service does not sign what a topic with an order sends.
        if self.sequence_number.is_none() {
            unsigned(&mut envelope, self.authority, self.signature_version);
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
        Value::Object(envelope).to_string()
    }
}

impl Confirmation<'_> {
    pub(super) fn kind(&self) -> &'static str {
        if self.ended.is_some() { UNSUBSCRIBED } else { "SubscriptionConfirmation" }
    }

    pub(super) fn to_json(&self) -> String {
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
        let mut envelope = Map::new();
        envelope.insert("Type".into(), json!(self.kind()));
        envelope.insert("MessageId".into(), json!(self.message_id));
        envelope.insert("Token".into(), json!(self.token));
        envelope.insert("TopicArn".into(), json!(self.topic_arn));
        envelope.insert("Message".into(), json!(message));
        envelope.insert("SubscribeURL".into(), json!(url));
        envelope.insert("Timestamp".into(), json!(iso8601(self.at)));
        unsigned(&mut envelope, self.authority, self.signature_version);
        Value::Object(envelope).to_string()
    }
}

/// The fields of a signature, which say that it is none: there is no certificate of Amazon's on this machine to make a true one.
fn unsigned(envelope: &mut Map<String, Value>, authority: &str, version: &str) {
    envelope.insert("SignatureVersion".into(), json!(version));
    envelope.insert("Signature".into(), json!("bm90LXNpZ25lZA=="));
    envelope.insert("SigningCertURL".into(), json!(format!("http://{authority}/_endpoint/not-signed.pem")));
}
