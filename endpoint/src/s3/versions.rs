//! Versions of objects as rows: found, put, removed.
//!
//! Of a key's rows the one with the highest id is the newest, so becoming and ceasing to be the current version needs no write.

use rusqlite::{Connection, OptionalExtension, Row, params};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{clock::Millis, json::Json, store::Unit};

use super::{
    checksums::{Algorithm, Checksum, Kind},
    conditions::WriteConditions,
    error::Failure,
    facts::{Facts, Tags},
    lock::Lock,
    rows::{Bucket, Object, Segment, SmallBytes, Versioning, existing_bucket, signed},
};

/// The version of an object that was put while its bucket did not keep versions.
pub(super) const NULL_VERSION: &str = "null";
const VERSION_LENGTH: usize = 32;

/// A version of an object, or a delete marker.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) id: i64,
    pub(super) version: String,
    pub(super) marker: bool,
    pub(super) object: Object,
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        id: row.get(0)?,
        version: row.get(1)?,
        marker: row.get(2)?,
        object: Object {
            size: row.get::<_, i64>(3)?.unsigned_abs(),
            etag: row.get(4)?,
            modified: row.get(5)?,
            facts: row.get::<_, Json<_>>(6)?.0,
            checksum: row.get::<_, Json<_>>(7)?.0,
            tags: row.get::<_, Json<_>>(8)?.0,
            upload: row.get(9)?,
            segments: Vec::new(),
        },
    })
}

/// The newest version of a key, or the one that is named; a delete marker is one too.
fn find(
    connection: &Connection,
    bucket: &Bucket,
    key: &str,
    version: Option<&str>,
) -> Result<Option<Stored>, rusqlite::Error> {
    let (key, id) = (key.as_bytes(), bucket.id);
    let found = match version {
        None => {
            let sql = "SELECT id, version, marker, size, etag, modified_ms, facts, checksum, tags, upload \
                       FROM object_version WHERE bucket_id = ?1 AND key = ?2 ORDER BY id DESC LIMIT 1";
            connection.prepare_cached(sql)?.query_row(params![id, key], stored).optional()?
        }
        Some(version) => {
            let sql = "SELECT id, version, marker, size, etag, modified_ms, facts, checksum, tags, upload \
                       FROM object_version WHERE bucket_id = ?1 AND key = ?2 AND version = ?3";
            connection.prepare_cached(sql)?.query_row(params![id, key, version], stored).optional()?
        }
    };
    let Some(mut found) = found else { return Ok(None) };
    if !found.marker {
        found.object.segments = segments(connection, found.id)?;
    }
    Ok(Some(found))
}

/// What keeps a version that is named from being deleted.
pub(super) fn lock_of(
    connection: &Connection,
    bucket: &Bucket,
    key: &str,
    version: Option<&str>,
) -> Result<Option<Lock>, rusqlite::Error> {
    if version.is_none() || bucket.versioning == Versioning::Never {
        return Ok(None);
    }
    Ok(find(connection, bucket, key, version)?.and_then(|found| found.object.facts.lock))
}

/// The object that a read of the key finds.
pub(super) fn current(connection: &Connection, bucket: &Bucket, key: &str) -> Result<Option<Stored>, rusqlite::Error> {
    Ok(find(connection, bucket, key, None)?.filter(|found| !found.marker))
}

fn segments(connection: &Connection, object: i64) -> Result<Vec<Segment>, rusqlite::Error> {
    let sql = "SELECT blob, size, checksum FROM segment WHERE object_id = ?1 ORDER BY position";
    let segment = |row: &Row<'_>| {
        Ok(Segment { blob: row.get(0)?, size: row.get::<_, i64>(1)?.unsigned_abs(), checksum: row.get(2)? })
    };
    connection.prepare_cached(sql)?.query_map([object], segment)?.collect()
}

/// The bytes that are kept beside the row; none for an object whose bytes are in files.
pub(super) fn small_bytes(connection: &Connection, object: i64) -> Result<Option<Vec<u8>>, rusqlite::Error> {
    let sql = "SELECT bytes FROM small_object WHERE object_id = ?1";
    connection.prepare_cached(sql)?.query_row([object], |row| row.get(0)).optional()
}

