//! The AWS target's pure half: a topology lowered to a CloudFormation template.
//!
//! Owns what a stack consists of: a file a kind of resource. It speaks to nobody and knows no account, no clock and no
//! file, so the same topology gives the same bytes. What only `up` knows (where the bundle is) comes in as parameters.
//!
//! Logical ids are names of parts and never change without need: a changed id replaces what it names, database and all.
//! Templates have no conditions: whatever depends on the blueprint is decided here.

mod alarm;
mod balancer;
mod bucket;
mod catalog;
mod dashboard;
mod endpoint;
mod error;
mod group;
mod ids;
mod intrinsics;
mod launch;
mod logs;
mod network;
mod output;
pub mod permissions;
mod queue;
mod role;
mod scaling;
mod security;
mod stack;
mod template;
#[cfg(test)]
mod tests;
mod topic;
pub mod user_data;

use crate::topology::{Names, Topology};

pub use error::SynthesisError;
pub use ids::{
    BALANCER, BUCKET, CATALOG, TARGET_GROUP, TOPIC, VPC, auto_scaling_group, dead_letters, group_name, log_group, queue,
};
pub use output::{
    OUTPUT_BUCKET, OUTPUT_CATALOG, OUTPUT_CATALOG_SECRET, OUTPUT_DASHBOARD, OUTPUT_TOPIC, OUTPUT_URL,
    output_dead_letters, output_queue,
};
pub use template::{Origin, Template};

/// Parameter: name of the bucket that holds the bundle.
pub const PARAMETER_BUCKET: &str = "ArtifactBucket";
/// Parameter: key of the bundle in that bucket.
pub const PARAMETER_KEY: &str = "ArtifactKey";
/// Parameter: SHA-256 of the bundle, in hexadecimal.
pub const PARAMETER_SHA256: &str = "ArtifactSha256";

/// Tag of stacks and resources: the site's name.
pub const TAG_SITE: &str = "decouple:site";
/// Tag of stacks and resources: the environment's name.
pub const TAG_ENVIRONMENT: &str = "decouple:environment";
/// Tag of resources: the part that they belong to, such as `group/web`.
pub const TAG_PART: &str = "decouple:part";
/// Tag of stacks: the stage. Resources do not have it, or a change of the stage would change every one of them.
pub const TAG_STAGE: &str = "decouple:stage";
/// Tag of stacks that are short-lived: when they may be torn down, in RFC 3339.
pub const TAG_EXPIRES: &str = "decouple:expires";

/// What CloudFormation wants to be told: the template has roles, whose names it makes up.
pub const CAPABILITY: &str = "CAPABILITY_IAM";

/// Largest template that travels inside a request, in bytes.
pub const INLINE_LIMIT: usize = 51_200;
/// Largest template there is, in bytes; it travels through a bucket.
pub const SIZE_LIMIT: usize = 1_000_000;
/// Most resources of one stack.
pub const RESOURCE_LIMIT: usize = 500;

/// What is to be decided beside the topology.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Whether bucket and database go with the stack, rather than being kept (the bucket) and kept as a snapshot (the database).
    pub delete_data: bool,
}

/// Lowers a topology to a template.
pub fn synthesize(topology: &Topology, options: &Options) -> Result<Template, SynthesisError> {
    let mut stack = stack::Stack::new(topology, *options)?;
    one_architecture(topology)?;
    network::add(&mut stack)?;
    security::add(&mut stack);
    endpoint::add(&mut stack);
    bucket::add(&mut stack);
    catalog::add(&mut stack);
    topic::add(&mut stack);
    queue::add(&mut stack);
    balancer::add(&mut stack);
    for group in topology.groups() {
        logs::add(&mut stack, group);
        role::add(&mut stack, group);
        launch::add(&mut stack, group)?;
        group::add(&mut stack, group);
        scaling::add(&mut stack, group);
    }
    alarm::add(&mut stack);
    dashboard::add(&mut stack);
    output::add(&mut stack);
    stack.finish()
}

fn one_architecture(topology: &Topology) -> Result<(), SynthesisError> {
    let Some(first) = topology.groups().next() else { return Err(SynthesisError::MissingPart("group")) };
    match topology.groups().find(|group| group.architecture != first.architecture) {
        None => Ok(()),
        Some(other) => {
            let pair = [first, other].map(|group| (group.name.clone(), group.architecture.clone()));
            Err(SynthesisError::Architectures(Box::new(pair)))
        }
    }
}

/// Names the stack of an environment.
pub fn stack_name(site: &str, environment: &str) -> String {
    Names::new(site, environment).stack()
}

/// Returns the tags that a stack is given; `expires` is when it may be torn down, in RFC 3339. CloudFormation lays them on
/// resources as well, which have all of them but the stage's in the template already.
pub fn stack_tags(topology: &Topology, expires: Option<&str>) -> Vec<(String, String)> {
    let own = [
        (TAG_SITE, Some(topology.site.as_str())),
        (TAG_ENVIRONMENT, Some(topology.environment.as_str())),
        (TAG_STAGE, Some(topology.stage.as_str())),
        (TAG_EXPIRES, expires),
    ];
    let own = own.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned())));
    let own: Vec<(String, String)> = own.collect();
    let given = topology.tags.iter().filter(|(key, _)| own.iter().all(|(name, _)| name != *key));
    let given: Vec<(String, String)> = given.map(|(key, value)| (key.clone(), value.clone())).collect();
    [given, own].concat()
}

/// Tells whether a stack is to be protected from deletion by mistake: all are but the short-lived.
pub const fn termination_protection(topology: &Topology) -> bool {
    topology.ttl_seconds.is_none()
}
