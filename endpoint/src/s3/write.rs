//! Objects in: a plain put.

use std::sync::Arc;

use s3s::{
    S3Request, S3Response, S3Result,
    dto::{ChecksumType, PutObjectInput, PutObjectOutput, ServerSideEncryption},
};

use super::{
    Buckets,
    checksums::{Algorithm, given_checksums, set_checksum},
    conditions::WriteConditions,
    content::{self, Expected, MAX_CONTENT, Received, SMALL},
    encryption::{self, customer_key, set_customer_key, set_encryption},
    error::Failure,
    events::{Change, Event, trace_header},
    expiry,
    facts::{Facts, Tags, etag, header_tags},
    grants::asked_grants,
    lock::{self, asked_lock},
    rows::{Object, existing_bucket},
    versions::{NULL_VERSION, conditions_hold, put_object},
};

/// The headers that an input has for an object.
macro_rules! facts_of {
    ($input:expr) => {
        $crate::s3::facts::Facts {
            content_type: $input.content_type.take(),
            cache_control: $input.cache_control.take(),
            content_disposition: $input.content_disposition.take(),
            content_encoding: $input.content_encoding.take(),
            content_language: $input.content_language.take(),
            expires: $input.expires.as_ref().and_then($crate::s3::facts::http_date),
            website_redirect_location: $input.website_redirect_location.take(),
            storage_class: $input.storage_class.take().map(|class| class.as_str().to_owned()),
            encryption: $input.server_side_encryption.take().map(|algorithm| algorithm.as_str().to_owned()),
            encryption_key: $input.ssekms_key_id.take(),
            bucket_key: $input.bucket_key_enabled.take(),
            metadata: $input.metadata.take().unwrap_or_default().into_iter().collect(),
            ..$crate::s3::facts::Facts::default()
        }
        .checked()
    };
}

pub(super) use facts_of;

/// An object on its way in, its content already here.
pub(super) struct Incoming {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) facts: Facts,
    pub(super) tags: Tags,
    pub(super) conditions: WriteConditions,
    pub(super) change: Change,
    /// What traces the request through services.
    pub(super) trace_header: Option<String>,
}

/// What became of an object that was put.
pub(super) struct Saved {
    /// Where there are versions.
    pub(super) version: Option<String>,
    pub(super) facts: Facts,
    /// When it would expire.
    pub(super) expiry: Option<String>,
}

impl Buckets {
    pub(super) async fn put(&self, mut request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let expected = Expected {
            content_md5: request.input.content_md5.take(),
            checksums: given_checksums!(request.input),
            algorithm: request.input.checksum_algorithm.take().map(|algorithm| algorithm.as_str().to_owned()),
            length: request.input.content_length,
            size: 0..=MAX_CONTENT,
            trailer: Expected::trailer_names(&request.headers),
            trailing: request.trailing_headers.take(),
            is_part: false,
        };
        let mut input = request.input;
        if input.write_offset_bytes.is_some() {
            let reason = "Appending is offered by directory buckets only";
            return Err(Failure::HeaderNotImplemented { header: "x-amz-write-offset-bytes", reason }.into());
        }
        let customer_key =
            customer_key!(input).checked(input.server_side_encryption.as_ref().map(ServerSideEncryption::as_str))?;
        let acl = self.list_asked_for(input.bucket.clone(), asked_grants!(input)).await?;
        let lock = self.lock_asked_for(input.bucket.clone(), asked_lock!(input)).await?;
        let incoming = Incoming {
            facts: Facts { customer_key, lock, acl, ..facts_of!(input)? },
            tags: header_tags(input.tagging.as_deref())?,
            conditions: WriteConditions { if_match: input.if_match, if_none_match: input.if_none_match },
            bucket: input.bucket,
            key: input.key,
            change: Change::Put,
            trace_header: trace_header(&request.headers),
        };
        // Before the content where that is much, so that a missing bucket does not cost an upload.
        if expected.length.is_none_or(|length| length.unsigned_abs() > SMALL as u64) {
            self.bucket(incoming.bucket.clone()).await?;
        }
        let blobs = self.store.blobs();
        let received = content::receive(blobs, input.body, &expected, Algorithm::Crc64Nvme, None, SMALL).await?;
        let (tag, checksum) = (received.etag(), received.sent());
        let mut output = PutObjectOutput { e_tag: Some(etag(&tag)), ..PutObjectOutput::default() };
        set_checksum!(output, Some(&checksum));
        output.checksum_type = Some(ChecksumType::from_static(checksum.kind.name()));
        let Saved { version, facts, expiry } = self.save(incoming, received).await?;
        set_encryption!(output, facts);
        set_customer_key!(output, facts);
        // Of a bucket that keeps no versions any more, this answer alone leaves the version out.
        output.version_id = version.filter(|version| version != NULL_VERSION);
        output.expiration = expiry;
        Ok(S3Response::new(output))
    }

    /// Writes the row of an object whose content is here, and its events.
    pub(super) async fn save(&self, incoming: Incoming, received: Received) -> Result<Saved, Failure> {
        let clock = Arc::clone(&self.clock);
        let names = self.names.clone();
        let save = move |unit: &mut crate::store::Unit<'_>| {
            let Incoming { bucket, key, mut facts, tags, conditions, change, trace_header } = incoming;
            let bucket = existing_bucket(unit.connection(), &bucket)?;
            conditions_hold(unit.connection(), &bucket, &key, &conditions)?;
            encryption::inherit(unit.connection(), &bucket, &names.account, &mut facts)?;
            lock::inherit(unit.connection(), &bucket, &mut facts, clock.now())?;
            let (etag, checksum, size) = (received.etag(), received.sent(), received.size);
            // A file stays once a row names it, and goes with `received` where none does.
            let (segments, small) = received.kept.keep(size);
            let modified = clock.now();
            let object = Object { size, etag, modified, facts, checksum, tags, segments, upload: None };
            let version = put_object(unit, &bucket, &key, &object, &small)?;
            let version = bucket.shown(&version);
            let event = Event::of_object(change, &key, &object, version.clone()).traced(trace_header);
            event.send(unit, &names, &bucket)?;
            let expiry = expiry::of_object(unit.connection(), &bucket, &key, &object)?;
            Ok(Saved { version, facts: object.facts, expiry })
        };
        self.store.write(save).await
    }
}
