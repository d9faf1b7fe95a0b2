//! Which service a request is for, and the way to it.
//!
//! One port serves all: the target header, the scope of the signature and the form of the body tell the services apart.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use s3s::Body;

use crate::{
    Config, Hosts, admin, auth,
    body::TimedBody,
    clock::SharedClock,
    hosts::is_from_another_site,
    s3::{S3Front, bucket_in_host},
    sns::Sns,
    sqs::Sqs,
    store::Store,
    wire::{self, Call, Fault, Outcome, Params, Protocol},
};

/// A message may have 1 MiB, and encoding it in a form or in JSON makes up to six bytes of one.
const MAX_CALL: usize = 8 * 1024 * 1024;

/// How long a piece of a body may take, as with the service. Clients of slow networks do not come here.
const BODY_TIMEOUT: Duration = Duration::from_secs(20);

const SQS_TARGET: &str = "AmazonSQS.";
/// What links in messages do: confirm a subscription, or end one.
const LINKED: [&str; 2] = ["ConfirmSubscription", "Unsubscribe"];
const FORM: &str = "application/x-www-form-urlencoded";

/// The services behind the port.
#[derive(Clone)]
pub(crate) struct Services {
    inner: Arc<Inner>,
    hosts: Arc<Hosts>,
    body_timeout: Duration,
}

struct Inner {
    verifier: auth::Verifier,
    clock: SharedClock,
    sqs: Arc<Sqs>,
    sns: Arc<Sns>,
    s3: S3Front,
}

impl Services {
    pub(crate) fn new(config: &Config, store: Arc<Store>, clock: SharedClock) -> Self {
        let inner = Inner {
            verifier: auth::Verifier::new(config.credentials.clone()),
            sqs: Arc::new(Sqs::new(config, Arc::clone(&store), Arc::clone(&clock))),
            sns: Arc::new(Sns::new(config, Arc::clone(&store), Arc::clone(&clock))),
            s3: S3Front::new(config, store, Arc::clone(&clock)),
            clock,
        };
        Services { inner: Arc::new(inner), hosts: Arc::new(Hosts::loopback()), body_timeout: BODY_TIMEOUT }
    }

    pub(crate) fn wait_for_bodies(&mut self, body_timeout: Duration) {
        self.body_timeout = body_timeout;
    }

    pub(crate) fn answer_to(&mut self, hosts: Hosts) {
        self.hosts = Arc::new(hosts);
    }

    pub(crate) fn serves_at(&self, address: SocketAddr) {
        self.inner.sns.serves_at(address);
    }

    /// Work that goes on without requests, until the store stops.
    pub(crate) async fn background(&self) {
        tokio::join!(self.inner.sqs.background(), self.inner.sns.background(), self.inner.sns.announcements());
    }

