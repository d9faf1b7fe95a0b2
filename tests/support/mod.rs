//! What the tests share: an environment of their own, the site's HTTP interface, and waiting for a condition.

use std::{
    fmt::Debug,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use reqwest::{Client, StatusCode};
use serde_json::Value;
use tempfile::TempDir;

/// A condition that does not hold by then will not.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(25);

/// Waits until a condition holds, and returns what it found.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut condition: impl FnMut() -> F) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "waited {} s for {what}", PATIENCE.as_secs());
        tokio::time::sleep(LOOK).await;
    }
}

/// A home for environments that nobody else uses. What still runs in it is torn down at the end, whatever became of the
/// test.
pub(crate) struct TestEnv {
    home: TempDir,
}

/// What a run of the program left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Reads what a program left.
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Returns the program's one JSON document, or the last of its JSON lines.
    pub(crate) fn json(&self) -> Value {
        let last = self.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

impl TestEnv {
    pub(crate) fn new() -> Self {
        Self { home: tempfile::tempdir().expect("a temporary directory can be made") }
    }

    /// Returns the program, ready to run in this home and nowhere else.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_decouple"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("DECOUPLE_") || name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .current_dir(self.home.path())
            .env("DECOUPLE_HOME", self.home.path().join("home"))
            .env("NO_COLOR", "1");
        command
    }

    /// Runs the program to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        let output = tokio::task::spawn_blocking(move || command.output())
            .await
            .expect("running a command does not panic")
            .expect("the program can be started");
        Ran::of(&output)
    }

    /// Runs the program and expects it to succeed.
    pub(crate) async fn ok(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments).await;
        assert_eq!(ran.code, 0, "decouple {} failed: {}\n{}", arguments.join(" "), ran.stdout, ran.stderr);
        ran
    }

    /// Brings a stage up and returns its site.
    pub(crate) async fn up(&self, arguments: &[&str]) -> Site {
        let up = self.ok(&[&["up", "--output", "json"], arguments].concat()).await.json();
        Site::new(up["outputs"]["url"].as_str().expect("up tells the site's URL"))
    }

    /// Writes a file beside which the program runs.
    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::write(&path, content).expect("a file can be written");
        path
    }

    /// Returns the directory of an environment.
    pub(crate) fn place(&self, name: &str) -> PathBuf {
        self.home.path().join("home").join(name)
    }

    /// Returns the report of `status`.
    pub(crate) async fn status(&self) -> Value {
        self.ok(&["status", "--output", "json"]).await.json()
    }
}

impl Drop for TestEnv {
    fn drop(&mut self) {
        let Ok(environments) = std::fs::read_dir(self.home.path().join("home")) else { return };
        for environment in environments.flatten() {
            let name = environment.file_name().to_string_lossy().into_owned();
            if std::thread::panicking() {
                let log = std::fs::read_to_string(environment.path().join("daemon.log")).unwrap_or_default();
                say(&format!("{name}: the end of daemon.log:\n{}", end(&log)));
            }
            let torn = self.command(&["teardown", "--env", &name, "--delete-data", "--yes", "--quiet"]).output();
            drop(torn);
        }
    }
}

/// A failed test's last words.
#[expect(clippy::print_stdout, reason = "the test runner shows what a failed test prints")]
fn say(words: &str) {
    println!("{words}");
}

fn end(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

/// Returns the path of a photo of the repository's.
pub(crate) fn photo(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/photos").join(name)
}

/// The photo site, as the balancer serves it.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) url: String,
    pub(crate) client: Client,
}

impl Site {
    pub(crate) fn new(url: &str) -> Self {
        Self { url: url.to_owned(), client: Client::new() }
    }

    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Uploads a photo.
    pub(crate) async fn upload(&self, name: &str) -> (StatusCode, Value) {
        let bytes = std::fs::read(photo(name)).expect("the photo is there");
        let answer = self.client.post(self.at("/images")).header("x-filename", name).body(bytes).send().await;
        let answer = answer.expect("the site answers");
        let status = answer.status();
        (status, answer.json().await.expect("the answer is JSON"))
    }

    /// Returns a photo's record, or nothing where there is none.
    pub(crate) async fn record(&self, id: &str) -> Option<Value> {
        let answer = self.client.get(self.at(&format!("/images/{id}"))).send().await.ok()?;
        if answer.status() == StatusCode::OK { answer.json().await.ok() } else { None }
    }

    /// Waits until a photo is resized and tagged, and returns its record.
    pub(crate) async fn done(&self, id: &str) -> Value {
        until("renditions and tags", || async {
            let record = self.record(id).await?;
            (record["resize"]["state"] == "done" && record["tag"]["state"] == "done").then_some(record)
        })
        .await
    }

    /// Returns the ids of the photos that match.
    pub(crate) async fn search(&self, query: &str) -> Vec<String> {
        let found: Value = self
            .client
            .get(self.at("/images"))
            .query(&[("q", query)])
            .send()
            .await
            .expect("the site answers")
            .json()
            .await
            .expect("the answer is JSON");
        let images = found["images"].as_array().expect("a list of images");
        images.iter().map(|image| image["id"].as_str().expect("an id").to_owned()).collect()
    }
}
