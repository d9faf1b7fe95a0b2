//! What should run on this machine: lowered from a topology, pure, and written down before anything is changed.
//!
//! Ports and credentials are the environment's identity, kept from one `up` to the next, and are not part of the plan.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use decouple_contract::env;
use serde::{Deserialize, Serialize};

use crate::{
    services::Access,
    topology::{BalancerKind, Group, Market, Names, PartId, PartKind, Scaling, Topology, Verb},
};

/// The account that every ARN of the local endpoint names.
pub const ACCOUNT: &str = "000000000000";
/// The region where none is asked for.
pub const REGION: &str = "us-east-1";

/// What should run.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of decouple that made the plan.
    pub version: String,
    /// Name of the environment.
    pub environment: String,
    /// Name of the stage.
    pub stage: String,
    /// Region that workers and clients are set to.
    pub region: String,
    /// Seconds that the environment lives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
    /// The bucket.
    pub bucket: BucketPlan,
    /// The catalog.
    pub catalog: CatalogPlan,
    /// The queues.
    pub queues: Vec<QueuePlan>,
    /// The topic, in a stage that has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<TopicPlan>,
    /// The groups.
    pub groups: Vec<GroupPlan>,
    /// The balancer.
    pub balancer: BalancerPlan,
}

/// A bucket at the endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketPlan {
    /// Name of the part.
    pub name: String,
    /// Name of the bucket.
    pub bucket: String,
}

/// The database of the images' records.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogPlan {
    /// Name of the part.
    pub name: String,
    /// `sqlite:` or `postgres:` URL.
    pub url: String,
}

/// A queue at the endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuePlan {
    /// Name of the part.
    pub name: String,
    /// Name of the queue.
    pub queue: String,
    /// Name of its dead-letter queue.
    pub dead_letters: String,
    /// Seconds that a received task is hidden.
    pub visibility_seconds: u64,
    /// How often a task is tried.
    pub max_receives: u32,
    /// Seconds that a task is kept.
    pub retention_seconds: u64,
}

/// A topic at the endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicPlan {
    /// Name of the part.
    pub name: String,
    /// Name of the topic.
    pub topic: String,
    /// The queues that are subscribed, by the names of their parts.
    pub subscribers: Vec<String>,
}

/// A set of worker processes.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupPlan {
    /// Name of the part, which is the workers' role.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// SHA-256 of the program.
    pub version: String,
    /// Fewest processes.
    pub min: u32,
    /// Most processes.
    pub max: u32,
    /// Spot or on demand. Here it is only told.
    pub market: Market,
    /// When processes are added and removed.
    pub scaling: Scaling,
    /// The queue that the group receives from, by the name of its part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receives: Option<String>,
    /// Where the group sends tasks to, by the kind and name of the part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sends: Option<PartId>,
    /// Seconds that a process may take to finish what it has begun.
    pub drain_seconds: u64,
    /// What every process is told, beside where its parts are.
    pub environment: BTreeMap<String, String>,
}

/// The balancer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalancerPlan {
    /// Name of the part.
    pub name: String,
    /// What it understands.
    pub balancing: BalancerKind,
    /// The group that it serves.
    pub group: String,
    /// Port that must be had. Without it: 8080, or the next free one.
    pub port: Option<u16>,
    /// Largest request body in bytes.
    pub max_upload_bytes: u64,
    /// Seconds that a target which is going away may finish its requests.
    pub deregistration_seconds: u64,
    /// Longest that a request may wait for its answer's first byte, in seconds.
    pub answer_seconds: u64,
}

/// Database URLs and workers' environments may hold passwords, and debug output ends in logs.
impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("environment", &self.environment)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

/// What the plan needs to know of this machine.
#[derive(Debug)]
pub struct Machine<'a> {
    /// Directory of the environment's data.
    pub data: &'a Path,
    /// The worker program.
    pub program: &'a Path,
    /// SHA-256 of the program.
    pub version: &'a str,
    /// Region that workers and clients are set to.
    pub region: &'a str,
    /// Variables of the user's that every worker is given, such as `PGPASSWORD`.
    pub passed: &'a BTreeMap<String, String>,
}

/// The topology lacks a part that every stage has.
#[derive(Debug, thiserror::Error)]
#[error("the topology has no {0}")]
pub struct MissingPart(PartKind);

/// Returns what should run on this machine for a topology.
pub fn lower(topology: &Topology, machine: &Machine<'_>) -> Result<Plan, MissingPart> {
    let names = Names::new(&topology.site, &topology.environment);
    let bucket = topology.bucket().ok_or(MissingPart(PartKind::Bucket))?;
    let catalog = topology.catalog().ok_or(MissingPart(PartKind::Catalog))?;
    let url = catalog
        .url
        .clone()
        .unwrap_or_else(|| format!("sqlite:{}?mode=rwc", escape(&machine.data.join("catalog.sqlite"))));
    Ok(Plan {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        environment: topology.environment.clone(),
        stage: topology.stage.clone(),
        region: machine.region.to_owned(),
        ttl_seconds: topology.ttl_seconds,
        bucket: BucketPlan {
            name: bucket.name.clone(),
            bucket: bucket.adopted.clone().unwrap_or_else(|| names.bucket(&bucket.name)),
        },
        catalog: CatalogPlan { name: catalog.name.clone(), url },
        queues: topology.queues().map(|queue| queue_plan(queue, &names)).collect(),
        topic: topology.topic().map(|topic| TopicPlan {
            name: topic.name.clone(),
            topic: names.topic(&topic.name),
            subscribers: subscribers(topology, &topic.name),
        }),
        groups: topology.groups().map(|group| group_plan(topology, group, machine)).collect(),
        balancer: balancer_plan(topology)?,
    })
}

