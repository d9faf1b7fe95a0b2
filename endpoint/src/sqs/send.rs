//! Messages in.

use serde::{Deserialize, Serialize};

use crate::{clock::Millis, store::Unit, wire::lenient};

use super::{
    Sqs,
    attributes::{MAX_DELAY, MAX_MESSAGE},
    batch::{self, BatchOutput},
    error::{SqsError, within},
    fifo::is_id,
    message::{MessageAttributes, check_attributes, check_body, md5_of_attributes, md5_of_body, size},
    rows::{Enqueued, NewMessage, Queue, enqueue, existing_queue},
};

const NOT_FOR_THIS_TYPE: &str = "The request includes a parameter that is not valid for this queue type.";
const NOT_FOR_THIS_QUEUE: &str = "The request include parameter that is not valid for this queue type.";
const TRACE_HEADER: &str = "AWSTraceHeader";

/// A message as it is sent: alone with its queue, or in a batch with its id there.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Sent {
    queue_url: String,
    id: String,
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
pub(super) struct SendBatch {
    queue_url: String,
    entries: Vec<Sent>,
}

/// Who sends, and what traces the request through services.
struct Sender {
    id: String,
    trace_header: Option<String>,
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
    #[serde(rename = "SequenceNumber", skip_serializing_if = "Option::is_none")]
    sequence_number: Option<String>,
}

impl Sqs {
    pub(super) async fn send(&self, input: Sent, trace_header: Option<&str>) -> Result<Accepted, SqsError> {
        let name = self.queue_of(&input.queue_url)?;
        let sender = Sender { id: self.names.account.clone(), trace_header: trace_header.map(str::to_owned) };
        let now = self.clock.now();
        let send = move |unit: &mut Unit<'_>| {
            let queue = existing_queue(unit.connection(), &name)?;
            input.put(unit, &queue, None, &sender, now)
        };
        self.store.write_lightly(send).await
    }

    pub(super) async fn send_batch(
        &self,
        input: SendBatch,
        trace_header: Option<&str>,
    ) -> Result<BatchOutput<Accepted>, SqsError> {
        let name = self.queue_of(&input.queue_url)?;
        batch::check_ids(input.entries.iter().map(|entry| entry.id.as_str()), "SendMessageBatchRequestEntry")?;
        check_batch_size(&input.entries)?;
        let sender = Sender { id: self.names.account.clone(), trace_header: trace_header.map(str::to_owned) };
        let now = self.clock.now();
        let send = move |unit: &mut Unit<'_>| {
            let queue = existing_queue(unit.connection(), &name)?;
            if queue.is_fifo() {
                input.entries.iter().try_for_each(|entry| entry.check_order_of_batch(&queue))?;
            }
            let mut output = BatchOutput::new();
            for mut message in input.entries {
                let id = std::mem::take(&mut message.id);
                let outcome = message.put(unit, &queue, Some(id.clone()), &sender, now);
                output.add(id, outcome)?;
            }
            Ok(output)
        };
        self.store.write_lightly(send).await
    }
}

fn check_batch_size(entries: &[Sent]) -> Result<(), SqsError> {
    let limit = usize::try_from(MAX_MESSAGE).unwrap_or(usize::MAX);
    let size = entries.iter().map(|entry| size(&entry.message_body, &entry.message_attributes)).sum();
    if size > limit { Err(SqsError::BatchRequestTooLong { limit, size }) } else { Ok(()) }
}

impl Sent {
    fn put(
        self,
        unit: &mut Unit<'_>,
        queue: &Queue,
        id: Option<String>,
        sender: &Sender,
        now: Millis,
    ) -> Result<Accepted, SqsError> {
        self.check(queue)?;
        let md5_of_body = md5_of_body(&self.message_body);
        let md5_of_attributes = md5_of_attributes(&self.message_attributes);
        let md5_of_system_attributes = super::message::md5_of_attributes(&self.message_system_attributes);
        let trace_header =
            self.message_system_attributes.get(TRACE_HEADER).and_then(|value| value.string_value.clone());
        let trace_header = trace_header.or_else(|| sender.trace_header.clone());
        let message = NewMessage {
            body: self.message_body,
            attributes: self.message_attributes,
            trace_header,
            sender: sender.id.clone(),
            delay: self.delay_seconds,
            group: self.message_group_id,
            dedup_id: self.message_deduplication_id,
        };
        let Enqueued { message_id, sequence_number } = enqueue(unit, queue, &message, now)?;
        Ok(Accepted { id, message_id, md5_of_body, md5_of_attributes, md5_of_system_attributes, sequence_number })
    }

