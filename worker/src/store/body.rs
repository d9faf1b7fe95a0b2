//! What is stored as the body of a request.

use std::{
    io,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use bytes::Bytes;
use futures::StreamExt as _;
use hyper::body::{Body, Frame, SizeHint};

use super::content::{Content, Pieces};

impl From<Content> for ByteStream {
    fn from(content: Content) -> Self {
        match content {
            Content::Whole(bytes) => bytes.into(),
            Content::Stream { length, pieces } => {
                Self::new(SdkBody::from_body_1_x(Stream { left: length, pieces: Mutex::new(pieces) }))
            }
        }
    }
}

/// A stream as the body of a request. The SDK wants one that threads may share, though it never does.
struct Stream {
    left: u64,
    pieces: Mutex<Pieces>,
}

impl Body for Stream {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let pieces = self.pieces.get_mut().unwrap_or_else(PoisonError::into_inner);
        let next = pieces.poll_next_unpin(context);
        if let Poll::Ready(Some(Ok(piece))) = &next {
            self.left = self.left.saturating_sub(piece.len() as u64);
        }
        next.map(|next| next.map(|piece| piece.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    #[tokio::test]
    async fn a_stream_arrives_whole_and_says_how_long_it_is() {
        let pieces = stream::iter(["ab", "cde"]).map(|piece| Ok(Bytes::from(piece))).boxed();
        let content = Content::Stream { length: 5, pieces };
        assert_eq!(content.length(), 5);
        let body = ByteStream::from(content);
        assert_eq!(body.size_hint(), (5, Some(5)));
        assert_eq!(body.collect().await.unwrap().into_bytes(), "abcde");
    }
}
