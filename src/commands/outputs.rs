//! `decouple outputs`: where things are, for people, scripts, shells and pipelines.

use std::fmt::Write as _;

use clap::Args;

use super::{Context, environment::Source};
use crate::{
    cli::Output,
    error::{Error, Kind},
    local::identity::Identity,
    status::Outputs,
};

/// Arguments of `outputs`.
#[derive(Debug, Args)]
pub struct Arguments {}

/// Runs `outputs`.
pub(super) async fn run(context: &Context, _arguments: &Arguments) -> Result<u8, Error> {
    let source = Source::of(context).await?;
    let outputs = source.outputs(context).await?;
    match context.common.output {
        Output::Env => {
            let identity = match &source {
                Source::Local(place) => {
                    let read = Identity::read(&place.identity());
                    Some(read.map_err(|error| Error::new(Kind::Failed, error.to_string()))?)
                }
                // Whoever reads them is logged in.
                Source::Aws(..) => None,
            };
            context.ui.line(&shell(&outputs, identity.as_ref()))?;
        }
        Output::Github => context.ui.line(&github(&outputs))?,
        Output::Text | Output::Json => context.ui.result(&outputs)?,
    }
    Ok(0)
}

/// Commands for a POSIX shell. They hold the local endpoint's credentials, which open nothing but this machine's endpoint.
fn shell(outputs: &Outputs, identity: Option<&Identity>) -> String {
    let mut text = String::new();
    let mut export = |name: &str, value: &str| {
        let quoted = value.replace('\'', r"'\''");
        let separator = if text.is_empty() { "" } else { "\n" };
        write!(text, "{separator}export {name}='{quoted}'").expect("a string takes all that is written to it");
    };
    export("DECOUPLE_URL", &outputs.url);
    if !outputs.endpoint_url.is_empty() {
        export("AWS_ENDPOINT_URL", &outputs.endpoint_url);
    }
    export("AWS_REGION", &outputs.region);
    export("AWS_DEFAULT_REGION", &outputs.region);
    if let Some(identity) = identity {
        export("AWS_ACCESS_KEY_ID", &identity.access_key_id);
        export("AWS_SECRET_ACCESS_KEY", &identity.secret_access_key);
    }
    export("DECOUPLE_BUCKET", &outputs.bucket);
    if let Some(arn) = &outputs.topic_arn {
        export("DECOUPLE_TOPIC_ARN", arn);
    }
    for (name, url) in &outputs.queue_urls {
        export(&format!("DECOUPLE_QUEUE_URL_{}", name.to_uppercase()), url);
    }
    text
}

/// Lines for the file of a step's outputs. Credentials are left out: pipelines keep these files.
fn github(outputs: &Outputs) -> String {
    let mut lines = vec![format!("url={}", outputs.url)];
    if !outputs.endpoint_url.is_empty() {
        lines.push(format!("endpoint_url={}", outputs.endpoint_url));
    }
    lines.extend([format!("region={}", outputs.region), format!("bucket={}", outputs.bucket)]);
    lines.extend(outputs.topic_arn.iter().map(|arn| format!("topic_arn={arn}")));
    lines.extend(outputs.dashboard_url.iter().map(|url| format!("dashboard_url={url}")));
    lines.extend(outputs.queue_urls.iter().map(|(name, url)| format!("queue_url_{name}={url}")));
    lines.join("\n")
}
