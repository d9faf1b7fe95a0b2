//! `decouple logs`: what workers log.

use std::time::Duration;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Context, environment::Source};
use crate::{
    aws::{
        self, Session,
        stack::{self, Stack},
    },
    blueprint::Span,
    error::{Error, Kind},
    local::{
        home::Place,
        logs::{self, Follower, Line},
        plan::Plan,
    },
};

/// How often `--follow` looks for more.
pub(super) const LOOK: Duration = Duration::from_millis(200);
/// How often it does on AWS, which has lines some seconds late anyway.
const LOOK_ON_AWS: Duration = Duration::from_secs(2);

/// Arguments of `logs`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The group whose workers are meant [default: all]
    part: Option<String>,
    /// Go on showing what is logged, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// Leave out what is older, such as 30s, 10m or 2h
    #[arg(long, value_name = "TIME")]
    since: Option<Span>,
}

#[derive(Serialize)]
struct LineObject<'a> {
    group: &'a str,
    instance: &'a str,
    at: Option<String>,
    line: &'a str,
}

/// Runs `logs`.
pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<u8, Error> {
    let since = arguments.since.map(|span| {
        let back = SignedDuration::from_secs(i64::try_from(span.seconds()).unwrap_or(i64::MAX));
        Timestamp::now().checked_sub(back).unwrap_or(Timestamp::MIN)
    });
    match Source::of(context).await? {
        Source::Local(place) => on_this_machine(context, arguments, &place, since).await,
        Source::Aws(session, stack) => on_aws(context, arguments, &session, &stack, since).await,
    }
}

async fn on_this_machine(
    context: &Context,
    arguments: &Arguments,
    place: &Place,
    since: Option<Timestamp>,
) -> Result<u8, Error> {
    if let Some(part) = &arguments.part {
        check_part(part, &known(place))?;
    }
    let mut follower = Follower::new(&place.logs(), arguments.part.as_deref());
    loop {
        let lines = follower.next_lines().map_err(|error| {
            Error::new(Kind::Failed, format!("the logs in {} cannot be read: {error}", place.logs().display()))
        })?;
        show(context, &lines, since)?;
        if !arguments.follow || is_over(LOOK).await {
            return Ok(0);
        }
    }
}

async fn on_aws(
    context: &Context,
    arguments: &Arguments,
    session: &Session,
    stack: &Stack,
    since: Option<Timestamp>,
) -> Result<u8, Error> {
    let wrong = |error| super::aws::aws_error(&error);
    let mut groups = aws::logs::groups(&stack::resources(session, &stack.arn).await.map_err(wrong)?);
    if let Some(part) = &arguments.part {
        let known: Vec<String> = groups.iter().map(|(name, _)| name.clone()).collect();
        check_part(part, &known)?;
        groups.retain(|(name, _)| name == part);
    }
    let mut reader = aws::logs::Reader::new(session, groups, since.map_or(0, Timestamp::as_millisecond));
    loop {
        let found = reader.next_lines().await.map_err(wrong)?;
        let line = |line: aws::logs::Line| Line {
            at: Timestamp::from_millisecond(line.at).ok(),
            group: line.group,
            instance: line.instance,
            text: line.text,
        };
        show(context, &found.into_iter().map(line).collect::<Vec<_>>(), None)?;
        if !arguments.follow || is_over(LOOK_ON_AWS).await {
            return Ok(0);
        }
    }
}

/// Waits until it is time to look again. Returns whether it is over instead.
async fn is_over(pause: Duration) -> bool {
    tokio::select! {
        () = tokio::time::sleep(pause) => false,
        () = super::signals::interrupted() => true,
    }
}

/// Returns the groups that have logs here, those of a former stage included.
fn known(place: &Place) -> Vec<String> {
    let mut known: Vec<String> = Plan::read(&place.plan())
        .map(|plan| plan.groups.into_iter().map(|group| group.name).collect())
        .unwrap_or_default();
    known.extend(logs::directories(&place.logs()).unwrap_or_default());
    known.sort();
    known.dedup();
    known
}

fn check_part(part: &str, known: &[String]) -> Result<(), Error> {
    if known.iter().any(|name| name == part) {
        return Ok(());
    }
    Err(Error::new(Kind::Usage, format!("there is no group `{part}`"))
        .hint(format!("it is one of: {}", known.join(", "))))
}

fn show(context: &Context, lines: &[Line], since: Option<Timestamp>) -> Result<(), Error> {
    let mut at = None;
    for line in lines {
        at = line.at.or(at);
        if since.is_some_and(|since| at.is_some_and(|at| at < since)) {
            continue;
        }
        if context.ui.is_json() {
            context.ui.json(&LineObject {
                group: &line.group,
                instance: &line.instance,
                at: line.at.map(|at| at.to_string()),
                line: &line.text,
            })?;
        } else {
            context.ui.line(&text(line))?;
        }
    }
    Ok(())
}

/// Returns a line for people: who wrote it, and what.
pub(super) fn text(line: &Line) -> String {
    format!("{}/{}  {}", line.group, line.instance, line.text)
}
