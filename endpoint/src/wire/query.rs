//! The query protocol's form, brought to the shape of JSON 1.0.
//!
//! `MessageAttribute.1.Name=a&MessageAttribute.1.Value.DataType=String` becomes `{"MessageAttributes": {"a": {"DataType":
//! "String"}}}`. Which names are lists and which are maps follows from the form itself, but for the flattened ones of SQS, whose
//! singular names are in a table.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Fault;

/// Deeper than any parameter of SQS or SNS.
const MAX_DEPTH: usize = 10;

/// The flattened lists and maps of SQS: name in the form, name in JSON, and whether it is a map. Some clients number the plural.
const FLATTENED: &[(&str, &str, bool)] = &[
    ("AWSAccountId", "AWSAccountIds", false),
    ("ActionName", "Actions", false),
    ("Attribute", "Attributes", true),
    ("AttributeName", "AttributeNames", false),
    ("Attributes", "Attributes", true),
    ("ChangeMessageVisibilityBatchRequestEntry", "Entries", false),
    ("DeleteMessageBatchRequestEntry", "Entries", false),
    ("MessageAttribute", "MessageAttributes", true),
    ("MessageAttributeName", "MessageAttributeNames", false),
    ("MessageAttributes", "MessageAttributes", true),
    ("MessageSystemAttribute", "MessageSystemAttributes", true),
    ("MessageSystemAttributeName", "MessageSystemAttributeNames", false),
    ("SendMessageBatchRequestEntry", "Entries", false),
    ("Tag", "Tags", true),
    ("TagKey", "TagKeys", false),
    ("Tags", "Tags", true),
];

/// Lists, by the names that they have in a form when they are empty: SDKs then send an empty text.
const LISTS: [&str; 11] = [
    "AWSAccountId",
    "AWSAccountIds",
    "ActionName",
    "Actions",
    "AttributeNames",
    "Entries",
    "MessageAttributeNames",
    "MessageSystemAttributeNames",
    "PublishBatchRequestEntries",
    "TagKeys",
    "Tags",
];

enum Node {
    Leaf(String),
    Branch(BTreeMap<String, Node>),
}

/// Decodes a form to the fields of a JSON object.
pub(super) fn parse(encoded: &[u8]) -> Result<Map<String, Value>, Fault> {
    let mut root = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(encoded) {
        if name.split('.').count() > MAX_DEPTH {
            return Err(Fault::malformed_query(&format!("the parameter {name} is nested too deeply")));
        }
        insert(&mut root, &name, value.into_owned()).map_err(|()| {
            Fault::malformed_query(&format!("the parameter {name} is given as a value and as a structure"))
        })?;
    }
    Ok(fields(root))
}

fn insert(tree: &mut BTreeMap<String, Node>, path: &str, value: String) -> Result<(), ()> {
    match path.split_once('.') {
        None if matches!(tree.get(path), Some(Node::Branch(_))) => Err(()),
        None => {
            tree.insert(path.to_owned(), Node::Leaf(value));
            Ok(())
        }
        Some((first, rest)) => match tree.entry(first.to_owned()).or_insert_with(|| Node::Branch(BTreeMap::new())) {
            Node::Leaf(_) => Err(()),
            Node::Branch(children) => insert(children, rest, value),
        },
    }
}

fn fields(tree: BTreeMap<String, Node>) -> Map<String, Value> {
    let named = tree.into_iter().map(|(name, node)| match node {
        Node::Leaf(text) if text.is_empty() && LISTS.contains(&name.as_str()) => (name, Value::Array(Vec::new())),
        Node::Leaf(text) => (name, Value::String(text)),
        Node::Branch(children) => branch(name, children),
    });
    named.collect()
}

fn branch(name: String, mut children: BTreeMap<String, Node>) -> (String, Value) {
    if children.len() == 1 {
        if let Some(Node::Branch(items)) = children.remove("member") {
            return (name, list(items));
        }
        if let Some(Node::Branch(items)) = children.remove("entry") {
            return (name, map(items));
        }
    }
    if !children.keys().all(|key| key.parse::<u32>().is_ok()) {
        return (name, Value::Object(fields(children)));
    }
    match FLATTENED.iter().find(|(form, ..)| *form == name) {
        Some((_, json, true)) => ((*json).to_owned(), map(children)),
        Some((_, json, false)) => ((*json).to_owned(), list(children)),
        None => (name, list(children)),
    }
}

