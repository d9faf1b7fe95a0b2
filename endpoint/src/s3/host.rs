//! Buckets named by the host: `BUCKET.localhost` and `BUCKET.s3.localhost`, as SDKs write them that are not told to use the path.

use http::{Request, header};
use s3s::{
    Body, S3Result,
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

/// The bucket of a request that names no key.
pub(super) fn bucket_alone(request: &Request<Body>) -> Option<String> {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let path = request.uri().path().trim_matches('/');
    match bucket(host) {
        Some(bucket) => path.is_empty().then(|| bucket.to_owned()),
        None => (!path.is_empty() && !path.contains('/')).then(|| path.to_owned()),
    }
}

/// The bucket that a Host header names, where it names one.
pub(crate) fn bucket(host: &str) -> Option<&str> {
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