/// The version of an object that a request is for, with its bucket.
pub(super) fn existing_object(
    connection: &Connection,
    bucket: &str,
    key: &str,
    version: Option<&str>,
    method: &'static str,
) -> Result<(Bucket, Stored), Failure> {
    let bucket = existing_bucket(connection, bucket)?;
    let version = checked(version)?;
    let found = find(connection, &bucket, key, version)?.ok_or_else(|| match version {
        None => Failure::NoSuchKey(key.to_owned()),
        Some(version) if version == NULL_VERSION || bucket.versioning != Versioning::Never => {
            Failure::NoSuchVersion { key: key.to_owned(), version: version.to_owned() }
        }
        Some(version) => Failure::version_id(version),
    })?;
    match (found.marker, version) {
        (false, _) => Ok((bucket, found)),
        (true, None) => {
            let (version, modified) = (found.version, found.object.modified);
            Err(Failure::Deleted { key: key.to_owned(), version, modified })
        }
        (true, Some(_)) => {
            Err(Failure::DeleteMarker { version: found.version, modified: found.object.modified, method })
        }
    }
}

/// Whether a version can be one. The empty name is no version at all to AWS.
pub(super) fn checked(version: Option<&str>) -> Result<Option<&str>, Failure> {
    match version {
        None => Ok(None),
        Some("") => Err(Failure::argument("versionId", "", "Version id cannot be the empty string")),
        Some(NULL_VERSION) => Ok(version),
        Some(text) if text.len() == VERSION_LENGTH && text.bytes().all(|b| b.is_ascii_alphanumeric()) => Ok(version),
        Some(text) => Err(Failure::version_id(text)),
    }
}

/// Checks the conditions of a write against what is there.
pub(super) fn conditions_hold(
    connection: &Connection,
    bucket: &Bucket,
    key: &str,
    conditions: &WriteConditions,
) -> Result<(), Failure> {
    if conditions.is_empty() {
        return Ok(());
    }
    let current = current(connection, bucket, key)?;
    conditions.check(key, current.as_ref().map(|current| current.object.etag.as_str()))
}

/// The object that an upload was completed to, where it is still there.
pub(super) fn completed(
    connection: &Connection,
    bucket: &Bucket,
    key: &str,
    upload: &str,
) -> Result<Option<Stored>, rusqlite::Error> {
    let sql = "SELECT id, version, marker, size, etag, modified_ms, facts, checksum, tags, upload \
               FROM object_version WHERE bucket_id = ?1 AND key = ?2 AND upload = ?3";
    connection.prepare_cached(sql)?.query_row(params![bucket.id, key.as_bytes(), upload], stored).optional()
}

/// Makes an object the newest version of its key. What it replaces is removed with its bytes, after the commit. Answers with
/// the version.
pub(super) fn put_object(
    unit: &mut Unit<'_>,
    bucket: &Bucket,
    key: &str,
    object: &Object,
    small: &SmallBytes,
) -> Result<String, Failure> {
    let version = next_version(unit, bucket, key)?;
    let connection = unit.connection();
    let id = insert(connection, bucket, key, &version, false, object)?;
    if let Some(bytes) = small {
        let sql = "INSERT INTO small_object (object_id, bytes) VALUES (?1, ?2)";
        connection.prepare_cached(sql)?.execute(params![id, &bytes[..]])?;
    }
    for (position, segment) in (0i64..).zip(&object.segments) {
        let sql = "INSERT INTO segment (object_id, position, blob, size, checksum) VALUES (?1, ?2, ?3, ?4, ?5)";
        let fields = params![id, position, segment.blob, signed(segment.size), segment.checksum];
        connection.prepare_cached(sql)?.execute(fields)?;
    }
    Ok(version)
}

/// The version that a write of `key` makes. Where versions are not kept, the former one goes.
fn next_version(unit: &mut Unit<'_>, bucket: &Bucket, key: &str) -> Result<String, Failure> {
    if bucket.versioning == Versioning::Enabled {
        return Ok(new_version(bucket, key));
    }
    remove_version(unit, bucket, key, NULL_VERSION)?;
    Ok(NULL_VERSION.to_owned())
}

/// Half of a version is random, and the other half says which key it is of: so that a deletion tells one that never was, which
/// is refused, from one that is gone already.
fn new_version(bucket: &Bucket, key: &str) -> String {
    let random = Uuid::new_v4().simple().to_string();
    let random = &random[..VERSION_LENGTH / 2];
    format!("{random}{}", binding(random, bucket, key))
}

