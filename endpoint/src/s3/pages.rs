//! The entries of a listing, a page at a time. Pure but for the database that it reads.

use rusqlite::{Connection, params};

use crate::{clock::Millis, json::Json};

use super::{checksums::Checksum, error::Failure, rows::existing_bucket};

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
    pub(super) max: usize,
}

/// An entry of a listing.
#[derive(Debug)]
enum Entry {
    Object(Listed),
    Prefix(String),
}

#[derive(Debug)]
pub(super) struct Listed {
    pub(super) key: String,
    pub(super) size: i64,
    pub(super) etag: String,
    pub(super) modified: Millis,
    pub(super) checksum: Checksum,
}

/// One page.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) objects: Vec<Listed>,
    pub(super) prefixes: Vec<String>,
    /// The last entry, where more come after it.
    pub(super) next: Option<String>,
}

impl Entry {
    fn name(&self) -> &str {
        match self {
            Entry::Object(object) => &object.key,
            Entry::Prefix(prefix) => prefix,
        }
    }
}

pub(super) fn page(connection: &Connection, query: &Query) -> Result<Page, Failure> {
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
    fn paged(connection: &Connection, prefix: &str, delimiter: &str, max: usize) -> Vec<String> {
        let (mut names, mut after) = (Vec::new(), String::new());
        loop {
            let query = Query {
                bucket: "b".into(),
                prefix: prefix.into(),
                delimiter: delimiter.into(),
                after: after.clone(),
                max,
            };
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
    fn prefixes_have_successors() {
        assert_eq!(successor_of_prefix(b"a\xff"), Some(b"b".to_vec()));
        assert_eq!(successor_of_prefix(b"\xff"), None);
    }
}
