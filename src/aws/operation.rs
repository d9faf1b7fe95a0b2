//! One operation on a stack, from its start to the state that ends it: followed, told of, and cancelled if asked to.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    Error, Session,
    cause::{self, Failure},
    changes::Changes,
    error::Call,
    events::{self, Follower, StackEvent},
    progress::Progress,
    stack::State,
};
use crate::reporter::{Event, Reporter};

/// What is silent for so long is told of again.
const SILENCE: Duration = Duration::from_secs(30);

/// How an operation ended.
#[derive(Debug)]
pub struct Ended {
    /// The state that it left the stack in.
    pub state: State,
    /// CloudFormation's word for it.
    pub status: String,
    /// Everything that happened, oldest first.
    pub events: Vec<StackEvent>,
}

/// An operation that goes on.
pub struct Operation<'a> {
    session: &'a Session,
    arn: String,
    follower: Follower,
    progress: Progress,
    reporter: &'a dyn Reporter,
    events: Vec<StackEvent>,
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
        Ok(Self { session, arn: arn.to_owned(), follower, progress, reporter, events: Vec::new() })
    }

    /// Tells what happens until it ends. May be dropped at any await, and called again.
    pub async fn ended(&mut self) -> Result<Ended, Error> {
        let began = Instant::now();
        loop {
            let next = tokio::time::timeout(SILENCE, self.follower.next()).await;
            let Ok(next) = next else {
                self.tell_what_is_open(began.elapsed());
                continue;
            };
            let (events, end) = next?;
            for event in &events {
                self.progress.take(event, self.reporter);
            }
            let status = events.iter().rev().find(|event| event.is_of_the_stack()).map(|event| event.status.clone());
            self.events.extend(events);
            if let Some(state) = end {
                let events = std::mem::take(&mut self.events);
                return Ok(Ended { state, status: status.unwrap_or_default(), events });
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
        // What CloudFormation sums up is a help, and no reason to lose what is known.
        let summed_up = events::failed(session, stack, None).await.unwrap_or_default();
        cause::of(&self.events, &summed_up)
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
