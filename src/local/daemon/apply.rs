//! Makes what runs into what was planned: only what differs is touched.

use std::{fs, io, time::Duration};

use futures::future::{join_all, try_join_all};
use tokio_util::sync::CancellationToken;

use super::{
    environment::{Environment, RunningBalancer, RunningGroup, stop_group},
    listen, provision, scaling,
};
use crate::{
    error::chain,
    local::{
        balancer::{Balancer, Limits},
        control::Answer,
        files,
        group::{Group, NotHealthy},
        identity::write_private,
        logs,
        plan::{Addresses, GroupPlan, Plan},
    },
    reporter::{Reporter, ReporterExt},
    services::{self, Clients},
    topology::{PartId, PartKind},
};

/// A group that is not healthy by then has failed.
const HEALTHY: Duration = Duration::from_mins(1);

/// A plan could not be applied.
#[derive(Debug, thiserror::Error)]
enum ApplyError {
    #[error("the change was cancelled")]
    Cancelled,
    #[error("{part}")]
    Service { part: PartId, source: services::Error },
    #[error("{part}: {source}")]
    Group { part: PartId, source: NotHealthy },
    #[error("{part} cannot listen: {source}")]
    Listen { part: PartId, source: io::Error },
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
}

impl Environment {
    /// Applies a plan, telling the reporter of every part.
    pub(super) async fn apply(&self, plan: Plan, reporter: &dyn Reporter) -> Answer {
        let _change = self.changing.lock().await;
        let cancel = self.begin();
        let applied = tokio::select! {
            applied = self.change(&plan, reporter) => applied,
            () = cancel.cancelled() => Err(ApplyError::Cancelled),
        };
        match applied {
            Ok(changed) => Answer::Applied { outputs: self.outputs(&plan), changed },
            Err(error) => failed(&error),
        }
    }

    async fn change(&self, plan: &Plan, reporter: &dyn Reporter) -> Result<bool, ApplyError> {
        if self.running().plan.as_ref() == Some(plan) {
            let groups: Vec<RunningGroup> = self.running().groups.values().cloned().collect();
            try_join_all(groups.iter().map(|running| wait(running, reporter))).await?;
            return Ok(false);
        }
        write_plan(&self.place.plan(), plan)?;
        // Until it is whole again, what runs is not what any plan says.
        self.running().plan = None;
        let clients = Clients::of(&self.access(&plan.region));
        let addresses = provision::all(&clients, self.access(&plan.region), plan, reporter).await?;
        {
            let mut running = self.running();
            scaling::end(&mut running);
            running.clients = Some(clients.clone());
            running.addresses = Some(addresses.clone());
        }
        try_join_all(plan.groups.iter().map(|group| self.group(plan, group, &addresses, reporter))).await?;
        self.balancer(plan, reporter).await?;
        self.remove_groups(plan, reporter).await;
        provision::remove_others(&clients, &self.place, plan, &addresses).await?;
        let scaled = CancellationToken::new();
        let mut running = self.running();
        running.plan = Some(plan.clone());
        running.scaling = Some(scaled.clone());
        let groups = running.groups.values().cloned().collect();
        drop(running);
        scaling::start(self.requests(), groups, &plan.balancer.group, &clients, &addresses, &scaled);
        Ok(true)
    }

    /// Starts a group, or makes one that runs into what was planned.
    async fn group(
        &self,
        plan: &Plan,
        group: &GroupPlan,
        addresses: &Addresses,
        reporter: &dyn Reporter,
    ) -> Result<(), ApplyError> {
        let spec = self.spec(plan, group, addresses);
        let before = self.running().groups.get(&group.name).cloned();
        let running = match before.clone() {
            None => Group::start(spec.clone(), group.min),
            Some(running) => {
                let desired = running.group.state().borrow().desired;
                running.group.want(desired.clamp(group.min, group.max));
                if running.spec != spec {
                    running.group.run(spec.clone());
                }
                running.group
            }
        };
        let running = RunningGroup { group: running, plan: group.clone(), spec };
        self.running().groups.insert(group.name.clone(), running.clone());
        prune_logs(&running);
        let healthy = wait(&running, reporter).await;
        if healthy.is_err()
            && let Some(before) = before
        {
            // What ran before still does: the new instances never replaced it.
            before.group.run(before.spec.clone());
            before.group.want(before.plan.min);
            self.running().groups.insert(group.name.clone(), before);
        }
        healthy
    }

    async fn balancer(&self, plan: &Plan, reporter: &dyn Reporter) -> Result<(), ApplyError> {
        let part = PartId::new(PartKind::Balancer, &plan.balancer.name);
        let before = self.running().balancer.take();
        let same = before.as_ref().is_some_and(|running| running.plan == plan.balancer);
        let port = match before {
            Some(running) if same => {
                let port = running.port;
                self.running().balancer = Some(running);
                port
            }
            before => {
                if let Some(running) = before {
                    reporter.working(&part, "finishing requests");
                    running.balancer.stop().await;
                }
                self.start_balancer(plan, &part, reporter).await?
            }
        };
        reporter.done(&part, format!("http://127.0.0.1:{port}"));
        Ok(())
    }

