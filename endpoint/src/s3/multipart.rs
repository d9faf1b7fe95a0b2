//! Uploads in parts: begun, filled, listed, given up. Completing one is in [`super::complete`].

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};
use s3s::{
    S3Request, S3Response, S3Result,
    dto::{
        AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumAlgorithm, ChecksumType, CopyPartResult,
        CreateMultipartUploadInput, CreateMultipartUploadOutput, ListMultipartUploadsInput, ListMultipartUploadsOutput,
        ListPartsInput, ListPartsOutput, MultipartUpload, Part, Range as ByteRange, UploadPartCopyInput,
        UploadPartCopyOutput, UploadPartInput, UploadPartOutput,
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
    content::{self, Expected, Received},
    copy,
    encoding::Encoder,
    error::Failure,
    facts::{Facts, Tags, etag, header_tags, timestamp},
    listing::page_size,
    objects::Selection,
    pages::key_text,
    rows::{existing_bucket, signed},
    write::{facts_of, refuse_unsupported},
};

const MAX_PARTS: i32 = 10_000;

/// An upload that is not complete.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) id: String,
    key: String,
    initiated: Millis,
    pub(super) facts: Facts,
    pub(super) tags: Tags,
    /// None where the client chose none: then its parts may come with any checksum, and the default one is kept.
    chosen: Option<Algorithm>,
    pub(super) kind: Kind,
}

impl Upload {
    /// The algorithm of the checksums that are kept.
    pub(super) fn algorithm(&self) -> Algorithm {
        self.chosen.unwrap_or(Algorithm::Crc64Nvme)
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
    modified: Millis,
}

const COLUMNS: &str = "id, key, initiated_ms, facts, tags, algorithm, kind";

fn upload(row: &Row<'_>) -> rusqlite::Result<Upload> {
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
        refuse_unsupported!(input)?;
        let named =
            input.checksum_algorithm.take().map(|algorithm| Algorithm::parse(algorithm.as_str())).transpose()?;
        let algorithm = named.unwrap_or(Algorithm::Crc64Nvme);
        let kind = input.checksum_type.take().map(|kind| Kind::parse(kind.as_str())).transpose()?;
        let kind = kind.unwrap_or_else(|| algorithm.default_kind());
        if !algorithm.allows(kind) {
            return Err(
                Failure::InvalidRequest(format!("{} has no checksum type {}", algorithm.name(), kind.name())).into()
            );
        }
        let (facts, tags) = (facts_of!(input)?, header_tags(input.tagging.as_deref())?);
        let (id, now) = (Uuid::new_v4().simple().to_string(), self.clock.now());
        let (upload_id, bucket, key) = (id.clone(), input.bucket.clone(), input.key.clone());
        let begin = move |unit: &mut Unit<'_>| {
            let bucket = existing_bucket(unit.connection(), &bucket)?;
            let sql = "INSERT INTO upload (id, bucket_id, key, initiated_ms, facts, tags, algorithm, kind) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
            let (facts, tags) = (Json(&facts), Json(&tags));
            let fields = params![id, bucket.id, key.as_bytes(), now, facts, tags, Json(named), Json(kind)];
            unit.connection().prepare_cached(sql)?.execute(fields)?;
            Ok::<_, Failure>(())
        };
        self.store.write(begin).await?;
        let output = CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(upload_id),
            checksum_algorithm: named.map(|algorithm| ChecksumAlgorithm::from_static(algorithm.name())),
            checksum_type: named.map(|_| ChecksumType::from_static(kind.name())),
            ..CreateMultipartUploadOutput::default()
        };
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
            trailer: Expected::trailer_names(&request.headers),
            trailing: request.trailing_headers.take(),
        };
        let input = request.input;
        check_number(input.part_number)?;
        let upload = self.upload(&input.bucket, &input.key, &input.upload_id).await?;
        let kept = upload.algorithm();
        let received = content::receive(self.store.blobs(), input.body, &expected, kept, Some(kept)).await?;
        if upload.chosen.is_some_and(|chosen| chosen != received.sent().algorithm) {
            let message = format!("the upload was begun with {} checksums, and the part has another", kept.name());
            return Err(Failure::InvalidRequest(message).into());
        }
        let mut output = UploadPartOutput { e_tag: Some(etag(&received.etag())), ..UploadPartOutput::default() };
        set_checksum!(output, Some(&received.sent()));
        self.save_part(input.bucket, input.key, input.upload_id, input.part_number, received).await?;
        Ok(S3Response::new(output))
    }

    pub(super) async fn copy_part(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let input = request.input;
        check_number(input.part_number)?;
        let (bucket, key) = copy::source(&input.copy_source)?;
        let invalid = |_| Failure::InvalidArgument("x-amz-copy-source-range is like bytes=0-9".into());
        let range = input.copy_source_range.as_deref().map(ByteRange::parse).transpose().map_err(invalid)?;
        let conditions = ReadConditions {
            if_match: input.copy_source_if_match,
            if_none_match: input.copy_source_if_none_match,
            if_modified_since: input.copy_source_if_modified_since,
            if_unmodified_since: input.copy_source_if_unmodified_since,
        };
        let upload = self.upload(&input.bucket, &input.key, &input.upload_id).await?;
        let read = self.read_object(bucket, key, Selection { range, part: None }, conditions).await?;
        let expected = Expected::nothing();
        let received =
            content::receive(self.store.blobs(), Some(read.body), &expected, upload.algorithm(), None).await?;
        let mut result = CopyPartResult {
            e_tag: Some(etag(&received.etag())),
            last_modified: Some(timestamp(self.clock.now())),
            ..CopyPartResult::default()
        };
        set_checksum!(result, Some(&received.sent()));
        self.save_part(input.bucket, input.key, input.upload_id, input.part_number, received).await?;
        Ok(S3Response::new(UploadPartCopyOutput { copy_part_result: Some(result), ..UploadPartCopyOutput::default() }))
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
            let (tag, size, checksum) =
                (received.etag(), signed(received.size), Json(received.checksum(upload.algorithm())));
            let fields = params![upload.id, number, received.blob.keep(), size, tag, checksum, clock.now()];
            unit.connection().prepare_cached(sql)?.execute(fields)?;
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

    pub(super) async fn list_parts_of(
        &self,
        request: S3Request<ListPartsInput>,
    ) -> S3Result<S3Response<ListPartsOutput>> {
        let input = request.input;
        let (max, after) = (page_size(input.max_parts)?, input.part_number_marker.unwrap_or(0));
        let (bucket, key, id) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
        let read = move |connection: &Connection| {
            let upload = existing_upload(connection, &bucket, &key, &id)?;
            let found = parts(connection, &upload.id, after, max + 1)?;
            Ok::<_, Failure>((upload, found))
        };
        let (upload, mut found) = self.store.read(read).await?;
        let most = usize::try_from(max).unwrap_or_default();
        let more = found.len() > most;
        found.truncate(most);
        let output = ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            checksum_algorithm: Some(ChecksumAlgorithm::from_static(upload.algorithm().name())),
            checksum_type: Some(ChecksumType::from_static(upload.kind.name())),
            is_truncated: Some(more),
            max_parts: Some(max),
            part_number_marker: input.part_number_marker,
            next_part_number_marker: found.last().map(|part| part.number),
            owner: Some(self.owner()),
            parts: Some(found.iter().map(listed).collect()),
            ..ListPartsOutput::default()
        };
        Ok(S3Response::new(output))
    }

    pub(super) async fn list_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = request.input;
        if input.delimiter.as_ref().is_some_and(|delimiter| !delimiter.is_empty()) {
            return Err(Failure::NotImplemented("ListMultipartUploads with a delimiter").into());
        }
        let max = page_size(input.max_uploads)?;
        let encode = Encoder::new(input.encoding_type.as_ref())?;
        let prefix = input.prefix.clone().unwrap_or_default();
        let (key, id) = (input.key_marker.clone().unwrap_or_default(), input.upload_id_marker.clone());
        let bucket = input.bucket.clone();
        let read = move |connection: &Connection| uploads(connection, &bucket, &prefix, &key, id.as_deref());
        let mut found = self.store.read(read).await?;
        let most = usize::try_from(max).unwrap_or_default();
        let more = found.len() > most;
        found.truncate(most);
        let last = found.last().filter(|_| more);
        let output = ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            is_truncated: Some(more),
            key_marker: input.key_marker.map(|marker| encode.text(marker)),
            upload_id_marker: input.upload_id_marker,
            next_key_marker: last.map(|upload| encode.text(upload.key.clone())),
            next_upload_id_marker: last.map(|upload| upload.id.clone()),
            max_uploads: Some(max),
            prefix: input.prefix.map(|prefix| encode.text(prefix)),
            encoding_type: input.encoding_type,
            uploads: Some(found.into_iter().map(|upload| shown(upload, &encode)).collect()),
            ..ListMultipartUploadsOutput::default()
        };
        Ok(S3Response::new(output))
    }
}

