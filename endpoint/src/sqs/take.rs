//! Taking messages out of a queue's rows: which are due, what becomes of those received too often, and how they are given back.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{
    clock::{Millis, SECOND},
    json::Json,
    names::Names,
    store::{QueueId, StoreError, Unit},
};

use super::{
    attempts::Attempt,
    error::SqsError,
    fifo,
    message::MessageAttributes,
    room::Room,
    rows::{Queue, existing_queue, expire, find_queue},
};

/// What a receive asks of a queue.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) queue: String,
    pub(super) max: i64,
    /// How long to hide what is taken, in seconds, where the receiver says.
    pub(super) visibility: Option<i64>,
    /// Which receive this is, where the receiver says: only queues that keep an order answer the same one twice.
    pub(super) attempt: Option<Attempt>,
}

/// A message as its row has it.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) id: i64,
    pub(super) message_id: String,
    pub(super) body: String,
    pub(super) attributes: MessageAttributes,
    pub(super) trace_header: Option<String>,
    pub(super) sender: String,
    pub(super) sent: Millis,
    pub(super) receive_count: i64,
    pub(super) first_received: Millis,
    pub(super) dead_letter_from: Option<String>,
    pub(super) group: Option<String>,
    pub(super) dedup_id: Option<String>,
    pub(super) nonce: i64,
}

/// What one look into a queue found.
pub(super) struct Taken {
    pub(super) queue: QueueId,
    /// Whether the queue keeps an order.
    pub(super) fifo: bool,
    pub(super) messages: Vec<Stored>,
    /// When the next message that is hidden now becomes visible.
    pub(super) next_visible: Option<Millis>,
    /// How long the queue lets a receive wait that does not say.
    pub(super) default_wait: i64,
}

/// Makes messages visible as if they had not been received.
pub(super) fn give_back(
    unit: &mut Unit<'_>,
    queue: QueueId,
    fifo: bool,
    receipts: &[(i64, i64)],
) -> Result<(), StoreError> {
    let sql = "UPDATE message SET visible_ms = received_ms, receive_count = receive_count - 1 \
               WHERE id = ?1 AND queue_id = ?2 AND receipt = ?3 RETURNING group_id";
    let mut groups = BTreeSet::new();
    for (id, nonce) in receipts {
        let mut statement = unit.connection().prepare_cached(sql)?;
        let group: Option<Option<String>> =
            statement.query_row(params![id, queue, nonce], |row| row.get(0)).optional()?;
        groups.extend(group.flatten());
    }
    if fifo {
        fifo::settle(unit.connection(), queue, &groups)?;
    }
    unit.wake(queue);
    Ok(())
}

pub(super) fn take(
    unit: &mut Unit<'_>,
    names: &Names,
    room: &Room,
    request: &Request,
    now: Millis,
) -> Result<Taken, SqsError> {
    let queue = existing_queue(unit.connection(), &request.queue)?;
    let fifo = queue.is_fifo();
    if fifo {
        expire(unit.connection(), &queue, now)?;
    }
    let max = if room.take(unit.connection(), queue.id, request.max, now)? {
        request.max
    } else if fifo {
        0
    } else {
        return Err(SqsError::OverLimit(queue.name));
    };
    let hidden_until = now + request.visibility.unwrap_or_else(|| queue.attributes.visibility()) * SECOND;
    let attempt = request.attempt.as_ref().filter(|_| fifo);
    let again = attempt.map(|attempt| attempt.again(unit.connection(), queue.id, now)).transpose()?.flatten();
    let messages = match again {
        Some(messages) => messages,
        None => due(unit, names, &queue, max, now)?,
    };
    let sql = "UPDATE message SET visible_ms = ?2, receive_count = ?3, first_received_ms = ?4, received_ms = ?5, receipt = ?6 \
               WHERE id = ?1";
    for message in &messages {
        let fields =
            params![message.id, hidden_until, message.receive_count, message.first_received, now, message.nonce];
        unit.connection().prepare_cached(sql)?.execute(fields)?;
    }
    if fifo {
        let groups = fifo::groups_of(messages.iter().map(|message| message.group.as_ref()));
        fifo::settle(unit.connection(), queue.id, &groups)?;
    }
    if let Some(attempt) = attempt.filter(|_| !messages.is_empty()) {
        attempt.note(queue.id, &messages, now);
    }
    let next_visible = if messages.is_empty() { next_visible(unit, &queue, now)? } else { None };
    Ok(Taken { queue: queue.id, fifo, messages, next_visible, default_wait: queue.attributes.wait() })
}

/// The messages that are due, after those that were received as often as the queue allows have gone to its dead-letter queue.
fn due(unit: &mut Unit<'_>, names: &Names, queue: &Queue, max: i64, now: Millis) -> Result<Vec<Stored>, SqsError> {
    let dead_letters = dead_letter_queue(unit, names, queue)?;
    loop {
        let messages = if queue.is_fifo() {
            next_of_groups(unit.connection(), queue.id, max, now)?
        } else {
            visible(unit.connection(), queue, max, now)?
        };
        let Some((target, max_receives)) = &dead_letters else { return Ok(messages) };
        // The count already has the receive that is about to happen.
        let dead: Vec<&Stored> = messages.iter().filter(|message| message.receive_count > *max_receives).collect();
        if dead.is_empty() {
            return Ok(messages);
        }
        move_to_dead_letters(unit, queue, target, &names.queue_arn(&queue.name), &dead, now)?;
    }
}

