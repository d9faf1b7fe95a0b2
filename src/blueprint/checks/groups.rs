//! Groups: sizes that contradict each other, scaling that is not the role's, instance types of another architecture.

use decouple_contract::Role;

use super::Subject;
use crate::blueprint::{diagnostic::dotted, model::Stage};

/// With fewer types than this, spot instances are often not to be had.
const SPOT_TYPES: usize = 4;

pub(super) fn check(subject: &mut Subject<'_>, stage: Stage) {
    for role in Role::ALL {
        let group = format!("/groups/{}", role.name());
        if subject.get(&group).is_some_and(serde_json::Value::is_object) {
            instances(subject, role, &group);
            scaling(subject, role, &group);
            types(subject, &group);
        } else if stage.roles().contains(&role) && subject.get("/groups").is_some_and(serde_json::Value::is_object) {
            missing(subject, stage, &group);
        }
        let queue = format!("/queues/{}", role.name());
        if stage.roles().contains(&role) && role.consumes() && subject.get(&queue).is_none() {
            missing(subject, stage, &queue);
        }
    }
}

fn missing(subject: &mut Subject<'_>, stage: Stage, pointer: &str) {
    // A value of another type is the structural check's to tell.
    if subject.get(pointer).is_none() {
        let message = format!("`{}` has no value, and stage `{}` needs it", dotted(pointer), stage.name());
        subject.error(&[pointer], message, "leave the key out to get the built-in one".to_owned());
    }
}

fn instances(subject: &mut Subject<'_>, role: Role, group: &str) {
    let [min_at, max_at] = [format!("{group}/instances/min"), format!("{group}/instances/max")];
    let base_at = format!("{group}/market/on_demand_base");
    let (min, max) = (subject.number(&min_at), subject.number(&max_at));
    if let (Some(min), Some(max)) = (min, max)
        && min > max
        && max > 0
    {
        let message = format!("`{}` is {min}, more than `max`, which is {max}", dotted(&min_at));
        subject.error(&[&min_at, &max_at], message, None);
    }
    if role.serves() && min == Some(0) {
        let message = format!("`{}` must be 1 or more: nobody would answer the load balancer", dotted(&min_at));
        subject.error(&[&min_at], message, "only a group that receives from a queue may go down to 0".to_owned());
    }
    if let (Some(base), Some(max)) = (subject.number(&base_at), max)
        && base > max
    {
        let message =
            format!("`{}` is {base}, more than the group's `instances.max`, which is {max}", dotted(&base_at));
        subject.error(&[&base_at, &max_at], message, None);
    }
}

fn scaling(subject: &mut Subject<'_>, role: Role, group: &str) {
    let field = |name: &str| format!("{group}/scaling/{name}");
    let (own, foreign): (&[&str], &[&str]) = if role.serves() {
        (&["requests_per_target"], &["target_latency", "time_per_message"])
    } else {
        (&["target_latency", "time_per_message"], &["requests_per_target"])
    };
    if !subject.get(&format!("{group}/scaling")).is_some_and(serde_json::Value::is_object) {
        return;
    }
    let by = if role.serves() { "requests" } else { "the backlog of its queue" };
    for name in foreign.iter().map(|name| field(name)).filter(|name| subject.get(name).is_some()).collect::<Vec<_>>() {
        let message = format!("`{}` has no meaning here: the group `{role}` scales by {by}", dotted(&name));
        let help = format!("it scales with {}", crate::blueprint::structure::list(own, "and"));
        subject.error(&[&name], message, help);
    }
    for name in own.iter().map(|name| field(name)).filter(|name| subject.get(name).is_none()).collect::<Vec<_>>() {
        let message = format!("`{}` has no value: the group `{role}` scales by {by}", dotted(&name));
        subject.error(&[&name], message, "leave the key out to get the built-in value".to_owned());
    }
    if role.consumes() {
        latency(subject, &field("target_latency"), &field("time_per_message"));
    }
}

fn latency(subject: &mut Subject<'_>, target_at: &str, each_at: &str) {
    let (Some(target), Some(each)) = (subject.sound_span(target_at), subject.sound_span(each_at)) else { return };
    if each > target {
        let message = format!(
            "`{}` is {each}, longer than `target_latency`, which is {target}: no number of workers can keep that",
            dotted(each_at)
        );
        subject.error(&[each_at, target_at], message, None);
    }
}

fn types(subject: &mut Subject<'_>, group: &str) {
    let [types_at, architecture_at] = [format!("{group}/instance_types"), format!("{group}/architecture")];
    let market = subject.text(&format!("{group}/market/type"));
    let types = subject.list(&types_at);
    if let Some(architecture @ ("x86_64" | "arm64")) = subject.text(&architecture_at) {
        for (index, name) in types.iter().enumerate().filter_map(|(index, name)| Some((index, name.as_str()?))) {
            let Some(actual) = architecture_of(name).filter(|actual| *actual != architecture) else { continue };
            let message =
                format!("`{name}` has {actual} processors, and `{}` is {architecture}", dotted(&architecture_at));
            let help = format!("use types of one architecture, or `architecture: {actual}`");
            let at = format!("{types_at}/{index}");
            // A list of the built-in is no mistake of the user's: the line that changed the architecture is.
            subject.error(&[&at, &architecture_at], message, help);
            if subject.places.of(&at).is_none() {
                break;
            }
        }
    }
    if market == Some("spot") && !types.is_empty() && types.len() < SPOT_TYPES {
        let count = types.len();
        let noun = if count == 1 { "type" } else { "types" };
        let message = format!("`{}` names {count} {noun}: spot instances may often not be had", dotted(&types_at));
        subject.warning(&[&types_at], message, "name ten or more, of several families and generations".to_owned());
    }
}

/// Returns the architecture of an instance type: a `g` after the digit of the generation stands for Graviton.
fn architecture_of(name: &str) -> Option<&'static str> {
    let family = name.split('.').next()?;
    if family == "a1" {
        return Some("arm64");
    }
    let generation = family.find(|c: char| c.is_ascii_digit())?;
    let attributes = family[generation..].trim_start_matches(|c: char| c.is_ascii_digit());
    let attributes = attributes.split('-').next()?;
    Some(if attributes.contains('g') { "arm64" } else { "x86_64" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graviton_is_told_by_its_letter() {
        for (name, architecture) in [
            ("c7g.large", "arm64"),
            ("t4g.small", "arm64"),
            ("c6gn.large", "arm64"),
            ("m7gd.2xlarge", "arm64"),
            ("x2gd.medium", "arm64"),
            ("a1.large", "arm64"),
            ("g5.xlarge", "x86_64"),
            ("g5g.xlarge", "arm64"),
            ("t3.micro", "x86_64"),
            ("c7i-flex.large", "x86_64"),
            ("u-6tb1.metal", "x86_64"),
        ] {
            assert_eq!(architecture_of(name), Some(architecture), "{name}");
        }
        assert_eq!(architecture_of("mac.metal"), None);
    }
}
