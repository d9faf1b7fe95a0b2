//! Who stands where, and who may connect to whom.

use std::collections::BTreeSet;

use decouple_contract::{Role, env, timing};
use serde_json::{Value, json};

use super::{super::invariants::every_variant, assert_has, attributes, number, of_kind, properties, target};
use crate::cloudformation::Template;

fn is_own(template: &Template) -> bool {
    !of_kind(template, "AWS::EC2::VPC").is_empty()
}

/// The subnets of a list, by logical id, or by id where they are the user's.
fn names(list: &Value) -> BTreeSet<&str> {
    let all = list.as_array().expect("a list of subnets");
    all.iter().filter_map(|one| one.as_str().or_else(|| target(one))).collect()
}

#[test]
fn a_network_of_its_own_has_two_zones_and_the_balancer_in_public() {
    for (name, template) in every_variant() {
        let balancer = names(&properties(template, "Balancer")["Subnets"]);
        let database = names(&properties(template, "CatalogSubnets")["SubnetIds"]);
        assert!(balancer.len() >= 2 && database.len() >= 2 && balancer.is_disjoint(&database), "{name}");
        if !is_own(template) {
            assert!(of_kind(template, "AWS::EC2::Subnet").is_empty(), "{name}: a subnet in somebody's network");
            assert!(of_kind(template, "AWS::EC2::Route").is_empty(), "{name}: a route in somebody's network");
            assert!(of_kind(template, "AWS::EC2::VPCEndpoint").is_empty(), "{name}: an endpoint in somebody's network");
            continue;
        }
        assert_eq!(balancer, BTreeSet::from(["PublicSubnetA", "PublicSubnetB"]), "{name}");
        assert_eq!(database, BTreeSet::from(["PrivateSubnetA", "PrivateSubnetB"]), "{name}");
        for (zone, index) in [("A", 0), ("B", 1)] {
            for kind in ["Public", "Private"] {
                let subnet = properties(template, &format!("{kind}Subnet{zone}"));
                assert_eq!(
                    subnet["AvailabilityZone"],
                    json!({ "Fn::Select": [index, { "Fn::GetAZs": "" }] }),
                    "{name}"
                );
                assert!(subnet.get("MapPublicIpOnLaunch").is_none(), "{name}");
            }
        }
    }
}

#[test]
fn instances_have_the_way_out_that_the_blueprint_chose_and_no_other() {
    let mut seen = BTreeSet::new();
    for (name, template) in every_variant().iter().filter(|(_, template)| is_own(template)) {
        let endpoints = of_kind(template, "AWS::EC2::VPCEndpoint");
        let gateway = endpoints.iter().find(|(_, endpoint)| endpoint["VpcEndpointType"] == "Gateway");
        let (_, gateway) = gateway.unwrap_or_else(|| panic!("{name}: S3's gateway costs nothing and is always there"));
        assert_eq!(gateway["RouteTableIds"].as_array().map(Vec::len), Some(2), "{name}");
        let interfaces = endpoints.len() - 1;
        let nat = !of_kind(template, "AWS::EC2::NatGateway").is_empty();
        let routes = of_kind(template, "AWS::EC2::Route");
        let private = routes.iter().any(|(_, route)| target(&route["RouteTableId"]) == Some("PrivateRouteTable"));
        assert_eq!(private, nat, "{name}: the private subnets' route to the internet");
        let groups = of_kind(template, "AWS::AutoScaling::AutoScalingGroup");
        let stand = names(&groups[0].1["VPCZoneIdentifier"]);
        let public = stand.contains("PublicSubnetA");
        for (id, group) in groups {
            assert_eq!(names(&group["VPCZoneIdentifier"]), stand, "{name}: {id}");
        }
        for (id, launch) in of_kind(template, "AWS::EC2::LaunchTemplate") {
            let interface = &launch["LaunchTemplateData"]["NetworkInterfaces"][0];
            assert_eq!(interface["AssociatePublicIpAddress"], public, "{name}: {id}");
        }
        assert_eq!(usize::from(nat) + usize::from(public) + usize::from(interfaces > 0), 1, "{name}: one way out");
        seen.insert((nat, public));
    }
    assert_eq!(seen.len(), 3, "all three ways out are among the variants");
}

#[test]
fn interface_endpoints_are_those_that_the_stage_speaks_to() {
    for (name, template) in every_variant() {
        let services: BTreeSet<String> = of_kind(template, "AWS::EC2::VPCEndpoint")
            .iter()
            .filter(|(_, endpoint)| endpoint["VpcEndpointType"] == "Interface")
            .map(|(id, endpoint)| {
                assert_eq!(endpoint["PrivateDnsEnabled"], true, "{name}: {id}");
                endpoint["ServiceName"]["Fn::Sub"].as_str().expect("a name").rsplit('.').next().unwrap_or("").to_owned()
            })
            .collect();
        if services.is_empty() {
            continue;
        }
        for service in ["cloudformation", "autoscaling", "logs", "secretsmanager", "ssm", "ssmmessages"] {
            assert!(services.contains(service), "{name}: {service}");
        }
        assert_eq!(services.contains("sqs"), !of_kind(template, "AWS::SQS::Queue").is_empty(), "{name}");
        assert_eq!(services.contains("sns"), !of_kind(template, "AWS::SNS::Topic").is_empty(), "{name}");
    }
}

