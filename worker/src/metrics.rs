//! What this worker does, counted and timed, as Prometheus text.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use decouple_contract::Role;

/// Upper ends of the buckets of times, in seconds: from an answer of the catalog to a photo that waited for a day.
const BUCKETS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0, 3600.0, 86400.0];

/// What is counted, under the name that Prometheus knows it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    Requests,
    RequestSeconds,
    Jobs,
    JobSeconds,
    PhotoAge,
    Errors,
    UnderWay,
}

impl Family {
    const ALL: [Self; 7] = [
        Self::Requests,
        Self::RequestSeconds,
        Self::Jobs,
        Self::JobSeconds,
        Self::PhotoAge,
        Self::Errors,
        Self::UnderWay,
    ];

    /// Returns name, type and meaning.
    const fn described(self) -> [&'static str; 3] {
        match self {
            Self::Requests => ["decouple_requests_total", "counter", "HTTP requests by route and status."],
            Self::RequestSeconds => {
                ["decouple_request_seconds", "histogram", "Time to the head of an answer, by route."]
            }
            Self::Jobs => ["decouple_jobs_total", "counter", "Jobs by kind and outcome."],
            Self::JobSeconds => ["decouple_job_seconds", "histogram", "Time that a job took, by kind."],
            Self::PhotoAge => [
                "decouple_photo_age_seconds",
                "histogram",
                "Time from a photo's upload to the end of a job on it, by kind.",
            ],
            Self::Errors => ["decouple_errors_total", "counter", "Faults that may pass, by what failed."],
            Self::UnderWay => ["decouple_under_way", "gauge", "What is going on now: connections, requests and jobs."],
        }
    }
}

/// What is going on now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    Connection,
    Request,
    Job,
}

impl Doing {
    const fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Request => "request",
            Self::Job => "job",
        }
    }
}

#[derive(Debug)]
enum Value {
    Count(u64),
    Times(Histogram),
}

#[derive(Debug, Default)]
struct Histogram {
    /// How many fell into each bucket, those of lower ones not among them.
    buckets: [u64; BUCKETS.len()],
    count: u64,
    sum: f64,
}

/// Counts of one worker. Labels come from a few fixed words, never from a request.
pub(crate) struct Metrics {
    role: Role,
    values: Mutex<BTreeMap<(Family, String), Value>>,
}

impl Metrics {
    pub(crate) fn new(role: Role) -> Self {
        Self { role, values: Mutex::default() }
    }

    pub(crate) fn request(&self, route: &str, status: u16, took: Duration) {
        self.add(Family::Requests, format!("route=\"{route}\",status=\"{status}\""), 1);
        self.time(Family::RequestSeconds, format!("route=\"{route}\""), took);
    }

    /// Notes a job's end, on a photo that was uploaded so long ago.
    pub(crate) fn job(&self, kind: &'static str, outcome: &'static str, took: Duration, age: Duration) {
        self.add(Family::Jobs, format!("kind=\"{kind}\",outcome=\"{outcome}\""), 1);
        self.time(Family::JobSeconds, format!("kind=\"{kind}\""), took);
        self.time(Family::PhotoAge, format!("kind=\"{kind}\""), age);
    }

    pub(crate) fn error(&self, what: &'static str) {
        self.add(Family::Errors, format!("what=\"{what}\""), 1);
    }

    /// Notes that something begins; it ends with the value that is returned.
    pub(crate) fn begin(&self, doing: Doing) -> UnderWay<'_> {
        self.add(Family::UnderWay, format!("what=\"{}\"", doing.name()), 1);
        UnderWay { metrics: self, doing }
    }

    fn add(&self, family: Family, labels: String, more: i64) {
        if let Value::Count(count) = self.lock().entry((family, labels)).or_insert(Value::Count(0)) {
            *count = count.saturating_add_signed(more);
        }
    }

    fn time(&self, family: Family, labels: String, took: Duration) {
        let seconds = took.as_secs_f64();
        if let Value::Times(times) =
            self.lock().entry((family, labels)).or_insert_with(|| Value::Times(Histogram::default()))
        {
            if let Some(bucket) = BUCKETS.iter().position(|end| seconds <= *end) {
                times.buckets[bucket] += 1;
            }
            times.count += 1;
            times.sum += seconds;
        }
    }

    /// Returns everything in Prometheus's text format.
    pub(crate) fn render(&self) -> String {
        let values = self.lock();
        let mut text = String::new();
        for family in Family::ALL {
            let [name, kind, help] = family.described();
            line(&mut text, format_args!("# HELP {name} {help}"));
            line(&mut text, format_args!("# TYPE {name} {kind}"));
            for ((_, labels), value) in values.iter().filter(|((of, _), _)| *of == family) {
                let labels = format!("role=\"{}\",{labels}", self.role);
                match value {
                    Value::Count(count) => line(&mut text, format_args!("{name}{{{labels}}} {count}")),
                    Value::Times(times) => times.render(&mut text, name, &labels),
                }
            }
        }
        text
    }

    /// Numbers stay numbers, whatever became of the thread that held the lock.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Family, String), Value>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Histogram {
    fn render(&self, text: &mut String, name: &str, labels: &str) {
        let mut below = 0;
        for (end, count) in BUCKETS.iter().zip(self.buckets) {
            below += count;
            line(text, format_args!("{name}_bucket{{{labels},le=\"{end}\"}} {below}"));
        }
        line(text, format_args!("{name}_bucket{{{labels},le=\"+Inf\"}} {}", self.count));
        line(text, format_args!("{name}_sum{{{labels}}} {}", self.sum));
        line(text, format_args!("{name}_count{{{labels}}} {}", self.count));
    }
}

/// Something that is going on.
pub(crate) struct UnderWay<'a> {
    metrics: &'a Metrics,
    doing: Doing,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.metrics.add(Family::UnderWay, format!("what=\"{}\"", self.doing.name()), -1);
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes all that is written to it");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_prometheus_text() {
        let metrics = Metrics::new(Role::Resize);
        metrics.request("/healthz", 200, Duration::from_millis(4));
        metrics.request("/healthz", 200, Duration::from_secs(100_000));
        metrics.job("resize", "done", Duration::from_millis(500), Duration::from_secs(2));
        metrics.error("bucket");
        let over = metrics.begin(Doing::Job);
        drop(over);
        let _job = metrics.begin(Doing::Job);
        insta::assert_snapshot!(metrics.render());
    }
}
