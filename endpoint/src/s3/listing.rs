//! Which objects there are: by prefix, rolled up at a delimiter, a page at a time.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use rusqlite::{Connection, params};
use s3s::{
    S3Request, S3Response, S3Result,
    dto::{
        ChecksumAlgorithm, ChecksumType, CommonPrefix, EncodingType, ListObjectVersionsInput, ListObjectVersionsOutput,
        ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, Object, ObjectStorageClass,
        ObjectVersion, ObjectVersionStorageClass,
    },
};

use crate::{clock::Millis, json::Json};

use super::{
    Buckets,
    checksums::Checksum,
    error::Failure,
    facts::{etag, timestamp},
    rows::existing_bucket,
};

/// The most keys on a page.
pub(super) const MAX_KEYS: i32 = 1000;
/// Rows read at once; a delimiter may make one entry of many of them.
const CHUNK: i64 = 1000;

/// What a listing asks for.
#[derive(Debug, Clone, Default)]
struct Query {
    bucket: String,
    prefix: String,
    delimiter: String,
    /// Keys up to this one are left out.
    after: String,
    max: usize,
}

/// An entry of a listing.
#[derive(Debug)]
enum Entry {
    Object(Listed),
    Prefix(String),
}

#[derive(Debug)]
struct Listed {
    key: String,
    size: i64,
    etag: String,
    modified: Millis,
    checksum: Checksum,
}

/// One page.
#[derive(Debug, Default)]
struct Page {
    objects: Vec<Listed>,
    prefixes: Vec<String>,
    /// The last entry, where more come after it.
    next: Option<String>,
}

impl Entry {
    fn name(&self) -> &str {
        match self {
            Entry::Object(object) => &object.key,
            Entry::Prefix(prefix) => prefix,
        }
    }
}

