//! From what a person wrote to what it means: blueprint in, topology out. Pure.

use std::collections::BTreeMap;

use decouple_contract::{self as contract, Role, env};

use super::model::{self, Blueprint, Stage};
use crate::topology::{
    Artifact, Balancer, BalancerKind, Bucket, Catalog, Edge, Group, Iam, Market, Network, Part, PartId, PartKind,
    Queue, Scaling, Topic, Topology, Verb,
};

/// Name of the one topic.
const TOPIC: &str = "images";
/// Name of the one bucket, the one catalog and the one artifact.
const STORE: &str = "images";
const ARTIFACT: &str = "worker";

/// Returns what a checked blueprint means for one environment.
pub fn lower(blueprint: &Blueprint, environment: &str) -> Topology {
    let roles = blueprint.stage.roles();
    let front = roles[0];
    let mut parts = vec![Part::Balancer(balancer(&blueprint.balancer, front))];
    parts.extend(
        roles.iter().filter_map(|role| {
            blueprint.groups.get(*role).map(|group| Part::Group(lower_group(blueprint, *role, group)))
        }),
    );
    if blueprint.stage == Stage::SnsSqs {
        parts.push(Part::Topic(Topic { name: TOPIC.to_owned() }));
    }
    parts.extend(
        roles.iter().filter_map(|role| blueprint.queues.get(*role).map(|queue| Part::Queue(lower_queue(*role, queue)))),
    );
    parts.push(Part::Bucket(Bucket { name: STORE.to_owned(), adopted: blueprint.bucket.name.clone() }));
    parts.push(Part::Catalog(Catalog {
        name: STORE.to_owned(),
        url: blueprint.catalog.url.clone(),
        instance_class: blueprint.catalog.instance_class.clone(),
        storage_gb: blueprint.catalog.storage_gb,
    }));
    parts.push(Part::Artifact(Artifact { name: ARTIFACT.to_owned(), program: blueprint.worker.path.clone() }));

    Topology {
        site: blueprint.name.clone(),
        environment: environment.to_owned(),
        stage: blueprint.stage.name().to_owned(),
        ttl_seconds: blueprint.ttl.map(super::quantity::Span::seconds),
        tags: blueprint.tags.clone(),
        network: network(&blueprint.network),
        iam: Iam {
            permissions_boundary: blueprint.iam.permissions_boundary.clone(),
            deployment_role: blueprint.iam.deployment_role.clone(),
        },
        parts,
        edges: edges(blueprint.stage),
    }
}

/// Says who does what with whom in a stage: the story of the three stages in one place.
fn edges(stage: Stage) -> Vec<Edge> {
    let group = |role: Role| PartId::new(PartKind::Group, role.name());
    let queue = |role: Role| PartId::new(PartKind::Queue, role.name());
    let topic = || PartId::new(PartKind::Topic, TOPIC);
    let bucket = || PartId::new(PartKind::Bucket, STORE);
    let catalog = || PartId::new(PartKind::Catalog, STORE);
    let roles = stage.roles();
    let front = roles[0];

    let mut edges =
        vec![Edge { from: PartId::new(PartKind::Balancer, front.name()), verb: Verb::Serves, to: group(front) }];
    for role in roles.iter().copied() {
        edges.push(Edge { from: group(role), verb: Verb::Reads, to: bucket() });
        if role.serves() || role.resizes() {
            edges.push(Edge { from: group(role), verb: Verb::Writes, to: bucket() });
        }
        edges.push(Edge { from: group(role), verb: Verb::Writes, to: catalog() });
        edges.push(Edge { from: group(role), verb: Verb::Runs, to: PartId::new(PartKind::Artifact, ARTIFACT) });
        if role.consumes() {
            edges.push(Edge { from: group(role), verb: Verb::Receives, to: queue(role) });
        }
    }
    match stage {
        Stage::Elb => {}
        Stage::ElbSqs => edges.push(Edge { from: group(Role::Web), verb: Verb::SendsTo, to: queue(Role::Process) }),
        Stage::SnsSqs => {
            edges.push(Edge { from: group(Role::Web), verb: Verb::Publishes, to: topic() });
            for role in [Role::Resize, Role::Tag] {
                edges.push(Edge { from: queue(role), verb: Verb::Subscribes, to: topic() });
            }
        }
    }
    edges
}

