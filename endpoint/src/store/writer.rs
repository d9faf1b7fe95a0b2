//! One thread that writes, with group commit.
//!
//! A flush to disk costs far more than the statements before it. All units of work that wait are run in ONE transaction, each
//! inside a savepoint of its own, so that a unit that fails undoes itself alone; then there is one commit, and only then is
//! anybody answered. What a unit asked to happen after its commit (waking receivers, removing blobs) happens on this thread
//! too, so that it does not depend on a client that may have gone away meanwhile.

use std::{
    fs::File,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{BlobId, Blobs, QueueId, StoreError, Wakers};

/// The most units in one transaction: bounds how long the first of them waits for its answer.
const MAX_GROUP: usize = 512;

/// A unit of work's view of the transaction, and what it wants done after the commit.
pub(crate) struct Unit<'c> {
    connection: &'c Connection,
    effects: Effects,
}

#[derive(Default)]
struct Effects {
    wake: Vec<QueueId>,
    discard: Vec<BlobId>,
}

impl<'c> Unit<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Self {
        Unit { connection, effects: Effects::default() }
    }

    pub(crate) fn connection(&self) -> &'c Connection {
        self.connection
    }

    /// Wakes whoever waits for messages of `queue`, after the commit.
    pub(crate) fn wake(&mut self, queue: QueueId) {
        if !self.effects.wake.contains(&queue) {
            self.effects.wake.push(queue);
        }
    }

    /// Removes the file of `blob`, after the commit: from then on no row names it.
    pub(crate) fn discard(&mut self, blob: BlobId) {
        self.effects.discard.push(blob);
    }
}

/// A unit of work with its caller, the types of its outcome erased.
trait Task: Send {
    /// Runs the work. False undoes it.
    fn run(&mut self, unit: &mut Unit<'_>) -> bool;
    /// Answers the caller, with `failure` where the work was undone by something else than itself.
    fn answer(self: Box<Self>, failure: Option<StoreError>);
}

struct Work<T, E, F> {
    closure: Option<F>,
    outcome: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Task for Work<T, E, F>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
    F: FnOnce(&mut Unit<'_>) -> Result<T, E> + Send + 'static,
{
    fn run(&mut self, unit: &mut Unit<'_>) -> bool {
        // Nobody waits for the answer any more: the change was never acknowledged, so it need not happen.
        if self.reply.is_closed() {
            return false;
        }
        self.outcome = self.closure.take().map(|work| work(unit));
        matches!(self.outcome, Some(Ok(_)))
    }

    fn answer(self: Box<Self>, failure: Option<StoreError>) {
        let outcome = match (self.outcome, failure) {
            // An error of its own stands whatever became of the transaction.
            (Some(Err(error)), _) => Err(error),
            (_, Some(failure)) => Err(failure.into()),
            (Some(done), None) => done,
            (None, None) => return,
        };
        // The caller may be gone; it decided not to wait.
        drop(self.reply.send(outcome));
    }
}

/// Work that nobody waits for.
struct Detached<F>(Option<F>);

impl<F> Task for Detached<F>
where
    F: FnOnce(&mut Unit<'_>) -> Result<(), StoreError> + Send + 'static,
{
    fn run(&mut self, unit: &mut Unit<'_>) -> bool {
        let outcome = self.0.take().map_or(Ok(()), |work| work(unit));
        if let Err(error) = &outcome {
            tracing::warn!(%error, "a change in the background was not made");
        }
        outcome.is_ok()
    }

    fn answer(self: Box<Self>, _: Option<StoreError>) {}
}

/// The handle to the writing thread.
pub(super) struct Writer {
    queue: Mutex<Option<Sender<Box<dyn Task>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread. It keeps `lock` for as long as it may still write.
    pub(super) fn start(
        connection: Connection,
        wakers: Arc<Wakers>,
        blobs: Arc<Blobs>,
        lock: Arc<File>,
    ) -> Result<Writer, StoreError> {
        let (sender, receiver) = channel();
        let thread = std::thread::Builder::new()
            .name("endpoint-writer".into())
            .spawn(move || {
                write_groups(&connection, &receiver, &wakers, &blobs);
                finish(connection);
                drop(lock);
            })
            .map_err(StoreError::io("starting the writer thread"))?;
        Ok(Writer { queue: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)) })
    }

    pub(super) async fn run<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&mut Unit<'_>) -> Result<T, E> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Box::new(Work { closure: Some(work), outcome: None, reply }))?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    pub(super) fn submit<F>(&self, work: F) -> Result<(), StoreError>
    where
        F: FnOnce(&mut Unit<'_>) -> Result<(), StoreError> + Send + 'static,
    {
        self.enqueue(Box::new(Detached(Some(work))))
    }

    fn enqueue(&self, task: Box<dyn Task>) -> Result<(), StoreError> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = queue.as_ref().ok_or(StoreError::Closed)?;
        sender.send(task).map_err(|_| StoreError::Closed)
    }

    /// Lets the thread finish what is queued, and waits for it.
    pub(super) fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the writer thread panicked");
        }
    }
}

fn write_groups(connection: &Connection, queue: &Receiver<Box<dyn Task>>, wakers: &Wakers, blobs: &Blobs) {
    while let Ok(first) = queue.recv() {
        let mut group = vec![first];
        group.extend(queue.try_iter().take(MAX_GROUP - 1));
        let mut effects = Effects::default();
        let outcome = commit_group(connection, &mut group, &mut effects);
        let failure = outcome.err().map(|error| {
            tracing::error!(%error, "a transaction was not committed");
            error.to_string()
        });
        if failure.is_none() {
            for queue in effects.wake {
                wakers.wake(queue);
            }
        }
        for task in group {
            task.answer(failure.clone().map(|reason| StoreError::NotCommitted { reason }));
        }
        if failure.is_none() {
            blobs.remove(&effects.discard);
        }
    }
}

fn commit_group(connection: &Connection, group: &mut [Box<dyn Task>], effects: &mut Effects) -> rusqlite::Result<()> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let outcome = group
        .iter_mut()
        .try_for_each(|task| run_in_savepoint(connection, task.as_mut(), effects))
        .and_then(|()| connection.prepare_cached("COMMIT")?.execute([]).map(drop));
    if outcome.is_err() && !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK")?;
    }
    outcome
}

fn run_in_savepoint(connection: &Connection, task: &mut dyn Task, effects: &mut Effects) -> rusqlite::Result<()> {
    connection.prepare_cached("SAVEPOINT unit")?.execute([])?;
    let mut unit = Unit::new(connection);
    if task.run(&mut unit) {
        effects.wake.append(&mut unit.effects.wake);
        effects.discard.append(&mut unit.effects.discard);
    } else {
        connection.prepare_cached("ROLLBACK TO unit")?.execute([])?;
    }
    connection.prepare_cached("RELEASE unit")?.execute([])?;
    Ok(())
}

/// Folds the log into the database, so that what is left is one file.
fn finish(connection: Connection) {
    let folded = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    if let Err(error) = folded {
        tracing::warn!(%error, "the log stays beside the database; the next start reads it");
    }
    if let Err((_, error)) = connection.close() {
        tracing::warn!(%error, "the database did not close cleanly; nothing is lost");
    }
}
