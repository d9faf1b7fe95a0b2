//! GIF, row by row: its first frame, on the background, so that of a very large one no more is held than serves.

use std::io::ErrorKind;

use decouple_contract::Colour;
use gif::{DecodeOptions, Decoder, DecodingError, Frame};
use weezl::{BitOrder, LzwStatus};

use crate::{
    MOST_PIXELS, PhotoError,
    decode::in_words,
    memory::Memory,
    rgb::{Rgb, mixed},
    squares::{self, Squares},
};

/// Which rows come together: the first, and how many further the next.
type Pass = [usize; 2];
const IN_ORDER: [Pass; 1] = [[0, 1]];
const INTERLACED: [Pass; 4] = [[0, 8], [4, 8], [2, 4], [1, 2]];

/// So often on end may unpacking neither take nor give anything: it has 64 bits in hand, which may be codes of two bits that do no more
/// than clear its table.
const IDLE: u32 = 64 / 2;

pub(crate) fn passes(interlaced: bool) -> &'static [Pass] {
    if interlaced { &INTERLACED } else { &IN_ORDER }
}

/// About the memory that decoding takes at most, and that what comes of it takes, in bytes. Where rows come in no order is not said by the
/// header, but by the frame. A frame's packed pixels are copied.
pub(crate) fn memory(content: &[u8], size: (usize, usize), least: (usize, usize)) -> Memory {
    let memory = squares::memory(size, squares::side(size, least), true);
    Memory { decoding: memory.decoding + content.len() as u64, ..memory }
}

/// Opens a file. Pixels are left packed.
pub(crate) fn open(content: &[u8]) -> Result<Decoder<&[u8]>, PhotoError> {
    let mut options = DecodeOptions::new();
    options.skip_frame_decoding(true);
    options.set_memory_limit(gif::MemoryLimit::Unlimited);
    options.read_info(content).map_err(|error| reason(&error))
}

/// Decodes to at least the size given, or to the photo's own where that is smaller.
pub(crate) fn decode(content: &[u8], least: (usize, usize), background: Colour) -> Result<Rgb, PhotoError> {
    let mut decoder = open(content)?;
    let size @ (width, height) = (usize::from(decoder.width()), usize::from(decoder.height()));
    let palette = decoder.global_palette().unwrap_or_default().to_vec();
    let frame = decoder.read_next_frame().map_err(|error| reason(&error))?.ok_or(PhotoError::Truncated)?;
    let [left, top, wide, high] = [frame.left, frame.top, frame.width, frame.height].map(usize::from);
    let interlaced = frame.interlaced;
    if wide == 0 || high == 0 || (wide * high) as u64 > MOST_PIXELS {
        return Err(PhotoError::Broken(format!("its first frame has {wide} x {high} pixels")));
    }
    let mut rows = Rows::of(frame, &palette)?;
    let mut squares = Squares::new(size, squares::side(size, least), interlaced);
    let empty = background.0.repeat(width);
    (0..top.min(height)).for_each(|y| squares.add(y, 0, 1, &empty));
    let mut shown = empty.clone();
    for [first, step] in passes(interlaced) {
        for y in (*first..high).step_by(*step).map(|row| top + row) {
            // A frame may stick out of the picture.
            let pixels = shown.as_chunks_mut::<3>().0.iter_mut().skip(left).zip(rows.next()?);
            pixels.for_each(|(to, (colour, alpha))| *to = mixed(colour, alpha, background));
            if y < height {
                squares.add(y, 0, 1, &shown);
            }
        }
    }
    ((top + high).min(height)..height).for_each(|y| squares.add(y, 0, 1, &empty));
    Ok(squares.finish())
}

/// The rows of a frame, unpacked one by one.
///
/// The library unpacks only whole frames well: given room for a row it may take it that nothing is left when nothing was read for it.
pub(crate) struct Rows<'a> {
    unpacker: weezl::decode::Decoder,
    packed: &'a [u8],
    palette: &'a [[u8; 3]],
    transparent: Option<u8>,
    row: Vec<u8>,
}

impl<'a> Rows<'a> {
    /// Takes a frame that is packed. Where it has no colours of its own they are those of all frames.
    pub(crate) fn of(frame: &'a Frame<'_>, palette: &'a [u8]) -> Result<Self, PhotoError> {
        let (code_size, packed) = frame.buffer.split_first().ok_or(PhotoError::Truncated)?;
        let palette = frame.palette.as_deref().unwrap_or(palette).as_chunks().0;
        let unpacker = weezl::decode::Decoder::new(BitOrder::Lsb, *code_size);
        Ok(Self { unpacker, packed, palette, transparent: frame.transparent, row: vec![0; frame.width.into()] })
    }

