//! The network: one of the environment's own over two zones, or the one that the blueprint names, which is left as it is.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::{
    SynthesisError,
    ids::VPC,
    intrinsics::{attribute, reference, sub},
    stack::{Owner, Resource, Stack},
};

/// The zones of a network that is made. A load balancer and a database want two.
const ZONES: [&str; 2] = ["A", "B"];
const PUBLIC_ROUTES: &str = "PublicRouteTable";
const PRIVATE_ROUTES: &str = "PrivateRouteTable";
const GATEWAY: &str = "InternetGateway";
const ATTACHMENT: &str = "InternetGatewayAttachment";

pub(super) fn owner(key: &str) -> Owner {
    Owner::other("network", Some(key))
}

pub(super) fn add(stack: &mut Stack<'_>) -> Result<(), SynthesisError> {
    if stack.topology.network.vpc.is_some() {
        return Ok(());
    }
    let range = &stack.topology.network.cidr;
    let subnets = quarters(range).ok_or_else(|| SynthesisError::Range(range.clone()))?;
    add_vpc(stack);
    let (public, private) = subnets.split_at(ZONES.len());
    for (index, zone) in ZONES.iter().enumerate() {
        add_subnet(stack, "Public", zone, index, &public[index]);
        add_subnet(stack, "Private", zone, index, &private[index]);
    }
    add_routes(stack);
    if stack.topology.network.egress == "nat" {
        add_nat(stack);
    }
    Ok(())
}

/// The id of the network.
pub(super) fn vpc(stack: &Stack<'_>) -> Value {
    stack.topology.network.vpc.as_ref().map_or_else(|| reference(VPC), |id| json!(id))
}

/// Where the balancer stands.
pub(super) fn public_subnets(stack: &Stack<'_>) -> Value {
    let network = &stack.topology.network;
    if network.vpc.is_some() { json!(network.public_subnets) } else { own("Public") }
}

/// Where the database stands, and the endpoints.
pub(super) fn private_subnets(stack: &Stack<'_>) -> Value {
    let network = &stack.topology.network;
    if network.vpc.is_some() { json!(network.private_subnets) } else { own("Private") }
}

/// Where instances stand: with public addresses they need a route to the internet gateway.
pub(super) fn instance_subnets(stack: &Stack<'_>) -> Value {
    if has_public_addresses(stack) { public_subnets(stack) } else { private_subnets(stack) }
}

/// Tells whether instances reach AWS by public addresses of their own.
pub(super) fn has_public_addresses(stack: &Stack<'_>) -> bool {
    stack.topology.network.egress == "public"
}

/// What instances need before their first request can leave.
pub(super) fn ways_out(stack: &Stack<'_>) -> Vec<String> {
    let network = &stack.topology.network;
    if network.vpc.is_some() {
        return Vec::new();
    }
    // Without its table's association a subnet has no route. They outlive the instances too, whose last words to AWS need one.
    let kind = if has_public_addresses(stack) { "Public" } else { "Private" };
    let mut needed = match network.egress.as_str() {
        "nat" => vec!["PrivateDefaultRoute".to_owned()],
        "public" => vec!["PublicDefaultRoute".to_owned()],
        _ => super::endpoint::ids(stack),
    };
    needed.extend(ZONES.iter().map(|zone| association(kind, zone)));
    needed
}

/// Id of what joins a subnet and its routes.
fn association(kind: &str, zone: &str) -> String {
    format!("{kind}Subnet{zone}Routes")
}

/// The route tables of a network that is made.
pub(super) fn route_tables() -> Value {
    json!([reference(PUBLIC_ROUTES), reference(PRIVATE_ROUTES)])
}

fn own(kind: &str) -> Value {
    ZONES.iter().map(|zone| reference(&format!("{kind}Subnet{zone}"))).collect()
}

fn add_vpc(stack: &mut Stack<'_>) {
    let owner = owner("/network/cidr");
    let vpc = json!({
        "CidrBlock": stack.topology.network.cidr,
        "EnableDnsHostnames": true,
        "EnableDnsSupport": true,
        "Tags": stack.named_tags(&owner, "vpc"),
    });
    stack.add(VPC, &owner, "the network", Resource::new("AWS::EC2::VPC", vpc));
    let gateway = json!({ "Tags": stack.named_tags(&owner, "internet") });
    stack.add(
        GATEWAY,
        &owner,
        "the network's way to the internet",
        Resource::new("AWS::EC2::InternetGateway", gateway),
    );
    let attachment = json!({ "VpcId": reference(VPC), "InternetGatewayId": reference(GATEWAY) });
    let attachment = Resource::new("AWS::EC2::VPCGatewayAttachment", attachment);
    stack.add(ATTACHMENT, &owner, "the network's way to the internet, attached", attachment);
}

