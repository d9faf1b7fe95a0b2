//! Each stage from upload to deletion, and the way from one stage to another.

use serde_json::Value;

use crate::support::{
    Client, Cloud, Database, Deed, Operation, Proxy, Worker, eventually, id, on_both_catalogs, photo,
};

on_both_catalogs!(
    all_in_one,
    one_queue,
    one_topic,
    a_task_that_comes_twice_changes_nothing,
    a_task_whose_photo_is_gone_leaves_nothing,
    a_change_of_stage_loses_no_task,
    a_queue_that_was_lost_and_made_anew_gets_its_tasks_again,
);

/// Looks at a cat that was worked on, finds it by what is in it, and deletes it.
async fn look_find_and_delete(client: &Client, cloud: &Cloud, cat: &Value) {
    let id = id(cat);
    assert_eq!((&cat["resize"]["state"], &cat["tag"]["state"]), (&"done".into(), &"done".into()), "{cat}");
    let sizes: Vec<(u64, u64)> = cat["resize"]["renditions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rendition| (rendition["width"].as_u64().unwrap(), rendition["height"].as_u64().unwrap()))
        .collect();
    assert_eq!(sizes, [(451, 300), (160, 106)]);
    let tags: Vec<&str> =
        cat["tag"]["tags"].as_array().unwrap().iter().map(|tag| tag["label"].as_str().unwrap()).collect();
    assert_eq!(tags[0], "cat");
    assert!(tags.contains(&"tabby cat"), "{tags:?}");
    for query in ["animal", "ANIMAL", "anim", "tabby", "cat+animal", "feline"] {
        assert_eq!(client.found(query).await, std::slice::from_ref(&id), "{query}");
    }
    for query in ["dog", "animal+dog"] {
        assert_eq!(client.found(query).await, [""; 0], "{query}");
    }
    for rendition in cat["resize"]["renditions"].as_array().unwrap() {
        let answer = client.get(rendition["url"].as_str().unwrap()).await;
        assert_eq!(answer.headers()["content-type"], "image/jpeg");
        let file = answer.bytes().await.unwrap();
        assert_eq!(file.len() as u64, rendition["bytes"].as_u64().unwrap());
        let read = image::load_from_memory(&file).unwrap();
        assert_eq!(u64::from(read.width()), rendition["width"].as_u64().unwrap());
    }
    assert_eq!(cloud.keys().await.len(), 3);
    assert_eq!(client.delete(&id).await, 204);
    assert_eq!(client.get(&format!("/images/{id}")).await.status(), 404);
    assert_eq!(client.delete(&id).await, 404);
    assert_eq!(client.found("animal").await, [""; 0]);
    assert_eq!(cloud.keys().await, [""; 0]);
}

async fn all_in_one(database: Database) {
    let cloud = Cloud::start().await;
    let worker = Worker::all(&cloud, &database).await;
    let answer = worker.client().upload(photo("cat.png")).await;
    assert_eq!(answer.status(), 201);
    let cat: Value = answer.json().await.unwrap();
    look_find_and_delete(&worker.client(), &cloud, &cat).await;
}

async fn one_queue(database: Database) {
    let cloud = Cloud::start().await;
    let queue = cloud.queue("process", 5).await;
    let web = Worker::web(&cloud, &database, &queue).await;
    let _process = Worker::consumer("process", &cloud, &database, &queue).await;
    let client = web.client();
    let answer = client.upload(photo("cat.png")).await;
    assert_eq!(answer.status(), 202);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let accepted: Value = answer.json().await.unwrap();
    assert_eq!(location, format!("/images/{}", id(&accepted)));
    let cat = client.settled(&id(&accepted)).await;
    queue.drained().await;
    assert_eq!(queue.dead().await, 0);
    look_find_and_delete(&client, &cloud, &cat).await;
}

async fn one_topic(database: Database) {
    let cloud = Cloud::start().await;
    let (resize, tag) = (cloud.queue("resize", 5).await, cloud.queue("tag", 5).await);
    let topic = cloud.topic(&[&resize, &tag]).await;
    let web = Worker::of("web", &cloud, &database).env("DECOUPLE_TOPIC_ARN", &topic).start().await;
    let client = web.client();
    let accepted = id(&client.accepted(photo("cat.png")).await);

    let _resizing = Worker::consumer("resize", &cloud, &database, &resize).await;
    eventually("the renditions are there", async || {
        let record = client.json(&format!("/images/{accepted}")).await;
        assert_eq!(record["tag"]["state"], "pending");
        (record["resize"]["state"] == "done").then_some(())
    })
    .await;
    let _tagging = Worker::consumer("tag", &cloud, &database, &tag).await;
    let cat = client.settled(&accepted).await;
    resize.drained().await;
    tag.drained().await;
    look_find_and_delete(&client, &cloud, &cat).await;
}

fn task(record: &Value) -> String {
    let id = id(record);
    let uploaded_at = &record["uploaded_at"];
    serde_json::json!({"version": 1, "image": id, "key": format!("originals/{id}"), "uploaded_at": uploaded_at})
        .to_string()
}

async fn a_task_that_comes_twice_changes_nothing(database: Database) {
    let cloud = Cloud::start().await;
    let queue = cloud.queue("process", 5).await;
    let web = Worker::web(&cloud, &database, &queue).await;
    let first = Worker::consumer("process", &cloud, &database, &queue).await;
    let _second = Worker::consumer("process", &cloud, &database, &queue).await;
    let client = web.client();
    let accepted = client.accepted(photo("cat.png")).await;
    for _ in 0..6 {
        queue.send(&task(&accepted)).await;
    }
    let once = client.settled(&id(&accepted)).await;
    queue.drained().await;
    queue.send(&task(&accepted)).await;
    queue.drained().await;
    assert_eq!(client.json(&format!("/images/{}", id(&accepted))).await, once);
    assert_eq!(client.found("animal").await.len(), 1);
    assert_eq!((queue.dead().await, cloud.keys().await.len()), (0, 3));
    drop(first);
}

async fn a_task_whose_photo_is_gone_leaves_nothing(database: Database) {
    let cloud = Cloud::start().await;
    let queue = cloud.queue("process", 5).await;
    let web = Worker::web(&cloud, &database, &queue).await;
    let client = web.client();
    let accepted = client.accepted(photo("cat.png")).await;
    assert_eq!(client.delete(&id(&accepted)).await, 204);
    assert_eq!(queue.visible().await, 1);
    let _process = Worker::consumer("process", &cloud, &database, &queue).await;
    queue.drained().await;
    assert_eq!((queue.dead().await, database.rows().await), (0, 0));
    assert_eq!(cloud.keys().await, [""; 0]);
}

async fn a_change_of_stage_loses_no_task(database: Database) {
    let cloud = Cloud::start().await;
    let queue = cloud.queue("process", 5).await;
    let before = Worker::web(&cloud, &database, &queue).await;
    let accepted = id(&before.client().accepted(photo("coffee.png")).await);
    assert!(before.stop().await.0.success());

    // From one queue to a topic: both new queues get the task.
    let (resize, tag) = (cloud.queue("resize", 5).await, cloud.queue("tag", 5).await);
    let topic = cloud.topic(&[&resize, &tag]).await;
    let web = Worker::of("web", &cloud, &database).env("DECOUPLE_TOPIC_ARN", &topic).start().await;
    eventually("the task is sent to the topic", async || {
        (resize.visible().await == 1 && tag.visible().await == 1).then_some(())
    })
    .await;
    let resizing = Worker::consumer("resize", &cloud, &database, &resize).await;
    resize.drained().await;
    assert!(resizing.stop().await.0.success());
    assert!(web.stop().await.0.success());

    // From there to one worker that does all: it does what is left.
    let all = Worker::all(&cloud, &database).await;
    let coffee = all.client().settled(&accepted).await;
    assert_eq!((&coffee["resize"]["state"], &coffee["tag"]["state"]), (&"done".into(), &"done".into()));
    assert_eq!(coffee["tag"]["tags"][0]["label"], "espresso");
}

async fn a_queue_that_was_lost_and_made_anew_gets_its_tasks_again(database: Database) {
    let cloud = Cloud::start().await;
    let queue = cloud.queue("process", 5).await;
    let web = Worker::web(&cloud, &database, &queue).await;
    let accepted = id(&web.client().accepted(photo("coffee.png")).await);
    assert!(web.stop().await.0.success());

    // To another stage and back at once: the address is the same, and the task is gone.
    queue.lost_and_made_anew(&cloud, "process").await;
    assert_eq!(queue.visible().await, 0);
    let web = Worker::web(&cloud, &database, &queue).await;
    eventually("the task is sent again", async || (queue.visible().await == 1).then_some(())).await;

    // A worker that starts anew over the same queue has nothing to send.
    assert!(web.stop().await.0.success());
    let web = Worker::web(&cloud, &database, &queue).await;
    let _process = Worker::consumer("process", &cloud, &database, &queue).await;
    assert_eq!(web.client().settled(&accepted).await["resize"]["state"], "done");
    queue.drained().await;
    assert!(!web.stop().await.1.contains("sending a task again"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_backlog_is_shared() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 5).await;
    let web = Worker::web(&cloud, &database, &queue).await;
    let client = web.client();
    let cores = std::thread::available_parallelism().unwrap().get();
    let backlog = cores * 4;
    for _ in 0..backlog {
        client.accepted(photo("rocket.jpg")).await;
    }
    // The first one works on photos that take their time.
    let proxy = Proxy::start(&cloud.url(), Deed::Swallow, Operation::fetches_an_original).await;
    let slow = Worker::of("process", &cloud, &database).env("AWS_ENDPOINT_URL", proxy.url());
    let slow = slow.env("DECOUPLE_QUEUE_URL", &queue.url).start().await;
    proxy.swallowed().await;
    let _other = Worker::consumer("process", &cloud, &database, &queue).await;
    let held = u32::try_from(cores).unwrap() + 1;
    eventually("the other one has done all but what the first holds", async || {
        (queue.visible().await == 0 && queue.in_flight().await <= held).then_some(())
    })
    .await;
    let done = client.json("/images?limit=200").await["images"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|image| image["resize"]["state"] == "done")
        .count();
    assert!(done >= backlog - cores - 1, "{done} of {backlog}");
    slow.kill();
}
