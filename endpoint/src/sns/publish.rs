//! Messages in: what a publish asks for and is told. [`super::fan_out`] puts them on their way.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Millis;

use super::{
    Sns, endpoints,
    error::SnsError,
    fan_out::{Accepted, Caller, Draft, Publication},
    message::{MAX_MESSAGE, Published},
};

const MAX_ENTRIES: usize = 10;

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Publish {
    topic_arn: Option<String>,
    target_arn: Option<String>,
    phone_number: Option<String>,
    #[serde(flatten)]
    message: Published,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct PublishBatch {
    topic_arn: String,
    publish_batch_request_entries: Vec<Entry>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Entry {
    id: String,
    #[serde(flatten)]
    message: Published,
}

/// The answer to a batch, which is accepted as a whole or not at all.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchOutput {
    successful: Vec<Accepted>,
    failed: [(); 0],
}

impl Sns {
    pub(super) async fn publish(&self, input: Publish, caller: Caller) -> Result<Accepted, SnsError> {
        if let Some(number) = input.phone_number {
            return send_text(&number, &input.message);
        }
        let arn = input.topic_arn.or(input.target_arn).unwrap_or_default();
        if arn.contains(":endpoint/") {
            // There are none on this machine.
            return Err(SnsError::invalid("TargetArn", "No endpoint found for the target arn specified"));
        }
        input.message.check("")?;
        let drafts = vec![Draft::new(None, input.message)];
        let mut accepted = self.fan_out(arn, drafts, caller, self.clock.now()).await?;
        Ok(accepted.remove(0))
    }

    pub(super) async fn publish_batch(&self, input: PublishBatch, caller: Caller) -> Result<BatchOutput, SnsError> {
        let entries = input.publish_batch_request_entries;
        check_batch(&entries)?;
        for (number, entry) in (1..).zip(&entries) {
            entry.message.check(&format!("publishBatchRequestEntries.{number}.member."))?;
        }
        let drafts = entries.into_iter().map(|Entry { id, message }| Draft::new(Some(id), message)).collect();
        let successful = self.fan_out(input.topic_arn, drafts, caller, self.clock.now()).await?;
        Ok(BatchOutput { successful, failed: [] })
    }

    /// Publishes messages to a topic, all of them or none, and answers for each.
    async fn fan_out(
        &self,
        topic_arn: String,
        drafts: Vec<Draft>,
        caller: Caller,
        now: Millis,
    ) -> Result<Vec<Accepted>, SnsError> {
        let publication = Publication { names: self.names.clone(), caller, topic_arn, drafts, now };
        self.write_signed(move |unit, signatures| publication.run(unit, signatures)).await
    }
}

/// Takes a text message, which nobody gets: nothing leaves this machine.
fn send_text(number: &str, message: &Published) -> Result<Accepted, SnsError> {
    if !endpoints::is_phone_number(number) {
        return Err(SnsError::invalid("PhoneNumber", format!("{number} is not valid to publish to")));
    }
    message.check("")?;
    tracing::debug!("a text message was taken and is sent to nobody");
    Ok(Accepted::new(None, Uuid::new_v4().to_string(), None))
}

fn check_batch(entries: &[Entry]) -> Result<(), SnsError> {
    match entries.len() {
        0 => return Err(SnsError::EmptyBatchRequest),
        1..=MAX_ENTRIES => {}
        _ => return Err(SnsError::TooManyEntriesInBatchRequest),
    }
    let mut seen = HashSet::new();
    for Entry { id, .. } in entries {
        if id.len() > 80 {
            return Err(SnsError::InvalidBatchEntryId(format!("is too long: {id}")));
        }
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            return Err(SnsError::InvalidBatchEntryId(format!("contains an impermissible character: {id}")));
        }
        if !seen.insert(id) {
            return Err(SnsError::BatchEntryIdsNotDistinct);
        }
    }
    let size = entries.iter().map(|entry| entry.message.size()).sum::<usize>();
    if size > MAX_MESSAGE { Err(SnsError::BatchRequestTooLong) } else { Ok(()) }
}
