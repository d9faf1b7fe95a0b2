//! Objects in: a plain put.

use s3s::{
    S3Request, S3Response, S3Result,
    dto::{ChecksumType, PutObjectInput, PutObjectOutput},
};

use super::{
    Buckets,
    checksums::{Algorithm, given_checksums, set_checksum},
    conditions::WriteConditions,
    content::{self, Expected},
    error::Failure,
    facts::{etag, header_tags},
    rows::{Object, Segment, conditions_hold, existing_bucket, put_object},
};

/// Access control lists that say what holds here anyway.
const MEANINGLESS_ACLS: &[&str] = &["private", "bucket-owner-full-control"];

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
            metadata: $input.metadata.take().unwrap_or_default().into_iter().collect(),
        }
        .checked()
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

pub(super) use {facts_of, refuse_unsupported};

pub(super) fn refuse(customer_key: bool, lock: bool, acl: Option<&str>) -> Result<(), Failure> {
    if customer_key {
        return Err(Failure::NotImplemented("encryption with a customer's key"));
    }
    if lock {
        return Err(Failure::NotImplemented("object lock"));
    }
    if acl.is_some_and(|acl| !MEANINGLESS_ACLS.contains(&acl)) {
        return Err(Failure::AccessControlListNotSupported);
    }
    Ok(())
}

impl Buckets {
    pub(super) async fn put(&self, mut request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let expected = Expected {
            content_md5: request.input.content_md5.take(),
            checksums: given_checksums!(request.input),
            algorithm: request.input.checksum_algorithm.take().map(|algorithm| algorithm.as_str().to_owned()),
            length: request.input.content_length,
            trailer: Expected::trailer_names(&request.headers),
            trailing: request.trailing_headers.take(),
        };
        let mut input = request.input;
        refuse_unsupported!(input)?;
        if input.write_offset_bytes.is_some() {
            return Err(Failure::NotImplemented("appending to an object").into());
        }
        let facts = facts_of!(input)?;
        let tags = header_tags(input.tagging.as_deref())?;
        let conditions = WriteConditions { if_match: input.if_match, if_none_match: input.if_none_match };
        // Before the content, so that a missing bucket does not cost an upload.
        self.bucket(input.bucket.clone()).await?;
        let received = content::receive(self.store.blobs(), input.body, &expected, Algorithm::Crc64Nvme, None).await?;

        let (tag, checksum, size) = (received.etag(), received.sent(), received.size);
        let mut output = PutObjectOutput { e_tag: Some(etag(&tag)), ..PutObjectOutput::default() };
        set_checksum!(output, Some(&checksum));
        output.checksum_type = Some(ChecksumType::from_static(checksum.kind.name()));
        let (clock, bucket, key) = (std::sync::Arc::clone(&self.clock), input.bucket, input.key);
        self.store
            .write(move |unit| {
                let bucket = existing_bucket(unit.connection(), &bucket)?;
                let mut object =
                    Object { size, etag: tag, modified: clock.now(), facts, checksum, tags, segments: Vec::new() };
                // The file stays once a row names it, and goes with `received` where none does.
                conditions_hold(unit, &bucket, &key, &conditions)?;
                object.segments.push(Segment { blob: received.blob.keep(), size });
                put_object(unit, &bucket, &key, &object)
            })
            .await?;
        Ok(S3Response::new(output))
    }
}
