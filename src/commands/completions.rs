//! `decouple completions`: the completion script of a shell.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Context;
use crate::{cli::Cli, error::Error};

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The shell
    shell: Shell,
}

/// Runs `completions`.
pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<u8, Error> {
    context.ui.line(&script(arguments.shell).trim_end())?;
    Ok(0)
}

/// Returns the completion script of a shell.
pub fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "decouple", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
