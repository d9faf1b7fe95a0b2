//! `decouple daemon`, hidden: an environment's background process; and `up --foreground`, which keeps it in view.

use std::path::PathBuf;

use clap::Args;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::{Context, environment::Lock, signals::interrupted, up};
use crate::{
    error::{Error, Kind, chain},
    local::{
        client::{self, ClientError},
        control::Request,
        daemon::{self, DaemonError},
        home::Place,
        logs::Follower,
        plan::Plan,
    },
    reporter::Nobody,
};

/// What is logged where nobody says otherwise. The S3 library calls every answer that is no success an error, a missing
/// key included.
const LOGGED: &str = "info,s3s=off";

/// Arguments of `daemon`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Directory of the environment
    directory: PathBuf,
}

/// Runs the background process.
pub(super) async fn run(arguments: &Arguments) -> Result<u8, Error> {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_writer(std::io::stderr)
        .with_env_filter(EnvFilter::try_from_env("DECOUPLE_LOG").unwrap_or_else(|_| EnvFilter::new(LOGGED)))
        .init();
    // It leads no session when it was started in a group of its own; where it does already, nothing is to be done.
    let _leads_already = rustix::process::setsid();
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    tokio::spawn(async move {
        interrupted().await;
        stop.cancel();
    });
    daemon::run(Place::at(&arguments.directory), shutdown).await.map_err(|error| Error::failed(&error))?;
    Ok(0)
}

/// Keeps an environment in view until it is told to stop.
pub(super) async fn foreground(
    context: &Context,
    place: &Place,
    plan: Plan,
    mut environment: JoinHandle<Result<(), DaemonError>>,
    shutdown: CancellationToken,
    held: Lock,
) -> Result<u8, Error> {
    let progress = context.ui.progress();
    tokio::select! {
        answers = answers(place) => answers?,
        ended = &mut environment => return Err(not_started(ended)),
    }
    let applied = tokio::select! {
        applied = up::local::apply(context, place, plan, &progress) => applied,
        () = interrupted() => Err(Error::new(Kind::Cancelled, "cancelled; everything is stopped")),
    };
    drop(held);
    let result = match applied {
        Ok(applied) => {
            context.ui.result(&applied)?;
            tokio::select! {
                () = show_logs(context, place) => {}
                () = interrupted() => {}
                () = shutdown.cancelled() => {}
            }
            Ok(0)
        }
        Err(error) => Err(error),
    };
    context.ui.note("stopping (again to leave at once)");
    shutdown.cancel();
    tokio::select! {
        ended = environment => match ended {
            Ok(Ok(())) => result,
            ended => Err(not_started(ended)),
        },
        () = interrupted() => Err(Error::new(Kind::Cancelled, "left at once; workers that still run are ended by the next `decouple up` or `decouple teardown`")),
    }
}

async fn answers(place: &Place) -> Result<(), Error> {
    loop {
        match client::ask(place, &Request::Hello, &Nobody).await {
            Ok(_) => return Ok(()),
            Err(ClientError::NotRunning) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
            Err(error) => return Err(Error::failed(&error)),
        }
    }
}

fn not_started(ended: Result<Result<(), DaemonError>, tokio::task::JoinError>) -> Error {
    match ended {
        Ok(Ok(())) => Error::new(Kind::Failed, "the environment was stopped"),
        Ok(Err(error @ DaemonError::Running(_))) => {
            Error::new(Kind::Failed, chain(&error)).hint("stop it first: decouple teardown")
        }
        Ok(Err(error)) => Error::failed(&error),
        Err(error) => Error::new(Kind::Bug, error.to_string()),
    }
}

/// Shows what workers log, from now on.
async fn show_logs(context: &Context, place: &Place) {
    let mut follower = Follower::new(&place.logs(), None);
    // What was logged before is not news.
    drop(follower.next_lines());
    loop {
        tokio::time::sleep(super::logs::LOOK).await;
        for line in follower.next_lines().unwrap_or_default() {
            context.ui.note(&super::logs::text(&line));
        }
    }
}
