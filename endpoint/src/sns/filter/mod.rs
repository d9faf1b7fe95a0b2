//! Filter policies: which messages a subscription wants. Pure.
//!
//! This file has the keys of a policy and how they nest; [`condition`] has what may be said about a key's value, and [`dotted`]
//! what a dot in a key means.

mod condition;
mod dotted;

use serde_json::{Map, Value};

use crate::sqs::MessageAttributes;

use condition::Condition;

/// As many as the service takes.
const MAX_KEYS: usize = 5;
const MAX_COMBINATIONS: usize = 150;

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

/// Why a policy is not one.
#[derive(Debug, thiserror::Error)]
pub(super) enum FilterError {
    #[error("FilterPolicy: failed to parse JSON.")]
    NotAnObject,
    #[error("FilterPolicy: Empty arrays are not allowed")]
    Empty,
    #[error("FilterPolicy: \"{0}\" must be an object or an array")]
    NotAList(String),
    #[error("Filter policy scope MessageAttributes does not support nested filter policy")]
    NestedAttribute,
    #[error("FilterPolicy: Filter policy can not have more than 5 keys")]
    TooManyKeys,
    #[error("FilterPolicy: Filter policy is too complex")]
    TooComplex,
    /// A condition is wrong in a way that has a sentence of its own.
    #[error("FilterPolicy: {0}")]
    Condition(String),
}

impl Filter {
    pub(super) fn parse(text: &str, scope: Scope) -> Result<Filter, FilterError> {
        let value: Value = serde_json::from_str(text).map_err(|_| FilterError::NotAnObject)?;
        let fields = value.as_object().ok_or(FilterError::NotAnObject)?;
        if fields.len() > MAX_KEYS {
            return Err(FilterError::TooManyKeys);
        }
        let policy = Policy::parse(fields, scope)?;
        if policy.combinations(1) > MAX_COMBINATIONS {
            return Err(FilterError::TooComplex);
        }
        // Checked as it is written, kept as bodies are read.
        let policy = if scope == Scope::Body { Policy::parse(&dotted::nested(fields), scope)? } else { policy };
        Ok(Filter { scope, policy })
    }

    pub(super) fn matches(&self, attributes: &MessageAttributes, body: &str) -> bool {
        match self.scope {
            // Without attributes nothing matches, and be it a condition that one is missing.
            Scope::Attributes if attributes.is_empty() => self.policy.0.is_empty(),
            Scope::Attributes => self.policy.matches(&attribute_values(attributes)),
            Scope::Body => serde_json::from_str(body)
                .is_ok_and(|body: Map<String, Value>| self.policy.matches(&dotted::nested(&body))),
        }
    }
}

