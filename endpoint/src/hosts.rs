//! Which names a request may be addressed to, and whether a web page of another site is behind it.
//!
//! A page in a browser can point a name of its own at this machine (DNS rebinding), and then its requests are of one origin with
//! whatever answers. They carry that name in their Host header, and that is what gives them away.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::{HeaderMap, HeaderName};

/// Where a browser says how the page that caused a request is related to whom it goes to. Pages cannot set it.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The names and addresses that an endpoint answers to.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    names: Vec<String>,
    any_address: bool,
}

impl Hosts {
    /// `localhost`, names below it, and addresses of loopback.
    pub fn loopback() -> Hosts {
        Hosts::default()
    }

    /// Every address besides, for an endpoint that listens on one that is not of loopback. An address is no name, so nobody
    /// can point it elsewhere.
    #[must_use]
    pub fn and_addresses(mut self) -> Hosts {
        self.any_address = true;
        self
    }

    /// Other names besides, such as that of a container.
    #[must_use]
    pub fn and_names(mut self, names: impl IntoIterator<Item = String>) -> Hosts {
        self.names.extend(names.into_iter().map(|name| name.to_ascii_lowercase()));
        self
    }

    /// Whether a Host header, with or without a port, names this endpoint.
    pub fn answer_to(&self, host: &str) -> bool {
        is_loopback(host) || {
            let name = without_port(host);
            self.any_address && address(name).is_some() || self.names.contains(&name.to_ascii_lowercase())
        }
    }
}

/// Whether a host, with or without a port, is this machine whoever asks.
pub(crate) fn is_loopback(host: &str) -> bool {
    let name = without_port(host);
    if let Some(address) = address(name) {
        return address.is_loopback();
    }
    let name = name.to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Whether a browser sent the request for a page of another site. Keys that everybody knows keep no page out, and a form or an
/// image needs nobody's leave to send one.
pub fn is_from_another_site(headers: &HeaderMap) -> bool {
    headers.get(FETCH_SITE).is_some_and(|site| site == "cross-site")
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn address(name: &str) -> Option<IpAddr> {
    match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(v6) => v6.parse::<Ipv6Addr>().ok().map(IpAddr::from),
        None => name.parse::<Ipv4Addr>().ok().map(IpAddr::from),
    }
}

#[cfg(test)]
mod tests {
    use super::Hosts;

    #[test]
    fn only_loopback_hosts_are_answered() {
        let hosts = Hosts::loopback();
        for host in ["localhost", "LOCALHOST:4566", "photos.s3.localhost:1", "127.0.0.1:4566", "127.9.9.9", "[::1]:80"]
        {
            assert!(hosts.answer_to(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "127.0.0.1.example.com",
            "localhost.example.com",
            "[::2]",
            "10.0.0.1:4566",
            "notlocalhost",
        ] {
            assert!(!hosts.answer_to(host), "{host}");
        }
    }

    #[test]
    fn others_are_answered_where_that_is_wanted() {
        let hosts = Hosts::loopback().and_addresses().and_names(["Endpoint".to_owned()]);
        for host in ["10.0.0.1:4566", "[fe80::1]:4566", "endpoint:4566", "ENDPOINT", "localhost"] {
            assert!(hosts.answer_to(host), "{host}");
        }
        for host in ["example.com", "10.0.0.1.example.com", "photos.endpoint"] {
            assert!(!hosts.answer_to(host), "{host}");
        }
    }
}
