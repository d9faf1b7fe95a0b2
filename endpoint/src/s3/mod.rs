//! S3: buckets and objects.
//!
//! The s3s crate speaks the protocol (signatures, presigned URLs, chunked bodies, XML); here is what the operations do, on rows
//! for what is known about an object and files for its bytes. What is not implemented answers 501 with the operation's name,
//! which is the default of the trait.

mod api;
mod buckets;
mod checksums;
mod complete;
mod conditions;
mod content;
mod copy;
mod delete;
mod encoding;
mod error;
mod events;
mod facts;
mod front;
mod host;
mod keys;
mod listing;
mod multipart;
mod objects;
mod pages;
mod rows;
mod settings;
mod tagging;
mod uploads;
mod versions;
mod write;

use std::sync::Arc;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use s3s::{
    Body,
    service::{S3Service, S3ServiceBuilder},
};

use crate::{Config, clock::SharedClock, names::Names, route::plain, store::Store};

/// The protocol in front of the buckets.
pub(crate) struct S3Front {
    service: S3Service,
}

impl S3Front {
    pub(crate) fn new(config: &Config, store: Arc<Store>, clock: SharedClock) -> Self {
        let names = Names { region: config.region.clone(), account: config.account.clone() };
        let mut builder = S3ServiceBuilder::new(Buckets { store, clock, names });
        let credentials = &config.credentials;
        builder.set_auth(keys::OneKey::new(credentials));
        builder.set_host(host::LocalHosts);
        S3Front { service: builder.build() }
    }

    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let request = request.map(Body::from);
        let asked = front::Asked::new(&request);
        match self.service.call(request).await {
            Ok(response) => asked.finish(response).await,
            Err(error) => {
                tracing::error!(?error, "an S3 answer could not be written");
                plain(StatusCode::INTERNAL_SERVER_ERROR, "the answer could not be written\n")
            }
        }
    }
}

/// The service behind the protocol.
pub(crate) struct Buckets {
    store: Arc<Store>,
    clock: SharedClock,
    names: Names,
}
