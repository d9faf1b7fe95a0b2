//! What must hold of every template, whatever the blueprint asks for.

use std::{collections::BTreeSet, sync::LazyLock};

use serde_json::Value;

use super::{Options, synthesize, template, topology, variants::variants};
use crate::{
    blueprint::{Selection, Stage, load, lower},
    cloudformation::{
        INLINE_LIMIT, RESOURCE_LIMIT, SynthesisError, Template, stack_name, stack_tags, termination_protection,
    },
    topology::Part,
};

/// Calls `see` with every value of a document.
fn walk(value: &Value, see: &mut impl FnMut(&Value)) {
    see(value);
    match value {
        Value::Object(map) => map.values().for_each(|value| walk(value, see)),
        Value::Array(all) => all.iter().for_each(|value| walk(value, see)),
        _ => {}
    }
}

fn whole(template: &Template) -> Value {
    serde_json::from_str(&template.to_json()).expect("a template is JSON")
}

/// Every variant, made once for all tests.
pub(super) fn every_variant() -> &'static [(String, Template)] {
    static ALL: LazyLock<Vec<(String, Template)>> = LazyLock::new(|| {
        let directory = tempfile::tempdir().expect("a directory");
        variants(directory.path())
    });
    &ALL
}

#[test]
fn the_same_topology_gives_the_same_bytes() {
    for stage in Stage::ALL {
        assert_eq!(template(&topology(stage)).to_json(), template(&topology(stage)).to_json());
    }
}

#[test]
fn the_stages_fit_into_a_request() {
    for stage in Stage::ALL {
        let template = template(&topology(stage));
        let (bytes, resources) = (template.to_json().len(), template.resources().len());
        assert!(resources <= RESOURCE_LIMIT);
        // Three instances' scripts alone are half of what may travel in a request: the third stage goes through the bucket.
        assert!(bytes <= 2 * INLINE_LIMIT, "{}: {bytes}", stage.name());
    }
}

#[test]
fn every_reference_leads_somewhere() {
    for (name, template) in every_variant() {
        let document = whole(template);
        let mut known: BTreeSet<String> = template.resources().keys().cloned().collect();
        known.extend(document["Parameters"].as_object().unwrap().keys().cloned());
        let mut wanted = BTreeSet::new();
        walk(&document["Resources"], &mut |value| wanted.extend(references(value)));
        walk(&document["Outputs"], &mut |value| wanted.extend(references(value)));
        let lost: Vec<_> = wanted.iter().filter(|id| !id.starts_with("AWS::") && !known.contains(*id)).collect();
        assert!(lost.is_empty(), "{name}: {lost:?}");
    }
}

/// The ids that one value refers to.
fn references(value: &Value) -> Vec<String> {
    let Value::Object(map) = value else { return Vec::new() };
    let mut found = Vec::new();
    found.extend(map.get("Ref").and_then(Value::as_str).map(ToOwned::to_owned));
    found.extend(map.get("Fn::GetAtt").and_then(|pair| pair[0].as_str()).map(ToOwned::to_owned));
    let depends = map.get("DependsOn").filter(|_| map.contains_key("Type"));
    found.extend(depends.and_then(Value::as_str).map(ToOwned::to_owned));
    found.extend(
        depends.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(ToOwned::to_owned),
    );
    let (text, own) = match map.get("Fn::Sub") {
        Some(Value::String(text)) => (text.as_str(), None),
        Some(Value::Array(pair)) => (pair[0].as_str().unwrap_or_default(), pair[1].as_object()),
        _ => return found,
    };
    for part in text.split("${").skip(1) {
        let name = part.split('}').next().unwrap_or_default();
        if !name.starts_with('!') && own.is_none_or(|own| !own.contains_key(name)) {
            let id = if name.starts_with("AWS::") { name } else { name.split('.').next().unwrap_or_default() };
            found.push(id.to_owned());
        }
    }
    found
}

#[test]
fn every_resource_is_described_and_belongs_to_a_part() {
    for stage in Stage::ALL {
        let topology = topology(stage);
        let mut parts: BTreeSet<String> = topology.parts.iter().map(|part| part.id().to_string()).collect();
        parts.extend(["network".to_owned(), "dashboard".to_owned()]);
        let template = template(&topology);
        for (id, resource) in template.resources() {
            let origin = &template.parts[id];
            assert!(parts.contains(&origin.part), "{id}: {}", origin.part);
            assert_eq!(resource["Metadata"]["Description"], origin.description, "{id}");
            assert_eq!(resource["Metadata"]["Part"], origin.part, "{id}");
            assert!(!origin.description.is_empty() && !origin.description.ends_with('.'), "{id}");
        }
        assert_eq!(template.parts.len(), template.resources().len());
    }
}

