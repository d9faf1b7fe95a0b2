//! A template, and where each of its resources comes from.

use std::{collections::BTreeMap, fmt};

use serde_json::{Map, Value, json};

/// A CloudFormation template.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// The template itself.
    body: Map<String, Value>,
    /// By logical id: what each resource is, in people's words.
    pub parts: BTreeMap<String, Origin>,
}

/// What a resource is for, and which line of the blueprint decides it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The part that it belongs to: `group/web`, as a part's id is written, or `network` and `dashboard`, which are no parts.
    pub part: String,
    /// What it is, in people's words.
    pub description: String,
    /// The blueprint's key that it comes from, as a JSON pointer such as `/groups/web`. Which line of a file that is, the
    /// file's places know; the template itself names none, or a line that moves would change the stack.
    pub key: Option<String>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.part, self.description)
    }
}

impl Template {
    pub(super) fn new(
        description: &str,
        parameters: Value,
        resources: Map<String, Value>,
        outputs: Map<String, Value>,
        parts: BTreeMap<String, Origin>,
    ) -> Self {
        let mut body = Map::new();
        body.insert("AWSTemplateFormatVersion".to_owned(), json!("2010-09-09"));
        body.insert("Description".to_owned(), json!(description));
        body.insert("Parameters".to_owned(), parameters);
        body.insert("Resources".to_owned(), resources.into());
        body.insert("Outputs".to_owned(), outputs.into());
        Self { body, parts }
    }

    /// Returns the template as CloudFormation takes it, without blanks between: its size has a limit.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.body).expect("JSON values are written without fail")
    }

    /// Returns the template as people read it.
    pub fn to_pretty_json(&self) -> String {
        serde_json::to_string_pretty(&self.body).expect("JSON values are written without fail")
    }

    /// Returns the resources by logical id, each as it stands in the template.
    pub fn resources(&self) -> &Map<String, Value> {
        self.section("Resources")
    }

    /// Returns the outputs by name.
    pub fn outputs(&self) -> &Map<String, Value> {
        self.section("Outputs")
    }

    fn section(&self, name: &str) -> &Map<String, Value> {
        self.body.get(name).and_then(Value::as_object).expect("a template is made with all of its sections")
    }
}
