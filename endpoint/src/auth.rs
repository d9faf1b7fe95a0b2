//! Signature version 4 of calls to SQS and SNS. (S3 has its own check in the s3s crate, for its bodies are streamed.)
//!
//! Loopback is open to every user of the machine and to every page in a browser: the signature is what keeps them out.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use http::{HeaderMap, StatusCode, Uri, request::Parts};
use sha2::{Digest, Sha256};

use crate::{
    Credentials,
    clock::{Millis, SECOND},
    wire::{Fault, in_hex},
};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How far the clocks of client and endpoint may be apart.
const MAX_SKEW: Millis = 15 * 60 * SECOND;
const BLOCK: usize = 64;
/// The key that signs for one scope; also what any HMAC here gives.
type Key = [u8; 32];
/// Clients of an endpoint use a few services in a region or two.
const MAX_DERIVED: usize = 16;
/// Room for what SDKs sign, so that the text is not moved while it grows.
const CANONICAL: usize = 1024;

/// Why a call was turned away.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthError {
    #[error("the request is not signed: give the client credentials")]
    Missing,
    #[error("the signature is incomplete: {0}")]
    Incomplete(&'static str),
    #[error("the access key id {0:?} is not the one this endpoint was started with")]
    UnknownKey(String),
    #[error("the request was signed at {0}, more than 15 minutes from the time here: set the clock")]
    Expired(String),
    #[error("the signature does not match: check the secret access key")]
    Mismatch,
}

impl From<AuthError> for Fault {
    fn from(error: AuthError) -> Self {
        let (shape, code) = match error {
            AuthError::Missing => {
                ("com.amazon.coral.service#MissingAuthenticationTokenException", "MissingAuthenticationToken")
            }
            AuthError::Incomplete(_) => {
                ("com.amazon.coral.service#IncompleteSignatureException", "IncompleteSignature")
            }
            AuthError::UnknownKey(_) => {
                ("com.amazon.coral.service#UnrecognizedClientException", "InvalidClientTokenId")
            }
            AuthError::Expired(_) => ("com.amazon.coral.service#RequestExpired", "RequestExpired"),
            AuthError::Mismatch => ("com.amazon.coral.service#InvalidSignatureException", "SignatureDoesNotMatch"),
        };
        Fault::new(shape, code, StatusCode::FORBIDDEN, error.to_string())
    }
}

/// The service that a request's signature is for, without checking the signature.
pub(crate) fn scope_service(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let signature = Signature::find(headers, uri).ok()?;
    signature.scope().split('/').nth(2).map(str::to_owned)
}

/// The key pair that calls must be signed with.
pub(crate) struct Verifier {
    credentials: Credentials,
    /// Keys of the scopes that were asked for last: one is good for a day, and deriving it costs more than all else here.
    derived: Mutex<HashMap<String, Key>>,
}

impl Verifier {
    pub(crate) fn new(credentials: Credentials) -> Self {
        Verifier { credentials, derived: Mutex::default() }
    }

    /// Checks the signature of a request with its whole body.
    pub(crate) fn verify(&self, request: &Parts, body: &[u8], now: Millis) -> Result<(), AuthError> {
        let signature = Signature::find(&request.headers, &request.uri)?;
        if signature.key_id() != self.credentials.access_key_id {
            return Err(AuthError::UnknownKey(signature.key_id().to_owned()));
        }
        check_time(&signature, now)?;
        if !signature.signed_headers.split(';').any(|name| name == "host") {
            return Err(AuthError::Incomplete("the host header is not signed"));
        }
        let canonical = canonical_request(request, body, &signature);
        let digest = in_hex(&Sha256::digest(canonical));
        let to_sign = [ALGORITHM, &signature.date, signature.scope(), &digest].join("\n");
        let expected = in_hex(&hmac(&self.key(signature.scope()), to_sign.as_bytes()));
        if equal(expected.as_bytes(), signature.value.as_bytes()) { Ok(()) } else { Err(AuthError::Mismatch) }
    }

    fn key(&self, scope: &str) -> Key {
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = derived.get(scope) {
            return *key;
        }
        // Anybody can name a scope, so there is a limit.
        if derived.len() >= MAX_DERIVED {
            derived.clear();
        }
        *derived.entry(scope.to_owned()).or_insert(derive(&self.credentials.secret_access_key, scope))
    }
}

