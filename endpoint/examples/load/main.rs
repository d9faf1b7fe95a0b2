//! Load by the AWS SDK, for `bench/endpoint/run`: one scenario a run, one JSON object as its result.
//!
//! `load URL SCENARIO CONCURRENCY SECONDS`, with the keys in the environment.

mod objects;
mod queues;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use tokio::task::JoinSet;

/// Whatever goes wrong ends the run with it.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What every scenario is given.
pub(crate) struct Setting {
    pub(crate) sdk: SdkConfig,
    pub(crate) concurrency: usize,
    /// How long to measure; of a scenario with a fixed amount of work, that amount.
    pub(crate) amount: u64,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "the result")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, scenario, concurrency, amount] = &arguments[..] else {
        return Err("usage: load URL SCENARIO CONCURRENCY SECONDS-OR-AMOUNT".into());
    };
    let sdk = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(url)
        .region(Region::new("us-east-1"))
        .retry_config(RetryConfig::disabled())
        .load()
        .await;
    let setting = Setting { sdk, concurrency: concurrency.parse()?, amount: amount.parse()? };
    let result = match scenario.as_str() {
        "roundtrip" => queues::roundtrip(&setting).await?,
        "batches" => queues::batches(&setting).await?,
        "fill" => queues::fill(&setting).await?,
        "receive" => queues::receive(&setting).await?,
        "put" => objects::put(&setting).await?,
        "get" => objects::get(&setting).await?,
        "large-put" => objects::large_put(&setting).await?,
        "large-get" => objects::large_get(&setting).await?,
        other => return Err(format!("there is no scenario {other}").into()),
    };
    println!("{result}");
    Ok(())
}

/// Does something again and again on every connection, and says how often a second, and how long each took.
pub(crate) async fn repeat<F, O>(setting: &Setting, units: u64, operation: F) -> Result<serde_json::Value, Failure>
where
    F: Fn(u64) -> O + Send + Sync + 'static,
    O: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let operation = Arc::new(operation);
    let (next, times) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Vec::new())));
    let begun = Instant::now();
    let until = begun + Duration::from_secs(setting.amount);
    let mut connections = JoinSet::new();
    for _ in 0..setting.concurrency {
        let (operation, next, times) = (Arc::clone(&operation), Arc::clone(&next), Arc::clone(&times));
        connections.spawn(async move {
            let mut own = Vec::new();
            while Instant::now() < until {
                let start = Instant::now();
                operation(next.fetch_add(1, Ordering::Relaxed)).await?;
                own.push(start.elapsed());
            }
            times.lock().map_err(|_| "a connection panicked")?.append(&mut own);
            Ok::<_, Failure>(())
        });
    }
    while let Some(ended) = connections.join_next().await {
        ended??;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let mut times = std::mem::take(&mut *times.lock().map_err(|_| "a connection panicked")?);
    times.sort_unstable();
    let at = |part: usize| times.get((times.len() * part / 100).min(times.len().saturating_sub(1)));
    let milliseconds = |part| at(part).map_or(0.0, |time| time.as_secs_f64() * 1e3);
    #[expect(clippy::cast_precision_loss, reason = "counts here are small")]
    let rate = (times.len() as u64 * units) as f64 / seconds;
    Ok(serde_json::json!({"rate": rate, "p50_ms": milliseconds(50), "p99_ms": milliseconds(99)}))
}
