//! The listener: connections in, orderly end.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{route::Services, store::Store};

/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_mins(1);
/// How long requests in flight may take to finish once the endpoint is told to stop.
const DRAIN_LIMIT: Duration = Duration::from_secs(30);
/// More than any SDK sends; presigned URLs are the longest.
const MAX_HEAD: usize = 64 * 1024;
/// Connections at a time; others wait to be accepted. Most processes may have 1,024 files open, and the store needs some.
const MAX_CONNECTIONS: usize = 768;
/// A pause after a failed accept (too many open files, say), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

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
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    let graceful = GracefulShutdown::new();
    let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    // Owned here, so that dropping this future drops every connection with it.
    let mut connections = JoinSet::new();
    let background = services.clone();
    connections.spawn(async move { background.background().await });
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &free) => match accepted {
                Ok((stream, place)) => {
                    connections.spawn(connection(stream, place, services.clone(), graceful.watcher()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            // Ended connections are collected as they end.
            Some(_) = connections.join_next() => {}
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

/// Accepts a connection once there is a place for it.
async fn accept(listener: &TcpListener, free: &Arc<Semaphore>) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(free).acquire_owned().await.map_err(io::Error::other)?;
    Ok((listener.accept().await?.0, place))
}

/// Serves a connection to its end, and then gives its place free.
async fn connection(stream: TcpStream, _place: OwnedSemaphorePermit, services: Services, watcher: Watcher) {
    // Answers are small and complete: waiting to fill a packet only adds latency.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was not set");
    }
    let service = service_fn(move |request| {
        let services = services.clone();
        async move { Ok::<_, Infallible>(services.answer(request).await) }
    });
    // The limit on how many headers there may be is the library's own: with another it would allocate for each request.
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection ended early");
    }
}
