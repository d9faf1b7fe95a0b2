//! Every variant that a blueprint may ask for, under cfn-lint: no error and no warning.
//!
//! What decides which resources there are is combined in full; what only decides values is combined in pairs, so that any
//! two settings meet in some template. The variants go through the blueprint's own checks, as a person's would.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use serde_json::{Value, json};

use super::invariants::every_variant;
use crate::{
    blueprint::{Selection, Stage, load, lower},
    cloudformation::{Options, SIZE_LIMIT, Template, synthesize},
};

/// One setting: a key of the blueprint as a JSON pointer (none for what is no key), and the values that it takes in turn.
struct Dimension {
    key: &'static str,
    values: Vec<Value>,
}

const CERTIFICATE: &str = "arn:aws:acm:us-east-1:123456789012:certificate/0f0e0d0c-0b0a-0908-0706-050403020100";
const BOUNDARY: &str = "arn:aws:iam::123456789012:policy/boundary";

/// What decides which resources there are. Null leaves a key out.
fn structure() -> Vec<Dimension> {
    let own = json!({
        "vpc": "vpc-0123456789abcdef0",
        "public_subnets": ["subnet-00000000000000001", "subnet-00000000000000002"],
        "private_subnets": ["subnet-00000000000000003", "subnet-00000000000000004", "subnet-00000000000000005"],
    });
    vec![
        Dimension { key: "/stage", values: Stage::ALL.map(|stage| json!(stage.name())).to_vec() },
        Dimension { key: "/balancer/type", values: vec![json!("application"), json!("network")] },
        Dimension { key: "/network", values: vec![json!({}), own] },
        Dimension { key: "/network/egress", values: vec![json!("public"), json!("nat"), json!("endpoints")] },
    ]
}

/// What decides values.
fn values() -> Vec<Dimension> {
    vec![
        Dimension { key: "/balancer/certificate", values: vec![Value::Null, json!(CERTIFICATE)] },
        Dimension { key: "/balancer/port", values: vec![Value::Null, json!(80), json!(8443)] },
        Dimension {
            key: "/balancer/allow",
            values: vec![json!(["0.0.0.0/0"]), json!(["203.0.113.0/24", "2001:db8::/32"])],
        },
        Dimension { key: "/balancer/deregistration_delay", values: vec![json!("30s"), json!("0s"), json!("1h")] },
        Dimension { key: "/network/cidr", values: vec![json!("10.0.0.0/16"), json!("192.168.7.0/24")] },
        Dimension {
            key: "groups/market",
            values: vec![json!({ "type": "spot", "on_demand_base": 1 }), json!({ "type": "on-demand" })],
        },
        Dimension { key: "groups/architecture", values: vec![json!("arm64"), json!("x86_64")] },
        Dimension { key: "groups/min", values: vec![json!(1), json!(0), json!(4)] },
        Dimension { key: "groups/scale_in_after", values: vec![json!("2m"), json!("1s"), json!("7d")] },
        Dimension { key: "groups/job_timeout", values: vec![json!("60s"), json!("6h")] },
        Dimension {
            key: "/catalog/instance_class",
            values: vec![json!("db.t4g.micro"), json!("db.r6g.large"), json!("db.m7g.xlarge")],
        },
        Dimension { key: "/catalog/storage_gb", values: vec![json!(20), json!(65_536)] },
        Dimension { key: "/bucket/name", values: vec![Value::Null, json!("our-own.bucket")] },
        Dimension { key: "/iam/permissions_boundary", values: vec![Value::Null, json!(BOUNDARY)] },
        Dimension { key: "/tags", values: vec![json!({}), json!({ "Name": "theirs", "team:key": "of / = + - @" })] },
        Dimension {
            key: "/environment",
            values: vec![json!({}), json!({ "GREETING": "a \"quoted\" ${Word} $HOME \\ `x`" })],
        },
        Dimension { key: "/ttl", values: vec![Value::Null, json!("4h")] },
        Dimension { key: "/name", values: vec![json!("photos"), json!("a-site-whose-name-is-long-enough")] },
        Dimension {
            key: "environment",
            values: vec![json!("dev"), json!("an-environment-whose-name-is-as-long-as-names-may-be-x-x-x-x-x")],
        },
        Dimension { key: "delete data", values: vec![json!(false), json!(true)] },
    ]
}

/// What makes a template large: each of many resources with as many tags as a blueprint may have, the built-in one among them.
fn largest() -> Vec<(&'static str, Value)> {
    let tags: serde_json::Map<String, Value> =
        (0..43).map(|number| (format!("team:key-{number}"), json!("v".repeat(64)))).collect();
    vec![
        ("/stage", json!("sns-sqs")),
        ("/network/egress", json!("endpoints")),
        ("/balancer/certificate", json!(CERTIFICATE)),
        ("groups/min", json!(0)),
        ("/name", json!("a-site-whose-name-is-long-enough")),
        ("/tags", Value::Object(tags)),
    ]
}

