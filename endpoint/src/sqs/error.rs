//! What SQS refuses, and under which names it says so.

use http::StatusCode;

use crate::{store::StoreError, wire::Fault};

/// An error of SQS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SqsError {
    #[error("the specified queue {0:?} does not exist")]
    QueueDoesNotExist(String),
    #[error("a queue named {name} already exists with another value of the attribute {attribute}")]
    QueueNameExists { name: String, attribute: String },
    #[error("{0:?} is not the URL of a queue of this endpoint: it looks like http://HOST:PORT/ACCOUNT/NAME")]
    InvalidAddress(String),
    #[error("unknown attribute {0}")]
    InvalidAttributeName(String),
    #[error("invalid value for the parameter {attribute}: {reason}")]
    InvalidAttributeValue { attribute: String, reason: String },
    #[error("value {value} for parameter {parameter} is invalid. Reason: {reason}")]
    InvalidParameter { parameter: &'static str, value: String, reason: String },
    #[error("the request must contain the parameter {0}")]
    MissingParameter(&'static str),
    #[error(
        "the message has characters outside the allowed set (#x9, #xA, #xD, #x20 to #xD7FF, #xE000 to #xFFFD, #x10000 to #x10FFFF)"
    )]
    InvalidMessageContents,
    #[error("the input receipt handle {0:?} is not a valid receipt handle of this queue")]
    ReceiptHandleIsInvalid(String),
    #[error("the message is not in flight: it was deleted, received again, or its visibility timeout is over")]
    MessageNotInflight,
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
    #[error("{0}")]
    UnsupportedOperation(String),
    #[error("{0}")]
    ResourceNotFound(String),
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for SqsError {
    fn from(error: rusqlite::Error) -> Self {
        SqsError::Store(error.into())
    }
}

impl From<SqsError> for Fault {
    fn from(error: SqsError) -> Self {
        let message = error.to_string();
        let (shape, code) = match error {
            SqsError::QueueDoesNotExist(_) => {
                ("com.amazonaws.sqs#QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue")
            }
            SqsError::QueueNameExists { .. } => ("com.amazonaws.sqs#QueueNameExists", "QueueAlreadyExists"),
            SqsError::InvalidAddress(_) => ("com.amazonaws.sqs#InvalidAddress", "InvalidAddress"),
            SqsError::InvalidAttributeName(_) => ("com.amazonaws.sqs#InvalidAttributeName", "InvalidAttributeName"),
            SqsError::InvalidAttributeValue { .. } => {
                ("com.amazonaws.sqs#InvalidAttributeValue", "InvalidAttributeValue")
            }
            SqsError::InvalidParameter { .. } => {
                ("com.amazon.coral.service#InvalidParameterValueException", "InvalidParameterValue")
            }
            SqsError::MissingParameter(_) => {
                ("com.amazon.coral.service#MissingRequiredParameterException", "MissingParameter")
            }
            SqsError::InvalidMessageContents => ("com.amazonaws.sqs#InvalidMessageContents", "InvalidMessageContents"),
            SqsError::ReceiptHandleIsInvalid(_) => {
                ("com.amazonaws.sqs#ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid")
            }
            SqsError::MessageNotInflight => {
                ("com.amazonaws.sqs#MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight")
            }
            SqsError::EmptyBatchRequest => {
                ("com.amazonaws.sqs#EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest")
            }
            SqsError::TooManyEntriesInBatchRequest(_) => (
                "com.amazonaws.sqs#TooManyEntriesInBatchRequest",
                "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
            ),
            SqsError::BatchEntryIdsNotDistinct(_) => {
                ("com.amazonaws.sqs#BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct")
            }
            SqsError::InvalidBatchEntryId(_) => {
                ("com.amazonaws.sqs#InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId")
            }
            SqsError::BatchRequestTooLong { .. } => {
                ("com.amazonaws.sqs#BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong")
            }
            SqsError::UnsupportedOperation(_) => {
                ("com.amazonaws.sqs#UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation")
            }
            SqsError::ResourceNotFound(_) => {
                ("com.amazonaws.sqs#ResourceNotFoundException", "ResourceNotFoundException")
            }
            SqsError::Fault(fault) => return fault,
            SqsError::Store(error) => return Fault::internal(&error.to_string()),
        };
        Fault::new(shape, code, StatusCode::BAD_REQUEST, message)
    }
}
