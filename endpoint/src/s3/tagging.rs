//! Tags of objects, and those that buckets are made with.

use http::{HeaderName, Method, Request};
use http_body_util::{BodyExt, Limited};
use rusqlite::Connection;
use s3s::{
    Body, S3Request, S3Response, S3Result,
    dto::{
        DeleteObjectTaggingInput, DeleteObjectTaggingOutput, GetObjectTaggingInput, GetObjectTaggingOutput,
        PutObjectTaggingInput, PutObjectTaggingOutput, Tag, Tagging,
    },
};

use crate::store::Unit;

use super::{
    Buckets,
    error::Failure,
    events::{Change, Event, trace_header},
    facts::{BUCKET_TAGS, OBJECT_TAGS, Tags, body_tags, tag_set},
    host::bucket_alone,
    rows::Bucket,
    settings::from_xml,
    versions::{Stored, existing_object, save},
};

const COPY_SOURCE: HeaderName = HeaderName::from_static("x-amz-copy-source");
const SYSTEM_TAG: &str = "User-defined tag keys can't start with \"aws:\". This prefix is reserved for system tags. Remove \
                          \"aws:\" from your tag keys and try again.";
/// The most bytes of a document that makes a bucket.
const MAX_CONFIGURATION: usize = 1024 * 1024;

/// The tags that a bucket is to be made with, which the crate does not know.
#[derive(Clone)]
pub(super) struct AskedTags(Vec<Tag>);

impl AskedTags {
    /// Finds the tags in a request that makes a bucket, which goes on as it came with them beside it.
    pub(super) async fn find(request: Request<Body>) -> Result<Request<Body>, Failure> {
        let makes =
            request.method() == Method::PUT && request.uri().query().is_none_or(|query| query.contains("Signature"));
        if !makes || request.headers().contains_key(COPY_SOURCE) || bucket_alone(&request).is_none() {
            return Ok(request);
        }
        let (mut parts, body) = request.into_parts();
        let body = Limited::new(body, MAX_CONFIGURATION).collect().await.map_err(|_| Failure::MalformedXml)?.to_bytes();
        let text = String::from_utf8_lossy(&body);
        if let Some((_, rest)) = text.split_once("<Tags>") {
            let (tags, _) = rest.split_once("</Tags>").ok_or(Failure::MalformedXml)?;
            let tagging: Tagging =
                from_xml(&format!("<Tagging><TagSet>{tags}</TagSet></Tagging>")).map_err(|_| Failure::MalformedXml)?;
            parts.extensions.insert(AskedTags(tagging.tag_set));
        }
        Ok(Request::from_parts(parts, Body::from(body)))
    }

    pub(super) fn checked(self) -> Result<Tags, Failure> {
        body_tags(self.0, BUCKET_TAGS).map_err(|failure| match failure {
            Failure::InvalidTag { key, .. } if key.starts_with("aws:") => Failure::special("InvalidTag", SYSTEM_TAG),
            other => other,
        })
    }
}

/// The version whose tags are written.
struct Tagged {
    bucket: String,
    key: String,
    version: Option<String>,
    change: Change,
    /// What traces the request through services.
    trace_header: Option<String>,
}

impl Buckets {
    pub(super) async fn object_tags(
        &self,
        request: S3Request<GetObjectTaggingInput>,
    ) -> S3Result<S3Response<GetObjectTaggingOutput>> {
        let input = request.input;
        let read = move |connection: &Connection| {
            let found = tagged_object(connection, &input.bucket, &input.key, input.version_id.as_deref(), "GET");
            // Here alone the service names the key with its bucket.
            found.map_err(|failure| match failure {
                Failure::NoSuchKey(key) => Failure::NoSuchKey(format!("{}/{key}", input.bucket)),
                other => other,
            })
        };
        let (bucket, stored) = self.store.read(read).await?;
        let version_id = bucket.shown(&stored.version);
        Ok(S3Response::new(GetObjectTaggingOutput { tag_set: tag_set(stored.object.tags), version_id }))
    }

    pub(super) async fn set_object_tags(
        &self,
        request: S3Request<PutObjectTaggingInput>,
    ) -> S3Result<S3Response<PutObjectTaggingOutput>> {
        let trace_header = trace_header(&request.headers);
        let input = request.input;
        let tags = body_tags(input.tagging.tag_set, OBJECT_TAGS)?;
        let (bucket, key, version) = (input.bucket, input.key, input.version_id);
        let tagged = Tagged { bucket, key, version, change: Change::TaggingPut, trace_header };
        let version_id = self.save_tags_of(tagged, tags, "PUT").await?;
        Ok(S3Response::new(PutObjectTaggingOutput { version_id }))
    }

    pub(super) async fn remove_object_tags(
        &self,
        request: S3Request<DeleteObjectTaggingInput>,
    ) -> S3Result<S3Response<DeleteObjectTaggingOutput>> {
        let trace_header = trace_header(&request.headers);
        let input = request.input;
        let (bucket, key, version) = (input.bucket, input.key, input.version_id);
        let tagged = Tagged { bucket, key, version, change: Change::TaggingDelete, trace_header };
        let version_id = self.save_tags_of(tagged, Tags::new(), "DELETE").await?;
        Ok(S3Response::new(DeleteObjectTaggingOutput { version_id }))
    }

    async fn save_tags_of(&self, tagged: Tagged, tags: Tags, method: &'static str) -> Result<Option<String>, Failure> {
        let names = self.names.clone();
        let save = move |unit: &mut Unit<'_>| {
            let Tagged { bucket, key, version, change, trace_header } = tagged;
            let (bucket, mut stored) = tagged_object(unit.connection(), &bucket, &key, version.as_deref(), method)?;
            stored.object.tags = tags;
            save(unit.connection(), &stored)?;
            let shown = bucket.shown(&stored.version);
            let event = Event::of_object(change, &key, &stored.object, shown.clone()).traced(trace_header);
            event.send(unit, &names, &bucket)?;
            Ok(shown)
        };
        self.store.write(save).await
    }
}

/// The version whose tags are meant. Those of a key that was deleted are its delete marker's, which has none.
fn tagged_object(
    connection: &Connection,
    bucket: &str,
    key: &str,
    version: Option<&str>,
    method: &'static str,
) -> Result<(Bucket, Stored), Failure> {
    existing_object(connection, bucket, key, version, method).map_err(|failure| match failure {
        Failure::Deleted { version, modified, .. } => Failure::DeleteMarker { version, modified, method },
        other => other,
    })
}
