//! Whether the queue answers: what was last asked of it says so, and nobody need ask it for that alone.

use std::sync::{Mutex, PoisonError};

use crate::queue::QueueError;

/// What went wrong last, until something goes well.
#[derive(Default)]
pub(crate) struct Faults(Mutex<Option<String>>);

impl Faults {
    /// Notes how a request to the queue or the topic ended.
    pub(crate) fn note<T>(&self, ended: Result<T, QueueError>) -> Result<T, QueueError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = ended.as_ref().err().map(ToString::to_string);
        ended
    }

    /// Returns what is wrong, if anything.
    pub(crate) fn last(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
