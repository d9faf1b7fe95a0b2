//! `teardown` on the target `aws`: what goes and what stays is said first; then the stack goes, and the data only if told.

use std::fmt;

use serde::Serialize;

use super::Arguments;
use crate::{
    aws::{
        Session, cause,
        data::{self, Data, Weight},
        environments,
        operation::{self, Operation},
        stack::{self, Doing, Stack, State},
    },
    cloudformation::{TAG_ENVIRONMENT, TAG_EXPIRES, TAG_SITE},
    commands::{
        Context,
        aws::{
            await_others, aws_error, everything, find, left, missing, session, site_name, stack_name, time_to_leave,
        },
        signals::{Signals, unless_interrupted},
    },
    error::{Error, Kind},
};

/// What was done, and what is left.
#[derive(Debug, Serialize)]
struct TornDown {
    result: &'static str,
    env: String,
    target: &'static str,
    /// Whether there was a stack to delete.
    deleted: bool,
    /// What is still there, and costs.
    kept: Vec<String>,
    /// What was removed besides the stack.
    removed: Vec<String>,
    /// The command that removes what is kept.
    #[serde(skip)]
    remove: String,
}

impl fmt::Display for TornDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let env = &self.env;
        write!(f, "{env} is torn down")?;
        for removed in &self.removed {
            write!(f, "\nremoved: {removed}")?;
        }
        for kept in &self.kept {
            write!(f, "\nkept: {kept}")?;
        }
        if !self.kept.is_empty() {
            write!(f, "\nRemove it: {}", self.remove)?;
        }
        Ok(())
    }
}

/// Runs `teardown`.
pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<u8, Error> {
    let session = session(context).await?;
    let mut found = find(context, &session).await?;
    // Nothing is asked, and no data goes, before somebody else's operation is over. A deletion is joined.
    while let Some((stack, State::Busy(doing))) = found.as_ref().map(|stack| (stack, stack.state)) {
        if doing == Doing::Delete {
            break;
        }
        await_others(context, &session, stack, doing).await?;
        found = find(context, &session).await?;
    }
    let torn = Teardown { context, arguments, session, name: stack_name(context)? };
    let done = match found {
        Some(stack) => torn.stack(&stack).await?,
        None => torn.what_is_left().await?,
    };
    context.ui.result(&done)?;
    Ok(0)
}

struct Teardown<'a> {
    context: &'a Context,
    arguments: &'a Arguments,
    session: Session,
    name: String,
}

