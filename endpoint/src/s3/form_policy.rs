//! The policy of a form: until when it is good, and what the fields and the size of the file may be. Pure.

use std::{collections::BTreeMap, ops::RangeInclusive};

use base64::{Engine, prelude::BASE64_STANDARD};
use s3s::dto::{Timestamp, TimestampFormat};
use serde_json::Value;

use super::{content::MAX_CONTENT, error::Failure};

/// Fields that no condition has to name.
const FREE: [&str; 6] = ["x-amz-signature", "signature", "awsaccesskeyid", "policy", "submit", "bucket"];

pub(super) struct FormPolicy {
    expiration: Timestamp,
    conditions: Vec<Condition>,
}

struct Condition {
    kind: Kind,
    /// The condition as the service tells it.
    shown: String,
}

enum Kind {
    Equal {
        field: String,
        value: String,
    },
    StartsWith {
        field: String,
        prefix: String,
    },
    /// What of the size is not a number never holds.
    Size(Option<RangeInclusive<u64>>),
}

fn invalid(reason: &str) -> Failure {
    Failure::InvalidPolicyDocument(format!("Invalid Policy: {reason}"))
}

impl FormPolicy {
    pub(super) fn decode(encoded: &str) -> Result<FormPolicy, Failure> {
        let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| invalid("Invalid base64 encoding."))?;
        let policy: Value = serde_json::from_slice(&bytes).map_err(|_| invalid("Invalid JSON."))?;
        let expiration = policy["expiration"].as_str().ok_or_else(|| invalid("Policy missing expiration."))?;
        let expiration = Timestamp::parse(TimestampFormat::DateTime, expiration)
            .map_err(|_| invalid(&format!("Invalid 'expiration' value: '{expiration}'")))?;
        let conditions = policy["conditions"].as_array().ok_or_else(|| invalid("Policy missing conditions."))?;
        let conditions = conditions.iter().map(Condition::of).collect::<Result<_, _>>()?;
        Ok(FormPolicy { expiration, conditions })
    }

    /// Checks the fields of a form, by their names in small letters. Answers with the sizes that the file may have.
    pub(super) fn check(
        &self,
        bucket: &str,
        fields: &BTreeMap<String, String>,
        now: &Timestamp,
    ) -> Result<RangeInclusive<u64>, Failure> {
        let denied = |reason: String| Err(Failure::AccessDenied(format!("Invalid according to Policy: {reason}")));
        if self.expiration <= *now {
            return denied("Policy expired.".into());
        }
        let value = |field: &str| if field == "bucket" { bucket } else { fields.get(field).map_or("", String::as_str) };
        let mut range = 0..=MAX_CONTENT;
        for condition in &self.conditions {
            let holds = match &condition.kind {
                Kind::Equal { field, value: wanted } => value(field) == wanted,
                Kind::StartsWith { field, prefix } => value(field).starts_with(prefix),
                Kind::Size(Some(wanted)) => {
                    range = *wanted.start()..=(*wanted.end()).min(MAX_CONTENT);
                    true
                }
                Kind::Size(None) => false,
            };
            if !holds {
                return denied(format!("Policy Condition failed: {}", condition.shown));
            }
        }
        let known = |name: &str| self.conditions.iter().any(|condition| condition.field() == Some(name));
        match fields
            .keys()
            .find(|name| !FREE.contains(&name.as_str()) && !name.starts_with("x-ignore-") && !known(name))
        {
            Some(extra) => denied(format!("Extra input fields: {extra}")),
            None => Ok(range),
        }
    }
}

impl Condition {
    fn of(condition: &Value) -> Result<Condition, Failure> {
        match condition {
            Value::Object(pairs) => {
                let mut pairs = pairs.iter();
                let (Some((field, value)), None) = (pairs.next(), pairs.next()) else {
                    let reason =
                        "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.";
                    return Err(invalid(reason));
                };
                let value =
                    value.as_str().ok_or_else(|| invalid("Invalid Simple-Condition: value must be a string."))?;
                Ok(Condition::equal(&format!("${field}"), value))
            }
            Value::Array(parts) => Condition::of_parts(parts),
            _ => Err(invalid("Invalid Condition: neither an object nor an array.")),
        }
    }

