//! Messages in, and at once into the queues.

use std::collections::HashSet;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    clock::Millis,
    names::Names,
    sqs::{self, MessageAttributes, NewMessage, fifo},
    store::{StoreError, Unit},
};

use super::{
    Sns,
    delivery::{self, Message},
    endpoints::{self, HTTP, SMS},
    envelope::Notification,
    error::SnsError,
    filter::Filter,
    message::{MAX_MESSAGE, Published},
    subscription::{self, Subscription},
    topics::{Topic, existing_topic},
};

const MAX_ENTRIES: usize = 10;
/// The most attributes that a queue takes.
const MAX_QUEUE_ATTRIBUTES: usize = 10;
/// Added to the number of a publish: sequence numbers have 20 digits.
const FIRST_SEQUENCE: u64 = 10_000_000_000_000_000_000;

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
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence_number: Option<String>,
}

/// The answer to a batch, which is accepted as a whole or not at all.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchOutput {
    successful: Vec<Accepted>,
    failed: [(); 0],
}

/// What a request says beside its parameters.
pub(super) struct Caller {
    /// `host:port` as the client named us.
    pub(super) authority: String,
    /// What traces the request through services.
    pub(super) trace_header: Option<String>,
}

/// Where a message is published to, and by whom.
struct Context {
    names: Names,
    caller: Caller,
    topic: Topic,
    subscriptions: Vec<(Subscription, Option<Filter>)>,
    now: Millis,
}

impl Sns {
    pub(super) async fn publish(&self, input: Publish, caller: Caller) -> Result<Accepted, SnsError> {
        if let Some(number) = input.phone_number {
            return send_text(&number, &input.message);
        }
        let arn = input.topic_arn.or(input.target_arn).unwrap_or_default();
        if arn.contains(":endpoint/") {
            // There are none on this machine.
            return Err(SnsError::invalid("TargetArn", "No endpoint found for the target arn specified"));
        }
        input.message.check("")?;
        let (names, now) = (self.names.clone(), self.clock.now());
        let publish = move |unit: &mut Unit<'_>| {
            let context = Context::load(unit.connection(), names, caller, &arn, now)?;
            context.publish(unit, None, &input.message)
        };
        self.store.write(publish).await
    }

    pub(super) async fn publish_batch(&self, input: PublishBatch, caller: Caller) -> Result<BatchOutput, SnsError> {
        let entries = input.publish_batch_request_entries;
        check_batch(&entries)?;
        for (number, entry) in (1..).zip(&entries) {
            entry.message.check(&format!("publishBatchRequestEntries.{number}.member."))?;
        }
        let (names, now) = (self.names.clone(), self.clock.now());
        let publish = move |unit: &mut Unit<'_>| {
            let context = Context::load(unit.connection(), names, caller, &input.topic_arn, now)?;
            // What one entry lacks refuses them all.
            entries.iter().try_for_each(|entry| entry.message.check_order(&context.topic))?;
            let accepted = entries.into_iter().map(|Entry { id, message }| context.publish(unit, Some(id), &message));
            Ok(BatchOutput { successful: accepted.collect::<Result<_, _>>()?, failed: [] })
        };
        self.store.write(publish).await
    }
}

/// Takes a text message, which nobody gets: nothing leaves this machine.
fn send_text(number: &str, message: &Published) -> Result<Accepted, SnsError> {
    if !endpoints::is_phone_number(number) {
        return Err(SnsError::invalid("PhoneNumber", format!("{number} is not valid to publish to")));
    }
    message.check("")?;
    tracing::debug!("a text message was taken and is sent to nobody");
    Ok(Accepted { id: None, message_id: Uuid::new_v4().to_string(), sequence_number: None })
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
    let caller = Caller { authority: format!("sns.{}.amazonaws.com", names.region), trace_header: None };
    let delivered = Context::load(unit.connection(), names.clone(), caller, topic_arn, now)
        .and_then(|context| context.publish(unit, None, &published));
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
        _ => return Err(SnsError::TooManyEntriesInBatchRequest),
    }
    let mut seen = HashSet::new();
    for Entry { id, .. } in entries {
        if id.len() > 80 {
            return Err(SnsError::InvalidBatchEntryId(format!("is too long: {id}")));
        }
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            return Err(SnsError::InvalidBatchEntryId(format!("contains an impermissible character: {id}")));
        }
        if !seen.insert(id) {
            return Err(SnsError::BatchEntryIdsNotDistinct);
        }
    }
    let size = entries.iter().map(|entry| entry.message.size()).sum::<usize>();
    if size > MAX_MESSAGE { Err(SnsError::BatchRequestTooLong) } else { Ok(()) }
}

