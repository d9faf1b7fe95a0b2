//! Buckets: made, found, listed, tagged, removed.

use http::{HeaderName, HeaderValue, header};
use rusqlite::params;
use s3s::{
    S3Request, S3Response, S3Result,
    dto::{
        Bucket as ListedBucket, BucketLocationConstraint, BucketVersioningStatus, CreateBucketInput,
        CreateBucketOutput, DeleteBucketInput, DeleteBucketOutput, DeleteBucketTaggingInput, DeleteBucketTaggingOutput,
        GetBucketLocationInput, GetBucketLocationOutput, GetBucketTaggingInput, GetBucketTaggingOutput,
        GetBucketVersioningInput, GetBucketVersioningOutput, HeadBucketInput, HeadBucketOutput, ListBucketsInput,
        ListBucketsOutput, ObjectOwnership, Owner, PutBucketTaggingInput, PutBucketTaggingOutput,
        PutBucketVersioningInput, PutBucketVersioningOutput,
    },
};

use crate::{
    json::Json,
    store::{BlobId, Unit},
};

use super::{
    Buckets, acl,
    document::arn,
    error::Failure,
    facts::{BUCKET_TAGS, Tags, body_tags, tag_set, timestamp},
    grants::asked_grants,
    kept, lock,
    regions::{FIRST_REGION, is_region, region_of},
    rows::{self, BUCKET_COLUMNS, Bucket, Versioning, existing_bucket, find_bucket},
    settings::{self, Setting, to_xml},
    tagging::AskedTags,
};

/// The name of whoever owns all that is here.
const OWNER: &str = "decouple";

const BUCKET_ARN: HeaderName = HeaderName::from_static("x-amz-bucket-arn");

