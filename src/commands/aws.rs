//! What the verbs share on the target `aws`: the login, the environment's stack, the bundle, and AWS's errors as the
//! command line's.

use std::path::{Path, PathBuf};

use super::{
    Context,
    signals::{Signal, Signals, unless_interrupted},
};
use crate::{
    aws::{
        self, Login, Session,
        changes::Changes,
        operation::Operation,
        stack::{self, Doing, Stack, State},
    },
    blueprint::{self, Loaded, Selection, Stage},
    bundle::{self, Bundle, BundleError, Wanted},
    cloudformation::{self, TAG_ENVIRONMENT, TAG_SITE},
    error::{Error, Kind, chain},
    topology::Topology,
};

/// Opens a session with the account that the flags and the SDK's own settings name.
pub(super) async fn session(context: &Context) -> Result<Session, Error> {
    let login = Login { region: context.common.region.as_deref(), profile: context.common.profile.as_deref() };
    let session = Session::open(&login).await.map_err(|error| aws_error(&error))?;
    context.ui.detail(&format!("AWS account {} in {}", session.account(), session.region()));
    Ok(session)
}

/// Returns the site's name: the blueprint's, or without one the built-in ones'.
pub(super) fn site_name(context: &Context) -> Result<String, Error> {
    context.glance()?.name.map_or_else(built_in_name, Ok)
}

/// Returns the name of the environment's stack.
pub(super) fn stack_name(context: &Context) -> Result<String, Error> {
    Ok(cloudformation::stack_name(&site_name(context)?, &context.common.env))
}

/// Finds the environment's stack.
pub(super) async fn find(context: &Context, session: &Session) -> Result<Option<Stack>, Error> {
    let found = stack::find(session, &stack_name(context)?).await.map_err(|error| aws_error(&error))?;
    found.map(|stack| owned(stack, &site_name(context)?, &context.common.env)).transpose()
}

/// Refuses a stack of the right name that is not the environment's: it is somebody else's, and nothing is done to it. An empty one
/// has no tags yet, and nothing in it.
pub(super) fn owned(stack: Stack, site: &str, env: &str) -> Result<Stack, Error> {
    let is = |tag: &str, wanted: &str| stack.tags.get(tag).is_some_and(|value| value == wanted);
    if stack.state == State::Shell || is(TAG_SITE, site) && is(TAG_ENVIRONMENT, env) {
        return Ok(stack);
    }
    let whose = match (stack.tags.get(TAG_SITE), stack.tags.get(TAG_ENVIRONMENT)) {
        (Some(site), Some(env)) => format!("is environment `{env}` of site `{site}`"),
        _ => "was not made by decouple".to_owned(),
    };
    let message =
        format!("the stack {} {whose}, not environment `{env}` of site `{site}`: nothing is done to it", stack.name);
    Err(Error::new(Kind::Usage, message).hint("choose another name: --env NAME, or `name` in the blueprint"))
}

/// Waits for somebody else's operation on a stack, which is never trampled on.
pub(super) async fn await_others(
    context: &Context,
    session: &Session,
    stack: &Stack,
    doing: Doing,
) -> Result<(), Error> {
    context.ui.note(&format!("stack {}: waiting for the {} that is under way", stack.name, doing.word()));
    let progress = context.ui.progress();
    let changes = everything(session, stack).await;
    let mut operation =
        Operation::follow(session, &stack.arn, &changes, progress.as_ref()).await.map_err(|error| aws_error(&error))?;
    // It may have ended between the two looks.
    let now = stack::find(session, &stack.arn).await.map_err(|error| aws_error(&error))?;
    if !matches!(now.map(|stack| stack.state), Some(State::Busy(_))) {
        return Ok(());
    }
    let ended = async { operation.ended().await.map(drop).map_err(|error| aws_error(&error)) };
    let cancelled = || Error::new(Kind::Cancelled, "cancelled; somebody else's operation was left alone");
    unless_interrupted(ended, cancelled).await
}

/// All that a stack has, in people's words, as far as the deployed template can be read.
pub(super) async fn everything(session: &Session, stack: &Stack) -> Changes {
    let template = stack::template(session, &stack.arn).await.unwrap_or_default();
    Changes::deletion(&serde_json::from_str(&template).unwrap_or_default())
}

/// The built-in blueprints are one site at three stages, so they have one name.
fn built_in_name() -> Result<String, Error> {
    let selection = Selection { stage: Some(Stage::Elb), ..Selection::default() };
    let loaded = blueprint::load(&selection).map_err(|error| Error::new(Kind::Bug, chain(&error)))?;
    Ok(loaded.blueprint.name)
}

