//! Events of buckets in queues and topics, by the official SDKs.

use aws_sdk_s3::{
    Client,
    error::ProvideErrorMetadata,
    primitives::ByteStream,
    types::{
        Event, EventBridgeConfiguration, FilterRule, FilterRuleName, LambdaFunctionConfiguration,
        NotificationConfiguration, NotificationConfigurationFilter, QueueConfiguration, S3KeyFilter,
        TopicConfiguration,
    },
};
use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};
use serde_json::Value;
use tokio::time::timeout;

use crate::{
    signatures,
    support::{DEADLINE, Running, fresh},
};

const BUCKET: &str = "events";

struct Setup {
    s3: Client,
    sqs: aws_sdk_sqs::Client,
    queue_url: String,
    queue_arn: String,
}

async fn set_up(endpoint: &Running) -> Setup {
    let (s3, sqs) = (endpoint.s3().await, endpoint.sqs().await);
    s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    let queue_url = sqs.create_queue().queue_name("events").send().await.unwrap().queue_url.unwrap();
    let attributes = sqs.get_queue_attributes().queue_url(&queue_url).attribute_names(QueueAttributeName::QueueArn);
    let attributes = attributes.send().await.unwrap().attributes.unwrap();
    let queue_arn = attributes[&QueueAttributeName::QueueArn].clone();
    Setup { s3, sqs, queue_url, queue_arn }
}

impl Setup {
    async fn configure(&self, configuration: NotificationConfiguration) {
        let put = self.s3.put_bucket_notification_configuration().bucket(BUCKET);
        put.notification_configuration(configuration).send().await.unwrap();
    }

    /// What is in the queue, in the order of sending.
    async fn received(&self) -> Vec<Value> {
        let mut bodies = Vec::new();
        loop {
            let batch = self.sqs.receive_message().queue_url(&self.queue_url).max_number_of_messages(10);
            let messages = batch.send().await.unwrap().messages.unwrap_or_default();
            if messages.is_empty() {
                return bodies;
            }
            for message in messages {
                bodies.push(serde_json::from_str(message.body().unwrap()).unwrap());
                let delete = self.sqs.delete_message().queue_url(&self.queue_url);
                delete.receipt_handle(message.receipt_handle().unwrap()).send().await.unwrap();
            }
        }
    }

    /// What is in the queue once there is as much.
    async fn received_at_least(&self, count: usize) -> Vec<Value> {
        let until = async {
            let mut bodies = Vec::new();
            while bodies.len() < count {
                bodies.extend(self.received().await);
            }
            bodies
        };
        timeout(DEADLINE, until).await.unwrap()
    }

    async fn put(&self, key: &str) {
        self.s3.put_object().bucket(BUCKET).key(key).body(ByteStream::from_static(b"content")).send().await.unwrap();
    }
}

fn queue(arn: &str, events: &[Event], rules: &[(FilterRuleName, &str)]) -> QueueConfiguration {
    let rule = |(name, value): &(FilterRuleName, &str)| FilterRule::builder().name(name.clone()).value(*value).build();
    let filter = S3KeyFilter::builder().set_filter_rules(Some(rules.iter().map(rule).collect())).build();
    QueueConfiguration::builder()
        .id("to-queue")
        .queue_arn(arn)
        .set_events(Some(events.to_vec()))
        .filter(NotificationConfigurationFilter::builder().key(filter).build())
        .build()
        .unwrap()
}

