//! Messages in, and at once into the queues.

use std::collections::HashSet;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    clock::Millis,
    names::Names,
    sqs::{self, MessageAttributes, NewMessage},
    store::{StoreError, Unit},
    wire::Fault,
};

use super::{
    Sns,
    envelope::Notification,
    error::SnsError,
    subscriptions::{self, Subscription},
    topics::{Topic, existing_topic},
};

/// The largest message, its attributes included; also all of a batch together.
const MAX_MESSAGE: usize = 262_144;
const MAX_SUBJECT: usize = 100;
const MAX_ENTRIES: usize = 10;

/// A message as it is published, alone or in a batch.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Published {
    message: String,
    subject: Option<String>,
    message_structure: Option<String>,
    message_attributes: MessageAttributes,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Publish {
    topic_arn: Option<String>,
    target_arn: Option<String>,
    phone_number: Option<String>,
    #[serde(flatten)]
    message: Published,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct PublishBatch {
    topic_arn: String,
    publish_batch_request_entries: Vec<Entry>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Entry {
    id: String,
    #[serde(flatten)]
    message: Published,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Accepted {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    message_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchOutput {
    successful: Vec<Accepted>,
    failed: Vec<FailedEntry>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct FailedEntry {
    id: String,
    sender_fault: bool,
    code: &'static str,
    message: String,
}

/// Where a message is published to, and by whom.
struct Context {
    names: Names,
    authority: String,
    topic: Topic,
    subscriptions: Vec<Subscription>,
    now: Millis,
}

impl Sns {
    pub(super) async fn publish(&self, input: Publish, authority: &str) -> Result<Accepted, SnsError> {
        if input.phone_number.is_some() {
            return Err(SnsError::invalid(
                "PhoneNumber",
                "text messages are not offered by this endpoint: give a TopicArn",
            ));
        }
        let arn = input.topic_arn.or(input.target_arn).unwrap_or_default();
        input.message.check()?;
        let (names, authority, now) = (self.names.clone(), authority.to_owned(), self.clock.now());
        let publish = move |unit: &mut Unit<'_>| {
            let context = Context::load(unit, names, authority, &arn, now)?;
            Ok(Accepted { id: None, message_id: context.deliver(unit, &input.message)? })
        };
        self.store.write(publish).await
    }

    pub(super) async fn publish_batch(&self, input: PublishBatch, authority: &str) -> Result<BatchOutput, SnsError> {
        let entries = input.publish_batch_request_entries;
        check_batch(&entries)?;
        let (names, authority, now) = (self.names.clone(), authority.to_owned(), self.clock.now());
        let publish = move |unit: &mut Unit<'_>| {
            let context = Context::load(unit, names, authority, &input.topic_arn, now)?;
            let mut output = BatchOutput { successful: Vec::new(), failed: Vec::new() };
            for Entry { id, message } in entries {
                match message.check().and_then(|()| context.deliver(unit, &message)) {
                    Ok(message_id) => output.successful.push(Accepted { id: Some(id), message_id }),
                    Err(error @ SnsError::Store(_)) => return Err(error),
                    Err(error) => {
                        let fault = Fault::from(error);
                        let sender_fault = fault.is_senders();
                        output.failed.push(FailedEntry { id, sender_fault, code: fault.code, message: fault.message });
                    }
                }
            }
            Ok(output)
        };
        self.store.write(publish).await
    }
}

/// Whether there is a topic, for another service of this endpoint.
pub(crate) fn has_topic(connection: &Connection, names: &Names, topic_arn: &str) -> Result<bool, StoreError> {
    match existing_topic(connection, names, topic_arn) {
        Ok(_) => Ok(true),
        Err(SnsError::Store(error)) => Err(error),
        Err(_) => Ok(false),
    }
}

/// Publishes in the transaction of what happened, for another service of this endpoint. A topic that is gone loses the message,
/// as on AWS.
pub(crate) fn notify(
    unit: &mut Unit<'_>,
    names: &Names,
    topic_arn: &str,
    subject: &str,
    message: String,
    now: Millis,
) -> Result<(), StoreError> {
    let published = Published { message, subject: Some(subject.to_owned()), ..Published::default() };
    let authority = format!("sns.{}.amazonaws.com", names.region);
    let delivered = Context::load(unit, names.clone(), authority, topic_arn, now)
        .and_then(|context| context.deliver(unit, &published));
    match delivered {
        Ok(_) => Ok(()),
        Err(SnsError::Store(error)) => Err(error),
        Err(error) => {
            tracing::warn!(topic = topic_arn, %error, "a topic did not take a notification: it is dropped");
            Ok(())
        }
    }
}

fn check_batch(entries: &[Entry]) -> Result<(), SnsError> {
    match entries.len() {
        0 => return Err(SnsError::EmptyBatchRequest),
        1..=MAX_ENTRIES => {}
        more => return Err(SnsError::TooManyEntriesInBatchRequest(more)),
    }
    let mut seen = HashSet::new();
    for Entry { id, .. } in entries {
        let valid =
            (1..=80).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !valid {
            return Err(SnsError::InvalidBatchEntryId(id.clone()));
        }
        if !seen.insert(id) {
            return Err(SnsError::BatchEntryIdsNotDistinct(id.clone()));
        }
    }
    let size = entries.iter().map(|entry| entry.message.size()).sum();
    if size > MAX_MESSAGE { Err(SnsError::BatchRequestTooLong { limit: MAX_MESSAGE, size }) } else { Ok(()) }
}

impl Published {
    fn size(&self) -> usize {
        sqs::size(&self.message, &self.message_attributes)
    }

    fn check(&self) -> Result<(), SnsError> {
        if self.message.is_empty() {
            return Err(SnsError::invalid("Message", "it is empty"));
        }
        sqs::check_body(&self.message)?;
        sqs::check_attributes(&self.message_attributes)?;
        if self.size() > MAX_MESSAGE {
            return Err(SnsError::invalid("Message", format!("it is longer than {MAX_MESSAGE} bytes")));
        }
        if let Some(subject) = self.subject.as_deref() {
            let valid = !subject.is_empty()
                && subject.chars().count() <= MAX_SUBJECT
                && !subject.starts_with(' ')
                && !subject.chars().any(char::is_control);
            if !valid {
                return Err(SnsError::invalid(
                    "Subject",
                    "it must have 1 to 100 characters, none of control, not a space first",
                ));
            }
        }
        self.for_queues().map(drop)
    }

    /// The message for subscriptions by queues, which a structured message may give apart from the others.
    fn for_queues(&self) -> Result<String, SnsError> {
        match self.message_structure.as_deref() {
            None => Ok(self.message.clone()),
            Some("json") => {
                let messages: Value = serde_json::from_str(&self.message)
                    .map_err(|_| SnsError::invalid("Message", "MessageStructure is json, and the message is not"))?;
                let default = messages["default"].as_str();
                let default = default
                    .ok_or_else(|| SnsError::invalid("Message", "the JSON has no text for the key \"default\""))?;
                Ok(messages["sqs"].as_str().unwrap_or(default).to_owned())
            }
            Some(other) => {
                Err(SnsError::invalid("MessageStructure", format!("it is json or missing, and not {other:?}")))
            }
        }
    }
}

impl Context {
    fn load(unit: &Unit<'_>, names: Names, authority: String, arn: &str, now: Millis) -> Result<Context, SnsError> {
        let topic = existing_topic(unit.connection(), &names, arn)?;
        let subscriptions = subscriptions::of_topic(unit.connection(), topic.id)?;
        Ok(Context { names, authority, topic, subscriptions, now })
    }

    /// Puts the message into every queue that wants it. Answers with the message's id.
    fn deliver(&self, unit: &mut Unit<'_>, published: &Published) -> Result<String, SnsError> {
        let message_id = Uuid::new_v4().to_string();
        let body = published.for_queues()?;
        for subscription in &self.subscriptions {
            if subscription.filter().is_some_and(|filter| !filter.matches(&published.message_attributes, &body)) {
                continue;
            }
            let message = self.for_subscription(subscription, published, &body, &message_id);
            self.put(unit, subscription, &message)?;
        }
        Ok(message_id)
    }

    fn for_subscription(
        &self,
        subscription: &Subscription,
        published: &Published,
        body: &str,
        message_id: &str,
    ) -> NewMessage {
        let (body, attributes) = if subscription.is_raw() {
            (body.to_owned(), published.message_attributes.clone())
        } else {
            let notification = Notification {
                message_id,
                topic_arn: &self.names.topic_arn(&self.topic.name),
                subscription_arn: &subscription.arn(&self.names),
                authority: &self.authority,
                subject: published.subject.as_deref(),
                message: body,
                attributes: &published.message_attributes,
                at: self.now,
            };
            (notification.to_json(), MessageAttributes::new())
        };
        NewMessage { body, attributes, sender: self.names.account.clone(), ..NewMessage::default() }
    }

    /// Puts a message into the subscribed queue, or, where that is gone, into the subscription's dead-letter queue.
    fn put(&self, unit: &mut Unit<'_>, subscription: &Subscription, message: &NewMessage) -> Result<(), SnsError> {
        let targets = [Some(subscription.endpoint.clone()), subscription.dead_letter_arn()];
        for arn in targets.into_iter().flatten() {
            let queue =
                self.names.queue_in_arn(&arn).map(|name| sqs::find_queue(unit.connection(), name)).transpose()?;
            if let Some(queue) = queue.flatten() {
                sqs::enqueue(unit, &queue, message, self.now)?;
                return Ok(());
            }
        }
        tracing::warn!(
            queue = subscription.endpoint,
            topic = self.topic.name,
            "a subscribed queue is gone: its message is dropped"
        );
        Ok(())
    }
}
