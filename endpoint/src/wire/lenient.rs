//! Numbers and booleans that come as themselves in JSON and as text in forms.

use serde::{Deserialize, Deserializer, de::Error};

#[derive(Deserialize)]
#[serde(untagged)]
enum Loose {
    Number(i64),
    Flag(bool),
    Text(String),
}

/// An optional whole number.
pub(crate) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    match Option::<Loose>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Loose::Number(number)) => Ok(Some(number)),
        Some(Loose::Text(text)) => {
            text.trim().parse().map(Some).map_err(|_| D::Error::custom(not(&text, "a whole number")))
        }
        Some(Loose::Flag(flag)) => Err(D::Error::custom(not(&flag.to_string(), "a whole number"))),
    }
}

/// A boolean, false where it is missing.
pub(crate) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match Option::<Loose>::deserialize(deserializer)? {
        None => Ok(false),
        Some(Loose::Flag(flag)) => Ok(flag),
        Some(Loose::Text(text)) => text.trim().parse().map_err(|_| D::Error::custom(not(&text, "true or false"))),
        Some(Loose::Number(number)) => Err(D::Error::custom(not(&number.to_string(), "true or false"))),
    }
}

fn not(given: &str, expected: &str) -> String {
    format!("{given:?} is not {expected}")
}
