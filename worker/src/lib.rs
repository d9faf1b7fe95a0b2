//! The photo site's worker: one program that serves uploads, resizes and tags, as its environment says.
//!
//! It speaks to S3, SQS and SNS through the AWS SDK and to its catalog through SQL, and cannot tell whether they are on
//! AWS or on this machine. [`config`] reads everything before anything is bound; [`run`] starts what the role needs.

pub mod catalog;
pub mod compute;
pub mod config;
mod consumer;
mod faults;
mod http;
mod jobs;
mod metrics;
mod outbox;
mod queue;
mod record;
mod requests;
mod sdk;
mod site;
mod store;
mod sweep;
mod termination;
mod trace;

use std::sync::Arc;

pub use decouple_photo::{self as photo, model};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::{
    config::Config,
    faults::Faults,
    jobs::Jobs,
    metrics::Metrics,
    outbox::Outbox,
    requests::Requests,
    site::Site,
    termination::{Signals, Termination},
};

/// The worker cannot start, or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The catalog cannot be opened.
    #[error("the catalog cannot be opened")]
    Catalog(#[from] catalog::CatalogError),
    /// The model or its labels cannot be read.
    #[error("the tagging model cannot be used")]
    Model(#[from] model::ModelError),
}

/// Runs a worker until `shutdown` is cancelled: it then takes nothing new, finishes what it has begun, and returns.
pub async fn run(config: Config, listener: TcpListener, shutdown: CancellationToken) -> Result<(), RunError> {
    let config = Arc::new(config);
    let sdk = sdk::load().await;
    let secret = config.catalog_secret.as_deref().map(|arn| catalog::Secret::new(&sdk, arn, &config.catalog_url));
    let catalog = catalog::Catalog::open(&config.catalog_url, secret).await?;
    let store = store::Store::new(&sdk, &config.bucket);
    let metrics = Arc::new(Metrics::new(config.role));
    let tagger = if config.role.tags() { Some(model::Tagger::load(&config.tagging)?) } else { None };
    let jobs = Arc::new(Jobs::new(&config, catalog.clone(), store.clone(), tagger, Arc::clone(&metrics)));
    let faults = Arc::new(Faults::default());
    let outbox = Outbox::new(&sdk, &config, Arc::clone(&faults));
    let receiving = queue::Inbox::new(&sdk, &config, Arc::clone(&faults));
    let termination = Termination::new(&sdk, &config);

    let signals = Signals {
        draining: shutdown.child_token(),
        drained: CancellationToken::new(),
        finished: CancellationToken::new(),
    };
    let kept = catalog.clone();
    let requests = Arc::new(Requests::new(signals.draining.clone()));
    let site = Arc::new(Site { config, catalog, store, jobs, outbox, faults, metrics, requests });
    let work = async {
        if let Some(inbox) = receiving {
            consumer::run(inbox, Arc::clone(&site), signals.draining.clone()).await;
            signals.drained.cancel();
            // One that is told early to receive nothing more still says how it is.
            shutdown.cancelled().await;
        } else {
            // Its work is in its requests; what the sweep leaves undone, another one's does.
            signals.drained.cancel();
            // On the heap: what it repairs at once makes a large future.
            Box::pin(sweep::run(Arc::clone(&site), shutdown.clone())).await;
        }
        signals.finished.cancel();
    };
    let instance = async {
        if let Some(termination) = termination {
            // On the heap: calls to AWS make large futures, and few instances ever make these.
            Box::pin(termination.watch(&signals, &site.requests)).await;
        }
    };
    tokio::join!(
        http::serve(listener, Arc::clone(&site), shutdown.clone(), signals.finished.clone()),
        work,
        instance,
        kept.keep_login(&signals.finished)
    );
    Ok(())
}
