//! Who opens connections and sends little or nothing keeps nobody else out.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{Client, Cloud, Database, Worker, crafted, eventually, id, photo};

const MOST: usize = 8;

async fn limited(cloud: &Cloud, database: &Database) -> Worker {
    Worker::of("all", cloud, database).env("DECOUPLE_MAX_CONNECTIONS", &MOST.to_string()).start().await
}

async fn connected(client: &Client, send: &str) -> TcpStream {
    let address = client.at("").replace("http://", "");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(send.as_bytes()).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_without_a_request_make_room_for_others() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let worker = limited(&cloud, &database).await;
    let client = worker.client();
    let mut silent = Vec::new();
    for number in 0..MOST * 20 {
        // Some say nothing at all, some begin a request and never end it.
        let begun = if number % 2 == 0 { "" } else { "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: " };
        silent.push(connected(&client, begun).await);
    }
    // Everybody else comes with a connection of their own, as if each were the first.
    for _ in 0..3 {
        let client = worker.client();
        assert_eq!(client.get("/healthz").await.status(), 200);
        client.accepted(photo("rocket.jpg")).await;
    }
    let open = eventually("the metrics count connections", async || {
        let metrics = worker.client().get("/metrics").await.text().await.unwrap();
        let line = metrics.lines().find(|line| line.contains("what=\"connection\""))?.to_owned();
        line.rsplit(' ').next()?.parse::<usize>().ok()
    })
    .await;
    assert!(open <= MOST, "{open}");
    // The first of the silent ones was closed, and told so.
    let mut nothing = Vec::new();
    let _reset_or_end = silent[0].read_to_end(&mut nothing).await;
    assert!(nothing.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_in_the_middle_of_a_request_is_not_put_out() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let worker = limited(&cloud, &database).await;
    let client = worker.client();
    let cat = photo("cat.png");
    let head =
        format!("POST /images HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", cat.len());
    let mut upload = connected(&client, &head).await;
    upload.write_all(&cat[..cat.len() / 2]).await.unwrap();
    eventually("the upload is under way", async || {
        let metrics = worker.client().get("/metrics").await.text().await.unwrap();
        // This look at the metrics is the other one.
        metrics.contains("what=\"request\"} 2").then_some(())
    })
    .await;
    let mut silent = Vec::new();
    for _ in 0..MOST * 4 {
        silent.push(connected(&client, "").await);
        assert_eq!(worker.client().get("/healthz").await.status(), 200);
    }
    upload.write_all(&cat[cat.len() / 2..]).await.unwrap();
    let mut answer = String::new();
    upload.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
}

/// An upload that has begun and goes on no further.
fn begun_upload() -> Vec<u8> {
    let cat = photo("cat.png");
    let head = format!("POST /images HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", cat.len());
    [head.as_bytes(), &cat[..1000]].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_come_slowly_keep_nobody_else_out() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let worker = limited(&cloud, &database).await;
    let mut slow = Vec::new();
    for _ in 0..MOST * 3 {
        let mut upload = connected(&worker.client(), "").await;
        upload.write_all(&begun_upload()).await.unwrap();
        slow.push(upload);
        assert_eq!(worker.client().get("/healthz").await.status(), 200);
    }
    // Until the first of them are known to be slow, whoever comes is told to come back.
    eventually("a photo is taken", async || {
        let answer = worker.client().upload(photo("rocket.jpg")).await;
        let status = answer.status().as_u16();
        assert!(status == 201 || status == 503 && answer.headers().contains_key("retry-after"), "{status}");
        (status == 201).then_some(())
    })
    .await;
    assert_eq!(worker.client().get("/healthz").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn downloads_that_nobody_takes_keep_nobody_else_out() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let worker = limited(&cloud, &database).await;
    // More than the buffers of a connection hold.
    let large = id(&worker.client().accepted(crafted::noise(4400)).await);
    let ask = format!("GET /images/{large}/original HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut untaken = Vec::new();
    for _ in 0..MOST * 3 {
        untaken.push(connected(&worker.client(), &ask).await);
        assert_eq!(worker.client().get("/healthz").await.status(), 200);
    }
    eventually("a photo is taken", async || {
        (worker.client().upload(photo("rocket.jpg")).await.status() == 201).then_some(())
    })
    .await;
    assert_eq!(worker.client().get("/healthz").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_when_as_many_are_busy_as_may_be_is_told_to_come_back() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    // One of two connections may have a request that takes long.
    let worker = Worker::of("all", &cloud, &database).env("DECOUPLE_MAX_CONNECTIONS", "2").start().await;
    let cat = photo("cat.png");
    let head =
        format!("POST /images HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", cat.len());
    let mut upload = connected(&worker.client(), &head).await;
    upload.write_all(&cat[..cat.len() - 1]).await.unwrap();
    eventually("the upload is under way", async || {
        let metrics = worker.client().get("/metrics").await.text().await.unwrap();
        metrics.contains("what=\"request\"} 2").then_some(())
    })
    .await;
    let busy = worker.client().get("/images").await;
    assert_eq!(busy.status(), 503);
    assert_eq!(busy.headers()["content-type"], "application/problem+json");
    assert!(busy.headers().contains_key("retry-after"));
    assert_eq!(worker.client().get("/healthz").await.status(), 200);
    upload.write_all(&cat[cat.len() - 1..]).await.unwrap();
    let mut answer = String::new();
    upload.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert_eq!(worker.client().get("/images").await.status(), 200);
}
