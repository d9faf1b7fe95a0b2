//! The body of a request. It ends with an error when its sender says no more for too long: whoever sends a head and then nothing
//! would hold a place among the connections for as long as he likes.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

/// Why there is no more of a body.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("nothing of the request came for {0:?}")]
    Late(Duration),
    #[error(transparent)]
    Connection(#[from] hyper::Error),
}

/// Whether a body came too late. Who reads bodies turns their errors into ones of his own; this is still to be seen then.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lateness(Arc<AtomicBool>);

impl Lateness {
    pub(crate) fn happened(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A body with a limit on how long each of its pieces may take. Time in which nobody asks for more does not count.
pub(crate) struct TimedBody {
    body: Incoming,
    limit: Duration,
    /// Runs from when a piece was asked for that was not there yet.
    timer: Option<Pin<Box<Sleep>>>,
    waits: bool,
    late: Lateness,
}

impl TimedBody {
    pub(crate) fn new(body: Incoming, limit: Duration) -> Self {
        TimedBody { body, limit, timer: None, waits: false, late: Lateness::default() }
    }

    pub(crate) fn lateness(&self) -> Lateness {
        self.late.clone()
    }

    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(self.limit)));
        if !self.waits {
            self.waits = true;
            timer.as_mut().reset(Instant::now() + self.limit);
        }
        timer.as_mut().poll(context).is_ready()
    }
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.waits = false;
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)));
        }
        if !self.is_late(context) {
            return Poll::Pending;
        }
        self.late.0.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err(BodyError::Late(self.limit))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
