//! The queue loop: receives in batches, works on as many photos as there are cores, and deletes a message only when its
//! result is stored.
//!
//! A message that fails for a reason that may pass is hidden for a moment and comes back; the queue itself moves one that
//! fails too often to the dead letters.

use std::{sync::Arc, time::Duration};

use decouple_contract::Task;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    jobs::JobError,
    queue::{Inbox, Received},
    site::Site,
};

/// After an error of the queue itself, it is asked again this much later.
const PAUSE: Duration = Duration::from_secs(1);
/// A message whose work failed for a reason that may pass comes back this much later.
const RETRY: Duration = Duration::from_secs(2);

/// Receives and works until it is told to stop; then finishes what it has begun and gives back what it has not.
pub(crate) async fn run(inbox: Inbox, site: Arc<Site>, shutdown: CancellationToken) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let consumer = Arc::new(Consumer { inbox, site, working: Arc::new(Semaphore::new(cores)), shutdown });
    // Twice as many are held as are worked on, so that a photo is there when a core becomes free.
    let held = Arc::new(Semaphore::new(cores * 2));
    let messages = TaskTracker::new();
    loop {
        let received = tokio::select! {
            () = consumer.shutdown.cancelled() => break,
            received = consumer.receive(&held) => received,
        };
        for (message, place) in received {
            let consumer = Arc::clone(&consumer);
            messages.spawn(async move {
                consumer.handle(&message).await;
                drop(place);
            });
        }
    }
    messages.close();
    messages.wait().await;
}

struct Consumer {
    inbox: Inbox,
    site: Arc<Site>,
    working: Arc<Semaphore>,
    shutdown: CancellationToken,
}

impl Consumer {
    /// Waits for room, then for messages to fill it.
    async fn receive(&self, held: &Arc<Semaphore>) -> Vec<(Received, OwnedSemaphorePermit)> {
        let Ok(first) = Arc::clone(held).acquire_owned().await else { return Vec::new() };
        let mut places = vec![first];
        while let Ok(place) = Arc::clone(held).try_acquire_owned() {
            places.push(place);
        }
        match self.inbox.receive(places.len()).await {
            Ok(messages) => messages.into_iter().zip(places).collect(),
            Err(error) => {
                tracing::warn!(%error, "tasks could not be received");
                tokio::time::sleep(PAUSE).await;
                Vec::new()
            }
        }
    }

    /// Works on a message while it is kept hidden from others.
    async fn handle(&self, message: &Received) {
        tokio::select! {
            () = self.keep(message) => {}
            () = self.work(message) => {}
        }
    }

    /// Extends the time for which the message is hidden, for as long as it is worked on.
    async fn keep(&self, message: &Received) {
        let visibility = self.site.config.visibility;
        loop {
            tokio::time::sleep(visibility / 2).await;
            if let Err(error) = self.inbox.hide(message, visibility).await {
                tracing::warn!(%error, "a task could not be kept; another worker may take it too");
            }
        }
    }

    async fn work(&self, message: &Received) {
        let permit = tokio::select! {
            biased;
            () = self.shutdown.cancelled() => None,
            permit = self.working.acquire() => permit.ok(),
        };
        let Some(_permit) = permit else { return self.give_back(message, Duration::ZERO).await };
        let task = match Task::from_json(&message.body) {
            Ok(task) => task,
            Err(error) => {
                // Another version may understand it, so it is left to the queue's own limit.
                tracing::error!(%error, "a message is not a task");
                return self.give_back(message, RETRY).await;
            }
        };
        let limit = self.site.config.job_timeout;
        let done = match tokio::time::timeout(limit, self.site.jobs.work(&task.image)).await {
            Ok(done) => done,
            Err(_) => Err(JobError::TimedOut(limit)),
        };
        match done {
            Ok(()) => {
                if let Err(error) = self.inbox.delete(message).await {
                    tracing::warn!(image = task.image, %error, "a task that is done will be found done once more");
                }
            }
            Err(error) => {
                tracing::warn!(image = task.image, %error, "a task failed and will be tried again");
                self.give_back(message, RETRY).await;
            }
        }
    }

    /// Without this the message would come back by itself, only later.
    async fn give_back(&self, message: &Received, after: Duration) {
        if let Err(error) = self.inbox.hide(message, after).await {
            tracing::debug!(%error, "a task could not be given back early");
        }
    }
}
