//! Uploads in parts: begun, filled, given up. Completing one is in [`super::complete`], listing in [`super::uploads`].

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};
use s3s::{
    S3Request, S3Response, S3Result,
    dto::{
        AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumAlgorithm, ChecksumType, CopyPartResult,
        CreateMultipartUploadInput, CreateMultipartUploadOutput, Range as ByteRange, ServerSideEncryption,
        UploadPartCopyInput, UploadPartCopyOutput, UploadPartInput, UploadPartOutput,
    },
};
use uuid::Uuid;

use crate::{
    clock::Millis,
    json::Json,
    store::{BlobId, Unit},
};

use super::{
    Buckets,
    checksums::{Algorithm, Checksum, Kind, given_checksums, set_checksum},
    conditions::ReadConditions,
    content::{self, Expected, MAX_CONTENT, Received},
    copy,
    encryption::{self, customer_key, set_customer_key, set_encryption, source_key},
    error::Failure,
    facts::{Facts, Tags, etag, header_tags, timestamp},
    grants::asked_grants,
    lock::asked_lock,
    objects::Read,
    pages::key_text,
    rows::{existing_bucket, signed},
    versions::current,
    write::facts_of,
};

const MAX_PARTS: i32 = 10_000;
/// Parts are in files whatever their size, so that a complete object is what lies there already.
const FILE: usize = 0;

/// An upload that is not complete.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) initiated: Millis,
    pub(super) facts: Facts,
    pub(super) tags: Tags,
    /// None where the client chose none: then its parts may come with any checksum, and the default one is kept.
    pub(super) chosen: Option<Algorithm>,
    pub(super) kind: Kind,
}

impl Upload {
    /// The algorithm of the checksums that are kept.
    pub(super) fn algorithm(&self) -> Algorithm {
        self.chosen.unwrap_or(Algorithm::Crc64Nvme)
    }

    /// Whether completing it takes the checksum of every part: where a checksum of these is to be verified.
    pub(super) fn needs_part_checksums(&self) -> bool {
        self.chosen.is_some() && self.kind == Kind::Composite
    }
}

/// A part of an upload.
#[derive(Debug, Clone)]
pub(super) struct StoredPart {
    pub(super) number: i32,
    pub(super) blob: BlobId,
    pub(super) size: i64,
    pub(super) etag: String,
    pub(super) checksum: Checksum,
    pub(super) modified: Millis,
}

pub(super) const COLUMNS: &str = "id, key, initiated_ms, facts, tags, algorithm, kind";

pub(super) fn upload(row: &Row<'_>) -> rusqlite::Result<Upload> {
    Ok(Upload {
        id: row.get(0)?,
        key: key_text(row.get(1)?),
        initiated: row.get(2)?,
        facts: row.get::<_, Json<_>>(3)?.0,
        tags: row.get::<_, Json<_>>(4)?.0,
        chosen: row.get::<_, Json<_>>(5)?.0,
        kind: row.get::<_, Json<_>>(6)?.0,
    })
}

pub(super) fn existing_upload(connection: &Connection, bucket: &str, key: &str, id: &str) -> Result<Upload, Failure> {
    let bucket = existing_bucket(connection, bucket)?;
    let sql = format!("SELECT {COLUMNS} FROM upload WHERE id = ?1 AND bucket_id = ?2 AND key = ?3");
    let fields = params![id, bucket.id, key.as_bytes()];
    connection
        .prepare_cached(&sql)?
        .query_row(fields, upload)
        .optional()?
        .ok_or_else(|| Failure::NoSuchUpload(id.to_owned()))
}

/// The parts of an upload whose number is above `after`.
pub(super) fn parts(
    connection: &Connection,
    upload: &str,
    after: i32,
    most: i32,
) -> Result<Vec<StoredPart>, rusqlite::Error> {
    let sql = "SELECT number, blob, size, etag, checksum, modified_ms FROM part \
               WHERE upload_id = ?1 AND number > ?2 ORDER BY number LIMIT ?3";
    let part = |row: &Row<'_>| {
        Ok(StoredPart {
            number: row.get(0)?,
            blob: row.get(1)?,
            size: row.get(2)?,
            etag: row.get(3)?,
            checksum: row.get::<_, Json<_>>(4)?.0,
            modified: row.get(5)?,
        })
    };
    connection.prepare_cached(sql)?.query_map(params![upload, after, most], part)?.collect()
}

