//! One role a group, with no more than its work needs: its own queue, its own prefixes of the bucket, its own log.

use decouple_contract::Role;
use serde_json::{Value, json};

use super::{
    PARAMETER_BUCKET, bucket, catalog, group,
    ids::{self, TOPIC},
    intrinsics::{allow, attribute, policy, reference, sub},
    logs,
    stack::{Resource, Stack},
};
use crate::topology::{Group, PartId, PartKind, Verb};

pub(super) fn add(stack: &mut Stack<'_>, group: &Group) {
    let owner = group::owner(group);
    let mut role = json!({
        "Description": format!("Workers of group {}, environment {}", group.name, stack.topology.environment),
        "AssumeRolePolicyDocument": policy(&[json!({
            "Effect": "Allow",
            "Principal": { "Service": "ec2.amazonaws.com" },
            "Action": "sts:AssumeRole",
        })]),
        "Policies": [{ "PolicyName": "work", "PolicyDocument": policy(&statements(stack, group)) }],
        "Tags": stack.tags(&owner),
    });
    if let Some(boundary) = &stack.topology.iam.permissions_boundary {
        role["PermissionsBoundary"] = json!(boundary);
    }
    let id = id(group);
    let decides = if stack.topology.iam.permissions_boundary.is_some() {
        owner.by("/iam/permissions_boundary")
    } else {
        owner.clone()
    };
    stack.add(&id, &decides, &format!("what {} may do", group.name), Resource::new("AWS::IAM::Role", role));
    let profile = Resource::new("AWS::IAM::InstanceProfile", json!({ "Roles": [reference(&id)] }));
    stack.add(&profile_id(group), &owner, &format!("gives {}'s instances their role", group.name), profile);
}

pub(super) fn profile_id(group: &Group) -> String {
    ids::of(&group.name, "InstanceProfile")
}

fn id(group: &Group) -> String {
    ids::of(&group.name, "Role")
}

fn statements(stack: &Stack<'_>, group: &Group) -> Vec<Value> {
    // The prefix, not the one bundle: an instance that starts while a change of the bundle is under way may want either.
    let bundles = sub(format!("arn:${{AWS::Partition}}:s3:::${{{PARAMETER_BUCKET}}}/bundles/*"));
    let mut statements = vec![allow("Bundle", &["s3:GetObject"], bundles)];
    statements.extend(of_bucket(stack, group));
    statements.push(allow("CatalogLogin", &["secretsmanager:GetSecretValue"], catalog::secret()));
    statements.extend(of_tasks(stack, group));
    let log = attribute(&logs::id(group), "Arn");
    statements.push(allow("Log", &["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"], log));
    statements.push(allow(
        "Terminate",
        &["autoscaling:CompleteLifecycleAction", "autoscaling:RecordLifecycleActionHeartbeat"],
        group_arn(group),
    ));
    statements.push(sessions());
    statements
}

/// What is done with the bucket, by prefix. Listing is for the whole of it: without it S3 hides whether an object is missing
/// or forbidden.
fn of_bucket(stack: &Stack<'_>, group: &Group) -> Vec<Value> {
    const ORIGINALS: &str = "/originals/*";
    const RENDITIONS: &str = "/renditions/*";
    let role = group.name.parse::<Role>().ok();
    let serves = role.is_none_or(Role::serves);
    let resizes = role.is_none_or(Role::resizes);
    let prefixes = |originals: bool, renditions: bool| -> Vec<Value> {
        let wanted = [(originals, ORIGINALS), (renditions, RENDITIONS)];
        wanted.into_iter().filter(|(wanted, _)| *wanted).map(|(_, prefix)| bucket::arn(stack, prefix)).collect()
    };
    let mut statements = vec![
        allow("List", &["s3:ListBucket"], bucket::arn(stack, "")),
        allow("Read", &["s3:GetObject"], prefixes(true, serves)),
    ];
    for (sid, actions) in [("Write", ["s3:PutObject"]), ("Remove", ["s3:DeleteObject"])] {
        let of = prefixes(serves, resizes || (serves && sid == "Remove"));
        if !of.is_empty() {
            statements.push(allow(sid, &actions, of));
        }
    }
    statements
}

fn of_tasks(stack: &Stack<'_>, group: &Group) -> Vec<Value> {
    let part = PartId::new(PartKind::Group, &group.name);
    let queues = |verb| -> Vec<Value> {
        stack.topology.to(&part, verb).map(|queue| attribute(&ids::queue(&queue.name), "Arn")).collect()
    };
    let mut statements = Vec::new();
    let receives = queues(Verb::Receives);
    if !receives.is_empty() {
        let actions =
            ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"];
        statements.push(allow("Receive", &actions, receives));
    }
    let sends = queues(Verb::SendsTo);
    if !sends.is_empty() {
        statements.push(allow("Send", &["sqs:GetQueueAttributes", "sqs:SendMessage"], sends));
    }
    if stack.topology.to(&part, Verb::Publishes).next().is_some() {
        statements.push(allow("Publish", &["sns:ListSubscriptionsByTopic", "sns:Publish"], reference(TOPIC)));
    }
    statements
}

/// The group's own ARN has a number that only AWS knows; its name is enough.
fn group_arn(group: &Group) -> Value {
    let name = ids::group_name("${AWS::StackName}", &group.name);
    sub(format!(
        "arn:${{AWS::Partition}}:autoscaling:${{AWS::Region}}:${{AWS::AccountId}}:autoScalingGroup:*:autoScalingGroupName/{name}"
    ))
}

/// Session Manager in place of SSH. AWS has no narrower resource for these actions.
fn sessions() -> Value {
    allow(
        "SessionManager",
        &[
            "ssm:UpdateInstanceInformation",
            "ssmmessages:CreateControlChannel",
            "ssmmessages:CreateDataChannel",
            "ssmmessages:OpenControlChannel",
            "ssmmessages:OpenDataChannel",
        ],
        "*",
    )
}
