//! What a person may write of the groups: their machines, how these are bought, and when there are more or fewer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::blueprint::quantity::Span;

/// The groups, by role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Groups {
    /// Stage `elb`: serves uploads, resizes and tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<Group>,
    /// Stages `elb-sqs` and `sns-sqs`: serves uploads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web: Option<Group>,
    /// Stage `elb-sqs`: resizes and tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Group>,
    /// Stage `sns-sqs`: resizes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize: Option<Group>,
    /// Stage `sns-sqs`: tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Group>,
}

/// One group of workers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Group {
    /// How many workers there are.
    pub instances: Instances,
    /// EC2 instance types, most wanted first. Spot wants ten or more.
    #[schemars(inner(regex(pattern = r"^[a-z][a-z0-9-]*\.[a-z0-9-]+$")), length(min = 1, max = 40), extend("patternErrorMessage" = "must be an EC2 instance type such as c7g.large"))]
    pub instance_types: Vec<String>,
    /// Processor architecture of the instances.
    pub architecture: Architecture,
    /// How the instances are bought.
    pub market: Market,
    /// When instances are added and removed.
    pub scaling: Scaling,
    /// Longest that one photo may take. A queue's `visibility_timeout` must be longer.
    #[schemars(extend("x-range" = ["1s", "6h"]))]
    pub job_timeout: Span,
}

/// How many workers a group has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Instances {
    /// Fewest. A group that receives from a queue may go down to 0.
    #[schemars(range(max = 1000))]
    pub min: u32,
    /// Most.
    #[schemars(range(min = 1, max = 1000))]
    pub max: u32,
}

/// Processor architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum Architecture {
    /// 64-bit Intel and AMD.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit ARM.
    #[serde(rename = "arm64")]
    Arm64,
}

/// How instances are bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Market {
    /// `on-demand`, or `spot`: cheaper, and taken back with two minutes' notice.
    #[serde(rename = "type")]
    pub kind: MarketKind,
    /// With `spot`: how many instances are on demand all the same.
    #[serde(default)]
    #[schemars(range(max = 1000))]
    pub on_demand_base: u32,
}

/// How one instance is bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum MarketKind {
    /// At the full price, for as long as it is wanted.
    OnDemand,
    /// At the market's price, until it is taken back.
    Spot,
}

/// When instances are added and removed. `all` and `web` scale by requests, the others by backlog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Scaling {
    /// `all` and `web`: requests a minute that one instance should serve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub requests_per_target: Option<u32>,
    /// Consumers: the longest that a photo should wait in the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-range" = ["1s", "14d"]))]
    pub target_latency: Option<Span>,
    /// Consumers: how long one photo takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-range" = ["1s", "6h"]))]
    pub time_per_message: Option<Span>,
    /// How long there must be less to do before an instance is removed.
    #[schemars(extend("x-range" = ["1s", "7d"]))]
    pub scale_in_after: Span,
}
