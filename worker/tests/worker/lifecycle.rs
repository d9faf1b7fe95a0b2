//! Starting and ending.

use bytes::Bytes;
use futures::{SinkExt as _, channel::mpsc};

use crate::support::{
    Cloud, Database, Deed, Operation, Proxy, Worker, eventually, id, lines, on_both_catalogs, photo,
    stopped_by_its_environment,
};

on_both_catalogs!(workers_may_start_at_once, what_is_begun_is_finished_and_the_rest_given_back);

#[test]
fn everything_that_is_wrong_with_the_environment_is_told_at_once() {
    let said = stopped_by_its_environment(&[("DECOUPLE_ROLE", "waiter"), ("DECOUPLE_LISTEN", "nowhere")]);
    for variable in ["DECOUPLE_ROLE", "DECOUPLE_LISTEN", "DECOUPLE_BUCKET", "DECOUPLE_CATALOG_URL"] {
        assert!(said.contains(variable), "{variable} in {said}");
    }
    let secret = stopped_by_its_environment(&[
        ("DECOUPLE_ROLE", "all"),
        ("DECOUPLE_BUCKET", "photos"),
        ("DECOUPLE_CATALOG_URL", "mysql://photos:hunter2@db/photos"),
    ]);
    assert!(secret.contains("DECOUPLE_CATALOG_URL") && !secret.contains("hunter2"), "{secret}");
}

async fn workers_may_start_at_once(database: Database) {
    let cloud = Cloud::start().await;
    let queue = cloud.queue("process", 5).await;
    let start = || Worker::of("web", &cloud, &database).env("DECOUPLE_QUEUE_URL", &queue.url).start();
    let workers = futures::future::join_all([start(), start(), start(), start()]).await;
    let uploads = workers.iter().map(|worker| {
        let client = worker.client();
        async move { id(&client.accepted(photo("rocket.jpg")).await) }
    });
    let ids = futures::future::join_all(uploads).await;
    let mut found = workers[0].client().found("").await;
    let mut ids = ids.clone();
    found.sort();
    ids.sort();
    assert_eq!(found, ids);
}

async fn what_is_begun_is_finished_and_the_rest_given_back(database: Database) {
    const PHOTOS: u32 = 24;
    let cloud = Cloud::start().await;
    let queue = cloud.queue("process", 5).await;
    let web = Worker::web(&cloud, &database, &queue).await;
    let client = web.client();
    for _ in 0..PHOTOS {
        client.accepted(photo("galaxies.jpg")).await;
    }
    let process = Worker::consumer("process", &cloud, &database, &queue).await;
    let done = async || {
        let page = client.json("/images?limit=100").await;
        let images = page["images"].as_array().unwrap();
        u32::try_from(images.iter().filter(|image| image["tag"]["state"] == "done").count()).unwrap()
    };
    eventually("the first photo is done", async || (done().await > 0).then_some(())).await;
    let (status, log) = process.stop().await;
    assert!(status.success(), "{status}");
    assert_eq!(queue.in_flight().await, 0, "every task is done or given back");
    assert_eq!(done().await + queue.visible().await, PHOTOS);
    for line in lines(&log) {
        assert!(line["level"].is_string() && line["timestamp"].is_string(), "{line}");
    }
    // Who comes next does the rest.
    let _next = Worker::consumer("process", &cloud, &database, &queue).await;
    eventually("all are done", async || (done().await == PHOTOS).then_some(())).await;
    queue.drained().await;
    assert_eq!(queue.dead().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_ends_gives_nothing_up_though_it_was_the_last_to_receive_it() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    // What is received a second time is a dead letter.
    let queue = cloud.queue("process", 1).await;
    let web = Worker::web(&cloud, &database, &queue).await;
    let client = web.client();
    let accepted = id(&client.accepted(photo("cat.png")).await);
    let proxy = Proxy::start(&cloud.url(), Deed::Refuse, Operation::fetches_an_original).await;
    let process = Worker::of("process", &cloud, &database).env("AWS_ENDPOINT_URL", proxy.url());
    let process = process.env("DECOUPLE_QUEUE_URL", &queue.url).start().await;
    eventually("the task is held while the bucket is away", async || {
        process.log().contains("a task is held").then_some(())
    })
    .await;
    assert!(process.stop().await.0.success());
    assert_eq!((queue.in_flight().await, queue.dead().await), (0, 0));
    assert_eq!(client.json(&format!("/images/{accepted}")).await["resize"]["state"], "pending");
    let _next = Worker::consumer("process", &cloud, &database, &queue).await;
    assert_eq!(client.settled(&accepted).await["resize"]["state"], "done");
    queue.drained().await;
    assert_eq!(queue.dead().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_has_begun_is_finished() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let web = Worker::all(&cloud, &database).await;
    let client = web.client();
    let cat = photo("cat.png");
    let (first, rest) = cat.split_at(cat.len() / 2);
    let (mut sender, body) = mpsc::channel::<Result<Bytes, std::io::Error>>(0);
    let uploading = tokio::spawn({
        let client = client.clone();
        async move { client.http.post(client.at("/images")).body(reqwest::Body::wrap_stream(body)).send().await }
    });
    for piece in first.chunks(1 << 14) {
        sender.send(Ok(Bytes::copy_from_slice(piece))).await.unwrap();
    }
    // What was sent may not have been received yet, and an upload of which nothing was received has not begun.
    eventually("the upload is under way, beside this question", async || {
        let metrics = client.get("/metrics").await.text().await.unwrap();
        metrics.lines().any(|line| line == r#"decouple_under_way{role="all",what="request"} 2"#).then_some(())
    })
    .await;
    web.terminate();
    // Its door stays open for as long, so that who asks is told.
    eventually("the health check says that it is about to end", async || {
        // A connection that was kept for later may be closed under a request; the door is open for another.
        let answer = client.try_get("/healthz").await?;
        (answer.status() == 503).then_some(())
    })
    .await;
    sender.send(Ok(Bytes::copy_from_slice(rest))).await.unwrap();
    drop(sender);
    let answer = uploading.await.unwrap().unwrap();
    assert_eq!(answer.status(), 201);
    let (status, _) = web.ended().await;
    assert!(status.success(), "{status}");
}