fn names(events: &[Value]) -> Vec<(&str, &str)> {
    events
        .iter()
        .map(|event| &event["Records"][0])
        .map(|record| (record["eventName"].as_str().unwrap(), record["s3"]["object"]["key"].as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn objects_that_come_and_go_are_told_to_a_queue() {
    let (_directory, endpoint) = fresh().await;
    let setup = set_up(&endpoint).await;
    let all = [Event::S3ObjectCreated, Event::S3ObjectRemoved];
    let wanted = queue(&setup.queue_arn, &all, &[(FilterRuleName::Prefix, "in/"), (FilterRuleName::Suffix, ".jpg")]);
    setup.configure(NotificationConfiguration::builder().queue_configurations(wanted).build()).await;
    let test = setup.received().await;
    assert_eq!((test.len(), &test[0]["Event"], &test[0]["Bucket"]), (1, &"s3:TestEvent".into(), &BUCKET.into()));

    setup.put("in/a b+é.jpg").await;
    setup.put("out/a.jpg").await;
    setup.put("in/a.png").await;
    let copy = setup.s3.copy_object().bucket(BUCKET).key("in/copy.jpg").copy_source(format!("{BUCKET}/out/a.jpg"));
    copy.send().await.unwrap();
    setup.s3.delete_object().bucket(BUCKET).key("in/copy.jpg").send().await.unwrap();
    setup.s3.delete_object().bucket(BUCKET).key("in/never.jpg").send().await.unwrap();
    let events = setup.received().await;
    let expected = [
        ("ObjectCreated:Put", "in/a+b%2B%C3%A9.jpg"),
        ("ObjectCreated:Copy", "in/copy.jpg"),
        ("ObjectRemoved:Delete", "in/copy.jpg"),
    ];
    assert_eq!(names(&events), expected);
    let first = &events[0]["Records"][0];
    assert_eq!(first["s3"]["object"]["size"], 7);
    assert_eq!(first["s3"]["object"]["eTag"], "9a0364b9e99bb480dd25e1f0284c8555");
    assert_eq!(first["s3"]["configurationId"], "to-queue");
    assert_eq!(first["s3"]["bucket"]["arn"], format!("arn:aws:s3:::{BUCKET}"));
    endpoint.stop().await;
}

#[tokio::test]
async fn a_topic_passes_events_on() {
    let (directory, endpoint) = fresh().await;
    let setup = set_up(&endpoint).await;
    let sns = endpoint.sns().await;
    let topic = sns.create_topic().name("events").send().await.unwrap().topic_arn.unwrap();
    let subscribe = sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(&setup.queue_arn);
    subscribe.send().await.unwrap();
    let to_topic = TopicConfiguration::builder().topic_arn(&topic).events(Event::S3ObjectCreatedPut).build().unwrap();
    setup.configure(NotificationConfiguration::builder().topic_configurations(to_topic).build()).await;
    setup.put("k").await;
    let received = setup.received_at_least(2).await;
    for message in &received {
        assert_eq!(message["Subject"], "Amazon S3 Notification");
        signatures::check(message).await;
    }
    let event: Value = serde_json::from_str(received[1]["Message"].as_str().unwrap()).unwrap();
    assert_eq!(names(&[event]), [("ObjectCreated:Put", "k")]);
    endpoint.stop().await;

    // What a crash left noted and not published is published by the next start; what is for a topic that is gone is not.
    let database = rusqlite::Connection::open(directory.path().join("endpoint.db")).unwrap();
    for arn in [&format!("{topic}-gone"), &topic] {
        let sql = "INSERT INTO announcement (topic_arn, subject, message) VALUES (?1, 's', 'left')";
        database.execute(sql, [arn]).unwrap();
    }
    let endpoint = Running::start(directory.path()).await;
    let setup = Setup { sqs: endpoint.sqs().await, ..setup };
    assert_eq!(setup.received_at_least(1).await[0]["Message"], "left");
    let waiting = || -> i64 { database.query_row("SELECT count(*) FROM announcement", [], |row| row.get(0)).unwrap() };
    assert_eq!(waiting(), 0);
    endpoint.stop().await;
}

#[tokio::test]
async fn a_configuration_is_answered_and_replaced() {
    let (_directory, endpoint) = fresh().await;
    let setup = set_up(&endpoint).await;
    let wanted = queue(&setup.queue_arn, &[Event::S3ObjectCreated], &[(FilterRuleName::Prefix, "a<b>&")]);
    setup.configure(NotificationConfiguration::builder().queue_configurations(wanted.clone()).build()).await;
    let get = || setup.s3.get_bucket_notification_configuration().bucket(BUCKET).send();
    let answered = get().await.unwrap();
    let rules = answered.queue_configurations()[0].filter().unwrap().key().unwrap().filter_rules();
    assert_eq!(rules[0].value(), Some("a<b>&"));
    assert_eq!(answered.queue_configurations()[0].events(), wanted.events());
    let bridge =
        NotificationConfiguration::builder().event_bridge_configuration(EventBridgeConfiguration::builder().build());
    setup.configure(bridge.build()).await;
    assert!(get().await.unwrap().event_bridge_configuration().is_some());
    setup.configure(NotificationConfiguration::builder().build()).await;
    let answered = get().await.unwrap();
    assert!(answered.queue_configurations().is_empty() && answered.event_bridge_configuration().is_none());

    let nowhere = queue("arn:aws:sqs:us-east-1:000000000000:nowhere", &[Event::S3ObjectCreated], &[]);
    let nowhere = NotificationConfiguration::builder().queue_configurations(nowhere).build();
    let put = || setup.s3.put_bucket_notification_configuration().bucket(BUCKET);
    let refused = put().notification_configuration(nowhere.clone()).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidArgument"));
    assert_eq!(refused.message(), Some("Unable to validate the following destination configurations"));
    put().notification_configuration(nowhere.clone()).skip_destination_validation(true).send().await.unwrap();
    setup.put("k").await;

    // All that cannot be reached are named, and functions are never there.
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
    let function = LambdaFunctionConfiguration::builder().lambda_function_arn(arn).id("f");
    let function = function.events(Event::S3ObjectRemoved).build().unwrap();
    let both = NotificationConfiguration::builder().set_queue_configurations(nowhere.queue_configurations);
    let both = both.lambda_function_configurations(function).build();
    let refused = put().notification_configuration(both.clone()).send().await.unwrap_err();
    let body = refused.raw_response().and_then(|raw| raw.body().bytes()).map(String::from_utf8_lossy).unwrap();
    for part in [
        "<ArgumentName1>arn:aws:sqs:us-east-1:000000000000:nowhere</ArgumentName1>".to_owned(),
        "<ArgumentValue1>The destination queue does not exist</ArgumentValue1>".to_owned(),
        format!("<ArgumentName2>{arn}, null</ArgumentName2>"),
        format!("<ArgumentValue2>Not authorized to invoke function [{arn}]</ArgumentValue2>"),
    ] {
        assert!(body.contains(&part), "{body}");
    }
    put().notification_configuration(both).skip_destination_validation(true).send().await.unwrap();
    assert_eq!(get().await.unwrap().lambda_function_configurations()[0].lambda_function_arn(), arn);
    endpoint.stop().await;
}

#[tokio::test]
async fn an_event_has_the_trace_of_what_caused_it() {
    let (_directory, endpoint) = fresh().await;
    let setup = set_up(&endpoint).await;
    let wanted = queue(&setup.queue_arn, &[Event::S3ObjectCreated], &[]);
    setup.configure(NotificationConfiguration::builder().queue_configurations(wanted).build()).await;
    setup.received().await;
    let trace = "Root=1-3152b799-8954dae64eda91bc9a23a7e8;Parent=7fa8c0f79203be72;Sampled=1";
    let put = setup.s3.put_object().bucket(BUCKET).key("k").body(ByteStream::from_static(b"content")).customize();
    let traced = put.mutate_request(move |request| {
        request.headers_mut().insert("x-amzn-trace-id", trace);
    });
    traced.send().await.unwrap();
    let receive = setup.sqs.receive_message().queue_url(&setup.queue_url);
    let receive = receive.message_system_attribute_names(MessageSystemAttributeName::AwsTraceHeader);
    let messages = receive.send().await.unwrap().messages.unwrap();
    assert_eq!(messages[0].attributes().unwrap()[&MessageSystemAttributeName::AwsTraceHeader], trace);
    endpoint.stop().await;
}
