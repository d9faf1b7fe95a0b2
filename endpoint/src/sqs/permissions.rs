//! Permissions: statements of a queue's policy, which is stored and not enforced.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Sqs, error::SqsError};

/// The operations that a permission can be about.
const ACTIONS: &[&str] = &[
    "*",
    "ChangeMessageVisibility",
    "DeleteMessage",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
    "PurgeQueue",
    "ReceiveMessage",
    "SendMessage",
];

/// Operations that nobody but the owner of a queue can be allowed.
const OWNERS: &[&str] = &[
    "AddPermission",
    "CreateQueue",
    "DeleteQueue",
    "ListQueues",
    "ListQueueTags",
    "RemovePermission",
    "SetQueueAttributes",
    "TagQueue",
    "UntagQueue",
];
const MAX_ACTIONS: usize = 7;

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct AddPermission {
    queue_url: String,
    label: String,
    #[serde(rename = "AWSAccountIds")]
    accounts: Vec<String>,
    actions: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct RemovePermission {
    queue_url: String,
    label: String,
}

impl Sqs {
    pub(super) async fn add_permission(&self, input: AddPermission) -> Result<(), SqsError> {
        check(&input)?;
        let name = self.queue_of(&input.queue_url)?;
        let arn = self.names.queue_arn(&name);
        self.change(name, move |queue| {
            let mut policy = parsed(queue.attributes.policy(), &arn);
            let statements = statements(&mut policy);
            if statements.iter().any(|statement| statement["Sid"] == input.label.as_str()) {
                return Err(SqsError::invalid("Label", &input.label, "Already exists."));
            }
            let principals = input.accounts.iter().map(|id| format!("arn:aws:iam::{id}:root")).collect();
            let actions = input.actions.iter().map(|action| format!("SQS:{action}")).collect();
            statements.push(json!({
                "Sid": input.label, "Effect": "Allow", "Principal": {"AWS": one_or_list(principals)},
                "Action": one_or_list(actions), "Resource": arn,
            }));
            queue.attributes.set_policy(Some(policy.to_string()));
            Ok(())
        })
        .await
    }

    pub(super) async fn remove_permission(&self, input: RemovePermission) -> Result<(), SqsError> {
        let name = self.queue_of(&input.queue_url)?;
        let arn = self.names.queue_arn(&name);
        self.change(name, move |queue| {
            let mut policy = parsed(queue.attributes.policy(), &arn);
            let statements = statements(&mut policy);
            let before = statements.len();
            statements.retain(|statement| statement["Sid"] != input.label.as_str());
            if statements.len() == before {
                return Err(SqsError::invalid("Label", &input.label, "can't find label."));
            }
            let policy = if statements.is_empty() { None } else { Some(policy.to_string()) };
            queue.attributes.set_policy(policy);
            Ok(())
        })
        .await
    }
}

fn check(input: &AddPermission) -> Result<(), SqsError> {
    if input.label.is_empty() {
        return Err(SqsError::MissingParameter("Label"));
    }
    if input.actions.is_empty() {
        return Err(SqsError::MissingParameter("Actions"));
    }
    if input.accounts.is_empty() {
        return Err(SqsError::invalid("PrincipalId", "[]", "Unable to verify."));
    }
    if input.actions.len() > MAX_ACTIONS {
        return Err(SqsError::TooManyActions { found: input.actions.len(), most: MAX_ACTIONS });
    }
    let Some(refused) = input.actions.iter().find(|action| !ACTIONS.contains(&action.as_str())) else { return Ok(()) };
    let reason = if OWNERS.contains(&refused.as_str()) {
        "Only the queue owner is allowed to invoke this action."
    } else {
        "Please refer to the appropriate WSDL for a list of valid actions. "
    };
    Err(SqsError::invalid("ActionName", format!("SQS:{refused}"), reason))
}

fn parsed(policy: Option<&str>, arn: &str) -> Value {
    let stored = policy.and_then(|policy| serde_json::from_str(policy).ok()).filter(Value::is_object);
    stored.unwrap_or_else(|| json!({"Version": "2008-10-17", "Id": format!("{arn}/SQSDefaultPolicy"), "Statement": []}))
}

/// The policy's statements; a single one may stand without its list.
fn statements(policy: &mut Value) -> &mut Vec<Value> {
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
