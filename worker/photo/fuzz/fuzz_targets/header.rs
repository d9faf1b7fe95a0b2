//! What the first part of a file says, the whole says too.

#![no_main]

use decouple_photo::{inspect, inspect_from, inspect_start};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| {
    let whole = inspect(content);
    assert_eq!(inspect_from(std::io::Cursor::new(content)), whole);
    if let (Ok(Some(header)), Ok(whole)) = (inspect_start(&content[..content.len() / 2]), whole) {
        assert_eq!(header.kind, whole.kind);
        assert_eq!((header.width, header.height), (whole.width, whole.height));
    }
});
