//! The topic, and what subscribes to it.

use serde_json::json;

use super::{
    ids::{self, TOPIC},
    intrinsics::{attribute, policy, reference, tls_only},
    stack::{Owner, Resource, Stack},
};
use crate::topology::{PartId, PartKind, Verb};

pub(super) fn add(stack: &mut Stack<'_>) {
    let Some(topic) = stack.topology.topic() else { return };
    let id = PartId::new(PartKind::Topic, &topic.name);
    let owner = Owner::part(&id, "/stage");
    let properties = json!({
        "TopicName": stack.names.topic(&topic.name),
        "KmsMasterKeyId": "alias/aws/sns",
        "Tags": stack.tags(&owner),
    });
    stack.add(TOPIC, &owner, "the topic", Resource::new("AWS::SNS::Topic", properties));
    let properties = json!({
        "Topics": [reference(TOPIC)],
        "PolicyDocument": policy(&[tls_only("sns:Publish", reference(TOPIC))]),
    });
    let properties = Resource::new("AWS::SNS::TopicPolicy", properties);
    stack.add("TopicPolicy", &owner, "the topic takes tasks over TLS only", properties);

    for queue in stack.topology.queues() {
        let queue_id = PartId::new(PartKind::Queue, &queue.name);
        if stack.topology.to(&queue_id, Verb::Subscribes).all(|to| *to != id) {
            continue;
        }
        // Raw: the queue's messages are the tasks themselves, as in the stage without a topic.
        let subscription = json!({
            "TopicArn": reference(TOPIC),
            "Protocol": "sqs",
            "Endpoint": attribute(&ids::queue(&queue.name), "Arn"),
            "RawMessageDelivery": true,
        });
        let subscription = Resource::new("AWS::SNS::Subscription", subscription)
            .with("DependsOn", ids::of(&queue.name, "QueuePolicy"));
        let description = format!("queue {} gets every task of the topic", queue.name);
        stack.add(&ids::of(&queue.name, "Subscription"), &owner, &description, subscription);
    }
}
