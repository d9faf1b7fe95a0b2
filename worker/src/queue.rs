//! Where tasks come from: the queue that a consumer receives from.

use std::{collections::HashMap, sync::Arc, time::Duration};

use aws_config::SdkConfig;
use aws_sdk_sqs::{
    error::DisplayErrorContext,
    types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName, QueueAttributeName},
};
use serde::Deserialize;

use crate::{
    config::Config,
    faults::Faults,
    sdk::{ANSWER, answer_within},
    trace::{Carried, TRACEPARENT, TRACESTATE},
};

/// An empty receive waits for this long, so that nobody polls.
const LONG_POLL: Duration = Duration::from_secs(20);
/// Such an answer begins this much later at the latest.
const BEYOND_POLL: Duration = Duration::from_secs(ANSWER.as_secs() / 2);
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
    /// The trace that the task is a part of.
    pub(crate) trace: Carried,
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
            .wait_time_seconds(seconds(LONG_POLL))
            .visibility_timeout(seconds(self.visibility))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_attribute_names(TRACEPARENT)
            .message_attribute_names(TRACESTATE)
            .customize()
            .config_override(aws_sdk_sqs::config::Builder::new().timeout_config(answer_within(LONG_POLL + BEYOND_POLL)))
            .send()
            .await
            .map_err(|error| QueueError::new("ReceiveMessage", error));
        let answer = self.faults.note(answer)?;
        Ok(answer.messages.unwrap_or_default().into_iter().filter_map(received).collect())
    }

    /// Tells whether a message that was received so often is a dead letter when it is not deleted.
    pub(crate) async fn is_last(&self, receives: u32) -> Result<bool, QueueError> {
        let name = QueueAttributeName::RedrivePolicy;
        let get = self.client.get_queue_attributes().queue_url(&self.url).attribute_names(name.clone()).send().await;
        let answer = get.map_err(|error| QueueError::new("GetQueueAttributes", error))?;
        let policy = answer.attributes.and_then(|mut attributes| attributes.remove(&name));
        Ok(policy.as_deref().and_then(most_receives).is_some_and(|most| receives >= most))
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

/// Reads from a redrive policy how often a message is handed out. It is a number, or one in quotes.
fn most_receives(policy: &str) -> Option<u32> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Policy {
        max_receive_count: serde_json::Value,
    }
    let Policy { max_receive_count: most } = serde_json::from_str(policy).ok()?;
    most.as_u64().and_then(|most| most.try_into().ok()).or_else(|| most.as_str()?.parse().ok())
}

fn received(message: Message) -> Option<Received> {
    let count = |attributes: &HashMap<_, String>| {
        attributes.get(&MessageSystemAttributeName::ApproximateReceiveCount)?.parse().ok()
    };
    let receives = message.attributes.as_ref().and_then(count).unwrap_or(1);
    let mut attributes = message.message_attributes.unwrap_or_default();
    let mut attribute = |name| attributes.remove(name).and_then(|value| value.string_value);
    let trace = Carried { traceparent: attribute(TRACEPARENT), tracestate: attribute(TRACESTATE) };
    Some(Received { body: message.body?, receives, trace, receipt: message.receipt_handle? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redrive_policy_says_how_often_a_message_is_handed_out() {
        let arn = "arn:aws:sqs:us-east-1:000000000000:dead";
        for most in ["3", "\"3\""] {
            let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":{most}}}"#);
            assert_eq!(most_receives(&policy), Some(3));
        }
        assert_eq!(most_receives("{}"), None);
        assert_eq!(most_receives(""), None);
    }
}
