//! Why an operation failed: the first real cause first, and what merely followed folded away. Pure.

use super::events::{FailedEvent, StackEvent};

/// Why an operation failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failure {
    /// The causes, the first one first. There is none where AWS told none.
    pub causes: Vec<Cause>,
    /// How many resources were cancelled because of them.
    pub cancelled: usize,
}

/// One resource that failed by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The resource's id in the template; the stack's name where the stack itself is meant.
    pub logical_id: String,
    /// Its type.
    pub kind: String,
    /// What AWS says.
    pub reason: String,
}

/// Looks for the causes in what happened, oldest first, and in what CloudFormation sums up as failed.
pub fn of(events: &[StackEvent], summed_up: &[FailedEvent]) -> Failure {
    let mut failure = Failure::default();
    for event in events {
        if !event.status.ends_with("_FAILED") || event.is_of_the_stack() {
            continue;
        }
        if is_consequence(&event.reason) {
            failure.cancelled += 1;
            continue;
        }
        failure.add(Cause {
            logical_id: event.logical_id.clone(),
            kind: event.kind.clone(),
            reason: event.reason.clone(),
        });
    }
    for event in summed_up.iter().filter(|event| !is_consequence(&event.reason)) {
        let reason = match &event.path {
            Some(path) => format!("{} (at {path})", event.reason),
            None => event.reason.clone(),
        };
        failure.add(Cause { logical_id: event.logical_id.clone(), kind: event.kind.clone(), reason });
    }
    if failure.causes.is_empty() {
        failure.causes.extend(words_of_the_stack(events));
    }
    failure
}

impl Failure {
    /// A resource that failed is told of once: what it says when it is tried again, or removed, comes later.
    fn add(&mut self, cause: Cause) {
        if self.causes.iter().all(|known| known.logical_id != cause.logical_id || cause.logical_id.is_empty()) {
            self.causes.push(cause);
        }
    }
}

/// Whatever is being made when another resource fails is cancelled; that is no cause.
fn is_consequence(reason: &str) -> bool {
    const WORDS: &[&str] = &["cancelled", "canceled", "Resource creation not started"];
    reason.is_empty() || WORDS.iter().any(|words| reason.contains(words))
}

/// An instance that did not become healthy signals that by its id.
pub(super) fn instance_that_failed(event: &StackEvent) -> Option<String> {
    let id = event.reason.strip_prefix("Received FAILURE signal with UniqueId ")?;
    Some(id.trim().to_owned()).filter(|id| id.starts_with("i-"))
}

/// Where no resource failed, the stack itself says why: a permission that lacks, or a resource that somebody holds.
fn words_of_the_stack(events: &[StackEvent]) -> Option<Cause> {
    let told = |event: &&StackEvent| {
        event.is_of_the_stack()
            && !event.reason.is_empty()
            && (event.status.contains("FAILED") || event.status.contains("ROLLBACK"))
            && event.reason != "User Initiated"
    };
    let event = events.iter().find(told)?;
    Some(Cause { logical_id: event.logical_id.clone(), kind: event.kind.clone(), reason: event.reason.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(logical_id: &str, kind: &str, status: &str, reason: &str) -> StackEvent {
        StackEvent {
            id: format!("{logical_id}-{status}"),
            logical_id: logical_id.to_owned(),
            physical_id: String::new(),
            kind: kind.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            operation: None,
        }
    }

    #[test]
    fn the_first_failure_is_the_cause_and_cancellations_are_counted() {
        let events = [
            event("TagQueue", "AWS::SQS::Queue", "CREATE_IN_PROGRESS", ""),
            event("Topic", "AWS::SNS::Topic", "CREATE_FAILED", "Resource creation cancelled"),
            event("TagQueue", "AWS::SQS::Queue", "CREATE_FAILED", "Invalid value for the parameter VisibilityTimeout."),
            event("Bucket", "AWS::S3::Bucket", "CREATE_FAILED", "Resource creation cancelled"),
            event("TagQueue", "AWS::SQS::Queue", "DELETE_FAILED", "still there"),
        ];
        let failure = of(&events, &[]);
        assert_eq!(failure.cancelled, 2);
        assert_eq!(failure.causes.len(), 1);
        assert_eq!(failure.causes[0].logical_id, "TagQueue");
        assert_eq!(failure.causes[0].reason, "Invalid value for the parameter VisibilityTimeout.");
    }

    #[test]
    fn an_instance_that_did_not_become_healthy_is_named() {
        let kind = "AWS::AutoScaling::AutoScalingGroup";
        let told = |reason| instance_that_failed(&event("WebGroup", kind, "CREATE_IN_PROGRESS", reason));
        assert_eq!(told("Received FAILURE signal with UniqueId i-0abc").as_deref(), Some("i-0abc"));
        assert_eq!(told("Received SUCCESS signal with UniqueId i-0abc"), None);
        assert_eq!(told("Received FAILURE signal with UniqueId by-hand"), None);
    }

    #[test]
    fn where_no_resource_failed_the_stack_itself_says_why() {
        let reason = "User: arn:aws:iam::1:user/x is not authorized to perform: ec2:CreateVpc";
        let events = [event("photos-dev", "AWS::CloudFormation::Stack", "ROLLBACK_IN_PROGRESS", reason)];
        assert_eq!(of(&events, &[]).causes[0].reason, reason);
        assert_eq!(of(&[], &[]), Failure::default());
    }

    #[test]
    fn what_validation_found_says_where_in_the_template() {
        let summed_up = [FailedEvent {
            logical_id: "Topic".to_owned(),
            kind: "AWS::SNS::Topic".to_owned(),
            reason: "Unsupported property [Colour]".to_owned(),
            path: Some("/Resources/Topic/Properties/Colour".to_owned()),
        }];
        let failure = of(&[], &summed_up);
        assert_eq!(failure.causes[0].reason, "Unsupported property [Colour] (at /Resources/Topic/Properties/Colour)");
    }
}
