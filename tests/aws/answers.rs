//! What AWS answers about one stack, as XML.

use super::replay::{Answer, result};
use crate::support::TestEnv;

/// Brings stage `elb` up, of which the endpoint starts no instances.
pub(crate) const UP: &[&str] = &["up", "--stage", "elb", "--bundle", "bundle.tar.gz", "--no-wait"];
/// The stack that it makes.
pub(crate) const ARN: &str = "arn:aws:cloudformation:us-east-1:123456789012:stack/photos-dev/1";

/// A directory with a bundle.
pub(crate) fn env() -> TestEnv {
    let env = TestEnv::new();
    env.write("bundle.tar.gz", "a bundle");
    env
}

/// The environment's stack.
pub(crate) fn stack(status: &str) -> Answer {
    let tags = [("decouple:site", "photos"), ("decouple:environment", "dev"), ("decouple:stage", "elb")]
        .map(|(key, value)| format!("<member><Key>{key}</Key><Value>{value}</Value></member>"))
        .concat();
    let content = format!(
        "<Stacks><member><StackName>photos-dev</StackName><StackId>{ARN}</StackId><StackStatus>{status}</StackStatus>\
         <CreationTime>2026-11-26T00:00:00Z</CreationTime><Tags>{tags}</Tags><Outputs><member><OutputKey>Url</OutputKey>\
         <OutputValue>http://site</OutputValue></member></Outputs></member></Stacks>"
    );
    result("DescribeStacks", &content)
}

/// One event; `id` must differ from the others'.
pub(crate) fn event(id: u32, logical_id: &str, kind: &str, status: &str, reason: &str) -> String {
    let physical = if kind == STACK { ARN } else { "" };
    format!(
        "<member><StackId>{ARN}</StackId><EventId>{id}</EventId><StackName>photos-dev</StackName>\
         <LogicalResourceId>{logical_id}</LogicalResourceId><PhysicalResourceId>{physical}</PhysicalResourceId>\
         <ResourceType>{kind}</ResourceType><Timestamp>2026-11-26T00:00:00Z</Timestamp>\
         <ResourceStatus>{status}</ResourceStatus><ResourceStatusReason>{reason}</ResourceStatusReason></member>"
    )
}

pub(crate) const STACK: &str = "AWS::CloudFormation::Stack";
pub(crate) const GROUP: &str = "AWS::AutoScaling::AutoScalingGroup";

/// Events, the oldest first, as AWS gives them: the newest first.
pub(crate) fn events(oldest_first: &[String]) -> Answer {
    let newest_first: String = oldest_first.iter().rev().cloned().collect();
    result("DescribeStackEvents", &format!("<StackEvents>{newest_first}</StackEvents>"))
}

/// A change set that makes one group.
pub(crate) fn change_set(action: &str) -> Option<Answer> {
    match action {
        "CreateChangeSet" => Some(result(action, &format!("<Id>{ARN}/set</Id><StackId>{ARN}</StackId>"))),
        "DescribeChangeSet" => Some(result(
            action,
            &format!(
                "<Status>CREATE_COMPLETE</Status><StackId>{ARN}</StackId><Changes><member><Type>Resource</Type>\
                 <ResourceChange><Action>Add</Action><LogicalResourceId>AllGroup</LogicalResourceId>\
                 <ResourceType>{GROUP}</ResourceType></ResourceChange></member></Changes>"
            ),
        )),
        _ => None,
    }
}
