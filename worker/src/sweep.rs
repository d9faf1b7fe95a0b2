//! Repairs what a crash left between storing, recording and sending: a photo that was accepted is worked on, whatever
//! died.
//!
//! Every worker that serves uploads sweeps. That several do it at once is harmless: a photo is claimed by one statement,
//! and work that is done twice has the same result.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use decouple_contract::Task;
use futures::{StreamExt, stream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::{
    catalog::{CatalogError, Unsent, now},
    jobs::{JobError, Turn},
    photo,
    queue::QueueError,
    record::{Image, original_key, renditions_prefix, timestamp},
    site::Site,
    store::StoreError,
    trace::Trace,
};

/// How often it is looked for.
const EVERY: Duration = Duration::from_secs(2);
/// An upload that has taken longer than this was cut off. It is longer than any upload may take.
const RECEIVING: i64 = 15 * 60 * 1_000;
/// A photo whose task was not sent by then will not be sent by whoever received it.
const UNSENT: i64 = 10 * 1_000;
/// Photos that are worked on at once where there is no queue to send them to.
const AT_ONCE: usize = 2;
/// What a sweep does about one photo, beside the work on it, takes no longer: what hangs keeps nothing else from being repaired.
const STEP: Duration = Duration::from_mins(1);
/// There whoever uploads waits for so long until their photo may be worked on; it is done later then.
const TURN: Duration = Duration::from_secs(10);
/// There a photo is given up after so many tries, as a queue would.
const MOST_TRIES: u32 = 5;

/// How often this worker has tried in vain to work on photos that nobody else is sent.
type Tries = Mutex<HashMap<String, u32>>;

/// Something could not be repaired; it will be by a later sweep.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SweepError {
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error("it took longer than {} s", STEP.as_secs())]
    TimedOut,
}

/// A photo's task could not be sent, or the work not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DispatchError {
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Job(#[from] JobError),
    #[error("others were worked on for {} s", TURN.as_secs())]
    Busy,
    #[error("it took longer than it may")]
    TimedOut,
}

impl SweepError {
    fn part(&self) -> &'static str {
        match self {
            Self::Catalog(_) => "catalog",
            Self::Store(_) => "bucket",
            Self::Queue(_) => "queue",
            Self::TimedOut => "time",
        }
    }
}

/// Sweeps until it is told to stop.
pub(crate) async fn run(site: Arc<Site>, shutdown: CancellationToken) {
    let tries = Tries::default();
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = tick.tick() => {}
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = sweep(&site, &tries) => {}
        }
    }
}

/// Repairs what there is to repair. None of the three waits for another: what one of them needs may be away.
async fn sweep(site: &Site, tries: &Tries) {
    let (uploads, removals, tasks) = tokio::join!(uploads(site), removals(site), tasks(site, tries));
    for error in [uploads, removals, tasks].into_iter().filter_map(Result::err) {
        site.metrics.error(error.part());
        tracing::warn!(%error, "what is to be repaired could not be found and will be sought again");
    }
}

/// Completes uploads that were cut off after they were stored, and forgets those that were before.
async fn uploads(site: &Site) -> Result<(), SweepError> {
    let cut_off = now() - RECEIVING;
    for image in step(site.catalog.cut_off(cut_off)).await? {
        let id = image.id.clone();
        tell(site, &id, step(complete(site, image, cut_off)).await).await;
    }
    Ok(())
}

