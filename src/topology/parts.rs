//! The kinds of parts, and what is to be known of each whatever the target.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::PartId;

/// One part of an environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Part {
    /// Where requests come in.
    Balancer(Balancer),
    /// A set of workers.
    Group(Group),
    /// Publishes each task to every queue that is subscribed.
    Topic(Topic),
    /// Holds tasks until a worker takes them.
    Queue(Queue),
    /// Holds originals and renditions.
    Bucket(Bucket),
    /// Holds the images' records.
    Catalog(Catalog),
    /// The program that groups run.
    Artifact(Artifact),
}

impl Part {
    /// Names the part.
    pub fn id(&self) -> PartId {
        match self {
            Self::Balancer(part) => PartId::new(PartKind::Balancer, &part.name),
            Self::Group(part) => PartId::new(PartKind::Group, &part.name),
            Self::Topic(part) => PartId::new(PartKind::Topic, &part.name),
            Self::Queue(part) => PartId::new(PartKind::Queue, &part.name),
            Self::Bucket(part) => PartId::new(PartKind::Bucket, &part.name),
            Self::Catalog(part) => PartId::new(PartKind::Catalog, &part.name),
            Self::Artifact(part) => PartId::new(PartKind::Artifact, &part.name),
        }
    }
}

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartKind {
    /// Where requests come in.
    Balancer,
    /// A set of workers.
    Group,
    /// Publishes each task to every queue that is subscribed.
    Topic,
    /// Holds tasks until a worker takes them.
    Queue,
    /// Holds originals and renditions.
    Bucket,
    /// Holds the images' records.
    Catalog,
    /// The program that groups run.
    Artifact,
}

impl fmt::Display for PartKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Balancer => "balancer",
            Self::Group => "group",
            Self::Topic => "topic",
            Self::Queue => "queue",
            Self::Bucket => "bucket",
            Self::Catalog => "catalog",
            Self::Artifact => "artifact",
        })
    }
}

/// A load balancer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balancer {
    /// Its name.
    pub name: String,
    /// What it understands.
    pub balancing: BalancerKind,
    /// Port that people connect to, where the blueprint sets one.
    pub port: Option<u16>,
    /// ARN of the certificate for HTTPS.
    pub certificate: Option<String>,
    /// Address ranges that may connect.
    pub allow: Vec<String>,
    /// Largest request body in bytes.
    pub max_upload_bytes: u64,
    /// Seconds that a target which is going away may finish its requests.
    pub deregistration_seconds: u64,
}

/// What a balancer understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BalancerKind {
    /// HTTP.
    Application,
    /// TCP.
    Network,
}

/// A set of workers that all do the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Its name, which is its workers' role.
    pub name: String,
    /// Fewest instances.
    pub min: u32,
    /// Most instances.
    pub max: u32,
    /// EC2 instance types, most wanted first.
    pub instance_types: Vec<String>,
    /// Processor architecture: `x86_64` or `arm64`.
    pub architecture: String,
    /// How instances are bought.
    pub market: Market,
    /// When instances are added and removed.
    pub scaling: Scaling,
    /// Longest that one job may take, in seconds.
    pub job_timeout_seconds: u64,
    /// What every worker of the group is told, beside where its parts are.
    pub environment: BTreeMap<String, String>,
}

/// How instances are bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Market {
    /// At the full price.
    OnDemand,
    /// At the market's price, but for the first few.
    Spot {
        /// How many are on demand all the same.
        on_demand_base: u32,
    },
}

/// When instances are added and removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum Scaling {
    /// By the requests that each instance serves.
    Requests {
        /// Requests a minute that one instance should serve.
        per_target: u32,
        /// Seconds that there must be less to do before an instance is removed.
        scale_in_after_seconds: u64,
    },
    /// By what waits in the queue.
    Backlog {
        /// The longest that a task should wait, in seconds.
        target_latency_seconds: u64,
        /// How long one task takes, in seconds.
        time_per_message_seconds: u64,
        /// Seconds that there must be less to do before an instance is removed.
        scale_in_after_seconds: u64,
    },
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    /// Its name.
    pub name: String,
}

/// A queue and its dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// Its name, which is that of the group that receives from it.
    pub name: String,
    /// Seconds that a received task is hidden from other workers.
    pub visibility_seconds: u64,
    /// How often a task is tried before it is a dead letter.
    pub max_receives: u32,
    /// Seconds that a task is kept.
    pub retention_seconds: u64,
}

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// Its name in the topology.
    pub name: String,
    /// The bucket of the user's own that is used in its place.
    pub adopted: Option<String>,
}

/// A catalog.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalog {
    /// Its name in the topology.
    pub name: String,
    /// URL of a PostgreSQL database of the user's own.
    pub url: Option<String>,
    /// AWS: instance class of the database.
    pub instance_class: String,
    /// AWS: size of its disk in GB.
    pub storage_gb: u32,
}

/// A database URL may hold a password, and debug output ends in logs.
impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The program that groups run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Its name in the topology.
    pub name: String,
    /// Path of a program of the user's own; the built-in worker where absent.
    pub program: Option<String>,
}

/// What the account's rules ask of roles.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Iam {
    /// ARN of the policy that no role may go beyond.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions_boundary: Option<String>,
    /// ARN of the role with which CloudFormation provisions; without it, with the permissions of whoever runs decouple.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_role: Option<String>,
}

/// The network that the parts stand in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// How instances reach AWS: `nat`, `public` or `endpoints`.
    pub egress: String,
    /// Address range of a network that is made.
    pub cidr: String,
    /// A network of the user's own.
    pub vpc: Option<String>,
    /// Its public subnets.
    pub public_subnets: Vec<String>,
    /// Its private subnets.
    pub private_subnets: Vec<String>,
}
