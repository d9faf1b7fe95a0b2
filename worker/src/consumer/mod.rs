//! The queue loop: holds more messages than there are cores, so that the next photos are fetched and the last results
//! stored while others are computed, but no more than it comes to soon; and deletes a message only when its result is stored.
//!
//! While something is away that every photo needs, what was begun is tried again here, so that an outage does not use up the
//! few times that a message is handed out. A message that fails for another reason that may pass is hidden for a while,
//! longer each time, and comes back; the queue itself moves one that fails too often to the dead letters.

mod ahead;
mod done;

use std::{pin::pin, sync::Arc, time::Duration};

use decouple_contract::Task;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument as _;

use self::{ahead::Ahead, done::Done};
use crate::{
    jobs::{JobError, Turn},
    queue::{Inbox, Received},
    record::is_id,
    site::Site,
    trace::Trace,
};

/// After an error of the queue itself, it is asked again this much later.
const PAUSE: Duration = Duration::from_secs(1);
/// A message whose work failed for a reason that may pass comes back this much later, and twice as much each time.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_mins(2);
/// While a message is held for something that is away, this is asked for again no later than after such a time.
const LAST_PAUSE: Duration = Duration::from_secs(5);
/// When nothing more is to be received, an answer that is on its way is awaited for so long: what is in it would else be hidden
/// from everybody until its time is over.
const ON_ITS_WAY: Duration = Duration::from_millis(300);

/// Receives and works until it is told to stop; then finishes what it has begun and gives back what it has not.
pub(crate) async fn run(inbox: Inbox, site: Arc<Site>, draining: CancellationToken) {
    let inbox = Arc::new(inbox);
    let (done, deleting) = Done::start(Arc::clone(&inbox));
    let consumer = Arc::new(Consumer { inbox, site, ahead: Ahead::default(), done, draining });
    let held = Arc::new(Semaphore::new(Ahead::most()));
    let messages = TaskTracker::new();
    while !consumer.draining.is_cancelled() {
        let mut receive = pin!(consumer.receive(&held));
        let received = tokio::select! {
            received = &mut receive => received,
            () = consumer.draining.cancelled() => timeout(ON_ITS_WAY, receive).await.unwrap_or_default(),
        };
        for (message, place) in received {
            let consumer = Arc::clone(&consumer);
            messages.spawn(async move {
                consumer.handle(message).await;
                drop(place);
            });
        }
    }
    messages.close();
    messages.wait().await;
    drop(consumer);
    deleting.await;
}

struct Consumer {
    inbox: Arc<Inbox>,
    site: Arc<Site>,
    ahead: Ahead,
    done: Done,
    draining: CancellationToken,
}

impl Consumer {
    /// Waits for room for several, then for messages to fill it. Asking for each alone would be a request a photo.
    async fn receive(&self, held: &Arc<Semaphore>) -> Vec<(Received, OwnedSemaphorePermit)> {
        let may_be_held = self.ahead.may_be_held();
        // Places that are not to be filled at present. Nobody else takes any.
        let spare = Ahead::most().saturating_sub(may_be_held);
        let some = u32::try_from(spare + (may_be_held / 4).max(1)).unwrap_or(u32::MAX);
        let room = tokio::select! {
            () = self.draining.cancelled() => return Vec::new(),
            room = Arc::clone(held).acquire_many_owned(some) => room,
        };
        let Ok(mut room) = room else { return Vec::new() };
        while let Ok(place) = Arc::clone(held).try_acquire_owned() {
            room.merge(place);
        }
        match self.inbox.receive(room.num_permits() - spare).await {
            Ok(messages) => messages.into_iter().filter_map(|message| Some((message, room.split(1)?))).collect(),
            Err(error) => {
                self.site.metrics.error("queue");
                tracing::warn!(%error, "tasks could not be received");
                tokio::time::sleep(PAUSE).await;
                Vec::new()
            }
        }
    }

    /// Works on a message while it is kept hidden from others.
    async fn handle(&self, message: Received) {
        let outcome = tokio::select! {
            () = self.keep(&message) => return,
            outcome = self.work(&message) => outcome,
        };
        match outcome {
            Outcome::Done => self.done.delete(message).await,
            Outcome::Later(later) => {
                self.note_if_last(&message, &later.why).await;
                self.give_back(&message, later.after).await;
            }
            Outcome::Ended => self.hand_on(message).await,
        }
    }

    /// Gives back at once what this worker does not come to any more. What was received for the last time would be a dead letter
    /// though nothing is wrong with it: its photo is left to the sweep, which sends it as if it had never been sent.
    async fn hand_on(&self, message: Received) {
        if let Ok(task) = task(&message)
            && matches!(self.inbox.is_last(message.receives).await, Ok(true))
        {
            match self.site.catalog.unsend(&task.image).await {
                Ok(()) => return self.done.delete(message).await,
                Err(error) => tracing::warn!(image = task.image, %error, "a task may become a dead letter untried"),
            }
        }
        self.give_back(&message, Duration::ZERO).await;
    }

