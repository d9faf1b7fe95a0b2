//! Chooses the instance that gets the next request: the one with the fewest outstanding.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::watch;

use crate::local::group::{Instance, Phase, State, UnderWay};

/// An instance that refused a connection is passed over for this long, unless there is no other.
const SHUNNED: Duration = Duration::from_secs(1);

/// The instances of a group, as a balancer sees them.
#[derive(Clone)]
pub struct Targets {
    group: watch::Receiver<State>,
    /// Where the last choice fell, so that equals take turns.
    turn: Arc<AtomicUsize>,
    refused: Arc<Mutex<BTreeMap<u16, Instant>>>,
}

/// An instance that was chosen. It counts as busy until this is dropped.
pub struct Target {
    /// Port on loopback.
    pub port: u16,
    /// Counts the request.
    pub under_way: UnderWay,
}

impl Targets {
    /// Follows a group.
    pub fn new(group: watch::Receiver<State>) -> Self {
        Self { group, turn: Arc::default(), refused: Arc::default() }
    }

    /// Chooses an instance that serves and is not among those already tried. None where there is no such instance.
    pub fn choose(&self, tried: &[u16]) -> Option<Target> {
        let state = self.group.borrow();
        let refused = self.recently_refused();
        let serving: Vec<&Instance> = state
            .instances
            .iter()
            .filter(|instance| instance.phase == Phase::InService && !tried.contains(&instance.port))
            .collect();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let chosen = (0..serving.len())
            .map(|index| serving[(index.wrapping_add(turn)) % serving.len()])
            .min_by_key(|instance| (refused.contains(&instance.port), instance.outstanding.get()))?;
        Some(Target { port: chosen.port, under_way: chosen.outstanding.begin() })
    }

    /// Remembers that an instance did not take a connection.
    pub fn refused(&self, port: u16) {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).insert(port, Instant::now());
    }

    fn recently_refused(&self) -> Vec<u16> {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.retain(|_, since| since.elapsed() < SHUNNED);
        refused.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::group::Outstanding;

    fn instance(port: u16, phase: Phase) -> Instance {
        Instance {
            id: format!("i-{port}"),
            pid: 0,
            port,
            phase,
            reason: None,
            market: "spot",
            zone: "local-a",
            since: jiff::Timestamp::UNIX_EPOCH,
            outstanding: Outstanding::default(),
            generation: 0,
        }
    }

    fn targets(instances: Vec<Instance>) -> Targets {
        Targets::new(watch::channel(State { instances, ..State::default() }).1)
    }

    #[test]
    fn the_least_busy_instance_that_serves_is_chosen_and_equals_take_turns() {
        let busy = instance(1, Phase::InService);
        let _request = busy.outstanding.begin();
        let targets = targets(vec![
            busy,
            instance(2, Phase::InService),
            instance(3, Phase::InService),
            instance(4, Phase::Starting),
            instance(5, Phase::Draining),
            instance(6, Phase::Unhealthy),
        ]);
        let mut chosen: Vec<u16> = (0..8).map(|_| targets.choose(&[]).unwrap().port).collect();
        chosen.sort_unstable();
        chosen.dedup();
        assert_eq!(chosen, [2, 3]);
    }

    #[test]
    fn one_that_refused_is_the_last_resort_and_one_that_was_tried_is_none() {
        let targets = targets(vec![instance(1, Phase::InService), instance(2, Phase::InService)]);
        targets.refused(1);
        assert!((0..4).all(|_| targets.choose(&[]).unwrap().port == 2));
        assert_eq!(targets.choose(&[2]).unwrap().port, 1);
        assert!(targets.choose(&[1, 2]).is_none());
    }

    #[test]
    fn a_request_counts_until_it_is_over() {
        let one = instance(1, Phase::InService);
        let outstanding = one.outstanding.clone();
        let target = targets(vec![one]).choose(&[]).unwrap();
        assert_eq!(outstanding.get(), 1);
        drop(target);
        assert_eq!(outstanding.get(), 0);
    }
}
