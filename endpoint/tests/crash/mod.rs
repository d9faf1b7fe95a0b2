//! What was acknowledged is there after the process was killed in the middle of its work, again and again.
//!
//! `ENDPOINT_CRASH_KILLS=3000` kills as often as that, and `ENDPOINT_CRASH_SEED` repeats a run's choice of moments.

mod ledger;
mod load;

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::Duration,
};

use decouple_endpoint::Endpoint;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{
    net::TcpListener,
    task::JoinHandle,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::support::{config, s3_for, sdk_for};
use ledger::Ledger;
use load::Clients;

/// Tells this binary that it is the child, and where to keep its data.
const CHILD_DIRECTORY: &str = "ENDPOINT_CRASH_TEST_DIRECTORY";
const CHILD: &str = "crash::the_child_serves_until_it_is_killed";
const ADDRESS: &str = "listening on ";

const KILLS: &str = "ENDPOINT_CRASH_KILLS";
const SEED: &str = "ENDPOINT_CRASH_SEED";
/// Kills of an ordinary run.
const FEW: u64 = 30;
/// A child lives at most so long.
const LIFE: Duration = Duration::from_millis(400);
/// It is looked at whether everything is there after so many kills.
const KILLS_A_CHECK: u64 = 15;

/// Serves in the child; in an ordinary run there is nothing to serve.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "the parent reads the address there")]
async fn the_child_serves_until_it_is_killed() {
    let Some(directory) = std::env::var_os(CHILD_DIRECTORY).map(PathBuf::from) else { return };
    let endpoint = Endpoint::open(config(&directory)).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("\n{ADDRESS}{}", listener.local_addr().unwrap());
    endpoint.serve(listener, CancellationToken::new()).await.unwrap();
}

/// A child that is killed when it is dropped.
struct Served(Child);

impl Served {
    /// Starts a child, and waits elsewhere for where it serves: nothing where it was killed before it did.
    fn start(directory: &Path) -> (Served, JoinHandle<Option<String>>) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", CHILD, "--nocapture"]).env(CHILD_DIRECTORY, directory).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let url = tokio::task::spawn_blocking(move || {
            lines.find_map(|line| line.strip_prefix(ADDRESS).map(|address| format!("http://{address}")))
        });
        (Served(child), url)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// One run of kills on one directory.
struct Run {
    directory: tempfile::TempDir,
    sdk: aws_config::SdkConfig,
    ledger: Arc<Mutex<Ledger>>,
    next: Arc<AtomicU64>,
    moments: StdRng,
}

impl Run {
    async fn new(seed: u64) -> Run {
        Run {
            directory: tempfile::tempdir().unwrap(),
            sdk: sdk_for("http://127.0.0.1:1").await,
            ledger: Arc::default(),
            next: Arc::default(),
            moments: StdRng::seed_from_u64(seed),
        }
    }

    /// Clients of one child. A request is sent once: what became of it is for the ledger to ask.
    fn clients(&self, url: &str) -> Clients {
        let once = aws_config::retry::RetryConfig::disabled();
        let sdk = self.sdk.to_builder().endpoint_url(url).retry_config(once).build();
        Clients {
            sqs: aws_sdk_sqs::Client::new(&sdk),
            sns: aws_sdk_sns::Client::new(&sdk),
            s3: s3_for(&sdk),
            ledger: Arc::clone(&self.ledger),
            next: Arc::clone(&self.next),
        }
    }

    /// Starts a child, lets everybody at it, and kills it at some moment: while it starts, or while it works.
    async fn kill_once(&mut self) {
        let moment = Instant::now() + self.moments.random_range(Duration::ZERO..LIFE);
        let (served, url) = Served::start(self.directory.path());
        let tasks = match timeout_at(moment, url).await {
            Ok(url) => url.unwrap().map(|url| self.clients(&url).start(&url)),
            Err(_) => None,
        };
        tokio::time::sleep_until(moment).await;
        drop(served);
        if let Some(tasks) = tasks {
            tasks.join_all().await;
        }
        self.ledger.lock().unwrap().killed();
    }

    async fn check(&self) {
        let (served, url) = Served::start(self.directory.path());
        let url = url.await.unwrap().unwrap();
        let clients = self.clients(&url);
        clients.check_objects().await;
        clients.check_messages(&url).await;
        drop(served);
        self.ledger.lock().unwrap().holds();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "a long run says how far it is, and a failed one how to repeat it")]
async fn kills_lose_nothing_that_was_acknowledged() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (kills, seed) = (number(KILLS).unwrap_or(FEW), number(SEED).unwrap_or_else(rand::random));
    println!("{SEED}={seed}");
    let mut run = Run::new(seed).await;
    let (served, url) = Served::start(run.directory.path());
    run.clients(&url.await.unwrap().unwrap()).prepare().await;
    drop(served);
    for kill in 1..=kills {
        run.kill_once().await;
        if kill % KILLS_A_CHECK == 0 || kill == kills {
            run.check().await;
            println!("{kill} kills: {}", run.ledger.lock().unwrap().kept);
        }
    }
    assert!(run.ledger.lock().unwrap().kept.something_of_all());
}
