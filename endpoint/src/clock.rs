//! The time, passed in: behaviour never reads a clock of its own, so that tests can move it.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// Milliseconds since the Unix epoch.
pub(crate) type Millis = i64;

/// Milliseconds in a second, as attributes are given in seconds and rows keep milliseconds.
pub(crate) const SECOND: Millis = 1000;

/// Tells the time.
pub(crate) trait Clock: Send + Sync + 'static {
    fn now(&self) -> Millis;
}

/// A clock that several services read.
pub(crate) type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Millis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
    }
}

/// `2026-11-23T12:00:00.000Z`, as SNS writes it.
pub(crate) fn iso8601(at: Millis) -> String {
    jiff::Timestamp::from_millisecond(at).unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

#[cfg(test)]
mod tests {
    #[test]
    fn timestamps_have_milliseconds() {
        assert_eq!(super::iso8601(1_732_000_000_007), "2024-11-19T07:06:40.007Z");
    }
}