    /// Unpacks the next row: colours and alpha. What has no colour is transparent.
    pub(crate) fn next(&mut self) -> Result<impl Iterator<Item = ([u8; 3], u8)>, PhotoError> {
        let (mut from, mut idle) = (0, 0);
        while from < self.row.len() {
            let read = self.unpacker.decode_bytes(self.packed, &mut self.row[from..]);
            let status = read.status.map_err(PhotoError::broken)?;
            self.packed = &self.packed[read.consumed_in..];
            from += read.consumed_out;
            idle = if read.consumed_in + read.consumed_out == 0 { idle + 1 } else { 0 };
            if from < self.row.len() && (matches!(status, LzwStatus::Done) || idle > IDLE) {
                return Err(PhotoError::Truncated);
            }
        }
        let Self { palette, transparent, ref row, .. } = *self;
        Ok(row.iter().map(move |index| match palette.get(usize::from(*index)) {
            Some(colour) if transparent != Some(*index) => (*colour, u8::MAX),
            _ => ([0; 3], 0),
        }))
    }
}

pub(crate) fn reason(error: &DecodingError) -> PhotoError {
    match error {
        DecodingError::Io(error) if error.kind() == ErrorKind::UnexpectedEof => PhotoError::Truncated,
        error => in_words(error),
    }
}

#[cfg(test)]
mod tests {
    use gif::Encoder;

    use super::*;

    const BACKGROUND: Colour = Colour([200, 100, 50]);
    const SCREEN: (u16, u16) = (45, 23);

    /// A frame of noise in eight colours, one of them transparent.
    fn file([left, top, width, height]: [u16; 4], interlaced: bool) -> Vec<u8> {
        let buffer: Vec<u8> = (0..usize::from(width) * usize::from(height)).map(|at| (at * at / 7 % 8) as u8).collect();
        let frame = Frame { left, top, width, height, interlaced, transparent: Some(3), ..Frame::default() };
        let palette: Vec<u8> = (0..8 * 3).map(|at| at * 10).collect();
        let mut file = Vec::new();
        let mut encoder = Encoder::new(&mut file, SCREEN.0, SCREEN.1, &palette).unwrap();
        encoder.write_frame(&Frame { buffer: buffer.into(), ..frame }).unwrap();
        drop(encoder);
        file
    }

    #[test]
    fn every_frame_is_what_another_decoder_gives() {
        let frames = [[0, 0, 45, 23], [0, 5, 45, 10], [7, 3, 20, 9], [40, 20, 20, 20], [50, 30, 4, 4], [0, 0, 1, 1]];
        for frame in frames {
            for interlaced in [false, true] {
                let file = file(frame, interlaced);
                let expected = Rgb::from_decoded(image::load_from_memory(&file).unwrap(), BACKGROUND);
                let made = decode(&file, (usize::from(SCREEN.0), usize::from(SCREEN.1)), BACKGROUND).unwrap();
                assert_eq!((made.width, made.height), (expected.width, expected.height));
                assert!(made.data == expected.data, "{frame:?} {interlaced}");
                let small = decode(&file, (1, 1), BACKGROUND).unwrap();
                assert!(small.width < made.width && small.data.len() == small.width * small.height * 3);
            }
        }
    }

    #[test]
    fn rows_may_be_shorter_than_what_is_unpacked_at_once() {
        for (side, colours) in (1..60).flat_map(|side| [1, 2, 5, 200].map(|colours| (side, colours))) {
            let buffer: Vec<u8> =
                (0..usize::from(side) * usize::from(side)).map(|at| (at / 7 % colours) as u8).collect();
            let palette: Vec<u8> = (0..colours * 3).map(|at| at as u8).collect();
            let mut file = Vec::new();
            let mut encoder = Encoder::new(&mut file, side, side, &palette).unwrap();
            encoder
                .write_frame(&Frame { width: side, height: side, buffer: buffer.into(), ..Frame::default() })
                .unwrap();
            drop(encoder);
            let expected = Rgb::from_decoded(image::load_from_memory(&file).unwrap(), BACKGROUND);
            let made = decode(&file, (side.into(), side.into()), BACKGROUND).unwrap();
            assert!(made.data == expected.data, "{side} x {side} in {colours} colours");
        }
    }

    #[test]
    fn what_is_cut_off_is_said_to_be() {
        let file = file([0, 0, 45, 23], false);
        for length in [60, 100, file.len() / 2] {
            assert_eq!(decode(&file[..length], (1, 1), BACKGROUND).map(|_| ()), Err(PhotoError::Truncated), "{length}");
        }
        // One that ends well, but after too few pixels.
        let [screen, palette] = [[100, 0, 100, 0], [0, 0, 0, 255]];
        let few = [b"GIF89a", &screen[..], &[0x80, 0, 0], &palette, &[255, 255, 0x2C, 0, 0, 0, 0], &screen].concat();
        let few = [&few[..], &[0, 2, 2, 0x4C, 0x01, 0, 0x3B]].concat();
        assert_eq!(decode(&few, (1, 1), BACKGROUND).map(|_| ()), Err(PhotoError::Truncated));
    }
}
