//! What objects are said to be encrypted with, and keys of customers. Nothing is encrypted: of a customer's key its hash is kept,
//! and without the key an object is not read.

use base64::{Engine, prelude::BASE64_STANDARD};
use rusqlite::Connection;
use s3s::{
    crypto::{Checksum as _, Md5},
    dto::ServerSideEncryptionConfiguration,
};
use sha2::{Digest, Sha256};

use super::{
    error::Failure,
    facts::Facts,
    rows::Bucket,
    settings::{self, Setting, from_xml},
};

const HEADER: &str = "x-amz-server-side-encryption";
const KEY_SIZE: usize = 32;
/// What the names of encryptions with keys of the key service begin with.
const KMS: &str = "aws:kms";

/// A customer's key as a request has it.
#[derive(Debug, Clone, Default)]
pub(super) struct CustomerKey {
    pub(super) algorithm: Option<String>,
    pub(super) key: Option<String>,
    pub(super) md5: Option<String>,
}

/// The key of an input.
macro_rules! customer_key {
    ($input:expr) => {
        $crate::s3::encryption::CustomerKey {
            algorithm: $input.sse_customer_algorithm.clone(),
            key: $input.sse_customer_key.clone(),
            md5: $input.sse_customer_key_md5.clone(),
        }
    };
}

/// The key of the source of a copy.
macro_rules! source_key {
    ($input:expr) => {
        $crate::s3::encryption::CustomerKey {
            algorithm: $input.copy_source_sse_customer_algorithm.clone(),
            key: $input.copy_source_sse_customer_key.clone(),
            md5: $input.copy_source_sse_customer_key_md5.clone(),
        }
    };
}

/// Says in an answer what the object is said to be encrypted with.
macro_rules! set_encryption {
    ($output:expr, $facts:expr) => {
        if $facts.customer_key.is_none() {
            $output.server_side_encryption = Some($facts.encryption());
            $output.ssekms_key_id = $facts.encryption_key.clone();
            $output.bucket_key_enabled = $facts.bucket_key.filter(|enabled| *enabled);
        }
    };
}

/// Says in an answer which customer's key the object has.
macro_rules! set_customer_key {
    ($output:expr, $facts:expr) => {
        if let Some(md5) = &$facts.customer_key {
            $output.sse_customer_algorithm = Some("AES256".to_owned());
            $output.sse_customer_key_md5 = Some(md5.clone());
        }
    };
}

pub(super) use {customer_key, set_customer_key, set_encryption, source_key};

impl CustomerKey {
    /// The hash of the key, where there is one; `encryption` is what the request asks for besides.
    pub(super) fn checked(&self, encryption: Option<&str>) -> Result<Option<String>, Failure> {
        let refused = |value: &str, reason: &str| Err(Failure::argument(HEADER, value, reason));
        let (algorithm, key) = match (&self.algorithm, &self.key) {
            (None, None) => return Ok(None),
            _ if encryption.is_some() => {
                let reason = "Server Side Encryption with Customer provided key is incompatible with the encryption method specified";
                return refused(encryption.unwrap_or_default(), reason);
            }
            (None, Some(_)) => {
                let reason = "Requests specifying Server Side Encryption with Customer provided keys must provide a valid \
                              encryption algorithm.";
                return refused("null", reason);
            }
            (Some(_), None) => {
                let reason = "Requests specifying Server Side Encryption with Customer provided keys must provide an \
                              appropriate secret key.";
                return refused("null", reason);
            }
            (Some(algorithm), Some(key)) => (algorithm, key),
        };
        if algorithm != "AES256" {
            let reason = "The Encryption request you specified is not valid. Supported value: AES256.";
            let failure = Failure::special("InvalidEncryptionAlgorithmError", reason);
            return Err(failure.with_detail("ArgumentName", HEADER).with_detail("ArgumentValue", algorithm));
        }
        let key = BASE64_STANDARD.decode(key).unwrap_or_default();
        if key.len() != KEY_SIZE {
            return refused("null", "The secret key was invalid for the specified algorithm.");
        }
        let mut md5 = Md5::new();
        md5.update(&key);
        let hash = BASE64_STANDARD.encode(md5.finalize());
        if self.md5.as_ref() != Some(&hash) {
            let reason = "The calculated MD5 hash of the key did not match the hash that was provided.";
            return refused("null", reason);
        }
        Ok(Some(hash))
    }

    /// Whether the key is the one that the object was stored with.
    pub(super) fn check_opens(&self, facts: &Facts) -> Result<(), Failure> {
        let given = self.checked(None)?;
        match (&facts.customer_key, given) {
            (None, None) => Ok(()),
            (Some(kept), Some(given)) if *kept == given => Ok(()),
            (Some(_), Some(_)) => {
                let reason = "Requests specifying Server Side Encryption with Customer provided keys must provide the correct \
                              secret key.";
                Err(Failure::AccessDenied(reason.into()))
            }
            (Some(_), None) => {
                let reason = "The object was stored using a form of Server Side Encryption. The correct parameters must be \
                              provided to retrieve the object.";
                Err(Failure::InvalidRequest(reason.into()))
            }
            (None, Some(_)) => {
                let reason = "The encryption parameters are not applicable to this object.";
                Err(Failure::InvalidRequest(reason.into()))
            }
        }
    }

