//! What state the stack is in, and what must be done about it before it can be changed. Data is never deleted to do so:
//! bucket and database outlive their stack.

use super::Deployment;
use crate::{
    aws::{
        operation::{self, Ended, Operation},
        stack::{self, Stack, State},
    },
    cloudformation::TAG_EXPIRES,
    commands::{
        aws::{await_others, aws_error, everything, left, owned},
        signals::unless_interrupted,
    },
    error::{Error, Kind},
};

/// A stack that is not settled after so many steps is fought over by somebody else.
const STEPS: usize = 5;

impl Deployment<'_> {
    /// Returns the stack once it can be changed, or nothing where it is to be made.
    pub(super) async fn settled(&self, name: &str) -> Result<Option<Stack>, Error> {
        for _ in 0..STEPS {
            let Some(stack) = stack::find(&self.session, name).await.map_err(|error| aws_error(&error))? else {
                return Ok(None);
            };
            let stack = owned(stack, &self.topology.site, &self.topology.environment)?;
            match stack.state {
                State::Gone => return Ok(None),
                State::Ready | State::HalfChanged | State::Shell => return Ok(Some(stack)),
                State::Busy(doing) => await_others(self.context, &self.session, &stack, doing).await?,
                State::NeverMade => self.remove_shell(&stack).await?,
                State::HalfDeleted => self.finish_deletion(&stack).await?,
                State::Stuck => self.finish_rollback(&stack).await?,
            }
        }
        Err(Error::new(Kind::Locked, format!("stack {name} is changed by somebody else again and again"))
            .hint("find out who, and run it again"))
    }

    /// A first creation that failed leaves a stack that can only be deleted.
    async fn remove_shell(&self, stack: &Stack) -> Result<(), Error> {
        let Stack { name, status, .. } = stack;
        self.context.ui.note(&format!(
            "stack {name} is {status}: its creation failed once, and such a stack can only be deleted. It is removed, and made again"
        ));
        self.delete(stack).await
    }

    async fn finish_deletion(&self, stack: &Stack) -> Result<(), Error> {
        let Stack { name, status, reason, .. } = stack;
        let why = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let kept =
            if stack.tags.contains_key(TAG_EXPIRES) { "the bucket is" } else { "bucket and database snapshot are" };
        let question =
            format!("Stack {name} is {status}{why}: a teardown did not end. It is finished first; {kept} kept.");
        self.context.ui.confirm(self.context.common.yes, &question).await?;
        self.delete(stack).await
    }

    async fn delete(&self, stack: &Stack) -> Result<(), Error> {
        let role = self.topology.iam.deployment_role.as_deref();
        if stack.protected {
            operation::protect(&self.session, &stack.arn, false).await.map_err(|error| aws_error(&error))?;
        }
        let progress = self.context.ui.progress();
        let changes = everything(&self.session, stack).await;
        let mut operation = Operation::follow(&self.session, &stack.arn, &changes, progress.as_ref())
            .await
            .map_err(|error| aws_error(&error))?;
        operation::delete(&self.session, &stack.arn, role).await.map_err(|error| aws_error(&error))?;
        let ended = self.to_the_end(&mut operation).await?;
        if ended.state == State::Gone { Ok(()) } else { Err(self.failed(&stack.arn, &ended, false).await) }
    }

    /// A change could neither be made nor undone. Undoing it goes on, and nothing is deleted.
    async fn finish_rollback(&self, stack: &Stack) -> Result<(), Error> {
        let Stack { name, status, reason, .. } = stack;
        let why = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let question =
            format!("Stack {name} is {status}{why}: a change could not be rolled back. Its rollback goes on first.");
        self.context.ui.confirm(self.context.common.yes, &question).await?;
        let role = self.topology.iam.deployment_role.as_deref();
        let progress = self.context.ui.progress();
        let changes = everything(&self.session, stack).await;
        let mut operation = Operation::follow(&self.session, &stack.arn, &changes, progress.as_ref())
            .await
            .map_err(|error| aws_error(&error))?;
        operation::continue_rollback(&self.session, &stack.arn, role).await.map_err(|error| aws_error(&error))?;
        let ended = self.to_the_end(&mut operation).await?;
        if ended.state == State::Ready { Ok(()) } else { Err(self.failed(&stack.arn, &ended, false).await) }
    }

    async fn to_the_end(&self, operation: &mut Operation<'_>) -> Result<Ended, Error> {
        let ended = async { operation.ended().await.map_err(|error| aws_error(&error)) };
        unless_interrupted(ended, || left(self.context, "cleaning up")).await
    }
}
