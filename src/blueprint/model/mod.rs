//! What a person may write in a blueprint, as types.
//!
//! The JSON schema, the reference page and the check for unknown keys and wrong types all come from these types, so a
//! field is documented here and nowhere else. Every field has a value by the time a [`Blueprint`] exists: what a file
//! leaves out comes from the built-in blueprint of its stage (`blueprints/*.yaml`).

#![expect(clippy::doc_markdown, reason = "these comments are the schema's words, which people read as prose")]

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::quantity::{Bytes, Span};

mod groups;

pub use groups::{Architecture, Group, Groups, Instances, Market, MarketKind, Scaling};

/// One environment of the photo site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Blueprint {
    /// Name of the site. It begins the names of everything that is provisioned.
    #[schemars(
        extend("pattern" = r"^[a-z][a-z0-9-]{0,30}[a-z0-9]$"),
        extend("patternErrorMessage" = "must have 2 to 32 small letters, digits and hyphens, with a letter first and no hyphen last")
    )]
    pub name: String,
    /// How far the site is decoupled.
    pub stage: Stage,
    /// Where the site runs.
    pub target: Target,
    /// How long the environment is meant to live, such as `4h` or `7d`: `decouple list` says when it is over, and no question guards it from `teardown`. Without it: until you tear it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-range" = ["1m", "365d"]))]
    pub ttl: Option<Span>,
    /// Tags of everything that is provisioned: 44 at most, and no key that begins with `aws:`.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Environment variables of every worker, beside those that decouple sets itself (`DECOUPLE_...`).
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// The groups of workers, by role. A stage uses `all`; or `web` and `process`; or `web`, `resize` and `tag`.
    pub groups: Groups,
    /// The queues, by the group that receives from them.
    #[serde(default)]
    pub queues: Queues,
    /// The sizes in which every photo is offered.
    pub renditions: Renditions,
    /// How photos are tagged.
    pub tagging: Tagging,
    /// The load balancer.
    pub balancer: Balancer,
    /// The network. Only the `aws` target has one.
    pub network: Network,
    /// What the account's rules ask of roles. Only the `aws` target has them.
    #[serde(default)]
    pub iam: Iam,
    /// The bucket that holds originals and renditions.
    pub bucket: Bucket,
    /// The catalog: the database of images, sizes and tags.
    pub catalog: Catalog,
    /// The program that the groups run.
    pub worker: Worker,
}

/// How far the site is decoupled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Stage {
    /// One group behind a load balancer does all the work while the uploader waits.
    Elb,
    /// A web group stores photos and writes tasks to one queue; a second group resizes and tags later.
    ElbSqs,
    /// The web group publishes to a topic; resizing and tagging have a queue and a group each.
    SnsSqs,
}

/// Where the site runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Target {
    /// On this machine: worker processes, a load balancer, and S3, SQS and SNS endpoints on loopback.
    Local,
    /// On AWS, through CloudFormation.
    Aws,
}

/// The queues, by the group that receives from them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Queues {
    /// Stage `elb-sqs`: tasks of the group `process`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Queue>,
    /// Stage `sns-sqs`: tasks of the group `resize`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize: Option<Queue>,
    /// Stage `sns-sqs`: tasks of the group `tag`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Queue>,
}

/// One queue and its dead-letter queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Queue {
    /// How long a received task is hidden from other workers. Longer than the group's `job_timeout`; six times a typical job is a good value.
    #[schemars(extend("x-range" = ["1s", "12h"]))]
    pub visibility_timeout: Span,
    /// How often a task is tried before it goes to the dead-letter queue.
    #[schemars(range(min = 1, max = 1000))]
    pub max_receives: u32,
    /// How long a task is kept. Dead letters are kept for 14 days, counted from the first sending: this must be shorter.
    #[schemars(extend("x-range" = ["1m", "14d"]))]
    pub retention: Span,
}

/// The sizes in which every photo is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Renditions {
    /// Widths in pixels. A photo is never enlarged.
    #[schemars(inner(range(min = 16, max = 16_384)), length(min = 1, max = 16))]
    pub widths: Vec<u32>,
    /// Quality of the encoder, from 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub quality: u8,
    /// File format.
    pub format: Format,
    /// What shows through where a photo is transparent, as `#rrggbb`. Without it: white.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        extend("pattern" = "^#[0-9a-fA-F]{6}$"),
        extend("patternErrorMessage" = "must be a colour such as #ffffff")
    )]
    pub background: Option<String>,
    /// What becomes of what moves: GIF, and PNG and WebP of several frames. Without it: `first-frame`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub animation: Option<Animation>,
}

/// File format of renditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Format {
    /// JPEG: every browser shows it.
    Jpeg,
    /// WebP: smaller at the same quality.
    Webp,
    /// AVIF: half as large as JPEG at the same quality, for some twenty times its CPU time.
    Avif,
}

/// What becomes of a photo that moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Animation {
    /// Its first frame is a photo as any other.
    FirstFrame,
    /// Its renditions move too. They are animated WebP, whatever the `format` of photos that do not move.
    Keep,
}

