//! What a website configuration may say. Nothing is served by it: it is kept and answered. Pure.

use s3s::dto::{Condition, Protocol, Redirect, RoutingRule, WebsiteConfiguration};

use super::error::Failure;

const BAD_PROTOCOL: &str =
    "Invalid protocol, protocol can be http or https. If not defined the protocol will be selected automatically.";

pub(super) fn check(wanted: &WebsiteConfiguration) -> Result<(), Failure> {
    if let Some(redirect) = &wanted.redirect_all_requests_to {
        if wanted.index_document.is_some() || wanted.error_document.is_some() || wanted.routing_rules.is_some() {
            let reason = "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.";
            return Err(Failure::argument("RedirectAllRequestsTo", "not null", reason));
        }
        return check_protocol(redirect.protocol.as_ref().map(Protocol::as_str));
    }
    match &wanted.index_document {
        None => {
            let reason = "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty";
            return Err(Failure::argument("IndexDocument", "null", reason));
        }
        Some(index) if index.suffix.is_empty() || index.suffix.contains('/') => {
            let reason = "The IndexDocument Suffix is not well formed";
            return Err(Failure::argument("IndexDocument", index.suffix.clone(), reason));
        }
        Some(_) => {}
    }
    if wanted.error_document.as_ref().is_some_and(|document| document.key.is_empty()) {
        return Err(Failure::MalformedXml);
    }
    if wanted.routing_rules.as_ref().is_some_and(Vec::is_empty) {
        return Err(Failure::MalformedXml);
    }
    wanted.routing_rules.iter().flatten().try_for_each(check_rule)
}

fn check_rule(rule: &RoutingRule) -> Result<(), Failure> {
    let Redirect { protocol, replace_key_prefix_with, replace_key_with, .. } = &rule.redirect;
    let refused = |reason: &str| Err(Failure::InvalidRequest(reason.into()));
    if replace_key_prefix_with.is_some() && replace_key_with.is_some() {
        return refused("You can only define ReplaceKeyPrefix or ReplaceKey but not both.");
    }
    let is_empty = |condition: &Condition| {
        condition.http_error_code_returned_equals.is_none() && condition.key_prefix_equals.is_none()
    };
    if rule.condition.as_ref().is_some_and(is_empty) {
        return refused(
            "Condition cannot be empty. To redirect all requests without a condition, the condition element shouldn't be \
             present.",
        );
    }
    check_protocol(protocol.as_ref().map(Protocol::as_str))
}

fn check_protocol(protocol: Option<&str>) -> Result<(), Failure> {
    if protocol.is_none_or(|protocol| matches!(protocol, "http" | "https")) {
        return Ok(());
    }
    Err(Failure::InvalidRequest(BAD_PROTOCOL.into()))
}
