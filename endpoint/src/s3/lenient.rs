//! Reads that AWS takes, and the crate would refuse: with a range that means nothing, with an entity tag whose quotes do not
//! belong together, with a number that is empty.
//!
//! They are served as they are meant, by a second service behind the signature, which is checked over what came.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use s3s::{
    Body, S3Request, S3Response, S3Result,
    route::S3Route,
    s3_error,
    service::{S3Service, S3ServiceBuilder},
};

use super::{Buckets, access::Access, host::LocalHosts};

const TAGS: [HeaderName; 2] = [header::IF_MATCH, header::IF_NONE_MATCH];
/// Parameters that are numbers, and not there where they are empty.
const NUMBERS: [&str; 5] = ["max-keys", "max-parts", "max-uploads", "part-number-marker", "partNumber"];

/// Serves reads as they are meant.
pub(super) struct Lenient {
    service: S3Service,
    access: Access,
}

impl Lenient {
    pub(super) fn new(buckets: &Buckets) -> Self {
        // Without keys: who comes here was let in already.
        let mut builder = S3ServiceBuilder::new(buckets.clone());
        builder.set_host(LocalHosts);
        Lenient { service: builder.build(), access: Access::new(buckets.clone()) }
    }
}

#[async_trait::async_trait]
impl S3Route for Lenient {
    fn is_match(&self, method: &Method, uri: &Uri, headers: &HeaderMap, _: &mut http::Extensions) -> bool {
        // Whoever does not sign asks for objects alone, of which the access is checked here.
        let counts = || headers.contains_key(header::AUTHORIZATION) && has_empty_number(uri);
        matches!(*method, Method::GET | Method::HEAD)
            && (headers.get(header::RANGE).is_some_and(means_nothing)
                || TAGS.iter().any(|name| headers.get(name).and_then(mended).is_some())
                || counts())
    }

    async fn check_access(&self, request: &mut S3Request<Body>) -> S3Result<()> {
        if request.credentials.is_some() {
            return Ok(());
        }
        self.access.check_anonymous(&request.uri, &request.headers, "GetObject").await
    }

    async fn call(&self, request: S3Request<Body>) -> S3Result<S3Response<Body>> {
        let mut inner = Request::new(request.input);
        *inner.method_mut() = request.method;
        *inner.uri_mut() = unsigned(&request.uri).ok_or_else(|| s3_error!(InvalidURI))?;
        *inner.headers_mut() = request.headers;
        if inner.headers().get(header::RANGE).is_some_and(means_nothing) {
            inner.headers_mut().remove(header::RANGE);
        }
        for name in TAGS {
            if let Some(tag) = inner.headers().get(&name).and_then(mended) {
                inner.headers_mut().insert(name, tag);
            }
        }
        inner.headers_mut().remove(header::AUTHORIZATION);
        let answer = self.service.call(inner).await.map_err(|error| s3_error!(InternalError, "{error:?}"))?;
        let (parts, body) = answer.into_parts();
        let mut response = S3Response::new(body);
        response.status = Some(parts.status);
        response.headers = parts.headers;
        Ok(response)
    }
}

fn means_nothing(range: &HeaderValue) -> bool {
    !range.to_str().is_ok_and(means_something)
}

fn has_empty_number(uri: &Uri) -> bool {
    let mut pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    pairs.any(|(name, value)| value.is_empty() && NUMBERS.contains(&name.as_ref()))
}

/// An entity tag without the quotes that do not belong together; nothing where they do.
fn mended(tag: &HeaderValue) -> Option<HeaderValue> {
    let text = tag.to_str().ok().filter(|text| text.contains('"'))?;
    let strong = text.strip_prefix("W/").unwrap_or(text);
    let inner = strong.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    if inner.is_some_and(|inner| !inner.contains('"')) {
        return None;
    }
    HeaderValue::try_from(format!("\"{}\"", text.replace('"', ""))).ok()
}

/// Whether a header says which bytes are wanted: one range, with its first byte or with the number of the last ones.
fn means_something(range: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) {
        Some(("", last)) => is_number(last),
        Some((first, "")) => is_number(first),
        Some((first, last)) if is_number(first) && is_number(last) => {
            let number = |text: &str| text.parse::<u64>().unwrap_or(u64::MAX);
            number(first) <= number(last)
        }
        _ => false,
    }
}

/// The URI without a signature, and without numbers that are empty.
fn unsigned(uri: &Uri) -> Option<Uri> {
    let signs = |name: &str| name.starts_with("X-Amz-") || matches!(name, "AWSAccessKeyId" | "Signature" | "Expires");
    let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let pairs = pairs.filter(|(name, value)| !(signs(name) || value.is_empty() && NUMBERS.contains(&name.as_ref())));
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let text = if query.is_empty() { uri.path().to_owned() } else { format!("{}?{query}", uri.path()) };
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_mean_something_or_not() {
        for range in ["bytes=0-8", "bytes=1-1", "bytes=1-", "bytes=-2", "bytes=-0", "bytes=100-200"] {
            assert!(means_something(range), "{range}");
        }
        for range in ["bytes=1-0", "bytes=-1-", "bytes=0--1", "bytes=0-1,3-4", "0-1", "bytes=-", "bytes=a-b", ""] {
            assert!(!means_something(range), "{range}");
        }
    }

    #[test]
    fn tags_have_their_quotes() {
        for (given, meant) in [("\"a", "\"a\""), ("a\"", "\"a\""), ("x,\"y\"", "\"x,y\"")] {
            assert_eq!(mended(&HeaderValue::from_static(given)).unwrap(), meant);
        }
        for right in ["\"a\"", "W/\"a\"", "a", "*"] {
            assert!(mended(&HeaderValue::from_static(right)).is_none(), "{right}");
        }
    }

    #[test]
    fn signatures_leave_the_query() {
        let uri = Uri::from_static("/b/k?versionId=a%2Bb&X-Amz-Signature=x&X-Amz-Expires=1");
        assert_eq!(unsigned(&uri).unwrap().to_string(), "/b/k?versionId=a%2Bb");
        assert_eq!(unsigned(&Uri::from_static("/b/k?X-Amz-Date=x&max-parts=")).unwrap().to_string(), "/b/k");
    }
}
