//! The key pair that envelopes are signed with, and the certificate that lets anybody check it. Pure: [`super::signing`] keeps it.
//!
//! A key signs what this endpoint itself has written and decrypts nothing.

use std::{
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use rsa::{
    PrivateKey,
    pkcs1v15::{Signature, SigningKey as Pkcs1v15},
    pkcs8::{DecodePrivateKey, EncodePrivateKey},
    sha2::Sha256,
    signature::Keypair,
};
use sha1::{Digest, Sha1};
use x509_cert::{
    TbsCertificate,
    builder::{self, Builder, CertificateBuilder, profile::BuilderProfile},
    der::{EncodePem, pem::LineEnding},
    ext::{
        Extension, ToExtension,
        pkix::{KeyUsage, KeyUsages},
    },
    name::Name,
    serial_number::SerialNumber,
    spki::{SubjectPublicKeyInfo, SubjectPublicKeyInfoRef},
    time::Validity,
};

use crate::clock::Millis;

use super::signing::Version;

/// As long as those of the service.
const BITS: usize = 2048;
/// Twenty years: a data directory is not expected to last longer, and a key is no more than as good as the directory's permissions.
const LIFETIME: Duration = Duration::from_hours(20 * 365 * 24);
/// What the names of certificates begin with, as with the service.
pub(crate) const CERTIFICATES: &str = "SimpleNotificationService-";
const SUBJECT: &str = "CN=decouple endpoint";

/// Why there is no key, or no signature.
#[derive(Debug, thiserror::Error)]
#[error("{what} failed: {reason}")]
pub(crate) struct KeyError {
    what: &'static str,
    reason: String,
}

impl KeyError {
    fn of<E: ToString>(what: &'static str) -> impl FnOnce(E) -> KeyError {
        move |error| KeyError { what, reason: error.to_string() }
    }
}

/// A key pair with its certificate.
pub(super) struct SigningKey {
    private: PrivateKey,
    /// In PEM, signed by the key itself.
    certificate: String,
}

impl SigningKey {
    /// Makes a key, which takes a good part of a second.
    pub(super) fn generate(now: Millis) -> Result<SigningKey, KeyError> {
        let private = PrivateKey::new(&mut rand::rng(), BITS).map_err(KeyError::of("making a key"))?;
        let certificate = certificate(&private, now).map_err(KeyError::of("making a certificate"))?;
        Ok(SigningKey { private, certificate })
    }

    /// The key from what [`SigningKey::to_pkcs8`] gave.
    pub(super) fn from_pkcs8(private: &[u8], certificate: String) -> Result<SigningKey, KeyError> {
        let private = PrivateKey::from_pkcs8_der(private).map_err(KeyError::of("reading the key"))?;
        Ok(SigningKey { private, certificate })
    }

    pub(super) fn to_pkcs8(&self) -> Result<Vec<u8>, KeyError> {
        let document = self.private.to_pkcs8_der().map_err(KeyError::of("writing the key"))?;
        Ok(document.as_bytes().to_vec())
    }

    pub(super) fn certificate(&self) -> &str {
        &self.certificate
    }

    pub(super) fn certificate_name(&self) -> String {
        certificate_name(&self.certificate)
    }

    /// The signature of a text, in Base64.
    pub(super) fn sign(&self, version: Version, text: &str) -> Result<String, KeyError> {
        let signature = match version {
            Version::One => self.private.pkcs1v15_sign::<Sha1>(text.as_bytes()),
            Version::Two => self.private.pkcs1v15_sign::<Sha256>(text.as_bytes()),
        };
        signature.map(|signature| BASE64_STANDARD.encode(signature)).map_err(KeyError::of("signing a message"))
    }
}

/// What a certificate is asked for by: no other has that name.
pub(super) fn certificate_name(certificate: &str) -> String {
    let digest = Sha256::digest(certificate);
    format!("{CERTIFICATES}{}.pem", hex::encode(&digest[..16]))
}

/// A certificate that says of itself that it is good for signatures.
fn certificate(private: &PrivateKey, now: Millis) -> builder::Result<String> {
    let key = Pkcs1v15::<Sha256>::new(private.clone());
    let subject = Name::from_str(SUBJECT)?;
    let serial = SerialNumber::new(&rand::random::<[u8; 16]>())?;
    let begin: SystemTime = UNIX_EPOCH + Duration::from_millis(now.unsigned_abs());
    let validity = Validity::new(begin.try_into()?, (begin + LIFETIME).try_into()?);
    let public = SubjectPublicKeyInfo::from_key(&key.verifying_key())?;
    let certificate = CertificateBuilder::new(SelfSigned(subject), serial, validity, public)?;
    Ok(certificate.build::<_, Signature>(&key)?.to_pem(LineEnding::LF)?)
}

/// The profile of a certificate that its own subject issues.
struct SelfSigned(Name);

impl BuilderProfile for SelfSigned {
    fn get_issuer(&self, subject: &Name) -> Name {
        subject.clone()
    }

    fn get_subject(&self) -> Name {
        self.0.clone()
    }

    fn build_extensions(
        &self,
        _: SubjectPublicKeyInfoRef<'_>,
        _: SubjectPublicKeyInfoRef<'_>,
        certificate: &TbsCertificate,
    ) -> builder::Result<Vec<Extension>> {
        Ok(vec![KeyUsage(KeyUsages::DigitalSignature.into()).to_extension(certificate.subject(), &[])?])
    }
}
