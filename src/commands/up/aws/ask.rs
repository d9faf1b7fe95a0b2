//! What an `up` would change: template and bundle go where AWS reads them, and a change set is asked for. Nothing of it touches what
//! is deployed.

use super::{BUNDLE, Deployment};
use crate::{
    aws::{
        artifacts,
        change_set::{self, Asked, Source, Wanted},
        environments,
        stack::{Stack, State},
    },
    cloudformation::{CAPABILITY, INLINE_LIMIT, PARAMETER_KEY},
    commands::{aws::aws_error, signals::unless_interrupted},
    error::{Error, Kind},
    reporter::{Reporter, ReporterExt as _},
};

/// What the comparison with what is deployed is called where progress is told.
const PLAN: &str = "plan";

impl Deployment<'_> {
    /// Ships the bundle while CloudFormation compares the templates. What is left half asked is thrown away.
    pub(super) async fn ask(&self, name: &str, fresh: bool, tags: Vec<(String, String)>) -> Result<Asked, Error> {
        let unchanged = || Error::new(Kind::Cancelled, "cancelled; nothing was changed");
        let progress = self.context.ui.progress();
        progress.working(&PLAN, "what is deployed is compared with the blueprint");
        let wanted = unless_interrupted(Box::pin(self.wanted(name, fresh, tags)), unchanged).await?;
        let compared = async {
            let asked = change_set::ask(&self.session, &wanted).await.map_err(|error| aws_error(&error))?;
            progress.done(&PLAN, "compared");
            Ok(asked)
        };
        let both = Box::pin(async { tokio::try_join!(compared, self.ship(progress.as_ref())) });
        match unless_interrupted(both, unchanged).await {
            Ok((asked, ())) => Ok(asked),
            Err(error) => Err(self.forget(&wanted).await.unwrap_or(error)),
        }
    }

    /// Throws away what was asked for. Returns an error where that was not waited for.
    async fn forget(&self, wanted: &Wanted) -> Option<Error> {
        let name = &wanted.name;
        let left = || {
            let message =
                format!("cancelled; nothing was changed, but change set {name} of stack {} is left", wanted.stack);
            Error::new(Kind::Cancelled, message).hint(format!("remove it: {}", self.context.command("teardown")))
        };
        self.context.ui.note("the comparison is thrown away (again to leave at once)");
        let forgotten = async { change_set::forget(&self.session, wanted).await.map_err(|error| aws_error(&error)) };
        match unless_interrupted(forgotten, left).await {
            Ok(()) => None,
            Err(error) if error.kind == Kind::Cancelled => Some(error),
            Err(error) => {
                self.context.ui.detail(&format!("change set {name} is left: {error}"));
                None
            }
        }
    }

    /// What is asked for. A template that is too large for a request goes into the artifact bucket.
    async fn wanted(&self, name: &str, fresh: bool, tags: Vec<(String, String)>) -> Result<Wanted, Error> {
        let wrong = |error| aws_error(&error);
        artifacts::ensure_bucket(&self.session).await.map_err(wrong)?;
        let template = if self.text.len() > INLINE_LIMIT {
            let put = artifacts::put_template(&self.session, &self.bucket, name, &self.text).await;
            Source::Url(self.session.object_url(&self.bucket, &put.map_err(wrong)?))
        } else {
            Source::Inline(self.text.clone())
        };
        Ok(Wanted {
            name: change_set::new_name(),
            stack: name.to_owned(),
            template,
            parameters: self.parameters(),
            tags,
            capability: CAPABILITY,
            role: self.topology.iam.deployment_role.clone(),
            express: self.arguments.express,
            fresh,
        })
    }

    /// Sees to it that the bundle is there, and counts as used.
    async fn ship(&self, progress: &dyn Reporter) -> Result<(), Error> {
        let megabytes = self.bundle.bytes.div_ceil(1_000_000);
        progress.working(&BUNDLE, format!("shipping {megabytes} MB to bucket {}", self.bucket));
        let shipped = artifacts::ship(&self.session, &self.bucket, &self.bundle).await;
        let said = if shipped.map_err(|error| aws_error(&error))? { "shipped" } else { "there already" };
        progress.done(&BUNDLE, said);
        Ok(())
    }

    /// Another environment's `up` may have taken the bundle for one that nobody uses, or somebody have removed it: it is there, and
    /// counts as used, when an `up` ends. What nobody uses any more is left to expire.
    pub(super) async fn look_after_bundles(&self, changed: bool) -> Result<(), Error> {
        let wrong = |error| aws_error(&error);
        artifacts::ensure_bucket(&self.session).await.map_err(wrong)?;
        artifacts::ship(&self.session, &self.bucket, &self.bundle).await.map_err(wrong)?;
        if changed {
            self.retire_bundles().await;
        }
        Ok(())
    }

    /// What fails here costs a few cents a month, and is tried again by the next `up`.
    async fn retire_bundles(&self) {
        let retired = async {
            let stacks = environments::all(&self.session).await?;
            // What a stack that is being changed goes back to if that fails, it does not say.
            if stacks.iter().any(|stack| matches!(stack.state, State::Busy(_))) {
                return Ok(0);
            }
            let key = |stack: &Stack| stack.parameters.get(PARAMETER_KEY).cloned();
            let used: Vec<String> = stacks.iter().filter_map(key).collect();
            artifacts::retire(&self.session, &self.bucket, &used).await
        };
        if let Err(error) = retired.await {
            self.context.ui.detail(&format!("old bundles are left where they are: {error}"));
        }
    }
}
