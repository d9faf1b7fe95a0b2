//! How mistakes are shown.

use std::fmt::Write as _;

use insta::assert_snapshot;

use super::*;

#[test]
fn five_mistakes_are_shown_in_one_go() {
    assert_snapshot!(shown(
        r#"name: My_Photos
stage: elb-sqs
groups:
  web:
    instances: { min: 6, max: 4 }
  process:
    instances:
      mn: 1
    job_timeout: 5m
queues:
  process:
    visibility_timeout: 2m # too short
renditions:
  quality: "high"
"#
    ));
}

#[test]
fn what_is_no_yaml_is_shown_where_it_ends() {
    assert_snapshot!(shown("name: photos\nstage: elb\ngroups:\n  web: { instances: [1, 2\n"));
}

#[test]
fn a_tab_is_shown() {
    assert_snapshot!(shown("stage: elb\ngroups:\n\tall: {}\n"));
}

#[test]
fn a_key_that_stands_twice_is_shown_with_the_first() {
    assert_snapshot!(shown("stage: elb\nname: a1\ntags: { a: b }\nname: b1\n"));
}

#[test]
fn no_stage_is_told_with_all_other_mistakes() {
    assert_snapshot!(shown("name: photos\nbalancer:\n  prot: 80\n"));
}

#[test]
fn a_file_that_is_no_map_is_told() {
    assert_snapshot!(shown("- stage: elb\n"));
}

#[test]
fn a_password_is_warned_of_and_not_shown() {
    let text = shown("stage: elb\ncatalog:\n  url: postgres://me:secret@localhost:5432/photos\n");
    assert!(!text.contains("secret"), "{text}");
    assert_snapshot!(text);
}

/// A password that cannot stand in a URL is no less a secret.
#[test]
fn a_malformed_address_does_not_show_its_password() {
    for url in ["postgres://me:sec ret@host/db", "postgres://me:sec/ret@host/db", "\"postgres://me:sec ret@host:x/db\""]
    {
        let text = shown(&format!("stage: elb\ncatalog:\n  url: {url}\n"));
        assert!(text.starts_with("error: `catalog.url`") && !text.contains("sec") && !text.contains("ret@"), "{text}");
    }
}

