//! How everything is: the status report of what runs.

use std::collections::BTreeMap;

use futures::future::join_all;

use super::environment::{Environment, RunningGroup};
use crate::{
    error::chain,
    local::{
        get::get,
        group::{Instance, Phase, State},
        plan::{Addresses, GroupPlan, Plan, QueuePlan, TopicPlan},
    },
    services::{self, Clients},
    status::{self, Detail, GroupDetail, Health, Outputs, Part, Report},
};

impl Environment {
    /// Looks at every part.
    pub(super) async fn report(&self) -> Report {
        let (plan, addresses, clients, groups) = {
            let running = self.running();
            (
                running.plan.clone(),
                running.addresses.clone(),
                running.clients.clone(),
                running.groups.values().cloned().collect::<Vec<_>>(),
            )
        };
        // While a change is under way, what was wanted is in the file.
        let changing = plan.is_none();
        let Some(plan) = plan.or_else(|| Plan::read(&self.place.plan()).ok()) else { return nothing() };
        let mut parts = vec![self.balancer_part(&plan)];
        parts.extend(plan.groups.iter().map(|group| group_part(group, &groups)));
        if let (Some(clients), Some(addresses)) = (&clients, &addresses) {
            if let Some(topic) = &plan.topic {
                parts.push(topic_part(clients, topic, addresses).await);
            }
            let ages = oldest_messages(self.endpoint_port).await;
            let queues = plan.queues.iter().map(|queue| queue_part(clients, queue, addresses, &ages));
            parts.extend(join_all(queues).await);
        }
        parts.push(part(&plan.bucket.name, Detail::Bucket {}, Health::Ok, None));
        parts.push(part(&plan.catalog.name, Detail::Catalog { engine: plan.catalog.engine() }, Health::Ok, None));
        Report {
            env: plan.environment.clone(),
            stage: plan.stage.clone(),
            target: "local".to_owned(),
            health: Report::worst(&parts),
            reason: changing.then(|| "a change is under way, or one failed: run `decouple up`".to_owned()),
            parts,
            outputs: self.outputs(&plan),
        }
    }

    /// Returns where things are.
    pub(super) fn outputs(&self, plan: &Plan) -> Outputs {
        let running = self.running();
        let port = running.balancer.as_ref().map(|running| running.port);
        let addresses = running.addresses.as_ref();
        Outputs {
            url: port.map(|port| format!("http://127.0.0.1:{port}")).unwrap_or_default(),
            endpoint_url: format!("http://127.0.0.1:{}", self.endpoint_port),
            region: plan.region.clone(),
            bucket: plan.bucket.bucket.clone(),
            topic_arn: addresses.and_then(|addresses| addresses.topic_arn.clone()),
            queue_urls: addresses.map(|addresses| addresses.queue_urls.clone()).unwrap_or_default(),
            dashboard_url: None,
        }
    }

    fn balancer_part(&self, plan: &Plan) -> Part {
        let running = self.running();
        let state = running.groups.get(&plan.balancer.group).map(|running| running.group.state().borrow().clone());
        let state = state.unwrap_or_default();
        let (targets, healthy) = (state.running(), state.healthy());
        let url = running.balancer.as_ref().map(|running| format!("http://127.0.0.1:{}", running.port));
        let (health, reason) = match (&url, healthy) {
            (None, _) => (Health::Down, Some("it is not started".to_owned())),
            (_, 0) => (Health::Down, Some("no target is healthy".to_owned())),
            (_, healthy) if healthy < targets => (Health::Degraded, None),
            _ => (Health::Ok, None),
        };
        let detail = Detail::Balancer { url: url.unwrap_or_default(), targets, healthy };
        part(&plan.balancer.name, detail, health, reason)
    }
}

/// Before the first plan there is nothing to tell of.
fn nothing() -> Report {
    Report {
        env: String::new(),
        stage: String::new(),
        target: "local".to_owned(),
        health: Health::Down,
        reason: Some("nothing was brought up yet".to_owned()),
        parts: Vec::new(),
        outputs: Outputs::default(),
    }
}

fn part(name: &str, detail: Detail, health: Health, reason: Option<String>) -> Part {
    Part { detail, name: name.to_owned(), health, reason, look_again: false }
}

