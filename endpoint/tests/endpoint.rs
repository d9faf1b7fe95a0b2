//! The endpoint over the wire, as SDKs and plain HTTP see it.

mod bodies;
mod crash;
mod mangled;
mod objects;
mod plain_http;
mod queues;
mod s3_access;
mod s3_encryption;
mod s3_events;
mod s3_forms;
mod s3_kept;
mod s3_locks;
mod s3_requests;
mod s3_settings;
mod s3_uploads;
mod s3_versions;
mod signatures;
mod sns_fifo;
mod sns_http;
mod sqs_fifo;
mod support;
mod topics;
