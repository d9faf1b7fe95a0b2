//! Objects out: read and described.

use std::{io, ops::Range, sync::Arc};

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use s3s::{
    Body, S3Request, S3Response, S3Result,
    dto::{
        ChecksumType, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, Range as ByteRange,
        StorageClass, StreamingBlob,
    },
};

use crate::clock::Millis;

use super::{
    Buckets,
    checksums::{Checksum, set_checksum},
    conditions::ReadConditions,
    encryption::{CustomerKey, customer_key, set_customer_key, set_encryption},
    error::Failure,
    expiry,
    facts::{etag, http_date, timestamp},
    lock::set_lock,
    reading,
    rows::{Bucket, Object, signed},
    versions::{Stored, existing_object, small_bytes},
};

/// How often a read starts again because the object was replaced between its row and its file.
const READ_ATTEMPTS: usize = 5;

const TAG_COUNT: HeaderName = HeaderName::from_static("x-amz-tagging-count");

/// Which object, and which bytes of it, are wanted.
#[derive(Clone, Default)]
pub(super) struct Wanted {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) version: Option<String>,
    pub(super) range: Option<ByteRange>,
    pub(super) part: Option<i32>,
    pub(super) conditions: ReadConditions,
    pub(super) customer_key: CustomerKey,
    /// Whether the conditions are those of a copy on its source.
    pub(super) is_source: bool,
}

/// An object with its bucket, and the bytes that are wanted of it: none for all of them without having asked for a part.
pub(super) struct Found {
    pub(super) bucket: Bucket,
    pub(super) stored: Stored,
    pub(super) range: Option<Range<u64>>,
    /// When it would expire.
    pub(super) expiry: Option<String>,
}

/// An object that is being read.
pub(super) struct Read {
    pub(super) found: Found,
    pub(super) body: StreamingBlob,
}

impl Wanted {
    /// Finds the object, and checks that it may be read.
    fn find(&self, connection: &rusqlite::Connection, method: &'static str) -> Result<Found, Failure> {
        let (bucket, stored) = existing_object(connection, &self.bucket, &self.key, self.version.as_deref(), method)?;
        let object = &stored.object;
        if self.is_source {
            self.conditions.check_source(&object.etag, object.modified)?;
        } else {
            self.conditions.check(&object.etag, object.modified)?;
        }
        self.customer_key.check_opens(&object.facts)?;
        let range = self.select(object)?;
        // Of a version that is named the service does not say it, be it the newest or not.
        let expires = self.version.is_none().then(|| expiry::of_object(connection, &bucket, &self.key, &stored.object));
        let expiry = expires.transpose()?.flatten();
        Ok(Found { bucket, stored, range, expiry })
    }

    fn select(&self, object: &Object) -> Result<Option<Range<u64>>, Failure> {
        match (&self.range, self.part) {
            (Some(_), Some(_)) => {
                let reason = "Cannot specify both Range header and partNumber query parameter";
                Err(Failure::InvalidRequest(reason.into()))
            }
            (Some(range), None) => {
                let bytes = range.check(object.size).ok().filter(|bytes| !bytes.is_empty());
                let refused = || Failure::InvalidRange { range: range.to_header_string(), size: object.size };
                bytes.map(Some).ok_or_else(refused)
            }
            (None, Some(part)) => object.part(part).map(Some),
            (None, None) => Ok(None),
        }
    }
}

/// The fields that reading and describing an object have in common.
macro_rules! describe {
    ($output:expr, $found:expr, $part:expr, $mode:expr) => {
        let (object, range): (&Object, &Option<Range<u64>>) = (&$found.stored.object, &$found.range);
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
        $output.expiration = $found.expiry.clone();
        $output.restore = object.facts.restored_until.map(restored);
        $output.metadata = object.facts.metadata();
        $output.parts_count = $part.filter(|_| object.in_parts()).and(i32::try_from(object.parts()).ok());
        $output.version_id = $found.bucket.shown(&$found.stored.version);
        set_encryption!($output, object.facts);
        set_customer_key!($output, object.facts);
        set_lock!($output, object.facts);
        if $mode.is_some_and(|mode| mode.as_str().eq_ignore_ascii_case("ENABLED"))
            && let Some(checksum) = checksum_of(object, range.as_ref(), $part)
        {
            set_checksum!($output, Some(&checksum));
            $output.checksum_type = Some(ChecksumType::from_static(checksum.kind.name()));
        }
    };
}

