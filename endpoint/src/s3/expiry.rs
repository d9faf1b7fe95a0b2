//! When an object would expire by its bucket's lifecycle configuration, as answers say it. Nothing does expire here.

use rusqlite::Connection;
use s3s::dto::{BucketLifecycleConfiguration, LifecycleRule, LifecycleRuleFilter, Tag, Timestamp};

use crate::clock::{Millis, SECOND};

use super::{
    error::Failure,
    facts::{http_date, timestamp},
    rows::{Bucket, Object, signed},
    settings::{self, Setting, from_xml},
};

const DAY: Millis = 24 * 60 * 60 * SECOND;

/// What the header says of an object: the day of the rule that is first, and the rule.
pub(super) fn of_object(
    connection: &Connection,
    bucket: &Bucket,
    key: &str,
    object: &Object,
) -> Result<Option<String>, Failure> {
    let Some(text) = settings::find(connection, bucket, Setting::Lifecycle)? else { return Ok(None) };
    let configuration: BucketLifecycleConfiguration = from_xml(&text)?;
    let expiring = configuration.rules.iter().filter(|rule| applies(rule, key, object));
    let first = expiring.filter_map(|rule| Some((end(rule, object.modified)?, rule))).min_by(|a, b| a.0.cmp(&b.0));
    Ok(first.and_then(|(end, rule)| {
        let id = rule.id.as_deref().unwrap_or_default();
        Some(format!("expiry-date=\"{}\", rule-id=\"{id}\"", http_date(&end)?))
    }))
}

/// The midnight after so many days, or the day that is named.
fn end(rule: &LifecycleRule, modified: Millis) -> Option<Timestamp> {
    let expiration = rule.expiration.as_ref()?;
    let after = |days: i32| timestamp((modified.saturating_add(i64::from(days) * DAY) / DAY + 1) * DAY);
    expiration.date.clone().or_else(|| expiration.days.map(after))
}

fn applies(rule: &LifecycleRule, key: &str, object: &Object) -> bool {
    rule.status.as_str() == "Enabled"
        && rule.prefix.as_deref().is_none_or(|prefix| key.starts_with(prefix))
        && rule.filter.as_ref().is_none_or(|filter| fits(filter, key, object))
}

fn fits(filter: &LifecycleRuleFilter, key: &str, object: &Object) -> bool {
    let size = signed(object.size);
    let has = |tag: &Tag| {
        let (name, value) = (tag.key.as_deref().unwrap_or_default(), tag.value.as_deref().unwrap_or_default());
        object.tags.get(name).is_some_and(|found| found == value)
    };
    let prefix = |prefix: &Option<String>| prefix.as_deref().is_none_or(|prefix| key.starts_with(prefix));
    let sizes = |above: Option<i64>, below: Option<i64>| {
        above.is_none_or(|above| size > above) && below.is_none_or(|below| size < below)
    };
    let alone = prefix(&filter.prefix)
        && filter.tag.as_ref().is_none_or(has)
        && sizes(filter.object_size_greater_than, filter.object_size_less_than);
    alone
        && filter.and.as_ref().is_none_or(|and| {
            prefix(&and.prefix)
                && and.tags.iter().flatten().all(has)
                && sizes(and.object_size_greater_than, and.object_size_less_than)
        })
}

#[cfg(test)]
mod tests {
    use s3s::dto::{ExpirationStatus, LifecycleExpiration};

    use super::*;

    #[test]
    fn rules_end_at_midnight() {
        let rule = |days: i32, prefix: &str| LifecycleRule {
            abort_incomplete_multipart_upload: None,
            expiration: Some(LifecycleExpiration { days: Some(days), ..LifecycleExpiration::default() }),
            filter: Some(LifecycleRuleFilter { prefix: Some(prefix.into()), ..LifecycleRuleFilter::default() }),
            id: None,
            noncurrent_version_expiration: None,
            noncurrent_version_transitions: None,
            prefix: None,
            status: ExpirationStatus::from_static(ExpirationStatus::ENABLED),
            transitions: None,
        };
        assert_eq!(end(&rule(1, ""), DAY / 2), Some(timestamp(2 * DAY)));
        let object = super::super::versions::nothing(0);
        assert!(applies(&rule(1, "a/"), "a/b", &object) && !applies(&rule(1, "a/"), "b", &object));
        let tagged = LifecycleRuleFilter {
            tag: Some(Tag { key: Some("k".into()), value: Some("v".into()) }),
            ..LifecycleRuleFilter::default()
        };
        assert!(!fits(&tagged, "a", &object));
    }
}
