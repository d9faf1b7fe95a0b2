//! A worker that dies between two steps of an upload: what was accepted is worked on, what was not leaves nothing.

use crate::support::{
    Client, Cloud, Database, Deed, Operation, Proxy, Queue, Worker, eventually, on_both_catalogs, photo,
};

on_both_catalogs!(
    before_the_original_is_stored,
    after_the_original_is_stored,
    after_the_original_is_stored_and_another_was_refused,
    before_the_task_is_sent,
    after_the_task_is_sent,
    in_the_middle_of_a_job,
);

/// Uploads a photo to a worker that is killed at one step.
async fn killed_at(cloud: &Cloud, database: &Database, queue: &Queue, step: fn(&Operation) -> bool, deed: Deed) {
    let proxy = Proxy::start(&cloud.url(), deed, step).await;
    let web = Worker::of("web", cloud, database)
        .env("DECOUPLE_QUEUE_URL", &queue.url)
        .env("AWS_ENDPOINT_URL", proxy.url())
        .start()
        .await;
    let client: Client = web.client();
    let upload =
        tokio::spawn(async move { client.http.post(client.at("/images")).body(photo("cat.png")).send().await });
    proxy.swallowed().await;
    web.kill();
    assert!(upload.await.unwrap().is_err(), "the upload was answered before it was safe");
}

async fn before_the_original_is_stored(database: Database) {
    let cloud = Cloud::start().await;
    let queue = cloud.queue("process", 5).await;
    killed_at(&cloud, &database, &queue, Operation::stores_an_original, Deed::Swallow).await;
    assert_eq!(database.rows().await, 1);
    database.let_an_hour_pass().await;
    let web = Worker::web(&cloud, &database, &queue).await;
    eventually("the upload is forgotten", async || (database.rows().await == 0).then_some(())).await;
    assert_eq!(web.client().found("").await, [""; 0]);
}

async fn after_the_original_is_stored(database: Database) {
    let cloud = Cloud::start().await;
    let queue = cloud.queue("process", 5).await;
    killed_at(&cloud, &database, &queue, Operation::stores_an_original, Deed::SwallowAnswer).await;
    let web = Worker::web(&cloud, &database, &queue).await;
    assert_eq!(web.client().found("").await, [""; 0], "what was not accepted is not shown");
    database.let_an_hour_pass().await;
    is_worked_on(&cloud, &database, &queue, &web).await;
}

async fn after_the_original_is_stored_and_another_was_refused(database: Database) {
    let cloud = Cloud::start().await;
    let queue = cloud.queue("process", 5).await;
    let post = async |web: &Worker, name: &str| {
        let client = web.client();
        let post = client.http.post(client.at("/images")).header("idempotency-key", "k").header("x-filename", name);
        post.body(photo(name)).send().await
    };
    let proxy = Proxy::start(&cloud.url(), Deed::SwallowAnswer, Operation::stores_an_original).await;
    let dying = Worker::web_through(&proxy, &cloud, &database, &queue).await;
    tokio::select! {
        answer = post(&dying, "cat.png") => panic!("the upload was answered before it was safe: {answer:?}"),
        () = proxy.swallowed() => {}
    }
    dying.kill();
    let web = Worker::web(&cloud, &database, &queue).await;
    assert_eq!(post(&web, "rocket.jpg").await.unwrap().status(), 422);
    database.let_an_hour_pass().await;
    let client = web.client();
    let found = eventually("the upload is completed", async || client.found("").await.pop()).await;
    let record = client.json(&format!("/images/{found}")).await;
    let answer = client.get(&format!("/images/{found}/original")).await;
    assert_eq!((&record["filename"], &record["content_type"]), (&"cat.png".into(), &"image/png".into()), "{record}");
    assert_eq!((&record["width"], &record["height"]), (&451.into(), &300.into()), "{record}");
    assert_eq!(answer.headers()["content-type"], "image/png");
    assert_eq!(answer.bytes().await.unwrap(), photo("cat.png"));
    assert_eq!(record["bytes"], photo("cat.png").len());
}

