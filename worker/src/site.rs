//! What every part of a worker is given.

use std::sync::Arc;

use crate::{
    catalog::Catalog, config::Config, faults::Faults, jobs::Jobs, metrics::Metrics, outbox::Outbox, requests::Requests,
    store::Store,
};

/// The worker's parts.
pub(crate) struct Site {
    pub(crate) config: Arc<Config>,
    pub(crate) catalog: Catalog,
    pub(crate) store: Store,
    pub(crate) jobs: Arc<Jobs>,
    pub(crate) outbox: Outbox,
    pub(crate) faults: Arc<Faults>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) requests: Arc<Requests>,
}
