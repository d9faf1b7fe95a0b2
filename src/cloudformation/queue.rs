//! Queues, their dead-letter queues, and who may send to them.

use serde_json::json;

use super::{
    ids::{self, TOPIC},
    intrinsics::{arn, attribute, policy, reference, tls_only},
    stack::{Owner, Resource, Stack},
};
use crate::topology::{PartId, PartKind, Queue, Verb};

/// How long dead letters are kept: as long as SQS keeps anything.
const DEAD_LETTER_SECONDS: u32 = 1_209_600;
/// The longest that a receive waits for a task: fewest empty answers, which cost as much as full ones.
const LONG_POLL_SECONDS: u32 = 20;

pub(super) fn owner(queue: &Queue) -> Owner {
    Owner::part(&PartId::new(PartKind::Queue, &queue.name), format!("/queues/{}", queue.name))
}

pub(super) fn add(stack: &mut Stack<'_>) {
    for queue in stack.topology.queues() {
        add_dead_letters(stack, queue);
        add_queue(stack, queue);
    }
}

fn add_dead_letters(stack: &mut Stack<'_>, queue: &Queue) {
    let owner = owner(queue);
    let id = ids::dead_letters(&queue.name);
    // The queue's ARN by its name: a reference would close a circle, since the queue refers to its dead letters.
    let source = arn("sqs", &stack.names.queue(&queue.name));
    let properties = json!({
        "QueueName": stack.names.dead_letters(&queue.name),
        "MessageRetentionPeriod": DEAD_LETTER_SECONDS,
        "SqsManagedSseEnabled": true,
        "RedriveAllowPolicy": { "redrivePermission": "byQueue", "sourceQueueArns": [source] },
        "Tags": stack.tags(&owner),
    });
    let description = format!("the dead-letter queue of {}", queue.name);
    stack.add(&id, &owner, &description, Resource::new("AWS::SQS::Queue", properties));
    let properties = json!({
        "Queues": [reference(&id)],
        "PolicyDocument": policy(&[tls_only("sqs:*", attribute(&id, "Arn"))]),
    });
    let description = format!("the dead-letter queue of {} takes requests over TLS only", queue.name);
    let id = ids::of(&queue.name, "DeadLettersPolicy");
    stack.add(&id, &owner, &description, Resource::new("AWS::SQS::QueuePolicy", properties));
}

fn add_queue(stack: &mut Stack<'_>, queue: &Queue) {
    let owner = owner(queue);
    let id = ids::queue(&queue.name);
    let properties = json!({
        "QueueName": stack.names.queue(&queue.name),
        "VisibilityTimeout": queue.visibility_seconds,
        "MessageRetentionPeriod": queue.retention_seconds,
        "ReceiveMessageWaitTimeSeconds": LONG_POLL_SECONDS,
        "SqsManagedSseEnabled": true,
        "RedrivePolicy": {
            "deadLetterTargetArn": attribute(&ids::dead_letters(&queue.name), "Arn"),
            "maxReceiveCount": queue.max_receives,
        },
        "Tags": stack.tags(&owner),
    });
    stack.add(&id, &owner, &format!("the queue {}", queue.name), Resource::new("AWS::SQS::Queue", properties));

    let mut statements = vec![tls_only("sqs:*", attribute(&id, "Arn"))];
    let part = PartId::new(PartKind::Queue, &queue.name);
    if stack.topology.to(&part, Verb::Subscribes).next().is_some() {
        statements.push(json!({
            "Sid": "Topic",
            "Effect": "Allow",
            "Principal": { "Service": "sns.amazonaws.com" },
            "Action": "sqs:SendMessage",
            "Resource": attribute(&id, "Arn"),
            "Condition": { "ArnEquals": { "aws:SourceArn": reference(TOPIC) } },
        }));
    }
    let properties = json!({ "Queues": [reference(&id)], "PolicyDocument": policy(&statements) });
    let description = format!("who may send to the queue {}", queue.name);
    let id = ids::of(&queue.name, "QueuePolicy");
    stack.add(&id, &owner, &description, Resource::new("AWS::SQS::QueuePolicy", properties));
}
