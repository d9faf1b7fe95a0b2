//! Who speaks to AWS, and where: credentials and region come from the SDK's own chain, and are checked before anything else.

use std::{sync::Arc, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_cloudformation::config::ProvideCredentials;

use super::error::{Call, Error};

/// Tries of one call. Throttling is the usual reason; whoever polls slows down besides.
const TRIES: u32 = 6;
/// Longest that a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest that one try of a call may take; uploads have no such limit.
const ANSWER: Duration = Duration::from_secs(30);
/// Longest that a look may take, with all its tries, where somebody waits and others can be told of.
const LOOK: Duration = Duration::from_secs(5);
/// Tries of what only asks whether AWS is there at all.
const FIRST_TRIES: u32 = 3;

/// What the command line says about AWS.
#[derive(Debug, Clone, Copy, Default)]
pub struct Login<'a> {
    /// Region in place of the environment's or the profile's.
    pub region: Option<&'a str>,
    /// Profile in place of `AWS_PROFILE`.
    pub profile: Option<&'a str>,
}

/// A login that works: an account, a region, and clients for both.
#[derive(Debug, Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: SdkConfig,
    account: String,
    partition: String,
    region: String,
}

impl Session {
    /// Finds credentials and region, and asks AWS whose they are.
    pub async fn open(login: &Login<'_>) -> Result<Self, Error> {
        let config = load(login).await;
        let region = config.region().ok_or(Error::NoRegion)?.to_string();
        let Some(provider) = config.credentials_provider() else {
            return Err(Error::Credentials("there are no credentials".to_owned()));
        };
        provider.provide_credentials().await.map_err(|error| Error::Credentials(crate::error::chain(&error)))?;
        let first = aws_sdk_sts::config::Builder::from(&config)
            .retry_config(RetryConfig::standard().with_max_attempts(FIRST_TRIES))
            .build();
        let at = config.endpoint_url().unwrap_or("AWS's own endpoint");
        let call = Call::new("sts", "GetCallerIdentity", at);
        let identity =
            aws_sdk_sts::Client::from_conf(first).get_caller_identity().send().await.map_err(call.failed())?;
        let arn = identity.arn.unwrap_or_default();
        let partition = arn.split(':').nth(1).filter(|name| !name.is_empty()).unwrap_or("aws").to_owned();
        let account = identity.account.unwrap_or_default();
        Ok(Self { inner: Arc::new(Inner { config, account, partition, region }) })
    }

    /// Returns the same login for looks that must not take long: a service that does not answer soon is told of as such.
    #[must_use]
    pub(super) fn hasty(&self) -> Self {
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).operation_timeout(LOOK).build();
        self.with(self.inner.config.to_builder().timeout_config(timeouts).build())
    }

    /// Returns the same login for whoever looks again and again, and so needs no further tries of one look.
    #[must_use]
    pub(super) fn looking(&self) -> Self {
        let config = self.inner.config.to_builder().retry_config(RetryConfig::disabled()).build();
        self.with(config)
    }

    fn with(&self, config: SdkConfig) -> Self {
        let Inner { account, partition, region, .. } = &*self.inner;
        let (account, partition, region) = (account.clone(), partition.clone(), region.clone());
        Self { inner: Arc::new(Inner { config, account, partition, region }) }
    }

    /// Returns the account's number.
    pub fn account(&self) -> &str {
        &self.inner.account
    }

    /// Returns the region.
    pub fn region(&self) -> &str {
        &self.inner.region
    }

    /// Returns the part of AWS that the account belongs to: `aws`, `aws-cn` or `aws-us-gov`.
    pub fn partition(&self) -> &str {
        &self.inner.partition
    }

    /// Returns the URL that stands in place of AWS's own, as for an emulator.
    pub fn endpoint(&self) -> Option<&str> {
        self.inner.config.endpoint_url()
    }

    /// Returns the URL from which CloudFormation fetches an object. Nothing of it is signed: CloudFormation reads it as
    /// whoever calls.
    pub fn object_url(&self, bucket: &str, key: &str) -> String {
        if let Some(endpoint) = self.endpoint() {
            return format!("{}/{bucket}/{key}", endpoint.trim_end_matches('/'));
        }
        let suffix = if self.partition() == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
        format!("https://{bucket}.s3.{}.{suffix}/{key}", self.region())
    }

    pub(super) fn stacks(&self) -> aws_sdk_cloudformation::Client {
        aws_sdk_cloudformation::Client::new(&self.inner.config)
    }

    pub(super) fn groups(&self) -> aws_sdk_autoscaling::Client {
        aws_sdk_autoscaling::Client::new(&self.inner.config)
    }

    pub(super) fn instances(&self) -> aws_sdk_ec2::Client {
        aws_sdk_ec2::Client::new(&self.inner.config)
    }

    pub(super) fn balancers(&self) -> aws_sdk_elasticloadbalancingv2::Client {
        aws_sdk_elasticloadbalancingv2::Client::new(&self.inner.config)
    }

    pub(super) fn databases(&self) -> aws_sdk_rds::Client {
        aws_sdk_rds::Client::new(&self.inner.config)
    }

    pub(super) fn queues(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.inner.config)
    }

    pub(super) fn topics(&self) -> aws_sdk_sns::Client {
        aws_sdk_sns::Client::new(&self.inner.config)
    }

    pub(super) fn metrics(&self) -> aws_sdk_cloudwatch::Client {
        aws_sdk_cloudwatch::Client::new(&self.inner.config)
    }

    pub(super) fn logs(&self) -> aws_sdk_cloudwatchlogs::Client {
        aws_sdk_cloudwatchlogs::Client::new(&self.inner.config)
    }

    /// Another endpoint than AWS's seldom knows buckets as host names.
    pub(super) fn buckets(&self) -> aws_sdk_s3::Client {
        let own = std::env::var_os("AWS_ENDPOINT_URL_S3").is_some();
        let config = aws_sdk_s3::config::Builder::from(&self.inner.config)
            .force_path_style(own || self.endpoint().is_some())
            // A bundle takes as long as the line needs.
            .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT).build());
        aws_sdk_s3::Client::from_conf(config.build())
    }
}

async fn load(login: &Login<'_>) -> SdkConfig {
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ANSWER).build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::standard().with_max_attempts(TRIES))
        .timeout_config(timeouts);
    if let Some(profile) = login.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = login.region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    loader.load().await
}
