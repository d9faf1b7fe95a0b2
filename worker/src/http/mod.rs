//! What a worker serves: every role its health and metrics, `all` and `web` the site.
//!
//! [`connections`] owns sockets, [`places`] says who may have one, [`upload`] takes photos, [`images`] shows and removes them, [`address`] says what a path names, [`range`] what is sent of it, [`gallery`] is the page, [`problem`] is every error.

mod address;
mod connections;
mod gallery;
mod health;
mod images;
mod incoming;
mod names;
mod pace;
mod places;
mod problem;
mod range;
mod room;
mod upload;

use std::{sync::Arc, time::Instant};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    middleware::{self, Next},
    response::Response,
    routing::get,
};
use http::header;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};

use crate::{
    metrics::Doing,
    site::Site,
    trace::{Carried, Trace},
};

/// What a form may take beside the file in it.
const FORM: usize = 64 * 1024;

/// What every handler is given.
#[derive(Clone)]
struct App {
    site: Arc<Site>,
    /// Cancelled when nothing new is to be taken.
    shutdown: CancellationToken,
    health: Arc<health::Health>,
    room: room::Room,
}

fn router(app: App) -> Router {
    let mut router = Router::new().route("/healthz", get(health::healthz)).route("/metrics", get(health::metrics));
    if app.site.config.role.serves() {
        router = router
            .route("/", get(gallery::page))
            .route("/app.js", get(gallery::script))
            .route("/style.css", get(gallery::style))
            .route("/favicon.svg", get(gallery::icon))
            .route("/images", get(images::list).post(upload::upload))
            .route("/images/{id}", get(images::get).delete(images::delete))
            .route("/images/{id}/original", get(images::original))
            .route("/images/{id}/renditions/{width}", get(images::rendition));
    }
    router
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(DefaultBodyLimit::max(app.site.config.max_upload_bytes.saturating_add(FORM)))
        .layer(middleware::from_fn_with_state(app.clone(), count))
        .with_state(app)
}

/// Counts every answer and what was missing for it, and keeps browsers from guessing what it is.
async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    let (route, begun) = (route(request.uri().path()), Instant::now());
    let under_way = app.site.metrics.begin(Doing::Request);
    let span = span(&request);
    let mut answer = next.run(request).instrument(span).await;
    drop(under_way);
    app.site.metrics.request(route, answer.status().as_u16(), begun.elapsed());
    if let Some(problem::Away(part)) = answer.extensions().get() {
        app.site.metrics.error(part);
    }
    answer.headers_mut().insert("x-content-type-options", http::HeaderValue::from_static("nosniff"));
    if app.site.requests.are_the_last() {
        // A balancer of TCP moves no connection away from an instance that is about to end.
        answer.headers_mut().insert(header::CONNECTION, http::HeaderValue::from_static("close"));
    }
    answer
}

/// Returns what the log says of everything that is done for a request: whose photo it is about. An upload says so itself.
fn span(request: &Request) -> Span {
    let Some(image) = request.uri().path().strip_prefix("/images/").and_then(|rest| rest.split('/').next()) else {
        return Span::none();
    };
    Trace::continued(&Carried::by(request.headers()), image).span(image)
}

/// Names what a path leads to, whatever is asked for: names of metrics do not come from outside.
fn route(path: &str) -> &'static str {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match parts[..] {
        ["healthz"] => "/healthz",
        ["metrics"] => "/metrics",
        ["images"] => "/images",
        ["images", _] => "/images/{id}",
        ["images", _, "original"] => "/images/{id}/original",
        ["images", _, "renditions", _] => "/images/{id}/renditions/{width}",
        ["" | "app.js" | "style.css" | "favicon.svg"] => "/",
        _ => "other",
    }
}

/// Serves until it is told to stop and everything is finished, here and in the rest of the worker.
pub(crate) async fn serve(
    listener: TcpListener,
    site: Arc<Site>,
    shutdown: CancellationToken,
    finished: CancellationToken,
) {
    let router = router(App {
        site: Arc::clone(&site),
        shutdown: shutdown.clone(),
        health: Arc::default(),
        room: room::Room::default(),
    });
    connections::serve(listener, router, &site, &shutdown, &finished).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_makes_a_name_of_a_metric() {
        assert_eq!(route("/images/1"), "/images/{id}");
        assert_eq!(route("/"), "/");
        for odd in ["", "/images/1/2/3/4", "/\"} 1\n", "//"] {
            assert_eq!(route(odd), "other", "{odd}");
        }
    }
}
