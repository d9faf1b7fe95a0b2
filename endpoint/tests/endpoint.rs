//! The endpoint over the wire, as SDKs and plain HTTP see it.

mod crash;
mod objects;
mod plain_http;
mod queues;
mod s3_events;
mod s3_forms;
mod s3_settings;
mod s3_uploads;
mod s3_versions;
mod support;
mod topics;
