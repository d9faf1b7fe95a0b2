//! The load balancer: Application for HTTP, Network for TCP; its listeners, and the instances that it knows.

use decouple_contract::{Role, timing};
use serde_json::{Value, json};

use super::{
    ids::{BALANCER, BALANCER_SECURITY_GROUP, TARGET_GROUP},
    intrinsics::{attribute, reference, sub},
    launch::PORT,
    network,
    stack::{Owner, Resource, Stack},
};
use crate::topology::{Balancer, BalancerKind, PartId, PartKind, Verb};

/// The ports that people do not have to name.
const HTTP: u16 = 80;
const HTTPS: u16 = 443;
/// AWS's policy of TLS 1.2 and 1.3.
const TLS_POLICY: &str = "ELBSecurityPolicy-TLS13-1-2-2021-06";
/// The longest that a balancer lets an instance finish its requests.
const LONGEST_DELAY: u64 = 3_600;

pub(super) fn owner(stack: &Stack<'_>) -> Owner {
    Owner::part(&PartId::new(PartKind::Balancer, &stack.balancer.name), "/balancer")
}

pub(super) fn add(stack: &mut Stack<'_>) {
    let owner = owner(stack);
    let application = stack.balancer.balancing == BalancerKind::Application;
    let balancer = json!({
        "Type": if application { "application" } else { "network" },
        "Scheme": "internet-facing",
        "SecurityGroups": [reference(BALANCER_SECURITY_GROUP)],
        "Subnets": network::public_subnets(stack),
        "LoadBalancerAttributes": attributes(stack, application),
        "Tags": stack.tags(&owner),
    });
    let mut balancer = Resource::new("AWS::ElasticLoadBalancingV2::LoadBalancer", balancer);
    if stack.topology.network.vpc.is_none() {
        balancer = balancer.with("DependsOn", "PublicDefaultRoute");
    }
    stack.add(BALANCER, &owner, "the load balancer", balancer);
    let targets = Resource::new("AWS::ElasticLoadBalancingV2::TargetGroup", targets(stack, &owner, application));
    stack.add(TARGET_GROUP, &owner, "the load balancer's list of instances", targets);
    add_listeners(stack, &owner, application);
}

/// The group that the balancer serves.
pub(super) fn serves(stack: &Stack<'_>, group: &str) -> bool {
    let balancer = PartId::new(PartKind::Balancer, &stack.balancer.name);
    stack.topology.to(&balancer, Verb::Serves).any(|part| part.name == group)
}

/// The ports that people may connect to, the site's own first.
pub(super) fn ports(balancer: &Balancer) -> Vec<u16> {
    let own = port(balancer);
    if redirects(balancer) { vec![own, HTTP] } else { vec![own] }
}

/// Where the site is.
pub(super) fn url(balancer: &Balancer) -> Value {
    let (scheme, usual) = if balancer.certificate.is_some() { ("https", HTTPS) } else { ("http", HTTP) };
    let port = port(balancer);
    let port = if port == usual { String::new() } else { format!(":{port}") };
    sub(format!("{scheme}://${{{BALANCER}.DNSName}}{port}"))
}

fn port(balancer: &Balancer) -> u16 {
    balancer.port.unwrap_or(if balancer.certificate.is_some() { HTTPS } else { HTTP })
}

/// People who type a name get HTTP first; only a balancer that understands HTTP can send them on.
fn redirects(balancer: &Balancer) -> bool {
    balancer.balancing == BalancerKind::Application && balancer.certificate.is_some() && port(balancer) != HTTP
}

fn attributes(stack: &Stack<'_>, application: bool) -> Value {
    if !application {
        return json!([{ "Key": "load_balancing.cross_zone.enabled", "Value": "true" }]);
    }
    let (role, job_timeout) = served(stack);
    let idle = timing::balancer_idle(role, job_timeout);
    json!([
        { "Key": "idle_timeout.timeout_seconds", "Value": idle.to_string() },
        { "Key": "routing.http.drop_invalid_header_fields.enabled", "Value": "true" },
    ])
}

