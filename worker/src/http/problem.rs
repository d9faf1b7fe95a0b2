//! Errors as RFC 9457 `application/problem+json`.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

use crate::{catalog::CatalogError, photo::PhotoError, store::StoreError};

/// What can go wrong with a request.
#[derive(Debug, Clone)]
pub(super) enum Problem {
    NotFound(String),
    MethodNotAllowed,
    BadRequest(String),
    TooLarge {
        limit: usize,
    },
    /// The body did not come in fast enough.
    TooSlow,
    NotAnImage(String),
    Unprocessable(String),
    /// Another photo was uploaded under the same `Idempotency-Key`.
    KeyReused,
    /// The image has only so many bytes.
    RangeNotSatisfiable {
        length: u64,
    },
    /// As many requests are under way as may be.
    Busy,
    /// Something behind the site is not there at present.
    Unavailable {
        /// What, by the word under which such faults are counted.
        part: &'static str,
        why: String,
    },
}

/// Goes with an answer to whoever counts faults: what is not there at present.
#[derive(Debug, Clone, Copy)]
pub(super) struct Away(pub(super) &'static str);

impl Problem {
    fn parts(&self) -> (StatusCode, &'static str, String) {
        match self {
            Self::NotFound(what) => (StatusCode::NOT_FOUND, "Not found", what.clone()),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "Method not allowed", "This address takes another method.".to_owned())
            }
            Self::BadRequest(why) => (StatusCode::BAD_REQUEST, "The request cannot be read", why.clone()),
            Self::TooLarge { limit } => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "The upload is too large",
                format!("The largest upload is {limit} bytes."),
            ),
            Self::TooSlow => (
                StatusCode::REQUEST_TIMEOUT,
                "The upload takes too long",
                "Too little of the upload came in for too long. Send it again.".to_owned(),
            ),
            Self::NotAnImage(why) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "Not an image of a known kind", why.clone()),
            Self::Unprocessable(why) => (StatusCode::UNPROCESSABLE_ENTITY, "The image cannot be used", why.clone()),
            Self::KeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "The Idempotency-Key stands for another photo",
                "Another photo came with the same Idempotency-Key. Send this one with a key of its own.".to_owned(),
            ),
            Self::RangeNotSatisfiable { .. } => (
                StatusCode::RANGE_NOT_SATISFIABLE,
                "The range cannot be served",
                "The range lies outside of the image.".to_owned(),
            ),
            Self::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The site is busy",
                "As many requests are under way as there may be. Try again shortly.".to_owned(),
            ),
            Self::Unavailable { .. } => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The site is not ready",
                "Something that the site needs does not answer. Try again shortly.".to_owned(),
            ),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if let Self::Unavailable { why, .. } = &self {
            // The cause is for the log: it may name what outsiders need not know.
            tracing::warn!(why, "a request could not be served");
        }
        let (status, title, detail) = self.parts();
        let body = serde_json::json!({ "title": title, "status": status.as_u16(), "detail": detail }).to_string();
        let mut answer = (status, body).into_response();
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if matches!(self, Self::TooLarge { .. } | Self::TooSlow | Self::Busy) {
            // What is left of the body is not read, so nothing can follow on this connection: who knows does not try.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if let Self::RangeNotSatisfiable { length } = self
            && let Ok(value) = HeaderValue::from_str(&format!("bytes */{length}"))
        {
            headers.insert(header::CONTENT_RANGE, value);
        }
        if matches!(self, Self::Busy | Self::Unavailable { .. }) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        if let Self::Unavailable { part, .. } = self {
            answer.extensions_mut().insert(Away(part));
        }
        answer
    }
}

impl From<CatalogError> for Problem {
    fn from(error: CatalogError) -> Self {
        Self::Unavailable { part: "catalog", why: error.to_string() }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing(key) => Self::NotFound(format!("There is no {key}.")),
            error => Self::Unavailable { part: "bucket", why: error.to_string() },
        }
    }
}

impl From<PhotoError> for Problem {
    fn from(error: PhotoError) -> Self {
        let why = format!("{error}.");
        match error {
            PhotoError::NotAnImage => Self::NotAnImage(why),
            _ => Self::Unprocessable(why),
        }
    }
}

pub(super) async fn not_found() -> Problem {
    Problem::NotFound("There is nothing at this address.".to_owned())
}

pub(super) async fn method_not_allowed() -> Problem {
    Problem::MethodNotAllowed
}