    /// Notes with the photo that its task becomes a dead letter, if it does: people would else wait for it for ever.
    async fn note_if_last(&self, message: &Received, why: &str) {
        let Ok(task) = task(message) else { return };
        match self.inbox.is_last(message.receives).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return tracing::warn!(image = task.image, %error, "whether a task is given up is not known"),
        }
        let reason = format!("it was given up after {} tries: {why}", message.receives);
        tracing::error!(image = task.image, reason, "a task becomes a dead letter");
        if let Err(error) = self.site.jobs.give_up(&task.image, &reason).await {
            tracing::warn!(image = task.image, %error, "that a task was given up could not be noted");
        }
    }

    /// Extends the time for which the message is hidden, for as long as it is worked on.
    async fn keep(&self, message: &Received) {
        let visibility = self.site.config.visibility;
        loop {
            tokio::time::sleep(visibility / 3).await;
            if let Err(error) = self.inbox.hide(message, visibility).await {
                tracing::warn!(%error, "a task could not be kept; another worker may take it too");
            }
        }
    }

    async fn work(&self, message: &Received) -> Outcome {
        let turn = tokio::select! {
            biased;
            () = self.draining.cancelled() => return Outcome::Ended,
            turn = self.site.jobs.turn() => turn,
        };
        let after = retry_after(message.receives, LAST_RETRY, rand::random());
        let task = match task(message) {
            Ok(task) => task,
            Err(error) => {
                // Another version may understand it, so it is left to the queue's own limit.
                tracing::error!(error, "a message is not a task");
                return Outcome::Later(Later { after, why: error });
            }
        };
        let trace = Trace::continued(&message.trace, &task.image);
        self.work_on(&turn, &task, after).instrument(trace.span(&task.image)).await
    }

    /// Works on a photo, and again where what failed says nothing about the photo, until the time for a job is over.
    async fn work_on(&self, turn: &Turn<'_>, task: &Task, after: Duration) -> Outcome {
        let limit = self.site.config.job_timeout;
        let begun = Instant::now();
        let deadline = begun + limit;
        let (mut failures, mut why) = (0, String::new());
        loop {
            let done = match timeout_at(deadline, self.site.jobs.work(turn, &task.image)).await {
                Ok(done) => done,
                Err(_) => Err(JobError::TimedOut(limit)),
            };
            let Err(error) = done else {
                self.ahead.note(begun.elapsed());
                return Outcome::Done;
            };
            if !matches!(error, JobError::Compute(_)) {
                // What broke down while computing is counted there, each time.
                self.site.metrics.error(error.part());
            }
            failures += 1;
            // What was away all the time says more than that the time is over.
            if !matches!(error, JobError::TimedOut(_)) || why.is_empty() {
                why = error.in_words();
            }
            let again = Instant::now() + retry_after(failures, LAST_PAUSE, rand::random());
            if !error.is_outage() || again >= deadline {
                tracing::warn!(image = task.image, %error, "a task failed and will be tried again");
                return Outcome::Later(Later { after, why });
            }
            tracing::warn!(image = task.image, %error, "a task is held until what it needs is back");
            tokio::select! {
                () = self.draining.cancelled() => return Outcome::Ended,
                () = tokio::time::sleep_until(again) => {}
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

/// What becomes of a message.
enum Outcome {
    Done,
    Later(Later),
    /// The worker is to end before it is done.
    Ended,
}

/// When it comes back, and why.
struct Later {
    after: Duration,
    why: String,
}

/// Reads a message. What names no photo is nothing to ask a catalog for: it may take it for an outage of its own.
fn task(message: &Received) -> Result<Task, String> {
    let task = Task::from_json(&message.body).map_err(|error| error.to_string())?;
    if is_id(&task.image) { Ok(task) } else { Err("the message is not a task: its image is no id".to_owned()) }
}

/// Returns how long to wait after so many failures in a row: between half and all of a time that doubles up to `longest`, so
/// that what failed together is not tried again together. `random` is any number.
fn retry_after(failures: u32, longest: Duration, random: u32) -> Duration {
    let most = FIRST_RETRY.saturating_mul(1 << failures.min(16)).min(longest);
    most / 2 + (most / 2).mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_retry_waits_longer_and_none_for_ever() {
        assert_eq!(retry_after(1, LAST_RETRY, 0), Duration::from_secs(1));
        assert_eq!(retry_after(1, LAST_RETRY, u32::MAX), Duration::from_secs(2));
        assert!(retry_after(4, LAST_RETRY, 0) > retry_after(2, LAST_RETRY, u32::MAX));
        assert_eq!(retry_after(u32::MAX, LAST_RETRY, u32::MAX), LAST_RETRY);
    }
}
