//! Moving dead letters back to where they came from, or elsewhere.
//!
//! A task is a row, so that it goes on after a restart. It moves what was there when it began, a few messages a step, and each
//! step is one unit of work.

use std::{sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use rusqlite::{OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    clock::Millis,
    names::Names,
    store::{StoreError, Unit},
    wire::lenient,
};

use super::{
    Sqs,
    error::{SqsError, within},
    fifo,
    rows::{Queue, find_queue, queues_after},
};

/// Messages moved in one unit of work.
const STEP: i64 = 100;
const STEP_PAUSE: Duration = Duration::from_secs(1);

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct StartMove {
    source_arn: String,
    destination_arn: Option<String>,
    #[serde(deserialize_with = "lenient::number")]
    max_number_of_messages_per_second: Option<i64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ListMoves {
    source_arn: String,
    #[serde(deserialize_with = "lenient::number")]
    max_results: Option<i64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct CancelMove {
    task_handle: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Started {
    task_handle: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Cancelled {
    approximate_number_of_messages_moved: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Moves {
    results: Vec<Listed>,
}

/// A task as it is listed.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    #[serde(skip)]
    last_id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_handle: Option<String>,
    status: String,
    source_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_number_of_messages_per_second: Option<i64>,
    approximate_number_of_messages_moved: i64,
    approximate_number_of_messages_to_move: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<String>,
    started_timestamp: Millis,
}

const COLUMNS: &str = "id, last_id, status, source_arn, destination, rate, moved, to_move, failure, started_ms";

fn task(row: &Row<'_>) -> rusqlite::Result<Listed> {
    let (id, status, source_arn): (i64, String, String) = (row.get(0)?, row.get(2)?, row.get(3)?);
    Ok(Listed {
        last_id: row.get(1)?,
        // Only a running task can be cancelled, so only it has a handle.
        task_handle: (status == "RUNNING").then(|| handle(id, &source_arn)),
        status,
        source_arn,
        destination_arn: row.get(4)?,
        max_number_of_messages_per_second: row.get(5)?,
        approximate_number_of_messages_moved: row.get(6)?,
        approximate_number_of_messages_to_move: row.get(7)?,
        failure_reason: row.get(8)?,
        started_timestamp: row.get(9)?,
    })
}

/// What a step says about the next one.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Again,
    /// The rate that was asked for is used up for now.
    Pause,
    Ended,
}

impl Sqs {
    pub(super) async fn start_move(self: &Arc<Self>, input: StartMove) -> Result<Started, SqsError> {
        let rate = input.max_number_of_messages_per_second;
        within("MaxNumberOfMessagesPerSecond", rate, 1..=500, "Must be between 1 and 500, if provided.")?;
        let (names, now) = (self.names.clone(), self.clock.now());
        let (id, source_arn) = self.store.write(move |unit| start(unit, &names, &input, now)).await?;
        self.drive(id);
        Ok(Started { task_handle: handle(id, &source_arn) })
    }

    pub(super) async fn list_moves(&self, input: ListMoves) -> Result<Moves, SqsError> {
        let limit =
            within("MaxResults", input.max_results, 1..=10, "Must be between 1 and 10, if provided.")?.unwrap_or(1);
        let names = self.names.clone();
        let list = move |connection: &rusqlite::Connection| {
            let queue = queue_of(connection, &names, SOURCE, &input.source_arn)?;
            let sql = format!("SELECT {COLUMNS} FROM move_task WHERE source_id = ?1 ORDER BY id DESC LIMIT ?2");
            let mut statement = connection.prepare_cached(&sql)?;
            let results = statement.query_map([queue.id, limit], task)?.collect::<Result<_, _>>()?;
            Ok(Moves { results })
        };
        self.store.read(list).await
    }

    pub(super) async fn cancel_move(&self, input: CancelMove) -> Result<Cancelled, SqsError> {
        let handle = BASE64_STANDARD.decode(&input.task_handle).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let parts = handle.as_deref().and_then(|handle| handle.split_once('/'));
        let Some((id, arn)) = parts.map(|(id, arn)| (id.parse::<i64>().ok(), arn.to_owned())) else {
            return Err(SqsError::InvalidValue("Value for parameter TaskHandle is invalid.".into()));
        };
        let names = self.names.clone();
        let cancel = move |unit: &mut Unit<'_>| {
            let queue = queue_of(unit.connection(), &names, SOURCE, &arn)?;
            let sql = "UPDATE move_task SET status = 'CANCELLED' WHERE id = ?1 AND source_id = ?2 AND status = 'RUNNING' \
                       RETURNING moved";
            let mut statement = unit.connection().prepare_cached(sql)?;
            let moved = statement.query_row(params![id, queue.id], |row| row.get(0)).optional()?;
            moved.ok_or_else(|| SqsError::ResourceNotFound("Task does not exist.".into()))
        };
        let moved = self.store.write(cancel).await?;
        Ok(Cancelled { approximate_number_of_messages_moved: moved })
    }

    /// Goes on with the tasks that were running when the store was last closed.
    pub(super) async fn resume_moves(self: &Arc<Self>) {
        let running = |connection: &rusqlite::Connection| {
            let mut statement = connection.prepare("SELECT id FROM move_task WHERE status = 'RUNNING'")?;
            let ids = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
            Ok::<_, StoreError>(ids)
        };
        match self.store.read(running).await {
            Ok(ids) => ids.into_iter().for_each(|id| self.drive(id)),
            Err(error) => tracing::warn!(%error, "message move tasks were not resumed"),
        }
    }

    /// Runs the steps of a task, beside everything else, until it ends or the store stops.
    fn drive(self: &Arc<Self>, id: i64) {
        let sqs = Arc::clone(self);
        tokio::spawn(async move {
            while !sqs.store.stopping().is_cancelled() {
                let (names, now) = (sqs.names.clone(), sqs.clock.now());
                match sqs.store.write(move |unit| step(unit, &names, id, now)).await {
                    Ok(Next::Again) => {}
                    Ok(Next::Pause) => {
                        tokio::select! {
                            () = tokio::time::sleep(STEP_PAUSE) => {}
                            () = sqs.store.stopping().cancelled() => {}
                        }
                    }
                    Ok(Next::Ended) => return,
                    Err(error) => {
                        tracing::warn!(%error, task = id, "a message move task stopped; it goes on at the next start");
                        return;
                    }
                }
            }
        });
    }
}

fn handle(id: i64, source_arn: &str) -> String {
    BASE64_STANDARD.encode(format!("{id}/{source_arn}"))
}

const SOURCE: &str = "SourceArn";
const DESTINATION: &str = "DestinationArn";

fn queue_of(
    connection: &rusqlite::Connection,
    names: &Names,
    parameter: &'static str,
    arn: &str,
) -> Result<Queue, SqsError> {
    if arn.splitn(6, ':').count() < 6 {
        return Err(SqsError::InvalidValue(format!(
            "You must use this format to specify the {parameter}: arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
        )));
    }
    let missing = || {
        SqsError::ResourceNotFound(format!(
            "The resource that you specified for the {parameter} parameter doesn't exist."
        ))
    };
    find_queue(connection, names.queue_in_arn(arn).ok_or_else(missing)?)?.ok_or_else(missing)
}

fn start(unit: &mut Unit<'_>, names: &Names, input: &StartMove, now: Millis) -> Result<(i64, String), SqsError> {
    let connection = unit.connection();
    let source = queue_of(connection, names, SOURCE, &input.source_arn)?;
    let arn = names.queue_arn(&source.name);
    let is_target = |queue: &Queue| queue.attributes.redrive().is_some_and(|redrive| redrive.target_arn == arn);
    if !queues_after(connection, "")?.iter().any(is_target) {
        return Err(SqsError::InvalidValue("Source queue must be configured as a Dead Letter Queue.".into()));
    }
    if let Some(destination) = input.destination_arn.as_deref() {
        let destination = queue_of(connection, names, DESTINATION, destination)?;
        if destination.is_fifo() != source.is_fifo() {
            return Err(SqsError::InvalidValue("Source queue and destination queue must be of the same type.".into()));
        }
    }
    let running = "SELECT count(*) FROM move_task WHERE source_id = ?1 AND status = 'RUNNING'";
    if connection.prepare_cached(running)?.query_row([source.id], |row| row.get::<_, i64>(0))? > 0 {
        return Err(SqsError::InvalidValue(
            "There is already a task running. Only one active task is allowed for a source queue arn at a given time."
                .into(),
        ));
    }
    let there = "SELECT count(*), ifnull(max(id), 0) FROM message WHERE queue_id = ?1";
    let (to_move, last_id): (i64, i64) =
        connection.prepare_cached(there)?.query_row([source.id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let sql = "INSERT INTO move_task (source_id, source_arn, destination, rate, status, to_move, last_id, started_ms) \
               VALUES (?1, ?2, ?3, ?4, 'RUNNING', ?5, ?6, ?7)";
    let rate = input.max_number_of_messages_per_second;
    connection.prepare_cached(sql)?.execute(params![
        source.id,
        arn,
        input.destination_arn,
        rate,
        to_move,
        last_id,
        now
    ])?;
    Ok((connection.last_insert_rowid(), arn))
}

fn step(unit: &mut Unit<'_>, names: &Names, id: i64, now: Millis) -> Result<Next, SqsError> {
    let connection = unit.connection();
    let sql = format!("SELECT {COLUMNS} FROM move_task WHERE id = ?1 AND status = 'RUNNING'");
    let Some(task) = connection.prepare_cached(&sql)?.query_row([id], task).optional()? else { return Ok(Next::Ended) };
    let limit = task.max_number_of_messages_per_second.unwrap_or(STEP).min(STEP);
    let due = "SELECT id, dead_letter_from FROM message \
               WHERE queue_id = (SELECT source_id FROM move_task WHERE id = ?1) AND visible_ms <= ?2 AND id <= ?3 ORDER BY id LIMIT ?4";
    let messages = connection
        .prepare_cached(due)?
        .query_map(params![id, now, task.last_id, limit], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<Vec<(i64, Option<String>)>, _>>()?;
    if messages.is_empty() {
        return end(unit, id, "COMPLETED", None);
    }
    for (message, from) in messages {
        let Some(target) = task.destination_arn.clone().or(from) else {
            return end(unit, id, "FAILED", Some("CouldNotDetermineMessageSource"));
        };
        let target = names.queue_in_arn(&target).map(|name| find_queue(unit.connection(), name)).transpose()?.flatten();
        let Some(target) = target else {
            return end(unit, id, "FAILED", Some("AWS.SimpleQueueService.NonExistentQueue"));
        };
        resend(unit, message, &target, now)?;
        unit.connection().prepare_cached("UPDATE move_task SET moved = moved + 1 WHERE id = ?1")?.execute([id])?;
    }
    Ok(if task.max_number_of_messages_per_second.is_some() { Next::Pause } else { Next::Again })
}

/// A moved message is a new one: another id, sent now, never received, behind all that its queue has.
fn resend(unit: &mut Unit<'_>, message: i64, target: &Queue, now: Millis) -> Result<(), SqsError> {
    let connection = unit.connection();
    let sql = "INSERT INTO message (queue_id, message_id, body, attributes, trace_header, sender, sent_ms, visible_ms, \
               group_id, dedup_id) \
               SELECT ?2, ?3, body, attributes, trace_header, sender, ?4, ?4, group_id, dedup_id FROM message WHERE id = ?1";
    let fields = params![message, target.id, Uuid::new_v4().to_string(), now];
    connection.prepare_cached(sql)?.execute(fields)?;
    let moved = connection.last_insert_rowid();
    let sql = "DELETE FROM message WHERE id = ?1 RETURNING queue_id, group_id";
    let (source, group): (i64, Option<String>) =
        connection.prepare_cached(sql)?.query_row([message], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if target.is_fifo() {
        fifo::settle(connection, source, &group)?;
        fifo::joined(connection, target.id, group.as_deref().unwrap_or_default(), moved)?;
    }
    unit.wake(target.id);
    Ok(())
}

fn end(unit: &Unit<'_>, id: i64, status: &str, failure: Option<&str>) -> Result<Next, SqsError> {
    let sql = "UPDATE move_task SET status = ?2, failure = ?3 WHERE id = ?1";
    unit.connection().prepare_cached(sql)?.execute(params![id, status, failure])?;
    Ok(Next::Ended)
}
