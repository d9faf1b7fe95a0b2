//! What SNS refuses, under the names and in the words that it has for it: programs and their tests look at both.

use http::StatusCode;

use crate::{sqs::SqsError, store::StoreError, tags::Wrong, wire::Fault};

use super::{signing::ToSign, signing_key::KeyError};

/// An error of SNS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnsError {
    #[error("Topic does not exist")]
    NoTopic,
    #[error("Subscription does not exist")]
    NoSubscription,
    /// What operations on tags say of a topic that is missing.
    #[error("Resource does not exist")]
    NoResource,
    #[error("Invalid parameter: {0}")]
    InvalidParameter(String),
    /// A message attribute is wrong, which has a code of its own.
    #[error("{0}")]
    InvalidValue(String),
    #[error("Invalid token")]
    InvalidToken,
    #[error("Invalid SMS endpoint: {0}")]
    InvalidPhone(String),
    /// What the service's own framework refuses before the service sees it.
    #[error("1 validation error detected: Value null at '{0}' failed to satisfy constraint: Member must not be null")]
    Missing(String),
    #[error("User is not authorized: sign the request, the subscription was confirmed with AuthenticateOnUnsubscribe")]
    NotAuthorized,
    #[error("The batch request doesn't contain any entries.")]
    EmptyBatchRequest,
    #[error("The batch request contains more entries than permissible.")]
    TooManyEntriesInBatchRequest,
    #[error("Two or more batch entries in the request have the same Id.")]
    BatchEntryIdsNotDistinct,
    #[error("The Id of a batch entry in the batch request {0}")]
    InvalidBatchEntryId(String),
    #[error("The length of all the messages put together is more than the limit.")]
    BatchRequestTooLong,
    #[error("Could not complete request: tag quota of per resource exceeded")]
    TagLimitExceeded,
    /// The unit of work lacks signatures; it is run again with them, so that nobody is told.
    #[error("{} signatures are missing", .0.len())]
    Unsigned(Vec<ToSign>),
    #[error("no message can be signed: {0}")]
    Key(#[from] KeyError),
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SnsError {
    /// A parameter with what is wrong about it.
    pub(super) fn invalid(parameter: &str, reason: impl AsRef<str>) -> Self {
        SnsError::InvalidParameter(format!("{parameter} Reason: {}", reason.as_ref()))
    }

    /// A sentence of its own.
    pub(super) fn refused(reason: impl Into<String>) -> Self {
        SnsError::InvalidParameter(reason.into())
    }
}

impl From<rusqlite::Error> for SnsError {
    fn from(error: rusqlite::Error) -> Self {
        SnsError::Store(error.into())
    }
}

impl From<Wrong> for SnsError {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::TooMany => SnsError::TagLimitExceeded,
            wrong => SnsError::invalid("Tags", wrong.to_string()),
        }
    }
}

/// The checks of a message's parts are those of SQS.
impl From<SqsError> for SnsError {
    fn from(error: SqsError) -> Self {
        match error {
            SqsError::Store(error) => SnsError::Store(error),
            other => SnsError::invalid("Message", other.to_string()),
        }
    }
}

impl From<SnsError> for Fault {
    fn from(error: SnsError) -> Self {
        let message = error.to_string();
        let (code, status) = match error {
            SnsError::NoTopic | SnsError::NoSubscription => ("NotFound", StatusCode::NOT_FOUND),
            SnsError::NoResource => ("ResourceNotFound", StatusCode::NOT_FOUND),
            SnsError::InvalidParameter(_) | SnsError::InvalidToken | SnsError::InvalidPhone(_) => {
                ("InvalidParameter", StatusCode::BAD_REQUEST)
            }
            SnsError::Missing(_) => ("ValidationError", StatusCode::BAD_REQUEST),
            SnsError::InvalidValue(_) => ("ParameterValueInvalid", StatusCode::BAD_REQUEST),
            SnsError::NotAuthorized => ("AuthorizationError", StatusCode::FORBIDDEN),
            SnsError::EmptyBatchRequest => ("EmptyBatchRequest", StatusCode::BAD_REQUEST),
            SnsError::TooManyEntriesInBatchRequest => ("TooManyEntriesInBatchRequest", StatusCode::BAD_REQUEST),
            SnsError::BatchEntryIdsNotDistinct => ("BatchEntryIdsNotDistinct", StatusCode::BAD_REQUEST),
            SnsError::InvalidBatchEntryId(_) => ("InvalidBatchEntryId", StatusCode::BAD_REQUEST),
            SnsError::BatchRequestTooLong => ("BatchRequestTooLong", StatusCode::BAD_REQUEST),
            SnsError::TagLimitExceeded => ("TagLimitExceeded", StatusCode::BAD_REQUEST),
            SnsError::Unsigned(_) | SnsError::Key(_) => return Fault::internal(&message),
            SnsError::Fault(fault) => return fault,
            SnsError::Store(error) => return Fault::internal(&error.to_string()),
        };
        Fault::new(code, code, status, message)
    }
}
