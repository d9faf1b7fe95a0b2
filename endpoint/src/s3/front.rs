//! What surrounds the protocol: ids of requests, the details of errors, and what comes without a signature (CORS, forms).

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use s3s::{Body, S3Error};

use super::{
    document, encoding,
    error::{Failure, message_of},
    events::{host_id, request_id},
    host::bucket_alone,
    signature::Signed,
};

/// Carry elements that the crate does not write from the operation to here; they never leave. Those of the first come before
/// what the crate writes, where it is no error.
pub(super) const FIRST: HeaderName = HeaderName::from_static("x-endpoint-first-elements");
pub(super) const DETAILS: HeaderName = HeaderName::from_static("x-endpoint-error-details");
const XML: HeaderValue = HeaderValue::from_static("application/xml");
pub(super) const VERSION_ID: HeaderName = HeaderName::from_static("x-amz-version-id");
pub(super) const DELETE_MARKER: HeaderName = HeaderName::from_static("x-amz-delete-marker");
const EXPECTED_OWNER: HeaderName = HeaderName::from_static("x-amz-expected-bucket-owner");
const EXPECTED_SOURCE_OWNER: HeaderName = HeaderName::from_static("x-amz-source-expected-bucket-owner");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");
const METADATA: &str = "x-amz-meta-";
const HOST_ID: HeaderName = HeaderName::from_static("x-amz-id-2");

/// Settings of buckets that are answered with 204 when they are set.
const SILENT: [&str; 5] = ["policy", "tagging", "analytics", "intelligent-tiering", "inventory"];

const CODE: (&str, &str) = ("<Code>", "</Code>");
const END: &str = "</Error>";

/// What AWS makes of an answer without an error, where the crate does not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Success {
    Usual,
    /// Nothing at all: of a setting that was set.
    Silent,
    /// Nothing, and the type of an answer that is not there: of a look at a bucket.
    Typed,
}

/// What of a request its answer depends on.
pub(super) struct Asked {
    head: bool,
    success: Success,
    /// Whether its sender waits for leave to send the body.
    waits: bool,
    path: String,
    signed: Option<Signed>,
}

