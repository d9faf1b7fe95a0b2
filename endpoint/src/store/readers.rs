//! Connections that only read, beside the writer: `SQLite`'s log lets them see the last commit without waiting for it.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rusqlite::Connection;

use super::{StoreError, schema};

/// Connections kept open; a burst opens more and closes them again.
const KEPT: usize = 4;

pub(super) struct Readers {
    pool: Arc<Pool>,
}

struct Pool {
    database: PathBuf,
    idle: Mutex<Vec<Connection>>,
    closed: AtomicBool,
}

impl Readers {
    pub(super) fn new(database: PathBuf) -> Self {
        let pool = Pool { database, idle: Mutex::default(), closed: AtomicBool::new(false) };
        Readers { pool: Arc::new(pool) }
    }

    pub(super) async fn run<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        let pool = Arc::clone(&self.pool);
        let reading = tokio::task::spawn_blocking(move || {
            let connection = pool.take()?;
            // One transaction for the whole of the work: what it reads belongs together.
            let transaction = connection.unchecked_transaction().map_err(StoreError::from)?;
            let outcome = work(&transaction);
            drop(transaction);
            pool.put_back(connection);
            outcome
        });
        reading.await.map_err(|_| StoreError::Closed)?
    }

    /// Closes what is idle, so that the writer can fold the whole log; later reads are refused.
    pub(super) fn close(&self) {
        self.pool.closed.store(true, Ordering::Release);
        self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Pool {
    fn take(&self) -> Result<Connection, StoreError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(StoreError::Closed);
        }
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| schema::connect_reader(&self.database), Ok)
    }

    fn put_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT && !self.closed.load(Ordering::Acquire) {
            idle.push(connection);
        }
    }
}
