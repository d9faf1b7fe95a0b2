//! Names of the environment variables that a worker is started with.
//!
//! AWS settings (`AWS_REGION`, `AWS_ENDPOINT_URL`, credentials) are the SDK's own and are not repeated here.

/// What this worker does: one of the names of [`Role`](crate::Role).
pub const ROLE: &str = "DECOUPLE_ROLE";
/// Name of the environment, for logs and metrics.
pub const ENV: &str = "DECOUPLE_ENV";
/// This instance's id, for logs; a worker makes one up where it is not set.
pub const INSTANCE: &str = "DECOUPLE_INSTANCE";
/// Name of the bucket that holds `originals/` and `renditions/`.
pub const BUCKET: &str = "DECOUPLE_BUCKET";
/// The queue that `web` sends to (stage `elb-sqs`), or that a consumer receives from.
pub const QUEUE_URL: &str = "DECOUPLE_QUEUE_URL";
/// The topic that `web` publishes to (stage `sns-sqs`).
pub const TOPIC_ARN: &str = "DECOUPLE_TOPIC_ARN";
/// The catalog: a `sqlite:` or a `postgres:` URL.
pub const CATALOG_URL: &str = "DECOUPLE_CATALOG_URL";
/// Beside a URL without a login: the Secrets Manager secret that holds user and password, as RDS makes it:
/// `{"username": ..., "password": ...}`. It is rotated while workers run.
pub const CATALOG_SECRET_ARN: &str = "DECOUPLE_CATALOG_SECRET_ARN";
/// On AWS: name of the instance's Auto Scaling group, which is told when a terminating instance has finished.
pub const AUTO_SCALING_GROUP: &str = "DECOUPLE_AUTO_SCALING_GROUP";
/// On AWS: name of the group's termination hook.
pub const TERMINATION_HOOK: &str = "DECOUPLE_TERMINATION_HOOK";
/// Address and port to serve HTTP on. Every role answers `/healthz` and `/metrics` there.
pub const LISTEN: &str = "DECOUPLE_LISTEN";
/// Largest upload that is accepted, in bytes.
pub const MAX_UPLOAD_BYTES: &str = "DECOUPLE_MAX_UPLOAD_BYTES";
/// Most connections that are open at once; 1000 where it is not set. No target sets it.
pub const MAX_CONNECTIONS: &str = "DECOUPLE_MAX_CONNECTIONS";
/// Memory that photos may take together while they are decoded, in MiB; half of what is free where it is not set. No target
/// sets it.
pub const PHOTO_MEMORY_MIB: &str = "DECOUPLE_PHOTO_MEMORY_MIB";
/// Longest that one job may take, in seconds.
pub const JOB_TIMEOUT_SECONDS: &str = "DECOUPLE_JOB_TIMEOUT_SECONDS";
/// The queue's visibility timeout, in seconds: how long a received task is this worker's before it must be extended.
pub const VISIBILITY_SECONDS: &str = "DECOUPLE_VISIBILITY_SECONDS";
/// JSON of [`Renditions`](crate::Renditions).
pub const RENDITIONS: &str = "DECOUPLE_RENDITIONS";
/// JSON of [`Tagging`](crate::Tagging).
pub const TAGGING: &str = "DECOUPLE_TAGGING";