/// How photos are tagged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tagging {
    /// An ONNX image classifier of your own, as a path relative to this file; input `[N, 3, 224, 224]`. Without it: the built-in model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The labels of `model`, as a path relative to this file: tab-separated index, id, label, synonyms, broader terms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<String>,
    /// Least score of a tag, from 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub threshold: f32,
    /// Most tags that a photo gets.
    #[schemars(range(min = 1, max = 50))]
    pub max_tags: u32,
}

/// The load balancer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Balancer {
    /// `application` understands HTTP; `network` passes connections on.
    #[serde(rename = "type")]
    pub kind: BalancerKind,
    /// Port that people connect to. Without it: on the local target 8080 or the next free one, on AWS 80, or 443 with a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// ARN of the certificate for HTTPS. The local target serves plain HTTP on loopback and has no use for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        extend("pattern" = r"^arn:aws[a-z-]*:(acm|iam):"),
        extend("patternErrorMessage" = "must be the ARN of a certificate, such as arn:aws:acm:us-east-1:123456789012:certificate/...")
    )]
    pub certificate: Option<String>,
    /// Address ranges that may connect, such as `203.0.113.0/24`. The local target listens on loopback and nothing else.
    pub allow: Vec<String>,
    /// Largest upload, such as `25MB`.
    #[schemars(extend("x-range" = ["1KB", "1GB"]))]
    pub max_upload: Bytes,
    /// How long a worker that is going away may finish its requests. On AWS, where they wait for the work (stage `elb`), at least `job_timeout` and 30 s.
    #[schemars(extend("x-range" = ["0s", "1h"]))]
    pub deregistration_delay: Span,
}

/// What a balancer understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum BalancerKind {
    /// HTTP: each request is sent to the instance with the fewest outstanding ones.
    Application,
    /// TCP: each connection is passed on whole.
    Network,
}

/// The network on AWS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// How instances reach AWS: `public` addresses without an inbound rule (cheapest), one `nat` gateway, or interface `endpoints`.
    pub egress: Egress,
    /// Address range of the network that is made, from /16 to /24. Not used with `vpc`.
    pub cidr: String,
    /// A network of yours. It needs `public_subnets` and `private_subnets`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        extend("pattern" = r"^vpc-[0-9a-f]{8,17}$"),
        extend("patternErrorMessage" = "must be the id of a network, such as vpc-0123456789abcdef0")
    )]
    pub vpc: Option<String>,
    /// With `vpc`: subnets of the balancer, in two zones or more.
    #[serde(default)]
    #[schemars(
        inner(regex(pattern = r"^subnet-[0-9a-f]{8,17}$")),
        extend("patternErrorMessage" = "must be the id of a subnet, such as subnet-0123456789abcdef0")
    )]
    pub public_subnets: Vec<String>,
    /// With `vpc`: subnets of groups and database, in two zones or more.
    #[serde(default)]
    #[schemars(
        inner(regex(pattern = r"^subnet-[0-9a-f]{8,17}$")),
        extend("patternErrorMessage" = "must be the id of a subnet, such as subnet-0123456789abcdef0")
    )]
    pub private_subnets: Vec<String>,
}

/// How private instances reach AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Egress {
    /// One NAT gateway.
    Nat,
    /// Public addresses, with no inbound rule.
    Public,
    /// Interface endpoints.
    Endpoints,
}

/// What the account's rules ask of roles.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Iam {
    /// ARN of a policy that no role of the environment may go beyond, where the account demands one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        extend("pattern" = r"^arn:aws[a-z-]*:iam::(aws|[0-9]{12}):policy/[A-Za-z0-9+=,.@_/-]+$"),
        extend("patternErrorMessage" = "must be the ARN of a policy, such as arn:aws:iam::123456789012:policy/boundary")
    )]
    pub permissions_boundary: Option<String>,
    /// ARN of a role with which CloudFormation provisions. Without it: with the permissions of whoever runs `decouple up`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        extend("pattern" = r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$"),
        extend("patternErrorMessage" = "must be the ARN of a role, such as arn:aws:iam::123456789012:role/deployment")
    )]
    pub deployment_role: Option<String>,
}

/// The bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// A bucket of yours to use in place of one of the environment's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        extend("pattern" = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"),
        extend("patternErrorMessage" = "must be the name of a bucket: 3 to 63 small letters, digits, hyphens and dots")
    )]
    pub name: Option<String>,
}

/// The catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    /// Local target: a PostgreSQL database of yours, `postgres://user@host:port/database`. Leave the password out and set PGPASSWORD
    /// where you run `decouple up`, or use a `.pgpass` file. Without it: a SQLite file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        extend("pattern" = r"^postgres(ql)?://"),
        extend("patternErrorMessage" = "must be an address such as postgres://user@host:5432/database")
    )]
    pub url: Option<String>,
    /// AWS: instance class of the PostgreSQL database.
    #[schemars(
        extend("pattern" = r"^db\.[a-z0-9]+\.[a-z0-9]+$"),
        extend("patternErrorMessage" = "must be an instance class such as db.t4g.micro")
    )]
    pub instance_class: String,
    /// AWS: size of the database's disk in GB.
    #[schemars(range(min = 20, max = 65536))]
    pub storage_gb: u32,
}

/// The program that the groups run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Worker {
    /// A program of your own, as a path relative to this file. Without it: the built-in worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}
