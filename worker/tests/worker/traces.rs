//! One trace a photo: whatever a worker logs about it has its id and the trace that its upload was a part of.

use serde_json::Value;

use crate::support::{Cloud, Database, Deed, Operation, Proxy, Worker, eventually, id, lines, photo};

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
    let (mut spans, mut parents) = (Vec::new(), Vec::new());
    for worker in [web, resizing, tagging] {
        let (_, log) = worker.stop().await;
        for (image, trace) in [(&traced, TRACE.to_owned()), (&own, own.replace('-', ""))] {
            let lines = about(&log, image);
            assert!(!lines.is_empty(), "{log}");
            assert!(lines.iter().all(|line| line["span"]["trace_id"] == trace.as_str()), "{lines:?}");
            spans.push(lines[0]["span"]["span_id"].clone());
            parents.push(lines[0]["span"]["parent_id"].clone());
        }
    }
    assert_eq!(parents[..2], [Value::from("b7ad6b7169203331"), Value::Null]);
    // What is sent on has the span of who sent it for its parent.
    assert_eq!((&parents[2..4], &parents[4..]), (&spans[..2], &spans[..2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_the_sweep_sends_stays_in_the_trace_of_its_upload() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 5).await;
    let proxy = Proxy::start(&cloud.url(), Deed::Refuse, Operation::sends_a_task).await;
    let web = Worker::web_through(&proxy, &cloud, &database, &queue).await;
    let client = web.client();
    let post = client.http.post(client.at("/images")).body(photo("cat.png")).header("tracestate", "vendor=abc");
    let answer = post.header("traceparent", format!("00-{TRACE}-b7ad6b7169203331-01")).send().await.unwrap();
    let image = id(&answer.json().await.unwrap());
    proxy.relent();
    let sent = eventually("the task is sent", async || queue.attributes_of_the_next().await).await;
    let (_, log) = web.stop().await;
    let spans: Vec<Value> = about(&log, &image).into_iter().map(|line| line["span"].clone()).collect();
    let swept = spans.last().unwrap();
    assert_eq!(sent["tracestate"], "vendor=abc");
    assert_eq!(sent["traceparent"], format!("00-{TRACE}-{}-01", swept["span_id"].as_str().unwrap()));
    assert_eq!(swept["parent_id"], spans[0]["span_id"], "the sweep does what the upload asked for");
    assert_ne!(swept["span_id"], spans[0]["span_id"]);
}
