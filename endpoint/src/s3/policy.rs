//! What a bucket's policy lets everybody do. Nobody else is there whom one could be for: whoever has the key pair may do all. Pure.

use serde_json::Value;

/// Whether a statement allows something to everybody without a condition.
pub(super) fn is_public(policy: &Value) -> bool {
    statements(policy).iter().any(|statement| {
        statement["Effect"] == "Allow" && statement.get("Condition").is_none() && is_for_everybody(statement)
    })
}

/// Whether it allows everybody an action on a resource, and forbids it nobody. What depends on a condition allows nothing here.
pub(super) fn lets_everybody(policy: &Value, action: &str, resource: &str) -> bool {
    let about = |statement: &&Value| {
        is_for_everybody(statement)
            && any(&statement["Action"], |pattern| fits(&pattern.to_ascii_lowercase(), &action.to_ascii_lowercase()))
            && any(&statement["Resource"], |pattern| fits(pattern, resource))
    };
    let about: Vec<&Value> = statements(policy).iter().filter(about).collect();
    let allowed = |statement: &&Value| statement["Effect"] == "Allow" && statement.get("Condition").is_none();
    about.iter().any(allowed) && !about.iter().any(|statement| statement["Effect"] == "Deny")
}

fn statements(policy: &Value) -> &[Value] {
    match &policy["Statement"] {
        Value::Array(statements) => statements,
        statement => std::slice::from_ref(statement),
    }
}

fn is_for_everybody(statement: &Value) -> bool {
    match &statement["Principal"] {
        Value::Object(named) => named.get("AWS").is_some_and(|named| any(named, |one| one == "*")),
        one => one == "*",
    }
}

/// Whether a text, or one of a list of them, is as wanted.
fn any(value: &Value, wanted: impl Fn(&str) -> bool) -> bool {
    match value {
        Value::Array(listed) => listed.iter().filter_map(Value::as_str).any(wanted),
        one => one.as_str().is_some_and(wanted),
    }
}

/// Whether a text is what a pattern with `*` and `?` describes.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut from, mut star) = (0, 0, None);
    while from < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[from] => {
                at += 1;
                from += 1;
            }
            // The last star takes one byte more, and the rest is tried again.
            _ => match star {
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    at = place + 1;
                    from = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_policy_is_public_where_everybody_is_allowed_something() {
        let with = |principal, effect: &str| json!({"Statement": [{"Effect": effect, "Principal": principal}]});
        assert!(is_public(&with(json!("*"), "Allow")));
        assert!(is_public(&with(json!({"AWS": ["1", "*"]}), "Allow")));
        assert!(!is_public(&with(json!("*"), "Deny")));
        assert!(!is_public(&with(json!({"AWS": "123456789012"}), "Allow")));
        let conditional = json!({"Statement": {"Effect": "Allow", "Principal": "*", "Condition": {}}});
        assert!(!is_public(&conditional));
    }

    #[test]
    fn everybody_may_do_what_is_allowed_and_not_forbidden() {
        let statement = |effect: &str, action: &str, resource: &str| json!({"Effect": effect, "Principal": "*", "Action": action, "Resource": resource});
        let policy = json!({"Statement": [
            statement("Allow", "s3:Get*", "arn:aws:s3:::b/*"),
            statement("Deny", "s3:GetObject", "arn:aws:s3:::b/secret/*"),
        ]});
        assert!(lets_everybody(&policy, "s3:GetObject", "arn:aws:s3:::b/k"));
        assert!(!lets_everybody(&policy, "s3:GetObject", "arn:aws:s3:::b/secret/k"));
        assert!(!lets_everybody(&policy, "s3:PutObject", "arn:aws:s3:::b/k"));
        assert!(!lets_everybody(&policy, "s3:GetObject", "arn:aws:s3:::c/k"));
        assert!(!lets_everybody(&json!({}), "s3:GetObject", "arn:aws:s3:::b/k"));
    }

    #[test]
    fn patterns() {
        for (pattern, text) in
            [("*", ""), ("a*c", "abbc"), ("a?c", "abc"), ("*b*", "abc"), ("a**", "a"), ("*ab", "aab")]
        {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a", ""), ("a*c", "abd"), ("?", ""), ("", "a"), ("*b", "ba")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }
}
