//! `POST /images`: a photo is stored, recorded, and its task sent; in that order, each step before the next.
//!
//! Whatever dies in between leaves something that the sweep repairs.

use std::sync::Arc;

use axum::{
    Json,
    extract::{FromRequest, Multipart, Request, State, multipart::MultipartError},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use http_body_util::LengthLimitError;

use super::{App, names, problem::Problem};
use crate::{
    catalog::now,
    photo,
    queue::Outbox,
    record::{Image, Part, original_key},
    site::Site,
    sweep,
};

/// Keys of uploads are names in this space.
const KEYS: uuid::Uuid = uuid::uuid!("5b0f6a52-6a3c-4d4e-9c1e-5d0f7f1f2a31");

/// A file as it was sent.
struct File {
    name: Option<String>,
    content: Bytes,
}

pub(super) async fn upload(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let id = id(request.headers().get("idempotency-key"));
    let file = receive(request, app.site.config.max_upload_bytes).await?;
    let header = {
        let content = file.content.clone();
        tokio::task::spawn_blocking(move || photo::inspect(&content))
            .await
            .map_err(|_| Problem::Unprocessable("The image's header cannot be read.".to_owned()))??
    };
    let image = Image {
        filename: file.name.map_or_else(|| "photo".to_owned(), |name| names::clean(&name)),
        content_type: header.kind.content_type.to_owned(),
        bytes: file.content.len() as u64,
        width: header.width,
        height: header.height,
        uploaded_at: now(),
        resize: Part::Pending,
        tag: Part::Pending,
        id,
    };
    // A client that goes away does not leave a photo half-way.
    let site = Arc::clone(&app.site);
    let accepted = tokio::spawn(async move { accept(&site, image, file.content).await });
    accepted.await.map_err(|error| Problem::Unavailable(error.to_string()))?
}

/// A client that lost the answer sends the photo again, with the same `Idempotency-Key`: it then is the same photo.
fn id(key: Option<&HeaderValue>) -> String {
    match key {
        Some(key) => uuid::Uuid::new_v5(&KEYS, key.as_bytes()),
        None => uuid::Uuid::now_v7(),
    }
    .to_string()
}

async fn accept(site: &Site, image: Image, content: Bytes) -> Result<Response, Problem> {
    if let Some(before) = site.catalog.get(&image.id).await? {
        return Ok(answer(site, &before));
    }
    site.catalog.begin(&image).await?;
    let key = original_key(&image.id);
    if let Err(error) = site.store.put(&key, &image.content_type, content).await {
        // It may have been stored all the same: the sweep looks.
        return Err(error.into());
    }
    site.catalog.stored(&image.id).await?;
    if let Err(error) = sweep::dispatch(site, &image.id, image.uploaded_at).await {
        // The photo is safe and recorded, and the sweep sends what was not sent: to refuse it now would have it sent twice.
        tracing::warn!(image = image.id, error, "a task could not be sent and will be sent by the sweep");
    }
    let image = site.catalog.get(&image.id).await?.unwrap_or(image);
    Ok(answer(site, &image))
}

fn answer(site: &Site, image: &Image) -> Response {
    let done = matches!(site.outbox, Outbox::Inline) && !image.resize.is_pending() && !image.tag.is_pending();
    let status = if done { StatusCode::CREATED } else { StatusCode::ACCEPTED };
    let location = format!("/images/{}", image.id);
    (status, [(header::LOCATION, location)], Json(image.shown())).into_response()
}

/// Reads the file from the body itself, or from the first file of a form.
async fn receive(request: Request, limit: usize) -> Result<File, Problem> {
    let form = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let file = if form.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("multipart/form-data")) {
        of_form(request, limit).await?
    } else {
        let (parts, body) = request.into_parts();
        let content =
            axum::body::to_bytes(body, limit.saturating_add(1)).await.map_err(|error| broken(&error, limit))?;
        File { name: names::of(&parts.headers, parts.uri.query()), content }
    };
    if file.content.len() > limit {
        return Err(Problem::TooLarge { limit });
    }
    Ok(file)
}

async fn of_form(request: Request, limit: usize) -> Result<File, Problem> {
    let bad = |error: MultipartError| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::TooLarge { limit },
        _ => Problem::BadRequest(error.body_text()),
    };
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|rejection| Problem::BadRequest(rejection.body_text()))?;
    while let Some(field) = form.next_field().await.map_err(bad)? {
        if let Some(name) = field.file_name().map(str::to_owned) {
            return Ok(File { name: Some(name), content: field.bytes().await.map_err(bad)? });
        }
    }
    Err(Problem::BadRequest("The form holds no file.".to_owned()))
}

fn broken(error: &axum::Error, limit: usize) -> Problem {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return Problem::TooLarge { limit };
        }
        cause = error.source();
    }
    Problem::BadRequest("The body ended before it was complete.".to_owned())
}
