//! Queues: times that SQS refuses, or by which a task would come back while it is still worked on.

use decouple_contract::Role;

use super::Subject;
use crate::blueprint::{diagnostic::dotted, quantity::Span};

/// How long dead letters are kept, which is the longest that SQS keeps anything.
const DEAD_LETTERS: Span = Span::from_seconds(14 * 86_400);

pub(super) fn check(subject: &mut Subject<'_>) {
    for role in Role::ALL.into_iter().filter(|role| role.consumes()) {
        let visibility_at = format!("/queues/{}/visibility_timeout", role.name());
        let job_at = format!("/groups/{}/job_timeout", role.name());
        visibility(subject, &visibility_at, &job_at);
        retention(subject, &format!("/queues/{}/retention", role.name()));
    }
}

fn visibility(subject: &mut Subject<'_>, visibility_at: &str, job_at: &str) {
    let (Some(visibility), Some(job)) = (subject.sound_span(visibility_at), subject.sound_span(job_at)) else { return };
    if visibility <= job {
        let message = format!(
            "`{}` is {visibility}, and must be longer than `{}`, which is {job}: a task would come back while it is worked on",
            dotted(visibility_at),
            dotted(job_at)
        );
        subject.error(&[visibility_at, job_at], message, "six times a typical job is a good value".to_owned());
    }
}

/// SQS counts a dead letter's age from its first sending, so that one which comes late has only the difference left.
fn retention(subject: &mut Subject<'_>, at: &str) {
    if subject.sound_span(at).is_some_and(|retention| retention >= DEAD_LETTERS) {
        let message = format!("`{}` must be shorter than the {DEAD_LETTERS} that dead letters are kept", dotted(at));
        let help =
            "a task that fails on its last day would be deleted before anybody sees it; 4d is a good value".to_owned();
        subject.error(&[at], message, help);
    }
}
