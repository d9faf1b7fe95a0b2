//! `decouple list`: all environments.

use std::fmt;

use clap::Args;
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Context, environment};
use crate::{
    error::{Error, Kind},
    local::{home::Place, identity::Identity, plan::Plan},
    status::Health,
};

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct Arguments {}

#[derive(Serialize)]
struct List {
    environments: Vec<Listed>,
}

#[derive(Serialize)]
struct Listed {
    env: String,
    stage: String,
    target: &'static str,
    health: Health,
    url: Option<String>,
    created_at: Option<String>,
    expires_at: Option<String>,
    directory: String,
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.environments.is_empty() {
            return f.write_str("no environments; bring one up: decouple up --stage elb");
        }
        write!(f, "{:<16} {:<8} {:<7} {:<9} {:<22} EXPIRES", "ENV", "STAGE", "TARGET", "HEALTH", "URL")?;
        for listed in &self.environments {
            let Listed { env, stage, target, health, url, expires_at, .. } = listed;
            let (url, expires) = (url.as_deref().unwrap_or("-"), expires_at.as_deref().unwrap_or("never"));
            write!(f, "\n{env:<16} {stage:<8} {target:<7} {:<9} {url:<22} {expires}", health.name())?;
        }
        Ok(())
    }
}

/// Runs `list`.
pub(super) async fn run(context: &Context, _arguments: &Arguments) -> Result<u8, Error> {
    let home = Context::home()?;
    let names = home
        .environments()
        .map_err(|error| Error::new(Kind::Failed, format!("the environments cannot be listed: {error}")))?;
    let listed = join_all(names.iter().map(|name| list(name, home.environment(name)))).await;
    context.ui.result(&List { environments: listed })?;
    Ok(0)
}

/// An environment that cannot be asked is listed as down: the list is for finding it.
async fn list(name: &str, place: Place) -> Listed {
    let report = environment::report(&place).await.ok();
    let plan = Plan::read(&place.plan()).ok();
    let created_at = Identity::read(&place.identity()).ok().map(|identity| identity.created_at);
    let ttl = plan.as_ref().and_then(|plan| plan.ttl_seconds);
    Listed {
        env: name.to_owned(),
        stage: plan.map(|plan| plan.stage).unwrap_or_default(),
        target: "local",
        health: report.as_ref().map_or(Health::Down, |report| report.health),
        url: report.map(|report| report.outputs.url).filter(|url| !url.is_empty()),
        expires_at: created_at.as_deref().and_then(|created| expiry(created, ttl?)),
        created_at,
        directory: place.path().display().to_string(),
    }
}

fn expiry(created: &str, ttl_seconds: u64) -> Option<String> {
    let created: Timestamp = created.parse().ok()?;
    let ttl = SignedDuration::from_secs(i64::try_from(ttl_seconds).ok()?);
    created.checked_add(ttl).ok().map(|expiry| expiry.to_string())
}
