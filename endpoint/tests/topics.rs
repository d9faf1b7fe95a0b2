//! SNS by the official SDK, with the queues behind it.

use aws_sdk_sns::types::MessageAttributeValue;
use serde_json::Value;

use crate::support::fresh;

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
