//! How many more messages of a queue may be in flight, known without counting those that are at each receive.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use rusqlite::{Connection, params};

use crate::{clock::Millis, store::QueueId};

/// The most messages of a queue that are received and not deleted yet.
const MAX_IN_FLIGHT: i64 = 120_000;

/// For each queue how many messages may be taken before those in flight are counted again. Counting takes the longer the more
/// there are, and a count that is far from the limit is good for as many receives as it lacks: few messages get in flight in any
/// other way.
#[derive(Debug, Default)]
pub(super) struct Room {
    left: Mutex<HashMap<QueueId, i64>>,
}

impl Room {
    /// Whether a queue may have more messages in flight. If so, `wanted` of them are as good as taken.
    pub(super) fn take(
        &self,
        connection: &Connection,
        queue: QueueId,
        wanted: i64,
        now: Millis,
    ) -> Result<bool, rusqlite::Error> {
        let mut queues = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let left = queues.entry(queue).or_default();
        if *left < wanted {
            *left = MAX_IN_FLIGHT - in_flight(connection, queue, now)?;
        }
        let free = *left > 0;
        *left -= wanted;
        Ok(free)
    }
}

/// How many messages are in flight, or a few more than that where they are far from the limit.
fn in_flight(connection: &Connection, queue: QueueId, now: Millis) -> Result<i64, rusqlite::Error> {
    // Most queues have few hidden messages of any kind, and the index alone says so.
    let hidden = "SELECT count(*) FROM (SELECT 1 FROM message WHERE queue_id = ?1 AND visible_ms > ?2 LIMIT ?3)";
    let hidden: i64 =
        connection.prepare_cached(hidden)?.query_row(params![queue, now, MAX_IN_FLIGHT], |row| row.get(0))?;
    if hidden < MAX_IN_FLIGHT {
        return Ok(hidden);
    }
    let in_flight = "SELECT count(*) FROM message WHERE queue_id = ?1 AND visible_ms > ?2 AND receipt IS NOT NULL";
    connection.prepare_cached(in_flight)?.query_row(params![queue, now], |row| row.get(0))
}