#[test]
fn a_resource_leads_to_the_line_of_the_blueprint_that_decides_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("decouple.yaml");
    let lines = [
        "stage: sns-sqs",
        "groups:",
        "  resize:",
        "    instance_types: [c7g.large, c6g.large]",
        "    scaling: { target_latency: 2m }",
        "network:",
        "  egress: nat",
        "iam:",
        "  permissions_boundary: arn:aws:iam::123456789012:policy/boundary",
    ];
    std::fs::write(&file, lines.join("\n")).expect("a file is written");
    let loaded = load(&Selection { file: Some(&file), ..Selection::default() }).expect("a blueprint");
    let template = template(&lower(&loaded.blueprint, "dev"));
    let line = |id: &str| {
        let key = template.parts[id].key.as_deref()?;
        loaded.places.deciding(key).map(|place| place.line)
    };
    let expected = [
        ("ResizeGroup", Some(3)),
        ("ResizeLaunchTemplate", Some(4)),
        ("ResizeScaleOut", Some(5)),
        ("ResizeRole", Some(9)),
        ("NatGateway", Some(7)),
        ("Vpc", Some(6)),
        ("Topic", Some(1)),
        ("TagGroup", Some(2)),
        // Left to the built-in blueprint.
        ("Catalog", None),
        ("Dashboard", None),
    ];
    assert_eq!(expected.map(|(id, _)| (id, line(id))), expected);
}

#[test]
fn every_resource_that_can_have_tags_has_them() {
    let without = [
        "AWS::CloudWatch::Dashboard",
        "AWS::EC2::Route",
        "AWS::EC2::SubnetRouteTableAssociation",
        "AWS::EC2::VPCGatewayAttachment",
        "AWS::ElasticLoadBalancingV2::Listener",
        "AWS::IAM::InstanceProfile",
        "AWS::AutoScaling::ScalingPolicy",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::Subscription",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::QueuePolicy",
    ];
    for (name, template) in every_variant() {
        for (id, resource) in template.resources() {
            let properties = &resource["Properties"];
            let tags = properties.get("Tags").or_else(|| properties.pointer("/TagSpecifications/0/Tags"));
            let Some(tags) = tags.and_then(Value::as_array) else {
                assert!(without.contains(&resource["Type"].as_str().unwrap()), "{name}: {id}");
                continue;
            };
            let keys: BTreeSet<&str> = tags.iter().filter_map(|tag| tag["Key"].as_str()).collect();
            assert_eq!(keys.len(), tags.len(), "{name}: {id} has a tag twice");
            for ours in ["decouple:site", "decouple:environment", "decouple:part"] {
                assert!(keys.contains(ours), "{name}: {id}: {ours}");
            }
            // AWS takes 50; what CloudFormation and Auto Scaling add themselves does not count.
            assert!(keys.len() <= 50, "{name}: {id}: {} tags", keys.len());
        }
    }
}

#[test]
fn roles_have_no_wildcard_but_for_session_manager() {
    for (name, template) in every_variant() {
        for (id, resource) in template.resources().iter().filter(|(_, resource)| resource["Type"] == "AWS::IAM::Role") {
            for statement in resource["Properties"]["Policies"][0]["PolicyDocument"]["Statement"].as_array().unwrap() {
                let sid = statement["Sid"].as_str().unwrap();
                assert!(statement["Resource"] != "*" || sid == "SessionManager", "{name}: {id}: {sid}");
                let actions = statement["Action"].as_array().unwrap();
                assert!(actions.iter().all(|action| !action.as_str().unwrap().contains('*')), "{name}: {id}: {sid}");
            }
        }
    }
}

