//! Lays what a file says over what it leaves out. Pure, and knows nothing of blueprints.

use serde_json::Value;

/// Lays one document over another: maps merge, everything else replaces, and null removes.
pub(super) fn over(base: &mut Value, overlay: &Value) {
    let (Value::Object(base), Value::Object(overlay)) = (&mut *base, overlay) else {
        *base = overlay.clone();
        return;
    };
    for (key, value) in overlay {
        match value {
            Value::Null => {
                base.shift_remove(key);
            }
            // A map goes over an empty map where there is nothing, so that nulls in it remove there, too.
            Value::Object(_) => {
                let slot = base.entry(key).or_insert_with(|| Value::Object(serde_json::Map::new()));
                over(slot, value);
            }
            _ => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn maps_merge_and_the_rest_replaces() {
        let mut base = json!({"a": {"b": 1, "c": [1, 2], "d": 4}, "e": 5, "f": 6});
        over(&mut base, &json!({"a": {"c": [3], "d": null, "g": {"h": null, "i": 1}}, "e": {"x": 1}, "f": null}));
        assert_eq!(base, json!({"a": {"b": 1, "c": [3], "g": {"i": 1}}, "e": {"x": 1}}));
    }
}
