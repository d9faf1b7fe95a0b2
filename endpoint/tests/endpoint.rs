//! The endpoint over the wire, as SDKs and plain HTTP see it.

mod crash;
mod objects;
mod s3_versions;
mod plain_http;
mod queues;
mod support;
mod topics;
