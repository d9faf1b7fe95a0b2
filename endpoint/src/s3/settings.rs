//! Configurations of buckets that are stored and answered: kept as the XML that they came in.

use rusqlite::{Connection, OptionalExtension, params};
use s3s::xml::{Deserialize, Deserializer, Serialize, Serializer};

use crate::store::Unit;

use super::{error::Failure, rows::Bucket};

/// A configuration as text for a column.
pub(super) fn to_xml<T: Serialize>(value: &T) -> Result<String, Failure> {
    let mut xml = Vec::new();
    let written = value.serialize(&mut Serializer::new(&mut xml)).map_err(std::io::Error::other);
    written.map_err(Failure::io("writing a configuration as XML"))?;
    String::from_utf8(xml).map_err(std::io::Error::other).map_err(Failure::io("writing a configuration as XML"))
}

/// A configuration from a column.
pub(super) fn from_xml<T: for<'xml> Deserialize<'xml>>(xml: &str) -> Result<T, Failure> {
    let read = T::deserialize(&mut Deserializer::new(xml.as_bytes())).map_err(std::io::Error::other);
    read.map_err(Failure::io("reading a configuration as XML"))
}

/// The text of a setting, where the bucket has it. Settings that a bucket has several of, by id, share a name.
pub(super) fn find(
    connection: &Connection,
    bucket: &Bucket,
    name: &str,
    id: &str,
) -> Result<Option<String>, rusqlite::Error> {
    let sql = "SELECT value FROM bucket_setting WHERE bucket_id = ?1 AND name = ?2 AND id = ?3";
    connection.prepare_cached(sql)?.query_row(params![bucket.id, name, id], |row| row.get(0)).optional()
}

/// The texts of all settings of a name, by id.
pub(super) fn all(connection: &Connection, bucket: &Bucket, name: &str) -> Result<Vec<String>, rusqlite::Error> {
    let sql = "SELECT value FROM bucket_setting WHERE bucket_id = ?1 AND name = ?2 ORDER BY id";
    connection.prepare_cached(sql)?.query_map(params![bucket.id, name], |row| row.get(0))?.collect()
}

pub(super) fn put(unit: &Unit<'_>, bucket: &Bucket, name: &str, id: &str, value: &str) -> Result<(), rusqlite::Error> {
    let sql = "INSERT OR REPLACE INTO bucket_setting (bucket_id, name, id, value) VALUES (?1, ?2, ?3, ?4)";
    unit.connection().prepare_cached(sql)?.execute(params![bucket.id, name, id, value])?;
    Ok(())
}

/// Removes a setting. Answers whether it was there.
pub(super) fn remove(unit: &Unit<'_>, bucket: &Bucket, name: &str, id: &str) -> Result<bool, rusqlite::Error> {
    let sql = "DELETE FROM bucket_setting WHERE bucket_id = ?1 AND name = ?2 AND id = ?3";
    Ok(unit.connection().prepare_cached(sql)?.execute(params![bucket.id, name, id])? > 0)
}
