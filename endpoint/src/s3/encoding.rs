//! Names in answers, as the client asked for them.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_when_asked() {
        let encoder = Encoder::new(Some(&EncodingType::from_static(EncodingType::URL))).unwrap();
        assert_eq!(encoder.text("a b/é+".into()), "a+b/%C3%A9%2B");
        assert_eq!(Encoder::new(None).unwrap().text("a b".into()), "a b");
        assert!(Encoder::new(Some(&EncodingType::from_static("utf-7"))).is_err());
    }
}
