//! Why it failed, in an order that helps: the first real cause, the line of the blueprint that it comes from, the last words
//! of the instance, and what to do.

use super::Deployment;
use crate::{
    aws::{
        cause::{Cause, Failure},
        changes::Words,
        events::FailedEvent,
        last_words::LastWords,
        operation::Ended,
    },
    blueprint::Diagnostic,
    error::{Error, Kind},
};

/// Further causes that are told.
const FURTHER: usize = 4;

impl Deployment<'_> {
    /// An operation that ended otherwise than it should.
    pub(super) async fn failed(&self, stack: &str, ended: &Ended, fresh: bool) -> Error {
        let failure = ended.failure(&self.session, stack).await;
        let mut error = self.told(&failure, &ended.status, fresh);
        if let Some(heard) = &ended.last_words {
            error = last_words(error, heard, self.session.region());
        }
        error
    }

    /// CloudFormation found the template wrong before it changed anything.
    pub(super) fn refused(&self, name: &str, reason: &str, found: &[FailedEvent]) -> Error {
        let failure = crate::aws::cause::of(&[], found);
        if failure.causes.is_empty() {
            return Error::new(Kind::Failed, format!("CloudFormation refuses the change of stack {name}: {reason}"))
                .hint("nothing was changed");
        }
        self.told(&failure, "unchanged", false)
    }

    fn told(&self, failure: &Failure, status: &str, fresh: bool) -> Error {
        let Some((first, further)) = failure.causes.split_first() else {
            return Error::new(Kind::Failed, format!("the stack ended as {status}, and AWS does not say why"))
                .hint("look at its events in the CloudFormation console");
        };
        let mut lines = vec![self.words(first)];
        lines.extend(further.iter().take(FURTHER).map(|cause| format!("after that: {}", self.words(cause))));
        match failure.cancelled {
            0 => {}
            1 => lines.push("1 other resource was cancelled because of it".to_owned()),
            more => lines.push(format!("{more} other resources were cancelled because of it")),
        }
        lines.push(format!("the stack is now {status}"));
        let again = self.context.command("up");
        let mut error = Error::new(Kind::Failed, lines.join("\n"));
        error.diagnostics.extend(self.line(first));
        if fresh {
            error.hint(format!("put it right, and run it again: {again} (what was made of it is removed first)"))
        } else {
            error.hint(format!("put it right, and run it again: {again}"))
        }
    }

    fn words(&self, cause: &Cause) -> String {
        let words = Words { new: &self.template, old: self.deployed.as_ref() };
        let (part, description) = words.of(&cause.logical_id, &cause.kind);
        format!("{part}: {description} ({}, {}): {}", cause.logical_id, cause.kind, cause.reason)
    }

    /// The line of the blueprint that decides about a resource, where the user wrote one.
    fn line(&self, cause: &Cause) -> Option<Diagnostic> {
        let key = self.template.parts.get(&cause.logical_id)?.key.as_deref()?;
        let place = self.loaded.places.deciding(key)?.clone();
        Some(Diagnostic::error(format!("{}: {}", cause.logical_id, cause.reason), Some(place)))
    }
}

fn last_words(mut error: Error, heard: &LastWords, region: &str) -> Error {
    let instance = &heard.instance;
    if heard.lines.is_empty() {
        return error.hint(format!(
            "see what {instance} said: aws ec2 get-console-output --region {region} --latest --output text --instance-id {instance}"
        ));
    }
    let words = format!("\nthe last words of {instance}:\n  {}", heard.lines.join("\n  "));
    error.message.push_str(&words);
    error
}
