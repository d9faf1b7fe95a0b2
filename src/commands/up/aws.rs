//! `up` on the target `aws`: a change set is asked for, shown, executed and followed, and the site waited for.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Arguments, Up};
use crate::{
    aws::{
        self, Session, artifacts,
        change_set::{self, Asked, ChangeSet},
        changes::{Changes, Words},
        data::{self, Data},
        operation::{self, Ended, Operation},
        outputs, ready,
        ready::NotReady,
        refusals,
        stack::{self, Stack, State},
    },
    blueprint::{Loaded, lower},
    bundle::Bundle,
    cloudformation::{
        self, Options, PARAMETER_BUCKET, PARAMETER_KEY, PARAMETER_SHA256, TAG_EXPIRES, Template, stack_name,
        stack_tags, termination_protection,
    },
    commands::{
        Context,
        aws::{aws_error, bundle, left, no_bundle, session, time_to_leave},
        signals::{self, Signal, Signals},
    },
    error::{Error, Kind},
    reporter::ReporterExt as _,
    topology::Topology,
};

mod ask;
mod failure;
mod settle;

/// Longest that this machine's clock may differ from AWS's, and a first `up` take before AWS notes when it was.
const CLOCKS_DIFFER_BY: SignedDuration = SignedDuration::from_mins(5);

/// What the instances' programs are called where progress is told.
const BUNDLE: &str = "worker bundle";

/// The part of AWS that templates and workers are made for: China and GovCloud have other service names and certificates.
const PARTITION: &str = "aws";

/// What is to be brought up, and where.
struct Deployment<'a> {
    context: &'a Context,
    arguments: &'a Arguments,
    loaded: &'a Loaded,
    session: Session,
    topology: Topology,
    template: Template,
    text: String,
    bundle: Bundle,
    bucket: String,
    /// The deployed template, where there is one.
    deployed: Option<Value>,
}

/// Runs `up`.
pub(super) async fn run(context: &Context, arguments: &Arguments, loaded: &Loaded) -> Result<u8, Error> {
    let topology = lower(&loaded.blueprint, &context.common.env);
    let template = cloudformation::synthesize(&topology, &Options::default())
        .map_err(|error| Error::new(Kind::Blueprint, error.to_string()))?;
    let session = session(context).await?;
    if session.partition() != PARTITION {
        let (region, partition) = (session.region(), session.partition());
        return Err(Error::new(
            Kind::Usage,
            format!("{region} is in the partition `{partition}`, where names and certificates are others"),
        )
        .hint("choose a region of AWS's commercial partition: --region eu-central-1"));
    }
    let home = Context::home()?;
    let progress = context.ui.progress();
    progress.working(&BUNDLE, "packing");
    let bundle = bundle(arguments.bundle.as_deref(), loaded, &topology, &home.bundles())
        .await
        .map_err(|error| no_bundle(&error))?;
    progress.done(&BUNDLE, format!("{} MB", bundle.bytes.div_ceil(1_000_000)));
    drop(progress);
    let bucket = artifacts::bucket_name(&session);
    let text = template.to_json();
    let mut deployment =
        Deployment { context, arguments, loaded, session, topology, template, text, bundle, bucket, deployed: None };
    let name = stack_name(&deployment.topology.site, &deployment.topology.environment);
    let stack = deployment.settled(&name).await?;
    // On the heap: what goes on meanwhile (an upload, a change set) makes a large future.
    let changed = Box::pin(deployment.deploy(&name, stack)).await?;
    let finished = Box::pin(deployment.finish(&name, changed));
    signals::unless_interrupted(finished, || {
        Error::new(Kind::Cancelled, "left before the site was ready; the stack is made")
            .hint(format!("see how it is: {}", context.command("status")))
            .hint(format!("and go on from there: {}", context.command("up")))
    })
    .await
}

