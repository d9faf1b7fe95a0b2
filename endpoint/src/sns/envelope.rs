//! The JSON that a queue gets which did not ask for raw messages.

use serde_json::{Map, Value, json};

use crate::{
    clock::{Millis, iso8601},
    sqs::MessageAttributes,
};

/// What an envelope is made of.
pub(super) struct Notification<'a> {
    pub(super) message_id: &'a str,
    pub(super) topic_arn: &'a str,
    pub(super) subscription_arn: &'a str,
    pub(super) authority: &'a str,
    pub(super) subject: Option<&'a str>,
    pub(super) message: &'a str,
    pub(super) attributes: &'a MessageAttributes,
    pub(super) at: Millis,
}

impl Notification<'_> {
    /// The envelope. Its signature says that it is none: there is no certificate of Amazon's on this machine to make a true one.
    pub(super) fn to_json(&self) -> String {
        let mut envelope = Map::new();
        let mut put = |name: &str, value: Value| envelope.insert(name.to_owned(), value);
        put("Type", json!("Notification"));
        put("MessageId", json!(self.message_id));
        put("TopicArn", json!(self.topic_arn));
        if let Some(subject) = self.subject {
            put("Subject", json!(subject));
        }
        put("Message", json!(self.message));
        put("Timestamp", json!(iso8601(self.at)));
        put("SignatureVersion", json!("1"));
        put("Signature", json!("bm90LXNpZ25lZA=="));
        put("SigningCertURL", json!(format!("http://{}/_endpoint/not-signed.pem", self.authority)));
        let unsubscribe =
            format!("http://{}/?Action=Unsubscribe&SubscriptionArn={}", self.authority, self.subscription_arn);
        put("UnsubscribeURL", json!(unsubscribe));
        if !self.attributes.is_empty() {
            let attributes = self.attributes.iter().map(|(name, attribute)| {
                let value = attribute.string_value.as_ref().or(attribute.binary_value.as_ref());
                (name.clone(), json!({"Type": attribute.data_type, "Value": value}))
            });
            put("MessageAttributes", Value::Object(attributes.collect()));
        }
        Value::Object(envelope).to_string()
    }
}
