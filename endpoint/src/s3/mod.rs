//! S3: buckets and objects.
//!
//! The s3s crate speaks the protocol (signatures, presigned URLs, chunked bodies, XML); here is what the operations do, on rows
//! for what is known about an object and files for its bytes. What is not implemented answers 501 with the operation's name,
//! which is the default of the trait.

mod access;
mod acl;
mod api;
mod attributes;
mod buckets;
mod by_id;
mod checksums;
mod complete;
mod conditions;
mod configuration;
mod content;
mod copy;
mod cors;
mod delete;
mod document;
mod encoding;
mod encryption;
mod error;
mod events;
mod expiry;
mod facts;
mod form;
mod form_policy;
mod front;
mod grants;
mod host;
mod kept;
mod keys;
mod lenient;
mod lifecycle;
mod listing;
mod lock;
mod malformed;
mod multipart;
mod notifications;
mod objects;
mod overrides;
mod pages;
mod policy;
mod presigned;
mod reading;
mod regions;
mod restore;
mod retention;
mod rows;
mod settings;
mod signature;
mod tagging;
mod uploads;
mod versions;
mod website;
mod write;

pub(crate) use host::bucket as bucket_in_host;

use std::sync::Arc;

use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Body as _;
use s3s::{
    Body,
    service::{S3Service, S3ServiceBuilder},
};

use cors::Asking;
use error::Failure;
use front::Asked;
use tagging::AskedTags;

use crate::{
    Config, Credentials,
    body::TimedBody,
    clock::SharedClock,
    hosts::is_from_another_site,
    names::Names,
    route::{closing, plain},
    store::Store,
};

/// The protocol in front of the buckets.
pub(crate) struct S3Front {
    service: S3Service,
    buckets: Buckets,
    credentials: Credentials,
}

impl S3Front {
    pub(crate) fn new(config: &Config, store: Arc<Store>, clock: SharedClock) -> Self {
        let names = Names { region: config.region.clone(), account: config.account.clone() };
        let buckets = Buckets { store, clock, names };
        let mut builder = S3ServiceBuilder::new(buckets.clone());
        let credentials = &config.credentials;
        builder.set_auth(keys::OneKey::new(credentials));
        builder.set_host(host::LocalHosts);
        builder.set_access(access::Access::new(buckets.clone()));
        builder.set_route(lenient::Lenient::new(&buckets));
        S3Front { service: builder.build(), buckets, credentials: credentials.clone() }
    }

    pub(crate) async fn answer(&self, request: Request<TimedBody>) -> Response<Body> {
        let late = request.body().lateness();
        let has_body = !request.body().is_end_stream();
        let request = request.map(|body| if has_body { Body::http_body_unsync(body) } else { Body::empty() });
        let asked = Asked::new(&request);
        let (response, allowed) = match self.allowed(&request).await {
            Ok(Some(preflight)) if request.method() == Method::OPTIONS => {
                (Response::new(Body::empty()), Some(preflight))
            }
            Ok(allowed) if allowed.as_ref().is_none_or(HeaderMap::is_empty) && changes_for_another_site(&request) => {
                let reason = "pages of other sites may change what the bucket's CORS configuration allows";
                (front::refusal(Failure::AccessDenied(reason.into())), None)
            }
            Ok(allowed) => {
                let served = self.serve(request).await;
                let too_late = || closing(front::refusal(Failure::RequestTimeout));
                (if late.happened() { too_late() } else { served }, allowed)
            }
            Err(failure) => (front::refusal(failure), None),
        };
        let mut response = asked.finish(response).await;
        response.headers_mut().extend(allowed.unwrap_or_default());
        response
    }

    /// What a page of another origin may have of the answer; none where no page asks. Refuses what is meant for another account.
    async fn allowed(&self, request: &Request<Body>) -> Result<Option<HeaderMap>, Failure> {
        front::check_owner(request, &self.buckets.names.account)?;
        match Asking::of(request)? {
            Some(asking) => asking.allowed(&self.buckets.store).await.map(Some),
            None => Ok(None),
        }
    }

    async fn serve(&self, mut request: Request<Body>) -> Response<Body> {
        if let Err(failure) = malformed::check(&request) {
            return front::refusal(failure);
        }
        // Only a bucket has forms. The crate would read the file whole before it looks at the policy.
        if form::is_form(&request)
            && let Some(bucket) = host::bucket_alone(&request)
        {
            let answer = self.buckets.post_form(request, bucket, &self.credentials).await;
            return answer.unwrap_or_else(front::refusal);
        }
        if form::is_other_post(&request) {
            return front::refusal(Failure::PreconditionFailed(form::ENCLOSURE));
        }
        if let Err(failure) = presigned::check(&request, self.buckets.clock.now()) {
            return front::refusal(failure);
        }
        presigned::hoist(&mut request);
        let overrides = match overrides::asked(&request).and_then(|asked| attributes::check(&request).map(|()| asked)) {
            Ok(overrides) => overrides,
            Err(failure) => return front::refusal(failure),
        };
        let request = match AskedTags::find(request).await {
            Ok(request) => request,
            Err(failure) => return front::refusal(failure),
        };
        self.call(request, overrides).await
    }

    /// Has a request served that is one, and completes its answer with what the crate leaves out.
    async fn call(&self, request: Request<Body>, overrides: HeaderMap) -> Response<Body> {
        let to_set = malformed::bucket_to_set(&request);
        let mut response = self.service.call(request).await.unwrap_or_else(|error| {
            tracing::error!(?error, "an S3 answer could not be written");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "the answer could not be written\n")
        });
        if let Some(bucket) = to_set.filter(|_| malformed::refuses_document(&response))
            && let Err(missing) = self.buckets.bucket(bucket).await
        {
            return front::refusal(missing);
        }
        if overrides::apply_to(response.status(), response.headers()) {
            response.headers_mut().extend(overrides);
        }
        response
    }
}

/// Whether a page of another site is about to change something. What it gets, its browser keeps from it without a rule of CORS.
fn changes_for_another_site(request: &Request<Body>) -> bool {
    is_from_another_site(request.headers()) && !request.method().is_safe()
}

/// The service behind the protocol.
#[derive(Clone)]
pub(crate) struct Buckets {
    store: Arc<Store>,
    clock: SharedClock,
    names: Names,
}
