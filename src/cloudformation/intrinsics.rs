//! CloudFormation's functions, as JSON.

use serde_json::{Value, json};

/// What a logical id, a parameter or a pseudo parameter stands for.
pub(super) fn reference(id: &str) -> Value {
    json!({ "Ref": id })
}

/// One attribute of a resource.
pub(super) fn attribute(id: &str, name: &str) -> Value {
    json!({ "Fn::GetAtt": [id, name] })
}

/// A text with `${...}` in it.
pub(super) fn sub(text: impl Into<String>) -> Value {
    json!({ "Fn::Sub": text.into() })
}

/// An ARN in the stack's own account and region.
pub(super) fn arn(service: &str, resource: &str) -> Value {
    sub(format!("arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{resource}"))
}

/// One statement of a policy.
pub(super) fn allow(sid: &str, actions: &[&str], resources: impl Into<Value>) -> Value {
    json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources.into() })
}

/// The statement that refuses whoever does not come over TLS.
pub(super) fn tls_only(action: &str, resources: impl Into<Value>) -> Value {
    json!({
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": resources.into(),
        "Condition": { "Bool": { "aws:SecureTransport": "false" } },
    })
}

/// A policy of some statements.
pub(super) fn policy(statements: &[Value]) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}
