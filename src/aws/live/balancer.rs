//! The balancer: how many instances it knows, and how many of them answer.

use aws_sdk_elasticloadbalancingv2::types::{TargetHealthDescription, TargetHealthStateEnum as Target};

use super::unseen;
use crate::{
    aws::{
        Session,
        error::{Call, Error},
    },
    status::{Detail, Health, Part},
};

pub(super) async fn look(session: &Session, name: &str, url: &str, targets: Option<&str>) -> Vec<Part> {
    let detail = |targets, healthy| Detail::Balancer { url: url.to_owned(), targets, healthy };
    let Some(arn) = targets else {
        let reason = Some("it is not made".to_owned());
        return vec![Part {
            detail: detail(0, 0),
            name: name.to_owned(),
            health: Health::Down,
            reason,
            look_again: false,
        }];
    };
    vec![match targets_of(session, arn).await {
        Ok(found) => {
            let (health, reason, counted) = judge(&found);
            Part { detail: detail(counted.0, counted.1), name: name.to_owned(), health, reason, look_again: false }
        }
        Err(error) => unseen(name, detail(0, 0), &error),
    }]
}

async fn targets_of(session: &Session, arn: &str) -> Result<Vec<TargetHealthDescription>, Error> {
    let call = Call::new("elasticloadbalancing", "DescribeTargetHealth", arn);
    let found = session.balancers().describe_target_health().target_group_arn(arn).send().await;
    Ok(found.map_err(call.failed())?.target_health_descriptions.unwrap_or_default())
}

/// One that is on its way out is no target any more.
fn judge(found: &[TargetHealthDescription]) -> (Health, Option<String>, (u32, u32)) {
    let state = |target: &TargetHealthDescription| target.target_health().and_then(|health| health.state().cloned());
    let leaving =
        |target: &&TargetHealthDescription| matches!(state(target), Some(Target::Draining | Target::UnhealthyDraining));
    let staying: Vec<&TargetHealthDescription> = found.iter().filter(|target| !leaving(target)).collect();
    let healthy = staying.iter().filter(|target| state(target) == Some(Target::Healthy)).count();
    let ill = staying.iter().find(|target| state(target) != Some(Target::Healthy));
    let why = ill.and_then(|target| {
        let id = target.target().and_then(|target| target.id()).unwrap_or("a target");
        let health = target.target_health()?;
        Some(format!("{id}: {}", health.description().or(health.state().map(Target::as_str))?))
    });
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let counted = (count(staying.len()), count(healthy));
    match (healthy, why) {
        (0, why) => (Health::Down, Some(why.unwrap_or_else(|| "no target is healthy".to_owned())), counted),
        (_, Some(why)) => (Health::Degraded, Some(why), counted),
        (_, None) => (Health::Ok, None, counted),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_elasticloadbalancingv2::types::{TargetDescription, TargetHealth};

    use super::*;

    fn target(id: &str, state: Target) -> TargetHealthDescription {
        TargetHealthDescription::builder()
            .target(TargetDescription::builder().id(id).build())
            .target_health(TargetHealth::builder().state(state).build())
            .build()
    }

    #[test]
    fn targets_that_drain_are_not_missed() {
        let found = [target("i-1", Target::Healthy), target("i-2", Target::Draining)];
        assert_eq!(judge(&found), (Health::Ok, None, (1, 1)));
    }

    #[test]
    fn one_that_is_ill_is_named() {
        let found = [target("i-1", Target::Healthy), target("i-2", Target::Unhealthy)];
        assert_eq!(judge(&found), (Health::Degraded, Some("i-2: unhealthy".to_owned()), (2, 1)));
        assert_eq!(judge(&[]).0, Health::Down);
    }
}
