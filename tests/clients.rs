//! `decouple endpoint` and the clients of its guide: every example of `docs/endpoint.md` that can be, is run as it stands there.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::support::{PATIENCE, Ran, TestEnv};

/// Where cargo and `scripts/setup` put what they make.
fn target() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_decouple")).ancestors().nth(2).expect("a target directory").to_owned()
}

/// Something that `scripts/setup` installs.
fn installed(path: &str, part: &str) -> PathBuf {
    let path = target().join(path);
    assert!(path.exists(), "{} is missing; make it: {part}", path.display());
    path
}

/// The one block of the guide in a language.
fn example(language: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/endpoint.md");
    let guide = fs::read_to_string(path).expect("the guide is there");
    let mut blocks =
        guide.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n'));
    let example = blocks.next().unwrap_or_else(|| panic!("the guide has no example in {language}")).to_owned();
    assert_eq!(blocks.next(), None, "the guide has two examples in {language}");
    example
}

/// Runs a command with an endpoint of its own.
async fn with_endpoint(env: &TestEnv, command: &[&str]) -> Ran {
    env.ok(&[&["endpoint", "--"], command].concat()).await
}

fn path(path: &Path) -> &str {
    path.to_str().expect("paths here are text")
}

#[tokio::test]
async fn the_guides_python_runs() {
    let (env, python) = (TestEnv::new(), installed("venv/bin/python", "scripts/setup python"));
    let script = env.write("example.py", &example("python"));
    let ran = with_endpoint(&env, &[path(&python), path(&script)]).await;
    assert_eq!(ran.stdout, "resize cat.txt\n");
}

#[tokio::test]
async fn the_guides_aws_cli_runs() {
    let (env, cli) = (TestEnv::new(), installed("venv/bin/aws", "scripts/setup python"));
    let directory = cli.parent().expect("a directory");
    let script = env.write("example.sh", &format!("set -eu\nPATH={}:$PATH\n{}", directory.display(), example("bash")));
    let ran = with_endpoint(&env, &["bash", path(&script)]).await;
    assert!(ran.stdout.contains("cat.txt\n") && ran.stdout.ends_with("resize cat.txt\n"), "{ran:?}");
}

#[tokio::test]
async fn the_guides_javascript_runs() {
    let modules = installed("clients/node_modules", "scripts/setup node");
    let env = TestEnv::new();
    let script = env.write("example.mjs", &example("js"));
    std::os::unix::fs::symlink(&modules, script.with_file_name("node_modules")).expect("a link can be made");
    let node = target().join("clients/node");
    let ran = with_endpoint(&env, &[path(&node), path(&script)]).await;
    assert_eq!(ran.stdout, "a cat\nresize cat.txt\n");
}

#[tokio::test]
async fn the_guides_rust_runs() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("endpoint/examples/client.rs");
    assert_eq!(
        example("rust"),
        fs::read_to_string(source).expect("the example is there"),
        "the guide and the example differ"
    );
    let program = installed("debug/examples/client", "cargo build --package decouple-endpoint --example client");
    with_endpoint(&TestEnv::new(), &[path(&program)]).await;
}

#[tokio::test]
async fn a_command_gets_the_variables_and_gives_its_exit_code() {
    let env = TestEnv::new();
    let ran = env.run(&["endpoint", "--region", "eu-central-1", "--", "sh", "-c", "env; exit 7"]).await;
    assert_eq!(ran.code, 7, "{ran:?}");
    for line in ["AWS_ENDPOINT_URL=http://127.0.0.1:", "AWS_REGION=eu-central-1", "AWS_ACCESS_KEY_ID=test"] {
        assert!(ran.stdout.contains(line), "{line} is missing in {}", ran.stdout);
    }
    let none = env.run(&["endpoint", "--", "no-such-command"]).await;
    assert_eq!(none.code, 1);
    assert!(none.stderr.contains("no-such-command"), "{}", none.stderr);
}

#[tokio::test]
async fn an_endpoint_says_where_it_is_and_ends_in_order() {
    let env = TestEnv::new();
    let command = env.command(&["endpoint", "--port", "0", "--data-dir", "aws", "--output", "json"]);
    let mut child =
        tokio::process::Command::from(command).stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let line =
        tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("it answers in time").expect("it is text");
    let started: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
    let url = started["endpoint_url"].as_str().expect("a URL");
    assert_eq!(started["environment"]["AWS_ENDPOINT_URL"], url);
    let health = reqwest::get(format!("{url}/_endpoint/health")).await.expect("it answers");
    assert!(health.status().is_success());

    let port = started["port"].to_string();
    let taken = env.run(&["endpoint", "--port", &port]).await;
    assert_eq!(taken.code, 1);
    assert!(taken.stderr.contains("taken") && taken.stderr.contains("--port 0"), "{}", taken.stderr);
    let locked = env.run(&["endpoint", "--port", "0", "--data-dir", "aws"]).await;
    assert_eq!(locked.code, 6);
    assert!(locked.stderr.contains("in use by another endpoint"), "{}", locked.stderr);

    let pid = child.id().expect("it runs").to_string();
    let told = std::process::Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
    assert!(told.success());
    let ended =
        tokio::time::timeout(PATIENCE, child.wait()).await.expect("it ends in time").expect("it can be waited for");
    assert_eq!(ended.code(), Some(0));
}

#[tokio::test]
async fn what_is_kept_is_there_the_next_time() {
    let env = TestEnv::new();
    let python = installed("venv/bin/python", "scripts/setup python");
    let keep = "import boto3; boto3.client('sqs').create_queue(QueueName='kept')";
    let look = "import boto3; print(boto3.client('sqs').list_queues().get('QueueUrls'))";
    env.ok(&["endpoint", "--data-dir", "aws", "--", path(&python), "-c", keep]).await;
    let again = env.ok(&["endpoint", "--data-dir", "aws", "--", path(&python), "-c", look]).await;
    assert!(again.stdout.contains("/000000000000/kept"), "{again:?}");
    let elsewhere = env.ok(&["endpoint", "--", path(&python), "-c", look]).await;
    assert_eq!(elsewhere.stdout, "None\n");
}
