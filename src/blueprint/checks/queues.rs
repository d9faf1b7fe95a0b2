//! Queues: times that SQS refuses, or by which a task would come back while it is still worked on.

use decouple_contract::Role;

use super::Subject;
use crate::blueprint::{diagnostic::dotted, quantity::Span};

const MAX_VISIBILITY: Span = Span::from_seconds(12 * 3_600);

pub(super) fn check(subject: &mut Subject<'_>) {
    for role in Role::ALL.into_iter().filter(|role| role.consumes()) {
        let visibility_at = format!("/queues/{}/visibility_timeout", role.name());
        let job_at = format!("/groups/{}/job_timeout", role.name());
        visibility(subject, &visibility_at, &job_at);
        subject.span_within(&format!("/queues/{}/retention", role.name()), "1m", "14d");
    }
}

fn visibility(subject: &mut Subject<'_>, visibility_at: &str, job_at: &str) {
    let Some(visibility) = subject.span(visibility_at) else { return };
    if visibility > MAX_VISIBILITY {
        subject.error(&[visibility_at], format!("`{}` must be 12h or less", dotted(visibility_at)), None);
    }
    if let Some(job) = subject.span(job_at)
        && visibility <= job
    {
        let message = format!(
            "`{}` is {visibility}, and must be longer than `{}`, which is {job}: a task would come back while it is worked on",
            dotted(visibility_at),
            dotted(job_at)
        );
        subject.error(&[visibility_at, job_at], message, "six times a typical job is a good value".to_owned());
    }
}
