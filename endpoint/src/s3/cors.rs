//! Requests of web pages of another origin: allowed as far as the bucket's CORS configuration says, and no further.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use rusqlite::Connection;
use s3s::{
    Body,
    dto::{CORSConfiguration, CORSRule},
};

use crate::store::Store;

use super::{
    error::Failure,
    host,
    rows::find_bucket,
    settings::{self, Setting, from_xml},
};

const MAX_RULES: usize = 100;
const METHODS: &[&str] = &["GET", "PUT", "HEAD", "POST", "DELETE"];
const VARY: &str = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

/// Checks what a client wants to allow.
pub(super) fn check(rules: &[CORSRule]) -> Result<(), Failure> {
    if rules.is_empty() || rules.len() > MAX_RULES {
        return Err(Failure::MalformedXml);
    }
    let refused = |message: String| Err(Failure::InvalidRequest(message));
    for rule in rules {
        if rule.allowed_methods.is_empty() || rule.allowed_origins.is_empty() {
            return Err(Failure::MalformedXml);
        }
        if let Some(method) = rule.allowed_methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
            return refused(format!("Found unsupported HTTP method in CORS config. Unsupported method is {method}"));
        }
        let many = |text: &&String| text.matches('*').count() > 1;
        if let Some(origin) = rule.allowed_origins.iter().find(many) {
            return refused(format!("AllowedOrigin \"{origin}\" can not have more than one wildcard."));
        }
        if let Some(name) = rule.allowed_headers.iter().flatten().find(many) {
            return refused(format!("AllowedHeader \"{name}\" can not have more than one wildcard."));
        }
        if let Some(name) = rule.expose_headers.iter().flatten().find(|name| name.contains('*')) {
            return refused(format!(
                "ExposeHeader \"{name}\" contains wildcard. We currently do not support wildcard for ExposeHeader."
            ));
        }
    }
    Ok(())
}

/// What a page asks for.
#[derive(Debug, Clone)]
pub(super) struct Asking {
    bucket: String,
    is_object: bool,
    origin: String,
    method: String,
    headers: Vec<String>,
    is_preflight: bool,
}

