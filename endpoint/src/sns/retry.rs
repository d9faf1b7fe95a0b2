//! How often and when a delivery to a server is tried again. Pure.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

/// A policy as it is written: each number has the service's default.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct RetryPolicy {
    min_delay_target: u32,
    max_delay_target: u32,
    num_retries: u32,
    num_max_delay_retries: u32,
    num_no_delay_retries: u32,
    num_min_delay_retries: u32,
    backoff_function: Backoff,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Backoff {
    Linear,
    Arithmetic,
    Geometric,
    Exponential,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy {
            min_delay_target: 20,
            max_delay_target: 20,
            num_retries: 3,
            num_max_delay_retries: 0,
            num_no_delay_retries: 0,
            num_min_delay_retries: 0,
            backoff_function: Backoff::Linear,
        }
    }
}

impl RetryPolicy {
    /// The policy of a subscription, else that of its topic, else the default.
    pub(super) fn of(subscription: Option<&str>, topic: Option<&str>) -> RetryPolicy {
        let parsed = |text: Option<&str>| serde_json::from_str::<Value>(text?).ok();
        let topic = parsed(topic).map(|policy| policy["http"].clone()).unwrap_or_default();
        let subscription = parsed(subscription).filter(|_| topic["disableSubscriptionOverrides"] != true);
        let own = subscription.and_then(|policy| in_force(&policy["healthyRetryPolicy"]));
        own.or_else(|| in_force(&topic["defaultHealthyRetryPolicy"])).unwrap_or_default()
    }

    /// Checks the policy of a subscription.
    pub(super) fn check(text: &str) -> Result<(), String> {
        let policy: Value = serde_json::from_str(text).map_err(|_| "failed to parse JSON.".to_owned())?;
        let fields = policy.as_object().ok_or("it must be a JSON object.")?;
        let known = ["healthyRetryPolicy", "throttlePolicy", "sicklyRetryPolicy", "requestPolicy", "guaranteed"];
        if let Some(unknown) = fields.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(format!("Unexpected JSON member: {unknown}"));
        }
        match &policy["healthyRetryPolicy"] {
            Value::Null => Ok(()),
            retries => RetryPolicy::deserialize(retries).map_err(|error| error.to_string())?.check_ranges(),
        }
    }

    fn check_ranges(&self) -> Result<(), String> {
        let phases = [self.num_no_delay_retries, self.num_min_delay_retries, self.num_max_delay_retries];
        let phases = phases.into_iter().fold(0, u32::saturating_add);
        if !(1..=3600).contains(&self.min_delay_target) {
            return Err("minDelayTarget must be between 1 and 3600.".into());
        }
        if !(self.min_delay_target..=3600).contains(&self.max_delay_target) {
            return Err("maxDelayTarget must be between minDelayTarget and 3600.".into());
        }
        if self.num_retries > 100 {
            return Err("numRetries must be between 0 and 100.".into());
        }
        if phases > self.num_retries {
            return Err("the retries of the phases must not be more than numRetries.".into());
        }
        Ok(())
    }

    /// How long to wait before retry number `retry`, from 1; none when there is no such retry.
    pub(super) fn delay(&self, retry: u32) -> Option<Duration> {
        if retry == 0 || retry > self.num_retries {
            return None;
        }
        let (least, most) = (f64::from(self.min_delay_target), f64::from(self.max_delay_target));
        let before = self.num_no_delay_retries.saturating_add(self.num_min_delay_retries);
        let after = self.num_retries.saturating_sub(self.num_max_delay_retries);
        let seconds = if retry <= self.num_no_delay_retries {
            0.0
        } else if retry <= before {
            least
        } else if retry > after {
            most
        } else {
            let share = f64::from(retry - before) / f64::from(after - before);
            match self.backoff_function {
                Backoff::Linear => least + (most - least) * share,
                Backoff::Arithmetic => least + (most - least) * share * share,
                Backoff::Geometric | Backoff::Exponential => least * (most / least).powf(share),
            }
        };
        Some(Duration::from_secs_f64(seconds))
    }
}

fn in_force(policy: &Value) -> Option<RetryPolicy> {
    let policy = RetryPolicy::deserialize(policy).ok()?;
    policy.check_ranges().ok()?;
    Some(policy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(policy: &RetryPolicy) -> Vec<u64> {
        (1..).map_while(|retry| policy.delay(retry)).map(|delay| delay.as_secs()).collect()
    }

    #[test]
    fn without_a_policy_there_are_three_retries() {
        assert_eq!(delays(&RetryPolicy::of(None, None)), [20, 20, 20]);
        assert_eq!(delays(&RetryPolicy::of(Some("{}"), Some("not json"))), [20, 20, 20]);
    }

    #[test]
    fn the_phases_come_one_after_the_other() {
        let policy = r#"{"healthyRetryPolicy": {"numRetries": 8, "numNoDelayRetries": 2, "numMinDelayRetries": 1,
            "numMaxDelayRetries": 1, "minDelayTarget": 1, "maxDelayTarget": 9, "backoffFunction": "linear"}}"#;
        RetryPolicy::check(policy).unwrap();
        assert_eq!(delays(&RetryPolicy::of(Some(policy), None)), [0, 0, 1, 3, 5, 7, 9, 9]);
        let topic =
            r#"{"http": {"defaultHealthyRetryPolicy": {"numRetries": 1, "minDelayTarget": 2, "maxDelayTarget": 4}}}"#;
        assert_eq!(delays(&RetryPolicy::of(None, Some(topic))), [4]);
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        for policy in [
            "x",
            "[]",
            r#"{"other": {}}"#,
            r#"{"healthyRetryPolicy": {"numRetries": 101}}"#,
            r#"{"healthyRetryPolicy": {"numRetries": -1}}"#,
            r#"{"healthyRetryPolicy": {"minDelayTarget": 5, "maxDelayTarget": 4}}"#,
            r#"{"healthyRetryPolicy": {"numRetries": 1, "numNoDelayRetries": 2}}"#,
            r#"{"healthyRetryPolicy": {"numNoDelayRetries": 4294967295, "numMinDelayRetries": 1}}"#,
            r#"{"healthyRetryPolicy": {"backoffFunction": "cubic"}}"#,
        ] {
            assert!(RetryPolicy::check(policy).is_err(), "{policy}");
        }
    }
}
