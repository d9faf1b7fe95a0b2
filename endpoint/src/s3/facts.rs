//! What an object has besides its bytes: headers, the user's own metadata, tags, times.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, UNIX_EPOCH},
};

use s3s::dto::{ETag, ServerSideEncryption, Tag, Timestamp, TimestampFormat};
use serde::{Deserialize, Serialize};

use crate::clock::{Millis, SECOND};

use super::{error::Failure, grants::Grant, lock::Lock};

/// The type of content that nobody gave a type.
const DEFAULT_TYPE: &str = "binary/octet-stream";
/// What an SDK adds to the encoding of a body that it sends in signed chunks; it is not the object's.
const CHUNKED: &str = "aws-chunked";
const DEFAULT_CLASS: &str = "STANDARD";
const STORAGE_CLASSES: &[&str] = &[
    DEFAULT_CLASS,
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "GLACIER_IR",
    "DEEP_ARCHIVE",
];
/// Storage classes whose objects are read only after they were restored.
const ARCHIVES: &[&str] = &["GLACIER", "DEEP_ARCHIVE"];
const ENCRYPTIONS: &[&str] = &[DEFAULT_ENCRYPTION, "aws:kms", "aws:kms:dsse"];
const DEFAULT_ENCRYPTION: &str = "AES256";
const MAX_METADATA: usize = 2048;
const MAX_TAGS: usize = 10;
const MAX_TAG_KEY: usize = 128;
const MAX_TAG_VALUE: usize = 256;
const OBJECT_SYSTEM_TAG: &str = "Your TagKey cannot be prefixed with aws:";
const BUCKET_SYSTEM_TAG: &str = "System tags cannot be added/updated by requester";

/// Tags in the order of their keys.
pub(super) type Tags = BTreeMap<String, String>;

/// Headers of an object, as they are kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    pub(super) content_type: Option<String>,
    pub(super) cache_control: Option<String>,
    pub(super) content_disposition: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) content_language: Option<String>,
    /// As a date of HTTP.
    pub(super) expires: Option<String>,
    pub(super) website_redirect_location: Option<String>,
    pub(super) storage_class: Option<String>,
    /// What the client says that the object is encrypted with. Nothing is encrypted here.
    pub(super) encryption: Option<String>,
    pub(super) encryption_key: Option<String>,
    pub(super) bucket_key: Option<bool>,
    pub(super) metadata: BTreeMap<String, String>,
    /// The hash of a customer's key, without which the object is not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) customer_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lock: Option<Lock>,
    /// Its access control list, where one was set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) acl: Option<Vec<Grant>>,
    /// Until when an archived object can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) restored_until: Option<Millis>,
    /// Of an upload: whether its key had an object when it was begun.
    #[serde(skip_serializing_if = "is_false")]
    pub(super) replaces: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Facts {
    /// Cleans what a client sent, and checks it.
    pub(super) fn checked(mut self) -> Result<Facts, Failure> {
        let size: usize = self.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        if size > MAX_METADATA {
            return Err(Failure::MetadataTooLarge { size, most: MAX_METADATA });
        }
        self.content_encoding = self.content_encoding.and_then(|encoding| without_chunked(&encoding));
        self.content_type.get_or_insert_with(|| DEFAULT_TYPE.to_owned());
        if let Some(class) = self.storage_class.as_deref().filter(|class| !STORAGE_CLASSES.contains(class)) {
            return Err(Failure::InvalidStorageClass(class.to_owned()));
        }
        self.storage_class = self.storage_class.filter(|class| class != DEFAULT_CLASS);
        if let Some(unknown) = self.encryption.as_deref().filter(|algorithm| !ENCRYPTIONS.contains(algorithm)) {
            let reason = "The encryption method specified is not supported";
            return Err(Failure::argument("x-amz-server-side-encryption", unknown, reason));
        }
        Ok(self)
    }

    /// What the object is said to be encrypted with.
    pub(super) fn encryption(&self) -> ServerSideEncryption {
        ServerSideEncryption::from(self.encryption.clone().unwrap_or_else(|| DEFAULT_ENCRYPTION.to_owned()))
    }

    /// Whether the bytes may be read: of what is archived, those that are restored.
    pub(super) fn check_readable(&self, now: Millis) -> Result<(), Failure> {
        if !self.is_archived() || self.restored_until.is_some_and(|until| until > now) {
            return Ok(());
        }
        let message = "The operation is not valid for the object's storage class";
        Err(Failure::InvalidObjectState { class: self.class(), message })
    }

    pub(super) fn is_archived(&self) -> bool {
        self.storage_class.as_deref().is_some_and(|class| ARCHIVES.contains(&class))
    }

    pub(super) fn class(&self) -> String {
        self.storage_class.clone().unwrap_or_else(|| DEFAULT_CLASS.to_owned())
    }

    pub(super) fn expires(&self) -> Option<Timestamp> {
        Timestamp::parse(TimestampFormat::HttpDate, self.expires.as_deref()?).ok()
    }

    pub(super) fn metadata(&self) -> Option<HashMap<String, String>> {
        (!self.metadata.is_empty()).then(|| self.metadata.clone().into_iter().collect())
    }
}

