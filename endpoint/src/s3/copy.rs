//! Copies of objects: the bytes are shared where the file system can.

use std::{io, sync::Arc};

use http::HeaderMap;
use s3s::{
    S3Request, S3Response, S3Result,
    dto::{
        ChecksumType, CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, MetadataDirective,
        ServerSideEncryption, TaggingDirective,
    },
};

use crate::store::{Blobs, NewBlob, Unit};

use super::{
    Buckets,
    checksums::{Algorithm, set_checksum},
    conditions::{ReadConditions, WriteConditions},
    content::{self, Expected, SMALL},
    encryption::{self, customer_key, set_customer_key, set_encryption, source_key},
    error::Failure,
    events::{Change, Event, trace_header},
    expiry,
    facts::{etag, header_tags, timestamp},
    grants::asked_grants,
    lock::{self, asked_lock},
    objects::{Found, Read, Wanted},
    rows::{Object, Segment, SmallBytes, existing_bucket},
    settings::{self, Setting},
    versions::{NULL_VERSION, Stored, conditions_hold, existing_object, put_object, small_bytes},
    write::{Saved, facts_of},
};

const REPLACE: &str = "REPLACE";
/// How often a copy starts again because its source was replaced meanwhile.
const ATTEMPTS: usize = 5;

/// An object with bytes of its own that no row names yet.
struct Duplicate {
    object: Object,
    blobs: Vec<NewBlob>,
    small: SmallBytes,
    /// The version that it is of, where there are versions.
    source: Option<String>,
}

impl Buckets {
    pub(super) async fn copy(&self, request: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let mut input = request.input;
        let replaces =
            directive(input.metadata_directive.as_ref().map(MetadataDirective::as_str), "x-amz-metadata-directive")?;
        let replaces_tags =
            directive(input.tagging_directive.as_ref().map(TaggingDirective::as_str), "x-amz-tagging-directive")?;
        let mut wanted = source(&input.copy_source, &request.headers)?;
        let changes = replaces
            || input.storage_class.is_some()
            || input.website_redirect_location.is_some()
            || input.server_side_encryption.is_some()
            || input.sse_customer_key.is_some()
            || input.copy_source_sse_customer_key.is_some()
            || wanted.version.is_some();
        let onto_itself = wanted.bucket == input.bucket && wanted.key == input.key && !changes;
        wanted.conditions = ReadConditions {
            if_match: input.copy_source_if_match.take(),
            if_none_match: input.copy_source_if_none_match.take(),
            if_modified_since: input.copy_source_if_modified_since.take(),
            if_unmodified_since: input.copy_source_if_unmodified_since.take(),
            asked: self.clock.now(),
        };
        wanted.customer_key = source_key!(input);
        let customer_key =
            customer_key!(input).checked(input.server_side_encryption.as_ref().map(ServerSideEncryption::as_str))?;
        let acl = self.list_asked_for(input.bucket.clone(), asked_grants!(input)).await?;
        let lock = self.lock_asked_for(input.bucket.clone(), asked_lock!(input)).await?;
        let algorithm = input.checksum_algorithm.as_ref().map(|named| Algorithm::parse(named.as_str())).transpose()?;
        self.bucket(input.bucket.clone()).await?;
        if onto_itself {
            self.check_onto_itself(&wanted).await?;
        }
        let mut duplicate = self.duplicate(wanted, algorithm).await?;
        let own = facts_of!(input)?;
        let object = &mut duplicate.object;
        if replaces {
            object.facts = own;
        } else {
            // These are never copied.
            object.facts.storage_class = own.storage_class;
            object.facts.website_redirect_location = own.website_redirect_location;
            object.facts.encryption = own.encryption;
            object.facts.encryption_key = own.encryption_key;
            object.facts.bucket_key = own.bucket_key;
            object.facts.restored_until = None;
        }
        object.facts.customer_key = customer_key;
        object.facts.acl = acl;
        object.facts.lock = lock;
        if replaces_tags {
            object.tags = header_tags(input.tagging.as_deref())?;
        }
        object.modified = self.clock.now();
        object.upload = None;
        let mut result = CopyObjectResult {
            e_tag: Some(etag(&object.etag)),
            last_modified: Some(timestamp(object.modified)),
            checksum_type: Some(ChecksumType::from_static(object.checksum.kind.name())),
            ..CopyObjectResult::default()
        };
        set_checksum!(result, Some(&object.checksum));
        let mut output = CopyObjectOutput {
            copy_object_result: Some(result),
            copy_source_version_id: duplicate.source.clone().filter(|version| version != NULL_VERSION),
            ..CopyObjectOutput::default()
        };
        let saved = self.save_copy(input.bucket, input.key, duplicate, &request.headers).await?;
        let Saved { version, facts, expiry } = saved;
        set_encryption!(output, facts);
        set_customer_key!(output, facts);
        output.version_id = version;
        output.expiration = expiry;
        Ok(S3Response::new(output))
    }

