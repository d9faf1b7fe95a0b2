//! The local plan of every stage, whole: what would run, and what each worker would be told.

use std::{collections::BTreeMap, path::Path};

use decouple::{
    blueprint::{Selection, Stage, load, lower},
    local::plan::{self, Addresses, Machine},
    services::Access,
};

fn plan(stage: Stage) -> String {
    let selection = Selection { file: None, stage: Some(stage), target: None };
    let loaded = load(&selection).expect("the built-in blueprint is valid");
    let topology = lower(&loaded.blueprint, "dev");
    let machine = Machine {
        data: Path::new("/state/dev/data"),
        program: Path::new("/bin/decouple-worker"),
        version: "0123",
        region: "us-east-1",
        passed: &BTreeMap::new(),
    };
    let plan = plan::lower(&topology, &machine).expect("every stage has what a plan needs");
    let url = |name: &str| format!("http://127.0.0.1:4566/000000000000/{name}");
    let addresses = Addresses {
        access: Access {
            endpoint_url: "http://127.0.0.1:4566".to_owned(),
            region: "us-east-1".to_owned(),
            access_key_id: "KEY".to_owned(),
            secret_access_key: "SECRET".to_owned(),
        },
        queue_urls: plan.queues.iter().map(|queue| (queue.name.clone(), url(&queue.queue))).collect(),
        topic_arn: plan.topic.as_ref().map(|topic| format!("arn:aws:sns:us-east-1:000000000000:{}", topic.topic)),
    };
    let told: BTreeMap<&str, BTreeMap<String, String>> =
        plan.groups.iter().map(|group| (group.name.as_str(), plan.worker_environment(group, &addresses))).collect();
    let mut value = serde_json::to_value(&plan).expect("a plan is JSON");
    value["version"] = "VERSION".into();
    format!("{:#}\n{:#}", value, serde_json::to_value(told).expect("an environment is JSON"))
}

#[test]
fn elb() {
    insta::assert_snapshot!(plan(Stage::Elb));
}

#[test]
fn elb_sqs() {
    insta::assert_snapshot!(plan(Stage::ElbSqs));
}

#[test]
fn sns_sqs() {
    insta::assert_snapshot!(plan(Stage::SnsSqs));
}
