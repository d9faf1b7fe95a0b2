//! Endpoints: ways to AWS that do not leave the network. S3's gateway costs nothing and is always there; the others are
//! interfaces, for networks without another way out.

use serde_json::json;

use super::{
    ids::{ENDPOINT_SECURITY_GROUP, VPC, of},
    intrinsics::reference,
    network,
    stack::{Resource, Stack},
};

const S3: &str = "S3Endpoint";

pub(super) fn add(stack: &mut Stack<'_>) {
    // A network of the user's own has its route tables and its endpoints already: two of a service would contend for its name.
    if stack.topology.network.vpc.is_some() {
        return;
    }
    let owner = network::owner("/network/egress");
    let gateway = json!({
        "VpcId": reference(VPC),
        "ServiceName": network::service_name("s3"),
        "VpcEndpointType": "Gateway",
        "RouteTableIds": network::route_tables(),
        "Tags": stack.named_tags(&owner, "s3"),
    });
    stack.add(S3, &owner, "the network's way to S3", Resource::new("AWS::EC2::VPCEndpoint", gateway));
    for service in services(stack) {
        let endpoint = json!({
            "VpcId": reference(VPC),
            "ServiceName": network::service_name(service),
            "VpcEndpointType": "Interface",
            "PrivateDnsEnabled": true,
            "SubnetIds": network::private_subnets(stack),
            "SecurityGroupIds": [reference(ENDPOINT_SECURITY_GROUP)],
            "Tags": stack.named_tags(&owner, service),
        });
        let description = format!("the private subnets' way to {service}");
        stack.add(&id(service), &owner, &description, Resource::new("AWS::EC2::VPCEndpoint", endpoint));
    }
}

/// The ids of the endpoints, which instances without another way out need from their first second on.
pub(super) fn ids(stack: &Stack<'_>) -> Vec<String> {
    let services = services(stack).into_iter().map(id);
    std::iter::once(S3.to_owned()).chain(services).collect()
}

/// Tells whether there are interface endpoints.
pub(super) fn has_interfaces(stack: &Stack<'_>) -> bool {
    let network = &stack.topology.network;
    network.vpc.is_none() && network.egress == "endpoints"
}

fn id(service: &str) -> String {
    of(service, "Endpoint")
}

/// What instances speak to, beside S3.
fn services(stack: &Stack<'_>) -> Vec<&'static str> {
    if !has_interfaces(stack) {
        return Vec::new();
    }
    // To signal and to complete the termination hook, to log, to read the database's login, and for Session Manager.
    let mut services = vec!["cloudformation", "autoscaling", "logs", "secretsmanager", "ssm", "ssmmessages"];
    if stack.topology.queues().next().is_some() {
        services.push("sqs");
    }
    if stack.topology.topic().is_some() {
        services.push("sns");
    }
    services
}
