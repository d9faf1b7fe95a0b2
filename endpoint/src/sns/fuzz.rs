//! Policies for the fuzzer.

use crate::sqs::MessageAttributes;

use super::{
    filter::{Filter, Scope},
    policy,
    retry::RetryPolicy,
};

/// As many retries as a policy can ask for.
const MOST_RETRIES: u32 = 100;

/// Three lines: a policy (of a filter or of deliveries), a body, and message attributes in JSON.
pub fn policies(lines: &[u8]) {
    let text = String::from_utf8_lossy(lines);
    let mut lines = text.splitn(3, '\n');
    let mut next = || lines.next().unwrap_or_default();
    let (policy, body) = (next(), next());
    let attributes: MessageAttributes = serde_json::from_str(next()).unwrap_or_default();
    for scope in [Scope::Attributes, Scope::Body] {
        if let Ok(filter) = Filter::parse(policy, scope) {
            filter.matches(&attributes, body);
        }
    }
    if RetryPolicy::check(policy).is_ok() {
        let retries = RetryPolicy::of(Some(policy), Some(body));
        assert_eq!(retries.delay(MOST_RETRIES + 1), None);
        assert!((1..=MOST_RETRIES).filter_map(|retry| retries.delay(retry)).all(|delay| delay.as_secs() <= 3600));
    }
    drop(policy::content_type(Some(policy), Some(body)));
    for written in
        [policy::of_subscription(policy), policy::effective(Some(policy), Some(body)), policy::of_topic(policy)]
    {
        assert!(serde_json::from_str::<serde_json::Value>(&written).is_ok());
    }
}