    fn check(&self, queue: &Queue) -> Result<(), SqsError> {
        if self.message_body.is_empty() {
            return Err(SqsError::MissingParameter("MessageBody"));
        }
        let (size, limit) = (size(&self.message_body, &self.message_attributes), queue.attributes.maximum_size());
        if size > limit {
            return Err(SqsError::InvalidValue(format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes."
            )));
        }
        check_body(&self.message_body)?;
        check_attributes(&self.message_attributes)?;
        check_system_attributes(&self.message_system_attributes)?;
        within("DelaySeconds", self.delay_seconds, 0..=MAX_DELAY, "DelaySeconds must be >= 0 and <= 900.")?;
        check_id("MessageGroupId", self.message_group_id.as_deref())?;
        check_id("MessageDeduplicationId", self.message_deduplication_id.as_deref())?;
        if queue.is_fifo() {
            return self.check_order(queue);
        }
        // A group on a standard queue asks for fair sharing among groups, which is not promised to any one of them. An id for
        // deduplication promises what the queue does not do.
        match &self.message_deduplication_id {
            Some(id) => Err(SqsError::invalid("MessageDeduplicationId", id, NOT_FOR_THIS_TYPE)),
            None => Ok(()),
        }
    }

    /// What a queue that keeps an order asks of a message.
    fn check_order(&self, queue: &Queue) -> Result<(), SqsError> {
        if self.message_group_id.is_none() {
            return Err(SqsError::MissingParameter("MessageGroupId"));
        }
        self.check_deduplication(queue)?;
        match self.delay_seconds {
            // Only the queue as a whole can delay, or the order would be lost. Some clients send a zero.
            Some(delay) if delay > 0 => Err(SqsError::invalid("DelaySeconds", delay.to_string(), NOT_FOR_THIS_QUEUE)),
            _ => Ok(()),
        }
    }

    /// What is missing in one entry refuses the whole batch, and under another code than in a single send.
    fn check_order_of_batch(&self, queue: &Queue) -> Result<(), SqsError> {
        self.check_deduplication(queue)?;
        match self.message_group_id {
            Some(_) => Ok(()),
            None => Err(SqsError::InvalidValue(SqsError::MissingParameter("MessageGroupId").to_string())),
        }
    }

    fn check_deduplication(&self, queue: &Queue) -> Result<(), SqsError> {
        if self.message_deduplication_id.is_some() || queue.attributes.deduplicates_by_content() {
            return Ok(());
        }
        Err(SqsError::InvalidValue(
            "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
                .into(),
        ))
    }
}

fn check_system_attributes(attributes: &MessageAttributes) -> Result<(), SqsError> {
    if let Some(unknown) = attributes.keys().find(|name| *name != TRACE_HEADER) {
        let reason = "Message system attribute name must be AWSTraceHeader.";
        return Err(SqsError::invalid("MessageSystemAttributeName", unknown, reason));
    }
    match attributes.get(TRACE_HEADER) {
        Some(header) if header.basic_type() != "String" || header.string_value.is_none() => {
            Err(SqsError::invalid("MessageSystemAttributes", TRACE_HEADER, "AWSTraceHeader must be a String."))
        }
        _ => Ok(()),
    }
}

/// Checks an id that a client makes up.
pub(super) fn check_id(parameter: &'static str, id: Option<&str>) -> Result<(), SqsError> {
    match id {
        Some(id) if !is_id(id) => Err(SqsError::invalid(
            parameter,
            id,
            format!("{parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length."),
        )),
        _ => Ok(()),
    }
}
