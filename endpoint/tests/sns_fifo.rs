//! Topics that keep an order, permissions, and what topics and subscriptions may be, by the official SDK.

use std::collections::HashMap;

use aws_sdk_sns::{
    Client,
    error::ProvideErrorMetadata,
    types::{MessageAttributeValue, PublishBatchRequestEntry},
};
use aws_sdk_sqs::types::{MessageSystemAttributeName as System, QueueAttributeName};
use serde_json::Value;

use crate::support::fresh;

const ACCOUNT_ARN: &str = "arn:aws:sqs:us-east-1:000000000000";

async fn fifo_topic(sns: &Client, name: &str, content_based: &str) -> String {
    let create = sns.create_topic().name(name).attributes("FifoTopic", "true");
    create.attributes("ContentBasedDeduplication", content_based).send().await.unwrap().topic_arn.unwrap()
}

fn message(error: &dyn ProvideErrorMetadata) -> String {
    format!("{}: {}", error.code().unwrap_or_default(), error.message().unwrap_or_default())
}

#[tokio::test]
async fn an_order_goes_from_the_topic_into_the_queue() {
    let (_directory, endpoint) = fresh().await;
    let (sns, sqs) = (endpoint.sns().await, endpoint.sqs().await);
    let topic = fifo_topic(&sns, "images.fifo", "false").await;
    let create = sqs.create_queue().queue_name("q.fifo").attributes(QueueAttributeName::FifoQueue, "true");
    let url = create.send().await.unwrap().queue_url.unwrap();
    let plain = sqs.create_queue().queue_name("plain").send().await.unwrap().queue_url.unwrap();
    for name in ["q.fifo", "plain"] {
        let subscribe = sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(format!("{ACCOUNT_ARN}:{name}"));
        subscribe.attributes("RawMessageDelivery", (name == "q.fifo").to_string()).send().await.unwrap();
    }
    let publish = |body: &str, id: &str| {
        let publish = sns.publish().topic_arn(&topic).message(body).message_group_id("g");
        publish.message_deduplication_id(id).send()
    };
    let first = publish("1", "a").await.unwrap();
    let again = publish("1", "a").await.unwrap();
    assert_eq!((first.message_id(), first.sequence_number()), (again.message_id(), again.sequence_number()));
    let second = publish("2", "b").await.unwrap();
    assert!(second.sequence_number() > first.sequence_number(), "{second:?}");
    let receive = sqs.receive_message().queue_url(&url).max_number_of_messages(10);
    let messages = receive.message_system_attribute_names(System::All).send().await.unwrap().messages.unwrap();
    assert_eq!(messages.iter().filter_map(|message| message.body()).collect::<Vec<_>>(), ["1", "2"]);
    let attributes = messages[0].attributes().unwrap();
    assert_eq!(
        (attributes[&System::MessageGroupId].as_str(), attributes[&System::MessageDeduplicationId].as_str()),
        ("g", "a")
    );
    let envelopes = sqs.receive_message().queue_url(&plain).max_number_of_messages(10).send().await.unwrap();
    let envelope: Value = serde_json::from_str(envelopes.messages()[0].body().unwrap()).unwrap();
    assert_eq!(envelope["SequenceNumber"], first.sequence_number().unwrap());

    let no_group = sns.publish().topic_arn(&topic).message("x").message_deduplication_id("x").send().await.unwrap_err();
    assert_eq!(
        message(&no_group),
        "InvalidParameter: Invalid parameter: The MessageGroupId parameter is required for FIFO topics"
    );
    let no_id = sns.publish().topic_arn(&topic).message("x").message_group_id("g").send().await.unwrap_err();
    assert!(message(&no_id).contains("ContentBasedDeduplication enabled or MessageDeduplicationId"), "{no_id:?}");
    endpoint.stop().await;
}

