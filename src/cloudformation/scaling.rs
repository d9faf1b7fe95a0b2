//! When instances are added and removed.
//!
//! Target tracking adds. It would remove as well, but only after a quarter of an hour, and never the last instance; so removing
//! is a step of its own that waits as long as the blueprint says, and starting from nothing is another.

use serde_json::{Value, json};

use super::{
    balancer, group,
    ids::{self, BALANCER, TARGET_GROUP, group_name_value},
    intrinsics::{attribute, reference, sub},
    launch::watches_cpu,
    stack::{Owner, Resource, Stack},
};
use crate::topology::{Group, PartId, PartKind, Scaling, Verb};

/// Per cent of CPU that a serving instance should have to do, behind a balancer that counts no requests.
const CPU_TARGET: u32 = 60;
/// Longest that alarms with periods of less than an hour may look back, in seconds.
const ONE_DAY: u64 = 86_400;
/// The period of alarms, in seconds, unless they look back further.
const MINUTE: u64 = 60;
/// Minutes of which one is enough to start the first instance: the figures of the last one are late.
const WAITING_MINUTES: u64 = 3;
/// How long the first instance counts as on its way, in seconds, and is not started again.
const FIRST_WARMUP: u64 = 300;

pub(super) fn add(stack: &mut Stack<'_>, group: &Group) {
    if group.min >= group.max {
        // AWS refuses to track a target with a group whose size is fixed.
        return;
    }
    match group.scaling {
        Scaling::Requests { per_target, scale_in_after_seconds } => {
            let (metric, target, idle) = if watches_cpu(stack, group) {
                (json!({ "PredefinedMetricType": "ASGAverageCPUUtilization" }), CPU_TARGET, cpu(group))
            } else {
                (requests(), per_target, requests_per_target())
            };
            track(stack, group, &json!({ "PredefinedMetricSpecification": metric }), f64::from(target));
            // Half, so that the instances which stay have no more than the target afterwards.
            let below = Below { threshold: f64::from(target) / 2.0, missing: "breaching" };
            scale_in(stack, group, &idle, below, scale_in_after_seconds);
        }
        Scaling::Backlog { target_latency_seconds, time_per_message_seconds, scale_in_after_seconds } => {
            let part = PartId::new(PartKind::Group, &group.name);
            let Some(queue) = stack.topology.to(&part, Verb::Receives).next() else { return };
            let acceptable = quotient(target_latency_seconds, time_per_message_seconds);
            let backlog = json!({ "CustomizedMetricSpecification": { "Metrics": backlog(group, &queue.name) } });
            track(stack, group, &backlog, acceptable);
            let idle = json!({ "Metrics": outstanding(group, &queue.name, acceptable) });
            let below = Below { threshold: acceptable / 2.0, missing: "notBreaching" };
            scale_in(stack, group, &idle, below, scale_in_after_seconds);
            if group.min == 0 {
                from_zero(stack, group, &queue.name);
            }
        }
    }
}

fn owner(group: &Group) -> Owner {
    group::owner(group).by(format!("/groups/{}/scaling", group.name))
}

#[expect(clippy::cast_precision_loss, reason = "seconds of at most two weeks")]
fn quotient(latency: u64, each: u64) -> f64 {
    latency as f64 / each.max(1) as f64
}

fn track(stack: &mut Stack<'_>, group: &Group, metric: &Value, target: f64) {
    let mut configuration = metric.clone();
    configuration["TargetValue"] = json!(target);
    configuration["DisableScaleIn"] = json!(true);
    let policy = json!({
        "AutoScalingGroupName": reference(&ids::auto_scaling_group(&group.name)),
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingConfiguration": configuration,
    });
    let description = format!("adds instances to {} when there is more to do", group.name);
    let policy = Resource::new("AWS::AutoScaling::ScalingPolicy", policy);
    stack.add(&ids::of(&group.name, "ScaleOut"), &owner(group), &description, policy);
}