/// Whether a version is, or was, one of a key.
pub(super) fn is_of(version: &str, bucket: &Bucket, key: &str) -> bool {
    version.split_at_checked(VERSION_LENGTH / 2).is_some_and(|(random, bound)| bound == binding(random, bucket, key))
}

fn binding(random: &str, bucket: &Bucket, key: &str) -> String {
    let digest = Sha256::new().chain_update(bucket.name.as_bytes()).chain_update([0]).chain_update(random);
    let mut text = hex::encode(digest.chain_update(key.as_bytes()).finalize());
    text.truncate(VERSION_LENGTH / 2);
    text
}

fn insert(
    connection: &Connection,
    bucket: &Bucket,
    key: &str,
    version: &str,
    marker: bool,
    object: &Object,
) -> Result<i64, rusqlite::Error> {
    let sql = "INSERT INTO object_version \
               (bucket_id, key, version, marker, size, etag, modified_ms, facts, checksum, tags, upload) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    connection.prepare_cached(sql)?.execute(params![
        bucket.id,
        key.as_bytes(),
        version,
        marker,
        signed(object.size),
        object.etag,
        object.modified,
        Json(&object.facts),
        Json(&object.checksum),
        Json(&object.tags),
        object.upload,
    ])?;
    Ok(connection.last_insert_rowid())
}

/// What a deletion did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deletion {
    /// Nothing was there, or the object of a bucket without versions is gone.
    Plain {
        /// Whether anything was there.
        existed: bool,
    },
    /// A delete marker covers the key's versions.
    Marked { version: String },
    /// One version is gone.
    Version { version: String, marker: bool, existed: bool },
}

/// Deletes a key as its bucket does that, or one version of it for good.
pub(super) fn delete(
    unit: &mut Unit<'_>,
    bucket: &Bucket,
    key: &str,
    version: Option<&str>,
    now: Millis,
) -> Result<Deletion, Failure> {
    if let Some(version) = checked(version)? {
        let removed = remove_version(unit, bucket, key, version)?;
        if removed.is_none() && version != NULL_VERSION && !is_of(version, bucket, key) {
            return Err(Failure::version_id(version));
        }
        return Ok(match bucket.versioning {
            Versioning::Never => Deletion::Plain { existed: removed.is_some() },
            _ => Deletion::Version {
                version: version.to_owned(),
                marker: removed == Some(true),
                existed: removed.is_some(),
            },
        });
    }
    if bucket.versioning == Versioning::Never {
        let removed = remove_version(unit, bucket, key, NULL_VERSION)?;
        return Ok(Deletion::Plain { existed: removed.is_some() });
    }
    let version = next_version(unit, bucket, key)?;
    insert(unit.connection(), bucket, key, &version, true, &nothing(now))?;
    Ok(Deletion::Marked { version })
}

/// What a delete marker's row holds.
pub(super) fn nothing(now: Millis) -> Object {
    Object {
        size: 0,
        etag: String::new(),
        modified: now,
        facts: Facts::default(),
        checksum: Checksum { algorithm: Algorithm::Crc64Nvme, kind: Kind::FullObject, value: String::new() },
        tags: Tags::new(),
        segments: Vec::new(),
        upload: None,
    }
}

/// Removes a version with its bytes. Answers whether it was a delete marker; none where it was not there.
fn remove_version(
    unit: &mut Unit<'_>,
    bucket: &Bucket,
    key: &str,
    version: &str,
) -> Result<Option<bool>, rusqlite::Error> {
    let connection = unit.connection();
    let sql = "SELECT id, marker FROM object_version WHERE bucket_id = ?1 AND key = ?2 AND version = ?3";
    let found: Option<(i64, bool)> = connection
        .prepare_cached(sql)?
        .query_row(params![bucket.id, key.as_bytes(), version], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((id, marker)) = found else { return Ok(None) };
    for segment in segments(connection, id)? {
        unit.discard(segment.blob);
    }
    connection.prepare_cached("DELETE FROM object_version WHERE id = ?1")?.execute([id])?;
    Ok(Some(marker))
}

/// Writes what can change about a version: its tags, and for how long it is restored.
pub(super) fn save(connection: &Connection, stored: &Stored) -> Result<(), rusqlite::Error> {
    let sql = "UPDATE object_version SET tags = ?2, facts = ?3 WHERE id = ?1";
    let fields = params![stored.id, Json(&stored.object.tags), Json(&stored.object.facts)];
    connection.prepare_cached(sql)?.execute(fields)?;
    Ok(())
}
