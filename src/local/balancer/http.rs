//! The application balancer: takes HTTP connections and hands each request to [`forward`](super::forward).

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Limits, Rate, Targets, forward::Forwarder};

/// A client must have sent the head of its request by then.
const HEAD: Duration = Duration::from_secs(30);
/// Requests that are still under way so long after a stop are cut.
const FINISH: Duration = Duration::from_secs(30);
/// When the process is out of file descriptors, accepting again at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Largest head of a request.
const LARGEST_HEAD: usize = 64 * 1024;

/// Passes requests on until it is told to stop.
pub(super) async fn run(
    listener: TcpListener,
    targets: Targets,
    limits: Limits,
    rate: Arc<Rate>,
    stop: CancellationToken,
) {
    let forwarder = Arc::new(Forwarder::new(targets, limits));
    let mut server = hyper::server::conn::http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(LARGEST_HEAD);
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, client) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // It only makes small answers wait; without it they merely take longer.
        let _slower = stream.set_nodelay(true);
        let connection = server.serve_connection(TokioIo::new(stream), service(&forwarder, &rate, client));
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(FINISH, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still under way at the end");
    }
}

fn service(
    forwarder: &Arc<Forwarder>,
    rate: &Arc<Rate>,
    client: SocketAddr,
) -> impl hyper::service::Service<
    hyper::Request<Incoming>,
    Response = hyper::Response<super::body::AnswerBody>,
    Error = Infallible,
    Future: Send,
> + use<> {
    let forwarder = Arc::clone(forwarder);
    let rate = Arc::clone(rate);
    service_fn(move |request| {
        let forwarder = Arc::clone(&forwarder);
        rate.count();
        async move { Ok(forwarder.forward(request, client).await) }
    })
}
