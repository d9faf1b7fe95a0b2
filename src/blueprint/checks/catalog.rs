//! The catalog: an address that can be read, without a password, which does not belong in a file that is committed.

use std::net::Ipv6Addr;

use super::Subject;

pub(super) fn check(subject: &mut Subject<'_>) {
    let Some(url) = subject.text("/catalog/url") else { return };
    // The message does not repeat the address: a password may be in it.
    if let Some(problem) = malformed(url) {
        let help =
            "write postgres://user@host:5432/database; in names, `@`, `:` and `/` are %40, %3A and %2F".to_owned();
        subject.error(&["/catalog/url"], format!("`catalog.url` {problem}"), help);
    }
    if has_password(url) {
        let help = "leave it out; set PGPASSWORD where you run `decouple up`, or use a .pgpass file".to_owned();
        subject.warning(&["/catalog/url"], "`catalog.url` holds a password", help);
    }
}

/// Says what is wrong with an address. That it begins as one is the schema's to tell.
fn malformed(url: &str) -> Option<&'static str> {
    let (_, rest) = url.split_once("://")?;
    if url.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Some("must not have spaces");
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let port = if let Some(bracketed) = host.strip_prefix('[') {
        match bracketed.split_once(']') {
            Some((address, port)) if address.parse::<Ipv6Addr>().is_ok() => port,
            _ => return Some("has no IPv6 address in its brackets"),
        }
    } else {
        host.find(':').map_or("", |colon| &host[colon..])
    };
    let digits =
        |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse().is_ok_and(|port: u16| port > 0);
    match port.strip_prefix(':') {
        None if port.is_empty() => None,
        Some(port) if digits(port) => None,
        _ => Some("must have a port from 1 to 65535 after its host, or none"),
    }
}

fn has_password(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let in_authority = authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    in_authority || query.split('&').any(|pair| pair.to_ascii_lowercase().starts_with("password="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_other_texts() {
        for url in [
            "postgres://me@host:5432/db",
            "postgres://me:a:b@host/db?sslmode=require",
            "postgresql:///db?host=/run/postgresql",
            "postgres://[::1]:5432/db",
            "postgres://[::1]",
            "postgres://%2Frun%2Fpostgresql/db",
        ] {
            assert_eq!(malformed(url), None, "{url}");
        }
        for url in [
            "postgres://host:99999/db",
            "postgres://host:0/db",
            "postgres://host:+5/db",
            "postgres://host:/db",
            "postgres://host:x/db",
            "postgres://one:1,two:2/db",
            "postgres://[::1/db",
            "postgres://[x]:1/db",
            "postgres://[::1]5/db",
            "postgres://ho st/db",
            "postgres://me:se/cret@host/db",
        ] {
            assert!(malformed(url).is_some(), "{url} was taken");
        }
    }

    #[test]
    fn a_password_is_seen_wherever_it_may_stand() {
        for url in ["postgres://me:secret@host/db", "postgres://host/db?user=me&password=secret"] {
            assert!(has_password(url), "{url}");
        }
        for url in ["postgres://me@host:5432/db", "postgres://host:5432/db?user=me", "postgres", "postgres://h/a:b@c"] {
            assert!(!has_password(url), "{url}");
        }
    }
}
