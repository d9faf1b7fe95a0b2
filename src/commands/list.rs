//! `decouple list`: all environments.

use std::fmt;

use clap::Args;
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Context, environment};
use crate::{
    aws::{
        self, Session, environments,
        stack::{Stack, State},
    },
    blueprint::Target,
    cloudformation::{TAG_ENVIRONMENT, TAG_EXPIRES, TAG_STAGE},
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
    /// Of a local environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    directory: Option<String>,
    /// Of one on AWS.
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
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
    let mut environments = Vec::new();
    if context.common.target != Some(Target::Aws) {
        let home = Context::home()?;
        let names = home
            .environments()
            .map_err(|error| Error::new(Kind::Failed, format!("the environments cannot be listed: {error}")))?;
        environments.extend(join_all(names.iter().map(|name| list(name, home.environment(name)))).await);
    }
    match context.common.target {
        Some(Target::Aws) => environments.extend(on_aws(context).await?),
        None if is_logged_in(context) => match on_aws(context).await {
            Ok(found) => environments.extend(found),
            Err(error) => context.ui.note(&format!("environments on AWS are not listed: {error}")),
        },
        None => context.ui.detail(
            "environments on AWS are not listed: nothing here says that you are logged in; ask with --target aws",
        ),
        Some(Target::Local) => {}
    }
    context.ui.result(&List { environments })?;
    Ok(0)
}

/// Nobody who never uses AWS is to wait for it: it is asked where something says that there is a login.
fn is_logged_in(context: &Context) -> bool {
    const NAMES: &[&str] =
        &["AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"];
    let set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    context.common.profile.is_some() || NAMES.iter().any(set)
}

async fn on_aws(context: &Context) -> Result<Vec<Listed>, Error> {
    let session = super::aws::session(context).await?;
    let stacks = environments::all(&session).await.map_err(|error| super::aws::aws_error(&error))?;
    Ok(stacks.iter().map(|stack| listed(&session, stack)).collect())
}

/// The stack's own state is all that is looked at here: `status` looks at every part.
fn listed(session: &Session, stack: &Stack) -> Listed {
    let tag = |name: &str| stack.tags.get(name).cloned();
    let outputs = aws::outputs::of(session, stack);
    Listed {
        env: tag(TAG_ENVIRONMENT).unwrap_or_default(),
        stage: tag(TAG_STAGE).unwrap_or_default(),
        target: "aws",
        health: match stack.state {
            State::Ready => Health::Ok,
            State::Busy(_) | State::HalfChanged | State::Stuck => Health::Degraded,
            State::Shell | State::NeverMade | State::HalfDeleted | State::Gone => Health::Down,
        },
        url: Some(outputs.url).filter(|url| !url.is_empty()),
        created_at: Timestamp::from_second(stack.created_at).ok().map(|created| created.to_string()),
        expires_at: tag(TAG_EXPIRES),
        directory: None,
        region: Some(session.region().to_owned()),
    }
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
        directory: Some(place.path().display().to_string()),
        region: None,
    }
}

fn expiry(created: &str, ttl_seconds: u64) -> Option<String> {
    let created: Timestamp = created.parse().ok()?;
    let ttl = SignedDuration::from_secs(i64::try_from(ttl_seconds).ok()?);
    created.checked_add(ttl).ok().map(|expiry| expiry.to_string())
}