/// The signature of a text, by the key of a scope such as `20261123/us-east-1/s3/aws4_request`.
pub(crate) fn sign(secret: &str, scope: &str, text: &[u8]) -> String {
    in_hex(&hmac(&derive(secret, scope), text))
}

fn derive(secret: &str, scope: &str) -> Key {
    let mut parts = scope.split('/');
    let date = parts.next().unwrap_or_default();
    let dated = hmac(format!("AWS4{secret}").as_bytes(), date.as_bytes());
    parts.fold(dated, |key, part| hmac(&key, part.as_bytes()))
}

/// A signature as the request carries it, in its header or in its query.
struct Signature<'r> {
    /// The access key id, a slash, and the scope: `date/region/service/aws4_request`.
    credential: Cow<'r, str>,
    slash: usize,
    signed_headers: Cow<'r, str>,
    value: Cow<'r, str>,
    /// `20261123T120000Z`
    date: Cow<'r, str>,
    /// How long it is good for, where it says so.
    lifetime: Millis,
}

impl<'r> Signature<'r> {
    fn find(headers: &'r HeaderMap, uri: &'r Uri) -> Result<Self, AuthError> {
        match headers.get(http::header::AUTHORIZATION) {
            Some(value) => {
                let value =
                    value.to_str().map_err(|_| AuthError::Incomplete("the Authorization header is not text"))?;
                let date = headers.get("x-amz-date").and_then(|date| date.to_str().ok());
                let date = date.ok_or(AuthError::Incomplete("the X-Amz-Date header is missing"))?;
                Signature::from_header(value, date)
            }
            None => Signature::from_query(uri.query().unwrap_or_default()),
        }
    }

    fn from_header(value: &'r str, date: &'r str) -> Result<Self, AuthError> {
        let rest = value.strip_prefix(ALGORITHM).ok_or(AuthError::Incomplete("it is not AWS4-HMAC-SHA256"))?;
        let part = |name: &str| rest.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
        let (Some(credential), Some(headers), Some(signature)) =
            (part("Credential"), part("SignedHeaders"), part("Signature"))
        else {
            return Err(AuthError::Incomplete("Credential, SignedHeaders or Signature is missing"));
        };
        Signature::new(credential.into(), headers.into(), signature.into(), date.into(), 0)
    }

    fn from_query(query: &'r str) -> Result<Self, AuthError> {
        let part = |wanted: &str| {
            form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == wanted).map(|(_, value)| value)
        };
        let credential = part("X-Amz-Credential").ok_or(AuthError::Missing)?;
        let (Some(headers), Some(signature), Some(date)) =
            (part("X-Amz-SignedHeaders"), part("X-Amz-Signature"), part("X-Amz-Date"))
        else {
            return Err(AuthError::Incomplete("X-Amz-SignedHeaders, X-Amz-Signature or X-Amz-Date is missing"));
        };
        let seconds = part("X-Amz-Expires").and_then(|seconds| seconds.parse().ok()).unwrap_or(0i64);
        Signature::new(credential, headers, signature, date, seconds.clamp(0, 604_800) * SECOND)
    }

    fn new(
        credential: Cow<'r, str>,
        signed_headers: Cow<'r, str>,
        value: Cow<'r, str>,
        date: Cow<'r, str>,
        lifetime: Millis,
    ) -> Result<Self, AuthError> {
        let slash = credential.find('/').ok_or(AuthError::Incomplete("the credential has no scope"))?;
        let signature = Signature { credential, slash, signed_headers, value, date, lifetime };
        let scope = signature.scope();
        if scope.split('/').count() != 4 || !scope.ends_with("/aws4_request") {
            return Err(AuthError::Incomplete("the scope is not date/region/service/aws4_request"));
        }
        Ok(signature)
    }

    fn key_id(&self) -> &str {
        &self.credential[..self.slash]
    }

    fn scope(&self) -> &str {
        &self.credential[self.slash + 1..]
    }
}

fn check_time(signature: &Signature<'_>, now: Millis) -> Result<(), AuthError> {
    let signed = jiff::fmt::strtime::parse("%Y%m%dT%H%M%SZ", signature.date.as_bytes())
        .and_then(|parsed| parsed.to_datetime())
        .and_then(|datetime| jiff::tz::TimeZone::UTC.to_timestamp(datetime))
        .map_err(|_| AuthError::Incomplete("the date is not like 20261123T120000Z"))?;
    let age = now - signed.as_millisecond();
    if !signature.scope().starts_with(signature.date.get(..8).unwrap_or_default()) {
        return Err(AuthError::Incomplete("the date is not that of the scope"));
    }
    if age < -MAX_SKEW || age > MAX_SKEW.max(signature.lifetime) {
        return Err(AuthError::Expired(signature.date.to_string()));
    }
    Ok(())
}

