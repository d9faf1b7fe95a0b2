//! The gallery: a few files that are part of the program.

use axum::response::{IntoResponse, Response};
use http::header;

/// Nothing is loaded from anywhere else, and no script or style stands in the page itself.
const POLICY: &str = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'";

pub(super) async fn page() -> Response {
    file("text/html; charset=utf-8", include_str!("../../gallery/index.html"))
}

pub(super) async fn script() -> Response {
    file("text/javascript; charset=utf-8", include_str!("../../gallery/app.js"))
}

pub(super) async fn style() -> Response {
    file("text/css; charset=utf-8", include_str!("../../gallery/style.css"))
}

pub(super) async fn icon() -> Response {
    file("image/svg+xml", include_str!("../../gallery/favicon.svg"))
}

fn file(content_type: &'static str, content: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        // A new version of the program has a new page.
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, content).into_response()
}
