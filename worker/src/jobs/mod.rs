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
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    catalog::{Catalog, CatalogError, Work, now},
    compute::{ComputeError, Photo, Workshop, cores},
    config::Config,
    metrics::{Doing, Metrics},
    model::{Tagged, Tagger},
    photo::Encoded,
    record::{Image, Part, Rendition, Tag, original_key, renditions_prefix},
    store::{Store, StoreError},
};

/// Photos that are worked on at once, for each core: one that is computed, and one that is fetched or stored.
const AT_ONCE: usize = 2;

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

impl JobError {
    /// Says what failed, in a word.
    pub(crate) fn part(&self) -> &'static str {
        match self {
            Self::Catalog(_) => "catalog",
            Self::Store(_) => "bucket",
            Self::TimedOut(_) => "time",
            Self::Compute(_) => "compute",
            Self::Model(_) => "model",
        }
    }

    /// Says what failed to people, who need not know where the parts of a site are.
    pub(crate) fn in_words(&self) -> String {
        match self {
            Self::Catalog(_) => "the catalog could not be used".to_owned(),
            Self::Store(_) => "the bucket could not be used".to_owned(),
            Self::Compute(ComputeError::NoProcess(_)) => "no process could be started to decode it".to_owned(),
            Self::TimedOut(_) | Self::Compute(_) | Self::Model(_) => self.to_string(),
        }
    }

    /// Tells whether something is away that every photo needs, so that nothing is said against this one.
    pub(crate) fn is_outage(&self) -> bool {
        match self {
            Self::Catalog(error) => matches!(error, CatalogError::Database(_) | CatalogError::Secret { .. }),
            Self::Store(error) => matches!(error, StoreError::Failed { .. }),
            Self::Compute(error) => matches!(error, ComputeError::NoProcess(_)),
            Self::TimedOut(_) | Self::Model(_) => false,
        }
    }
}

/// What is left to do about one photo.
struct Job<'a> {
    id: &'a str,
    /// How old the photo was when this began.
    age: Duration,
    began: Instant,
    resize: bool,
    tag: bool,
}

/// What a worker of some role does with a photo.
pub(crate) struct Jobs {
    role: Role,
    renditions: Renditions,
    catalog: Catalog,
    store: Store,
    tagger: Option<Arc<Tagger>>,
    workshop: Workshop,
    turns: Semaphore,
    metrics: Arc<Metrics>,
}

/// The right to work on a photo. Whoever waits for it holds nothing of the photo yet.
pub(crate) struct Turn<'a>(#[expect(dead_code, reason = "it is held")] SemaphorePermit<'a>);

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
            workshop: Workshop::new(config.photo_memory_mib, Arc::clone(&metrics)),
            turns: Semaphore::new(cores() * AT_ONCE),
            metrics,
        }
    }

    /// Says which engine runs the model, where this worker has one.
    pub(crate) fn engine(&self) -> Option<&'static str> {
        self.tagger.as_deref().map(Tagger::engine)
    }

    /// Waits until another photo may be worked on.
    pub(crate) async fn turn(&self) -> Turn<'_> {
        Turn(self.turns.acquire().await.expect("the semaphore is never closed"))
    }

    /// Does what is left to do of this role's work, in its turn. A photo that is gone needs none.
    pub(crate) async fn work(&self, _turn: &Turn<'_>, id: &str) -> Result<(), JobError> {
        let Some(image) = self.catalog.get(id).await? else {
            tracing::info!(image = id, "the photo was removed before it was worked on");
            return Ok(());
        };
        let job = self.job(&image);
        if !job.resize && !job.tag {
            return Ok(());
        }
        let _under_way = self.metrics.begin(Doing::Job);
        match self.store.get(&original_key(id)).await {
            Ok(original) => self.work_on(&job, original).await,
            Err(StoreError::Missing(_)) => self.fail(&job, "the original is missing").await,
            Err(error) => Err(error.into()),
        }
    }

    /// Says what is left to do about a photo.
    fn job<'a>(&self, image: &'a Image) -> Job<'a> {
        Job {
            id: &image.id,
            age: Duration::from_millis(u64::try_from(now() - image.uploaded_at).unwrap_or(0)),
            began: Instant::now(),
            resize: self.role.resizes() && image.resize.is_pending(),
            tag: self.role.tags() && image.tag.is_pending(),
        }
    }

    /// Notes that a photo's task is a dead letter, and why.
    pub(crate) async fn give_up(&self, id: &str, reason: &str) -> Result<(), JobError> {
        let Some(image) = self.catalog.get(id).await? else { return Ok(()) };
        let job = self.job(&image);
        if job.resize && self.catalog.given_up(id, Work::Resize, reason).await? {
            self.note(&job, "resize", &Part::<Rendition>::GivenUp(reason.to_owned()));
        }
        if job.tag && self.catalog.given_up(id, Work::Tag, reason).await? {
            self.note(&job, "tag", &Part::<Tag>::GivenUp(reason.to_owned()));
        }
        Ok(())
    }

    async fn work_on(&self, job: &Job<'_>, original: Bytes) -> Result<(), JobError> {
        let computed = match self.compute(job, original).await {
            Ok(computed) => computed,
            Err(JobError::Compute(ComputeError::Photo(error))) => return self.fail(job, &error.to_string()).await,
            Err(error) => return Err(error),
        };
        if job.resize {
            let stored = resize::store(&self.store, job.id, computed.renditions).await?;
            self.resized(job, &Part::Done(stored)).await?;
        }
        if let Some(tagged) = computed.tagged {
            self.tagged(job, &Part::Done(tagged.tags), &tagged.terms).await?;
        }
        Ok(())
    }

    /// Decodes once for both parts, and holds a core until both are done.
    async fn compute(&self, job: &Job<'_>, content: Bytes) -> Result<Computed, JobError> {
        let photo = Photo { content, renditions: job.resize.then(|| self.renditions.clone()), look: job.tag };
        let place = self.workshop.place(photo).await.map_err(ComputeError::Photo)?;
        let made = place.make().await?;
        if let Some(why) = &made.not_kept {
            tracing::info!(image = job.id, why, "of what moves the first frame alone is shown");
        }
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

    async fn fail(&self, job: &Job<'_>, reason: &str) -> Result<(), JobError> {
        if job.resize {
            self.resized(job, &Part::Failed(reason.to_owned())).await?;
        }
        if job.tag {
            self.tagged(job, &Part::Failed(reason.to_owned()), &[]).await?;
        }
        Ok(())
    }

    async fn resized(&self, job: &Job<'_>, outcome: &Part<Rendition>) -> Result<(), JobError> {
        let there = self.catalog.resized(job.id, outcome).await?;
        if !there {
            // The photo was removed meanwhile; what was just stored would be left behind.
            self.store.delete_all(&renditions_prefix(job.id)).await?;
        }
        self.note(job, "resize", outcome);
        Ok(())
    }

    async fn tagged(&self, job: &Job<'_>, outcome: &Part<Tag>, terms: &[String]) -> Result<(), JobError> {
        self.catalog.tagged(job.id, outcome, terms).await?;
        self.note(job, "tag", outcome);
        Ok(())
    }

    fn note<T>(&self, job: &Job<'_>, kind: &'static str, outcome: &Part<T>) {
        let took = job.began.elapsed();
        let state = if let Part::GivenUp(_) = outcome { "given_up" } else { outcome.state() };
        self.metrics.job(kind, state, took, job.age + took);
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let reason = outcome.reason();
        tracing::info!(image = job.id, job = kind, outcome = state, reason, milliseconds, "a job ended");
    }
}