    fn of_parts(parts: &[Value]) -> Result<Condition, Failure> {
        let [operator, first, second] = parts else {
            return Err(invalid("Invalid Condition: wrong number of arguments."));
        };
        let text = |value: &Value| {
            value.as_str().map(str::to_owned).ok_or_else(|| invalid("Invalid Condition: not a string."))
        };
        match text(operator)?.to_ascii_lowercase().as_str() {
            "eq" => Ok(Condition::equal(&text(first)?, &text(second)?)),
            "starts-with" => {
                let (field, prefix) = (text(first)?, text(second)?);
                let shown = format!("[\"starts-with\", \"{field}\", \"{prefix}\"]");
                Ok(Condition { kind: Kind::StartsWith { field: named(&field), prefix }, shown })
            }
            "content-length-range" => {
                if [first, second].iter().any(|bound| bound.is_number() && !bound.is_u64()) {
                    return Err(invalid("Invalid content-length-range: not a size."));
                }
                let number = |bound: &Value| bound.as_u64().or_else(|| bound.as_str()?.parse().ok());
                let range = number(first).zip(number(second)).map(|(least, most)| least..=most);
                let shown = |bound: &Value| bound.as_str().map_or_else(|| bound.to_string(), str::to_owned);
                let shown = format!("[\"content-length-range\", \"{}\", \"{}\"]", shown(first), shown(second));
                Ok(Condition { kind: Kind::Size(range), shown })
            }
            other => Err(invalid(&format!("Invalid Condition: unknown operation '{other}'."))),
        }
    }

    fn equal(field: &str, value: &str) -> Condition {
        let shown = format!("[\"eq\", \"{field}\", \"{value}\"]");
        Condition { kind: Kind::Equal { field: named(field), value: value.to_owned() }, shown }
    }

    /// The field that it is about.
    fn field(&self) -> Option<&str> {
        match &self.kind {
            Kind::Equal { field, .. } | Kind::StartsWith { field, .. } => Some(field),
            Kind::Size(_) => None,
        }
    }
}

/// The field that a condition names with a `$`. What has none is no field, and a form without it has the empty text there.
fn named(field: &str) -> String {
    field.strip_prefix('$').map_or_else(|| format!("${field}"), str::to_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(conditions: &Value, fields: &[(&str, &str)]) -> Result<RangeInclusive<u64>, String> {
        let policy = json!({ "expiration": "2100-01-01T00:00:00Z", "conditions": conditions }).to_string();
        let policy = FormPolicy::decode(&BASE64_STANDARD.encode(policy)).map_err(|failure| failure.to_string())?;
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let now = Timestamp::parse(TimestampFormat::DateTime, "2026-01-01T00:00:00Z").unwrap();
        policy.check("b", &fields, &now).map_err(|failure| failure.to_string())
    }

    #[test]
    fn fields_are_as_the_conditions_say() {
        let conditions = json!([{"bucket": "b"}, ["StArTs-WiTh", "$KeY", "a/"], ["content-length-range", "1", 9]]);
        assert_eq!(check(&conditions, &[("key", "a/k"), ("x-ignore-this", "1")]), Ok(1..=9));
        let failed = check(&conditions, &[("key", "b")]).unwrap_err();
        assert!(failed.ends_with(r#"Policy Condition failed: ["starts-with", "$KeY", "a/"]"#), "{failed}");
        assert!(check(&conditions, &[("key", "a/"), ("acl", "x")]).unwrap_err().ends_with("Extra input fields: acl"));
        assert!(check(&json!([["eq", "acl", "x"]]), &[("acl", "x")]).is_err());
        let failed = check(&json!([["content-length-range", "x", 10]]), &[]).unwrap_err();
        assert!(failed.ends_with(r#"["content-length-range", "x", "10"]"#), "{failed}");
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        for conditions in [
            json!([{"a": "1", "b": "2"}]),
            json!([{}]),
            json!([["eq", "$key"]]),
            json!([["content-length-range", -1, 2]]),
            json!(1),
        ] {
            assert!(check(&conditions, &[]).unwrap_err().starts_with("Invalid Policy: "), "{conditions}");
        }
        assert!(FormPolicy::decode("?").is_err() && FormPolicy::decode("e30=").is_err());
    }
}