impl Asked {
    pub(super) fn new(request: &Request<Body>) -> Asked {
        let set = form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).next();
        let success = match *request.method() {
            _ if bucket_alone(request).is_none() => Success::Usual,
            Method::PUT if set.as_ref().is_some_and(|(name, _)| SILENT.contains(&name.as_ref())) => Success::Silent,
            Method::HEAD => Success::Typed,
            _ => Success::Usual,
        };
        let waits = request.headers().contains_key(header::EXPECT);
        let head = request.method() == Method::HEAD;
        Asked { head, success, waits, path: request.uri().path().to_owned(), signed: Signed::of(request) }
    }

    /// Whether an answer is a document of the crate's, and not an object that happens to be one.
    fn is_document(&self, response: &Response<Body>) -> bool {
        !self.head
            && response.headers().get(header::CONTENT_TYPE) == Some(&XML)
            && !response.headers().contains_key(header::ETAG)
            && !response.headers().contains_key(header::ACCEPT_RANGES)
    }

    /// Completes an answer as AWS writes it.
    pub(super) async fn finish(&self, mut response: Response<Body>) -> Response<Body> {
        let (request, host) = (request_id(), host_id());
        for (name, value) in response.headers_mut() {
            let text = value.to_str().ok().filter(|_| name.as_str().starts_with(METADATA));
            if let Some(quoted) = text.and_then(encoding::quoted).and_then(|text| HeaderValue::try_from(text).ok()) {
                *value = quoted;
            }
        }
        let (first, details) = (response.headers_mut().remove(FIRST), response.headers_mut().remove(DETAILS));
        // The crate leaves the status of most answers as it is.
        if let Some(status) = response.extensions_mut().remove::<StatusCode>() {
            *response.status_mut() = status;
        }
        if self.head && response.status() == StatusCode::OK && response.headers().contains_key(header::CONTENT_RANGE) {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        } else if self.success == Success::Typed && response.status() == StatusCode::OK {
            response.headers_mut().insert(header::CONTENT_TYPE, XML);
        } else if self.success == Success::Silent && response.status() == StatusCode::OK {
            *response.status_mut() = StatusCode::NO_CONTENT;
        }
        if response.status() == StatusCode::NOT_MODIFIED || self.head && response.status().as_u16() >= 400 {
            *response.body_mut() = Body::empty();
            response.headers_mut().remove(header::CONTENT_TYPE);
        } else if response.status().as_u16() >= 400 {
            let body = std::mem::take(response.body_mut());
            let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            let told = details.as_ref().map(HeaderValue::as_bytes).unwrap_or_default();
            let mut details: Vec<(Cow<'_, str>, Cow<'_, str>)> = form_urlencoded::parse(told).collect();
            if let Some(signed) = self.signed.as_ref().filter(|_| details.is_empty() && is_mismatch(&body)) {
                details.extend(signed.details().into_iter().map(|(name, value)| (name.into(), value.into())));
            }
            let body = with_details(&body, &details, &self.path, &request, &host);
            // The crate says so of some errors only.
            response.headers_mut().entry(header::CONTENT_TYPE).or_insert(XML);
            *response.body_mut() = Body::from(body);
        } else if self.is_document(&response) {
            let body = std::mem::take(response.body_mut());
            let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            let written = document::as_written(&body, &elements(first.as_ref()), &elements(details.as_ref()));
            *response.body_mut() = Body::from(written.unwrap_or(body));
        }
        if self.waits && response.status().as_u16() >= 400 {
            // A body that was never asked for ends the connection, and the client must not use it again.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        for (name, value) in [(REQUEST_ID, request), (HOST_ID, host)] {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// Refuses a request that its sender wants served for buckets of another account only.
pub(super) fn check_owner(request: &Request<Body>, account: &str) -> Result<(), Failure> {
    for name in [EXPECTED_OWNER, EXPECTED_SOURCE_OWNER] {
        match request.headers().get(&name).and_then(|owner| owner.to_str().ok()) {
            Some(owner) if owner.len() != account.len() || !owner.bytes().all(|byte| byte.is_ascii_digit()) => {
                let reason =
                    format!("The value of the expected bucket owner parameter must be an AWS Account ID... [{owner}]");
                return Err(Failure::special("InvalidBucketOwnerAWSAccountID", reason));
            }
            Some(owner) if owner != account => return Err(Failure::AccessDenied("Access Denied".into())),
            _ => {}
        }
    }
    Ok(())
}

/// The answer of a refusal before the protocol: its details are added as to any other.
pub(super) fn refusal(failure: Failure) -> Response<Body> {
    let headers = failure.headers();
    let error = S3Error::from(failure);
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
    element(&mut text, "Code", error.code().as_str());
    element(&mut text, "Message", error.message().unwrap_or_default());
    text.push_str(END);
    let mut response = Response::new(Body::from(Bytes::from(text)));
    *response.status_mut() = error.status_code().unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = headers;
    response.headers_mut().insert(header::CONTENT_TYPE, XML);
    response
}

/// Adds to an error what the crate that wrote it leaves out.
fn with_details(
    body: &Bytes,
    details: &[(Cow<'_, str>, Cow<'_, str>)],
    path: &str,
    request: &str,
    host: &str,
) -> Bytes {
    let Some(start) = std::str::from_utf8(body).ok().and_then(|text| text.strip_suffix(END)) else {
        return body.clone();
    };
    let mut text = start.to_owned();
    if !start.contains("<Message>") {
        let code = start.split_once(CODE.0).and_then(|(_, rest)| rest.split_once(CODE.1)).map_or("", |(code, _)| code);
        element(&mut text, "Message", message_of(code));
        let (bucket, key) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
        if code == "InvalidBucketName" {
            element(&mut text, "BucketName", bucket);
        } else if code == "KeyTooLongError" {
            // Of an encoded byte there are three characters.
            let size = key.len() - 2 * key.matches('%').count();
            element(&mut text, "Size", &size.to_string());
            element(&mut text, "MaxSizeAllowed", "1024");
        }
    }
    for (name, value) in details {
        element(&mut text, name, value);
    }
    element(&mut text, "RequestId", request);
    element(&mut text, "HostId", host);
    text.push_str(END);
    document::as_written(text.as_bytes(), "", "").unwrap_or_else(|| text.into())
}

/// Whether an error is that of a signature, found by the crate, which does not say what it signed.
fn is_mismatch(body: &[u8]) -> bool {
    std::str::from_utf8(body).is_ok_and(|text| text.contains("<Code>SignatureDoesNotMatch</Code>"))
}

/// The elements that a header carries.
fn elements(header: Option<&HeaderValue>) -> String {
    let mut text = String::new();
    for (name, value) in form_urlencoded::parse(header.map(HeaderValue::as_bytes).unwrap_or_default()) {
        element(&mut text, &name, &value);
    }
    text
}

pub(super) fn element(text: &mut String, name: &str, value: &str) {
    text.extend(["<", name, ">"]);
    for character in value.chars() {
        match character {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            // XML has no way to write these.
            control if control.is_control() && !matches!(control, '\t' | '\n' | '\r') => text.push('\u{fffd}'),
            other => text.push(other),
        }
    }
    text.extend(["</", name, ">"]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn some_settings_of_buckets_are_answered_with_nothing() {
        for (method, uri, status) in [
            (Method::PUT, "/bucket?tagging", 204),
            (Method::PUT, "/bucket?policy", 204),
            (Method::PUT, "/bucket/key?tagging", 200),
            (Method::PUT, "/bucket?cors", 200),
            (Method::GET, "/bucket?tagging", 200),
        ] {
            let request = Request::builder().method(method).uri(uri).body(Body::empty()).unwrap();
            let answer = Asked::new(&request).finish(Response::new(Body::empty())).await;
            assert_eq!(answer.status().as_u16(), status, "{uri}");
        }
    }

    #[test]
    fn errors_get_their_details() {
        let body = Bytes::from_static(b"<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>");
        let text = with_details(&body, &[("Key".into(), "a&b".into())], "/b/a&b", "R", "H");
        let expected = "<Error><Code>NoSuchKey</Code><Message>gone</Message><Key>a&amp;b</Key>\
                        <RequestId>R</RequestId><HostId>H</HostId></Error>";
        assert_eq!(text, expected);
        let bare = Bytes::from_static(b"<Error><Code>InvalidBucketName</Code></Error>");
        let text = with_details(&bare, &[], "/A_b/c", "R", "H");
        assert!(std::str::from_utf8(&text).unwrap().contains("<BucketName>A_b</BucketName>"), "{text:?}");
        let other = Bytes::from_static(b"not an error");
        assert_eq!(with_details(&other, &[], "", "", ""), other);
    }
}
