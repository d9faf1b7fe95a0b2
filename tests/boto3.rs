//! An operator's boto3 against the endpoint of an environment: the script does what an operator would.

use std::{path::PathBuf, process::Command};

use crate::support::TestEnv;

#[tokio::test]
async fn an_operators_script_gets_the_answers_of_aws() {
    let env = TestEnv::new();
    env.up(&["--stage", "sns-sqs"]).await;
    let exports = env.ok(&["outputs", "--output", "env"]).await.stdout;
    let target =
        PathBuf::from(env!("CARGO_BIN_EXE_decouple")).ancestors().nth(2).expect("a target directory").to_owned();
    let python = target.join("venv/bin/python");
    assert!(python.is_file(), "{} is missing; make it: scripts/setup python", python.display());
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/boto3/test_endpoint.py");
    let command = format!("{exports}\nexec '{}' '{}'", python.display(), script.display());
    let run = tokio::task::spawn_blocking(move || Command::new("sh").args(["-c", &command]).output());
    let output = run.await.expect("no panic").expect("a shell runs");
    let (said, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{failed}");
}