fn canonical_request(request: &Parts, body: &[u8], signature: &Signature<'_>) -> String {
    let mut canonical = String::with_capacity(CANONICAL);
    // Twice encoded, as every service but S3 signs its path.
    let (path, query) = (encode(request.uri.path(), true), canonical_query(request.uri.query().unwrap_or_default()));
    canonical.extend([request.method.as_str(), "\n", &path, "\n", &query, "\n"]);
    for name in signature.signed_headers.split(';') {
        canonical.extend([name, ":"]);
        for (number, value) in request.headers.get_all(name).iter().enumerate() {
            canonical.push_str(if number > 0 { "," } else { "" });
            push_one_spaced(&mut canonical, value.as_bytes());
        }
        canonical.push('\n');
    }
    canonical.extend(["\n", &signature.signed_headers, "\n", &in_hex(&Sha256::digest(body))]);
    canonical
}

/// The parameters as they are signed: encoded, sorted, without the signature.
pub(crate) fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<String> = form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name != "X-Amz-Signature")
        .map(|(name, value)| format!("{}={}", encode(&name, false), encode(&value, false)))
        .collect();
    pairs.sort();
    pairs.join("&")
}

fn encode(text: &str, keep_slash: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            b'/' if keep_slash => encoded.push('/'),
            _ => encoded.extend(["%", &hex::encode_upper([byte])]),
        }
    }
    encoded
}

/// Adds a header's value without space around it, and with single spaces inside.
fn push_one_spaced(canonical: &mut String, value: &[u8]) {
    let plain = |byte: &u8| *byte == b' ' || byte.is_ascii_graphic();
    let ends = [value.first(), value.last()];
    // Nearly all values are that way already.
    if value.iter().all(plain) && !ends.contains(&Some(&b' ')) && !value.windows(2).any(|pair| pair == b"  ") {
        canonical.push_str(&String::from_utf8_lossy(value));
        return;
    }
    for (number, word) in String::from_utf8_lossy(value).split_ascii_whitespace().enumerate() {
        canonical.extend([if number > 0 { " " } else { "" }, word]);
    }
}

fn hmac(key: &[u8], message: &[u8]) -> Key {
    let mut block = [0; BLOCK];
    if key.len() > BLOCK {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

/// Compares in a time that does not tell where the first difference is.
pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test case 2 of RFC 4231.
    #[test]
    fn hmac_is_the_standard_one() {
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex::encode(hmac(b"Jefe", b"what do ya want for nothing?")), expected);
    }

    #[test]
    fn space_in_headers_is_collapsed() {
        let spaced = |value: &str| {
            let mut canonical = String::new();
            push_one_spaced(&mut canonical, value.as_bytes());
            canonical
        };
        for value in ["a b", " a b", "a b ", "a  b", "a\tb", "\ta \t b\t"] {
            assert_eq!(spaced(value), "a b", "{value:?}");
        }
        assert_eq!((spaced(""), spaced(" "), spaced("ü  u")), (String::new(), String::new(), "ü u".into()));
    }

    /// `get-vanilla` of the signature test suite that AWS publishes.
    #[test]
    fn the_published_example_verifies() {
        let credentials = Credentials {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
        };
        let authorization = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
            SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
        let request = |host: &str| {
            let request = http::Request::get("/")
                .header("host", host)
                .header("x-amz-date", "20150830T123600Z")
                .header("authorization", authorization);
            request.body(()).unwrap().into_parts().0
        };
        let now = 1_440_938_160_000;
        let verifier = Verifier::new(credentials);
        let verify = |request, now| verifier.verify(&request, b"", now);
        // The second time the key is there already.
        verify(request("example.amazonaws.com"), now).unwrap();
        verify(request("example.amazonaws.com"), now).unwrap();
        let tampered = verify(request("elsewhere.amazonaws.com"), now);
        assert!(matches!(tampered, Err(AuthError::Mismatch)));
        let stale = verify(request("example.amazonaws.com"), now + MAX_SKEW + 1);
        assert!(matches!(stale, Err(AuthError::Expired(_))));
        assert_eq!(scope_service(&request("x").headers, &Uri::from_static("/")).as_deref(), Some("service"));
    }
}
