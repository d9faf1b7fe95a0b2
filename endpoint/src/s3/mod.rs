//! S3 (being built).
use crate::{Config, clock::SharedClock, store::Store};
use http::{Request, Response};
use hyper::body::Incoming;
use s3s::Body;
use std::sync::Arc;
pub(crate) struct S3Front;
impl S3Front {
    pub(crate) fn new(_: &Config, _: Arc<Store>, _: SharedClock) -> Self {
        S3Front
    }
    pub(crate) async fn answer(&self, _: Request<Incoming>) -> Response<Body> {
        crate::route::plain(http::StatusCode::NOT_IMPLEMENTED, "x")
    }
}
