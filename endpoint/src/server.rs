//! The listener: connections in, orderly end.

use std::{convert::Infallible, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    connections::{Connections, Open},
    route::Services,
    stall::Stall,
    store::Store,
};

/// How long a client may take to send the head of a request, once it has sent one.
const HEAD_TIMEOUT: Duration = Duration::from_mins(1);
/// A client that reads nothing of an answer for so long is given up on.
const UNREAD: Duration = Duration::from_mins(1);
/// How long requests in flight may take to finish once the endpoint is told to stop.
const DRAIN_LIMIT: Duration = Duration::from_secs(30);
/// More than any SDK sends; presigned URLs are the longest.
const MAX_HEAD: usize = 64 * 1024;
/// Connections at a time, where nobody says otherwise. Most processes may have 1,024 files open, and the store needs some.
pub(crate) const MAX_CONNECTIONS: usize = 768;

/// Why serving ended other than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The store could not be closed in order. Nothing acknowledged is lost; the next start reads the log.
    #[error("closing the store failed: {0}")]
    Close(String),
}

pub(crate) async fn serve(
    services: Services,
    store: Arc<Store>,
    listener: TcpListener,
    most_connections: usize,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    if let Ok(address) = listener.local_addr() {
        services.serves_at(address);
    }
    let graceful = GracefulShutdown::new();
    let open = Connections::new(most_connections);
    // Owned here, so that dropping this future drops every connection with it.
    let mut connections = JoinSet::new();
    let background = services.clone();
    connections.spawn(async move { background.background().await });
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            (stream, _, place) = open.accept(&listener) => {
                connections.spawn(connection(stream, place, services.clone(), graceful.watcher()));
                // What has ended is collected here, and not as it ends: that would drop a connection that waits for its place.
                while connections.try_join_next().is_some() {}
            }
        }
    }
    drop(listener);
    store.stopping().cancel();
    if tokio::time::timeout(DRAIN_LIMIT, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests in flight did not finish in time and are dropped");
    }
    connections.shutdown().await;
    drop(services);
    tokio::task::spawn_blocking(move || store.close()).await.map_err(|error| ServeError::Close(error.to_string()))
}

/// Serves a connection to its end.
async fn connection(stream: TcpStream, open: Open, services: Services, watcher: Watcher) {
    // Answers are small and complete: waiting to fill a packet only adds latency.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was not set");
    }
    let service = service_fn(|request| {
        let services = services.clone();
        let under_way = open.begin();
        async move { Ok::<_, Infallible>(services.answer(request).await.map(|body| under_way.until_sent(body))) }
    });
    // The limit on how many headers there may be is the library's own: with another it would allocate for each request.
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(Stall::new(stream, UNREAD)), service);
    tokio::select! {
        () = open.must_close() => {}
        ended = watcher.watch(connection) => if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}
