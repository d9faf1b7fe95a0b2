//! How many messages a worker holds: those that it works on, and those ahead of its work, which other workers could have.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::compute::cores;

/// Where photos take little time, so many are held for each core: half of them are worked on, and receiving fetches several
/// at once.
const MOST: usize = 4;
/// More than one beside those that are computed are held only as far as they are done within such a time. Else workers that have
/// just started stand idle while one holds all that there is.
const SOON: Duration = Duration::from_secs(1);

/// How long a photo takes, of late; nothing is known at first.
#[derive(Default)]
pub(super) struct Ahead(Mutex<Option<Duration>>);

impl Ahead {
    /// Most messages that are ever held.
    pub(super) fn most() -> usize {
        cores() * MOST
    }

    /// Notes how long the work on a photo took.
    pub(super) fn note(&self, took: Duration) {
        let mut average = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *average = Some(average.map_or(took, |average| (average * 3 + took) / 4));
    }

    /// Returns how many messages may be held at present.
    pub(super) fn may_be_held(&self) -> usize {
        held(cores(), *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn held(cores: usize, took: Option<Duration>) -> usize {
    let soon = took.map_or(0, |took| SOON.as_millis() / took.as_millis().max(1));
    let soon = usize::try_from(soon).unwrap_or(usize::MAX).saturating_mul(cores);
    soon.clamp(cores + 1, cores * MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_a_photo_takes_the_fewer_are_held() {
        let of = |milliseconds| held(2, Some(Duration::from_millis(milliseconds)));
        assert_eq!(held(2, None), 3);
        assert_eq!([0, 10, 250, 300, 500, 5_000].map(of), [8, 8, 8, 6, 4, 3]);
        assert_eq!((held(1, None), held(64, None)), (2, 65));
    }

    #[test]
    fn what_took_long_lately_counts() {
        let ahead = Ahead::default();
        ahead.note(Duration::from_millis(10));
        assert_eq!(ahead.may_be_held(), Ahead::most());
        for _ in 0..20 {
            ahead.note(Duration::from_secs(5));
        }
        assert_eq!(ahead.may_be_held(), cores() + 1);
    }
}
