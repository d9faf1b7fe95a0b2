//! Where a new photo's task goes: a queue, a topic, or nowhere because this worker does the work itself.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use aws_config::SdkConfig;
use aws_sdk_sqs::{
    error::{ProvideErrorMetadata, SdkError},
    types::QueueAttributeName,
};
use decouple_contract::{Role, Task};
use tokio::sync::Mutex;

use crate::{config::Config, faults::Faults, queue::QueueError, trace::Trace};

/// What `sent_to` says of a photo that this worker works on itself.
const INLINE: &str = "inline";

/// What is at an address may be removed and made anew, and is looked at again after so long.
const FRESH: Duration = Duration::from_mins(1);
/// No queue keeps a message for longer.
const LONGEST_KEPT: Duration = Duration::from_hours(14 * 24);

/// Where tasks go.
pub(crate) struct Outbox {
    place: Place,
    known: Mutex<Option<(Instant, Destination)>>,
    faults: Arc<Faults>,
}

/// Where tasks go at present, so that the catalog can tell photos whose task went elsewhere.
///
/// A queue that was removed and made anew has the address that it had before, and none of the tasks. So it has, beside the address, what
/// only this one has: the time when it was made, or the ids of the topic's subscriptions. A task that went to all of these is where it is to
/// be, whatever else it went to: subscriptions of others come and go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    parts: Vec<String>,
    kept_for: Duration,
}

impl Destination {
    /// `kept_for` is how long a task is kept there at most.
    pub(crate) fn new(parts: Vec<String>, kept_for: Duration) -> Self {
        Self { parts, kept_for }
    }

    /// The address and the ids.
    pub(crate) fn parts(&self) -> &[String] {
        &self.parts
    }

    /// All of it in one word.
    pub(crate) fn name(&self) -> String {
        self.parts.join("#")
    }

    /// How long a task is kept there at most, in milliseconds.
    pub(crate) fn kept_for(&self) -> i64 {
        i64::try_from(self.kept_for.as_millis()).unwrap_or(i64::MAX / 2)
    }
}

enum Place {
    /// This worker does the work itself.
    Inline,
    Queue {
        client: aws_sdk_sqs::Client,
        url: String,
    },
    Topic {
        client: aws_sdk_sns::Client,
        arn: String,
    },
}

impl Outbox {
    pub(crate) fn new(sdk: &SdkConfig, config: &Config, faults: Arc<Faults>) -> Self {
        let place = match (config.role, &config.topic_arn, &config.queue_url) {
            (Role::Web, Some(arn), _) => Place::Topic { client: aws_sdk_sns::Client::new(sdk), arn: arn.clone() },
            (Role::Web, None, Some(url)) => Place::Queue { client: aws_sdk_sqs::Client::new(sdk), url: url.clone() },
            _ => Place::Inline,
        };
        Self { place, known: Mutex::default(), faults }
    }

    /// Tells whether this worker does the work itself.
    pub(crate) fn is_inline(&self) -> bool {
        matches!(self.place, Place::Inline)
    }

    /// Returns where tasks go. While that cannot be looked at, it is as it was.
    pub(crate) async fn destination(&self) -> Result<Destination, QueueError> {
        let mut known = self.known.lock().await;
        if let Some((_, destination)) = known.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return Ok(destination.clone());
        }
        let looked = self.look().await;
        let destination = match (looked, known.take()) {
            (Ok(destination), _) => destination,
            (Err(error), Some((_, destination))) => {
                tracing::warn!(%error, "whether tasks still go where they went is not known");
                destination
            }
            (Err(error), None) => return Err(error),
        };
        *known = Some((Instant::now(), destination.clone()));
        Ok(destination)
    }

    async fn look(&self) -> Result<Destination, QueueError> {
        match &self.place {
            // What is worked on here is in no queue: that it was sent says that it was done, or given up.
            Place::Inline => Ok(Destination::new(vec![INLINE.to_owned()], Duration::MAX)),
            Place::Queue { client, url } => {
                let (made, kept) = (QueueAttributeName::CreatedTimestamp, QueueAttributeName::MessageRetentionPeriod);
                let get = client.get_queue_attributes().queue_url(url);
                let get = get.attribute_names(made.clone()).attribute_names(kept.clone()).send().await;
                let mut attributes: HashMap<_, String> =
                    allowed("GetQueueAttributes", get)?.and_then(|answer| answer.attributes).unwrap_or_default();
                let parts = [url.clone()].into_iter().chain(attributes.remove(&made)).collect();
                let seconds = attributes.get(&kept).and_then(|kept| kept.parse().ok());
                Ok(Destination::new(parts, seconds.map_or(LONGEST_KEPT, Duration::from_secs)))
            }
            Place::Topic { client, arn } => {
                let pages = client.list_subscriptions_by_topic().topic_arn(arn).into_paginator().items().send();
                let all: Result<Vec<_>, _> = pages.collect().await;
                let ids = allowed("ListSubscriptionsByTopic", all)?.unwrap_or_default().into_iter();
                let ids = ids
                    .filter_map(|one| one.subscription_arn)
                    .filter_map(|arn| Some(arn.rsplit_once(':')?.1.to_owned()));
                let mut parts: Vec<String> = ids.collect();
                parts.sort_unstable();
                parts.insert(0, arn.clone());
                // Who publishes need not be allowed to look at the queues.
                Ok(Destination::new(parts, LONGEST_KEPT))
            }
        }
    }

    /// Sends a task. It is safe when this returns.
    pub(crate) async fn send(&self, task: &Task, trace: &Trace) -> Result<(), QueueError> {
        let trace = trace.carried().pairs();
        let sent = match &self.place {
            Place::Inline => return Ok(()),
            Place::Queue { client, url } => {
                let mut send = client.send_message().queue_url(url).message_body(task.to_json());
                for (name, value) in trace {
                    let value = aws_sdk_sqs::types::MessageAttributeValue::builder().string_value(value);
                    let value = value.data_type("String").build();
                    let value = value.map_err(|error| QueueError::new("SendMessage", error))?;
                    send = send.message_attributes(name, value);
                }
                send.send().await.map(drop).map_err(|error| QueueError::new("SendMessage", error))
            }
            Place::Topic { client, arn } => {
                let mut publish = client.publish().topic_arn(arn).message(task.to_json());
                for (name, value) in trace {
                    let value = aws_sdk_sns::types::MessageAttributeValue::builder().string_value(value);
                    let value = value.data_type("String").build();
                    let value = value.map_err(|error| QueueError::new("Publish", error))?;
                    publish = publish.message_attributes(name, value);
                }
                publish.send().await.map(drop).map_err(|error| QueueError::new("Publish", error))
            }
        };
        self.faults.note(sent)
    }
}

/// Who may send need not be allowed to look: then there is no answer, and none later.
fn allowed<T, E>(operation: &'static str, answer: Result<T, SdkError<E>>) -> Result<Option<T>, QueueError>
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.code().is_some_and(is_refusal) => Ok(None),
        Err(error) => Err(QueueError::new(operation, error)),
    }
}

fn is_refusal(code: &str) -> bool {
    matches!(code, "AccessDenied" | "AccessDeniedException" | "AuthorizationError")
}
