//! Which uploads are not complete, and which parts they have.

use rusqlite::{Connection, OptionalExtension, params};
use s3s::{
    S3Request, S3Response, S3Result,
    dto::{
        ChecksumAlgorithm, ChecksumType, Initiator, ListMultipartUploadsInput, ListMultipartUploadsOutput,
        ListPartsInput, ListPartsOutput, MultipartUpload, Owner, Part, StorageClass,
    },
};

use super::{
    Buckets,
    checksums::set_checksum,
    encoding::Encoder,
    error::Failure,
    facts::{Facts, etag, timestamp},
    listing::{page_size, present},
    multipart::{COLUMNS, StoredPart, Upload, existing_upload, is_upload_id, parts, upload},
    pages::prefix_of,
    rows::existing_bucket,
};

impl Buckets {
    pub(super) async fn list_parts_of(
        &self,
        request: S3Request<ListPartsInput>,
    ) -> S3Result<S3Response<ListPartsOutput>> {
        let input = request.input;
        let (max, after) = (page_size("max-parts", input.max_parts)?, input.part_number_marker.unwrap_or(0));
        if after < 0 {
            let reason = "Argument part-number-marker must be an integer between 0 and 2147483647";
            return Err(Failure::argument("part-number-marker", after.to_string(), reason).into());
        }
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
            checksum_algorithm: upload.chosen.map(|chosen| ChecksumAlgorithm::from_static(chosen.name())),
            checksum_type: upload.chosen.map(|_| ChecksumType::from_static(upload.kind.name())),
            is_truncated: Some(more),
            max_parts: Some(max),
            part_number_marker: Some(after),
            next_part_number_marker: Some(found.last().map_or(0, |part| part.number)),
            storage_class: Some(storage_class(&upload.facts)),
            initiator: Some(initiator(&self.owner())),
            owner: Some(self.owner()),
            parts: Some(found.iter().map(|part| listed(&upload, part)).collect()),
            ..ListPartsOutput::default()
        };
        Ok(S3Response::new(output))
    }

    pub(super) async fn list_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = request.input;
        let max = page_size("max-uploads", input.max_uploads)?;
        if let Some(marker) = input.upload_id_marker.as_deref().filter(|_| input.key_marker.is_some()) {
            check_marker(marker)?;
        }
        let encode = Encoder::new(input.encoding_type.as_ref())?;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let query = Query {
            bucket: input.bucket.clone(),
            prefix: text(&input.prefix),
            delimiter: text(&input.delimiter),
            after: text(&input.key_marker),
            after_id: present(input.upload_id_marker.clone()).filter(|_| present(input.key_marker.clone()).is_some()),
            max: usize::try_from(max).unwrap_or_default(),
        };
        let Page { uploads, prefixes, last, more } =
            self.store.read(move |connection| page(connection, &query)).await?;
        let (next_key, next_id) = last.map_or((None, None), |(key, id)| (Some(encode.text(key)), id));
        // Of a page that has prefixes alone the service does not say where it ends.
        let next_key = next_key.filter(|_| !uploads.is_empty());
        let marker = input.upload_id_marker.filter(|_| input.key_marker.is_some());
        let owner = self.owner();
        let output = ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            is_truncated: Some(more),
            key_marker: Some(encode.text(input.key_marker.unwrap_or_default())),
            upload_id_marker: Some(marker.unwrap_or_default()),
            next_key_marker: Some(next_key.unwrap_or_default()),
            next_upload_id_marker: Some(next_id.unwrap_or_default()),
            max_uploads: Some(max),
            prefix: present(input.prefix).map(|prefix| encode.text(prefix)),
            delimiter: present(input.delimiter).map(|delimiter| encode.text(delimiter)),
            common_prefixes: Some(encode.prefixes(prefixes)),
            encoding_type: input.encoding_type,
            uploads: Some(uploads.into_iter().map(|upload| shown(upload, &encode, &owner)).collect()),
            request_charged: None,
        };
        Ok(S3Response::new(output))
    }
}

