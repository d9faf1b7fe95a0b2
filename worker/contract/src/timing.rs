//! Times that what runs a worker and the worker itself must agree on: of two that wait for each other, one has to give up first.
//!
//! All in seconds.

use crate::Role;

/// A balancer waits no shorter for a byte, whatever is asked for.
const SHORTEST_IDLE: u64 = 60;
/// The longest that an Application Load Balancer of AWS waits.
const LONGEST_IDLE: u64 = 4_000;
/// Beyond the job that an uploader waits for: what comes before it and after it.
const BESIDE_JOB: u64 = 30;
/// By how much a worker keeps a connection longer than a balancer does.
const MARGIN: u64 = 15;

/// For so long a group waits for a terminating instance, and again for so long whenever its worker records a heartbeat.
pub const TERMINATION_HOOK: u64 = 300;

/// Returns how long a request may take that waits for its job, or none where no request does.
pub const fn request_with_job(role: Role, job_timeout: u64) -> Option<u64> {
    if role.is_waited_for() { Some(job_timeout.saturating_add(BESIDE_JOB)) } else { None }
}

/// Returns for how long nothing need come on a connection before a balancer closes it. In an answer that waits for a job, nothing
/// comes while the job takes.
pub fn balancer_idle(role: Role, job_timeout: u64) -> u64 {
    request_with_job(role, job_timeout).unwrap_or_default().clamp(SHORTEST_IDLE, LONGEST_IDLE)
}

/// Returns for how long a worker keeps an idle connection. It must not be the first to close one: a balancer sends a request into what it
/// believes to be open, and may not send it again.
pub fn worker_idle(role: Role, job_timeout: u64) -> u64 {
    balancer_idle(role, job_timeout) + MARGIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_balancer_waits_for_the_job_and_is_the_first_to_close_a_connection() {
        for role in Role::ALL {
            for job in [0, 1, 30, 60, 600, 21_600, u64::MAX] {
                let idle = balancer_idle(role, job);
                assert!((60..=4_000).contains(&idle), "{role}, {job} s: {idle}");
                assert!(worker_idle(role, job) > idle, "{role}, {job} s");
                assert!(!role.is_waited_for() || idle > job || idle == 4_000, "{role}, {job} s: {idle}");
            }
        }
        assert_eq!((balancer_idle(Role::Web, 600), worker_idle(Role::Web, 600)), (60, 75));
        assert_eq!((balancer_idle(Role::All, 60), worker_idle(Role::All, 60)), (90, 105));
    }
}
