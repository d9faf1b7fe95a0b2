//! Messages on their way to HTTP servers.
//!
//! A publish leaves a row for each server in its own unit of work, so that nothing is lost in a crash; the work in the background
//! sends what is due, tries again by the retry policy, and puts what cannot be delivered into the subscription's dead-letter
//! queue. A server may get a message twice, never not at all without a trace.

use std::{collections::HashSet, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::{
    clock::Millis,
    json::Json,
    names::Names,
    sqs::{self, NewMessage},
    store::{QueueId, StoreError, Unit},
};

use super::{
    Sns,
    envelope::Confirmation,
    error::SnsError,
    policy,
    retry::RetryPolicy,
    signing::Signatures,
    subscription::{self, SELECT, Subscription},
    topics::delivery_policy,
};

/// Deliveries are woken for as a queue's receivers are. The ids of queues begin at 1.
const DELIVERIES: QueueId = 0;
/// Requests at once.
const CONCURRENT: usize = 16;
/// How long a server may take, as with the service.
const PATIENCE: Duration = Duration::from_secs(15);
/// After what failed in the store.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// The kind of what was published, unlike a request for confirmation, which nobody misses.
const NOTIFICATION: &str = "Notification";

/// What tells a server that its subscription ended.
pub(super) const UNSUBSCRIBED: &str = "UnsubscribeConfirmation";

type HttpClient = Client<HttpConnector, Full<Bytes>>;

/// What a server is sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Message {
    id: String,
    kind: String,
    body: String,
    raw: bool,
}

impl Message {
    pub(super) fn notification(id: String, body: String, raw: bool) -> Self {
        Message { id, kind: NOTIFICATION.into(), body, raw }
    }

    pub(super) fn confirmation(confirmation: &Confirmation<'_>, signatures: &Signatures) -> Result<Self, SnsError> {
        let (id, kind) = (confirmation.message_id.to_owned(), confirmation.kind().to_owned());
        Ok(Message { id, kind, body: confirmation.to_json(signatures)?, raw: false })
    }
}

/// Leaves a message for the server of a subscription.
pub(super) fn add(unit: &mut Unit<'_>, subscription: i64, message: &Message, now: Millis) -> Result<(), SnsError> {
    let sql = "INSERT INTO delivery (subscription_id, message, due_ms) VALUES (?1, ?2, ?3)";
    unit.connection().prepare_cached(sql)?.execute(params![subscription, Json(message), now])?;
    unit.wake(DELIVERIES);
    Ok(())
}

/// A row with all that sending it needs.
struct Delivery {
    id: i64,
    attempts: u32,
    message: Message,
    subscription: Subscription,
    retries: RetryPolicy,
    content_type: HeaderValue,
}

/// How a request ended.
enum Ending {
    Delivered,
    /// Worth another try.
    Failed(String),
    /// The server does not want it.
    Refused(String),
}

impl Sns {
    /// Sends what is due, until the store stops.
    pub(crate) async fn background(self: &Arc<Self>) {
        let client: HttpClient = Client::builder(TokioExecutor::new()).build_http();
        let arrival = self.store.wakers().of(DELIVERIES);
        let mut running = JoinSet::new();
        let mut busy = HashSet::new();
        loop {
            let mut arrived = pin!(arrival.notified());
            arrived.as_mut().enable();
            let pause = match self.start_due(&client, &mut running, &mut busy).await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::warn!(%error, "deliveries were not looked through; it is tried again");
                    Some(STORE_PAUSE)
                }
            };
            tokio::select! {
                () = self.store.stopping().cancelled() => return,
                () = arrived => {}
                Some(ended) = running.join_next() => {
                    // A delivery that panicked stays busy until the next start, so that it does not panic for ever.
                    if let Ok(id) = ended {
                        busy.remove(&id);
                    }
                }
                () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => {}
            }
        }
    }

    /// Starts what is due, as far as there is room. Answers with the time until more is.
    async fn start_due(
        self: &Arc<Self>,
        client: &HttpClient,
        running: &mut JoinSet<i64>,
        busy: &mut HashSet<i64>,
    ) -> Result<Option<Duration>, SnsError> {
        let now = self.clock.now();
        let (due, next) = self.store.read(move |connection| look(connection, now)).await?;
        for delivery in due {
            if busy.len() >= CONCURRENT {
                break;
            }
            if busy.insert(delivery.id) {
                let (sns, client) = (Arc::clone(self), client.clone());
                running.spawn(async move { sns.attempt(&client, delivery).await });
            }
        }
        Ok(next.map(|next| Duration::from_millis((next - now).max(0).unsigned_abs())))
    }

    async fn attempt(&self, client: &HttpClient, delivery: Delivery) -> i64 {
        let id = delivery.id;
        let ending = tokio::select! {
            ending = send(client, &self.names, &delivery) => ending,
            () = self.store.stopping().cancelled() => return id,
        };
        let (names, now) = (self.names.clone(), self.clock.now());
        if let Err(error) = self.store.write(move |unit| conclude(unit, &names, &delivery, ending, now)).await {
            tracing::warn!(%error, "what became of a delivery was not noted; it is sent again");
        }
        id
    }
}

