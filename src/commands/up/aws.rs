//! `up` on the target `aws`: a change set is asked for, shown, executed and followed, and the site waited for.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Arguments, Up};
use crate::{
    aws::{
        Session, artifacts,
        change_set::{self, Asked, ChangeSet, Source, Wanted},
        changes::{Changes, Words},
        environments,
        operation::{self, Ended, Operation},
        outputs, ready,
        ready::NotReady,
        stack::{self, Stack, State},
    },
    blueprint::{Loaded, lower},
    bundle::Bundle,
    cloudformation::{
        self, CAPABILITY, INLINE_LIMIT, Options, PARAMETER_BUCKET, PARAMETER_KEY, PARAMETER_SHA256, TAG_EXPIRES,
        Template, stack_name, stack_tags, termination_protection,
    },
    commands::{
        Context,
        aws::{aws_error, bundle, command, left, no_bundle, session, time_to_leave},
        signals,
    },
    error::{Error, Kind},
    topology::Topology,
};

mod failure;
mod settle;

/// Longest that this machine's clock may differ from AWS's, and a first `up` take before AWS notes when it was.
const CLOCKS_DIFFER_BY: SignedDuration = SignedDuration::from_mins(5);

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
    let home = Context::home()?;
    let bundle = bundle(arguments.bundle.as_deref(), loaded, &topology, &home.bundles())
        .await
        .map_err(|error| no_bundle(&error))?;
    let bucket = artifacts::bucket_name(&session);
    let text = template.to_json();
    let mut deployment =
        Deployment { context, arguments, loaded, session, topology, template, text, bundle, bucket, deployed: None };
    let name = stack_name(&deployment.topology.site, &deployment.topology.environment);
    let stack = deployment.settled(&name).await?;
    // On the heap: what goes on meanwhile (an upload, a change set) makes a large future.
    let changed = Box::pin(deployment.deploy(&name, stack)).await?;
    deployment.finish(&name, changed).await
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
        let asked = tokio::select! {
            asked = self.ask(name, fresh, tags) => asked?,
            () = signals::interrupted() => {
                return Err(Error::new(Kind::Cancelled, "cancelled; nothing was changed"));
            }
        };
        let set = match asked {
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

    /// Ships the bundle while CloudFormation compares the templates.
    async fn ask(&self, name: &str, fresh: bool, tags: Vec<(String, String)>) -> Result<Asked, Error> {
        let wrong = |error| aws_error(&error);
        artifacts::ensure_bucket(&self.session).await.map_err(wrong)?;
        let template = if self.text.len() > INLINE_LIMIT {
            let put = artifacts::put_template(&self.session, &self.bucket, name, &self.text).await;
            Source::Url(self.session.object_url(&self.bucket, &put.map_err(wrong)?))
        } else {
            Source::Inline(self.text.clone())
        };
        let wanted = Wanted {
            stack: name.to_owned(),
            template,
            parameters: self.parameters(),
            tags,
            capability: CAPABILITY,
            role: self.topology.iam.deployment_role.clone(),
            express: self.arguments.express,
            fresh,
        };
        let shipped = artifacts::ship(&self.session, &self.bucket, &self.bundle);
        let (asked, shipped) = tokio::join!(change_set::ask(&self.session, &wanted), shipped);
        if shipped.map_err(wrong)? {
            self.context.ui.detail(&format!("shipped {}, {} bytes", self.bundle.key(), self.bundle.bytes));
        }
        asked.map_err(wrong)
    }

    fn show(&self, changes: &Changes) -> Result<(), Error> {
        if self.context.ui.is_json() {
            return self.context.ui.json(&json!({ "event": "plan", "changes": changes.resources }));
        }
        self.context.ui.note(&format!("{changes}\n"));
        Ok(())
    }

    /// Asks before anything that is there goes, may go, or loses what keeps it.
    async fn agreed(&self, changes: &Changes) -> Result<(), Error> {
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
        change_set::execute(&self.session, set).await.map_err(wrong)?;
        let ended = tokio::select! {
            ended = operation.ended() => ended.map_err(wrong)?,
            signal = signals::received() => return Err(self.cancelled(&mut operation, fresh, signal).await),
        };
        if ended.is_success() {
            return Ok(());
        }
        Err(self.failed(&set.stack, &ended, fresh).await)
    }

    /// Ctrl-C or SIGTERM: what is being created is deleted again, and a change is undone. The second signal leaves at once.
    async fn cancelled(&self, operation: &mut Operation<'_>, fresh: bool, signal: signals::Signal) -> Error {
        let what = if fresh { "what was created is being deleted" } else { "the change is being undone" };
        if let Err(error) = operation.cancel(fresh).await {
            return aws_error(&error);
        }
        self.context.ui.note(&format!("cancelling: {what} (again to leave at once)"));
        let what = if fresh { "the deletion of what was created" } else { "undoing the change" };
        tokio::select! {
            ended = undone(operation, fresh) => match ended {
                Ok(Ended { state: State::Gone, .. }) => {
                    Error::new(Kind::Cancelled, "cancelled; what was created is deleted again")
                        .hint(format!("see whether an empty bucket or a snapshot stays: {}", command(self.context, "teardown")))
                }
                Ok(ended) if ended.is_success() => {
                    Error::new(Kind::Cancelled, "cancelled too late: the change was complete already")
                        .hint("undo it: change the blueprint back, and run `decouple up`")
                }
                Ok(Ended { state: State::Ready, .. }) => Error::new(Kind::Cancelled, "cancelled; the change is undone"),
                Ok(ended) => Error::new(Kind::Failed, format!("cancelled, and left the stack {}", ended.status))
                    .hint(format!("go on from there: {}", command(self.context, "up"))),
                Err(error) => aws_error(&error),
            },
            () = time_to_leave(signal) => left(self.context, what),
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
        if changed {
            self.retire_bundles().await;
        }
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
        })?;
        Ok(0)
    }

    /// What fails here costs a few cents a month, and is tried again by the next `up`.
    async fn retire_bundles(&self) {
        let retired = async {
            let stacks = environments::all(&self.session).await?;
            let key = |stack: &Stack| stack.parameters.get(PARAMETER_KEY).cloned();
            let used: Vec<String> = stacks.iter().filter_map(key).collect();
            artifacts::retire(&self.session, &self.bucket, &used).await
        };
        if let Err(error) = retired.await {
            self.context.ui.detail(&format!("old bundles are left where they are: {error}"));
        }
    }

    async fn ready(&self, stack: &Stack) -> Result<(), Error> {
        let progress = self.context.ui.progress();
        let waited = tokio::select! {
            waited = ready::wait(&self.session, stack, progress.as_ref()) => waited,
            () = signals::interrupted() => {
                return Err(Error::new(Kind::Cancelled, "left before the site was ready; the stack is made")
                    .hint(format!("see how it is: {}", command(self.context, "status"))));
            }
        };
        waited.map_err(|error| match &error {
            NotReady::Aws(error) => aws_error(error),
            NotReady::TimedOut(_) => Error::new(Kind::TimedOut, error.to_string())
                .hint(format!("see why: {}", command(self.context, "status")))
                .hint(format!("and what workers say: {}", command(self.context, "logs")))
                .hint("end without waiting: --no-wait"),
        })
    }
}

/// Waits until what was begun is undone. The creation may have ended in the moment before its stack was deleted: that is not the end.
async fn undone(operation: &mut Operation<'_>, fresh: bool) -> Result<Ended, crate::aws::Error> {
    loop {
        let ended = operation.ended().await?;
        if !fresh || matches!(ended.state, State::Gone | State::HalfDeleted) {
            return Ok(ended);
        }
    }
}
