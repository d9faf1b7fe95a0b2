//! What no AWS service offers over its API: whether the endpoint is well, how long queues have been waiting, and the certificate
//! that signatures of messages are checked with.
//!
//! Read-only and unsigned, under a path that no bucket can have.

use http::{Method, Response, StatusCode, header};
use s3s::Body;
use serde_json::json;

use crate::{
    route::plain,
    sns::{CERTIFICATES, Sns},
    sqs::Sqs,
};

pub(crate) const PREFIX: &str = "/_endpoint/";

/// The media type of a certificate in PEM.
const PEM: &str = "application/x-pem-file";
const JSON: &str = "application/json";

pub(crate) async fn answer(method: &Method, path: &str, sqs: &Sqs, sns: &Sns) -> Response<Body> {
    if method != Method::GET && method != Method::HEAD {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are served here\n");
    }
    match path.strip_prefix(PREFIX) {
        Some("health") => match sqs.check().await {
            Ok(()) => reply(StatusCode::OK, JSON, json!({"status": "ok"}).to_string()),
            Err(error) => {
                let body = json!({"status": "down", "reason": error.to_string()});
                reply(StatusCode::SERVICE_UNAVAILABLE, JSON, body.to_string())
            }
        },
        Some("queues") => match sqs.summaries().await {
            Ok(queues) => reply(StatusCode::OK, JSON, json!(queues).to_string()),
            Err(error) => failed(&error.to_string()),
        },
        Some(name) if name.starts_with(CERTIFICATES) => match sns.certificate(name).await {
            Ok(Some(certificate)) => reply(StatusCode::OK, PEM, certificate),
            Ok(None) => plain(StatusCode::NOT_FOUND, "there is no such certificate\n"),
            Err(error) => failed(&error.to_string()),
        },
        _ => plain(StatusCode::NOT_FOUND, "there is /_endpoint/health and /_endpoint/queues\n"),
    }
}

fn failed(error: &str) -> Response<Body> {
    reply(StatusCode::INTERNAL_SERVER_ERROR, JSON, json!({ "error": error }).to_string())
}

fn reply(status: StatusCode, content_type: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    response
}
