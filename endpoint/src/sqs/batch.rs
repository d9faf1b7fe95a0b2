//! What all batches have in common: their limits, and answers an entry.

use std::collections::HashSet;

use serde::Serialize;

use crate::wire::Fault;

use super::error::SqsError;

const MAX_ENTRIES: usize = 10;
const MAX_ID: usize = 80;

/// The answer to a batch: each entry by its id, in one list or the other.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchOutput<T> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) successful: Vec<T>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) failed: Vec<FailedEntry>,
}

/// Why one entry of a batch failed.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct FailedEntry {
    id: String,
    sender_fault: bool,
    code: &'static str,
    message: String,
}

/// An entry that succeeded and has nothing more to say.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Succeeded {
    pub(super) id: String,
}

impl<T> BatchOutput<T> {
    pub(super) fn new() -> Self {
        BatchOutput { successful: Vec::new(), failed: Vec::new() }
    }

    /// Notes what became of an entry. What went wrong inside, and not with the entry, fails the whole batch, so that none of it
    /// happens.
    pub(super) fn add(&mut self, id: String, outcome: Result<T, SqsError>) -> Result<(), SqsError> {
        match outcome {
            Ok(output) => self.successful.push(output),
            Err(error @ SqsError::Store(_)) => return Err(error),
            Err(error) => {
                let fault = Fault::from(error);
                let sender_fault = fault.is_senders();
                self.failed.push(FailedEntry { id, sender_fault, code: fault.code, message: fault.message });
            }
        }
        Ok(())
    }
}

/// Checks the ids of a batch; `entry` is what its entries are called.
pub(super) fn check_ids<'a>(ids: impl ExactSizeIterator<Item = &'a str>, entry: &'static str) -> Result<(), SqsError> {
    match ids.len() {
        0 => return Err(SqsError::EmptyBatchRequest(entry)),
        1..=MAX_ENTRIES => {}
        more => return Err(SqsError::TooManyEntriesInBatchRequest(more)),
    }
    let mut seen = HashSet::new();
    for id in ids {
        let valid =
            (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !valid {
            return Err(SqsError::InvalidBatchEntryId);
        }
        if !seen.insert(id) {
            return Err(SqsError::BatchEntryIdsNotDistinct(id.to_owned()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_checked() {
        assert!(check_ids(["a", "b-1_"].into_iter(), "E").is_ok());
        assert!(matches!(check_ids([].into_iter(), "E"), Err(SqsError::EmptyBatchRequest("E"))));
        assert!(matches!(check_ids(["a"; 11].into_iter(), "E"), Err(SqsError::TooManyEntriesInBatchRequest(11))));
        assert!(matches!(check_ids(["a", "a"].into_iter(), "E"), Err(SqsError::BatchEntryIdsNotDistinct(_))));
        assert!(matches!(check_ids(["a b"].into_iter(), "E"), Err(SqsError::InvalidBatchEntryId)));
    }
}
