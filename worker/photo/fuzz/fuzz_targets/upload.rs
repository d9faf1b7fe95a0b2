//! From any request to a file that was looked at, or to a problem that is the sender's: headers, forms, names, and what a
//! file says of itself.
//!
//! The input is the address, headers, a line each, an empty line, and the body. Modules of the worker are compiled in as they
//! are, without the rest of it: the SDK alone would take longer to build than fuzzing runs.

#![no_main]
#![allow(dead_code, reason = "of the modules' functions only some are driven")]

use std::{convert::Infallible, sync::LazyLock};

use axum::{body::Body, extract::Request, response::IntoResponse as _};
use bytes::Bytes;
use decouple_photo as photo;
use futures::{TryStreamExt as _, stream};
use http::HeaderValue;
use libfuzzer_sys::{Corpus, fuzz_target};
use tokio::runtime::{Builder, Runtime};

use self::store::Content;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().expect("a runtime needs nothing"));

/// A body comes in pieces of so many bytes, so that boundaries of forms lie across them.
const PIECE: usize = 61;
/// Most bytes of an upload.
const LIMIT: usize = 4096;

#[path = "../../../src/store/content.rs"]
mod content;
#[path = "../../../src/http/incoming.rs"]
mod incoming;
#[path = "../../../src/http/names.rs"]
mod names;
#[path = "../../../src/http/pace.rs"]
mod pace;
#[path = "../../../src/http/problem.rs"]
mod problem;
#[path = "../../../src/http/room.rs"]
mod room;

async fn upload(request: Request) {
    let incoming = match incoming::receive(request, LIMIT, pace::Pace::UPLOAD, &room::Room::default()).await {
        Ok(incoming) => incoming,
        Err(problem) => {
            let status = problem.into_response().status();
            assert!(status.is_client_error(), "{status}");
            return;
        }
    };
    let length = incoming.content.length();
    let came = match incoming.content {
        Content::Whole(bytes) => bytes.len(),
        Content::Stream { pieces, .. } => {
            pieces.try_fold(0, async |sum, piece| Ok(sum + piece.len())).await.expect("all of it is there")
        }
    };
    assert_eq!(came as u64, length);
    assert!(came <= LIMIT && incoming.header.width > 0 && incoming.header.height > 0);
    if let Some(name) = incoming.name {
        let name = names::clean(&name);
        assert!(!name.is_empty() && !name.contains(['/', '\\']) && !name.contains(char::is_control), "{name:?}");
        assert!(HeaderValue::from_str(&names::inline(&name)).is_ok(), "{name:?}");
    }
}

/// What the modules know of the store.
mod store {
    pub(crate) use crate::content::{Content, Pieces};

    #[derive(Debug)]
    pub(crate) enum StoreError {
        Missing(String),
        Range(String),
        Failed {},
    }

    impl std::fmt::Display for StoreError {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("the store")
        }
    }
}

/// What they know of the catalog.
mod catalog {
    #[derive(Debug)]
    pub(crate) struct CatalogError;

    impl std::fmt::Display for CatalogError {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("the catalog")
        }
    }
}

/// None where it is no request that a server would pass on.
fn request(input: &[u8]) -> Option<Request> {
    let end = input.windows(2).position(|two| two == b"\n\n")?;
    let (head, body) = (&input[..end], &input[end + 2..]);
    let mut lines = head.split(|byte| *byte == b'\n');
    let mut request = Request::post(lines.next()?);
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        request = request.header(&line[..colon], line[colon + 1..].trim_ascii());
    }
    let pieces: Vec<_> = body.chunks(PIECE).map(|piece| Ok::<_, Infallible>(Bytes::copy_from_slice(piece))).collect();
    request.body(Body::from_stream(stream::iter(pieces))).ok()
}

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some(request) = request(input) else { return Corpus::Reject };
    RUNTIME.block_on(upload(request));
    Corpus::Keep
});
