//! Keeps a group at the wanted count: starts what is missing, drains what is too many, replaces what is out of date.

use std::{
    fs::File,
    io::Read,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream::FuturesUnordered};
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    Order, Phase, Spec, State,
    instance::{self, Ended, Handle, Placement},
};

/// An instance that ran shorter than this is taken for one that cannot start.
const SHORT_RUN: Duration = Duration::from_secs(10);
/// The longest pause between two attempts.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);
/// The shortest one.
const SHORTEST_BACKOFF: Duration = Duration::from_millis(250);
const ZONES: [&str; 2] = ["local-a", "local-b"];

/// The group's own task.
struct Supervisor {
    spec: Spec,
    generation: u64,
    desired: u32,
    instances: Vec<Handle>,
    failure: Option<String>,
    backoff: Backoff,
    publish: watch::Sender<State>,
    stopping: Vec<oneshot::Sender<()>>,
}

/// Runs a group until it is told to stop, or nobody is left to tell it.
pub(super) async fn run(
    spec: Spec,
    desired: u32,
    mut orders: mpsc::UnboundedReceiver<Order>,
    publish: watch::Sender<State>,
) {
    let mut group = Supervisor {
        spec,
        generation: 0,
        desired,
        instances: Vec::new(),
        failure: None,
        backoff: Backoff::default(),
        publish,
        stopping: Vec::new(),
    };
    let mut ends = FuturesUnordered::new();
    loop {
        for started in group.reconcile() {
            ends.push(started);
        }
        group.publish_state();
        if !group.stopping.is_empty() && group.instances.is_empty() {
            break;
        }
        let retry = group.backoff.until();
        tokio::select! {
            order = orders.recv() => group.take(order),
            Some(ended) = ends.next() => group.ended(ended),
            () = group.instance_changed() => {}
            () = wait_until(retry) => {}
        }
    }
    for done in group.stopping {
        // Whoever asked may have gone.
        let _gone = done.send(());
    }
}

async fn wait_until(when: Option<Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when.into()).await,
        None => std::future::pending().await,
    }
}

impl Supervisor {
    fn take(&mut self, order: Option<Order>) {
        match order {
            Some(Order::Run(spec, generation)) => {
                self.spec = *spec;
                self.generation = generation;
                self.failure = None;
                self.backoff = Backoff::default();
            }
            Some(Order::Want(desired)) => self.desired = desired,
            Some(Order::Stop(done)) => {
                self.desired = 0;
                self.stopping.push(done);
            }
            None => {
                let (done, _) = oneshot::channel();
                self.desired = 0;
                self.stopping.push(done);
            }
        }
    }

    fn ended(&mut self, ended: Ended) {
        self.instances.retain(|instance| instance.view.borrow().id != ended.id);
        if let Some(failure) = ended.failure {
            tracing::warn!(group = self.spec.name, ran_seconds = ended.ran.as_secs(), "{failure}");
            self.failure = Some(failure);
            self.backoff.failed(ended.ran);
        }
    }

    /// Starts and drains until the instances are as wanted. Returns the ends of those that were started.
    fn reconcile(&mut self) -> Vec<impl Future<Output = Ended> + Send + use<>> {
        let current = self.of_generation(true);
        let missing = if self.stopping.is_empty() { self.desired.saturating_sub(current) } else { 0 };
        let mut started = Vec::new();
        for _ in 0..missing {
            if !self.backoff.may_start() {
                break;
            }
            match instance::start(&self.spec, &self.place()) {
                Ok((handle, end)) => {
                    self.instances.push(handle);
                    started.push(end);
                }
                Err(error) => {
                    tracing::warn!(group = self.spec.name, %error, "an instance could not be started");
                    self.failure = Some(error.to_string());
                    self.backoff.failed(Duration::ZERO);
                }
            }
        }
        let surplus = current.saturating_sub(self.desired);
        let newest_first = self.instances.iter().rev();
        newest_first
            .filter(|one| staying(one) && one.generation == self.generation)
            .take(surplus as usize)
            .for_each(drain);
        if self.serving() >= self.desired {
            self.failure = None;
            if self.backoff.until.is_none() {
                self.backoff = Backoff::default();
            }
            self.instances.iter().filter(|one| staying(one) && one.generation < self.generation).for_each(drain);
        }
        started
    }

    fn of_generation(&self, current: bool) -> u32 {
        let those = self.instances.iter().filter(|one| staying(one) && (one.generation == self.generation) == current);
        u32::try_from(those.count()).unwrap_or(u32::MAX)
    }

