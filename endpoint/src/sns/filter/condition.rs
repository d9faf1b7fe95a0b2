//! What a filter policy may say about a value.

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::FilterError;

/// One over the smallest difference between two numbers.
const ACCURACY: f64 = 1e5;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    Equals(Value),
    EqualsIgnoreCase(String),
    Prefix(String),
    Suffix(String),
    Wildcard(String),
    Numeric(Vec<(Comparison, f64)>),
    /// An address in a network: its first address and how many bits name it.
    Cidr(IpAddr, u32),
    Exists(bool),
    /// A value must be there for which none of these holds.
    AnythingBut(Vec<Condition>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

fn wrong(reason: impl Into<String>) -> FilterError {
    FilterError::Condition(reason.into())
}

impl Condition {
    pub(super) fn parse(value: &Value) -> Result<Condition, FilterError> {
        let Value::Object(fields) = value else {
            return match value {
                Value::Array(_) => Err(wrong("Match value must be String, number, true, false, or null")),
                plain => Ok(Condition::Equals(plain.clone())),
            };
        };
        let (Some((name, operand)), 1) = (fields.iter().next(), fields.len()) else {
            return Err(wrong("Only one key allowed in match expression"));
        };
        let text = || {
            let text = operand.as_str().map(str::to_owned);
            text.ok_or_else(|| wrong(format!("{name} match pattern must be a string")))
        };
        match name.as_str() {
            "prefix" => text().map(Condition::Prefix),
            "suffix" => text().map(Condition::Suffix),
            "wildcard" => text().map(Condition::Wildcard),
            "equals-ignore-case" => text().map(Condition::EqualsIgnoreCase),
            "cidr" => cidr(operand),
            "exists" => operand
                .as_bool()
                .map(Condition::Exists)
                .ok_or_else(|| wrong("exists match pattern must be either true or false.")),
            "numeric" => comparisons(operand).map(Condition::Numeric),
            "anything-but" => excluded(operand).map(Condition::AnythingBut),
            other => Err(wrong(format!("Unrecognized match type {other}"))),
        }
    }

    /// Whether the condition holds for what a key has; a list has several values, of which one is enough.
    pub(super) fn holds(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (Condition::Exists(true), value) => value.is_some_and(|value| any_plain(value, has_content)),
            (Condition::Exists(false), value) => !value.is_some_and(|value| any_plain(value, |_| true)),
            (_, None) => false,
            (_, Some(Value::Array(items))) => items.iter().any(|item| self.holds(Some(item))),
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
            Condition::Cidr(network, bits) => text
                .and_then(|text| text.parse().ok())
                .is_some_and(|address: IpAddr| first_of_network(address, *bits) == Some(*network)),
            Condition::Exists(wanted) => has_content(value) == *wanted,
            Condition::AnythingBut(excluded) => !excluded.iter().any(|excluded| excluded.holds_for(value)),
        }
    }
}

/// Whether a value, or one in a list, is plain and as is asked for. An object is on the way to others, and nothing by itself.
fn any_plain(value: &Value, wanted: fn(&Value) -> bool) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| any_plain(item, wanted)),
        Value::Object(_) => false,
        plain => wanted(plain),
    }
}

/// What is there and empty does not exist, and is not missing either.
fn has_content(plain: &Value) -> bool {
    !plain.is_null() && plain != ""
}

/// What `anything-but` excludes: a value or several, or what one condition with one text or several holds for.
fn excluded(operand: &Value) -> Result<Vec<Condition>, FilterError> {
    let items = |value: &Value| value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    let Value::Object(fields) = operand else {
        let values = items(operand);
        return if values.is_empty() { Err(FilterError::Empty) } else { values.iter().map(Condition::parse).collect() };
    };
    let (Some((name, texts)), 1) = (fields.iter().next(), fields.len()) else {
        return Err(wrong("Only one key allowed in match expression"));
    };
    if !["prefix", "suffix", "wildcard", "equals-ignore-case"].contains(&name.as_str()) {
        return Err(wrong(format!("Unsupported anything-but pattern: {name}")));
    }
    let texts = items(texts);
    if texts.is_empty() {
        return Err(FilterError::Empty);
    }
    let condition = |text: Value| Condition::parse(&Value::Object(Map::from_iter([(name.clone(), text)])));
    texts.into_iter().map(condition).collect()
}

