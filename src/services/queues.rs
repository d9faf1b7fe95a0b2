//! Queues and their dead-letter queues.

use std::collections::HashMap;

use aws_sdk_sqs::types::QueueAttributeName as Attribute;

use super::{Clients, Error};

/// Dead letters are kept for as long as SQS keeps anything: 14 days.
const DEAD_LETTER_RETENTION_SECONDS: u64 = 1_209_600;
/// An empty receive waits for up to this long, so that nobody polls.
const LONG_POLL_SECONDS: u64 = 20;

/// What a queue should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSettings<'a> {
    /// Its name.
    pub name: &'a str,
    /// Name of its dead-letter queue.
    pub dead_letters: &'a str,
    /// Seconds that a received message is hidden.
    pub visibility_seconds: u64,
    /// How often a message is received before it is a dead letter.
    pub max_receives: u32,
    /// Seconds that a message is kept.
    pub retention_seconds: u64,
}

/// How much is in a queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Messages that wait, delayed ones included.
    pub visible: u64,
    /// Messages that are being worked on.
    pub in_flight: u64,
}

/// Sees to it that a queue and its dead-letter queue exist and are as they should be. Returns the queue's URL.
pub async fn ensure_queue(clients: &Clients, settings: &QueueSettings<'_>) -> Result<String, Error> {
    let retention = HashMap::from([(Attribute::MessageRetentionPeriod, DEAD_LETTER_RETENTION_SECONDS.to_string())]);
    let dead_url = ensure(clients, settings.dead_letters, retention).await?;
    let dead_arn = arn(clients, settings.dead_letters, &dead_url).await?;
    let redrive = serde_json::json!({
        "deadLetterTargetArn": dead_arn,
        "maxReceiveCount": settings.max_receives,
    });
    let attributes = HashMap::from([
        (Attribute::VisibilityTimeout, settings.visibility_seconds.to_string()),
        (Attribute::MessageRetentionPeriod, settings.retention_seconds.to_string()),
        (Attribute::ReceiveMessageWaitTimeSeconds, LONG_POLL_SECONDS.to_string()),
        (Attribute::RedrivePolicy, redrive.to_string()),
    ]);
    ensure(clients, settings.name, attributes).await
}

/// Creates a queue, or sets the attributes of one that is there: creating again with others is an error.
async fn ensure(clients: &Clients, name: &str, attributes: HashMap<Attribute, String>) -> Result<String, Error> {
    if let Some(url) = find_queue(clients, name).await? {
        clients
            .sqs
            .set_queue_attributes()
            .queue_url(&url)
            .set_attributes(Some(attributes))
            .send()
            .await
            .map_err(|error| Error::new(name, "SetQueueAttributes", error.into_service_error()))?;
        return Ok(url);
    }
    let created = clients
        .sqs
        .create_queue()
        .queue_name(name)
        .set_attributes(Some(attributes))
        .send()
        .await
        .map_err(|error| Error::new(name, "CreateQueue", error.into_service_error()))?;
    created.queue_url.ok_or_else(|| Error::new(name, "CreateQueue", "the answer has no URL"))
}

/// Returns the URL of a queue, or nothing where there is none of that name.
pub async fn find_queue(clients: &Clients, name: &str) -> Result<Option<String>, Error> {
    match clients.sqs.get_queue_url().queue_name(name).send().await {
        Ok(found) => Ok(found.queue_url),
        Err(error) => {
            let error = error.into_service_error();
            if error.is_queue_does_not_exist() { Ok(None) } else { Err(Error::new(name, "GetQueueUrl", error)) }
        }
    }
}

async fn arn(clients: &Clients, name: &str, url: &str) -> Result<String, Error> {
    attribute(clients, name, url, Attribute::QueueArn).await
}

/// Returns the ARN of a queue.
pub(super) async fn attribute(clients: &Clients, name: &str, url: &str, attribute: Attribute) -> Result<String, Error> {
    let answer = clients
        .sqs
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names(attribute.clone())
        .send()
        .await
        .map_err(|error| Error::new(name, "GetQueueAttributes", error.into_service_error()))?;
    answer
        .attributes
        .and_then(|mut attributes| attributes.remove(&attribute))
        .ok_or_else(|| Error::new(name, "GetQueueAttributes", format!("the answer has no {attribute}")))
}

/// Returns how much is in a queue.
pub async fn depth(clients: &Clients, url: &str) -> Result<Depth, Error> {
    let wanted = [
        Attribute::ApproximateNumberOfMessages,
        Attribute::ApproximateNumberOfMessagesNotVisible,
        Attribute::ApproximateNumberOfMessagesDelayed,
    ];
    let answer = clients
        .sqs
        .get_queue_attributes()
        .queue_url(url)
        .set_attribute_names(Some(wanted.to_vec()))
        .send()
        .await
        .map_err(|error| Error::new(url, "GetQueueAttributes", error.into_service_error()))?;
    let attributes = answer.attributes.unwrap_or_default();
    let [visible, in_flight, delayed] =
        wanted.map(|name| attributes.get(&name).and_then(|value| value.parse().ok()).unwrap_or(0));
    Ok(Depth { visible: visible + delayed, in_flight })
}

/// Deletes a queue. One that is not there is fine.
pub async fn delete_queue(clients: &Clients, name: &str) -> Result<(), Error> {
    let Some(url) = find_queue(clients, name).await? else { return Ok(()) };
    match clients.sqs.delete_queue().queue_url(url).send().await {
        Ok(_) => Ok(()),
        Err(error) => {
            let error = error.into_service_error();
            if error.is_queue_does_not_exist() { Ok(()) } else { Err(Error::new(name, "DeleteQueue", error)) }
        }
    }
}