impl Asking {
    /// What a request asks for, where a page of another origin sent it. A preflight without an origin is refused.
    pub(super) fn of(request: &Request<Body>) -> Result<Option<Asking>, Failure> {
        let text = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
        let is_preflight = request.method() == Method::OPTIONS;
        let Some(origin) = text(header::ORIGIN) else {
            let reason = "Insufficient information. Origin request header needed.";
            return if is_preflight { Err(Failure::BadRequest(reason.into())) } else { Ok(None) };
        };
        // The service takes what a preflight asks for from any request.
        let asked = text(header::ACCESS_CONTROL_REQUEST_METHOD);
        let method = asked.unwrap_or(request.method().as_str());
        let headers = text(header::ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or_default();
        let path = request.uri().path().trim_start_matches('/');
        let (bucket, key) = match text(header::HOST).and_then(host::bucket) {
            Some(bucket) => (bucket, path),
            None => path.split_once('/').unwrap_or((path, "")),
        };
        Ok(Some(Asking {
            bucket: bucket.to_owned(),
            is_object: !key.is_empty(),
            origin: origin.to_owned(),
            method: method.to_owned(),
            headers: headers
                .split(',')
                .map(|name| name.trim().to_ascii_lowercase())
                .filter(|n| !n.is_empty())
                .collect(),
            is_preflight,
        }))
    }

    /// The headers that allow it. A preflight that nothing allows is refused; another request then goes without them, so that
    /// the browser keeps the answer from the page.
    pub(super) async fn allowed(&self, store: &Store) -> Result<HeaderMap, Failure> {
        let bucket = self.bucket.clone();
        let rules = store.read(move |connection| configuration(connection, &bucket)).await?;
        let refused = |reason, resource| {
            if !self.is_preflight {
                return Ok(HeaderMap::new());
            }
            Err(Failure::AccessForbidden { reason, method: self.method.clone(), resource })
        };
        let configuration = match rules {
            Ok(configuration) => configuration,
            Err(reason) => return refused(reason, "BUCKET"),
        };
        if self.is_preflight && !METHODS.contains(&self.method.as_str()) {
            let shown = if self.method == Method::OPTIONS.as_str() { "null" } else { &self.method };
            return Err(Failure::BadRequest(format!("Invalid Access-Control-Request-Method: {shown}")));
        }
        match configuration.cors_rules.iter().find(|rule| self.matches(rule)) {
            Some(rule) => Ok(self.headers(rule)),
            None => refused(
                "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request \
                 method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the \
                 resource's CORS spec.",
                if self.is_object { "OBJECT" } else { "BUCKET" },
            ),
        }
    }

    fn matches(&self, rule: &CORSRule) -> bool {
        let allowed: Vec<String> =
            rule.allowed_headers.iter().flatten().map(|pattern| pattern.to_ascii_lowercase()).collect();
        rule.allowed_origins.iter().any(|pattern| fits(pattern, &self.origin))
            && rule.allowed_methods.contains(&self.method)
            && self.headers.iter().all(|name| allowed.iter().any(|pattern| fits(pattern, name)))
    }

    fn headers(&self, rule: &CORSRule) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut add = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::try_from(value)
                && !value.is_empty()
            {
                headers.insert(name, value);
            }
        };
        let any = rule.allowed_origins.iter().any(|origin| origin == "*");
        add(header::ACCESS_CONTROL_ALLOW_ORIGIN, if any { "*" } else { &self.origin });
        if !any {
            add(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
        add(header::ACCESS_CONTROL_ALLOW_METHODS, &rule.allowed_methods.join(", "));
        add(header::ACCESS_CONTROL_ALLOW_HEADERS, &self.headers.join(", "));
        add(header::ACCESS_CONTROL_EXPOSE_HEADERS, &rule.expose_headers.clone().unwrap_or_default().join(", "));
        if let Some(seconds) = rule.max_age_seconds {
            add(header::ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
        }
        add(header::VARY, VARY);
        headers
    }
}

/// The rules of a bucket, or why there are none.
fn configuration(connection: &Connection, bucket: &str) -> Result<Result<CORSConfiguration, &'static str>, Failure> {
    let Some(bucket) = find_bucket(connection, bucket)? else {
        return Ok(Err("CORSResponse: Bucket not found"));
    };
    let kept = settings::find(connection, &bucket, Setting::Cors)?;
    let configuration = kept.as_deref().map(from_xml).transpose()?;
    Ok(configuration.ok_or("CORSResponse: CORS is not enabled for this bucket."))
}

/// Whether a text is what a pattern with at most one `*` describes.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, end)) => text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(origins: &[&str], methods: &[&str], headers: &[&str]) -> CORSRule {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        CORSRule {
            allowed_headers: Some(owned(headers)),
            allowed_methods: owned(methods),
            allowed_origins: owned(origins),
            expose_headers: None,
            id: None,
            max_age_seconds: Some(60),
        }
    }

    fn asking(origin: &str, method: &str, headers: &str) -> Asking {
        let request = Request::options("/bucket/key")
            .header("origin", origin)
            .header("access-control-request-method", method)
            .header("access-control-request-headers", headers);
        Asking::of(&request.body(Body::empty()).unwrap()).unwrap().unwrap()
    }

    #[test]
    fn rules_match_origin_method_and_headers() {
        let rule = rule(&["https://*.example.com"], &["PUT"], &["x-amz-*", "Content-Type"]);
        assert!(asking("https://a.example.com", "PUT", "content-type, X-Amz-Date").matches(&rule));
        assert!(!asking("https://example.com", "PUT", "").matches(&rule));
        assert!(!asking("https://a.example.com", "GET", "").matches(&rule));
        assert!(!asking("https://a.example.com", "PUT", "authorization").matches(&rule));
        let headers = asking("https://a.example.com", "PUT", "").headers(&rule);
        assert_eq!(headers["access-control-allow-origin"], "https://a.example.com");
        assert_eq!(headers["access-control-max-age"], "60");
    }

    #[test]
    fn what_is_not_a_page_asks_nothing() {
        let plain = Request::get("/bucket").body(Body::empty()).unwrap();
        assert!(Asking::of(&plain).unwrap().is_none());
        let bare = Request::options("/bucket").body(Body::empty()).unwrap();
        assert!(matches!(Asking::of(&bare), Err(Failure::BadRequest(_))));
        let page = Request::get("/b/k").header("origin", "http://x").header("access-control-request-method", "PUT");
        assert_eq!(Asking::of(&page.body(Body::empty()).unwrap()).unwrap().unwrap().method, "PUT");
    }

    #[test]
    fn configurations_are_checked() {
        assert!(check(&[rule(&["*"], &["GET"], &["*"])]).is_ok());
        assert!(check(&[]).is_err());
        assert!(check(&[rule(&["*"], &["PATCH"], &[])]).is_err());
        assert!(check(&[rule(&["http://*.*"], &["GET"], &[])]).is_err());
        assert!(fits("a*b", "ab") && fits("a*b", "axb") && !fits("ab*ba", "aba"));
    }
}
