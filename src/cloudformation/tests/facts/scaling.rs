//! When instances come and go.

use serde_json::{Value, json};

use super::{super::invariants::every_variant, of_kind, properties};
use crate::cloudformation::Template;

fn group_of(id: &str) -> String {
    id.trim_end_matches("ScaleOut").to_owned()
}

fn size(template: &Template, group: &str, which: &str) -> u64 {
    let text = properties(template, &format!("{group}Group"))[which].as_str().expect("a number");
    text.parse().expect("a number")
}

/// The name of the metric behind each letter of a formula.
fn metric_names(metrics: &Value) -> Vec<(&str, &str)> {
    let all = metrics.as_array().into_iter().flatten();
    all.filter_map(|one| Some((one["Id"].as_str()?, one.pointer("/MetricStat/Metric/MetricName")?.as_str()?))).collect()
}

#[test]
fn groups_grow_by_requests_or_by_backlog_per_instance() {
    let (mut requests, mut cpu, mut backlogs) = (0, 0, 0);
    for (name, template) in every_variant() {
        let application = properties(template, "Balancer")["Type"] == "application";
        for (id, policy) in of_kind(template, "AWS::AutoScaling::ScalingPolicy") {
            let Some(tracking) = policy.get("TargetTrackingConfiguration") else { continue };
            let of = format!("{name}: {id}");
            // Removing is the scale-in policy's, which waits as long as the blueprint says.
            assert_eq!(tracking["DisableScaleIn"], true, "{of}");
            assert!(tracking["TargetValue"].as_f64().is_some_and(|target| target > 0.0), "{of}");
            if let Some(predefined) = tracking.get("PredefinedMetricSpecification") {
                let kind = predefined["PredefinedMetricType"].as_str().expect("a type");
                assert_eq!(
                    kind,
                    if application { "ALBRequestCountPerTarget" } else { "ASGAverageCPUUtilization" },
                    "{of}"
                );
                if application {
                    requests += 1;
                } else {
                    cpu += 1;
                }
                continue;
            }
            backlogs += 1;
            let metrics = &tracking["CustomizedMetricSpecification"]["Metrics"];
            let expected =
                [("visible", "ApproximateNumberOfMessagesVisible"), ("instances", "GroupInServiceInstances")];
            assert_eq!(metric_names(metrics), expected, "{of}");
            assert_eq!(metrics[2]["Expression"], "visible / instances", "{of}");
            assert!(size(template, &group_of(id), "MaxSize") > size(template, &group_of(id), "MinSize"), "{of}");
        }
    }
    assert!(requests > 0 && cpu > 0 && backlogs > 0, "all are among the variants");
}

#[test]
fn a_group_that_may_have_no_instance_is_started_by_the_first_task() {
    let mut zeros = 0;
    for (name, template) in every_variant() {
        for (id, group) in of_kind(template, "AWS::AutoScaling::AutoScalingGroup") {
            let part = id.trim_end_matches("Group");
            let alarm = template.resources().get(&format!("{part}WaitingAlarm"));
            assert_eq!(alarm.is_some(), group["MinSize"] == "0", "{name}: {id}");
            let Some(alarm) = alarm else { continue };
            zeros += 1;
            let alarm = &alarm["Properties"];
            let formula = alarm["Metrics"][2]["Expression"].as_str().expect("a formula");
            assert!(!formula.contains('/'), "{name}: {id}: a division by no instance never fires: {formula}");
            assert_eq!(alarm["AlarmActions"], json!([{ "Ref": format!("{part}ScaleFromZero") }]), "{name}: {id}");
            let step = properties(template, &format!("{part}ScaleFromZero"));
            // An exact capacity of one would cut a group that works, were its own figure late.
            assert_eq!(step["AdjustmentType"], "ChangeInCapacity", "{name}: {id}");
            assert_eq!(step["StepAdjustments"][0]["ScalingAdjustment"], 1, "{name}: {id}");
            // For as long as the alarm rings, one is on its way, and not one more a minute.
            let rings = alarm["EvaluationPeriods"].as_u64().map(|minutes| minutes * 60);
            assert!(rings <= step["EstimatedInstanceWarmup"].as_u64(), "{name}: {id}");
        }
    }
    assert!(zeros > 0, "a group without an instance is among the variants");
}

/// The figures of the last minute are late; a zero in their place would be taken for the truth, for ever.
#[test]
fn alarms_repeat_what_is_late() {
    for (name, template) in every_variant() {
        for (id, alarm) in of_kind(template, "AWS::CloudWatch::Alarm") {
            for metric in alarm["Metrics"].as_array().into_iter().flatten() {
                let formula = metric["Expression"].as_str().unwrap_or_default();
                for filled in ["visible", "inwork", "instances"] {
                    assert!(!formula.contains(&format!("FILL({filled}, 0)")), "{name}: {id}: {formula}");
                }
            }
        }
    }
}

#[test]
fn instances_go_one_at_a_time_and_never_while_a_task_is_in_work() {
    for (name, template) in every_variant() {
        for (id, policy) in of_kind(template, "AWS::AutoScaling::ScalingPolicy") {
            let Some(part) = id.strip_suffix("ScaleIn") else { continue };
            assert_eq!(policy["StepAdjustments"][0]["ScalingAdjustment"], -1, "{name}: {id}");
            let alarm = properties(template, &format!("{part}IdleAlarm"));
            assert_eq!(alarm["AlarmActions"], json!([{ "Ref": id }]), "{name}: {id}");
            let period = alarm["Period"].as_u64().or_else(|| alarm["Metrics"][0]["MetricStat"]["Period"].as_u64());
            let seconds = alarm["EvaluationPeriods"].as_u64().zip(period).map(|(count, period)| count * period);
            // CloudWatch looks back a day at most, and seven where a period is an hour.
            let longest = if period == Some(60) { 86_400 } else { 604_800 };
            assert!(seconds.is_some_and(|seconds| seconds <= longest), "{name}: {id}: {seconds:?}");
            // Requests are counted a period, and wanted a minute.
            if alarm["Statistic"] == "Sum" {
                let target = &properties(template, &format!("{part}ScaleOut"))["TargetTrackingConfiguration"];
                let half = target["TargetValue"].as_f64().map(|target| target / 2.0);
                let minute =
                    alarm["Threshold"].as_f64().zip(alarm["Period"].as_f64()).map(|(sum, period)| sum * 60.0 / period);
                assert_eq!(minute, half, "{name}: {id}");
            }
            if let Some(metrics) = alarm.get("Metrics") {
                let names = metric_names(metrics);
                assert!(names.contains(&("inwork", "ApproximateNumberOfMessagesNotVisible")), "{name}: {id}");
            }
        }
    }
}
