//! Launch templates: what an instance is, and what it is told at its first boot.

use decouple_contract::{Tagging, env};
use serde_json::{Value, json};

use super::{
    SynthesisError, balancer, bucket, catalog,
    group::{self, HOOK},
    ids::{
        self, CATALOG_CLIENT_SECURITY_GROUP, INSTANCE_SECURITY_GROUP, SERVING_SECURITY_GROUP, TOPIC, group_name_value,
    },
    intrinsics::{attribute, reference},
    logs, network, role,
    stack::{Resource, Stack},
    user_data::{UserData, user_data},
};
use crate::topology::{BalancerKind, Group, PartId, PartKind, Verb};

/// Port on which workers serve, and answer `/healthz`.
pub(super) const PORT: u16 = 8080;
/// Most that EC2 takes as user data, before it is encoded.
const USER_DATA_LIMIT: usize = 16_384;
/// What a name, an ARN or a URL may be at its longest, which is not known until the stack is made.
const LONGEST_VALUE: usize = 256;
/// GB of the root disk: the system, the bundle, and photos in work.
const DISK_GB: u8 = 16;

pub(super) fn id(group: &Group) -> String {
    ids::of(&group.name, "LaunchTemplate")
}

pub(super) fn add(stack: &mut Stack<'_>, group: &Group) -> Result<(), SynthesisError> {
    let owner = group::owner(group);
    let tags = stack.named_tags(&owner, &group.name);
    let data = json!({
        // The newest image at every launch, so that instances begin patched, and a new image is no change of the stack.
        "ImageId": format!("resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{}", group.architecture),
        "InstanceType": group.instance_types.first(),
        "IamInstanceProfile": { "Arn": attribute(&role::profile_id(group), "Arn") },
        "MetadataOptions": { "HttpEndpoint": "enabled", "HttpTokens": "required", "HttpPutResponseHopLimit": 1 },
        "Monitoring": { "Enabled": watches_cpu(stack, group) },
        "BlockDeviceMappings": [{
            "DeviceName": "/dev/xvda",
            "Ebs": { "VolumeType": "gp3", "VolumeSize": DISK_GB, "Encrypted": true, "DeleteOnTermination": true },
        }],
        "NetworkInterfaces": [{
            "DeviceIndex": 0,
            "AssociatePublicIpAddress": network::has_public_addresses(stack),
            "DeleteOnTermination": true,
            "Groups": security_groups(stack, group),
        }],
        "TagSpecifications": [
            { "ResourceType": "instance", "Tags": tags },
            { "ResourceType": "volume", "Tags": tags },
        ],
        "UserData": told(stack, group)?,
    });
    let template = json!({
        "LaunchTemplateData": data,
        "TagSpecifications": [{ "ResourceType": "launch-template", "Tags": stack.tags(&owner) }],
    });
    let description = format!("what an instance of {} is", group.name);
    let decides = owner.by(format!("/groups/{}/instance_types", group.name));
    stack.add(&id(group), &decides, &description, Resource::new("AWS::EC2::LaunchTemplate", template));
    Ok(())
}

/// CPU scales a group only where its balancer counts no requests. Its figures of every minute cost extra.
pub(super) fn watches_cpu(stack: &Stack<'_>, group: &Group) -> bool {
    stack.balancer.balancing == BalancerKind::Network && balancer::serves(stack, &group.name)
}

fn security_groups(stack: &Stack<'_>, group: &Group) -> Value {
    let serving = balancer::serves(stack, &group.name).then_some(SERVING_SECURITY_GROUP);
    let all = [INSTANCE_SECURITY_GROUP, CATALOG_CLIENT_SECURITY_GROUP].into_iter().chain(serving);
    all.map(|id| attribute(id, "GroupId")).collect()
}

fn told(stack: &Stack<'_>, group: &Group) -> Result<Value, SynthesisError> {
    let group_id = ids::auto_scaling_group(&group.name);
    let owned = environment(stack, group);
    let environment = owned.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let of = UserData {
        group_logical_id: &group_id,
        environment,
        log_group: reference(&logs::id(group)),
        health_port: PORT,
    };
    let data = user_data(&of);
    let bytes = longest(&data);
    if bytes > USER_DATA_LIMIT {
        return Err(SynthesisError::UserDataTooLarge { group: group.name.clone(), bytes });
    }
    Ok(data)
}

/// Where a worker's parts are, after what the blueprint tells it.
fn environment(stack: &Stack<'_>, group: &Group) -> Vec<(String, Value)> {
    let part = PartId::new(PartKind::Group, &group.name);
    let queue = stack.topology.to(&part, Verb::Receives).chain(stack.topology.to(&part, Verb::SendsTo)).next();
    let topic = stack.topology.to(&part, Verb::Publishes).next();
    let mut all: Vec<(String, Value)> =
        group.environment.iter().map(|(name, value)| (name.clone(), json!(shipped(name, value)))).collect();
    let mut set = |name: &str, value: Value| all.push((name.to_owned(), value));
    set(env::ROLE, json!(group.name));
    set(env::ENV, json!(stack.topology.environment));
    // The balancer comes from outside; whoever asks the others how they are is on the instance.
    let from = if balancer::serves(stack, &group.name) { "0.0.0.0" } else { "127.0.0.1" };
    set(env::LISTEN, json!(format!("{from}:{PORT}")));
    set(env::BUCKET, bucket::name(stack));
    if let Some(queue) = queue {
        set(env::QUEUE_URL, reference(&ids::queue(&queue.name)));
    }
    if topic.is_some() {
        set(env::TOPIC_ARN, reference(TOPIC));
    }
    set(env::CATALOG_URL, catalog::url());
    set(env::CATALOG_SECRET_ARN, catalog::secret());
    set(env::AUTO_SCALING_GROUP, group_name_value(&group.name));
    set(env::TERMINATION_HOOK, json!(HOOK));
    all
}

/// A model of the user's own is a file of theirs: on an instance it is the bundle's.
fn shipped(name: &str, value: &str) -> String {
    if name != env::TAGGING {
        return value.to_owned();
    }
    let Ok(mut tagging) = serde_json::from_str::<Tagging>(value) else { return value.to_owned() };
    tagging.model = tagging.model.map(|_| crate::bundle::MODEL.to_owned());
    tagging.labels = tagging.labels.map(|_| crate::bundle::LABELS.to_owned());
    serde_json::to_string(&tagging).unwrap_or_else(|_| value.to_owned())
}

/// How long user data is at most, once CloudFormation has put in what only it knows.
fn longest(data: &Value) -> usize {
    let script = data.pointer("/Fn::Base64/Fn::Sub/0").and_then(Value::as_str).map_or(0, str::len);
    let variables = data.pointer("/Fn::Base64/Fn::Sub/1").and_then(Value::as_object).into_iter().flatten();
    script + variables.map(|(_, value)| value.as_str().map_or(LONGEST_VALUE, str::len)).sum::<usize>()
}
