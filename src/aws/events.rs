//! What happens to a stack, as it happens: one poller an operation, by the stack's ARN.
//!
//! It is followed by `DescribeStackEvents`, which every endpoint has and which says how the stack itself stands, through the
//! rollback too. `DescribeEvents` answers for one operation, and a rollback is one of its own: it is asked, once something has
//! failed, for what only it knows of the operation that failed, validations and hooks.

use std::collections::HashSet;

use aws_sdk_cloudformation::{
    operation::describe_events::DescribeEventsOutput,
    types::{EventFilter, OperationEvent, StackEvent as Told},
};

use super::{
    Session,
    error::{Call, Error},
    pace::Pace,
    stack::{self, State},
};

/// Type of the events that are about the stack itself.
const STACK: &str = "AWS::CloudFormation::Stack";

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackEvent {
    /// CloudFormation's id of the event.
    pub id: String,
    /// The resource's id in the template; of the stack itself, its name.
    pub logical_id: String,
    /// The resource's id in its service.
    pub physical_id: String,
    /// The resource's type.
    pub kind: String,
    /// CloudFormation's word for what happened, such as `CREATE_FAILED`.
    pub status: String,
    /// Why, where CloudFormation says so.
    pub reason: String,
    /// Id of the operation that it is part of, where the endpoint tells. A rollback is an operation of its own.
    pub operation: Option<String>,
}

impl StackEvent {
    /// Tells whether it is about the stack itself, and not about one of its resources. A nested stack is one of those: its
    /// physical id is its own ARN, which does not hold the name that it has in the template.
    pub fn is_of_the_stack(&self) -> bool {
        let own = self.physical_id.is_empty() || self.physical_id.contains(&format!(":stack/{}/", self.logical_id));
        self.kind == STACK && own
    }

    fn read(event: Told) -> Self {
        Self {
            id: event.event_id.unwrap_or_default(),
            logical_id: event.logical_resource_id.unwrap_or_default(),
            physical_id: event.physical_resource_id.unwrap_or_default(),
            kind: event.resource_type.unwrap_or_default(),
            status: event.resource_status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
            reason: event.resource_status_reason.unwrap_or_default(),
            operation: event.operation_id,
        }
    }
}

/// Follows one operation on a stack.
pub struct Follower {
    session: Session,
    arn: String,
    known: HashSet<String>,
    pace: Pace,
}

impl Follower {
    /// Follows what happens from now on.
    pub async fn from_now(session: &Session, arn: &str) -> Result<Self, Error> {
        let mut follower =
            Self { session: session.looking(), arn: arn.to_owned(), known: HashSet::new(), pace: Pace::new() };
        // The newest one is enough: looking stops at what is known.
        let page = page(session, arn, None).await?;
        follower.known.extend(page.events.into_iter().map(|event| event.id));
        Ok(follower)
    }

    /// Waits for what happens next, oldest first, and for the state that ends the operation. Throttling and a network that
    /// is away for a while only make it slower.
    pub async fn next(&mut self) -> Result<(Vec<StackEvent>, Option<State>), Error> {
        loop {
            match self.unseen().await {
                Ok(events) if events.is_empty() => self.pace.answered(),
                Ok(events) => {
                    self.pace.answered();
                    self.pace.stirred();
                    let end = events.iter().rev().find_map(end);
                    return Ok((events, end));
                }
                Err(error) if error.may_pass() => self.pace.throttled(),
                Err(error) => return Err(error),
            }
            self.pace.wait().await;
        }
    }

    /// Returns the events that were not seen yet, oldest first.
    async fn unseen(&mut self) -> Result<Vec<StackEvent>, Error> {
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let page = self.page(token).await?;
            let mut reached = false;
            for event in page.events {
                if self.known.contains(&event.id) {
                    reached = true;
                    break;
                }
                found.push(event);
            }
            token = page.next.filter(|_| !reached);
            if token.is_none() {
                break;
            }
        }
        self.known.extend(found.iter().map(|event| event.id.clone()));
        found.reverse();
        Ok(found)
    }

    async fn page(&self, token: Option<String>) -> Result<Page, Error> {
        page(&self.session, &self.arn, token).await
    }
}

/// Returns everything that ever happened to a stack, oldest first. Of one that is gone, CloudFormation knows it for 90 days.
pub(super) async fn all(session: &Session, arn: &str) -> Result<Vec<StackEvent>, Error> {
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let page = page(session, arn, token).await?;
        found.extend(page.events);
        token = page.next;
        if token.is_none() {
            found.reverse();
            return Ok(found);
        }
    }
}

