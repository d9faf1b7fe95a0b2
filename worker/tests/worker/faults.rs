//! What passes is waited for; what does not ends among the dead letters, and never in a lost photo.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::Value;

use crate::support::{Cloud, Database, Deed, Operation, Proxy, Worker, eventually, id, lines, on_both_catalogs, photo};

on_both_catalogs!(an_outage_of_the_catalog_uses_up_no_receive);

async fn an_outage_of_the_catalog_uses_up_no_receive(database: Database) {
    // Between one failure and the next pass 1, 2 and 2.5 s at least: four are an outage of more than two visibilities.
    const VISIBILITY: &str = "2";
    const FAILURES: u64 = 4;
    let cloud = Cloud::start().await;
    // What is received a second time is a dead letter.
    let queue = cloud.queue("process", 1).await;
    let process = Worker::of("process", &cloud, &database)
        .env("DECOUPLE_QUEUE_URL", &queue.url)
        .env("DECOUPLE_VISIBILITY_SECONDS", VISIBILITY)
        .start()
        .await;
    // Nobody receives from this one, so that the task comes once the catalog is away.
    let aside = cloud.queue("aside", 1).await;
    let web = Worker::web(&cloud, &database, &aside).await;
    let accepted = id(&web.client().accepted(photo("cat.png")).await);
    database.hide_photos().await;
    queue.send(&task(&accepted)).await;
    eventually("the worker has failed again and again", async || {
        (process.client().errors("catalog").await >= FAILURES).then_some(())
    })
    .await;
    assert_eq!((queue.in_flight().await, queue.dead().await), (1, 0), "it is held meanwhile");
    database.show_photos().await;
    assert_eq!(web.client().settled(&accepted).await["resize"]["state"], "done");
    queue.drained().await;
    assert_eq!(queue.dead().await, 0);
}

