//! Object lock: what keeps versions from being deleted, until a day or while a legal hold is on. The operations are in
//! [`super::retention`].

use rusqlite::Connection;
use s3s::dto::{
    ObjectLockConfiguration, ObjectLockEnabled, ObjectLockLegalHoldStatus, ObjectLockMode, Timestamp, TimestampFormat,
};
use serde::{Deserialize, Serialize};

use crate::{
    clock::{Millis, SECOND},
    store::Unit,
};

use super::{
    error::Failure,
    facts::{Facts, timestamp},
    rows::{Bucket, Versioning},
    settings::{self, Setting, from_xml, to_xml},
};

const DAY: Millis = 24 * 60 * 60 * SECOND;
const GOVERNANCE: &str = "GOVERNANCE";
const COMPLIANCE: &str = "COMPLIANCE";
pub(super) const ON: &str = "ON";
pub(super) const OFF: &str = "OFF";
const UNTIL_HEADER: &str = "x-amz-object-lock-retain-until-date";
const MODE_HEADER: &str = "x-amz-object-lock-mode";

/// What keeps a version from being deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lock {
    /// The mode, and the date in the words of XML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) retention: Option<(String, String)>,
    /// Whether a legal hold is on; none where there never was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) hold: Option<bool>,
}

impl Lock {
    pub(super) fn until(&self) -> Option<Timestamp> {
        let (_, until) = self.retention.as_ref()?;
        Timestamp::parse(TimestampFormat::DateTime, until).ok()
    }

    pub(super) fn mode(&self) -> Option<&str> {
        self.retention.as_ref().map(|(mode, _)| mode.as_str())
    }

    /// Whether a version may go: one whose retention is over, or is one of governance that may be passed by.
    pub(super) fn check_removable(&self, bypass: bool, now: Millis) -> Result<(), Failure> {
        let retained = self.until().is_some_and(|until| until > timestamp(now));
        let passed = bypass && self.mode() == Some(GOVERNANCE);
        if self.hold == Some(true) || retained && !passed { Err(protected()) } else { Ok(()) }
    }

    /// Whether a retention may take the place of this one: a longer one always, another one by governance only.
    pub(super) fn check_change(&self, wanted: Option<&(String, Timestamp)>, bypass: bool) -> Result<(), Failure> {
        let (Some(mode), Some(until)) = (self.mode(), self.until()) else { return Ok(()) };
        let reduces =
            wanted.is_none_or(|(wanted, longer)| *longer < until || mode == COMPLIANCE && wanted == GOVERNANCE);
        let allowed = mode == GOVERNANCE && bypass;
        if reduces && !allowed { Err(protected()) } else { Ok(()) }
    }
}

fn protected() -> Failure {
    Failure::AccessDenied("Access Denied because object protected by object lock.".into())
}

pub(super) fn text_of(until: &Timestamp) -> String {
    let mut text = Vec::new();
    let written = until.format(TimestampFormat::DateTime, &mut text);
    written.ok().and_then(|()| String::from_utf8(text).ok()).unwrap_or_default()
}

/// What a write asks for in its headers.
pub(super) struct Asked {
    pub(super) mode: Option<String>,
    pub(super) until: Option<Timestamp>,
    pub(super) hold: Option<String>,
}

/// What an input asks for.
macro_rules! asked_lock {
    ($input:expr) => {
        $crate::s3::lock::Asked {
            mode: $input.object_lock_mode.take().map(|mode| mode.as_str().to_owned()),
            until: $input.object_lock_retain_until_date.take(),
            hold: $input.object_lock_legal_hold_status.take().map(|status| status.as_str().to_owned()),
        }
    };
}

/// Says in an answer what keeps the object.
macro_rules! set_lock {
    ($output:expr, $facts:expr) => {
        if let Some(lock) = &$facts.lock {
            let (mode, until, hold) = lock.shown();
            $output.object_lock_mode = mode;
            $output.object_lock_retain_until_date = until;
            $output.object_lock_legal_hold_status = hold;
        }
    };
}

