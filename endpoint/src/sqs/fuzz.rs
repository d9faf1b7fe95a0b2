//! Attributes and receipt handles for the fuzzer.

use serde::Deserialize;

use super::{
    attributes::{AttributeMap, QueueAttributes},
    message::{MessageAttributes, check_attributes, md5_of_attributes, selected, size},
    receipt::Receipt,
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Input {
    attributes: AttributeMap,
    message_attributes: MessageAttributes,
    message_attribute_names: Vec<String>,
}

/// Attributes of a queue and of a message, in JSON.
pub fn attributes(json: &[u8]) {
    let Ok(input) = serde_json::from_slice::<Input>(json) else { return };
    for fifo in [false, true] {
        let mut attributes = QueueAttributes::default();
        if attributes.set(&input.attributes, fifo).is_ok() {
            // What was set is what there is, and setting that again changes nothing.
            assert!(attributes.first_difference(&input.attributes, fifo).is_ok_and(|difference| difference.is_none()));
            let settable = attributes.all().keys().all(|name| super::attributes::is_known(name));
            assert!(settable && attributes.maximum_size() >= 1024);
        }
    }
    if check_attributes(&input.message_attributes).is_ok() {
        let some = selected(&input.message_attributes, &input.message_attribute_names);
        assert!(size("", &some) <= size("", &input.message_attributes));
        assert_eq!(md5_of_attributes(&some).is_none(), some.is_empty());
    }
}

/// A receipt handle, which is one way to write its fields.
pub fn receipt(handle: &[u8]) {
    let Ok(handle) = std::str::from_utf8(handle) else { return };
    for queue in [0, 1, i64::MAX] {
        if let Ok(receipt) = Receipt::decode(handle, queue) {
            assert_eq!(receipt.encode(), handle);
        }
    }
}