fn add_subnet(stack: &mut Stack<'_>, kind: &str, zone: &str, index: usize, range: &str) {
    let owner = owner("/network/cidr");
    let word = kind.to_ascii_lowercase();
    let subnet = json!({
        "VpcId": reference(VPC),
        "CidrBlock": range,
        "AvailabilityZone": { "Fn::Select": [index, { "Fn::GetAZs": "" }] },
        "Tags": stack.named_tags(&owner, &format!("{word}-{}", zone.to_ascii_lowercase())),
    });
    let description = format!("the {word} subnet in zone {zone}");
    stack.add(&format!("{kind}Subnet{zone}"), &owner, &description, Resource::new("AWS::EC2::Subnet", subnet));
}

fn add_routes(stack: &mut Stack<'_>) {
    let owner = owner("/network/egress");
    for (kind, id) in [("Public", PUBLIC_ROUTES), ("Private", PRIVATE_ROUTES)] {
        let word = kind.to_ascii_lowercase();
        let table = json!({ "VpcId": reference(VPC), "Tags": stack.named_tags(&owner, &word) });
        stack.add(id, &owner, &format!("the {word} subnets' routes"), Resource::new("AWS::EC2::RouteTable", table));
        for zone in ZONES {
            let association =
                json!({ "RouteTableId": reference(id), "SubnetId": reference(&format!("{kind}Subnet{zone}")) });
            let association = Resource::new("AWS::EC2::SubnetRouteTableAssociation", association);
            let description = format!("the {word} subnet in zone {zone} has its routes");
            stack.add(&self::association(kind, zone), &owner, &description, association);
        }
    }
    let route = json!({
        "RouteTableId": reference(PUBLIC_ROUTES),
        "DestinationCidrBlock": "0.0.0.0/0",
        "GatewayId": reference(GATEWAY),
    });
    let route = Resource::new("AWS::EC2::Route", route).with("DependsOn", ATTACHMENT);
    stack.add("PublicDefaultRoute", &owner, "the public subnets reach the internet", route);
}

/// One gateway and not one a zone: the second costs as much again, and a zone that is gone takes its instances along
/// anyway. Those of the other zone are cut off from AWS for that time, which the blueprint's `egress` says.
fn add_nat(stack: &mut Stack<'_>) {
    let owner = owner("/network/egress");
    let address = json!({ "Domain": "vpc", "Tags": stack.named_tags(&owner, "nat") });
    let address = Resource::new("AWS::EC2::EIP", address).with("DependsOn", ATTACHMENT);
    stack.add("NatAddress", &owner, "the NAT gateway's address", address);
    let gateway = json!({
        "AllocationId": attribute("NatAddress", "AllocationId"),
        "SubnetId": reference("PublicSubnetA"),
        "Tags": stack.named_tags(&owner, "nat"),
    });
    let gateway = Resource::new("AWS::EC2::NatGateway", gateway).with("DependsOn", "PublicDefaultRoute");
    stack.add("NatGateway", &owner, "the NAT gateway", gateway);
    let route = json!({
        "RouteTableId": reference(PRIVATE_ROUTES),
        "DestinationCidrBlock": "0.0.0.0/0",
        "NatGatewayId": reference("NatGateway"),
    });
    let route = Resource::new("AWS::EC2::Route", route);
    stack.add("PrivateDefaultRoute", &owner, "the private subnets reach AWS through the NAT gateway", route);
}

/// Divides a range of IPv4 addresses into four equal ones.
fn quarters(range: &str) -> Option<[String; 4]> {
    let (address, bits) = range.split_once('/')?;
    let (address, bits) = (address.parse::<Ipv4Addr>().ok()?, bits.parse::<u32>().ok()?);
    if !(16..=24).contains(&bits) {
        return None;
    }
    let bits = bits + 2;
    let size = 1_u32 << (32 - bits);
    let first = address.to_bits();
    Some([0, 1, 2, 3].map(|index| format!("{}/{bits}", Ipv4Addr::from_bits(first.wrapping_add(index * size)))))
}

/// The DNS name of a service in the stack's region.
pub(super) fn service_name(service: &str) -> Value {
    sub(format!("com.amazonaws.${{AWS::Region}}.{service}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_divided_into_four() {
        let expected = ["10.0.0.0/18", "10.0.64.0/18", "10.0.128.0/18", "10.0.192.0/18"];
        assert_eq!(quarters("10.0.0.0/16").unwrap(), expected);
        assert_eq!(quarters("10.1.2.0/24").unwrap()[3], "10.1.2.192/26");
        for range in ["10.0.0.0/8", "10.0.0.0/25", "x/16", "::/16", "10.0.0.0"] {
            assert_eq!(quarters(range), None, "{range}");
        }
    }
}