/// Returns every combination.
fn all(dimensions: &[Dimension]) -> Vec<Vec<usize>> {
    dimensions.iter().fold(vec![Vec::new()], |rows, dimension| {
        let longer = |row: &Vec<usize>| {
            (0..dimension.values.len()).map(|value| [row.as_slice(), &[value]].concat()).collect::<Vec<_>>()
        };
        rows.iter().flat_map(longer).collect()
    })
}

/// Returns combinations in which every two values of two dimensions meet: greedily, the row that adds most comes next.
fn pairs(dimensions: &[Dimension]) -> Vec<Vec<usize>> {
    let mut missing = std::collections::BTreeSet::new();
    for (one, first) in dimensions.iter().enumerate() {
        for (two, second) in dimensions.iter().enumerate().skip(one + 1) {
            for a in 0..first.values.len() {
                missing.extend((0..second.values.len()).map(|b| ((one, a), (two, b))));
            }
        }
    }
    let mut rows = Vec::new();
    while let Some(((one, a), (two, b))) = missing.first().copied() {
        let mut row: Vec<Option<usize>> = vec![None; dimensions.len()];
        (row[one], row[two]) = (Some(a), Some(b));
        for (dimension, choices) in dimensions.iter().enumerate() {
            if row[dimension].is_some() {
                continue;
            }
            let gain = |value: usize| {
                let set = row.iter().enumerate().filter_map(|(other, chosen)| Some((other, (*chosen)?)));
                set.filter(|other| missing.contains(&ordered((dimension, value), *other))).count()
            };
            // The first of the best, for the same rows every time.
            let best = (0..choices.values.len()).rev().max_by_key(|value| gain(*value));
            row[dimension] = best;
        }
        let row: Vec<usize> = row.into_iter().map(Option::unwrap_or_default).collect();
        let set: Vec<(usize, usize)> = row.iter().copied().enumerate().collect();
        missing.retain(|(first, second)| !(set.contains(first) && set.contains(second)));
        rows.push(row);
    }
    rows
}

fn ordered(one: (usize, usize), two: (usize, usize)) -> ((usize, usize), (usize, usize)) {
    if one < two { (one, two) } else { (two, one) }
}

/// Writes the blueprint of a combination, and returns its template.
fn variant(settings: &[(&str, &Value)], directory: &Path) -> Template {
    let mut blueprint = json!({});
    let mut environment = "dev";
    let mut options = Options::default();
    let stage =
        settings.iter().find(|(key, _)| *key == "/stage").and_then(|(_, stage)| stage.as_str()).unwrap_or("sns-sqs");
    set(&mut blueprint, "/stage", json!(stage));
    for (key, value) in settings {
        match *key {
            "environment" => environment = value.as_str().expect("a name"),
            "delete data" => options.delete_data = **value == json!(true),
            _ if value.is_null() => {}
            "/network" => merge(&mut blueprint, "/network", value),
            key if key.starts_with('/') => set(&mut blueprint, key, (*value).clone()),
            key => of_groups(&mut blueprint, stage, key, value),
        }
    }
    let file = directory.join("blueprint.yaml");
    fs::write(&file, blueprint.to_string()).expect("a blueprint is written");
    let loaded = load(&Selection { file: Some(&file), ..Selection::default() });
    let loaded = loaded.unwrap_or_else(|error| panic!("{error:?}\n{blueprint}"));
    synthesize(&lower(&loaded.blueprint, environment), &options).unwrap_or_else(|error| panic!("{error}\n{blueprint}"))
}

/// Sets what every group has, within what its role allows.
fn of_groups(blueprint: &mut Value, stage: &str, key: &str, value: &Value) {
    let stage = Stage::ALL.into_iter().find(|known| known.name() == stage).expect("a stage");
    for role in stage.roles() {
        let group = format!("/groups/{}", role.name());
        match key {
            "groups/market" => set(blueprint, &format!("{group}/market"), value.clone()),
            "groups/architecture" => {
                let family = if value == "arm64" { ["c7g.large", "c6g.large"] } else { ["c7i.large", "c6a.large"] };
                set(blueprint, &format!("{group}/architecture"), value.clone());
                set(blueprint, &format!("{group}/instance_types"), json!(family));
            }
            "groups/min" if role.consumes() || value != 0 => {
                set(blueprint, &format!("{group}/instances"), json!({ "min": value, "max": 4 }));
            }
            "groups/min" => {}
            "groups/scale_in_after" => set(blueprint, &format!("{group}/scaling/scale_in_after"), value.clone()),
            "groups/job_timeout" => {
                set(blueprint, &format!("{group}/job_timeout"), value.clone());
                if role.consumes() {
                    let visibility = if value == "6h" { "7h" } else { "2m" };
                    set(blueprint, &format!("/queues/{}/visibility_timeout", role.name()), json!(visibility));
                }
            }
            key => panic!("{key} is no setting of groups"),
        }
    }
}

