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
    error::SqsError,
    receipt::Receipt,
    receive::within,
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
        let delete_one = move |unit: &mut Unit<'_>| {
            let queue = existing_queue(unit.connection(), &name)?;
            delete(unit, &queue, &input.receipt_handle)
        };
        self.store.write(delete_one).await
    }

    pub(super) async fn change_visibility(&self, input: ChangeVisibility) -> Result<(), SqsError> {
        let name = self.queue_of(&input.queue_url)?;
        let now = self.clock.now();
        let change_one = move |unit: &mut Unit<'_>| {
            let queue = existing_queue(unit.connection(), &name)?;
            hide(unit, &queue, &input.receipt_handle, input.visibility_timeout, now)
        };
        self.store.write(change_one).await
    }

    pub(super) async fn delete_batch(&self, input: HandleBatch) -> Result<BatchOutput<Succeeded>, SqsError> {
        self.each_handle(input, |unit, queue, entry| delete(unit, queue, &entry.receipt_handle)).await
    }

    pub(super) async fn change_visibility_batch(&self, input: HandleBatch) -> Result<BatchOutput<Succeeded>, SqsError> {
        let now = self.clock.now();
        self.each_handle(input, move |unit, queue, entry| {
            hide(unit, queue, &entry.receipt_handle, entry.visibility_timeout, now)
        })
        .await
    }

    async fn each_handle(
        &self,
        input: HandleBatch,
        change: impl Fn(&mut Unit<'_>, &Queue, &HandleEntry) -> Result<(), SqsError> + Send + 'static,
    ) -> Result<BatchOutput<Succeeded>, SqsError> {
        let name = self.queue_of(&input.queue_url)?;
        batch::check_ids(input.entries.iter().map(|entry| entry.id.as_str()))?;
        let change_each = move |unit: &mut Unit<'_>| {
            let queue = existing_queue(unit.connection(), &name)?;
            let mut output = BatchOutput::new();
            for entry in input.entries {
                let outcome = change(unit, &queue, &entry).map(|()| Succeeded { id: entry.id.clone() });
                output.add(entry.id, outcome)?;
            }
            Ok(output)
        };
        self.store.write(change_each).await
    }
}

/// Deletes the message of a handle. An older handle than the last deletes nothing and is no error, as is one of a message that
/// is gone.
fn delete(unit: &Unit<'_>, queue: &Queue, handle: &str) -> Result<(), SqsError> {
    let receipt = decode(handle, queue)?;
    let sql = "DELETE FROM message WHERE id = ?1 AND queue_id = ?2 AND receipt = ?3";
    unit.connection().prepare_cached(sql)?.execute(params![receipt.message, queue.id, receipt.nonce])?;
    Ok(())
}

/// Hides the message of a handle for `timeout` seconds from now.
pub(super) fn hide(
    unit: &mut Unit<'_>,
    queue: &Queue,
    handle: &str,
    timeout: Option<i64>,
    now: Millis,
) -> Result<(), SqsError> {
    let receipt = decode(handle, queue)?;
    let timeout = within("VisibilityTimeout", timeout, 0, MAX_VISIBILITY)?;
    let timeout = timeout.ok_or(SqsError::MissingParameter("VisibilityTimeout"))?;
    let received: Millis = unit
        .connection()
        .prepare_cached(
            "SELECT received_ms FROM message WHERE id = ?1 AND queue_id = ?2 AND receipt = ?3 AND visible_ms > ?4",
        )?
        .query_row(params![receipt.message, queue.id, receipt.nonce, now], |row| row.get(0))
        .optional()?
        .ok_or(SqsError::MessageNotInflight)?;
    let hidden_until = now + timeout * SECOND;
    if hidden_until - received > MAX_VISIBILITY * SECOND {
        return Err(SqsError::InvalidParameter {
            parameter: "VisibilityTimeout",
            value: timeout.to_string(),
            reason: format!("a message may stay hidden for {MAX_VISIBILITY} seconds in all since it was received"),
        });
    }
    let sql = "UPDATE message SET visible_ms = ?2 WHERE id = ?1";
    unit.connection().prepare_cached(sql)?.execute(params![receipt.message, hidden_until])?;
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
