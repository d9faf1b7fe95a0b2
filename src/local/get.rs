//! One small GET on loopback: of an instance's health, and of the endpoint's queues.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// An answer that takes longer is as good as none.
const PATIENCE: Duration = Duration::from_secs(2);
/// More of an answer is not read.
const LARGEST: usize = 1024 * 1024;

/// Returns status and body, or in words what is wrong with asking.
pub(super) async fn get(port: u16, path: &'static str) -> Result<(StatusCode, Bytes), String> {
    match tokio::time::timeout(PATIENCE, ask(port, path)).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("{path} on port {port} did not answer within {} s", PATIENCE.as_secs())),
    }
}

async fn ask(port: u16, path: &'static str) -> Result<(StatusCode, Bytes), String> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(|_| format!("port {port} is not open yet"))?;
    let broken = |error: hyper::Error| format!("{path} on port {port}: {error}");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // The connection is driven beside the request, and dropped with it.
    tokio::pin!(connection);
    let request = http::Request::get(path)
        .header(http::header::HOST, format!("127.0.0.1:{port}"))
        .body(Empty::<Bytes>::new())
        .expect("a fixed path and a numeric port make a valid request");
    let answer = async {
        let answer = sender.send_request(request).await.map_err(broken)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), LARGEST).collect().await;
        let body = body.map_err(|error| format!("{path} on port {port}: {error}"))?;
        Ok((status, body.to_bytes()))
    };
    tokio::pin!(answer);
    tokio::select! {
        answered = &mut answer => answered,
        ended = &mut connection => match ended {
            // The answer may have come with the connection's end.
            Ok(()) => answer.await,
            Err(error) => Err(broken(error)),
        },
    }
}
