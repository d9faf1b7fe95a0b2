//! The reference page of blueprints, written from the schema and the built-in values.
//!
//! Owns the page's form; every word about a field is the schema's, and every default a built-in blueprint's.

use std::fmt::Write as _;

use serde_json::Value;

use super::{
    built_in,
    diagnostic::{dotted, join},
    model::Stage,
    schema, yaml,
};

const INTRODUCTION: &str = "\
<!-- Generated from the types in src/blueprint. Write it anew: UPDATE_GENERATED=1 cargo test --lib -p decouple blueprint::tests::generated -->
# Blueprints

A blueprint is a YAML file that describes one environment of the photo site. What it leaves out comes from the built-in
blueprint of its stage, so the shortest one is a single line:

```yaml
stage: elb-sqs
```

A map in the file is merged with the built-in one, key by key. A list or a single value replaces the built-in one. `null`
removes it. Groups and queues that the stage does not have are checked and left out, so one file can serve every stage
with `--stage`. Paths are relative to the file.

`decouple validate` checks a file, and `decouple schema` prints the schema for editors. Editors with a YAML language
server find it by a first line such as

```yaml
# yaml-language-server: $schema=blueprint.schema.json
```

Lengths of time are written as `30s`, `5m`, `4h` or `7d`, or several together as in `1h30m`. Sizes are written as `500KB`,
`25MB` or `1GB` (powers of 1,000), or as `25MiB` (powers of 1,024).

";

/// Returns the page in Markdown.
pub fn reference() -> String {
    let defaults: Vec<(Stage, Value)> = Stage::ALL
        .into_iter()
        .map(|stage| (stage, yaml::parse(built_in(stage), "").map(|document| document.value).unwrap_or_default()))
        .collect();
    let mut page = INTRODUCTION.to_owned();
    section(&mut page, "", "The top level", &defaults);
    for key in keys("") {
        if key == "groups" || key == "queues" {
            family(&mut page, key, &defaults);
        } else if !keys(&join("", key)).is_empty() {
            section(&mut page, &join("", key), &format!("`{key}`"), &defaults);
        }
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

/// Groups are all alike, and so are queues: their fields are told once, their defaults for each.
fn family(page: &mut String, key: &str, defaults: &[(Stage, Value)]) {
    let root = join("", key);
    heading(page, &format!("`{key}`"), &root);
    for member in keys(&root) {
        let _ = writeln!(page, "- `{member}`: {}", description(&join(&root, member)));
    }
    page.push('\n');
    let Some(first) = keys(&root).first().map(|member| join(&root, member)) else { return };
    page.push_str("| Key of each | Value | Meaning |\n|---|---|---|\n");
    rows(page, &first, &first, None);
    page.push('\n');
    page.push_str("| Built in | Stage | Values |\n|---|---|---|\n");
    for (stage, blueprint) in defaults {
        for (member, value) in blueprint.get(key).and_then(Value::as_object).into_iter().flatten() {
            let _ = writeln!(page, "| `{member}` | `{}` | {} |", stage.name(), code(value));
        }
    }
    page.push('\n');
}

fn section(page: &mut String, pointer: &str, title: &str, defaults: &[(Stage, Value)]) {
    heading(page, title, pointer);
    page.push_str("| Key | Value | Built in | Meaning |\n|---|---|---|---|\n");
    rows(page, pointer, pointer, Some(defaults));
    page.push('\n');
}

fn heading(page: &mut String, title: &str, pointer: &str) {
    let _ = write!(page, "## {title}\n\n");
    if !pointer.is_empty() {
        let _ = write!(page, "{}\n\n", description(pointer));
    }
}

fn rows(page: &mut String, root: &str, pointer: &str, defaults: Option<&[(Stage, Value)]>) {
    for key in keys(pointer) {
        let at = join(pointer, key);
        let name = dotted(&at[root.len()..]);
        let nested = !keys(&at).is_empty();
        // At the top, a section of its own tells what is inside.
        if nested && !root.is_empty() {
            rows(page, root, &at, defaults);
            continue;
        }
        let kind = if nested { format!("[map](#{key})") } else { kind(&at) };
        let _ = write!(page, "| `{name}` | {kind} |");
        if let Some(defaults) = defaults {
            let default = if nested { String::new() } else { default(&at, defaults) };
            let _ = write!(page, " {default} |");
        }
        let _ = writeln!(page, " {} |", cell(&description(&at)));
    }
}

fn default(pointer: &str, defaults: &[(Stage, Value)]) -> String {
    let mut values: Vec<(&str, Option<&Value>)> =
        defaults.iter().map(|(stage, blueprint)| (stage.name(), blueprint.pointer(pointer))).collect();
    if values.windows(2).all(|pair| pair[0].1 == pair[1].1) {
        values.truncate(1);
        return values.first().and_then(|(_, value)| *value).map(code).unwrap_or_default();
    }
    "the stage".to_owned()
}

fn kind(pointer: &str) -> String {
    let Some(part) = schema::part(pointer) else { return String::new() };
    let choices = schema::choices(part);
    if !choices.is_empty() {
        let names: Vec<String> = choices.iter().map(|(name, _)| format!("`{name}`")).collect();
        return names.join(", ");
    }
    match part.get("type").and_then(Value::as_str) {
        Some("integer") => format!("whole number{}", limits(part, "minimum", "maximum")),
        Some("number") => format!("number{}", limits(part, "minimum", "maximum")),
        Some("array") => list(part),
        Some("object") => "map of texts".to_owned(),
        Some("string") => text(part),
        _ => String::new(),
    }
}

fn text(part: &Value) -> String {
    if let Some((least, most)) = schema::range(part) {
        return format!("`{least}` to `{most}`");
    }
    let words = part.get("patternErrorMessage").and_then(Value::as_str).unwrap_or_default();
    let words = words.trim_start_matches("must be ").trim_start_matches("must have ");
    if words.is_empty() { "text".to_owned() } else { words.to_owned() }
}

fn list(part: &Value) -> String {
    let items = part.get("items").unwrap_or(&Value::Null);
    let kind = match items.get("type").and_then(Value::as_str) {
        Some("integer") => format!("whole numbers{}", limits(items, "minimum", "maximum")),
        _ => "texts".to_owned(),
    };
    let counts = limits(part, "minItems", "maxItems");
    let counts = counts.trim_start_matches(", ");
    if counts.is_empty() { format!("list of {kind}") } else { format!("list of {counts} {kind}") }
}

fn limits(part: &Value, least: &str, most: &str) -> String {
    let limit = |name: &str| part.get(name).map(super::structure::number);
    match (limit(least), limit(most)) {
        (Some(least), Some(most)) => format!(", {least} to {most}"),
        _ => String::new(),
    }
}

fn keys(pointer: &str) -> Vec<&'static str> {
    schema::part(pointer)
        .and_then(|part| part.get("properties")?.as_object())
        .map(|properties| properties.keys().map(String::as_str).collect())
        .unwrap_or_default()
}

fn description(pointer: &str) -> String {
    let text = schema::described(pointer).unwrap_or_default();
    text.split('\n').map(str::trim).collect::<Vec<_>>().join(" ")
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// Writes a value as a file would have it, in one line.
fn code(value: &Value) -> String {
    format!("`{}`", flow(value))
}

fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(all) => format!("[{}]", all.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(map) if map.is_empty() => "{}".to_owned(),
        Value::Object(map) => {
            let all: Vec<String> = map.iter().map(|(key, value)| format!("{key}: {}", flow(value))).collect();
            format!("{{ {} }}", all.join(", "))
        }
        other => other.to_string(),
    }
}