#[tokio::test]
async fn the_content_can_make_the_difference() {
    let (_directory, endpoint) = fresh().await;
    let (sns, sqs) = (endpoint.sns().await, endpoint.sqs().await);
    let topic = fifo_topic(&sns, "images.fifo", "true").await;
    let url = sqs.create_queue().queue_name("q").send().await.unwrap().queue_url.unwrap();
    sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(format!("{ACCOUNT_ARN}:q")).send().await.unwrap();
    let entry = |id: &str, message: &str| {
        PublishBatchRequestEntry::builder().id(id).message(message).message_group_id("g").build().unwrap()
    };
    let batch = sns.publish_batch().topic_arn(&topic).publish_batch_request_entries(entry("a", "x"));
    let batch = batch.publish_batch_request_entries(entry("b", "x")).publish_batch_request_entries(entry("c", "y"));
    let output = batch.send().await.unwrap();
    let numbers: Vec<_> = output.successful().iter().map(|entry| entry.sequence_number().unwrap()).collect();
    assert!(numbers[0] == numbers[1] && numbers[1] < numbers[2], "{numbers:?}");
    let counted = sqs.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::All).send().await;
    assert_eq!(counted.unwrap().attributes.unwrap()[&QueueAttributeName::ApproximateNumberOfMessages], "2");
    endpoint.stop().await;
}

#[tokio::test]
async fn types_of_topics_and_their_subscribers_go_together() {
    let (_directory, endpoint) = fresh().await;
    let sns = endpoint.sns().await;
    let ordered = fifo_topic(&sns, "a.fifo", "false").await;
    let plain = sns.create_topic().name("a").send().await.unwrap().topic_arn.unwrap();
    let named = sns.create_topic().name("b").attributes("FifoTopic", "true").send().await.unwrap_err();
    assert!(message(&named).contains("must end with .fifo"), "{named:?}");
    let subscribe = |topic: &str, protocol: &str, target: &str| {
        sns.subscribe().topic_arn(topic).protocol(protocol).endpoint(target).send()
    };
    let fifo_queue = subscribe(&plain, "sqs", &format!("{ACCOUNT_ARN}:q.fifo")).await.unwrap_err();
    assert!(message(&fifo_queue).ends_with("FIFO SQS Queues can not be subscribed to standard SNS topics"));
    let server = subscribe(&ordered, "http", "http://127.0.0.1:1/").await.unwrap_err();
    assert!(message(&server).ends_with("Please use FIFO SQS queue"), "{server:?}");
    let id = sns.publish().topic_arn(&plain).message("x").message_deduplication_id("d").send().await.unwrap_err();
    assert!(message(&id).contains("not valid for this topic type"), "{id:?}");
    let attributes = sns.get_topic_attributes().topic_arn(&ordered).send().await.unwrap().attributes.unwrap();
    assert_eq!((attributes["FifoTopic"].as_str(), attributes["ContentBasedDeduplication"].as_str()), ("true", "false"));
    endpoint.stop().await;
}

#[tokio::test]
async fn permissions_are_statements_of_the_policy() {
    let (_directory, endpoint) = fresh().await;
    let sns = endpoint.sns().await;
    let topic = sns.create_topic().name("images").send().await.unwrap().topic_arn.unwrap();
    let add = || {
        let add = sns.add_permission().topic_arn(&topic).label("l").aws_account_id("111122223333");
        add.action_name("Publish").send()
    };
    add().await.unwrap();
    assert_eq!(message(&add().await.unwrap_err()), "InvalidParameter: Invalid parameter: Statement already exists");
    let statements = || async {
        let attributes = sns.get_topic_attributes().topic_arn(&topic).send().await.unwrap().attributes.unwrap();
        let policy: Value = serde_json::from_str(&attributes["Policy"]).unwrap();
        policy["Statement"].as_array().unwrap().clone()
    };
    let found = statements().await;
    assert_eq!((found.len(), found[1]["Action"].as_str()), (2, Some("SNS:Publish")));
    sns.remove_permission().topic_arn(&topic).label("l").send().await.unwrap();
    assert_eq!(statements().await.len(), 1);
    endpoint.stop().await;
}