/// Uploads by key and id, after the marker. Without an id the marker stands for all uploads of its key.
fn uploads(
    connection: &Connection,
    bucket: &str,
    prefix: &str,
    key: &str,
    id: Option<&str>,
) -> Result<Vec<Upload>, Failure> {
    let bucket = existing_bucket(connection, bucket)?;
    let sql = format!(
        "SELECT {COLUMNS} FROM upload WHERE bucket_id = ?1 AND (?2 = x'' OR key > ?2 OR (key = ?2 AND id > ?3)) ORDER BY key, id"
    );
    // No id comes after this.
    let id = id.unwrap_or("~");
    let mut statement = connection.prepare_cached(&sql)?;
    let all = statement.query_map(params![bucket.id, key.as_bytes(), id], upload)?.collect::<Result<Vec<_>, _>>()?;
    Ok(all.into_iter().filter(|upload| upload.key.starts_with(prefix)).collect())
}

fn shown(upload: Upload, encode: &Encoder) -> MultipartUpload {
    MultipartUpload {
        checksum_algorithm: Some(ChecksumAlgorithm::from_static(upload.algorithm().name())),
        key: Some(encode.text(upload.key)),
        upload_id: Some(upload.id),
        initiated: Some(timestamp(upload.initiated)),
        checksum_type: Some(ChecksumType::from_static(upload.kind.name())),
        ..MultipartUpload::default()
    }
}

fn listed(part: &StoredPart) -> Part {
    let mut listed = Part {
        e_tag: Some(etag(&part.etag)),
        last_modified: Some(timestamp(part.modified)),
        part_number: Some(part.number),
        size: Some(part.size),
        ..Part::default()
    };
    set_checksum!(listed, Some(&part.checksum));
    listed
}

fn check_number(number: i32) -> Result<(), Failure> {
    if (1..=MAX_PARTS).contains(&number) {
        return Ok(());
    }
    Err(Failure::InvalidArgument(format!("the part number {number} is not between 1 and {MAX_PARTS}")))
}
