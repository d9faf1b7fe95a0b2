//! One operation on a stack, from its start to the state that ends it: followed, told of, and cancelled if asked to.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use super::{
    Error, Session,
    cause::{self, Failure},
    changes::Changes,
    error::Call,
    events::{self, Follower, Of, StackEvent},
    last_words::LastWords,
    launches,
    progress::Progress,
    stack::State,
};
use crate::reporter::{Event, Reporter, ReporterExt as _};

/// What is silent for so long is told of again.
const SILENCE: Duration = Duration::from_secs(30);
/// The type of groups of instances.
const GROUP: &str = "AWS::AutoScaling::AutoScalingGroup";

/// How an operation ended.
#[derive(Debug)]
pub struct Ended {
    /// The state that it left the stack in.
    pub state: State,
    /// CloudFormation's word for it.
    pub status: String,
    /// Everything that happened, oldest first.
    pub events: Vec<StackEvent>,
    /// What the first instance said that did not become healthy, if there was one and it could be read.
    pub last_words: Option<LastWords>,
    /// Why no instance could be launched, by the group's logical id, as far as that was heard of meanwhile.
    pub launches: BTreeMap<String, String>,
}

/// An operation that goes on.
pub struct Operation<'a> {
    session: &'a Session,
    arn: String,
    follower: Follower,
    progress: Progress,
    reporter: &'a dyn Reporter,
    events: Vec<StackEvent>,
    last_words: Option<LastWords>,
    /// Why no instance could be launched, by the group's logical id.
    launches: BTreeMap<String, String>,
    end: Option<State>,
}

impl<'a> Operation<'a> {
    /// Follows a stack from now on. To be called before the operation is started, so that nothing is missed.
    pub async fn follow(
        session: &'a Session,
        arn: &str,
        changes: &Changes,
        reporter: &'a dyn Reporter,
    ) -> Result<Self, Error> {
        let follower = Follower::from_now(session, arn).await?;
        let progress = Progress::of(changes);
        Ok(Self {
            session,
            arn: arn.to_owned(),
            follower,
            progress,
            reporter,
            events: Vec::new(),
            last_words: None,
            launches: BTreeMap::new(),
            end: None,
        })
    }

    /// Returns the stack's ARN, by which it is found when it is gone as well.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// Tells what happens until it ends. May be dropped at any await, and called again.
    pub async fn ended(&mut self) -> Result<Ended, Error> {
        let began = Instant::now();
        loop {
            self.listen().await;
            if let Some(state) = self.end.take() {
                let (events, last_words) = (std::mem::take(&mut self.events), self.last_words.take());
                let launches = std::mem::take(&mut self.launches);
                let own = events.iter().rev().find(|event| event.is_of_the_stack());
                let status = own.map(|event| event.status.clone()).unwrap_or_default();
                return Ok(Ended { state, status, events, last_words, launches });
            }
            let next = tokio::time::timeout(SILENCE, self.follower.next()).await;
            let Ok(next) = next else {
                self.tell_what_is_open(began.elapsed());
                self.look_at_launches().await;
                continue;
            };
            let (events, end) = next?;
            for event in &events {
                self.progress.take(event, self.reporter);
            }
            self.events.extend(events);
            self.end = end;
        }
    }

    /// Reads what an instance said as soon as it has signalled that it failed: a rollback takes it away, and its log.
    async fn listen(&mut self) {
        if self.last_words.is_some() {
            return;
        }
        let Some(instance) = self.events.iter().find_map(cause::instance_that_failed) else { return };
        let heard = LastWords::of(self.session, &self.arn, &instance).await;
        // What cannot be read is not asked for again and again.
        self.last_words = Some(heard.unwrap_or(LastWords { instance, lines: Vec::new() }));
    }

    /// Reads why groups that are waited for have no instances. A rollback takes them away, and CloudFormation waits on meanwhile.
    async fn look_at_launches(&mut self) {
        let is_group = |event: &&StackEvent| event.kind == GROUP && !event.physical_id.is_empty();
        let mut now: BTreeMap<String, (String, bool)> = BTreeMap::new();
        for event in self.events.iter().filter(is_group) {
            let waited_for = event.status.ends_with("_IN_PROGRESS") && !event.status.starts_with("DELETE");
            now.insert(event.logical_id.clone(), (event.physical_id.clone(), waited_for));
        }
        for (id, (group, _)) in now.into_iter().filter(|(_, (_, waited_for))| *waited_for) {
            // What cannot be read now may be the next time.
            let Ok(Some(why)) = launches::failed(self.session, &group).await else { continue };
            if self.launches.get(&id) != Some(&why) {
                self.reporter.note(format!("{id}: no instance could be launched: {why}"));
                self.launches.insert(id, why);
            }
        }
    }

