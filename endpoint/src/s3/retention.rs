//! The operations on what keeps versions from being deleted: of a bucket, and of an object.

use http::StatusCode;
use rusqlite::Connection;
use s3s::{
    S3Request, S3Response, S3Result,
    dto::{
        DefaultRetention, GetObjectLegalHoldInput, GetObjectLegalHoldOutput, GetObjectLockConfigurationInput,
        GetObjectLockConfigurationOutput, GetObjectRetentionInput, GetObjectRetentionOutput, ObjectLockConfiguration,
        ObjectLockEnabled, ObjectLockLegalHold, ObjectLockRetention, ObjectLockRetentionMode, PutObjectLegalHoldInput,
        PutObjectLegalHoldOutput, PutObjectLockConfigurationInput, PutObjectLockConfigurationOutput,
        PutObjectRetentionInput, PutObjectRetentionOutput, Timestamp,
    },
};

use crate::{clock::Millis, store::Unit};

use super::{
    Buckets,
    error::Failure,
    facts::timestamp,
    lock::{Asked, Lock, OFF, ON, bad_state, is_mode, locking, status, text_of},
    rows::{Versioning, existing_bucket},
    settings::{self, Setting, from_xml, to_xml},
    versions::{existing_object, save},
};

impl Buckets {
    /// What a write wants to be kept by, where its bucket locks objects.
    pub(super) async fn lock_asked_for(&self, bucket: String, asked: Asked) -> Result<Option<Lock>, Failure> {
        let lock = asked.check(self.clock.now())?;
        if lock.is_some() {
            self.store.read(move |connection| locking(connection, &existing_bucket(connection, &bucket)?)).await?;
        }
        Ok(lock)
    }

    pub(super) async fn lock_configuration(
        &self,
        request: S3Request<GetObjectLockConfigurationInput>,
    ) -> S3Result<S3Response<GetObjectLockConfigurationOutput>> {
        let text = self.existing_setting(request.input.bucket, Setting::ObjectLock).await?;
        let object_lock_configuration = Some(from_xml(&text)?);
        Ok(S3Response::new(GetObjectLockConfigurationOutput { object_lock_configuration }))
    }

    pub(super) async fn set_lock_configuration(
        &self,
        request: S3Request<PutObjectLockConfigurationInput>,
    ) -> S3Result<S3Response<PutObjectLockConfigurationOutput>> {
        let input = request.input;
        let wanted = input.object_lock_configuration.ok_or_else(no_body)?;
        let name = input.bucket;
        let set = move |unit: &mut Unit<'_>| {
            let bucket = existing_bucket(unit.connection(), &name)?;
            if bucket.versioning != Versioning::Enabled {
                let reason = "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration";
                return Err(bad_state(reason));
            }
            check_configuration(&wanted)?;
            Ok(settings::put(unit, &bucket, Setting::ObjectLock, &to_xml(&wanted)?)?)
        };
        self.store.write(set).await?;
        Ok(S3Response::new(PutObjectLockConfigurationOutput::default()))
    }

    pub(super) async fn retention(
        &self,
        request: S3Request<GetObjectRetentionInput>,
    ) -> S3Result<S3Response<GetObjectRetentionOutput>> {
        let input = request.input;
        let lock = self.lock_of(input.bucket, input.key, input.version_id).await?;
        let (Some(mode), retain_until_date) = (lock.mode(), lock.until()) else { return Err(no_lock().into()) };
        let mode = Some(ObjectLockRetentionMode::from(mode.to_owned()));
        let retention = Some(ObjectLockRetention { mode, retain_until_date });
        Ok(S3Response::new(GetObjectRetentionOutput { retention }))
    }

    pub(super) async fn set_retention(
        &self,
        request: S3Request<PutObjectRetentionInput>,
    ) -> S3Result<S3Response<PutObjectRetentionOutput>> {
        let input = request.input;
        let (bypass, now) = (input.bypass_governance_retention.unwrap_or(false), self.clock.now());
        let wanted = input.retention.unwrap_or_default();
        let change = move |lock: &mut Lock| {
            let wanted = wanted_retention(wanted, now)?;
            lock.check_change(wanted.as_ref(), bypass)?;
            lock.retention = wanted.map(|(mode, until)| (mode, text_of(&until)));
            Ok(())
        };
        self.change_lock(input.bucket, input.key, input.version_id, change).await?;
        Ok(S3Response::new(PutObjectRetentionOutput::default()))
    }

    pub(super) async fn legal_hold(
        &self,
        request: S3Request<GetObjectLegalHoldInput>,
    ) -> S3Result<S3Response<GetObjectLegalHoldOutput>> {
        let input = request.input;
        let hold = self.lock_of(input.bucket, input.key, input.version_id).await?.hold.ok_or_else(no_lock)?;
        let legal_hold = Some(ObjectLockLegalHold { status: Some(status(hold)) });
        Ok(S3Response::new(GetObjectLegalHoldOutput { legal_hold }))
    }

    pub(super) async fn set_legal_hold(
        &self,
        request: S3Request<PutObjectLegalHoldInput>,
    ) -> S3Result<S3Response<PutObjectLegalHoldOutput>> {
        let input = request.input;
        let wanted = input.legal_hold.and_then(|hold| hold.status).map(|status| status.as_str().to_owned());
        let change = move |lock: &mut Lock| {
            lock.hold = match wanted.as_deref() {
                Some(ON) => Some(true),
                Some(OFF) => Some(false),
                _ => return Err(Failure::MalformedXml),
            };
            Ok(())
        };
        self.change_lock(input.bucket, input.key, input.version_id, change).await?;
        Ok(S3Response::new(PutObjectLegalHoldOutput::default()))
    }

    async fn lock_of(&self, bucket: String, key: String, version: Option<String>) -> Result<Lock, Failure> {
        let read = move |connection: &Connection| {
            locking(connection, &existing_bucket(connection, &bucket)?)?;
            let (_, stored) = existing_object(connection, &bucket, &key, version.as_deref(), "GET")?;
            Ok(stored.object.facts.lock.unwrap_or_default())
        };
        self.store.read(read).await
    }

    async fn change_lock(
        &self,
        bucket: String,
        key: String,
        version: Option<String>,
        change: impl FnOnce(&mut Lock) -> Result<(), Failure> + Send + 'static,
    ) -> Result<(), Failure> {
        let write = move |unit: &mut Unit<'_>| {
            locking(unit.connection(), &existing_bucket(unit.connection(), &bucket)?)?;
            let (_, mut stored) = existing_object(unit.connection(), &bucket, &key, version.as_deref(), "PUT")?;
            let mut lock = stored.object.facts.lock.take().unwrap_or_default();
            change(&mut lock)?;
            stored.object.facts.lock = Some(lock).filter(|lock| *lock != Lock::default());
            Ok(save(unit.connection(), &stored)?)
        };
        self.store.write(write).await
    }
}

