//! `decouple status`: the live health of every part.

use std::time::Duration;

use clap::Args;

use super::{Context, environment::Source};
use crate::{error::Error, status::Health};

/// How often `--watch` looks.
const LOOK: Duration = Duration::from_secs(2);

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Look again every two seconds, until Ctrl-C
    #[arg(long)]
    watch: bool,
    /// Exit with 1 when something is degraded or down
    #[arg(long)]
    exit_code: bool,
}

/// Runs `status`.
pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<u8, Error> {
    let source = Source::of(context).await?;
    loop {
        let report = source.report(context).await?;
        context.ui.result(&report)?;
        let unwell = report.health != Health::Ok;
        let code = u8::from(arguments.exit_code && unwell);
        if !arguments.watch {
            return Ok(code);
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = super::signals::interrupted() => return Ok(code),
        }
        if !context.ui.is_json() {
            context.ui.line(&"")?;
        }
    }
}
