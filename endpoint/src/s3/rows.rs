//! Buckets as rows, and what an object is: the SQL that more than one operation needs.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::{clock::Millis, json::Json, store::BlobId};

use super::{
    checksums::Checksum,
    error::Failure,
    facts::{Facts, Tags},
    reading::Slice,
};

/// Whether a bucket keeps former versions. Once on, it can only be suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Versioning {
    Never,
    Enabled,
    Suspended,
}

/// A bucket.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) region: String,
    pub(super) created: Millis,
    pub(super) tags: Tags,
    pub(super) versioning: Versioning,
    /// Where events go, as the client wrote it.
    pub(super) notification: Option<String>,
}

impl Bucket {
    /// A version as answers name it: not at all in a bucket that never had versions.
    pub(super) fn shown(&self, version: &str) -> Option<String> {
        (self.versioning != Versioning::Never).then(|| version.to_owned())
    }

    /// Where it is. Its location may be said by the name that the region had first.
    pub(super) fn region(&self) -> &str {
        if self.region == "EU" { "eu-west-1" } else { &self.region }
    }
}

pub(super) fn bucket(row: &Row<'_>) -> rusqlite::Result<Bucket> {
    let versioning: Option<String> = row.get(5)?;
    Ok(Bucket {
        id: row.get(0)?,
        name: row.get(1)?,
        region: row.get(2)?,
        created: row.get(3)?,
        tags: row.get::<_, Json<_>>(4)?.0,
        versioning: match versioning.as_deref() {
            None => Versioning::Never,
            Some("Enabled") => Versioning::Enabled,
            Some(_) => Versioning::Suspended,
        },
        notification: row.get(6)?,
    })
}

pub(super) const BUCKET_COLUMNS: &str = "id, name, region, created_ms, tags, versioning, notification";

pub(super) fn find_bucket(connection: &Connection, name: &str) -> Result<Option<Bucket>, rusqlite::Error> {
    let sql = "SELECT id, name, region, created_ms, tags, versioning, notification FROM bucket WHERE name = ?1";
    connection.prepare_cached(sql)?.query_row([name], bucket).optional()
}

pub(super) fn existing_bucket(connection: &Connection, name: &str) -> Result<Bucket, Failure> {
    find_bucket(connection, name)?.ok_or_else(|| Failure::NoSuchBucket(name.to_owned()))
}

/// An object.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) modified: Millis,
    pub(super) facts: Facts,
    pub(super) checksum: Checksum,
    pub(super) tags: Tags,
    /// Where the bytes are in files. None where they are in a row.
    pub(super) segments: Vec<Segment>,
    /// The upload that was completed to it.
    pub(super) upload: Option<String>,
}

/// A run of an object's bytes.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) blob: BlobId,
    pub(super) size: u64,
    /// The checksum of the part that it was uploaded as.
    pub(super) checksum: Option<String>,
}

/// Bytes that are written in the same transaction as the object's row, because they are few.
pub(super) type SmallBytes = Option<Bytes>;

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

    /// Whether it was uploaded in parts.
    pub(super) fn in_parts(&self) -> bool {
        self.etag.contains('-')
    }

    /// How many parts it has. An object that was not uploaded in parts is one part.
    pub(super) fn parts(&self) -> usize {
        self.segments.len().max(1)
    }

    /// Where the part of a number is, counted from one.
    pub(super) fn part(&self, number: i32) -> Result<std::ops::Range<u64>, Failure> {
        let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        if index == Some(0) && self.segments.is_empty() {
            return Ok(0..self.size);
        }
        let refused = Failure::InvalidPartNumber { part: number, parts: self.parts() };
        let index = index.filter(|index| *index < self.segments.len()).ok_or(refused)?;
        let start = self.segments[..index].iter().map(|segment| segment.size).sum();
        Ok(start..start + self.segments[index].size)
    }
}

/// `SQLite` has signed integers only; no size comes near their end.
pub(super) fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
