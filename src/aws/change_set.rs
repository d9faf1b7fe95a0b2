//! Change sets: what a template would change is asked of CloudFormation, shown, and executed or thrown away.

use aws_sdk_cloudformation::types::{
    Capability, ChangeAction, ChangeSetStatus, ChangeSetType, ChangeSource, DeploymentConfig, DeploymentConfigMode,
    EvaluationType, Parameter, PolicyAction, Replacement, ResourceChange, Tag,
};
use serde_json::Value;

use super::{
    Session,
    changes::{Action, Change, Changes, Fate, Words},
    error::{Call, Error},
    events,
    pace::Pace,
    stack::{self, State},
};

/// A template and all that goes with it.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Name of the change set.
    pub name: String,
    /// Name of the stack.
    pub stack: String,
    /// The template.
    pub template: Source,
    /// Its parameters.
    pub parameters: Vec<(String, String)>,
    /// The stack's tags.
    pub tags: Vec<(String, String)>,
    /// What the template may make, such as `CAPABILITY_IAM`.
    pub capability: &'static str,
    /// ARN of the role that CloudFormation provisions with; without it that of whoever calls.
    pub role: Option<String>,
    /// Whether resources count as made once they are configured, before they are ready.
    pub express: bool,
    /// Whether the stack is not there yet.
    pub fresh: bool,
}

/// Where CloudFormation reads a template.
#[derive(Debug, Clone)]
pub enum Source {
    /// In the request itself.
    Inline(String),
    /// In a bucket.
    Url(String),
}

/// A change set that can be executed.
#[derive(Debug, Clone)]
pub struct ChangeSet {
    /// ARN of the change set.
    pub arn: String,
    /// ARN of the stack.
    pub stack: String,
    express: bool,
    fresh: bool,
    found: Vec<ResourceChange>,
}

/// What came of asking.
#[derive(Debug)]
pub enum Asked {
    /// Something changes.
    Changes(ChangeSet),
    /// Nothing does.
    Nothing,
    /// CloudFormation finds the template wrong, and why.
    Refused {
        /// CloudFormation's words.
        reason: String,
        /// What its checks found, the first cause first.
        found: Vec<events::FailedEvent>,
    },
}

/// Returns a name that no other change set has.
pub fn new_name() -> String {
    format!("decouple-{}", jiff::Timestamp::now().as_millisecond())
}

/// Asks what the template would change.
pub async fn ask(session: &Session, wanted: &Wanted) -> Result<Asked, Error> {
    let call = Call::new("cloudformation", "CreateChangeSet", &wanted.stack);
    let request = session
        .stacks()
        .create_change_set()
        .stack_name(&wanted.stack)
        .change_set_name(&wanted.name)
        .change_set_type(if wanted.fresh { ChangeSetType::Create } else { ChangeSetType::Update })
        .description("made by decouple")
        .capabilities(Capability::from(wanted.capability))
        .set_role_arn(wanted.role.clone())
        .set_parameters(Some(pairs(&wanted.parameters, |key, value| {
            Parameter::builder().parameter_key(key).parameter_value(value).build()
        })))
        .set_tags(Some(pairs(&wanted.tags, |key, value| Tag::builder().key(key).value(value).build())))
        .set_deployment_config(wanted.express.then(express));
    let request = match &wanted.template {
        Source::Inline(text) => request.template_body(text),
        Source::Url(url) => request.template_url(url),
    };
    let made = request.send().await.map_err(call.failed())?;
    let (arn, stack) = (made.id.unwrap_or_default(), made.stack_id.unwrap_or_default());
    let set = ChangeSet { arn, stack, express: wanted.express, fresh: wanted.fresh, found: Vec::new() };
    finished(session, set).await
}

/// A create that fails in express mode is rolled back as any other.
fn express() -> DeploymentConfig {
    DeploymentConfig::builder().mode(DeploymentConfigMode::Express).disable_rollback(false).build()
}

fn pairs<T>(pairs: &[(String, String)], make: impl Fn(&str, &str) -> T) -> Vec<T> {
    pairs.iter().map(|(key, value)| make(key, value)).collect()
}

