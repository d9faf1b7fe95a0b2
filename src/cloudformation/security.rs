//! Who may connect to whom. Security groups reference one another, not address ranges, but for the people's.
//!
//! The order is balancer, to instances that serve; instances, to the database. Each arrow is said on both sides, and a
//! group of its own for those who begin a connection keeps CloudFormation from a circle of references.

use serde_json::{Value, json};

use super::{
    balancer,
    catalog::PORT as CATALOG_PORT,
    endpoint,
    ids::{
        BALANCER_SECURITY_GROUP, CATALOG_CLIENT_SECURITY_GROUP, CATALOG_SECURITY_GROUP, ENDPOINT_SECURITY_GROUP,
        INSTANCE_SECURITY_GROUP, SERVING_SECURITY_GROUP,
    },
    intrinsics::attribute,
    launch::PORT,
    network,
    stack::{Owner, Resource, Stack},
};

pub(super) fn add(stack: &mut Stack<'_>) {
    let network = network::owner("/network");
    // HTTPS to anywhere: AWS's services have no addresses that could be listed here. The network's routes limit it further.
    let https =
        json!([{ "Description": "AWS", "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "0.0.0.0/0" }]);
    add_group(stack, INSTANCE_SECURITY_GROUP, &network, "every instance", "instances", &json!([]), &https);

    let balancer = balancer::owner(stack);
    let people = people(stack);
    let out = json!([to("the instances", INSTANCE_SECURITY_GROUP, PORT, "DestinationSecurityGroupId")]);
    add_group(stack, BALANCER_SECURITY_GROUP, &balancer, "the load balancer", "balancer", &people, &out);
    let from = json!([to("the load balancer", BALANCER_SECURITY_GROUP, PORT, "SourceSecurityGroupId")]);
    add_group(stack, SERVING_SECURITY_GROUP, &balancer, "instances that serve", "serving", &from, &nothing());

    let catalog = super::catalog::owner(stack);
    let from = json!([to("the instances", INSTANCE_SECURITY_GROUP, CATALOG_PORT, "SourceSecurityGroupId")]);
    add_group(stack, CATALOG_SECURITY_GROUP, &catalog, "the database", "catalog", &from, &nothing());
    let out = json!([to("the database", CATALOG_SECURITY_GROUP, CATALOG_PORT, "DestinationSecurityGroupId")]);
    add_group(
        stack,
        CATALOG_CLIENT_SECURITY_GROUP,
        &catalog,
        "users of the database",
        "catalog-client",
        &json!([]),
        &out,
    );

    if endpoint::has_interfaces(stack) {
        let from = json!([to("the instances", INSTANCE_SECURITY_GROUP, 443, "SourceSecurityGroupId")]);
        add_group(stack, ENDPOINT_SECURITY_GROUP, &network, "the endpoints of AWS", "endpoints", &from, &nothing());
    }
}

fn add_group(stack: &mut Stack<'_>, id: &str, owner: &Owner, whose: &str, name: &str, inward: &Value, outward: &Value) {
    let mut group = json!({
        "GroupDescription": format!("{}, environment {}: {whose}", stack.topology.site, stack.topology.environment),
        "VpcId": network::vpc(stack),
        "SecurityGroupEgress": outward,
        "Tags": stack.named_tags(owner, name),
    });
    if inward.as_array().is_some_and(|rules| !rules.is_empty()) {
        group["SecurityGroupIngress"] = inward.clone();
    }
    stack.add(id, owner, &format!("who may connect: {whose}"), Resource::new("AWS::EC2::SecurityGroup", group));
}

fn to(who: &str, group: &str, port: u16, side: &str) -> Value {
    json!({
        "Description": who,
        "IpProtocol": "tcp",
        "FromPort": port,
        "ToPort": port,
        side: attribute(group, "GroupId"),
    })
}

/// A group without a rule outward would get one that allows everything; one that leads nowhere stands in its place.
fn nothing() -> Value {
    json!([{
        "Description": "Nothing: answers need no rule",
        "IpProtocol": "icmp",
        "FromPort": 252,
        "ToPort": 86,
        "CidrIp": "255.255.255.255/32",
    }])
}

fn people(stack: &Stack<'_>) -> Value {
    let mut rules = Vec::new();
    for port in balancer::ports(stack.balancer) {
        for range in &stack.balancer.allow {
            let kind = if range.contains(':') { "CidrIpv6" } else { "CidrIp" };
            rules.push(json!({
                "Description": "People",
                "IpProtocol": "tcp",
                "FromPort": port,
                "ToPort": port,
                kind: range,
            }));
        }
    }
    rules.into()
}
