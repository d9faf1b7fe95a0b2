//! Messages out: taking them, waiting for them, and giving them back when the client has gone.

use std::{pin::pin, sync::Arc, time::Duration};

use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{
    clock::{Millis, SECOND},
    json::Json,
    names::Names,
    store::{QueueId, Store, StoreError, Unit},
    wire::lenient,
};

use super::{
    Sqs,
    attributes::{AttributeMap, MAX_VISIBILITY, MAX_WAIT},
    error::SqsError,
    message::{MessageAttributes, md5_of_attributes, md5_of_body, selected},
    receipt::Receipt,
    rows::{Queue, existing_queue, expire, find_queue},
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

/// What a receive asks of a queue.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) queue: String,
    pub(super) max: i64,
    pub(super) visibility: Option<i64>,
}

/// A message as its row has it.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) id: i64,
    message_id: String,
    body: String,
    attributes: MessageAttributes,
    trace_header: Option<String>,
    sender: String,
    pub(super) sent: Millis,
    pub(super) receive_count: i64,
    first_received: Millis,
    dead_letter_from: Option<String>,
    pub(super) nonce: i64,
}

/// What one look into a queue found.
pub(super) struct Taken {
    pub(super) queue: QueueId,
    pub(super) messages: Vec<Stored>,
    /// When the next message that is hidden now becomes visible.
    pub(super) next_visible: Option<Millis>,
    /// How long the queue lets a receive wait that does not say.
    default_wait: i64,
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
            max: within("MaxNumberOfMessages", input.max_number_of_messages, 1, MAX_MESSAGES)?.unwrap_or(1),
            visibility: within("VisibilityTimeout", input.visibility_timeout, 0, MAX_VISIBILITY)?,
        };
        let wait = within("WaitTimeSeconds", input.wait_time_seconds, 0, MAX_WAIT)?;
        let mut in_flight = self.take(&request).await?;
        let wait = wait.unwrap_or(in_flight.taken.default_wait);
        if in_flight.taken.messages.is_empty() && wait > 0 {
            let wait = Duration::from_secs(wait.unsigned_abs());
            in_flight = self.wait_for_messages(&request, in_flight.taken.queue, wait).await?;
        }
        let queue = in_flight.taken.queue;
        let messages = in_flight.accept().into_iter().map(|message| message.shown(queue, &input)).collect();
        Ok(Received { messages })
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
        let (clock, store) = (Arc::clone(&self.clock), Arc::clone(&self.store));
        let take = move |unit: &mut Unit<'_>| {
            let taken = take(unit, &names, &request, clock.now())?;
            Ok(InFlight { store, taken, accepted: false })
        };
        self.store.write(take).await
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
        let queue = self.taken.queue;
        let receipts: Vec<(i64, i64)> = self.taken.messages.iter().map(|message| (message.id, message.nonce)).collect();
        let given_back = self.store.submit(move |unit| give_back(unit, queue, &receipts));
        if let Err(error) = given_back {
            tracing::debug!(%error, "messages were not given back; they come again after their visibility timeout");
        }
    }
}

/// Makes messages visible as if they had not been received.
pub(super) fn give_back(unit: &mut Unit<'_>, queue: QueueId, receipts: &[(i64, i64)]) -> Result<(), StoreError> {
    let sql = "UPDATE message SET visible_ms = received_ms, receive_count = receive_count - 1 \
               WHERE id = ?1 AND queue_id = ?2 AND receipt = ?3";
    for (id, nonce) in receipts {
        unit.connection().prepare_cached(sql)?.execute(params![id, queue, nonce])?;
    }
    unit.wake(queue);
    Ok(())
}

pub(super) fn take(unit: &mut Unit<'_>, names: &Names, request: &Request, now: Millis) -> Result<Taken, SqsError> {
    let queue = existing_queue(unit.connection(), &request.queue)?;
    expire(unit.connection(), &queue, now)?;
    let hidden_until = now + request.visibility.unwrap_or_else(|| queue.attributes.visibility()) * SECOND;
    let messages = due(unit, names, &queue, request.max, now)?;
    let sql = "UPDATE message SET visible_ms = ?2, receive_count = ?3, first_received_ms = ?4, received_ms = ?5, receipt = ?6 \
               WHERE id = ?1";
    for message in &messages {
        let fields =
            params![message.id, hidden_until, message.receive_count, message.first_received, now, message.nonce];
        unit.connection().prepare_cached(sql)?.execute(fields)?;
    }
    let next_visible = if messages.is_empty() { next_visible(unit, &queue, now)? } else { None };
    Ok(Taken { queue: queue.id, messages, next_visible, default_wait: queue.attributes.wait() })
}