async fn before_the_task_is_sent(database: Database) {
    let cloud = Cloud::start().await;
    let queue = cloud.queue("process", 5).await;
    killed_at(&cloud, &database, &queue, Operation::sends_a_task, Deed::Swallow).await;
    assert_eq!(queue.visible().await, 0);
    let web = Worker::web(&cloud, &database, &queue).await;
    is_worked_on(&cloud, &database, &queue, &web).await;
}

async fn after_the_task_is_sent(database: Database) {
    let cloud = Cloud::start().await;
    let queue = cloud.queue("process", 5).await;
    killed_at(&cloud, &database, &queue, Operation::sends_a_task, Deed::SwallowAnswer).await;
    assert_eq!(queue.visible().await, 1);
    let web = Worker::web(&cloud, &database, &queue).await;
    // Nobody can know that it was sent, so it is sent once more.
    eventually("the task is sent again", async || (queue.visible().await == 2).then_some(())).await;
    is_worked_on(&cloud, &database, &queue, &web).await;
}

async fn is_worked_on(cloud: &Cloud, database: &Database, queue: &Queue, web: &Worker) {
    let _process = Worker::consumer("process", cloud, database, queue).await;
    let client = web.client();
    let id = eventually("the photo is shown", async || client.found("").await.pop()).await;
    let cat = client.settled(&id).await;
    assert_eq!((&cat["resize"]["state"], &cat["tag"]["state"]), (&"done".into(), &"done".into()));
    queue.drained().await;
    assert_eq!((client.found("animal").await.len(), cloud.keys().await.len(), queue.dead().await), (1, 3, 0));
}

async fn in_the_middle_of_a_job(database: Database) {
    let cloud = Cloud::start().await;
    let queue = cloud.queue("process", 5).await;
    let web = Worker::web(&cloud, &database, &queue).await;
    let client = web.client();
    let accepted = crate::support::id(&client.accepted(photo("cat.png")).await);
    let proxy = Proxy::start(&cloud.url(), Deed::SwallowAnswer, Operation::stores_a_rendition).await;
    let dying = Worker::of("process", &cloud, &database)
        .env("DECOUPLE_QUEUE_URL", &queue.url)
        .env("AWS_ENDPOINT_URL", proxy.url())
        .start()
        .await;
    proxy.swallowed().await;
    dying.kill();
    let _process = Worker::consumer("process", &cloud, &database, &queue).await;
    // The task comes back when the dead worker's time with it is over.
    let cat = client.settled(&accepted).await;
    assert_eq!(cat["resize"]["renditions"].as_array().unwrap().len(), 2);
    queue.drained().await;
    assert_eq!(cloud.keys().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_kills_its_worker_each_time_is_parked() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 2).await;
    let web = Worker::web(&cloud, &database, &queue).await;
    let client = web.client();
    let deadly = crate::support::id(&client.accepted(photo("cat.png")).await);
    for _ in 0..2 {
        let proxy = Proxy::start(&cloud.url(), Deed::Swallow, Operation::stores_a_rendition).await;
        let dying = Worker::of("process", &cloud, &database)
            .env("DECOUPLE_QUEUE_URL", &queue.url)
            .env("DECOUPLE_VISIBILITY_SECONDS", "2")
            .env("AWS_ENDPOINT_URL", proxy.url())
            .start()
            .await;
        proxy.swallowed().await;
        dying.kill();
    }
    let _process = Worker::consumer("process", &cloud, &database, &queue).await;
    eventually("the task is a dead letter", async || (queue.dead().await == 1).then_some(())).await;
    // The next one is worked on, and the sweep leaves what was parked where it is.
    let next = crate::support::id(&client.accepted(photo("coffee.png")).await);
    assert_eq!(client.settled(&next).await["resize"]["state"], "done");
    queue.drained().await;
    assert_eq!(client.json(&format!("/images/{deadly}")).await["resize"]["state"], "pending");
    assert_eq!(queue.dead().await, 1);
}