fn no_body() -> Failure {
    Failure::special("MissingRequestBodyError", "Request Body is empty")
}

fn no_lock() -> Failure {
    let reason = "The specified object does not have a ObjectLock configuration";
    Failure::special("NoSuchObjectLockConfiguration", reason).with_status(StatusCode::NOT_FOUND)
}

fn wanted_retention(wanted: ObjectLockRetention, now: Millis) -> Result<Option<(String, Timestamp)>, Failure> {
    match (wanted.mode, wanted.retain_until_date) {
        (None, None) => Ok(None),
        (Some(mode), Some(until)) if is_mode(mode.as_str()) => {
            if until <= timestamp(now) {
                let reason = "The retain until date must be in the future!";
                return Err(Failure::argument("RetainUntilDate", pacific(&until), reason));
            }
            Ok(Some((mode.as_str().to_owned(), until)))
        }
        _ => Err(Failure::MalformedXml),
    }
}

/// A time as the service writes it in this one message: where its first machines were, without their summer time.
fn pacific(at: &Timestamp) -> String {
    let parsed = text_of(at).parse::<jiff::Timestamp>();
    let there = parsed.and_then(|at| at.checked_sub(jiff::SignedDuration::from_hours(8)));
    there.map_or_else(|_| text_of(at), |there| there.strftime("%a %b %d %H:%M:%S PST %Y").to_string())
}

fn check_configuration(wanted: &ObjectLockConfiguration) -> Result<(), Failure> {
    let enabled = wanted.object_lock_enabled.as_ref().map(ObjectLockEnabled::as_str);
    if enabled != Some(ObjectLockEnabled::ENABLED) {
        return Err(Failure::MalformedXml);
    }
    let Some(rule) = &wanted.rule else { return Ok(()) };
    let Some(DefaultRetention { days, mode, years }) = &rule.default_retention else {
        return Err(Failure::MalformedXml);
    };
    let known = mode.as_ref().is_some_and(|mode| is_mode(mode.as_str()));
    if !known || days.is_some() == years.is_some() {
        return Err(Failure::MalformedXml);
    }
    match days.or(*years) {
        Some(period) if period < 1 => {
            let reason = "Default retention period must be a positive integer value";
            Err(Failure::argument("", "", reason))
        }
        _ => Ok(()),
    }
}
