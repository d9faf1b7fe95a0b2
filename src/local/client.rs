//! Speaks to an environment's background process, and starts it.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::{fs::OpenOptionsExt, process::CommandExt},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
};

use super::{
    control::{Answer, Request},
    home::Place,
    logs,
};
use crate::reporter::Reporter;

/// A background process that does not answer by then has failed.
const START: Duration = Duration::from_secs(20);
/// How often its socket is tried meanwhile.
const TRY_AGAIN: Duration = Duration::from_millis(5);

/// The background process could not be spoken to.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens: it is not running.
    #[error("the environment's background process is not running")]
    NotRunning,
    /// It was started and ended at once, or never answered.
    #[error("the background process did not start: {why}")]
    NotStarted {
        /// The end of its log.
        why: String,
    },
    /// It ended in the middle of an answer.
    #[error("the background process ended before it had answered; its log is {log}")]
    Ended {
        /// Path of its log.
        log: String,
    },
    /// What it says is not understood.
    #[error("the background process answered what this version of decouple does not understand")]
    Answer(#[source] serde_json::Error),
    /// A file or a socket.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
}

/// Asks, and returns the result. Events on the way are reported.
pub async fn ask(place: &Place, request: &Request, reporter: &dyn Reporter) -> Result<Answer, ClientError> {
    let stream = match UnixStream::connect(place.socket()).await {
        Ok(stream) => stream,
        Err(error) if is_absence(error.kind()) => return Err(ClientError::NotRunning),
        Err(source) => {
            return Err(ClientError::Io { what: format!("{} cannot be opened", place.socket().display()), source });
        }
    };
    let ended = || ClientError::Ended { log: place.daemon_log().display().to_string() };
    let (reader, mut writer) = stream.into_split();
    let mut line = serde_json::to_vec(request).expect("a request has string keys and no failing field");
    line.push(b'\n');
    writer.write_all(&line).await.map_err(|_| ended())?;
    let mut answers = BufReader::new(reader).lines();
    while let Some(line) = answers.next_line().await.map_err(|_| ended())? {
        match serde_json::from_str(&line).map_err(ClientError::Answer)? {
            Answer::Event { event } => reporter.report(event),
            answer => return Ok(answer),
        }
    }
    Err(ended())
}

/// Whether a socket that cannot be opened says that no process is there. A reset is one that died with the connection
/// in its queue: the kernel closes the queue before the socket itself.
fn is_absence(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset)
}

/// Starts the background process, and returns when it answers.
pub async fn start(place: &Place) -> Result<(), ClientError> {
    let cannot = |what: &str| {
        let what = format!("{what} in {}", place.path().display());
        move |source| ClientError::Io { what, source }
    };
    place.create().map_err(cannot("the directories cannot be made"))?;
    let log = open_log(place).map_err(cannot("the log cannot be opened"))?;
    let mut child = spawn(place, &log).map_err(cannot("the background process cannot be started"))?;
    let deadline = tokio::time::Instant::now() + START;
    loop {
        match ask(place, &Request::Hello, &crate::reporter::Nobody).await {
            Err(ClientError::NotRunning) => {}
            Err(error) => return Err(error),
            Ok(_) => return Ok(()),
        }
        let ended = child.try_wait().map_err(cannot("the background process cannot be watched"))?;
        if ended.is_some() || tokio::time::Instant::now() >= deadline {
            let why = logs::tail(&place.daemon_log(), 3).join("\n");
            return Err(ClientError::NotStarted { why });
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
}

/// Waits until the background process has ended, after it said that all is stopped.
pub async fn wait_until_gone(place: &Place) -> Result<(), ClientError> {
    let cannot =
        |source| ClientError::Io { what: format!("{} cannot be locked", place.daemon_lock().display()), source };
    let lock = match OpenOptions::new().write(true).open(place.daemon_lock()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        lock => lock.map_err(cannot)?,
    };
    let deadline = tokio::time::Instant::now() + START;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(cannot(error)),
            Err(TryLockError::WouldBlock) if tokio::time::Instant::now() >= deadline => {
                return Err(cannot(io::ErrorKind::TimedOut.into()));
            }
            Err(TryLockError::WouldBlock) => tokio::time::sleep(TRY_AGAIN).await,
        }
    }
}

/// A log that has grown large is begun anew; the one before is kept.
fn open_log(place: &Place) -> io::Result<File> {
    const LARGE: u64 = 10 * 1024 * 1024;
    let path = place.daemon_log();
    if path.metadata().is_ok_and(|metadata| metadata.len() > LARGE) {
        std::fs::rename(&path, path.with_extension("log.old"))?;
    }
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

fn spawn(place: &Place, log: &File) -> io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .arg("daemon")
        .arg(place.path())
        // It must not keep a directory busy that has nothing to do with it.
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log.try_clone()?)
        // Ctrl-C in the terminal is for whoever asked, not for the environment.
        .process_group(0)
        .spawn()
}
