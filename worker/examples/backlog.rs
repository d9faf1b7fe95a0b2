//! `bench/backlog`: how fast a backlog is worked off in the stage `sns-sqs`, beside what the bare CPU time of its jobs allows.
//!
//! `backlog WORKER PHOTOS COUNT`: in a directory of its own, an endpoint (in this process), a `web` worker that takes COUNT
//! photos from the directory PHOTOS in turns, and then one worker for resizing and one for tagging. The time counts from
//! the start of those two to the last photo's last result; where the CPU time went is told by process.

use std::{
    collections::BTreeMap,
    error::Error,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::config::{Credentials as Keys, SharedCredentialsProvider};
use aws_sdk_sqs::types::QueueAttributeName;
use decouple_endpoint::{Config, Credentials, Endpoint};
use decouple_worker::{
    model::Tagger,
    photo::{Wanted, make},
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const KEY: &str = "backlog";
const REGION: &str = "us-east-1";
const BUCKET: &str = "backlog";
/// Uploads under way at once.
const UPLOADS: usize = 8;
/// Each photo's bare jobs are timed so often.
const ROUNDS: u32 = 5;
const LOOK: Duration = Duration::from_millis(200);

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = || arguments.next().ok_or("usage: backlog WORKER PHOTOS COUNT");
    let (worker, photos, count) = (PathBuf::from(argument()?), PathBuf::from(argument()?), argument()?.parse()?);
    let photos = read(&photos)?;
    let bare = bare(&photos)?;
    let mut site = Site::start(&worker).await?;
    let took = site.work_off(&photos, count).await?;
    report(count, took, bare, &site);
    Ok(())
}

fn read(directory: &Path) -> Result<Vec<Vec<u8>>> {
    let mut paths: Vec<_> =
        std::fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    paths.sort();
    let photos = paths.iter().map(std::fs::read).collect::<std::io::Result<Vec<_>>>()?;
    if photos.is_empty() { Err("there are no photos")? } else { Ok(photos) }
}

/// Returns the CPU time of resizing and of tagging one photo, and nothing else: medians, and their mean over all photos.
fn bare(photos: &[Vec<u8>]) -> Result<[Duration; 2]> {
    let settings = decouple_contract::Renditions::default();
    let tagger = Tagger::load(&decouple_contract::Tagging::default())?;
    let mut sums = [Duration::ZERO; 2];
    for photo in photos {
        let resize = median(|| {
            make(photo, Wanted { renditions: Some(&settings), look: false })?;
            Ok(())
        })?;
        let tag = median(|| {
            let look = make(photo, Wanted { renditions: None, look: true })?.look.ok_or("no look")?;
            tagger.tag(&look)?;
            Ok(())
        })?;
        sums = [sums[0] + resize, sums[1] + tag];
    }
    let count = u32::try_from(photos.len())?;
    Ok(sums.map(|sum| sum / count))
}

fn median(mut work: impl FnMut() -> Result<()>) -> Result<Duration> {
    work()?;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let begun = own_cpu();
        work()?;
        times.push(own_cpu().saturating_sub(begun));
    }
    times.sort();
    Ok(times[times.len() / 2])
}

fn own_cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The stage, without its balancer.
struct Site {
    _directory: tempfile::TempDir,
    processes: BTreeMap<&'static str, Process>,
    starting: Vec<(&'static str, Command)>,
    url: String,
}

impl Site {
    /// Starts the endpoint and `web`; the two others wait.
    async fn start(worker: &Path) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let endpoint = endpoint(directory.path()).await?;
        let (topic, queues) = parts(&endpoint).await?;
        let url = format!("http://{}", free_address()?);
        let command = |role: &str, listen: &str| {
            let mut command = Command::new(worker);
            let catalog = directory.path().join("catalog.db");
            command.envs([
                ("DECOUPLE_ROLE", role),
                ("DECOUPLE_BUCKET", BUCKET),
                ("DECOUPLE_LISTEN", listen),
                ("DECOUPLE_CATALOG_URL", &format!("sqlite:{}?mode=rwc", catalog.display())),
                ("DECOUPLE_LOG", "warn"),
                ("AWS_ENDPOINT_URL", &endpoint),
                ("AWS_REGION", REGION),
                ("AWS_ACCESS_KEY_ID", KEY),
                ("AWS_SECRET_ACCESS_KEY", KEY),
                ("AWS_EC2_METADATA_DISABLED", "true"),
            ]);
            command
        };
        let mut web = command("web", url.trim_start_matches("http://"));
        web.env("DECOUPLE_TOPIC_ARN", topic);
        let mut starting = Vec::new();
        for (role, queue) in queues {
            let mut command = command(role, &free_address()?);
            command.env("DECOUPLE_QUEUE_URL", queue);
            starting.push((role, command));
        }
        let processes = BTreeMap::from([("web", Process::start(web)?)]);
        let site = Self { _directory: directory, processes, starting, url };
        wait_for(async || Ok(reqwest::get(site.at("/healthz")).await.is_ok_and(|answer| answer.status() == 200)))
            .await?;
        Ok(site)
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Uploads, then starts the workers and returns how long they take.
    async fn work_off(&mut self, photos: &[Vec<u8>], count: usize) -> Result<Duration> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let uploads = (0..count).map(|number| {
            let post = http.post(self.at("/images")).body(photos[number % photos.len()].clone());
            async move {
                let answer = post.send().await?.error_for_status()?.json::<Value>().await?;
                answer["id"].as_str().map(str::to_owned).ok_or_else(|| Box::<dyn Error>::from("an upload has no id"))
            }
        });
        let ids: Vec<String> = stream::iter(uploads).buffer_unordered(UPLOADS).try_collect().await?;
        // What was uploaded is on its way to the disk, which is not to be measured.
        let _unless_there_is_none = Command::new("sync").status();
        self.processes.insert("endpoint and bench", Process::this());
        for process in self.processes.values_mut() {
            process.forget();
        }
        let begun = Instant::now();
        for (role, command) in std::mem::take(&mut self.starting) {
            self.processes.insert(role, Process::start(command)?);
        }
        // Looking at them all over and over would be work of its own: each is looked at until it is done.
        for id in &ids {
            wait_for(async || {
                let record: Value = http.get(self.at(&format!("/images/{id}"))).send().await?.json().await?;
                let state = |part: &str| record[part]["state"].as_str().unwrap_or_default().to_owned();
                let (resize, tag) = (state("resize"), state("tag"));
                if [&resize, &tag].contains(&&"failed".to_owned()) {
                    Err(format!("a photo failed: {record}"))?;
                }
                Ok(resize == "done" && tag == "done")
            })
            .await?;
        }
        Ok(begun.elapsed())
    }
}

