//! Stands between a worker and its endpoint, and spoils chosen requests: so a worker can be stopped between any two steps.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{StatusCode, Uri};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};

/// What the proxy does to a request that it does not pass on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Keeps it, and never answers.
    Swallow,
    /// Passes it on, and never tells what came of it.
    SwallowAnswer,
    /// Answers that the service is away.
    Refuse,
}

/// Tells whether a request is spoiled.
type Rule = Box<dyn FnMut(&Operation) -> bool + Send>;

/// What a worker asks for, such as `PUT /photos/originals/...` or `AmazonSQS.SendMessage`.
pub(crate) struct Operation {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) target: String,
}

impl Operation {
    fn of(request: &Request) -> Self {
        let target = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok());
        Self {
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            target: target.unwrap_or_default().to_owned(),
        }
    }

    pub(crate) fn fetches_an_original(&self) -> bool {
        self.method == "GET" && self.path.contains("/originals/")
    }

    pub(crate) fn stores_an_original(&self) -> bool {
        self.method == "PUT" && self.path.contains("/originals/")
    }

    pub(crate) fn stores_a_rendition(&self) -> bool {
        self.method == "PUT" && self.path.contains("/renditions/")
    }

    pub(crate) fn sends_a_task(&self) -> bool {
        self.target.ends_with(".SendMessage")
    }
}

struct Between {
    upstream: String,
    client: Client<HttpConnector, Body>,
    deed: Deed,
    rule: Mutex<Rule>,
    swallowed: Notify,
}

impl Between {
    fn spoils(&self, operation: &Operation) -> bool {
        (self.rule.lock().unwrap())(operation)
    }
}

pub(crate) struct Proxy {
    between: Arc<Between>,
    url: String,
    serving: JoinHandle<()>,
}

impl Proxy {
    /// Does the deed to each request that the rule tells of, and passes all others on.
    pub(crate) async fn start(
        upstream: &str,
        deed: Deed,
        rule: impl FnMut(&Operation) -> bool + Send + 'static,
    ) -> Self {
        let between = Arc::new(Between {
            upstream: upstream.to_owned(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            deed,
            rule: Mutex::new(Box::new(rule)),
            swallowed: Notify::new(),
        });
        let router = Router::new().fallback(pass).with_state(Arc::clone(&between));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { between, url, serving }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Waits until something was swallowed.
    pub(crate) async fn swallowed(&self) {
        let waited = tokio::time::timeout(super::DEADLINE, self.between.swallowed.notified()).await;
        waited.expect("the worker never came to the step that it is to be stopped at");
    }

    /// Passes everything on from now on.
    pub(crate) fn relent(&self) {
        *self.between.rule.lock().unwrap() = Box::new(|_| false);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn pass(State(between): State<Arc<Between>>, request: Request) -> Response {
    if !between.spoils(&Operation::of(&request)) {
        return forward(&between, request).await;
    }
    match between.deed {
        Deed::Refuse => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Deed::Swallow => swallow(&between).await,
        Deed::SwallowAnswer => {
            let _ = forward(&between, request).await;
            swallow(&between).await
        }
    }
}

async fn swallow(between: &Between) -> Response {
    between.swallowed.notify_one();
    std::future::pending().await
}

/// Passes a request on as it is: its signature covers the host that the worker believes to speak to.
async fn forward(between: &Between, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = format!("{}{path}", between.upstream).parse::<Uri>().unwrap();
    let body = to_bytes(body, 64 << 20).await.unwrap();
    match between.client.request(Request::from_parts(parts, Body::from(body))).await {
        Ok(answer) => answer.map(Body::new).into_response(),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}