fn group_part(plan: &GroupPlan, groups: &[RunningGroup]) -> Part {
    let running = groups.iter().find(|running| running.plan.name == plan.name);
    let state = running.map(|running| running.group.state().borrow().clone()).unwrap_or_default();
    let healthy = state.healthy();
    let (health, reason) = match (running, healthy) {
        (None, _) => (Health::Down, Some("it is not started".to_owned())),
        (_, healthy) if healthy >= state.desired => (Health::Ok, None),
        (_, 0) => (Health::Down, state.failure.clone()),
        _ => (Health::Degraded, state.failure.clone()),
    };
    let detail = Detail::Group(GroupDetail {
        desired: state.desired,
        running: state.running(),
        healthy,
        min: plan.min,
        max: plan.max,
        version: format!("sha256:{}", plan.version),
        instances: instances(&state),
    });
    part(&plan.name, detail, health, reason)
}

fn instances(state: &State) -> Vec<status::Instance> {
    state.instances.iter().map(instance).collect()
}

fn instance(instance: &Instance) -> status::Instance {
    status::Instance {
        id: instance.id.clone(),
        health: match instance.phase {
            Phase::InService => Health::Ok,
            Phase::Starting | Phase::Draining => Health::Degraded,
            Phase::Unhealthy => Health::Down,
        },
        reason: instance.reason.clone(),
        market: instance.market.to_owned(),
        zone: instance.zone.to_owned(),
        pid: Some(instance.pid),
        since: instance.since.to_string(),
    }
}

async fn topic_part(clients: &Clients, topic: &TopicPlan, addresses: &Addresses) -> Part {
    let arn = addresses.topic_arn.as_deref().unwrap_or_default();
    match services::subscriptions(clients, arn).await {
        Ok(found) => {
            let subscriptions = u32::try_from(found.len()).unwrap_or(u32::MAX);
            part(&topic.name, Detail::Topic { subscriptions }, Health::Ok, None)
        }
        Err(error) => part(&topic.name, Detail::Topic { subscriptions: 0 }, Health::Down, Some(chain(&error))),
    }
}

/// Age of the oldest message of each queue. CloudWatch has it on AWS, and SQS itself does not, so the endpoint tells it
/// beside its SQS. Without it, a queue is shown as one that has just been filled.
async fn oldest_messages(endpoint_port: u16) -> BTreeMap<String, u64> {
    #[derive(serde::Deserialize)]
    struct Queue {
        name: String,
        oldest_seconds: u64,
    }
    let queues = match get(endpoint_port, "/_endpoint/queues").await {
        Ok((status, body)) if status.is_success() => serde_json::from_slice::<Vec<Queue>>(&body).unwrap_or_default(),
        _ => Vec::new(),
    };
    queues.into_iter().map(|queue| (queue.name, queue.oldest_seconds)).collect()
}

async fn queue_part(clients: &Clients, queue: &QueuePlan, addresses: &Addresses, ages: &BTreeMap<String, u64>) -> Part {
    let looked = async {
        let url = addresses.queue_urls.get(&queue.name).map(String::as_str).unwrap_or_default();
        let depth = services::depth(clients, url).await?;
        let dead = match services::find_queue(clients, &queue.dead_letters).await? {
            Some(url) => services::depth(clients, &url).await?,
            None => services::Depth::default(),
        };
        Ok::<_, services::Error>((depth, dead.visible + dead.in_flight))
    };
    match looked.await {
        Ok((depth, dead)) => {
            let oldest_seconds = ages.get(&queue.queue).copied().unwrap_or(0);
            let detail = Detail::Queue { visible: depth.visible, in_flight: depth.in_flight, oldest_seconds, dead };
            let (health, reason) = if dead == 0 {
                (Health::Ok, None)
            } else {
                (Health::Degraded, Some("there are dead letters: tasks that failed too often".to_owned()))
            };
            part(&queue.name, detail, health, reason)
        }
        Err(error) => {
            let detail = Detail::Queue { visible: 0, in_flight: 0, oldest_seconds: 0, dead: 0 };
            part(&queue.name, detail, Health::Down, Some(chain(&error)))
        }
    }
}
