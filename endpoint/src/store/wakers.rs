//! Who waits for messages of which queue.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;

/// The row id of a queue.
pub(crate) type QueueId = i64;

/// One notification a queue, made when somebody first waits for it.
#[derive(Default)]
pub(crate) struct Wakers {
    queues: Mutex<HashMap<QueueId, Arc<Notify>>>,
}

impl Wakers {
    /// The notification of `queue`. Register with it before looking for messages, or a message that comes between is missed.
    pub(crate) fn of(&self, queue: QueueId) -> Arc<Notify> {
        Arc::clone(self.queues.lock().unwrap_or_else(PoisonError::into_inner).entry(queue).or_default())
    }

    /// Wakes all who wait for `queue`: messages may have become visible, or the queue may be gone.
    pub(crate) fn wake(&self, queue: QueueId) {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(notify) = queues.get(&queue) {
            notify.notify_waiters();
            if Arc::strong_count(notify) == 1 {
                queues.remove(&queue);
            }
        }
    }
}
