//! How many instances a group should have: pure arithmetic, the clock passed in.
//!
//! Out at once, in only after there has been less to do for a while: a worker that is stopped too early costs more than
//! one that idles.

use std::time::{Duration, Instant};

use crate::topology::Scaling;

/// What a group has to do at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// Tasks in the group's queue, those in work included: work that was begun needs its worker.
    Backlog(u64),
    /// Requests in the last minute.
    Requests(u64),
}

/// Returns how many instances a load asks for, limits aside.
pub fn wanted(scaling: &Scaling, load: Load) -> u64 {
    match (scaling, load) {
        (Scaling::Requests { per_target, .. }, Load::Requests(requests)) => {
            requests.div_ceil(u64::from((*per_target).max(1)))
        }
        (Scaling::Backlog { target_latency_seconds, time_per_message_seconds, .. }, Load::Backlog(backlog)) => {
            let per_instance = (target_latency_seconds / (*time_per_message_seconds).max(1)).max(1);
            backlog.div_ceil(per_instance)
        }
        // A load of the other kind says nothing.
        (Scaling::Requests { .. }, Load::Backlog(_)) | (Scaling::Backlog { .. }, Load::Requests(_)) => 0,
    }
}

/// Follows one group's load over time.
#[derive(Debug, Default)]
pub struct Autoscaler {
    /// Since when there has been less to do than there are instances for, and the most that was wanted since.
    less: Option<(Instant, u32)>,
}

/// Fewest and most instances.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Fewest.
    pub min: u32,
    /// Most.
    pub max: u32,
}

impl Autoscaler {
    /// Returns how many instances there should be now.
    pub fn desired(&mut self, current: u32, limits: Limits, scaling: &Scaling, load: Load, now: Instant) -> u32 {
        let wanted = u32::try_from(wanted(scaling, load)).unwrap_or(u32::MAX).clamp(limits.min, limits.max);
        if wanted >= current {
            self.less = None;
            return wanted;
        }
        if current > limits.max {
            return limits.max;
        }
        let (since, most) = self.less.get_or_insert((now, wanted));
        *most = (*most).max(wanted);
        if now.duration_since(*since) < scale_in_after(scaling) {
            return current;
        }
        let settled = *most;
        self.less = None;
        settled
    }
}

fn scale_in_after(scaling: &Scaling) -> Duration {
    match scaling {
        Scaling::Requests { scale_in_after_seconds, .. } | Scaling::Backlog { scale_in_after_seconds, .. } => {
            Duration::from_secs(*scale_in_after_seconds)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKLOG: Scaling =
        Scaling::Backlog { target_latency_seconds: 30, time_per_message_seconds: 2, scale_in_after_seconds: 60 };
    const LIMITS: Limits = Limits { min: 0, max: 4 };

    #[test]
    fn backlog_is_shared_by_what_one_instance_can_do_in_time() {
        assert_eq!(wanted(&BACKLOG, Load::Backlog(0)), 0);
        assert_eq!(wanted(&BACKLOG, Load::Backlog(1)), 1);
        assert_eq!(wanted(&BACKLOG, Load::Backlog(15)), 1);
        assert_eq!(wanted(&BACKLOG, Load::Backlog(16)), 2);
        let slow =
            Scaling::Backlog { target_latency_seconds: 1, time_per_message_seconds: 9, scale_in_after_seconds: 0 };
        assert_eq!(wanted(&slow, Load::Backlog(3)), 3);
    }

    #[test]
    fn requests_are_shared_by_target() {
        let scaling = Scaling::Requests { per_target: 600, scale_in_after_seconds: 60 };
        assert_eq!(wanted(&scaling, Load::Requests(601)), 2);
        assert_eq!(wanted(&scaling, Load::Requests(0)), 0);
    }

    #[test]
    fn one_task_wakes_a_group_of_none() {
        let now = Instant::now();
        assert_eq!(Autoscaler::default().desired(0, LIMITS, &BACKLOG, Load::Backlog(1), now), 1);
    }

    #[test]
    fn out_at_once_and_never_above_the_most() {
        let now = Instant::now();
        assert_eq!(Autoscaler::default().desired(1, LIMITS, &BACKLOG, Load::Backlog(1_000), now), 4);
        assert_eq!(Autoscaler::default().desired(1, LIMITS, &BACKLOG, Load::Backlog(u64::MAX), now), 4);
    }

    #[test]
    fn in_only_after_a_while_and_not_below_the_most_of_that_while() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut scaler = Autoscaler::default();
        assert_eq!(scaler.desired(4, LIMITS, &BACKLOG, Load::Backlog(0), at(0)), 4);
        assert_eq!(scaler.desired(4, LIMITS, &BACKLOG, Load::Backlog(20), at(30)), 4);
        assert_eq!(scaler.desired(4, LIMITS, &BACKLOG, Load::Backlog(0), at(59)), 4);
        assert_eq!(scaler.desired(4, LIMITS, &BACKLOG, Load::Backlog(0), at(60)), 2);
        assert_eq!(scaler.desired(2, LIMITS, &BACKLOG, Load::Backlog(0), at(119)), 2);
    }

    #[test]
    fn a_burst_starts_the_wait_again() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut scaler = Autoscaler::default();
        assert_eq!(scaler.desired(2, LIMITS, &BACKLOG, Load::Backlog(0), at(0)), 2);
        assert_eq!(scaler.desired(2, LIMITS, &BACKLOG, Load::Backlog(30), at(50)), 2);
        assert_eq!(scaler.desired(2, LIMITS, &BACKLOG, Load::Backlog(0), at(61)), 2);
        assert_eq!(scaler.desired(2, LIMITS, &BACKLOG, Load::Backlog(0), at(121)), 0);
    }

    #[test]
    fn a_lowered_limit_counts_at_once() {
        let limits = Limits { min: 0, max: 1 };
        assert_eq!(Autoscaler::default().desired(4, limits, &BACKLOG, Load::Backlog(0), Instant::now()), 1);
    }
}
