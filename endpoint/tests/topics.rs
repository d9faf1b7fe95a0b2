//! SNS by the official SDK, with the queues behind it.

use aws_sdk_sns::{
    error::ProvideErrorMetadata,
    types::{MessageAttributeValue, PublishBatchRequestEntry},
};
use serde_json::Value;

use crate::support::{Running, fresh};

fn text(value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder().data_type("String").string_value(value).build().unwrap()
}

#[tokio::test]
async fn a_publish_reaches_every_queue_in_its_form() {
    let (_directory, endpoint) = fresh().await;
    let (sns, sqs) = (endpoint.sns().await, endpoint.sqs().await);
    let topic = sns.create_topic().name("images").send().await.unwrap().topic_arn.unwrap();
    assert_eq!(topic, "arn:aws:sns:us-east-1:000000000000:images");
    let mut urls = Vec::new();
    for (name, raw, filter) in
        [("raw", "true", "{}"), ("wrapped", "false", r#"{"kind":["upload"]}"#), ("none", "true", r#"{"kind":["x"]}"#)]
    {
        urls.push(sqs.create_queue().queue_name(name).send().await.unwrap().queue_url.unwrap());
        let subscribe = sns
            .subscribe()
            .topic_arn(&topic)
            .protocol("sqs")
            .endpoint(format!("arn:aws:sqs:us-east-1:000000000000:{name}"));
        subscribe.attributes("RawMessageDelivery", raw).attributes("FilterPolicy", filter).send().await.unwrap();
    }
    let publish = sns.publish().topic_arn(&topic).subject("s").message("{\"version\": 1}");
    let id = publish.message_attributes("kind", text("upload")).send().await.unwrap().message_id.unwrap();

    let receive = |url: &String| sqs.receive_message().queue_url(url).message_attribute_names("All").send();
    let raw = receive(&urls[0]).await.unwrap().messages.unwrap();
    assert_eq!(raw[0].body(), Some("{\"version\": 1}"));
    assert_eq!(raw[0].message_attributes().unwrap()["kind"].string_value(), Some("upload"));
    let wrapped = receive(&urls[1]).await.unwrap().messages.unwrap();
    let envelope: Value = serde_json::from_str(wrapped[0].body().unwrap()).unwrap();
    assert_eq!(envelope["MessageId"], id.as_str());
    assert_eq!(envelope["Message"], "{\"version\": 1}");
    assert_eq!(envelope["Subject"], "s");
    assert_eq!(envelope["MessageAttributes"]["kind"]["Value"], "upload");
    assert!(receive(&urls[2]).await.unwrap().messages.is_none());
    endpoint.stop().await;
}

#[tokio::test]
async fn topics_and_subscriptions_are_kept() {
    let (directory, endpoint) = fresh().await;
    let (sns, sqs) = (endpoint.sns().await, endpoint.sqs().await);
    sqs.create_queue().queue_name("tasks").send().await.unwrap();
    let queue = "arn:aws:sqs:us-east-1:000000000000:tasks";
    let topic = sns.create_topic().name("images").send().await.unwrap().topic_arn.unwrap();
    assert_eq!(sns.create_topic().name("images").send().await.unwrap().topic_arn, Some(topic.clone()));
    let subscribe =
        || sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(queue).return_subscription_arn(true).send();
    let subscription = subscribe().await.unwrap().subscription_arn.unwrap();
    assert_eq!(subscribe().await.unwrap().subscription_arn, Some(subscription.clone()));
    let set = |name: &str, value: &str| {
        let set = sns.set_subscription_attributes().subscription_arn(&subscription);
        set.attribute_name(name).attribute_value(value).send()
    };
    set("RawMessageDelivery", "true").await.unwrap();
    let refused = set("FilterPolicy", r#"{"a": [{"colour": "red"}]}"#).await.unwrap_err().into_service_error();
    assert!(refused.is_invalid_parameter_exception(), "{refused:?}");
    let tag = aws_sdk_sns::types::Tag::builder().key("env").value("dev").build().unwrap();
    sns.tag_resource().resource_arn(&topic).tags(tag).send().await.unwrap();
    let named = sns.set_topic_attributes().topic_arn(&topic).attribute_name("DisplayName").attribute_value("Images");
    named.send().await.unwrap();
    endpoint.stop().await;

    let endpoint = Running::start(directory.path()).await;
    let sns = endpoint.sns().await;
    let attributes =
        sns.get_subscription_attributes().subscription_arn(&subscription).send().await.unwrap().attributes.unwrap();
    assert_eq!(attributes["RawMessageDelivery"], "true");
    assert_eq!(attributes["Endpoint"], queue);
    let attributes = sns.get_topic_attributes().topic_arn(&topic).send().await.unwrap().attributes.unwrap();
    assert_eq!((attributes["SubscriptionsConfirmed"].as_str(), attributes["DisplayName"].as_str()), ("1", "Images"));
    assert_eq!(sns.list_tags_for_resource().resource_arn(&topic).send().await.unwrap().tags()[0].key(), "env");
    assert_eq!(sns.list_topics().send().await.unwrap().topics()[0].topic_arn(), Some(topic.as_str()));
    let listed = sns.list_subscriptions_by_topic().topic_arn(&topic).send().await.unwrap();
    assert_eq!(listed.subscriptions()[0].subscription_arn(), Some(subscription.as_str()));
    sns.unsubscribe().subscription_arn(&subscription).send().await.unwrap();
    assert!(sns.list_subscriptions().send().await.unwrap().subscriptions().is_empty());
    sns.delete_topic().topic_arn(&topic).send().await.unwrap();
    let gone = sns.publish().topic_arn(&topic).message("x").send().await.unwrap_err().into_service_error();
    assert!(gone.is_not_found_exception(), "{gone:?}");
    endpoint.stop().await;
}

#[tokio::test]
async fn what_is_not_offered_is_refused() {
    let (_directory, endpoint) = fresh().await;
    let sns = endpoint.sns().await;
    let topic = sns.create_topic().name("images").send().await.unwrap().topic_arn.unwrap();
    let mobile =
        sns.publish().target_arn(format!("{topic}:endpoint/GCM/app/id")).message("x").send().await.unwrap_err();
    assert_eq!(mobile.code(), Some("InvalidParameter"));
    let set = |name: &str, value: &str| {
        sns.set_topic_attributes().topic_arn(&topic).attribute_name(name).attribute_value(value)
    };
    for (name, value) in [("Policy", "[]"), ("DeliveryPolicy", "1"), ("Policy", "x")] {
        assert_eq!(set(name, value).send().await.unwrap_err().code(), Some("InvalidParameter"), "{name} {value}");
    }
    assert!(sns.create_topic().name("a.fifo").send().await.is_err());
    let error = sns.list_platform_applications().send().await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 501);
    endpoint.stop().await;
}

#[tokio::test]
async fn subscribers_that_are_not_here() {
    let (_directory, endpoint) = fresh().await;
    let (sns, sqs) = (endpoint.sns().await, endpoint.sqs().await);
    let topic = sns.create_topic().name("images").send().await.unwrap().topic_arn.unwrap();
    let dead = sqs.create_queue().queue_name("dead").send().await.unwrap().queue_url.unwrap();
    let redrive = r#"{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead"}"#;
    let subscribe =
        |protocol: &str, target: &str| sns.subscribe().topic_arn(&topic).protocol(protocol).endpoint(target);
    let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
    subscribe("lambda", function).attributes("RedrivePolicy", redrive).send().await.unwrap();
    let arn = subscribe("sms", "+15551234567").send().await.unwrap().subscription_arn.unwrap();
    let attributes = sns.get_subscription_attributes().subscription_arn(arn).send().await.unwrap().attributes.unwrap();
    assert_eq!(attributes["PendingConfirmation"], "false");
    let refused = subscribe("sms", "+1a234").send().await.unwrap_err();
    assert_eq!(refused.message(), Some("Invalid SMS endpoint: +1a234"));
    sns.publish().topic_arn(&topic).message("x").send().await.unwrap();
    // The function is not there, as one that was deleted.
    let received = sqs.receive_message().queue_url(&dead).send().await.unwrap().messages.unwrap();
    let envelope: Value = serde_json::from_str(received[0].body().unwrap()).unwrap();
    assert_eq!((received.len(), envelope["Message"].as_str()), (1, Some("x")));
    assert!(sns.publish().phone_number("+15551234567").message("x").send().await.unwrap().message_id.is_some());
    let refused = sns.publish().phone_number("+1a234").message("x").send().await.unwrap_err();
    let said = "Invalid parameter: PhoneNumber Reason: +1a234 is not valid to publish to";
    assert_eq!(refused.message(), Some(said));
    endpoint.stop().await;
}

#[tokio::test]
async fn a_batch_and_a_structured_message() {
    let (_directory, endpoint) = fresh().await;
    let (sns, sqs) = (endpoint.sns().await, endpoint.sqs().await);
    let url = sqs.create_queue().queue_name("tasks").send().await.unwrap().queue_url.unwrap();
    let topic = sns.create_topic().name("images").send().await.unwrap().topic_arn.unwrap();
    let subscribe =
        sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint("arn:aws:sqs:us-east-1:000000000000:tasks");
    subscribe.attributes("RawMessageDelivery", "true").send().await.unwrap();
    let entry = |id: &str, message: &str| {
        let entry = PublishBatchRequestEntry::builder().id(id).message(message).message_structure("json");
        entry.build().unwrap()
    };
    let batch = sns.publish_batch().topic_arn(&topic);
    let batch = batch.publish_batch_request_entries(entry("good", r#"{"default": "d", "sqs": "for queues"}"#));
    let refused = batch.clone().publish_batch_request_entries(entry("bad", "{}")).send().await.unwrap_err();
    assert!(refused.into_service_error().is_invalid_parameter_exception());
    let output = batch.send().await.unwrap();
    assert_eq!((output.successful()[0].id(), output.failed().len()), (Some("good"), 0));
    let messages = sqs.receive_message().queue_url(url).max_number_of_messages(10).send().await.unwrap();
    assert_eq!(messages.messages().iter().filter_map(|message| message.body()).collect::<Vec<_>>(), ["for queues"]);
    endpoint.stop().await;
}
