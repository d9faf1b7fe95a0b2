//! Order and deduplication: what a FIFO queue does that a standard one does not.
//!
//! Messages of one group are received in the order they were sent, and none while an earlier one of its group is in flight. A
//! group that has messages has a row that says when it is ready, kept up by whatever changes its messages ([`settle`]). What
//! was sent in the last five minutes is remembered ([`recall`]), for topics too.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Row, params};
use sha2::{Digest, Sha256};

use crate::{
    clock::{Millis, SECOND},
    store::QueueId,
};

/// How long a message is known by its deduplication id.
pub(super) const INTERVAL: Millis = 5 * 60 * SECOND;
/// Added to the number of a row: sequence numbers have 20 digits and do not begin with zeros.
const FIRST_SEQUENCE: u128 = 18_849_496_460_467_696_128;

/// Whose messages are deduplicated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Queue(QueueId),
    Topic(i64),
}

impl Owner {
    fn key(self) -> String {
        match self {
            Owner::Queue(id) => format!("queue/{id}"),
            Owner::Topic(id) => format!("topic/{id}"),
        }
    }
}

/// What a first message of an id was answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) message_id: String,
    pub(crate) sequence: i64,
}

/// The deduplication id of a message that has none but its content.
pub(crate) fn content_id(body: &str) -> String {
    hex::encode(Sha256::digest(body))
}

/// A sequence number as clients see it.
pub(crate) fn sequence_number(row: i64) -> String {
    (FIRST_SEQUENCE + u128::from(row.unsigned_abs())).to_string()
}

/// The message that had this id in the last five minutes.
pub(crate) fn recall(
    connection: &Connection,
    owner: Owner,
    scope: &str,
    dedup_id: &str,
    now: Millis,
) -> Result<Option<Seen>, rusqlite::Error> {
    connection.prepare_cached("DELETE FROM deduplication WHERE sent_ms <= ?1")?.execute([now - INTERVAL])?;
    let sql = "SELECT message_id, sequence FROM deduplication WHERE owner = ?1 AND scope = ?2 AND dedup_id = ?3";
    let seen = |row: &Row<'_>| Ok(Seen { message_id: row.get(0)?, sequence: row.get(1)? });
    connection.prepare_cached(sql)?.query_row(params![owner.key(), scope, dedup_id], seen).optional()
}

/// Remembers a message by its id.
pub(crate) fn remember(
    connection: &Connection,
    owner: Owner,
    scope: &str,
    dedup_id: &str,
    seen: &Seen,
    now: Millis,
) -> Result<(), rusqlite::Error> {
    let sql = "INSERT INTO deduplication (owner, scope, dedup_id, message_id, sequence, sent_ms) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let fields = params![owner.key(), scope, dedup_id, seen.message_id, seen.sequence, now];
    connection.prepare_cached(sql)?.execute(fields)?;
    Ok(())
}

/// Forgets what was sent.
pub(crate) fn forget(connection: &Connection, owner: Owner) -> Result<(), rusqlite::Error> {
    connection.prepare_cached("DELETE FROM deduplication WHERE owner = ?1")?.execute([owner.key()])?;
    Ok(())
}

/// Notes that the message of `row` came to the end of its group: which matters only where it is the first.
pub(super) fn joined(connection: &Connection, queue: QueueId, group: &str, row: i64) -> Result<(), rusqlite::Error> {
    let sql = "INSERT INTO message_group (queue_id, group_id, first_id, ready_ms) \
               SELECT ?1, ?2, ?3, visible_ms FROM message WHERE id = ?3 ON CONFLICT DO NOTHING";
    connection.prepare_cached(sql)?.execute(params![queue, group, row])?;
    Ok(())
}

/// Brings the rows of groups in line with their messages, after any change to those.
pub(super) fn settle<'a>(
    connection: &Connection,
    queue: QueueId,
    groups: impl IntoIterator<Item = &'a String>,
) -> Result<(), rusqlite::Error> {
    for group in groups {
        let first = "SELECT id, visible_ms FROM message WHERE queue_id = ?1 AND group_id = ?2 ORDER BY id LIMIT 1";
        let first: Option<(i64, Millis)> = connection
            .prepare_cached(first)?
            .query_row(params![queue, group], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((first, visible)) = first else {
            let sql = "DELETE FROM message_group WHERE queue_id = ?1 AND group_id = ?2";
            connection.prepare_cached(sql)?.execute(params![queue, group])?;
            continue;
        };
        // A group waits for its first message alone, as in the service: what was received behind that one may still be out.
        let sql = "INSERT INTO message_group (queue_id, group_id, first_id, ready_ms) VALUES (?1, ?2, ?3, ?4) \
                   ON CONFLICT DO UPDATE SET first_id = ?3, ready_ms = ?4";
        connection.prepare_cached(sql)?.execute(params![queue, group, first, visible])?;
    }
    Ok(())
}

/// The groups of some messages, each once.
pub(super) fn groups_of<'a>(groups: impl Iterator<Item = Option<&'a String>>) -> BTreeSet<String> {
    groups.flatten().cloned().collect()
}

/// The groups that are ready, the one that has been for longest first.
pub(super) fn ready(
    connection: &Connection,
    queue: QueueId,
    max: i64,
    now: Millis,
) -> Result<Vec<String>, rusqlite::Error> {
    let sql = "SELECT group_id FROM message_group WHERE queue_id = ?1 AND ready_ms <= ?2 \
               ORDER BY ready_ms, first_id LIMIT ?3";
    connection.prepare_cached(sql)?.query_map(params![queue, now, max], |row| row.get(0))?.collect()
}

/// When the next group that waits now is ready.
pub(super) fn next_ready(
    connection: &Connection,
    queue: QueueId,
    now: Millis,
) -> Result<Option<Millis>, rusqlite::Error> {
    let sql = "SELECT min(ready_ms) FROM message_group WHERE queue_id = ?1 AND ready_ms > ?2";
    connection.prepare_cached(sql)?.query_row(params![queue, now], |row| row.get(0))
}

/// Whether an id of a group or of a deduplication is one: 1 to 128 letters, digits and punctuation.
pub(crate) fn is_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}