/// A path as the path of a URL: what would end it or change its meaning is escaped.
fn escape(path: &Path) -> String {
    // The percent sign first: the others bring it along.
    let path = path.to_string_lossy().replace('%', "%25");
    path.replace('?', "%3F").replace('#', "%23").replace(' ', "%20")
}

fn queue_plan(queue: &crate::topology::Queue, names: &Names) -> QueuePlan {
    QueuePlan {
        name: queue.name.clone(),
        queue: names.queue(&queue.name),
        dead_letters: names.dead_letters(&queue.name),
        visibility_seconds: queue.visibility_seconds,
        max_receives: queue.max_receives,
        retention_seconds: queue.retention_seconds,
    }
}

fn subscribers(topology: &Topology, topic: &str) -> Vec<String> {
    let topic = PartId::new(PartKind::Topic, topic);
    let edges = topology.edges.iter().filter(|edge| edge.verb == Verb::Subscribes && edge.to == topic);
    edges.map(|edge| edge.from.name.clone()).collect()
}

fn group_plan(topology: &Topology, group: &Group, machine: &Machine<'_>) -> GroupPlan {
    /// Beyond a job's own time: storing its result, and returning what was not begun.
    const GRACE_SECONDS: u64 = 10;
    let id = PartId::new(PartKind::Group, &group.name);
    let mut environment = machine.passed.clone();
    environment.extend(group.environment.clone());
    environment.insert(env::ROLE.to_owned(), group.name.clone());
    environment.insert(env::ENV.to_owned(), topology.environment.clone());
    GroupPlan {
        name: group.name.clone(),
        program: machine.program.to_owned(),
        version: machine.version.to_owned(),
        min: group.min,
        max: group.max,
        market: group.market,
        scaling: group.scaling,
        receives: topology.to(&id, Verb::Receives).next().map(|queue| queue.name.clone()),
        sends: topology.to(&id, Verb::Publishes).chain(topology.to(&id, Verb::SendsTo)).next().cloned(),
        drain_seconds: group.job_timeout_seconds + GRACE_SECONDS,
        environment,
    }
}

fn balancer_plan(topology: &Topology) -> Result<BalancerPlan, MissingPart> {
    /// Beyond the job that the uploader waits for.
    const GRACE_SECONDS: u64 = 15;
    let balancer = topology.balancer().ok_or(MissingPart(PartKind::Balancer))?;
    let id = PartId::new(PartKind::Balancer, &balancer.name);
    let served = topology.to(&id, Verb::Serves).next().ok_or(MissingPart(PartKind::Group))?;
    let group = topology.groups().find(|group| group.name == served.name).ok_or(MissingPart(PartKind::Group))?;
    Ok(BalancerPlan {
        name: balancer.name.clone(),
        balancing: balancer.balancing,
        group: served.name.clone(),
        port: balancer.port,
        max_upload_bytes: balancer.max_upload_bytes,
        deregistration_seconds: balancer.deregistration_seconds,
        answer_seconds: group.job_timeout_seconds + GRACE_SECONDS,
    })
}

/// Where the parts are, once they are there.
#[derive(Clone)]
pub struct Addresses {
    /// The endpoint.
    pub access: Access,
    /// URL of each queue, by the name of its part.
    pub queue_urls: BTreeMap<String, String>,
    /// ARN of the topic.
    pub topic_arn: Option<String>,
}

impl CatalogPlan {
    /// Returns the database's kind: the scheme of its URL.
    pub fn engine(&self) -> String {
        let scheme = self.url.split(':').next().unwrap_or_default();
        if scheme == "sqlite" { scheme.to_owned() } else { "postgres".to_owned() }
    }
}

impl Plan {
    /// Reads what should run in an environment.
    pub fn read(path: &Path) -> io::Result<Self> {
        serde_json::from_slice(&fs::read(path)?)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", path.display())))
    }

    /// Returns all that a process of a group is told, but for its own address and id.
    pub fn worker_environment(&self, group: &GroupPlan, addresses: &Addresses) -> BTreeMap<String, String> {
        let mut all = group.environment.clone();
        let mut set = |name: &str, value: &str| all.insert(name.to_owned(), value.to_owned());
        set("AWS_ENDPOINT_URL", &addresses.access.endpoint_url);
        set("AWS_REGION", &addresses.access.region);
        set("AWS_ACCESS_KEY_ID", &addresses.access.access_key_id);
        set("AWS_SECRET_ACCESS_KEY", &addresses.access.secret_access_key);
        // The SDK would otherwise ask the instance metadata service for a region or a role when it misses one.
        set("AWS_EC2_METADATA_DISABLED", "true");
        set(env::BUCKET, &self.bucket.bucket);
        set(env::CATALOG_URL, &self.catalog.url);
        let queue_url = |name: &str| addresses.queue_urls.get(name);
        if let Some(url) = group.receives.as_deref().and_then(queue_url) {
            set(env::QUEUE_URL, url);
        }
        match &group.sends {
            Some(to) if to.kind == PartKind::Topic => {
                if let Some(arn) = &addresses.topic_arn {
                    set(env::TOPIC_ARN, arn);
                }
            }
            Some(to) => {
                if let Some(url) = queue_url(&to.name) {
                    set(env::QUEUE_URL, url);
                }
            }
            None => {}
        }
        all
    }
}