    /// Whether the key is the one that the upload was begun with.
    pub(super) fn check_continues(&self, facts: &Facts) -> Result<(), Failure> {
        let given = self.checked(None)?;
        let reason = match (&facts.customer_key, given) {
            (None, None) => return Ok(()),
            (Some(kept), Some(given)) if *kept == given => return Ok(()),
            (Some(_), Some(_)) => "The provided encryption parameters did not match the ones used originally.",
            _ => {
                "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate \
                 encryption parameters."
            }
        };
        Err(Failure::InvalidRequest(reason.into()))
    }
}

/// Gives a new object the encryption that its bucket has for those that come without, and names its key as answers name it.
pub(super) fn inherit(
    connection: &Connection,
    bucket: &Bucket,
    account: &str,
    facts: &mut Facts,
) -> Result<(), Failure> {
    inherit_kind(connection, bucket, facts)?;
    if facts.encryption.as_deref().is_some_and(|kind| kind.starts_with(KMS)) {
        let key = facts.encryption_key.take().filter(|key| !key.is_empty());
        facts.encryption_key = Some(key_arn(key, bucket.region(), account));
    }
    Ok(())
}

/// The ARN of a key, or where none is named that of the key that the service makes itself: the same for all buckets of a region.
fn key_arn(key: Option<String>, region: &str, account: &str) -> String {
    let key = key.unwrap_or_else(|| {
        let digest = Sha256::digest(format!("aws/s3 {region} {account}"));
        let id: [u8; 16] = std::array::from_fn(|byte| digest[byte]);
        uuid::Builder::from_random_bytes(id).into_uuid().to_string()
    });
    if key.starts_with("arn:") {
        return key;
    }
    // A name of a key, unlike its id, says what it is.
    let resource = if key.starts_with("alias/") { key } else { format!("key/{key}") };
    format!("arn:aws:kms:{region}:{account}:{resource}")
}

fn inherit_kind(connection: &Connection, bucket: &Bucket, facts: &mut Facts) -> Result<(), Failure> {
    if facts.encryption.is_some() || facts.customer_key.is_some() {
        return Ok(());
    }
    let Some(text) = settings::find(connection, bucket, Setting::Encryption)? else { return Ok(()) };
    let configuration: ServerSideEncryptionConfiguration = from_xml(&text)?;
    let Some(rule) = configuration.rules.into_iter().next() else { return Ok(()) };
    if let Some(default) = rule.apply_server_side_encryption_by_default {
        let is_kms = default.sse_algorithm.as_str().starts_with(KMS);
        facts.encryption = Some(default.sse_algorithm.as_str().to_owned());
        facts.encryption_key = default.kms_master_key_id.filter(|_| is_kms);
        facts.bucket_key = rule.bucket_key_enabled.filter(|enabled| *enabled && is_kms);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> CustomerKey {
        let mut md5 = Md5::new();
        md5.update(&[byte; KEY_SIZE]);
        CustomerKey {
            algorithm: Some("AES256".into()),
            key: Some(BASE64_STANDARD.encode([byte; KEY_SIZE])),
            md5: Some(BASE64_STANDARD.encode(md5.finalize())),
        }
    }

    #[test]
    fn keys_have_arns() {
        assert_eq!(key_arn(Some("a-b".into()), "eu-west-1", "1"), "arn:aws:kms:eu-west-1:1:key/a-b");
        assert_eq!(key_arn(Some("arn:x".into()), "eu-west-1", "1"), "arn:x");
        assert_eq!(key_arn(None, "eu-west-1", "1"), key_arn(None, "eu-west-1", "1"));
        assert_ne!(key_arn(None, "eu-west-1", "1"), key_arn(None, "eu-west-2", "1"));
    }

    #[test]
    fn keys_are_checked() {
        assert!(CustomerKey::default().checked(Some("AES256")).unwrap().is_none());
        assert!(key(1).checked(None).unwrap().is_some());
        assert!(key(1).checked(Some("AES256")).is_err());
        assert!(CustomerKey { key: None, ..key(1) }.checked(None).is_err());
        assert!(CustomerKey { algorithm: Some("AES128".into()), ..key(1) }.checked(None).is_err());
        assert!(CustomerKey { md5: None, ..key(1) }.checked(None).is_err());
        assert!(CustomerKey { key: Some("AAAA".into()), ..key(1) }.checked(None).is_err());
    }

    #[test]
    fn only_its_own_key_opens_an_object() {
        let facts = Facts { customer_key: key(1).checked(None).unwrap(), ..Facts::default() };
        assert!(key(1).check_opens(&facts).is_ok() && key(1).check_continues(&facts).is_ok());
        assert!(matches!(key(2).check_opens(&facts), Err(Failure::AccessDenied(_))));
        assert!(matches!(CustomerKey::default().check_opens(&facts), Err(Failure::InvalidRequest(_))));
        assert!(key(1).check_opens(&Facts::default()).is_err());
        assert!(CustomerKey::default().check_opens(&Facts::default()).is_ok());
    }
}
