//! What an instance runs at its first boot: it fetches the bundle, installs the worker, and says whether it is healthy.
//!
//! The script stands in `user_data.sh`, whole, and can be read and checked there. This module puts the worker's
//! environment into it and says what CloudFormation is to put in; it knows no part of a topology.

use serde_json::{Map, Value, json};

const SCRIPT: &str = include_str!("user_data.sh");
/// The line of the script in whose place the environment comes.
const ENVIRONMENT: &str = "@ENVIRONMENT@\n";

/// What the instances of one group are told.
#[derive(Debug, Clone)]
pub struct UserData<'a> {
    /// Logical id of the Auto Scaling group, which instances signal.
    pub group_logical_id: &'a str,
    /// The worker's environment: strings, or intrinsics that give one without quotes or backslashes.
    pub environment: Vec<(&'a str, Value)>,
    /// Name of the group's log group: a string, or an intrinsic that gives one.
    pub log_group: Value,
    /// Port on which the worker answers `/healthz`.
    pub health_port: u16,
}

/// Renders the `UserData` property of a launch template: the script in base64, with what only the stack knows put in.
pub fn user_data(of: &UserData<'_>) -> Value {
    let mut variables = Map::new();
    let mut lines = String::new();
    for (name, value) in &of.environment {
        // A prefix, since a variable of the blueprint's may have the name of a parameter or of a resource.
        let variable = format!("Env_{name}");
        // The value is a variable of `Fn::Sub` even where it is known: what is put in is not looked at again, so a `${` stays.
        lines.extend([name, "=\"${", &variable, "}\"\n"]);
        variables.insert(variable, value.as_str().map_or_else(|| value.clone(), |text| json!(escaped(text))));
    }
    variables.insert("Group".to_owned(), json!(of.group_logical_id));
    variables.insert("LogGroup".to_owned(), of.log_group.clone());
    variables.insert("HealthPort".to_owned(), json!(of.health_port.to_string()));
    json!({ "Fn::Base64": { "Fn::Sub": [SCRIPT.replace(ENVIRONMENT, &lines), variables] } })
}

/// Escapes a value for double quotes in systemd's environment files, which are those of a POSIX shell.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '"' | '\\' | '$' | '`') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, process::Command};

    use super::*;

    const VALUES: [(&str, &str); 4] = [
        ("GREETING", "a \"quoted\" ${Word} $HOME \\ `x`"),
        ("Group", "'single' \\\\ \\n $(id) %h ;#"),
        ("LINES", "one\n  two\\\n\"three\"\n"),
        ("EMPTY", ""),
    ];

    /// The script and its variables.
    fn rendered() -> (String, Map<String, Value>) {
        let mut environment: Vec<_> = VALUES.iter().map(|(name, value)| (*name, json!(value))).collect();
        environment.push(("QUEUE", json!({ "Ref": "Queue" })));
        let data = user_data(&UserData {
            group_logical_id: "WebGroup",
            environment,
            log_group: json!({ "Ref": "WebLogs" }),
            health_port: 8080,
        });
        let pair = &data["Fn::Base64"]["Fn::Sub"];
        (pair[0].as_str().unwrap().to_owned(), pair[1].as_object().unwrap().clone())
    }

    #[test]
    fn cloudformation_knows_all_that_it_is_to_put_in_and_is_told_nothing_in_vain() {
        let (script, variables) = rendered();
        let wanted: BTreeSet<&str> = script.split("${").skip(1).filter_map(|rest| rest.split('}').next()).collect();
        let parameters = ["AWS::StackName", "AWS::Region", "ArtifactBucket", "ArtifactKey", "ArtifactSha256"];
        let known: BTreeSet<&str> = variables.keys().map(String::as_str).chain(parameters).collect();
        assert_eq!(wanted, known);
        assert_eq!(variables["LogGroup"], json!({ "Ref": "WebLogs" }));
        assert_eq!(variables["Env_QUEUE"], json!({ "Ref": "Queue" }));
    }

    #[test]
    fn values_come_out_as_they_went_in() {
        let (script, variables) = rendered();
        let lines = script.lines().skip_while(|line| !line.ends_with("<<'END_OF_THE_ENVIRONMENT'")).skip(1);
        let lines: Vec<&str> = lines.take_while(|line| *line != "END_OF_THE_ENVIRONMENT").collect();
        let mut file = lines.join("\n");
        for (name, value) in &variables {
            file = file.replace(&format!("${{{name}}}"), value.as_str().unwrap_or("https://queue"));
        }
        let names: Vec<&str> = VALUES.iter().map(|(name, _)| *name).collect();
        let print = format!("{file}\nprintf '%s\\0' \"${}\"", names.join("\" \"$"));
        let output = Command::new("sh").args(["-c", &print]).output().unwrap();
        let values: Vec<String> = VALUES.iter().map(|(_, value)| format!("{value}\0")).collect();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), values.concat());
    }
}
