//! The bucket of originals and renditions, unless the blueprint names one, which is left as it is.

use serde_json::{Value, json};

use super::{
    ids::BUCKET,
    intrinsics::{attribute, policy, reference, sub, tls_only},
    stack::{Owner, Resource, Stack},
};
use crate::topology::{PartId, PartKind};

pub(super) fn owner(stack: &Stack<'_>) -> Owner {
    Owner::part(&PartId::new(PartKind::Bucket, &stack.bucket.name), "/bucket")
}

pub(super) fn add(stack: &mut Stack<'_>) {
    if stack.bucket.adopted.is_some() {
        return;
    }
    let owner = owner(stack);
    // No name: CloudFormation makes up one that nobody has, so that a bucket which was kept never stands in the way.
    let bucket = json!({
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [
                { "ServerSideEncryptionByDefault": { "SSEAlgorithm": "AES256" } },
            ],
        },
        "OwnershipControls": { "Rules": [{ "ObjectOwnership": "BucketOwnerEnforced" }] },
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": true,
            "BlockPublicPolicy": true,
            "IgnorePublicAcls": true,
            "RestrictPublicBuckets": true,
        },
        "LifecycleConfiguration": {
            "Rules": [{
                "Id": "abandoned-uploads",
                "Status": "Enabled",
                "AbortIncompleteMultipartUpload": { "DaysAfterInitiation": 1 },
            }],
        },
        "Tags": stack.tags(&owner),
    });
    let fate = if stack.options.delete_data { "Delete" } else { "Retain" };
    let bucket = Resource::new("AWS::S3::Bucket", bucket).on_deletion(fate);
    stack.add(BUCKET, &owner, "the bucket of originals and renditions", bucket);
    let whole = [attribute(BUCKET, "Arn"), sub(format!("${{{BUCKET}.Arn}}/*"))];
    let policy = json!({ "Bucket": reference(BUCKET), "PolicyDocument": policy(&[tls_only("s3:*", json!(whole))]) });
    // It is kept as long as what it protects.
    let policy = Resource::new("AWS::S3::BucketPolicy", policy).on_deletion(fate);
    stack.add("BucketPolicy", &owner, "the bucket takes requests over TLS only", policy);
}

/// The bucket's name.
pub(super) fn name(stack: &Stack<'_>) -> Value {
    stack.bucket.adopted.as_ref().map_or_else(|| reference(BUCKET), |name| json!(name))
}

/// The bucket's ARN, or that of what is in it.
pub(super) fn arn(stack: &Stack<'_>, below: &str) -> Value {
    match &stack.bucket.adopted {
        Some(name) => sub(format!("arn:${{AWS::Partition}}:s3:::{name}{below}")),
        None if below.is_empty() => attribute(BUCKET, "Arn"),
        None => sub(format!("${{{BUCKET}.Arn}}{below}")),
    }
}