impl Buckets {
    pub(super) async fn make(&self, request: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        check_name(&request.input.bucket)?;
        let asked_from = request.region.as_ref().map(|region| region.as_str().to_owned());
        let tags = request.extensions.get::<AskedTags>().cloned().map(AskedTags::checked).transpose()?;
        let mut input = request.input;
        let locks = input.object_lock_enabled_for_bucket == Some(true);
        let constraint = input.create_bucket_configuration.and_then(|configuration| configuration.location_constraint);
        let constraint = constraint.as_ref().map(BucketLocationConstraint::as_str);
        let region = region_of(constraint, asked_from.as_deref(), &self.names.region)?;
        let in_first_region = region == FIRST_REGION;
        let ownership = input.object_ownership.take();
        let header = request.headers.get("x-amz-object-ownership").and_then(|header| header.to_str().ok());
        kept::check_ownership_header(header)?;
        let enforced = ownership.as_ref().is_none_or(|it| it.as_str() == ObjectOwnership::BUCKET_OWNER_ENFORCED);
        let ownership = ownership.map(|ownership| to_xml(&kept::ownership_of(ownership))).transpose()?;
        let asked = asked_grants!(input, grant_write);
        let list = asked.grants(&self.owner())?.filter(|_| !asked.changes_nothing(&self.owner()));
        if list.is_some() && enforced {
            let reason = "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting";
            return Err(Failure::special("InvalidBucketAclWithObjectOwnership", reason).into());
        }
        let (name, now) = (input.bucket.clone(), self.clock.now());
        let make = move |unit: &mut Unit<'_>| match find_bucket(unit.connection(), &name)? {
            // With tags it is another bucket that is asked for.
            Some(bucket) if bucket.region == FIRST_REGION && tags.as_ref().is_none_or(Tags::is_empty) => Ok(()),
            Some(_) => Err(Failure::BucketAlreadyOwnedByYou(name)),
            None => {
                let sql = "INSERT INTO bucket (name, region, created_ms, tags, versioning) VALUES (?1, ?2, ?3, ?4, ?5)";
                let versioning = locks.then_some(BucketVersioningStatus::ENABLED);
                let tags = Json(tags.unwrap_or_default());
                unit.connection().prepare_cached(sql)?.execute(params![name, region, now, tags, versioning])?;
                let bucket = existing_bucket(unit.connection(), &name)?;
                if let Some(ownership) = ownership {
                    settings::put(unit, &bucket, Setting::Ownership, &ownership)?;
                }
                if locks {
                    lock::enable(unit, &bucket)?;
                }
                list.map_or(Ok(()), |list| acl::keep(unit, &bucket, &list))
            }
        };
        self.store.write(make).await?;
        let host = request.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let location =
            if in_first_region { format!("/{}", input.bucket) } else { format!("http://{host}/{}/", input.bucket) };
        Ok(with_arn(CreateBucketOutput { location: Some(location) }, &input.bucket))
    }

    pub(super) async fn head(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        let bucket = self.bucket(request.input.bucket).await?;
        let output = HeadBucketOutput {
            access_point_alias: Some(false),
            bucket_region: Some(bucket.region().to_owned()),
            ..HeadBucketOutput::default()
        };
        Ok(with_arn(output, &bucket.name))
    }

    pub(super) async fn location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        let region = self.bucket(request.input.bucket).await?.region;
        let location_constraint = (region != FIRST_REGION).then(|| BucketLocationConstraint::from(region));
        Ok(S3Response::new(GetBucketLocationOutput { location_constraint }))
    }

    pub(super) async fn versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        let status = match self.bucket(request.input.bucket).await?.versioning {
            Versioning::Never => None,
            Versioning::Enabled => Some(BucketVersioningStatus::ENABLED),
            Versioning::Suspended => Some(BucketVersioningStatus::SUSPENDED),
        };
        let status = status.map(BucketVersioningStatus::from_static);
        Ok(S3Response::new(GetBucketVersioningOutput { status, ..GetBucketVersioningOutput::default() }))
    }

    pub(super) async fn set_versioning(
        &self,
        request: S3Request<PutBucketVersioningInput>,
    ) -> S3Result<S3Response<PutBucketVersioningOutput>> {
        let PutBucketVersioningInput { bucket, versioning_configuration: wanted, mfa, .. } = request.input;
        if mfa.is_some() || wanted.mfa_delete.is_some_and(|delete| delete.as_str() == "Enabled") {
            return Err(Failure::NotImplemented("MFA delete").into());
        }
        let status = wanted.status.map(|status| status.as_str().to_owned()).ok_or_else(|| {
            let reason = "The Versioning element must be specified";
            Failure::special("IllegalVersioningConfigurationException", reason)
        })?;
        if !matches!(status.as_str(), BucketVersioningStatus::ENABLED | BucketVersioningStatus::SUSPENDED) {
            return Err(Failure::MalformedXml.into());
        }
        let save = move |unit: &mut Unit<'_>| {
            let bucket = existing_bucket(unit.connection(), &bucket)?;
            lock::check_versioning(unit.connection(), &bucket, &status)?;
            let sql = "UPDATE bucket SET versioning = ?2 WHERE id = ?1";
            unit.connection().prepare_cached(sql)?.execute(params![bucket.id, status])?;
            Ok::<_, Failure>(())
        };
        self.store.write(save).await?;
        Ok(S3Response::new(PutBucketVersioningOutput::default()))
    }

    pub(super) async fn list(&self, request: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        let ListBucketsInput { prefix, max_buckets, continuation_token, bucket_region, .. } = request.input;
        if let Some(region) = bucket_region.as_deref().filter(|region| !is_region(region, &self.names.region)) {
            let reason = format!("Argument value {region} is not a valid AWS Region");
            return Err(Failure::argument("bucket-region", "", reason).into());
        }
        let (wanted, after) = (prefix.clone().unwrap_or_default(), continuation_token.unwrap_or_default());
        let mut buckets = self
            .store
            .read(move |connection| {
                let sql = format!("SELECT {BUCKET_COLUMNS} FROM bucket WHERE name > ?1 ORDER BY name");
                let mut statement = connection.prepare_cached(&sql)?;
                let all = statement.query_map([after], rows::bucket)?.collect::<Result<Vec<_>, _>>()?;
                Ok::<_, Failure>(all)
            })
            .await?;
        buckets.retain(|bucket| {
            bucket.name.starts_with(&wanted) && bucket_region.as_ref().is_none_or(|region| region == bucket.region())
        });
        let most = max_buckets.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX).max(1);
        let more = buckets.len() > most;
        buckets.truncate(most);
        let continuation_token = buckets.last().filter(|_| more).map(|bucket| bucket.name.clone());
        let listed = buckets.into_iter().map(|bucket| ListedBucket {
            bucket_region: Some(bucket.region().to_owned()),
            creation_date: Some(timestamp(bucket.created)),
            name: Some(bucket.name),
        });
        let output = ListBucketsOutput {
            buckets: Some(listed.collect()),
            continuation_token,
            owner: Some(self.owner()),
            prefix,
        };
        Ok(S3Response::new(output))
    }

    pub(super) async fn remove(
        &self,
        request: S3Request<DeleteBucketInput>,
    ) -> S3Result<S3Response<DeleteBucketOutput>> {
        let name = request.input.bucket;
        let remove = move |unit: &mut Unit<'_>| {
            let bucket = existing_bucket(unit.connection(), &name)?;
            let sql = "SELECT EXISTS (SELECT 1 FROM object_version WHERE bucket_id = ?1)";
            if unit.connection().prepare_cached(sql)?.query_row([bucket.id], |row| row.get(0))? {
                let versioned = bucket.versioning != Versioning::Never;
                return Err(Failure::BucketNotEmpty { bucket: name, versioned });
            }
            // Uploads that were never completed do not hold a bucket.
            discard_uploads(unit, &bucket)?;
            unit.connection().prepare_cached("DELETE FROM bucket WHERE id = ?1")?.execute([bucket.id])?;
            Ok(())
        };
        self.store.write(remove).await?;
        Ok(S3Response::new(DeleteBucketOutput::default()))
    }

    pub(super) async fn tags(
        &self,
        request: S3Request<GetBucketTaggingInput>,
    ) -> S3Result<S3Response<GetBucketTaggingOutput>> {
        let bucket = self.bucket(request.input.bucket).await?;
        if bucket.tags.is_empty() {
            let (code, message) = ("NoSuchTagSet", "The TagSet does not exist");
            return Err(Failure::NoSuchSetting { code, message, bucket: bucket.name }.into());
        }
        Ok(S3Response::new(GetBucketTaggingOutput { tag_set: tag_set(bucket.tags) }))
    }

    pub(super) async fn set_tags(
        &self,
        request: S3Request<PutBucketTaggingInput>,
    ) -> S3Result<S3Response<PutBucketTaggingOutput>> {
        let tags = body_tags(request.input.tagging.tag_set, BUCKET_TAGS)?;
        self.save_tags(request.input.bucket, tags).await?;
        Ok(S3Response::new(PutBucketTaggingOutput::default()))
    }

    pub(super) async fn remove_tags(
        &self,
        request: S3Request<DeleteBucketTaggingInput>,
    ) -> S3Result<S3Response<DeleteBucketTaggingOutput>> {
        self.save_tags(request.input.bucket, Tags::new()).await?;
        Ok(S3Response::new(DeleteBucketTaggingOutput::default()))
    }

    async fn save_tags(&self, name: String, tags: Tags) -> Result<(), Failure> {
        let save = move |unit: &mut Unit<'_>| {
            let bucket = existing_bucket(unit.connection(), &name)?;
            let sql = "UPDATE bucket SET tags = ?2 WHERE id = ?1";
            unit.connection().prepare_cached(sql)?.execute(params![bucket.id, Json(&tags)])?;
            Ok(())
        };
        self.store.write(save).await
    }

    pub(super) async fn bucket(&self, name: String) -> Result<Bucket, Failure> {
        self.store.read(move |connection| existing_bucket(connection, &name)).await
    }

    /// All belongs to the one account.
    pub(super) fn owner(&self) -> Owner {
        Owner { id: Some(self.names.account.clone()), display_name: Some(OWNER.to_owned()) }
    }
}

