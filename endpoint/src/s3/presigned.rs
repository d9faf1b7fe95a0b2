//! What is wrong with a presigned URL before its signature is looked at, in the words that the service has for it.

use http::{HeaderMap, Request};
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
const FREE_HEADERS: [&str; 3] = ["x-amz-content-sha256", "x-amz-date", "x-amz-user-agent"];

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
            check_age(value("X-Amz-Date").unwrap_or_default(), value("X-Amz-Expires").unwrap_or_default(), now)?;
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
    Ok(())
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
    let failure = Failure::special("AccessDenied", "Request has expired").with_status(http::StatusCode::FORBIDDEN);
    let failure = failure.with_detail("X-Amz-Expires", expires).with_detail("Expires", iso8601(end));
    Err(failure.with_detail("ServerTime", iso8601(now)))
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

    const WHOLE: &str = "X-Amz-Algorithm=A&X-Amz-Credential=c&X-Amz-Signature=s&X-Amz-Date=20261126T100000Z&\
                         X-Amz-SignedHeaders=host%3Bx-amz-meta-a&X-Amz-Expires=60";
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
        for (bad, reason) in [("-1", "non-negative"), ("700000", "less than a week"), ("x", "a number")] {
            let query = WHOLE.replace("Expires=60", &format!("Expires={bad}"));
            assert!(refusal(&query, "accept", NOW).unwrap().contains(reason));
        }
    }
}
