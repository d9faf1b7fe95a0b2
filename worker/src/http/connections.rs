//! Connections: how many there may be, which must make room, and how they end.
//!
//! Who opens connections and says nothing, or next to nothing, keeps nobody else out: when there are as many as there may
//! be, the one that has been without a request for longest is closed for the next.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::{Router, body::Body, response::Response};
use bytes::Bytes;
use decouple_contract::timing;
use hyper::{
    body::{Frame, Incoming, SizeHint},
    server::conn::http1::Builder,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
};
use tokio_util::sync::CancellationToken;

use crate::{metrics::Doing, requests, site::Site};

/// A head is no longer, and no more of a body is read at once.
const MOST_HEAD: usize = 128 * 1024;
/// When the process is out of file descriptors, accepting again at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `shutdown`, and from then on for as long as something is under way: here, or elsewhere until `finished`.
///
/// A worker that closed its door at once would refuse what a balancer sends that has not noticed yet, and could not say
/// that it is about to end.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    site: &Arc<Site>,
    shutdown: &CancellationToken,
    finished: &CancellationToken,
) {
    let connections = Connections { site: Arc::clone(site), state: Arc::default() };
    let over = async {
        shutdown.cancelled().await;
        finished.cancelled().await;
        connections.quiet().await;
    };
    tokio::select! {
        () = over => {}
        () = accept(&listener, &router, &connections, shutdown) => {}
    }
    drop(listener);
    connections.end().await;
}

async fn accept(listener: &TcpListener, router: &Router, connections: &Connections, shutdown: &CancellationToken) {
    loop {
        connections.room().await;
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, router.clone(), connections.open(), shutdown.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves one connection to its end.
async fn connection(stream: TcpStream, router: Router, open: Open, shutdown: CancellationToken) {
    let site = Arc::clone(&open.site);
    let _counted = site.metrics.begin(Doing::Connection);
    // It only makes small answers wait; without it they merely take longer.
    let _slower = stream.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let under_way = (open.begin(), site.requests.begin(request.uri().path()));
        let answer = router.call(request);
        async move {
            let answer: Response = answer.await?;
            Ok::<_, Infallible>(answer.map(|body| Body::new(Held { body, _until_its_end: under_way })))
        }
    });
    let mut server = Builder::new();
    // A client must have sent the head of its request by then. An idle connection counts too.
    let idle = timing::worker_idle(site.config.role, site.config.job_timeout.as_secs());
    server.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(idle)).max_buf_size(MOST_HEAD);
    // Who comes now is served, and then has to look for another worker.
    server.keep_alive(!shutdown.is_cancelled());
    let mut serving = pin!(server.serve_connection(TokioIo::new(stream), service));
    let mut told = shutdown.is_cancelled();
    loop {
        tokio::select! {
            ended = serving.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                }
                return;
            }
            () = open.close.cancelled() => return,
            () = shutdown.cancelled(), if !told => {
                told = true;
                serving.as_mut().graceful_shutdown();
            }
        }
    }
}

/// All connections.
struct Connections {
    site: Arc<Site>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    open: Mutex<Opened>,
    /// A connection ended, or a request.
    changed: Notify,
}

#[derive(Default)]
struct Opened {
    next: u64,
    connections: BTreeMap<u64, Connection>,
}

struct Connection {
    requests: usize,
    idle_since: Instant,
    close: CancellationToken,
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Opened> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connections {
    /// Waits until there may be one more, and sees to it that there may.
    async fn room(&self) {
        let most = self.site.config.max_connections.max(1);
        self.until(|opened| {
            if opened.connections.len() < most {
                return true;
            }
            let idle = opened.connections.iter().filter(|(_, one)| one.requests == 0);
            let longest = idle.min_by_key(|(_, one)| one.idle_since).map(|(id, _)| *id);
            longest.and_then(|id| opened.connections.remove(&id)).inspect(|one| one.close.cancel()).is_some()
        })
        .await;
    }

    /// Waits until no request is under way.
    async fn quiet(&self) {
        self.until(|opened| opened.connections.values().all(|one| one.requests == 0)).await;
    }

    /// Closes every connection once it has no request under way.
    async fn end(&self) {
        self.until(|opened| {
            opened.connections.retain(|_, one| {
                if one.requests == 0 {
                    one.close.cancel();
                }
                one.requests > 0
            });
            opened.connections.is_empty()
        })
        .await;
    }

    async fn until(&self, mut condition: impl FnMut(&mut Opened) -> bool) {
        loop {
            let changed = self.state.changed.notified();
            let mut changed = pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            if condition(&mut self.state.lock()) {
                return;
            }
            changed.await;
        }
    }

    fn open(&self) -> Open {
        let mut opened = self.state.lock();
        let id = opened.next;
        opened.next += 1;
        let close = CancellationToken::new();
        let connection = Connection { requests: 0, idle_since: Instant::now(), close: close.clone() };
        opened.connections.insert(id, connection);
        Open { id, close, site: Arc::clone(&self.site), state: Arc::clone(&self.state) }
    }
}

/// An open connection.
struct Open {
    id: u64,
    close: CancellationToken,
    site: Arc<Site>,
    state: Arc<State>,
}

impl Open {
    fn begin(&self) -> Request {
        let request = Request { connection: self.id, state: Arc::clone(&self.state) };
        request.count(|requests| requests + 1);
        request
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.state.lock().connections.remove(&self.id);
        self.state.changed.notify_waiters();
    }
}

/// A request that is under way, until the last byte of its answer was handed over.
struct Request {
    connection: u64,
    state: Arc<State>,
}

impl Request {
    fn count(&self, change: impl Fn(usize) -> usize) {
        if let Some(connection) = self.state.lock().connections.get_mut(&self.connection) {
            connection.requests = change(connection.requests);
            connection.idle_since = Instant::now();
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.count(|requests| requests.saturating_sub(1));
        self.state.changed.notify_waiters();
    }
}

/// The body of an answer, whose request ends with it.
struct Held {
    body: Body,
    _until_its_end: (Request, Option<requests::UnderWay>),
}

impl hyper::body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
