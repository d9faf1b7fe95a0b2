//! What is stored as the body of a request, and whether whoever it is sent to takes it.

use std::{
    io,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use bytes::Bytes;
use futures::StreamExt as _;
use hyper::body::{Body, Frame, SizeHint};
use tokio::{sync::watch, time::timeout};

use super::content::{Content, Pieces};

/// Whose turn it is while a stream is stored: who stores it takes the next piece, or waits for the sender's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Taker,
    Sender,
}

/// Watches over a content that is being stored.
pub(super) struct Taking(watch::Receiver<Turn>);

impl Taking {
    /// Waits until who stores a stream has taken nothing for so long though there was something, or has not answered for so long
    /// though it took all. A sender's pause is nothing against it.
    pub(super) async fn stalled(mut self, limit: Duration) {
        loop {
            let turn = *self.0.borrow_and_update();
            if turn == Turn::Sender && self.0.changed().await.is_ok() {
                continue;
            }
            match timeout(limit, self.0.changed()).await {
                Ok(Ok(())) => {}
                // The request gave the stream away: nothing is left but its answer.
                Ok(Err(_)) => return tokio::time::sleep(limit).await,
                Err(_) => return,
            }
        }
    }
}

/// Returns a content as the body of a request, and the watch over it where it is a stream.
pub(super) fn body(content: Content) -> (ByteStream, Option<Taking>) {
    match content {
        Content::Whole(bytes) => (bytes.into(), None),
        Content::Stream { length, pieces } => {
            let (turn, taking) = watch::channel(Turn::Taker);
            let stream = Stream { left: length, pieces: Mutex::new(pieces), turn };
            (ByteStream::new(SdkBody::from_body_1_x(stream)), Some(Taking(taking)))
        }
    }
}

/// A stream as the body of a request. The SDK wants one that threads may share, though it never does.
struct Stream {
    left: u64,
    pieces: Mutex<Pieces>,
    turn: watch::Sender<Turn>,
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
        self.turn.send_replace(if next.is_pending() { Turn::Sender } else { Turn::Taker });
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

    const LIMIT: Duration = Duration::from_millis(20);

    fn stored(pieces: Pieces) -> (ByteStream, Taking) {
        let (body, taking) = body(Content::Stream { length: 5, pieces });
        (body, taking.expect("a stream is watched"))
    }

    #[tokio::test]
    async fn a_stream_arrives_whole_and_says_how_long_it_is() {
        let pieces = stream::iter(["ab", "cde"]).map(|piece| Ok(Bytes::from(piece))).boxed();
        let content = Content::Stream { length: 5, pieces };
        assert_eq!(content.length(), 5);
        let (body, _taking) = body(content);
        assert_eq!(body.size_hint(), (5, Some(5)));
        assert_eq!(body.collect().await.unwrap().into_bytes(), "abcde");
    }

    #[tokio::test]
    async fn a_sender_may_pause_and_who_stores_may_not() {
        let paused = stream::iter([Ok(Bytes::from("ab"))]).chain(stream::pending()).boxed();
        let (mut body, taking) = stored(paused);
        assert_eq!(body.next().await.unwrap().unwrap(), "ab");
        let reading = tokio::spawn(async move { body.next().await.is_some() });
        // It has asked for the next piece when it says whose turn it is.
        let Taking(mut turn) = taking;
        turn.wait_for(|turn| *turn == Turn::Sender).await.unwrap();
        assert!(timeout(LIMIT * 3, Taking(turn).stalled(LIMIT)).await.is_err() && !reading.is_finished());

        let (mut body, taking) = stored(stream::iter(["ab", "cde"]).map(|piece| Ok(Bytes::from(piece))).boxed());
        assert_eq!(body.next().await.unwrap().unwrap(), "ab");
        taking.stalled(LIMIT).await;

        // What was taken whole and is never answered.
        let (body, taking) = stored(stream::iter([Ok(Bytes::from("abcde"))]).boxed());
        body.collect().await.unwrap();
        taking.stalled(LIMIT).await;
    }
}
