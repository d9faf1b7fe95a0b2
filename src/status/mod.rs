//! The status report and the outputs: what both targets fill in, and what people and scripts read.

mod text;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How well something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// As it should be.
    Ok,
    /// It cannot be seen: its numbers say nothing, and its reason says why.
    Unknown,
    /// It serves, but something is missing or changing.
    Degraded,
    /// It does not serve.
    Down,
}

impl Health {
    /// Returns the word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Degraded => "degraded",
            Self::Down => "down",
        }
    }
}

/// The live health of an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Name of the environment.
    pub env: String,
    /// Name of the stage.
    pub stage: String,
    /// Name of the target.
    pub target: String,
    /// The worst of the parts.
    pub health: Health,
    /// What there is to know about `health`, where it is not `ok`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Every part.
    pub parts: Vec<Part>,
    /// Where things are.
    pub outputs: Outputs,
}

/// One part of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// What is particular to the kind of part.
    #[serde(flatten)]
    pub detail: Detail,
    /// Its name.
    pub name: String,
    /// How well it is.
    pub health: Health,
    /// Why, where it is not `ok`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether it could not be looked at for a reason that may pass, so that another look may tell.
    #[serde(skip)]
    pub look_again: bool,
}

/// What is particular to a kind of part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Detail {
    /// A balancer.
    Balancer {
        /// Where people connect.
        url: String,
        /// Instances that it knows.
        targets: u32,
        /// Instances that it sends requests to.
        healthy: u32,
    },
    /// A group.
    Group(GroupDetail),
    /// A queue.
    Queue {
        /// Tasks that wait.
        visible: u64,
        /// Tasks that are being worked on.
        in_flight: u64,
        /// Age of the oldest task in seconds.
        oldest_seconds: u64,
        /// Dead letters.
        dead: u64,
    },
    /// A topic.
    Topic {
        /// Queues that are subscribed.
        subscriptions: u32,
    },
    /// A bucket.
    Bucket {},
    /// A catalog.
    Catalog {
        /// `sqlite` or `postgres`.
        engine: String,
    },
}

/// What is particular to a group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupDetail {
    /// Instances that are wanted.
    pub desired: u32,
    /// Instances that run.
    pub running: u32,
    /// Instances that answer.
    pub healthy: u32,
    /// Fewest.
    pub min: u32,
    /// Most.
    pub max: u32,
    /// SHA-256 of the program.
    pub version: String,
    /// The instances.
    pub instances: Vec<Instance>,
}

/// One instance of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its id.
    pub id: String,
    /// How well it is.
    pub health: Health,
    /// Why, where it is not `ok`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `on-demand` or `spot`.
    pub market: String,
    /// Zone that it is in.
    pub zone: String,
    /// Process id, on the local target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// When it was started, RFC 3339 in UTC.
    pub since: String,
}

/// Where things are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// The site.
    pub url: String,
    /// The S3, SQS and SNS endpoint, where it is not AWS's own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub endpoint_url: String,
    /// Region that clients must be set to.
    pub region: String,
    /// Name of the bucket.
    pub bucket: String,
    /// ARN of the topic, in a stage that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic_arn: Option<String>,
    /// URL of each queue, by its group.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub queue_urls: BTreeMap<String, String>,
    /// The dashboard, on AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dashboard_url: Option<String>,
}

impl Detail {
    /// Returns the kind of part, in the topology's word.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Balancer { .. } => "balancer",
            Self::Group(_) => "group",
            Self::Queue { .. } => "queue",
            Self::Topic { .. } => "topic",
            Self::Bucket {} => "bucket",
            Self::Catalog { .. } => "catalog",
        }
    }
}

impl Report {
    /// Returns the worst health of the parts. Where one cannot be seen, the whole is not known to be well.
    pub fn worst(parts: &[Part]) -> Health {
        match parts.iter().map(|part| part.health).max() {
            Some(Health::Unknown) => Health::Degraded,
            Some(worst) => worst,
            None => Health::Down,
        }
    }
}
