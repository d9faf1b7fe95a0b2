//! Tags of objects.

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
    facts::{OBJECT_TAGS, Tags, body_tags, tag_set},
    objects::only_version,
    rows::{existing_bucket, existing_object, save_object_tags},
};

impl Buckets {
    pub(super) async fn object_tags(
        &self,
        request: S3Request<GetObjectTaggingInput>,
    ) -> S3Result<S3Response<GetObjectTaggingOutput>> {
        let input = request.input;
        only_version(input.version_id.as_deref())?;
        let object = self.store.read(move |connection| existing_object(connection, &input.bucket, &input.key)).await?;
        Ok(S3Response::new(GetObjectTaggingOutput { tag_set: tag_set(object.tags), version_id: None }))
    }

    pub(super) async fn set_object_tags(
        &self,
        request: S3Request<PutObjectTaggingInput>,
    ) -> S3Result<S3Response<PutObjectTaggingOutput>> {
        let input = request.input;
        only_version(input.version_id.as_deref())?;
        let tags = body_tags(input.tagging.tag_set, OBJECT_TAGS)?;
        self.save_tags_of(input.bucket, input.key, tags).await?;
        Ok(S3Response::new(PutObjectTaggingOutput::default()))
    }

    pub(super) async fn remove_object_tags(
        &self,
        request: S3Request<DeleteObjectTaggingInput>,
    ) -> S3Result<S3Response<DeleteObjectTaggingOutput>> {
        let input = request.input;
        only_version(input.version_id.as_deref())?;
        self.save_tags_of(input.bucket, input.key, Tags::new()).await?;
        Ok(S3Response::new(DeleteObjectTaggingOutput::default()))
    }

    async fn save_tags_of(&self, bucket: String, key: String, tags: Tags) -> Result<(), Failure> {
        let save = move |unit: &mut Unit<'_>| {
            let bucket = existing_bucket(unit.connection(), &bucket)?;
            save_object_tags(unit.connection(), &bucket, &key, &tags)
        };
        self.store.write(save).await
    }
}