fn balancer(balancer: &model::Balancer, front: Role) -> Balancer {
    Balancer {
        name: front.name().to_owned(),
        balancing: match balancer.kind {
            model::BalancerKind::Application => BalancerKind::Application,
            model::BalancerKind::Network => BalancerKind::Network,
        },
        port: balancer.port,
        certificate: balancer.certificate.clone(),
        allow: balancer.allow.clone(),
        max_upload_bytes: balancer.max_upload.get(),
        deregistration_seconds: balancer.deregistration_delay.seconds(),
    }
}

fn lower_group(blueprint: &Blueprint, role: Role, group: &model::Group) -> Group {
    Group {
        name: role.name().to_owned(),
        min: group.instances.min,
        max: group.instances.max,
        instance_types: group.instance_types.clone(),
        architecture: match group.architecture {
            model::Architecture::X86_64 => "x86_64",
            model::Architecture::Arm64 => "arm64",
        }
        .to_owned(),
        market: match group.market.kind {
            model::MarketKind::OnDemand => Market::OnDemand,
            model::MarketKind::Spot => Market::Spot { on_demand_base: group.market.on_demand_base },
        },
        scaling: scaling(role, &group.scaling),
        job_timeout_seconds: group.job_timeout.seconds(),
        environment: environment(blueprint, role, group),
    }
}

/// The blueprint's check sees to it that a role has the fields of its own kind of scaling.
fn scaling(role: Role, scaling: &model::Scaling) -> Scaling {
    let scale_in_after_seconds = scaling.scale_in_after.seconds();
    let seconds = |span: Option<super::quantity::Span>| span.map_or(1, |span| span.seconds().max(1));
    if role.serves() {
        Scaling::Requests { per_target: scaling.requests_per_target.unwrap_or(1).max(1), scale_in_after_seconds }
    } else {
        Scaling::Backlog {
            target_latency_seconds: seconds(scaling.target_latency),
            time_per_message_seconds: seconds(scaling.time_per_message),
            scale_in_after_seconds,
        }
    }
}

fn lower_queue(role: Role, queue: &model::Queue) -> Queue {
    Queue {
        name: role.name().to_owned(),
        visibility_seconds: queue.visibility_timeout.seconds(),
        max_receives: queue.max_receives,
        retention_seconds: queue.retention.seconds(),
    }
}

/// What a worker is told that does not depend on where its parts are.
fn environment(blueprint: &Blueprint, role: Role, group: &model::Group) -> BTreeMap<String, String> {
    let mut all = blueprint.environment.clone();
    let mut set = |name: &str, value: String| all.insert(name.to_owned(), value);
    set(env::JOB_TIMEOUT_SECONDS, group.job_timeout.seconds().to_string());
    if let Some(queue) = blueprint.queues.get(role) {
        set(env::VISIBILITY_SECONDS, queue.visibility_timeout.seconds().to_string());
    }
    if role.serves() {
        set(env::MAX_UPLOAD_BYTES, blueprint.balancer.max_upload.get().to_string());
    }
    if role.resizes() {
        set(env::RENDITIONS, json(&renditions(&blueprint.renditions)));
    }
    if role.tags() {
        set(env::TAGGING, json(&tagging(&blueprint.tagging)));
    }
    all
}

fn renditions(renditions: &model::Renditions) -> contract::Renditions {
    contract::Renditions {
        widths: renditions.widths.clone(),
        quality: renditions.quality,
        format: match renditions.format {
            model::Format::Jpeg => contract::Format::Jpeg,
            model::Format::Webp => contract::Format::Webp,
            model::Format::Avif => contract::Format::Avif,
        },
        // The schema has seen to it that it is a colour.
        background: renditions.background.as_deref().and_then(|text| text.parse().ok()).unwrap_or_default(),
        animation: match renditions.animation {
            None | Some(model::Animation::FirstFrame) => contract::Animation::FirstFrame,
            Some(model::Animation::Keep) => contract::Animation::Keep,
        },
    }
}

fn tagging(tagging: &model::Tagging) -> contract::Tagging {
    contract::Tagging {
        model: tagging.model.clone(),
        labels: tagging.labels.clone(),
        threshold: tagging.threshold,
        max_tags: tagging.max_tags,
    }
}

fn json(settings: &impl serde::Serialize) -> String {
    serde_json::to_string(settings).expect("settings have string keys and no failing field")
}

fn network(network: &model::Network) -> Network {
    Network {
        egress: match network.egress {
            model::Egress::Nat => "nat",
            model::Egress::Public => "public",
            model::Egress::Endpoints => "endpoints",
        }
        .to_owned(),
        cidr: network.cidr.clone(),
        vpc: network.vpc.clone(),
        public_subnets: network.public_subnets.clone(),
        private_subnets: network.private_subnets.clone(),
    }
}
