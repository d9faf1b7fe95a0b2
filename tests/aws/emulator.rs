//! An emulator of AWS for the tests of the target `aws`: CloudFormation and what its stacks hold. It starts no instances.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::support::{Ran, TestEnv, until};

/// The emulator, which ends with the test.
pub(crate) struct Emulator {
    process: Child,
    pub(crate) url: String,
}

impl Emulator {
    /// Starts one. `fails` is the logical id of a resource that cannot be made.
    pub(crate) async fn start(fails: Option<&str>) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let mut command = Command::new(python());
        command
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulator/start.py"))
            .env("GATEWAY_PORT", port.to_string())
            .env("BIND_HOST", "127.0.0.1")
            .env("MINISTACK_HOST", "127.0.0.1")
            .env("IOT_MTLS_ENABLED", "0")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(resource) = fails {
            command.env("EMULATOR_FAILS", resource);
        }
        let process = command.spawn().expect("the emulator can be started");
        let emulator = Self { process, url: format!("http://127.0.0.1:{port}") };
        until("the emulator to answer", || async {
            let health = format!("{}/_ministack/health", emulator.url);
            reqwest::get(health).await.is_ok_and(|answer| answer.status().is_success()).then_some(())
        })
        .await;
        emulator
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// The Python environment that `scripts/setup python` makes beside what Cargo builds.
fn python() -> PathBuf {
    let test = std::env::current_exe().expect("a path of this test");
    let python = test.ancestors().nth(3).expect("a target directory").join("venv/bin/python");
    assert!(python.is_file(), "{} is missing; make it: scripts/setup python", python.display());
    python
}

/// Runs `decouple` against another AWS than AWS's own.
pub(crate) struct Account<'a> {
    env: &'a TestEnv,
    url: String,
}

impl<'a> Account<'a> {
    pub(crate) fn new(env: &'a TestEnv, url: &str) -> Self {
        Self { env, url: url.to_owned() }
    }

    /// Returns the program, logged in.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.env.command(arguments);
        command
            .env("AWS_ENDPOINT_URL", &self.url)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("DECOUPLE_TARGET", "aws");
        command
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        let output = tokio::task::spawn_blocking(move || command.output());
        Ran::of(&output.await.expect("running a command does not panic").expect("the program can be started"))
    }

    pub(crate) async fn ok(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments).await;
        assert_eq!(ran.code, 0, "decouple {} failed: {}\n{}", arguments.join(" "), ran.stdout, ran.stderr);
        ran
    }
}
