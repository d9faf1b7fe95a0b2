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
    pub(crate) colours: Colours,
}

/// Tells whether brightness and colour have one of the relations that the library has planes of.
fn are_usual(components: &[(usize, usize)]) -> bool {
    let &[luma, cb, cr] = components else { return false };
    let known = match cb {
        (1, 1) => matches!(luma, (1 | 2 | 4, 1) | (1 | 2, 2) | (1, 4)),
        (1, 2) | (2, 1) => luma == (2, 2) || luma == cb,
        (1, 3) | (3, 1) => luma == cb,
        _ => false,
    };
    known && cb == cr
}

/// What the components of a JPEG are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colours {
    /// Brightness, and perhaps colour at one of the usual fractions of its size.
    Planes,
    /// Four inks.
    Inks,
    /// Red, green and blue, or something unusual.
    Others,
}

impl Frame {
    /// Reads the head; none where it is broken.
    pub(crate) fn of(content: &[u8]) -> Option<Self> {
        let (mut frame, mut names, mut adobe, mut jfif, mut strange) = (None, Vec::new(), None, false, false);
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
                0xE0 if segment.starts_with(b"JFIF\0") => {
                    jfif = true;
                    strange |= segment.get(5) != Some(&1);
                }
                0xEE if segment.starts_with(b"Adobe") => adobe = segment.get(11).copied(),
                0xDA => {
                    let (components, progressive): (Vec<_>, bool) = frame?;
                    let scans = progressive || usize::from(*segment.first()?) < components.len();
                    let ycc = jfif || adobe.map_or(names != *b"RGB", |transform| transform != 0);
                    let colours = match components.len() {
                        _ if strange => Colours::Others,
                        1 => Colours::Planes,
                        3 if ycc && are_usual(&components) => Colours::Planes,
                        4 => Colours::Inks,
                        _ => Colours::Others,
                    };
                    return Some(Self { components, scans, colours });
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
        for (name, samples, scans, colours) in [
            ("baseline.jpg", 150, false, Colours::Planes),
            ("progressive.jpg", 150, true, Colours::Planes),
            ("half-colour.jpg", 200, false, Colours::Planes),
            ("full-colour.jpg", 300, false, Colours::Planes),
            ("grey.jpg", 100, false, Colours::Planes),
            ("cmyk.jpg", 400, false, Colours::Inks),
        ] {
            let frame = Frame::of(&seed(name)).unwrap();
            assert_eq!((frame.samples(100), frame.scans, frame.colours), (samples, scans, colours), "{name}");
        }
    }

    #[test]
    fn only_what_its_library_has_planes_of_is_said_to_have_some() {
        let mut photo = seed("baseline.jpg");
        let frame = photo.windows(2).position(|marker| marker == [0xFF, 0xC0]).unwrap();
        let sides = [0x11, 0x12, 0x13, 0x14, 0x21, 0x22, 0x31, 0x41];
        let mut decoder = turbojpeg::Decompressor::new().unwrap();
        for (luma, cb, cr) in sides.iter().flat_map(|a| sides.iter().flat_map(move |b| sides.map(|c| (*a, *b, c)))) {
            for (at, sampling) in [luma, cb, cr].into_iter().enumerate() {
                photo[frame + 11 + at * 3] = sampling;
            }
            let known = decoder.read_header(&photo).is_ok_and(|header| header.subsamp != turbojpeg::Subsamp::Unknown);
            let said = Frame::of(&photo).unwrap().colours == Colours::Planes;
            assert!(known || !said, "{luma:x} {cb:x} {cr:x}: said {said}, known {known}");
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
