//! The balancer and the network: address ranges, and networks of the user's.

use std::{collections::HashSet, net::IpAddr};

use super::Subject;
use crate::blueprint::diagnostic::dotted;

pub(super) fn check(subject: &mut Subject<'_>) {
    for (index, range) in subject.list("/balancer/allow").iter().enumerate() {
        if let Some(text) = range.as_str()
            && cidr(text).is_none()
        {
            let message = format!("`{text}` is no address range");
            let help = "write an address, a slash and a number of bits, such as 203.0.113.0/24".to_owned();
            subject.error(&[&format!("/balancer/allow/{index}")], message, help);
        }
    }
    if subject.get("/balancer/allow").is_some_and(|allow| allow.as_array().is_some_and(Vec::is_empty)) {
        subject.error(&["/balancer/allow"], "`balancer.allow` is empty: nobody could connect", None);
    }
    range(subject);
    own_network(subject);
}

fn range(subject: &mut Subject<'_>) {
    let Some(text) = subject.text("/network/cidr") else { return };
    let message = match cidr(text) {
        Some((IpAddr::V4(_), 16..=24)) => return,
        Some((IpAddr::V4(_), _)) => "`network.cidr` must be from /16 to /24".to_owned(),
        _ => format!("`network.cidr` must be a range of IPv4 addresses, and this is `{text}`"),
    };
    subject.error(&["/network/cidr"], message, "such as 10.0.0.0/16".to_owned());
}

fn own_network(subject: &mut Subject<'_>) {
    let own = subject.get("/network/vpc").is_some();
    for pointer in ["/network/public_subnets", "/network/private_subnets"] {
        let mut seen = HashSet::new();
        for (index, subnet) in subject.list(pointer).iter().enumerate() {
            if let Some(subnet) = subnet.as_str()
                && !seen.insert(subnet)
            {
                let message = format!("the subnet `{subnet}` stands here twice");
                subject.error(&[&format!("{pointer}/{index}")], message, "keep one of them".to_owned());
            }
        }
        // Where an entry is no text, the structural check has told it; what was meant counts.
        let count = subject.list(pointer).iter().filter(|subnet| !subnet.is_string()).count() + seen.len();
        let name = dotted(pointer);
        if own && count < 2 {
            let verb = if count == 1 { "is" } else { "are" };
            let message = format!("`network.vpc` needs two or more `{name}`, and there {verb} {count}");
            let help = format!("add two subnets of different zones to `{name}`");
            subject.error(&[pointer, "/network/vpc"], message, help);
        } else if !own && count > 0 {
            subject.error(&[pointer], format!("`{name}` needs `network.vpc`"), None);
        }
    }
}

/// Reads an address range. Bits of the host must be 0, as AWS wants them.
fn cidr(text: &str) -> Option<(IpAddr, u32)> {
    let (address, bits) = text.split_once('/')?;
    if bits.is_empty() || bits.len() > 3 || !bits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (address, bits) = (address.parse::<IpAddr>().ok()?, bits.parse::<u32>().ok()?);
    let zero_host = match address {
        IpAddr::V4(v4) => bits <= 32 && v4.to_bits().checked_shl(bits).unwrap_or(0) == 0,
        IpAddr::V6(v6) => bits <= 128 && v6.to_bits().checked_shl(bits).unwrap_or(0) == 0,
    };
    zero_host.then_some((address, bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_told_from_other_texts() {
        for text in ["0.0.0.0/0", "10.0.0.0/16", "203.0.113.7/32", "::/0", "2001:db8::/32"] {
            assert!(cidr(text).is_some(), "{text} was refused");
        }
        for text in ["10.0.0.0", "10.0.0.1/16", "10.0.0.0/33", "10.0.0.0/+8", "10.0/16", "x/8", "10.0.0.0/", "::1/64"] {
            assert!(cidr(text).is_none(), "{text} was taken");
        }
    }
}
