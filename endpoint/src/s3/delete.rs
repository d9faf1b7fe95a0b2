//! Objects gone: one or many, with their versions or behind delete markers.

use std::sync::Arc;

use s3s::{
    S3Error, S3Request, S3Response, S3Result,
    dto::{
        DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETagCondition,
        Error as DeleteError, ObjectIdentifier,
    },
};

use crate::{clock::Millis, names::Names, store::Unit};

use super::{
    Buckets,
    conditions::WriteConditions,
    error::Failure,
    events::{Event, trace_header},
    lock,
    rows::{Bucket, existing_bucket},
    versions::{Deletion, conditions_hold, delete, lock_of},
};

const MAX_DELETED: usize = 1000;

impl Buckets {
    pub(super) async fn delete(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = request.input;
        for (header, given) in [
            ("x-amz-if-match-size", input.if_match_size.is_some()),
            ("x-amz-if-match-last-modified-time", input.if_match_last_modified_time.is_some()),
        ] {
            if given {
                let reason = "It is offered by directory buckets only";
                return Err(Failure::HeaderNotImplemented { header, reason }.into());
            }
        }
        let (names, clock) = (self.names.clone(), Arc::clone(&self.clock));
        let trace_header = trace_header(&request.headers);
        let delete = move |unit: &mut Unit<'_>| {
            let bucket = existing_bucket(unit.connection(), &input.bucket)?;
            let bypass = lock::check_bypass(unit.connection(), &bucket, input.bypass_governance_retention)?;
            let removal = Removal { bucket: &bucket, names: &names, now: clock.now(), bypass, trace_header };
            removal.remove(unit, &input.key, input.version_id.as_deref(), input.if_match)
        };
        let output = match self.store.write(delete).await? {
            Deletion::Plain { .. } => DeleteObjectOutput::default(),
            Deletion::Marked { version } => DeleteObjectOutput {
                delete_marker: Some(true),
                version_id: Some(version),
                ..DeleteObjectOutput::default()
            },
            Deletion::Version { version, marker, .. } => DeleteObjectOutput {
                delete_marker: marker.then_some(true),
                version_id: Some(version),
                ..DeleteObjectOutput::default()
            },
        };
        Ok(S3Response::new(output))
    }

    pub(super) async fn delete_many(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let trace_header = trace_header(&request.headers);
        let DeleteObjectsInput { bucket, delete, bypass_governance_retention, .. } = request.input;
        if delete.objects.is_empty() || delete.objects.len() > MAX_DELETED {
            return Err(Failure::MalformedXml.into());
        }
        let quiet = delete.quiet.unwrap_or(false);
        let (names, clock) = (self.names.clone(), Arc::clone(&self.clock));
        let delete = move |unit: &mut Unit<'_>| {
            let bucket = existing_bucket(unit.connection(), &bucket)?;
            let bypass = lock::check_bypass(unit.connection(), &bucket, bypass_governance_retention)?;
            let removal = Removal { bucket: &bucket, names: &names, now: clock.now(), bypass, trace_header };
            let (mut deleted, mut errors) = (Vec::new(), Vec::new());
            for object in delete.objects {
                let condition = object.e_tag.clone().map(ETagCondition::ETag);
                match removal.remove(unit, &object.key, object.version_id.as_deref(), condition) {
                    Ok(deletion) => deleted.push(deleted_object(object, deletion)),
                    Err(failure @ Failure::Store(_)) => return Err(failure),
                    // Here, and here alone, a version that never was is answered as one that is gone.
                    Err(Failure::InvalidArgument { name, value, .. }) if name == "versionId" => {
                        let gone = Failure::NoSuchVersion { key: object.key.clone(), version: value };
                        errors.push(delete_error(object, gone));
                    }
                    Err(failure) => errors.push(delete_error(object, failure)),
                }
            }
            Ok((deleted, errors))
        };
        let (deleted, errors) = self.store.write(delete).await?;
        let deleted = if quiet { Vec::new() } else { deleted };
        let output = DeleteObjectsOutput { deleted: Some(deleted), errors: Some(errors), request_charged: None };
        Ok(S3Response::new(output))
    }
}

/// Deletions from one bucket.
struct Removal<'a> {
    bucket: &'a Bucket,
    names: &'a Names,
    now: Millis,
    /// Whether the retention of governance is passed by.
    bypass: bool,
    /// What traces the request through services.
    trace_header: Option<String>,
}

impl Removal<'_> {
    fn remove(
        &self,
        unit: &mut Unit<'_>,
        key: &str,
        version: Option<&str>,
        if_match: Option<ETagCondition>,
    ) -> Result<Deletion, Failure> {
        let conditions = WriteConditions { if_match, if_none_match: None };
        conditions_hold(unit.connection(), self.bucket, key, &conditions)?;
        if let Some(lock) = lock_of(unit.connection(), self.bucket, key, version)? {
            lock.check_removable(self.bypass, self.now)?;
        }
        let deletion = delete(unit, self.bucket, key, version, self.now)?;
        if let Some(event) = Event::of_deletion(key, &deletion, self.now) {
            event.traced(self.trace_header.clone()).send(unit, self.names, self.bucket)?;
        }
        Ok(deletion)
    }
}

fn deleted_object(object: ObjectIdentifier, deletion: Deletion) -> DeletedObject {
    let mut deleted =
        DeletedObject { key: Some(object.key), version_id: object.version_id, ..DeletedObject::default() };
    match deletion {
        Deletion::Plain { .. } => {}
        Deletion::Marked { version } => {
            deleted.delete_marker = Some(true);
            deleted.delete_marker_version_id = Some(version);
        }
        Deletion::Version { version, marker, .. } => {
            if marker {
                deleted.delete_marker = Some(true);
                deleted.delete_marker_version_id = Some(version);
            }
        }
    }
    deleted
}

fn delete_error(object: ObjectIdentifier, failure: Failure) -> DeleteError {
    let version = object.version_id;
    let error = S3Error::from(failure);
    DeleteError {
        code: Some(error.code().as_str().to_owned()),
        message: error.message().map(str::to_owned),
        key: Some(object.key),
        version_id: version,
    }
}
