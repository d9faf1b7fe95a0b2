//! Files that this process may have open, and how many connections that leaves room for.
//!
//! A connection is a file, and so is what it is passed on to. Without a share for each, whoever opens connections would leave
//! none for workers, logs and the store.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a process may have open where nothing is known.
const USUAL: usize = 1024;
/// More connections than this are of use to nobody on one machine.
const MOST_TO_SITE: usize = 2048;
const MOST_TO_ENDPOINT: usize = 768;

/// Raises the limit to the highest that is allowed. Shells and service managers set a low one, for programs from the time of
/// `select`.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::warn!(%error, "the limit on open files cannot be raised");
    }
}

/// How many people may be connected to the site. Each takes two files at most: an eighth of all leaves most to others.
pub(super) fn connections_to_site() -> usize {
    (limit() / 8).clamp(1, MOST_TO_SITE)
}

/// How many clients may be connected to the endpoint.
pub(super) fn connections_to_endpoint() -> usize {
    (limit() / 2).clamp(1, MOST_TO_ENDPOINT)
}

fn limit() -> usize {
    let current = getrlimit(Resource::Nofile).current;
    current.map_or(USUAL, |files| usize::try_from(files).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_the_highest_and_leaves_files_to_others() {
        raise_limit();
        let limits = getrlimit(Resource::Nofile);
        assert_eq!(limits.current, limits.maximum);
        assert!(connections_to_site() * 2 + connections_to_endpoint() <= limit() * 3 / 4 + 2);
    }
}
