//! `decouple teardown`: stop everything, and keep the data unless told otherwise.

mod aws;
mod local;

use clap::Args;

use super::Context;
use crate::{blueprint::Target, error::Error};

/// Arguments of `teardown`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Remove photos, records, tasks and logs too
    #[arg(long)]
    delete_data: bool,
}

/// Runs `teardown`.
pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<u8, Error> {
    match context.target()? {
        Target::Local => local::run(context, arguments).await,
        Target::Aws => aws::run(context, arguments).await,
    }
}
