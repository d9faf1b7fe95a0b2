//! `decouple up`: provision, ship the worker, and wait until it is healthy.

mod aws;
pub(super) mod local;

use std::{fmt, path::PathBuf};

use clap::Args;
use serde::Serialize;

use super::Context;
use crate::{
    blueprint::Target,
    error::{Error, Kind},
    status::Outputs,
};

/// Arguments of `up`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Local: stay in the foreground, show what workers log, and stop everything on Ctrl-C
    #[arg(long)]
    foreground: bool,
    /// AWS: worker bundle to ship in place of the built-in one
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// AWS: CloudFormation's express mode: resources count as made once they are configured
    #[arg(long)]
    express: bool,
    /// AWS: end when the stack is made, before instances and database are ready
    #[arg(long)]
    no_wait: bool,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Up {
    result: &'static str,
    env: String,
    stage: String,
    target: &'static str,
    changed: bool,
    outputs: Outputs,
    /// The command that stops it all.
    #[serde(skip)]
    stop: String,
}

impl fmt::Display for Up {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { env, stage, changed, outputs, stop, .. } = self;
        let word = if *changed { "up" } else { "up already, unchanged" };
        writeln!(f, "{env} ({stage}) is {word}")?;
        writeln!(f)?;
        writeln!(f, "{outputs}")?;
        writeln!(f)?;
        write!(f, "Open {} and drop in a photo. Stop it all: {stop}", outputs.url)
    }
}

/// Runs `up`.
pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<u8, Error> {
    let loaded = context.blueprint(None)?;
    let Arguments { foreground, bundle, express, no_wait } = arguments;
    match loaded.blueprint.target {
        Target::Local if bundle.is_some() || *express || *no_wait => {
            Err(Error::new(Kind::Usage, "`--bundle`, `--express` and `--no-wait` are for the target `aws`")
                .hint("say that it is meant: --target aws"))
        }
        Target::Local => local::run(context, arguments, &loaded).await,
        Target::Aws if *foreground => Err(Error::new(Kind::Usage, "`--foreground` is for the target `local`")
            .hint("see what workers log: decouple logs --follow")),
        Target::Aws => Box::pin(aws::run(context, arguments, &loaded)).await,
    }
}
