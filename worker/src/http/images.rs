//! Photos: one, many, their bytes, and their end.

use axum::{
    Json,
    body::Body,
    extract::{Query, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde::Deserialize;
use tokio_util::io::ReaderStream;

use super::{
    App,
    address::{Address, no_image},
    names,
    problem::Problem,
    range::{Part, part},
};
use crate::{
    catalog::Cursor,
    record::{Image, is_of_a_key, original_key},
    store::StoreError,
    sweep,
};

/// Photos on a page where no limit is asked for.
const PAGE: u32 = 50;
/// Most photos on a page.
const LARGEST_PAGE: u32 = 200;
/// A photo never changes under its address, ...
const FOR_EVER: &str = "private, max-age=31536000, immutable";
/// ... but for one that is removed and whose key is then used for another.
const LOOK_EACH_TIME: &str = "private, no-cache";

#[derive(Deserialize)]
pub(super) struct Search {
    q: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

pub(super) async fn list(
    State(app): State<App>,
    search: Result<Query<Search>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let Query(search) = search.map_err(|error| Problem::BadRequest(error.body_text()))?;
    let limit = search.limit.unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
    let query = search.q.unwrap_or_default();
    let cursor = search.cursor.map(|cursor| cursor.parse::<Cursor>()).transpose();
    let cursor = cursor.map_err(|_| Problem::BadRequest("The cursor is none that a page ended with.".to_owned()))?;
    let page = app.site.catalog.search(&query, limit, cursor.as_ref()).await?;
    let images: Vec<_> = page.images.iter().map(Image::shown).collect();
    Ok(Json(serde_json::json!({ "images": images, "next": page.next })).into_response())
}

async fn find(app: &App, id: &str) -> Result<Image, Problem> {
    let found = app.site.catalog.get(id).await?;
    found.ok_or_else(no_image)
}

pub(super) async fn get(State(app): State<App>, Address { id, .. }: Address) -> Result<Response, Problem> {
    let image = find(&app, &id).await?;
    Ok(([(header::CACHE_CONTROL, "no-cache")], Json(image.shown())).into_response())
}

pub(super) async fn delete(State(app): State<App>, Address { id, .. }: Address) -> Result<StatusCode, Problem> {
    if !app.site.catalog.begin_delete(&id).await? {
        return Err(no_image());
    }
    if let Err(error) = sweep::remove(&app.site, &id).await {
        // It is out of sight; its objects go with the next sweep.
        tracing::warn!(image = id, %error, "a photo's objects could not be removed yet");
    }
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn original(
    State(app): State<App>,
    Address { id, .. }: Address,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let image = find(&app, &id).await?;
    let (key, disposition) = (original_key(&id), names::inline(&image.filename));
    let file = File {
        key: &key,
        content_type: &image.content_type,
        length: image.bytes,
        disposition: &disposition,
        caching: caching(&id),
    };
    object(&app, file, &method, &headers).await
}

pub(super) async fn rendition(
    State(app): State<App>,
    Address { id, width }: Address,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let image = find(&app, &id).await?;
    let rendition = image.resize.results().iter().find(|rendition| Some(rendition.width) == width);
    let rendition = rendition.ok_or_else(|| Problem::NotFound("There is no rendition of this width.".to_owned()))?;
    let file = File {
        key: &rendition.key,
        content_type: &rendition.content_type,
        length: rendition.bytes,
        disposition: "inline",
        caching: caching(&id),
    };
    object(&app, file, &method, &headers).await
}

/// An object as it is shown.
struct File<'a> {
    key: &'a str,
    content_type: &'a str,
    length: u64,
    disposition: &'a str,
    caching: &'static str,
}

fn caching(id: &str) -> &'static str {
    if is_of_a_key(id) { LOOK_EACH_TIME } else { FOR_EVER }
}

/// Passes an object on as it comes, whole or the range that was asked for.
async fn object(app: &App, file: File<'_>, method: &Method, asked: &HeaderMap) -> Result<Response, Problem> {
    let text = |name: HeaderName| asked.get(name).and_then(|value| value.to_str().ok());
    // Ranges are of GET alone (RFC 9110, 14.2).
    let range = text(header::RANGE).filter(|_| *method == Method::GET);
    let (condition, part) = (text(header::IF_NONE_MATCH), range.map_or(Part::Whole, |range| part(range, file.length)));
    let known_part = text(header::IF_RANGE).filter(|_| part != Part::Whole);
    if condition.is_some() || known_part.is_some() {
        let etag = app.site.store.etag(file.key).await?;
        // It comes before the range (RFC 9110, 13.2.2): who has all of it needs no part.
        if condition.is_some_and(|known| is_known(known, &etag)) {
            return Ok((StatusCode::NOT_MODIFIED, cached(&file, &etag)).into_response());
        }
        if known_part.is_some_and(|known| known != etag) {
            // The range is wanted only of what the client has a part of already.
            return whole_or_part(app, file, Part::Whole).await;
        }
    }
    whole_or_part(app, file, part).await
}

async fn whole_or_part(app: &App, file: File<'_>, part: Part) -> Result<Response, Problem> {
    let range = match part {
        Part::Whole => None,
        Part::Run(first, last) => Some(format!("bytes={first}-{last}")),
        Part::None => return Err(Problem::RangeNotSatisfiable { length: file.length }),
    };
    let object = app.site.store.open(file.key, range.as_deref()).await.map_err(|error| match error {
        StoreError::Range(_) => Problem::RangeNotSatisfiable { length: file.length },
        error => error.into(),
    })?;
    let mut headers = cached(&file, object.e_tag.as_deref().unwrap_or_default());
    let mut set = |name, value: &str| set(&mut headers, name, value);
    set(header::CONTENT_TYPE, file.content_type);
    set(header::CONTENT_DISPOSITION, file.disposition);
    set(header::ACCEPT_RANGES, "bytes");
    set(header::CONTENT_LENGTH, &object.content_length.unwrap_or_default().to_string());
    let status = match &object.content_range {
        Some(range) => {
            set(header::CONTENT_RANGE, range);
            StatusCode::PARTIAL_CONTENT
        }
        None => StatusCode::OK,
    };
    // An SVG or HTML in disguise is not taken in the first place; should one ever be stored, it may do nothing.
    set(header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox");
    let body = Body::from_stream(ReaderStream::new(object.body.into_async_read()));
    Ok((status, headers, body).into_response())
}

/// Returns what every answer says of an object, that it is known too.
fn cached(file: &File<'_>, etag: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    set(&mut headers, header::ETAG, etag);
    set(&mut headers, header::CACHE_CONTROL, file.caching);
    headers
}

/// What is no valid header, such as an empty ETag of an odd store, is left out.
fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value)
        && !value.is_empty()
    {
        headers.insert(name, value);
    }
}

/// Tells whether an `If-None-Match` names an entity tag. Weak ones count (RFC 9110, 13.1.2), and `*` is any.
fn is_known(known: &str, etag: &str) -> bool {
    let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    let mut known = known.split(',').map(str::trim);
    known.any(|one| one == "*" || !etag.is_empty() && opaque(one) == opaque(etag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_tag_is_known_whether_it_is_weak_or_not() {
        for known in ["\"a\"", "W/\"a\"", "\"b\", W/\"a\"", "*"] {
            assert!(is_known(known, "\"a\""), "{known}");
        }
        for other in ["", "a", "\"b\"", "W/\"b\"", "W/"] {
            assert!(!is_known(other, "\"a\"") && !is_known(other, ""), "{other}");
        }
    }
}