/// What each role of a stage may do, in short.
fn rights(stage: Stage) -> String {
    let template = template(&topology(stage));
    let mut text = String::new();
    for (id, resource) in template.resources().iter().filter(|(_, resource)| resource["Type"] == "AWS::IAM::Role") {
        for statement in resource["Properties"]["Policies"][0]["PolicyDocument"]["Statement"].as_array().unwrap() {
            let resources = match &statement["Resource"] {
                Value::Array(all) => all.iter().map(Value::to_string).collect::<Vec<_>>().join(" "),
                one => one.to_string(),
            };
            let actions: Vec<&str> = statement["Action"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            text.extend([id, ": ", &actions.join(" "), " on ", &resources, "\n"]);
        }
    }
    text
}

#[test]
fn each_role_may_do_what_its_work_needs() {
    for stage in Stage::ALL {
        insta::assert_snapshot!(format!("rights_{}", stage.name()), rights(stage));
    }
}

#[test]
fn no_template_holds_a_secret() {
    for stage in Stage::ALL {
        let mut topology = topology(stage);
        for part in &mut topology.parts {
            if let Part::Catalog(catalog) = part {
                catalog.url = Some("postgres://me:hunter2@host/db".to_owned());
            }
        }
        let text = template(&topology).to_json();
        assert!(!text.contains("hunter2") && !text.contains("MasterUserPassword\":\""), "{}", stage.name());
    }
}

#[test]
fn what_holds_data_stays_unless_it_may_go() {
    let fates = |ttl: Option<u64>, delete_data: bool| {
        let topology = crate::topology::Topology { ttl_seconds: ttl, ..topology(Stage::Elb) };
        let template = synthesize(&topology, &Options { delete_data }).unwrap();
        let of = |id: &str| template.resources()[id]["DeletionPolicy"].as_str().unwrap().to_owned();
        [of("Bucket"), of("Catalog")]
    };
    assert_eq!(fates(None, false), ["Retain", "Snapshot"]);
    assert_eq!(fates(Some(3600), false), ["Retain", "Delete"]);
    assert_eq!(fates(None, true), ["Delete", "Delete"]);
}

#[test]
fn what_cannot_be_provisioned_is_refused_with_a_reason() {
    let mut mixed = topology(Stage::ElbSqs);
    let mut told = topology(Stage::Elb);
    let mut range = topology(Stage::Elb);
    range.network.cidr = "10.0.0.0/30".to_owned();
    for topology in [&mut mixed, &mut told] {
        for part in &mut topology.parts {
            if let Part::Group(group) = part {
                if group.name == "process" {
                    group.architecture = "x86_64".to_owned();
                }
                if group.name == "all" {
                    group.environment.insert("LARGE".to_owned(), "x".repeat(16_384));
                }
            }
        }
    }
    let refused = |topology| synthesize(topology, &Options::default()).unwrap_err();
    assert!(matches!(refused(&told), SynthesisError::UserDataTooLarge { .. }));
    assert_eq!(
        refused(&mixed).to_string(),
        "groups `web` and `process` have different architectures (arm64 and x86_64), and on AWS one worker bundle serves all groups; set one `architecture`"
    );
    assert_eq!(refused(&range).to_string(), "`network.cidr` is `10.0.0.0/30`, which is no IPv4 range from /16 to /24");
}

#[test]
fn another_stage_keeps_the_stores_and_the_way_in() {
    // What everything of a site hangs on, and what would take data along or change its address.
    let kept =
        ["Vpc", "PublicSubnetA", "PrivateSubnetB", "Balancer", "TargetGroup", "Bucket", "Catalog", "CatalogSubnets"];
    let of = |stage| template(&topology(stage));
    let elb = of(Stage::Elb);
    for stage in [Stage::ElbSqs, Stage::SnsSqs] {
        let other = of(stage);
        for id in kept {
            let (before, after) = (&elb.resources()[id], &other.resources()[id]);
            assert_eq!(before["Type"], after["Type"], "{}: {id}", stage.name());
            let settles = |properties: &Value| {
                let mut properties = properties.clone();
                // These change in place: who is served, and for how long an answer may take.
                for changeable in ["Tags", "LoadBalancerAttributes", "TargetGroupAttributes"] {
                    properties.as_object_mut().and_then(|properties| properties.remove(changeable));
                }
                properties
            };
            assert_eq!(settles(&before["Properties"]), settles(&after["Properties"]), "{}: {id}", stage.name());
            assert_eq!(before["DeletionPolicy"], after["DeletionPolicy"], "{}: {id}", stage.name());
        }
    }
}

#[test]
fn roles_go_no_further_than_the_boundary_where_there_is_one() {
    let mut bounded = topology(Stage::SnsSqs);
    let boundary = "arn:aws:iam::123456789012:policy/boundary";
    bounded.iam.permissions_boundary = Some(boundary.to_owned());
    for (topology, expected) in [(bounded, Some(boundary)), (topology(Stage::SnsSqs), None)] {
        let template = template(&topology);
        let roles: Vec<_> = template.resources().values().filter(|one| one["Type"] == "AWS::IAM::Role").collect();
        assert_eq!(roles.len(), 3);
        assert!(roles.iter().all(|role| role["Properties"]["PermissionsBoundary"].as_str() == expected));
    }
}

#[test]
fn stacks_that_stay_are_protected_and_bear_the_sites_tags() {
    let mut topology = topology(Stage::Elb);
    assert!(termination_protection(&topology));
    topology.tags.insert("team".to_owned(), "photos".to_owned());
    topology.tags.insert("decouple:site".to_owned(), "somebody's".to_owned());
    let tags = stack_tags(&topology, Some("2026-11-24T00:00:00Z"));
    let of =
        |key: &str| tags.iter().filter(|(name, _)| name == key).map(|(_, value)| value.as_str()).collect::<Vec<_>>();
    assert_eq!((of("team"), of("decouple:site")), (vec!["photos"], vec!["photos"]));
    assert_eq!(of("decouple:stage"), ["elb"]);
    assert_eq!(of("decouple:expires"), ["2026-11-24T00:00:00Z"]);
    topology.ttl_seconds = Some(3_600);
    assert!(!termination_protection(&topology));
    assert!(stack_name(&"s".repeat(32), &"e".repeat(64)).len() <= 64);
}

#[test]
fn one_changed_field_changes_one_group() {
    let before = topology(Stage::SnsSqs);
    let mut after = before.clone();
    for part in &mut after.parts {
        if let Part::Group(group) = part
            && group.name == "resize"
        {
            group.max += 1;
        }
    }
    let (before, after) = (template(&before), template(&after));
    let changed: Vec<&String> = after
        .resources()
        .iter()
        .filter(|(id, resource)| before.resources().get(*id) != Some(*resource))
        .map(|(id, _)| id)
        .collect();
    assert_eq!(changed, ["ResizeGroup"]);
}
