//! Sockets on loopback: the port that was had before, else the usual one, else the next that is free.

use std::io;

use tokio::net::TcpListener;

/// The port that people know from other local AWS endpoints.
const ENDPOINT: u16 = 4566;
/// The port that people know from other local sites.
const BALANCER: u16 = 8080;
/// So many ports after the usual one are tried before any is taken.
const NEXT: u16 = 50;

/// Binds the endpoint's socket.
pub(super) async fn endpoint(before: Option<u16>) -> io::Result<TcpListener> {
    near(before, ENDPOINT).await
}

/// Binds the balancer's socket: the port that must be had, or else one near the usual.
pub(super) async fn balancer(wanted: Option<u16>, before: Option<u16>) -> io::Result<TcpListener> {
    match wanted {
        Some(port) => bind(port).await,
        None => near(before, BALANCER).await,
    }
}

/// Tells whether the balancer's port is another than the usual although none was asked for.
pub(super) fn is_unusual(wanted: Option<u16>, port: u16) -> bool {
    wanted.is_none() && port != BALANCER
}

async fn near(before: Option<u16>, usual: u16) -> io::Result<TcpListener> {
    for port in before.into_iter().chain(usual..usual.saturating_add(NEXT)) {
        if let Ok(listener) = bind(port).await {
            return Ok(listener);
        }
    }
    bind(0).await
}

async fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", port))
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("port {port} on 127.0.0.1: {error}")))
}
