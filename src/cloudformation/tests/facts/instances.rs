//! What an instance is, how it is bought, and how it is replaced.

use serde_json::json;

use super::{super::invariants::every_variant, assert_has, number, of_kind, target};

#[test]
fn instances_are_patched_closed_and_encrypted() {
    for (name, template) in every_variant() {
        for (id, launch) in of_kind(template, "AWS::EC2::LaunchTemplate") {
            let data = &launch["LaunchTemplateData"];
            let of = format!("{name}: {id}");
            let image = data["ImageId"].as_str().expect("an image");
            let known = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-";
            let architecture = image.strip_prefix(known).unwrap_or_else(|| panic!("{of}: {image}"));
            let arm =
                data["InstanceType"].as_str().is_some_and(|kind| kind.split('.').next().unwrap_or("").ends_with('g'));
            assert_eq!(architecture, if arm { "arm64" } else { "x86_64" }, "{of}");
            let metadata = json!({ "HttpEndpoint": "enabled", "HttpTokens": "required", "HttpPutResponseHopLimit": 1 });
            assert_eq!(data["MetadataOptions"], metadata, "{of}");
            let disk = &data["BlockDeviceMappings"][0]["Ebs"];
            assert_has(&of, disk, &json!({ "VolumeType": "gp3", "Encrypted": true, "DeleteOnTermination": true }));
            assert!(data.get("KeyName").is_none(), "{of}: Session Manager stands in place of SSH");
            let profile = target(&data["IamInstanceProfile"]["Arn"]).expect("a profile");
            assert_eq!(template.resources()[profile]["Type"], "AWS::IAM::InstanceProfile", "{of}");
        }
    }
}

#[test]
fn instances_are_told_in_less_than_16_kb_which_bundle_to_fetch_and_how_to_know_it() {
    for (name, template) in every_variant() {
        for (id, launch) in of_kind(template, "AWS::EC2::LaunchTemplate") {
            let script = &launch["LaunchTemplateData"]["UserData"]["Fn::Base64"]["Fn::Sub"];
            let text = script[0].as_str().unwrap_or_else(|| panic!("{name}: {id}: {script}"));
            assert!(script.to_string().len() < 16_384, "{name}: {id}");
            for parameter in ["ArtifactBucket", "ArtifactKey", "ArtifactSha256"] {
                assert!(text.contains(&format!("${{{parameter}}}")), "{name}: {id}: {parameter}");
            }
        }
    }
}

#[test]
fn only_what_the_balancer_reaches_listens_to_others() {
    for (name, template) in every_variant() {
        for (id, group) in of_kind(template, "AWS::AutoScaling::AutoScalingGroup") {
            let launch = &group["MixedInstancesPolicy"]["LaunchTemplate"]["LaunchTemplateSpecification"];
            let launch = target(&launch["LaunchTemplateId"]).expect("a launch template");
            let data = &template.resources()[launch]["Properties"]["LaunchTemplateData"];
            let told = &data["UserData"]["Fn::Base64"]["Fn::Sub"][1];
            let serves = group.get("TargetGroupARNs").is_some();
            let from = if serves { "0.0.0.0:8080" } else { "127.0.0.1:8080" };
            assert_eq!(told["Env_DECOUPLE_LISTEN"], from, "{name}: {id}");
        }
    }
}

#[test]
fn spot_groups_choose_among_types_by_price_and_capacity() {
    let mut spot = 0;
    for (name, template) in every_variant() {
        for (id, group) in of_kind(template, "AWS::AutoScaling::AutoScalingGroup") {
            let of = format!("{name}: {id}");
            let policy = &group["MixedInstancesPolicy"];
            let distribution = &policy["InstancesDistribution"];
            let types = policy["LaunchTemplate"]["Overrides"].as_array().expect("types");
            assert!(types.len() > 1 && types.iter().all(|one| one["InstanceType"].is_string()), "{of}");
            assert!(group.get("DesiredCapacity").is_none(), "{of}: an update would undo the scaling");
            let bought = distribution["OnDemandPercentageAboveBaseCapacity"] == 0;
            assert_eq!(group["CapacityRebalance"], bought, "{of}");
            assert_eq!(distribution.get("SpotAllocationStrategy").is_some(), bought, "{of}");
            if bought {
                spot += 1;
                assert_eq!(distribution["SpotAllocationStrategy"], "price-capacity-optimized", "{of}");
                assert!(distribution["OnDemandBaseCapacity"].is_u64(), "{of}");
            }
        }
    }
    assert!(spot > 0, "spot is among the variants");
}

#[test]
fn groups_wait_for_signals_roll_in_batches_and_let_instances_finish() {
    for (name, template) in every_variant() {
        for (id, group) in of_kind(template, "AWS::AutoScaling::AutoScalingGroup") {
            let of = format!("{name}: {id}");
            let resource = &template.resources()[id];
            let (min, max) = (number(&group["MinSize"]), number(&group["MaxSize"]));
            let signal = resource.pointer("/CreationPolicy/ResourceSignal");
            assert_eq!(signal.map_or(0, |signal| signal["Count"].as_u64().unwrap_or_default()), min, "{of}");
            let update = &resource["UpdatePolicy"]["AutoScalingRollingUpdate"];
            assert_eq!(update["WaitOnResourceSignals"], true, "{of}");
            let kept = update["MinInstancesInService"].as_u64().expect("a number");
            // CloudFormation needs room for one instance more than are kept.
            assert!(kept < max && (kept == min || min == max), "{of}: {kept} of {min} to {max}");
            assert!(update["MaxBatchSize"].as_u64().is_some_and(|batch| batch >= 1 && batch <= max), "{of}");
            let suspended = update["SuspendProcesses"].as_array().expect("processes");
            for process in ["AlarmNotification", "HealthCheck", "ReplaceUnhealthy", "AZRebalance", "ScheduledActions"] {
                assert!(suspended.contains(&json!(process)), "{of}: {process}");
            }
            let hook = &group["LifecycleHookSpecificationList"][0];
            assert_eq!(hook["LifecycleTransition"], "autoscaling:EC2_INSTANCE_TERMINATING", "{of}");
            // Heartbeats keep it open for a hundred times as long, and a job takes six hours at most.
            let timeout = hook["HeartbeatTimeout"].as_u64().expect("a number");
            assert!(timeout <= 300 && timeout * 100 > 6 * 3_600, "{of}: {timeout}");
            let metrics = group["MetricsCollection"][0]["Metrics"].as_array().expect("metrics");
            assert!(metrics.contains(&json!("GroupInServiceInstances")), "{of}");
            let serves = group.get("TargetGroupARNs").is_some();
            assert_eq!(group["HealthCheckType"], if serves { "ELB" } else { "EC2" }, "{of}");
        }
    }
}
