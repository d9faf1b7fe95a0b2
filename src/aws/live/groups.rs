//! The groups: what Auto Scaling says of their instances, and what EC2 adds to it.

use std::collections::BTreeMap;

use aws_sdk_autoscaling::types::{AutoScalingGroup, Instance as Member, LifecycleState};
use aws_sdk_ec2::types::{Instance as Machine, InstanceLifecycleType};
use jiff::Timestamp;

use super::unseen;
use crate::{
    aws::{
        Session,
        error::{Call, Error},
        launches,
    },
    status::{Detail, GroupDetail, Health, Instance, Part},
};

/// What is known beside what Auto Scaling says of a group.
struct Seen<'a> {
    /// What EC2 knows, by instance.
    facts: &'a BTreeMap<String, Facts>,
    /// Why it could not be asked.
    missing: Option<&'a str>,
    /// Why no further instance could be launched.
    refused: Option<&'a String>,
}

/// What EC2 knows of an instance and Auto Scaling does not.
#[derive(Debug, Clone, Default)]
struct Facts {
    market: &'static str,
    since: String,
}

pub(super) async fn look(session: &Session, groups: &[(String, String)], version: &str) -> Vec<Part> {
    let names: Vec<String> = groups.iter().map(|(_, scaling)| scaling.clone()).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let found = match described(session, &names).await {
        Ok(found) => found,
        Err(error) => return groups.iter().map(|(name, _)| unseen(name, nothing(version), &error)).collect(),
    };
    let refused = refused(session, &found).await;
    let ids: Vec<String> = found
        .iter()
        .flat_map(AutoScalingGroup::instances)
        .filter_map(|member| member.instance_id().map(ToOwned::to_owned))
        .collect();
    // Without EC2's permission, what Auto Scaling says is told all the same.
    let (facts, missing) = match machines(session, &ids).await {
        Ok(facts) => (facts, None),
        Err(error) => (BTreeMap::new(), Some(crate::error::chain(&error))),
    };
    groups
        .iter()
        .map(|(name, scaling)| {
            let group = found.iter().find(|group| group.auto_scaling_group_name() == Some(scaling));
            let seen = Seen { facts: &facts, missing: missing.as_deref(), refused: refused.get(scaling) };
            part(name, group, &seen, version)
        })
        .collect()
}

/// Asks why groups have fewer instances than they should. What cannot be read is no reason.
async fn refused(session: &Session, groups: &[AutoScalingGroup]) -> BTreeMap<String, String> {
    let lacks = |group: &&AutoScalingGroup| {
        group.desired_capacity().and_then(|desired| usize::try_from(desired).ok()) > Some(group.instances().len())
    };
    let mut refused = BTreeMap::new();
    for name in groups.iter().filter(lacks).filter_map(AutoScalingGroup::auto_scaling_group_name) {
        if let Ok(Some(why)) = launches::failed(session, name).await {
            refused.insert(name.to_owned(), why);
        }
    }
    refused
}

async fn described(session: &Session, names: &[String]) -> Result<Vec<AutoScalingGroup>, Error> {
    let request = session.groups().describe_auto_scaling_groups().set_auto_scaling_group_names(Some(names.to_vec()));
    let mut pages = request.into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(group) = pages.next().await {
        let call = Call::new("autoscaling", "DescribeAutoScalingGroups", &names[0]);
        found.push(group.map_err(call.failed())?);
    }
    Ok(found)
}

async fn machines(session: &Session, ids: &[String]) -> Result<BTreeMap<String, Facts>, Error> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let request = session.instances().describe_instances().set_instance_ids(Some(ids.to_vec()));
    let mut pages = request.into_paginator().items().send();
    let mut found = BTreeMap::new();
    while let Some(reservation) = pages.next().await {
        let reservation = reservation.map_err(Call::new("ec2", "DescribeInstances", &ids[0]).failed())?;
        found.extend(
            reservation
                .instances()
                .iter()
                .filter_map(|machine| Some((machine.instance_id()?.to_owned(), facts(machine)))),
        );
    }
    Ok(found)
}

fn facts(machine: &Machine) -> Facts {
    let spot = machine.instance_lifecycle() == Some(&InstanceLifecycleType::Spot);
    let since = machine.launch_time().and_then(|time| Timestamp::from_second(time.secs()).ok());
    Facts {
        market: if spot { "spot" } else { "on-demand" },
        since: since.map(|since| since.to_string()).unwrap_or_default(),
    }
}