    async fn start_balancer(&self, plan: &Plan, part: &PartId, reporter: &dyn Reporter) -> Result<u16, ApplyError> {
        let cannot = |source| ApplyError::Listen { part: part.clone(), source };
        let before = self.identity().balancer_port;
        let listener = listen::balancer(plan.balancer.port, before).await.map_err(cannot)?;
        let port = listener.local_addr().map_err(cannot)?.port();
        if listen::is_unusual(plan.balancer.port, port) && before != Some(port) {
            reporter.note(format!("port 8080 is taken: the site is at http://127.0.0.1:{port}"));
        }
        {
            let mut identity = self.identity();
            identity.balancer_port = Some(port);
            let what = "the port cannot be remembered".to_owned();
            identity.write(&self.place.identity()).map_err(|source| ApplyError::Io { what, source })?;
        }
        let mut running = self.running();
        let group = running.groups.get(&plan.balancer.group).map(|running| running.group.state());
        if let Some(group) = group {
            let limits = Limits {
                max_upload_bytes: plan.balancer.max_upload_bytes,
                answer: Duration::from_secs(plan.balancer.answer_seconds),
                connections: files::connections_to_site(),
            };
            let balancer = Balancer::start(listener, plan.balancer.balancing, group, limits);
            running.balancer = Some(RunningBalancer { balancer, plan: plan.balancer.clone(), port });
        }
        Ok(port)
    }

    /// Drains the groups that the plan does not have.
    async fn remove_groups(&self, plan: &Plan, reporter: &dyn Reporter) {
        let planned = |name: &String| plan.groups.iter().any(|group| group.name == *name);
        let gone: Vec<RunningGroup> = {
            let mut running = self.running();
            let names: Vec<String> = running.groups.keys().filter(|name| !planned(name)).cloned().collect();
            names.iter().filter_map(|name| running.groups.remove(name)).collect()
        };
        join_all(gone.into_iter().map(|running| stop_group(running, reporter))).await;
    }
}

/// Waits until a group is healthy, saying what it waits for.
async fn wait(running: &RunningGroup, reporter: &dyn Reporter) -> Result<(), ApplyError> {
    let part = PartId::new(PartKind::Group, &running.plan.name);
    let mut state = running.group.state();
    let follow = async {
        loop {
            let words = {
                let state = state.borrow_and_update();
                let reason = state.instances.iter().find_map(|instance| instance.reason.clone());
                let (healthy, desired) = (state.healthy(), state.desired);
                match state.failure.clone().or(reason) {
                    Some(reason) => format!("{healthy} of {desired} healthy; {reason}"),
                    None => format!("{healthy} of {desired} healthy"),
                }
            };
            reporter.working(&part, words);
            if state.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let settled = tokio::select! {
        settled = running.group.settled(HEALTHY) => settled,
        () = follow => Ok(()),
    };
    let healthy = running.group.state().borrow().healthy();
    match settled {
        Ok(()) => {
            reporter.done(&part, format!("{healthy} healthy"));
            Ok(())
        }
        Err(source) => {
            reporter.failed(&part, source.to_string());
            Err(ApplyError::Group { part, source })
        }
    }
}

fn write_plan(path: &std::path::Path, plan: &Plan) -> Result<(), ApplyError> {
    let written = serde_json::to_vec_pretty(plan).map_err(io::Error::other).and_then(|text| write_private(path, &text));
    written.map_err(|source| ApplyError::Io { what: format!("{} cannot be written", path.display()), source })
}

/// Old logs are a convenience: that they cannot be removed is no reason to fail.
fn prune_logs(running: &RunningGroup) {
    let directory = &running.spec.logs;
    if let Err(error) = fs::create_dir_all(directory).and_then(|()| logs::prune(directory)) {
        tracing::warn!(directory = %directory.display(), %error, "old logs could not be removed");
    }
}

fn failed(error: &ApplyError) -> Answer {
    let hints = match error {
        ApplyError::Cancelled => Vec::new(),
        ApplyError::Group { part, .. } => vec![format!("see the whole log: decouple logs {}", part.name)],
        ApplyError::Listen { .. } => {
            vec!["free the port, or set another under `balancer.port` in the blueprint, or none".to_owned()]
        }
        ApplyError::Service { .. } | ApplyError::Io { .. } => {
            vec!["run it again: what is done already is not done twice".to_owned()]
        }
    };
    Answer::Failed { cancelled: matches!(error, ApplyError::Cancelled), message: chain(error), hints }
}

/// Names the part that a service call was for.
pub(super) fn of_part(part: &PartId) -> impl FnOnce(services::Error) -> Failure {
    let part = part.clone();
    move |source| Failure(ApplyError::Service { part, source })
}

/// A failure of `provision`, which is part of applying.
pub(super) struct Failure(ApplyError);

impl From<Failure> for ApplyError {
    fn from(failure: Failure) -> Self {
        failure.0
    }
}