    /// Counts the up-to-date instances that serve.
    fn serving(&self) -> u32 {
        let those = self.instances.iter().filter(|one| {
            staying(one) && one.generation == self.generation && one.view.borrow().phase == Phase::InService
        });
        u32::try_from(those.count()).unwrap_or(u32::MAX)
    }

    /// Gives a new instance its id, its zone (the emptier one) and its market (on demand until the base is filled).
    fn place(&self) -> Placement {
        let current = || self.instances.iter().filter(|one| staying(one) && one.generation == self.generation);
        let on_demand = current().filter(|one| one.view.borrow().market == "on-demand").count();
        let in_zone = |zone: &str| current().filter(|one| one.view.borrow().zone == zone).count();
        Placement {
            id: random_id(),
            market: if on_demand < self.spec.on_demand as usize { "on-demand" } else { "spot" },
            zone: ZONES.into_iter().min_by_key(|zone| in_zone(zone)).unwrap_or(ZONES[0]),
            generation: self.generation,
        }
    }

    /// What is published is marked as seen, so that `instance_changed` waits for what came after it.
    fn publish_state(&mut self) {
        self.publish.send_replace(State {
            desired: self.desired,
            version: self.spec.version.clone(),
            instances: self.instances.iter_mut().map(|instance| instance.view.borrow_and_update().clone()).collect(),
            failure: self.failure.clone(),
            failures: self.backoff.failures,
            generation: self.generation,
        });
    }

    /// Waits until any instance says something new of itself.
    fn instance_changed(&self) -> impl Future<Output = ()> + use<> {
        let mut changes: FuturesUnordered<_> = self
            .instances
            .iter()
            .map(|instance| {
                let mut view = instance.view.clone();
                async move {
                    // An instance whose task has ended is told of by its end.
                    if view.changed().await.is_err() {
                        std::future::pending::<()>().await;
                    }
                }
            })
            .collect();
        async move {
            if changes.next().await.is_none() {
                std::future::pending::<()>().await;
            }
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "`Iterator::filter` hands out references to references")]
fn staying(instance: &&Handle) -> bool {
    !instance.drain.is_cancelled()
}

fn drain(instance: &Handle) {
    instance.drain.cancel();
}

/// An id in the shape of EC2's.
fn random_id() -> String {
    let mut bytes = [0_u8; 4];
    // Without the kernel's randomness, the clock's: an id need be unique, not secret.
    if File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).is_err() {
        let now = jiff::Timestamp::now().as_nanosecond().to_le_bytes();
        bytes.copy_from_slice(&now[..4]);
    }
    format!("i-{:08x}", u32::from_le_bytes(bytes))
}

/// Pauses between attempts to start what does not stay up: longer each time, forgotten once something did.
#[derive(Debug, Default)]
struct Backoff {
    failures: u32,
    until: Option<Instant>,
}

impl Backoff {
    fn failed(&mut self, ran: Duration) {
        if ran >= SHORT_RUN {
            // It ran for a while: start again at once.
            *self = Self::default();
            return;
        }
        self.failures += 1;
        if self.failures > 1 {
            let pause = SHORTEST_BACKOFF.saturating_mul(1 << (self.failures - 2).min(10)).min(LONGEST_BACKOFF);
            self.until = Some(Instant::now() + pause);
        }
    }

    fn may_start(&mut self) -> bool {
        if self.until.is_some_and(|until| Instant::now() < until) {
            return false;
        }
        self.until = None;
        true
    }

    fn until(&self) -> Option<Instant> {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_is_tried_again_at_once_and_later_ones_ever_later() {
        let mut backoff = Backoff::default();
        backoff.failed(Duration::ZERO);
        assert!(backoff.may_start());
        let mut last = Duration::ZERO;
        for _ in 0..12 {
            backoff.failed(Duration::ZERO);
            let pause = backoff.until().unwrap() - Instant::now();
            assert!(pause >= last && pause <= LONGEST_BACKOFF);
            assert!(!backoff.may_start());
            last = pause.min(LONGEST_BACKOFF.checked_sub(Duration::from_secs(1)).unwrap());
        }
        backoff.failed(SHORT_RUN);
        assert!(backoff.may_start());
    }

    #[test]
    fn ids_differ() {
        assert_ne!(random_id(), random_id());
        assert_eq!(random_id().len(), "i-0a1b2c3d".len());
    }
}
