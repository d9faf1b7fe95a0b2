//! Queues and messages as rows: the SQL that more than one operation needs.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{
    clock::{Millis, SECOND},
    json::Json,
    store::{QueueId, Unit},
};

use super::{
    attributes::{AttributeMap, QueueAttributes},
    error::SqsError,
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
#[derive(Debug, Clone)]
pub(crate) struct NewMessage {
    pub(crate) body: String,
    pub(crate) attributes: MessageAttributes,
    pub(crate) trace_header: Option<String>,
    pub(crate) sender: String,
    /// Seconds, where the sender chose; else the queue's own delay.
    pub(crate) delay: Option<i64>,
}

/// Puts a message into a queue and wakes its receivers. Answers with the message's id.
pub(crate) fn enqueue(
    unit: &mut Unit<'_>,
    queue: &Queue,
    message: &NewMessage,
    now: Millis,
) -> Result<String, rusqlite::Error> {
    let id = uuid::Uuid::new_v4().to_string();
    let delay = message.delay.unwrap_or_else(|| queue.attributes.delay()) * SECOND;
    let sql = "INSERT INTO message (queue_id, message_id, body, attributes, trace_header, sender, sent_ms, visible_ms) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    unit.connection().prepare_cached(sql)?.execute(params![
        queue.id,
        id,
        message.body,
        Json(&message.attributes),
        message.trace_header,
        message.sender,
        now,
        now + delay,
    ])?;
    unit.wake(queue.id);
    Ok(id)
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
    let sql = "SELECT count(*) FILTER (WHERE visible_ms <= ?2), \
                      count(*) FILTER (WHERE visible_ms > ?2 AND receipt IS NOT NULL), \
                      count(*) FILTER (WHERE visible_ms > ?2 AND receipt IS NULL), \
                      min(sent_ms) \
               FROM message WHERE queue_id = ?1 AND sent_ms > ?3";
    let retained = now - queue.attributes.retention();
    connection.prepare_cached(sql)?.query_row(params![queue.id, now, retained], |row| {
        Ok(Counts { visible: row.get(0)?, in_flight: row.get(1)?, delayed: row.get(2)?, oldest: row.get(3)? })
    })
}

/// Removes messages older than the queue keeps them.
pub(super) fn expire(connection: &Connection, queue: &Queue, now: Millis) -> Result<(), rusqlite::Error> {
    let sql = "DELETE FROM message WHERE queue_id = ?1 AND sent_ms <= ?2";
    connection.prepare_cached(sql)?.execute(params![queue.id, now - queue.attributes.retention()])?;
    Ok(())
}