/// Waits until CloudFormation has compared the templates.
async fn finished(session: &Session, mut set: ChangeSet) -> Result<Asked, Error> {
    let mut pace = Pace::new();
    let looking = session.looking();
    loop {
        match look(&looking, &set.arn, None).await {
            Ok(look) if look.status == ChangeSetStatus::CreateComplete => {
                set.found = look.changes;
                let mut next = look.next;
                while let Some(token) = next {
                    let more = look_patiently(&looking, &set.arn, token, &mut pace).await?;
                    set.found.extend(more.changes);
                    next = more.next;
                }
                return Ok(Asked::Changes(set));
            }
            Ok(look) if look.status == ChangeSetStatus::Failed => return failed(session, &set, look.reason).await,
            Ok(_) => pace.answered(),
            Err(error) if error.may_pass() => pace.throttled(),
            Err(error) => return Err(error),
        }
        pace.wait().await;
    }
}

struct Look {
    status: ChangeSetStatus,
    reason: String,
    changes: Vec<ResourceChange>,
    next: Option<String>,
}

async fn look(session: &Session, arn: &str, token: Option<String>) -> Result<Look, Error> {
    let call = Call::new("cloudformation", "DescribeChangeSet", arn);
    let request = session.stacks().describe_change_set().change_set_name(arn).set_next_token(token);
    let found = request.send().await.map_err(call.failed())?;
    Ok(Look {
        status: found.status.unwrap_or(ChangeSetStatus::CreatePending),
        reason: found.status_reason.unwrap_or_default(),
        changes: found.changes.into_iter().flatten().filter_map(|change| change.resource_change).collect(),
        next: found.next_token,
    })
}

async fn look_patiently(session: &Session, arn: &str, token: String, pace: &mut Pace) -> Result<Look, Error> {
    loop {
        match look(session, arn, Some(token.clone())).await {
            Err(error) if error.may_pass() => pace.throttled(),
            looked => return looked,
        }
        pace.wait().await;
    }
}

/// A change set without changes "fails" as well.
async fn failed(session: &Session, set: &ChangeSet, reason: String) -> Result<Asked, Error> {
    const NOTHING: &[&str] = &["didn't contain changes", "No updates are to be performed"];
    let asked = if NOTHING.iter().any(|words| reason.contains(words)) {
        Asked::Nothing
    } else {
        let found = events::failed(session, events::Of::ChangeSet(&set.arn)).await?;
        Asked::Refused { reason, found }
    };
    throw_away(session, set).await?;
    Ok(asked)
}

/// Throws a change set away, and the empty stack that one for a new stack comes with.
pub async fn throw_away(session: &Session, set: &ChangeSet) -> Result<(), Error> {
    let call = Call::new("cloudformation", "DeleteChangeSet", &set.arn);
    session.stacks().delete_change_set().change_set_name(&set.arn).send().await.map_err(call.failed())?;
    if set.fresh { delete_shell(session, &set.stack).await } else { Ok(()) }
}

/// Throws away what was asked for and perhaps never answered, as [`throw_away`] does. It may not be there; while it is being made,
/// which takes seconds, CloudFormation does not let go of it.
pub async fn forget(session: &Session, wanted: &Wanted) -> Result<(), Error> {
    let mut pace = Pace::new();
    loop {
        let call = Call::new("cloudformation", "DeleteChangeSet", &wanted.name);
        let request = session.stacks().delete_change_set().stack_name(&wanted.stack).change_set_name(&wanted.name);
        match request.send().await.map_err(call.failed()) {
            Ok(_) if wanted.fresh => return delete_shell(session, &wanted.stack).await,
            Ok(_) => return Ok(()),
            // Its stack is not there either, or is somebody else's.
            Err(error) if error.has_code("ChangeSetNotFound") || error.says("does not exist") => return Ok(()),
            Err(error) if error.has_code("InvalidChangeSetStatus") => pace.answered(),
            Err(error) if error.may_pass() => pace.throttled(),
            Err(error) => return Err(error),
        }
        pace.wait().await;
    }
}

