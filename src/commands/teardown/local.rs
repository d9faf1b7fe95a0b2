//! `teardown` on the target `local`: the background process and its workers are stopped.

use std::{fmt, fs, io, time::Duration};

use serde::Serialize;

use super::Arguments;
use crate::{
    commands::{
        Context,
        environment::{client_error, lock, unexpected},
        signals::interrupted,
    },
    error::{Error, Kind},
    local::{
        client::{self, ClientError},
        control::{Answer, Request},
        daemon::end_left_behind,
        home::Place,
    },
};

/// Workers that a crashed background process left behind may finish for so long.
const LEFT_BEHIND: Duration = Duration::from_secs(10);

#[derive(Serialize)]
struct TornDown {
    result: &'static str,
    env: String,
    /// Directory whose content was kept.
    kept: Option<String>,
}

impl fmt::Display for TornDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let env = &self.env;
        match &self.kept {
            Some(directory) => {
                writeln!(f, "{env} is stopped; photos, records and logs are kept in {directory}")?;
                write!(
                    f,
                    "Go on with them: decouple up --env {env}. Remove them: decouple teardown --env {env} --delete-data"
                )
            }
            None => write!(f, "{env} is stopped and its data is removed"),
        }
    }
}

/// Runs `teardown`.
pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<u8, Error> {
    let place = context.existing_place()?;
    if arguments.delete_data {
        let question = format!("This removes every photo, record and task of `{}`.", context.common.env);
        context.ui.confirm(context.common.yes, &question).await?;
    }
    let held = lock(&place, "teardown")?;
    tokio::select! {
        stopped = stop(context, &place) => stopped?,
        () = interrupted() => {
            return Err(Error::new(Kind::Cancelled, "left; the background process goes on stopping")
                .hint(format!("see that it has: {}", context.command("status")))
                .hint(format!("finish: {}", context.command("teardown"))));
        }
    }
    if arguments.delete_data {
        remove(&place)?;
    }
    drop(held);
    let kept = (!arguments.delete_data).then(|| place.path().display().to_string());
    context.ui.result(&TornDown { result: "teardown", env: context.common.env.clone(), kept })?;
    Ok(0)
}

async fn stop(context: &Context, place: &Place) -> Result<(), Error> {
    let progress = context.ui.progress();
    match client::ask(place, &Request::Stop, progress.as_ref()).await {
        Ok(Answer::Stopped) => client::wait_until_gone(place).await.map_err(|error| client_error(&error)),
        Ok(answer) => Err(unexpected(&answer)),
        // It was killed, or torn down before: its workers may be there still.
        Err(ClientError::NotRunning) => end_left_behind(place, LEFT_BEHIND).await.map(drop).map_err(|error| {
            Error::new(Kind::Failed, format!("workers that were left behind cannot be ended: {error}"))
        }),
        Err(error) => Err(client_error(&error)),
    }
}

/// The plan goes last: as long as it is there, the environment is, and teardown can be repeated.
fn remove(place: &Place) -> Result<(), Error> {
    let cannot = |error: io::Error| {
        Error::new(Kind::Failed, format!("the data in {} cannot be removed: {error}", place.path().display()))
            .hint("run it again")
    };
    for directory in [place.data(), place.logs(), place.instances()] {
        missing_is_fine(fs::remove_dir_all(directory)).map_err(cannot)?;
    }
    missing_is_fine(fs::remove_file(place.plan())).map_err(cannot)?;
    missing_is_fine(fs::remove_dir_all(place.path())).map_err(cannot)
}

fn missing_is_fine(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
