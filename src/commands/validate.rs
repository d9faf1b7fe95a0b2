//! `decouple validate`: every mistake of a blueprint, with its line, in one go.

use std::{fmt, path::PathBuf};

use clap::Args;
use serde::Serialize;

use super::Context;
use crate::{blueprint::Diagnostic, error::Error};

/// Arguments of `validate`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Blueprint to check [default: the one that `up` would read]
    file: Option<PathBuf>,
}

#[derive(Serialize)]
struct Valid {
    result: &'static str,
    name: String,
    stage: &'static str,
    target: &'static str,
    warnings: Vec<Diagnostic>,
}

impl fmt::Display for Valid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "valid: {}, stage {} on {}", self.name, self.stage, self.target)
    }
}

/// Runs `validate`.
pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<u8, Error> {
    let loaded = context.blueprint(arguments.file.as_deref())?;
    context.ui.result(&Valid {
        result: "valid",
        name: loaded.blueprint.name,
        stage: loaded.blueprint.stage.name(),
        target: loaded.blueprint.target.name(),
        warnings: loaded.warnings,
    })?;
    Ok(0)
}
