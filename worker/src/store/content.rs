//! What is stored: bytes that are at hand, or a stream of them whose length is known.

use std::io;

use bytes::Bytes;
use futures::stream::BoxStream;

/// Bytes as they come.
pub(crate) type Pieces = BoxStream<'static, io::Result<Bytes>>;

/// The content of an object that is to be stored.
pub(crate) enum Content {
    /// At hand, so that a request that failed can be made again.
    Whole(Bytes),
    /// Passed on as it comes, once. S3 takes nothing whose length it is not told before.
    Stream { length: u64, pieces: Pieces },
}

impl Content {
    pub(crate) fn is_stream(&self) -> bool {
        matches!(self, Self::Stream { .. })
    }

    pub(crate) fn length(&self) -> u64 {
        match self {
            Self::Whole(bytes) => bytes.len() as u64,
            Self::Stream { length, .. } => *length,
        }
    }
}
