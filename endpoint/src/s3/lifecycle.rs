//! What a lifecycle configuration may say. Nothing is expired here: the rules are kept and answered.

use std::collections::HashSet;

use s3s::dto::{LifecycleRule, LifecycleRuleFilter, Timestamp, TimestampFormat};
use uuid::Uuid;

use super::{error::Failure, facts::http_date};

const MAX_RULES: usize = 1000;

/// Checks rules, and names those without a name.
pub(super) fn check(rules: &mut [LifecycleRule]) -> Result<(), Failure> {
    if rules.is_empty() || rules.len() > MAX_RULES {
        return Err(Failure::MalformedXml);
    }
    let mut ids = HashSet::new();
    for rule in rules {
        let id = rule.id.get_or_insert_with(|| Uuid::new_v4().to_string()).clone();
        if id.len() > 255 {
            return Err(Failure::argument("ID", id, "ID length should not exceed allowed limit of 255"));
        }
        if !ids.insert(id.clone()) {
            return Err(Failure::argument("ID", id, "Rule ID must be unique. Found same ID for more than one rule"));
        }
        check_rule(rule)?;
    }
    Ok(())
}

fn check_rule(rule: &LifecycleRule) -> Result<(), Failure> {
    if !matches!(rule.status.as_str(), "Enabled" | "Disabled") {
        return Err(Failure::MalformedXml);
    }
    // The prefix of a rule is its older form of a filter.
    if rule.prefix.is_some() == rule.filter.is_some() {
        return Err(Failure::MalformedXml);
    }
    let ends = rule.noncurrent_version_expiration.as_ref();
    if ends.is_some_and(|ends| ends.noncurrent_days.is_none() && ends.newer_noncurrent_versions.is_none()) {
        return Err(Failure::MalformedXml);
    }
    rule.filter.as_ref().map_or(Ok(()), check_filter)?;
    let acts = rule.expiration.is_some()
        || rule.noncurrent_version_expiration.is_some()
        || rule.abort_incomplete_multipart_upload.is_some()
        || rule.transitions.as_ref().is_some_and(|transitions| !transitions.is_empty())
        || rule.noncurrent_version_transitions.as_ref().is_some_and(|transitions| !transitions.is_empty());
    if !acts {
        let reason = "At least one action needs to be specified in a rule";
        return Err(Failure::InvalidRequest(reason.into()));
    }
    let Some(expiration) = &rule.expiration else { return Ok(()) };
    let given =
        [expiration.date.is_some(), expiration.days.is_some(), expiration.expired_object_delete_marker.is_some()];
    if given.iter().filter(|given| **given).count() != 1 {
        return Err(Failure::MalformedXml);
    }
    if expiration.days.is_some_and(|days| days < 1) {
        let reason = "'Days' for Expiration action must be a positive integer";
        return Err(Failure::argument("Days", expiration.days.unwrap_or_default().to_string(), reason));
    }
    match &expiration.date {
        Some(date) if !is_midnight(date) => {
            let shown = http_date(date).unwrap_or_default();
            Err(Failure::argument("Date", shown, "'Date' must be at midnight GMT"))
        }
        _ => Ok(()),
    }
}

/// A filter has one condition, or several of them in an `And`.
fn check_filter(filter: &LifecycleRuleFilter) -> Result<(), Failure> {
    let given = [
        filter.and.is_some(),
        filter.prefix.is_some(),
        filter.tag.is_some(),
        filter.object_size_greater_than.is_some(),
        filter.object_size_less_than.is_some(),
    ];
    if given.iter().filter(|given| **given).count() > 1 {
        return Err(Failure::MalformedXml);
    }
    let mut keys = HashSet::new();
    let tags = filter.and.iter().flat_map(|and| and.tags.iter().flatten());
    if !tags.into_iter().all(|tag| keys.insert(tag.key.as_ref())) {
        return Err(Failure::InvalidRequest("Duplicate Tag Keys are not allowed.".into()));
    }
    Ok(())
}

fn is_midnight(date: &Timestamp) -> bool {
    let mut text = Vec::new();
    date.format(TimestampFormat::DateTime, &mut text).is_ok_and(|()| {
        String::from_utf8_lossy(&text).split_once('T').is_some_and(|(_, time)| time.starts_with("00:00:00"))
    })
}

#[cfg(test)]
mod tests {
    use s3s::dto::{ExpirationStatus, LifecycleExpiration};

    use super::*;

    fn rule(days: Option<i32>, prefix: Option<&str>) -> LifecycleRule {
        LifecycleRule {
            abort_incomplete_multipart_upload: None,
            expiration: days.map(|days| LifecycleExpiration { days: Some(days), ..LifecycleExpiration::default() }),
            filter: Some(LifecycleRuleFilter { prefix: prefix.map(str::to_owned), ..LifecycleRuleFilter::default() }),
            id: None,
            noncurrent_version_expiration: None,
            noncurrent_version_transitions: None,
            prefix: None,
            status: ExpirationStatus::from_static(ExpirationStatus::ENABLED),
            transitions: None,
        }
    }

    #[test]
    fn rules_are_checked_and_named() {
        let mut rules = [rule(Some(1), Some("x")), rule(Some(3), None)];
        check(&mut rules).unwrap();
        assert!(rules.iter().all(|rule| rule.id.is_some()));
        assert!(check(&mut [rule(None, None)]).is_err());
        assert!(check(&mut [rule(Some(0), None)]).is_err());
        assert!(check(&mut []).is_err());
        let same = || LifecycleRule { id: Some("a".into()), ..rule(Some(1), None) };
        assert!(check(&mut [same(), same()]).is_err());
    }
}
