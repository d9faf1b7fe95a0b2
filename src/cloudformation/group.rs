//! Auto Scaling groups: how many instances, of which types, how they are bought, replaced and let go.

use decouple_contract::timing;
use serde_json::{Value, json};

use super::{
    balancer,
    ids::{self, TARGET_GROUP, group_name_value},
    intrinsics::{attribute, reference},
    launch, network,
    stack::{Owner, Resource, Stack},
};
use crate::topology::{Group, Market, PartId, PartKind, Verb};

/// Name of the hook on which a terminating instance finishes what it holds.
pub(super) const HOOK: &str = "drain";
/// How long an instance may take until it is healthy: the boot, the bundle, and the five minutes that its script waits.
const HEALTHY_WITHIN: &str = "PT15M";
const GRACE_SECONDS: u32 = 600;
/// How long a new instance's figures are left out of the group's.
const WARMUP_SECONDS: u32 = 120;
/// What would undo a rolling update while it goes on.
const SUSPENDED: [&str; 5] =
    ["AZRebalance", "AlarmNotification", "HealthCheck", "ReplaceUnhealthy", "ScheduledActions"];

pub(super) fn owner(group: &Group) -> Owner {
    Owner::part(&PartId::new(PartKind::Group, &group.name), format!("/groups/{}", group.name))
}

pub(super) fn add(stack: &mut Stack<'_>, group: &Group) {
    let owner = owner(group);
    let serves = balancer::serves(stack, &group.name);
    let mut properties = json!({
        // Named, since roles and workers must know the name before the group exists.
        "AutoScalingGroupName": group_name_value(&group.name),
        // No desired capacity: an update would set it back to what it was before the group was scaled.
        "MinSize": group.min.to_string(),
        "MaxSize": group.max.to_string(),
        "VPCZoneIdentifier": network::instance_subnets(stack),
        "MixedInstancesPolicy": mixed(group),
        "CapacityRebalance": matches!(group.market, Market::Spot { .. }),
        "HealthCheckType": if serves { "ELB" } else { "EC2" },
        "HealthCheckGracePeriod": GRACE_SECONDS,
        "DefaultInstanceWarmup": WARMUP_SECONDS,
        "MetricsCollection": [{
            "Granularity": "1Minute",
            "Metrics": ["GroupDesiredCapacity", "GroupInServiceInstances", "GroupPendingInstances", "GroupTerminatingInstances"],
        }],
        "LifecycleHookSpecificationList": [{
            "LifecycleHookName": HOOK,
            "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
            // Short, whatever jobs take: a worker that holds something says so, and one that never started need not be waited for.
            "HeartbeatTimeout": timing::TERMINATION_HOOK,
            "DefaultResult": "CONTINUE",
        }],
        "Tags": tags(stack, &owner),
    });
    if serves {
        properties["TargetGroupARNs"] = json!([reference(TARGET_GROUP)]);
    }
    let mut resource = Resource::new("AWS::AutoScaling::AutoScalingGroup", properties);
    if group.min > 0 {
        resource = resource
            .with("CreationPolicy", json!({ "ResourceSignal": { "Count": group.min, "Timeout": HEALTHY_WITHIN } }));
    }
    resource = resource.with("UpdatePolicy", update_policy(group));
    let before = before(stack, group, serves);
    if !before.is_empty() {
        resource = resource.with("DependsOn", before);
    }
    stack.add(&ids::auto_scaling_group(&group.name), &owner, &format!("the instances of {}", group.name), resource);
}

fn mixed(group: &Group) -> Value {
    let (base, above) = match group.market {
        Market::OnDemand => (0, 100),
        Market::Spot { on_demand_base } => (on_demand_base, 0),
    };
    let mut distribution = json!({
        // In the order of the blueprint, which says the most wanted first.
        "OnDemandAllocationStrategy": "prioritized",
        "OnDemandBaseCapacity": base,
        "OnDemandPercentageAboveBaseCapacity": above,
    });
    if matches!(group.market, Market::Spot { .. }) {
        distribution["SpotAllocationStrategy"] = json!("price-capacity-optimized");
    }
    let id = launch::id(group);
    let overrides: Vec<Value> = group.instance_types.iter().map(|kind| json!({ "InstanceType": kind })).collect();
    json!({
        "InstancesDistribution": distribution,
        "LaunchTemplate": {
            "LaunchTemplateSpecification": {
                "LaunchTemplateId": reference(&id),
                "Version": attribute(&id, "LatestVersionNumber"),
            },
            "Overrides": overrides,
        },
    })
}

/// In batches of a quarter, each replaced by instances that have signalled health before the next one goes. A group never
/// falls below its minimum, except one that may not grow: there is no room for a new instance beside the old.
fn update_policy(group: &Group) -> Value {
    let kept = group.min.min(group.max.saturating_sub(1));
    json!({
        "AutoScalingRollingUpdate": {
            "MinInstancesInService": kept,
            "MaxBatchSize": (group.max / 4).max(1),
            "MinSuccessfulInstancesPercent": 100,
            "PauseTime": HEALTHY_WITHIN,
            "WaitOnResourceSignals": true,
            "SuspendProcesses": SUSPENDED,
        },
        "AutoScalingScheduledAction": { "IgnoreUnmodifiedGroupSizeProperties": true },
    })
}

/// What must be there before the first instance is.
fn before(stack: &Stack<'_>, group: &Group, serves: bool) -> Vec<String> {
    let mut before = network::ways_out(stack);
    if serves {
        // A target group that no balancer knows finds nobody healthy.
        before.push(balancer::listener(stack.balancer));
    }
    let part = PartId::new(PartKind::Group, &group.name);
    if stack.topology.to(&part, Verb::Publishes).next().is_some() {
        // A task that is published to a topic without subscribers is gone.
        before.extend(stack.topology.queues().map(|queue| ids::of(&queue.name, "Subscription")));
    }
    before
}

/// Instances get their tags from the launch template.
fn tags(stack: &Stack<'_>, owner: &Owner) -> Value {
    let mut tags = stack.tags(owner);
    for tag in tags.as_array_mut().into_iter().flatten() {
        tag["PropagateAtLaunch"] = json!(false);
    }
    tags
}
