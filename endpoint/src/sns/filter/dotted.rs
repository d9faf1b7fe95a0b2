//! Keys with dots in policies on bodies and in the bodies: `a.b` is the key `b` below `a`.

use serde_json::{Map, Value};

/// A key with more dots stays as it is: nothing that is written by hand is so deep.
const MAX_DOTS: usize = 32;

/// The same fields with each key with dots taken apart, at every depth.
pub(super) fn nested(fields: &Map<String, Value>) -> Map<String, Value> {
    let mut nested = Map::new();
    for (key, value) in fields {
        place(&mut nested, key, below(value));
    }
    nested
}

fn below(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(nested(fields)),
        Value::Array(items) => items.iter().map(below).collect(),
        plain => plain.clone(),
    }
}

/// Puts a value where its key says, among what is there already. What is in the way of a key leaves it as it is.
fn place(fields: &mut Map<String, Value>, key: &str, value: Value) {
    let Some((first, rest)) = key.split_once('.').filter(|_| key.matches('.').count() <= MAX_DOTS) else {
        match (fields.get_mut(key), value) {
            (Some(Value::Object(there)), Value::Object(more)) => {
                more.into_iter().for_each(|(key, value)| place(there, &key, value));
            }
            (_, value) => drop(fields.insert(key.to_owned(), value)),
        }
        return;
    };
    match fields.entry(first).or_insert_with(|| Value::Object(Map::new())) {
        Value::Object(there) => place(there, rest, value),
        _ => drop(fields.insert(key.to_owned(), value)),
    }
}
