//! The command line's contract: exit codes, streams, JSON, and words.

use std::process::Command;

use serde_json::Value;

use crate::support::{TestEnv, until};

const FIVE_MISTAKES: &str = "\
name: My Photos
stage: sns-sqs
groups:
  web:
    instances: { mni: 1, max: 4 }
  resize:
    instances: { min: 5, max: 2 }
queues:
  tag:
    visibility_timeout: 30s
renditions:
  quality: high
";

#[tokio::test]
async fn five_mistakes_are_told_at_once_with_their_lines() {
    let env = TestEnv::new();
    env.write("decouple.yaml", FIVE_MISTAKES);
    let ran = env.run(&["validate"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    insta::assert_snapshot!("five_mistakes", ran.stderr);

    let json = env.run(&["validate", "--output", "json"]).await;
    let error = json.json();
    assert_eq!((json.code, error["kind"].as_str()), (2, Some("blueprint")));
    let lines: Vec<u64> = error["diagnostics"]
        .as_array()
        .expect("diagnostics")
        .iter()
        .filter_map(|one| one["place"]["line"].as_u64())
        .collect();
    assert_eq!(lines, [1, 5, 7, 10, 12]);
}

#[tokio::test]
async fn what_is_not_there_is_said_with_a_command_to_run() {
    let env = TestEnv::new();
    for verb in [&["status"][..], &["outputs"], &["logs"], &["teardown"]] {
        let ran = env.run(verb).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{ran:?}");
        assert!(ran.stderr.contains("decouple up --env dev"), "{}", ran.stderr);
    }
    let listed = env.ok(&["list", "--output", "json"]).await.json();
    assert_eq!(listed["environments"], Value::Array(Vec::new()));
}

#[tokio::test]
async fn usage_errors_name_what_would_be_right() {
    let env = TestEnv::new();
    for (arguments, said) in [
        (&["up"][..], "--stage elb"),
        (&["up", "--stage", "elb", "--express"], "--target aws"),
        (&["up", "--stage", "elb", "--target", "aws", "--foreground"], "decouple logs --follow"),
        (&["status", "--output", "env"], "`decouple outputs`"),
        (&["up", "--stage", "three"], "possible values: elb, elb-sqs, sns-sqs"),
        (&["status", "--env", "../x"], "lower-case letters"),
        (&["up", "--blueprint", "none.yaml"], "none.yaml"),
        (&["frobnicate"], "unrecognized subcommand"),
    ] {
        let ran = env.run(arguments).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?} {ran:?}");
        assert!(ran.stderr.contains(said), "{arguments:?}: {}", ran.stderr);
    }
}

#[tokio::test]
async fn outputs_fit_a_shell_and_a_pipeline() {
    let env = TestEnv::new();
    env.up(&["--stage", "elb-sqs"]).await;
    let shell = env.ok(&["outputs", "--output", "env"]).await.stdout;
    let script = format!("{shell}\nprintf '%s %s' \"$AWS_ENDPOINT_URL\" \"$DECOUPLE_QUEUE_URL_PROCESS\"");
    let evaluated = Command::new("sh").args(["-c", &script]).output().expect("a shell runs");
    let text = String::from_utf8(evaluated.stdout).expect("text");
    let (endpoint, queue) = text.split_once(' ').expect("two values");
    assert!(endpoint.starts_with("http://127.0.0.1:") && queue.starts_with(endpoint), "{text}");

    let github = env.ok(&["outputs", "--output", "github"]).await.stdout;
    assert!(github.lines().all(|line| line.contains('=')) && !github.contains("SECRET"), "{github}");
    let json = env.ok(&["outputs", "--output", "json"]).await.json();
    assert_eq!(json["queue_urls"]["process"], queue);
}

#[tokio::test]
async fn json_lines_end_with_the_result_and_stdout_holds_nothing_else() {
    let env = TestEnv::new();
    let up = env.ok(&["up", "--stage", "elb", "--output", "json"]).await;
    let lines: Vec<Value> = up.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON a line")).collect();
    let (result, events) = lines.split_last().expect("a result");
    assert_eq!(result["result"], "up");
    assert!(!events.is_empty() && events.iter().all(|event| event["event"].is_string()), "{events:?}");
    assert_eq!(up.stderr, "");
    let quiet = env.ok(&["up", "--stage", "elb", "--quiet"]).await;
    assert_eq!(quiet.stderr, "");
    assert!(quiet.stdout.contains("unchanged"));
}

#[tokio::test]
async fn deleting_data_needs_a_yes() {
    let env = TestEnv::new();
    env.up(&["--stage", "elb"]).await;
    let refused = env.run(&["teardown", "--delete-data"]).await;
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("--yes"), "{}", refused.stderr);
    assert_eq!(env.status().await["health"], "ok");
}

#[tokio::test]
async fn two_runs_at_once_do_not_meet() {
    let env = TestEnv::new();
    env.up(&["--stage", "elb"]).await;
    let lock = std::fs::OpenOptions::new().write(true).open(env.place("dev").join("lock")).expect("the lock is there");
    lock.lock().expect("the lock is free");
    let locked = env.run(&["up", "--stage", "elb", "--output", "json"]).await;
    assert_eq!((locked.code, locked.json()["kind"].clone()), (6, "locked".into()));
}

#[tokio::test]
async fn an_interrupted_first_up_leaves_nothing_running() {
    let env = TestEnv::new();
    // A worker that never becomes healthy, so that there is something to interrupt.
    let own = env.write("worker.sh", "#!/bin/sh\nexec sleep 600\n");
    std::fs::set_permissions(&own, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("it can be made executable");
    env.write("decouple.yaml", "stage: elb\nworker: { path: ./worker.sh }\ngroups: { all: { job_timeout: 1s } }\n");
    let mut up =
        env.command(&["up", "--output", "json"]).stdout(std::process::Stdio::null()).spawn().expect("it starts");
    until("a worker to be started", || async {
        let started = std::fs::read_dir(env.place("dev").join("instances")).map_or(0, Iterator::count);
        (started > 0).then_some(())
    })
    .await;
    let told = Command::new("kill").args(["-TERM", &up.id().to_string()]).status().expect("kill runs");
    assert!(told.success());
    let code = tokio::task::spawn_blocking(move || up.wait()).await.expect("no panic").expect("it ends").code();
    assert_eq!(code, Some(8));
    assert_eq!(std::fs::read_dir(env.place("dev").join("instances")).expect("the directory").count(), 0);
    assert_eq!(env.run(&["status"]).await.code, 4);
}

#[tokio::test]
async fn logs_tell_who_wrote_what() {
    let env = TestEnv::new();
    env.up(&["--stage", "elb-sqs"]).await;
    let logs = env.ok(&["logs", "process", "--since", "10m"]).await.stdout;
    assert!(logs.lines().count() > 0 && logs.lines().all(|line| line.starts_with("process/i-")), "{logs}");
    let unknown = env.run(&["logs", "tag"]).await;
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("process, web"), "{}", unknown.stderr);
}