#[test]
fn security_groups_let_in_other_groups_and_only_the_balancer_lets_in_addresses() {
    for (name, template) in every_variant() {
        for (id, group) in of_kind(template, "AWS::EC2::SecurityGroup") {
            for rule in group["SecurityGroupIngress"].as_array().into_iter().flatten() {
                let by_address = rule.get("CidrIp").is_some() || rule.get("CidrIpv6").is_some();
                assert_eq!(by_address, id == "BalancerSecurityGroup", "{name}: {id}: {rule}");
                assert_eq!(rule["IpProtocol"], "tcp", "{name}: {id}");
                assert_eq!(rule["FromPort"], rule["ToPort"], "{name}: {id}");
            }
            // Without a rule AWS would add one that allows everything.
            let out = group["SecurityGroupEgress"].as_array().expect("rules");
            assert!(!out.is_empty() && out.iter().all(|rule| rule["IpProtocol"] != "-1"), "{name}: {id}");
        }
        let serving = &properties(template, "ServingSecurityGroup")["SecurityGroupIngress"];
        assert_eq!(target(&serving[0]["SourceSecurityGroupId"]), Some("BalancerSecurityGroup"), "{name}");
        assert!(properties(template, "InstanceSecurityGroup").get("SecurityGroupIngress").is_none(), "{name}");
    }
}

/// CloudFormation deletes what has gone last: whatever listens on a port must have one id, or a change finds the port taken.
#[test]
fn a_listener_is_named_by_its_port() {
    for (name, template) in every_variant() {
        for (id, listener) in of_kind(template, "AWS::ElasticLoadBalancingV2::Listener") {
            assert_eq!(id, format!("Listener{}", listener["Port"]), "{name}");
        }
    }
}

#[test]
fn a_certificate_brings_https_and_a_redirect_from_http() {
    let mut redirects = 0;
    for (name, template) in every_variant() {
        let balancer = properties(template, "Balancer");
        let application = balancer["Type"] == "application";
        let does = |action: &str| {
            let listeners = of_kind(template, "AWS::ElasticLoadBalancingV2::Listener");
            listeners.into_iter().find(|(_, listener)| listener["DefaultActions"][0]["Type"] == action)
        };
        let (_, listener) = does("forward").expect("a listener that serves");
        let secure = listener.get("Certificates").is_some();
        let protocol = match (application, secure) {
            (true, true) => "HTTPS",
            (true, false) => "HTTP",
            (false, true) => "TLS",
            (false, false) => "TCP",
        };
        assert_eq!(listener["Protocol"], protocol, "{name}");
        assert_eq!(listener["SslPolicy"].is_string(), secure, "{name}");
        let redirect = does("redirect");
        assert_eq!(redirect.is_some(), application && secure && listener["Port"] != 80, "{name}");
        if let Some((_, redirect)) = redirect {
            redirects += 1;
            let action = &redirect["DefaultActions"][0];
            assert_eq!(action["RedirectConfig"]["StatusCode"], "HTTP_301", "{name}");
            assert_eq!(action["RedirectConfig"]["Port"], listener["Port"].to_string(), "{name}");
        }
        let url = template.outputs()["Url"]["Value"]["Fn::Sub"].as_str().expect("a URL");
        assert!(url.starts_with(if secure { "https://" } else { "http://" }), "{name}: {url}");
        let targets = properties(template, "TargetGroup");
        assert_has(name, targets, &json!({ "HealthCheckPath": "/healthz?live", "HealthCheckProtocol": "HTTP" }));
        if application {
            let chosen = &attributes(&targets["TargetGroupAttributes"])["load_balancing.algorithm.type"];
            assert_eq!(chosen, "least_outstanding_requests", "{name}: as the local balancer chooses");
            let set = attributes(&balancer["LoadBalancerAttributes"]);
            assert_eq!(set["routing.http.drop_invalid_header_fields.enabled"], "true", "{name}");
        }
    }
    assert!(redirects > 0, "a redirect is among the variants");
}

/// What the workers behind the balancer are told of their role, and of how long a job may take.
fn served(template: &Template) -> (Role, u64) {
    let groups = of_kind(template, "AWS::AutoScaling::AutoScalingGroup");
    let (_, group) = groups.iter().find(|(_, group)| group.get("TargetGroupARNs").is_some()).expect("a served group");
    let launch = &group["MixedInstancesPolicy"]["LaunchTemplate"]["LaunchTemplateSpecification"]["LaunchTemplateId"];
    let launch = properties(template, target(launch).expect("a launch template"));
    let told = &launch["LaunchTemplateData"]["UserData"]["Fn::Base64"]["Fn::Sub"][1];
    let of = |name: &str| told[format!("Env_{name}")].as_str().expect("a text");
    (of(env::ROLE).parse().expect("a role"), of(env::JOB_TIMEOUT_SECONDS).parse().expect("seconds"))
}

#[test]
fn the_balancer_waits_for_the_work_and_closes_idle_connections_before_the_worker_does() {
    let mut waiting = 0;
    for (name, template) in every_variant() {
        let balancer = properties(template, "Balancer");
        if balancer["Type"] != "application" {
            continue;
        }
        let idle = number(&attributes(&balancer["LoadBalancerAttributes"])["idle_timeout.timeout_seconds"]);
        let (role, job) = served(template);
        assert!(timing::worker_idle(role, job) > idle, "{name}: {idle}");
        if role == Role::All {
            waiting += 1;
            assert!(idle > job || idle == 4_000, "{name}: {idle} for {job}");
        } else {
            assert_eq!(idle, 60, "{name}");
        }
    }
    assert!(waiting > 0, "a stage whose uploaders wait is among the variants");
}

#[test]
fn who_goes_away_may_finish_the_jobs_that_requests_wait_for() {
    for (name, template) in every_variant() {
        let set = attributes(&properties(template, "TargetGroup")["TargetGroupAttributes"]);
        let delay = number(&set["deregistration_delay.timeout_seconds"]);
        let (role, job) = served(template);
        assert!(delay <= 3_600, "{name}: {delay}");
        assert!(role != Role::All || delay > job || delay == 3_600, "{name}: {delay} for {job}");
    }
}