/// Attributes as JSON, to be matched like a body. The service leaves binary ones out.
fn attribute_values(attributes: &MessageAttributes) -> Map<String, Value> {
    let values = attributes.iter().filter(|(_, attribute)| attribute.basic_type() != "Binary");
    let values = values.map(|(name, attribute)| {
        let text = attribute.string_value.as_deref().unwrap_or_default();
        let value = match (attribute.basic_type(), attribute.data_type.as_str()) {
            ("Number", _) => serde_json::from_str(text.trim()).unwrap_or(Value::Null),
            (_, "String.Array") => serde_json::from_str(text).unwrap_or(Value::Null),
            _ => Value::String(text.to_owned()),
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

    /// How many ways there are to match, as the service counts them: deeper keys count more.
    fn combinations(&self, depth: usize) -> usize {
        self.0.iter().fold(1, |product: usize, (_, rule)| {
            product.saturating_mul(match rule {
                Rule::Conditions(conditions) => conditions.len() * depth,
                Rule::Nested(policy) => policy.combinations(depth + 1),
                Rule::Or(policies) => policies.iter().map(|policy| policy.combinations(depth)).sum(),
            })
        })
    }

    fn matches(&self, fields: &Map<String, Value>) -> bool {
        self.0.iter().all(|(key, rule)| match rule {
            Rule::Or(policies) => policies.iter().any(|policy| policy.matches(fields)),
            Rule::Conditions(conditions) => conditions.iter().any(|condition| condition.holds(fields.get(key))),
            Rule::Nested(policy) => match fields.get(key) {
                Some(below @ (Value::Object(_) | Value::Array(_))) => policy.matches_one_of(below),
                // Nothing is below it, which a condition may ask for.
                _ => policy.matches(&Map::new()),
            },
        })
    }

    /// Whether an object matches, or one in a list, or in a list in it.
    fn matches_one_of(&self, value: &Value) -> bool {
        match value {
            Value::Object(fields) => self.matches(fields),
            Value::Array(items) => items.iter().any(|item| self.matches_one_of(item)),
            _ => false,
        }
    }
}

impl Rule {
    fn parse(key: &str, value: &Value, scope: Scope) -> Result<Rule, FilterError> {
        match value {
            Value::Array(items) if items.is_empty() => Err(FilterError::Empty),
            Value::Array(items) if key == "$or" && items.len() > 1 && items.iter().all(Value::is_object) => {
                let policies = items.iter().filter_map(Value::as_object).map(|fields| Policy::parse(fields, scope));
                Ok(Rule::Or(policies.collect::<Result<_, _>>()?))
            }
            Value::Array(items) => Ok(Rule::Conditions(items.iter().map(Condition::parse).collect::<Result<_, _>>()?)),
            Value::Object(fields) => match Policy::parse(fields, scope)? {
                // What is wrong below is said first.
                _ if scope == Scope::Attributes => Err(FilterError::NestedAttribute),
                policy => Ok(Rule::Nested(policy)),
            },
            _ => Err(FilterError::NotAList(key.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
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
            ("address".to_owned(), attribute("String", "10.1.2.3")),
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
            json!({"store": [{"anything-but": {"suffix": ["x", "y"]}}]}),
            json!({"store": [{"anything-but": {"equals-ignore-case": "other"}}]}),
            json!({"store": [{"anything-but": {"wildcard": "*z*"}}]}),
            json!({"address": [{"cidr": "10.0.0.0/8"}]}),
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
            json!({"store": [{"anything-but": {"prefix": ["exam", "z"]}}]}),
            json!({"address": [{"cidr": "11.0.0.0/8"}]}),
            json!({"store": [{"cidr": "10.0.0.0/8"}]}),
            json!({"address": [{"cidr": "::/0"}]}),
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
        assert!(matches(r#"{"image": [["x", {"kind": "jpeg", "sizes": [[2048]]}]]}"#));
        assert!(!matches("not json"));
        let policy = json!({"image": {"error": {"code": [{"exists": false}]}}}).to_string();
        let filter = Filter::parse(&policy, Scope::Body).unwrap();
        assert!(filter.matches(&MessageAttributes::new(), r#"{"image": {}}"#));
        assert!(filter.matches(&MessageAttributes::new(), "{}"));
        assert!(!filter.matches(&MessageAttributes::new(), r#"{"image": {"error": {"code": 1}}}"#));
    }

    #[test]
    fn what_exists_has_a_plain_value() {
        let matches = |wanted: bool, value: Value| {
            let policy = json!({"a": [{"exists": wanted}]}).to_string();
            let body = json!({"a": value}).to_string();
            Filter::parse(&policy, Scope::Body).unwrap().matches(&MessageAttributes::new(), &body)
        };
        for there in [json!("x"), json!(0), json!(false), json!([1]), json!([[null, "x"], {}])] {
            assert!(matches(true, there.clone()) && !matches(false, there.clone()), "{there}");
        }
        for nothing in [json!({}), json!({"b": 1}), json!([]), json!([{"b": 1}])] {
            assert!(!matches(true, nothing.clone()) && matches(false, nothing.clone()), "{nothing}");
        }
        for empty in [json!(null), json!(""), json!([""])] {
            assert!(!matches(true, empty.clone()) && !matches(false, empty.clone()), "{empty}");
        }
        let absent = Filter::parse(r#"{"a": [{"exists": false}]}"#, Scope::Attributes).unwrap();
        assert!(absent.matches(&attributes(), "") && !absent.matches(&MessageAttributes::new(), ""));
        let blob = AttributeValue { data_type: "Binary".into(), string_value: None, binary_value: Some("AA==".into()) };
        assert!(absent.matches(&MessageAttributes::from([("a".to_owned(), blob)]), ""));
    }

    #[test]
    fn a_dot_in_a_key_goes_one_deeper() {
        let matches = |policy: Value, body: Value| {
            let filter = Filter::parse(&policy.to_string(), Scope::Body).unwrap();
            filter.matches(&MessageAttributes::new(), &body.to_string())
        };
        for body in [
            json!({"a": {"b": {"c": "x"}}}),
            json!({"a.b.c": "x"}),
            json!({"a.b": {"c": "x"}}),
            json!({"a": {"b.c": "x"}, "a.b.d": 1}),
            json!({"a": [{"b.c": "y"}, {"b.c": "x"}]}),
        ] {
            for policy in
                [json!({"a.b.c": ["x"]}), json!({"a": {"b.c": ["x"]}}), json!({"$or": [{"a.b.c": ["x"]}, {"z": [1]}]})]
            {
                assert!(matches(policy.clone(), body.clone()), "{policy} {body}");
            }
        }
        assert!(!matches(json!({"a.b.c": ["x"]}), json!({"a": {"b": "x"}})));
        // What is in the way of a key leaves it as it is.
        assert!(!matches(json!({"a.b": ["x"]}), json!({"a": 1, "a.b": "x"})));
        assert!(!matches(json!({"a.b": ["x"]}), json!({".".repeat(100_000): "x"})));
        // Names of attributes have dots that mean nothing.
        let attribute =
            AttributeValue { data_type: "String".into(), string_value: Some("x".into()), binary_value: None };
        let filter = Filter::parse(r#"{"a.b": ["x"]}"#, Scope::Attributes).unwrap();
        assert!(filter.matches(&MessageAttributes::from([("a.b".to_owned(), attribute)]), ""));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let refused = |policy: Value| Filter::parse(&policy.to_string(), Scope::Attributes).unwrap_err().to_string();
        assert!(Filter::parse("x", Scope::Body).is_err());
        let numeric = |operand: Value| refused(json!({"a": [{"numeric": operand}]}));
        assert_eq!(refused(json!([])), "FilterPolicy: failed to parse JSON.");
        assert_eq!(refused(json!({"a": "x"})), "FilterPolicy: \"a\" must be an object or an array");
        assert_eq!(refused(json!({"a": []})), "FilterPolicy: Empty arrays are not allowed");
        let nested = "Filter policy scope MessageAttributes does not support nested filter policy";
        assert_eq!(refused(json!({"a": {"b": ["x"]}})), nested);
        assert_eq!(refused(json!({"a": {"prefix": "x"}})), "FilterPolicy: \"prefix\" must be an object or an array");
        assert_eq!(refused(json!({"a": [{"colour": "x"}]})), "FilterPolicy: Unrecognized match type colour");
        assert_eq!(refused(json!({"a": [{"prefix": 1}]})), "FilterPolicy: prefix match pattern must be a string");
        assert_eq!(
            refused(json!({"a": [{"prefix": "x", "suffix": "y"}]})),
            "FilterPolicy: Only one key allowed in match expression"
        );
        assert_eq!(refused(json!({"a": [{"cidr": "10.0.0.0"}]})), "FilterPolicy: Malformed CIDR, one '/' required");
        assert_eq!(refused(json!({"a": [{"cidr": "10.0.0.1/8"}]})), "FilterPolicy: Nonstandard IP address: 10.0.0.1");
        assert_eq!(numeric(json!(["~", 1])), "FilterPolicy: Unrecognized numeric range operator: ~");
        assert_eq!(numeric(json!([">", 2, "<", 1])), "FilterPolicy: Bottom must be less than top");
        assert_eq!(numeric(json!(["<", 2, ">", 1])), "FilterPolicy: Too many elements in numeric expression");
        assert_eq!(numeric(json!(["=", "x"])), "FilterPolicy: Value of equals must be numeric");
        let six = json!({"a": ["x"], "b": ["x"], "c": ["x"], "d": ["x"], "e": ["x"], "f": ["x"]});
        assert_eq!(refused(six), "FilterPolicy: Filter policy can not have more than 5 keys");
        let values: Vec<u32> = (0..13).collect();
        assert_eq!(refused(json!({"a": values, "b": values})), "FilterPolicy: Filter policy is too complex");
    }

    /// JSON of any shape, made of what policies are made of.
    fn anything() -> impl Strategy<Value = Value> {
        let words = prop::sample::select(vec![
            "a",
            "$or",
            "prefix",
            "suffix",
            "wildcard",
            "anything-but",
            "numeric",
            "cidr",
            "exists",
            "=",
            "<",
            ">=",
            "x*",
            "10.0.0.0/8",
        ]);
        let leaf = prop_oneof![
            words.clone().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            Just(Value::Null),
        ];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((words.clone(), inner), 0..4).prop_map(|fields| Value::Object(
                    fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
                )),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_policy_is_too_strange(policy in anything(), body in anything()) {
            for scope in [Scope::Attributes, Scope::Body] {
                if let Ok(filter) = Filter::parse(&policy.to_string(), scope) {
                    filter.matches(&attributes(), &body.to_string());
                }
            }
        }
    }
}
