//! What no AWS service offers over its API: whether the endpoint is well, and how long queues have been waiting.
//!
//! Read-only and unsigned, under a path that no bucket can have.

use http::{Method, Response, StatusCode, header};
use s3s::Body;
use serde_json::json;

use crate::{route::plain, sqs::Sqs};

pub(crate) const PREFIX: &str = "/_endpoint/";

pub(crate) async fn answer(method: &Method, path: &str, sqs: &Sqs) -> Response<Body> {
    if method != Method::GET && method != Method::HEAD {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are served here\n");
    }
    match path.strip_prefix(PREFIX) {
        Some("health") => match sqs.check().await {
            Ok(()) => reply(StatusCode::OK, json!({"status": "ok"}).to_string()),
            Err(error) => {
                let body = json!({"status": "down", "reason": error.to_string()});
                reply(StatusCode::SERVICE_UNAVAILABLE, body.to_string())
            }
        },
        Some("queues") => match sqs.summaries().await {
            Ok(queues) => reply(StatusCode::OK, json!(queues).to_string()),
            Err(error) => reply(StatusCode::INTERNAL_SERVER_ERROR, json!({"error": error.to_string()}).to_string()),
        },
        _ => plain(StatusCode::NOT_FOUND, "there is /_endpoint/health and /_endpoint/queues\n"),
    }
}

fn reply(status: StatusCode, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}
