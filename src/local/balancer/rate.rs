//! How much came in during the last minute.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// Counts per second for a minute.
const SECONDS: usize = 60;

/// A count of the last minute.
#[derive(Debug)]
pub struct Rate {
    start: Instant,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    /// The second that was counted last, since the start.
    now: usize,
    per_second: [u64; SECONDS],
}

impl Default for Rate {
    fn default() -> Self {
        Self { start: Instant::now(), counts: Mutex::new(Counts { now: 0, per_second: [0; SECONDS] }) }
    }
}

impl Rate {
    /// Counts one.
    pub fn count(&self) {
        self.with(|counts| counts.per_second[counts.now % SECONDS] += 1);
    }

    /// Returns the sum of the last minute.
    pub fn last_minute(&self) -> u64 {
        self.with(|counts| counts.per_second.iter().sum())
    }

    fn with<T>(&self, f: impl FnOnce(&mut Counts) -> T) -> T {
        // Numbers stay numbers, whatever became of the thread that held the lock.
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.advance(usize::try_from(self.start.elapsed().as_secs()).unwrap_or(usize::MAX));
        f(&mut counts)
    }
}

impl Counts {
    /// Forgets the seconds that lie a minute back.
    fn advance(&mut self, now: usize) {
        for second in (self.now + 1)..=now.min(self.now + SECONDS) {
            self.per_second[second % SECONDS] = 0;
        }
        self.now = now.max(self.now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_a_minute_back_is_forgotten() {
        let mut counts = Counts { now: 0, per_second: [0; 60] };
        counts.per_second[0] = 5;
        counts.advance(10);
        counts.per_second[10] = 7;
        counts.advance(59);
        assert_eq!(counts.per_second.iter().sum::<u64>(), 12);
        counts.advance(60);
        assert_eq!(counts.per_second.iter().sum::<u64>(), 7);
        counts.advance(1_000);
        assert_eq!(counts.per_second.iter().sum::<u64>(), 0);
    }
}
