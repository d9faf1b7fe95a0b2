//! Permissions: statements of a topic's policy, which is stored and not enforced.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Sns, error::SnsError};

/// The operations that a permission can be about.
const ACTIONS: &[&str] = &[
    "*",
    "AddPermission",
    "DeleteTopic",
    "GetDataProtectionPolicy",
    "GetTopicAttributes",
    "ListSubscriptionsByTopic",
    "ListTagsForResource",
    "Publish",
    "PutDataProtectionPolicy",
    "RemovePermission",
    "SetTopicAttributes",
    "Subscribe",
];

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct AddPermission {
    topic_arn: String,
    label: String,
    #[serde(rename = "AWSAccountId")]
    accounts: Vec<String>,
    #[serde(rename = "ActionName")]
    actions: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct RemovePermission {
    topic_arn: String,
    label: String,
}

impl Sns {
    pub(super) async fn add_permission(&self, input: AddPermission) -> Result<(), SnsError> {
        check(&input)?;
        let names = self.names.clone();
        self.change_topic(input.topic_arn, move |topic| {
            let mut policy = topic.policy(&names);
            let statements = statements(&mut policy);
            if statements.iter().any(|statement| statement["Sid"] == input.label.as_str()) {
                return Err(SnsError::refused("Statement already exists"));
            }
            let principals = input.accounts.iter().map(|id| format!("arn:aws:iam::{id}:root")).collect();
            let actions = input.actions.iter().map(|action| format!("SNS:{action}")).collect();
            statements.push(json!({
                "Sid": input.label, "Effect": "Allow", "Principal": {"AWS": one_or_list(principals)},
                "Action": one_or_list(actions), "Resource": names.topic_arn(&topic.name),
            }));
            topic.set_policy(&policy);
            Ok(())
        })
        .await
    }

    /// Removes a statement. One that is not there is no error.
    pub(super) async fn remove_permission(&self, input: RemovePermission) -> Result<(), SnsError> {
        let names = self.names.clone();
        self.change_topic(input.topic_arn, move |topic| {
            let mut policy = topic.policy(&names);
            statements(&mut policy).retain(|statement| statement["Sid"] != input.label.as_str());
            topic.set_policy(&policy);
            Ok(())
        })
        .await
    }
}

fn check(input: &AddPermission) -> Result<(), SnsError> {
    if input.label.is_empty() {
        return Err(SnsError::refused("Label"));
    }
    if input.accounts.is_empty()
        || input.accounts.iter().any(|id| id.len() != 12 || !id.bytes().all(|b| b.is_ascii_digit()))
    {
        return Err(SnsError::refused("AWSAccountId"));
    }
    if input.actions.is_empty() || input.actions.iter().any(|action| !ACTIONS.contains(&action.as_str())) {
        return Err(SnsError::refused("Policy statement action out of service scope!"));
    }
    Ok(())
}

/// The policy's statements; a single one may stand without its list.
fn statements(policy: &mut Value) -> &mut Vec<Value> {
    if !policy.is_object() {
        *policy = json!({});
    }
    let statement = &mut policy["Statement"];
    if !statement.is_array() {
        let single = statement.take();
        *statement = if single.is_null() { json!([]) } else { json!([single]) };
    }
    statement.as_array_mut().expect("it was made an array just before")
}

/// A policy has a single value without a list.
fn one_or_list(mut values: Vec<String>) -> Value {
    if values.len() == 1 { json!(values.remove(0)) } else { json!(values) }
}
