//! Messages in.

use serde::{Deserialize, Serialize};

use crate::{clock::Millis, store::Unit, wire::lenient};

use super::{
    Sqs,
    attributes::{MAX_DELAY, MAX_MESSAGE},
    batch::{self, BatchOutput},
    error::SqsError,
    message::{MessageAttributes, check_attributes, check_body, md5_of_attributes, md5_of_body, size},
    rows::{NewMessage, Queue, enqueue, existing_queue},
};

const TRACE_HEADER: &str = "AWSTraceHeader";

/// A message as it is sent, alone or in a batch.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Sent {
    message_body: String,
    #[serde(deserialize_with = "lenient::number")]
    delay_seconds: Option<i64>,
    message_attributes: MessageAttributes,
    message_system_attributes: MessageAttributes,
    message_group_id: Option<String>,
    message_deduplication_id: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct SendMessage {
    queue_url: String,
    #[serde(flatten)]
    message: Sent,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct SendBatch {
    queue_url: String,
    entries: Vec<SendEntry>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct SendEntry {
    id: String,
    #[serde(flatten)]
    message: Sent,
}

#[derive(Serialize)]
pub(super) struct Accepted {
    #[serde(rename = "Id", skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(rename = "MessageId")]
    message_id: String,
    #[serde(rename = "MD5OfMessageBody")]
    md5_of_body: String,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    md5_of_attributes: Option<String>,
    #[serde(rename = "MD5OfMessageSystemAttributes", skip_serializing_if = "Option::is_none")]
    md5_of_system_attributes: Option<String>,
}

impl Sqs {
    pub(super) async fn send(&self, input: SendMessage) -> Result<Accepted, SqsError> {
        let name = self.queue_of(&input.queue_url)?;
        let (sender, now) = (self.names.account.clone(), self.clock.now());
        let send = move |unit: &mut Unit<'_>| {
            let queue = existing_queue(unit.connection(), &name)?;
            input.message.put(unit, &queue, None, sender, now)
        };
        self.store.write(send).await
    }

    pub(super) async fn send_batch(&self, input: SendBatch) -> Result<BatchOutput<Accepted>, SqsError> {
        let name = self.queue_of(&input.queue_url)?;
        batch::check_ids(input.entries.iter().map(|entry| entry.id.as_str()))?;
        check_batch_size(&input.entries)?;
        let (sender, now) = (self.names.account.clone(), self.clock.now());
        let send = move |unit: &mut Unit<'_>| {
            let queue = existing_queue(unit.connection(), &name)?;
            let mut output = BatchOutput::new();
            for SendEntry { id, message } in input.entries {
                let outcome = message.put(unit, &queue, Some(id.clone()), sender.clone(), now);
                output.add(id, outcome)?;
            }
            Ok(output)
        };
        self.store.write(send).await
    }
}

fn check_batch_size(entries: &[SendEntry]) -> Result<(), SqsError> {
    let limit = usize::try_from(MAX_MESSAGE).unwrap_or(usize::MAX);
    let size = entries.iter().map(|entry| size(&entry.message.message_body, &entry.message.message_attributes)).sum();
    if size > limit { Err(SqsError::BatchRequestTooLong { limit, size }) } else { Ok(()) }
}

impl Sent {
    fn put(
        self,
        unit: &mut Unit<'_>,
        queue: &Queue,
        id: Option<String>,
        sender: String,
        now: Millis,
    ) -> Result<Accepted, SqsError> {
        self.check(queue)?;
        let md5_of_body = md5_of_body(&self.message_body);
        let md5_of_attributes = md5_of_attributes(&self.message_attributes);
        let md5_of_system_attributes = super::message::md5_of_attributes(&self.message_system_attributes);
        let trace_header =
            self.message_system_attributes.get(TRACE_HEADER).and_then(|value| value.string_value.clone());
        let message = NewMessage {
            body: self.message_body,
            attributes: self.message_attributes,
            trace_header,
            sender,
            delay: self.delay_seconds,
        };
        let message_id = enqueue(unit, queue, &message, now)?;
        Ok(Accepted { id, message_id, md5_of_body, md5_of_attributes, md5_of_system_attributes })
    }

    fn check(&self, queue: &Queue) -> Result<(), SqsError> {
        check_body(&self.message_body)?;
        check_attributes(&self.message_attributes)?;
        let invalid = |parameter, value: String, reason: &str| SqsError::InvalidParameter {
            parameter,
            value,
            reason: reason.to_owned(),
        };
        if let Some(unknown) = self.message_system_attributes.keys().find(|name| *name != TRACE_HEADER) {
            return Err(invalid("MessageSystemAttributes", unknown.clone(), "only AWSTraceHeader can be sent"));
        }
        if let Some(group) = self.message_deduplication_id.as_ref() {
            return Err(invalid(
                "MessageDeduplicationId",
                group.clone(),
                "it is for FIFO queues, and this is a standard queue",
            ));
        }
        // A group on a standard queue asks for fair sharing among groups, which is not promised to any one of them.
        if self.message_group_id.as_ref().is_some_and(|group| group.is_empty() || group.len() > 128) {
            return Err(invalid("MessageGroupId", String::new(), "it must have 1 to 128 characters"));
        }
        if let Some(delay) = self.delay_seconds.filter(|delay| !(0..=MAX_DELAY).contains(delay)) {
            return Err(invalid("DelaySeconds", delay.to_string(), "it must be between 0 and 900"));
        }
        let (size, limit) = (size(&self.message_body, &self.message_attributes), queue.attributes.maximum_size());
        if size > limit {
            let reason = format!("the message must be shorter than {limit} bytes, and it has {size}");
            return Err(invalid("MessageBody", String::new(), &reason));
        }
        Ok(())
    }
}
