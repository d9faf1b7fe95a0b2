//! What a stream says of its frames, in the header of its sequence (AV1, 5.5): of what samples they are, and what these stand for.

use super::items::Colours;

/// The kind of unit that is such a header.
const HEADER: u8 = 1;
/// Says nothing.
const UNSAID: u16 = 2;

/// Of what samples frames are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sequence {
    /// More than 8 bits.
    pub(super) deep: bool,
    /// How many pixels a sample of colour covers, across and down; none where there is no colour.
    pub(super) coarse: Option<(usize, usize)>,
    pub(super) colours: Colours,
    /// Whether grain is laid over frames once they are decoded.
    pub(super) grain: bool,
}

impl Sequence {
    /// Reads the first header of a stream; none where there is none that can be read.
    pub(super) fn of(stream: &[u8]) -> Option<Self> {
        let mut rest = stream;
        loop {
            let (head, behind) = rest.split_first()?;
            let (kind, extended, sized) = (head >> 3 & 15, head & 4 != 0, head & 2 != 0);
            let behind = behind.get(usize::from(extended)..)?;
            let (length, content) = if sized { length(behind)? } else { (behind.len(), behind) };
            let unit = content.get(..length)?;
            if kind == HEADER {
                return Bits { bytes: unit, at: 0 }.sequence();
            }
            rest = &content[length..];
        }
    }
}

/// A length in groups of seven bits, the lowest first, and what is behind it.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut length = 0;
    for (index, byte) in bytes.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((length, &bytes[index + 1..]));
        }
    }
    None
}

/// Bits, the highest of each byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn flag(&mut self) -> Option<bool> {
        self.number(1).map(|bit| bit == 1)
    }

    fn number(&mut self, bits: usize) -> Option<u32> {
        let mut number = 0;
        for _ in 0..bits {
            let byte = self.bytes.get(self.at / 8)?;
            number = number << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(number)
    }

    fn code(&mut self) -> Option<u16> {
        self.number(8).and_then(|code| u16::try_from(code).ok())
    }

    fn sequence(&mut self) -> Option<Sequence> {
        let profile = self.number(3)?;
        self.flag()?;
        let reduced = self.flag()?;
        if reduced {
            self.number(5)?;
        } else {
            self.operating_points()?;
        }
        self.size_and_tools(reduced)?;
        let deep = self.flag()?;
        let deeper = profile == 2 && deep && self.flag()?;
        let grey = profile != 1 && self.flag()?;
        let mut colours = Colours { primaries: UNSAID, transfer: UNSAID, matrix: UNSAID, full_range: false };
        if self.flag()? {
            [colours.primaries, colours.transfer, colours.matrix] = [self.code()?, self.code()?, self.code()?];
        }
        // Green, blue and red in sRGB need no more words.
        let is_rgb = !grey && (colours.primaries, colours.transfer, colours.matrix) == (1, 13, 0);
        colours.full_range = is_rgb || self.flag()?;
        let coarse = match profile {
            _ if grey => None,
            _ if is_rgb => Some((1, 1)),
            0 => Some((2, 2)),
            1 => Some((1, 1)),
            _ if deeper => {
                let across = self.flag()?;
                Some((1 + usize::from(across), if across && self.flag()? { 2 } else { 1 }))
            }
            _ => Some((2, 1)),
        };
        if coarse == Some((2, 2)) {
            self.number(2)?;
        }
        if !grey {
            self.flag()?;
        }
        Some(Sequence { deep, coarse, colours, grain: self.flag()? })
    }

    fn operating_points(&mut self) -> Option<()> {
        let mut delay = None;
        if self.flag()? {
            self.number(64)?;
            if self.flag()? {
                self.skip_number()?;
            }
            if self.flag()? {
                delay = Some(self.number(5)? as usize + 1);
                self.number(32 + 5 + 5)?;
            }
        }
        let displayed = self.flag()?;
        for _ in 0..=self.number(5)? {
            self.number(12)?;
            if self.number(5)? > 7 {
                self.flag()?;
            }
            if let Some(delay) = delay
                && self.flag()?
            {
                self.number(2 * delay + 1)?;
            }
            if displayed && self.flag()? {
                self.number(4)?;
            }
        }
        Some(())
    }

    /// As many zeros as the number that is behind the one after them has bits.
    fn skip_number(&mut self) -> Option<()> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
        }
        self.number(if zeros < 32 { zeros } else { 0 })?;
        Some(())
    }

    fn size_and_tools(&mut self, reduced: bool) -> Option<()> {
        let [width, height] = [self.number(4)? as usize + 1, self.number(4)? as usize + 1];
        self.number(width + height)?;
        if !reduced && self.flag()? {
            self.number(4 + 3)?;
        }
        self.number(3)?;
        if !reduced {
            self.number(4)?;
            let ordered = self.flag()?;
            if ordered {
                self.number(2)?;
            }
            // Whether tools for screens, and whole numbers for motion, are chosen frame by frame.
            if self.flag()? || self.flag()? {
                let _integer = self.flag()? || self.flag()?;
            }
            if ordered {
                self.number(3)?;
            }
        }
        self.number(3)?;
        Some(())
    }
}
