//! Tags of objects.

use rusqlite::Connection;
use s3s::{
    S3Request, S3Response, S3Result,
    dto::{
        DeleteObjectTaggingInput, DeleteObjectTaggingOutput, GetObjectTaggingInput, GetObjectTaggingOutput,
        PutObjectTaggingInput, PutObjectTaggingOutput,
    },
};

use crate::store::Unit;

use super::{
    Buckets,
    error::Failure,
    events::{Change, Event},
    facts::{OBJECT_TAGS, Tags, body_tags, tag_set},
    rows::Bucket,
    versions::{Stored, existing_object, save},
};

/// The version whose tags are written.
struct Tagged {
    bucket: String,
    key: String,
    version: Option<String>,
    change: Change,
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
        let input = request.input;
        let tags = body_tags(input.tagging.tag_set, OBJECT_TAGS)?;
        let (bucket, key, version) = (input.bucket, input.key, input.version_id);
        let tagged = Tagged { bucket, key, version, change: Change::TaggingPut };
        let version_id = self.save_tags_of(tagged, tags, "PUT").await?;
        Ok(S3Response::new(PutObjectTaggingOutput { version_id }))
    }

    pub(super) async fn remove_object_tags(
        &self,
        request: S3Request<DeleteObjectTaggingInput>,
    ) -> S3Result<S3Response<DeleteObjectTaggingOutput>> {
        let input = request.input;
        let (bucket, key, version) = (input.bucket, input.key, input.version_id);
        let tagged = Tagged { bucket, key, version, change: Change::TaggingDelete };
        let version_id = self.save_tags_of(tagged, Tags::new(), "DELETE").await?;
        Ok(S3Response::new(DeleteObjectTaggingOutput { version_id }))
    }

    async fn save_tags_of(&self, tagged: Tagged, tags: Tags, method: &'static str) -> Result<Option<String>, Failure> {
        let names = self.names.clone();
        let save = move |unit: &mut Unit<'_>| {
            let Tagged { bucket, key, version, change } = tagged;
            let (bucket, mut stored) = tagged_object(unit.connection(), &bucket, &key, version.as_deref(), method)?;
            stored.object.tags = tags;
            save(unit.connection(), &stored)?;
            let shown = bucket.shown(&stored.version);
            Event::of_object(change, &key, &stored.object, shown.clone()).send(unit, &names, &bucket)?;
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
