//! What runs: the groups, the balancer, and where everything is.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use decouple_endpoint as endpoint;
use futures::future::join_all;
use tokio_util::sync::CancellationToken;

use super::{DaemonError, scaling};
use crate::{
    local::{
        balancer::Balancer,
        files,
        group::{Group, Spec},
        home::Place,
        identity::Identity,
        plan::{ACCOUNT, Addresses, BalancerPlan, GroupPlan, Plan, REGION},
    },
    reporter::{Reporter, ReporterExt},
    services::{Access, Clients},
    topology::{Market, PartId, PartKind},
};

/// One environment in its background process.
pub(super) struct Environment {
    pub(super) place: Place,
    pub(super) identity: Mutex<Identity>,
    pub(super) endpoint_port: u16,
    /// One change at a time.
    pub(super) changing: tokio::sync::Mutex<()>,
    pub(super) running: Mutex<Running>,
    /// Cancels the change that is under way.
    cancel: Mutex<CancellationToken>,
}

/// What runs now.
#[derive(Default)]
pub(super) struct Running {
    /// What was applied last, whole.
    pub(super) plan: Option<Plan>,
    pub(super) addresses: Option<Addresses>,
    pub(super) clients: Option<Clients>,
    pub(super) groups: BTreeMap<String, RunningGroup>,
    pub(super) balancer: Option<RunningBalancer>,
    pub(super) scaling: Option<CancellationToken>,
}

/// A group that runs, and what it was started from.
#[derive(Clone)]
pub(super) struct RunningGroup {
    pub(super) group: Group,
    pub(super) plan: GroupPlan,
    pub(super) spec: Spec,
}

/// A balancer that runs, and what it was started from.
pub(super) struct RunningBalancer {
    pub(super) balancer: Balancer,
    pub(super) plan: BalancerPlan,
    pub(super) port: u16,
}

/// Opens the endpoint's store.
pub(super) async fn open_endpoint(place: &Place, identity: &Identity) -> Result<endpoint::Endpoint, DaemonError> {
    let config = endpoint::Config {
        data_dir: place.data().join("endpoint"),
        region: REGION.to_owned(),
        account: ACCOUNT.to_owned(),
        credentials: endpoint::Credentials {
            access_key_id: identity.access_key_id.clone(),
            secret_access_key: identity.secret_access_key.clone(),
        },
    };
    Ok(endpoint::Endpoint::open(config).await?.with_most_connections(files::connections_to_endpoint()))
}

impl Environment {
    pub(super) fn new(place: Place, identity: Identity, endpoint_port: u16) -> Self {
        Self {
            place,
            identity: Mutex::new(identity),
            endpoint_port,
            changing: tokio::sync::Mutex::default(),
            running: Mutex::default(),
            cancel: Mutex::default(),
        }
    }

    /// Locks what runs. Hold it for a moment only, and never while waiting.
    pub(super) fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn identity(&self) -> MutexGuard<'_, Identity> {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn access(&self, region: &str) -> Access {
        let identity = self.identity();
        Access {
            endpoint_url: format!("http://127.0.0.1:{}", self.endpoint_port),
            region: region.to_owned(),
            access_key_id: identity.access_key_id.clone(),
            secret_access_key: identity.secret_access_key.clone(),
        }
    }

    /// Returns a token that ends the change which is about to begin.
    pub(super) fn begin(&self) -> CancellationToken {
        let token = CancellationToken::new();
        *self.cancel.lock().unwrap_or_else(PoisonError::into_inner) = token.clone();
        token
    }

    /// Ends the change that is under way, if there is one.
    pub(super) fn cancel(&self) {
        self.cancel.lock().unwrap_or_else(PoisonError::into_inner).cancel();
    }

    /// Returns what the processes of a group are.
    pub(super) fn spec(&self, plan: &Plan, group: &GroupPlan, addresses: &Addresses) -> Spec {
        Spec {
            name: group.name.clone(),
            program: group.program.clone(),
            version: group.version.clone(),
            environment: plan.worker_environment(group, addresses),
            on_demand: match group.market {
                Market::OnDemand => u32::MAX,
                Market::Spot { on_demand_base } => on_demand_base,
            },
            deregistration: if plan.balancer.group == group.name {
                Duration::from_secs(plan.balancer.deregistration_seconds)
            } else {
                Duration::ZERO
            },
            drain: Duration::from_secs(group.drain_seconds),
            logs: self.place.logs().join(&group.name),
            remembered: self.place.instances(),
        }
    }

    /// Stops everything that runs: first what takes new work, then what finishes it.
    pub(super) async fn stop(&self, reporter: &dyn Reporter) {
        self.cancel();
        let _change = self.changing.lock().await;
        let (balancer, groups) = {
            let mut running = self.running();
            scaling::end(&mut running);
            (running.balancer.take(), std::mem::take(&mut running.groups))
        };
        if let Some(running) = balancer {
            let id = PartId::new(PartKind::Balancer, &running.plan.name);
            reporter.working(&id, "finishing requests");
            running.balancer.stop().await;
            reporter.done(&id, "stopped");
        }
        join_all(groups.into_values().map(|running| stop_group(running, reporter))).await;
    }
}

/// Drains one group.
pub(super) async fn stop_group(running: RunningGroup, reporter: &dyn Reporter) {
    let id = PartId::new(PartKind::Group, &running.plan.name);
    let instances = running.group.state().borrow().instances.len();
    reporter.working(&id, format!("draining {instances} instances"));
    running.group.stop().await;
    reporter.done(&id, "stopped");
}
