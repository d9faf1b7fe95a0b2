//! Readiness of our own: CloudFormation says that resources are made, not that the site serves.

use std::time::Duration;

use tokio::time::Instant;

use super::{Error, Session, live, pace::Pace, stack::Stack};
use crate::{
    reporter::{Reporter, ReporterExt as _},
    status::{Detail, Health, Part},
};

/// Longest that instances and database may take once the stack is made.
const PATIENCE: Duration = Duration::from_mins(15);

/// The site did not become ready.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// It took too long.
    #[error("not ready after {} minutes: {}", PATIENCE.as_secs() / 60, .0.join("; "))]
    TimedOut(Vec<String>),
    /// AWS could not be asked.
    #[error(transparent)]
    Aws(#[from] Error),
}

/// Waits until instances are in service, the balancer finds them healthy, and the database is available.
pub async fn wait(session: &Session, stack: &Stack, reporter: &dyn Reporter) -> Result<(), NotReady> {
    let deadline = Instant::now() + PATIENCE;
    let mut pace = Pace::new();
    loop {
        match live::report(session, stack).await {
            Ok(report) => {
                pace.answered();
                let missing: Vec<&Part> = report.parts.iter().filter(|part| !serves(part)).collect();
                tell(&report.parts, reporter);
                if missing.is_empty() {
                    return Ok(());
                }
                if Instant::now() >= deadline {
                    return Err(NotReady::TimedOut(missing.into_iter().map(words).collect()));
                }
            }
            Err(error) if error.may_pass() && Instant::now() < deadline => pace.throttled(),
            Err(error) => return Err(error.into()),
        }
        pace.wait().await;
    }
}

/// What the site needs to serve. Dead letters of yesterday are no reason to wait, nor is what may not be looked at.
fn serves(part: &Part) -> bool {
    match part.detail {
        Detail::Balancer { .. } | Detail::Group(_) | Detail::Catalog { .. } => {
            part.health == Health::Ok || part.health == Health::Unknown && !part.look_again
        }
        Detail::Queue { .. } | Detail::Topic { .. } | Detail::Bucket {} => true,
    }
}

fn tell(parts: &[Part], reporter: &dyn Reporter) {
    for part in parts {
        let name = format!("{}/{}", part.detail.kind(), part.name);
        let reason = part.reason.clone().unwrap_or_default();
        match &part.detail {
            Detail::Group(group) if serves(part) => {
                reporter.done(&name, format!("{} of {} instances in service", group.healthy, group.desired));
            }
            Detail::Group(group) => {
                reporter
                    .working(&name, format!("{} of {} instances in service {reason}", group.healthy, group.desired));
            }
            Detail::Balancer { targets, healthy, .. } if serves(part) => {
                reporter.done(&name, format!("{healthy} of {targets} targets healthy"));
            }
            Detail::Balancer { targets, healthy, .. } => {
                reporter.working(&name, format!("{healthy} of {targets} targets healthy"));
            }
            Detail::Catalog { .. } if serves(part) => reporter.done(&name, "available"),
            Detail::Catalog { .. } => reporter.working(&name, reason),
            _ => {}
        }
    }
}

fn words(part: &Part) -> String {
    let reason = part.reason.as_deref().unwrap_or(part.health.name());
    format!("{}/{} ({reason})", part.detail.kind(), part.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_not_be_looked_at_is_not_awaited_and_what_was_not_seen_for_once_is() {
        let part = |health, look_again| {
            let detail = Detail::Catalog { engine: "postgres".to_owned() };
            Part { detail, name: "images".to_owned(), health, reason: None, look_again }
        };
        assert!(serves(&part(Health::Ok, false)));
        assert!(serves(&part(Health::Unknown, false)));
        assert!(!serves(&part(Health::Unknown, true)));
        assert!(!serves(&part(Health::Down, false)));
    }
}
