//! What AWS is told, fact by fact, in every variant: the settings that make a network private, an instance safe, a queue
//! lose nothing. Snapshots show a change of any line; these say which lines must never change.

mod instances;
mod network;
mod scaling;
mod stores;
mod tasks;

use serde_json::{Map, Value, json};

use crate::cloudformation::Template;

/// The resources of a kind, by logical id: their properties.
fn of_kind<'a>(template: &'a Template, kind: &str) -> Vec<(&'a str, &'a Value)> {
    let all = template.resources().iter().filter(|(_, resource)| resource["Type"] == kind);
    all.map(|(id, resource)| (id.as_str(), &resource["Properties"])).collect()
}

/// A resource, by its logical id: its properties.
fn properties<'a>(template: &'a Template, id: &str) -> &'a Value {
    &template.resources().get(id).unwrap_or_else(|| panic!("there is no {id}"))["Properties"]
}

/// Tells whether a resource has all of these settings.
fn assert_has(of: &str, properties: &Value, settings: &Value) {
    for (name, value) in settings.as_object().expect("settings") {
        assert_eq!(&properties[name], value, "{of}: {name}");
    }
}

/// What the settings of a list of `Key` and `Value` are.
fn attributes(list: &Value) -> Map<String, Value> {
    let pairs = list.as_array().into_iter().flatten();
    pairs.filter_map(|pair| Some((pair["Key"].as_str()?.to_owned(), pair["Value"].clone()))).collect()
}

/// The id that a reference or an attribute leads to.
fn target(value: &Value) -> Option<&str> {
    value.get("Ref").and_then(Value::as_str).or_else(|| value.pointer("/Fn::GetAtt/0").and_then(Value::as_str))
}

/// The number that a text says.
fn number(text: &Value) -> u64 {
    text.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{text} is no number"))
}

/// The policy that lets nobody in without TLS.
fn assert_tls_only(of: &str, document: &Value, resources: &Value) {
    let denied = json!({ "Bool": { "aws:SecureTransport": "false" } });
    let statements = document["Statement"].as_array().expect("statements");
    let found = statements.iter().any(|one| {
        one["Effect"] == "Deny"
            && one["Principal"] == "*"
            && one["Condition"] == denied
            && one["Resource"] == *resources
            && one["Action"].as_str().is_some_and(|action| action.ends_with(":*") || action == "sns:Publish")
    });
    assert!(found, "{of}: {document}");
}
