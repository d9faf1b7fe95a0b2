//! A worker: the program itself, with an environment of the test's.

use std::{
    fs::File,
    process::{Child, Command, ExitStatus, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use super::{
    Client, Cloud, Database, Proxy, Queue,
    cloud::{ACCESS_KEY, BUCKET, REGION, SECRET_KEY, VISIBILITY_SECONDS},
    eventually, free_port,
};

/// A running worker; it dies with this value.
pub(crate) struct Worker {
    child: Child,
    url: String,
    logs: TempDir,
}

/// A worker that is about to start.
pub(crate) struct Builder {
    command: Command,
    url: String,
    logs: TempDir,
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_decouple-worker"));
    command.env_clear();
    for name in ["PATH", "HOME", "ORT_DYLIB_PATH"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// Runs the program in an environment that it refuses, and returns all that it says.
pub(crate) fn stopped_by_its_environment(variables: &[(&str, &str)]) -> String {
    let output = program().envs(variables.iter().copied()).output().unwrap();
    assert!(!output.status.success());
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

impl Worker {
    pub(crate) fn of(role: &str, cloud: &Cloud, database: &Database) -> Builder {
        let address = format!("127.0.0.1:{}", free_port());
        let mut command = program();
        command
            .env("DECOUPLE_ROLE", role)
            .env("DECOUPLE_ENV", "test")
            .env("DECOUPLE_INSTANCE", format!("i-{role}"))
            .env("DECOUPLE_BUCKET", BUCKET)
            .env("DECOUPLE_CATALOG_URL", database.url())
            .env("DECOUPLE_LISTEN", &address)
            .env("DECOUPLE_VISIBILITY_SECONDS", VISIBILITY_SECONDS)
            .env("AWS_ENDPOINT_URL", cloud.url())
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            .env("AWS_EC2_METADATA_DISABLED", "true");
        Builder { command, url: format!("http://{address}"), logs: tempfile::tempdir().unwrap() }
    }

    /// Starts the worker that does everything.
    pub(crate) async fn all(cloud: &Cloud, database: &Database) -> Self {
        Self::of("all", cloud, database).start().await
    }

    /// Starts a worker that serves uploads and sends their tasks to a queue.
    pub(crate) async fn web(cloud: &Cloud, database: &Database, queue: &Queue) -> Self {
        Self::of("web", cloud, database).env("DECOUPLE_QUEUE_URL", &queue.url).start().await
    }

    /// Starts a worker that serves uploads, and whose requests to the endpoint a proxy may spoil.
    pub(crate) async fn web_through(proxy: &Proxy, cloud: &Cloud, database: &Database, queue: &Queue) -> Self {
        let web = Self::of("web", cloud, database).env("AWS_ENDPOINT_URL", proxy.url());
        web.env("DECOUPLE_QUEUE_URL", &queue.url).start().await
    }

    /// Starts a worker that receives from a queue.
    pub(crate) async fn consumer(role: &str, cloud: &Cloud, database: &Database, queue: &Queue) -> Self {
        Self::of(role, cloud, database).env("DECOUPLE_QUEUE_URL", &queue.url).start().await
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.url)
    }

    /// Returns everything that the worker has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.logs.path().join("log")).unwrap()
    }

    /// The process's number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tells whether the worker still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Asks the worker to end.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Ends the worker in the middle of whatever it does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until the worker has ended.
    pub(crate) async fn ended(mut self) -> (ExitStatus, String) {
        let status = eventually("the worker ends", async || self.child.try_wait().unwrap()).await;
        (status, self.log())
    }

    /// Asks the worker to end, and waits until it has.
    pub(crate) async fn stop(self) -> (ExitStatus, String) {
        self.terminate();
        self.ended().await
    }
}

impl Drop for Worker {
    #[expect(clippy::print_stderr, reason = "what the worker said is the best hint at why a test failed")]
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.logs.path().join("log")).unwrap_or_default();
            eprintln!("--- the worker at {} logged:\n{log}", self.url);
        }
    }
}

impl Builder {
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts the worker and waits until it is healthy.
    pub(crate) async fn start(mut self) -> Worker {
        let log = File::create(self.logs.path().join("log")).unwrap();
        let child =
            self.command.stdout(Stdio::from(log.try_clone().unwrap())).stderr(Stdio::from(log)).spawn().unwrap();
        let mut worker = Worker { child, url: self.url, logs: self.logs };
        let client = worker.client();
        eventually("the worker is healthy", async || {
            assert!(worker.runs(), "the worker ended: {}", worker.log());
            let answer = client.try_get("/healthz").await?;
            (answer.status() == 200).then_some(())
        })
        .await;
        worker
    }
}

/// Returns the lines of a log as JSON.
pub(crate) fn lines(log: &str) -> Vec<Value> {
    log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}
