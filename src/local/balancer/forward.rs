//! Passes one request on: to the least busy instance, to another where that one does not take it, and says so in
//! `application/problem+json` where none does.

use std::net::{IpAddr, SocketAddr};

use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri,
    header::{self, HeaderName},
    request::Parts,
};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper_util::{
    client::legacy::{Client, Error as ClientError, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};

use super::{
    Limits, Targets,
    body::{AnswerBody, PassedOn, RequestBody, whole},
    guard,
};

/// Idle connections to instances are dropped before an instance of the field's usual defaults closes them.
const IDLE_CONNECTION: std::time::Duration = std::time::Duration::from_secs(30);
/// When nobody can serve, an instance is usually back within this many seconds.
const RETRY_AFTER: &str = "1";

/// Headers that belong to one connection and not to the request.
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Passes requests on.
pub(super) struct Forwarder {
    client: Client<HttpConnector, RequestBody>,
    targets: Targets,
    limits: Limits,
}

impl Forwarder {
    pub(super) fn new(targets: Targets, limits: Limits) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_CONNECTION)
            .build(connector);
        Self { client, targets, limits }
    }

    /// Answers a request with an instance's answer, or with what is in the way of one.
    pub(super) async fn forward(&self, request: Request<Incoming>, client: SocketAddr) -> Response<AnswerBody> {
        let (mut parts, body) = request.into_parts();
        if let Err(refused) = guard::check(&parts) {
            return problem(refused.status(), refused.title(), &refused.to_string());
        }
        if body.size_hint().lower() > self.limits.max_upload_bytes {
            return too_large(self.limits.max_upload_bytes);
        }
        prepare(&mut parts, client.ip());
        let body = RequestBody::new(body, self.limits.max_upload_bytes);
        let mut tried = Vec::new();
        while let Some(target) = self.targets.choose(&tried) {
            let request = address(&parts, target.port, body.clone());
            let answer = tokio::time::timeout(self.limits.answer, self.client.request(request)).await;
            match answer {
                Ok(Ok(answer)) => return pass_on(answer, target.under_way),
                Err(_) => return timed_out(self.limits.answer.as_secs()),
                Ok(Err(_)) if body.is_too_large() => return too_large(self.limits.max_upload_bytes),
                Ok(Err(error)) if may_retry(&error, &parts.method, &body) => {
                    tracing::debug!(port = target.port, %error, "an instance did not take a request");
                    self.targets.refused(target.port);
                    tried.push(target.port);
                }
                Ok(Err(error)) => {
                    tracing::warn!(port = target.port, error = crate::error::chain(&error), "a request was cut off");
                    return cut_off();
                }
            }
        }
        nobody()
    }
}

/// A request that never reached an instance may go to another; one that may have only if asking twice does no harm.
fn may_retry(error: &ClientError, method: &Method, body: &RequestBody) -> bool {
    body.is_whole() && (error.is_connect() || method.is_safe())
}

/// Removes what belongs to the client's connection, and tells the instance who asks.
fn prepare(parts: &mut Parts, client: IpAddr) {
    strip(&mut parts.headers);
    if let Some(host) = parts.headers.get(header::HOST).cloned() {
        parts.headers.insert("x-forwarded-host", host);
    }
    parts.headers.insert("x-forwarded-proto", HeaderValue::from_static("http"));
    // What a client claims here is not to be believed, so it is replaced and not added to.
    if let Ok(address) = HeaderValue::from_str(&client.to_string()) {
        parts.headers.insert("x-forwarded-for", address);
    }
    parts.version = http::Version::HTTP_11;
}

fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

fn address(parts: &Parts, port: u16, body: RequestBody) -> Request<RequestBody> {
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let uri = Uri::builder()
        .scheme("http")
        .authority(format!("127.0.0.1:{port}"))
        .path_and_query(path)
        .build()
        .expect("a path that was parsed from a request makes a valid address");
    let mut request = Request::new(body);
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = uri;
    *request.headers_mut() = parts.headers.clone();
    request
}

fn pass_on(answer: Response<Incoming>, under_way: crate::local::group::UnderWay) -> Response<AnswerBody> {
    let (mut parts, body) = answer.into_parts();
    strip(&mut parts.headers);
    parts.version = http::Version::HTTP_11;
    Response::from_parts(parts, PassedOn::new(body, under_way).boxed_unsync())
}

fn too_large(limit: u64) -> Response<AnswerBody> {
    let detail = format!("The largest upload is {limit} bytes.");
    let mut answer = problem(StatusCode::PAYLOAD_TOO_LARGE, "The upload is too large", &detail);
    // The rest of the body is not read, so the connection cannot carry another request.
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

fn timed_out(seconds: u64) -> Response<AnswerBody> {
    problem(StatusCode::GATEWAY_TIMEOUT, "The answer took too long", &format!("No answer came within {seconds} s."))
}

fn cut_off() -> Response<AnswerBody> {
    problem(StatusCode::BAD_GATEWAY, "The request was cut off", "The instance ended while it answered. Send it again.")
}

fn nobody() -> Response<AnswerBody> {
    let mut answer = problem(
        StatusCode::SERVICE_UNAVAILABLE,
        "No instance is healthy",
        "The site is starting or overloaded. Try again shortly.",
    );
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
    answer
}

/// An error in the form of RFC 9457.
fn problem(status: StatusCode, title: &str, detail: &str) -> Response<AnswerBody> {
    let body = serde_json::json!({ "title": title, "status": status.as_u16(), "detail": detail });
    let mut answer = Response::new(whole(body.to_string()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    answer
}
