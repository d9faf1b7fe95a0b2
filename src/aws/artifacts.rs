//! The artifact bucket: one an account and region, made once, which holds worker bundles and templates too large to travel
//! inside a request.

use std::path::Path;

use aws_sdk_s3::{
    error::ProvideErrorMetadata,
    operation::head_object::HeadObjectError,
    primitives::ByteStream,
    types::{
        AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketLocationConstraint, BucketVersioningStatus,
        CreateBucketConfiguration, ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
        MetadataDirective, NoncurrentVersionExpiration, PublicAccessBlockConfiguration, ServerSideEncryption,
        ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging,
        TaggingDirective, VersioningConfiguration,
    },
};
use serde_json::json;

use super::{
    Session,
    error::{Call, Error},
};
use crate::bundle::Bundle;

/// Begins the keys of templates.
const TEMPLATES: &str = "templates/";
/// Days that a template is kept: CloudFormation has a copy of its own once it was read.
const TEMPLATE_DAYS: i32 = 7;
/// Days that a bundle is kept that no stack uses any more, and that a former version of an object is.
const RETIRED_DAYS: i32 = 30;
/// Tag of bundles that no stack uses any more.
const RETIRED: &str = "decouple-retired";

/// Names the artifact bucket of an account and region.
pub fn bucket_name(session: &Session) -> String {
    format!("decouple-{}-{}", session.account(), session.region())
}

/// Sees to it that the artifact bucket is there and is as it should be. Returns its name.
pub async fn ensure_bucket(session: &Session) -> Result<String, Error> {
    let name = bucket_name(session);
    if !make(session, &name).await? {
        return Ok(name);
    }
    // Whoever is cut off here finds the bucket the next time and its settings missing, so the mark that all is done comes last.
    protect(session, &name).await?;
    expire(session, &name).await?;
    mark(session, &name).await?;
    Ok(name)
}

/// Makes the bucket. Returns whether its settings are still to be made.
async fn make(session: &Session, name: &str) -> Result<bool, Error> {
    let s3 = session.buckets();
    if is_marked(session, name).await? {
        return Ok(false);
    }
    // The oldest region is the one that must not be named.
    let elsewhere = (session.region() != "us-east-1").then(|| {
        let region = BucketLocationConstraint::from(session.region());
        CreateBucketConfiguration::builder().location_constraint(region).build()
    });
    let made = s3.create_bucket().bucket(name).set_create_bucket_configuration(elsewhere).send().await;
    match made.map_err(Call::new("s3", "CreateBucket", name).failed()) {
        Ok(_) => Ok(true),
        Err(error) if error.has_code("BucketAlreadyOwnedByYou") => Ok(true),
        Err(error) => Err(error),
    }
}

/// Tells whether the bucket is there with all its settings.
async fn is_marked(session: &Session, name: &str) -> Result<bool, Error> {
    let found =
        session.buckets().get_bucket_tagging().bucket(name).expected_bucket_owner(session.account()).send().await;
    match found {
        Ok(found) => Ok(found.tag_set.iter().any(|tag| tag.key == MARK)),
        Err(error) if matches!(error.code(), Some("NoSuchBucket" | "NoSuchTagSet")) => Ok(false),
        Err(error) => Err(Call::new("s3", "GetBucketTagging", name).failed()(error)),
    }
}

/// Tag of a bucket whose settings are complete.
const MARK: &str = "decouple:artifacts";

async fn mark(session: &Session, name: &str) -> Result<(), Error> {
    let tagging = Tagging::builder().tag_set(tag(MARK, "1")).build().expect("a tag set was given");
    let call = Call::new("s3", "PutBucketTagging", name);
    session
        .buckets()
        .put_bucket_tagging()
        .bucket(name)
        .expected_bucket_owner(session.account())
        .tagging(tagging)
        .send()
        .await
        .map_err(call.failed())?;
    Ok(())
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().expect("a key and a value were given")
}

