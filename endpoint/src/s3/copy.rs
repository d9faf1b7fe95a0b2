//! Copies of objects: the bytes are shared where the file system can.

use std::{io, sync::Arc};

use s3s::{
    S3Request, S3Response, S3Result,
    dto::{ChecksumType, CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource},
};

use crate::store::{Blobs, NewBlob};

use super::{
    Buckets,
    checksums::set_checksum,
    conditions::{ReadConditions, WriteConditions},
    error::Failure,
    facts::{etag, header_tags, timestamp},
    objects::only_version,
    rows::{Object, Segment, conditions_hold, existing_bucket, existing_object, put_object},
    write::{facts_of, refuse_unsupported},
};

const REPLACE: &str = "REPLACE";
/// How often a copy starts again because its source was replaced meanwhile.
const ATTEMPTS: usize = 5;

impl Buckets {
    pub(super) async fn copy(&self, request: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let mut input = request.input;
        refuse_unsupported!(input)?;
        let (source_bucket, source_key) = source(&input.copy_source)?;
        let replaces = input.metadata_directive.as_ref().is_some_and(|directive| directive.as_str() == REPLACE);
        let replaces_tags = input.tagging_directive.as_ref().is_some_and(|directive| directive.as_str() == REPLACE);
        if source_bucket == input.bucket && source_key == input.key && !replaces && !replaces_tags {
            let reason = "an object can be copied to itself only with its metadata or tags replaced";
            return Err(Failure::InvalidRequest(reason.into()).into());
        }
        let conditions = ReadConditions {
            if_match: input.copy_source_if_match.take(),
            if_none_match: input.copy_source_if_none_match.take(),
            if_modified_since: input.copy_source_if_modified_since.take(),
            if_unmodified_since: input.copy_source_if_unmodified_since.take(),
        };
        let (mut object, blobs) = self.duplicate(source_bucket, source_key, conditions).await?;
        if replaces {
            object.facts = facts_of!(input)?;
        }
        if replaces_tags {
            object.tags = header_tags(input.tagging.as_deref())?;
        }
        object.modified = self.clock.now();
        let mut result = CopyObjectResult {
            e_tag: Some(etag(&object.etag)),
            last_modified: Some(timestamp(object.modified)),
            ..CopyObjectResult::default()
        };
        set_checksum!(result, Some(&object.checksum));
        result.checksum_type = Some(ChecksumType::from_static(object.checksum.kind.name()));
        let (bucket, key) = (input.bucket, input.key);
        self.store
            .write(move |unit| {
                let bucket = existing_bucket(unit.connection(), &bucket)?;
                conditions_hold(unit, &bucket, &key, &WriteConditions::default())?;
                for (segment, blob) in object.segments.iter_mut().zip(blobs) {
                    segment.blob = blob.keep();
                }
                put_object(unit, &bucket, &key, &object)
            })
            .await?;
        Ok(S3Response::new(CopyObjectOutput { copy_object_result: Some(result), ..CopyObjectOutput::default() }))
    }

    /// The object of a key, with blobs of its own that no row names yet.
    async fn duplicate(
        &self,
        bucket: String,
        key: String,
        conditions: ReadConditions,
    ) -> Result<(Object, Vec<NewBlob>), Failure> {
        let mut gone = None;
        for _ in 0..ATTEMPTS {
            let (bucket, key) = (bucket.clone(), key.clone());
            let object = self.store.read(move |connection| existing_object(connection, &bucket, &key)).await?;
            let holds = conditions.check(&object.etag, object.modified);
            // A copy is a write: there is no answer without one.
            holds.map_err(|_| Failure::PreconditionFailed("the condition on the source of the copy"))?;
            let (blobs, segments) = (Arc::clone(self.store.blobs()), object.segments.clone());
            let duplicated = tokio::task::spawn_blocking(move || duplicate_blobs(&blobs, &segments)).await;
            match duplicated.map_err(io::Error::from).flatten() {
                Ok(blobs) => return Ok((object, blobs)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => gone = Some(error),
                Err(source) => return Err(Failure::Io { what: "copying the object's file", source }),
            }
        }
        let source = gone.unwrap_or_else(|| io::ErrorKind::NotFound.into());
        Err(Failure::Io { what: "copying the object's file", source })
    }
}

fn duplicate_blobs(blobs: &Arc<Blobs>, segments: &[Segment]) -> io::Result<Vec<NewBlob>> {
    let duplicate = |segment: &Segment| Ok(NewBlob::new(Arc::clone(blobs), blobs.duplicate(&segment.blob)?));
    segments.iter().map(duplicate).collect()
}

/// The bucket and the key that a copy is from.
pub(super) fn source(source: &CopySource) -> Result<(String, String), Failure> {
    match source {
        CopySource::Bucket { bucket, key, version_id } => {
            only_version(version_id.as_deref())?;
            Ok((bucket.to_string(), key.to_string()))
        }
        CopySource::AccessPoint { .. } | CopySource::Outpost { .. } => {
            Err(Failure::NotImplemented("copying from an access point"))
        }
    }
}
