//! A message's body and attributes: what they may be, and their digests.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

use crate::wire::in_hex;

use super::error::SqsError;

/// The most attributes on a message.
const MAX_ATTRIBUTES: usize = 10;
const MAX_NAME: usize = 256;

/// Attributes in the order of their names, which is the order of their digest.
pub(crate) type MessageAttributes = BTreeMap<String, AttributeValue>;

/// The value of a message attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AttributeValue {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) string_value: Option<String>,
    /// In base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) binary_value: Option<String>,
    #[serde(default)]
    pub(crate) data_type: String,
}

impl AttributeValue {
    /// The type without a label of the user's own: `Number` of `Number.int`.
    pub(crate) fn basic_type(&self) -> &str {
        self.data_type.split('.').next().unwrap_or_default()
    }

    /// Whether the value is a number, as one of that type must be.
    pub(crate) fn is_number(&self) -> bool {
        self.string_value.as_deref().is_some_and(is_number)
    }

    fn bytes(&self) -> Vec<u8> {
        match (&self.string_value, &self.binary_value) {
            (Some(text), _) => text.clone().into_bytes(),
            (None, Some(encoded)) => BASE64_STANDARD.decode(encoded).unwrap_or_default(),
            (None, None) => Vec::new(),
        }
    }

    fn check(&self, name: &str) -> Result<(), String> {
        if self.data_type.is_empty() {
            return Err(format!("The message attribute '{name}' must contain a non-empty message attribute type."));
        }
        let kind = self.basic_type();
        if !["String", "Number", "Binary"].contains(&kind) {
            return Err(format!(
                "The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes \
                 is Binary, Number, and String."
            ));
        }
        if self.data_type.len() > MAX_NAME {
            return Err(format!("The message attribute '{name}' has a type longer than {MAX_NAME} bytes."));
        }
        let value = if kind == "Binary" { self.binary_value.as_deref() } else { self.string_value.as_deref() };
        let value = value.filter(|value| !value.is_empty()).ok_or_else(|| {
            format!("Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'.")
        })?;
        match kind {
            "Number" if !is_number(value) => {
                Err(format!("Can't cast the value of message (user) attribute '{name}' to a number."))
            }
            "Binary" if BASE64_STANDARD.decode(value).is_err() => {
                Err(format!("The value of the message attribute '{name}' is not base64."))
            }
            "String" if !value.chars().all(is_allowed) => Err(SqsError::InvalidMessageContents.to_string()),
            _ => Ok(()),
        }
    }
}

fn is_number(value: &str) -> bool {
    // `inf` and `NaN` are numbers for the parser.
    value.trim().parse::<f64>().is_ok_and(f64::is_finite)
}

/// Checks attributes on their way in.
pub(crate) fn check_attributes(attributes: &MessageAttributes) -> Result<(), SqsError> {
    if attributes.len() > MAX_ATTRIBUTES {
        let count = attributes.len();
        return Err(SqsError::InvalidValue(format!(
            "Number of message attributes [{count}] exceeds the allowed maximum [{MAX_ATTRIBUTES}]."
        )));
    }
    for (name, value) in attributes {
        check_attribute_name(name).map_err(|reason| SqsError::InvalidValue(reason.into()))?;
        value.check(name).map_err(SqsError::InvalidValue)?;
    }
    Ok(())
}

fn check_attribute_name(name: &str) -> Result<(), &'static str> {
    let lower = name.to_ascii_lowercase();
    if !(1..=MAX_NAME).contains(&name.len()) {
        return Err("Message (user) attribute names must be shorter than 256 Bytes");
    }
    // Letters of any language, which the documentation does not say.
    if !name.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c)) {
        return Err(
            "Message (user) attributes name can only contain upper and lower score characters, digits, periods, \
                    hyphens and underscores. ",
        );
    }
    if name.starts_with('.') || name.ends_with('.') || lower.starts_with("aws.") || lower.starts_with("amazon.") {
        return Err("You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. These strings are \
                    reserved for internal use. Additionally, they cannot start or end with '.'.");
    }
    if name.contains("..") {
        return Err("Message (user) attribute names cannot contain successive '.'.");
    }
    Ok(())
}