/// The messages that are due, after those that were received as often as the queue allows have gone to its dead-letter queue.
fn due(unit: &mut Unit<'_>, names: &Names, queue: &Queue, max: i64, now: Millis) -> Result<Vec<Stored>, SqsError> {
    let dead_letters = dead_letter_queue(unit, names, queue)?;
    loop {
        let messages = visible(unit, queue, max, now)?;
        let Some((target, max_receives)) = &dead_letters else { return Ok(messages) };
        // The count already has the receive that is about to happen.
        let dead: Vec<i64> =
            messages.iter().filter(|message| message.receive_count > *max_receives).map(|message| message.id).collect();
        if dead.is_empty() {
            return Ok(messages);
        }
        move_to_dead_letters(unit, target.id, &names.queue_arn(&queue.name), &dead, now)?;
    }
}

/// Where dead letters of `queue` go, and after how many receives. While that queue is missing they stay.
fn dead_letter_queue(unit: &Unit<'_>, names: &Names, queue: &Queue) -> Result<Option<(Queue, i64)>, SqsError> {
    let Some(redrive) = queue.attributes.redrive() else { return Ok(None) };
    let Some(target) = names.queue_in_arn(&redrive.target_arn) else { return Ok(None) };
    let target = find_queue(unit.connection(), target)?.filter(|target| target.id != queue.id);
    Ok(target.map(|target| (target, redrive.max_receives)))
}

/// Moves messages with all that they are, the time they were sent included.
fn move_to_dead_letters(
    unit: &mut Unit<'_>,
    target: QueueId,
    source_arn: &str,
    messages: &[i64],
    now: Millis,
) -> Result<(), rusqlite::Error> {
    let sql = "UPDATE message SET queue_id = ?2, visible_ms = ?3, receipt = NULL, received_ms = NULL, dead_letter_from = ?4 \
               WHERE id = ?1";
    for message in messages {
        unit.connection().prepare_cached(sql)?.execute(params![message, target, now, source_arn])?;
    }
    unit.wake(target);
    Ok(())
}

fn visible(unit: &Unit<'_>, queue: &Queue, max: i64, now: Millis) -> Result<Vec<Stored>, rusqlite::Error> {
    let sql = "SELECT id, message_id, body, attributes, trace_header, sender, sent_ms, receive_count, first_received_ms, \
               dead_letter_from FROM message WHERE queue_id = ?1 AND visible_ms <= ?2 ORDER BY visible_ms, id LIMIT ?3";
    let mut statement = unit.connection().prepare_cached(sql)?;
    statement.query_map(params![queue.id, now, max], |row| received(row, now))?.collect()
}

/// A row as it is once it is received now.
fn received(row: &Row<'_>, now: Millis) -> rusqlite::Result<Stored> {
    Ok(Stored {
        id: row.get(0)?,
        message_id: row.get(1)?,
        body: row.get(2)?,
        attributes: row.get::<_, Json<_>>(3)?.0,
        trace_header: row.get(4)?,
        sender: row.get(5)?,
        sent: row.get(6)?,
        receive_count: row.get::<_, i64>(7)? + 1,
        first_received: row.get::<_, Option<Millis>>(8)?.unwrap_or(now),
        dead_letter_from: row.get(9)?,
        nonce: rand::random(),
    })
}

fn next_visible(unit: &Unit<'_>, queue: &Queue, now: Millis) -> Result<Option<Millis>, rusqlite::Error> {
    let sql = "SELECT min(visible_ms) FROM message WHERE queue_id = ?1 AND visible_ms > ?2";
    unit.connection().prepare_cached(sql)?.query_row(params![queue.id, now], |row| row.get(0))
}

impl Stored {
    fn shown(self, queue: QueueId, input: &ReceiveMessage) -> Shown {
        let receipt_handle = Receipt { queue, message: self.id, nonce: self.nonce }.encode();
        let attributes = self.system_attributes(input);
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

    fn system_attributes(&self, input: &ReceiveMessage) -> AttributeMap {
        let all = [
            ("ApproximateFirstReceiveTimestamp", Some(self.first_received.to_string())),
            ("ApproximateReceiveCount", Some(self.receive_count.to_string())),
            ("AWSTraceHeader", self.trace_header.clone()),
            ("DeadLetterQueueSourceArn", self.dead_letter_from.clone()),
            ("SenderId", Some(self.sender.clone())),
            ("SentTimestamp", Some(self.sent.to_string())),
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

pub(super) fn within(
    parameter: &'static str,
    value: Option<i64>,
    least: i64,
    most: i64,
) -> Result<Option<i64>, SqsError> {
    match value {
        Some(value) if !(least..=most).contains(&value) => Err(SqsError::InvalidParameter {
            parameter,
            value: value.to_string(),
            reason: format!("it must be between {least} and {most}"),
        }),
        _ => Ok(value),
    }
}