fn cidr(operand: &Value) -> Result<Condition, FilterError> {
    // The service itself names the other operator here.
    let text = operand.as_str().ok_or_else(|| wrong("prefix match pattern must be a string"))?;
    let (address, bits) = text
        .split_once('/')
        .filter(|(_, bits)| !bits.contains('/'))
        .ok_or_else(|| wrong("Malformed CIDR, one '/' required"))?;
    let bits: u32 = bits.parse().map_err(|_| wrong("Malformed CIDR, mask bits must be an integer"))?;
    let network = address.parse().ok().filter(|network| first_of_network(*network, bits) == Some(*network));
    let network = network.ok_or_else(|| wrong(format!("Nonstandard IP address: {address}")))?;
    Ok(Condition::Cidr(network, bits))
}

/// The first address of the network of `bits` bits that `address` is in. Both kinds of addresses have networks of their own.
fn first_of_network(address: IpAddr, bits: u32) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32_u32.checked_sub(bits)?).unwrap_or(0);
            Some(IpAddr::V4((u32::from(address) & mask).into()))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128_u32.checked_sub(bits)?).unwrap_or(0);
            Some(IpAddr::V6((u128::from(address) & mask).into()))
        }
    }
}

/// One comparison, or two that make a range.
fn comparisons(operand: &Value) -> Result<Vec<(Comparison, f64)>, FilterError> {
    let items = operand.as_array().filter(|items| !items.is_empty());
    let items = items.ok_or_else(|| wrong("Invalid member in numeric match: ]"))?;
    let number = |operator: &str, value: Option<&Value>| {
        let name = if operator == "=" { "equals" } else { operator };
        value.and_then(Value::as_f64).ok_or_else(|| wrong(format!("Value of {name} must be numeric")))
    };
    let operator = items[0].as_str().ok_or_else(|| wrong(format!("Invalid member in numeric match: {}", items[0])))?;
    let first =
        Comparison::parse(operator).ok_or_else(|| wrong(format!("Unrecognized numeric range operator: {operator}")))?;
    let least = number(operator, items.get(1))?;
    let Some(second) = items.get(2) else { return Ok(vec![(first, least)]) };
    if !matches!(first, Comparison::Greater | Comparison::GreaterOrEqual) {
        return Err(wrong("Too many elements in numeric expression"));
    }
    let operator = second.as_str().ok_or_else(|| wrong(format!("Bad value in numeric range: {second}")))?;
    let second = Comparison::parse(operator)
        .filter(|second| matches!(second, Comparison::Less | Comparison::LessOrEqual))
        .ok_or_else(|| wrong(format!("Bad numeric range operator: {operator}")))?;
    let most = number(operator, items.get(3))?;
    if most <= least {
        return Err(wrong("Bottom must be less than top"));
    }
    if items.len() > 4 {
        return Err(wrong("Too many terms in numeric range expression"));
    }
    Ok(vec![(first, least), (second, most)])
}

impl Comparison {
    fn parse(operator: &str) -> Option<Comparison> {
        match operator {
            "=" => Some(Comparison::Equal),
            "<" => Some(Comparison::Less),
            "<=" => Some(Comparison::LessOrEqual),
            ">" => Some(Comparison::Greater),
            ">=" => Some(Comparison::GreaterOrEqual),
            _ => None,
        }
    }

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

/// The service looks at five digits after the point, and no further.
fn same(a: f64, b: f64) -> bool {
    let (a, b) = ((a * ACCURACY).round(), (b * ACCURACY).round());
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
