//! Answers of the query protocol: the JSON shape written as XML.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::{Fault, XmlStyle};

/// Lists of SQS and the element that each of their items becomes.
const LISTS: &[(&str, &str)] = &[
    ("QueueUrls", "QueueUrl"),
    ("queueUrls", "QueueUrl"),
    ("Messages", "Message"),
    ("Failed", "BatchResultErrorEntry"),
    ("Results", "ListMessageMoveTasksResultEntry"),
];

/// Maps of SQS: the element of an entry, and the elements of its key and its value.
const MAPS: &[(&str, [&str; 3])] = &[
    ("Attributes", ["Attribute", "Name", "Value"]),
    ("MessageAttributes", ["MessageAttribute", "Name", "Value"]),
    ("Tags", ["Tag", "Key", "Value"]),
];

/// A successful answer. An operation without output has no result element.
pub(super) fn response(action: &str, namespace: &str, style: XmlStyle, output: &Value, request_id: &str) -> String {
    let mut xml = Writer { text: String::from("<?xml version=\"1.0\"?>\n"), style, action };
    xml.open(&format!("{action}Response xmlns=\"{namespace}\""));
    if let Value::Object(fields) = output {
        let result = format!("{action}Result");
        if fields.is_empty() {
            xml.open(&format!("{result}/"));
        } else {
            xml.element(&result, |xml| xml.fields(fields));
        }
    }
    xml.element("ResponseMetadata", |xml| xml.text_element("RequestId", request_id));
    xml.close(&format!("{action}Response"));
    xml.text
}

pub(super) fn error(namespace: &str, style: XmlStyle, fault: &Fault, request_id: &str) -> String {
    let mut xml = Writer { text: String::from("<?xml version=\"1.0\"?>\n"), style, action: "" };
    xml.open(&format!("ErrorResponse xmlns=\"{namespace}\""));
    xml.element("Error", |xml| {
        xml.text_element("Type", if fault.is_senders() { "Sender" } else { "Receiver" });
        xml.text_element("Code", fault.code);
        xml.text_element("Message", fault.query_message.unwrap_or(&fault.message));
        if style == XmlStyle::Flattened {
            // SQS has it, always empty.
            xml.text.push_str("<Detail/>");
        }
    });
    xml.text_element("RequestId", request_id);
    xml.close("ErrorResponse");
    xml.text
}

struct Writer<'a> {
    text: String,
    style: XmlStyle,
    action: &'a str,
}

impl Writer<'_> {
    fn fields(&mut self, fields: &Map<String, Value>) {
        for (name, value) in fields {
            self.field(name, value);
        }
    }

    fn field(&mut self, name: &str, value: &Value) {
        match (self.style, value) {
            (_, Value::Null) => {}
            (XmlStyle::Flattened, Value::Array(items)) => {
                let element = self.item_element(name);
                for item in items {
                    self.value(&element, item);
                }
            }
            (XmlStyle::Wrapped, Value::Array(items)) => self.element(name, |xml| {
                for item in items {
                    xml.value("member", item);
                }
            }),
            (XmlStyle::Flattened, Value::Object(map)) => match MAPS.iter().find(|(field, _)| *field == name) {
                Some((_, names)) => self.entries(map, *names),
                None => self.value(name, value),
            },
            (XmlStyle::Wrapped, Value::Object(map)) if name == "Attributes" => {
                self.element(name, |xml| xml.entries(map, ["entry", "key", "value"]));
            }
            _ => self.value(name, value),
        }
    }

    /// The element of a flattened list's items; the one of batch results is named after the operation.
    fn item_element(&self, name: &str) -> String {
        let listed = LISTS.iter().find(|(field, _)| *field == name).map(|(_, element)| (*element).to_owned());
        listed.unwrap_or_else(|| {
            if name == "Successful" { format!("{}ResultEntry", self.action) } else { name.to_owned() }
        })
    }

    fn entries(&mut self, map: &Map<String, Value>, [entry, key, value]: [&str; 3]) {
        for (name, item) in map {
            self.element(entry, |xml| {
                xml.text_element(key, name);
                xml.value(value, item);
            });
        }
    }

    fn value(&mut self, name: &str, value: &Value) {
        match value {
            Value::String(text) => self.text_element(name, text),
            Value::Object(fields) => self.element(name, |xml| xml.fields(fields)),
            other => self.text_element(name, &other.to_string()),
        }
    }

    fn text_element(&mut self, name: &str, text: &str) {
        self.element(name, |xml| escape(&mut xml.text, text));
    }

    fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.open(name);
        content(self);
        self.close(name);
    }

    fn open(&mut self, name_and_attributes: &str) {
        self.text.extend(["<", name_and_attributes, ">"]);
    }

    fn close(&mut self, name: &str) {
        self.text.extend(["</", name, ">"]);
    }
}

/// Characters that XML cannot hold at all are written as references all the same: the parsers of old SDKs take those.
fn escape(xml: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            // A parser turns a bare carriage return into a line feed.
            '\r' => xml.push_str("&#xD;"),
            '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' => {
                // Writing to a string does not fail.
                let _ = write!(xml, "&#x{:X};", u32::from(character));
            }
            other => xml.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn flattened_and_wrapped() {
        let output = json!({"Messages": [{"Body": "a<b\r", "Attributes": {"SenderId": "x"}}]});
        let xml = response("ReceiveMessage", "ns", XmlStyle::Flattened, &output, "id");
        assert!(xml.contains("<Attribute><Name>SenderId</Name><Value>x</Value></Attribute>"), "{xml}");
        assert!(xml.contains("<Body>a&lt;b&#xD;</Body>"), "{xml}");

        let output = json!({"Topics": [{"TopicArn": "arn"}], "Attributes": {"k": "v"}});
        let xml = response("ListTopics", "ns", XmlStyle::Wrapped, &output, "id");
        assert!(xml.contains("<Topics><member><TopicArn>arn</TopicArn></member></Topics>"), "{xml}");
        assert!(xml.contains("<Attributes><entry><key>k</key><value>v</value></entry></Attributes>"), "{xml}");
    }

    #[test]
    fn nothing_is_an_empty_element() {
        let xml = response("ReceiveMessage", "ns", XmlStyle::Flattened, &json!({}), "id");
        assert!(xml.contains("<ReceiveMessageResult/><ResponseMetadata>"), "{xml}");
        let xml = response("DeleteMessage", "ns", XmlStyle::Flattened, &Value::Null, "id");
        assert!(!xml.contains("Result"), "{xml}");
    }

    #[test]
    fn batch_results_are_named_after_the_operation() {
        let output = json!({"Successful": [{"Id": "a"}], "Failed": [{"Id": "b", "SenderFault": true}]});
        let xml = response("DeleteMessageBatch", "ns", XmlStyle::Flattened, &output, "id");
        assert!(xml.contains("<DeleteMessageBatchResultEntry><Id>a</Id></DeleteMessageBatchResultEntry>"), "{xml}");
        assert!(xml.contains("<SenderFault>true</SenderFault>"), "{xml}");
    }
}
