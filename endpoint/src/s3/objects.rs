//! Objects out: read, described, removed.

use std::{io, ops::Range, sync::Arc};

use http::HeaderMap;
use s3s::{
    S3Error, S3Request, S3Response, S3Result,
    dto::{
        ChecksumType, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject,
        Error as DeleteError, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, Range as ByteRange,
        StorageClass, StreamingBlob,
    },
};

use crate::store::Unit;

use super::{
    Buckets,
    checksums::set_checksum,
    conditions::{ReadConditions, WriteConditions},
    content,
    error::Failure,
    facts::{etag, timestamp},
    rows::{self, Object, conditions_hold, existing_bucket, existing_object, remove_object, signed},
};

/// How often a read starts again because the object was replaced between its row and its file.
const READ_ATTEMPTS: usize = 5;
const MAX_DELETED: usize = 1000;
/// The version of every object where versioning was never on.
const ONLY_VERSION: &str = "null";

/// Which bytes of an object are wanted.
#[derive(Debug, Clone, Default)]
pub(super) struct Selection {
    pub(super) range: Option<ByteRange>,
    pub(super) part: Option<i32>,
}

impl Selection {
    /// The bytes of `object`; none for all of them without having asked for a part of them.
    fn of(&self, object: &Object) -> Result<Option<Range<u64>>, Failure> {
        match (&self.range, self.part) {
            (Some(_), Some(_)) => Err(Failure::InvalidRequest("give a range or a part number, and not both".into())),
            (Some(range), None) => {
                let bytes = range.check(object.size).ok().filter(|bytes| !bytes.is_empty());
                bytes.map(Some).ok_or(Failure::InvalidRange(object.size))
            }
            (None, Some(part)) => object.part(part).map(Some),
            (None, None) => Ok(None),
        }
    }
}

/// An object with the bytes that are wanted of it.
pub(super) struct Read {
    pub(super) object: Object,
    pub(super) range: Option<Range<u64>>,
    pub(super) body: StreamingBlob,
}

/// The fields that reading and describing an object have in common.
macro_rules! describe {
    ($output:expr, $object:expr, $range:expr, $part:expr, $with_checksum:expr) => {
        let (object, range): (&Object, &Option<Range<u64>>) = ($object, $range);
        let length = range.as_ref().map_or(object.size, |range| range.end - range.start);
        $output.accept_ranges = Some("bytes".to_owned());
        $output.content_length = Some(signed(length));
        $output.content_range = content_range(range.as_ref(), object.size);
        $output.e_tag = Some(etag(&object.etag));
        $output.last_modified = Some(timestamp(object.modified));
        $output.content_type = object.facts.content_type.clone();
        $output.cache_control = object.facts.cache_control.clone();
        $output.content_disposition = object.facts.content_disposition.clone();
        $output.content_encoding = object.facts.content_encoding.clone();
        $output.content_language = object.facts.content_language.clone();
        $output.expires = object.facts.expires();
        $output.website_redirect_location = object.facts.website_redirect_location.clone();
        $output.storage_class = object.facts.storage_class.clone().map(StorageClass::from);
        $output.metadata = object.facts.metadata();
        $output.parts_count = $part.and_then(|_| parts_count(object));
        if $with_checksum && range.is_none() {
            set_checksum!($output, Some(&object.checksum));
            $output.checksum_type = Some(ChecksumType::from_static(object.checksum.kind.name()));
        }
    };
}

impl Buckets {
    pub(super) async fn get(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        only_version(input.version_id.as_deref())?;
        let selection = Selection { range: input.range, part: input.part_number };
        let conditions = ReadConditions {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        };
        let read = self.read_object(input.bucket, input.key, selection, conditions).await?;
        let mut output = GetObjectOutput::default();
        let with_checksum = input.checksum_mode.is_some_and(|mode| mode.as_str() == "ENABLED");
        describe!(output, &read.object, &read.range, input.part_number, with_checksum);
        output.tag_count = tag_count(&read.object);
        output.body = Some(read.body);
        Ok(S3Response::new(output))
    }

