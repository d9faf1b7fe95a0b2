//! What a worker does when its instance is about to end, as the metadata service and Auto Scaling of AWS announce it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::support::{Builder, Cloud, Database, Deed, Operation, Proxy, Worker, eventually, id, photo};

const TARGET_STATE: &str = "autoscaling/target-lifecycle-state";
const COMPLETE: &str = "CompleteLifecycleAction";
const HEARTBEAT: &str = "RecordLifecycleActionHeartbeat";
const TOKEN: &str = "a-session-of-the-second-version";

/// An instance as AWS shows it from within, and the Auto Scaling service that waits for it.
#[derive(Clone, Default)]
struct Aws {
    metadata: Arc<Mutex<HashMap<&'static str, &'static str>>>,
    /// How often it was asked what becomes of the instance.
    looks: Arc<AtomicUsize>,
    /// What Auto Scaling was asked for.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Aws {
    /// Starts it, and returns what it shows and its URL.
    async fn start() -> (Self, String) {
        let aws = Self::default();
        aws.announce(TARGET_STATE, "InService");
        let router = Router::new()
            .route("/latest/api/token", put(token))
            .route("/latest/meta-data/{*path}", get(metadata))
            .route("/", post(auto_scaling))
            .with_state(aws.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (aws, url)
    }

    fn announce(&self, path: &'static str, value: &'static str) {
        self.metadata.lock().unwrap().insert(path, value);
    }

    /// Waits until the worker has looked once more, at all that there is to see.
    async fn looked_at(&self) {
        let before = self.looks.load(Ordering::Relaxed);
        eventually("the worker looks twice", async || (self.looks.load(Ordering::Relaxed) >= before + 2).then_some(()))
            .await;
    }

    /// What Auto Scaling was asked to do for the instance.
    fn asked_to(&self, action: &str) -> Vec<String> {
        let action = format!("Action={action}&");
        self.asked.lock().unwrap().iter().filter(|asked| asked.starts_with(&action)).cloned().collect()
    }

    /// Waits until the hook is told that something is still held, and checks that it is not completed.
    async fn waits(&self) {
        let heartbeat = eventually("a heartbeat", async || self.asked_to(HEARTBEAT).pop()).await;
        assert_names_the_hook(&heartbeat);
        assert_eq!(self.asked_to(COMPLETE), Vec::<String>::new());
    }
}

async fn token() -> Response {
    ([("x-aws-ec2-metadata-token-ttl-seconds", "21600")], TOKEN).into_response()
}

async fn metadata(State(aws): State<Aws>, Path(path): Path<String>, headers: HeaderMap) -> Response {
    if headers.get("x-aws-ec2-metadata-token").is_none_or(|token| token != TOKEN) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if path == TARGET_STATE {
        aws.looks.fetch_add(1, Ordering::Relaxed);
    }
    match aws.metadata.lock().unwrap().get(path.as_str()) {
        Some(value) => (*value).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Auto Scaling, whose instance begins to wait on its hook a little after it is said to terminate.
async fn auto_scaling(State(aws): State<Aws>, body: String) -> Response {
    let first = aws.asked_to(COMPLETE).is_empty();
    let completes = body.contains(COMPLETE);
    aws.asked.lock().unwrap().push(body);
    if completes && first {
        let refused = "<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code>\
            <Message>No active Lifecycle Action found with instance ID i-0</Message></Error></ErrorResponse>";
        return (StatusCode::BAD_REQUEST, refused).into_response();
    }
    let action = if completes { COMPLETE } else { HEARTBEAT };
    format!("<{action}Response><{action}Result/></{action}Response>").into_response()
}

fn assert_names_the_hook(asked: &str) {
    for said in ["AutoScalingGroupName=site-dev-group", "LifecycleHookName=drain", "InstanceId=i-0"] {
        assert!(asked.contains(said), "{said} in {asked}");
    }
}

fn on_instance(worker: Builder, url: &str) -> Builder {
    worker
        .env("DECOUPLE_INSTANCE", "i-0")
        .env("DECOUPLE_AUTO_SCALING_GROUP", "site-dev-group")
        .env("DECOUPLE_TERMINATION_HOOK", "drain")
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
        .env("AWS_ENDPOINT_URL_AUTO_SCALING", url)
}

/// Waits until the hook is completed, and checks what was said of it.
async fn completed(aws: &Aws, worker: &Worker) {
    eventually("the hook is completed", async || {
        worker.log().contains("the termination hook is completed").then_some(())
    })
    .await;
    let asked = aws.asked_to(COMPLETE);
    assert_eq!(asked.len(), 2, "it is asked again until the instance waits, and then no more: {asked:?}");
    assert_names_the_hook(&asked[1]);
    assert!(asked[1].contains("LifecycleActionResult=CONTINUE"), "{}", asked[1]);
}

/// Interrupts a consumer in the middle of its work by what the metadata show.
async fn stops_receiving_and_gives_back(path: &'static str, notice: &'static str) {
    const PHOTOS: u32 = 24;
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 5).await;
    let web = Worker::web(&cloud, &database, &queue).await;
    for _ in 0..PHOTOS {
        web.client().accepted(photo("galaxies.jpg")).await;
    }
    let (aws, url) = Aws::start().await;
    let process = Worker::of("process", &cloud, &database).env("DECOUPLE_QUEUE_URL", &queue.url);
    let mut process = on_instance(process, &url).start().await;
    aws.announce(path, notice);
    eventually("it holds nothing more", async || process.log().contains("nothing is held any more").then_some(()))
        .await;
    assert_eq!(queue.in_flight().await, 0, "every task is done or given back");
    let left = queue.visible().await;
    queue.send("not for this one").await;
    // It answers until the system ends it, and tells nobody that it is done with before it is asked to end.
    assert_eq!(process.client().get("/healthz").await.status(), 200);
    assert!(process.runs());
    if path != TARGET_STATE {
        assert_eq!(*aws.asked.lock().unwrap(), Vec::<String>::new());
        aws.announce(TARGET_STATE, "Terminated");
    }
    completed(&aws, &process).await;
    assert_eq!(queue.visible().await, left + 1, "nothing more is received");
    let (status, _) = process.stop().await;
    assert!(status.success(), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_spot_instance_gives_back_what_it_holds() {
    let action = r#"{"action": "terminate", "time": "2026-11-26T14:22:00Z"}"#;
    stops_receiving_and_gives_back("spot/instance-action", action).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spot_instance_that_is_to_be_replaced_works_until_it_is() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 5).await;
    let (aws, url) = Aws::start().await;
    let process = Worker::of("process", &cloud, &database).env("DECOUPLE_QUEUE_URL", &queue.url);
    let process = on_instance(process, &url).start().await;
    aws.announce("events/recommendations/rebalance", r#"{"noticeTime": "2026-11-26T14:20:00Z"}"#);
    aws.looked_at().await;
    let web = Worker::web(&cloud, &database, &queue).await;
    let client = web.client();
    let accepted = id(&client.accepted(photo("cat.png")).await);
    assert_eq!(client.settled(&accepted).await["tag"]["state"], "done");
    // Auto Scaling says so once the new instance is healthy.
    aws.announce(TARGET_STATE, "Terminated");
    completed(&aws, &process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_shrinks_waits_for_no_time_out() {
    stops_receiving_and_gives_back(TARGET_STATE, "Terminated").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_serves_goes_on_until_the_system_ends_it() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let (aws, url) = Aws::start().await;
    let worker = on_instance(Worker::of("all", &cloud, &database), &url).start().await;
    aws.announce(TARGET_STATE, "Terminated");
    completed(&aws, &worker).await;
    worker.client().accepted(photo("cat.png")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_serves_finishes_its_requests_first() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let (aws, url) = Aws::start().await;
    let worker = on_instance(Worker::of("all", &cloud, &database), &url).start().await;
    let client = worker.client();
    let cat = photo("cat.png");
    let head = format!("POST /images HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", cat.len());
    let mut upload = TcpStream::connect(client.at("").replace("http://", "")).await.unwrap();
    upload.write_all(head.as_bytes()).await.unwrap();
    let (first, rest) = cat.split_at(cat.len() / 2);
    upload.write_all(first).await.unwrap();
    eventually("the upload is under way, beside this question", async || {
        let metrics = client.get("/metrics").await.text().await.unwrap();
        metrics.contains("what=\"request\"} 2").then_some(())
    })
    .await;
    aws.announce(TARGET_STATE, "Terminated");
    aws.waits().await;
    // Whoever comes all the same is served, and has to look for another instance then.
    let answer = client.get("/images").await;
    assert_eq!((answer.status().as_u16(), &answer.headers()["connection"]), (200, &"close".parse().unwrap()));
    upload.write_all(rest).await.unwrap();
    let mut answer = String::new();
    upload.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    completed(&aws, &worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_takes_long_is_waited_for() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 5).await;
    let web = Worker::web(&cloud, &database, &queue).await;
    web.client().accepted(photo("cat.png")).await;
    let proxy = Proxy::start(&cloud.url(), Deed::Swallow, Operation::fetches_an_original).await;
    let (aws, url) = Aws::start().await;
    let process = Worker::of("process", &cloud, &database)
        .env("DECOUPLE_QUEUE_URL", &queue.url)
        .env("DECOUPLE_JOB_TIMEOUT_SECONDS", "20")
        .env("AWS_ENDPOINT_URL", proxy.url());
    let process = on_instance(process, &url).start().await;
    proxy.swallowed().await;
    aws.announce(TARGET_STATE, "Terminated");
    aws.waits().await;
    assert_eq!(queue.in_flight().await, 1, "it is held meanwhile");
    completed(&aws, &process).await;
    assert_eq!(queue.in_flight().await, 0, "it is given back when its time is over");
}
