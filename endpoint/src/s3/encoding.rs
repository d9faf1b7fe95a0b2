//! Names in answers, as the client asked for them.

use base64::{Engine, prelude::BASE64_STANDARD};
use s3s::dto::{
    ChecksumAlgorithm, ChecksumType, CommonPrefix, EncodingType, Object, ObjectStorageClass, ObjectVersion,
    ObjectVersionStorageClass, Owner,
};

use super::{
    error::Failure,
    facts::{etag, timestamp},
    pages::Listed,
};

/// Writes names as the client asked: as they are, or URL-encoded, so that XML can hold any of them.
pub(super) struct Encoder {
    url: bool,
}

impl Encoder {
    pub(super) fn new(encoding: Option<&EncodingType>) -> Result<Encoder, Failure> {
        match encoding.map(EncodingType::as_str) {
            None => Ok(Encoder { url: false }),
            Some(EncodingType::URL) => Ok(Encoder { url: true }),
            Some(other) => {
                Err(Failure::argument("encoding-type", other, "Invalid Encoding Method specified in Request"))
            }
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
                    encoded.push(char::from(byte));
                }
                b' ' => encoded.push('+'),
                _ => encoded.extend(["%", &hex::encode_upper([byte])]),
            }
        }
        encoded
    }

    pub(super) fn prefixes(&self, prefixes: Vec<String>) -> Vec<CommonPrefix> {
        prefixes.into_iter().map(|prefix| CommonPrefix { prefix: Some(self.text(prefix)) }).collect()
    }

    pub(super) fn object(&self, object: Listed) -> Object {
        Object {
            checksum_algorithm: Some(vec![ChecksumAlgorithm::from_static(object.checksum.algorithm.name())]),
            checksum_type: Some(ChecksumType::from_static(object.checksum.kind.name())),
            e_tag: Some(etag(&object.etag)),
            key: Some(self.text(object.key)),
            last_modified: Some(timestamp(object.modified)),
            owner: None,
            restore_status: None,
            size: Some(object.size),
            storage_class: Some(object.storage_class.map_or_else(
                || ObjectStorageClass::from_static(ObjectStorageClass::STANDARD),
                ObjectStorageClass::from,
            )),
        }
    }

    pub(super) fn version(&self, version: Listed, owner: &Owner) -> ObjectVersion {
        ObjectVersion {
            version_id: Some(version.version.clone()),
            is_latest: Some(version.latest),
            owner: Some(owner.clone()),
            checksum_algorithm: Some(vec![ChecksumAlgorithm::from_static(version.checksum.algorithm.name())]),
            checksum_type: Some(ChecksumType::from_static(version.checksum.kind.name())),
            e_tag: Some(etag(&version.etag)),
            key: Some(self.text(version.key)),
            last_modified: Some(timestamp(version.modified)),
            size: Some(version.size),
            storage_class: Some(version.storage_class.map_or_else(
                || ObjectVersionStorageClass::from_static(ObjectVersionStorageClass::STANDARD),
                ObjectVersionStorageClass::from,
            )),
            restore_status: None,
        }
    }
}

/// A key as the path of a URL has it.
pub(super) fn encoded(key: &str) -> String {
    let parts = key.split('/').map(|part| form_urlencoded::byte_serialize(part.as_bytes()).collect::<String>());
    parts.collect::<Vec<_>>().join("/").replace('+', "%20")
}

/// Metadata beyond ASCII as the service writes it into a header: by letter where most of it is ASCII. The crate knows the other
/// way alone, of which this makes the one; nothing where it stays as it is.
pub(super) fn quoted(header: &str) -> Option<String> {
    let mut bytes = Vec::new();
    for word in header.split(' ') {
        bytes.extend(BASE64_STANDARD.decode(word.strip_prefix("=?UTF-8?B?")?.strip_suffix("?=")?).ok()?);
    }
    let text = String::from_utf8(bytes).ok()?;
    let ascii = text.chars().filter(char::is_ascii).count();
    // What is printable was written that way by whoever sent it.
    if text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) || 2 * ascii <= text.chars().count() {
        return None;
    }
    let mut quoted = String::from("=?UTF-8?Q?");
    for byte in text.bytes() {
        match byte {
            b' ' => quoted.push('_'),
            b'=' | b'_' | b'?' => quoted.extend(["=", &hex::encode_upper([byte])]),
            byte if byte.is_ascii_graphic() => quoted.push(char::from(byte)),
            byte => quoted.extend(["=", &hex::encode_upper([byte])]),
        }
    }
    quoted.push_str("?=");
    Some(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_when_asked() {
        let encoder = Encoder::new(Some(&EncodingType::from_static(EncodingType::URL))).unwrap();
        assert_eq!(encoder.text("a b/é+".into()), "a+b/%C3%A9%2B");
        assert_eq!(Encoder::new(None).unwrap().text("a b".into()), "a b");
        let header = |text: &str| format!("=?UTF-8?B?{}?=", BASE64_STANDARD.encode(text));
        assert_eq!(quoted(&header("a b=é")).as_deref(), Some("=?UTF-8?Q?a_b=3D=C3=A9?="));
        assert_eq!((quoted(&header("aéé")), quoted(&header("abc"))), (None, None));
        assert_eq!(encoded("a b/é+"), "a%20b/%C3%A9%2B");
        assert!(Encoder::new(Some(&EncodingType::from_static("utf-7"))).is_err());
    }
}
