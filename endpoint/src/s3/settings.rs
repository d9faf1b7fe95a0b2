//! Configurations of buckets as rows: kept as the XML or the text that they came in.

use rusqlite::{Connection, OptionalExtension, params};
use s3s::xml::{Deserialize, Deserializer, Serialize, Serializer};

use crate::store::Unit;

use super::{error::Failure, rows::Bucket};

/// A configuration that a bucket can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    Acceleration,
    Acl,
    Cors,
    Encryption,
    Lifecycle,
    Logging,
    ObjectLock,
    Ownership,
    Policy,
    PublicAccessBlock,
    Replication,
    RequestPayment,
    TransitionMinimum,
    Website,
}

/// The text of a setting that every bucket begins with and that was taken away.
pub(super) const REMOVED: &str = "";

impl Setting {
    /// Its name in the database.
    fn name(self) -> &'static str {
        match self {
            Setting::Acceleration => "acceleration",
            Setting::Acl => "acl",
            Setting::Cors => "cors",
            Setting::Encryption => "encryption",
            Setting::Lifecycle => "lifecycle",
            Setting::Logging => "logging",
            Setting::ObjectLock => "object-lock",
            Setting::Ownership => "ownership",
            Setting::Policy => "policy",
            Setting::PublicAccessBlock => "public-access-block",
            Setting::Replication => "replication",
            Setting::RequestPayment => "request-payment",
            Setting::TransitionMinimum => "transition-minimum",
            Setting::Website => "website",
        }
    }

    /// What AWS says where a bucket does not have it.
    pub(super) fn missing(self, bucket: String) -> Failure {
        let (code, message) = match self {
            Setting::Cors => ("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
            Setting::Encryption => (
                "ServerSideEncryptionConfigurationNotFoundError",
                "The server side encryption configuration was not found",
            ),
            Setting::Lifecycle | Setting::TransitionMinimum => {
                ("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist")
            }
            Setting::ObjectLock => {
                ("ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket")
            }
            Setting::Ownership => ("OwnershipControlsNotFoundError", "The bucket ownership controls were not found"),
            Setting::Policy => ("NoSuchBucketPolicy", "The bucket policy does not exist"),
            Setting::PublicAccessBlock => {
                ("NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found")
            }
            Setting::Replication => {
                ("ReplicationConfigurationNotFoundError", "The replication configuration was not found")
            }
            // The others are answered empty.
            Setting::Website | Setting::Acceleration | Setting::Acl | Setting::Logging | Setting::RequestPayment => {
                ("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration")
            }
        };
        Failure::NoSuchSetting { code, message, bucket }
    }
}

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

/// The text of a setting, where the bucket has it.
pub(super) fn find(
    connection: &Connection,
    bucket: &Bucket,
    setting: Setting,
) -> Result<Option<String>, rusqlite::Error> {
    let sql = "SELECT value FROM bucket_setting WHERE bucket_id = ?1 AND name = ?2";
    connection.prepare_cached(sql)?.query_row(params![bucket.id, setting.name()], |row| row.get(0)).optional()
}

pub(super) fn put(unit: &Unit<'_>, bucket: &Bucket, setting: Setting, value: &str) -> Result<(), rusqlite::Error> {
    let sql = "INSERT OR REPLACE INTO bucket_setting (bucket_id, name, value) VALUES (?1, ?2, ?3)";
    unit.connection().prepare_cached(sql)?.execute(params![bucket.id, setting.name(), value])?;
    Ok(())
}

pub(super) fn remove(unit: &Unit<'_>, bucket: &Bucket, setting: Setting) -> Result<(), rusqlite::Error> {
    let sql = "DELETE FROM bucket_setting WHERE bucket_id = ?1 AND name = ?2";
    unit.connection().prepare_cached(sql)?.execute(params![bucket.id, setting.name()])?;
    Ok(())
}
