//! `decouple logs`: what workers log.

use std::time::Duration;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::Context;
use crate::{
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
    let place = context.existing_place()?;
    if let Some(part) = &arguments.part {
        check_part(&place, part)?;
    }
    let since = arguments.since.map(|span| {
        let back = SignedDuration::from_secs(i64::try_from(span.seconds()).unwrap_or(i64::MAX));
        Timestamp::now().checked_sub(back).unwrap_or(Timestamp::MIN)
    });
    let mut follower = Follower::new(&place.logs(), arguments.part.as_deref());
    loop {
        let lines = follower.next_lines().map_err(|error| {
            Error::new(Kind::Failed, format!("the logs in {} cannot be read: {error}", place.logs().display()))
        })?;
        show(context, &lines, since)?;
        if !arguments.follow {
            return Ok(0);
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = super::daemon::interrupted() => return Ok(0),
        }
    }
}

fn check_part(place: &Place, part: &str) -> Result<(), Error> {
    let mut known: Vec<String> = Plan::read(&place.plan())
        .map(|plan| plan.groups.into_iter().map(|group| group.name).collect())
        .unwrap_or_default();
    // Logs of a stage that the environment was in before are still there.
    known.extend(logs::directories(&place.logs()).unwrap_or_default());
    known.sort();
    known.dedup();
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
