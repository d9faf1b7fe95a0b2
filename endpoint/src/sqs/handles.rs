//! What a receiver does with its handles: deleting messages and changing how long they stay hidden.

use rusqlite::{OptionalExtension, params};
use serde::Deserialize;

use crate::{
    clock::{Millis, SECOND},
    store::Unit,
    wire::lenient,
};

use super::{
    Sqs,
    attributes::MAX_VISIBILITY,
    batch::{self, BatchOutput, Succeeded},
    error::{SqsError, VISIBILITY_RANGE, within},
    fifo,
    receipt::Receipt,
    rows::{Queue, existing_queue},
};

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct DeleteMessage {
    queue_url: String,
    receipt_handle: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ChangeVisibility {
    queue_url: String,
    receipt_handle: String,
    #[serde(deserialize_with = "lenient::number")]
    visibility_timeout: Option<i64>,
}

/// A batch of either; deleting has no timeout.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct HandleBatch {
    queue_url: String,
    entries: Vec<HandleEntry>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct HandleEntry {
    id: String,
    receipt_handle: String,
    #[serde(deserialize_with = "lenient::number")]
    visibility_timeout: Option<i64>,
}

impl Sqs {
    pub(super) async fn delete_message(&self, input: DeleteMessage) -> Result<(), SqsError> {
        let name = self.queue_of(&input.queue_url)?;
        let now = self.clock.now();
        let delete_one = move |unit: &mut Unit<'_>| {
            let queue = existing_queue(unit.connection(), &name)?;
            delete(unit, &queue, &input.receipt_handle, now)
        };
        self.store.write_lightly(delete_one).await
    }

    pub(super) async fn change_visibility(&self, input: ChangeVisibility) -> Result<(), SqsError> {
        let name = self.queue_of(&input.queue_url)?;
        let now = self.clock.now();
        let change_one = move |unit: &mut Unit<'_>| {
            let queue = existing_queue(unit.connection(), &name)?;
            hide(unit, &queue, &input.receipt_handle, input.visibility_timeout, now)
        };
        self.store.write_lightly(change_one).await
    }

    pub(super) async fn delete_batch(&self, input: HandleBatch) -> Result<BatchOutput<Succeeded>, SqsError> {
        let now = self.clock.now();
        self.each_handle(input, "DeleteMessageBatchRequestEntry", move |unit, queue, entry| {
            delete(unit, queue, &entry.receipt_handle, now)
        })
        .await
    }

    pub(super) async fn change_visibility_batch(&self, input: HandleBatch) -> Result<BatchOutput<Succeeded>, SqsError> {
        let now = self.clock.now();
        self.each_handle(input, "ChangeMessageVisibilityBatchRequestEntry", move |unit, queue, entry| {
            hide(unit, queue, &entry.receipt_handle, entry.visibility_timeout, now)
        })
        .await
    }

    async fn each_handle(
        &self,
        input: HandleBatch,
        entry_name: &'static str,
        change: impl Fn(&mut Unit<'_>, &Queue, &HandleEntry) -> Result<(), SqsError> + Send + 'static,
    ) -> Result<BatchOutput<Succeeded>, SqsError> {
        let name = self.queue_of(&input.queue_url)?;
        batch::check_ids(input.entries.iter().map(|entry| entry.id.as_str()), entry_name)?;
        let change_each = move |unit: &mut Unit<'_>| {
            let queue = existing_queue(unit.connection(), &name)?;
            let mut output = BatchOutput::new();
            for entry in input.entries {
                let outcome = change(unit, &queue, &entry).map(|()| Succeeded { id: entry.id.clone() });
                output.add(entry.id, outcome)?;
            }
            Ok(output)
        };
        self.store.write_lightly(change_each).await
    }
}

/// Deletes the message of a handle, old or new: whoever has one has done what the message asked for. One that is gone is no error;
/// but a queue that keeps an order refuses a handle whose time is over, since the message may be with someone else.
pub(super) fn delete(unit: &mut Unit<'_>, queue: &Queue, handle: &str, now: Millis) -> Result<(), SqsError> {
    let receipt = decode(handle, queue)?;
    if !queue.is_fifo() {
        let sql = "DELETE FROM message WHERE id = ?1 AND queue_id = ?2";
        unit.connection().prepare_cached(sql)?.execute([receipt.message, queue.id])?;
        return Ok(());
    }
    let sql =
        "SELECT group_id, ifnull(receipt = ?3, 0) AND visible_ms > ?4 FROM message WHERE id = ?1 AND queue_id = ?2";
    let fields = params![receipt.message, queue.id, receipt.nonce, now];
    let found: Option<(String, bool)> =
        unit.connection().prepare_cached(sql)?.query_row(fields, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    match found {
        None => Ok(()),
        Some((_, false)) => Err(SqsError::invalid("ReceiptHandle", handle, "The receipt handle has expired.")),
        Some((group, true)) => {
            unit.connection().prepare_cached("DELETE FROM message WHERE id = ?1")?.execute([receipt.message])?;
            fifo::settle(unit.connection(), queue.id, [&group])?;
            // The rest of the group may be received now.
            unit.wake(queue.id);
            Ok(())
        }
    }
}

/// Hides the message of a handle for `timeout` seconds from now. That it is visible again, or with someone else, does no harm: but
/// where an order is kept the rest of the group counts on it.
pub(super) fn hide(
    unit: &mut Unit<'_>,
    queue: &Queue,
    handle: &str,
    timeout: Option<i64>,
    now: Millis,
) -> Result<(), SqsError> {
    let receipt = decode(handle, queue)?;
    let timeout = within("VisibilityTimeout", timeout, 0..=MAX_VISIBILITY, VISIBILITY_RANGE)?;
    let timeout = timeout.ok_or(SqsError::MissingParameter("VisibilityTimeout"))?;
    let sql = "SELECT received_ms, NOT ?5 OR (ifnull(receipt = ?3, 0) AND visible_ms > ?4), group_id FROM message \
               WHERE id = ?1 AND queue_id = ?2";
    let found: Option<(Option<Millis>, bool, Option<String>)> = unit
        .connection()
        .prepare_cached(sql)?
        .query_row(params![receipt.message, queue.id, receipt.nonce, now, queue.is_fifo()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let (received, group) = match found {
        Some((Some(received), true, group)) => (received, group),
        Some(_) => return Err(SqsError::MessageNotInflight),
        None => {
            let reason = "Message does not exist or is not available for visibility timeout change.";
            return Err(SqsError::invalid("ReceiptHandle", handle, reason));
        }
    };
    let hidden_until = now + timeout * SECOND;
    if hidden_until - received > MAX_VISIBILITY * SECOND {
        let reason = format!("Total VisibilityTimeout for the message is beyond the limit [{MAX_VISIBILITY} seconds]");
        return Err(SqsError::invalid("VisibilityTimeout", timeout.to_string(), reason));
    }
    let sql = "UPDATE message SET visible_ms = ?2 WHERE id = ?1";
    unit.connection().prepare_cached(sql)?.execute(params![receipt.message, hidden_until])?;
    if queue.is_fifo() {
        fifo::settle(unit.connection(), queue.id, &group)?;
    }
    // Whoever waits must reckon with the new time, whether it is sooner or later.
    unit.wake(queue.id);
    Ok(())
}

fn decode(handle: &str, queue: &Queue) -> Result<Receipt, SqsError> {
    if handle.is_empty() {
        return Err(SqsError::MissingParameter("ReceiptHandle"));
    }
    Receipt::decode(handle, queue.id)
}
