//! Alarms: what somebody should look at. Those that scale stand with the scaling.

use serde_json::{Value, json};

use super::{
    balancer, ids,
    intrinsics::attribute,
    queue,
    stack::{Owner, Resource, Stack},
};
use crate::topology::{BalancerKind, Group, PartId, PartKind, Queue, Scaling, Verb};

/// A task that is this many times older than it should be shows that a group does not keep up.
const TIMES_TOO_OLD: u64 = 10;
/// And at least this old: groups need time to grow.
const LEAST_AGE_SECONDS: u64 = 600;

pub(super) fn add(stack: &mut Stack<'_>) {
    let owner = balancer::owner(stack);
    let application = stack.balancer.balancing == BalancerKind::Application;
    let unhealthy = json!({
        "AlarmDescription": "Instances behind the load balancer do not answer.",
        "Namespace": if application { "AWS/ApplicationELB" } else { "AWS/NetworkELB" },
        "MetricName": "UnHealthyHostCount",
        "Dimensions": balancer::dimensions(),
        "EvaluationPeriods": 5,
    });
    add_alarm(stack, "UnhealthyTargetsAlarm", &owner, "notices instances that do not answer", unhealthy, 0);
    for queue in stack.topology.queues() {
        add_queue_alarms(stack, queue);
    }
}

fn add_queue_alarms(stack: &mut Stack<'_>, queue: &Queue) {
    let owner = queue::owner(queue);
    let dead = json!({
        "AlarmDescription": format!("Tasks of queue {} failed for good. They are in its dead-letter queue.", queue.name),
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateNumberOfMessagesVisible",
        "Dimensions": dimensions(&ids::dead_letters(&queue.name)),
        "EvaluationPeriods": 1,
    });
    let description = format!("notices dead letters of {}", queue.name);
    add_alarm(stack, &ids::of(&queue.name, "DeadLettersAlarm"), &owner, &description, dead, 0);
    let old = json!({
        "AlarmDescription": format!("Tasks of queue {} wait too long.", queue.name),
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateAgeOfOldestMessage",
        "Dimensions": dimensions(&ids::queue(&queue.name)),
        "EvaluationPeriods": 5,
    });
    let description = format!("notices tasks of {} that wait too long", queue.name);
    let age = too_old(stack, queue);
    add_alarm(stack, &ids::of(&queue.name, "AgeAlarm"), &owner, &description, old, age);
}

/// Adds an alarm on more than `threshold`. It has no action: whom to tell is for the account to say.
fn add_alarm(stack: &mut Stack<'_>, id: &str, owner: &Owner, description: &str, mut alarm: Value, threshold: u64) {
    alarm["Statistic"] = json!("Maximum");
    alarm["Period"] = json!(60);
    alarm["ComparisonOperator"] = json!("GreaterThanThreshold");
    alarm["Threshold"] = json!(threshold);
    alarm["TreatMissingData"] = json!("notBreaching");
    alarm["Tags"] = stack.tags(owner);
    stack.add(id, owner, description, Resource::new("AWS::CloudWatch::Alarm", alarm));
}

fn dimensions(queue_id: &str) -> Value {
    json!([{ "Name": "QueueName", "Value": attribute(queue_id, "QueueName") }])
}

fn too_old(stack: &Stack<'_>, queue: &Queue) -> u64 {
    let receives = |group: &&Group| {
        let part = PartId::new(PartKind::Group, &group.name);
        stack.topology.to(&part, Verb::Receives).any(|to| to.name == queue.name)
    };
    let latency = stack.topology.groups().find(receives).map(|group| group.scaling);
    match latency {
        Some(Scaling::Backlog { target_latency_seconds, .. }) => {
            target_latency_seconds.saturating_mul(TIMES_TOO_OLD).max(LEAST_AGE_SECONDS)
        }
        _ => LEAST_AGE_SECONDS,
    }
}
