//! One trace a photo: whatever a worker logs about it has its id and the trace that its upload was a part of.

use serde_json::Value;

use crate::support::{Cloud, Database, Worker, id, lines, photo};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// Returns what a worker has logged of a photo.
fn about(worker_log: &str, image: &str) -> Vec<Value> {
    lines(worker_log).into_iter().filter(|line| line["span"]["image"] == image).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_goes_from_the_upload_through_topic_and_queues_to_every_worker() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let (resize, tag) = (cloud.queue("resize", 5).await, cloud.queue("tag", 5).await);
    let topic = cloud.topic(&[&resize, &tag]).await;
    let web = Worker::of("web", &cloud, &database).env("DECOUPLE_TOPIC_ARN", &topic).start().await;
    let resizing = Worker::consumer("resize", &cloud, &database, &resize).await;
    let tagging = Worker::consumer("tag", &cloud, &database, &tag).await;
    let client = web.client();
    let post = client.http.post(client.at("/images")).body(photo("cat.png"));
    let traced = post.header("traceparent", format!("00-{TRACE}-b7ad6b7169203331-01")).send().await.unwrap();
    let traced = id(&traced.json().await.unwrap());
    let own = id(&client.accepted(photo("cat.png")).await);
    for image in [&traced, &own] {
        client.settled(image).await;
    }
    let mut parents = Vec::new();
    for worker in [web, resizing, tagging] {
        let (_, log) = worker.stop().await;
        for (image, trace) in [(&traced, TRACE.to_owned()), (&own, own.replace('-', ""))] {
            let lines = about(&log, image);
            assert!(!lines.is_empty(), "{log}");
            assert!(lines.iter().all(|line| line["span"]["trace_id"] == trace.as_str()), "{lines:?}");
            parents.push(lines[0]["span"]["parent_id"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(parents[0], "b7ad6b7169203331");
    assert_ne!(parents[0], parents[2], "what is sent on has a parent of its own");
}