pub(super) use {asked_lock, set_lock};

impl Lock {
    /// The fields of answers.
    pub(super) fn shown(&self) -> (Option<ObjectLockMode>, Option<Timestamp>, Option<ObjectLockLegalHoldStatus>) {
        let mode = self.mode().map(|mode| ObjectLockMode::from(mode.to_owned()));
        (mode, self.until(), self.hold.map(status))
    }
}

pub(super) fn status(on: bool) -> ObjectLockLegalHoldStatus {
    ObjectLockLegalHoldStatus::from_static(if on { ON } else { OFF })
}

impl Asked {
    pub(super) fn check(self, now: Millis) -> Result<Option<Lock>, Failure> {
        let both = "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied";
        let retention = match (self.mode, self.until) {
            (None, None) => None,
            (Some(_), None) => return Err(Failure::argument(UNTIL_HEADER, "", both)),
            (None, Some(_)) => return Err(Failure::argument(MODE_HEADER, "", both)),
            (Some(mode), Some(_)) if !is_mode(&mode) => {
                return Err(Failure::argument(MODE_HEADER, mode, "Unknown wormMode directive."));
            }
            (Some(_), Some(until)) if until <= timestamp(now) => {
                let reason = "The retain until date must be in the future!";
                return Err(Failure::argument(UNTIL_HEADER, text_of(&until), reason));
            }
            (Some(mode), Some(until)) => Some((mode, text_of(&until))),
        };
        let hold = match self.hold.as_deref() {
            None => None,
            Some(ON) => Some(true),
            Some(OFF) => Some(false),
            Some(_) => return Err(Failure::MalformedXml),
        };
        Ok((retention.is_some() || hold.is_some()).then_some(Lock { retention, hold }))
    }
}

pub(super) fn is_mode(mode: &str) -> bool {
    matches!(mode, GOVERNANCE | COMPLIANCE)
}

pub(super) fn bad_state(reason: &str) -> Failure {
    Failure::special("InvalidBucketState", reason).with_status(http::StatusCode::CONFLICT)
}

/// Refuses what only a bucket that locks objects can do.
pub(super) fn locking(connection: &Connection, bucket: &Bucket) -> Result<(), Failure> {
    if is_locking(connection, bucket)? {
        return Ok(());
    }
    Err(Failure::InvalidRequest("Bucket is missing Object Lock Configuration".into()))
}

pub(super) fn is_locking(connection: &Connection, bucket: &Bucket) -> Result<bool, rusqlite::Error> {
    Ok(bucket.versioning == Versioning::Enabled && settings::find(connection, bucket, Setting::ObjectLock)?.is_some())
}

/// Makes a new bucket lock its objects.
pub(super) fn enable(unit: &Unit<'_>, bucket: &Bucket) -> Result<(), Failure> {
    let object_lock_enabled = Some(ObjectLockEnabled::from_static(ObjectLockEnabled::ENABLED));
    let configuration = ObjectLockConfiguration { object_lock_enabled, rule: None };
    Ok(settings::put(unit, bucket, Setting::ObjectLock, &to_xml(&configuration)?)?)
}

/// Refuses to change the versioning of a bucket that locks objects.
pub(super) fn check_versioning(connection: &Connection, bucket: &Bucket, wanted: &str) -> Result<(), Failure> {
    if wanted != "Enabled" && is_locking(connection, bucket)? {
        let reason =
            "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.";
        return Err(bad_state(reason));
    }
    Ok(())
}

