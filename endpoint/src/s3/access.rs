//! What may be done without a signature: what an access control list or the bucket's policy lets everybody do, where neither the
//! ownership controls nor the block of public access is against it. Whoever signs may do everything.

use http::{HeaderMap, Uri, header};
use rusqlite::Connection;
use s3s::{
    S3Result,
    access::{S3Access, S3AccessContext},
    dto::PublicAccessBlockConfiguration,
    path::S3Path,
};
use serde_json::Value;

use super::{
    Buckets, acl,
    error::Failure,
    grants::{self, Grant},
    host, kept, policy,
    rows::{Bucket, find_bucket},
    settings::{self, REMOVED, Setting, from_xml},
    versions,
};

/// Decides on requests without a signature.
pub(super) struct Access {
    buckets: Buckets,
}

/// What somebody without a signature is about to do.
struct Attempt {
    bucket: String,
    key: Option<String>,
    version: Option<String>,
    need: Need,
}

/// What it takes: a permission of the object's or of the bucket's list, or an action of a policy.
#[derive(Clone, Copy)]
struct Need {
    of_object: bool,
    permission: &'static str,
    action: &'static str,
}

#[async_trait::async_trait]
impl S3Access for Access {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        if context.credentials().is_some() {
            return Ok(());
        }
        let (bucket, key) = match context.s3_path() {
            S3Path::Root => return Err(denied().into()),
            S3Path::Bucket { bucket } => (bucket.to_string(), None),
            S3Path::Object { bucket, key } => (bucket.to_string(), Some(key.to_string())),
        };
        self.check_attempt(bucket, key, context.uri(), context.s3_op().name()).await
    }
}

impl Access {
    pub(super) fn new(buckets: Buckets) -> Access {
        Access { buckets }
    }

    /// Checks a request that the crate has not looked at.
    pub(super) async fn check_anonymous(&self, uri: &Uri, headers: &HeaderMap, operation: &str) -> S3Result<()> {
        let path = uri.path().trim_start_matches('/');
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let (bucket, key) = match host::bucket(host) {
            Some(bucket) => (bucket, path),
            None => path.split_once('/').unwrap_or((path, "")),
        };
        let key = percent_decoded(key);
        self.check_attempt(bucket.to_owned(), Some(key).filter(|key| !key.is_empty()), uri, operation).await
    }

    async fn check_attempt(&self, bucket: String, key: Option<String>, uri: &Uri, operation: &str) -> S3Result<()> {
        let need = need_of(operation).ok_or_else(denied)?;
        let mut query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        let version = query.find(|(name, _)| name == "versionId").map(|(_, version)| version.into_owned());
        let attempt = Attempt { bucket, key, version, need };
        let allowed = self.buckets.store.read(move |connection| attempt.is_allowed(connection)).await?;
        if allowed { Ok(()) } else { Err(denied().into()) }
    }
}

fn denied() -> Failure {
    Failure::AccessDenied("Access Denied".into())
}

/// What an operation takes; nothing of the sort for those that are never public.
fn need_of(operation: &str) -> Option<Need> {
    let object = |permission, action| Some(Need { of_object: true, permission, action });
    let bucket = |permission, action| Some(Need { of_object: false, permission, action });
    match operation {
        "GetObject" | "HeadObject" => object("READ", "s3:GetObject"),
        "GetObjectAcl" => object("READ_ACP", "s3:GetObjectAcl"),
        "PutObjectAcl" => object("WRITE_ACP", "s3:PutObjectAcl"),
        "ListObjects" | "ListObjectsV2" | "HeadBucket" => bucket("READ", "s3:ListBucket"),
        "ListObjectVersions" => bucket("READ", "s3:ListBucketVersions"),
        "PutObject" | "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" => {
            bucket("WRITE", "s3:PutObject")
        }
        "DeleteObject" => bucket("WRITE", "s3:DeleteObject"),
        "GetBucketAcl" => bucket("READ_ACP", "s3:GetBucketAcl"),
        _ => None,
    }
}

impl Attempt {
    fn is_allowed(&self, connection: &Connection) -> Result<bool, Failure> {
        // That there is no such bucket is no secret.
        let Some(bucket) = find_bucket(connection, &self.bucket)? else { return Ok(true) };
        let block = blocks(connection, &bucket)?;
        let by_list = !block.ignore_public_acls.unwrap_or(false)
            && !kept::owner_owns_all(connection, &bucket)?
            && self.is_allowed_by_list(connection, &bucket)?;
        if by_list {
            return Ok(true);
        }
        Ok(!block.restrict_public_buckets.unwrap_or(false) && self.is_allowed_by_policy(connection, &bucket)?)
    }

    fn is_allowed_by_list(&self, connection: &Connection, bucket: &Bucket) -> Result<bool, Failure> {
        let lets = |grants: Option<Vec<Grant>>| {
            grants.is_some_and(|grants| grants::lets_everybody(&grants, self.need.permission))
        };
        if !self.need.of_object {
            return Ok(lets(acl::of_bucket(connection, bucket)?));
        }
        let key = self.key.as_deref().unwrap_or_default();
        match versions::existing_object(connection, &bucket.name, key, self.version.as_deref(), "GET") {
            Ok((_, found)) => Ok(lets(found.object.facts.acl)),
            Err(failure @ Failure::Store(_)) => Err(failure),
            // Who may list a bucket may know that something is not there.
            Err(_) => Ok(lets(acl::of_bucket(connection, bucket)?)),
        }
    }

    fn is_allowed_by_policy(&self, connection: &Connection, bucket: &Bucket) -> Result<bool, Failure> {
        let Some(text) = settings::find(connection, bucket, Setting::Policy)? else { return Ok(false) };
        let key = self.key.as_ref().map(|key| format!("/{key}")).unwrap_or_default();
        let resource = format!("arn:aws:s3:::{}{key}", bucket.name);
        Ok(serde_json::from_str(&text)
            .is_ok_and(|policy: Value| policy::lets_everybody(&policy, self.need.action, &resource)))
    }
}

/// What of public access a bucket blocks: all of it, unless it was told otherwise.
pub(super) fn blocks(connection: &Connection, bucket: &Bucket) -> Result<PublicAccessBlockConfiguration, Failure> {
    match settings::find(connection, bucket, Setting::PublicAccessBlock)?.as_deref() {
        None => Ok(kept::all_blocked()),
        Some(REMOVED) => Ok(PublicAccessBlockConfiguration::default()),
        Some(text) => from_xml(text),
    }
}

fn percent_decoded(text: &str) -> String {
    // A plus is a plus in a path.
    let form = text.replace('+', "%2B");
    form_urlencoded::parse(format!("k={}", form.replace('&', "%26").replace('=', "%3D")).as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::percent_decoded;

    #[test]
    fn paths_are_decoded() {
        assert_eq!(percent_decoded("a%20b+c&d=e%2F"), "a b+c&d=e/");
    }
}
