//! Requests whose body does not come, or does not come whole.

use std::time::Duration;

use aws_sdk_s3::presigning::PresigningConfig;
use decouple_endpoint::Endpoint;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::support::{DEADLINE, Running, config};

/// Sends a text as it is, and waits until the other side closes the connection.
async fn answer_to(endpoint: &Running, request: &str) -> String {
    let mut stream = TcpStream::connect(endpoint.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(DEADLINE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

#[tokio::test]
async fn who_sends_a_head_and_no_body_is_not_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::open(config(directory.path())).await.unwrap();
    let endpoint = Running::serve(endpoint.with_body_timeout(Duration::from_millis(50))).await;
    let s3 = endpoint.s3().await;
    s3.create_bucket().bucket("uploads").send().await.unwrap();
    let until = PresigningConfig::expires_in(Duration::from_mins(1)).unwrap();
    for (key, length) in [("small", 10), ("large", 10_000_000)] {
        let url = s3.put_object().bucket("uploads").key(key).presigned(until.clone()).await.unwrap();
        let path = url.uri().strip_prefix(&endpoint.url()).unwrap();
        let head = format!("PUT {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {length}\r\n\r\nabc", endpoint.address);
        let answer = answer_to(&endpoint, &head).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("<Code>RequestTimeout</Code>"), "{answer}");
        let found = s3.head_object().bucket("uploads").key(key).send().await.unwrap_err();
        assert!(found.into_service_error().is_not_found());
    }
    let form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nAction=";
    let answer = answer_to(&endpoint, &format!("POST / HTTP/1.1\r\nHost: {}\r\n{form}", endpoint.address)).await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("<Code>RequestTimeout</Code>"), "{answer}");
    endpoint.stop().await;
}
