//! Counts of what this worker does, as Prometheus text.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// What is counted. Labels come from a few fixed words, never from a request.
#[derive(Default)]
pub(crate) struct Metrics {
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    requests: BTreeMap<u16, u64>,
    jobs: BTreeMap<(&'static str, &'static str), Job>,
}

#[derive(Default)]
struct Job {
    count: u64,
    seconds: f64,
}

impl Metrics {
    pub(crate) fn request(&self, status: u16) {
        *self.lock().requests.entry(status).or_default() += 1;
    }

    pub(crate) fn job(&self, kind: &'static str, outcome: &'static str, took: Duration) {
        let mut counts = self.lock();
        let job = counts.jobs.entry((kind, outcome)).or_default();
        job.count += 1;
        job.seconds += took.as_secs_f64();
    }

    /// Returns everything in Prometheus's text format.
    pub(crate) fn render(&self) -> String {
        let counts = self.lock();
        let mut text = String::new();
        text.push_str(
            "# HELP decouple_requests_total HTTP requests by status.\n# TYPE decouple_requests_total counter\n",
        );
        for (status, count) in &counts.requests {
            line(&mut text, &format!("decouple_requests_total{{status=\"{status}\"}} {count}"));
        }
        text.push_str("# HELP decouple_jobs_total Jobs by kind and outcome.\n# TYPE decouple_jobs_total counter\n");
        for ((kind, outcome), job) in &counts.jobs {
            line(&mut text, &format!("decouple_jobs_total{{kind=\"{kind}\",outcome=\"{outcome}\"}} {}", job.count));
        }
        text.push_str(
            "# HELP decouple_job_seconds_total Time spent on jobs.\n# TYPE decouple_job_seconds_total counter\n",
        );
        for ((kind, outcome), job) in &counts.jobs {
            let seconds = job.seconds;
            line(&mut text, &format!("decouple_job_seconds_total{{kind=\"{kind}\",outcome=\"{outcome}\"}} {seconds}"));
        }
        text
    }

    /// Numbers stay numbers, whatever became of the thread that held the lock.
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a string takes all that is written to it");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_prometheus_text() {
        let metrics = Metrics::default();
        metrics.request(200);
        metrics.request(200);
        metrics.job("resize", "done", Duration::from_millis(500));
        insta::assert_snapshot!(metrics.render(), @r#"
        # HELP decouple_requests_total HTTP requests by status.
        # TYPE decouple_requests_total counter
        decouple_requests_total{status="200"} 2
        # HELP decouple_jobs_total Jobs by kind and outcome.
        # TYPE decouple_jobs_total counter
        decouple_jobs_total{kind="resize",outcome="done"} 1
        # HELP decouple_job_seconds_total Time spent on jobs.
        # TYPE decouple_job_seconds_total counter
        decouple_job_seconds_total{kind="resize",outcome="done"} 0.5
        "#);
    }
}