impl Buckets {
    pub(super) async fn begin_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let mut input = request.input;
        let named = input.checksum_algorithm.take().map(|named| Algorithm::parse(named.as_str())).transpose()?;
        let kind = checksum_kind(named, input.checksum_type.take().as_ref().map(ChecksumType::as_str))?;
        let customer_key =
            customer_key!(input).checked(input.server_side_encryption.as_ref().map(ServerSideEncryption::as_str))?;
        let acl = self.list_asked_for(input.bucket.clone(), asked_grants!(input)).await?;
        let lock = self.lock_asked_for(input.bucket.clone(), asked_lock!(input)).await?;
        let mut facts = Facts { customer_key, lock, acl, ..facts_of!(input)? };
        let tags = header_tags(input.tagging.as_deref())?;
        let now = self.clock.now();
        let id = upload_id(now);
        let account = self.names.account.clone();
        let (upload_id, bucket, key) = (id.clone(), input.bucket.clone(), input.key.clone());
        let begin = move |unit: &mut Unit<'_>| {
            let bucket = existing_bucket(unit.connection(), &bucket)?;
            let sql = "INSERT INTO upload (id, bucket_id, key, initiated_ms, facts, tags, algorithm, kind) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
            facts.replaces = current(unit.connection(), &bucket, &key)?.is_some();
            encryption::inherit(unit.connection(), &bucket, &account, &mut facts)?;
            let (algorithm, kind) = (Json(named), Json(kind));
            let fields = params![id, bucket.id, key.as_bytes(), now, Json(&facts), Json(&tags), algorithm, kind];
            unit.connection().prepare_cached(sql)?.execute(fields)?;
            Ok::<_, Failure>(facts)
        };
        let facts = self.store.write(begin).await?;
        let mut output = CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(upload_id),
            checksum_algorithm: named.map(|algorithm| ChecksumAlgorithm::from_static(algorithm.name())),
            checksum_type: named.map(|_| ChecksumType::from_static(kind.name())),
            ..CreateMultipartUploadOutput::default()
        };
        set_encryption!(output, facts);
        set_customer_key!(output, facts);
        Ok(S3Response::new(output))
    }

    pub(super) async fn put_part(
        &self,
        mut request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let expected = Expected {
            content_md5: request.input.content_md5.take(),
            checksums: given_checksums!(request.input),
            algorithm: request.input.checksum_algorithm.take().map(|algorithm| algorithm.as_str().to_owned()),
            length: request.input.content_length,
            size: 0..=MAX_CONTENT,
            trailer: Expected::trailer_names(&request.headers),
            trailing: request.trailing_headers.take(),
            is_part: true,
        };
        let input = request.input;
        let upload = self.upload(&input.bucket, &input.key, &input.upload_id).await?;
        check_number(input.part_number)?;
        customer_key!(input).check_continues(&upload.facts)?;
        let kept = upload.algorithm();
        let received = content::receive(self.store.blobs(), input.body, &expected, kept, Some(kept), FILE).await?;
        let sent = received.sent();
        if let Some(chosen) = upload.chosen.filter(|chosen| *chosen != sent.algorithm) {
            return Err(Failure::InvalidRequest(format!(
                "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
                chosen.name().to_ascii_lowercase(),
                sent.algorithm.name().to_ascii_lowercase()
            ))
            .into());
        }
        let mut output = UploadPartOutput { e_tag: Some(etag(&received.etag())), ..UploadPartOutput::default() };
        set_checksum!(output, Some(&sent));
        set_encryption!(output, upload.facts);
        set_customer_key!(output, upload.facts);
        self.save_part(input.bucket, input.key, input.upload_id, input.part_number, received).await?;
        Ok(S3Response::new(output))
    }

    pub(super) async fn copy_part(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let input = request.input;
        let upload = self.upload(&input.bucket, &input.key, &input.upload_id).await?;
        check_number(input.part_number)?;
        let mut wanted = copy::source(&input.copy_source, &request.headers)?;
        let range = input.copy_source_range.as_deref().map(source_range).transpose()?;
        wanted.range = range;
        wanted.customer_key = source_key!(input);
        let own_key = customer_key!(input);
        wanted.conditions = ReadConditions {
            if_match: input.copy_source_if_match,
            if_none_match: input.copy_source_if_none_match,
            if_modified_since: input.copy_source_if_modified_since,
            if_unmodified_since: input.copy_source_if_unmodified_since,
            asked: self.clock.now(),
        };
        own_key.check_continues(&upload.facts)?;
        let Read { found, body } = self.read_object(wanted).await.map_err(out_of_range)?;
        let size = found.stored.object.size;
        // Unlike that of a read, the range must lie inside.
        if let Some(ByteRange::Int { last: Some(last), .. }) = range
            && last >= size
        {
            let reason = format!("Range specified is not valid for source object of size: {size}");
            let given = input.copy_source_range.unwrap_or_default();
            return Err(Failure::argument("x-amz-copy-source-range", given, reason).into());
        }
        let expected = Expected::nothing();
        let blobs = self.store.blobs();
        let received = content::receive(blobs, Some(body), &expected, upload.algorithm(), None, FILE).await?;
        let mut result = CopyPartResult {
            e_tag: Some(etag(&received.etag())),
            last_modified: Some(timestamp(self.clock.now())),
            ..CopyPartResult::default()
        };
        set_checksum!(result, upload.chosen.map(|_| received.sent()));
        self.save_part(input.bucket, input.key, input.upload_id, input.part_number, received).await?;
        let mut output = UploadPartCopyOutput {
            copy_part_result: Some(result),
            copy_source_version_id: found.bucket.shown(&found.stored.version),
            ..UploadPartCopyOutput::default()
        };
        set_encryption!(output, upload.facts);
        set_customer_key!(output, upload.facts);
        Ok(S3Response::new(output))
    }

    async fn upload(&self, bucket: &str, key: &str, id: &str) -> Result<Upload, Failure> {
        let (bucket, key, id) = (bucket.to_owned(), key.to_owned(), id.to_owned());
        self.store.read(move |connection| existing_upload(connection, &bucket, &key, &id)).await
    }

    /// Puts a part in the place of the one that has its number.
    async fn save_part(
        &self,
        bucket: String,
        key: String,
        id: String,
        number: i32,
        received: Received,
    ) -> Result<(), Failure> {
        let clock = Arc::clone(&self.clock);
        let save = move |unit: &mut Unit<'_>| {
            // Completed or aborted meanwhile, it takes no more parts.
            let upload = existing_upload(unit.connection(), &bucket, &key, &id)?;
            let previous = "DELETE FROM part WHERE upload_id = ?1 AND number = ?2 RETURNING blob";
            let fields = params![upload.id, number];
            let previous =
                unit.connection().prepare_cached(previous)?.query_row(fields, |row| row.get(0)).optional()?;
            if let Some(blob) = previous {
                unit.discard(blob);
            }
            let sql = "INSERT INTO part (upload_id, number, blob, size, etag, checksum, modified_ms) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            let (tag, size, checksum) = (received.etag(), received.size, received.checksum(upload.algorithm()));
            for segment in received.kept.keep(size).0 {
                let fields = params![upload.id, number, segment.blob, signed(size), tag, Json(&checksum), clock.now()];
                unit.connection().prepare_cached(sql)?.execute(fields)?;
            }
            Ok(())
        };
        self.store.write(save).await
    }

    pub(super) async fn abort_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let input = request.input;
        let abort = move |unit: &mut Unit<'_>| {
            let upload = existing_upload(unit.connection(), &input.bucket, &input.key, &input.upload_id)?;
            for part in parts(unit.connection(), &upload.id, 0, MAX_PARTS)? {
                unit.discard(part.blob);
            }
            unit.connection().prepare_cached("DELETE FROM upload WHERE id = ?1")?.execute([&upload.id])?;
            Ok::<_, Failure>(())
        };
        self.store.write(abort).await?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}

