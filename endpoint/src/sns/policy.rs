//! How messages are delivered to servers: the policies of topics and subscriptions as the service writes them. Pure.
//!
//! When a delivery is tried again is in [`super::retry`].

use http::HeaderValue;
use serde_json::{Map, Value, json};

/// What deliveries are, where nobody says.
const CONTENT_TYPE: &str = "text/plain; charset=UTF-8";

fn parsed(policy: Option<&str>) -> Value {
    policy.and_then(|policy| serde_json::from_str(policy).ok()).unwrap_or_default()
}

/// What a subscription says that its topic lets it say.
fn own(subscription: Option<&str>, topic: &Value) -> Value {
    let overruled = topic["http"]["disableSubscriptionOverrides"] == true;
    if overruled { Value::Null } else { parsed(subscription) }
}

/// The first that says anything.
fn first_of<const N: usize>(values: [&Value; N]) -> Value {
    values.into_iter().find(|value| !value.is_null()).cloned().unwrap_or_default()
}

/// Retries with what the service has where nothing is said.
fn retries(set: &Value) -> Value {
    let mut retries = json!({
        "minDelayTarget": 20, "maxDelayTarget": 20, "numRetries": 3, "numMaxDelayRetries": 0, "numNoDelayRetries": 0,
        "numMinDelayRetries": 0, "backoffFunction": "linear",
    });
    for (name, value) in set.as_object().into_iter().flatten() {
        retries[name] = value.clone();
    }
    retries
}

/// The policy of a subscription, with every part that it can have.
pub(super) fn of_subscription(set: &str) -> String {
    let set = parsed(Some(set));
    let policy = json!({
        "healthyRetryPolicy": set["healthyRetryPolicy"], "sicklyRetryPolicy": set["sicklyRetryPolicy"],
        "throttlePolicy": set["throttlePolicy"], "requestPolicy": set["requestPolicy"],
        "guaranteed": set["guaranteed"] == true,
    });
    policy.to_string()
}

/// The policy that is in force for a subscription.
pub(super) fn effective(subscription: Option<&str>, topic: Option<&str>) -> String {
    let topic = parsed(topic);
    let (own, topic) = (own(subscription, &topic), &topic["http"]);
    let policy = json!({
        "healthyRetryPolicy": retries(&first_of([&own["healthyRetryPolicy"], &topic["defaultHealthyRetryPolicy"]])),
        "sicklyRetryPolicy": first_of([&own["sicklyRetryPolicy"], &topic["defaultSicklyRetryPolicy"]]),
        "throttlePolicy": first_of([&own["throttlePolicy"], &topic["defaultThrottlePolicy"]]),
        "requestPolicy": request_policy(&own, topic), "guaranteed": own["guaranteed"] == true,
    });
    policy.to_string()
}

fn request_policy(own: &Value, topic: &Value) -> Value {
    let default = json!({"headerContentType": CONTENT_TYPE});
    first_of([&own["requestPolicy"], &topic["defaultRequestPolicy"], &default])
}

/// The policy of a topic: what it says, without what it leaves open.
pub(super) fn of_topic(set: &str) -> String {
    let set = parsed(Some(set));
    let said = set["http"].as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let mut policy: Map<String, Value> = said.map(|(name, value)| (name.clone(), value.clone())).collect();
    policy.entry("disableSubscriptionOverrides").or_insert(Value::Bool(false));
    json!({"http": policy}).to_string()
}

/// The policy that is in force for a topic.
pub(super) fn effective_of_topic(set: Option<&String>) -> String {
    let mut policy = parsed(Some(&of_topic(set.map_or("{}", String::as_str))));
    let http = &mut policy["http"];
    http["defaultHealthyRetryPolicy"] = retries(&http["defaultHealthyRetryPolicy"]);
    http["defaultRequestPolicy"] = request_policy(&Value::Null, http);
    policy.to_string()
}

/// The type that deliveries of a subscription say they have.
pub(super) fn content_type(subscription: Option<&str>, topic: Option<&str>) -> HeaderValue {
    let topic = parsed(topic);
    let policy = request_policy(&own(subscription, &topic), &topic["http"]);
    let named = policy["headerContentType"].as_str().and_then(|name| HeaderValue::from_str(name).ok());
    named.unwrap_or(HeaderValue::from_static(CONTENT_TYPE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(policy: &str) -> Value {
        serde_json::from_str(policy).unwrap()
    }

    #[test]
    fn policies_of_topics() {
        let set = r#"{"http": {"defaultHealthyRetryPolicy": {"minDelayTarget": 5, "numRetries": 1}, "defaultThrottlePolicy": null}}"#;
        let retries = json!({"minDelayTarget": 5, "numRetries": 1});
        let written = json!({"http": {"defaultHealthyRetryPolicy": retries, "disableSubscriptionOverrides": false}});
        assert_eq!(value(&of_topic(set)), written);
        for other in ["[]", "1", "{\"http\": []}", "x"] {
            assert_eq!(value(&of_topic(other)), json!({"http": {"disableSubscriptionOverrides": false}}));
        }
        let effective = value(&effective_of_topic(Some(&set.to_owned())));
        assert_eq!(effective["http"]["defaultHealthyRetryPolicy"]["maxDelayTarget"], 20);
        assert_eq!(effective["http"]["defaultHealthyRetryPolicy"]["numRetries"], 1);
        assert_eq!(effective["http"]["defaultRequestPolicy"]["headerContentType"], CONTENT_TYPE);
    }

    #[test]
    fn policies_of_subscriptions() {
        let (own, topic) = (
            r#"{"throttlePolicy": {"maxReceivesPerSecond": 9}}"#,
            r#"{"http": {"defaultRequestPolicy": {"headerContentType": "application/json"}}}"#,
        );
        let written = json!({"healthyRetryPolicy": null, "sicklyRetryPolicy": null, "requestPolicy": null,
            "throttlePolicy": {"maxReceivesPerSecond": 9}, "guaranteed": false});
        assert_eq!(value(&of_subscription(own)), written);
        let effective = value(&effective(Some(own), Some(topic)));
        assert_eq!(effective["requestPolicy"]["headerContentType"], "application/json");
        assert_eq!(effective["healthyRetryPolicy"]["numRetries"], 3);
        let csv = Some(r#"{"requestPolicy": {"headerContentType": "text/csv"}}"#);
        assert_eq!(content_type(csv, Some(topic)), "text/csv");
        let overruling = r#"{"http": {"disableSubscriptionOverrides": true}}"#;
        assert_eq!(content_type(csv, Some(overruling)), CONTENT_TYPE);
        assert_eq!(content_type(Some(r#"{"requestPolicy": {"headerContentType": "a\nb"}}"#), None), CONTENT_TYPE);
    }
}
