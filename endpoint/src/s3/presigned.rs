//! What is wrong with a presigned URL before its signature is looked at, in the words that the service has for it.

use http::{HeaderMap, HeaderName, HeaderValue, Request};
use s3s::Body;

use crate::clock::{Millis, SECOND, iso8601};

use super::error::Failure;

/// What version 4 takes.
const PARAMETERS: [&str; 6] =
    ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Expires"];
/// What version 2 takes.
const OLD_PARAMETERS: [&str; 3] = ["Signature", "Expires", "AWSAccessKeyId"];
const MOST_SECONDS: i64 = 7 * 24 * 60 * 60;
/// Headers that say nothing of what is asked for.
const FREE_HEADERS: [&str; 2] = ["x-amz-content-sha256", "x-amz-user-agent"];
/// Parameters of a URL that are taken as the headers of these names. Others than these begin with the prefix.
const HOISTED: [&str; 4] = ["if-match", "if-none-match", "content-md5", "content-type"];
const HOISTED_PREFIX: &str = "x-amz-";
/// A signature of version 4 has this many digits.
const DIGITS: usize = 64;

/// Refuses a presigned URL that is not whole, is too old, or came with headers that were not signed.
pub(super) fn check(request: &Request<Body>, now: Millis) -> Result<(), Failure> {
    let query = request.uri().query().unwrap_or_default();
    // Most requests are signed by a header, and need not be looked at twice.
    if !query.contains("X-Amz-") && !query.contains("AWSAccessKeyId") && !query.contains("Signature") {
        return Ok(());
    }
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let value = |name: &str| pairs.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
    let has = |names: &[&str]| names.iter().filter(|name| value(name).is_some()).count();
    match has(&PARAMETERS) {
        0 => {}
        6 => {
            check_credential(value("X-Amz-Credential").unwrap_or_default())?;
            check_age(value("X-Amz-Date").unwrap_or_default(), value("X-Amz-Expires").unwrap_or_default(), now)?;
            if value("X-Amz-Signature").is_some_and(|signature| signature.len() != DIGITS) {
                return Err(Failure::SignatureDoesNotMatch);
            }
            return check_headers(request.headers(), value("X-Amz-SignedHeaders").unwrap_or_default());
        }
        _ => {
            return Err(bad_parameters(
                "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, \
                 X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
            ));
        }
    }
    if (value("Signature").is_some() || value("AWSAccessKeyId").is_some()) && has(&OLD_PARAMETERS) < 3 {
        let reason = "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters";
        return Err(Failure::AccessDenied(reason.into()));
    }
    let end = value("Expires").and_then(|end| end.parse::<i64>().ok()).filter(|_| value("Signature").is_some());
    match end.map(|end| end.saturating_mul(SECOND)) {
        Some(end) if end < now => Err(expired(end, now, None)),
        _ => Ok(()),
    }
}

/// Takes parameters of a presigned URL as the headers that they stand for. Of what is signed by headers they mean nothing.
pub(super) fn hoist(request: &mut Request<Body>) {
    let query = request.uri().query().unwrap_or_default();
    if !query.contains("Signature=") {
        return;
    }
    let is_header = |name: &str| {
        HOISTED.contains(&name) || name.starts_with(HOISTED_PREFIX) && !name.starts_with("x-amz-checksum-")
    };
    let hoisted: Vec<(HeaderName, HeaderValue)> = form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| is_header(name) && name != "x-amz-sdk-checksum-algorithm")
        .filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?)))
        .collect();
    for (name, value) in hoisted {
        request.headers_mut().entry(name).or_insert(value);
    }
}

fn check_credential(credential: &str) -> Result<(), Failure> {
    let parts: Vec<&str> = credential.split('/').collect();
    if parts.len() == 5 && parts[4] == "aws4_request" {
        return Ok(());
    }
    Err(bad_parameters(
        "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting \
         \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".",
    ))
}

fn bad_parameters(reason: &str) -> Failure {
    Failure::special("AuthorizationQueryParametersError", reason)
}