    /// A copy onto itself that changes nothing is refused. Encryption changes by itself where the object has another one than its
    /// bucket gives.
    async fn check_onto_itself(&self, wanted: &Wanted) -> Result<(), Failure> {
        let (bucket, key) = (wanted.bucket.clone(), wanted.key.clone());
        let changes = move |connection: &rusqlite::Connection| {
            let (bucket, stored) = existing_object(connection, &bucket, &key, None, "GET")?;
            let configured = settings::find(connection, &bucket, Setting::Encryption)?.is_some();
            Ok::<_, Failure>(configured || stored.object.facts.encryption().as_str() != ServerSideEncryption::AES256)
        };
        if self.store.read(changes).await? {
            return Ok(());
        }
        let reason = "This copy request is illegal because it is trying to copy an object to itself without changing the \
                      object's metadata, storage class, website redirect location or encryption attributes.";
        Err(Failure::InvalidRequest(reason.into()))
    }

    async fn save_copy(
        &self,
        bucket: String,
        key: String,
        copy: Duplicate,
        headers: &HeaderMap,
    ) -> Result<Saved, Failure> {
        let (conditions, trace_header) = (WriteConditions::of_headers(headers), trace_header(headers));
        let names = self.names.clone();
        let save = move |unit: &mut Unit<'_>| {
            let bucket = existing_bucket(unit.connection(), &bucket)?;
            conditions_hold(unit.connection(), &bucket, &key, &conditions)?;
            let Duplicate { mut object, blobs, small, .. } = copy;
            encryption::inherit(unit.connection(), &bucket, &names.account, &mut object.facts)?;
            lock::inherit(unit.connection(), &bucket, &mut object.facts, object.modified)?;
            for (segment, blob) in object.segments.iter_mut().zip(blobs) {
                segment.blob = blob.keep();
            }
            let version = put_object(unit, &bucket, &key, &object, &small)?;
            let shown = bucket.shown(&version);
            let event = Event::of_object(Change::Copy, &key, &object, shown.clone()).traced(trace_header);
            event.send(unit, &names, &bucket)?;
            let expiry = expiry::of_object(unit.connection(), &bucket, &key, &object)?;
            Ok(Saved { version: shown, facts: object.facts, expiry })
        };
        self.store.write(save).await
    }

    /// The object of a key, with bytes of its own. A copy is one piece whatever its source was, and has the checksum that is
    /// asked for: where that cannot be taken from the source, the bytes are read again.
    async fn duplicate(&self, wanted: Wanted, algorithm: Option<Algorithm>) -> Result<Duplicate, Failure> {
        let mut gone = None;
        for _ in 0..ATTEMPTS {
            let (found, small) = self.source_of_copy(wanted.clone()).await?;
            let Found { bucket, stored: Stored { version, object, .. }, .. } = found;
            let source = bucket.shown(&version);
            if object.in_parts() || algorithm.is_some_and(|algorithm| algorithm != object.checksum.algorithm) {
                // The exact version that was found, or the newest one would be another one by now.
                let wanted = Wanted { version: Some(version), ..wanted.clone() };
                return self.rewritten(wanted, object, source, algorithm).await;
            }
            let (blobs, segments) = (Arc::clone(self.store.blobs()), object.segments.clone());
            let duplicated = tokio::task::spawn_blocking(move || duplicate_blobs(&blobs, &segments)).await;
            match duplicated.map_err(io::Error::from).flatten() {
                Ok(blobs) => return Ok(Duplicate { object, blobs, small, source }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => gone = Some(error),
                Err(source) => return Err(Failure::Io { what: "copying the object's file", source }),
            }
        }
        let source = gone.unwrap_or_else(|| io::ErrorKind::NotFound.into());
        Err(Failure::Io { what: "copying the object's file", source })
    }

    /// The row of what is copied, with its bytes where they are in a row too.
    async fn source_of_copy(&self, wanted: Wanted) -> Result<(Found, SmallBytes), Failure> {
        self.store
            .read(move |connection| {
                let found = existing_object(connection, &wanted.bucket, &wanted.key, wanted.version.as_deref(), "GET");
                let (bucket, stored) = found.map_err(no_source)?;
                wanted.conditions.check_source(&stored.object.etag, stored.object.modified)?;
                wanted.customer_key.check_opens(&stored.object.facts)?;
                stored.object.facts.check_readable(wanted.conditions.asked).map_err(no_source)?;
                let in_row = stored.object.segments.is_empty();
                let small = if in_row { small_bytes(connection, stored.id)? } else { None };
                Ok((Found { bucket, stored, range: None, expiry: None }, small.map(Into::into)))
            })
            .await
    }

    async fn rewritten(
        &self,
        wanted: Wanted,
        mut object: Object,
        source: Option<String>,
        algorithm: Option<Algorithm>,
    ) -> Result<Duplicate, Failure> {
        let Read { body, .. } = self.read_object(wanted).await?;
        let algorithm = algorithm.unwrap_or(object.checksum.algorithm);
        let received =
            content::receive(self.store.blobs(), Some(body), &Expected::nothing(), algorithm, None, SMALL).await?;
        object.size = received.size;
        object.etag = received.etag();
        object.checksum = received.sent();
        match received.kept {
            content::Kept::Small(bytes) => {
                object.segments = Vec::new();
                Ok(Duplicate { object, blobs: Vec::new(), small: Some(bytes), source })
            }
            content::Kept::File(blob) => {
                object.segments = vec![Segment { blob: blob.id(), size: object.size, checksum: None }];
                Ok(Duplicate { object, blobs: vec![blob], small: None, source })
            }
        }
    }
}