/// Nothing public, everything encrypted, TLS only, and former versions kept.
async fn protect(session: &Session, name: &str) -> Result<(), Error> {
    let s3 = session.buckets();
    let closed = PublicAccessBlockConfiguration::builder()
        .block_public_acls(true)
        .block_public_policy(true)
        .ignore_public_acls(true)
        .restrict_public_buckets(true)
        .build();
    let call = Call::new("s3", "PutBucketPublicAccessBlock", name);
    s3.put_public_access_block()
        .bucket(name)
        .expected_bucket_owner(session.account())
        .public_access_block_configuration(closed)
        .send()
        .await
        .map_err(call.failed())?;

    let by_default = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(ServerSideEncryption::Aes256)
        .build()
        .expect("an algorithm was given");
    let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(by_default).build();
    let encryption = ServerSideEncryptionConfiguration::builder().rules(rule).build().expect("a rule was given");
    let call = Call::new("s3", "PutEncryptionConfiguration", name);
    s3.put_bucket_encryption()
        .bucket(name)
        .expected_bucket_owner(session.account())
        .server_side_encryption_configuration(encryption)
        .send()
        .await
        .map_err(call.failed())?;

    let versions = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let call = Call::new("s3", "PutBucketVersioning", name);
    s3.put_bucket_versioning()
        .bucket(name)
        .expected_bucket_owner(session.account())
        .versioning_configuration(versions)
        .send()
        .await
        .map_err(call.failed())?;

    let call = Call::new("s3", "PutBucketPolicy", name);
    let policy = tls_only(session.partition(), name);
    s3.put_bucket_policy()
        .bucket(name)
        .expected_bucket_owner(session.account())
        .policy(policy)
        .send()
        .await
        .map_err(call.failed())?;
    Ok(())
}

fn tls_only(partition: &str, bucket: &str) -> String {
    let arn = format!("arn:{partition}:s3:::{bucket}");
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, format!("{arn}/*")],
            "Condition": { "Bool": { "aws:SecureTransport": "false" } },
        }],
    })
    .to_string()
}

/// What nobody uses any more expires.
async fn expire(session: &Session, name: &str) -> Result<(), Error> {
    let rule = |id: &str, filter: LifecycleRuleFilter| {
        LifecycleRule::builder().id(id).status(ExpirationStatus::Enabled).filter(filter)
    };
    let after = |days: i32| LifecycleExpiration::builder().days(days).build();
    let everything = || LifecycleRuleFilter::builder().prefix("").build();
    let rules = [
        rule("retired-bundles", LifecycleRuleFilter::builder().tag(tag(RETIRED, "true")).build())
            .expiration(after(RETIRED_DAYS)),
        rule("templates", LifecycleRuleFilter::builder().prefix(TEMPLATES).build()).expiration(after(TEMPLATE_DAYS)),
        rule("former-versions", everything()).noncurrent_version_expiration(
            NoncurrentVersionExpiration::builder().noncurrent_days(RETIRED_DAYS).build(),
        ),
        rule("abandoned-uploads", everything()).abort_incomplete_multipart_upload(
            AbortIncompleteMultipartUpload::builder().days_after_initiation(1).build(),
        ),
    ];
    let rules = rules.into_iter().map(|rule| rule.build().expect("a status was given")).collect();
    let lifecycle = BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build().expect("rules were given");
    let call = Call::new("s3", "PutLifecycleConfiguration", name);
    session
        .buckets()
        .put_bucket_lifecycle_configuration()
        .bucket(name)
        .expected_bucket_owner(session.account())
        .lifecycle_configuration(lifecycle)
        .send()
        .await
        .map_err(call.failed())?;
    Ok(())
}

