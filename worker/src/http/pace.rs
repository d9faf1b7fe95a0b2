//! How fast a body must come in: who sends next to nothing would hold a connection, and a part of an upload, for ever.

use std::time::{Duration, Instant};

use axum::BoxError;
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};

/// How long a sender is waited for. Only waiting counts, not what the store takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// For this long nothing need come.
    pub(super) patience: Duration,
    /// So many bytes buy another second of it.
    pub(super) bytes_a_second: u32,
    /// And this is all that there is.
    pub(super) longest: Duration,
}

impl Pace {
    /// Of uploads. The slowest of mobile networks is ten times as fast.
    pub(super) const UPLOAD: Self =
        Self { patience: Duration::from_secs(15), bytes_a_second: 1024, longest: Duration::from_mins(10) };

    /// How much longer is waited for the next bytes after those that came.
    fn bought_by(self, bytes: usize) -> Duration {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        Duration::from_secs(bytes.into()) / self.bytes_a_second.max(1)
    }
}

/// A body did not come in fast enough.
#[derive(Debug, thiserror::Error)]
#[error("the body came in too slowly")]
pub(super) struct TooSlow;

struct Paced<S> {
    pieces: S,
    pace: Pace,
    patience: Duration,
    left: Duration,
    over: bool,
}

/// Passes a body on for as long as it keeps pace, and ends it with [`TooSlow`] where it does not.
pub(super) fn paced<E>(
    pieces: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
    pace: Pace,
) -> impl Stream<Item = Result<Bytes, BoxError>> + Send
where
    E: Into<BoxError> + Send,
{
    let paced = Paced { pieces, pace, patience: pace.patience, left: pace.longest, over: false };
    stream::unfold(paced, async |mut paced| {
        if paced.over {
            return None;
        }
        let next = paced.next().await?;
        paced.over = next.is_err();
        Some((next, paced))
    })
    .fuse()
}

impl<S, E> Paced<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Into<BoxError>,
{
    async fn next(&mut self) -> Option<Result<Bytes, BoxError>> {
        let begun = Instant::now();
        let next = tokio::time::timeout(self.patience.min(self.left), self.pieces.next()).await;
        let waited = begun.elapsed();
        self.patience = self.patience.saturating_sub(waited);
        self.left = self.left.saturating_sub(waited);
        match next {
            Ok(Some(Ok(piece))) => {
                let bought = self.pace.bought_by(piece.len());
                self.patience = self.patience.saturating_add(bought).min(self.pace.patience);
                Some(Ok(piece))
            }
            Ok(Some(Err(error))) => Some(Err(error.into())),
            Ok(None) => None,
            Err(_) => Some(Err(TooSlow.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    const MOMENT: Duration = Duration::from_millis(20);

    fn piece(bytes: usize) -> Bytes {
        vec![0; bytes].into()
    }

    async fn ending(pieces: impl Stream<Item = Bytes> + Send, pace: Pace) -> (usize, bool) {
        let came: Vec<_> = paced(Box::pin(pieces.map(Ok::<_, Infallible>)), pace).collect().await;
        let slow = came.last().is_some_and(|last| last.as_ref().is_err_and(|error| error.is::<TooSlow>()));
        (came.iter().flatten().map(Bytes::len).sum(), slow)
    }

    #[tokio::test]
    async fn what_comes_at_once_is_passed_on_whole() {
        let pieces = stream::iter([piece(10), piece(20)]);
        assert_eq!(ending(pieces, Pace::UPLOAD).await, (30, false));
    }

    #[tokio::test]
    async fn who_stops_sending_is_not_waited_for() {
        let pace = Pace { patience: MOMENT, ..Pace::UPLOAD };
        let pieces = stream::iter([piece(10)]).chain(stream::pending());
        assert_eq!(ending(pieces, pace).await, (10, true));
    }

    #[tokio::test]
    async fn who_sends_a_byte_now_and_then_is_not_waited_for_either() {
        let dribble = stream::unfold((), async |()| {
            tokio::time::sleep(MOMENT / 10).await;
            Some((piece(1), ()))
        });
        let pace = Pace { patience: MOMENT, ..Pace::UPLOAD };
        assert!(ending(dribble, pace).await.1);
    }

    #[tokio::test]
    async fn nobody_sends_for_ever() {
        let endless = stream::unfold((), async |()| {
            tokio::time::sleep(MOMENT / 10).await;
            Some((piece(1 << 20), ()))
        });
        let pace = Pace { longest: MOMENT, ..Pace::UPLOAD };
        assert!(ending(endless, pace).await.1);
    }
}
