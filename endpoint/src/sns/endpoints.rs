//! Who can be subscribed: what each protocol takes for an endpoint, and what reaches it.
//!
//! Nothing leaves this machine. Queues and servers on loopback get what is published. What others would get is dropped (text
//! messages), goes to the subscription's dead-letter queue (functions and streams, which are not there), or waits for a
//! confirmation that nobody can send (other servers, mail).

use crate::{hosts::is_loopback, names::Names, sqs::FIFO_SUFFIX};

use super::{error::SnsError, topics::Topic};

pub(super) const SQS: &str = "sqs";
pub(super) const HTTP: &str = "http";
pub(super) const HTTPS: &str = "https";
pub(super) const SMS: &str = "sms";
const LAMBDA: &str = "lambda";
const FIREHOSE: &str = "firehose";
/// The digits of a telephone number.
const DIGITS: std::ops::RangeInclusive<usize> = 2..=15;

/// Checks the endpoint of a subscription that is asked for.
pub(super) fn check(names: &Names, topic: &Topic, protocol: &str, endpoint: &str) -> Result<(), SnsError> {
    match protocol {
        _ if endpoint.is_empty() => Err(SnsError::refused("Endpoint")),
        SQS => check_queue(names, topic, endpoint),
        _ if topic.is_fifo() => Err(SnsError::refused("Invalid parameter: Endpoint Reason: Please use FIFO SQS queue")),
        HTTP | HTTPS => check_server(protocol, endpoint),
        "email" | "email-json" if endpoint.contains('@') => Ok(()),
        "email" | "email-json" => Err(SnsError::refused("Email address")),
        SMS if is_phone_number(endpoint) => Ok(()),
        SMS => Err(SnsError::InvalidPhone(endpoint.to_owned())),
        LAMBDA | FIREHOSE if is_arn(endpoint) => Ok(()),
        LAMBDA => Err(SnsError::refused("Lambda endpoint ARN")),
        FIREHOSE => Err(SnsError::refused("Firehose endpoint ARN")),
        "application" if is_arn(endpoint) => {
            Err(SnsError::invalid("Endpoint", format!("Endpoint does not exist for endpoint arn{endpoint}")))
        }
        "application" => Err(SnsError::refused("ApplicationEndpoint ARN")),
        other => Err(SnsError::refused(format!("Amazon SNS does not support this protocol string: {other}"))),
    }
}

/// Whether a subscription waits until its endpoint has confirmed it.
pub(super) fn must_confirm(protocol: &str) -> bool {
    ![SQS, SMS, LAMBDA, FIREHOSE].contains(&protocol)
}

/// Whether a server is sent anything. To whatever is elsewhere no token is sent, so that its subscription waits for ever, as
/// that of a server that does not answer.
pub(super) fn is_reached(protocol: &str, endpoint: &str) -> bool {
    let uri: Option<http::Uri> = endpoint.parse().ok().filter(|_| protocol == HTTP);
    // A user's name and password would come before an `@`.
    uri.as_ref()
        .and_then(http::Uri::authority)
        .is_some_and(|authority| !authority.as_str().contains('@') && is_loopback(authority.as_str()))
}

/// Whether a number is written as E.164 has it.
pub(super) fn is_phone_number(number: &str) -> bool {
    let digits = number.strip_prefix('+').unwrap_or(number);
    DIGITS.contains(&digits.len()) && !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit())
}

fn is_arn(endpoint: &str) -> bool {
    endpoint.starts_with("arn:") && endpoint.split(':').count() >= 6
}

fn check_queue(names: &Names, topic: &Topic, endpoint: &str) -> Result<(), SnsError> {
    if endpoint.split(':').count() < 6 {
        return Err(SnsError::refused("SQS endpoint ARN"));
    }
    if names.queue_in_arn(endpoint).is_none() {
        return Err(SnsError::invalid("Endpoint", "it is not the ARN of a queue of this endpoint's account"));
    }
    if endpoint.ends_with(FIFO_SUFFIX) && !topic.is_fifo() {
        return Err(SnsError::refused(
            "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics",
        ));
    }
    Ok(())
}

fn check_server(protocol: &str, endpoint: &str) -> Result<(), SnsError> {
    let uri: Option<http::Uri> = endpoint.parse().ok();
    let uri = uri.filter(|uri| uri.scheme_str() == Some(protocol) && uri.authority().is_some());
    uri.map(drop).ok_or_else(|| SnsError::refused("Endpoint must match the specified protocol"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telephone_numbers() {
        for number in ["+15551234567", "15551234567", "+4917012345678"] {
            assert!(is_phone_number(number), "{number}");
        }
        for other in ["", "+", "+1", "+0155512345", "+1a234", "NAA+15551234567", "+15--551234567", "+1234567890123456"]
        {
            assert!(!is_phone_number(other), "{other}");
        }
    }
}
