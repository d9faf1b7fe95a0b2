//! What is kept on disk: rows in `SQLite`, object bytes in files.
//!
//! The store owns durability and knows no service: it runs units of work on one writer with group commit ([`writer`]),
//! answers reads from separate connections, and keeps blobs ([`blobs`]). The SQL of a service lives with the service.

mod blobs;
mod readers;
mod schema;
mod wakers;
mod writer;

use std::{
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::Connection;
use tokio_util::sync::CancellationToken;

pub(crate) use blobs::{BlobId, Blobs, NewBlob};
#[cfg(test)]
pub(crate) use schema::in_memory;
pub(crate) use wakers::{QueueId, Wakers};
pub(crate) use writer::Unit;

use readers::Readers;
use writer::{Failing, Writer};

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another endpoint has the directory open.
    #[error("{} is in use by another endpoint: stop that one, or choose another data directory", directory.display())]
    Locked {
        /// The data directory.
        directory: PathBuf,
    },
    /// A newer version of this crate wrote the store.
    #[error(
        "the store has schema version {found}, and this version knows {known} at most: use the newer version that wrote it"
    )]
    Newer {
        /// The version in the file.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// A file operation failed.
    #[error("{what} failed: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// `SQLite` refused.
    #[error("the database refused: {0}")]
    Database(#[from] rusqlite::Error),
    /// The transaction that held the change was not committed, so none of it happened.
    #[error("the change was not committed: {reason}")]
    NotCommitted {
        /// What `SQLite` said.
        reason: String,
    },
    /// The store is closed, or its writer has died.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> StoreError {
        let what = what.into();
        move |source| StoreError::Io { what, source }
    }
}

/// The store of one data directory.
pub(crate) struct Store {
    writer: Writer,
    readers: Readers,
    blobs: Arc<Blobs>,
    wakers: Arc<Wakers>,
    /// Cancelled when the endpoint stops: long polls and background work end.
    stopping: CancellationToken,
    /// Held for as long as the store is open; the operating system lets go of it even after a crash.
    _lock: Arc<File>,
}

impl Store {
    /// Opens or creates the store in `directory` and removes blobs that no row names.
    pub(crate) fn open(directory: &Path) -> Result<Store, StoreError> {
        std::fs::create_dir_all(directory).map_err(StoreError::io(format!("creating {}", directory.display())))?;
        let lock = Arc::new(lock(directory)?);
        let database = directory.join("endpoint.db");
        let mut connection = schema::connect(&database)?;
        schema::migrate(&mut connection)?;
        let blobs = Arc::new(Blobs::open(&directory.join("blobs"))?);
        blobs.sweep(&referenced_blobs(&connection)?)?;
        let wakers = Arc::new(Wakers::default());
        let writer = Writer::start(connection, Arc::clone(&wakers), Arc::clone(&blobs), Arc::clone(&lock))?;
        Ok(Store {
            writer,
            readers: Readers::new(database),
            blobs,
            wakers,
            stopping: CancellationToken::new(),
            _lock: lock,
        })
    }

    /// Runs `work` in a transaction of the writer and answers after its commit. An error undoes the work and only it.
    pub(crate) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&mut Unit<'_>) -> Result<T, E> + Send + 'static,
    {
        self.writer.run(Failing::Alone, work).await
    }

    /// As [`Store::write`], for small and frequent work: a savepoint would cost as much as the work. It should fail before it
    /// changes anything or not at all. If it does fail later, as the database may, the changes of others that run in the same
    /// transaction fail with it.
    pub(crate) async fn write_lightly<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&mut Unit<'_>) -> Result<T, E> + Send + 'static,
    {
        self.writer.run(Failing::WithItsGroup, work).await
    }

    /// Queues `work` for the writer without waiting for it, also from where nothing can wait (a drop).
    pub(crate) fn submit<F>(&self, work: F) -> Result<(), StoreError>
    where
        F: FnOnce(&mut Unit<'_>) -> Result<(), StoreError> + Send + 'static,
    {
        self.writer.submit(work)
    }

    /// Runs `work` on a connection that only reads and sees one consistent state.
    pub(crate) async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        self.readers.run(work).await
    }

    pub(crate) fn blobs(&self) -> &Arc<Blobs> {
        &self.blobs
    }

    pub(crate) fn wakers(&self) -> &Wakers {
        &self.wakers
    }

    pub(crate) fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// Ends the writer after all that is queued and folds the log into the database. Later work is refused.
    pub(crate) fn close(&self) {
        self.readers.close();
        self.writer.close();
    }
}

/// Takes the directory for this process.
fn lock(directory: &Path) -> Result<File, StoreError> {
    let path = directory.join("lock");
    let file = File::create(&path).map_err(StoreError::io(format!("creating {}", path.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { directory: directory.to_owned() }),
        Err(TryLockError::Error(source)) => Err(StoreError::Io { what: format!("locking {}", path.display()), source }),
    }
}

fn referenced_blobs(connection: &Connection) -> Result<std::collections::HashSet<BlobId>, StoreError> {
    let mut statement = connection.prepare("SELECT blob FROM segment UNION ALL SELECT blob FROM part")?;
    let blobs = statement.query_map([], |row| row.get(0))?;
    Ok(blobs.collect::<Result<_, _>>()?)
}