/// What the workers do that are served, and how long a job of theirs may take.
fn served(stack: &Stack<'_>) -> (Role, u64) {
    let group = stack.topology.groups().find(|group| serves(stack, &group.name));
    let role = group.and_then(|group| group.name.parse().ok()).unwrap_or(Role::All);
    (role, group.map_or(0, |group| group.job_timeout_seconds))
}

fn targets(stack: &Stack<'_>, owner: &Owner, application: bool) -> Value {
    let (role, job_timeout) = served(stack);
    // A request that waits for its job is cut when the delay is over.
    let needed = timing::request_with_job(role, job_timeout).unwrap_or_default();
    let delay = stack.balancer.deregistration_seconds.max(needed).min(LONGEST_DELAY);
    let mut attributes = vec![json!({ "Key": "deregistration_delay.timeout_seconds", "Value": delay.to_string() })];
    if application {
        attributes.push(json!({ "Key": "load_balancing.algorithm.type", "Value": "least_outstanding_requests" }));
    }
    json!({
        "VpcId": network::vpc(stack),
        "TargetType": "instance",
        "Protocol": if application { "HTTP" } else { "TCP" },
        "Port": PORT,
        "HealthCheckProtocol": "HTTP",
        // A database that restarts must not have every instance replaced: what it lacks is told, and held against nobody.
        "HealthCheckPath": "/healthz?live",
        "HealthCheckIntervalSeconds": 10,
        "HealthCheckTimeoutSeconds": 5,
        "HealthyThresholdCount": 2,
        "UnhealthyThresholdCount": 3,
        "Matcher": { "HttpCode": "200" },
        "TargetGroupAttributes": attributes,
        "Tags": stack.tags(owner),
    })
}

/// Returns the logical id of what listens on the port that people connect to.
pub(super) fn listener(balancer: &Balancer) -> String {
    listener_id(port(balancer))
}

/// By its port: with a certificate, port 80 redirects and does not serve. Were it another listener for that, the new one would find
/// the port taken, since CloudFormation deletes what has gone last.
fn listener_id(port: u16) -> String {
    format!("Listener{port}")
}

fn add_listeners(stack: &mut Stack<'_>, owner: &Owner, application: bool) {
    let protocol = match (application, stack.balancer.certificate.is_some()) {
        (true, true) => "HTTPS",
        (true, false) => "HTTP",
        (false, true) => "TLS",
        (false, false) => "TCP",
    };
    let mut listener = json!({
        "LoadBalancerArn": reference(BALANCER),
        "Port": port(stack.balancer),
        "Protocol": protocol,
        "DefaultActions": [{ "Type": "forward", "TargetGroupArn": reference(TARGET_GROUP) }],
    });
    if let Some(certificate) = &stack.balancer.certificate {
        listener["Certificates"] = json!([{ "CertificateArn": certificate }]);
        listener["SslPolicy"] = json!(TLS_POLICY);
    }
    let listener = Resource::new("AWS::ElasticLoadBalancingV2::Listener", listener);
    let key = if stack.balancer.certificate.is_some() { "/balancer/certificate" } else { "/balancer/port" };
    stack.add(&listener_id(port(stack.balancer)), &owner.by(key), "the port that people connect to", listener);
    if redirects(stack.balancer) {
        let to = json!({
            "Protocol": "HTTPS",
            "Port": port(stack.balancer).to_string(),
            "StatusCode": "HTTP_301",
        });
        let redirect = json!({
            "LoadBalancerArn": reference(BALANCER),
            "Port": HTTP,
            "Protocol": "HTTP",
            "DefaultActions": [{ "Type": "redirect", "RedirectConfig": to }],
        });
        let redirect = Resource::new("AWS::ElasticLoadBalancingV2::Listener", redirect);
        stack.add(&listener_id(HTTP), owner, "sends people from HTTP on to HTTPS", redirect);
    }
}

/// The balancer's and the target group's names, as their metrics have them.
pub(super) fn dimensions() -> Value {
    json!([
        { "Name": "LoadBalancer", "Value": attribute(BALANCER, "LoadBalancerFullName") },
        { "Name": "TargetGroup", "Value": attribute(TARGET_GROUP, "TargetGroupFullName") },
    ])
}
