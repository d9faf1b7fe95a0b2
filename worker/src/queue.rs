//! Where tasks go, and where they come from: a topic or a queue to send to, a queue to receive from.

use std::{collections::HashMap, time::Duration};

use aws_config::SdkConfig;
use aws_sdk_sqs::{
    error::DisplayErrorContext,
    types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName},
};
use decouple_contract::{Role, Task};

use crate::config::Config;

/// An empty receive waits for this long, so that nobody polls.
const LONG_POLL_SECONDS: i32 = 20;
/// SQS hands out at most so many at once.
pub(crate) const MOST: usize = 10;
/// What `sent_to` says of a photo that this worker works on itself.
const INLINE: &str = "inline";

/// A queue or a topic said no, or nothing.
#[derive(Debug, thiserror::Error)]
#[error("{operation} failed: {why}")]
pub(crate) struct QueueError {
    operation: &'static str,
    why: String,
}

impl QueueError {
    fn new<E: std::error::Error + 'static>(operation: &'static str, error: E) -> Self {
        Self { operation, why: DisplayErrorContext(error).to_string() }
    }
}

/// Where a new photo's task goes.
pub(crate) enum Outbox {
    /// Nowhere: this worker does the work itself.
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
    pub(crate) fn new(sdk: &SdkConfig, config: &Config) -> Self {
        match (config.role, &config.topic_arn, &config.queue_url) {
            (Role::Web, Some(arn), _) => Self::Topic { client: aws_sdk_sns::Client::new(sdk), arn: arn.clone() },
            (Role::Web, None, Some(url)) => Self::Queue { client: aws_sdk_sqs::Client::new(sdk), url: url.clone() },
            _ => Self::Inline,
        }
    }

    /// Names where tasks go, so that the catalog can tell photos whose task went elsewhere.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Inline => INLINE,
            Self::Queue { url, .. } => url,
            Self::Topic { arn, .. } => arn,
        }
    }

    /// Sends a task. It is safe when this returns.
    pub(crate) async fn send(&self, task: &Task) -> Result<(), QueueError> {
        match self {
            Self::Inline => Ok(()),
            Self::Queue { client, url } => {
                let send = client.send_message().queue_url(url).message_body(task.to_json());
                send.send().await.map_err(|error| QueueError::new("SendMessage", error))?;
                Ok(())
            }
            Self::Topic { client, arn } => {
                let publish = client.publish().topic_arn(arn).message(task.to_json());
                publish.send().await.map_err(|error| QueueError::new("Publish", error))?;
                Ok(())
            }
        }
    }
}

/// The queue that a consumer receives from.
pub(crate) struct Inbox {
    client: aws_sdk_sqs::Client,
    url: String,
    /// How long a message is this worker's before it must be extended.
    visibility: Duration,
}

fn seconds(time: Duration) -> i32 {
    i32::try_from(time.as_secs()).unwrap_or(i32::MAX)
}

/// A message that this worker holds.
pub(crate) struct Received {
    pub(crate) body: String,
    /// How often it was handed out, this time included.
    pub(crate) receives: u32,
    receipt: String,
}

impl Inbox {
    /// Returns the queue of a role that receives.
    pub(crate) fn new(sdk: &SdkConfig, config: &Config) -> Option<Self> {
        let url = config.queue_url.clone().filter(|_| config.role.consumes())?;
        Some(Self { client: aws_sdk_sqs::Client::new(sdk), url, visibility: config.visibility })
    }

    /// Waits for messages, and returns up to `most` of them, or none after a while.
    pub(crate) async fn receive(&self, most: usize) -> Result<Vec<Received>, QueueError> {
        let answer = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(most.clamp(1, MOST)).unwrap_or(1))
            .wait_time_seconds(LONG_POLL_SECONDS)
            .visibility_timeout(seconds(self.visibility))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .send()
            .await
            .map_err(|error| QueueError::new("ReceiveMessage", error))?;
        Ok(answer.messages.unwrap_or_default().into_iter().filter_map(received).collect())
    }

    /// Deletes messages whose work is done, at most ten, and returns how many could not be.
    pub(crate) async fn delete(&self, messages: &[Received]) -> Result<usize, QueueError> {
        let entry = |(index, message): (usize, &Received)| {
            DeleteMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(&message.receipt)
                .build()
                .expect("both required fields are set")
        };
        let entries = messages.iter().enumerate().map(entry).collect();
        let delete = self.client.delete_message_batch().queue_url(&self.url).set_entries(Some(entries));
        let answer = delete.send().await.map_err(|error| QueueError::new("DeleteMessageBatch", error))?;
        Ok(answer.failed.len())
    }

    /// Hides a message for so long from now on. Zero gives it back at once.
    pub(crate) async fn hide(&self, message: &Received, time: Duration) -> Result<(), QueueError> {
        self.client
            .change_message_visibility()
            .queue_url(&self.url)
            .receipt_handle(&message.receipt)
            .visibility_timeout(seconds(time))
            .send()
            .await
            .map_err(|error| QueueError::new("ChangeMessageVisibility", error))?;
        Ok(())
    }
}

fn received(message: Message) -> Option<Received> {
    let count = |attributes: &HashMap<_, String>| {
        attributes.get(&MessageSystemAttributeName::ApproximateReceiveCount)?.parse().ok()
    };
    let receives = message.attributes.as_ref().and_then(count).unwrap_or(1);
    Some(Received { body: message.body?, receives, receipt: message.receipt_handle? })
}
