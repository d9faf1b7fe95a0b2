//! Follows the load of every group and sets how many instances it should have.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::environment::{Environment, Running, RunningGroup};
use crate::{
    error::chain,
    local::{
        autoscaler::{Autoscaler, Limits, Load},
        plan::Addresses,
    },
    services::{self, Clients},
};

/// How often the load is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// Reads how many requests came in during the last minute.
pub(super) type Requests = Box<dyn Fn() -> u64 + Send + Sync>;

/// Starts following. It ends with the token.
pub(super) fn start(
    requests: Requests,
    groups: Vec<RunningGroup>,
    served: &str,
    clients: &Clients,
    addresses: &Addresses,
    end: &CancellationToken,
) {
    let requests = Arc::new(requests);
    for running in groups {
        let requests = (running.plan.name == served).then(|| Arc::clone(&requests));
        let queue = running.plan.receives.as_ref().and_then(|name| addresses.queue_urls.get(name)).cloned();
        let clients = clients.clone();
        let end = end.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = end.cancelled() => {}
                () = follow(running, requests, queue, clients) => {}
            }
        });
    }
}

/// Stops following.
pub(super) fn end(running: &mut Running) {
    if let Some(token) = running.scaling.take() {
        token.cancel();
    }
}

async fn follow(running: RunningGroup, requests: Option<Arc<Requests>>, queue: Option<String>, clients: Clients) {
    let limits = Limits { min: running.plan.min, max: running.plan.max };
    let mut scaler = Autoscaler::default();
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let load = match (&requests, &queue) {
            (Some(requests), _) => Load::Requests(requests()),
            (None, Some(url)) => match services::depth(&clients, url).await {
                Ok(depth) => Load::Backlog(depth.visible + depth.in_flight),
                Err(error) => {
                    tracing::warn!(group = running.plan.name, error = chain(&error), "the backlog is not known");
                    continue;
                }
            },
            (None, None) => return,
        };
        let current = running.group.state().borrow().desired;
        let desired = scaler.desired(current, limits, &running.plan.scaling, load, Instant::now());
        if desired != current {
            tracing::info!(group = running.plan.name, from = current, to = desired, ?load, "scaling");
            running.group.want(desired);
        }
    }
}

impl Environment {
    /// Returns a reader of the balancer's rate. It outlives the balancer: a later one's rate is read by the same reader.
    pub(super) fn requests(&self) -> Requests {
        let rate = self.running().balancer.as_ref().map(|running| running.balancer.rate());
        let rate = rate.map(|rate| Arc::downgrade(&rate)).unwrap_or_default();
        Box::new(move || rate.upgrade().map_or(0, |rate| rate.last_minute()))
    }
}