#[tokio::test]
async fn what_is_wrong_is_said_in_the_words_of_the_service() {
    let (_directory, endpoint) = fresh().await;
    let sns = endpoint.sns().await;
    let topic = sns.create_topic().name("images").send().await.unwrap().topic_arn.unwrap();
    let subscribe = |attributes: &[(&str, &str)]| {
        let attributes: HashMap<String, String> =
            attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let subscribe = sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(format!("{ACCOUNT_ARN}:q"));
        subscribe.set_attributes(Some(attributes)).send()
    };
    let mut said = Vec::new();
    said.push(message(&sns.publish().topic_arn("x").message("m").send().await.unwrap_err()));
    said.push(message(&sns.publish().topic_arn(format!("{topic}x")).message("m").send().await.unwrap_err()));
    said.push(message(&sns.publish().topic_arn(&topic).message("").send().await.unwrap_err()));
    let structured = sns.publish().topic_arn(&topic).message("{}").message_structure("json");
    said.push(message(&structured.send().await.unwrap_err()));
    let long = sns.publish().topic_arn(&topic).message("x".repeat(262_145));
    said.push(message(&long.send().await.unwrap_err()));
    let attribute = MessageAttributeValue::builder().data_type("String").string_value("v").build().unwrap();
    let named = sns.publish().topic_arn(&topic).message("m").message_attributes(".a", attribute);
    said.push(message(&named.send().await.unwrap_err()));
    said.push(message(&subscribe(&[("RawMessageDelivery", "maybe")]).await.unwrap_err()));
    said.push(message(&subscribe(&[("FilterPolicy", "x")]).await.unwrap_err()));
    said.push(message(&subscribe(&[("RedrivePolicy", r#"{"deadLetterTargetArn":"x"}"#)]).await.unwrap_err()));
    subscribe(&[("RawMessageDelivery", "true")]).await.unwrap();
    subscribe(&[]).await.unwrap();
    said.push(message(&subscribe(&[("RawMessageDelivery", "false")]).await.unwrap_err()));
    let set = sns.set_topic_attributes().topic_arn(&topic).attribute_name("Colour").attribute_value("red");
    said.push(message(&set.send().await.unwrap_err()));
    said.push(message(&sns.list_tags_for_resource().resource_arn(format!("{topic}x")).send().await.unwrap_err()));
    said.push(message(&sns.confirm_subscription().topic_arn(&topic).token("00ff").send().await.unwrap_err()));
    let kind = MessageAttributeValue::builder().data_type("String.").string_value("v").build().unwrap();
    let typed = sns.publish().topic_arn(&topic).message("m").message_attributes("a", kind);
    said.push(message(&typed.send().await.unwrap_err()));
    let elsewhere = "arn:aws:sns:us-east-1:111111111111:images";
    said.push(message(&sns.unsubscribe().subscription_arn(elsewhere).send().await.unwrap_err()));
    assert_eq!(
        said,
        [
            "InvalidParameter: Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1",
            "NotFound: Topic does not exist",
            "InvalidParameter: Invalid parameter: Empty message",
            "InvalidParameter: Invalid parameter: Message Structure - No default entry in JSON message body",
            "InvalidParameter: Invalid parameter: Message too long",
            "ParameterValueInvalid: Invalid message attribute name starting with character '.' was found.",
            "InvalidParameter: Invalid parameter: Attributes Reason: RawMessageDelivery: Invalid value [maybe]. Must be true or false.",
            "InvalidParameter: Invalid parameter: Attributes Reason: FilterPolicy: failed to parse JSON.",
            "InvalidParameter: Invalid parameter: Attributes Reason: RedrivePolicy: deadLetterTargetArn is an invalid arn",
            "InvalidParameter: Invalid parameter: Attributes Reason: Subscription already exists with different attributes",
            "InvalidParameter: Invalid parameter: AttributeName",
            "ResourceNotFound: Resource does not exist",
            "InvalidParameter: Invalid parameter: Token",
            "ParameterValueInvalid: The message attribute 'a' has an invalid message attribute type, the set of supported type \
             prefixes is Binary, Number, and String.",
            "InvalidParameter: Invalid parameter: SubscriptionId",
        ]
    );
    endpoint.stop().await;
}
