//! Bodies on their way through: limited in size, never idle for long, and given back when nothing was read of them.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::Sleep;

use crate::local::group::UnderWay;

/// A client or an instance that sends nothing for so long is given up on.
const IDLE: Duration = Duration::from_mins(1);

/// What can go wrong with a body on its way.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("the body is larger than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("nothing was sent for {} s", IDLE.as_secs())]
    Idle,
    #[error(transparent)]
    Broken(#[from] hyper::Error),
}

/// The body of an answer.
pub(super) type AnswerBody = UnsyncBoxBody<Bytes, BodyError>;

/// Returns a body that is there whole.
pub(super) fn whole(content: impl Into<Bytes>) -> AnswerBody {
    Full::new(content.into()).map_err(|never| match never {}).boxed_unsync()
}

/// Reads a body with a limit on how long nothing may come.
struct Timed {
    inner: Incoming,
    timer: Pin<Box<Sleep>>,
}

impl Timed {
    fn new(inner: Incoming) -> Self {
        Self { inner, timer: Box::pin(tokio::time::sleep(IDLE)) }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) {
            self.timer.as_mut().reset(tokio::time::Instant::now() + IDLE);
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)));
        }
        ready!(self.timer.as_mut().poll(context));
        Poll::Ready(Some(Err(BodyError::Idle)))
    }
}

/// The body of a request. Clones share it, so that it can be sent to another instance as long as nothing was read.
#[derive(Clone)]
pub(super) struct RequestBody(Arc<Mutex<Shared>>);

struct Shared {
    body: Timed,
    read: u64,
    begun: bool,
    limit: u64,
    too_large: bool,
}

impl RequestBody {
    pub(super) fn new(body: Incoming, limit: u64) -> Self {
        Self(Arc::new(Mutex::new(Shared { body: Timed::new(body), read: 0, begun: false, limit, too_large: false })))
    }

    /// Tells whether the body can still be sent whole.
    pub(super) fn is_whole(&self) -> bool {
        let shared = self.lock();
        !shared.begun || shared.body.inner.is_end_stream() && shared.read == 0
    }

    /// Tells whether the body turned out to be too large.
    pub(super) fn is_too_large(&self) -> bool {
        self.lock().too_large
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut shared = self.lock();
        let frame = ready!(shared.body.poll(context));
        if let Some(Ok(frame)) = &frame {
            shared.begun = true;
            shared.read += frame.data_ref().map_or(0, |data| data.len() as u64);
            if shared.read > shared.limit {
                shared.too_large = true;
                return Poll::Ready(Some(Err(BodyError::TooLarge { limit: shared.limit })));
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.lock().body.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.lock().body.inner.size_hint()
    }
}

/// The body of an instance's answer. The instance counts as busy until all of it has been passed on.
pub(super) struct PassedOn {
    body: Timed,
    _under_way: UnderWay,
}

impl PassedOn {
    pub(super) fn new(body: Incoming, under_way: UnderWay) -> Self {
        Self { body: Timed::new(body), _under_way: under_way }
    }
}

impl Body for PassedOn {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.body.poll(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.inner.size_hint()
    }
}
