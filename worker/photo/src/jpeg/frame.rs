//! What the head of a JPEG says of how it is stored, as far as it decides how much memory decoding takes. Read here, and not by a
//! library in C, because it is read where a crash would take other photos along.

use super::whole::next_marker;

/// How a JPEG is stored.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// For each component, how many of its samples stand for a group of pixels, across and down.
    components: Vec<(usize, usize)>,
    /// It comes in several scans, so that a decoder holds all coefficients.
    pub(crate) scans: bool,
    /// Its components are brightness and colour.
    pub(crate) planes: bool,
}

impl Frame {
    /// Reads the head; none where it is broken.
    pub(crate) fn of(content: &[u8]) -> Option<Self> {
        let (mut frame, mut names, mut adobe, mut jfif) = (None, Vec::new(), None, false);
        let mut at = 2;
        while let Some(marker) = next_marker(content, &mut at) {
            if matches!(marker, 0xD0..=0xD9 | 0x01) {
                continue;
            }
            let length = usize::from(u16::from_be_bytes([*content.get(at)?, *content.get(at + 1)?])).max(2);
            let segment = content.get(at + 2..at + length)?;
            at += length;
            match marker {
                0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                    let components = segment.get(6..)?.chunks_exact(3);
                    names = components.clone().map(|component| component[0]).collect();
                    let samples =
                        components.map(|one| (usize::from(one[1] >> 4).max(1), usize::from(one[1] & 15).max(1)));
                    frame = Some((samples.collect(), matches!(marker, 0xC2 | 0xC6 | 0xCA | 0xCE)));
                }
                0xE0 => jfif |= segment.starts_with(b"JFIF\0"),
                0xEE if segment.starts_with(b"Adobe") => adobe = segment.get(11).copied(),
                0xDA => {
                    let (components, progressive): (Vec<_>, bool) = frame?;
                    let scans = progressive || usize::from(*segment.first()?) < components.len();
                    let planes = match components.len() {
                        1 => true,
                        3 => jfif || adobe.map_or(names != *b"RGB", |transform| transform != 0),
                        _ => false,
                    };
                    return Some(Self { components, scans, planes });
                }
                _ => {}
            }
        }
        None
    }

    /// Samples of all components in so many pixels.
    pub(crate) fn samples(&self, pixels: u64) -> u64 {
        let most = |side: fn(&(usize, usize)) -> usize| self.components.iter().map(side).max().unwrap_or(1);
        let group = most(|one| one.0) * most(|one| one.1);
        let samples: usize = self.components.iter().map(|one| one.0 * one.1).sum();
        (pixels * samples as u64).div_ceil(group as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/fuzz/seeds/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    #[test]
    fn how_a_photo_is_stored_is_told_by_its_head() {
        for (name, samples, scans, planes) in [
            ("baseline.jpg", 150, false, true),
            ("progressive.jpg", 150, true, true),
            ("half-colour.jpg", 200, false, true),
            ("full-colour.jpg", 300, false, true),
            ("grey.jpg", 100, false, true),
            ("cmyk.jpg", 400, false, false),
        ] {
            let frame = Frame::of(&seed(name)).unwrap();
            assert_eq!((frame.samples(100), frame.scans, frame.planes), (samples, scans, planes), "{name}");
        }
    }

    #[test]
    fn a_head_that_is_cut_short_says_nothing() {
        let photo = seed("baseline.jpg");
        let scan = photo.windows(2).position(|marker| marker == [0xFF, 0xDA]).unwrap();
        for length in 0..scan + 2 {
            assert_eq!(Frame::of(&photo[..length]), None, "{length}");
        }
    }
}
