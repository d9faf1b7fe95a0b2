//! What `up`, `status`, `outputs` and `teardown` share: the lock of an environment, and its live report.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
};

use super::Context;
use crate::{
    aws::{self, Session, stack::Stack},
    blueprint::Target,
    error::{Error, Kind, chain},
    local::{
        client::{self, ClientError},
        control::{Answer, Request},
        home::Place,
        plan::Plan,
    },
    reporter::Nobody,
    status::{Health, Outputs, Report},
};

/// Holds an environment's lock until it is dropped. The lock is the kernel's: it goes with the process, however that ends.
pub(super) struct Lock {
    _file: File,
}

/// Takes the lock of an environment, or says who has it.
pub(super) fn lock(place: &Place, verb: &str) -> Result<Lock, Error> {
    place.create().map_err(|error| Error::new(Kind::Failed, format!("{}: {error}", place.path().display())))?;
    let path = place.lock();
    let cannot = |error: std::io::Error| Error::new(Kind::Failed, format!("{}: {error}", path.display()));
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(cannot)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            file.take(1_000).read_to_string(&mut owner).map_err(cannot)?;
            let owner = owner.trim();
            return Err(Error::new(Kind::Locked, format!("another run works on the environment: {owner}"))
                .hint("wait until it has ended; if it hangs, end that process"));
        }
        Err(TryLockError::Error(error)) => return Err(cannot(error)),
    }
    let owner = format!("`decouple {verb}`, process {}, since {}\n", std::process::id(), jiff::Timestamp::now());
    file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(owner.as_bytes())).map_err(cannot)?;
    Ok(Lock { _file: file })
}

/// Where an environment is.
pub(super) enum Source {
    /// On this machine.
    Local(Place),
    /// On AWS: its stack as it was found.
    Aws(Session, Box<Stack>),
}

impl Source {
    /// Finds the environment that the flags and the blueprint name.
    pub(super) async fn of(context: &Context) -> Result<Self, Error> {
        match context.target()? {
            Target::Local => context.existing_place().map(Self::Local),
            Target::Aws => {
                let session = super::aws::session(context).await?;
                let stack = super::aws::existing(context, &session).await?;
                Ok(Self::Aws(session, Box::new(stack)))
            }
        }
    }

    /// Returns how it is now.
    pub(super) async fn report(&self, context: &Context) -> Result<Report, Error> {
        match self {
            Self::Local(place) => report(place).await,
            Self::Aws(session, _) => {
                // Looked for anew each time: whoever watches sees a change come and go.
                let stack = super::aws::existing(context, session).await?;
                aws::live::report(session, &stack).await.map_err(|error| super::aws::aws_error(&error))
            }
        }
    }

    /// Returns where things are. There must be something.
    pub(super) async fn outputs(&self, context: &Context) -> Result<Outputs, Error> {
        let (outputs, reason) = match self {
            Self::Local(place) => {
                let report = report(place).await?;
                (report.outputs, report.reason)
            }
            Self::Aws(session, stack) => {
                (aws::outputs::of(session, stack), Some(format!("its stack is {}", stack.status)))
            }
        };
        if outputs.url.is_empty() {
            let reason = reason.unwrap_or_else(|| "it is not up".to_owned());
            return Err(Error::new(Kind::Failed, format!("environment `{}`: {reason}", context.common.env)));
        }
        Ok(outputs)
    }
}

/// Asks the environment how it is. One that is not running is told of from its plan.
pub(super) async fn report(place: &Place) -> Result<Report, Error> {
    match client::ask(place, &Request::Status, &Nobody).await {
        Ok(Answer::Status { report }) => Ok(*report),
        Ok(answer) => Err(unexpected(&answer)),
        // One that dies while it is asked does not run any more either.
        Err(ClientError::NotRunning | ClientError::Ended { .. }) => stopped(place),
        Err(error) => Err(Error::failed(&error)),
    }
}

/// The report of an environment whose background process does not run.
fn stopped(place: &Place) -> Result<Report, Error> {
    let plan = Plan::read(&place.plan()).map_err(|error| Error::new(Kind::Failed, error.to_string()))?;
    Ok(Report {
        env: plan.environment.clone(),
        stage: plan.stage,
        target: "local".to_owned(),
        health: Health::Down,
        reason: Some(format!("it is not running; start it: decouple up --env {}", plan.environment)),
        parts: Vec::new(),
        outputs: Outputs { region: plan.region, bucket: plan.bucket.bucket, ..Outputs::default() },
    })
}

/// Turns a failure that the background process tells of into the command line's.
pub(super) fn failure(cancelled: bool, message: String, hints: Vec<String>) -> Error {
    let kind = if cancelled { Kind::Cancelled } else { Kind::Failed };
    Error { kind, message, hints, diagnostics: Vec::new() }
}

/// The background process answered something else than was asked for.
pub(super) fn unexpected(answer: &Answer) -> Error {
    match answer {
        Answer::Failed { cancelled, message, hints } => failure(*cancelled, message.clone(), hints.clone()),
        other => Error::new(Kind::Bug, format!("the background process answered {other:?}")),
    }
}

/// A client's error as the command line's.
pub(super) fn client_error(error: &ClientError) -> Error {
    Error::new(Kind::Failed, chain(error))
}