impl Context {
    fn load(
        connection: &Connection,
        names: Names,
        caller: Caller,
        arn: &str,
        now: Millis,
    ) -> Result<Context, SnsError> {
        let topic = existing_topic(connection, &names, arn)?;
        let subscriptions = subscription::of_topic(connection, topic.id)?;
        let subscriptions = subscriptions.into_iter().map(|subscription| {
            let filter = subscription.filter();
            (subscription, filter)
        });
        Ok(Context { names, caller, topic, subscriptions: subscriptions.collect(), now })
    }

    /// Publishes a message: once, where the topic has seen it in the last five minutes.
    fn publish(&self, unit: &mut Unit<'_>, id: Option<String>, published: &Published) -> Result<Accepted, SnsError> {
        published.check_order(&self.topic)?;
        let message_id = Uuid::new_v4().to_string();
        if !self.topic.is_fifo() {
            self.deliver(unit, published, &message_id, None, None)?;
            return Ok(Accepted { id, message_id, sequence_number: None });
        }
        let group = published.message_group_id.as_deref().unwrap_or_default();
        let dedup_id =
            published.message_deduplication_id.clone().unwrap_or_else(|| fifo::content_id(&published.message));
        let scope = if self.topic.deduplicates_by_group() { group } else { "" };
        let owner = fifo::Owner::Topic(self.topic.id);
        if let Some(seen) = fifo::recall(unit.connection(), owner, scope, &dedup_id, self.now)? {
            let sequence_number = Some(sequence_number(seen.sequence));
            return Ok(Accepted { id, message_id: seen.message_id, sequence_number });
        }
        let sql = "UPDATE topic SET sequence = sequence + 1 WHERE id = ?1 RETURNING sequence";
        let sequence = unit.connection().prepare_cached(sql)?.query_row([self.topic.id], |row| row.get(0))?;
        let number = sequence_number(sequence);
        self.deliver(unit, published, &message_id, Some(&dedup_id), Some(&number))?;
        let seen = fifo::Seen { message_id, sequence };
        fifo::remember(unit.connection(), owner, scope, &dedup_id, &seen, self.now)?;
        Ok(Accepted { id, message_id: seen.message_id, sequence_number: Some(number) })
    }

    /// Puts the message on its way to every subscriber that wants it.
    fn deliver(
        &self,
        unit: &mut Unit<'_>,
        published: &Published,
        message_id: &str,
        dedup_id: Option<&str>,
        sequence_number: Option<&str>,
    ) -> Result<(), SnsError> {
        for (subscription, filter) in &self.subscriptions {
            let text = published.body_for(&subscription.protocol)?;
            if filter.as_ref().is_some_and(|filter| !filter.matches(&published.message_attributes, &text)) {
                continue;
            }
            let raw = subscription.is_raw();
            let body = if raw {
                text
            } else {
                let notification = Notification {
                    message_id,
                    topic_arn: &self.names.topic_arn(&self.topic.name),
                    subscription_arn: &subscription.arn(&self.names),
                    authority: &self.caller.authority,
                    subject: published.subject.as_deref(),
                    message: &text,
                    attributes: &published.message_attributes,
                    sequence_number,
                    signature_version: self.topic.signature_version(),
                    at: self.now,
                };
                notification.to_json()
            };
            if subscription.protocol == HTTP {
                let message = Message::notification(message_id.to_owned(), body, raw);
                delivery::add(unit, subscription.id, &message, self.now)?;
                continue;
            }
            if subscription.protocol == SMS {
                continue;
            }
            let message = NewMessage {
                body,
                attributes: if raw { published.message_attributes.clone() } else { MessageAttributes::new() },
                sender: self.names.account.clone(),
                trace_header: self.caller.trace_header.clone(),
                group: published.message_group_id.clone(),
                dedup_id: dedup_id.map(str::to_owned),
                ..NewMessage::default()
            };
            self.put(unit, subscription, &message)?;
        }
        Ok(())
    }

    /// Puts a message into the subscribed queue, or, where that is gone or would refuse it, into the dead-letter queue: there,
    /// too, for what is no queue and not on this machine.
    fn put(&self, unit: &mut Unit<'_>, subscription: &Subscription, message: &NewMessage) -> Result<(), SnsError> {
        let name = self.names.queue_in_arn(&subscription.endpoint);
        let queue = name.map(|name| sqs::find_queue(unit.connection(), name)).transpose()?.flatten();
        match queue {
            Some(queue) if message.attributes.len() <= MAX_QUEUE_ATTRIBUTES => {
                sqs::enqueue(unit, &queue, message, self.now)?;
                Ok(())
            }
            _ => Ok(delivery::bury(unit, &self.names, subscription, message, self.now)?),
        }
    }
}

fn sequence_number(sequence: i64) -> String {
    (FIRST_SEQUENCE + sequence.unsigned_abs()).to_string()
}