fn merge(blueprint: &mut Value, pointer: &str, values: &Value) {
    for (key, value) in values.as_object().expect("a map") {
        set(blueprint, &format!("{pointer}/{key}"), value.clone());
    }
}

fn set(blueprint: &mut Value, pointer: &str, value: Value) {
    let mut at = blueprint;
    for key in pointer.split('/').skip(1) {
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[key];
    }
    *at = value;
}

/// Returns every variant's template, with a name that says what it has.
pub(super) fn variants(directory: &Path) -> Vec<(String, Template)> {
    let mut made: Vec<(String, Template)> = Vec::new();
    let everything: Vec<Dimension> = structure().into_iter().chain(values()).collect();
    let sets = [("structure", structure(), all(&structure())), ("pairs", everything, Vec::new())];
    for (name, dimensions, rows) in sets {
        let rows = if rows.is_empty() { pairs(&dimensions) } else { rows };
        for (number, row) in rows.iter().enumerate() {
            let settings: Vec<(&str, &Value)> = dimensions
                .iter()
                .zip(row)
                .map(|(dimension, value)| (dimension.key, &dimension.values[*value]))
                .collect();
            made.push((format!("{name}-{number:03}"), variant(&settings, directory)));
        }
    }
    let largest = largest();
    let settings: Vec<(&str, &Value)> = largest.iter().map(|(key, value)| (*key, value)).collect();
    made.push(("largest".to_owned(), variant(&settings, directory)));
    made
}

#[test]
#[expect(clippy::print_stdout, reason = "how many variants there are is of interest, with --nocapture")]
fn every_variant_passes_cfn_lint() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut largest = (0, 0);
    let mut files = Vec::new();
    for (name, template) in every_variant() {
        let text = template.to_json();
        largest = (largest.0.max(text.len()), largest.1.max(template.resources().len()));
        let file = directory.path().join(format!("{name}.json"));
        fs::write(&file, template.to_pretty_json()).expect("a template is written");
        files.push(file);
    }
    let (bytes, resources) = largest;
    println!("{} variants; the largest has {bytes} bytes and {resources} resources", files.len());
    assert!(bytes < SIZE_LIMIT && resources < super::super::RESOURCE_LIMIT, "{bytes} bytes, {resources} resources");
    let program = python_program("cfn-lint");
    // One process for many templates, since it takes seconds to start; and one a processor, since each is busy with one.
    let processes = thread::available_parallelism().map_or(1, usize::from).min(files.len());
    let running: Vec<Child> = (0..processes)
        .map(|first| {
            Command::new(&program)
                .args(["--regions", "us-east-1", "--format", "parseable", "--"])
                .args(files.iter().skip(first).step_by(processes))
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("cfn-lint starts")
        })
        .collect();
    for process in running {
        let output = process.wait_with_output().expect("cfn-lint ends");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && said.trim().is_empty(), "{said}");
    }
}

/// Every variant is made and deleted, and one stack grows from stage to stage without losing what must stay.
#[test]
fn every_variant_is_accepted_by_an_emulator() {
    let directory = tempfile::tempdir().expect("a directory");
    let write = |group: &str, name: &str, template: &Template| {
        let group = directory.path().join(group);
        fs::create_dir_all(&group).expect("a directory is made");
        fs::write(group.join(format!("{name}.json")), template.to_json()).expect("a template is written");
    };
    for (name, template) in every_variant() {
        write("variants", name, template);
    }
    for (number, stage) in Stage::ALL.into_iter().enumerate() {
        write("stages", &format!("{number}-{}", stage.name()), &super::template(&super::topology(stage)));
    }
    let output = Command::new(python_program("python"))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulator/accept.py"))
        .arg(directory.path())
        .output()
        .expect("the script runs");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

/// A program of the Python environment beside what Cargo builds.
fn python_program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a path of this test");
    let program = test.ancestors().nth(3).expect("a target directory").join("venv/bin").join(name);
    assert!(program.is_file(), "{} is missing; make it: scripts/setup python", program.display());
    program
}

#[test]
fn pairs_meet_and_are_few() {
    let dimensions: Vec<Dimension> = structure().into_iter().chain(values()).collect();
    let rows = pairs(&dimensions);
    for (one, first) in dimensions.iter().enumerate() {
        for (two, second) in dimensions.iter().enumerate().skip(one + 1) {
            for (a, b) in (0..first.values.len()).flat_map(|a| (0..second.values.len()).map(move |b| (a, b))) {
                assert!(rows.iter().any(|row| row[one] == a && row[two] == b), "{} {a}, {} {b}", first.key, second.key);
            }
        }
    }
    assert!(rows.len() < 40, "{} rows", rows.len());
}