/// What is due, and when the next is.
fn look(connection: &Connection, now: Millis) -> Result<(Vec<Delivery>, Option<Millis>), SnsError> {
    // Twice as many as may run, for those that run already are among them.
    let limit = i64::try_from(2 * CONCURRENT).unwrap_or(i64::MAX);
    let sql =
        "SELECT id, subscription_id, attempts, message FROM delivery WHERE due_ms <= ?1 ORDER BY due_ms, id LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement
        .query_map(params![now, limit], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, Json<Message>>(3)?.0))
        })?
        .collect::<Result<Vec<(i64, i64, u32, Message)>, _>>()?;
    let due = rows.into_iter().map(|(id, subscription, attempts, message)| {
        let sql = format!("{SELECT} WHERE s.id = ?1");
        let subscription = connection.prepare_cached(&sql)?.query_row([subscription], subscription::subscription)?;
        let topic = delivery_policy(connection, &subscription.topic)?;
        let (own, topic) = (subscription.delivery_policy(), topic.as_deref());
        let (retries, content_type) = (RetryPolicy::of(own, topic), policy::content_type(own, topic));
        Ok(Delivery { id, attempts, message, subscription, retries, content_type })
    });
    let due = due.collect::<Result<Vec<_>, SnsError>>()?;
    let next = "SELECT min(due_ms) FROM delivery WHERE due_ms > ?1";
    let next = connection.prepare_cached(next)?.query_row([now], |row| row.get(0))?;
    Ok((due, next))
}

async fn send(client: &HttpClient, names: &Names, delivery: &Delivery) -> Ending {
    let request = match request(names, delivery) {
        Ok(request) => request,
        Err(error) => return Ending::Refused(error.to_string()),
    };
    match tokio::time::timeout(PATIENCE, client.request(request)).await {
        Err(_) => Ending::Failed(format!("the server did not answer in {} seconds", PATIENCE.as_secs())),
        Ok(Err(error)) => Ending::Failed(format!("the server was not reached: {error}")),
        Ok(Ok(response)) => match response.status() {
            status if status.is_success() => Ending::Delivered,
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Ending::Failed(format!("the server answered {status}"))
            }
            status => Ending::Refused(format!("the server answered {status}")),
        },
    }
}

fn request(names: &Names, delivery: &Delivery) -> Result<Request<Full<Bytes>>, http::Error> {
    let Delivery { message, subscription, .. } = delivery;
    let is_notification = message.kind == NOTIFICATION;
    let content_type = if is_notification { delivery.content_type.clone() } else { policy::content_type(None, None) };
    let mut request = Request::post(&subscription.endpoint)
        .header(header::CONTENT_TYPE, content_type)
        .header(header::USER_AGENT, "Amazon Simple Notification Service Agent")
        .header(header::ACCEPT_ENCODING, "gzip,deflate")
        .header(header::CONNECTION, "Keep-Alive")
        .header("x-amz-sns-message-type", &message.kind)
        .header("x-amz-sns-message-id", &message.id)
        .header("x-amz-sns-topic-arn", names.topic_arn(&subscription.topic));
    // What is to begin has no name yet; what ended has.
    if is_notification || !subscription.pending || message.kind == UNSUBSCRIBED {
        request = request.header("x-amz-sns-subscription-arn", subscription.arn(names));
    }
    if message.raw {
        request = request.header("x-amz-sns-rawdelivery", "true");
    }
    request.body(Full::new(Bytes::from(message.body.clone())))
}

/// Notes how a delivery ended: it is gone, or due again, or in the dead-letter queue.
fn conclude(
    unit: &mut Unit<'_>,
    names: &Names,
    delivery: &Delivery,
    ending: Ending,
    now: Millis,
) -> Result<(), StoreError> {
    let (reason, delay) = match ending {
        Ending::Delivered => {
            unit.connection().prepare_cached("DELETE FROM delivery WHERE id = ?1")?.execute([delivery.id])?;
            return Ok(());
        }
        Ending::Failed(reason) => (reason, delivery.retries.delay(delivery.attempts + 1)),
        Ending::Refused(reason) => (reason, None),
    };
    let subscription = delivery.subscription.arn(names);
    if let Some(delay) = delay {
        tracing::debug!(subscription, reason, ?delay, "a message was not delivered; it is tried again");
        let due = now + Millis::try_from(delay.as_millis()).unwrap_or(Millis::MAX / 2);
        let sql = "UPDATE delivery SET attempts = attempts + 1, due_ms = ?2 WHERE id = ?1";
        unit.connection().prepare_cached(sql)?.execute(params![delivery.id, due])?;
        unit.wake(DELIVERIES);
        return Ok(());
    }
    // None where the subscription has ended meanwhile.
    let removed = unit.connection().prepare_cached("DELETE FROM delivery WHERE id = ?1")?.execute([delivery.id])?;
    if removed == 0 {
        return Ok(());
    }
    tracing::warn!(subscription, reason, "a message cannot be delivered");
    if delivery.message.kind != NOTIFICATION {
        return Ok(());
    }
    let message =
        NewMessage { body: delivery.message.body.clone(), sender: names.account.clone(), ..NewMessage::default() };
    bury(unit, names, &delivery.subscription, &message, now)
}

/// Puts a message that cannot be delivered into the subscription's dead-letter queue, if it has one.
pub(super) fn bury(
    unit: &mut Unit<'_>,
    names: &Names,
    subscription: &Subscription,
    message: &NewMessage,
    now: Millis,
) -> Result<(), StoreError> {
    let arn = subscription.dead_letter_arn();
    let name = arn.as_deref().and_then(|arn| names.queue_in_arn(arn));
    let queue = name.map(|name| sqs::find_queue(unit.connection(), name)).transpose()?.flatten();
    if let Some(queue) = queue {
        sqs::enqueue(unit, &queue, message, now)?;
    } else {
        let subscription = subscription.arn(names);
        tracing::warn!(subscription, "there is no dead-letter queue: the message is dropped");
    }
    Ok(())
}