impl Buckets {
    pub(super) async fn list_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let max = page_size(input.max_keys)?;
        let token = input.continuation_token.as_deref().map(decode_token).transpose()?;
        let after = token.or_else(|| input.start_after.clone()).unwrap_or_default();
        let query = query(input.bucket.clone(), input.prefix.as_deref(), input.delimiter.as_deref(), after, max);
        let page = self.page(query).await?;
        let encode = Encoder::new(input.encoding_type.as_ref())?;
        let owner = input.fetch_owner.unwrap_or(false).then(|| self.owner());
        let count = page.objects.len() + page.prefixes.len();
        let output = ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(encode.text(input.prefix.unwrap_or_default())),
            delimiter: input.delimiter.map(|delimiter| encode.text(delimiter)),
            start_after: input.start_after.map(|after| encode.text(after)),
            encoding_type: input.encoding_type,
            max_keys: Some(max),
            key_count: i32::try_from(count).ok(),
            continuation_token: input.continuation_token,
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page.next.map(|next| BASE64_URL_SAFE_NO_PAD.encode(next)),
            common_prefixes: Some(encode.prefixes(page.prefixes)),
            contents: Some(
                page.objects
                    .into_iter()
                    .map(|object| Object { owner: owner.clone(), ..encode.object(object) })
                    .collect(),
            ),
            request_charged: None,
        };
        Ok(S3Response::new(output))
    }

    pub(super) async fn list_v1(
        &self,
        request: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        let input = request.input;
        let max = page_size(input.max_keys)?;
        let after = input.marker.clone().unwrap_or_default();
        let page = self
            .page(query(input.bucket.clone(), input.prefix.as_deref(), input.delimiter.as_deref(), after, max))
            .await?;
        let encode = Encoder::new(input.encoding_type.as_ref())?;
        let owner = self.owner();
        let output = ListObjectsOutput {
            name: Some(input.bucket),
            prefix: Some(encode.text(input.prefix.unwrap_or_default())),
            marker: Some(encode.text(input.marker.unwrap_or_default())),
            is_truncated: Some(page.next.is_some()),
            // Without a delimiter the last key is the marker, and clients know that.
            next_marker: page.next.filter(|_| input.delimiter.is_some()).map(|next| encode.text(next)),
            delimiter: input.delimiter.map(|delimiter| encode.text(delimiter)),
            encoding_type: input.encoding_type,
            max_keys: Some(max),
            common_prefixes: Some(encode.prefixes(page.prefixes)),
            contents: Some(
                page.objects
                    .into_iter()
                    .map(|object| Object { owner: Some(owner.clone()), ..encode.object(object) })
                    .collect(),
            ),
            request_charged: None,
        };
        Ok(S3Response::new(output))
    }

    /// Every object in its one version, for tools that empty a bucket with all versions.
    pub(super) async fn list_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        let input = request.input;
        let max = page_size(input.max_keys)?;
        let after = input.key_marker.clone().unwrap_or_default();
        let page = self
            .page(query(input.bucket.clone(), input.prefix.as_deref(), input.delimiter.as_deref(), after, max))
            .await?;
        let encode = Encoder::new(input.encoding_type.as_ref())?;
        let owner = self.owner();
        let version = |object: Listed| {
            let object = encode.object(object);
            ObjectVersion {
                e_tag: object.e_tag,
                key: object.key,
                last_modified: object.last_modified,
                size: object.size,
                owner: Some(owner.clone()),
                is_latest: Some(true),
                version_id: Some("null".to_owned()),
                storage_class: Some(ObjectVersionStorageClass::from_static(ObjectVersionStorageClass::STANDARD)),
                ..ObjectVersion::default()
            }
        };
        let output = ListObjectVersionsOutput {
            name: Some(input.bucket),
            prefix: Some(encode.text(input.prefix.unwrap_or_default())),
            key_marker: Some(encode.text(input.key_marker.unwrap_or_default())),
            is_truncated: Some(page.next.is_some()),
            next_version_id_marker: page.next.is_some().then(|| "null".to_owned()),
            next_key_marker: page.next.map(|next| encode.text(next)),
            delimiter: input.delimiter.map(|delimiter| encode.text(delimiter)),
            max_keys: Some(max),
            common_prefixes: Some(encode.prefixes(page.prefixes)),
            versions: Some(page.objects.into_iter().map(version).collect()),
            encoding_type: input.encoding_type,
            ..ListObjectVersionsOutput::default()
        };
        Ok(S3Response::new(output))
    }

    async fn page(&self, query: Query) -> Result<Page, Failure> {
        self.store.read(move |connection| page(connection, &query)).await
    }
}

fn query(bucket: String, prefix: Option<&str>, delimiter: Option<&str>, after: String, max: i32) -> Query {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Query {
        bucket,
        prefix: text(prefix),
        delimiter: text(delimiter),
        after,
        max: usize::try_from(max).unwrap_or_default(),
    }
}

pub(super) fn page_size(max: Option<i32>) -> Result<i32, Failure> {
    match max.unwrap_or(MAX_KEYS) {
        max if max < 0 => Err(Failure::InvalidArgument(format!("the number of entries cannot be {max}"))),
        max => Ok(max.min(MAX_KEYS)),
    }
}

fn decode_token(token: &str) -> Result<String, Failure> {
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.ok_or_else(|| Failure::InvalidArgument("the continuation token is not one of this endpoint".into()))
}

fn page(connection: &Connection, query: &Query) -> Result<Page, Failure> {
    let bucket = existing_bucket(connection, &query.bucket)?;
    if query.max == 0 {
        return Ok(Page::default());
    }
    let mut entries = entries(connection, bucket.id, query, query.max + 1)?;
    let more = entries.len() > query.max;
    entries.truncate(query.max);
    let mut page = Page { next: entries.last().filter(|_| more).map(|last| last.name().to_owned()), ..Page::default() };
    for entry in entries {
        match entry {
            Entry::Object(object) => page.objects.push(object),
            Entry::Prefix(prefix) => page.prefixes.push(prefix),
        }
    }
    Ok(page)
}