    pub(super) async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        only_version(input.version_id.as_deref())?;
        let (bucket, key) = (input.bucket, input.key);
        let object = self.store.read(move |connection| existing_object(connection, &bucket, &key)).await?;
        let conditions = ReadConditions {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        };
        conditions.check(&object.etag, object.modified).map_err(|failure| tagged(failure, &object.etag))?;
        let selection = Selection { range: input.range, part: input.part_number };
        let range = selection.of(&object)?;
        let mut output = HeadObjectOutput::default();
        let with_checksum = input.checksum_mode.is_some_and(|mode| mode.as_str() == "ENABLED");
        describe!(output, &object, &range, input.part_number, with_checksum);
        Ok(S3Response::new(output))
    }

    /// Reads an object's row and opens its bytes, which belong together: where a file is gone, the object was replaced in
    /// between, and its row is read again.
    pub(super) async fn read_object(
        &self,
        bucket: String,
        key: String,
        selection: Selection,
        conditions: ReadConditions,
    ) -> Result<Read, S3Error> {
        let mut gone = None;
        for _ in 0..READ_ATTEMPTS {
            let (bucket, key) = (bucket.clone(), key.clone());
            let object = self.store.read(move |connection| existing_object(connection, &bucket, &key)).await?;
            conditions.check(&object.etag, object.modified).map_err(|failure| tagged(failure, &object.etag))?;
            let range = selection.of(&object)?;
            let slices = object.slices(&range.clone().unwrap_or(0..object.size));
            let blobs = Arc::clone(self.store.blobs());
            let opened = tokio::task::spawn_blocking(move || content::open(&blobs, slices))
                .await
                .map_err(io::Error::from)
                .flatten();
            match opened {
                Ok(body) => return Ok(Read { object, range, body }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => gone = Some(error),
                Err(source) => return Err(Failure::Io { what: "opening the object's file", source }.into()),
            }
        }
        let source = gone.unwrap_or_else(|| io::ErrorKind::NotFound.into());
        Err(Failure::Io { what: "opening the object's file", source }.into())
    }

    pub(super) async fn delete(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = request.input;
        only_version(input.version_id.as_deref())?;
        if input.if_match_size.is_some() || input.if_match_last_modified_time.is_some() {
            return Err(Failure::NotImplemented("deleting on a condition other than If-Match").into());
        }
        let delete = move |unit: &mut Unit<'_>| {
            let bucket = existing_bucket(unit.connection(), &input.bucket)?;
            let conditions = WriteConditions { if_match: input.if_match, if_none_match: None };
            conditions_hold(unit, &bucket, &input.key, &conditions)?;
            remove_object(unit, &bucket, &input.key)?;
            Ok::<_, Failure>(())
        };
        self.store.write(delete).await?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    pub(super) async fn delete_many(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let DeleteObjectsInput { bucket, delete, .. } = request.input;
        if delete.objects.is_empty() || delete.objects.len() > MAX_DELETED {
            return Err(
                Failure::InvalidRequest(format!("between 1 and {MAX_DELETED} keys can be deleted at once")).into()
            );
        }
        let quiet = delete.quiet.unwrap_or(false);
        let delete = move |unit: &mut Unit<'_>| {
            let bucket = existing_bucket(unit.connection(), &bucket)?;
            let (mut deleted, mut errors) = (Vec::new(), Vec::new());
            for object in delete.objects {
                match delete_one(unit, &bucket, &object.key, object.version_id.as_deref(), object.e_tag) {
                    Ok(()) => deleted.push(DeletedObject { key: Some(object.key), ..DeletedObject::default() }),
                    Err(failure @ Failure::Store(_)) => return Err(failure),
                    Err(failure) => errors.push(delete_error(object.key, failure)),
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

fn delete_one(
    unit: &mut Unit<'_>,
    bucket: &rows::Bucket,
    key: &str,
    version: Option<&str>,
    tag: Option<s3s::dto::ETag>,
) -> Result<(), Failure> {
    only_version(version)?;
    let if_match = tag.map(s3s::dto::ETagCondition::ETag);
    conditions_hold(unit, bucket, key, &WriteConditions { if_match, if_none_match: None })?;
    Ok(remove_object(unit, bucket, key)?)
}

fn delete_error(key: String, failure: Failure) -> DeleteError {
    let error = S3Error::from(failure);
    DeleteError {
        code: Some(error.code().as_str().to_owned()),
        message: error.message().map(str::to_owned),
        key: Some(key),
        version_id: None,
    }
}

/// Objects have one version here.
pub(super) fn only_version(version: Option<&str>) -> Result<(), Failure> {
    match version {
        None | Some(ONLY_VERSION | "") => Ok(()),
        Some(other) => {
            Err(Failure::InvalidArgument(format!("the version {other:?} does not exist: versioning is not on")))
        }
    }
}

/// An answer that says "not modified" says of which state.
fn tagged(failure: Failure, tag: &str) -> S3Error {
    let not_modified = matches!(failure, Failure::NotModified);
    let mut error = S3Error::from(failure);
    if not_modified && let Ok(value) = etag(tag).to_http_header() {
        error.set_headers(HeaderMap::from_iter([(http::header::ETAG, value)]));
    }
    error
}

fn content_range(range: Option<&Range<u64>>, size: u64) -> Option<String> {
    range.filter(|range| !range.is_empty()).map(|range| format!("bytes {}-{}/{size}", range.start, range.end - 1))
}

fn parts_count(object: &Object) -> Option<i32> {
    let parts = object.segments.len();
    i32::try_from(parts).ok().filter(|_| object.etag.contains('-'))
}

fn tag_count(object: &Object) -> Option<i32> {
    i32::try_from(object.tags.len()).ok().filter(|count| *count > 0)
}
