//! The entries of a listing, a page at a time. Pure but for the database that it reads.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{clock::Millis, json::Json};

use super::{
    checksums::Checksum,
    error::Failure,
    rows::{Bucket, existing_bucket},
    versions::{NULL_VERSION, is_of},
};

/// Rows read at once; a delimiter may make one entry of many of them.
const CHUNK: i64 = 1000;

/// What a listing asks for.
#[derive(Debug, Clone, Default)]
pub(super) struct Query {
    pub(super) bucket: String,
    pub(super) prefix: String,
    pub(super) delimiter: String,
    /// Keys up to this one are left out.
    pub(super) after: String,
    /// Of that key, the versions up to this one are left out, and not all.
    pub(super) after_version: Option<String>,
    pub(super) max: usize,
    pub(super) what: What,
}

/// Which rows are entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum What {
    /// The newest version of each key, unless that is a delete marker.
    #[default]
    Objects,
    /// All versions and delete markers, of a key the newest first.
    Versions,
}

/// An entry of a listing.
#[derive(Debug)]
enum Entry {
    Object(Listed),
    Prefix(String),
}

#[derive(Debug)]
pub(super) struct Listed {
    id: i64,
    pub(super) key: String,
    pub(super) version: String,
    pub(super) marker: bool,
    /// Whether it is the newest version of its key.
    pub(super) latest: bool,
    pub(super) size: i64,
    pub(super) etag: String,
    pub(super) modified: Millis,
    pub(super) checksum: Checksum,
    pub(super) storage_class: Option<String>,
}

/// One page.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) objects: Vec<Listed>,
    pub(super) prefixes: Vec<String>,
    /// The last entry, where more come after it.
    pub(super) next: Option<Next>,
}

/// The last entry of a page.
#[derive(Debug)]
pub(super) struct Next {
    pub(super) name: String,
    /// Its version, where it is no common prefix.
    pub(super) version: Option<String>,
}

impl Entry {
    fn next(&self) -> Next {
        match self {
            Entry::Object(object) => Next { name: object.key.clone(), version: Some(object.version.clone()) },
            Entry::Prefix(prefix) => Next { name: prefix.clone(), version: None },
        }
    }
}

/// A place among the rows, which are sorted by key and of a key by age: the rows from it on have another key or a lower id.
struct Place {
    key: Vec<u8>,
    below: i64,
}

impl Place {
    fn at(key: Vec<u8>) -> Place {
        Place { key, below: i64::MAX }
    }
}

pub(super) fn page(connection: &Connection, query: &Query) -> Result<Page, Failure> {
    let bucket = existing_bucket(connection, &query.bucket)?;
    if query.max == 0 {
        return Ok(Page::default());
    }
    let mut entries = entries(connection, &bucket, query, query.max + 1)?;
    let more = entries.len() > query.max;
    entries.truncate(query.max);
    let mut page = Page { next: entries.last().filter(|_| more).map(Entry::next), ..Page::default() };
    for entry in entries {
        match entry {
            Entry::Object(object) => page.objects.push(object),
            Entry::Prefix(prefix) => page.prefixes.push(prefix),
        }
    }
    Ok(page)
}

/// The first entries, `most` at most. What is under a common prefix is skipped with one seek, however much it is.
fn entries(connection: &Connection, bucket: &Bucket, query: &Query, most: usize) -> Result<Vec<Entry>, Failure> {
    let mut entries = Vec::new();
    let mut from = first_place(connection, bucket, query)?;
    // The key whose newest version has passed.
    let mut passed = (from.below < i64::MAX).then(|| query.after.clone());
    while entries.len() < most {
        let rows = rows(connection, bucket.id, &from)?;
        let exhausted = rows.len() < usize::try_from(CHUNK).unwrap_or(usize::MAX);
        let mut skip_to = None;
        for mut object in rows {
            if !object.key.starts_with(&query.prefix) {
                return Ok(entries);
            }
            from = Place { key: object.key.clone().into_bytes(), below: object.id };
            object.latest = passed.as_deref() != Some(object.key.as_str());
            passed = Some(object.key.clone());
            if query.what == What::Objects && (object.marker || !object.latest) {
                continue;
            }
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
            Some(next) => from = Place::at(next),
            None if exhausted => return Ok(entries),
            None => {}
        }
    }
    Ok(entries)
}