/// Gives a new object the retention that its bucket has for those that come without.
pub(super) fn inherit(connection: &Connection, bucket: &Bucket, facts: &mut Facts, now: Millis) -> Result<(), Failure> {
    let has_own = facts.lock.as_ref().is_some_and(|lock| lock.retention.is_some());
    if bucket.versioning != Versioning::Enabled || has_own {
        return Ok(());
    }
    let Some(text) = settings::find(connection, bucket, Setting::ObjectLock)? else { return Ok(()) };
    let configuration: ObjectLockConfiguration = from_xml(&text)?;
    let Some(retention) = configuration.rule.and_then(|rule| rule.default_retention) else { return Ok(()) };
    let days = retention.days.or(retention.years.map(|years| years.saturating_mul(365))).unwrap_or_default();
    let until = timestamp(now.saturating_add(i64::from(days).saturating_mul(DAY)));
    let mode = retention.mode.map(|mode| mode.as_str().to_owned()).unwrap_or_default();
    facts.lock.get_or_insert_default().retention = Some((mode, text_of(&until)));
    Ok(())
}

/// Refuses to pass by the retention of objects in a bucket that has none.
pub(super) fn check_bypass(connection: &Connection, bucket: &Bucket, bypass: Option<bool>) -> Result<bool, Failure> {
    if bypass.is_some() && !is_locking(connection, bucket)? {
        let reason = "x-amz-bypass-governance-retention is only applicable to Object Lock enabled buckets.";
        return Err(Failure::argument("x-amz-bypass-governance-retention", "", reason));
    }
    Ok(bypass.unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(mode: &str, until: Millis) -> Lock {
        Lock { retention: Some((mode.to_owned(), text_of(&timestamp(until)))), hold: None }
    }

    #[test]
    fn versions_are_kept_until_their_day() {
        let now = 1_000_000;
        assert!(lock(GOVERNANCE, now - SECOND).check_removable(false, now).is_ok());
        assert!(lock(GOVERNANCE, now + SECOND).check_removable(false, now).is_err());
        assert!(lock(GOVERNANCE, now + SECOND).check_removable(true, now).is_ok());
        assert!(lock(COMPLIANCE, now + SECOND).check_removable(true, now).is_err());
        let held = Lock { retention: None, hold: Some(true) };
        assert!(held.check_removable(true, now).is_err());
    }

    #[test]
    fn retention_only_grows_but_by_governance() {
        let wanted = |mode: &str, until| (mode.to_owned(), timestamp(until));
        let governed = lock(GOVERNANCE, 10 * SECOND);
        assert!(governed.check_change(Some(&wanted(GOVERNANCE, 20 * SECOND)), false).is_ok());
        assert!(governed.check_change(Some(&wanted(GOVERNANCE, SECOND)), false).is_err());
        assert!(governed.check_change(Some(&wanted(GOVERNANCE, SECOND)), true).is_ok());
        assert!(governed.check_change(None, false).is_err());
        assert!(governed.check_change(None, true).is_ok());
        let strict = lock(COMPLIANCE, 10 * SECOND);
        assert!(strict.check_change(Some(&wanted(COMPLIANCE, 20 * SECOND)), false).is_ok());
        assert!(strict.check_change(Some(&wanted(GOVERNANCE, 20 * SECOND)), true).is_err());
        assert!(strict.check_change(None, true).is_err());
    }

    #[test]
    fn headers_come_in_pairs() {
        let asked = |mode: Option<&str>, until: Option<Millis>, hold: Option<&str>| {
            Asked { mode: mode.map(str::to_owned), until: until.map(timestamp), hold: hold.map(str::to_owned) }
                .check(SECOND)
        };
        assert_eq!(asked(None, None, None).unwrap(), None);
        assert!(asked(Some(GOVERNANCE), Some(2 * SECOND), Some(ON)).unwrap().is_some());
        assert!(asked(Some(GOVERNANCE), None, None).is_err());
        assert!(asked(None, Some(2 * SECOND), None).is_err());
        assert!(asked(Some("x"), Some(2 * SECOND), None).is_err());
        assert!(asked(Some(GOVERNANCE), Some(0), None).is_err());
        assert!(asked(None, None, Some("x")).is_err());
    }
}
