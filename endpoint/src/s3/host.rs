//! Buckets named by the host: `BUCKET.localhost` and `BUCKET.s3.localhost`, as SDKs write them that are not told to use the path.

use s3s::{
    S3Result,
    host::{S3Host, VirtualHost},
};

/// The loopback names; addresses never get here.
pub(super) struct LocalHosts;

impl S3Host for LocalHosts {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        Ok(match bucket(host) {
            Some(bucket) => VirtualHost::new("localhost").with_bucket(bucket.to_owned()),
            None => VirtualHost::new("localhost"),
        })
    }
}

fn bucket(host: &str) -> Option<&str> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let sub = name.strip_suffix(".localhost")?;
    match sub.strip_suffix("s3") {
        Some("") => None,
        Some(rest) => Some(rest.strip_suffix('.').unwrap_or(sub)),
        None => Some(sub),
    }
}

#[cfg(test)]
mod tests {
    use super::bucket;

    #[test]
    fn hosts_name_buckets() {
        assert_eq!(bucket("localhost:4566"), None);
        assert_eq!(bucket("s3.localhost:4566"), None);
        assert_eq!(bucket("photos.localhost:4566"), Some("photos"));
        assert_eq!(bucket("photos.s3.localhost"), Some("photos"));
        assert_eq!(bucket("my.photos.s3.localhost:1"), Some("my.photos"));
        assert_eq!(bucket("photos3.localhost"), Some("photos3"));
    }
}