    fn tell_what_is_open(&self, for_so_long: Duration) {
        let open = self.progress.open();
        let what = if open.is_empty() { "the stack".to_owned() } else { open.join(", ") };
        let seconds = for_so_long.as_secs();
        self.reporter.report(Event::Still { message: format!("still in progress after {seconds} s: {what}") });
    }

    /// Asks CloudFormation to undo it: what is being created is deleted, and a change is cancelled. Past the point where it
    /// can be undone, it goes on.
    pub async fn cancel(&self, fresh: bool) -> Result<(), Error> {
        if fresh {
            return delete(self.session, &self.arn, None).await;
        }
        let call = Call::new("cloudformation", "CancelUpdateStack", &self.arn);
        match self.session.stacks().cancel_update_stack().stack_name(&self.arn).send().await.map_err(call.failed()) {
            Ok(_) => Ok(()),
            // It is rolled back already, or only cleans up.
            Err(error) if error.says("current stack status") || error.says("cannot be called") => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Ended {
    /// Returns why it failed.
    pub async fn failure(&self, session: &Session, stack: &str) -> Failure {
        // The one that failed, and not the rollback that followed.
        let of = match self.events.iter().find_map(|event| event.operation.as_deref()) {
            Some(operation) => Of::Operation(operation),
            None => Of::Stack(stack),
        };
        // What CloudFormation sums up is a help, and no reason to lose what is known.
        let summed_up = events::failed(session, of).await.unwrap_or_default();
        let mut failure = cause::of(&self.events, &summed_up);
        for cause in failure.causes.iter_mut().filter(|cause| cause.kind == GROUP) {
            if let Some(why) = self.launch_that_failed(session, &cause.logical_id).await {
                cause.reason = format!("no instance could be launched: {why} (CloudFormation: {})", cause.reason);
            }
        }
        failure
    }

    async fn launch_that_failed(&self, session: &Session, id: &str) -> Option<String> {
        if let Some(why) = self.launches.get(id) {
            return Some(why.clone());
        }
        let named = |event: &&StackEvent| event.logical_id == id && !event.physical_id.is_empty();
        let group = &self.events.iter().find(named)?.physical_id;
        launches::failed(session, group).await.ok().flatten()
    }

    /// Tells whether the stack is what was asked for: a change that was undone leaves it ready as well.
    pub fn is_success(&self) -> bool {
        self.state == State::Gone
            || self.state == State::Ready && !self.status.contains("ROLLBACK") && !self.status.contains("FAILED")
    }
}

/// Has CloudFormation delete a stack.
pub async fn delete(session: &Session, arn: &str, role: Option<&str>) -> Result<(), Error> {
    let call = Call::new("cloudformation", "DeleteStack", arn);
    let request = session.stacks().delete_stack().stack_name(arn).set_role_arn(role.map(ToOwned::to_owned));
    request.send().await.map_err(call.failed())?;
    Ok(())
}

/// Has CloudFormation go on with a rollback that failed.
pub async fn continue_rollback(session: &Session, arn: &str, role: Option<&str>) -> Result<(), Error> {
    let call = Call::new("cloudformation", "ContinueUpdateRollback", arn);
    let request = session.stacks().continue_update_rollback().stack_name(arn).set_role_arn(role.map(ToOwned::to_owned));
    request.send().await.map_err(call.failed())?;
    Ok(())
}

/// Protects a stack from deletion, or lets it be deleted.
pub async fn protect(session: &Session, arn: &str, protected: bool) -> Result<(), Error> {
    let call = Call::new("cloudformation", "UpdateTerminationProtection", arn);
    session
        .stacks()
        .update_termination_protection()
        .stack_name(arn)
        .enable_termination_protection(protected)
        .send()
        .await
        .map_err(call.failed())?;
    Ok(())
}
