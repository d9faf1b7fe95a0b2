//! Log groups: what workers say, for as long as it is of use.

use serde_json::json;

use super::{
    ids,
    stack::{Owner, Resource, Stack},
};
use crate::topology::{Group, PartId, PartKind};

/// Days that logs are kept; fewer for environments that do not live as long.
const DAYS: u16 = 30;
const SHORT_LIVED_DAYS: u16 = 7;

pub(super) fn add(stack: &mut Stack<'_>, group: &Group) {
    let owner = Owner::part(&PartId::new(PartKind::Group, &group.name), format!("/groups/{}", group.name));
    let properties = json!({
        "LogGroupName": name(stack, group),
        "RetentionInDays": if stack.short_lived() { SHORT_LIVED_DAYS } else { DAYS },
        "Tags": stack.tags(&owner),
    });
    let logs = Resource::new("AWS::Logs::LogGroup", properties).on_deletion("Delete");
    stack.add(&id(group), &owner, &format!("the log of {}", group.name), logs);
}

pub(super) fn id(group: &Group) -> String {
    ids::of(&group.name, "Logs")
}

fn name(stack: &Stack<'_>, group: &Group) -> String {
    ids::log_group(&stack.topology.site, &stack.topology.environment, &group.name)
}