/// Ids sort by age, as listings are sorted.
fn upload_id(now: Millis) -> String {
    format!("{now:012x}{}", Uuid::new_v4().simple())
}

/// Whether a text can be the id of an upload.
pub(super) fn is_upload_id(text: &str) -> bool {
    text.len() == 44 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The kind of checksum that an upload gets.
fn checksum_kind(algorithm: Option<Algorithm>, kind: Option<&str>) -> Result<Kind, Failure> {
    let Some(kind) = kind.map(Kind::parse).transpose()? else {
        return Ok(algorithm.unwrap_or(Algorithm::Crc64Nvme).default_kind());
    };
    let refused = |message: String| Err(Failure::InvalidRequest(message));
    match algorithm {
        None => {
            refused("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.".into())
        }
        Some(algorithm) if !algorithm.allows(kind) => refused(format!(
            "The {} checksum type cannot be used with the {} checksum algorithm.",
            kind.name(),
            algorithm.name().to_ascii_lowercase()
        )),
        Some(_) => Ok(kind),
    }
}

/// A range of the source of a part, which is written out in full, unlike the range of a read.
fn source_range(text: &str) -> Result<ByteRange, Failure> {
    let bounds = text.strip_prefix("bytes=").and_then(|bounds| bounds.split_once('-'));
    let bounds = bounds.and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    match bounds {
        Some((first, last)) if first <= last => Ok(ByteRange::Int { first, last: Some(last) }),
        _ => {
            let reason = "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last \
                          are the zero-based offsets of the first and last bytes to copy";
            Err(Failure::argument("x-amz-copy-source-range", text, reason))
        }
    }
}

fn out_of_range(failure: Failure) -> Failure {
    match failure {
        Failure::InvalidRange { .. } => {
            Failure::InvalidRequest("The specified copy range is invalid for the source object size".into())
        }
        other => other,
    }
}

fn check_number(number: i32) -> Result<(), Failure> {
    if (1..=MAX_PARTS).contains(&number) {
        return Ok(());
    }
    let reason = format!("Part number must be an integer between 1 and {MAX_PARTS}, inclusive");
    Err(Failure::argument("partNumber", number.to_string(), reason))
}
