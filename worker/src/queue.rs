//! Where tasks come from: the queue that a consumer receives from.

use std::{collections::HashMap, sync::Arc, time::Duration};

use aws_config::SdkConfig;
use aws_sdk_sqs::{
    error::DisplayErrorContext,
    types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName},
};

use crate::{config::Config, faults::Faults, trace::TRACEPARENT};

/// An empty receive waits for this long, so that nobody polls.
const LONG_POLL_SECONDS: i32 = 20;
/// SQS hands out at most so many at once.
pub(crate) const MOST: usize = 10;
/// A queue or a topic said no, or nothing.
#[derive(Debug, thiserror::Error)]
#[error("{operation} failed: {why}")]
pub(crate) struct QueueError {
    operation: &'static str,
    why: String,
}

impl QueueError {
    pub(crate) fn new<E: std::error::Error + 'static>(operation: &'static str, error: E) -> Self {
        Self { operation, why: DisplayErrorContext(error).to_string() }
    }
}

/// The queue that a consumer receives from.
pub(crate) struct Inbox {
    client: aws_sdk_sqs::Client,
    url: String,
    /// How long a message is this worker's before it must be extended.
    visibility: Duration,
    faults: Arc<Faults>,
}

fn seconds(time: Duration) -> i32 {
    i32::try_from(time.as_secs()).unwrap_or(i32::MAX)
}

/// A message that this worker holds.
pub(crate) struct Received {
    pub(crate) body: String,
    /// How often it was handed out, this time included.
    pub(crate) receives: u32,
    /// The trace that the task is a part of, if the message says.
    pub(crate) traceparent: Option<String>,
    receipt: String,
}

impl Inbox {
    /// Returns the queue of a role that receives.
    pub(crate) fn new(sdk: &SdkConfig, config: &Config, faults: Arc<Faults>) -> Option<Self> {
        let url = config.queue_url.clone().filter(|_| config.role.consumes())?;
        Some(Self { client: aws_sdk_sqs::Client::new(sdk), url, visibility: config.visibility, faults })
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
            .message_attribute_names(TRACEPARENT)
            .send()
            .await
            .map_err(|error| QueueError::new("ReceiveMessage", error));
        let answer = self.faults.note(answer)?;
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
    let mut attributes = message.message_attributes.unwrap_or_default();
    let traceparent = attributes.remove(TRACEPARENT).and_then(|value| value.string_value);
    Some(Received { body: message.body?, receives, traceparent, receipt: message.receipt_handle? })
}