/// The first entries, `most` at most. What is under a common prefix is skipped with one seek, however much it is.
fn entries(connection: &Connection, bucket: i64, query: &Query, most: usize) -> Result<Vec<Entry>, Failure> {
    let mut entries = Vec::new();
    let mut from = first_key(query);
    while entries.len() < most {
        let rows = rows(connection, bucket, &from)?;
        let exhausted = rows.len() < usize::try_from(CHUNK).unwrap_or(usize::MAX);
        let mut skip_to = None;
        for object in rows {
            if !object.key.starts_with(&query.prefix) {
                return Ok(entries);
            }
            from = successor_of_key(&object.key);
            match common_prefix(&object.key, query) {
                Some(prefix) => {
                    skip_to = successor_of_prefix(prefix.as_bytes());
                    // A page that ended with this prefix, or inside it, has had it.
                    if prefix.as_str() > query.after.as_str() {
                        entries.push(Entry::Prefix(prefix));
                    }
                    break;
                }
                None => entries.push(Entry::Object(object)),
            }
            if entries.len() == most {
                return Ok(entries);
            }
        }
        match skip_to {
            Some(next) => from = next,
            None if exhausted => return Ok(entries),
            None => {}
        }
    }
    Ok(entries)
}

fn rows(connection: &Connection, bucket: i64, from: &[u8]) -> Result<Vec<Listed>, Failure> {
    let sql = "SELECT key, size, etag, modified_ms, checksum FROM object WHERE bucket_id = ?1 AND key >= ?2 ORDER BY key LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![bucket, from, CHUNK], |row| {
        Ok(Listed {
            key: key_text(row.get(0)?),
            size: row.get(1)?,
            etag: row.get(2)?,
            modified: row.get(3)?,
            checksum: row.get::<_, Json<_>>(4)?.0,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Keys come in as text, so that they are text when they come out.
pub(super) fn key_text(key: Vec<u8>) -> String {
    String::from_utf8(key).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn first_key(query: &Query) -> Vec<u8> {
    let prefix = query.prefix.clone().into_bytes();
    if query.after.is_empty() { prefix } else { prefix.max(successor_of_key(&query.after)) }
}

/// The first key that can come after `key`.
fn successor_of_key(key: &str) -> Vec<u8> {
    [key.as_bytes(), &[0]].concat()
}

/// The first key that comes after all that begin with `prefix`.
fn successor_of_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let end = prefix.iter().rposition(|byte| *byte < u8::MAX)?;
    let mut successor = prefix[..=end].to_vec();
    successor[end] += 1;
    Some(successor)
}

fn common_prefix(key: &str, query: &Query) -> Option<String> {
    if query.delimiter.is_empty() {
        return None;
    }
    let rest = key.get(query.prefix.len()..)?;
    let end = rest.find(&query.delimiter)? + query.delimiter.len();
    key.get(..query.prefix.len() + end).map(str::to_owned)
}

/// Writes names as the client asked: as they are, or URL-encoded, so that XML can hold any of them.
pub(super) struct Encoder {
    url: bool,
}

impl Encoder {
    pub(super) fn new(encoding: Option<&EncodingType>) -> Result<Encoder, Failure> {
        match encoding.map(EncodingType::as_str) {
            None => Ok(Encoder { url: false }),
            Some(EncodingType::URL) => Ok(Encoder { url: true }),
            Some(other) => Err(Failure::InvalidArgument(format!("the encoding type {other:?} is not url"))),
        }
    }

    pub(super) fn text(&self, text: String) -> String {
        if !self.url {
            return text;
        }
        let mut encoded = String::with_capacity(text.len());
        for byte in text.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b'*' => {
                    encoded.push(char::from(byte))
                }
                _ => encoded.extend(["%", &hex::encode_upper([byte])]),
            }
        }
        encoded
    }

    pub(super) fn prefixes(&self, prefixes: Vec<String>) -> Vec<CommonPrefix> {
        prefixes.into_iter().map(|prefix| CommonPrefix { prefix: Some(self.text(prefix)) }).collect()
    }

    fn object(&self, object: Listed) -> Object {
        Object {
            checksum_algorithm: Some(vec![ChecksumAlgorithm::from_static(object.checksum.algorithm.name())]),
            checksum_type: Some(ChecksumType::from_static(object.checksum.kind.name())),
            e_tag: Some(etag(&object.etag)),
            key: Some(self.text(object.key)),
            last_modified: Some(timestamp(object.modified)),
            owner: None,
            restore_status: None,
            size: Some(object.size),
            storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        s3::{
            checksums::{Algorithm, Kind},
            facts::{Facts, Tags},
            rows::{Object as Row, put_object},
        },
        store::{Unit, in_memory},
    };

    fn with_keys(keys: &[&str]) -> Connection {
        let connection = in_memory();
        connection
            .execute("INSERT INTO bucket (name, region, created_ms, tags) VALUES ('b', 'r', 0, '{}')", [])
            .unwrap();
        let bucket = existing_bucket(&connection, "b").unwrap();
        for key in keys {
            let object = Row {
                size: 0,
                etag: "e".into(),
                modified: 0,
                facts: Facts::default(),
                checksum: Checksum { algorithm: Algorithm::Crc32, kind: Kind::FullObject, value: String::new() },
                tags: Tags::new(),
                segments: Vec::new(),
            };
            put_object(&mut Unit::new(&connection), &bucket, key, &object).unwrap();
        }
        connection
    }

    /// All entries, a page of `max` at a time.
    fn paged(connection: &Connection, prefix: &str, delimiter: &str, max: i32) -> Vec<String> {
        let (mut names, mut after) = (Vec::new(), String::new());
        loop {
            let query = query("b".into(), Some(prefix), Some(delimiter), after.clone(), max);
            let page = page(connection, &query).unwrap();
            let mut entries: Vec<String> =
                page.objects.into_iter().map(|object| object.key).chain(page.prefixes).collect();
            entries.sort();
            names.extend(entries);
            match page.next {
                Some(next) => after = next,
                None => return names,
            }
        }
    }

    #[test]
    fn pages_of_any_size_give_every_entry_once() {
        let connection = with_keys(&["a", "a/b", "a/c/d", "a/é", "a/\u{ff}x", "b/", "b/1", "b/2", "c", "ä"]);
        for max in 1..12 {
            assert_eq!(paged(&connection, "", "/", max), ["a", "a/", "b/", "c", "ä"], "{max}");
            assert_eq!(paged(&connection, "a/", "/", max), ["a/b", "a/c/", "a/é", "a/\u{ff}x"], "{max}");
            assert_eq!(paged(&connection, "b/", "", max), ["b/", "b/1", "b/2"], "{max}");
            assert_eq!(paged(&connection, "", "", max).len(), 10, "{max}");
        }
        assert!(paged(&connection, "nothing", "/", 5).is_empty());
    }

    #[test]
    fn delimiters_may_be_long() {
        let connection = with_keys(&["x--y--z", "x--y", "x"]);
        assert_eq!(paged(&connection, "", "--", 1), ["x", "x--"]);
    }

    #[test]
    fn names_are_encoded_when_asked() {
        let encoder = Encoder::new(Some(&EncodingType::from_static(EncodingType::URL))).unwrap();
        assert_eq!(encoder.text("a b/é+".into()), "a%20b/%C3%A9%2B");
        assert_eq!(successor_of_prefix(b"a\xff"), Some(b"b".to_vec()));
        assert_eq!(successor_of_prefix(b"\xff"), None);
    }
}
