//! Topics and their subscriptions.

use aws_sdk_sqs::types::QueueAttributeName;

use super::{Clients, Error, queues};

/// Sees to it that a topic exists and hands every message, as it is, to just these queues, each given by name and URL.
/// Returns the topic's ARN.
pub async fn ensure_topic(clients: &Clients, name: &str, queues: &[(&str, &str)]) -> Result<String, Error> {
    let created = clients
        .sns
        .create_topic()
        .name(name)
        .send()
        .await
        .map_err(|error| Error::new(name, "CreateTopic", error.into_service_error()))?;
    let topic = created.topic_arn.ok_or_else(|| Error::new(name, "CreateTopic", "the answer has no ARN"))?;
    let mut wanted = Vec::with_capacity(queues.len());
    for (queue, url) in queues {
        let arn = queues::attribute(clients, queue, url, QueueAttributeName::QueueArn).await?;
        subscribe(clients, name, &topic, &arn).await?;
        wanted.push(arn);
    }
    for (subscription, endpoint) in subscriptions(clients, &topic).await? {
        if !wanted.contains(&endpoint) {
            unsubscribe(clients, name, &subscription).await?;
        }
    }
    Ok(topic)
}

/// Subscribing again with the same settings returns the subscription that there is.
async fn subscribe(clients: &Clients, name: &str, topic: &str, queue: &str) -> Result<(), Error> {
    clients
        .sns
        .subscribe()
        .topic_arn(topic)
        .protocol("sqs")
        .endpoint(queue)
        .attributes("RawMessageDelivery", "true")
        .return_subscription_arn(true)
        .send()
        .await
        .map_err(|error| Error::new(name, "Subscribe", error.into_service_error()))?;
    Ok(())
}

async fn unsubscribe(clients: &Clients, name: &str, subscription: &str) -> Result<(), Error> {
    clients
        .sns
        .unsubscribe()
        .subscription_arn(subscription)
        .send()
        .await
        .map_err(|error| Error::new(name, "Unsubscribe", error.into_service_error()))?;
    Ok(())
}

/// Lists the subscriptions of a topic: ARN of the subscription, and what it delivers to.
pub async fn subscriptions(clients: &Clients, topic: &str) -> Result<Vec<(String, String)>, Error> {
    let mut pages = clients.sns.list_subscriptions_by_topic().topic_arn(topic).into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| Error::new(topic, "ListSubscriptionsByTopic", error.into_service_error()))?;
        let both = page.subscriptions.unwrap_or_default().into_iter();
        found.extend(both.filter_map(|subscription| Some((subscription.subscription_arn?, subscription.endpoint?))));
    }
    Ok(found)
}

/// Deletes a topic and its subscriptions. One that is not there is fine: SNS says so itself.
pub async fn delete_topic(clients: &Clients, arn: &str) -> Result<(), Error> {
    clients
        .sns
        .delete_topic()
        .topic_arn(arn)
        .send()
        .await
        .map_err(|error| Error::new(arn, "DeleteTopic", error.into_service_error()))?;
    Ok(())
}
