//! What an instance runs at its first boot: it fetches the bundle, installs the worker, and says whether it is healthy.

use serde_json::{Value, json};

/// What the instances of one group are told.
#[derive(Debug, Clone)]
pub struct UserData<'a> {
    /// Logical id of the Auto Scaling group, which instances signal.
    pub group_logical_id: &'a str,
    /// The worker's environment: strings, or intrinsics that give one.
    pub environment: Vec<(&'a str, Value)>,
    /// Name of the group's log group: a string, or an intrinsic that gives one.
    pub log_group: Value,
    /// Port on which the worker answers `/healthz`.
    pub health_port: u16,
}

/// Renders the `UserData` property of a launch template: the script in base64, with what only the stack knows put in.
pub fn user_data(of: &UserData<'_>) -> Value {
    let mut variables = serde_json::Map::new();
    let mut script =
        String::from("#!/bin/bash\nset -euo pipefail\n# ${ArtifactBucket} ${ArtifactKey} ${ArtifactSha256}\n");
    for (name, value) in &of.environment {
        script.push_str("# ");
        script.push_str(name);
        script.push_str("=${");
        script.push_str(name);
        script.push_str("}\n");
        variables.insert((*name).to_owned(), value.clone());
    }
    json!({ "Fn::Base64": { "Fn::Sub": [script, variables] } })
}