async fn wait_for(mut condition: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    while !condition().await? {
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

async fn endpoint(directory: &Path) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let config = Config {
        data_dir: directory.join("endpoint"),
        region: REGION.into(),
        account: Config::DEFAULT_ACCOUNT.into(),
        credentials: Credentials { access_key_id: KEY.into(), secret_access_key: KEY.into() },
    };
    let endpoint = Endpoint::open(config).await?;
    tokio::spawn(async move { endpoint.serve(listener, CancellationToken::new()).await });
    Ok(url)
}

/// Makes bucket, topic and queues, as the stage has them.
async fn parts(endpoint: &str) -> Result<(String, Vec<(&'static str, String)>)> {
    let sdk = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(Keys::new(KEY, KEY, None, None, "bench")))
        .load()
        .await;
    let s3 = aws_sdk_s3::config::Builder::from(&sdk).force_path_style(true).build();
    aws_sdk_s3::Client::from_conf(s3).create_bucket().bucket(BUCKET).send().await?;
    let (sqs, sns) = (aws_sdk_sqs::Client::new(&sdk), aws_sdk_sns::Client::new(&sdk));
    let topic = sns.create_topic().name("images").send().await?.topic_arn.ok_or("no topic")?;
    let mut queues = Vec::new();
    for role in ["resize", "tag"] {
        let url = sqs.create_queue().queue_name(role).send().await?.queue_url.ok_or("no queue")?;
        let arn =
            sqs.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::QueueArn).send().await?;
        let arn = arn.attributes.and_then(|mut all| all.remove(&QueueAttributeName::QueueArn)).ok_or("no ARN")?;
        let subscribe = sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(arn);
        subscribe.attributes("RawMessageDelivery", "true").send().await?;
        queues.push((role, url));
    }
    Ok((topic, queues))
}

fn free_address() -> Result<String> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// A process whose CPU time is counted, its children's with it.
struct Process {
    child: Option<Child>,
    before: Duration,
}

impl Process {
    fn this() -> Self {
        Self { child: None, before: Duration::ZERO }
    }

    fn start(mut command: Command) -> Result<Self> {
        Ok(Self { child: Some(command.spawn()?), before: Duration::ZERO })
    }

    /// Leaves out of account what was done so far.
    fn forget(&mut self) {
        self.before = self.total();
    }

    fn cpu(&self) -> Duration {
        self.total().saturating_sub(self.before)
    }

    fn total(&self) -> Duration {
        let Some(child) = &self.child else { return own_cpu() };
        let tasks = std::fs::read_dir(format!("/proc/{}/task", child.id())).into_iter().flatten().flatten();
        let children = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        let children: Vec<String> =
            children.flat_map(|ids| ids.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
        children.iter().map(|id| ticks(id)).sum::<Duration>() + ticks(&child.id().to_string())
    }
}

/// User and system time of a process, which the kernel tells in hundredths of a second.
fn ticks(id: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let behind_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = behind_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _gone_already = child.kill();
            let _gone_already = child.wait();
        }
    }
}

#[expect(clippy::print_stdout, reason = "the table is the result")]
fn report(count: usize, took: Duration, [resize, tag]: [Duration; 2], site: &Site) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    #[expect(clippy::cast_precision_loss, reason = "a few thousand photos")]
    let (photos, cores) = (count as f64, cores as f64);
    let rate = photos / took.as_secs_f64();
    let most = cores / (resize + tag).as_secs_f64();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    println!("| | |\n|---|---|");
    println!(
        "| bare jobs | {:.1} ms resizing + {:.1} ms tagging of CPU time a photo |",
        milliseconds(resize),
        milliseconds(tag)
    );
    println!("| what {cores} cores allow | {most:.2} photos a second |");
    println!("| worked off | {count} photos in {:.1} s: {rate:.2} photos a second |", took.as_secs_f64());
    println!("| of what is possible | {:.0} % |", rate / most * 100.0);
    let mut all = Duration::ZERO;
    for (name, process) in &site.processes {
        println!("| CPU time of {name} | {:.1} ms a photo |", milliseconds(process.cpu()) / photos);
        all += process.cpu();
    }
    // Where others use the machine too, this says more than the time that it took.
    let share = (resize + tag).as_secs_f64() * photos / all.as_secs_f64();
    println!(
        "| CPU time of all | {:.1} ms a photo, of which bare jobs are {:.0} % |",
        milliseconds(all) / photos,
        share * 100.0
    );
}