    /// Answers one request. Never fails: an error is an answer too.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        if !self.hosts.answer_to(host_of(request.headers())) {
            return plain(StatusCode::FORBIDDEN, "this endpoint does not answer to the name in the Host header\n");
        }
        // A bucket that the host names may have any key.
        if request.uri().path().starts_with(admin::PREFIX) && bucket_in_host(host_of(request.headers())).is_none() {
            return admin::answer(request.method(), request.uri().path(), &self.inner.sqs, &self.inner.sns).await;
        }
        let (parts, body) = request.into_parts();
        let body = TimedBody::new(body, self.body_timeout);
        match destination(&parts) {
            // Of queues and topics, pages of other sites may only follow the links in messages. Buckets say whom they let in.
            Destination::Sqs(_) | Destination::Sns if is_from_another_site(&parts.headers) && !is_link(&parts) => {
                plain(StatusCode::FORBIDDEN, "pages of other sites have no access to queues and topics\n")
            }
            Destination::S3 => self.inner.s3.answer(Request::from_parts(parts, body)).await,
            Destination::Sqs(protocol) => self.call(Service::Sqs, protocol, &parts, body).await,
            Destination::Sns => self.call(Service::Sns, Protocol::SNS_QUERY, &parts, body).await,
            Destination::Unknown(service) => {
                wire::respond(Protocol::SNS_QUERY, "", Err(Fault::unknown_service(&service)))
            }
        }
    }

    async fn call(&self, service: Service, protocol: Protocol, parts: &Parts, body: TimedBody) -> Response<Body> {
        let body = match Limited::new(body, MAX_CALL).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                return wire::respond(protocol, "", Err(Fault::too_large(MAX_CALL)));
            }
            Err(error) => return closing(wire::respond(protocol, "", Err(Fault::incomplete(error.as_ref())))),
        };
        if protocol != Protocol::Json && body.is_empty() && parts.uri.query().is_none() {
            return wire::unknown_operation();
        }
        match self.decode(protocol, parts, &body) {
            Ok(call) => {
                let outcome = self.dispatch(service, &call).await;
                wire::respond(protocol, &call.action, outcome)
            }
            Err(fault) => wire::respond(protocol, "", Err(fault)),
        }
    }

    fn decode(&self, protocol: Protocol, parts: &Parts, body: &Bytes) -> Result<Call, Fault> {
        let authority = host_of(&parts.headers).to_owned();
        let (action, params) = match protocol {
            Protocol::Json => {
                let target = target(&parts.headers).unwrap_or_default();
                (target.trim_start_matches(SQS_TARGET).to_owned(), Params::Json(body.clone()))
            }
            // In the URL, in the body, or some here and some there.
            Protocol::Query { .. } => match parts.uri.query() {
                None => Params::form(body, parts.uri.path())?,
                Some(query) => Params::form(&[query.as_bytes(), b"&", body].concat(), parts.uri.path())?,
            },
        };
        // A link in a message is followed by whoever got the message: the secret in it is what entitles to this and nothing else.
        let signed = !(is_link(parts) && LINKED.contains(&action.as_str()));
        if signed {
            self.inner.verifier.verify(parts, body, self.inner.clock.now())?;
        }
        let trace_header = parts.headers.get("x-amzn-trace-id").and_then(|header| header.to_str().ok());
        Ok(Call { action, params, authority, signed, trace_header: trace_header.map(str::to_owned) })
    }

    async fn dispatch(&self, service: Service, call: &Call) -> Outcome {
        match service {
            Service::Sqs => self.inner.sqs.call(call).await,
            Service::Sns => self.inner.sns.call(call).await,
        }
    }
}

#[derive(Clone, Copy)]
enum Service {
    Sqs,
    Sns,
}

enum Destination {
    S3,
    Sqs(Protocol),
    Sns,
    Unknown(String),
}

fn destination(parts: &Parts) -> Destination {
    if target(&parts.headers).is_some_and(|target| target.starts_with(SQS_TARGET)) {
        return Destination::Sqs(Protocol::Json);
    }
    match auth::scope_service(&parts.headers, &parts.uri).as_deref() {
        Some("sqs") => Destination::Sqs(Protocol::SQS_QUERY),
        Some("sns") => Destination::Sns,
        Some("s3") => Destination::S3,
        Some(other) => Destination::Unknown(other.to_owned()),
        None if is_link(parts) => Destination::Sns,
        // An unsigned form is refused, in the protocol that its sender speaks.
        None if is_form(parts) => Destination::Sqs(Protocol::SQS_QUERY),
        None => Destination::S3,
    }
}

/// Whether a request follows a link that SNS puts into its messages.
fn is_link(parts: &Parts) -> bool {
    let mut query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    parts.method == Method::GET
        && parts.uri.path() == "/"
        && auth::scope_service(&parts.headers, &parts.uri).is_none()
        && query.any(|(name, value)| name == "Action" && LINKED.contains(&value.as_ref()))
}

fn is_form(parts: &Parts) -> bool {
    let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    parts.method == Method::POST && content_type.is_some_and(|value| value.starts_with(FORM))
}

fn target(headers: &http::HeaderMap) -> Option<&str> {
    headers.get("x-amz-target")?.to_str().ok()
}

fn host_of(headers: &http::HeaderMap) -> &str {
    headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default()
}

/// Ends the connection with an answer: what is left of the request's body will not be read.
pub(crate) fn closing(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    response
}

pub(crate) fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
