//! Receives that are tried again. Whoever lost an answer of a queue that keeps an order gets the same messages with the same
//! handles, by the id of the attempt, as long as they are hidden and nothing was done with them.
//!
//! In memory only: after a restart they come again when they are visible, as those of any lost answer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rusqlite::{Connection, OptionalExtension, params};

use crate::{clock::Millis, store::QueueId};

use super::{
    fifo,
    take::{STORED, Stored, received},
};

/// The receives of the last five minutes that had an id.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<HashMap<(QueueId, String), Answered>>);

/// The messages of an answer and the nonces of their handles.
#[derive(Debug)]
struct Answered {
    at: Millis,
    receipts: Vec<(i64, i64)>,
}

/// The attempt that a receive is.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) id: String,
    pub(super) attempts: Arc<Attempts>,
}

impl Attempt {
    /// The messages that this attempt was answered with before, if all of them are as they were then.
    pub(super) fn again(
        &self,
        connection: &Connection,
        queue: QueueId,
        now: Millis,
    ) -> Result<Option<Vec<Stored>>, rusqlite::Error> {
        let receipts = {
            let answered = self.attempts.lock();
            let found = answered.get(&(queue, self.id.clone()));
            found.filter(|found| now - found.at < fifo::INTERVAL).map(|found| found.receipts.clone())
        };
        let sql = format!("{STORED} WHERE id = ?1 AND queue_id = ?2 AND receipt = ?3 AND visible_ms > ?4");
        let mut messages = Vec::new();
        for (id, nonce) in receipts.unwrap_or_default() {
            let mut statement = connection.prepare_cached(&sql)?;
            let fields = params![id, queue, nonce, now];
            let Some(message) = statement.query_row(fields, |row| received(row, now)).optional()? else {
                return Ok(None);
            };
            // Not another receive.
            messages.push(Stored { nonce, receive_count: message.receive_count - 1, ..message });
        }
        Ok(Some(messages).filter(|messages| !messages.is_empty()))
    }

    /// Notes what the attempt is answered with.
    pub(super) fn note(&self, queue: QueueId, messages: &[Stored], now: Millis) {
        let receipts = messages.iter().map(|message| (message.id, message.nonce)).collect();
        let mut answered = self.attempts.lock();
        answered.retain(|_, answered| now - answered.at < fifo::INTERVAL);
        answered.insert((queue, self.id.clone()), Answered { at: now, receipts });
    }
}

impl Attempts {
    fn lock(&self) -> MutexGuard<'_, HashMap<(QueueId, String), Answered>> {
        // Nothing panics while it is held, and what is noted is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
