//! Messages out: taking them, waiting for them, and giving them back when the client has gone.

use std::{pin::pin, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{
    store::{QueueId, Store, Unit},
    wire::lenient,
};

use super::{
    Sqs,
    attempts::Attempt,
    attributes::{AttributeMap, MAX_VISIBILITY, MAX_WAIT},
    error::{SqsError, VISIBILITY_RANGE, within},
    fifo,
    message::{MessageAttributes, md5_of_attributes, md5_of_body, selected},
    receipt::Receipt,
    send::check_id,
    take::{Request, Stored, Taken, give_back, take},
};

const MAX_MESSAGES: i64 = 10;

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ReceiveMessage {
    queue_url: String,
    #[serde(deserialize_with = "lenient::number")]
    max_number_of_messages: Option<i64>,
    #[serde(deserialize_with = "lenient::number")]
    visibility_timeout: Option<i64>,
    #[serde(deserialize_with = "lenient::number")]
    wait_time_seconds: Option<i64>,
    attribute_names: Vec<String>,
    message_system_attribute_names: Vec<String>,
    message_attribute_names: Vec<String>,
    receive_request_attempt_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Received {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<Shown>,
}

#[derive(Serialize)]
struct Shown {
    #[serde(rename = "MessageId")]
    message_id: String,
    #[serde(rename = "ReceiptHandle")]
    receipt_handle: String,
    #[serde(rename = "MD5OfBody")]
    md5_of_body: String,
    #[serde(rename = "Body")]
    body: String,
    #[serde(rename = "Attributes", skip_serializing_if = "AttributeMap::is_empty")]
    attributes: AttributeMap,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    md5_of_attributes: Option<String>,
    #[serde(rename = "MessageAttributes", skip_serializing_if = "MessageAttributes::is_empty")]
    message_attributes: MessageAttributes,
}

/// Messages taken for a client that may be gone. Dropped before it is accepted, they are visible again at once: a message must
/// never be in flight to nobody.
struct InFlight {
    store: Arc<Store>,
    taken: Taken,
    accepted: bool,
}

impl Sqs {
    pub(super) async fn receive(&self, input: ReceiveMessage) -> Result<Received, SqsError> {
        let request = Request {
            queue: self.queue_of(&input.queue_url)?,
            max: within(
                "MaxNumberOfMessages",
                input.max_number_of_messages,
                1..=MAX_MESSAGES,
                "Must be between 1 and 10, if provided.",
            )?
            .unwrap_or(1),
            visibility: within("VisibilityTimeout", input.visibility_timeout, 0..=MAX_VISIBILITY, VISIBILITY_RANGE)?,
            attempt: self.attempt(input.receive_request_attempt_id.as_deref())?,
        };
        let wait =
            within("WaitTimeSeconds", input.wait_time_seconds, 0..=MAX_WAIT, "Must be >= 0 and <= 20, if provided.")?;
        let mut in_flight = self.take(&request).await?;
        let wait = wait.unwrap_or(in_flight.taken.default_wait);
        if in_flight.taken.messages.is_empty() && wait > 0 {
            let wait = Duration::from_secs(wait.unsigned_abs());
            in_flight = self.wait_for_messages(&request, in_flight.taken.queue, wait).await?;
        }
        let (queue, fifo) = (in_flight.taken.queue, in_flight.taken.fifo);
        let messages = in_flight.accept().into_iter().map(|message| message.shown(queue, fifo, &input)).collect();
        Ok(Received { messages })
    }

    fn attempt(&self, id: Option<&str>) -> Result<Option<Attempt>, SqsError> {
        check_id("ReceiveRequestAttemptId", id)?;
        Ok(id.map(|id| Attempt { id: id.to_owned(), attempts: Arc::clone(&self.attempts) }))
    }

    /// Looks again each time that something may have become visible, until there is something or the wait is over.
    async fn wait_for_messages(&self, request: &Request, queue: QueueId, wait: Duration) -> Result<InFlight, SqsError> {
        let deadline = Instant::now() + wait;
        let arrival = self.store.wakers().of(queue);
        loop {
            // Registered before looking, so that what arrives in between is not missed.
            let mut arrived = pin!(arrival.notified());
            arrived.as_mut().enable();
            let in_flight = self.take(request).await?;
            if !in_flight.taken.messages.is_empty() || Instant::now() >= deadline {
                return Ok(in_flight);
            }
            let look_again = in_flight.taken.next_visible.map_or(deadline, |at| {
                let until = Duration::from_millis((at - self.clock.now()).max(0).unsigned_abs());
                deadline.min(Instant::now() + until)
            });
            tokio::select! {
                () = arrived => {}
                () = tokio::time::sleep_until(look_again) => {}
                () = self.store.stopping().cancelled() => return Ok(in_flight),
            }
        }
    }

    async fn take(&self, request: &Request) -> Result<InFlight, SqsError> {
        let (request, names) = (request.clone(), self.names.clone());
        let (clock, store, room) = (Arc::clone(&self.clock), Arc::clone(&self.store), Arc::clone(&self.room));
        let take = move |unit: &mut Unit<'_>| {
            let taken = take(unit, &names, &room, &request, clock.now())?;
            Ok(InFlight { store, taken, accepted: false })
        };
        self.store.write_lightly(take).await
    }
}

impl InFlight {
    /// The messages, which from now on are the client's.
    fn accept(mut self) -> Vec<Stored> {
        self.accepted = true;
        std::mem::take(&mut self.taken.messages)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.accepted || self.taken.messages.is_empty() {
            return;
        }
        let (queue, fifo) = (self.taken.queue, self.taken.fifo);
        let receipts: Vec<(i64, i64)> = self.taken.messages.iter().map(|message| (message.id, message.nonce)).collect();
        let given_back = self.store.submit(move |unit| give_back(unit, queue, fifo, &receipts));
        if let Err(error) = given_back {
            tracing::debug!(%error, "messages were not given back; they come again after their visibility timeout");
        }
    }
}

impl Stored {
    fn shown(self, queue: QueueId, fifo: bool, input: &ReceiveMessage) -> Shown {
        let receipt_handle = Receipt { queue, message: self.id, nonce: self.nonce }.encode();
        let attributes = self.system_attributes(fifo, input);
        let message_attributes = selected(&self.attributes, &input.message_attribute_names);
        Shown {
            message_id: self.message_id,
            receipt_handle,
            md5_of_body: md5_of_body(&self.body),
            body: self.body,
            attributes,
            md5_of_attributes: md5_of_attributes(&message_attributes),
            message_attributes,
        }
    }

    fn system_attributes(&self, fifo: bool, input: &ReceiveMessage) -> AttributeMap {
        if input.attribute_names.is_empty() && input.message_system_attribute_names.is_empty() {
            return AttributeMap::new();
        }
        let all = [
            ("ApproximateFirstReceiveTimestamp", Some(self.first_received.to_string())),
            ("ApproximateReceiveCount", Some(self.receive_count.to_string())),
            ("AWSTraceHeader", self.trace_header.clone()),
            ("DeadLetterQueueSourceArn", self.dead_letter_from.clone()),
            ("MessageDeduplicationId", self.dedup_id.clone()),
            ("MessageGroupId", self.group.clone()),
            ("SenderId", Some(self.sender.clone())),
            ("SentTimestamp", Some(self.sent.to_string())),
            ("SequenceNumber", fifo.then(|| fifo::sequence_number(self.id))),
        ];
        let wanted = |name: &str| {
            let mut names = input.attribute_names.iter().chain(&input.message_system_attribute_names);
            names.any(|wanted| wanted == "All" || wanted == name)
        };
        all.into_iter()
            .filter(|(name, _)| wanted(name))
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect()
    }
}
