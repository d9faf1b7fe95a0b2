//! What a blueprint means: a small graph of parts and of what each does with another.
//!
//! Pure data in the words of the field, the same for every target. It imports nothing of ours: blueprints are lowered to
//! it, targets and reports are made from it.

mod names;
mod parts;

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

pub use names::{Names, shorten};
pub use parts::{
    Artifact, Balancer, BalancerKind, Bucket, Catalog, Group, Iam, Market, Network, Part, PartKind, Queue, Scaling,
    Topic,
};

/// One environment: its parts, and what they do with one another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Topology {
    /// Name of the site.
    pub site: String,
    /// Name of the environment.
    pub environment: String,
    /// Name of the stage.
    pub stage: String,
    /// Seconds that the environment lives; without it, until it is torn down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
    /// Tags of everything.
    pub tags: BTreeMap<String, String>,
    /// The network that the parts stand in, where a target has one.
    pub network: Network,
    /// What the account's rules ask of roles, where a target has them.
    #[serde(default, skip_serializing_if = "is_plain")]
    pub iam: Iam,
    /// The parts, in the order in which a photo meets them.
    pub parts: Vec<Part>,
    /// What they do with one another.
    pub edges: Vec<Edge>,
}

fn is_plain(iam: &Iam) -> bool {
    *iam == Iam::default()
}

/// Names one part of a topology: its kind and its name, as in `group/web`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartId {
    /// What the part is.
    pub kind: PartKind,
    /// Its name, unique among its kind.
    pub name: String,
}

impl PartId {
    /// Names a part.
    pub fn new(kind: PartKind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }
}

impl fmt::Display for PartId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// One part does something with another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// Who does it.
    pub from: PartId,
    /// What is done.
    pub verb: Verb,
    /// To whom.
    pub to: PartId,
}

/// What one part does with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// A balancer hands requests to a group.
    Serves,
    /// A group sends tasks to a queue.
    SendsTo,
    /// A group publishes tasks to a topic.
    Publishes,
    /// A queue is subscribed to a topic.
    Subscribes,
    /// A group receives tasks from a queue.
    Receives,
    /// A group reads from a store.
    Reads,
    /// A group writes to a store.
    Writes,
    /// A group runs an artifact.
    Runs,
}

impl Topology {
    /// Returns every group.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.parts.iter().filter_map(|part| if let Part::Group(group) = part { Some(group) } else { None })
    }

    /// Returns every queue.
    pub fn queues(&self) -> impl Iterator<Item = &Queue> {
        self.parts.iter().filter_map(|part| if let Part::Queue(queue) = part { Some(queue) } else { None })
    }

    /// Returns the topic, in a stage that has one.
    pub fn topic(&self) -> Option<&Topic> {
        self.parts.iter().find_map(|part| if let Part::Topic(topic) = part { Some(topic) } else { None })
    }

    /// Returns the balancer.
    pub fn balancer(&self) -> Option<&Balancer> {
        self.parts.iter().find_map(|part| if let Part::Balancer(balancer) = part { Some(balancer) } else { None })
    }

    /// Returns the bucket.
    pub fn bucket(&self) -> Option<&Bucket> {
        self.parts.iter().find_map(|part| if let Part::Bucket(bucket) = part { Some(bucket) } else { None })
    }

    /// Returns the catalog.
    pub fn catalog(&self) -> Option<&Catalog> {
        self.parts.iter().find_map(|part| if let Part::Catalog(catalog) = part { Some(catalog) } else { None })
    }

    /// Returns the program that the groups run.
    pub fn artifact(&self) -> Option<&Artifact> {
        self.parts.iter().find_map(|part| if let Part::Artifact(artifact) = part { Some(artifact) } else { None })
    }

    /// Returns the parts that `from` does `verb` with.
    pub fn to<'a>(&'a self, from: &'a PartId, verb: Verb) -> impl Iterator<Item = &'a PartId> {
        self.edges.iter().filter(move |edge| edge.from == *from && edge.verb == verb).map(|edge| &edge.to)
    }
}
