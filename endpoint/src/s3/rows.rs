//! Buckets and objects as rows: the SQL that more than one operation needs.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{
    clock::Millis,
    json::Json,
    store::{BlobId, Unit},
};

use super::{
    checksums::Checksum,
    conditions::WriteConditions,
    content::Slice,
    error::Failure,
    facts::{Facts, Tags},
};

/// A bucket.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) region: String,
    pub(super) created: Millis,
    pub(super) tags: Tags,
}

pub(super) fn bucket(row: &Row<'_>) -> rusqlite::Result<Bucket> {
    Ok(Bucket {
        id: row.get(0)?,
        name: row.get(1)?,
        region: row.get(2)?,
        created: row.get(3)?,
        tags: row.get::<_, Json<_>>(4)?.0,
    })
}

pub(super) const BUCKET_COLUMNS: &str = "id, name, region, created_ms, tags";

pub(super) fn find_bucket(connection: &Connection, name: &str) -> Result<Option<Bucket>, rusqlite::Error> {
    let sql = format!("SELECT {BUCKET_COLUMNS} FROM bucket WHERE name = ?1");
    connection.prepare_cached(&sql)?.query_row([name], bucket).optional()
}

pub(super) fn existing_bucket(connection: &Connection, name: &str) -> Result<Bucket, Failure> {
    find_bucket(connection, name)?.ok_or_else(|| Failure::NoSuchBucket(name.to_owned()))
}

/// An object, its bytes elsewhere.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) modified: Millis,
    pub(super) facts: Facts,
    pub(super) checksum: Checksum,
    pub(super) tags: Tags,
    pub(super) segments: Vec<Segment>,
}

/// A run of an object's bytes.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) blob: BlobId,
    pub(super) size: u64,
}

impl Object {
    /// The slices that hold the bytes of `range`.
    pub(super) fn slices(&self, range: &std::ops::Range<u64>) -> Vec<Slice> {
        let mut start = 0;
        let mut slices = Vec::new();
        for segment in &self.segments {
            let end = start + segment.size;
            let (from, to) = (range.start.max(start), range.end.min(end));
            if from < to {
                slices.push(Slice { blob: segment.blob.clone(), offset: from - start, length: to - from });
            }
            start = end;
        }
        slices
    }

    /// Where the part of a number is, counted from one. An object that was not uploaded in parts is one part.
    pub(super) fn part(&self, number: i32) -> Result<std::ops::Range<u64>, Failure> {
        let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        if index == Some(0) && self.segments.is_empty() {
            return Ok(0..0);
        }
        let index = index.filter(|index| *index < self.segments.len()).ok_or(Failure::InvalidPartNumber(number))?;
        let start = self.segments[..index].iter().map(|segment| segment.size).sum();
        Ok(start..start + self.segments[index].size)
    }
}

/// The row id of an object.
fn object_id(connection: &Connection, bucket: &Bucket, key: &str) -> Result<Option<i64>, rusqlite::Error> {
    let sql = "SELECT id FROM object WHERE bucket_id = ?1 AND key = ?2";
    connection.prepare_cached(sql)?.query_row(params![bucket.id, key.as_bytes()], |row| row.get(0)).optional()
}

pub(super) fn find_object(
    connection: &Connection,
    bucket: &Bucket,
    key: &str,
) -> Result<Option<Object>, rusqlite::Error> {
    let sql = "SELECT id, size, etag, modified_ms, facts, checksum, tags FROM object WHERE bucket_id = ?1 AND key = ?2";
    let found = connection
        .prepare_cached(sql)?
        .query_row(params![bucket.id, key.as_bytes()], |row| {
            let object = Object {
                size: row.get::<_, i64>(1)?.unsigned_abs(),
                etag: row.get(2)?,
                modified: row.get(3)?,
                facts: row.get::<_, Json<_>>(4)?.0,
                checksum: row.get::<_, Json<_>>(5)?.0,
                tags: row.get::<_, Json<_>>(6)?.0,
                segments: Vec::new(),
            };
            Ok((row.get::<_, i64>(0)?, object))
        })
        .optional()?;
    let Some((id, mut object)) = found else { return Ok(None) };
    object.segments = segments(connection, id)?;
    Ok(Some(object))
}

fn segments(connection: &Connection, object: i64) -> Result<Vec<Segment>, rusqlite::Error> {
    let sql = "SELECT blob, size FROM segment WHERE object_id = ?1 ORDER BY position";
    let segment = |row: &Row<'_>| Ok(Segment { blob: row.get(0)?, size: row.get::<_, i64>(1)?.unsigned_abs() });
    connection.prepare_cached(sql)?.query_map([object], segment)?.collect()
}

pub(super) fn existing_object(connection: &Connection, bucket: &str, key: &str) -> Result<Object, Failure> {
    let bucket = existing_bucket(connection, bucket)?;
    find_object(connection, &bucket, key)?.ok_or_else(|| Failure::NoSuchKey(key.to_owned()))
}

/// Checks the conditions of a write against what is there.
pub(super) fn conditions_hold(
    unit: &Unit<'_>,
    bucket: &Bucket,
    key: &str,
    conditions: &WriteConditions,
) -> Result<(), Failure> {
    let sql = "SELECT etag FROM object WHERE bucket_id = ?1 AND key = ?2";
    let fields = params![bucket.id, key.as_bytes()];
    let current: Option<String> =
        unit.connection().prepare_cached(sql)?.query_row(fields, |row| row.get(0)).optional()?;
    conditions.check(key, current.as_deref())
}

/// Puts an object in the place of what has its key, whose bytes are removed after the commit.
pub(super) fn put_object(unit: &mut Unit<'_>, bucket: &Bucket, key: &str, object: &Object) -> Result<(), Failure> {
    let connection = unit.connection();
    remove_object(unit, bucket, key)?;
    let sql = "INSERT INTO object (bucket_id, key, size, etag, modified_ms, facts, checksum, tags) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    connection.prepare_cached(sql)?.execute(params![
        bucket.id,
        key.as_bytes(),
        signed(object.size),
        object.etag,
        object.modified,
        Json(&object.facts),
        Json(&object.checksum),
        Json(&object.tags),
    ])?;
    let id = connection.last_insert_rowid();
    for (position, segment) in (0i64..).zip(&object.segments) {
        let sql = "INSERT INTO segment (object_id, position, blob, size) VALUES (?1, ?2, ?3, ?4)";
        connection.prepare_cached(sql)?.execute(params![id, position, segment.blob, signed(segment.size)])?;
    }
    Ok(())
}

/// Removes an object, if there is one of that key.
pub(super) fn remove_object(unit: &mut Unit<'_>, bucket: &Bucket, key: &str) -> Result<(), rusqlite::Error> {
    let Some(id) = object_id(unit.connection(), bucket, key)? else { return Ok(()) };
    for segment in segments(unit.connection(), id)? {
        unit.discard(segment.blob);
    }
    unit.connection().prepare_cached("DELETE FROM object WHERE id = ?1")?.execute([id])?;
    Ok(())
}

pub(super) fn save_object_tags(
    connection: &Connection,
    bucket: &Bucket,
    key: &str,
    tags: &Tags,
) -> Result<(), Failure> {
    let sql = "UPDATE object SET tags = ?3 WHERE bucket_id = ?1 AND key = ?2";
    let changed = connection.prepare_cached(sql)?.execute(params![bucket.id, key.as_bytes(), Json(tags)])?;
    if changed == 0 { Err(Failure::NoSuchKey(key.to_owned())) } else { Ok(()) }
}

/// `SQLite` has signed integers only; no size comes near their end.
pub(super) fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
