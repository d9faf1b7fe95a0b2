//! What SQS refuses, under the names and in the words that it has for it: programs and their tests look at both.

use std::ops::RangeInclusive;

use http::StatusCode;

use crate::{store::StoreError, wire::Fault};

/// What a visibility timeout must be.
pub(super) const VISIBILITY_RANGE: &str = "VisibilityTimeout must be an integer between 0 and 43200.";

/// An error of SQS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SqsError {
    #[error("The specified queue does not exist.")]
    QueueDoesNotExist(String),
    #[error("A queue already exists with the same name and a different value for attribute {attribute}")]
    QueueNameExists { attribute: String },
    #[error("The address {0} is not valid for this endpoint: a queue's URL looks like http://HOST:PORT/ACCOUNT/NAME.")]
    InvalidAddress(String),
    #[error("Unknown Attribute {0}.")]
    InvalidAttributeName(String),
    #[error(
        "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE."
    )]
    TwoEncryptions,
    #[error("Invalid value for the parameter {attribute}. Reason: {reason}")]
    InvalidAttributeValue { attribute: String, reason: String },
    #[error("Value {value} for parameter {parameter} is invalid. Reason: {reason}")]
    InvalidParameter { parameter: &'static str, value: String, reason: String },
    /// A parameter's value is wrong in a way that has a sentence of its own.
    #[error("{0}")]
    InvalidValue(String),
    #[error("The request must contain the parameter {0}.")]
    MissingParameter(&'static str),
    #[error(
        "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"
    )]
    InvalidMessageContents,
    #[error("The input receipt handle \"{0}\" is not a valid receipt handle.")]
    ReceiptHandleIsInvalid(String),
    #[error("The specified message isn't in flight.")]
    MessageNotInflight,
    #[error("There should be at least one {0} in the request.")]
    EmptyBatchRequest(&'static str),
    #[error("Maximum number of entries per request are 10. You have sent {0}.")]
    TooManyEntriesInBatchRequest(usize),
    #[error("Id {0} repeated.")]
    BatchEntryIdsNotDistinct(String),
    #[error(
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long."
    )]
    InvalidBatchEntryId,
    #[error("Batch requests cannot be longer than {limit} bytes. You have sent {size} bytes.")]
    BatchRequestTooLong { limit: usize, size: usize },
    #[error("Too many messages of the queue {0} are in flight: delete what is done, or receive less at once.")]
    OverLimit(String),
    #[error("{found} Actions were found, maximum allowed is {most}.")]
    TooManyActions { found: usize, most: usize },
    #[error("{0}")]
    ResourceNotFound(String),
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SqsError {
    pub(super) fn invalid(parameter: &'static str, value: impl Into<String>, reason: impl Into<String>) -> Self {
        SqsError::InvalidParameter { parameter, value: value.into(), reason: reason.into() }
    }
}

impl From<rusqlite::Error> for SqsError {
    fn from(error: rusqlite::Error) -> Self {
        SqsError::Store(error.into())
    }
}

impl From<SqsError> for Fault {
    fn from(error: SqsError) -> Self {
        let message = error.to_string();
        let (shape, code, status) = match error {
            SqsError::QueueDoesNotExist(_) => {
                let (shape, code) = ("com.amazonaws.sqs#QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue");
                return Fault::new(shape, code, StatusCode::BAD_REQUEST, message)
                    .with_query_message("The specified queue does not exist for this wsdl version.");
            }
            SqsError::QueueNameExists { .. } => ("com.amazonaws.sqs#QueueNameExists", "QueueAlreadyExists", 400),
            SqsError::InvalidAddress(_) => ("com.amazonaws.sqs#InvalidAddress", "InvalidAddress", 400),
            SqsError::InvalidAttributeName(_) | SqsError::TwoEncryptions => {
                ("com.amazonaws.sqs#InvalidAttributeName", "InvalidAttributeName", 400)
            }
            SqsError::InvalidAttributeValue { .. } => {
                ("com.amazonaws.sqs#InvalidAttributeValue", "InvalidAttributeValue", 400)
            }
            SqsError::InvalidParameter { .. } | SqsError::InvalidValue(_) => {
                ("com.amazon.coral.service#InvalidParameterValueException", "InvalidParameterValue", 400)
            }
            SqsError::MissingParameter(_) => {
                ("com.amazon.coral.service#MissingRequiredParameterException", "MissingParameter", 400)
            }
            SqsError::InvalidMessageContents => {
                ("com.amazonaws.sqs#InvalidMessageContents", "InvalidMessageContents", 400)
            }
            SqsError::ReceiptHandleIsInvalid(_) => {
                ("com.amazonaws.sqs#ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", 400)
            }
            SqsError::MessageNotInflight => {
                ("com.amazonaws.sqs#MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight", 400)
            }
            SqsError::EmptyBatchRequest(_) => {
                ("com.amazonaws.sqs#EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest", 400)
            }
            SqsError::TooManyEntriesInBatchRequest(_) => (
                "com.amazonaws.sqs#TooManyEntriesInBatchRequest",
                "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
                400,
            ),
            SqsError::BatchEntryIdsNotDistinct(_) => {
                ("com.amazonaws.sqs#BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", 400)
            }
            SqsError::InvalidBatchEntryId => {
                ("com.amazonaws.sqs#InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId", 400)
            }
            SqsError::BatchRequestTooLong { .. } => {
                ("com.amazonaws.sqs#BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong", 400)
            }
            SqsError::OverLimit(_) => ("com.amazonaws.sqs#OverLimit", "OverLimit", 400),
            SqsError::TooManyActions { .. } => ("com.amazonaws.sqs#OverLimit", "OverLimit", 403),
            SqsError::ResourceNotFound(_) => {
                ("com.amazonaws.sqs#ResourceNotFoundException", "ResourceNotFoundException", 404)
            }
            SqsError::Fault(fault) => return fault,
            SqsError::Store(error) => return Fault::internal(&error.to_string()),
        };
        Fault::new(shape, code, StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), message)
    }
}

/// Checks that a number, where it is given, is in its range.
pub(super) fn within(
    parameter: &'static str,
    value: Option<i64>,
    range: RangeInclusive<i64>,
    reason: &str,
) -> Result<Option<i64>, SqsError> {
    match value {
        Some(value) if !range.contains(&value) => Err(SqsError::invalid(parameter, value.to_string(), reason)),
        _ => Ok(value),
    }
}
