//! Memory for what is held of uploads, so that very many at once take no more than a small machine has.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Of an upload so much is held: most headers are far shorter, and many photos that are made for the web too.
pub(super) const HELD: usize = 1 << 20;
/// Where so many uploads are held already, of each further one so much is. Most headers are shorter than that too.
const MOST_HELD: usize = 64;
const LITTLE: usize = 1 << 16;

/// Places for uploads that are held.
#[derive(Clone)]
pub(super) struct Room(Arc<Semaphore>);

/// One of them.
pub(super) type Place = OwnedSemaphorePermit;

impl Room {
    pub(super) fn new(places: usize) -> Self {
        Self(Arc::new(Semaphore::new(places)))
    }

    /// Takes a place, where there is one, and says how much of an upload may be held.
    pub(super) fn take(&self) -> (Option<Place>, usize) {
        let place = Arc::clone(&self.0).try_acquire_owned().ok();
        let held = if place.is_some() { HELD } else { LITTLE };
        (place, held)
    }
}

impl Default for Room {
    fn default() -> Self {
        Self::new(MOST_HELD)
    }
}
