//! What dies is replaced, and what was accepted is done, once.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

use crate::support::{Site, TestEnv, photo, until};

const IMPATIENT: &str = "\
stage: sns-sqs
groups:
  resize: { job_timeout: 4s }
  tag: { job_timeout: 4s }
queues:
  resize: { visibility_timeout: 5s, max_receives: 50 }
  tag: { visibility_timeout: 5s, max_receives: 50 }
";

fn kill(pid: u64) {
    // One that is gone already is as dead as it should be.
    drop(Command::new("kill").args(["-9", &pid.to_string()]).status());
}

fn pids(status: &Value) -> BTreeSet<u64> {
    let parts = status["parts"].as_array().cloned().unwrap_or_default();
    let instances = parts.iter().flat_map(|part| part["instances"].as_array().cloned().unwrap_or_default());
    instances.filter_map(|instance| instance["pid"].as_u64()).collect()
}

async fn upload(site: &Site, name: &str, key: &str) -> Option<String> {
    let bytes = std::fs::read(photo(name)).expect("the photo is there");
    let answer = site.client.post(site.at("/images")).header("idempotency-key", key).body(bytes).send().await.ok()?;
    if answer.status().as_u16() != 202 {
        return None;
    }
    let record: Value = answer.json().await.ok()?;
    record["id"].as_str().map(str::to_owned)
}

/// Sends a photo until it is accepted.
async fn accepted(site: &Site, name: &str, key: &str) -> String {
    until("an accepted photo", || upload(site, name, key)).await
}

#[tokio::test]
async fn killed_workers_are_replaced_and_lose_nothing() {
    let env = TestEnv::new();
    // What a killed worker held comes back when it is visible again: soon, here.
    env.write("decouple.yaml", IMPATIENT);
    let site = env.up(&[]).await;
    let mut ids = Vec::new();
    for round in 0..10 {
        for photo in 0..3 {
            ids.push(accepted(&site, "rocket.jpg", &format!("{round}/{photo}")).await);
        }
        let victims = pids(&env.status().await);
        let victim = victims.iter().nth(round % victims.len().max(1));
        victim.copied().into_iter().for_each(kill);
    }
    for id in &ids {
        site.done(id).await;
    }
    let listed = everything(&site).await;
    let shown: BTreeSet<&String> = listed.iter().collect();
    assert_eq!(listed.len(), ids.len(), "each photo is shown once, however often it was sent");
    assert_eq!(shown, ids.iter().collect());
    until("every instance to be replaced", || async { (env.status().await["health"] == "ok").then_some(()) }).await;
}

/// Lists every photo, page by page.
async fn everything(site: &Site) -> Vec<String> {
    let mut ids = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut query = vec![("limit", "7".to_owned())];
        query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
        let answer = site.client.get(site.at("/images")).query(&query).send().await.expect("the site answers");
        let page: Value = answer.json().await.expect("the answer is JSON");
        let images = page["images"].as_array().expect("a list of images");
        ids.extend(images.iter().map(|image| image["id"].as_str().expect("an id").to_owned()));
        match page["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return ids,
        }
    }
}

#[tokio::test]
async fn a_killed_background_process_is_followed_by_another() {
    let env = TestEnv::new();
    let site = env.up(&["--stage", "sns-sqs"]).await;
    let id = accepted(&site, "cat.png", "cat").await;
    let before = pids(&env.status().await);
    let daemon =
        Command::new("pgrep").args(["-f", &format!("decouple daemon {}", env.place("dev").display())]).output();
    let daemon = String::from_utf8(daemon.expect("pgrep runs").stdout).expect("a number");
    kill(daemon.trim().parse().expect("one background process"));

    until("a status of what is down", || async { (env.status().await["health"] == "down").then_some(()) }).await;
    let site = env.up(&["--stage", "sns-sqs"]).await;
    site.done(&id).await;
    let after = pids(&env.status().await);
    assert!(before.is_disjoint(&after), "workers that were left behind are replaced");
    for pid in before {
        // One that has ended but that nobody has waited for yet has no command line any more.
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        assert!(command.is_empty(), "worker {pid} was left behind and still runs");
    }
}

#[tokio::test]
async fn no_request_is_dropped_while_instances_come_and_go() {
    let env = TestEnv::new();
    let site = env.up(&["--stage", "sns-sqs"]).await;
    let stop = tokio_util::sync::CancellationToken::new();
    let requests = tokio::spawn({
        let (site, stop) = (site.clone(), stop.clone());
        async move {
            let mut answered = 0_u32;
            while !stop.is_cancelled() {
                let answer = site.client.get(site.at("/images")).send().await.expect("an answer");
                assert_eq!(answer.status().as_u16(), 200);
                answered += 1;
            }
            answered
        }
    });
    // Another environment variable, so every worker of every group is replaced.
    env.write("decouple.yaml", "stage: sns-sqs\nenvironment: { PHASE: two }\n");
    env.up(&[]).await;
    env.write("decouple.yaml", "stage: sns-sqs\nenvironment: { PHASE: three }\n");
    env.up(&[]).await;
    stop.cancel();
    assert!(requests.await.expect("no request failed") > 0);
}

#[tokio::test]
async fn a_worker_that_does_not_start_is_told_of_and_what_ran_before_goes_on() {
    let env = TestEnv::new();
    let site = env.up(&["--stage", "elb"]).await;
    let own = env.write("worker.sh", "#!/bin/sh\necho 'no such database: photos' >&2\nexit 3\n");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&own, executable).expect("a file can be made executable");
    env.write(
        "decouple.yaml",
        "stage: elb\nworker: { path: ./worker.sh }\ngroups: { all: { instances: { min: 1 } } }\n",
    );

    let failed = env.run(&["up", "--output", "json"]).await;
    assert_eq!(failed.code, 1, "{failed:?}");
    let message = failed.json()["message"].as_str().expect("a message").to_owned();
    assert!(message.contains("group/all") && message.contains("no such database: photos"), "{message}");
    assert_eq!(site.client.get(site.at("/images")).send().await.expect("the site answers").status().as_u16(), 200);
}
