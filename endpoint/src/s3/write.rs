//! Objects in: a plain put.

use std::sync::Arc;

use s3s::{
    S3Request, S3Response, S3Result,
    dto::{ChecksumType, PutObjectInput, PutObjectOutput},
};

use super::{
    Buckets,
    checksums::{Algorithm, given_checksums, set_checksum},
    conditions::WriteConditions,
    content::{self, Expected, MAX_CONTENT, Received, SMALL},
    error::Failure,
    events::{Change, Event},
    facts::{Facts, Tags, etag, header_tags},
    rows::{Object, existing_bucket},
    versions::{conditions_hold, put_object},
};

/// Access control lists that say what holds here anyway.
pub(super) const MEANINGLESS_ACLS: &[&str] = &["private", "bucket-owner-full-control"];

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
        }
        .checked()
    };
}

/// Says in an answer what the object is said to be encrypted with.
macro_rules! set_encryption {
    ($output:expr, $facts:expr) => {
        $output.server_side_encryption = Some($facts.encryption());
        $output.ssekms_key_id = $facts.encryption_key.clone();
        $output.bucket_key_enabled = $facts.bucket_key;
    };
}

/// Refuses what an input asks for that would silently not hold.
macro_rules! refuse_unsupported {
    ($input:expr) => {
        $crate::s3::write::refuse(
            $input.sse_customer_key.is_some() || $input.sse_customer_algorithm.is_some(),
            $input.object_lock_mode.is_some() || $input.object_lock_legal_hold_status.is_some(),
            $input.acl.as_ref().map(|acl| acl.as_str()),
        )
    };
}

pub(super) use {facts_of, refuse_unsupported, set_encryption};

pub(super) fn refuse(customer_key: bool, lock: bool, acl: Option<&str>) -> Result<(), Failure> {
    if customer_key {
        return Err(Failure::NotImplemented("encryption with a customer's key"));
    }
    if lock {
        return Err(Failure::InvalidRequest("Bucket is missing Object Lock Configuration".into()));
    }
    if acl.is_some_and(|acl| !MEANINGLESS_ACLS.contains(&acl)) {
        return Err(Failure::AccessControlListNotSupported);
    }
    Ok(())
}

/// An object on its way in, its content already here.
pub(super) struct Incoming {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) facts: Facts,
    pub(super) tags: Tags,
    pub(super) conditions: WriteConditions,
    pub(super) change: Change,
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
        };
        let mut input = request.input;
        refuse_unsupported!(input)?;
        if input.write_offset_bytes.is_some() {
            let reason = "Appending is offered by directory buckets only";
            return Err(Failure::HeaderNotImplemented { header: "x-amz-write-offset-bytes", reason }.into());
        }
        let incoming = Incoming {
            facts: facts_of!(input)?,
            tags: header_tags(input.tagging.as_deref())?,
            conditions: WriteConditions { if_match: input.if_match, if_none_match: input.if_none_match },
            bucket: input.bucket,
            key: input.key,
            change: Change::Put,
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
        set_encryption!(output, incoming.facts);
        output.checksum_type = Some(ChecksumType::from_static(checksum.kind.name()));
        output.version_id = self.save(incoming, received).await?;
        Ok(S3Response::new(output))
    }

    /// Writes the row of an object whose content is here, and its events. Answers with the version, where there are versions.
    pub(super) async fn save(&self, incoming: Incoming, received: Received) -> Result<Option<String>, Failure> {
        let clock = Arc::clone(&self.clock);
        let names = self.names.clone();
        let save = move |unit: &mut crate::store::Unit<'_>| {
            let Incoming { bucket, key, facts, tags, conditions, change } = incoming;
            let bucket = existing_bucket(unit.connection(), &bucket)?;
            conditions_hold(unit.connection(), &bucket, &key, &conditions)?;
            let (etag, checksum, size) = (received.etag(), received.sent(), received.size);
            // A file stays once a row names it, and goes with `received` where none does.
            let (segments, small) = received.kept.keep(size);
            let modified = clock.now();
            let object = Object { size, etag, modified, facts, checksum, tags, segments, upload: None };
            let version = put_object(unit, &bucket, &key, &object, &small)?;
            Event::of_object(change, &key, &object, bucket.shown(&version)).send(unit, &names, &bucket)?;
            Ok(bucket.shown(&version))
        };
        self.store.write(save).await
    }
}