fn task(image: &str) -> String {
    let key = format!("originals/{image}");
    let uploaded_at = "2026-01-01T00:00:00Z";
    serde_json::json!({"version": 1, "image": image, "key": key, "uploaded_at": uploaded_at}).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_keeps_failing_ends_among_the_dead_letters() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 2).await;
    let web = Worker::web(&cloud, &database, &queue).await;
    let client = web.client();
    let accepted = id(&client.accepted(photo("cat.png")).await);
    let proxy = Proxy::start(&cloud.url(), Deed::Refuse, Operation::fetches_an_original).await;
    let process = Worker::of("process", &cloud, &database)
        .env("DECOUPLE_QUEUE_URL", &queue.url)
        .env("DECOUPLE_JOB_TIMEOUT_SECONDS", "10")
        .env("AWS_ENDPOINT_URL", proxy.url())
        .start()
        .await;
    eventually("the task is a dead letter", async || (queue.dead().await == 1).then_some(())).await;
    let record = client.json(&format!("/images/{accepted}")).await;
    for part in ["resize", "tag"] {
        let reason = record[part]["reason"].as_str().unwrap_or_default();
        assert_eq!(
            (&record[part]["state"], reason.contains("after 2 tries: the bucket")),
            (&"failed".into(), true),
            "{record}"
        );
    }
    let metrics = process.client().get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("decouple_jobs_total{role=\"process\",kind=\"tag\",outcome=\"given_up\"} 1"), "{metrics}");

    // Once the fault has passed, who moves the dead letters back has the photo done.
    proxy.relent();
    queue.move_dead_letters_back().await;
    eventually("the photo is done", async || {
        let record = client.json(&format!("/images/{accepted}")).await;
        ["resize", "tag"]
            .iter()
            .all(|part| record[*part]["state"] == "done" && record[*part]["reason"].is_null())
            .then_some(())
    })
    .await;
    queue.drained().await;
    assert_eq!(queue.dead().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_queue_a_photo_that_is_never_done_is_given_up_too() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let proxy = Proxy::start(&cloud.url(), Deed::Swallow, Operation::fetches_an_original).await;
    let all = Worker::of("all", &cloud, &database).env("DECOUPLE_JOB_TIMEOUT_SECONDS", "1");
    let all = all.env("AWS_ENDPOINT_URL", proxy.url()).start().await;
    let client = all.client();
    let accepted = id(&client.accepted(photo("cat.png")).await);
    let record = eventually("the photo is given up", async || {
        // Each try is made a while after the one before it.
        database.let_an_hour_pass().await;
        let record = client.json(&format!("/images/{accepted}")).await;
        (record["resize"]["state"] == "failed" && record["tag"]["state"] == "failed").then_some(record)
    })
    .await;
    let reason = record["resize"]["reason"].as_str().unwrap();
    assert_eq!(reason, "it was given up after 5 tries: it took longer than 1 s");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_task_ends_among_the_dead_letters_and_stops_nobody() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 2).await;
    let web = Worker::web(&cloud, &database, &queue).await;
    let _process = Worker::consumer("process", &cloud, &database, &queue).await;
    let later = r#"{"version":9,"image":"x","key":"k","uploaded_at":"t"}"#;
    // Some databases fail over such an id, as if they were away.
    let odd = task("\0");
    for body in ["hello", "{}", later, &odd] {
        queue.send(body).await;
    }
    let accepted = id(&web.client().accepted(photo("cat.png")).await);
    assert_eq!(web.client().settled(&accepted).await["tag"]["state"], "done");
    eventually("they are dead letters", async || (queue.dead().await == 4).then_some(())).await;
    queue.drained().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_endpoint_is_waited_for() {
    let (mut cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 5).await;
    let mut web = Worker::web(&cloud, &database, &queue).await;
    let mut process = Worker::consumer("process", &cloud, &database, &queue).await;
    let client = web.client();
    cloud.stop().await;
    eventually("the health check tells of it", async || (client.get("/healthz").await.status() == 503).then_some(()))
        .await;
    // Whoever replaces instances asks whether the worker itself works: another one would lack the same.
    let alive = client.get("/healthz?live").await;
    assert_eq!(alive.status(), 200);
    assert!(alive.json::<Value>().await.unwrap()["reasons"][0].is_string());
    let refused = client.upload(photo("cat.png")).await;
    assert_eq!((refused.status().as_u16(), refused.headers().contains_key("retry-after")), (503, true));
    assert!(web.runs() && process.runs());

    cloud.restart().await;
    eventually("the health check is content", async || (client.get("/healthz").await.status() == 200).then_some(()))
        .await;
    let accepted = id(&client.accepted(photo("cat.png")).await);
    assert_eq!(client.settled(&accepted).await["resize"]["state"], "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hangs_keeps_nobody_waiting_who_asks_for_the_health() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let hangs = Arc::new(AtomicBool::new(false));
    let bucket_hangs = Arc::clone(&hangs);
    let proxy = Proxy::start(&cloud.url(), Deed::Swallow, move |operation| {
        let lists = operation.method == "GET" && !operation.path.contains("/originals/");
        lists && bucket_hangs.load(Ordering::Relaxed)
    })
    .await;
    let all = Worker::of("all", &cloud, &database).env("AWS_ENDPOINT_URL", proxy.url()).start().await;
    hangs.store(true, Ordering::Relaxed);
    let told = eventually("the health check tells of it", async || {
        let answer = all.client().get("/healthz").await;
        if answer.status() == 503 { Some(answer.json::<Value>().await.unwrap()) } else { None }
    })
    .await;
    assert_eq!(told["reasons"][0], "bucket: no answer within 2 s");
    assert_eq!(all.client().get("/healthz?live").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_whose_task_cannot_be_sent_is_accepted_and_sent_later() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 5).await;
    let proxy = Proxy::start(&cloud.url(), Deed::Refuse, Operation::sends_a_task).await;
    let web = Worker::web_through(&proxy, &cloud, &database, &queue).await;
    let client = web.client();
    let accepted = id(&client.accepted(photo("cat.png")).await);
    assert_eq!(queue.visible().await, 0);
    proxy.relent();
    eventually("the task is sent", async || (queue.visible().await == 1).then_some(())).await;
    let _process = Worker::consumer("process", &cloud, &database, &queue).await;
    assert_eq!(client.settled(&accepted).await["resize"]["state"], "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_removed_keeps_nothing_else_from_being_repaired() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 5).await;
    let sends = Arc::new(AtomicBool::new(true));
    let may_send = Arc::clone(&sends);
    let proxy = Proxy::start(&cloud.url(), Deed::Refuse, move |operation| {
        let removes = operation.method == "DELETE" && operation.path.contains("/originals/");
        let refused = operation.target.ends_with(".SendMessage") && !may_send.load(Ordering::Relaxed);
        removes || refused
    })
    .await;
    let web = Worker::web_through(&proxy, &cloud, &database, &queue).await;
    let client = web.client();
    let removed = id(&client.accepted(photo("cat.png")).await);
    assert_eq!(client.delete(&removed).await, 204);
    sends.store(false, Ordering::Relaxed);
    client.accepted(photo("coffee.png")).await;
    database.let_an_hour_pass().await;
    eventually("the sweep cannot remove it", async || {
        web.log().contains("a photo could not be repaired").then_some(())
    })
    .await;
    sends.store(true, Ordering::Relaxed);
    eventually("the other one's task is sent", async || (queue.visible().await == 2).then_some(())).await;
    assert_eq!(cloud.keys().await.len(), 2, "it is still there");
    proxy.relent();
    eventually("it is removed", async || {
        database.let_an_hour_pass().await;
        (cloud.keys().await.len() == 1).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_original_is_the_photos_own_fault() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 5).await;
    let web = Worker::web(&cloud, &database, &queue).await;
    let client = web.client();
    let accepted = id(&client.accepted(photo("cat.png")).await);
    cloud.s3.delete_object().bucket("photos").key(format!("originals/{accepted}")).send().await.unwrap();
    let _process = Worker::consumer("process", &cloud, &database, &queue).await;
    let record: Value = client.settled(&accepted).await;
    for part in ["resize", "tag"] {
        assert_eq!(record[part]["state"], "failed");
        assert!(record[part]["reason"].as_str().unwrap().contains("original is missing"), "{record}");
    }
    queue.drained().await;
    assert_eq!(queue.dead().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_queue_is_told_by_those_who_need_it() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 5).await;
    let web = Worker::web(&cloud, &database, &queue).await;
    let process = Worker::consumer("process", &cloud, &database, &queue).await;
    queue.remove().await;
    let health = async |worker: &Worker| {
        let answer = worker.client().get("/healthz").await;
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    // Photos are taken all the same: the sweep sends their tasks once there is a queue.
    web.client().accepted(photo("cat.png")).await;
    let (status, told) = health(&web).await;
    assert_eq!(status, 200);
    assert!(told["warnings"][0].as_str().unwrap().contains("SendMessage"), "{told}");
    eventually("who receives has nothing to do", async || {
        let (status, told) = health(&process).await;
        (status == 503 && told["reasons"][0].as_str()?.contains("ReceiveMessage")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_a_request_from_being_served_is_logged_with_its_photo_and_counted() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 5).await;
    let proxy = Proxy::start(&cloud.url(), Deed::Refuse, |operation| operation.path.contains("/originals/")).await;
    let web = Worker::web_through(&proxy, &cloud, &database, &queue).await;
    let client = web.client();
    let before = client.errors("bucket").await;
    assert_eq!(client.upload(photo("cat.png")).await.status(), 503);
    assert!(client.errors("bucket").await > before);
    proxy.relent();
    let accepted = id(&client.accepted(photo("cat.png")).await);
    database.hide_photos().await;
    let before = client.errors("catalog").await;
    assert_eq!(client.get(&format!("/images/{accepted}")).await.status(), 503);
    assert!(client.errors("catalog").await > before);
    let (_, log) = web.stop().await;
    let unserved = lines(&log).into_iter().filter(|line| line.to_string().contains("a request could not be served"));
    let images: Vec<Value> = unserved.map(|line| line["span"]["image"].clone()).collect();
    assert_eq!((images.len(), &images[1]), (2, &accepted.into()), "{log}");
    assert!(images[0].is_string(), "{log}");
}