/// Checks the characters of a body.
pub(crate) fn check_body(body: &str) -> Result<(), SqsError> {
    if body.is_empty() {
        return Err(SqsError::MissingParameter("MessageBody"));
    }
    if body.chars().all(is_allowed) { Ok(()) } else { Err(SqsError::InvalidMessageContents) }
}

fn is_allowed(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// What a message counts against the limits of size.
pub(crate) fn size(body: &str, attributes: &MessageAttributes) -> usize {
    let attribute =
        |(name, value): (&String, &AttributeValue)| name.len() + value.data_type.len() + value.bytes().len();
    body.len() + attributes.iter().map(attribute).sum::<usize>()
}

pub(crate) fn md5_of_body(body: &str) -> String {
    in_hex(&Md5::digest(body))
}

/// The digest of attributes: of each in the order of names its name, type and value, all with their lengths before them.
pub(crate) fn md5_of_attributes(attributes: &MessageAttributes) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut digest = Md5::new();
    for (name, value) in attributes {
        update(&mut digest, name.as_bytes());
        update(&mut digest, value.data_type.as_bytes());
        digest.update([if value.string_value.is_some() { 1 } else { 2 }]);
        update(&mut digest, &value.bytes());
    }
    Some(in_hex(&digest.finalize()))
}

fn update(digest: &mut Md5, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    digest.update(length.to_be_bytes());
    digest.update(bytes);
}

/// The attributes that a receiver asked for: `All`, `*`, `.*`, `prefix.*`, or a name.
pub(super) fn selected(attributes: &MessageAttributes, wanted: &[String]) -> MessageAttributes {
    let matches = |name: &str| {
        wanted.iter().any(|wanted| match wanted.strip_suffix(".*") {
            _ if wanted == "All" || wanted == "*" => true,
            Some(prefix) => name.starts_with(prefix),
            None => wanted == name,
        })
    };
    attributes.iter().filter(|(name, _)| matches(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(kind: &str, value: &str) -> AttributeValue {
        AttributeValue { data_type: kind.into(), string_value: Some(value.into()), binary_value: None }
    }

    #[test]
    fn digests_are_those_of_the_service() {
        assert_eq!(md5_of_body("This is a test message"), "fafb00f5732ab283681e124bf8747ed1");
        // The example that client libraries test themselves with.
        let attributes = MessageAttributes::from([("timestamp".to_owned(), text("Number", "1493147359900"))]);
        assert_eq!(md5_of_attributes(&attributes).as_deref(), Some("235c5c510d26fb653d073faed50ae77c"));
        assert_eq!(md5_of_attributes(&MessageAttributes::new()), None);
    }

    #[test]
    fn attributes_are_checked() {
        let check = |name: &str, value| check_attributes(&MessageAttributes::from([(name.to_owned(), value)]));
        assert!(check("a.b-c_1\u{e4}", text("String.label", "x")).is_ok());
        for name in ["", ".a", "a.", "a..b", "AWS.x", "amazon.x", "a b", "\u{a7}", &"n".repeat(257)] {
            assert!(check(name, text("String", "x")).is_err(), "{name}");
        }
        assert!(check("a", text("Colour", "x")).is_err());
        assert!(check("a", text("Number", "x")).is_err());
        assert!(check("a", text("String", "")).is_err());
        assert!(check("a", text("Binary", "x")).is_err());
    }

    #[test]
    fn bodies_hold_what_xml_can() {
        assert!(check_body("a\t\r\n\u{1f600}").is_ok());
        for body in ["", "\0", "\u{b}", "\u{ffff}"] {
            assert!(check_body(body).is_err(), "{body:?}");
        }
    }

    #[test]
    fn receivers_select_attributes() {
        let attributes: MessageAttributes =
            ["a.x", "a.y", "b"].map(|name| (name.to_owned(), text("String", "v"))).into();
        let names = |wanted: &str| selected(&attributes, &[wanted.to_owned()]).into_keys().collect::<Vec<_>>();
        assert_eq!(names("All").len(), 3);
        assert_eq!((names("*").len(), names(".*").len()), (3, 3));
        assert_eq!(names("a.*"), ["a.x", "a.y"]);
        assert_eq!(names("b"), ["b"]);
        assert!(names("c").is_empty());
    }
}
