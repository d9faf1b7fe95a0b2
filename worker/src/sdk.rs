//! How the AWS SDK is set up for every client: credentials, region and endpoint as the environment says, and how long an
//! answer is waited for.
//!
//! The SDK by itself waits for ever for an answer on a connection that was made. One that went silent (a link that drops what it
//! should carry, a peer that lost its power) would hold whoever waits on it, and the worker would stand still.

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_sqs::config::timeout::TimeoutConfig;

/// An answer begins after this long at the latest; else the request is made again, on another connection. It is less than the time
/// for which a message is hidden, less the pause between two extensions.
pub(crate) const ANSWER: Duration = Duration::from_secs(10);

/// Loads the environment's configuration.
pub(crate) async fn load() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest()).timeout_config(answer_within(ANSWER)).load().await
}

/// Each attempt of an operation ends after so long. What is read of a body afterwards is not a part of it.
pub(crate) fn answer_within(limit: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().operation_attempt_timeout(limit).build()
}

/// An operation whose end nobody can know beforehand: who makes it watches it.
pub(crate) fn no_limit() -> TimeoutConfig {
    TimeoutConfig::builder().disable_operation_attempt_timeout().build()
}
