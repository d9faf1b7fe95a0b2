//! `POST /images`: a photo is stored, recorded, and its task sent; in that order, each step before the next.
//!
//! Whatever dies in between leaves something that the sweep repairs.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use tracing::Instrument as _;

use super::{
    App,
    incoming::{Fault, Incoming, receive},
    names,
    pace::Pace,
    problem::Problem,
};
use crate::{
    catalog::now,
    record::{Image, Part, original_key},
    site::Site,
    store::{Content, StoreError},
    sweep,
    trace::{Carried, Trace},
};

/// Keys of uploads are names in this space.
const KEYS: uuid::Uuid = uuid::uuid!("5b0f6a52-6a3c-4d4e-9c1e-5d0f7f1f2a31");

pub(super) async fn upload(State(app): State<App>, request: Request) -> Response {
    let (id, keyed) = id(request.headers().get("idempotency-key"));
    let trace = Trace::continued(&Carried::by(request.headers()), &id);
    let span = trace.span(&id);
    // What is wrong is logged when it becomes the answer, so that is done inside of the span.
    async move { take(&app, id, keyed, request, trace).await.into_response() }.instrument(span).await
}

async fn take(app: &App, id: String, keyed: bool, request: Request, trace: Trace) -> Result<Response, Problem> {
    let incoming = receive(request, app.site.config.max_upload_bytes, Pace::UPLOAD, &app.room).await?;
    // A client that goes away does not leave a photo half-way.
    let site = Arc::clone(&app.site);
    let accepted = tokio::spawn(async move { accept(&site, id, keyed, incoming, &trace).await }.in_current_span());
    accepted.await.map_err(|error| Problem::Unavailable { part: "request", why: error.to_string() })?
}

/// A client that lost the answer sends the photo again, with the same `Idempotency-Key`: it then is the same photo. An empty
/// key would be everybody's, so it is none. Returns the photo's id, and whether it may have been used before.
fn id(key: Option<&HeaderValue>) -> (String, bool) {
    let (id, keyed) = match key.filter(|key| !key.is_empty()) {
        Some(key) => (uuid::Uuid::new_v5(&KEYS, key.as_bytes()), true),
        None => (uuid::Uuid::now_v7(), false),
    };
    (id.to_string(), keyed)
}

async fn accept(site: &Site, id: String, keyed: bool, incoming: Incoming, trace: &Trace) -> Result<Response, Problem> {
    let Incoming { name, header, content, fault, room } = incoming;
    let image = Image {
        filename: name.map_or_else(|| "photo".to_owned(), |name| names::clean(&name)),
        content_type: header.kind.content_type.to_owned(),
        bytes: content.length(),
        width: header.width,
        height: header.height,
        uploaded_at: now(),
        resize: Part::Pending,
        tag: Part::Pending,
        id,
    };
    if let Some(before) = site.catalog.get(&image.id).await? {
        same(site, &image, content, &fault).await?;
        return Ok(answer(site, &before));
    }
    if !site.catalog.begin(&image, &trace.carried()).await? {
        same(site, &image, content, &fault).await?;
        return overtaken(site, &image).await;
    }
    // What is a stream cannot be compared once it was begun.
    if keyed && content.is_stream() && site.store.exists(&original_key(&image.id)).await? {
        same(site, &image, content, &fault).await?;
    } else {
        keep(site, &image, content, &fault).await?;
    }
    drop(room);
    if !site.catalog.stored(&image).await? {
        return overtaken(site, &image).await;
    }
    tracing::info!(image = image.id, bytes = image.bytes, kind = image.content_type, "a photo was accepted");
    if let Err(error) = sweep::dispatch(site, &image.id, image.uploaded_at, trace).await {
        // The photo is safe and recorded, and the sweep sends what was not sent: to refuse it now would have it sent twice.
        tracing::warn!(image = image.id, %error, "a task could not be sent and will be sent by the sweep");
    }
    let image = site.catalog.get(&image.id).await?.unwrap_or(image);
    Ok(answer(site, &image))
}

/// Stores an original where there is none under its key. One that is the same is as good.
async fn keep(site: &Site, image: &Image, content: Content, fault: &Fault) -> Result<(), Problem> {
    let key = original_key(&image.id);
    let held = if let Content::Whole(bytes) = &content { Some(Content::Whole(bytes.clone())) } else { None };
    match site.store.create(&key, &image.filename, &image.content_type, content).await {
        Ok(()) => Ok(()),
        Err(StoreError::Exists(key)) => match held {
            Some(content) => same(site, image, content, fault).await,
            None => Err(unavailable("bucket", &format!("another upload has stored {key} meanwhile"))),
        },
        // It may have been stored all the same: the sweep looks.
        Err(error) => Err(broken_off(fault).unwrap_or_else(|| error.into())),
    }
}

/// Reads an upload whose key has an original already, and refuses one that is another photo.
async fn same(site: &Site, image: &Image, content: Content, fault: &Fault) -> Result<(), Problem> {
    let came = content.digest().await;
    let came = came.map_err(|error| broken_off(fault).unwrap_or_else(|| unavailable("request", &error)))?;
    match site.store.digest(&original_key(&image.id)).await {
        Ok(stored) if stored == came => Ok(()),
        Ok(_) => Err(Problem::KeyReused),
        // It is stored at this moment, or removed.
        Err(error) => Err(unavailable("bucket", &error)),
    }
}

/// Answers an upload of which another, or a sweep, or who removes the photo has changed the record meanwhile.
async fn overtaken(site: &Site, image: &Image) -> Result<Response, Problem> {
    let before = site.catalog.get(&image.id).await?;
    let before = before.ok_or_else(|| unavailable("catalog", &"the upload's record was removed meanwhile"))?;
    Ok(answer(site, &before))
}

fn broken_off(fault: &Fault) -> Option<Problem> {
    fault.get().cloned()
}

fn unavailable(part: &'static str, why: &impl std::fmt::Display) -> Problem {
    Problem::Unavailable { part, why: why.to_string() }
}

fn answer(site: &Site, image: &Image) -> Response {
    let done = site.outbox.is_inline() && !image.resize.is_pending() && !image.tag.is_pending();
    let status = if done { StatusCode::CREATED } else { StatusCode::ACCEPTED };
    let location = format!("/images/{}", image.id);
    (status, [(header::LOCATION, location)], Json(image.shown())).into_response()
}