/// What a listing of uploads asks for.
struct Query {
    bucket: String,
    prefix: String,
    delimiter: String,
    /// Keys up to this one are left out.
    after: String,
    /// Of that key, the uploads up to this one are left out, and not all.
    after_id: Option<String>,
    max: usize,
}

#[derive(Default)]
struct Page {
    uploads: Vec<Upload>,
    prefixes: Vec<String>,
    /// The last entry: a key with its upload, or a prefix.
    last: Option<(String, Option<String>)>,
    more: bool,
}

fn check_marker(marker: &str) -> Result<(), Failure> {
    if marker.is_empty() || is_upload_id(marker) {
        return Ok(());
    }
    Err(Failure::argument("upload-id-marker", marker, "Invalid uploadId marker"))
}

/// An upload that is there belongs to the key that it is named with. One that is gone may have been the last of a page.
fn check_marker_of(connection: &Connection, query: &Query) -> Result<(), Failure> {
    let Some(id) = query.after_id.as_deref() else { return Ok(()) };
    let sql = "SELECT key FROM upload WHERE id = ?1";
    let key: Option<Vec<u8>> = connection.prepare_cached(sql)?.query_row([id], |row| row.get(0)).optional()?;
    if key.is_none_or(|key| key == query.after.as_bytes()) {
        return Ok(());
    }
    Err(Failure::argument("upload-id-marker", id, "Invalid uploadId marker"))
}

/// Uploads by key, and of a key by age, which their ids begin with.
fn page(connection: &Connection, query: &Query) -> Result<Page, Failure> {
    let bucket = existing_bucket(connection, &query.bucket)?;
    check_marker_of(connection, query)?;
    // No id comes after this.
    let id = query.after_id.as_deref().unwrap_or("~");
    let sql = format!(
        "SELECT {COLUMNS} FROM upload WHERE bucket_id = ?1 AND key >= ?2 AND (?2 = x'' OR key > ?2 OR id > ?3) \
         ORDER BY key, id"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let all = statement.query_map(params![bucket.id, query.after.as_bytes(), id], upload)?;
    let mut page = Page::default();
    for found in all {
        let found = found?;
        if !found.key.starts_with(&query.prefix) {
            continue;
        }
        let prefix = prefix_of(&found.key, &query.prefix, &query.delimiter);
        if prefix.as_ref().is_some_and(|prefix| page.prefixes.last() == Some(prefix) || *prefix <= query.after) {
            continue;
        }
        if page.uploads.len() + page.prefixes.len() == query.max {
            page.more = query.max > 0;
            return Ok(page);
        }
        if let Some(prefix) = prefix {
            page.last = Some((prefix.clone(), None));
            page.prefixes.push(prefix);
        } else {
            page.last = Some((found.key.clone(), Some(found.id.clone())));
            page.uploads.push(found);
        }
    }
    Ok(page)
}

fn shown(upload: Upload, encode: &Encoder, owner: &Owner) -> MultipartUpload {
    MultipartUpload {
        checksum_algorithm: upload.chosen.map(|chosen| ChecksumAlgorithm::from_static(chosen.name())),
        checksum_type: upload.chosen.map(|_| ChecksumType::from_static(upload.kind.name())),
        key: Some(encode.text(upload.key)),
        upload_id: Some(upload.id),
        initiated: Some(timestamp(upload.initiated)),
        initiator: Some(initiator(owner)),
        owner: Some(owner.clone()),
        storage_class: Some(storage_class(&upload.facts)),
    }
}

/// Who owns an upload has begun it, there being nobody else.
fn initiator(owner: &Owner) -> Initiator {
    Initiator { id: owner.id.clone(), display_name: owner.display_name.clone() }
}

fn storage_class(facts: &Facts) -> StorageClass {
    StorageClass::from(facts.class())
}

fn listed(upload: &Upload, part: &StoredPart) -> Part {
    let mut listed = Part {
        e_tag: Some(etag(&part.etag)),
        last_modified: Some(timestamp(part.modified)),
        part_number: Some(part.number),
        size: Some(part.size),
        ..Part::default()
    };
    set_checksum!(listed, upload.chosen.map(|_| &part.checksum));
    listed
}
