//! The verbs: one file each, with its arguments and one function that returns one value.
//!
//! A verb turns domain errors into the command line's error, and its value is printed once, as text or as JSON. Verbs do
//! not touch the terminal but through [`Ui`].

pub mod completions;
pub mod daemon;
pub mod endpoint;
pub mod export;
pub mod list;
pub mod logs;
pub mod outputs;
pub mod schema;
pub mod status;
pub mod teardown;
pub mod up;
pub mod validate;

mod aws;
mod context;
mod environment;
mod signals;

pub use context::Context;

use crate::{
    cli::{Cli, Output, Verb},
    error::{Error, Kind},
    ui::Ui,
};

/// Runs a verb. Returns the process's exit code when all went well: a few verbs say something by it.
pub async fn run(cli: Cli, ui: Ui) -> Result<u8, Error> {
    let fits = match cli.common.output {
        Output::Text | Output::Json => true,
        Output::Env => matches!(cli.verb, Verb::Outputs(_) | Verb::Endpoint(_)),
        Output::Github => matches!(cli.verb, Verb::Outputs(_)),
    };
    if !fits {
        return Err(Error::new(Kind::Usage, "`--output env` and `--output github` are for `decouple outputs`")
            .hint("use `--output json`"));
    }
    let context = Context { common: cli.common, ui };
    match cli.verb {
        Verb::Validate(arguments) => validate::run(&context, &arguments),
        Verb::Up(arguments) => Box::pin(up::run(&context, &arguments)).await,
        Verb::Status(arguments) => status::run(&context, &arguments).await,
        Verb::Outputs(arguments) => outputs::run(&context, &arguments).await,
        Verb::Logs(arguments) => logs::run(&context, &arguments).await,
        Verb::List(arguments) => list::run(&context, &arguments).await,
        Verb::Teardown(arguments) => teardown::run(&context, &arguments).await,
        Verb::Export(arguments) => export::run(&context, &arguments).await,
        Verb::Endpoint(arguments) => endpoint::run(&context, &arguments).await,
        Verb::Schema(arguments) => schema::run(&context, &arguments),
        Verb::Completions(arguments) => completions::run(&context, &arguments),
        Verb::Daemon(arguments) => daemon::run(&arguments).await,
    }
}
