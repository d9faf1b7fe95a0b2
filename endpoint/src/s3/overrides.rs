//! Headers that a read asks for by parameters of its URL: written as ISO 8859-1, which the service does and the crate does not.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use s3s::Body;

use super::error::Failure;

const HEADERS: [(&str, HeaderName); 6] = [
    ("response-cache-control", header::CACHE_CONTROL),
    ("response-content-disposition", header::CONTENT_DISPOSITION),
    ("response-content-encoding", header::CONTENT_ENCODING),
    ("response-content-language", header::CONTENT_LANGUAGE),
    ("response-content-type", header::CONTENT_TYPE),
    ("response-expires", header::EXPIRES),
];

/// The headers that a read asks for. Only who signs may ask.
pub(super) fn asked(request: &Request<Body>) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    let query = request.uri().query().filter(|query| query.contains("response-")).unwrap_or_default();
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(headers);
    }
    for (parameter, value) in form_urlencoded::parse(query.as_bytes()) {
        let Some((_, name)) = HEADERS.into_iter().find(|(named, _)| *named == parameter) else { continue };
        let latin: Result<Vec<u8>, _> = value.chars().map(|character| u8::try_from(u32::from(character))).collect();
        let latin = latin.ok().and_then(|latin| HeaderValue::from_bytes(&latin).ok()).ok_or_else(|| {
            let reason = "Header value cannot be represented using ISO-8859-1.";
            Failure::argument(parameter.as_ref(), value.as_ref(), reason)
        })?;
        headers.insert(name, latin);
    }
    let is_signed = query.contains("Signature=") || request.headers().contains_key(header::AUTHORIZATION);
    if !headers.is_empty() && !is_signed {
        let reason = "Request specific response headers cannot be used for anonymous GET requests.";
        return Err(Failure::InvalidRequest(reason.into()));
    }
    Ok(headers)
}

/// Whether an answer is an object, which has such headers.
pub(super) fn apply_to(status: StatusCode, headers: &HeaderMap) -> bool {
    matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT) && headers.contains_key(header::ETAG)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked_by(url: &str) -> Result<HeaderMap, Failure> {
        asked(&Request::get(url).body(Body::empty()).unwrap())
    }

    #[test]
    fn headers_are_latin() {
        let url = "/b/k?response-content-type=a%2Fb&response-content-language=%C3%A9&X-Amz-Signature=s";
        let headers = asked_by(url).unwrap();
        assert_eq!(headers[header::CONTENT_TYPE], "a/b");
        assert_eq!(headers[header::CONTENT_LANGUAGE].as_bytes(), [0xe9]);
        let beyond = asked_by("/b/k?response-content-type=%E2%80%93&X-Amz-Signature=s").unwrap_err();
        assert!(beyond.to_string().contains("ISO-8859-1"), "{beyond}");
        assert!(asked_by("/b/k?response-expires=x%0Ay&X-Amz-Signature=s").is_err());
        assert!(asked_by("/b/k?response-expires=x").unwrap_err().to_string().contains("anonymous"));
        assert!(asked_by("/b/k?versionId=v").unwrap().is_empty());
    }
}