/// What counts as little to do.
#[derive(Clone, Copy)]
struct Below {
    /// A minute's figure below which there is.
    threshold: f64,
    /// What a minute without a figure counts as.
    missing: &'static str,
}

/// Removes one instance, and again each minute for as long as there is little to do.
#[expect(clippy::cast_precision_loss, reason = "periods are short")]
fn scale_in(stack: &mut Stack<'_>, group: &Group, metric: &Value, below: Below, after_seconds: u64) {
    let owner = owner(group);
    let step = json!({ "StepAdjustments": [{ "MetricIntervalUpperBound": 0, "ScalingAdjustment": -1 }] });
    let policy_id = add_step(stack, group, "ScaleIn", &step, "removes instances when there is less to do");
    let period = if after_seconds > ONE_DAY { 3_600 } else { MINUTE };
    // An hour's sum is that of sixty minutes.
    let minutes = if metric.get("Statistic") == Some(&json!("Sum")) { period / MINUTE } else { 1 };
    let mut alarm = json!({
        "AlarmDescription": format!("{}: there is less to do. Not a problem: it removes an instance.", group.name),
        "ComparisonOperator": "LessThanThreshold",
        "Threshold": below.threshold * minutes as f64,
        "EvaluationPeriods": after_seconds.div_ceil(period).max(1),
        "TreatMissingData": below.missing,
        "AlarmActions": [reference(&policy_id)],
        "Tags": stack.tags(&owner),
    });
    lay_over(&mut alarm, metric);
    set_period(&mut alarm, period);
    let description = format!("notices that {} has less to do", group.name);
    let alarm = Resource::new("AWS::CloudWatch::Alarm", alarm);
    stack.add(&ids::of(&group.name, "IdleAlarm"), &owner, &description, alarm);
}

/// A division by zero instances never fires, so the first one needs a rule of its own.
fn from_zero(stack: &mut Stack<'_>, group: &Group, queue: &str) {
    let owner = owner(group);
    // Not a capacity of exactly one: a figure that comes late must never cut a group that works down to that.
    let step = json!({
        "StepAdjustments": [{ "MetricIntervalLowerBound": 0, "ScalingAdjustment": 1 }],
        "EstimatedInstanceWarmup": FIRST_WARMUP,
    });
    let policy_id = add_step(stack, group, "ScaleFromZero", &step, "starts the first instance");
    let metrics = json!([
        metric("visible", &of_queue(queue, "ApproximateNumberOfMessagesVisible"), "Maximum"),
        metric("instances", &in_service(group), "Average"),
        {
            "Id": "waiting",
            "Label": "Tasks wait and nobody is there",
            // The last minute's figures are late. Zeros in their place would say that nothing waits, or that nobody is there.
            "Expression": "IF(FILL(visible, REPEAT) > 0 AND FILL(FILL(instances, REPEAT), 0) < 1, 1, 0)",
            "ReturnData": true,
        },
    ]);
    let mut alarm = json!({
        "AlarmDescription": format!("{}: tasks wait and no instance is there. It starts one.", group.name),
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "Threshold": 1,
        "EvaluationPeriods": WAITING_MINUTES,
        "DatapointsToAlarm": 1,
        "TreatMissingData": "notBreaching",
        "AlarmActions": [reference(&policy_id)],
        "Metrics": metrics,
        "Tags": stack.tags(&owner),
    });
    set_period(&mut alarm, MINUTE);
    let description = format!("notices that tasks wait while {} has no instance", group.name);
    let alarm = Resource::new("AWS::CloudWatch::Alarm", alarm);
    stack.add(&ids::of(&group.name, "WaitingAlarm"), &owner, &description, alarm);
}