async fn page(session: &Session, arn: &str, token: Option<String>) -> Result<Page, Error> {
    let call = Call::new("cloudformation", "DescribeStackEvents", arn);
    let request = session.stacks().describe_stack_events().stack_name(arn).set_next_token(token);
    let page = request.send().await.map_err(call.failed())?;
    let events = page.stack_events.unwrap_or_default().into_iter().map(StackEvent::read).collect();
    Ok(Page { events, next: page.next_token })
}

struct Page {
    events: Vec<StackEvent>,
    next: Option<String>,
}

/// Tells the state that an event leaves the stack in, where it ends an operation.
fn end(event: &StackEvent) -> Option<State> {
    if !event.is_of_the_stack() {
        return None;
    }
    match stack::state(&event.status.as_str().into()) {
        State::Busy(_) | State::Shell => None,
        state => Some(state),
    }
}

/// What failed before anything was provisioned, or on the way, as CloudFormation sums it up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedEvent {
    /// The resource's id in the template.
    pub logical_id: String,
    /// The resource's type.
    pub kind: String,
    /// What is wrong.
    pub reason: String,
    /// Where in the resource, such as `/Resources/Topic/Properties/TopicName`.
    pub path: Option<String>,
}

impl FailedEvent {
    /// Reads an event; one that gives no reason tells nothing.
    fn read(event: OperationEvent) -> Option<Self> {
        let reason = event.validation_status_reason.or(event.hook_status_reason).or(event.resource_status_reason)?;
        Some(Self {
            logical_id: event.logical_resource_id.unwrap_or_default(),
            kind: event.resource_type.unwrap_or_default(),
            reason,
            path: event.validation_path,
        })
    }
}

/// What failed events are asked of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Of<'a> {
    /// A change set, by its ARN.
    ChangeSet(&'a str),
    /// One operation on a stack, by its id.
    Operation(&'a str),
    /// The last operation on a stack, which may be a rollback. By the stack's ARN.
    Stack(&'a str),
}

/// Asks for the failed events, oldest first, so that the first is the cause. An endpoint that does not have the operation has
/// told all that it knows in the stack's events.
pub(super) async fn failed(session: &Session, of: Of<'_>) -> Result<Vec<FailedEvent>, Error> {
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let page = match failed_page(session, of, token).await {
            Ok(page) => page,
            Err(Error::Refused { .. } | Error::Denied { .. }) => break,
            Err(error) => return Err(error),
        };
        found.extend(page.operation_events.unwrap_or_default().into_iter().filter_map(FailedEvent::read));
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    found.reverse();
    Ok(found)
}

async fn failed_page(session: &Session, of: Of<'_>, token: Option<String>) -> Result<DescribeEventsOutput, Error> {
    let request = session.stacks().describe_events().filters(EventFilter::builder().failed_events(true).build());
    let (request, name) = match of {
        Of::ChangeSet(arn) => (request.change_set_name(arn), arn),
        Of::Operation(id) => (request.operation_id(id), id),
        Of::Stack(arn) => (request.stack_name(arn), arn),
    };
    let call = Call::new("cloudformation", "DescribeEvents", name);
    request.set_next_token(token).send().await.map_err(call.failed())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, logical: &str, physical: &str, status: &str) -> StackEvent {
        StackEvent {
            id: "1".to_owned(),
            logical_id: logical.to_owned(),
            physical_id: physical.to_owned(),
            kind: kind.to_owned(),
            status: status.to_owned(),
            reason: String::new(),
            operation: None,
        }
    }

    #[test]
    fn only_the_stacks_own_last_word_ends_an_operation() {
        let own = "arn:aws:cloudformation:us-east-1:1:stack/photos-dev/1";
        assert_eq!(end(&event(STACK, "photos-dev", own, "CREATE_COMPLETE")), Some(State::Ready));
        assert_eq!(end(&event(STACK, "photos-dev", own, "ROLLBACK_COMPLETE")), Some(State::NeverMade));
        assert_eq!(end(&event(STACK, "photos-dev", own, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")), None);
        assert_eq!(end(&event("AWS::SQS::Queue", "TagQueue", "https://q", "CREATE_COMPLETE")), None);
        let nested = "arn:aws:cloudformation:us-east-1:1:stack/photos-dev-Inner-1/2";
        assert_eq!(end(&event(STACK, "Inner", nested, "CREATE_COMPLETE")), None);
    }
}
