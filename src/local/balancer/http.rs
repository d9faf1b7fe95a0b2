//! The application balancer: takes HTTP connections and hands each request to [`forward`](super::forward).

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use decouple_endpoint::{
    connections::{Connections, Held, Open},
    stall::Stall,
};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Limits, Rate, Targets, body::AnswerBody, forward::Forwarder};

/// A client must have sent the head of its request by then.
const HEAD: Duration = Duration::from_secs(30);
/// A client that reads nothing of its answer for so long is given up on.
const UNREAD: Duration = Duration::from_mins(1);
/// Requests that are still under way so long after a stop are cut.
const FINISH: Duration = Duration::from_secs(30);
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
    let places = Connections::new(limits.connections);
    let forwarder = Arc::new(Forwarder::new(targets, limits));
    let mut server = hyper::server::conn::http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(LARGEST_HEAD);
    let graceful = GracefulShutdown::new();
    loop {
        let (stream, client, open) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = places.accept(&listener) => accepted,
        };
        // It only makes small answers wait; without it they merely take longer.
        let _slower = stream.set_nodelay(true);
        let open = Arc::new(open);
        let stream = TokioIo::new(Stall::new(stream, UNREAD));
        let connection = server.serve_connection(stream, service(&forwarder, &rate, &open, client));
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            tokio::select! {
                () = open.must_close() => {}
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                }
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
    open: &Arc<Open>,
    client: SocketAddr,
) -> impl hyper::service::Service<
    hyper::Request<Incoming>,
    Response = hyper::Response<Held<AnswerBody>>,
    Error = Infallible,
    Future: Send,
> + use<> {
    let forwarder = Arc::clone(forwarder);
    let rate = Arc::clone(rate);
    let open = Arc::clone(open);
    service_fn(move |request| {
        let forwarder = Arc::clone(&forwarder);
        let under_way = open.begin();
        rate.count();
        async move { Ok(forwarder.forward(request, client).await.map(|body| under_way.until_sent(body))) }
    })
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
        sync::watch,
    };

    use super::{
        super::{Balancer, Limits},
        *,
    };
    use crate::{local::group::State, topology::BalancerKind};

    const DEADLINE: Duration = Duration::from_secs(20);

    /// A balancer of a group without instances, for so many connections.
    async fn balancer(connections: usize) -> (Balancer, SocketAddr) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let limits = Limits { max_upload_bytes: 1000, answer: DEADLINE, connections };
        let group = watch::channel(State::default()).1;
        (Balancer::start(listener, BalancerKind::Application, group, limits), address)
    }

    /// The status line of the answer to a request.
    async fn ask(address: SocketAddr, head: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("{head}\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        tokio::time::timeout(DEADLINE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
        answer.lines().next().unwrap_or_default().to_owned()
    }

    #[tokio::test]
    async fn idle_connections_make_room() {
        let (balancer, address) = balancer(2).await;
        let mut first = TcpStream::connect(address).await.unwrap();
        let _second = TcpStream::connect(address).await.unwrap();
        let answer = ask(address, "GET / HTTP/1.1\r\nHost: localhost").await;
        assert_eq!(answer, "HTTP/1.1 503 Service Unavailable");
        let read = tokio::time::timeout(DEADLINE, first.read(&mut [0])).await.unwrap();
        assert_eq!(read.unwrap(), 0, "the connection that was idle longest is closed");
        balancer.stop().await;
    }

    #[tokio::test]
    async fn other_names_and_other_sites_are_refused() {
        let (balancer, address) = balancer(10).await;
        for (head, status) in [
            ("GET /images HTTP/1.1\r\nHost: localhost:8080", "503"),
            ("GET /images HTTP/1.1\r\nHost: evil.example:8080", "403"),
            ("GET /images HTTP/1.0", "403"),
            ("POST /images HTTP/1.1\r\nHost: 127.0.0.1\r\nSec-Fetch-Site: cross-site", "403"),
            ("POST /images HTTP/1.1\r\nHost: 127.0.0.1\r\nSec-Fetch-Site: same-origin", "503"),
            ("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nSec-Fetch-Site: cross-site", "503"),
            ("GET /metrics?x HTTP/1.1\r\nHost: localhost", "404"),
        ] {
            let answer = ask(address, head).await;
            assert_eq!(answer.split(' ').nth(1), Some(status), "{head}: {answer}");
        }
        balancer.stop().await;
    }
}
