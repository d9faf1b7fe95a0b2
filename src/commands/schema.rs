//! `decouple schema`: the JSON schema of blueprints, for editors.

use clap::Args;

use super::Context;
use crate::{blueprint, error::Error};

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub struct Arguments {}

/// Runs `schema`. The result is JSON whatever the output is.
pub(super) fn run(context: &Context, _arguments: &Arguments) -> Result<u8, Error> {
    context.ui.line(&format!("{:#}", blueprint::schema()))?;
    Ok(0)
}