fn check_age(date: &str, expires: &str, now: Millis) -> Result<(), Failure> {
    let seconds = match expires.parse::<i64>() {
        Err(_) => return Err(bad_parameters("X-Amz-Expires should be a number")),
        Ok(..0) => return Err(bad_parameters("X-Amz-Expires must be non-negative")),
        Ok(seconds) if seconds > MOST_SECONDS => {
            return Err(bad_parameters(
                "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than \
                 604800 seconds",
            ));
        }
        Ok(seconds) => seconds,
    };
    let signed = jiff::fmt::strtime::parse("%Y%m%dT%H%M%SZ", date)
        .and_then(|parsed| parsed.to_datetime())
        .and_then(|datetime| jiff::tz::TimeZone::UTC.to_timestamp(datetime));
    let Ok(signed) = signed else {
        let reason = "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"";
        return Err(bad_parameters(reason));
    };
    let end = signed.as_millisecond() + seconds * SECOND;
    if end >= now {
        return Ok(());
    }
    Err(expired(end, now, Some(expires)))
}

fn expired(end: Millis, now: Millis, expires: Option<&str>) -> Failure {
    let failure = Failure::special("AccessDenied", "Request has expired").with_status(http::StatusCode::FORBIDDEN);
    let failure = expires.into_iter().fold(failure, |failure, expires| failure.with_detail("X-Amz-Expires", expires));
    failure.with_detail("Expires", iso8601(end)).with_detail("ServerTime", iso8601(now))
}

fn check_headers(headers: &HeaderMap, signed: &str) -> Result<(), Failure> {
    let is_free = |name: &str| FREE_HEADERS.contains(&name) || signed.split(';').any(|signed| signed == name);
    let unsigned: Vec<&str> = headers
        .keys()
        .map(http::HeaderName::as_str)
        .filter(|name| name.starts_with("x-amz-") && !is_free(name))
        .collect();
    if unsigned.is_empty() {
        return Ok(());
    }
    let reason = "There were headers present in the request which were not signed";
    let failure = Failure::special("AccessDenied", reason).with_status(http::StatusCode::FORBIDDEN);
    Err(failure.with_detail("HeadersNotSigned", unsigned.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "X-Amz-Algorithm=A&X-Amz-Credential=c/20261126/r/s3/aws4_request&X-Amz-Date=20261126T100000Z&\
                         X-Amz-SignedHeaders=host%3Bx-amz-meta-a&X-Amz-Expires=60&\
                         X-Amz-Signature=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    /// Half a minute later.
    const NOW: Millis = 1_795_687_230_000;

    fn refusal(query: &str, header: &str, now: Millis) -> Option<String> {
        let request = Request::get(format!("/b/k?{query}")).header(header, "x").body(Body::empty()).unwrap();
        check(&request, now).err().map(|failure| failure.to_string())
    }

    #[test]
    fn urls_are_whole_and_young() {
        assert_eq!(refusal(WHOLE, "x-amz-meta-a", NOW), None);
        assert_eq!(refusal("versionId=1", "x-amz-meta-b", NOW), None);
        assert_eq!(refusal(WHOLE, "accept", NOW + 60 * SECOND).as_deref(), Some("Request has expired"));
        let unsigned = refusal(WHOLE, "x-amz-meta-b", NOW).unwrap();
        assert!(unsigned.contains("not signed"), "{unsigned}");
        let part = refusal("X-Amz-Signature=s", "accept", NOW).unwrap();
        assert!(part.contains("requires the X-Amz-Algorithm"), "{part}");
        let old = refusal("Signature=s&Expires=1", "accept", NOW).unwrap();
        assert!(old.contains("requires the Signature"), "{old}");
        assert!(refusal("Signature=s&Expires=1&AWSAccessKeyId=K", "accept", NOW).unwrap().contains("expired"));
        let short = WHOLE.replace("/r/s3", "");
        assert!(refusal(&short, "accept", NOW).unwrap().contains("mal-formed"));
        assert!(refusal(WHOLE, "x-amz-date", NOW).unwrap().contains("not signed"));
        for (bad, reason) in [("-1", "non-negative"), ("700000", "less than a week"), ("x", "a number")] {
            let query = WHOLE.replace("Expires=60", &format!("Expires={bad}"));
            assert!(refusal(&query, "accept", NOW).unwrap().contains(reason));
        }
    }
    #[test]
    fn parameters_stand_for_headers() {
        let url = "/b/k?Signature=s&x-amz-meta-a=1&if-match=t&x-amz-checksum-crc32=c&versionId=v";
        let mut request = Request::get(url).body(Body::empty()).unwrap();
        hoist(&mut request);
        let names: Vec<_> = request.headers().keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["x-amz-meta-a", "if-match"]);
        let mut plain = Request::get("/b/k?x-amz-meta-a=1").body(Body::empty()).unwrap();
        hoist(&mut plain);
        assert!(plain.headers().is_empty());
    }
}
