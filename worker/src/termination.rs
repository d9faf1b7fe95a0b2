//! The end of the instance on AWS: watches the metadata service for what announces it, has the worker receive nothing more,
//! keeps the group's termination hook open while something is held, and completes it then.
//!
//! It ends no process: the system does, with the signal that every worker knows.

use std::{future::pending, time::Duration};

use aws_config::{
    SdkConfig,
    imds::{Client as Metadata, client::error::ImdsError},
    provider_config::ProviderConfig,
};
use aws_sdk_autoscaling::{Client as AutoScaling, error::DisplayErrorContext};
use decouple_contract::timing;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Config, TerminationHook},
    requests::Requests,
};

/// Pause between two looks at the metadata, which AWS recommends: two minutes are left from a notice on.
const LOOK: Duration = Duration::from_secs(5);
/// Pause between two heartbeats: one may fail before the hook's time is over.
const HEARTBEAT: Duration = Duration::from_secs(timing::TERMINATION_HOOK * 2 / 5);
/// What may be held takes no longer than a job and this: an upload may need ten minutes until its job begins.
const BESIDE_JOB: Duration = Duration::from_mins(15);
/// What Auto Scaling is about to make of the instance.
const TARGET_STATE: &str = "/latest/meta-data/autoscaling/target-lifecycle-state";
const TERMINATED: &str = "Terminated";
/// What is not there until AWS takes a spot instance back. The recommendation to replace one, which may come earlier, is nothing
/// to go by: such an instance may live for hours, and the group ends it by itself once the new one is healthy.
const INTERRUPTION: &str = "/latest/meta-data/spot/instance-action";

/// What a worker and the watch over its instance tell each other.
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
    /// Whatever is held when the end is announced is done after so long.
    longest: Duration,
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
            longest: config.job_timeout.saturating_add(BESIDE_JOB),
        })
    }

    /// Watches until the worker returns.
    pub(crate) async fn watch(self, signals: &Signals, requests: &Requests) {
        tokio::select! {
            () = signals.finished.cancelled() => {}
            () = self.see_out(signals, requests) => {}
        }
    }

    async fn see_out(&self, signals: &Signals, requests: &Requests) {
        let announced = self.announced().await;
        tracing::info!(instance = self.instance, "{announced}: nothing more is received");
        signals.draining.cancel();
        let since = Instant::now();
        self.done(signals, requests, since).await;
        tracing::info!(instance = self.instance, "nothing is held any more");
        // A notice comes before Auto Scaling acts on it, and a balancer is waited for before the hook is, so there may be no such
        // wait yet, and another request may come. Where Auto Scaling cannot be reached, the hook ends by its time-out.
        while !self.complete().await {
            sleep(LOOK).await;
            self.done(signals, requests, since).await;
        }
        tracing::info!(group = self.hook.group, hook = self.hook.name, "the termination hook is completed");
    }

    /// Waits until nothing is held, and has the group wait too.
    async fn done(&self, signals: &Signals, requests: &Requests, since: Instant) {
        let done = async {
            signals.drained.cancelled().await;
            requests.quiet().await;
        };
        tokio::select! {
            biased;
            () = done => {}
            () = self.keep_open(since) => {}
        }
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

    /// Keeps the hook from ending by its time-out, for as long as anything may be held that was begun before `since`.
    async fn keep_open(&self, since: Instant) {
        while since.elapsed() < self.longest {
            if self.is_terminating().await {
                self.record_heartbeat().await;
            }
            sleep(HEARTBEAT).await;
        }
        tracing::warn!(
            "something is held for longer than anything should be: the termination hook is left to its time-out"
        );
        pending::<()>().await;
    }

    async fn record_heartbeat(&self) {
        let heartbeat = self
            .groups
            .record_lifecycle_action_heartbeat()
            .auto_scaling_group_name(&self.hook.group)
            .lifecycle_hook_name(&self.hook.name)
            .instance_id(&self.instance);
        match heartbeat.send().await {
            Ok(_) => tracing::info!(hook = self.hook.name, "the termination hook waits for what is held"),
            Err(error) => tracing::info!("no heartbeat of the hook is recorded: {}", DisplayErrorContext(error)),
        }
    }

    /// Completes the hook if the instance waits on it, and tells whether it did.
    async fn complete(&self) -> bool {
        if !self.is_terminating().await {
            return false;
        }
        let complete = self
            .groups
            .complete_lifecycle_action()
            .auto_scaling_group_name(&self.hook.group)
            .lifecycle_hook_name(&self.hook.name)
            .instance_id(&self.instance)
            .lifecycle_action_result("CONTINUE");
        match complete.send().await {
            Ok(_) => true,
            Err(error) => {
                tracing::info!("the hook is not completed yet: {}", DisplayErrorContext(error));
                false
            }
        }
    }
}
