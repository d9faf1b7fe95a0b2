//! The end of the instance on AWS: watches the metadata service for what announces it, has the worker receive nothing more,
//! and completes the group's termination hook once nothing is held.
//!
//! It ends no process: the system does, with the signal that every worker knows.

use std::time::Duration;

use aws_config::{
    SdkConfig,
    imds::{Client as Metadata, client::error::ImdsError},
    provider_config::ProviderConfig,
};
use aws_sdk_autoscaling::{Client as AutoScaling, error::DisplayErrorContext};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, TerminationHook};

/// Pause between two looks at the metadata, which AWS recommends: two minutes are left from a notice on.
const LOOK: Duration = Duration::from_secs(5);
/// What Auto Scaling is about to make of the instance.
const TARGET_STATE: &str = "/latest/meta-data/autoscaling/target-lifecycle-state";
const TERMINATED: &str = "Terminated";
/// What is not there until AWS takes a spot instance back. The recommendation to replace one, which may come earlier, is nothing
/// to go by: such an instance may live for hours, and the group ends it by itself once the new one is healthy.
const INTERRUPTION: &str = "/latest/meta-data/spot/instance-action";

/// What a worker and the watch over its instance tell each other.
#[derive(Clone)]
pub(crate) struct Signals {
    /// Cancelled when nothing more is to be received.
    pub(crate) draining: CancellationToken,
    /// Cancelled when nothing that was received is held.
    pub(crate) drained: CancellationToken,
    /// Cancelled when the worker is about to return.
    pub(crate) finished: CancellationToken,
}

/// The watch over an instance of an Auto Scaling group.
pub(crate) struct Termination {
    metadata: Metadata,
    groups: AutoScaling,
    hook: TerminationHook,
    instance: String,
}

impl Termination {
    /// Returns the watch, or none where no hook is named: nobody else announces the end of an instance.
    pub(crate) fn new(sdk: &SdkConfig, config: &Config) -> Option<Self> {
        let hook = config.termination_hook.clone()?;
        let provider = ProviderConfig::default().with_region(sdk.region().cloned());
        Some(Self {
            metadata: Metadata::builder().configure(&provider).build(),
            groups: AutoScaling::new(sdk),
            hook,
            instance: config.instance.clone(),
        })
    }

    /// Watches until the worker returns.
    pub(crate) async fn watch(self, signals: Signals) {
        tokio::select! {
            () = signals.finished.cancelled() => {}
            () = self.see_out(&signals) => {}
        }
    }

    async fn see_out(&self, signals: &Signals) {
        let announced = self.announced().await;
        tracing::info!(instance = self.instance, "{announced}: nothing more is received");
        signals.draining.cancel();
        signals.drained.cancelled().await;
        tracing::info!(instance = self.instance, "nothing is held any more");
        self.complete().await;
    }

    /// Waits until the end of the instance is announced, and returns what was said.
    async fn announced(&self) -> &'static str {
        loop {
            if self.is_terminating().await {
                return "Auto Scaling terminates this instance";
            }
            if self.read(INTERRUPTION).await.is_some() {
                return "this spot instance is interrupted in two minutes";
            }
            sleep(LOOK).await;
        }
    }

    async fn is_terminating(&self) -> bool {
        self.read(TARGET_STATE).await.is_some_and(|state| state.trim() == TERMINATED)
    }

    /// Returns a value of the metadata. None is there before AWS has something to say, and none can be read meanwhile if the
    /// service does not answer; the next look may find one.
    async fn read(&self, path: &str) -> Option<String> {
        match self.metadata.get(path).await {
            Ok(value) => Some(value.into()),
            Err(ImdsError::ErrorResponse(context)) if context.response().status().as_u16() == 404 => None,
            Err(error) => {
                tracing::warn!("{path} of the instance's metadata cannot be read: {}", DisplayErrorContext(error));
                None
            }
        }
    }

    /// Completes the hook once the instance waits on it. A notice comes before Auto Scaling acts on it, and a balancer is waited
    /// for before the hook is, so there may be no such wait yet; and where Auto Scaling cannot be reached, the hook
    /// ends by its time-out.
    async fn complete(&self) {
        loop {
            if self.is_terminating().await {
                let complete = self
                    .groups
                    .complete_lifecycle_action()
                    .auto_scaling_group_name(&self.hook.group)
                    .lifecycle_hook_name(&self.hook.name)
                    .instance_id(&self.instance)
                    .lifecycle_action_result("CONTINUE");
                match complete.send().await {
                    Ok(_) => break,
                    Err(error) => tracing::info!("the hook is not completed yet: {}", DisplayErrorContext(error)),
                }
            }
            sleep(LOOK).await;
        }
        tracing::info!(group = self.hook.group, hook = self.hook.name, "the termination hook is completed");
    }
}