/// Checks what the crate leaves unchecked: each label of a name begins and ends with a letter or a digit.
fn check_name(name: &str) -> Result<(), Failure> {
    if name.split('.').all(|label| !label.starts_with('-') && !label.ends_with('-')) {
        return Ok(());
    }
    Err(Failure::special("InvalidBucketName", "The specified bucket is not valid.").with_detail("BucketName", name))
}

/// An answer with the bucket's ARN, which the crate does not know.
fn with_arn<T>(output: T, bucket: &str) -> S3Response<T> {
    let mut response = S3Response::new(output);
    let arn = HeaderValue::try_from(arn(bucket)).expect("names of buckets are ASCII");
    response.headers.insert(BUCKET_ARN, arn);
    response
}

/// Removes the uploads of a bucket that goes, with the bytes of their parts.
fn discard_uploads(unit: &mut Unit<'_>, bucket: &Bucket) -> Result<(), Failure> {
    let sql = "SELECT part.blob FROM part JOIN upload ON upload.id = part.upload_id WHERE upload.bucket_id = ?1";
    let blobs: Vec<BlobId> = {
        let mut statement = unit.connection().prepare_cached(sql)?;
        statement.query_map([bucket.id], |row| row.get(0))?.collect::<Result<_, _>>()?
    };
    for blob in blobs {
        unit.discard(blob);
    }
    unit.connection().prepare_cached("DELETE FROM upload WHERE bucket_id = ?1")?.execute([bucket.id])?;
    Ok(())
}
