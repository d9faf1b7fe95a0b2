//! Conditional requests. Pure.

use http::{HeaderMap, HeaderName, header};
use s3s::dto::{ETagCondition, Timestamp};

use crate::clock::Millis;

use super::{
    error::Failure,
    facts::{etag, timestamp},
};

/// The conditions of a read.
#[derive(Clone, Default)]
pub(super) struct ReadConditions {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
    pub(super) if_modified_since: Option<Timestamp>,
    pub(super) if_unmodified_since: Option<Timestamp>,
    /// When it was asked for: a condition on a later time is none.
    pub(super) asked: Millis,
}

impl ReadConditions {
    /// Checks them in the order of RFC 9110: a condition on the entity tag outdoes the one on the time.
    pub(super) fn check(&self, tag: &str, modified: Millis) -> Result<(), Failure> {
        let at = timestamp(modified);
        match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) if !matches(condition, tag) => return Err(Failure::PreconditionFailed("If-Match")),
            (None, Some(since)) if at > *since => return Err(Failure::PreconditionFailed("If-Unmodified-Since")),
            _ => {}
        }
        let not_modified = || Err(Failure::NotModified { etag: tag.to_owned(), modified });
        let since = self.if_modified_since.as_ref().filter(|since| **since <= timestamp(self.asked));
        match (&self.if_none_match, since) {
            (Some(condition), _) if matches(condition, tag) => not_modified(),
            (None, Some(since)) if at <= *since => not_modified(),
            _ => Ok(()),
        }
    }

    /// Checks the conditions of a copy on its source: a copy is a write, and there is no answer without one.
    pub(super) fn check_source(&self, tag: &str, modified: Millis) -> Result<(), Failure> {
        self.check(tag, modified).map_err(|failure| {
            Failure::PreconditionFailed(match (failure, &self.if_none_match) {
                (Failure::NotModified { .. }, Some(_)) => "x-amz-copy-source-If-None-Match",
                (Failure::NotModified { .. }, None) => "x-amz-copy-source-If-Modified-Since",
                (_, _) if self.if_match.is_some() => "x-amz-copy-source-If-Match",
                _ => "x-amz-copy-source-If-Unmodified-Since",
            })
        })
    }
}

/// The conditions of a write.
#[derive(Default)]
pub(super) struct WriteConditions {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
}

impl WriteConditions {
    /// Those of an operation that the crate does not know to have any.
    pub(super) fn of_headers(headers: &HeaderMap) -> WriteConditions {
        let condition = |name: HeaderName| {
            headers.get(name).and_then(|value| ETagCondition::parse_http_header(value.as_bytes()).ok())
        };
        WriteConditions { if_match: condition(header::IF_MATCH), if_none_match: condition(header::IF_NONE_MATCH) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.if_match.is_none() && self.if_none_match.is_none()
    }

    /// Checks them against the entity tag of what is there, if anything is.
    pub(super) fn check(&self, key: &str, current: Option<&str>) -> Result<(), Failure> {
        const REASON: &str = "We don't accept the provided value of If-None-Match header for this API";
        const MATCH_REASON: &str = "We don't accept the provided value of If-Match header for this API";
        match (&self.if_none_match, &self.if_match, current) {
            (Some(_), Some(_), _) => {
                let reason = "Multiple conditional request headers present in the request";
                return Err(Failure::HeaderNotImplemented { header: "If-Match,If-None-Match", reason });
            }
            (Some(condition), ..) if !condition.is_any() => {
                return Err(Failure::HeaderNotImplemented { header: "If-None-Match", reason: REASON });
            }
            (_, Some(condition), _) if condition.is_any() => {
                return Err(Failure::HeaderNotImplemented { header: "If-Match", reason: MATCH_REASON });
            }
            (Some(_), _, Some(_)) => return Err(Failure::PreconditionFailed("If-None-Match")),
            _ => {}
        }
        match (&self.if_match, current) {
            (Some(_), None) => Err(Failure::NoSuchKey(key.to_owned())),
            (Some(condition), Some(tag)) if !matches(condition, tag) => Err(Failure::PreconditionFailed("If-Match")),
            _ => Ok(()),
        }
    }
}

fn matches(condition: &ETagCondition, tag: &str) -> bool {
    condition.is_any() || condition.as_etag().is_some_and(|wanted| wanted.weak_cmp(&etag(tag)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(value: &str) -> ETagCondition {
        ETagCondition::ETag(etag(value))
    }

    #[test]
    fn reads() {
        let check = |conditions: ReadConditions| ReadConditions { asked: 20_000, ..conditions }.check("a", 10_500);
        assert!(check(ReadConditions::default()).is_ok());
        assert!(check(ReadConditions { if_match: Some(tag("a")), ..ReadConditions::default() }).is_ok());
        let failed = check(ReadConditions { if_match: Some(tag("b")), ..ReadConditions::default() });
        assert!(matches!(failed, Err(Failure::PreconditionFailed(_))));
        let same = check(ReadConditions { if_none_match: Some(tag("a")), ..ReadConditions::default() });
        assert!(matches!(same, Err(Failure::NotModified { .. })));
        let since = Some(timestamp(10_000));
        let unmodified = check(ReadConditions { if_modified_since: since.clone(), ..ReadConditions::default() });
        assert!(matches!(unmodified, Err(Failure::NotModified { .. })));
        assert!(check(ReadConditions { if_unmodified_since: since.clone(), ..ReadConditions::default() }).is_ok());
        let later = ReadConditions { if_modified_since: Some(timestamp(30_000)), ..ReadConditions::default() };
        assert!(check(later).is_ok());
        // The entity tag decides where both are given.
        assert!(
            check(ReadConditions {
                if_none_match: Some(tag("b")),
                if_modified_since: since,
                ..ReadConditions::default()
            })
            .is_ok()
        );
        let source = ReadConditions { if_none_match: Some(tag("a")), ..ReadConditions::default() };
        let refused = source.check_source("a", 0);
        assert!(matches!(refused, Err(Failure::PreconditionFailed("x-amz-copy-source-If-None-Match"))));
    }

    #[test]
    fn writes() {
        let only_new = WriteConditions { if_none_match: Some(ETagCondition::Any), if_match: None };
        assert!(only_new.check("k", None).is_ok());
        assert!(matches!(only_new.check("k", Some("a")), Err(Failure::PreconditionFailed(_))));
        let only_this = WriteConditions { if_match: Some(tag("a")), if_none_match: None };
        assert!(only_this.check("k", Some("a")).is_ok());
        assert!(matches!(only_this.check("k", Some("b")), Err(Failure::PreconditionFailed(_))));
        assert!(matches!(only_this.check("k", None), Err(Failure::NoSuchKey(_))));
        let other = WriteConditions { if_none_match: Some(tag("a")), if_match: None };
        assert!(matches!(other.check("k", None), Err(Failure::HeaderNotImplemented { .. })));
    }
}
