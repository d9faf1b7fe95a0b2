//! SNS and a server on this machine: confirmation, delivery, retries, dead letters.

use std::sync::Arc;

use aws_sdk_sns::{Client, error::ProvideErrorMetadata};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc},
    time::timeout,
};

use crate::{
    signatures,
    support::{DEADLINE, Running, fresh},
};

/// A server that notes what it is sent and answers as it is told, 200 when nothing was said.
struct Server {
    url: String,
    received: mpsc::UnboundedReceiver<(HeaderMap, String)>,
    answers: Arc<Mutex<Vec<StatusCode>>>,
}

impl Server {
    async fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (sender, received) = mpsc::unbounded_channel();
        let answers = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&answers);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (sender, answers) = (sender.clone(), Arc::clone(&shared));
                let answer = move |request: Request<Incoming>| {
                    let (sender, answers) = (sender.clone(), Arc::clone(&answers));
                    async move {
                        let headers = request.headers().clone();
                        let body = request.into_body().collect().await?.to_bytes();
                        let status = answers.lock().await.pop().unwrap_or(StatusCode::OK);
                        // The test may have ended.
                        drop(sender.send((headers, String::from_utf8(body.to_vec()).unwrap())));
                        let mut response = Response::new(Full::new(Bytes::new()));
                        *response.status_mut() = status;
                        Ok::<_, hyper::Error>(response)
                    }
                };
                let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
                tokio::spawn(connection);
            }
        });
        Server { url, received, answers }
    }

    async fn next(&mut self) -> (HeaderMap, String) {
        timeout(DEADLINE, self.received.recv()).await.unwrap().unwrap()
    }
}

async fn topic(sns: &Client) -> String {
    sns.create_topic().name("images").send().await.unwrap().topic_arn.unwrap()
}

/// Subscribes a server with some attributes, and has it confirm.
async fn subscribed(sns: &Client, topic: &str, server: &mut Server, attributes: &[(&str, &str)]) -> String {
    let mut subscribe = sns.subscribe().topic_arn(topic).protocol("http").endpoint(&server.url);
    for (name, value) in attributes {
        subscribe = subscribe.attributes(*name, *value);
    }
    let arn = subscribe.return_subscription_arn(true).send().await.unwrap().subscription_arn.unwrap();
    let (_, body) = server.next().await;
    let confirmation: Value = serde_json::from_str(&body).unwrap();
    let token = confirmation["Token"].as_str().unwrap();
    sns.confirm_subscription().topic_arn(topic).token(token).send().await.unwrap();
    arn
}

#[tokio::test]
async fn a_server_confirms_by_the_link_and_gets_what_is_published() {
    let (_directory, endpoint) = fresh().await;
    let sns = endpoint.sns().await;
    let (topic, mut server) = (topic(&sns).await, Server::start().await);
    let subscribe = sns.subscribe().topic_arn(&topic).protocol("http").endpoint(&server.url).send().await.unwrap();
    assert_eq!(subscribe.subscription_arn(), Some("pending confirmation"));
    let (headers, body) = server.next().await;
    assert_eq!(headers["x-amz-sns-message-type"], "SubscriptionConfirmation");
    assert_eq!(headers["x-amz-sns-topic-arn"], topic.as_str());
    let confirmation: Value = serde_json::from_str(&body).unwrap();
    signatures::check(&confirmation).await;
    // Nothing is delivered before.
    sns.publish().topic_arn(&topic).message("early").send().await.unwrap();
    let listed = sns.list_subscriptions_by_topic().topic_arn(&topic).send().await.unwrap();
    assert_eq!(listed.subscriptions()[0].subscription_arn(), Some("PendingConfirmation"));
    let confirmed = reqwest::get(confirmation["SubscribeURL"].as_str().unwrap()).await.unwrap();
    assert_eq!(confirmed.status().as_u16(), 200);
    let id = sns.publish().topic_arn(&topic).subject("s").message("hello").send().await.unwrap().message_id.unwrap();
    let (headers, body) = server.next().await;
    let envelope: Value = serde_json::from_str(&body).unwrap();
    signatures::check(&envelope).await;
    assert_eq!(
        (headers["x-amz-sns-message-id"].to_str().unwrap(), envelope["MessageId"].as_str()),
        (id.as_str(), Some(id.as_str()))
    );
    assert_eq!((envelope["Type"].as_str(), envelope["Message"].as_str()), (Some("Notification"), Some("hello")));
    let arn = headers["x-amz-sns-subscription-arn"].to_str().unwrap();
    let attributes = sns.get_subscription_attributes().subscription_arn(arn).send().await.unwrap().attributes.unwrap();
    let [pending, signed] =
        ["PendingConfirmation", "ConfirmationWasAuthenticated"].map(|name| attributes[name].as_str());
    assert_eq!((pending, signed), ("false", "false"));
    // The link at the message's end ends the subscription.
    let ended = reqwest::get(envelope["UnsubscribeURL"].as_str().unwrap()).await.unwrap();
    assert_eq!(ended.status().as_u16(), 200);
    assert!(sns.list_subscriptions().send().await.unwrap().subscriptions().is_empty());
    let topics = sns.get_topic_attributes().topic_arn(&topic).send().await.unwrap().attributes.unwrap();
    assert_eq!((topics["SubscriptionsConfirmed"].as_str(), topics["SubscriptionsPending"].as_str()), ("0", "0"));
    // Anybody may have followed it, so the server is asked, and takes it back.
    let (headers, body) = server.next().await;
    assert_eq!(headers["x-amz-sns-message-type"], "UnsubscribeConfirmation");
    assert_eq!(headers["x-amz-sns-subscription-arn"], arn);
    let asked: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(asked["Type"], "UnsubscribeConfirmation");
    signatures::check(&asked).await;
    assert!(asked["Message"].as_str().unwrap().contains(&format!("deactivate subscription {arn}.\n")), "{asked}");
    let restored = reqwest::get(asked["SubscribeURL"].as_str().unwrap()).await.unwrap();
    assert_eq!(restored.status().as_u16(), 200);
    sns.publish().topic_arn(&topic).message("again").send().await.unwrap();
    let (headers, body) = server.next().await;
    assert_eq!(headers["x-amz-sns-subscription-arn"], arn);
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["Message"], "again");
    // What ended does not stand in the way of a new subscription.
    assert_eq!(reqwest::get(envelope["UnsubscribeURL"].as_str().unwrap()).await.unwrap().status().as_u16(), 200);
    server.next().await;
    let again = sns.subscribe().topic_arn(&topic).protocol("http").endpoint(&server.url).return_subscription_arn(true);
    assert_ne!(again.send().await.unwrap().subscription_arn(), Some(arn));
    endpoint.stop().await;
}

