//! Whether this worker can do its work, with reasons; and what it has done.

use std::time::{Duration, Instant};

use axum::{
    Json,
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use tokio::sync::Mutex;

use super::App;
use crate::site::Site;

/// A verdict is asked for every few seconds by a balancer and by people; the catalog and the bucket need not be each time.
const FRESH: Duration = Duration::from_secs(2);

/// Whoever asks waits no longer than this: a balancer takes no answer within five seconds for a worker that is broken, and what
/// hangs (a database that fails over, say) is none.
const PATIENCE: Duration = Duration::from_secs(2);

/// The last verdict.
#[derive(Default)]
pub(super) struct Health(Mutex<Option<(Instant, Vec<String>)>>);

impl Health {
    /// Returns what is wrong, if anything.
    async fn reasons(&self, site: &Site) -> Vec<String> {
        let mut last = self.0.lock().await;
        if let Some((at, reasons)) = last.as_ref()
            && at.elapsed() < FRESH
        {
            return reasons.clone();
        }
        let (catalog, bucket) =
            tokio::join!(fault(Box::pin(site.catalog.check())), fault(Box::pin(site.store.check())));
        let mut reasons = Vec::new();
        reasons.extend(catalog.map(|fault| format!("catalog: {fault}")));
        reasons.extend(bucket.map(|fault| format!("bucket: {fault}")));
        reasons.extend(queue_of_tasks(site).filter(|_| site.config.role.consumes()));
        *last = Some((Instant::now(), reasons.clone()));
        reasons
    }
}

/// Returns what a check found to be wrong, if anything.
async fn fault<E: std::fmt::Display>(check: impl Future<Output = Result<(), E>>) -> Option<String> {
    match tokio::time::timeout(PATIENCE, check).await {
        Ok(checked) => checked.err().map(|error| error.to_string()),
        Err(_) => Some(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

/// Returns what is wrong with the queue or the topic, if anything. A worker that receives can do nothing without it; one that
/// sends still takes photos, whose tasks the sweep sends once it can.
fn queue_of_tasks(site: &Site) -> Option<String> {
    site.faults.last().map(|fault| format!("queue: {fault}"))
}

/// With the query `live` it is asked whether this process works. What others lack (a database that restarts, a bucket) is told all the
/// same, but whoever replaces instances must not replace all of them for it.
pub(super) async fn healthz(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    let mut reasons = app.health.reasons(&app.site).await;
    let word = if reasons.is_empty() { "ok" } else { "down" };
    let stopping = app.shutdown.is_cancelled();
    let fit = !stopping && (reasons.is_empty() || query.as_deref() == Some("live"));
    if stopping {
        reasons.push("finishing what was begun".to_owned());
    }
    let word = if stopping { "down" } else { word };
    let status = if fit { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let config = &app.site.config;
    let warnings: Vec<String> = queue_of_tasks(&app.site).filter(|_| !config.role.consumes()).into_iter().collect();
    let body = serde_json::json!({
        "status": word,
        "role": config.role,
        "env": config.environment,
        "instance": config.instance,
        "engine": app.site.jobs.engine(),
        "reasons": reasons,
        "warnings": warnings,
    });
    (status, Json(body)).into_response()
}

pub(super) async fn metrics(State(app): State<App>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.site.metrics.render()).into_response()
}