impl Teardown<'_> {
    async fn stack(&self, stack: &Stack) -> Result<TornDown, Error> {
        let wrong = |error| aws_error(&error);
        let resources = stack::resources(&self.session, &stack.arn).await.map_err(wrong)?;
        let data = self.without_what_others_use(vec![Data::of(&resources)]).await?.remove(0);
        let weight = data::weigh(&self.session, &data).await;
        let short_lived = stack.tags.contains_key(TAG_EXPIRES);
        self.say_beforehand(&data, &weight, resources.len(), short_lived);
        self.agreed(stack).await?;
        // Before the stack goes, as far as that may be: what is written meanwhile is removed with the bucket.
        if let Some(bucket) = self.data_to_delete(&data) {
            let progress = self.context.ui.progress();
            let emptied = async { data::empty(&self.session, bucket, progress.as_ref()).await.map_err(wrong) };
            unless_interrupted(emptied, || self.cut_off("the stack is as it was, and its bucket empty in part"))
                .await?;
        }
        if stack.protected {
            operation::protect(&self.session, &stack.arn, false).await.map_err(wrong)?;
        }
        self.delete(stack).await?;
        self.finish_unless_interrupted(&[data], true, short_lived).await
    }

    /// A bucket outlives its stack, and may be another environment's by now: then it is nobody else's to remove.
    async fn without_what_others_use(&self, mut data: Vec<Data>) -> Result<Vec<Data>, Error> {
        if !self.arguments.delete_data {
            return Ok(data);
        }
        let mut others = environments::all(&self.session).await.map_err(|error| aws_error(&error))?;
        others.retain(|stack| stack.name != self.name);
        for bucket in data.iter_mut().map(|data| &mut data.bucket) {
            let Some(name) = bucket.as_deref() else { continue };
            let user = data::user_of(&self.session, name, &others).await.map_err(|error| aws_error(&error))?;
            if let Some(user) = user {
                self.context.ui.note(&format!("bucket {name} stays: stack {user} uses it"));
                *bucket = None;
            }
        }
        Ok(data)
    }

    fn data_to_delete<'d>(&self, data: &'d Data) -> Option<&'d str> {
        data.bucket.as_deref().filter(|_| self.arguments.delete_data)
    }

    fn say_beforehand(&self, data: &Data, weight: &Weight, resources: usize, short_lived: bool) {
        let ui = &self.context.ui;
        ui.note(&format!("stack {}: {resources} resources go", self.name));
        self.say_bucket(data, weight);
        let delete = self.arguments.delete_data;
        if let Some(database) = &data.database {
            let fate = match (delete, short_lived) {
                (true, _) => "goes, and its snapshots".to_owned(),
                (false, true) => "goes: the environment is short-lived".to_owned(),
                (false, false) => format!("goes; a last snapshot of {} GB stays", weight.database_gb),
            };
            ui.note(&format!("database {database} {fate}"));
        }
        if !delete {
            let weight = if short_lived { Weight { database_gb: 0, ..*weight } } else { *weight };
            ui.note(&format!("keeping it costs about {:.2} USD a month", weight.monthly_cost()));
        }
    }

    fn say_bucket(&self, data: &Data, weight: &Weight) {
        let Some(bucket) = &data.bucket else { return };
        let fate = if self.arguments.delete_data { "goes" } else { "stays" };
        let (objects, more) = (weight.objects, if weight.more { "at least " } else { "" });
        let gigabytes = gigabytes(weight.bytes);
        self.context.ui.note(&format!("bucket {bucket} {fate}: {more}{objects} objects, {gigabytes} GB"));
    }

    async fn say_what_is_left(&self, left: &[Data]) {
        for data in left {
            let weight = data::weigh(&self.session, data).await;
            self.say_bucket(data, &weight);
            if let Some(database) = &data.database {
                let fate = if self.arguments.delete_data { "go" } else { "stay" };
                self.context.ui.note(&format!("snapshots of database {database} {fate}: {} GB", weight.database_gb));
            }
        }
    }

    /// A short-lived environment is torn down by pipelines, without a question; its data is asked for all the same.
    async fn agreed(&self, stack: &Stack) -> Result<(), Error> {
        let env = &self.context.common.env;
        let question = if self.arguments.delete_data {
            format!("This removes every photo, record and task of `{env}` on AWS.")
        } else if stack.protected {
            format!(
                "Environment `{env}` is not short-lived, and protected from deletion. It is torn down all the same."
            )
        } else {
            return Ok(());
        };
        self.context.ui.confirm(self.context.common.yes, &question).await
    }

    /// Deletes the stack, once more where something was in the way the first time.
    async fn delete(&self, stack: &Stack) -> Result<(), Error> {
        let progress = self.context.ui.progress();
        let changes = everything(&self.session, stack).await;
        let mut tries = 0;
        loop {
            let mut operation = Operation::follow(&self.session, &stack.arn, &changes, progress.as_ref())
                .await
                .map_err(|error| aws_error(&error))?;
            let mut signals = Signals::listen();
            // A deletion that is under way is joined.
            if tries > 0 || stack.state != State::Busy(Doing::Delete) {
                operation::delete(&self.session, &stack.arn, None).await.map_err(|error| aws_error(&error))?;
            }
            let ended = tokio::select! {
                ended = operation.ended() => ended.map_err(|error| aws_error(&error))?,
                signal = signals.received() => {
                    self.context.ui.note("a deletion cannot be cancelled; it goes on (again to leave at once)");
                    tokio::select! {
                        ended = operation.ended() => ended.map_err(|error| aws_error(&error))?,
                        () = time_to_leave(signal, &mut signals) => return Err(left(self.context, "the teardown").hint(format!("finish it: {}", self.again()))),
                    }
                }
            };
            if ended.state == State::Gone {
                return Ok(());
            }
            tries += 1;
            if tries == 2 {
                let failure = cause::of(&ended.events, &[]);
                return Err(self.not_gone(&failure));
            }
        }
    }

    fn not_gone(&self, failure: &cause::Failure) -> Error {
        let mut message = format!("stack {} could not be deleted whole; what is left:", self.name);
        for cause in &failure.causes {
            let line = format!("\n  {} ({}): {}", cause.logical_id, cause.kind, cause.reason);
            message.push_str(&line);
        }
        Error::new(Kind::Failed, message).hint(format!("put it right, and go on: {}", self.again()))
    }

    /// The stack is gone already: an earlier teardown was cut off, or kept the data.
    async fn what_is_left(&self) -> Result<TornDown, Error> {
        let (site, env) = (site_name(self.context)?, &self.context.common.env);
        let tags = [(TAG_SITE, site.as_str()), (TAG_ENVIRONMENT, env.as_str())];
        let left = data::left_by(&self.session, &self.name, &tags).await.map_err(|error| aws_error(&error))?;
        if left.is_empty() {
            return Err(missing(self.context, &self.session, &self.name));
        }
        let left = self.without_what_others_use(left).await?;
        self.say_what_is_left(&left).await;
        if self.arguments.delete_data {
            let question = format!("The stack of `{env}` is gone. This removes the photos and records that it left.");
            self.context.ui.confirm(self.context.common.yes, &question).await?;
        }
        self.finish_unless_interrupted(&left, false, false).await
    }

    async fn finish_unless_interrupted(
        &self,
        data: &[Data],
        deleted: bool,
        short_lived: bool,
    ) -> Result<TornDown, Error> {
        let finished = self.finish(data, deleted, short_lived);
        unless_interrupted(finished, || self.cut_off("the stack is gone, and some of its data still there")).await
    }

    /// Left at a point from which another teardown goes on.
    fn cut_off(&self, how_it_is: &str) -> Error {
        Error::new(Kind::Cancelled, format!("left; {how_it_is}")).hint(format!("finish it: {}", self.again()))
    }

    /// The command that goes on from here.
    fn again(&self) -> String {
        let again = self.context.command("teardown");
        if self.arguments.delete_data { format!("{again} --delete-data") } else { again }
    }

    /// Removes the data, or says where it is.
    async fn finish(&self, data: &[Data], deleted: bool, short_lived: bool) -> Result<TornDown, Error> {
        let wrong = |error| aws_error(&error);
        let mut done = TornDown {
            result: "teardown",
            env: self.context.common.env.clone(),
            target: "aws",
            deleted,
            kept: Vec::new(),
            removed: Vec::new(),
            remove: format!("{} --delete-data", self.context.command("teardown")),
        };
        let progress = self.context.ui.progress();
        for Data { bucket, database } in data {
            if !self.arguments.delete_data {
                done.kept.extend(bucket.as_ref().map(|bucket| format!("bucket {bucket}")));
                let snapshot = database.as_ref().filter(|_| !short_lived);
                done.kept.extend(snapshot.map(|database| format!("the last snapshot of database {database}")));
                continue;
            }
            if let Some(bucket) = bucket {
                data::delete_bucket(&self.session, bucket, progress.as_ref()).await.map_err(wrong)?;
                done.removed.push(format!("bucket {bucket}"));
            }
            if let Some(database) = database {
                let snapshots = data::delete_snapshots(&self.session, database).await.map_err(wrong)?;
                done.removed.extend(snapshots.into_iter().map(|snapshot| format!("snapshot {snapshot}")));
            }
        }
        Ok(done)
    }
}

/// One digit more than whole GB says enough.
fn gigabytes(bytes: u64) -> String {
    format!("{}.{}", bytes / 1_000_000_000, bytes % 1_000_000_000 / 100_000_000)
}