/// Every check of structure and meaning: what is written, and the first line of what is said and its place.
#[test]
#[expect(clippy::too_many_lines, reason = "it is one table")]
fn each_check_speaks() {
    let many_tags = (0..44).map(|tag| format!("  t{tag}: x")).collect::<Vec<_>>().join("\n");
    let long_tag = format!("tags: {{ k: {} }}", "x".repeat(257));
    let cases = [
        "stage: elbsqs",
        "target: cloud",
        "name: a--b",
        "name: internal",
        "name: amzn-s3-demo-site",
        "name: internals",
        "name: 12",
        "nmae: x",
        "ttl: 30s",
        "ttl: 366d",
        "ttl: 4",
        "ttl: soon",
        &format!("tags:\n{many_tags}"),
        "tags: { 'aws:x': y }",
        &long_tag,
        "tags: { a: 1 }",
        "tags: { '': x }",
        "tags: { 'a!': x }",
        "tags: { \"aws:\\n\": x }",
        "tags: { größe: 'a b_.:/=+-@' }",
        "tags: { a: 'b#c' }",
        "environment: { 1A: x }",
        "environment: { DECOUPLE_ROLE: x }",
        "environment: { AWS_REGION: x }",
        "environment: { DECOUPLE_LOG: debug }",
        "groups: { web: { instances: { min: 0 } } }",
        "groups: { web: { instances: { min: -1 } } }",
        "groups: { web: { instances: { max: 0 } } }",
        "groups: { web: { instances: { max: 1.5 } } }",
        "groups: { web: { instances: { min: 9 } } }",
        "groups: { process: { market: { on_demand_base: 5 } } }",
        "groups: { process: { market: { type: sopt } } }",
        "groups: { web: { instance_types: c7g.large } }",
        "groups: { web: { instance_types: [large] } }",
        "groups: { web: { instance_types: [c7g.large, m5.large] } }",
        "groups: { web: { instance_types: [] } }",
        "groups: { web: { architecture: x86_64 } }",
        "groups: { process: { instance_types: [c7g.large, c6g.large] } }",
        "groups: { web: { scaling: { target_latency: 3s } } }",
        "groups: { process: { scaling: { requests_per_target: 3 } } }",
        "groups: { process: { scaling: { target_latency: null } } }",
        "groups: { process: { scaling: { time_per_message: 31s } } }",
        "groups: { process: { scaling: { time_per_message: 0s } } }",
        "groups: { process: { scaling: { target_latency: 0s } } }",
        "groups: { web: { job_timeout: 7h } }",
        "groups: { web: { scaling: { scale_in_after: 0s } } }",
        "groups: { web: null }",
        "groups: null",
        "queues: { process: null }",
        "groups: { resize: { instances: { max: 3 } } }",
        "groups: { resize: { instances: { mx: 3 } } }",
        "groups: { tag: { job_timeout: 10m } }",
        "queues: { tag: { visibility_timeout: 30s } }",
        "queues: { web: {} }",
        "groups: { process: { job_timeout: 2m } }",
        "queues: { process: { visibility_timeout: 13h } }",
        "queues: { process: { retention: 30s } }",
        "queues: { process: { retention: 15d } }",
        "queues: { process: { retention: 14d } }",
        "queues: { process: { max_receives: 0 } }",
        "renditions: { widths: [480, 480] }",
        "renditions: { widths: [4] }",
        "renditions: { format: jpg }",
        "renditions: { quality: '80' }",
        "tagging: { threshold: 1.1 }",
        "tagging: { model: m.onnx }",
        "worker: { path: w }",
        "balancer: { allow: [10.0.0.1] }",
        "balancer: { allow: [] }",
        "balancer: { max_upload: 2GB }",
        "balancer: { max_upload: 25mb }",
        "balancer: { deregistration_delay: 2h }",
        "balancer: { port: 70000 }",
        "balancer: { certificate: x }",
        "network: { cidr: 10.0.0.0/8 }",
        "network: { cidr: 10.0.0.1/16 }",
        "network: { vpc: x }",
        "network: { vpc: vpc-0123456789abcdef0 }",
        "network: { private_subnets: [subnet-01234567] }",
        "network: { private_subnets: [x] }",
        "network: { vpc: vpc-01234567, public_subnets: [subnet-01234567, subnet-01234567], private_subnets: [subnet-01234567, subnet-12345678] }",
        "bucket: { name: A }",
        "bucket: { name: a..b }",
        "bucket: { name: 10.0.0.1 }",
        "bucket: { name: xn--photos }",
        "bucket: { name: photos-s3alias }",
        "bucket: x",
        "catalog: { url: 'mysql://x' }",
        "catalog: { url: 'postgres://me@host:99999/db' }",
        "catalog: { url: 'postgres://host/?password=x' }",
        "catalog: { instance_class: t3 }",
        "catalog: { storage_gb: 5 }",
        "[1]: x",
        "1e999: x",
        "---\nname: x",
        "name: *x",
        "tags: { <<: 1 }",
    ];
    let table: Vec<String> = cases.into_iter().map(line).collect();
    assert_snapshot!(table.join("\n"));
}

fn line(written: &str) -> String {
    let base = if written.starts_with("stage") { "" } else { "stage: elb-sqs\n" };
    let diagnostics = match check(&format!("{base}{written}\n")) {
        Ok(loaded) => loaded.warnings,
        Err(LoadError::Invalid(diagnostics)) => diagnostics,
        Err(error) => return error.to_string(),
    };
    let mut out: String = written.chars().take(70).collect::<String>().replace('\n', " ");
    for diagnostic in &diagnostics {
        let level = if diagnostic.is_error() { "error" } else { "warning" };
        let place = diagnostic.place.as_ref().map(|place| format!("{}:{}+{} ", place.line, place.column, place.length));
        let _ = write!(out, "\n    {}{level}: {}", place.unwrap_or_default(), diagnostic.message);
        out.extend(diagnostic.help.iter().map(|help| format!(" ({help})")));
    }
    out
}