fn rows(connection: &Connection, bucket: i64, from: &Place) -> Result<Vec<Listed>, Failure> {
    let sql = "SELECT id, key, version, marker, size, etag, modified_ms, checksum, \
                      CASE WHEN facts LIKE '%\"storage_class\":\"%' THEN json_extract(facts, '$.storage_class') END \
               FROM object_version WHERE bucket_id = ?1 AND key >= ?2 AND (key > ?2 OR id < ?3) \
               ORDER BY key, id DESC LIMIT ?4";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![bucket, from.key, from.below, CHUNK], listed)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn listed(row: &Row<'_>) -> rusqlite::Result<Listed> {
    Ok(Listed {
        id: row.get(0)?,
        key: key_text(row.get(1)?),
        version: row.get(2)?,
        marker: row.get(3)?,
        latest: false,
        size: row.get(4)?,
        etag: row.get(5)?,
        modified: row.get(6)?,
        checksum: row.get::<_, Json<_>>(7)?.0,
        storage_class: row.get(8)?,
    })
}

/// Keys come in as text, so that they are text when they come out.
pub(super) fn key_text(key: Vec<u8>) -> String {
    String::from_utf8(key).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn first_place(connection: &Connection, bucket: &Bucket, query: &Query) -> Result<Place, Failure> {
    let prefix = query.prefix.clone().into_bytes();
    if query.after.is_empty() {
        return Ok(Place::at(prefix));
    }
    if let Some(version) = query.after_version.as_deref() {
        let sql = "SELECT id FROM object_version WHERE bucket_id = ?1 AND key = ?2 AND version = ?3";
        let fields = params![bucket.id, query.after.as_bytes(), version];
        let id = connection.prepare_cached(sql)?.query_row(fields, |row| row.get(0)).optional()?;
        if query.after.starts_with(&query.prefix)
            && let Some(below) = id.or_else(|| was_of(version, bucket, &query.after).then_some(i64::MAX))
        {
            // A version that has gone since was before all that is left, where everything is removed a page at a time.
            return Ok(Place { key: query.after.clone().into_bytes(), below });
        }
    }
    Ok(Place::at(prefix.max(successor_of_key(&query.after))))
}

/// Whether a version that is not there may have been one of the key.
fn was_of(version: &str, bucket: &Bucket, key: &str) -> bool {
    version == NULL_VERSION || is_of(version, bucket, key)
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
    prefix_of(key, &query.prefix, &query.delimiter)
}

/// The part of `key` up to the first delimiter after `prefix`, where there is one.
pub(super) fn prefix_of(key: &str, prefix: &str, delimiter: &str) -> Option<String> {
    if delimiter.is_empty() {
        return None;
    }
    let rest = key.get(prefix.len()..)?;
    let end = rest.find(delimiter)? + delimiter.len();
    key.get(..prefix.len() + end).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        s3::versions::{delete, nothing, put_object},
        store::{Unit, in_memory},
    };

    fn empty_bucket() -> (Connection, Bucket) {
        let connection = in_memory();
        let sql = "INSERT INTO bucket (name, region, created_ms, tags) VALUES ('b', 'r', 0, '{}')";
        connection.execute(sql, []).unwrap();
        let bucket = existing_bucket(&connection, "b").unwrap();
        (connection, bucket)
    }

    fn put(connection: &Connection, bucket: &Bucket, key: &str) {
        put_object(&mut Unit::new(connection), bucket, key, &nothing(0), &None).unwrap();
    }

    fn with_keys(keys: &[&str]) -> Connection {
        let (connection, bucket) = empty_bucket();
        for key in keys {
            put(&connection, &bucket, key);
        }
        connection
    }

    /// All entries, a page of `max` at a time.
    fn paged(connection: &Connection, prefix: &str, delimiter: &str, max: usize, what: What) -> Vec<String> {
        let (mut names, mut after, mut after_version) = (Vec::new(), String::new(), None);
        loop {
            let query = Query {
                bucket: "b".into(),
                prefix: prefix.into(),
                delimiter: delimiter.into(),
                after: after.clone(),
                after_version,
                max,
                what,
            };
            let page = page(connection, &query).unwrap();
            let mut entries: Vec<String> =
                page.objects.into_iter().map(|object| object.key).chain(page.prefixes).collect();
            entries.sort();
            names.extend(entries);
            match page.next {
                Some(next) => (after, after_version) = (next.name, next.version),
                None => return names,
            }
        }
    }

    #[test]
    fn pages_of_any_size_give_every_entry_once() {
        let connection = with_keys(&["a", "a/b", "a/c/d", "a/é", "a/\u{ff}x", "b/", "b/1", "b/2", "c", "ä"]);
        for what in [What::Objects, What::Versions] {
            let paged = |prefix, delimiter, max| paged(&connection, prefix, delimiter, max, what);
            for max in 1..12 {
                assert_eq!(paged("", "/", max), ["a", "a/", "b/", "c", "ä"], "{max}");
                assert_eq!(paged("a/", "/", max), ["a/b", "a/c/", "a/é", "a/\u{ff}x"], "{max}");
                assert_eq!(paged("b/", "", max), ["b/", "b/1", "b/2"], "{max}");
                assert_eq!(paged("", "", max).len(), 10, "{max}");
            }
            assert!(paged("nothing", "/", 5).is_empty());
        }
    }

    #[test]
    fn former_versions_are_listed_apart() {
        let (connection, bucket) = empty_bucket();
        let versioned = Bucket { versioning: crate::s3::rows::Versioning::Enabled, ..bucket };
        for key in ["a", "a", "b", "c", "a"] {
            put(&connection, &versioned, key);
        }
        delete(&mut Unit::new(&connection), &versioned, "b", None, 0).unwrap();
        for max in 1..8 {
            assert_eq!(paged(&connection, "", "", max, What::Objects), ["a", "c"], "{max}");
            assert_eq!(paged(&connection, "", "", max, What::Versions), ["a", "a", "a", "b", "b", "c"], "{max}");
        }
        let query = Query { bucket: "b".into(), max: 9, what: What::Versions, ..Query::default() };
        let all = page(&connection, &query).unwrap().objects;
        let latest: Vec<_> = all.iter().map(|version| version.latest).collect();
        assert_eq!(latest, [true, false, false, true, false, true]);
        assert!(all[3].marker && !all[4].marker);
    }

    #[test]
    fn what_is_removed_a_page_at_a_time_is_all_removed() {
        let (connection, bucket) = empty_bucket();
        let versioned = Bucket { versioning: crate::s3::rows::Versioning::Enabled, ..bucket };
        for key in ["a", "a", "a", "a", "a", "b"] {
            put(&connection, &versioned, key);
        }
        let (mut removed, mut query) =
            (0, Query { bucket: "b".into(), max: 2, what: What::Versions, ..Query::default() });
        loop {
            let page = page(&connection, &query).unwrap();
            removed += page.objects.len();
            for listed in page.objects {
                delete(&mut Unit::new(&connection), &versioned, &listed.key, Some(&listed.version), 0).unwrap();
            }
            let Some(next) = page.next else { break };
            (query.after, query.after_version) = (next.name, next.version);
        }
        assert_eq!(removed, 6);
    }

    #[test]
    fn delimiters_may_be_long() {
        let connection = with_keys(&["x--y--z", "x--y", "x"]);
        assert_eq!(paged(&connection, "", "--", 1, What::Objects), ["x", "x--"]);
    }

    #[test]
    fn prefixes_have_successors() {
        assert_eq!(successor_of_prefix(b"a\xff"), Some(b"b".to_vec()));
        assert_eq!(successor_of_prefix(b"\xff"), None);
    }
}
