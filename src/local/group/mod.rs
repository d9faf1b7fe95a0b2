//! One group: worker processes kept at the wanted count.
//!
//! [`instance`] owns one process from start to end; [`supervisor`] decides how many there are and which; [`health`] asks
//! an instance how it is. The balancer reads the state that is published here, and counts its requests in it.

mod health;
mod instance;
mod supervisor;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::{mpsc, oneshot, watch};

pub use instance::Phase;

/// What a group's processes are.
#[derive(Clone, PartialEq)]
pub struct Spec {
    /// Name of the group.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// SHA-256 of the program.
    pub version: String,
    /// Everything that a process is told, but for its own address and id.
    pub environment: BTreeMap<String, String>,
    /// How many of the instances are on demand; the rest is told to be spot.
    pub on_demand: u32,
    /// How long a process that is going away may finish requests that the balancer sent it.
    pub deregistration: Duration,
    /// How long it may then finish what it has begun.
    pub drain: Duration,
    /// Directory of the instances' logs.
    pub logs: PathBuf,
    /// Directory in which running processes are remembered.
    pub remembered: PathBuf,
}

/// A group as it is now.
#[derive(Clone, Default)]
pub struct State {
    /// Instances that are wanted.
    pub desired: u32,
    /// SHA-256 of the program that is wanted.
    pub version: String,
    /// The instances, oldest first.
    pub instances: Vec<Instance>,
    /// Why the last instance that ended by itself did so, while its group is not yet what is wanted.
    pub failure: Option<String>,
    /// How many in a row could not start.
    pub(in crate::local) failures: u32,
    /// Which of the specifications that were given it is about, counted from 0.
    pub(in crate::local) generation: u64,
}

impl State {
    /// Returns the instances that are to be counted on: those that are not going away.
    pub fn staying(&self) -> impl Iterator<Item = &Instance> {
        self.instances.iter().filter(|instance| !matches!(instance.phase, Phase::Draining))
    }

    /// Returns how many instances serve.
    pub fn healthy(&self) -> u32 {
        count(self.staying().filter(|instance| instance.phase == Phase::InService))
    }

    /// Returns how many instances run and stay.
    pub fn running(&self) -> u32 {
        count(self.staying())
    }
}

fn count<'a>(instances: impl Iterator<Item = &'a Instance>) -> u32 {
    u32::try_from(instances.count()).unwrap_or(u32::MAX)
}

/// One instance as it is now.
#[derive(Clone)]
pub struct Instance {
    /// Its id.
    pub id: String,
    /// Process id.
    pub pid: u32,
    /// Port on loopback that it listens on.
    pub port: u16,
    /// How far it is.
    pub phase: Phase,
    /// What it lacks, where it does not serve.
    pub reason: Option<String>,
    /// `on-demand` or `spot`.
    pub market: &'static str,
    /// Zone.
    pub zone: &'static str,
    /// When it was started.
    pub since: jiff::Timestamp,
    /// Requests that the balancer has sent and that are not answered yet.
    pub outstanding: Outstanding,
    /// Which of the group's specifications it was started from.
    pub(in crate::local) generation: u64,
}

/// Counts what is under way at one instance.
#[derive(Clone, Default)]
pub struct Outstanding(Arc<AtomicUsize>);

impl Outstanding {
    /// Returns how many there are.
    pub fn get(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }

    /// Counts one more, until the guard is dropped.
    pub fn begin(&self) -> UnderWay {
        self.0.fetch_add(1, Ordering::AcqRel);
        UnderWay(self.clone())
    }
}

/// One request or connection that is under way.
pub struct UnderWay(Outstanding);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A group that runs.
#[derive(Clone)]
pub struct Group {
    orders: mpsc::UnboundedSender<Order>,
    state: watch::Receiver<State>,
    /// Counts the specifications that were given.
    generation: Arc<AtomicU64>,
}

/// So many instances in a row that cannot start are taken for a specification that cannot.
const HOPELESS: u32 = 5;

enum Order {
    Run(Box<Spec>, u64),
    Want(u32),
    Stop(oneshot::Sender<()>),
}

/// The processes of a group did not become healthy.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct NotHealthy(pub String);

impl Group {
    /// Starts a group with that many instances.
    pub fn start(spec: Spec, desired: u32) -> Self {
        let (orders, received) = mpsc::unbounded_channel();
        let (publish, state) = watch::channel(State { desired, version: spec.version.clone(), ..State::default() });
        tokio::spawn(supervisor::run(spec, desired, received, publish));
        Self { orders, state, generation: Arc::default() }
    }

    /// Returns the group's state, and follows it.
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Replaces every instance by one of another specification, new ones first.
    pub fn run(&self, spec: Spec) {
        let generation = self.generation.fetch_add(1, Ordering::AcqRel) + 1;
        self.order(Order::Run(Box::new(spec), generation));
    }

    /// Sets how many instances are wanted.
    pub fn want(&self, desired: u32) {
        self.order(Order::Want(desired));
    }

    /// Drains every instance and ends. It returns when the last process is gone.
    pub async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        self.order(Order::Stop(done));
        // The sender is dropped without a word only when the group has ended, which is what is waited for.
        let _ended = stopped.await;
    }

    /// Waits until all that are wanted serve, as the last specification says, and none of an older one is left. It gives
    /// up when that cannot be: after the deadline, or when one instance after the other fails to start.
    pub async fn settled(&self, deadline: Duration) -> Result<(), NotHealthy> {
        let wanted = self.generation.load(Ordering::Acquire);
        let mut state = self.state.clone();
        let settled = state.wait_for(|state| {
            let current = state.generation == wanted;
            let serving = state.healthy() >= state.desired
                && state
                    .instances
                    .iter()
                    .all(|instance| instance.phase == Phase::InService && instance.generation == wanted);
            current && (serving || state.failures >= HOPELESS)
        });
        match tokio::time::timeout(deadline, settled).await {
            Ok(Ok(state)) if state.failures < HOPELESS => Ok(()),
            Ok(Err(_)) => Err(NotHealthy("the group was stopped".to_owned())),
            Ok(Ok(state)) => Err(why(&state, "its instances do not start")),
            Err(_) => Err(why(&self.state.borrow(), &format!("not healthy after {} s", deadline.as_secs()))),
        }
    }

    /// A group that has ended takes no orders, and needs none.
    fn order(&self, order: Order) {
        drop(self.orders.send(order));
    }
}

fn why(state: &State, what: &str) -> NotHealthy {
    let waiting = state.instances.iter().find_map(|instance| instance.reason.clone());
    let reason = state.failure.clone().or(waiting).unwrap_or_else(|| "no instance says why".to_owned());
    NotHealthy(format!("{what}: {reason}"))
}