impl Buckets {
    pub(super) async fn get(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let key = customer_key!(input);
        let wanted = Wanted {
            bucket: input.bucket,
            key: input.key,
            version: input.version_id,
            range: input.range,
            part: input.part_number,
            conditions: ReadConditions {
                if_match: input.if_match,
                if_none_match: input.if_none_match,
                if_modified_since: input.if_modified_since,
                if_unmodified_since: input.if_unmodified_since,
                asked: self.clock.now(),
            },
            customer_key: key,
            is_source: false,
        };
        let Read { found, body } = self.read_object(wanted).await?;
        let mut output = GetObjectOutput::default();
        describe!(output, found, input.part_number, input.checksum_mode);
        output.tag_count = tag_count(&found.stored.object);
        output.body = Some(body);
        Ok(S3Response::new(output))
    }

    pub(super) async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        let key = customer_key!(input);
        let wanted = Wanted {
            bucket: input.bucket,
            key: input.key,
            version: input.version_id,
            range: input.range,
            part: input.part_number,
            conditions: ReadConditions {
                if_match: input.if_match,
                if_none_match: input.if_none_match,
                if_modified_since: input.if_modified_since,
                if_unmodified_since: input.if_unmodified_since,
                asked: self.clock.now(),
            },
            customer_key: key,
            is_source: false,
        };
        let found = self.store.read(move |connection| wanted.find(connection, "HEAD")).await?;
        let mut output = HeadObjectOutput::default();
        describe!(output, found, input.part_number, input.checksum_mode);
        let mut response = S3Response::new(output);
        if let Some(count) = tag_count(&found.stored.object) {
            // The crate knows it of a read alone.
            response.headers.insert(TAG_COUNT, HeaderValue::from(count));
        }
        Ok(response)
    }

    /// Reads an object's row and opens its bytes, which belong together: where a file is gone, the object was replaced in
    /// between, and its row is read again.
    pub(super) async fn read_object(&self, wanted: Wanted) -> Result<Read, Failure> {
        let mut gone = None;
        for _ in 0..READ_ATTEMPTS {
            let wanted = wanted.clone();
            let (found, small) = self
                .store
                .read(move |connection| {
                    let found = wanted.find(connection, "GET")?;
                    found.stored.object.facts.check_readable(wanted.conditions.asked)?;
                    let in_row = found.stored.object.segments.is_empty();
                    let small = if in_row { small_bytes(connection, found.stored.id)? } else { None };
                    Ok::<_, Failure>((found, small))
                })
                .await?;
            let object = &found.stored.object;
            let range = found.range.clone().unwrap_or(0..object.size);
            if object.segments.is_empty() {
                return Ok(Read { body: in_memory(small.unwrap_or_default(), &range), found });
            }
            let (blobs, slices) = (Arc::clone(self.store.blobs()), object.slices(&range));
            let opened = tokio::task::spawn_blocking(move || reading::open(&blobs, slices))
                .await
                .map_err(io::Error::from)
                .flatten();
            match opened {
                Ok(body) => return Ok(Read { found, body }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => gone = Some(error),
                Err(source) => return Err(Failure::Io { what: "opening the object's file", source }),
            }
        }
        let source = gone.unwrap_or_else(|| io::ErrorKind::NotFound.into());
        Err(Failure::Io { what: "opening the object's file", source })
    }
}

fn in_memory(bytes: Vec<u8>, range: &Range<u64>) -> StreamingBlob {
    let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
    let (from, to) = (place(range.start), place(range.end));
    StreamingBlob::from(Body::from(Bytes::from(bytes).slice(from..to)))
}

fn content_range(range: Option<&Range<u64>>, size: u64) -> Option<String> {
    range.filter(|range| !range.is_empty()).map(|range| format!("bytes {}-{}/{size}", range.start, range.end - 1))
}

/// The checksum of what is answered, where there is one: of the part, or of the whole.
fn checksum_of(object: &Object, range: Option<&Range<u64>>, part: Option<i32>) -> Option<Checksum> {
    let index = part.and_then(|part| usize::try_from(part).ok()?.checked_sub(1));
    if let Some(value) = index.and_then(|index| object.segments.get(index)?.checksum.clone()) {
        return Some(Checksum { value, ..object.checksum.clone() });
    }
    range.is_none_or(|range| range.start == 0 && range.end == object.size).then(|| object.checksum.clone())
}

/// How long an archived object stays restored, as a header says it.
fn restored(until: Millis) -> String {
    let expiry = http_date(&timestamp(until)).unwrap_or_default();
    format!("ongoing-request=\"false\", expiry-date=\"{expiry}\"")
}

fn tag_count(object: &Object) -> Option<i32> {
    i32::try_from(object.tags.len()).ok().filter(|count| *count > 0)
}
