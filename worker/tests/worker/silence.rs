//! A connection that goes silent: whatever was asked on it is asked again on another.

use std::collections::BTreeSet;

use crate::support::{Cloud, Database, Deed, Operation, Proxy, Worker, crafted, id, photo};

/// Swallows the first request of each of these kinds.
async fn swallowing_once(cloud: &Cloud, kinds: &'static [&'static str]) -> Proxy {
    let mut left: BTreeSet<&str> = kinds.iter().copied().collect();
    Proxy::start(&cloud.url(), Deed::Swallow, move |operation: &Operation| {
        let asked = format!("{} {} {}", operation.method, operation.path, operation.target);
        let kind = left.iter().copied().find(|kind| kind.split(' ').all(|part| asked.contains(part)));
        kind.is_some_and(|kind| left.remove(kind))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_goes_on_when_an_answer_never_comes() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 5).await;
    let web = Worker::web(&cloud, &database, &queue).await;
    let proxy = swallowing_once(&cloud, &["ReceiveMessage", "GET /originals/", "DeleteMessageBatch"]).await;
    let process = Worker::of("process", &cloud, &database).env("AWS_ENDPOINT_URL", proxy.url());
    let _process = process.env("DECOUPLE_QUEUE_URL", &queue.url).start().await;
    proxy.swallowed().await;
    let accepted = id(&web.client().accepted(photo("cat.png")).await);
    assert_eq!(web.client().settled(&accepted).await["resize"]["state"], "done");
    queue.drained().await;
    assert_eq!(queue.dead().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_uploads_or_looks_is_answered_though_the_bucket_never_does() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 5).await;
    let proxy = swallowing_once(&cloud, &["PUT /originals/", "GET /originals/"]).await;
    let web = Worker::web_through(&proxy, &cloud, &database, &queue).await;
    let client = web.client();
    // What is passed on as it comes cannot be sent again by anybody but its sender.
    let large = crafted::noise(1500);
    let refused = client.upload(large.clone()).await;
    assert_eq!((refused.status().as_u16(), refused.headers().contains_key("retry-after")), (503, true));
    let accepted = id(&client.accepted(large.clone()).await);
    assert!(client.get(&format!("/images/{accepted}/original")).await.bytes().await.unwrap() == large);
}