/// Adds a policy of so many instances more or fewer; while these are on their way, it does not do so again.
fn add_step(stack: &mut Stack<'_>, group: &Group, suffix: &str, step: &Value, what: &str) -> String {
    let id = ids::of(&group.name, suffix);
    let mut policy = json!({
        "AutoScalingGroupName": reference(&ids::auto_scaling_group(&group.name)),
        "PolicyType": "StepScaling",
        "AdjustmentType": "ChangeInCapacity",
    });
    lay_over(&mut policy, step);
    let description = format!("{what}: {}", group.name);
    let policy = Resource::new("AWS::AutoScaling::ScalingPolicy", policy);
    stack.add(&id, &owner(group), &description, policy);
    id
}

fn requests() -> Value {
    json!({
        "PredefinedMetricType": "ALBRequestCountPerTarget",
        "ResourceLabel": sub(format!("${{{BALANCER}.LoadBalancerFullName}}/${{{TARGET_GROUP}.TargetGroupFullName}}")),
    })
}

fn requests_per_target() -> Value {
    json!({
        "Namespace": "AWS/ApplicationELB",
        "MetricName": "RequestCountPerTarget",
        "Dimensions": balancer::dimensions(),
        "Statistic": "Sum",
    })
}

fn cpu(group: &Group) -> Value {
    json!({
        "Namespace": "AWS/EC2",
        "MetricName": "CPUUtilization",
        "Dimensions": [{ "Name": "AutoScalingGroupName", "Value": group_name_value(&group.name) }],
        "Statistic": "Average",
    })
}

/// Backlog per instance, in the form of target tracking: its periods are its own.
fn backlog(group: &Group, queue: &str) -> Value {
    json!([
        metric("visible", &of_queue(queue, "ApproximateNumberOfMessagesVisible"), "Sum"),
        metric("instances", &in_service(group), "Average"),
        {
            "Id": "backlog",
            "Label": "Backlog per instance",
            "Expression": "visible / instances",
            "ReturnData": true,
        },
    ])
}

/// What waits and what is in work, per instance. The last instance goes only when there is nothing at all.
fn outstanding(group: &Group, queue: &str, acceptable: f64) -> Value {
    // As late as the figures are, a zero in their place would say that nothing is in work.
    let tasks = "FILL(visible, REPEAT) + FILL(inwork, REPEAT)";
    json!([
        metric("visible", &of_queue(queue, "ApproximateNumberOfMessagesVisible"), "Maximum"),
        metric("inwork", &of_queue(queue, "ApproximateNumberOfMessagesNotVisible"), "Maximum"),
        metric("instances", &in_service(group), "Average"),
        {
            "Id": "outstanding",
            "Label": "Tasks per instance, in work or not",
            "Expression": format!(
                "IF(instances > 1, ({tasks}) / instances, IF({tasks} > 0, {acceptable}, 0))"
            ),
            "ReturnData": true,
        },
    ])
}

fn metric(id: &str, of: &Value, statistic: &str) -> Value {
    json!({ "Id": id, "MetricStat": { "Metric": of, "Stat": statistic }, "ReturnData": false })
}

fn of_queue(queue: &str, name: &str) -> Value {
    json!({
        "Namespace": "AWS/SQS",
        "MetricName": name,
        "Dimensions": [{ "Name": "QueueName", "Value": attribute(&ids::queue(queue), "QueueName") }],
    })
}

fn in_service(group: &Group) -> Value {
    json!({
        "Namespace": "AWS/AutoScaling",
        "MetricName": "GroupInServiceInstances",
        "Dimensions": [{ "Name": "AutoScalingGroupName", "Value": group_name_value(&group.name) }],
    })
}

fn lay_over(onto: &mut Value, what: &Value) {
    for (name, value) in what.as_object().into_iter().flatten() {
        onto[name] = value.clone();
    }
}

/// The period stands with each metric where there are several, and with the alarm where there is one.
fn set_period(alarm: &mut Value, period: u64) {
    match alarm.get_mut("Metrics").and_then(Value::as_array_mut) {
        Some(metrics) => {
            for metric in metrics.iter_mut().filter_map(|metric| metric.get_mut("MetricStat")) {
                metric["Period"] = json!(period);
            }
        }
        None => alarm["Period"] = json!(period),
    }
}
