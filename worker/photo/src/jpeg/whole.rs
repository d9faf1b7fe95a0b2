//! What the markers of a JPEG say of the whole file, without decoding anything.
//!
//! Decoders show what is there of a photo that was cut off and paint the rest grey, without a word. And each scan of a
//! progressive photo goes over all pixels again, so a small file of thousands of scans keeps a machine busy for minutes.

/// What the markers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// The end marker follows the last scan.
    pub(crate) whole: bool,
    /// How often a decoder goes over the pixels.
    pub(crate) scans: usize,
}

/// Walks from marker to marker, so that the end of a thumbnail in the metadata is not taken for the end of the photo.
pub(crate) fn shape(content: &[u8]) -> Shape {
    let mut at = 2;
    let mut scans = 0;
    while let Some(marker) = next_marker(content, &mut at) {
        match marker {
            0xD9 => return Shape { whole: true, scans },
            // Markers without content: restarts, and a start that is repeated.
            0xD0..=0xD8 | 0x01 => {}
            _ => {
                scans += usize::from(marker == 0xDA);
                let Some(length) = content.get(at..at + 2) else { break };
                at += usize::from(u16::from_be_bytes([length[0], length[1]])).max(2);
            }
        }
    }
    Shape { whole: false, scans }
}

/// Returns what stands before the pixels: all that headers and metadata are read from. It is all of what has no pixels.
pub(crate) fn head(content: &[u8]) -> &[u8] {
    let mut at = 2;
    while let Some(marker) = next_marker(content, &mut at) {
        if matches!(marker, 0xD0..=0xD9 | 0x01) {
            continue;
        }
        let Some(length) = content.get(at..at + 2) else { break };
        at += usize::from(u16::from_be_bytes([length[0], length[1]])).max(2);
        if marker == 0xDA {
            return content.get(..at).unwrap_or(content);
        }
    }
    content
}

/// Finds the next marker from `at` on, and moves behind it. In compressed data, `FF` is followed by `00`.
pub(super) fn next_marker(content: &[u8], at: &mut usize) -> Option<u8> {
    loop {
        let found = memchr::memchr(0xFF, content.get(*at..)?)?;
        *at += found + 1;
        // Any number of `FF` may stand before a marker.
        while content.get(*at) == Some(&0xFF) {
            *at += 1;
        }
        let marker = *content.get(*at)?;
        *at += 1;
        if marker != 0 {
            return Some(marker);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_photo_without_its_end_is_not_whole_wherever_it_was_cut() {
        let photo = include_bytes!("../../../../tests/photos/rocket.jpg");
        assert_eq!(shape(photo), Shape { whole: true, scans: 1 });
        for length in (0..photo.len() - 2).step_by(997) {
            assert!(!shape(&photo[..length]).whole, "cut at {length}");
        }
    }

    #[test]
    fn the_end_of_a_thumbnail_is_not_the_end_of_the_photo() {
        let thumbnail = [0xFF, 0xD8, 0xFF, 0xE1, 0, 6, 0xFF, 0xD9, 0, 0, 0xFF, 0xDA, 0, 2, 1, 2, 3];
        assert!(!shape(&thumbnail).whole);
        assert!(shape(&[&thumbnail[..], &[0xFF, 0xD9]].concat()).whole);
    }

    #[test]
    fn the_head_ends_where_pixels_begin() {
        let photo = include_bytes!("../../../../tests/photos/rocket.jpg");
        let head = head(photo);
        assert!(head.len() > 300 && head.len() < photo.len() / 10, "{}", head.len());
        assert_eq!(shape(&[head, &[0xFF, 0xD9]].concat()), Shape { whole: true, scans: 1 });
        assert_eq!(super::head(&photo[..200]), &photo[..200]);
    }

    #[test]
    fn nothing_that_is_cut_short_goes_beyond_the_end() {
        for content in [&[][..], &[0xFF], &[0xFF, 0xD8], &[0xFF, 0xD8, 0xFF], &[0xFF, 0xD8, 0xFF, 0xE0, 0xFF]] {
            assert!(!shape(content).whole);
        }
    }
}
