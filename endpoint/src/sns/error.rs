//! What SNS refuses, and under which names it says so.

use http::StatusCode;

use crate::{sqs::SqsError, store::StoreError, wire::Fault};

/// An error of SNS.
#[derive(Debug, thiserror::Error)]
pub(super) enum SnsError {
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    ResourceNotFound(String),
    #[error("invalid parameter: {parameter}. Reason: {reason}")]
    InvalidParameter { parameter: &'static str, reason: String },
    #[error("there should be at least one entry in the request")]
    EmptyBatchRequest,
    #[error("the maximum number of entries per request is 10, and this one has {0}")]
    TooManyEntriesInBatchRequest(usize),
    #[error("the entry id {0:?} is used twice")]
    BatchEntryIdsNotDistinct(String),
    #[error("the entry id {0:?} is not valid: 1 to 80 letters, digits, hyphens and underscores")]
    InvalidBatchEntryId(String),
    #[error("the messages of a batch cannot be longer than {limit} bytes together, and these have {size}")]
    BatchRequestTooLong { limit: usize, size: usize },
    #[error("a topic has at most {0} tags")]
    TagLimitExceeded(usize),
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SnsError {
    pub(super) fn invalid(parameter: &'static str, reason: impl Into<String>) -> Self {
        SnsError::InvalidParameter { parameter, reason: reason.into() }
    }

    pub(super) fn no_topic(arn: &str) -> Self {
        SnsError::NotFound(format!("the topic {arn:?} does not exist"))
    }

    pub(super) fn no_subscription(arn: &str) -> Self {
        SnsError::NotFound(format!("the subscription {arn:?} does not exist"))
    }
}

impl From<rusqlite::Error> for SnsError {
    fn from(error: rusqlite::Error) -> Self {
        SnsError::Store(error.into())
    }
}

/// The checks of a message's parts are those of SQS.
impl From<SqsError> for SnsError {
    fn from(error: SqsError) -> Self {
        match error {
            SqsError::Store(error) => SnsError::Store(error),
            other => SnsError::InvalidParameter { parameter: "Message", reason: other.to_string() },
        }
    }
}

impl From<SnsError> for Fault {
    fn from(error: SnsError) -> Self {
        let message = error.to_string();
        let (code, status) = match error {
            SnsError::NotFound(_) => ("NotFound", StatusCode::NOT_FOUND),
            SnsError::ResourceNotFound(_) => ("ResourceNotFound", StatusCode::NOT_FOUND),
            SnsError::InvalidParameter { .. } => ("InvalidParameter", StatusCode::BAD_REQUEST),
            SnsError::EmptyBatchRequest => ("EmptyBatchRequest", StatusCode::BAD_REQUEST),
            SnsError::TooManyEntriesInBatchRequest(_) => ("TooManyEntriesInBatchRequest", StatusCode::BAD_REQUEST),
            SnsError::BatchEntryIdsNotDistinct(_) => ("BatchEntryIdsNotDistinct", StatusCode::BAD_REQUEST),
            SnsError::InvalidBatchEntryId(_) => ("InvalidBatchEntryId", StatusCode::BAD_REQUEST),
            SnsError::BatchRequestTooLong { .. } => ("BatchRequestTooLong", StatusCode::BAD_REQUEST),
            SnsError::TagLimitExceeded(_) => ("TagLimitExceeded", StatusCode::BAD_REQUEST),
            SnsError::Fault(fault) => return fault,
            SnsError::Store(error) => return Fault::internal(&error.to_string()),
        };
        Fault::new(code, code, status, message)
    }
}
