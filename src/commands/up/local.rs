//! `up` on the target `local`: the background process is told what should run.

use std::{
    collections::BTreeMap,
    env, fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::{Arguments, Up};
use crate::{
    blueprint::{self, Loaded},
    commands::{
        Context, daemon as background,
        environment::{client_error, failure, lock, unexpected},
        signals::interrupted,
    },
    env_vars,
    error::{Error, Kind, chain},
    local::{
        client::{self, ClientError},
        control::{Answer, Request},
        daemon,
        home::Place,
        plan::{self, Machine, Plan, REGION},
    },
    reporter::{Nobody, Reporter},
};

/// Runs `up`.
pub(super) async fn run(context: &Context, arguments: &Arguments, loaded: &Loaded) -> Result<u8, Error> {
    let place = context.place()?;
    let plan = plan(context, loaded, &place)?;
    let held = lock(&place, "up")?;
    let fresh = !place.exists();
    let progress = context.ui.progress();
    if arguments.foreground {
        let shutdown = CancellationToken::new();
        let environment = tokio::spawn(daemon::run(place.clone(), shutdown.clone()));
        return background::foreground(context, &place, plan, environment, shutdown, held).await;
    }
    ensure_running(&place, &plan).await?;
    let applied = tokio::select! {
        applied = apply(context, &place, plan, &progress) => applied?,
        () = interrupted() => return Err(cancel(context, &place, fresh).await),
    };
    context.ui.result(&applied)?;
    Ok(0)
}

/// Asks the background process to run the plan.
pub(in crate::commands) async fn apply(
    context: &Context,
    place: &Place,
    plan: Plan,
    progress: &Arc<dyn Reporter>,
) -> Result<impl fmt::Display + Serialize + use<>, Error> {
    let (env, stage) = (plan.environment.clone(), plan.stage.clone());
    match client::ask(place, &Request::Apply { plan: Box::new(plan) }, progress.as_ref()).await {
        Ok(Answer::Applied { outputs, changed }) => {
            let stop = context.command("teardown");
            Ok(Up { result: "up", env, stage, target: "local", changed, outputs, stop })
        }
        Ok(Answer::Failed { cancelled, message, hints }) => Err(failure(cancelled, message, hints)),
        Ok(answer) => Err(unexpected(&answer)),
        Err(error) => Err(client_error(&error)),
    }
}

/// Starts the background process unless it runs. One of another version is replaced: it may not understand the plan.
async fn ensure_running(place: &Place, plan: &Plan) -> Result<(), Error> {
    match client::ask(place, &Request::Hello, &Nobody).await {
        Ok(Answer::Version { version }) if version == plan.version => return Ok(()),
        Ok(_) => {
            client::ask(place, &Request::Stop, &Nobody).await.map_err(|error| client_error(&error))?;
            client::wait_until_gone(place).await.map_err(|error| client_error(&error))?;
        }
        Err(ClientError::NotRunning) => {}
        Err(error) => return Err(client_error(&error)),
    }
    client::start(place).await.map_err(|error| client_error(&error))
}

/// Ctrl-C or SIGTERM: what is being created is taken down again, and a change of what runs is broken off. The second
/// signal leaves at once.
async fn cancel(context: &Context, place: &Place, fresh: bool) -> Error {
    if !fresh {
        return Error::new(Kind::Cancelled, "cancelled; the environment goes on with the change in the background")
            .hint(format!("see how it is: {}", context.command("status")))
            .hint(format!("go on: {}", context.command("up")));
    }
    context.ui.note("cancelling: stopping what was started (again to leave at once)");
    let progress = context.ui.progress();
    tokio::select! {
        stopped = client::ask(place, &Request::Stop, progress.as_ref()) => match stopped {
            Ok(_) | Err(ClientError::NotRunning) => {
                // Nothing was in it yet; what cannot be removed is removed by teardown.
                drop(fs::remove_file(place.plan()));
                Error::new(Kind::Cancelled, "cancelled; what was started is stopped")
            }
            Err(error) => client_error(&error),
        },
        () = interrupted() => {
            Error::new(Kind::Cancelled, "left at once; the background process goes on stopping")
                .hint(format!("see how it is: {}", context.command("status")))
        }
    }
}

/// Turns a blueprint into what should run on this machine.
fn plan(context: &Context, loaded: &Loaded, place: &Place) -> Result<Plan, Error> {
    let topology = blueprint::lower(&loaded.blueprint, &context.common.env);
    let program = program(topology.artifact().and_then(|artifact| artifact.program.as_deref()))?;
    let version =
        sha256(&program).map_err(|error| Error::new(Kind::Failed, format!("{}: {error}", program.display())))?;
    let machine = Machine {
        data: &place.data(),
        program: &program,
        version: &version,
        region: context.common.region.as_deref().unwrap_or(REGION),
        passed: &passed(loaded),
    };
    plan::lower(&topology, &machine).map_err(|error| Error::new(Kind::Bug, chain(&error)))
}

/// What workers are given of the user's own environment: where ONNX Runtime is, and how to log in to a database of the
/// user's, so that no password need stand in the blueprint.
fn passed(loaded: &Loaded) -> BTreeMap<String, String> {
    let database: &[&str] =
        if loaded.blueprint.catalog.url.is_some() { &["PGPASSWORD", "PGPASSFILE", "PGSSLMODE"] } else { &[] };
    let names = ["ORT_DYLIB_PATH"].iter().chain(database);
    names.filter_map(|name| Some(((*name).to_owned(), env::var(name).ok()?))).collect()
}

/// Finds the worker: the user's own, else what `DECOUPLE_WORKER` names, else the one beside this program.
fn program(own: Option<&str>) -> Result<PathBuf, Error> {
    if let Some(own) = own {
        return Ok(PathBuf::from(own));
    }
    if let Some(set) = env::var_os(env_vars::WORKER).filter(|set| !set.is_empty()) {
        return Ok(PathBuf::from(set));
    }
    let beside = env::current_exe().ok().and_then(|own| Some(own.parent()?.join("decouple-worker")));
    beside.filter(|path| path.is_file()).ok_or_else(|| {
        Error::new(Kind::Failed, "the worker `decouple-worker` is not beside `decouple`")
            .hint("build both: cargo build --bin decouple --bin decouple-worker")
            .hint(format!("or say where it is: {}=PATH", env_vars::WORKER))
    })
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    io::copy(&mut fs::File::open(path)?, &mut hasher)?;
    Ok(hex::encode(hasher.finalize()))
}