impl Deployment<'_> {
    /// Makes the stack what the blueprint says. Returns whether that changed anything.
    async fn deploy(&mut self, name: &str, stack: Option<Stack>) -> Result<bool, Error> {
        let fresh = stack.as_ref().is_none_or(|stack| stack.state == State::Shell);
        let tags = stack_tags(&self.topology, self.expires(stack.as_ref()).as_deref());
        if let Some(stack) = stack.as_ref().filter(|_| !fresh) {
            let deployed = stack::template(&self.session, &stack.arn).await.map_err(|error| aws_error(&error))?;
            if self.is_deployed(stack, &deployed, &tags) {
                return Ok(false);
            }
            self.deployed = serde_json::from_str(&deployed).ok();
        }
        let set = match self.ask(name, fresh, tags).await? {
            Asked::Changes(set) => set,
            Asked::Nothing => return Ok(false),
            Asked::Refused { reason, found } => return Err(self.refused(name, &reason, &found)),
        };
        let changes = set.changes(&Words { new: &self.template, old: self.deployed.as_ref() });
        self.show(&changes)?;
        if let Err(error) = self.agreed(&changes).await {
            change_set::throw_away(&self.session, &set).await.map_err(|error| aws_error(&error))?;
            return Err(error);
        }
        self.carry_out(&set, &changes, fresh).await?;
        Ok(true)
    }

    /// Tells whether the stack is what the blueprint says, without asking for a change set: that takes seconds.
    fn is_deployed(&self, stack: &Stack, deployed: &str, tags: &[(String, String)]) -> bool {
        let tags_are =
            tags.iter().all(|(key, value)| stack.tags.get(key) == Some(value)) && tags.len() == stack.tags.len();
        let parameters = self.parameters();
        let parameters_are = parameters.iter().all(|(key, value)| stack.parameters.get(key) == Some(value));
        stack.state == State::Ready && deployed == self.text && tags_are && parameters_are
    }

    fn parameters(&self) -> Vec<(String, String)> {
        [
            (PARAMETER_BUCKET, self.bucket.clone()),
            (PARAMETER_KEY, self.bundle.key()),
            (PARAMETER_SHA256, self.bundle.sha256.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// Its time to live counts from when it was made, so that the same blueprint gives the same tags again. By this machine's clock
    /// it was made a little earlier or later than by AWS's: a tag that is about right stays.
    fn expires(&self, stack: Option<&Stack>) -> Option<String> {
        let ttl = SignedDuration::from_secs(i64::try_from(self.topology.ttl_seconds?).ok()?);
        let made = stack.and_then(|stack| Timestamp::from_second(stack.created_at).ok()).unwrap_or_else(Timestamp::now);
        let made = Timestamp::from_second(made.as_second()).unwrap_or(made);
        let expires = made.checked_add(ttl).ok()?;
        let tag = stack.and_then(|stack| stack.tags.get(TAG_EXPIRES));
        let is_right = |tag: &&String| {
            tag.parse::<Timestamp>().is_ok_and(|told| told.duration_since(expires).abs() < CLOCKS_DIFFER_BY)
        };
        Some(tag.filter(is_right).cloned().unwrap_or_else(|| expires.to_string()))
    }

    fn show(&self, changes: &Changes) -> Result<(), Error> {
        if self.context.ui.is_json() {
            return self.context.ui.json(&json!({ "event": "plan", "changes": changes.resources }));
        }
        self.context.ui.note(&format!("{changes}\n"));
        Ok(())
    }

    /// Asks before anything that is there goes, may go, or loses what keeps it. Of what AWS would refuse, it says so.
    async fn agreed(&self, changes: &Changes) -> Result<(), Error> {
        let deployed = self.deployed.as_ref().and_then(|old| old.get("Resources")?.as_object());
        let refused = deployed.and_then(|deployed| refusals::of(deployed, self.template.resources()));
        if let Some((why, what_to_do)) = refused {
            return Err(Error::new(Kind::Usage, why).hint(what_to_do));
        }
        match changes.question() {
            Some(question) => self.context.ui.confirm(self.context.common.yes, &question).await,
            None => Ok(()),
        }
    }

    /// Has CloudFormation do it, and follows it to its end.
    async fn carry_out(&self, set: &ChangeSet, changes: &Changes, fresh: bool) -> Result<(), Error> {
        let wrong = |error| aws_error(&error);
        let progress = self.context.ui.progress();
        let mut operation =
            Operation::follow(&self.session, &set.stack, changes, progress.as_ref()).await.map_err(wrong)?;
        let mut signals = Signals::listen();
        change_set::execute(&self.session, set).await.map_err(wrong)?;
        let ended = tokio::select! {
            ended = operation.ended() => ended.map_err(|error| self.lost_sight(&error))?,
            signal = signals.received() => return Err(self.cancelled(&mut operation, fresh, signal, signals).await),
        };
        if ended.is_success() {
            return Ok(());
        }
        Err(self.failed(&set.stack, &ended, fresh).await)
    }

    /// What was begun goes on whether it can be followed or not, as where the login expires.
    fn lost_sight(&self, error: &aws::Error) -> Error {
        aws_error(error).hint(format!("on AWS it goes on; follow it again: {}", self.context.command("up")))
    }

    /// Ctrl-C or SIGTERM: what is being created is deleted again, and a change is undone. The second signal leaves at once.
    async fn cancelled(
        &self,
        operation: &mut Operation<'_>,
        fresh: bool,
        signal: Signal,
        mut signals: Signals,
    ) -> Error {
        let what = if fresh { "what was created is being deleted" } else { "the change is being undone" };
        if let Err(error) = operation.cancel(fresh).await {
            return aws_error(&error);
        }
        self.context.ui.note(&format!("cancelling: {what} (again to leave at once)"));
        let what = if fresh { "the deletion of what was created" } else { "undoing the change" };
        tokio::select! {
            ended = undone(operation, fresh) => match ended {
                Ok(Ended { state: State::Gone, .. }) => self.deleted_again(operation.arn()).await,
                Ok(ended) if ended.is_success() => {
                    Error::new(Kind::Cancelled, "cancelled too late: the change was complete already")
                        .hint(format!("undo it: change the blueprint back, and run {}", self.context.command("up")))
                }
                Ok(Ended { state: State::Ready, .. }) => Error::new(Kind::Cancelled, "cancelled; the change is undone"),
                Ok(ended) => Error::new(Kind::Failed, format!("cancelled, and left the stack {}", ended.status))
                    .hint(format!("go on from there: {}", self.context.command("up"))),
                Err(error) => aws_error(&error),
            },
            () = time_to_leave(signal, &mut signals) => left(self.context, what),
        }
    }

    /// Bucket and snapshot outlive every stack; of one that was only being made the bucket goes, unless it has been used.
    async fn deleted_again(&self, arn: &str) -> Error {
        let cancelled =
            |but: &str| Error::new(Kind::Cancelled, format!("cancelled; what was created is deleted again{but}"));
        let teardown = self.context.command("teardown");
        match data::remove_unused(&self.session, arn).await {
            Ok(None) => cancelled(""),
            Ok(Some(Data { bucket, database })) => {
                let bucket = bucket.map(|bucket| format!("bucket {bucket}, which is in use already"));
                let snapshot = database.map(|database| format!("the last snapshot of database {database}"));
                let left: Vec<String> = [bucket, snapshot].into_iter().flatten().collect();
                cancelled(&format!(", but for {}", left.join(" and ")))
                    .hint(format!("remove it too: {teardown} --delete-data"))
            }
            Err(error) => cancelled(&format!(", but for what may be left of its data: {error}"))
                .hint(format!("see what there is: {teardown}")),
        }
    }

    /// Protects the stack, retires old bundles, waits for the site, and says where it is.
    async fn finish(&self, name: &str, changed: bool) -> Result<u8, Error> {
        let wrong = |error| aws_error(&error);
        let found = stack::find(&self.session, name).await.map_err(wrong)?;
        let stack =
            found.ok_or_else(|| Error::new(Kind::Failed, format!("stack {name} is gone: somebody deleted it")))?;
        let protected = termination_protection(&self.topology);
        if stack.protected != protected {
            operation::protect(&self.session, &stack.arn, protected).await.map_err(wrong)?;
        }
        self.look_after_bundles(changed).await?;
        if !self.arguments.no_wait {
            self.ready(&stack).await?;
        }
        self.context.ui.result(&Up {
            result: "up",
            env: self.topology.environment.clone(),
            stage: self.topology.stage.clone(),
            target: "aws",
            changed,
            outputs: outputs::of(&self.session, &stack),
            stop: self.context.command("teardown"),
        })?;
        Ok(0)
    }

    async fn ready(&self, stack: &Stack) -> Result<(), Error> {
        let progress = self.context.ui.progress();
        let waited = ready::wait(&self.session, stack, progress.as_ref()).await;
        waited.map_err(|error| match &error {
            NotReady::Aws(error) => aws_error(error),
            NotReady::TimedOut(_) => Error::new(Kind::TimedOut, error.to_string())
                .hint(format!("see why: {}", self.context.command("status")))
                .hint(format!("and what workers say: {}", self.context.command("logs")))
                .hint("end without waiting: --no-wait"),
        })
    }
}

/// Waits until what was begun is undone. The creation may have ended in the moment before its stack was deleted: that is not the end.
async fn undone(operation: &mut Operation<'_>, fresh: bool) -> Result<Ended, aws::Error> {
    loop {
        let ended = operation.ended().await?;
        if !fresh || matches!(ended.state, State::Gone | State::HalfDeleted) {
            return Ok(ended);
        }
    }
}