/// Where dead letters of `queue` go, and after how many receives. While that queue is missing they stay.
fn dead_letter_queue(unit: &Unit<'_>, names: &Names, queue: &Queue) -> Result<Option<(Queue, i64)>, SqsError> {
    let Some(redrive) = queue.attributes.redrive() else { return Ok(None) };
    let Some(target) = names.queue_in_arn(&redrive.target_arn) else { return Ok(None) };
    let target = find_queue(unit.connection(), target)?.filter(|target| target.id != queue.id);
    Ok(target.map(|target| (target, redrive.max_receives)))
}

/// Moves messages with all that they are, the time they were sent included: but where an order is kept it begins anew.
fn move_to_dead_letters(
    unit: &mut Unit<'_>,
    queue: &Queue,
    target: &Queue,
    source_arn: &str,
    messages: &[&Stored],
    now: Millis,
) -> Result<(), rusqlite::Error> {
    let sql = "UPDATE message SET queue_id = ?2, visible_ms = ?3, receipt = NULL, received_ms = NULL, dead_letter_from = ?4, \
               sent_ms = ?5 WHERE id = ?1";
    for message in messages {
        let sent = if queue.is_fifo() { now } else { message.sent };
        unit.connection().prepare_cached(sql)?.execute(params![message.id, target.id, now, source_arn, sent])?;
    }
    if queue.is_fifo() {
        let groups = fifo::groups_of(messages.iter().map(|message| message.group.as_ref()));
        fifo::settle(unit.connection(), queue.id, &groups)?;
        fifo::settle(unit.connection(), target.id, &groups)?;
    }
    unit.wake(target.id);
    Ok(())
}

pub(super) const STORED: &str = "SELECT id, message_id, body, attributes, trace_header, sender, sent_ms, receive_count, \
                      first_received_ms, dead_letter_from, group_id, dedup_id, visible_ms FROM message";

fn visible(connection: &Connection, queue: &Queue, max: i64, now: Millis) -> Result<Vec<Stored>, rusqlite::Error> {
    let sql = format!("{STORED} WHERE queue_id = ?1 AND visible_ms <= ?2 ORDER BY visible_ms, id LIMIT ?3");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut look = || statement.query_map(params![queue.id, now, max], |row| received(row, now))?.collect();
    let found: Vec<Stored> = look()?;
    let retained = now - queue.attributes.retention();
    // Old messages are removed once one of them shows up here, and else now and then: not at every look.
    if found.iter().all(|message| message.sent > retained) {
        return Ok(found);
    }
    expire(connection, queue, now)?;
    look()
}

/// The messages at the front of the groups that are ready: as many of one group as there are, then of the next.
fn next_of_groups(
    connection: &Connection,
    queue: QueueId,
    max: i64,
    now: Millis,
) -> Result<Vec<Stored>, rusqlite::Error> {
    let sql = format!("{STORED} WHERE queue_id = ?1 AND group_id = ?2 ORDER BY id LIMIT ?3");
    let wanted = usize::try_from(max).unwrap_or_default();
    let mut found = Vec::new();
    for group in fifo::ready(connection, queue, max, now)? {
        let left = i64::try_from(wanted - found.len()).unwrap_or_default();
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params![queue, group, left])?;
        while let Some(row) = rows.next()? {
            // One that is delayed holds up what came after it.
            if row.get::<_, Millis>(VISIBLE)? > now {
                break;
            }
            found.push(received(row, now)?);
        }
        if found.len() >= wanted {
            break;
        }
    }
    Ok(found)
}

/// The column of [`STORED`] with the time that a message is visible from.
const VISIBLE: usize = 12;

/// A row as it is once it is received now.
pub(super) fn received(row: &Row<'_>, now: Millis) -> rusqlite::Result<Stored> {
    Ok(Stored {
        id: row.get(0)?,
        message_id: row.get(1)?,
        body: row.get(2)?,
        attributes: row.get::<_, Json<_>>(3)?.0,
        trace_header: row.get(4)?,
        sender: row.get(5)?,
        sent: row.get(6)?,
        receive_count: row.get::<_, i64>(7)? + 1,
        first_received: row.get::<_, Option<Millis>>(8)?.unwrap_or(now),
        dead_letter_from: row.get(9)?,
        group: row.get(10)?,
        dedup_id: row.get(11)?,
        nonce: rand::random(),
    })
}

fn next_visible(unit: &Unit<'_>, queue: &Queue, now: Millis) -> Result<Option<Millis>, rusqlite::Error> {
    if queue.is_fifo() {
        return fifo::next_ready(unit.connection(), queue.id, now);
    }
    let sql = "SELECT min(visible_ms) FROM message WHERE queue_id = ?1 AND visible_ms > ?2";
    unit.connection().prepare_cached(sql)?.query_row(params![queue.id, now], |row| row.get(0))
}
