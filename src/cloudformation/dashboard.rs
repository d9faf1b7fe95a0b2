//! The dashboard: the environment on one page of CloudWatch.

use serde_json::{Value, json};

use super::{
    ids::{self, BALANCER, CATALOG, TARGET_GROUP},
    intrinsics::sub,
    stack::{Owner, Resource, Stack},
};
use crate::topology::BalancerKind;

pub(super) const DASHBOARD: &str = "Dashboard";
/// A page is 24 columns wide.
const WIDTH: usize = 8;
const HEIGHT: usize = 6;
const A_ROW: usize = 24 / WIDTH;

pub(super) fn add(stack: &mut Stack<'_>) {
    let body = json!({ "widgets": widgets(stack) }).to_string();
    let dashboard = json!({ "DashboardName": sub("${AWS::StackName}"), "DashboardBody": sub(body) });
    let owner = Owner::other("dashboard", None);
    stack.add(DASHBOARD, &owner, "the dashboard", Resource::new("AWS::CloudWatch::Dashboard", dashboard));
}

fn widgets(stack: &Stack<'_>) -> Vec<Value> {
    let mut all = of_balancer(stack);
    let groups = stack.topology.groups().map(|group| {
        let name = ids::group_name("${AWS::StackName}", &group.name);
        json!(["AWS/AutoScaling", "GroupInServiceInstances", "AutoScalingGroupName", name, { "label": group.name }])
    });
    all.push(("Instances in service", "Average", groups.collect()));
    let of_queues = |name: &str, id: fn(&str) -> String| -> Vec<Value> {
        let queues = stack.topology.queues();
        queues
            .map(|queue| {
                let of = format!("${{{}.QueueName}}", id(&queue.name));
                json!(["AWS/SQS", name, "QueueName", of, { "label": queue.name }])
            })
            .collect()
    };
    if stack.topology.queues().next().is_some() {
        all.push(("Tasks that wait", "Maximum", of_queues("ApproximateNumberOfMessagesVisible", ids::queue)));
        all.push(("Age of the oldest task", "Maximum", of_queues("ApproximateAgeOfOldestMessage", ids::queue)));
        all.push(("Dead letters", "Maximum", of_queues("ApproximateNumberOfMessagesVisible", ids::dead_letters)));
    }
    for (title, name) in [("Database: CPU", "CPUUtilization"), ("Database: free storage", "FreeStorageSpace")] {
        all.push((title, "Average", vec![json!(["AWS/RDS", name, "DBInstanceIdentifier", format!("${{{CATALOG}}}")])]));
    }
    all.into_iter()
        .enumerate()
        .map(|(index, (title, statistic, metrics))| widget(index, title, statistic, &metrics))
        .collect()
}

fn of_balancer(stack: &Stack<'_>) -> Vec<(&'static str, &'static str, Vec<Value>)> {
    let balancer = format!("${{{BALANCER}.LoadBalancerFullName}}");
    let targets = format!("${{{TARGET_GROUP}.TargetGroupFullName}}");
    let application = stack.balancer.balancing == BalancerKind::Application;
    let space = if application { "AWS/ApplicationELB" } else { "AWS/NetworkELB" };
    let of = |name: &str| json!([space, name, "LoadBalancer", balancer]);
    let of_targets = |name: &str| json!([space, name, "TargetGroup", targets, "LoadBalancer", balancer]);
    let hosts = vec![of_targets("HealthyHostCount"), of_targets("UnHealthyHostCount")];
    if application {
        vec![
            (
                "Requests",
                "Sum",
                vec![of("RequestCount"), of("HTTPCode_Target_5XX_Count"), of("HTTPCode_ELB_5XX_Count")],
            ),
            ("Time to answer (p99)", "p99", vec![of("TargetResponseTime")]),
            ("Instances that answer", "Average", hosts),
        ]
    } else {
        vec![("Connections", "Sum", vec![of("NewFlowCount")]), ("Instances that answer", "Average", hosts)]
    }
}

fn widget(index: usize, title: &str, statistic: &str, metrics: &[Value]) -> Value {
    json!({
        "type": "metric",
        "x": index % A_ROW * WIDTH,
        "y": index / A_ROW * HEIGHT,
        "width": WIDTH,
        "height": HEIGHT,
        "properties": {
            "title": title,
            "region": "${AWS::Region}",
            "stat": statistic,
            "period": 60,
            "view": "timeSeries",
            "metrics": metrics,
        },
    })
}
