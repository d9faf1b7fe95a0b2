//! Where a new photo's task goes: a queue, a topic, or nowhere because this worker does the work itself.

use std::sync::Arc;

use aws_config::SdkConfig;
use aws_sdk_sqs::{
    error::{ProvideErrorMetadata, SdkError},
    types::QueueAttributeName,
};
use decouple_contract::{Role, Task};
use tokio::sync::OnceCell;

use crate::{
    config::Config,
    faults::Faults,
    queue::QueueError,
    trace::{TRACEPARENT, Trace},
};

/// What `sent_to` says of a photo that this worker works on itself.
const INLINE: &str = "inline";

/// Where tasks go.
pub(crate) struct Outbox {
    place: Place,
    name: OnceCell<String>,
    faults: Arc<Faults>,
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
        Self { place, name: OnceCell::new(), faults }
    }

    /// Tells whether this worker does the work itself.
    pub(crate) fn is_inline(&self) -> bool {
        matches!(self.place, Place::Inline)
    }

    /// Names where tasks go, so that the catalog can tell photos whose task went elsewhere.
    ///
    /// A queue that was removed and made anew has the address that it had before, and none of the tasks. So the name holds what
    /// only this one has: the time when it was made, or the ids of the topic's subscriptions.
    pub(crate) async fn name(&self) -> Result<&str, QueueError> {
        let name = self.name.get_or_try_init(async || match &self.place {
            Place::Inline => Ok(INLINE.to_owned()),
            Place::Queue { client, url } => {
                let made = QueueAttributeName::CreatedTimestamp;
                let get = client.get_queue_attributes().queue_url(url).attribute_names(made.clone()).send().await;
                let answer = allowed("GetQueueAttributes", get)?;
                let made = answer.and_then(|answer| answer.attributes?.remove(&made));
                Ok([url.clone()].into_iter().chain(made).collect::<Vec<_>>().join("#"))
            }
            Place::Topic { client, arn } => {
                let pages = client.list_subscriptions_by_topic().topic_arn(arn).into_paginator().items().send();
                let all: Result<Vec<_>, _> = pages.collect().await;
                let ids = allowed("ListSubscriptionsByTopic", all)?.unwrap_or_default().into_iter();
                let ids = ids
                    .filter_map(|one| one.subscription_arn)
                    .filter_map(|arn| Some(arn.rsplit_once(':')?.1.to_owned()));
                let mut ids: Vec<String> = ids.collect();
                ids.sort_unstable();
                ids.insert(0, arn.clone());
                Ok(ids.join("#"))
            }
        });
        Ok(name.await?)
    }

    /// Sends a task. It is safe when this returns.
    pub(crate) async fn send(&self, task: &Task, trace: &Trace) -> Result<(), QueueError> {
        let trace = trace.child().to_string();
        let sent = match &self.place {
            Place::Inline => return Ok(()),
            Place::Queue { client, url } => {
                let send = client.send_message().queue_url(url).message_body(task.to_json());
                let value = aws_sdk_sqs::types::MessageAttributeValue::builder();
                let value = value.data_type("String").string_value(trace).build();
                let send =
                    send.message_attributes(TRACEPARENT, value.map_err(|error| QueueError::new("SendMessage", error))?);
                send.send().await.map(drop).map_err(|error| QueueError::new("SendMessage", error))
            }
            Place::Topic { client, arn } => {
                let publish = client.publish().topic_arn(arn).message(task.to_json());
                let value = aws_sdk_sns::types::MessageAttributeValue::builder();
                let value = value.data_type("String").string_value(trace).build();
                let publish =
                    publish.message_attributes(TRACEPARENT, value.map_err(|error| QueueError::new("Publish", error))?);
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
