//! Queues and messages as rows: the SQL that more than one operation needs.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{
    clock::{Millis, SECOND},
    json::Json,
    names::random_id,
    store::{QueueId, Unit},
};

use super::{
    attributes::{AttributeMap, QueueAttributes},
    error::SqsError,
    fifo,
    message::MessageAttributes,
};

/// A queue.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    pub(crate) id: QueueId,
    pub(crate) name: String,
    pub(super) created: Millis,
    pub(super) modified: Millis,
    pub(super) attributes: QueueAttributes,
    pub(super) tags: AttributeMap,
}

impl Queue {
    /// Whether the queue keeps the order of its messages; the name says it.
    pub(crate) fn is_fifo(&self) -> bool {
        self.name.ends_with(FIFO_SUFFIX)
    }
}

/// What the name of a queue that keeps an order ends with.
pub(crate) const FIFO_SUFFIX: &str = ".fifo";

const QUEUE_COLUMNS: &str = "id, name, created_ms, modified_ms, attributes, tags";

fn queue(row: &Row<'_>) -> rusqlite::Result<Queue> {
    Ok(Queue {
        id: row.get(0)?,
        name: row.get(1)?,
        created: row.get(2)?,
        modified: row.get(3)?,
        attributes: row.get::<_, Json<_>>(4)?.0,
        tags: row.get::<_, Json<_>>(5)?.0,
    })
}

pub(crate) fn find_queue(connection: &Connection, name: &str) -> Result<Option<Queue>, rusqlite::Error> {
    let sql = format!("SELECT {QUEUE_COLUMNS} FROM queue WHERE name = ?1");
    connection.prepare_cached(&sql)?.query_row([name], queue).optional()
}

pub(super) fn existing_queue(connection: &Connection, name: &str) -> Result<Queue, SqsError> {
    find_queue(connection, name)?.ok_or_else(|| SqsError::QueueDoesNotExist(name.to_owned()))
}

/// Queues whose name comes after `after`, by name.
pub(super) fn queues_after(connection: &Connection, after: &str) -> Result<Vec<Queue>, rusqlite::Error> {
    let sql = format!("SELECT {QUEUE_COLUMNS} FROM queue WHERE name > ?1 ORDER BY name");
    connection.prepare_cached(&sql)?.query_map([after], queue)?.collect()
}

pub(super) fn save_queue(connection: &Connection, queue: &Queue) -> Result<(), rusqlite::Error> {
    let sql = "UPDATE queue SET modified_ms = ?2, attributes = ?3, tags = ?4 WHERE id = ?1";
    let (attributes, tags) = (Json(&queue.attributes), Json(&queue.tags));
    connection.prepare_cached(sql)?.execute(params![queue.id, queue.modified, attributes, tags])?;
    Ok(())
}

/// A message on its way into a queue.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewMessage {
    pub(crate) body: String,
    pub(crate) attributes: MessageAttributes,
    pub(crate) trace_header: Option<String>,
    pub(crate) sender: String,
    /// Seconds, where the sender chose; else the queue's own delay.
    pub(crate) delay: Option<i64>,
    pub(crate) group: Option<String>,
    /// What a second message of the same content or intent is known by. Only queues that keep an order look at it.
    pub(crate) dedup_id: Option<String>,
}

/// What became of a message that was put into a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Enqueued {
    pub(crate) message_id: String,
    /// In queues that keep an order.
    pub(crate) sequence_number: Option<String>,
}

/// Puts a message into a queue and wakes its receivers. One that a queue with an order has seen in the last five minutes is
/// accepted and not put there again: the answer is that of the first.
pub(crate) fn enqueue(
    unit: &mut Unit<'_>,
    queue: &Queue,
    message: &NewMessage,
    now: Millis,
) -> Result<Enqueued, rusqlite::Error> {
    if !queue.is_fifo() {
        let (message_id, _) = insert(unit, queue, message, message.dedup_id.as_deref(), now)?;
        return Ok(Enqueued { message_id, sequence_number: None });
    }
    let group = message.group.as_deref().unwrap_or_default();
    let dedup_id = message.dedup_id.clone().unwrap_or_else(|| fifo::content_id(&message.body));
    let scope = if queue.attributes.deduplicates_by_group() { group } else { "" };
    let owner = fifo::Owner::Queue(queue.id);
    if let Some(seen) = fifo::recall(unit.connection(), owner, scope, &dedup_id, now)? {
        return Ok(Enqueued {
            message_id: seen.message_id,
            sequence_number: Some(fifo::sequence_number(seen.sequence)),
        });
    }
    let (message_id, row) = insert(unit, queue, message, Some(&dedup_id), now)?;
    fifo::joined(unit.connection(), queue.id, group, row)?;
    let seen = fifo::Seen { message_id, sequence: row };
    fifo::remember(unit.connection(), owner, scope, &dedup_id, &seen, now)?;
    Ok(Enqueued { message_id: seen.message_id, sequence_number: Some(fifo::sequence_number(row)) })
}