/// Returns the stack of an environment that must exist.
pub(super) async fn existing(context: &Context, session: &Session) -> Result<Stack, Error> {
    find(context, session).await?.map_or_else(|| Err(missing(context, session, &stack_name(context)?)), Ok)
}

/// There is no such environment.
pub(super) fn missing(context: &Context, session: &Session, stack: &str) -> Error {
    let (env, region, account) = (&context.common.env, session.region(), session.account());
    let message = format!("there is no environment `{env}` (stack {stack}) in {region} of AWS account {account}");
    Error::new(Kind::NotFound, message)
        .hint(format!("bring it up: {}", context.command("up")))
        .hint("see what there is: decouple list --target aws")
}

/// An error of AWS as the command line's.
pub(super) fn aws_error(error: &aws::Error) -> Error {
    match error {
        aws::Error::Credentials(_) => Error::new(Kind::Credentials, error.to_string())
            .hint("log in: aws sso login, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        aws::Error::NoRegion => Error::new(Kind::Usage, error.to_string())
            .hint("name one: --region eu-central-1, or set AWS_REGION, or `region` in the profile"),
        aws::Error::Denied { .. } => Error::new(Kind::Denied, error.to_string())
            .hint("what decouple needs to be allowed: decouple export --policy"),
        aws::Error::Throttled { .. } => {
            Error::new(Kind::Failed, error.to_string()).hint("run it again: what was begun goes on")
        }
        error if error.is_contention() => Error::new(Kind::Locked, chain(error))
            .hint("another run works on the environment; run it again, and it waits for that one"),
        _ => Error::new(Kind::Failed, chain(error)),
    }
}

/// The second Ctrl-C, or a SIGTERM that cannot be waited for any longer: what goes on without us.
pub(super) fn left(context: &Context, what: &str) -> Error {
    Error::new(Kind::Cancelled, format!("left; on AWS {what} goes on"))
        .hint(format!("see how it is: {}", context.command("status")))
}

/// Longest that a program which sent SIGTERM is kept waiting. Many kill after seven seconds.
const TERMINATED: std::time::Duration = std::time::Duration::from_secs(5);

/// Waits until it is time to leave: at once on another signal, or after a few seconds where a program asked to stop.
pub(super) async fn time_to_leave(first: Signal, signals: &mut Signals) {
    let patience = async {
        match first {
            Signal::Interrupt => std::future::pending().await,
            Signal::Terminate => tokio::time::sleep(TERMINATED).await,
        }
    };
    tokio::select! {
        () = patience => {}
        _ = signals.received() => {}
    }
}

/// Finds or makes the bundle that the instances of a topology run.
pub(super) async fn bundle(
    given: Option<&Path>,
    loaded: &Loaded,
    topology: &Topology,
    cache: &Path,
) -> Result<Bundle, BundleError> {
    if let Some(file) = given {
        return bundle::given(file);
    }
    let architecture = topology.groups().next().map(|group| group.architecture.clone()).unwrap_or_default();
    let path = |path: &Option<String>| path.as_ref().map(PathBuf::from);
    let (program, model) = (path(&loaded.blueprint.worker.path), path(&loaded.blueprint.tagging.model));
    let (labels, cache) = (path(&loaded.blueprint.tagging.labels), cache.to_owned());
    let built = tokio::task::spawn_blocking(move || {
        bundle::build(&Wanted {
            architecture: &architecture,
            program: program.as_deref(),
            model: model.as_deref(),
            labels: labels.as_deref(),
            cache: &cache,
        })
    });
    built.await.expect("making a bundle does not panic")
}

/// A bundle that is not there, or that would be of no use, as the command line's error.
pub(super) fn no_bundle(error: &BundleError) -> Error {
    let failed = Error::failed(error);
    match error {
        BundleError::Missing { architecture, .. } => failed
            .hint(format!("build its parts: scripts/bundle {architecture}"))
            .hint("or name a bundle that is there: --bundle FILE"),
        BundleError::Architecture { wanted, .. } => {
            failed.hint(format!("build it for {wanted}, or choose `instance_types` of its own processor"))
        }
        BundleError::TooNew { .. } => {
            failed.hint("link it against an older glibc, as `scripts/bundle` does, or statically")
        }
        BundleError::Malformed { .. } | BundleError::Io { .. } => failed,
    }
}
