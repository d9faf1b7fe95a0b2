//! The JSON schema of blueprints, made from the types, and the way from a key to its part of the schema.

use std::sync::LazyLock;

use serde_json::Value;

use super::model::Blueprint;

/// The schema of a whole blueprint, built-in values laid under what a file says.
static WHOLE: LazyLock<Value> = LazyLock::new(|| {
    let mut schema = schemars::schema_for!(Blueprint).to_value();
    tidy(&mut schema);
    schema
});

/// Returns the schema of a file, for editors. A file may leave out anything, so it requires nothing.
pub fn schema() -> Value {
    let mut schema = WHOLE.clone();
    drop_key(&mut schema, "required");
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("title".to_owned(), "Blueprint of a photo site".into());
    }
    schema
}

/// Returns the schema of a whole blueprint.
pub(super) fn whole() -> &'static Value {
    &WHOLE
}

/// Returns the part of the schema for a value, by its JSON pointer.
pub(super) fn part(pointer: &str) -> Option<&'static Value> {
    let mut part = resolve(&WHOLE)?;
    for key in pointer.split('/').skip(1) {
        let key = key.replace("~1", "/").replace("~0", "~");
        let next = part.get("properties").and_then(|properties| properties.get(&key));
        let next = next.or_else(|| part.get("items"));
        let next = next.or_else(|| part.get("additionalProperties").filter(|rest| rest.is_object()));
        part = resolve(next?)?;
    }
    Some(part)
}

/// Returns what the schema says about a key, which beside a reference comes before what the type says of itself.
pub(super) fn described(pointer: &str) -> Option<&'static str> {
    let (around, key) = pointer.rsplit_once('/')?;
    let beside = part(around).and_then(|part| part.get("properties")?.get(key)?.get("description")?.as_str());
    beside.or_else(|| part(pointer)?.get("description")?.as_str())
}

/// Returns the least and the most that a quantity may be, as the schema's part for it says.
pub(super) fn range(part: &Value) -> Option<(&str, &str)> {
    let range = part.get("x-range")?;
    Some((range.get(0)?.as_str()?, range.get(1)?.as_str()?))
}

/// Follows a reference; what stands beside one (a description) is found on the referring side only.
fn resolve(part: &'static Value) -> Option<&'static Value> {
    match part.get("$ref").and_then(Value::as_str) {
        Some(reference) => WHOLE.pointer(reference.strip_prefix('#')?),
        None => Some(part),
    }
}

/// Returns the names that an enumeration allows, with what they mean.
pub(super) fn choices(part: &Value) -> Vec<(&str, &str)> {
    if let Some(all) = part.get("enum").and_then(Value::as_array) {
        return all.iter().filter_map(Value::as_str).map(|name| (name, "")).collect();
    }
    part.get("oneOf")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|choice| {
            let meaning = choice.get("description").and_then(Value::as_str).unwrap_or_default();
            Some((choice.get("const")?.as_str()?, meaning))
        })
        .collect()
}

/// Removes what says nothing to a reader: null as a type of what may be left out, and formats such as `uint32`.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.get("type").is_none_or(|kind| !kind.is_object()) {
                map.retain(|key, value| key != "format" || !value.is_string());
                map.retain(|key, value| key != "default" || value.is_object() || value.is_array());
            }
            if let Some(Value::Array(kinds)) = map.get_mut("type") {
                kinds.retain(|kind| kind != "null");
                if let [kind] = kinds.as_mut_slice() {
                    let kind = kind.take();
                    map.insert("type".to_owned(), kind);
                }
            }
            if let Some(Value::Array(any)) = map.get_mut("anyOf") {
                any.retain(|one| one.get("type").is_none_or(|kind| kind != "null"));
                if let [Value::Object(one)] = any.as_mut_slice() {
                    let one = std::mem::take(one);
                    map.shift_remove("anyOf");
                    for (key, value) in one {
                        map.entry(key).or_insert(value);
                    }
                }
            }
            map.values_mut().for_each(tidy);
        }
        Value::Array(all) => all.iter_mut().for_each(tidy),
        _ => {}
    }
}

fn drop_key(schema: &mut Value, name: &str) {
    match schema {
        Value::Object(map) => {
            map.retain(|key, value| key != name || !value.is_array());
            map.values_mut().for_each(|value| drop_key(value, name));
        }
        Value::Array(all) => all.iter_mut().for_each(|value| drop_key(value, name)),
        _ => {}
    }
}