fn nothing(version: &str) -> Detail {
    Detail::Group(GroupDetail { version: format!("sha256:{version}"), ..GroupDetail::default() })
}

fn part(name: &str, group: Option<&AutoScalingGroup>, seen: &Seen<'_>, version: &str) -> Part {
    let Some(group) = group else {
        let reason = Some("there is no such Auto Scaling group".to_owned());
        return Part {
            detail: nothing(version),
            name: name.to_owned(),
            health: Health::Down,
            reason,
            look_again: false,
        };
    };
    let instances: Vec<Instance> = group.instances().iter().map(|member| instance(member, seen.facts)).collect();
    let count = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok()).unwrap_or(0);
    let total = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let detail = GroupDetail {
        desired: count(group.desired_capacity()),
        running: total(instances.len()),
        healthy: total(instances.iter().filter(|instance| instance.health == Health::Ok).count()),
        min: count(group.min_size()),
        max: count(group.max_size()),
        version: format!("sha256:{version}"),
        instances,
    };
    let (health, reason) = judge(&detail, seen);
    Part { detail: Detail::Group(detail), name: name.to_owned(), health, reason, look_again: false }
}

fn judge(group: &GroupDetail, seen: &Seen<'_>) -> (Health, Option<String>) {
    let missing = seen.missing.map(ToOwned::to_owned);
    let refused = seen.refused.map(|why| format!("no instance could be launched: {why}"));
    let ill = group.instances.iter().find(|instance| instance.health != Health::Ok);
    let why = ill.and_then(|instance| Some(format!("{}: {}", instance.id, instance.reason.as_deref()?)));
    if group.healthy >= group.desired {
        (Health::Ok, missing)
    } else if group.healthy == 0 {
        (Health::Down, Some(refused.or(why).unwrap_or_else(|| "no instance is in service".to_owned())))
    } else {
        (Health::Degraded, refused.or(why).or(missing))
    }
}

fn instance(member: &Member, facts: &BTreeMap<String, Facts>) -> Instance {
    let id = member.instance_id().unwrap_or_default();
    let known = facts.get(id).cloned().unwrap_or_default();
    let in_service = member.lifecycle_state() == Some(&LifecycleState::InService);
    let well = member.health_status().is_some_and(|status| status.eq_ignore_ascii_case("healthy"));
    let (health, reason) = match (in_service, well) {
        (true, true) => (Health::Ok, None),
        (true, false) => (Health::Down, Some("unhealthy: it will be replaced".to_owned())),
        (false, _) => {
            let state = member.lifecycle_state().map_or("in no known state", LifecycleState::as_str);
            (Health::Degraded, Some(state.to_owned()))
        }
    };
    Instance {
        id: id.to_owned(),
        health,
        reason,
        market: known.market.to_owned(),
        zone: member.availability_zone().unwrap_or_default().to_owned(),
        pid: None,
        since: known.since,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str, state: LifecycleState, health: &str) -> Member {
        Member::builder().instance_id(id).lifecycle_state(state).health_status(health).build()
    }

    #[test]
    fn a_group_is_as_well_as_its_instances() {
        let group = |members: Vec<Member>| {
            AutoScalingGroup::builder().desired_capacity(2).min_size(1).max_size(4).set_instances(Some(members)).build()
        };
        let well = || member("i-1", LifecycleState::InService, "Healthy");
        let judged = |members| {
            let seen = Seen { facts: &BTreeMap::new(), missing: None, refused: None };
            let part = part("web", Some(&group(members)), &seen, "abc");
            (part.health, part.reason)
        };
        assert_eq!(judged(vec![well(), well()]), (Health::Ok, None));
        let starting = member("i-2", LifecycleState::PendingWait, "Healthy");
        assert_eq!(judged(vec![well(), starting]), (Health::Degraded, Some("i-2: Pending:Wait".to_owned())));
        assert_eq!(judged(Vec::new()), (Health::Down, Some("no instance is in service".to_owned())));
        let quota = "VcpuLimitExceeded".to_owned();
        let seen = Seen { facts: &BTreeMap::new(), missing: None, refused: Some(&quota) };
        let told = part("web", Some(&group(vec![well()])), &seen, "abc").reason;
        assert_eq!(told.as_deref(), Some("no instance could be launched: VcpuLimitExceeded"));
    }
}
