//! Takes requests on the control socket.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

use super::environment::Environment;
use crate::{
    local::control::{Answer, Request},
    reporter::{Event, Reporter},
};

/// When the process is out of file descriptors, accepting again at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Longest that the last answers may take to reach their readers.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Serves requests until `shutdown` is cancelled or a client says stop.
pub(super) async fn run(listener: UnixListener, environment: &Arc<Environment>, shutdown: &CancellationToken) {
    let clients = tokio_util::task::TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let environment = Arc::clone(environment);
                let shutdown = shutdown.clone();
                clients.spawn(async move {
                    if let Err(error) = converse(stream, &environment, &shutdown).await {
                        tracing::debug!(%error, "a client went away");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // An operation that is under way stops by itself: it follows `shutdown` too.
    environment.cancel();
    clients.close();
    if tokio::time::timeout(LAST_WORDS, clients.wait()).await.is_err() {
        tracing::debug!("a client did not take its answer");
    }
}

async fn converse(
    stream: UnixStream,
    environment: &Arc<Environment>,
    shutdown: &CancellationToken,
) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut line = String::new();
    BufReader::new(reader).read_line(&mut line).await?;
    let request = match serde_json::from_str::<Request>(&line) {
        Ok(request) => request,
        Err(error) => {
            let message = format!("the background process does not understand the request: {error}");
            let hints = vec!["run `decouple up` of the version that you want".to_owned()];
            return write(&mut writer, &Answer::Failed { cancelled: false, message, hints }).await;
        }
    };
    let (events, mut received) = mpsc::unbounded_channel();
    let stops = matches!(request, Request::Stop);
    let mut work = {
        let environment = Arc::clone(environment);
        // A client that goes away does not stop what it has begun.
        tokio::spawn(async move { answer(request, &environment, &Channel(events)).await })
    };
    let result = loop {
        tokio::select! {
            biased;
            Some(event) = received.recv() => write(&mut writer, &Answer::Event { event }).await?,
            done = &mut work => break done,
        }
    };
    while let Ok(event) = received.try_recv() {
        write(&mut writer, &Answer::Event { event }).await?;
    }
    let answer = result.unwrap_or_else(|error| Answer::Failed {
        cancelled: false,
        message: format!("a bug in the background process: {error}"),
        hints: Vec::new(),
    });
    let written = write(&mut writer, &answer).await;
    if stops {
        shutdown.cancel();
    }
    written
}

async fn answer(request: Request, environment: &Arc<Environment>, reporter: &dyn Reporter) -> Answer {
    match request {
        Request::Hello => Answer::Version { version: env!("CARGO_PKG_VERSION").to_owned() },
        Request::Apply { plan } => environment.apply(*plan, reporter).await,
        Request::Status => Answer::Status { report: Box::new(environment.report().await) },
        Request::Stop => {
            environment.stop(reporter).await;
            Answer::Stopped
        }
    }
}

async fn write(writer: &mut (impl AsyncWriteExt + Unpin), answer: &Answer) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(answer).map_err(std::io::Error::other)?;
    line.push(b'\n');
    writer.write_all(&line).await
}

/// Hands events to the client that asked. One that has gone hears nothing.
struct Channel(mpsc::UnboundedSender<Event>);

impl Reporter for Channel {
    fn report(&self, event: Event) {
        drop(self.0.send(event));
    }
}
