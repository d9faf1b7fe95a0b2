//! An error as SDKs expect it, whatever the protocol.

use std::error::Error;

use http::StatusCode;
use serde_json::json;

/// An error on its way to a client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Fault {
    /// The full shape name in JSON answers.
    pub(crate) shape: &'static str,
    /// The code in query answers, which newer SDKs also look for in a header of JSON answers.
    pub(crate) code: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    /// What query answers say instead of the message, where the service never gave up an older wording.
    pub(crate) query_message: Option<&'static str>,
}

impl Fault {
    pub(crate) fn new(shape: &'static str, code: &'static str, status: StatusCode, message: impl Into<String>) -> Self {
        Fault { shape, code, status, message: message.into(), query_message: None }
    }

    pub(crate) fn with_query_message(mut self, message: &'static str) -> Self {
        self.query_message = Some(message);
        self
    }

    fn client(shape: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Fault::new(shape, code, StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn internal(reason: &str) -> Self {
        tracing::error!(reason, "a request failed inside");
        let shape = "com.amazon.coral.service#InternalFailure";
        Fault::new(shape, "InternalFailure", StatusCode::INTERNAL_SERVER_ERROR, format!("internal failure: {reason}"))
    }

    pub(crate) fn serialization(reason: &str) -> Self {
        Fault::client("com.amazon.coral.service#SerializationException", "MalformedInput", reason)
    }

    pub(crate) fn malformed_query(reason: &str) -> Self {
        Fault::client("com.amazon.coral.service#SerializationException", "MalformedQueryString", reason)
    }

    pub(crate) fn missing_action() -> Self {
        let message = "the request names no Action";
        Fault::client("com.amazon.coral.service#UnknownOperationException", "MissingAction", message)
    }

    pub(crate) fn unknown_action(action: &str) -> Self {
        let message = format!("The action {action} is not valid for this endpoint.");
        Fault::client("com.amazon.coral.service#UnknownOperationException", "InvalidAction", message)
    }

    pub(crate) fn unknown_service(service: &str) -> Self {
        let message = format!("the service {service} is not offered by this endpoint, which has s3, sqs and sns");
        Fault::client("com.amazon.coral.service#UnknownOperationException", "InvalidAction", message)
    }

    pub(crate) fn not_implemented(action: &str) -> Self {
        let shape = "com.amazon.coral.service#UnknownOperationException";
        let message = format!("{action} is not implemented on this endpoint");
        Fault::new(shape, "NotImplemented", StatusCode::NOT_IMPLEMENTED, message)
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        let shape = "com.amazon.coral.service#RequestEntityTooLargeException";
        let message = format!("the request is larger than {limit} bytes");
        Fault::new(shape, "RequestEntityTooLarge", StatusCode::PAYLOAD_TOO_LARGE, message)
    }

    /// Of a call whose body did not come whole.
    pub(crate) fn incomplete(reason: &(dyn Error + Send + Sync + 'static)) -> Self {
        let (shape, code) = ("com.amazon.coral.service#RequestTimeoutException", "RequestTimeout");
        Fault::new(shape, code, StatusCode::REQUEST_TIMEOUT, format!("the request is not complete: {reason}"))
    }

    pub(crate) fn is_senders(&self) -> bool {
        !self.status.is_server_error()
    }

    /// `CODE;Sender`, the header that carries the query code beside a JSON error.
    pub(super) fn query_error(&self) -> String {
        format!("{};{}", self.code, if self.is_senders() { "Sender" } else { "Receiver" })
    }

    pub(super) fn to_json(&self) -> String {
        json!({"__type": self.shape, "message": self.message}).to_string()
    }
}
