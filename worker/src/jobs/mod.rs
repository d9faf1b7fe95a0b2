//! The work on one photo: resizing, tagging, or both from one decode.
//!
//! Results are idempotent: keys of renditions follow from the photo, and a record is changed by one statement. Work that
//! is done already is not done again.

mod resize;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use decouple_contract::{Renditions, Role};

use crate::{
    catalog::{Catalog, CatalogError},
    compute::{ComputeError, Workshop},
    config::Config,
    metrics::Metrics,
    model::{Tagged, Tagger},
    photo::Encoded,
    record::{Image, Part, Tag, original_key},
    store::{Store, StoreError},
};

/// The work failed for a reason that may pass. A reason that will not is no error: it is the photo's outcome.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobError {
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("it took longer than {} s", .0.as_secs())]
    TimedOut(Duration),
    #[error(transparent)]
    Compute(#[from] ComputeError),
    #[error("the model failed: {0}")]
    Model(String),
}

/// What a worker of some role does with a photo.
pub(crate) struct Jobs {
    role: Role,
    renditions: Renditions,
    catalog: Catalog,
    store: Store,
    tagger: Option<Arc<Tagger>>,
    workshop: Workshop,
    metrics: Arc<Metrics>,
}

/// What came of computing.
struct Computed {
    renditions: Vec<Encoded>,
    tagged: Option<Tagged>,
}

impl Jobs {
    pub(crate) fn new(
        config: &Config,
        catalog: Catalog,
        store: Store,
        tagger: Option<Tagger>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let renditions = config.renditions.clone();
        Self {
            role: config.role,
            renditions,
            catalog,
            store,
            tagger: tagger.map(Arc::new),
            workshop: Workshop::new(),
            metrics,
        }
    }

    /// Says which engine runs the model, where this worker has one.
    pub(crate) fn engine(&self) -> Option<&'static str> {
        self.tagger.as_deref().map(Tagger::engine)
    }

    /// Does what is left to do of this role's work. A photo that is gone needs none.
    pub(crate) async fn work(&self, id: &str) -> Result<(), JobError> {
        let Some(image) = self.catalog.get(id).await? else {
            tracing::info!(image = id, "the photo was removed before it was worked on");
            return Ok(());
        };
        let (resize, tag) = self.wanted(&image);
        if !resize && !tag {
            return Ok(());
        }
        match self.store.get(&original_key(id)).await {
            Ok(original) => self.work_on(id, original, resize, tag).await,
            Err(StoreError::Missing(_)) => self.fail(id, resize, tag, "the original is missing").await,
            Err(error) => Err(error.into()),
        }
    }

    fn wanted(&self, image: &Image) -> (bool, bool) {
        (self.role.resizes() && image.resize.is_pending(), self.role.tags() && image.tag.is_pending())
    }

    async fn work_on(&self, id: &str, original: Bytes, resize: bool, tag: bool) -> Result<(), JobError> {
        let began = Instant::now();
        let computed = match self.compute(&original, resize, tag).await {
            Ok(computed) => computed,
            Err(JobError::Compute(ComputeError::Photo(error))) => {
                return self.fail(id, resize, tag, &error.to_string()).await;
            }
            Err(error) => return Err(error),
        };
        drop(original);
        if resize {
            let stored = resize::store(&self.store, id, &self.renditions, computed.renditions).await?;
            self.resized(id, &Part::Done(stored), began).await?;
        }
        if let Some(tagged) = computed.tagged {
            self.tagged(id, &Part::Done(tagged.tags), &tagged.terms, began).await?;
        }
        Ok(())
    }

    /// Decodes once for both parts, and holds a core until both are done.
    async fn compute(&self, original: &Bytes, resize: bool, tag: bool) -> Result<Computed, JobError> {
        let place = self.workshop.place(original).await.map_err(ComputeError::Photo)?;
        let made = place.make(original, resize.then_some(&self.renditions), tag).await?;
        let tagged = match (self.tagger.clone(), made.look) {
            (Some(tagger), Some(look)) => {
                let tagging = tokio::task::spawn_blocking(move || tagger.tag(&look));
                let tagged = tagging.await.map_err(|error| JobError::Model(error.to_string()))?;
                Some(tagged.map_err(|error| JobError::Model(error.to_string()))?)
            }
            _ => None,
        };
        Ok(Computed { renditions: made.renditions, tagged })
    }

    async fn fail(&self, id: &str, resize: bool, tag: bool, reason: &str) -> Result<(), JobError> {
        let began = Instant::now();
        if resize {
            self.resized(id, &Part::Failed(reason.to_owned()), began).await?;
        }
        if tag {
            self.tagged(id, &Part::Failed(reason.to_owned()), &[], began).await?;
        }
        Ok(())
    }

    async fn resized(
        &self,
        id: &str,
        outcome: &Part<crate::record::Rendition>,
        began: Instant,
    ) -> Result<(), JobError> {
        let there = self.catalog.resized(id, outcome).await?;
        if !there {
            // The photo was removed meanwhile; what was just stored would be left behind.
            self.store.delete_all(&crate::record::renditions_prefix(id)).await?;
        }
        self.note(id, "resize", outcome.state(), outcome.reason(), began);
        Ok(())
    }

    async fn tagged(&self, id: &str, outcome: &Part<Tag>, terms: &[String], began: Instant) -> Result<(), JobError> {
        self.catalog.tagged(id, outcome, terms).await?;
        self.note(id, "tag", outcome.state(), outcome.reason(), began);
        Ok(())
    }

    fn note(&self, id: &str, kind: &'static str, state: &'static str, reason: Option<&str>, began: Instant) {
        let took = began.elapsed();
        self.metrics.job(kind, state, took);
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(image = id, job = kind, outcome = state, reason, milliseconds, "a job ended");
    }
}
