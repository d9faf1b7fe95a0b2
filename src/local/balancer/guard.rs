//! Which requests are passed on at all. The site asks nobody who they are, because it is on loopback: so what a browser sends
//! for the page of somebody else must not reach it.

use decouple_endpoint::{Hosts, is_from_another_site};
use http::{Method, StatusCode, header, request::Parts};

/// What instances tell those who run them, and nobody else.
const METRICS: &str = "/metrics";

/// Why a request is not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// A page that points a name of its own at this machine (DNS rebinding) would be of one origin with the site.
    #[error("The site answers to localhost, names below it, and addresses of loopback.")]
    Host,
    /// A form needs nobody's leave to be sent.
    #[error("Pages of other sites may change nothing here.")]
    AnotherSite,
    #[error("Metrics are read from each instance, on its own port.")]
    Metrics,
}

impl Refused {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Host | Self::AnotherSite => StatusCode::FORBIDDEN,
            Self::Metrics => StatusCode::NOT_FOUND,
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Host => "The site does not answer to this name",
            Self::AnotherSite => "Another site sent this",
            Self::Metrics => "Not found",
        }
    }
}

/// Lets a request in, or says why not.
pub(super) fn check(request: &Parts) -> Result<(), Refused> {
    let host = request.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if !Hosts::loopback().answer_to(host) {
        return Err(Refused::Host);
    }
    let changes = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(&request.method);
    if changes && is_from_another_site(&request.headers) {
        return Err(Refused::AnotherSite);
    }
    if request.uri.path() == METRICS {
        return Err(Refused::Metrics);
    }
    Ok(())
}
