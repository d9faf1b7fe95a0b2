//! SQS: standard queues, and those that keep an order.
//!
//! Operations take decoded parameters and the time, and run as units of work of the store; nothing here knows a protocol or a
//! socket. What AWS only does to spread load (refusing a queue's name for a minute after its deletion, or a second purge in a
//! minute) is left out: it would only slow a test down.

mod attempts;
mod attributes;
mod batch;
mod error;
pub(crate) mod fifo;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod handles;
mod message;
mod moves;
mod permissions;
#[cfg(test)]
mod properties;
mod queues;
mod receipt;
mod receive;
mod room;
mod rows;
mod send;
mod tags;
mod take;
#[cfg(test)]
mod timing;

use std::{sync::Arc, time::Duration};

use serde::Serialize;

use crate::{
    Config,
    clock::{Millis, SECOND, SharedClock},
    names::Names,
    store::{Store, StoreError},
    wire::{self, Call, Fault, Outcome, Output},
};

pub(crate) use error::SqsError;
pub(crate) use message::{AttributeValue, MessageAttributes, check_body, size};
pub(crate) use rows::{FIFO_SUFFIX, NewMessage, enqueue, find_queue};

/// How often messages that nobody receives are looked through for old ones.
const EXPIRY_INTERVAL: Duration = Duration::from_mins(1);

/// The service.
pub(crate) struct Sqs {
    store: Arc<Store>,
    clock: SharedClock,
    names: Names,
    attempts: Arc<attempts::Attempts>,
    room: Arc<room::Room>,
}

impl Sqs {
    pub(crate) fn new(config: &Config, store: Arc<Store>, clock: SharedClock) -> Self {
        let names = Names { region: config.region.clone(), account: config.account.clone() };
        Sqs { store, clock, names, attempts: Arc::default(), room: Arc::default() }
    }

    /// Runs one operation.
    pub(crate) async fn call(self: &Arc<Self>, call: &Call) -> Outcome {
        match call.action.as_str() {
            "CreateQueue" => answer(&self.create_queue(call.params.decode()?, &call.authority).await?),
            "GetQueueUrl" => answer(&self.get_queue_url(call.params.decode()?, &call.authority).await?),
            "ListQueues" => answer(&self.list_queues(call.params.decode()?, &call.authority).await?),
            "DeleteQueue" => done(self.delete_queue(call.params.decode()?).await),
            "PurgeQueue" => done(self.purge_queue(call.params.decode()?).await),
            "GetQueueAttributes" => answer(&self.get_attributes(call.params.decode()?).await?),
            "SetQueueAttributes" => done(self.set_attributes(call.params.decode()?).await),
            "ListDeadLetterSourceQueues" => answer(&self.list_sources(call.params.decode()?, &call.authority).await?),
            "TagQueue" => done(self.tag_queue(call.params.decode()?).await),
            "UntagQueue" => done(self.untag_queue(call.params.decode()?).await),
            "ListQueueTags" => answer(&self.list_tags(call.params.decode()?).await?),
            "AddPermission" => done(self.add_permission(call.params.decode()?).await),
            "RemovePermission" => done(self.remove_permission(call.params.decode()?).await),
            "SendMessage" => answer(&self.send(call.params.decode()?, call.trace_header.as_deref()).await?),
            "SendMessageBatch" => answer(&self.send_batch(call.params.decode()?, call.trace_header.as_deref()).await?),
            "ReceiveMessage" => answer(&self.receive(call.params.decode()?).await?),
            "DeleteMessage" => done(self.delete_message(call.params.decode()?).await),
            "DeleteMessageBatch" => answer(&self.delete_batch(call.params.decode()?).await?),
            "ChangeMessageVisibility" => done(self.change_visibility(call.params.decode()?).await),
            "ChangeMessageVisibilityBatch" => answer(&self.change_visibility_batch(call.params.decode()?).await?),
            "StartMessageMoveTask" => answer(&self.start_move(call.params.decode()?).await?),
            "ListMessageMoveTasks" => answer(&self.list_moves(call.params.decode()?).await?),
            "CancelMessageMoveTask" => answer(&self.cancel_move(call.params.decode()?).await?),
            other => Err(Fault::unknown_action(other)),
        }
    }

    /// Removes old messages now and then and carries on with moves, until the store stops.
    pub(crate) async fn background(self: &Arc<Self>) {
        self.resume_moves().await;
        let mut interval = tokio::time::interval(EXPIRY_INTERVAL);
        loop {
            tokio::select! {
                () = self.store.stopping().cancelled() => return,
                _ = interval.tick() => {}
            }
            if let Err(error) = self.expire_all().await {
                tracing::warn!(%error, "old messages were not removed; it is tried again");
            }
        }
    }

    async fn expire_all(&self) -> Result<(), SqsError> {
        let clock = Arc::clone(&self.clock);
        let expire = move |unit: &mut crate::store::Unit<'_>| {
            for queue in rows::queues_after(unit.connection(), "")? {
                rows::expire(unit.connection(), &queue, clock.now())?;
            }
            Ok(())
        };
        self.store.write(expire).await
    }

    /// Whether the store answers.
    pub(crate) async fn check(&self) -> Result<(), StoreError> {
        self.store.read(|connection| Ok(connection.query_row("SELECT 1", [], |_| Ok(()))?)).await
    }

    /// Every queue with how much waits in it and for how long.
    pub(crate) async fn summaries(&self) -> Result<Vec<Summary>, SqsError> {
        let now = self.clock.now();
        self.store
            .read(move |connection| {
                let queues = rows::queues_after(connection, "")?;
                queues
                    .iter()
                    .map(|queue| Ok(Summary::new(&queue.name, rows::counts(connection, queue, now)?, now)))
                    .collect()
            })
            .await
    }
}

/// One queue at a glance.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    name: String,
    visible: i64,
    in_flight: i64,
    delayed: i64,
    oldest_seconds: i64,
}

impl Summary {
    fn new(name: &str, counts: rows::Counts, now: Millis) -> Self {
        let oldest_seconds = counts.oldest.map_or(0, |sent| (now - sent).max(0) / SECOND);
        let rows::Counts { visible, in_flight, delayed, .. } = counts;
        Summary { name: name.to_owned(), visible, in_flight, delayed, oldest_seconds }
    }
}

fn answer<T: Serialize>(output: &T) -> Outcome {
    wire::output(output)
}

fn done(outcome: Result<(), SqsError>) -> Outcome {
    outcome?;
    Ok(Output::Nothing)
}

/// Turns a page's last name into the token for the next page, and back. Opaque to clients.
mod paging {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

    use super::SqsError;

    pub(super) fn token(last: &str) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(last)
    }

    pub(super) fn start(token: Option<&str>) -> Result<String, SqsError> {
        let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(String::new()) };
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok();
        bytes
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(|| SqsError::invalid("NextToken", token, "It is not a token that this endpoint gave."))
    }
}