/// Deletes an empty stack. Somebody else may make it meanwhile.
async fn delete_shell(session: &Session, stack: &str) -> Result<(), Error> {
    if stack::find(session, stack).await?.is_some_and(|stack| stack.state == State::Shell) {
        let call = Call::new("cloudformation", "DeleteStack", stack);
        session.stacks().delete_stack().stack_name(stack).send().await.map_err(call.failed())?;
    }
    Ok(())
}

/// Has CloudFormation do it. What was made by a create that fails goes again, data included: nobody has used it yet.
pub async fn execute(session: &Session, set: &ChangeSet) -> Result<(), Error> {
    let call = Call::new("cloudformation", "ExecuteChangeSet", &set.arn);
    let request = session.stacks().execute_change_set().change_set_name(&set.arn);
    // Express mode says what becomes of failures when the change set is made, and takes no other word for it.
    let request = if set.express { request } else { request.set_retain_except_on_create(set.fresh.then_some(true)) };
    request.send().await.map_err(call.failed())?;
    Ok(())
}

impl ChangeSet {
    /// Returns the changes in the words of the topology, in the template's order.
    pub fn changes(&self, words: &Words<'_>) -> Changes {
        let mut resources: Vec<Change> = self.found.iter().map(|found| change(found, words)).collect();
        resources.sort_by_key(|change| words.place(&change.resource));
        Changes { fresh: self.fresh, resources }
    }
}

fn change(found: &ResourceChange, words: &Words<'_>) -> Change {
    let resource = found.logical_resource_id().unwrap_or_default().to_owned();
    let kind = found.resource_type().unwrap_or_default().to_owned();
    let (part, description) = words.of(&resource, &kind);
    let action = action(found);
    let fate = match action {
        Action::Replace | Action::Delete => Some(fate(found, words.old, &resource)),
        _ => None,
    };
    let follows = follows(found);
    let unguarded = words.unguards(&resource);
    Change { part, description, fate, action, properties: properties(found), follows, unguarded, resource, kind }
}

fn action(found: &ResourceChange) -> Action {
    match (found.action(), found.replacement()) {
        (Some(ChangeAction::Add | ChangeAction::Import), _) => Action::Create,
        (Some(ChangeAction::Remove), _) => Action::Delete,
        (_, Some(Replacement::True)) => Action::Replace,
        (_, Some(Replacement::Conditional)) => Action::MayReplace,
        _ => Action::Update,
    }
}

/// What the change set says becomes of it; of an endpoint that does not say, what the deployed template says.
fn fate(found: &ResourceChange, old: Option<&Value>, resource: &str) -> Fate {
    match found.policy_action() {
        Some(PolicyAction::Retain | PolicyAction::ReplaceAndRetain) => return Fate::Kept,
        Some(PolicyAction::Snapshot | PolicyAction::ReplaceAndSnapshot) => return Fate::Snapshot,
        Some(PolicyAction::Delete | PolicyAction::ReplaceAndDelete) => return Fate::Lost,
        _ => {}
    }
    let policy = old.and_then(|old| old.get("Resources")?.get(resource)?.get("DeletionPolicy")?.as_str());
    match policy {
        Some("Retain") => Fate::Kept,
        Some("Snapshot") => Fate::Snapshot,
        _ => Fate::Lost,
    }
}

/// CloudFormation lists whatever refers to something that changes, and finds out later whether that made a difference.
fn follows(found: &ResourceChange) -> bool {
    let refers = |source: Option<&ChangeSource>| {
        matches!(source, Some(ChangeSource::ResourceReference | ChangeSource::ResourceAttribute))
    };
    let details = found.details();
    !details.is_empty()
        && details.iter().all(|detail| {
            detail.evaluation() == Some(&EvaluationType::Dynamic) && refers(detail.change_source())
                || detail.target().and_then(|target| target.name()) == Some("Tags")
        })
        && details.iter().any(|detail| refers(detail.change_source()))
}

fn properties(found: &ResourceChange) -> Vec<String> {
    let targets = found.details().iter().filter_map(|detail| detail.target());
    let mut names: Vec<String> = targets
        .filter_map(|target| match target.name() {
            Some(name) => Some(name.to_owned()),
            None => target.attribute().map(|attribute| attribute.as_str().to_owned()),
        })
        .collect();
    names.sort();
    names.dedup();
    names
}
