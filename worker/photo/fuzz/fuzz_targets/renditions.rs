//! From any bytes to renditions and to what the model looks at: an error or files that decode, and nothing else.

#![no_main]

use decouple_contract::{Animation, Format, Renditions};
use decouple_photo::{Wanted, inspect, make};
use libfuzzer_sys::fuzz_target;

/// Larger photos are slow to fuzz, and go the same way.
const MOST_PIXELS: u64 = 4_000_000;
/// As AVIF fewer are enough, which take as long to write.
const MOST_AVIF: u64 = 100_000;
/// Of what is larger one frame is enough: hundreds go into a few thousand bytes.
const MOST_MOVING: u64 = 16_000;

fuzz_target!(|content: &[u8]| {
    let Ok(header) = inspect(content) else { return };
    let pixels = u64::from(header.width) * u64::from(header.height);
    if pixels > MOST_PIXELS {
        return;
    }
    // The first byte is always part of a signature, so the length decides.
    let format = match content.len() % 16 {
        7 | 15 => Format::Webp,
        3 if pixels <= MOST_AVIF => Format::Avif,
        _ => Format::Jpeg,
    };
    let keep = pixels <= MOST_MOVING && content.len() % 4 != 0;
    let animation = if keep { Animation::Keep } else { Animation::FirstFrame };
    let settings = Renditions { widths: vec![300, 64], quality: 60, format, animation, ..Renditions::default() };
    let Ok(made) = make(content, Wanted { renditions: Some(&settings), look: true }) else { return };
    assert!(made.look.is_some() && !made.renditions.is_empty());
    for rendition in made.renditions {
        assert!(rendition.width <= header.width.max(1) && rendition.width <= 300);
        let read = inspect(&rendition.data).expect("a rendition is an image");
        assert_eq!((read.width, read.height), (rendition.width, rendition.height));
    }
});
