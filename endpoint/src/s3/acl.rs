//! Access control lists of buckets and objects: kept where the ownership controls allow them, and answered.
//!
//! What they let everybody do is decided in [`super::access`]. Where the owner of a bucket owns all that is in it, as in every new
//! bucket, a list can be set only to what it is already.

use rusqlite::Connection;
use s3s::{
    S3Request, S3Response, S3Result,
    dto::{
        GetBucketAclInput, GetBucketAclOutput, GetBucketPolicyStatusInput, GetBucketPolicyStatusOutput,
        GetObjectAclInput, GetObjectAclOutput, PolicyStatus, PutBucketAclInput, PutBucketAclOutput, PutObjectAclInput,
        PutObjectAclOutput,
    },
};
use serde_json::Value;

use crate::store::Unit;

use super::{
    Buckets,
    access::blocks,
    error::Failure,
    events::{Change, Event, trace_header},
    grants::{self, Asked, Grant, asked_grants},
    kept, policy,
    rows::{Bucket, existing_bucket},
    settings::{self, Setting},
    versions::{existing_object, save},
};

impl Buckets {
    pub(super) async fn acl(&self, request: S3Request<GetBucketAclInput>) -> S3Result<S3Response<GetBucketAclOutput>> {
        let name = request.input.bucket;
        let read = move |connection: &Connection| of_bucket(connection, &existing_bucket(connection, &name)?);
        let list = self.store.read(read).await?;
        let owner = self.owner();
        let grants = Some(grants::to_wire(list.as_deref(), &owner));
        Ok(S3Response::new(GetBucketAclOutput { grants, owner: Some(owner) }))
    }

    pub(super) async fn set_acl(
        &self,
        request: S3Request<PutBucketAclInput>,
    ) -> S3Result<S3Response<PutBucketAclOutput>> {
        let mut input = request.input;
        let asked = Asked { list: input.access_control_policy.take(), ..asked_grants!(input, grant_write) };
        let list = self.list_to_set(input.bucket.clone(), asked).await?;
        let keep = move |unit: &mut Unit<'_>| {
            let bucket = existing_bucket(unit.connection(), &input.bucket)?;
            keep(unit, &bucket, &list)
        };
        self.store.write(keep).await?;
        Ok(S3Response::new(PutBucketAclOutput::default()))
    }

    pub(super) async fn object_acl(
        &self,
        request: S3Request<GetObjectAclInput>,
    ) -> S3Result<S3Response<GetObjectAclOutput>> {
        let input = request.input;
        let read = move |connection: &Connection| {
            existing_object(connection, &input.bucket, &input.key, input.version_id.as_deref(), "GET")
        };
        let (_, stored) = self.store.read(read).await?;
        let owner = self.owner();
        let grants = Some(grants::to_wire(stored.object.facts.acl.as_deref(), &owner));
        Ok(S3Response::new(GetObjectAclOutput { grants, owner: Some(owner), request_charged: None }))
    }

    pub(super) async fn set_object_acl(
        &self,
        request: S3Request<PutObjectAclInput>,
    ) -> S3Result<S3Response<PutObjectAclOutput>> {
        let trace_header = trace_header(&request.headers);
        let mut input = request.input;
        let asked = Asked { list: input.access_control_policy.take(), ..asked_grants!(input, grant_write) };
        let (bucket, key, version) = (input.bucket.clone(), input.key.clone(), input.version_id.clone());
        let look = move |connection: &Connection| {
            existing_object(connection, &bucket, &key, version.as_deref(), "PUT").map(drop).map_err(not_of_a_marker)
        };
        self.store.read(look).await?;
        let list = self.list_to_set(input.bucket.clone(), asked).await?;
        let names = self.names.clone();
        let set = move |unit: &mut Unit<'_>| {
            let version = input.version_id.as_deref();
            let (bucket, mut stored) = existing_object(unit.connection(), &input.bucket, &input.key, version, "PUT")?;
            stored.object.facts.acl = Some(list);
            save(unit.connection(), &stored)?;
            let version = bucket.shown(&stored.version);
            let event = Event::of_object(Change::AclPut, &input.key, &stored.object, version).traced(trace_header);
            event.send(unit, &names, &bucket)
        };
        self.store.write(set).await?;
        Ok(S3Response::new(PutObjectAclOutput::default()))
    }

    /// Whether the policy lets everybody in.
    pub(super) async fn policy_status(
        &self,
        request: S3Request<GetBucketPolicyStatusInput>,
    ) -> S3Result<S3Response<GetBucketPolicyStatusOutput>> {
        let text = self.existing_setting(request.input.bucket, Setting::Policy).await?;
        let is_public = serde_json::from_str(&text).is_ok_and(|policy: Value| policy::is_public(&policy));
        let policy_status = Some(PolicyStatus { is_public: Some(is_public) });
        Ok(S3Response::new(GetBucketPolicyStatusOutput { policy_status }))
    }

    /// The list that a request for nothing but a list means.
    async fn list_to_set(&self, bucket: String, asked: Asked) -> Result<Vec<Grant>, Failure> {
        let list = self.list_asked_for(bucket, asked).await?;
        list.ok_or_else(|| {
            let reason = "Your request was missing a required header";
            Failure::special("MissingSecurityHeader", reason).with_detail("MissingHeaderName", "x-amz-acl")
        })
    }

    /// The list that a request asks for, where it asks for one, and the bucket allows it.
    pub(super) async fn list_asked_for(&self, bucket: String, asked: Asked) -> Result<Option<Vec<Grant>>, Failure> {
        if asked.is_nothing() {
            return Ok(None);
        }
        let owner = self.owner();
        let check = move |connection: &Connection| {
            let bucket = existing_bucket(connection, &bucket)?;
            let list = asked.grants(&owner)?;
            if asked.changes_nothing(&owner) {
                return Ok(list);
            }
            if kept::owner_owns_all(connection, &bucket)? {
                return Err(Failure::AccessControlListNotSupported);
            }
            let is_public = list.as_deref().is_some_and(grants::is_public);
            if is_public && blocks(connection, &bucket)?.block_public_acls.unwrap_or(false) {
                return Err(Failure::AccessDenied("Access Denied".into()));
            }
            Ok(list)
        };
        self.store.read(check).await
    }
}

/// A list is not set on a delete marker, also where it is not named but found as the newest version.
fn not_of_a_marker(failure: Failure) -> Failure {
    match failure {
        Failure::Deleted { version, modified, .. } => Failure::DeleteMarker { version, modified, method: "PUT" },
        other => other,
    }
}

/// The list of a bucket, where one was ever set.
pub(super) fn of_bucket(connection: &Connection, bucket: &Bucket) -> Result<Option<Vec<Grant>>, Failure> {
    let kept = settings::find(connection, bucket, Setting::Acl)?;
    let read = kept.map(|text| serde_json::from_str(&text).map_err(std::io::Error::from));
    read.transpose().map_err(Failure::io("reading an access control list"))
}

pub(super) fn keep(unit: &Unit<'_>, bucket: &Bucket, list: &[Grant]) -> Result<(), Failure> {
    let text = serde_json::to_string(list).map_err(std::io::Error::from);
    let text = text.map_err(Failure::io("writing an access control list"))?;
    Ok(settings::put(unit, bucket, Setting::Acl, &text)?)
}
