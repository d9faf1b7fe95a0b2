//! Unknown keys, wrong types, and values out of range: what the schema of the types says, in plain words.

use std::sync::LazyLock;

use jsonschema::{ValidationError, Validator, error::ValidationErrorKind as Kind};
use serde_json::Value;

use super::{
    diagnostic::{Diagnostic, Places, dotted, join},
    schema,
};

static VALIDATOR: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::validator_for(schema::whole()).expect("the schema of the types is valid"));

/// Finds everything in a whole blueprint that its schema does not allow.
pub(super) fn check(blueprint: &Value, places: &Places) -> Vec<Diagnostic> {
    VALIDATOR.iter_errors(blueprint).flat_map(|error| explain(&error, blueprint, places)).collect()
}

fn explain(error: &ValidationError<'_>, blueprint: &Value, places: &Places) -> Vec<Diagnostic> {
    let pointer = error.instance_path().as_str();
    match error.kind() {
        Kind::AdditionalProperties { unexpected } => {
            unexpected.iter().map(|key| unknown_key(pointer, key, places)).collect()
        }
        Kind::Required { property } => {
            vec![missing(&join(pointer, property.as_str().unwrap_or_default()), places)]
        }
        kind => vec![wrong_value(kind, pointer, blueprint.pointer(pointer).unwrap_or(&Value::Null), places)],
    }
}

fn unknown_key(pointer: &str, key: &str, places: &Places) -> Diagnostic {
    let full = join(pointer, key);
    let known: Vec<&str> = schema::part(pointer)
        .and_then(|part| part.get("properties")?.as_object())
        .map(|properties| properties.keys().map(String::as_str).collect())
        .unwrap_or_default();
    let within = if pointer.is_empty() { "a blueprint".to_owned() } else { format!("`{}`", dotted(pointer)) };
    let diagnostic = Diagnostic::error(
        format!("{within} has no key `{key}`"),
        places.key(&full).or_else(|| places.nearest(&full)).cloned(),
    );
    diagnostic.help(did_you_mean(key, &known).unwrap_or_else(|| format!("its keys are {}", list(&known, "and"))))
}

fn missing(pointer: &str, places: &Places) -> Diagnostic {
    let place = places.key(pointer).or_else(|| places.nearest(pointer)).cloned();
    Diagnostic::error(format!("`{}` has no value", dotted(pointer)), place)
        .help("leave the key out to get the value of the built-in blueprint")
}

fn wrong_value(kind: &Kind, pointer: &str, value: &Value, places: &Places) -> Diagnostic {
    let name = if pointer.is_empty() { "a blueprint".to_owned() } else { format!("`{}`", dotted(pointer)) };
    let part = schema::part(pointer).unwrap_or(&Value::Null);
    let place = places.nearest(pointer).cloned();
    let error = |text: String| Diagnostic::error(format!("{name} {text}"), place);
    match kind {
        Kind::Pattern { .. } => error(form(pointer, part)),
        Kind::Enum { .. } | Kind::OneOfNotValid { .. } | Kind::AnyOf { .. } | Kind::Constant { .. } => {
            choice(error, part, value)
        }
        Kind::Minimum { .. } | Kind::Maximum { .. } => error(range(part)),
        Kind::MinItems { .. } | Kind::MaxItems { .. } => {
            error(format!("must have {}", limits(part, "minItems", "maxItems", " entries")))
        }
        Kind::Type { .. } => wrong_type(error, pointer, part, value),
        // Keywords that the types do not use. Saying what the validator says is better than nothing.
        other => error(format!("does not satisfy `{}`", other.keyword())),
    }
}

fn choice(error: impl FnOnce(String) -> Diagnostic, part: &Value, value: &Value) -> Diagnostic {
    let names: Vec<&str> = schema::choices(part).into_iter().map(|(name, _)| name).collect();
    let diagnostic = error(format!("must be {}", list(&names, "or")));
    match value.as_str().and_then(|text| did_you_mean(text, &names)) {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

fn wrong_type(error: impl FnOnce(String) -> Diagnostic, pointer: &str, part: &Value, value: &Value) -> Diagnostic {
    let wanted = part.get("type").and_then(Value::as_str).unwrap_or_default();
    if wanted == "string" && part.get("pattern").is_some() && !value.is_object() && !value.is_array() {
        let diagnostic = error(form(pointer, part));
        let spans = part.get("examples").and_then(|all| all.get(0)).and_then(Value::as_str);
        return match (value.as_u64(), spans.map(|example| example.trim_start_matches(|c: char| c.is_ascii_digit()))) {
            (Some(count), Some(unit)) => diagnostic.help(format!("write a unit: `{count}{unit}`")),
            _ => diagnostic,
        };
    }
    let diagnostic = error(format!("must be {}, and this is {}", kind(wanted), found(value)));
    match (wanted, value) {
        ("string", Value::Number(_) | Value::Bool(_)) => diagnostic.help(format!("write it in quotes: \"{value}\"")),
        ("integer" | "number", Value::String(text)) if text.parse::<f64>().is_ok() => {
            diagnostic.help(format!("write it without quotes: {text}"))
        }
        ("array", Value::String(text)) => diagnostic.help(format!("write a list: [{text}]")),
        _ => diagnostic,
    }
}

/// Says what form a text must have. The schema carries the words, since a regular expression is no help to read.
fn form(pointer: &str, part: &Value) -> String {
    let words = |part: &'static Value| part.get("patternErrorMessage").and_then(Value::as_str);
    let around = &pointer[..pointer.rfind('/').unwrap_or(0)];
    schema::part(pointer)
        .and_then(words)
        .or_else(|| schema::part(around).and_then(words))
        .map_or_else(|| format!("must match {}", part.get("pattern").unwrap_or(&Value::Null)), ToOwned::to_owned)
}

fn range(part: &Value) -> String {
    format!("must be {}", limits(part, "minimum", "maximum", ""))
}

fn limits(part: &Value, least: &str, most: &str, unit: &str) -> String {
    match (part.get(least), part.get(most)) {
        (Some(least), Some(most)) => format!("from {} to {}{unit}", number(least), number(most)),
        (Some(least), None) => format!("{}{unit} or more", number(least)),
        (None, Some(most)) => format!("{}{unit} or less", number(most)),
        (None, None) => "another value".to_owned(),
    }
}

/// Writes a limit as people do: the schema has `1.0` where the type is a fraction.
pub(super) fn number(limit: &Value) -> String {
    let text = limit.to_string();
    text.strip_suffix(".0").map_or_else(|| text.clone(), ToOwned::to_owned)
}

fn kind(name: &str) -> &'static str {
    match name {
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a map of keys and values",
        _ => "something else",
    }
}

fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map of keys and values",
    }
}

/// Returns the known name that a mistyped one was probably meant to be.
pub(super) fn did_you_mean(name: &str, known: &[&str]) -> Option<String> {
    let typed = name.to_lowercase().replace('_', "-");
    let distance = |known: &str| strsim::damerau_levenshtein(&typed, &known.replace('_', "-"));
    let best = known.iter().map(|known| (distance(known), *known)).min()?;
    (best.0 <= (best.1.len() / 3).max(1)).then(|| format!("did you mean `{}`?", best.1))
}

/// Writes names in a row: `a`, `b` or `c`.
pub(super) fn list(names: &[&str], word: &str) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => "none".to_owned(),
        [only] => only.clone(),
        [rest @ .., last] => format!("{} {word} {last}", rest.join(", ")),
    }
}
