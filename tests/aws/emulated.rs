//! A stack's life against the emulator. What that one hides (instances, policies, lifecycles) is asserted on the template.

use serde_json::Value;

use super::emulator::{Account, Emulator};
use crate::support::TestEnv;

const BLUEPRINT: &str = "stage: sns-sqs\ntarget: aws\ngroups:\n  tag:\n    instances: { min: 1, max: 3 }\n";
const UP: &[&str] = &["up", "--bundle", "bundle.tar.gz", "--no-wait"];

fn env() -> TestEnv {
    let env = TestEnv::new();
    env.write("bundle.tar.gz", "a bundle");
    env.write("decouple.yaml", BLUEPRINT);
    env
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[tokio::test]
async fn a_stack_is_made_changed_looked_at_and_deleted() {
    let (env, emulator) = (env(), Emulator::start(None).await);
    let account = Account::new(&env, &emulator.url);

    let up = account.ok(&[UP, &["--output", "json"]].concat()).await;
    let events = lines(&up.stdout);
    let plan = events.iter().find(|event| event["event"] == "plan").expect("a plan");
    assert!(plan["changes"].as_array().expect("changes").iter().all(|change| change["action"] == "create"));
    let done = events.last().expect("a result");
    assert_eq!((done["changed"].as_bool(), done["target"].as_str()), (Some(true), Some("aws")));

    let again = account.ok(&[UP, &["--output", "json"]].concat()).await.json();
    assert_eq!(again["changed"], false);
    assert_eq!(again["outputs"], done["outputs"]);

    env.write("decouple.yaml", &BLUEPRINT.replace("max: 3", "max: 5"));
    let changed = account.ok(UP).await;
    let plan = changed.stderr.split("\n\n").next().unwrap_or_default();
    let is_progress = |line: &&str| line.contains(" s  waiting") || line.contains(" s  done");
    let plan: Vec<&str> = plan.lines().filter(|line| !is_progress(line)).collect();
    let plan = plan.join("\n");
    insta::assert_snapshot!("plan_of_one_field", plan);

    // AWS would refuse it half-way.
    env.write("decouple.yaml", &format!("{BLUEPRINT}network: {{ cidr: 10.9.0.0/16 }}\n"));
    let moved = account.run(&[UP, &["--yes"]].concat()).await;
    assert_eq!(moved.code, 2, "{}", moved.stderr);
    assert!(moved.stderr.contains("the network of an environment cannot be changed"), "{}", moved.stderr);

    let status = account.ok(&["status", "--output", "json"]).await.json();
    let parts: Vec<String> = status["parts"].as_array().expect("parts").iter().map(name).collect();
    let expected = [
        "balancer/web",
        "group/web",
        "group/resize",
        "group/tag",
        "topic/images",
        "queue/resize",
        "queue/tag",
        "bucket/images",
        "catalog/images",
    ];
    assert_eq!(parts, expected);
    let tag = status["parts"].as_array().expect("parts").iter().find(|part| name(part) == "group/tag");
    assert_eq!(tag.expect("a group")["max"], 5);
    assert_eq!(status["health"], "down", "the emulator starts no instances");

    let shell = account.ok(&["outputs", "--output", "env"]).await.stdout;
    assert!(shell.contains("DECOUPLE_QUEUE_URL_TAG=") && !shell.contains("SECRET"), "{shell}");
    let listed = account.ok(&["list", "--output", "json"]).await.json();
    assert_eq!(listed["environments"][0]["env"], "dev");

    let refused = account.run(&["teardown"]).await;
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("--yes") && refused.stderr.contains("USD a month"), "{}", refused.stderr);
    let torn = account.ok(&["teardown", "--yes", "--output", "json"]).await.json();
    assert_eq!(torn["kept"].as_array().map(Vec::len), Some(2), "{torn}");
    // The stack is gone: a second teardown says what is left, and removes it if told.
    let left = account.ok(&["teardown", "--output", "json"]).await.json();
    assert_eq!((left["deleted"].as_bool(), &left["kept"]), (Some(false), &torn["kept"]));
    let removed = account.ok(&["teardown", "--delete-data", "--yes", "--output", "json"]).await.json();
    assert_eq!(removed["removed"].as_array().map(Vec::len), Some(2), "{removed}");
    assert_eq!(account.run(&["teardown", "--yes"]).await.code, 4);
    assert_eq!(account.run(&["status"]).await.code, 4);
}

fn name(part: &Value) -> String {
    format!("{}/{}", part["kind"].as_str().unwrap_or_default(), part["name"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn another_stage_changes_the_stack_in_place_after_a_question() {
    let (env, emulator) = (env(), Emulator::start(None).await);
    env.write("decouple.yaml", "target: aws\nttl: 4h\nstage: elb-sqs\n");
    let account = Account::new(&env, &emulator.url);
    let before = account.ok(&[UP, &["--output", "json"]].concat()).await.json();
    let question = account.run(&[UP, &["--stage", "elb"]].concat()).await;
    assert_eq!(question.code, 2, "{}", question.stderr);
    assert!(question.stderr.contains("to delete") && question.stderr.contains("--yes"), "{}", question.stderr);
    assert!(!question.stderr.contains("DATA IS LOST"), "{}", question.stderr);
    let after = account.ok(&[UP, &["--stage", "elb", "--yes", "--output", "json"]].concat()).await.json();
    assert_eq!((after["stage"].as_str(), &after["outputs"]["url"]), (Some("elb"), &before["outputs"]["url"]));
    assert_eq!(after["outputs"]["bucket"], before["outputs"]["bucket"]);
    // Short-lived: torn down by a pipeline without a question.
    account.ok(&["teardown"]).await;
}

#[tokio::test]
async fn data_is_asked_for_before_it_loses_what_keeps_it() {
    let (env, emulator) = (env(), Emulator::start(None).await);
    let account = Account::new(&env, &emulator.url);
    account.ok(UP).await;
    env.write("decouple.yaml", &format!("{BLUEPRINT}ttl: 4h\n"));
    let question = account.run(UP).await;
    assert_eq!(question.code, 2, "{}", question.stderr);
    assert!(question.stderr.contains("From now on the database goes with the environment"), "{}", question.stderr);
    account.ok(&[UP, &["--yes"]].concat()).await;
    // The tag stays what it is, however the clocks differ.
    assert_eq!(account.ok(&[UP, &["--output", "json"]].concat()).await.json()["changed"], false);
}

#[tokio::test]
async fn a_create_that_fails_names_the_cause_and_its_line_and_can_be_repeated() {
    let (env, emulator) = (env(), Emulator::start(Some("TagGroup")).await);
    let account = Account::new(&env, &emulator.url);
    for _ in 0..2 {
        // The second run finds the shell of the first one's stack, and removes it.
        let failed = account.run(UP).await;
        assert_eq!(failed.code, 1, "{}", failed.stderr);
        let error = failed.stderr.split("error: ").collect::<Vec<_>>()[1..].join("error: ");
        insta::assert_snapshot!("a_create_that_fails", format!("error: {error}"));
    }
    let outputs = account.run(&["outputs"]).await;
    assert_eq!(outputs.code, 1, "{}", outputs.stderr);
    account.ok(&["teardown", "--yes"]).await;
}
