//! Filter policies: which messages a subscription wants. Pure.

use serde_json::{Map, Value};

use crate::sqs::MessageAttributes;

/// What a policy looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Attributes,
    Body,
}

/// A parsed policy.
#[derive(Debug)]
pub(super) struct Filter {
    scope: Scope,
    policy: Policy,
}

/// All keys must match.
#[derive(Debug)]
struct Policy(Vec<(String, Rule)>);

#[derive(Debug)]
enum Rule {
    /// One of the conditions must hold for the key.
    Conditions(Vec<Condition>),
    /// The value of the key is an object that a policy of its own must match.
    Nested(Policy),
    /// One of several policies must match, whatever the key.
    Or(Vec<Policy>),
}

#[derive(Debug, Clone, PartialEq)]
enum Condition {
    Equals(Value),
    EqualsIgnoreCase(String),
    Prefix(String),
    Suffix(String),
    Wildcard(String),
    Numeric(Vec<(Comparison, f64)>),
    Exists(bool),
    /// A value must be there for which none of these holds.
    AnythingBut(Vec<Condition>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Why a policy is not one.
#[derive(Debug, thiserror::Error)]
pub(super) enum FilterError {
    #[error("the policy is not a JSON object")]
    NotAnObject,
    #[error("the value of {0:?} must be a list of conditions that is not empty")]
    NotAList(String),
    #[error("keys can be nested only where the scope is MessageBody, and {0:?} is")]
    NestedAttribute(String),
    #[error("the condition {0} is not known to this endpoint")]
    UnknownCondition(String),
    #[error("the condition {0} does not have a value of the right kind")]
    Value(String),
}

impl Filter {
    pub(super) fn parse(text: &str, scope: Scope) -> Result<Filter, FilterError> {
        let value: Value = serde_json::from_str(text).map_err(|_| FilterError::NotAnObject)?;
        let fields = value.as_object().ok_or(FilterError::NotAnObject)?;
        Ok(Filter { scope, policy: Policy::parse(fields, scope)? })
    }

    pub(super) fn matches(&self, attributes: &MessageAttributes, body: &str) -> bool {
        match self.scope {
            Scope::Attributes => self.policy.matches(&attribute_values(attributes)),
            Scope::Body => serde_json::from_str(body)
                .is_ok_and(|body: Value| body.as_object().is_some_and(|body| self.policy.matches(body))),
        }
    }
}

/// Attributes as JSON, to be matched like a body: binary ones have no value that a condition could be about.
fn attribute_values(attributes: &MessageAttributes) -> Map<String, Value> {
    let values = attributes.iter().map(|(name, attribute)| {
        let text = attribute.string_value.as_deref().unwrap_or_default();
        let value = match (attribute.basic_type(), attribute.data_type.as_str()) {
            ("Number", _) => serde_json::from_str(text.trim()).unwrap_or(Value::Null),
            (_, "String.Array") => serde_json::from_str(text).unwrap_or(Value::Null),
            ("String", _) => Value::String(text.to_owned()),
            _ => Value::Null,
        };
        (name.clone(), value)
    });
    values.collect()
}

impl Policy {
    fn parse(fields: &Map<String, Value>, scope: Scope) -> Result<Policy, FilterError> {
        let rule = |(key, value): (&String, &Value)| Ok((key.clone(), Rule::parse(key, value, scope)?));
        Ok(Policy(fields.iter().map(rule).collect::<Result<_, FilterError>>()?))
    }

    fn matches(&self, fields: &Map<String, Value>) -> bool {
        self.0.iter().all(|(key, rule)| match rule {
            Rule::Or(policies) => policies.iter().any(|policy| policy.matches(fields)),
            Rule::Conditions(conditions) => conditions.iter().any(|condition| condition.holds(fields.get(key))),
            Rule::Nested(policy) => match fields.get(key) {
                Some(Value::Object(fields)) => policy.matches(fields),
                Some(Value::Array(items)) => {
                    items.iter().filter_map(Value::as_object).any(|fields| policy.matches(fields))
                }
                _ => false,
            },
        })
    }
}

impl Rule {
    fn parse(key: &str, value: &Value, scope: Scope) -> Result<Rule, FilterError> {
        match value {
            Value::Array(items) if items.is_empty() => Err(FilterError::NotAList(key.to_owned())),
            Value::Array(items) if key == "$or" && items.iter().all(Value::is_object) => {
                let policies = items.iter().filter_map(Value::as_object).map(|fields| Policy::parse(fields, scope));
                Ok(Rule::Or(policies.collect::<Result<_, _>>()?))
            }
            Value::Array(items) => Ok(Rule::Conditions(items.iter().map(Condition::parse).collect::<Result<_, _>>()?)),
            Value::Object(_) if scope == Scope::Attributes => Err(FilterError::NestedAttribute(key.to_owned())),
            Value::Object(fields) => Ok(Rule::Nested(Policy::parse(fields, scope)?)),
            _ => Err(FilterError::NotAList(key.to_owned())),
        }
    }
}

impl Condition {
    fn parse(value: &Value) -> Result<Condition, FilterError> {
        let Value::Object(fields) = value else {
            let is_plain = !value.is_array();
            return if is_plain {
                Ok(Condition::Equals(value.clone()))
            } else {
                Err(FilterError::Value(value.to_string()))
            };
        };
        let (Some((name, operand)), 1) = (fields.iter().next(), fields.len()) else {
            return Err(FilterError::UnknownCondition(value.to_string()));
        };
        let wrong = || FilterError::Value(value.to_string());
        let text = || operand.as_str().map(str::to_owned).ok_or_else(wrong);
        match name.as_str() {
            "prefix" => text().map(Condition::Prefix),
            "suffix" => text().map(Condition::Suffix),
            "wildcard" => text().map(Condition::Wildcard),
            "equals-ignore-case" => text().map(Condition::EqualsIgnoreCase),
            "exists" => operand.as_bool().map(Condition::Exists).ok_or_else(wrong),
            "numeric" => comparisons(operand).map(Condition::Numeric).ok_or_else(wrong),
            "anything-but" => Ok(Condition::AnythingBut(match operand {
                Value::Array(items) if items.is_empty() => return Err(wrong()),
                Value::Array(items) => items.iter().map(Condition::parse).collect::<Result<_, _>>()?,
                other => excluded(other)?,
            })),
            other => Err(FilterError::UnknownCondition(other.to_owned())),
        }
    }

    /// Whether the condition holds for what a key has; a list has several values, of which one is enough.
    fn holds(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (Condition::Exists(wanted), value) => value.is_some() == *wanted,
            (_, None) => false,
            (_, Some(Value::Array(items))) => items.iter().any(|item| self.holds_for(item)),
            (_, Some(value)) => self.holds_for(value),
        }
    }

    fn holds_for(&self, value: &Value) -> bool {
        let text = value.as_str();
        match self {
            Condition::Equals(wanted) => match (wanted.as_f64(), value.as_f64()) {
                (Some(wanted), Some(value)) => same(wanted, value),
                _ => wanted == value,
            },
            Condition::EqualsIgnoreCase(wanted) => {
                text.is_some_and(|text| text.to_lowercase() == wanted.to_lowercase())
            }
            Condition::Prefix(prefix) => text.is_some_and(|text| text.starts_with(prefix)),
            Condition::Suffix(suffix) => text.is_some_and(|text| text.ends_with(suffix)),
            Condition::Wildcard(pattern) => text.is_some_and(|text| matches_wildcard(pattern, text)),
            Condition::Numeric(comparisons) => value
                .as_f64()
                .is_some_and(|value| comparisons.iter().all(|(comparison, with)| comparison.holds(value, *with))),
            Condition::Exists(wanted) => *wanted,
            Condition::AnythingBut(excluded) => !excluded.iter().any(|excluded| excluded.holds_for(value)),
        }
    }
}

/// What `anything-but` excludes when it is not a list of values: one value, or one condition with one text or several.
fn excluded(operand: &Value) -> Result<Vec<Condition>, FilterError> {
    let Value::Object(fields) = operand else { return Ok(vec![Condition::parse(operand)?]) };
    let mut conditions = Vec::new();
    for (name, value) in fields {
        let texts = value.as_array().map_or_else(|| vec![value], |items| items.iter().collect());
        for text in texts {
            conditions.push(Condition::parse(&Value::Object(Map::from_iter([(name.clone(), text.clone())])))?);
        }
    }
    if conditions.is_empty() { Err(FilterError::Value(operand.to_string())) } else { Ok(conditions) }
}

fn comparisons(operand: &Value) -> Option<Vec<(Comparison, f64)>> {
    let items = operand.as_array().filter(|items| matches!(items.len(), 2 | 4))?;
    let pair = |pair: &[Value]| {
        let comparison = match pair.first()?.as_str()? {
            "=" => Comparison::Equal,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            _ => return None,
        };
        Some((comparison, pair.get(1)?.as_f64()?))
    };
    items.chunks(2).map(pair).collect()
}

impl Comparison {
    fn holds(self, value: f64, with: f64) -> bool {
        match self {
            Comparison::Equal => same(value, with),
            Comparison::Less => value < with,
            Comparison::LessOrEqual => value <= with,
            Comparison::Greater => value > with,
            Comparison::GreaterOrEqual => value >= with,
        }
    }
}

/// Numbers that were written as the same decimal are the same double.
fn same(a: f64, b: f64) -> bool {
    a.total_cmp(&b).is_eq() || (a == 0.0 && b == 0.0)
}

/// `*` stands for any text. Each piece is found as early as it can be, which leaves the most for the rest.
fn matches_wildcard(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sqs::AttributeValue;

    fn attributes() -> MessageAttributes {
        let attribute = |kind: &str, value: &str| AttributeValue {
            data_type: kind.into(),
            string_value: Some(value.into()),
            binary_value: None,
        };
        MessageAttributes::from([
            ("store".to_owned(), attribute("String", "example_corp")),
            ("price".to_owned(), attribute("Number", "100.50")),
            ("interests".to_owned(), attribute("String.Array", r#"["soccer", "rugby", 3]"#)),
        ])
    }

    fn wants(policy: &Value) -> bool {
        Filter::parse(&policy.to_string(), Scope::Attributes).unwrap().matches(&attributes(), "")
    }

    #[test]
    fn conditions_on_attributes() {
        for policy in [
            json!({}),
            json!({"store": ["example_corp", "other"]}),
            json!({"store": [{"prefix": "exam"}]}),
            json!({"store": [{"suffix": "corp"}]}),
            json!({"store": [{"wildcard": "ex*_c*rp"}]}),
            json!({"store": [{"equals-ignore-case": "EXAMPLE_corp"}]}),
            json!({"store": [{"anything-but": "other"}]}),
            json!({"store": [{"anything-but": ["other", "another"]}]}),
            json!({"store": [{"anything-but": {"prefix": "other"}}]}),
            json!({"store": [{"exists": true}], "missing": [{"exists": false}]}),
            json!({"price": [100.5]}),
            json!({"price": [{"numeric": [">", 100, "<=", 100.5]}]}),
            json!({"interests": ["rugby"]}),
            json!({"$or": [{"store": ["other"]}, {"price": [{"numeric": ["=", 100.5]}]}]}),
        ] {
            assert!(wants(&policy), "{policy}");
        }
        for policy in [
            json!({"store": ["other"]}),
            json!({"store": ["example_corp"], "price": [1]}),
            json!({"store": [{"prefix": "corp"}]}),
            json!({"store": [{"wildcard": "ex*corp*x"}]}),
            json!({"store": [{"anything-but": "example_corp"}]}),
            json!({"store": [{"exists": false}]}),
            json!({"missing": [{"exists": true}]}),
            json!({"missing": [{"anything-but": "x"}]}),
            json!({"price": ["100.50"]}),
            json!({"price": [{"numeric": ["<", 100]}]}),
            json!({"interests": ["tennis"]}),
            json!({"$or": [{"store": ["other"]}, {"price": [1]}]}),
        ] {
            assert!(!wants(&policy), "{policy}");
        }
    }

    #[test]
    fn conditions_on_bodies() {
        let policy = json!({"image": {"kind": ["jpeg"], "sizes": [{"numeric": [">=", 1000]}]}}).to_string();
        let filter = Filter::parse(&policy, Scope::Body).unwrap();
        let matches = |body: &str| filter.matches(&MessageAttributes::new(), body);
        assert!(matches(r#"{"image": {"kind": "jpeg", "sizes": [160, 1080]}}"#));
        assert!(matches(r#"{"image": [{"kind": "png"}, {"kind": "jpeg", "sizes": [2048]}]}"#));
        assert!(!matches(r#"{"image": {"kind": "png", "sizes": [1080]}}"#));
        assert!(!matches("not json"));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let refused = |policy: Value| Filter::parse(&policy.to_string(), Scope::Attributes).unwrap_err().to_string();
        assert!(Filter::parse("x", Scope::Body).is_err());
        assert!(refused(json!([])).contains("JSON object"));
        assert!(refused(json!({"a": "x"})).contains("list"));
        assert!(refused(json!({"a": []})).contains("list"));
        assert!(refused(json!({"a": {"b": ["x"]}})).contains("MessageBody"));
        assert!(refused(json!({"a": [{"cidr": "10.0.0.0/8"}]})).contains("cidr"));
        assert!(refused(json!({"a": [{"numeric": ["~", 1]}]})).contains("right kind"));
    }
}
