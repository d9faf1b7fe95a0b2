//! Clients of the three services that the local target makes its parts through: SQS, SNS and S3. On AWS, CloudFormation does.
//!
//! Thin adapters over the AWS SDK that say what we need ("this queue should exist"), not what the SDK offers. Each takes
//! its client from [`Clients`] and knows nothing of topologies, processes or stacks. Every operation may be repeated.

mod buckets;
mod queues;
mod topics;

use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};

pub use buckets::ensure_bucket;
pub use queues::{Depth, QueueSettings, delete_queue, depth, ensure_queue, find_queue};
pub use topics::{delete_topic, ensure_topic, subscriptions};

/// Where the services are, and as whom to speak to them.
#[derive(Clone)]
pub struct Access {
    /// URL that serves all three services.
    pub endpoint_url: String,
    /// Region of the signatures.
    pub region: String,
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: String,
}

/// The clients.
#[derive(Clone)]
pub struct Clients {
    sqs: aws_sdk_sqs::Client,
    sns: aws_sdk_sns::Client,
    s3: aws_sdk_s3::Client,
}

impl Clients {
    /// Makes clients of an endpoint that serves all three services.
    pub fn of(access: &Access) -> Self {
        let credentials =
            Credentials::new(&access.access_key_id, &access.secret_access_key, None, None, "environment's own");
        let region = Region::new(access.region.clone());
        let sqs = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(region.clone())
            .credentials_provider(credentials.clone())
            .endpoint_url(&access.endpoint_url)
            .build();
        let sns = aws_sdk_sns::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(region.clone())
            .credentials_provider(credentials.clone())
            .endpoint_url(&access.endpoint_url)
            .build();
        let s3 = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(region)
            .credentials_provider(credentials)
            .endpoint_url(&access.endpoint_url)
            .force_path_style(true)
            .build();
        Self {
            sqs: aws_sdk_sqs::Client::from_conf(sqs),
            sns: aws_sdk_sns::Client::from_conf(sns),
            s3: aws_sdk_s3::Client::from_conf(s3),
        }
    }
}

/// A call to a service that failed.
#[derive(Debug, thiserror::Error)]
#[error("{resource}: {operation} failed")]
pub struct Error {
    resource: String,
    operation: &'static str,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl Error {
    fn new(
        resource: &str,
        operation: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { resource: resource.to_owned(), operation, source: source.into() }
    }
}
