//! A message as it is published: what it may be, and what each protocol gets of it.

use serde::Deserialize;
use serde_json::Value;

use crate::sqs::{self, AttributeValue, MessageAttributes, fifo};

use super::{error::SnsError, topics::Topic};

/// The largest message, its attributes included; also all of a batch together.
pub(super) const MAX_MESSAGE: usize = 262_144;
const MAX_SUBJECT: usize = 100;
const MAX_NAME: usize = 256;

/// A message alone or in a batch.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Published {
    pub(super) message: String,
    pub(super) subject: Option<String>,
    pub(super) message_structure: Option<String>,
    pub(super) message_attributes: MessageAttributes,
    pub(super) message_group_id: Option<String>,
    pub(super) message_deduplication_id: Option<String>,
}

impl Published {
    pub(super) fn size(&self) -> usize {
        sqs::size(&self.message, &self.message_attributes)
    }

    /// Checks what can be checked without the topic; `place` is where the message is in the request, with a dot, in a batch.
    pub(super) fn check(&self, place: &str) -> Result<(), SnsError> {
        if self.message.is_empty() {
            return Err(SnsError::refused("Empty message"));
        }
        check_attributes(&self.message_attributes, place)?;
        if self.size() > MAX_MESSAGE {
            return Err(SnsError::refused("Message too long"));
        }
        sqs::check_body(&self.message)?;
        if self.subject.as_deref().is_some_and(|subject| !is_subject(subject)) {
            return Err(SnsError::refused("Subject"));
        }
        self.body_for("default").map(drop)
    }

    /// Checks what depends on whether the topic keeps an order.
    pub(super) fn check_order(&self, topic: &Topic) -> Result<(), SnsError> {
        for (name, id) in
            [("MessageGroupId", &self.message_group_id), ("MessageDeduplicationId", &self.message_deduplication_id)]
        {
            if id.as_deref().is_some_and(|id| !fifo::is_id(id)) {
                let reason = format!("The value must be 1 to 128 alphanumeric and punctuation characters: {name}");
                return Err(SnsError::invalid(name, reason));
            }
        }
        if !topic.is_fifo() {
            return match self.message_deduplication_id {
                Some(_) => Err(SnsError::invalid(
                    "MessageDeduplicationId",
                    "The request includes MessageDeduplicationId parameter that is not valid for this topic type",
                )),
                None => Ok(()),
            };
        }
        if self.message_group_id.is_none() {
            return Err(SnsError::refused("The MessageGroupId parameter is required for FIFO topics"));
        }
        if self.message_deduplication_id.is_none() && !topic.deduplicates_by_content() {
            return Err(SnsError::refused(
                "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
            ));
        }
        Ok(())
    }

    /// The message for a protocol, which a structured message may give apart from the others.
    pub(super) fn body_for(&self, protocol: &str) -> Result<String, SnsError> {
        match self.message_structure.as_deref() {
            None | Some("") => Ok(self.message.clone()),
            Some("json") => {
                let messages: Value = serde_json::from_str(&self.message)
                    .map_err(|_| SnsError::refused("Message Structure - JSON message body failed to parse"))?;
                let default = messages["default"].as_str();
                let default = default
                    .ok_or_else(|| SnsError::refused("Message Structure - No default entry in JSON message body"))?;
                Ok(messages[protocol].as_str().unwrap_or(default).to_owned())
            }
            Some(other) => {
                Err(SnsError::invalid("MessageStructure", format!("it is json or missing, and not {other}")))
            }
        }
    }
}

fn is_subject(subject: &str) -> bool {
    !subject.is_empty()
        && subject.chars().count() <= MAX_SUBJECT
        && !subject.starts_with(' ')
        && !subject.chars().any(char::is_control)
}

/// Checks attributes. There may be more of them than a queue takes.
fn check_attributes(attributes: &MessageAttributes, place: &str) -> Result<(), SnsError> {
    for (name, value) in attributes {
        if value.data_type.is_empty() {
            return Err(SnsError::Missing(format!("{place}messageAttributes.{name}.member.dataType")));
        }
        check_name(name).map_err(SnsError::InvalidValue)?;
        check_value(name, value).map_err(SnsError::InvalidValue)?;
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), String> {
    if !(1..=MAX_NAME).contains(&name.len()) {
        return Err("Length of message attribute name must be less than 256 bytes.".into());
    }
    if name.starts_with('.') {
        return Err("Invalid message attribute name starting with character '.' was found.".into());
    }
    if name.ends_with('.') {
        return Err("Invalid message attribute name ending with character '.' was found.".into());
    }
    if let Some(other) = name.chars().find(|c| !c.is_ascii_alphanumeric() && !"_-.".contains(*c)) {
        return Err(format!(
            "Invalid non-alphanumeric character '#x{:X}' was found in the message attribute name. Can only include \
             alphanumeric characters, hyphens, underscores, or dots.",
            u32::from(other)
        ));
    }
    if name.contains("..") {
        return Err("Message attribute name can not have successive '.' character.".into());
    }
    Ok(())
}

fn check_value(name: &str, attribute: &AttributeValue) -> Result<(), String> {
    let kind = attribute.data_type.as_str();
    if !["String", "Number", "Binary"].contains(&attribute.basic_type()) || kind.ends_with('.') {
        return Err(format!(
            "The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes is \
             Binary, Number, and String."
        ));
    }
    let (field, value, other) = match attribute.basic_type() {
        "Binary" => ("Binary", &attribute.binary_value, &attribute.string_value),
        _ => ("String", &attribute.string_value, &attribute.binary_value),
    };
    if value.is_none() && other.is_some() {
        return Err(format!("The message attribute '{name}' with type '{kind}' must use field '{field}'."));
    }
    if value.as_deref().is_none_or(str::is_empty) {
        return Err(format!(
            "The message attribute '{name}' must contain non-empty message attribute value for message attribute type '{kind}'."
        ));
    }
    if attribute.basic_type() == "Number" && !attribute.is_number() {
        return Err(format!("Could not cast message attribute '{name}' value to number."));
    }
    Ok(())
}