/// Makes the message's row. Answers with the message's id and the row's.
fn insert(
    unit: &mut Unit<'_>,
    queue: &Queue,
    message: &NewMessage,
    dedup_id: Option<&str>,
    now: Millis,
) -> Result<(String, i64), rusqlite::Error> {
    let id = random_id();
    let delay = message.delay.unwrap_or_else(|| queue.attributes.delay()) * SECOND;
    let group =
        if queue.is_fifo() { Some(message.group.as_deref().unwrap_or_default()) } else { message.group.as_deref() };
    let sql = "INSERT INTO message \
               (queue_id, message_id, body, attributes, trace_header, sender, sent_ms, visible_ms, group_id, dedup_id) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    unit.connection().prepare_cached(sql)?.execute(params![
        queue.id,
        id,
        message.body,
        Json(&message.attributes),
        message.trace_header,
        message.sender,
        now,
        now + delay,
        group,
        dedup_id,
    ])?;
    unit.wake(queue.id);
    Ok((id, unit.connection().last_insert_rowid()))
}

/// How many messages a queue has, by what they wait for, and when the oldest was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) visible: i64,
    pub(super) in_flight: i64,
    pub(super) delayed: i64,
    pub(super) oldest: Option<Millis>,
}

pub(super) fn counts(connection: &Connection, queue: &Queue, now: Millis) -> Result<Counts, rusqlite::Error> {
    let retained = now - queue.attributes.retention();
    // All are counted on an index alone; the few that are hidden are looked at.
    let all = "SELECT count(*), min(sent_ms) FROM message WHERE queue_id = ?1 AND sent_ms > ?2";
    let (all, oldest): (i64, Option<Millis>) =
        connection.prepare_cached(all)?.query_row(params![queue.id, retained], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let hidden = "SELECT count(*) FILTER (WHERE receipt IS NOT NULL), count(*) FILTER (WHERE receipt IS NULL) \
                  FROM message WHERE queue_id = ?1 AND visible_ms > ?2 AND +sent_ms > ?3";
    let (in_flight, delayed): (i64, i64) = connection
        .prepare_cached(hidden)?
        .query_row(params![queue.id, now, retained], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Counts { visible: all - in_flight - delayed, in_flight, delayed, oldest })
}

/// Removes messages older than the queue keeps them.
pub(super) fn expire(connection: &Connection, queue: &Queue, now: Millis) -> Result<(), rusqlite::Error> {
    let retained = now - queue.attributes.retention();
    if !queue.is_fifo() {
        let sql = "DELETE FROM message WHERE queue_id = ?1 AND sent_ms <= ?2";
        connection.prepare_cached(sql)?.execute(params![queue.id, retained])?;
        return Ok(());
    }
    let sql = "DELETE FROM message WHERE queue_id = ?1 AND sent_ms <= ?2 RETURNING group_id";
    let groups = connection
        .prepare_cached(sql)?
        .query_map(params![queue.id, retained], |row| row.get(0))?
        .collect::<Result<BTreeSet<String>, _>>()?;
    fifo::settle(connection, queue.id, &groups)
}

/// Removes every message of a queue, and what is known of former ones.
pub(super) fn purge(connection: &Connection, queue: QueueId) -> Result<(), rusqlite::Error> {
    connection.prepare_cached("DELETE FROM message WHERE queue_id = ?1")?.execute([queue])?;
    connection.prepare_cached("DELETE FROM message_group WHERE queue_id = ?1")?.execute([queue])?;
    fifo::forget(connection, fifo::Owner::Queue(queue))
}
