//! One thread that writes, with group commit.
//!
//! A flush to disk costs far more than the statements before it. All units of work that wait are run in ONE transaction, each
//! inside a savepoint of its own, so that a unit that fails undoes itself alone; then there is one commit, and only then is
//! anybody answered. Units that practically never fail once they have changed something do without a savepoint; if one does fail,
//! nobody's change in the group is made. What a unit asked to happen after its commit (waking receivers, removing blobs) happens
//! on this thread too, so that it does not depend on a client that may have gone away meanwhile.

use std::{
    fs::File,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
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

/// What happens to the rest of the group when a unit of work fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failing {
    /// Nothing: the unit has a savepoint of its own.
    Alone,
    /// It fails too, where the unit had changed something.
    WithItsGroup,
}

/// A unit of work with its caller, the types of its outcome erased.
trait Task: Send {
    fn failing(&self) -> Failing;
    /// Runs the work. False undoes it.
    fn run(&mut self, unit: &mut Unit<'_>) -> bool;
    /// Answers the caller, with `failure` where the work was undone by something else than itself.
    fn answer(self: Box<Self>, failure: Option<StoreError>);
}

struct Work<T, E, F> {
    failing: Failing,
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
    fn failing(&self) -> Failing {
        self.failing
    }

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
    fn failing(&self) -> Failing {
        Failing::Alone
    }

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
        let thread = thread::Builder::new()
            .name("endpoint-writer".into())
            .spawn(move || {
                write_groups(&connection, &receiver, &wakers, &blobs);
                finish(connection);
                drop(lock);
            })
            .map_err(StoreError::io("starting the writer thread"))?;
        Ok(Writer { queue: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)) })
    }

    pub(super) async fn run<T, E, F>(&self, failing: Failing, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&mut Unit<'_>) -> Result<T, E> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Box::new(Work { failing, closure: Some(work), outcome: None, reply }))?;
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
    let mut several = false;
    while let Ok(first) = queue.recv() {
        // Where several waited at a time, more are about to queue. They go first, so that one flush does for all of them; and it
        // is no delay where nobody wants the processor.
        if several {
            thread::yield_now();
        }
        let mut group = vec![first];
        group.extend(queue.try_iter().take(MAX_GROUP - 1));
        several = group.len() > 1;
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

/// Why nothing of a group was done.
#[derive(Debug, thiserror::Error)]
enum GroupError {
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
    #[error("a change failed half done")]
    HalfDone,
}

fn commit_group(connection: &Connection, group: &mut [Box<dyn Task>], effects: &mut Effects) -> Result<(), GroupError> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let outcome = group
        .iter_mut()
        .try_for_each(|task| match task.failing() {
            Failing::Alone => run_in_savepoint(connection, task.as_mut(), effects),
            Failing::WithItsGroup => run_without_savepoint(connection, task.as_mut(), effects),
        })
        .and_then(|()| Ok(connection.prepare_cached("COMMIT")?.execute([]).map(drop)?));
    if outcome.is_err() && !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK")?;
    }
    outcome
}

fn run_in_savepoint(connection: &Connection, task: &mut dyn Task, effects: &mut Effects) -> Result<(), GroupError> {
    connection.prepare_cached("SAVEPOINT unit")?.execute([])?;
    if !run(connection, task, effects) {
        connection.prepare_cached("ROLLBACK TO unit")?.execute([])?;
    }
    connection.prepare_cached("RELEASE unit")?.execute([])?;
    Ok(())
}

fn run_without_savepoint(
    connection: &Connection,
    task: &mut dyn Task,
    effects: &mut Effects,
) -> Result<(), GroupError> {
    let before = connection.total_changes();
    if run(connection, task, effects) || connection.total_changes() == before {
        Ok(())
    } else {
        Err(GroupError::HalfDone)
    }
}

/// Runs a unit of work. What it wanted done after the commit counts only if it succeeds.
fn run(connection: &Connection, task: &mut dyn Task, effects: &mut Effects) -> bool {
    let mut unit = Unit::new(connection);
    let done = task.run(&mut unit);
    if done {
        for queue in unit.effects.wake {
            if !effects.wake.contains(&queue) {
                effects.wake.push(queue);
            }
        }
        effects.discard.append(&mut unit.effects.discard);
    }
    done
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use crate::store::{Store, StoreError, Unit};

    fn put(unit: &Unit<'_>, name: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO topic (name, created_ms, attributes, tags) VALUES (?1, 0, '{}', '{}')";
        unit.connection().execute(sql, [name])?;
        Ok(())
    }

    fn put_and_fail(unit: &Unit<'_>, name: &str) -> Result<(), StoreError> {
        put(unit, name)?;
        Err(StoreError::Closed)
    }

    /// Holds up the writer until it is told to go on: what is queued meanwhile becomes one group.
    fn hold(store: &Store) -> Sender<()> {
        let ((go_on, told), (hold, held)) = (channel(), channel());
        let wait = move |_: &mut Unit<'_>| {
            hold.send(()).unwrap();
            told.recv().unwrap();
            Ok(())
        };
        store.submit(wait).unwrap();
        held.recv().unwrap();
        go_on
    }

    async fn names(store: &Store) -> Vec<String> {
        let read = |connection: &rusqlite::Connection| {
            let mut statement = connection.prepare("SELECT name FROM topic ORDER BY name")?;
            Ok::<_, StoreError>(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
        };
        store.read(read).await.unwrap()
    }

    #[tokio::test]
    async fn a_unit_with_a_savepoint_fails_alone() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let go_on = hold(&store);
        let (before, bad, after, ()) = tokio::join!(
            store.write_lightly(|unit| put(unit, "a")),
            store.write(|unit| put_and_fail(unit, "b")),
            store.write(|unit| put(unit, "c")),
            async { go_on.send(()).unwrap() },
        );
        assert!(before.is_ok() && after.is_ok() && matches!(bad, Err(StoreError::Closed)));
        assert_eq!(names(&store).await, ["a", "c"]);
    }

    #[tokio::test]
    async fn a_unit_without_one_fails_with_its_group_once_it_has_changed_something() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let go_on = hold(&store);
        let (harmless, good, bad, ()) = tokio::join!(
            store.write_lightly(|_| Err::<(), _>(StoreError::Closed)),
            store.write(|unit| put(unit, "a")),
            store.write_lightly(|unit| put_and_fail(unit, "b")),
            async { go_on.send(()).unwrap() },
        );
        assert!(matches!((harmless, bad), (Err(StoreError::Closed), Err(StoreError::Closed))));
        assert!(matches!(good, Err(StoreError::NotCommitted { .. })));
        assert!(names(&store).await.is_empty());
        // The next group is as good as ever.
        store.write_lightly(|unit| put(unit, "d")).await.unwrap();
        assert_eq!(names(&store).await, ["d"]);
    }
}
