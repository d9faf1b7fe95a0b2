//! A stack as it is now: its state, and what that state lets be done to it.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::{Stack as Described, StackStatus as Status};

use super::{
    Session,
    error::{Call, Error},
};

/// A stack as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// Its ARN, by which it can be asked for even when it is gone.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub state: State,
    /// CloudFormation's own word for that.
    pub status: String,
    /// Why it stands there, where CloudFormation says so.
    pub reason: Option<String>,
    /// Its parameters.
    pub parameters: BTreeMap<String, String>,
    /// Its outputs.
    pub outputs: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// When it was made, seconds since 1970.
    pub created_at: i64,
    /// Whether it is protected from deletion.
    pub protected: bool,
}

/// What a stack's status lets be done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// All is there: it can be changed.
    Ready,
    /// The last change failed half-way and was not rolled back: it can be changed.
    HalfChanged,
    /// A change set was made and never executed: there is nothing in it.
    Shell,
    /// Its creation failed. It can only be deleted.
    NeverMade,
    /// A change could not be rolled back: the rollback must go on first.
    Stuck,
    /// Its deletion failed: it can only be deleted again.
    HalfDeleted,
    /// Something is being done to it.
    Busy(Doing),
    /// It is gone.
    Gone,
}

/// What is being done to a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// It is made.
    Create,
    /// It is changed.
    Update,
    /// A change is undone, or what it left is removed.
    Rollback,
    /// It is deleted.
    Delete,
}

impl Doing {
    /// Returns a word for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Create => "creation",
            Self::Update => "update",
            Self::Rollback => "rollback",
            Self::Delete => "deletion",
        }
    }
}

/// Reads CloudFormation's word. One that is new is read by its end, as AWS names what goes on, failed or is complete.
pub(super) fn state(status: &Status) -> State {
    match status {
        Status::CreateComplete
        | Status::UpdateComplete
        | Status::UpdateRollbackComplete
        | Status::ImportComplete
        | Status::ImportRollbackComplete => State::Ready,
        Status::UpdateFailed => State::HalfChanged,
        Status::ReviewInProgress => State::Shell,
        Status::CreateFailed | Status::RollbackComplete | Status::RollbackFailed => State::NeverMade,
        Status::UpdateRollbackFailed | Status::ImportRollbackFailed => State::Stuck,
        Status::DeleteFailed => State::HalfDeleted,
        Status::DeleteComplete => State::Gone,
        Status::CreateInProgress => State::Busy(Doing::Create),
        Status::DeleteInProgress => State::Busy(Doing::Delete),
        Status::RollbackInProgress
        | Status::UpdateRollbackInProgress
        | Status::UpdateRollbackCompleteCleanupInProgress
        | Status::UpdateCompleteCleanupInProgress
        | Status::ImportRollbackInProgress => State::Busy(Doing::Rollback),
        new if new.as_str().ends_with("_FAILED") => State::HalfChanged,
        new if new.as_str().ends_with("_COMPLETE") => State::Ready,
        _ => State::Busy(Doing::Update),
    }
}

/// Finds a stack by its name or its ARN. A name finds no stack that is gone.
pub async fn find(session: &Session, name: &str) -> Result<Option<Stack>, Error> {
    let call = Call::new("cloudformation", "DescribeStacks", name);
    match session.stacks().describe_stacks().stack_name(name).send().await.map_err(call.failed()) {
        Ok(found) => Ok(found.stacks.and_then(|mut stacks| stacks.pop()).map(read)),
        Err(error) if error.says("does not exist") => Ok(None),
        Err(error) => Err(error),
    }
}

/// Finds every stack of the region.
pub(super) async fn all(session: &Session) -> Result<Vec<Stack>, Error> {
    let mut pages = session.stacks().describe_stacks().into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(stack) = pages.next().await {
        found.push(read(stack.map_err(Call::new("cloudformation", "DescribeStacks", "all stacks").failed())?));
    }
    Ok(found)
}

fn read(stack: Described) -> Stack {
    let pairs = |found: Vec<(Option<String>, Option<String>)>| {
        found.into_iter().filter_map(|(key, value)| Some((key?, value.unwrap_or_default()))).collect()
    };
    let status = stack.stack_status.unwrap_or(Status::UpdateInProgress);
    Stack {
        arn: stack.stack_id.unwrap_or_default(),
        name: stack.stack_name.unwrap_or_default(),
        state: state(&status),
        status: status.as_str().to_owned(),
        reason: stack.stack_status_reason.filter(|reason| !reason.is_empty()),
        parameters: pairs(
            stack.parameters.into_iter().flatten().map(|one| (one.parameter_key, one.parameter_value)).collect(),
        ),
        outputs: pairs(stack.outputs.into_iter().flatten().map(|one| (one.output_key, one.output_value)).collect()),
        tags: pairs(stack.tags.into_iter().flatten().map(|one| (one.key, one.value)).collect()),
        created_at: stack.creation_time.map_or(0, |time| time.secs()),
        protected: stack.enable_termination_protection.unwrap_or(false),
    }
}

/// One resource of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackResource {
    /// Its id in the template.
    pub logical_id: String,
    /// Its id in its service. It is empty while the resource is not there.
    pub physical_id: String,
    /// Its type, such as `AWS::SQS::Queue`.
    pub kind: String,
    /// CloudFormation's word for where it stands.
    pub status: String,
}

/// Lists the resources of a stack. That of a stack which is gone, by its ARN, tells what was kept.
pub async fn resources(session: &Session, stack: &str) -> Result<Vec<StackResource>, Error> {
    let mut pages = session.stacks().list_stack_resources().stack_name(stack).into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(resource) = pages.next().await {
        let resource = resource.map_err(Call::new("cloudformation", "ListStackResources", stack).failed())?;
        found.push(StackResource {
            logical_id: resource.logical_resource_id.unwrap_or_default(),
            physical_id: resource.physical_resource_id.unwrap_or_default(),
            kind: resource.resource_type.unwrap_or_default(),
            status: resource.resource_status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
        });
    }
    Ok(found)
}

/// Returns the template that a stack has, as it was given.
pub async fn template(session: &Session, stack: &str) -> Result<String, Error> {
    let call = Call::new("cloudformation", "GetTemplate", stack);
    let found = session
        .stacks()
        .get_template()
        .stack_name(stack)
        .template_stage(aws_sdk_cloudformation::types::TemplateStage::Original)
        .send()
        .await
        .map_err(call.failed())?;
    Ok(found.template_body.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_of_cloudformation_has_a_state() {
        let line = |status: &&str| format!("{status:<45} {:?}", state(&Status::from(*status)));
        let lines: Vec<String> = Status::values().iter().map(line).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn a_status_that_is_new_neither_hangs_nor_deletes() {
        let told = |status: &str| state(&Status::from(status));
        assert_eq!(told("REFACTOR_IN_PROGRESS"), State::Busy(Doing::Update));
        assert_eq!(told("REFACTOR_FAILED"), State::HalfChanged);
        assert_eq!(told("REFACTOR_COMPLETE"), State::Ready);
    }
}
