//! What is wrong with the head of a request before anything is made of it, in the service's words. The crate has one word for all.

use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, header};
use s3s::Body;

use super::{error::Failure, host::bucket_alone};

const COPY_SOURCE: HeaderName = HeaderName::from_static("x-amz-copy-source");
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const MD5: HeaderName = HeaderName::from_static("content-md5");
const VERSION_4: &str = "AWS4-HMAC-SHA256";
const VERSION_2: &str = "AWS ";
/// What the path of a credential ends with, after the key's id, the date and the region.
const SCOPE: [&str; 2] = ["s3", "aws4_request"];

/// Checks the headers that a request is known by, and those that say what comes after them.
pub(super) fn check(request: &Request<Body>) -> Result<(), Failure> {
    let headers = request.headers();
    if let Some(authorization) = headers.get(header::AUTHORIZATION) {
        check_authorization(authorization.to_str().unwrap_or_default(), headers)?;
    }
    if headers.get(MD5).is_some_and(|md5| md5.as_bytes().trim_ascii().is_empty()) {
        return Err(Failure::InvalidMd5(String::new()));
    }
    let says_length = headers.contains_key(header::CONTENT_LENGTH) || headers.contains_key(header::TRANSFER_ENCODING);
    if !says_length && brings_content(request) {
        let reason = "You must provide the Content-Length HTTP header.";
        return Err(Failure::special("MissingContentLength", reason).with_status(StatusCode::LENGTH_REQUIRED));
    }
    Ok(())
}

fn check_authorization(authorization: &str, headers: &HeaderMap) -> Result<(), Failure> {
    if authorization.trim().is_empty() {
        return Err(Failure::AccessDenied("Access Denied".into()));
    }
    if let Some(rest) = authorization.strip_prefix(VERSION_4) {
        return check_version_4(rest, headers);
    }
    let reason = match authorization.strip_prefix(VERSION_2) {
        Some(rest) if rest.contains(':') => return Ok(()),
        Some(_) => "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature",
        None => "Unsupported Authorization Type",
    };
    Err(Failure::argument("Authorization", authorization, reason))
}

fn check_version_4(rest: &str, headers: &HeaderMap) -> Result<(), Failure> {
    let malformed = |what: &str| {
        let reason = format!("The authorization header is malformed; {what}");
        Err(Failure::special("AuthorizationHeaderMalformed", reason))
    };
    let part = |name: &str| rest.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
    let Some(credential) = part("Credential") else {
        return malformed("the authorization header requires Credential.");
    };
    let scope: Vec<&str> = credential.rsplitn(5, '/').collect();
    if scope.len() != 5 || !scope.iter().zip(SCOPE.iter().rev()).all(|(given, wanted)| given == wanted) {
        return malformed(
            "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".",
        );
    }
    for name in ["SignedHeaders", "Signature"] {
        if part(name).is_none() {
            return malformed(&format!("the authorization header requires {name}."));
        }
    }
    let date = headers.get(DATE).and_then(|date| date.to_str().ok()).unwrap_or_default();
    if jiff::fmt::strtime::parse("%Y%m%dT%H%M%SZ", date).is_err() {
        return Err(Failure::AccessDenied("AWS authentication requires a valid Date or x-amz-date header".into()));
    }
    Ok(())
}

/// Whether a request is to have content: that of an object or of a part, and not from elsewhere.
fn brings_content(request: &Request<Body>) -> bool {
    let query = request.uri().query().unwrap_or_default();
    let mut names = form_urlencoded::parse(query.as_bytes());
    *request.method() == Method::PUT
        && bucket_alone(request).is_none()
        && request.uri().path() != "/"
        && !request.headers().contains_key(COPY_SOURCE)
        && names
            .all(|(name, _)| name.starts_with("X-Amz-") || matches!(name.as_ref(), "partNumber" | "uploadId" | "x-id"))
}

/// The bucket of which a request sets something by a document, which comes before the document.
pub(super) fn bucket_to_set(request: &Request<Body>) -> Option<String> {
    let sets = matches!(*request.method(), Method::PUT | Method::POST) && request.uri().query().is_some();
    bucket_alone(request).filter(|_| sets)
}

/// Whether an answer says that a document was not understood.
pub(super) fn refuses_document(response: &Response<Body>) -> bool {
    const CODE: &[u8] = b"<Code>MalformedXML</Code>";
    response.status() == StatusCode::BAD_REQUEST
        && response.body().bytes().is_some_and(|body| body.windows(CODE.len()).any(|window| window == CODE))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "AWS4-HMAC-SHA256 Credential=AKID/20261126/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";

    fn code(authorization: &str, date: &str) -> Option<String> {
        let request = Request::get("/b/k").header("authorization", authorization).header("x-amz-date", date);
        let failure = check(&request.body(Body::empty()).unwrap()).err()?;
        Some(s3s::S3Error::from(failure).code().as_str().to_owned())
    }

    #[test]
    fn signatures_have_a_form() {
        let now = "20261126T100000Z";
        assert_eq!(code(GOOD, now), None);
        assert_eq!(code("AWS AKID:signature", now), None);
        for (authorization, date, expected) in [
            ("", now, "AccessDenied"),
            ("AWS HAHAHA", now, "InvalidArgument"),
            ("AWS4 HAHAHA", now, "InvalidArgument"),
            ("AWS4-HMAC-SHA256 Credential=HAHAHA", now, "AuthorizationHeaderMalformed"),
            ("AWS4-HMAC-SHA256 Credential=a/b/c/s3/aws4_request", now, "AuthorizationHeaderMalformed"),
            (GOOD, "", "AccessDenied"),
            (GOOD, "Bad Date", "AccessDenied"),
        ] {
            assert_eq!(code(authorization, date).as_deref(), Some(expected), "{authorization} {date}");
        }
    }

    #[test]
    fn content_has_a_length() {
        let refused = |url: &str, header: &str| {
            let request = Request::put(url).header(header, "0").body(Body::empty()).unwrap();
            check(&request).err().map(|failure| failure.to_string())
        };
        for url in ["/b/k", "/b/k/l", "/b/k?partNumber=1&uploadId=u"] {
            assert!(refused(url, "accept").is_some_and(|reason| reason.contains("Content-Length")), "{url}");
            assert_eq!(refused(url, "content-length"), None, "{url}");
        }
        for (url, header) in
            [("/b", "accept"), ("/b/", "accept"), ("/b/k?acl", "accept"), ("/b/k", "x-amz-copy-source")]
        {
            assert_eq!(refused(url, header), None, "{url}");
        }
        let md5 = Request::put("/b/k").header("content-length", "0").header("content-md5", "").body(Body::empty());
        assert!(check(&md5.unwrap()).unwrap_err().to_string().contains("Content-MD5"));
    }
}