async fn complete(site: &Site, image: Image, cut_off: i64) -> Result<(), SweepError> {
    match site.store.get_named(&original_key(&image.id)).await {
        Ok((content, name)) => {
            tracing::info!(image = image.id, "completing an upload that was cut off after it was stored");
            site.catalog.stored(&described(image, content, name).await).await?;
        }
        Err(StoreError::Missing(_)) => site.catalog.give_up(&image.id, cut_off).await?,
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Says what a photo is by what is stored: another upload under the same key, which was refused, may have changed its record.
async fn described(image: Image, content: Bytes, name: Option<String>) -> Image {
    let bytes = content.len() as u64;
    let inspected = tokio::task::spawn_blocking(move || photo::inspect(&content)).await;
    let filename = name.unwrap_or_else(|| image.filename.clone());
    match inspected {
        Ok(Ok(header)) => Image {
            filename,
            bytes,
            content_type: header.kind.content_type.to_owned(),
            width: header.width,
            height: header.height,
            ..image
        },
        // It was looked at before it was stored, so whoever reads it knows less. The work says what is wrong with it.
        _ => Image { filename, bytes, ..image },
    }
}

/// Removes what is left of photos that were deleted.
async fn removals(site: &Site) -> Result<(), SweepError> {
    for Image { id, .. } in step(site.catalog.unremoved(now() - UNSENT)).await? {
        tell(site, &id, step(remove(site, &id)).await).await;
    }
    Ok(())
}

/// Sends tasks that were not sent, or does the work where there is nobody to send it to.
async fn tasks(site: &Site, tries: &Tries) -> Result<(), SweepError> {
    let destination = step(site.outbox.destination()).await?;
    let unsent = step(site.catalog.unsent(&destination, now() - patience(site))).await?;
    let sending = unsent.into_iter().map(|photo| {
        let trace = Trace::continued(&photo.trace, &photo.id);
        let span = trace.span(&photo.id);
        send(site, tries, photo, trace).instrument(span)
    });
    stream::iter(sending).for_each_concurrent(AT_ONCE, |sent| sent).await;
    Ok(())
}

/// Does one step of a sweep, unless it hangs.
async fn step<T, E>(step: impl Future<Output = Result<T, E>>) -> Result<T, SweepError>
where
    SweepError: From<E>,
{
    Ok(timeout(STEP, step).await.map_err(|_| SweepError::TimedOut)??)
}

/// Tells of a photo that could not be repaired, and puts it off, so that those behind it have their turn.
async fn tell(site: &Site, id: &str, ended: Result<(), SweepError>) {
    let Err(error) = ended else { return };
    site.metrics.error(error.part());
    tracing::warn!(image = id, %error, "a photo could not be repaired and will be later");
    if let Err(error) = step(site.catalog.put_off(id)).await {
        tracing::warn!(image = id, %error, "a photo could not be put off");
    }
}

/// Returns for how many milliseconds a photo is left to whoever received it. Without a queue that one is working on it.
fn patience(site: &Site) -> i64 {
    let work = if site.outbox.is_inline() { site.config.job_timeout.saturating_add(TURN) } else { Duration::ZERO };
    UNSENT + i64::try_from(work.as_millis()).unwrap_or(i64::MAX / 2)
}

/// Sends a photo's task again, or does the work where there is nobody to send it to.
async fn send(site: &Site, tries: &Tries, photo: Unsent, trace: Trace) {
    let turn = if site.outbox.is_inline() { Some(site.jobs.turn().await) } else { None };
    match step(site.catalog.claim(&photo)).await {
        Ok(true) => {}
        Ok(false) => return,
        Err(error) => return tracing::warn!(image = photo.id, %error, "a photo could not be claimed"),
    }
    tracing::info!(image = photo.id, "sending a task again");
    let work = if turn.is_some() { site.config.job_timeout } else { Duration::ZERO };
    let sent = timeout(STEP.saturating_add(work), send_or_work(site, &photo.id, photo.uploaded_at, &trace, turn)).await;
    if let Err(error) = sent.unwrap_or(Err(DispatchError::TimedOut)) {
        tracing::warn!(image = photo.id, %error, "a task could not be sent and will be tried again");
        if let DispatchError::Job(error) = error
            && !error.is_outage()
            && let Err(error) = give_up_if_last(site, tries, &photo.id, &error.in_words()).await
        {
            tracing::warn!(image = photo.id, %error, "that a photo was given up could not be noted");
        }
    }
}

/// Gives up a photo that was worked on in vain too often. A queue counts by itself.
async fn give_up_if_last(site: &Site, tries: &Tries, id: &str, why: &str) -> Result<(), DispatchError> {
    let tried = {
        let mut tries = tries.lock().unwrap_or_else(PoisonError::into_inner);
        let tried = tries.entry(id.to_owned()).or_default();
        *tried += 1;
        *tried
    };
    if tried < MOST_TRIES {
        return Ok(());
    }
    let reason = format!("it was given up after {tried} tries: {why}");
    tracing::error!(image = id, reason, "a photo is given up");
    site.jobs.give_up(id, &reason).await?;
    // What was sent to where it is to go is left alone.
    let destination = site.outbox.destination().await?;
    site.catalog.sent(id, &destination).await?;
    tries.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    Ok(())
}

/// Sends a new photo's task, or does the work if others leave time for it, and notes that it was sent.
pub(crate) async fn dispatch(site: &Site, id: &str, uploaded_at: i64, trace: &Trace) -> Result<(), DispatchError> {
    let turn = if site.outbox.is_inline() {
        Some(timeout(TURN, site.jobs.turn()).await.map_err(|_| DispatchError::Busy)?)
    } else {
        None
    };
    send_or_work(site, id, uploaded_at, trace, turn).await
}

async fn send_or_work(
    site: &Site,
    id: &str,
    uploaded_at: i64,
    trace: &Trace,
    turn: Option<Turn<'_>>,
) -> Result<(), DispatchError> {
    // It is looked at before: a task that is sent to what is then removed is not sent to what comes in its place.
    let destination = site.outbox.destination().await?;
    let task = Task::new(id, original_key(id), timestamp(uploaded_at));
    site.outbox.send(&task, trace).await?;
    if let Some(turn) = turn {
        let limit = site.config.job_timeout;
        let done = timeout(limit, site.jobs.work(&turn, id)).await;
        done.map_err(|_| JobError::TimedOut(limit)).flatten()?;
    }
    site.catalog.sent(id, &destination).await?;
    Ok(())
}

/// Removes a photo that is out of sight already: its objects, then its record.
pub(crate) async fn remove(site: &Site, id: &str) -> Result<(), SweepError> {
    site.store.delete_all(&renditions_prefix(id)).await?;
    site.store.delete(&original_key(id)).await?;
    site.catalog.forget(id).await?;
    Ok(())
}
