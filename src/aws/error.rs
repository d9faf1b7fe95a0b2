//! What AWS refuses, in the words that decide what is to be done: log in, be allowed, wait, or look at the resource.

use std::error::Error as StdError;

use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};

/// Why something on AWS could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody is logged in, or the login has expired.
    #[error("AWS does not know who you are: {0}")]
    Credentials(String),
    /// Nothing says which region is meant.
    #[error("no AWS region is set")]
    NoRegion,
    /// Whoever is logged in may not do this.
    #[error("not allowed to {action} on {resource}: {message}")]
    Denied {
        /// The IAM action that is missing.
        action: String,
        /// What it was to be done to.
        resource: String,
        /// AWS's words.
        message: String,
    },
    /// AWS asks to be left alone for a while, after all of the SDK's own tries.
    #[error("{operation} on {resource} is throttled by AWS: {message}")]
    Throttled {
        /// The operation.
        operation: &'static str,
        /// What it was to be done to.
        resource: String,
        /// AWS's words.
        message: String,
    },
    /// AWS answered that it cannot be done.
    #[error("{operation} on {resource} failed: {message} ({code})")]
    Refused {
        /// The operation.
        operation: &'static str,
        /// What it was to be done to.
        resource: String,
        /// AWS's code, such as `ValidationError`.
        code: String,
        /// AWS's words.
        message: String,
    },
    /// No answer came.
    #[error("{operation} on {resource}: AWS cannot be reached")]
    Unreachable {
        /// The operation.
        operation: &'static str,
        /// What it was to be done to.
        resource: String,
        /// Why.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A file of ours cannot be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

impl Error {
    /// Tells whether it may pass by itself: whoever polls goes on, only slower.
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Throttled { .. } | Self::Unreachable { .. })
    }

    /// Tells whether somebody else works on the same stack.
    pub fn is_contention(&self) -> bool {
        const CODES: &[&str] =
            &["AlreadyExistsException", "ChangeSetNotFound", "InvalidChangeSetStatus", "OperationInProgressException"];
        matches!(self, Self::Refused { code, message, .. }
            if CODES.contains(&code.as_str()) || message.contains("_IN_PROGRESS state"))
    }

    /// Tells whether AWS answered with this code.
    pub fn has_code(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused { code, .. } if code == wanted)
    }

    /// Tells whether AWS's words hold these.
    pub fn says(&self, words: &str) -> bool {
        matches!(self, Self::Refused { message, .. } if message.contains(words))
    }
}

/// What a call is about, for its error.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    /// IAM's name of the service, which begins the action that may be missing.
    pub(super) service: &'static str,
    /// The operation, as AWS writes it.
    pub(super) operation: &'static str,
    /// What it is done to.
    pub(super) resource: &'a str,
}

impl<'a> Call<'a> {
    pub(super) const fn new(service: &'static str, operation: &'static str, resource: &'a str) -> Self {
        Self { service, operation, resource }
    }

    /// Reads an error of the SDK. To be given to `map_err`.
    pub(super) fn failed<E>(self) -> impl FnOnce(SdkError<E>) -> Error
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        move |error| match error.as_service_error() {
            Some(refused) => {
                let status = error.raw_response().map(|response| response.status().as_u16());
                let number = status.map(|status| format!("HTTP {status}"));
                let code = refused.code().or(number.as_deref()).unwrap_or("an answer without a code");
                // What does not hold what its operation answers is an error of the service to the SDK, whatever its status.
                let unread = status.is_some_and(|status| (200..300).contains(&status));
                let why = if unread { "its answer could not be read" } else { "AWS does not say why" };
                self.refused(code, refused.message().unwrap_or(why))
            }
            None => self.unreachable(error),
        }
    }

    fn refused(self, code: &str, message: &str) -> Error {
        let Self { service, operation, resource } = self;
        let (resource, message) = (resource.to_owned(), message.to_owned());
        if is_login(code) {
            return Error::Credentials(message);
        }
        if is_denial(code) {
            return Error::Denied { action: format!("{service}:{operation}"), resource, message };
        }
        if is_throttling(code) {
            return Error::Throttled { operation, resource, message };
        }
        Error::Refused { operation, resource, code: code.to_owned(), message }
    }

    fn unreachable<E: StdError + Send + Sync + 'static>(self, error: SdkError<E>) -> Error {
        let Self { operation, resource, .. } = self;
        let words = crate::error::chain(&error);
        // The SDK looks for credentials when it signs the first call.
        if words.contains("credentials") {
            return Error::Credentials(words);
        }
        Error::Unreachable { operation, resource: resource.to_owned(), source: Box::new(error) }
    }
}

/// The login is missing, wrong or old.
fn is_login(code: &str) -> bool {
    const CODES: &[&str] = &[
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "InvalidClientTokenId",
        "InvalidAccessKeyId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
        "AuthFailure",
        "InvalidToken",
    ];
    CODES.contains(&code)
}

fn is_denial(code: &str) -> bool {
    const CODES: &[&str] = &[
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "Client.UnauthorizedOperation",
        "AuthorizationError",
        "AuthorizationErrorException",
        "NotAuthorized",
        "Forbidden",
        "HTTP 403",
    ];
    CODES.contains(&code)
}

fn is_throttling(code: &str) -> bool {
    const CODES: &[&str] = &[
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "SlowDown",
        "PriorRequestNotComplete",
        "ServiceUnavailable",
        "InternalFailure",
        "InternalError",
    ];
    CODES.contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Call<'static> = Call::new("cloudformation", "DescribeStacks", "photos-dev");

    #[test]
    fn codes_decide_what_is_to_be_done() {
        assert!(matches!(CALL.refused("ExpiredToken", "old"), Error::Credentials(_)));
        assert!(matches!(CALL.refused("AccessDenied", "no"), Error::Denied { .. }));
        assert!(CALL.refused("Throttling", "Rate exceeded").may_pass());
        let other = CALL.refused("ValidationError", "Stack [x] does not exist");
        assert!(!other.may_pass() && other.has_code("ValidationError") && other.says("does not exist"));
    }

    #[test]
    fn a_denial_names_the_permission_that_is_missing() {
        let error = CALL.refused("AccessDenied", "User: arn:aws:iam::1:user/x is not authorized").to_string();
        assert_eq!(
            error,
            "not allowed to cloudformation:DescribeStacks on photos-dev: User: arn:aws:iam::1:user/x is not authorized"
        );
    }
}
