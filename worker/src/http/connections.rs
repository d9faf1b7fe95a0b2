//! Connections: how they are served, and how they end. Which of them must make room is known to [`places`](super::places).

use std::{
    convert::Infallible,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use decouple_contract::timing;
use http::StatusCode;
use hyper::{
    body::{Frame, Incoming, SizeHint},
    server::conn::http1::Builder,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::{
    places::{Open, Places, UnderWay, Watch},
    problem::Problem,
    route,
};
use crate::{metrics::Doing, requests, site::Site};

/// A head is no longer, and no more of a body is read at once.
const MOST_HEAD: usize = 128 * 1024;
/// When the process is out of file descriptors, accepting again at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `shutdown`, and from then on for as long as something is under way: here, or elsewhere until `finished`.
///
/// A worker that closed its door at once would refuse what a balancer sends that has not noticed yet, and could not say
/// that it is about to end.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    site: &Arc<Site>,
    shutdown: &CancellationToken,
    finished: &CancellationToken,
) {
    let places = Places::new(site.config.max_connections);
    let over = async {
        shutdown.cancelled().await;
        finished.cancelled().await;
        places.quiet().await;
    };
    tokio::select! {
        () = over => {}
        () = accept(&listener, &router, site, &places, shutdown) => {}
    }
    drop(listener);
    places.end().await;
}

async fn accept(
    listener: &TcpListener,
    router: &Router,
    site: &Arc<Site>,
    places: &Places,
    shutdown: &CancellationToken,
) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Only now, when somebody wants the place: one without a request is of use as long as nobody does.
                places.room().await;
                let served = connection(stream, router.clone(), Arc::clone(site), places.open(), shutdown.clone());
                tokio::spawn(served);
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves one connection to its end.
async fn connection(stream: TcpStream, router: Router, site: Arc<Site>, open: Open, shutdown: CancellationToken) {
    let _counted = site.metrics.begin(Doing::Connection);
    // It only makes small answers wait; without it they merely take longer.
    let _slower = stream.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let service =
        service_fn(|request: hyper::Request<Incoming>| {
            let route = route(request.uri().path());
            let begun = open.begin(matches!(route, "/healthz" | "/metrics"));
            let answer = begun.map(|under_way| {
                let watch = under_way.watch();
                let of_the_site = site.requests.begin(route);
                (router.call(request.map(|body| Watched { body, watch })), (under_way, of_the_site))
            });
            let site = &site;
            async move {
                let Some((answer, (request, of_the_site))) = answer else {
                    site.metrics.request(route, StatusCode::SERVICE_UNAVAILABLE.as_u16(), Duration::ZERO);
                    return Ok(Problem::Busy.into_response());
                };
                let answer: Response = answer.await?;
                Ok::<_, Infallible>(answer.map(|body| {
                    Body::new(Watched { body, watch: Held { request, _of_the_site: of_the_site, given: 0 } })
                }))
            }
        });
    let mut server = Builder::new();
    // A client must have sent the head of its request by then. An idle connection counts too.
    let idle = timing::worker_idle(site.config.role, site.config.job_timeout.as_secs());
    server.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(idle)).max_buf_size(MOST_HEAD);
    // Who comes now is served, and then has to look for another worker.
    server.keep_alive(!shutdown.is_cancelled());
    let mut serving = pin!(server.serve_connection(TokioIo::new(stream), service));
    let mut told = shutdown.is_cancelled();
    loop {
        tokio::select! {
            ended = serving.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                }
                return;
            }
            () = open.must_close() => return,
            () = shutdown.cancelled(), if !told => {
                told = true;
                serving.as_mut().graceful_shutdown();
            }
        }
    }
}

/// A body, and what is to be known of how it moves.
struct Watched<B, W> {
    body: B,
    watch: W,
}

/// The body of a request is awaited from the client.
impl<B: hyper::body::Body<Data = Bytes> + Unpin> hyper::body::Body for Watched<B, Watch> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        match &frame {
            Poll::Pending => self.watch.waits(),
            Poll::Ready(frame) => self.watch.moved(length(frame.as_ref())),
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer, whose request ends with it. A part of it is taken by the client when the next is asked for.
struct Held {
    request: UnderWay,
    _of_the_site: Option<requests::UnderWay>,
    given: usize,
}

impl<B: hyper::body::Body<Data = Bytes> + Unpin> hyper::body::Body for Watched<B, Held> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let watch = self.watch.request.watch();
        watch.moved(std::mem::take(&mut self.watch.given));
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(frame) = &frame {
            self.watch.given = length(frame.as_ref());
            watch.waits();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn length<E>(frame: Option<&Result<Frame<Bytes>, E>>) -> usize {
    frame.and_then(|frame| frame.as_ref().ok()?.data_ref()).map_or(0, Bytes::len)
}