/// Items in the order of their numbers, which need not be without gaps.
fn items(children: BTreeMap<String, Node>) -> impl Iterator<Item = Value> {
    let mut numbered: Vec<_> =
        children.into_iter().map(|(key, node)| (key.parse::<u32>().unwrap_or(u32::MAX), node)).collect();
    numbered.sort_by_key(|(number, _)| *number);
    numbered.into_iter().map(|(_, node)| match node {
        Node::Leaf(text) => Value::String(text),
        Node::Branch(children) => Value::Object(fields(children)),
    })
}

fn list(children: BTreeMap<String, Node>) -> Value {
    items(children).collect()
}

fn map(children: BTreeMap<String, Node>) -> Value {
    let pairs = items(children).filter_map(|item| {
        let Value::Object(mut item) = item else { return None };
        let mut take = |names: [&str; 3]| names.into_iter().find_map(|name| item.remove(name));
        let Value::String(key) = take(["Name", "key", "Key"])? else { return None };
        Some((key, take(["Value", "value", ""]).unwrap_or_else(|| Value::String(String::new()))))
    });
    Value::Object(pairs.collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(form: &str) -> Value {
        Value::Object(parse(form.as_bytes()).unwrap())
    }

    #[test]
    fn flattened_lists_and_maps_of_sqs() {
        let form = "Action=SendMessageBatch&SendMessageBatchRequestEntry.2.Id=b&SendMessageBatchRequestEntry.10.Id=c\
            &SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.MessageAttribute.1.Name=n\
            &SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType=String\
            &SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.StringValue=a%20b";
        let attributes = json!({"n": {"DataType": "String", "StringValue": "a b"}});
        let entries = json!([{"Id": "a", "MessageAttributes": attributes}, {"Id": "b"}, {"Id": "c"}]);
        assert_eq!(parsed(form), json!({"Action": "SendMessageBatch", "Entries": entries}));
        assert_eq!(
            parsed("Attribute.1.Name=DelaySeconds&Attribute.1.Value=5"),
            json!({"Attributes": {"DelaySeconds": "5"}})
        );
        assert_eq!(parsed("AttributeName.1=All"), json!({"AttributeNames": ["All"]}));
        for name in ["Tag", "Tags"] {
            assert_eq!(parsed(&format!("{name}.1.Key=k&{name}.1.Value=v")), json!({"Tags": {"k": "v"}}));
        }
        assert_eq!(parsed("TagKeys.1=k"), json!({"TagKeys": ["k"]}));
    }

    #[test]
    fn wrapped_lists_and_maps_of_sns() {
        let form = "Attributes.entry.1.key=RawMessageDelivery&Attributes.entry.1.value=true&Tags.member.1.Key=k&Tags.member.1.Value=v";
        let expected = json!({"Attributes": {"RawMessageDelivery": "true"}, "Tags": [{"Key": "k", "Value": "v"}]});
        assert_eq!(parsed(form), expected);
    }

    #[test]
    fn an_empty_text_is_an_empty_list_where_a_list_is_meant() {
        assert_eq!(parsed("Tags=&Message="), json!({"Tags": [], "Message": ""}));
        assert_eq!(parsed("PublishBatchRequestEntries="), json!({"PublishBatchRequestEntries": []}));
    }

    #[test]
    fn contradictions_and_depth_are_refused() {
        assert!(parse(b"A=1&A.1=2").is_err());
        assert!(parse(b"A.1=2&A=1").is_err());
        assert!(parse("A.".repeat(5000).as_bytes()).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_form_is_too_strange(form in "[ -~]{0,60}", name in "[A-Za-z0-9.]{0,40}", value in ".{0,10}") {
            // What comes out matters less than that something does.
            drop(parse(form.as_bytes()));
            drop(parse(format!("{name}={value}&{name}.1={value}&{name}.member.1.Name={value}").as_bytes()));
        }
    }
}