fn without_chunked(encoding: &str) -> Option<String> {
    let kept: Vec<&str> =
        encoding.split(',').map(str::trim).filter(|coding| !coding.is_empty() && *coding != CHUNKED).collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

/// A date as HTTP writes it.
pub(super) fn http_date(timestamp: &Timestamp) -> Option<String> {
    let mut text = Vec::new();
    timestamp.format(TimestampFormat::HttpDate, &mut text).ok()?;
    String::from_utf8(text).ok()
}

/// A time as answers have it: in whole seconds, in documents as well.
pub(super) fn timestamp(at: Millis) -> Timestamp {
    Timestamp::from(UNIX_EPOCH + Duration::from_secs((at / SECOND).max(0).unsigned_abs()))
}

pub(super) fn etag(value: &str) -> ETag {
    ETag::Strong(value.to_owned())
}

/// Tags as the header `x-amz-tagging` has them: `a=1&b=2`.
pub(super) fn header_tags(header: Option<&str>) -> Result<Tags, Failure> {
    let header = header.unwrap_or_default();
    let pairs = form_urlencoded::parse(header.as_bytes());
    let tags = checked_tags(pairs.map(|(key, value)| (key.into_owned(), value.into_owned())), MAX_TAGS);
    tags.map_err(|failure| match failure {
        Failure::InvalidTag { message, .. } if message != OBJECT_SYSTEM_TAG => {
            let reason = "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters \
                          without tag name duplicates.";
            Failure::argument("x-amz-tagging", header, reason)
        }
        other => other,
    })
}

/// Tags as a body has them.
pub(super) fn body_tags(tags: Vec<Tag>, most: usize) -> Result<Tags, Failure> {
    let pairs = tags.into_iter().map(|tag| tag.key.zip(tag.value).ok_or(Failure::MalformedXml));
    checked_tags(pairs.collect::<Result<Vec<_>, _>>()?.into_iter(), most)
}

pub(super) fn tag_set(tags: Tags) -> Vec<Tag> {
    tags.into_iter().map(|(key, value)| Tag { key: Some(key), value: Some(value) }).collect()
}

fn checked_tags(pairs: impl Iterator<Item = (String, String)>, most: usize) -> Result<Tags, Failure> {
    let mut tags = Tags::new();
    for (key, value) in pairs {
        let refused = |message| Err(Failure::InvalidTag { message, key: key.clone(), value: None });
        if !(1..=MAX_TAG_KEY).contains(&key.chars().count()) || !key.chars().all(is_tag_character) {
            return refused("The TagKey you have provided is invalid");
        }
        if value.chars().count() > MAX_TAG_VALUE || !value.chars().all(is_tag_character) {
            let message = "The TagValue you have provided is invalid";
            return Err(Failure::InvalidTag { message, key, value: Some(value) });
        }
        if key.starts_with("aws:") {
            let of_object = most == OBJECT_TAGS;
            return refused(if of_object { OBJECT_SYSTEM_TAG } else { BUCKET_SYSTEM_TAG });
        }
        if tags.contains_key(&key) {
            return refused("Cannot provide multiple Tags with the same key");
        }
        tags.insert(key, value);
    }
    match tags.len() <= most {
        true => Ok(tags),
        false if most == OBJECT_TAGS => Err(Failure::BadRequest(format!("Object tags cannot be greater than {most}"))),
        false => Err(Failure::BadRequest(format!("Bucket tag count cannot be greater than {most}"))),
    }
}

/// Letters, digits, spaces and `+ - = . _ : / @`, of any script.
fn is_tag_character(character: char) -> bool {
    character.is_alphanumeric() || character.is_whitespace() || "+-=._:/@".contains(character)
}

/// The most tags on an object.
pub(super) const OBJECT_TAGS: usize = MAX_TAGS;
/// The most tags on a bucket.
pub(super) const BUCKET_TAGS: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transport_encoding_is_not_the_objects() {
        assert_eq!(without_chunked("aws-chunked"), None);
        assert_eq!(without_chunked("aws-chunked,gzip").as_deref(), Some("gzip"));
        assert_eq!(without_chunked("gzip").as_deref(), Some("gzip"));
    }

    #[test]
    fn tags_are_checked() {
        assert_eq!(header_tags(Some("a=1&b=x%20y")).unwrap()["b"], "x y");
        assert!(header_tags(Some("a=1&a=2")).is_err());
        assert!(header_tags(Some("=1")).is_err());
        let many: Vec<String> = (0..11).map(|i| format!("k{i}=v")).collect();
        assert!(header_tags(Some(&many.join("&"))).is_err());
    }
}
