//! The background process of one environment: it owns everything that runs.
//!
//! It is started by [`client`](super::client), takes requests on a Unix socket, and ends when it is told to or gets
//! SIGTERM. If it is killed, the next one ends the workers that were left behind and starts anew from the plan.

mod apply;
mod environment;
mod listen;
mod provision;
mod report;
mod scaling;
mod serve;

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    sync::Arc,
    time::Duration,
};

use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

use self::environment::Environment;
use super::{files, home::Place, identity::Identity, process};

/// Workers that a crashed background process left behind may finish for so long.
const LEFT_BEHIND: Duration = Duration::from_secs(5);

/// The background process could not start, or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Another one runs for the same environment.
    #[error("another background process runs for the environment in {0}")]
    Running(String),
    /// A file or a socket.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The endpoint's store.
    #[error("the endpoint's store cannot be opened")]
    Endpoint(#[from] decouple_endpoint::OpenError),
}

/// Says what was tried when a file or a socket failed.
fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> DaemonError {
    let what = what.into();
    move |source| DaemonError::Io { what, source }
}

/// Runs the background process of an environment until `shutdown` is cancelled or a client says stop.
pub async fn run(place: Place, shutdown: CancellationToken) -> Result<(), DaemonError> {
    files::raise_limit();
    let in_place = |what: &str| io_error(format!("{what} in {}", place.path().display()));
    place.create().map_err(in_place("the directories cannot be made"))?;
    let _lock = lock(&place)?;
    let ended = process::end_all(&place.instances(), LEFT_BEHIND)
        .await
        .map_err(in_place("what was left behind cannot be ended"))?;
    if ended > 0 {
        tracing::info!(ended, "ended workers that were left behind");
    }
    let mut identity =
        Identity::read_or_create(&place.identity()).map_err(in_place("the identity cannot be read or written"))?;
    let listener =
        listen::endpoint(identity.endpoint_port).await.map_err(io_error("the endpoint finds no free port"))?;
    let port = listener.local_addr().map_err(io_error("the endpoint's socket has no address"))?.port();
    if identity.endpoint_port != Some(port) {
        identity.endpoint_port = Some(port);
        identity.write(&place.identity()).map_err(in_place("the identity cannot be written"))?;
    }
    let endpoint = environment::open_endpoint(&place, &identity).await?;
    let end_endpoint = CancellationToken::new();
    let endpoint = tokio::spawn(endpoint.serve(listener, end_endpoint.clone()));

    let environment = Arc::new(Environment::new(place.clone(), identity, port));
    let control = bind_control(&place).map_err(io_error("the control socket cannot be made"))?;
    tracing::info!(endpoint_port = port, "ready");
    serve::run(control, &environment, &shutdown).await;

    environment.stop(&crate::reporter::Nobody).await;
    end_endpoint.cancel();
    match endpoint.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "the endpoint ended abnormally"),
        Err(error) => tracing::error!(%error, "the endpoint ended abnormally"),
    }
    // A socket that cannot be removed is replaced by the next background process.
    drop(fs::remove_file(place.socket()));
    tracing::info!("stopped");
    Ok(())
}

/// Ends workers that a crashed background process left behind. Returns how many there were.
pub async fn end_left_behind(place: &Place, patience: Duration) -> io::Result<usize> {
    match process::end_all(&place.instances(), patience).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        ended => ended,
    }
}

/// One background process an environment: the lock is the kernel's, so a crash gives it back.
fn lock(place: &Place) -> Result<File, DaemonError> {
    let path = place.daemon_lock();
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(io_error(format!("{} cannot be opened", path.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(DaemonError::Running(place.path().display().to_string())),
        Err(fs::TryLockError::Error(source)) => {
            Err(DaemonError::Io { what: format!("{} cannot be locked", path.display()), source })
        }
    }
}

/// The lock is held, so a socket that is there already is a dead process's.
fn bind_control(place: &Place) -> io::Result<UnixListener> {
    let path = place.socket();
    if let Some(directory) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    UnixListener::bind(path)
}
