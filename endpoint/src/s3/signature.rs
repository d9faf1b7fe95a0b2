//! What the service says of a signature that does not match: the texts that it would have signed, so that whoever signed another
//! one can see where they differ. Whether it matches is decided elsewhere.

use std::collections::BTreeMap;

use http::{HeaderMap, Method, Request, Uri, header};
use s3s::Body;
use sha2::{Digest, Sha256};

use crate::auth;

use super::{error::Failure, host};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// Parameters that version 2 signs.
const OLD_RESOURCES: [&str; 29] = [
    "accelerate",
    "acl",
    "cors",
    "delete",
    "encryption",
    "legal-hold",
    "lifecycle",
    "location",
    "logging",
    "notification",
    "object-lock",
    "partNumber",
    "policy",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "retention",
    "tagging",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "website",
];

/// The elements of an error.
pub(super) type Details = Vec<(&'static str, String)>;

/// What of a request its signature is about.
pub(super) struct Signed {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

/// A signature of version 4, as a request carries it.
struct Fourth {
    /// The access key id, a slash, and the scope.
    credential: String,
    headers: String,
    value: String,
    date: String,
    payload: String,
}

/// The error of a text that has another signature.
pub(super) fn mismatch(key_id: &str, to_sign: &str, provided: &str) -> Failure {
    let failure = Failure::special("SignatureDoesNotMatch", Failure::SignatureDoesNotMatch.to_string());
    let failure = failure.with_status(http::StatusCode::FORBIDDEN);
    signed_text(key_id, to_sign, provided)
        .into_iter()
        .fold(failure, |failure, (name, value)| failure.with_detail(name, value))
}

fn signed_text(key_id: &str, to_sign: &str, provided: &str) -> Details {
    vec![
        ("AWSAccessKeyId", key_id.to_owned()),
        ("StringToSign", to_sign.to_owned()),
        ("SignatureProvided", provided.to_owned()),
        ("StringToSignBytes", bytes_of(to_sign)),
    ]
}

/// Each byte of a text in two digits.
fn bytes_of(text: &str) -> String {
    text.bytes().map(|byte| hex::encode([byte])).collect::<Vec<_>>().join(" ")
}

impl Signed {
    /// What to keep of a request; nothing of one that nobody signed.
    pub(super) fn of(request: &Request<Body>) -> Option<Signed> {
        let in_query = request.uri().query().is_some_and(|query| query.contains("Signature="));
        if !in_query && !request.headers().contains_key(header::AUTHORIZATION) {
            return None;
        }
        let (method, uri) = (request.method().clone(), request.uri().clone());
        Some(Signed { method, uri, headers: request.headers().clone() })
    }

    /// What is said where the signature does not match.
    pub(super) fn details(&self) -> Details {
        match self.fourth() {
            Some(signature) => self.fourth_details(&signature),
            None => self.second_details().unwrap_or_default(),
        }
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn parameter(&self, wanted: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.uri.query().unwrap_or_default().as_bytes());
        pairs.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
    }

    fn fourth(&self) -> Option<Fourth> {
        if let Some(rest) = self.header("authorization").strip_prefix(ALGORITHM) {
            let part = |name: &str| {
                let part = rest.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
                part.map(str::to_owned)
            };
            return Some(Fourth {
                credential: part("Credential")?,
                headers: part("SignedHeaders")?,
                value: part("Signature")?,
                date: self.header("x-amz-date").to_owned(),
                payload: self.header("x-amz-content-sha256").to_owned(),
            });
        }
        Some(Fourth {
            credential: self.parameter("X-Amz-Credential")?,
            headers: self.parameter("X-Amz-SignedHeaders")?,
            value: self.parameter("X-Amz-Signature")?,
            date: self.parameter("X-Amz-Date")?,
            payload: "UNSIGNED-PAYLOAD".to_owned(),
        })
    }

    fn fourth_details(&self, signature: &Fourth) -> Details {
        let query = auth::canonical_query(self.uri.query().unwrap_or_default());
        let mut canonical = format!("{}\n{}\n{query}\n", self.method, self.uri.path());
        for name in signature.headers.split(';') {
            let values = self.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
            let values: Vec<String> = values.map(|value| value.trim().to_owned()).collect();
            canonical.extend([name, ":", &values.join(","), "\n"]);
        }
        canonical.extend(["\n", &signature.headers, "\n", &signature.payload]);
        let (key_id, scope) = signature.credential.split_once('/').unwrap_or((&signature.credential, ""));
        let digest = hex::encode(Sha256::digest(&canonical));
        let to_sign = [ALGORITHM, &signature.date, scope, &digest].join("\n");
        let mut details = signed_text(key_id, &to_sign, &signature.value);
        let bytes = bytes_of(&canonical);
        details.extend([("CanonicalRequest", canonical), ("CanonicalRequestBytes", bytes)]);
        details
    }

    /// Version 2, whose URLs carry headers as parameters.
    fn second_details(&self) -> Option<Details> {
        let in_header = self.header("authorization").strip_prefix("AWS ").and_then(|rest| rest.split_once(':'));
        let (key_id, value) = match in_header {
            Some((key_id, value)) => (key_id.to_owned(), value.to_owned()),
            None => (self.parameter("AWSAccessKeyId")?, self.parameter("Signature")?),
        };
        let query = self.uri.query().unwrap_or_default();
        let pairs =
            form_urlencoded::parse(query.as_bytes()).map(|(name, value)| (name.into_owned(), value.into_owned()));
        let headers = self.headers.iter().map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
        });
        let mut all: BTreeMap<String, String> = pairs.collect();
        all.extend(headers);
        let one = |name: &str| all.get(name).map_or("", String::as_str);
        let date = if in_header.is_none() { one("Expires") } else { one("date") };
        let date = if all.contains_key("x-amz-date") { "" } else { date };
        let mut to_sign = format!("{}\n{}\n{}\n{date}\n", self.method, one("content-md5"), one("content-type"));
        for (name, value) in all.iter().filter(|(name, _)| name.starts_with("x-amz-")) {
            to_sign.extend([name, ":", value, "\n"]);
        }
        if let Some(bucket) = host::bucket(one("host")) {
            to_sign.extend(["/", bucket]);
        }
        to_sign.push_str(self.uri.path());
        for (number, name) in OLD_RESOURCES.iter().filter(|name| all.contains_key(**name)).enumerate() {
            to_sign.extend([if number == 0 { "?" } else { "&" }, name]);
            if !one(name).is_empty() {
                to_sign.extend(["=", one(name)]);
            }
        }
        Some(signed_text(&key_id, &to_sign, &value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details(request: http::request::Builder) -> BTreeMap<&'static str, String> {
        Signed::of(&request.body(Body::empty()).unwrap()).unwrap().details().into_iter().collect()
    }

    #[test]
    fn what_version_4_signs_is_told() {
        let authorization =
            "AWS4-HMAC-SHA256 Credential=K/20260101/r/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=x";
        let request = Request::get("/b/k?b=2&a=1").header("authorization", authorization).header("host", "h");
        let told = details(request.header("x-amz-date", "20260101T000000Z").header("x-amz-content-sha256", "P"));
        let canonical = "GET\n/b/k\na=1&b=2\nhost:h\nx-amz-date:20260101T000000Z\n\nhost;x-amz-date\nP";
        assert_eq!((told["CanonicalRequest"].as_str(), told["AWSAccessKeyId"].as_str()), (canonical, "K"));
        assert!(told["StringToSign"].starts_with("AWS4-HMAC-SHA256\n20260101T000000Z\n20260101/r/s3/aws4_request\n"));
        assert!(told["CanonicalRequestBytes"].starts_with("47 45 54 0a"));
    }

    #[test]
    fn what_version_2_signs_is_told() {
        let url = "/k?AWSAccessKeyId=K&Signature=s&Expires=9&x-amz-meta-a=1&versionId=v&prefix=p";
        let told = details(Request::put(url).header("host", "b.localhost").header("content-type", "t"));
        assert_eq!(told["StringToSign"], "PUT\n\nt\n9\nx-amz-meta-a:1\n/b/k?versionId=v");
        assert_eq!((told["SignatureProvided"].as_str(), told.contains_key("CanonicalRequest")), ("s", false));
        assert!(Signed::of(&Request::get("/").body(Body::empty()).unwrap()).is_none());
    }
}
