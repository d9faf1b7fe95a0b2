//! What the verbs share on the target `aws`: the login, the environment's stack, the bundle, and AWS's errors as the
//! command line's.

use std::path::{Path, PathBuf};

use super::{Context, signals::Signal};
use crate::{
    aws::{
        self, Login, Session,
        stack::{self, Stack},
    },
    blueprint::{self, Loaded, Selection, Stage},
    bundle::{self, Bundle, BundleError, Wanted},
    cloudformation,
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

/// Writes a command that can be pasted: about this environment, and no other.
pub(super) fn command(context: &Context, verb: &str) -> String {
    format!("decouple {verb} --env {} --target aws", context.common.env)
}

/// Returns the name of the environment's stack. The blueprint's name begins it; without one, the built-in ones'.
pub(super) fn stack_name(context: &Context) -> Result<String, Error> {
    let name = match context.glance()?.name {
        Some(name) => name,
        None => built_in_name()?,
    };
    Ok(cloudformation::stack_name(&name, &context.common.env))
}

/// The built-in blueprints are one site at three stages, so they have one name.
fn built_in_name() -> Result<String, Error> {
    let selection = Selection { stage: Some(Stage::Elb), ..Selection::default() };
    let loaded = blueprint::load(&selection).map_err(|error| Error::new(Kind::Bug, chain(&error)))?;
    Ok(loaded.blueprint.name)
}

/// Returns the stack of an environment that must exist.
pub(super) async fn existing(context: &Context, session: &Session) -> Result<Stack, Error> {
    let name = stack_name(context)?;
    stack::find(session, &name)
        .await
        .map_err(|error| aws_error(&error))?
        .ok_or_else(|| missing(context, session, &name))
}

/// There is no such environment.
pub(super) fn missing(context: &Context, session: &Session, stack: &str) -> Error {
    let (env, region, account) = (&context.common.env, session.region(), session.account());
    let message = format!("there is no environment `{env}` (stack {stack}) in {region} of AWS account {account}");
    Error::new(Kind::NotFound, message)
        .hint(format!("bring it up: {}", command(context, "up")))
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
        _ => Error::new(Kind::Failed, chain(error)),
    }
}

/// The second Ctrl-C, or a SIGTERM that cannot be waited for any longer: what goes on without us.
pub(super) fn left(context: &Context, what: &str) -> Error {
    Error::new(Kind::Cancelled, format!("left; on AWS {what} goes on"))
        .hint(format!("see how it is: {}", command(context, "status")))
}

/// Longest that a program which sent SIGTERM is kept waiting. Many kill after seven seconds.
const TERMINATED: std::time::Duration = std::time::Duration::from_secs(5);

/// Waits until it is time to leave: at once on another signal, or after a few seconds where a program asked to stop.
pub(super) async fn time_to_leave(first: Signal) {
    let patience = async {
        match first {
            Signal::Interrupt => std::future::pending().await,
            Signal::Terminate => tokio::time::sleep(TERMINATED).await,
        }
    };
    tokio::select! {
        () = patience => {}
        () = super::signals::interrupted() => {}
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
