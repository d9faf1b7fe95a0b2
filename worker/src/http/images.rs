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
};
use crate::{
    catalog::Cursor,
    record::{Image, original_key},
    store::StoreError,
    sweep,
};

/// Photos on a page where no limit is asked for.
const PAGE: u32 = 50;
/// Most photos on a page.
const LARGEST_PAGE: u32 = 200;
/// A photo never changes under its address.
const FOR_EVER: &str = "private, max-age=31536000, immutable";

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
    let file = File { key: &key, content_type: &image.content_type, length: image.bytes, disposition: &disposition };
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
    };
    object(&app, file, &method, &headers).await
}

/// An object as it is shown.
struct File<'a> {
    key: &'a str,
    content_type: &'a str,
    length: u64,
    disposition: &'a str,
}

/// Passes an object on as it comes, whole or the range that was asked for.
async fn object(app: &App, file: File<'_>, method: &Method, asked: &HeaderMap) -> Result<Response, Problem> {
    let text = |name: HeaderName| asked.get(name).and_then(|value| value.to_str().ok());
    // Ranges are of GET alone (RFC 9110, 14.2).
    let mut range = text(header::RANGE).filter(|range| *method == Method::GET && is_byte_range(range));
    if let (Some(_), Some(known)) = (range, text(header::IF_RANGE))
        && app.site.store.etag(file.key).await? != known
    {
        // The range is wanted only of what the client has a part of already.
        range = None;
    }
    let object = app.site.store.open(file.key, range).await.map_err(|error| match error {
        StoreError::Range(_) => Problem::RangeNotSatisfiable { length: file.length },
        error => error.into(),
    })?;
    let etag = object.e_tag.clone().unwrap_or_default();
    let mut headers = HeaderMap::new();
    let mut set = |name: HeaderName, value: &str| {
        // What is no valid header, such as an empty ETag of an odd store, is left out.
        if let Ok(value) = HeaderValue::from_str(value)
            && !value.is_empty()
        {
            headers.insert(name, value);
        }
    };
    set(header::ETAG, &etag);
    set(header::CACHE_CONTROL, FOR_EVER);
    if text(header::IF_NONE_MATCH).is_some_and(|known| is_known(known, &etag)) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
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

/// Tells whether an `If-None-Match` names an entity tag. Weak ones count (RFC 9110, 13.1.2), and `*` is any.
fn is_known(known: &str, etag: &str) -> bool {
    let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    let mut known = known.split(',').map(str::trim);
    known.any(|one| one == "*" || !etag.is_empty() && opaque(one) == opaque(etag))
}

/// Tells whether a range is one that is served: one run of bytes. Any other is passed over, and all is sent.
fn is_byte_range(range: &str) -> bool {
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return false;
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    digits(first) && digits(last) && !(first.is_empty() && last.is_empty())
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

    #[test]
    fn only_a_run_of_bytes_is_a_range() {
        for range in ["bytes=0-9", "bytes=5-", "bytes=-5"] {
            assert!(is_byte_range(range), "{range}");
        }
        for range in ["bytes=-", "bytes=0-1,4-5", "lines=0-1", "bytes=a-b", "bytes", ""] {
            assert!(!is_byte_range(range), "{range}");
        }
    }
}
