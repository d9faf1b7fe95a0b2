//! Makes queues, topic and bucket at the endpoint, over the wire like anybody else. Every step may be repeated.

use std::collections::BTreeMap;

use futures::future::try_join_all;

use super::apply::{Failure, of_part};
use crate::{
    local::{
        home::Place,
        plan::{ACCOUNT, Addresses, Plan, QueuePlan},
    },
    reporter::{Reporter, ReporterExt},
    services::{self, Access, Clients, QueueSettings},
    topology::{PartId, PartKind},
};

/// Makes everything that the plan has at the endpoint, and returns where it is.
pub(super) async fn all(
    clients: &Clients,
    access: Access,
    plan: &Plan,
    reporter: &dyn Reporter,
) -> Result<Addresses, Failure> {
    let (queue_urls, ()) = tokio::try_join!(queues(clients, plan, reporter), bucket(clients, plan, reporter))?;
    let topic_arn = topic(clients, plan, &queue_urls, reporter).await?;
    Ok(Addresses { access, queue_urls, topic_arn })
}

async fn bucket(clients: &Clients, plan: &Plan, reporter: &dyn Reporter) -> Result<(), Failure> {
    let part = PartId::new(PartKind::Bucket, &plan.bucket.name);
    services::ensure_bucket(clients, &plan.bucket.bucket).await.map_err(of_part(&part))?;
    reporter.done(&part, plan.bucket.bucket.clone());
    Ok(())
}

async fn queues(clients: &Clients, plan: &Plan, reporter: &dyn Reporter) -> Result<BTreeMap<String, String>, Failure> {
    let made = try_join_all(plan.queues.iter().map(|queue| async move {
        let part = PartId::new(PartKind::Queue, &queue.name);
        let url = services::ensure_queue(clients, &settings(queue)).await.map_err(of_part(&part))?;
        reporter.done(&part, queue.queue.clone());
        Ok::<_, Failure>((queue.name.clone(), url))
    }));
    Ok(made.await?.into_iter().collect())
}

fn settings(queue: &QueuePlan) -> QueueSettings<'_> {
    QueueSettings {
        name: &queue.queue,
        dead_letters: &queue.dead_letters,
        visibility_seconds: queue.visibility_seconds,
        max_receives: queue.max_receives,
        retention_seconds: queue.retention_seconds,
    }
}

async fn topic(
    clients: &Clients,
    plan: &Plan,
    queue_urls: &BTreeMap<String, String>,
    reporter: &dyn Reporter,
) -> Result<Option<String>, Failure> {
    let Some(topic) = &plan.topic else { return Ok(None) };
    let part = PartId::new(PartKind::Topic, &topic.name);
    let subscribers: Vec<(&str, &str)> = topic
        .subscribers
        .iter()
        .filter_map(|name| queue_urls.get(name).map(|url| (name.as_str(), url.as_str())))
        .collect();
    let arn = services::ensure_topic(clients, &topic.topic, &subscribers).await.map_err(of_part(&part))?;
    reporter.done(&part, topic.topic.clone());
    Ok(Some(arn))
}

/// Removes queues and the topic of a stage that the environment was in before.
///
/// The tasks in them are not lost: the catalog knows which photos are not done, and where their task was sent, so the
/// workers of the new stage send it again.
pub(super) async fn remove_others(
    clients: &Clients,
    place: &Place,
    plan: &Plan,
    addresses: &Addresses,
) -> Result<(), Failure> {
    let made = Made::read(place);
    let now = Made::of(plan, addresses);
    for queue in made.queues.iter().filter(|queue| !now.queues.contains(queue)) {
        let part = PartId::new(PartKind::Queue, queue);
        services::delete_queue(clients, queue).await.map_err(of_part(&part))?;
    }
    if let Some(arn) = made.topic_arn.as_ref().filter(|_| now.topic_arn.is_none()) {
        let part = PartId::new(PartKind::Topic, arn);
        services::delete_topic(clients, arn).await.map_err(of_part(&part))?;
    }
    now.write(place);
    Ok(())
}

/// What was made at the endpoint, remembered so that it can be removed when a plan no longer has it.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Made {
    queues: Vec<String>,
    topic_arn: Option<String>,
}

impl Made {
    fn of(plan: &Plan, addresses: &Addresses) -> Self {
        let both = plan.queues.iter().flat_map(|queue| [queue.queue.clone(), queue.dead_letters.clone()]);
        Self { queues: both.collect(), topic_arn: addresses.topic_arn.clone() }
    }

    fn read(place: &Place) -> Self {
        let text = std::fs::read(place.path().join("made.json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// What is forgotten here is merely not removed: an empty queue more.
    fn write(&self, place: &Place) {
        let text = serde_json::to_vec(self).unwrap_or_default();
        if let Err(error) = crate::local::identity::write_private(&place.path().join("made.json"), &text) {
            tracing::warn!(%error, account = ACCOUNT, "what was made at the endpoint could not be remembered");
        }
    }
}
