//! Telling whether two contents are the same, without holding either.

use std::io;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use sha2::{Digest as _, Sha256};

use super::{Content, Store, StoreError};

/// The SHA-256 of a content.
pub(crate) type Digest = [u8; 32];

impl Content {
    /// Reads it to its end.
    pub(crate) async fn digest(self) -> io::Result<Digest> {
        match self {
            Self::Whole(bytes) => digest(stream::iter([Ok(bytes)])).await,
            Self::Stream { pieces, .. } => digest(pieces).await,
        }
    }
}

impl Store {
    /// Reads an object to its end.
    pub(crate) async fn digest(&self, key: &str) -> Result<Digest, StoreError> {
        let body = self.open(key, None).await?.body;
        let pieces = stream::unfold(body, async |mut body| Some((body.next().await?, body)));
        let failed = |why: String| StoreError::Failed { operation: "get", key: key.to_owned(), why };
        digest(pieces).await.map_err(|error| failed(error.to_string()))
    }
}

async fn digest<E>(pieces: impl Stream<Item = Result<Bytes, E>>) -> Result<Digest, E> {
    let mut pieces = std::pin::pin!(pieces);
    let mut digest = Sha256::new();
    while let Some(piece) = pieces.next().await {
        digest.update(&piece?);
    }
    Ok(digest.finalize().into())
}
