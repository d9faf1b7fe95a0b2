//! How fast to poll: fast at first, slower with time, much slower when AWS asks for it, and never in step with others.

use std::time::Duration;

/// The pause before the second look at something that may be quick.
const FIRST: Duration = Duration::from_millis(400);
/// The pause that looks settle at.
const SETTLED: Duration = Duration::from_secs(3);
/// The longest pause, under throttling.
const LONGEST: Duration = Duration::from_secs(30);
/// Pauses grow by a tenth.
const GROWTH: f64 = 1.1;
/// They vary by a fifth to either side, so that pipelines that were started together do not poll together.
const JITTER: f64 = 0.2;

/// The pauses of one operation's only poller.
#[derive(Debug)]
pub(super) struct Pace {
    pause: Duration,
    throttled: u32,
}

impl Pace {
    pub(super) const fn new() -> Self {
        Self { pause: FIRST, throttled: 0 }
    }

    /// A look was answered.
    pub(super) const fn answered(&mut self) {
        self.throttled = self.throttled.saturating_sub(1);
    }

    /// A look was throttled, or got no answer.
    pub(super) const fn throttled(&mut self) {
        self.throttled = self.throttled.saturating_add(2);
    }

    /// Something happened: more may follow soon.
    pub(super) fn stirred(&mut self) {
        self.pause = self.pause.min(SETTLED / 2);
    }

    /// Returns the pause before the next look, and makes the one after it longer. `chance` is from 0 to 1.
    pub(super) fn next(&mut self, chance: f64) -> Duration {
        let pause = self.pause * 2_u32.saturating_pow(self.throttled.min(5));
        self.pause = self.pause.mul_f64(GROWTH).min(SETTLED);
        pause.min(LONGEST).mul_f64(JITTER.mul_add(2.0 * chance.clamp(0.0, 1.0) - 1.0, 1.0))
    }

    /// Waits for the next look.
    pub(super) async fn wait(&mut self) {
        let pause = self.next(fastrand::f64());
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_fast_at_first_and_settle() {
        let mut pace = Pace::new();
        assert_eq!(pace.next(0.5), FIRST);
        let settled = (0..50).map(|_| pace.next(0.5)).last().unwrap();
        assert_eq!(settled, SETTLED);
        pace.stirred();
        assert!(pace.next(0.5) < SETTLED);
    }

    #[test]
    fn throttling_slows_looks_down_and_answers_speed_them_up_again() {
        let mut pace = Pace::new();
        for _ in 0..10 {
            pace.throttled();
        }
        assert_eq!((0..50).map(|_| pace.next(0.5)).last(), Some(LONGEST));
        for _ in 0..20 {
            pace.answered();
        }
        assert_eq!(pace.next(0.5), SETTLED);
    }

    #[test]
    fn pauses_vary_by_a_fifth() {
        let (mut low, mut high) = (Pace::new(), Pace::new());
        assert_eq!(low.next(0.0), FIRST.mul_f64(0.8));
        assert_eq!(high.next(1.0), FIRST.mul_f64(1.2));
    }
}