/// What is wrong with an object that is to be copied, in the words that the service has for it.
fn no_source(failure: Failure) -> Failure {
    match failure {
        Failure::DeleteMarker { .. } => {
            let reason = "The source of a copy request may not specifically refer to a delete marker by version id.";
            Failure::InvalidRequest(reason.into())
        }
        Failure::InvalidObjectState { class, .. } => Failure::InvalidObjectState {
            class,
            message: "Operation is not valid for the source object's storage class",
        },
        other => other,
    }
}

fn directive(value: Option<&str>, name: &'static str) -> Result<bool, Failure> {
    match value {
        None | Some("COPY") => Ok(false),
        Some(REPLACE) => Ok(true),
        Some(other) => {
            let message = match name {
                "x-amz-metadata-directive" => "Unknown metadata directive.",
                _ => "Unknown tagging directive.",
            };
            Err(Failure::argument(name, other, message))
        }
    }
}

fn duplicate_blobs(blobs: &Arc<Blobs>, segments: &[Segment]) -> io::Result<Vec<NewBlob>> {
    let duplicate = |segment: &Segment| Ok(NewBlob::new(Arc::clone(blobs), blobs.duplicate(&segment.blob)?));
    segments.iter().map(duplicate).collect()
}

/// What a copy is from. In the header a plus is a space, which the crate does not know.
pub(super) fn source(source: &CopySource, headers: &HeaderMap) -> Result<Wanted, Failure> {
    let header = headers.get("x-amz-copy-source").and_then(|header| header.to_str().ok());
    let spaced = header.filter(|header| header.contains('+')).map(|header| header.replace('+', "%20"));
    let spaced = spaced.and_then(|header| CopySource::parse(&header).ok());
    match spaced.as_ref().unwrap_or(source) {
        CopySource::Bucket { bucket, key, version_id } => Ok(Wanted {
            bucket: bucket.to_string(),
            key: key.to_string(),
            version: version_id.as_ref().map(ToString::to_string),
            is_source: true,
            ..Wanted::default()
        }),
        CopySource::AccessPoint { .. } | CopySource::Outpost { .. } => {
            Err(Failure::NotImplemented("copying from an access point"))
        }
    }
}