/// Puts a bundle into the bucket unless it is there. Returns whether it was uploaded.
pub async fn ship(session: &Session, bucket: &str, bundle: &Bundle) -> Result<bool, Error> {
    let key = bundle.key();
    let s3 = session.buckets();
    let found = s3.head_object().bucket(bucket).expected_bucket_owner(session.account()).key(&key).send().await;
    match found {
        Ok(found) if u64::try_from(found.content_length.unwrap_or(-1)) == Ok(bundle.bytes) => {
            // A stack uses it again.
            let call = Call::new("s3", "DeleteObjectTagging", &key);
            s3.delete_object_tagging()
                .bucket(bucket)
                .expected_bucket_owner(session.account())
                .key(&key)
                .send()
                .await
                .map_err(call.failed())?;
            return Ok(false);
        }
        Ok(_) => {}
        Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => {}
        Err(error) => return Err(Call::new("s3", "HeadObject", &key).failed()(error)),
    }
    let body = body(&bundle.path).await?;
    let call = Call::new("s3", "PutObject", &key);
    s3.put_object()
        .bucket(bucket)
        .expected_bucket_owner(session.account())
        .key(&key)
        .body(body)
        .send()
        .await
        .map_err(call.failed())?;
    Ok(true)
}

async fn body(path: &Path) -> Result<ByteStream, Error> {
    ByteStream::from_path(path)
        .await
        .map_err(|error| Error::File { path: path.display().to_string(), source: std::io::Error::other(error) })
}

/// Puts a template into the bucket, named by what is in it. Returns its key.
pub async fn put_template(session: &Session, bucket: &str, stack: &str, template: &str) -> Result<String, Error> {
    use sha2::{Digest, Sha256};
    let key = format!("{TEMPLATES}{stack}-{}.json", hex::encode(Sha256::digest(template)));
    let call = Call::new("s3", "PutObject", &key);
    session
        .buckets()
        .put_object()
        .bucket(bucket)
        .expected_bucket_owner(session.account())
        .key(&key)
        .content_type("application/json")
        .body(ByteStream::from(template.as_bytes().to_vec()))
        .send()
        .await
        .map_err(call.failed())?;
    Ok(key)
}

/// Marks the bundles that no stack uses any more, so that they expire. A stack that is rolled back wants its former bundle
/// again, hence not at once. Returns how many were marked.
pub async fn retire(session: &Session, bucket: &str, used: &[String]) -> Result<usize, Error> {
    let s3 = session.buckets();
    let mut pages = s3
        .list_objects_v2()
        .bucket(bucket)
        .expected_bucket_owner(session.account())
        .prefix("bundles/")
        .into_paginator()
        .send();
    let mut retired = 0;
    while let Some(page) = pages.next().await {
        let page = page.map_err(Call::new("s3", "ListBucket", bucket).failed())?;
        for key in page.contents.into_iter().flatten().filter_map(|object| object.key) {
            if !used.contains(&key) && !is_retired(session, bucket, &key).await? {
                retire_one(session, bucket, &key).await?;
                retired += 1;
            }
        }
    }
    Ok(retired)
}

async fn is_retired(session: &Session, bucket: &str, key: &str) -> Result<bool, Error> {
    let request = session.buckets().get_object_tagging().bucket(bucket).key(key);
    let found = request.expected_bucket_owner(session.account()).send().await;
    let found = found.map_err(Call::new("s3", "GetObjectTagging", key).failed())?;
    Ok(found.tag_set.iter().any(|tag| tag.key == RETIRED))
}

/// Days are counted from when an object was made, and a bundle may be years old: a copy in its own place begins anew.
async fn retire_one(session: &Session, bucket: &str, key: &str) -> Result<(), Error> {
    let call = Call::new("s3", "CopyObject", key);
    session
        .buckets()
        .copy_object()
        .bucket(bucket)
        .expected_bucket_owner(session.account())
        .expected_source_bucket_owner(session.account())
        .key(key)
        .copy_source(format!("{bucket}/{key}"))
        // A copy onto itself must change something.
        .metadata_directive(MetadataDirective::Replace)
        .metadata(RETIRED, "true")
        .tagging_directive(TaggingDirective::Replace)
        .tagging(format!("{RETIRED}=true"))
        .send()
        .await
        .map_err(call.failed())?;
    Ok(())
}
