//! PNG, row by row: each becomes eight bits of red, green and blue on the background as it is unpacked, so that of a large
//! photo of 16 bits and transparency no more is held than of any other.

use std::io::Cursor;

use decouple_contract::Colour;
use png::{BitDepth, ColorType, Decoder, DecodingError, Limits, Transformations};

use crate::{
    PhotoError,
    decode::{MEMORY, in_words},
    memory::Memory,
    rgb::{Rgb, mixed},
    squares::{self, Squares},
};

/// Which pixels come together: the first column and how many follow one by one, the first row and the same.
type Pass = [usize; 4];
const IN_ORDER: [Pass; 1] = [[0, 1, 0, 1]];
/// Those of Adam7.
const INTERLACED: [Pass; 7] =
    [[0, 8, 0, 8], [4, 8, 0, 8], [0, 4, 4, 8], [2, 4, 0, 4], [0, 2, 2, 4], [1, 2, 0, 2], [0, 1, 1, 2]];

pub(crate) fn passes(interlaced: bool) -> &'static [Pass] {
    if interlaced { &INTERLACED } else { &IN_ORDER }
}

/// Where the header says whether pixels come in order.
const INTERLACE: usize = 28;

/// About the memory that decoding takes at most, and that what comes of it takes, in bytes.
pub(crate) fn memory(content: &[u8], size: (usize, usize), least: (usize, usize)) -> Memory {
    let interlaced = content.get(INTERLACE).is_none_or(|method| *method != 0);
    squares::memory(size, squares::side(size, least), interlaced)
}

/// Decodes to at least the size given, or to the photo's own where that is smaller.
pub(crate) fn decode(content: &[u8], least: (usize, usize), background: Colour) -> Result<Rgb, PhotoError> {
    let limits = Limits { bytes: usize::try_from(MEMORY).unwrap_or(usize::MAX) };
    let mut decoder = Decoder::new_with_limits(Cursor::new(content), limits);
    // What is beside the pixels was read before.
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(|error| reason(&error))?;
    let size @ (width, height) = (reader.info().width as usize, reader.info().height as usize);
    let interlaced = reader.info().interlaced;
    let (colours, depth) = reader.output_color_type();
    let mut squares = Squares::new(size, squares::side(size, least), interlaced);
    let mut row = Row { channels: channels(colours), background, narrow: Vec::new(), rgb: vec![0; width * 3] };
    for [left, across, top, down] in passes(interlaced) {
        let pixels = width.saturating_sub(*left).div_ceil(*across);
        for y in (*top..if pixels == 0 { 0 } else { height }).step_by(*down) {
            let read = reader.next_row().map_err(|error| reason(&error))?.ok_or(PhotoError::Truncated)?;
            let rgb = row.rgb(read.data(), depth == BitDepth::Sixteen);
            if rgb.len() != pixels * 3 {
                return Err(PhotoError::Broken("its first frame is not of its own size".to_owned()));
            }
            squares.add(y, *left, *across, rgb);
        }
    }
    // The checksums are behind the last row.
    reader.next_row().map_err(|error| reason(&error))?;
    Ok(squares.finish())
}

pub(crate) fn reason(error: &DecodingError) -> PhotoError {
    match error {
        DecodingError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => PhotoError::Truncated,
        error => in_words(error),
    }
}

/// Palettes and fewer than eight bits are expanded by then.
fn channels(colours: ColorType) -> usize {
    match colours {
        ColorType::Grayscale | ColorType::Indexed => 1,
        ColorType::GrayscaleAlpha => 2,
        ColorType::Rgb => 3,
        ColorType::Rgba => 4,
    }
}

/// A row on its way from what is stored to what is shown.
struct Row {
    channels: usize,
    background: Colour,
    narrow: Vec<u8>,
    rgb: Vec<u8>,
}

impl Row {
    /// Returns the pixels of a row in red, green and blue.
    fn rgb<'a>(&'a mut self, stored: &'a [u8], deep: bool) -> &'a [u8] {
        let samples = if deep {
            self.narrow.clear();
            self.narrow.extend(stored.as_chunks().0.iter().map(|sample| narrowed(u16::from_be_bytes(*sample))));
            &self.narrow
        } else {
            stored
        };
        if self.channels == 3 {
            return samples;
        }
        let length = (samples.len() / self.channels * 3).min(self.rgb.len());
        let rgb = &mut self.rgb[..length];
        let pixels = rgb.as_chunks_mut().0.iter_mut().zip(samples.chunks_exact(self.channels));
        match self.channels {
            1 => pixels.for_each(|(to, from)| *to = [from[0]; 3]),
            2 => pixels.for_each(|(to, from)| *to = mixed([from[0]; 3], from[1], self.background)),
            _ => pixels.for_each(|(to, from)| *to = mixed([from[0], from[1], from[2]], from[3], self.background)),
        }
        rgb
    }
}