#[tokio::test]
async fn a_delivery_has_the_type_that_its_policy_says() {
    let (_directory, endpoint) = fresh().await;
    let sns = endpoint.sns().await;
    let (topic, mut server) = (topic(&sns).await, Server::start().await);
    let set = sns.set_topic_attributes().topic_arn(&topic).attribute_name("DeliveryPolicy");
    let json = r#"{"http": {"defaultRequestPolicy": {"headerContentType": "application/json"}}}"#;
    set.attribute_value(json).send().await.unwrap();
    let arn = subscribed(&sns, &topic, &mut server, &[]).await;
    let publish = async || sns.publish().topic_arn(&topic).message("{}").send().await.unwrap();
    publish().await;
    assert_eq!(server.next().await.0["content-type"], "application/json");
    let set = sns.set_subscription_attributes().subscription_arn(&arn).attribute_name("DeliveryPolicy");
    set.attribute_value(r#"{"requestPolicy": {"headerContentType": "text/csv"}}"#).send().await.unwrap();
    publish().await;
    assert_eq!(server.next().await.0["content-type"], "text/csv");
    let attributes = sns.get_subscription_attributes().subscription_arn(&arn).send().await.unwrap().attributes.unwrap();
    let effective: Value = serde_json::from_str(&attributes["EffectiveDeliveryPolicy"]).unwrap();
    assert_eq!(effective["requestPolicy"]["headerContentType"], "text/csv");
    assert_eq!(effective["healthyRetryPolicy"]["numRetries"], 3);
    endpoint.stop().await;
}

#[tokio::test]
async fn links_are_for_what_they_say_and_no_more() {
    let (_directory, endpoint) = fresh().await;
    let sns = endpoint.sns().await;
    let (topic, mut server) = (topic(&sns).await, Server::start().await);
    let get = |query: String| {
        let url = format!("{}/?{query}", endpoint.url());
        async move { reqwest::get(url).await.unwrap().status().as_u16() }
    };
    // The last of two actions is the one that counts, and it needs a signature.
    assert_eq!(get(format!("Action=ConfirmSubscription&Action=DeleteTopic&TopicArn={topic}")).await, 403);
    assert_eq!(get(format!("Action=DeleteTopic&TopicArn={topic}")).await, 403);
    assert_eq!(get(format!("Action=ConfirmSubscription&TopicArn={topic}&Token=0123")).await, 400);
    assert_eq!(get("Action=ConfirmSubscription&TopicArn=topic&Token=0123".into()).await, 400);
    let subscribe = sns.subscribe().topic_arn(&topic).protocol("http").endpoint(&server.url).send().await.unwrap();
    assert_eq!(subscribe.subscription_arn(), Some("pending confirmation"));
    let confirmation: Value = serde_json::from_str(&server.next().await.1).unwrap();
    let confirm = sns.confirm_subscription().topic_arn(&topic).token(confirmation["Token"].as_str().unwrap());
    let arn = confirm.authenticate_on_unsubscribe("true").send().await.unwrap().subscription_arn.unwrap();
    assert_eq!(get(format!("Action=Unsubscribe&SubscriptionArn={arn}")).await, 403);
    sns.unsubscribe().subscription_arn(&arn).send().await.unwrap();
    assert!(sns.list_subscriptions().send().await.unwrap().subscriptions().is_empty());
    endpoint.stop().await;
}

#[tokio::test]
async fn a_server_that_fails_is_tried_again_also_after_a_restart() {
    let (directory, endpoint) = fresh().await;
    let sns = endpoint.sns().await;
    let (topic, mut server) = (topic(&sns).await, Server::start().await);
    let policy = r#"{"healthyRetryPolicy": {"numRetries": 3, "numNoDelayRetries": 2, "minDelayTarget": 1, "maxDelayTarget": 1}}"#;
    let attributes = [("DeliveryPolicy", policy), ("RawMessageDelivery", "true")];
    subscribed(&sns, &topic, &mut server, &attributes).await;
    server.answers.lock().await.extend([StatusCode::TOO_MANY_REQUESTS, StatusCode::INTERNAL_SERVER_ERROR]);
    sns.publish().topic_arn(&topic).message("hello").send().await.unwrap();
    for _ in 0..3 {
        let (headers, body) = server.next().await;
        assert_eq!((headers["x-amz-sns-rawdelivery"].to_str().unwrap(), body.as_str()), ("true", "hello"));
    }
    // Published, not delivered, and then the endpoint is gone.
    server.answers.lock().await.push(StatusCode::SERVICE_UNAVAILABLE);
    let arn = sns.list_subscriptions().send().await.unwrap().subscriptions()[0].subscription_arn().unwrap().to_owned();
    let patient = r#"{"healthyRetryPolicy": {"numRetries": 1, "minDelayTarget": 1, "maxDelayTarget": 1}}"#;
    let set = sns.set_subscription_attributes().subscription_arn(arn).attribute_name("DeliveryPolicy");
    set.attribute_value(patient).send().await.unwrap();
    sns.publish().topic_arn(&topic).message("kept").send().await.unwrap();
    assert_eq!(server.next().await.1, "kept");
    endpoint.stop().await;
    let endpoint = Running::start(directory.path()).await;
    assert_eq!(server.next().await.1, "kept");
    endpoint.stop().await;
}

#[tokio::test]
async fn what_a_server_refuses_is_a_dead_letter() {
    let (_directory, endpoint) = fresh().await;
    let (sns, sqs) = (endpoint.sns().await, endpoint.sqs().await);
    let url = sqs.create_queue().queue_name("dead").send().await.unwrap().queue_url.unwrap();
    let (topic, mut server) = (topic(&sns).await, Server::start().await);
    let redrive = r#"{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead"}"#;
    let none = r#"{"healthyRetryPolicy": {"numRetries": 0}}"#;
    subscribed(&sns, &topic, &mut server, &[("RedrivePolicy", redrive), ("DeliveryPolicy", none)]).await;
    for status in [StatusCode::FORBIDDEN, StatusCode::INTERNAL_SERVER_ERROR] {
        server.answers.lock().await.push(status);
        sns.publish().topic_arn(&topic).message(status.as_str()).send().await.unwrap();
        server.next().await;
        let receive = sqs.receive_message().queue_url(&url).wait_time_seconds(20).send();
        let messages = timeout(DEADLINE, receive).await.unwrap().unwrap().messages.unwrap();
        let envelope: Value = serde_json::from_str(messages[0].body().unwrap()).unwrap();
        assert_eq!(envelope["Message"], status.as_str());
    }
    endpoint.stop().await;
}

#[tokio::test]
async fn nothing_leaves_this_machine() {
    let (directory, endpoint) = fresh().await;
    let sns = endpoint.sns().await;
    let topic = topic(&sns).await;
    for (protocol, target) in [
        ("http", "http://example.com/"),
        ("http", "http://10.0.0.1/"),
        ("http", "http://127.0.0.1@example.com/"),
        ("https", "https://127.0.0.1/"),
        ("email", "a@example.com"),
    ] {
        let subscribed = sns.subscribe().topic_arn(&topic).protocol(protocol).endpoint(target).send().await.unwrap();
        assert_eq!(subscribed.subscription_arn(), Some("pending confirmation"), "{target}");
    }
    // All of them wait for a token that is sent to nobody.
    let attributes = sns.get_topic_attributes().topic_arn(&topic).send().await.unwrap().attributes.unwrap();
    assert_eq!(attributes["SubscriptionsPending"], "5");
    let database = rusqlite::Connection::open(directory.path().join("endpoint.db")).unwrap();
    let waiting: i64 = database.query_row("SELECT count(*) FROM delivery", [], |row| row.get(0)).unwrap();
    assert_eq!(waiting, 0);
    for (protocol, target) in
        [("http", "https://127.0.0.1/"), ("https", "http://127.0.0.1/"), ("http", "x"), ("email", "x")]
    {
        let refused = sns.subscribe().topic_arn(&topic).protocol(protocol).endpoint(target).send().await.unwrap_err();
        assert_eq!(refused.code(), Some("InvalidParameter"), "{target}");
    }
    endpoint.stop().await;
}
