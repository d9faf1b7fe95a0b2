//! `decouple`: a photo site in three stages of decoupling, on one machine or on AWS.
//!
//! Data runs one way: YAML, [`blueprint`], [`topology`], then a target. `docs/architecture.md` draws the house.

pub mod aws;
pub mod blueprint;
pub mod bundle;
pub mod cli;
pub mod cloudformation;
pub mod commands;
pub mod env_vars;
pub mod error;
pub mod local;
pub mod reporter;
pub mod services;
pub mod status;
pub mod topology;
pub mod ui;

use std::{ffi::OsString, process::ExitCode};

use clap::Parser;

/// Reads the command line, runs its verb, and shows its error once.
pub async fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match cli::Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let ui = ui::Ui::new(&cli.common);
    match commands::run(cli, ui).await {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            ui.error(&error);
            ExitCode::from(error.kind.exit_code())
        }
    }
}

/// clap's own text: help and version go to stdout, mistakes to stderr.
fn usage(error: &clap::Error) -> ExitCode {
    // There is nowhere left to say that the stream is gone.
    drop(error.print());
    if error.use_stderr() { ExitCode::from(error::Kind::Usage.exit_code()) } else { ExitCode::SUCCESS }
}