/// The nearest of 256 levels.
fn narrowed(sample: u16) -> u8 {
    u8::try_from((u32::from(sample) + 128) / 257).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::ZlibEncoder};
    use png::{Encoder, Info, chunk};

    use super::*;

    const SIZE: (u32, u32) = (45, 23);
    const BACKGROUND: Colour = Colour([200, 100, 50]);

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 99_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..length).map(|_| next()).collect()
    }

    fn info(colours: ColorType, depth: BitDepth) -> Info<'static> {
        let mut info = Info::with_size(SIZE.0, SIZE.1);
        (info.color_type, info.bit_depth) = (colours, depth);
        info
    }

    fn in_order(colours: ColorType, depth: BitDepth, transparent: bool) -> Vec<u8> {
        let mut info = info(colours, depth);
        let palette = colours == ColorType::Indexed;
        info.palette = palette.then(|| noise(3 << depth as u8).into());
        info.trns = transparent.then(|| if palette { noise(1 << depth as u8) } else { vec![0; 6] }.into());
        let length = info.raw_bytes() - SIZE.1 as usize;
        let mut file = Vec::new();
        let mut writer = Encoder::with_info(&mut file, info).unwrap().write_header().unwrap();
        writer.write_image_data(&noise(length)).unwrap();
        writer.finish().unwrap();
        file
    }

    /// The same pixels in Adam7's order. A pixel must be of whole bytes.
    fn interlaced(pixels: &[u8], bytes: usize, mut info: Info<'static>) -> Vec<u8> {
        info.interlaced = true;
        let (width, height) = (info.width as usize, info.height as usize);
        let mut deflated = ZlibEncoder::new(Vec::new(), Compression::fast());
        for [left, across, top, down] in INTERLACED {
            for y in (top..height).step_by(down).filter(|_| left < width) {
                deflated.write_all(&[0]).unwrap();
                for x in (left..width).step_by(across) {
                    deflated.write_all(&pixels[(y * width + x) * bytes..][..bytes]).unwrap();
                }
            }
        }
        let mut file = Vec::new();
        let mut writer = Encoder::with_info(&mut file, info).unwrap().write_header().unwrap();
        writer.write_chunk(chunk::IDAT, &deflated.finish().unwrap()).unwrap();
        writer.finish().unwrap();
        file
    }

    fn whole(content: &[u8]) -> Rgb {
        decode(content, (SIZE.0 as usize, SIZE.1 as usize), BACKGROUND).unwrap()
    }

    #[test]
    fn every_kind_of_pixels_is_what_another_decoder_gives() {
        use BitDepth::{Eight, Four, One, Sixteen, Two};
        use ColorType::{Grayscale, GrayscaleAlpha, Indexed, Rgb as Colours, Rgba};
        let deep = [Eight, Sixteen];
        let kinds: [(ColorType, &[BitDepth]); 5] = [
            (Grayscale, &[One, Two, Four, Eight, Sixteen]),
            (Indexed, &[One, Two, Four, Eight]),
            (GrayscaleAlpha, &deep),
            (Colours, &deep),
            (Rgba, &deep),
        ];
        for (colours, depths) in kinds {
            for depth in depths {
                for transparent in [false, true] {
                    if transparent && matches!(colours, GrayscaleAlpha | Rgba) {
                        continue;
                    }
                    let file = in_order(colours, *depth, transparent);
                    let expected = Rgb::from_decoded(image::load_from_memory(&file).unwrap(), BACKGROUND);
                    let made = whole(&file);
                    assert_eq!((made.width, made.height), (expected.width, expected.height));
                    assert!(made.data == expected.data, "{colours:?} {depth:?} {transparent}");
                }
            }
        }
    }

    #[test]
    fn what_is_interlaced_is_what_it_is_in_order() {
        for (width, height) in [SIZE, (1, 1), (2, 9), (9, 2), (5, 5)] {
            for (colours, depth, bytes) in [
                (ColorType::Rgba, BitDepth::Sixteen, 8),
                (ColorType::Rgb, BitDepth::Eight, 3),
                (ColorType::Grayscale, BitDepth::Eight, 1),
            ] {
                let mut info = info(colours, depth);
                (info.width, info.height) = (width, height);
                let pixels = noise((width * height) as usize * bytes);
                let file = interlaced(&pixels, bytes, info);
                let expected = Rgb::from_decoded(image::load_from_memory(&file).unwrap(), BACKGROUND);
                for least in [(width as usize, height as usize), (1, 1)] {
                    let made = decode(&file, least, BACKGROUND).unwrap();
                    let side = squares::side((width as usize, height as usize), least);
                    let mut squares = Squares::new((width as usize, height as usize), side, false);
                    let rows = expected.data.chunks_exact(width as usize * 3);
                    rows.enumerate().for_each(|(y, row)| squares.add(y, 0, 1, row));
                    assert!(made.data == squares.finish().data, "{width} x {height} {colours:?} by {side}");
                }
            }
        }
    }

    #[test]
    fn what_is_cut_off_is_said_to_be_wherever_it_was_cut() {
        let file = in_order(ColorType::Rgb, BitDepth::Eight, false);
        let pixels = file.windows(4).position(|chunk| chunk == b"IDAT").unwrap();
        for length in pixels + 4..file.len() - 12 {
            let cut = decode(&file[..length], (1, 1), BACKGROUND).map(|_| ());
            assert_eq!(cut, Err(PhotoError::Truncated), "{length} of {}", file.len());
        }
    }
}
