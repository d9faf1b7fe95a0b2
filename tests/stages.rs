//! Every stage from `up` to `teardown`, with a photo going through.

use serde_json::Value;

use crate::support::{Site, TestEnv, until};

async fn a_photo_goes_through(stage: &str, accepted: u16) {
    let env = TestEnv::new();
    let site = env.up(&["--stage", stage]).await;

    let (status, record) = site.upload("cat.png").await;
    assert_eq!(status.as_u16(), accepted, "{record}");
    let id = record["id"].as_str().expect("an id").to_owned();
    let record = site.done(&id).await;

    let renditions = record["resize"]["renditions"].as_array().expect("renditions");
    assert!(!renditions.is_empty());
    for rendition in renditions {
        let url = site.at(rendition["url"].as_str().expect("a URL"));
        let answer = site.client.get(url).send().await.expect("the rendition is served");
        assert_eq!(answer.headers()["content-type"], "image/jpeg");
        let bytes = answer.bytes().await.expect("the rendition is served whole");
        assert_eq!(bytes.len() as u64, rendition["bytes"].as_u64().expect("a size"));
    }
    assert_eq!(site.search("animal").await, [id.as_str()]);
    assert_eq!(site.search("espresso").await, [""; 0]);

    healthy(&env, stage).await;
    // A second `up` changes nothing and still says where things are.
    let again = env.ok(&["up", "--stage", stage, "--output", "json"]).await.json();
    assert_eq!(
        (again["changed"].clone(), again["outputs"]["url"].clone()),
        (Value::Bool(false), site.url.clone().into())
    );

    let gone = site.client.delete(site.at(&format!("/images/{id}"))).send().await.expect("the site answers");
    assert_eq!(gone.status().as_u16(), 204);
    assert!(site.record(&id).await.is_none());

    let (_, kept) = site.upload("coffee.png").await;
    let kept = kept["id"].as_str().expect("an id");
    assert!(site.record(kept).await.is_some());
    let torn = env.ok(&["teardown", "--output", "json"]).await.json();
    assert!(torn["kept"].is_string());
    // Another environment may have its port by now, and not its photos.
    assert!(site.record(kept).await.is_none(), "the site is still there");
    assert_eq!(env.status().await["health"], "down");
    env.ok(&["teardown", "--delete-data", "--yes"]).await;
    assert_eq!(env.run(&["status"]).await.code, 4);
}

async fn healthy(env: &TestEnv, stage: &str) {
    let status = until("a healthy environment", || async {
        let status = env.status().await;
        (status["health"] == "ok").then_some(status)
    })
    .await;
    assert_eq!(status["stage"], stage);
    let kinds: Vec<&str> =
        status["parts"].as_array().expect("parts").iter().map(|part| part["kind"].as_str().expect("a kind")).collect();
    let expected: &[&str] = match stage {
        "elb" => &["balancer", "group", "bucket", "catalog"],
        "elb-sqs" => &["balancer", "group", "group", "queue", "bucket", "catalog"],
        _ => &["balancer", "group", "group", "group", "topic", "queue", "queue", "bucket", "catalog"],
    };
    assert_eq!(kinds, expected);
}

#[tokio::test]
async fn elb() {
    a_photo_goes_through("elb", 201).await;
}

#[tokio::test]
async fn elb_sqs() {
    a_photo_goes_through("elb-sqs", 202).await;
}

#[tokio::test]
async fn sns_sqs() {
    a_photo_goes_through("sns-sqs", 202).await;
}

#[tokio::test]
async fn another_stage_keeps_the_photos_and_finishes_what_was_in_flight() {
    let env = TestEnv::new();
    // Nobody works on the queue, so the task is in flight when the stage changes.
    env.write("idle.yaml", "stage: elb-sqs\ngroups:\n  process:\n    instances: { min: 0, max: 1 }\n    scaling: { scale_in_after: 1h, target_latency: 1h, time_per_message: 1h }\n");
    let site = env.up(&["--blueprint", "idle.yaml"]).await;
    let (_, record) = site.upload("cat.png").await;
    let id = record["id"].as_str().expect("an id").to_owned();

    let site: Site = env.up(&["--stage", "sns-sqs"]).await;
    site.done(&id).await;
    let status = env.status().await;
    let queues: Vec<&Value> =
        status["parts"].as_array().expect("parts").iter().filter(|part| part["kind"] == "queue").collect();
    assert_eq!(queues.len(), 2, "{status}");

    let site = env.up(&["--stage", "elb"]).await;
    assert_eq!(site.search("cat").await, [id]);
}

#[tokio::test]
async fn a_change_touches_only_what_differs() {
    let env = TestEnv::new();
    env.up(&["--stage", "sns-sqs"]).await;
    let pids = |status: &Value, group: &str| -> Vec<u64> {
        let parts = status["parts"].as_array().expect("parts").clone();
        let part = parts.iter().find(|part| part["kind"] == "group" && part["name"] == group).expect("the group");
        part["instances"].as_array().expect("instances").iter().map(|one| one["pid"].as_u64().expect("a pid")).collect()
    };
    let before = env.status().await;

    env.write("decouple.yaml", "stage: sns-sqs\nrenditions:\n  widths: [320]\n");
    let site = env.up(&[]).await;
    let after = env.status().await;
    assert_eq!(pids(&before, "web"), pids(&after, "web"));
    assert_eq!(pids(&before, "tag"), pids(&after, "tag"));
    assert_ne!(pids(&before, "resize"), pids(&after, "resize"));

    let (_, record) = site.upload("coffee.png").await;
    let record = site.done(record["id"].as_str().expect("an id")).await;
    assert_eq!(record["resize"]["renditions"].as_array().expect("renditions").len(), 1);
    assert_eq!(record["resize"]["renditions"][0]["width"], 320);
}
