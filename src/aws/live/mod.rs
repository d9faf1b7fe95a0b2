//! How an environment on AWS is right now, asked of each service at once.
//!
//! A service that refuses, or does not answer, makes its part unknown and says why; it does not hide the others.

mod alarms;
mod balancer;
mod groups;
mod stores;
mod tasks;

use std::collections::BTreeMap;

use decouple_contract::Role;
use futures::{FutureExt as _, future::join_all};

use super::{
    Session,
    error::Error,
    outputs,
    stack::{self, Stack, StackResource, State},
};
use crate::{
    cloudformation::{self, TAG_ENVIRONMENT, TAG_STAGE},
    status::{Detail, Health, Part, Report},
};

/// What a stack consists of, as far as its health is concerned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Inventory {
    /// Groups by name, in the order in which a photo meets them: the name of the Auto Scaling group.
    pub(super) groups: Vec<(String, String)>,
    /// Queues by name: URL of the queue and of its dead-letter queue.
    pub(super) queues: Vec<(String, String, String)>,
    /// ARN of the target group.
    pub(super) targets: Option<String>,
    /// ARN of the topic.
    pub(super) topic: Option<String>,
    /// Identifier of the database.
    pub(super) catalog: Option<String>,
    /// Names of the alarms by logical id.
    pub(super) alarms: BTreeMap<String, String>,
}

impl Inventory {
    /// Sorts a stack's resources by what they are.
    pub(super) fn of(resources: &[StackResource]) -> Self {
        let physical = |id: &str| {
            let there = |one: &&StackResource| one.logical_id == id && !one.physical_id.is_empty();
            resources.iter().find(there).map(|one| one.physical_id.clone())
        };
        let names = Role::ALL.map(Role::name);
        let groups = names
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), physical(&cloudformation::auto_scaling_group(name))?)));
        let queues = names.iter().filter_map(|name| {
            let url = physical(&cloudformation::queue(name))?;
            Some(((*name).to_owned(), url, physical(&cloudformation::dead_letters(name)).unwrap_or_default()))
        });
        let alarms = resources.iter().filter(|one| one.kind == "AWS::CloudWatch::Alarm");
        Self {
            groups: groups.collect(),
            queues: queues.collect(),
            targets: physical(cloudformation::TARGET_GROUP),
            topic: physical(cloudformation::TOPIC),
            catalog: physical(cloudformation::CATALOG),
            alarms: alarms.map(|one| (one.logical_id.clone(), one.physical_id.clone())).collect(),
        }
    }
}

/// Looks at every part of an environment.
pub async fn report(session: &Session, stack: &Stack) -> Result<Report, Error> {
    let inventory = Inventory::of(&stack::resources(session, &stack.arn).await?);
    let session = &session.hasty();
    let outputs = outputs::of(session, stack);
    let front = inventory.groups.iter().map(|(name, _)| name.as_str()).find(|name| serves(name)).unwrap_or("web");
    let version = stack.parameters.get(cloudformation::PARAMETER_SHA256).map(String::as_str).unwrap_or_default();

    let looks = [
        balancer::look(session, front, &outputs.url, inventory.targets.as_deref()).boxed(),
        groups::look(session, &inventory.groups, version).boxed(),
        tasks::topic(session, inventory.topic.as_deref()).boxed(),
        tasks::queues(session, &inventory.queues).boxed(),
        stores::bucket(session, &outputs.bucket).boxed(),
        stores::catalog(session, inventory.catalog.as_deref()).boxed(),
    ];
    let (parts, alarms) = futures::future::join(join_all(looks), alarms::ringing(session, &inventory.alarms)).await;
    let mut parts: Vec<Part> = parts.into_iter().flatten().collect();
    let unseen_alarms = alarms::lay_on(&mut parts, alarms);

    let tag = |name: &str| stack.tags.get(name).cloned().unwrap_or_default();
    let (health, reason) = overall(stack, &parts);
    Ok(Report {
        env: tag(TAG_ENVIRONMENT),
        stage: tag(TAG_STAGE),
        target: "aws".to_owned(),
        health,
        reason: reason.or(unseen_alarms),
        parts,
        outputs,
    })
}

fn serves(group: &str) -> bool {
    group.parse::<Role>().is_ok_and(Role::serves)
}

/// The worst of the parts, and what the stack's own state adds to it.
fn overall(stack: &Stack, parts: &[Part]) -> (Health, Option<String>) {
    let worst = Report::worst(parts);
    let name = &stack.name;
    match stack.state {
        State::Ready => (worst, None),
        State::Busy(doing) => (worst.max(Health::Degraded), Some(format!("its {} is under way", doing.word()))),
        State::HalfChanged => {
            (worst.max(Health::Degraded), Some("a change failed half-way: run `decouple up`".to_owned()))
        }
        State::Stuck => (
            worst.max(Health::Degraded),
            Some(format!("stack {name}: a change could not be rolled back; `decouple up` goes on with it")),
        ),
        State::Shell | State::NeverMade | State::HalfDeleted | State::Gone => {
            (Health::Down, Some(format!("stack {name} is {}", stack.status)))
        }
    }
}

/// Tells of a part that cannot be seen.
fn unseen(name: &str, detail: Detail, error: &Error) -> Part {
    let (health, reason) = (Health::Unknown, Some(crate::error::chain(error)));
    Part { detail, name: name.to_owned(), health, reason, look_again: !matches!(error, Error::Denied { .. }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_sorted_by_what_they_are() {
        let resource = |logical: &str, kind: &str, physical: &str| StackResource {
            logical_id: logical.to_owned(),
            physical_id: physical.to_owned(),
            kind: kind.to_owned(),
            status: "CREATE_COMPLETE".to_owned(),
        };
        let inventory = Inventory::of(&[
            resource("TagGroup", "AWS::AutoScaling::AutoScalingGroup", "photos-dev-tag"),
            resource("WebGroup", "AWS::AutoScaling::AutoScalingGroup", "photos-dev-web"),
            resource("TagQueue", "AWS::SQS::Queue", "https://sqs/tag"),
            resource("TagDeadLetters", "AWS::SQS::Queue", "https://sqs/tag-dead"),
            resource("Topic", "AWS::SNS::Topic", ""),
            resource("TagAgeAlarm", "AWS::CloudWatch::Alarm", "photos-dev-TagAgeAlarm-1"),
        ]);
        let groups: Vec<&str> = inventory.groups.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(groups, ["web", "tag"]);
        assert_eq!(inventory.queues[0].2, "https://sqs/tag-dead");
        assert_eq!(inventory.topic, None);
        assert_eq!(inventory.alarms.len(), 1);
    }
}
