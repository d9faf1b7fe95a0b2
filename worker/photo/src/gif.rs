//! GIF, row by row: its first frame, on the background, so that of a very large one no more is held than serves.

use std::io::ErrorKind;

use decouple_contract::Colour;
use gif::{ColorOutput, DecodeOptions, Decoder, DecodingError};

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

/// About the memory that decoding takes at most, and that what comes of it takes, in bytes. Where rows come in no order is not said by the
/// header, but by the frame.
pub(crate) fn memory(size: (usize, usize), least: (usize, usize)) -> Memory {
    squares::memory(size, squares::side(size, least), true)
}

/// Decodes to at least the size given, or to the photo's own where that is smaller.
pub(crate) fn decode(content: &[u8], least: (usize, usize), background: Colour) -> Result<Rgb, PhotoError> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::RGBA);
    let mut decoder = options.read_info(content).map_err(|error| reason(&error))?;
    let size @ (width, height) = (usize::from(decoder.width()), usize::from(decoder.height()));
    let frame = decoder.next_frame_info().map_err(|error| reason(&error))?.ok_or(PhotoError::Truncated)?;
    let [left, top, wide, high] = [frame.left, frame.top, frame.width, frame.height].map(usize::from);
    let interlaced = frame.interlaced;
    if wide == 0 || high == 0 || (wide * high) as u64 > MOST_PIXELS {
        return Err(PhotoError::Broken(format!("its first frame has {wide} x {high} pixels")));
    }
    let mut squares = Squares::new(size, squares::side(size, least), interlaced);
    let empty = background.0.repeat(width);
    (0..top.min(height)).for_each(|y| squares.add(y, 0, 1, &empty));
    let (mut line, mut shown) = (vec![0; wide * 4], empty.clone());
    for [first, step] in if interlaced { &INTERLACED[..] } else { &IN_ORDER[..] } {
        for y in (*first..high).step_by(*step).map(|row| top + row) {
            read(&mut decoder, &mut line)?;
            // A frame may stick out of the picture.
            let pixels = shown.as_chunks_mut::<3>().0.iter_mut().skip(left).zip(line.as_chunks::<4>().0);
            pixels.for_each(|(to, [red, green, blue, alpha])| *to = mixed([*red, *green, *blue], *alpha, background));
            if y < height {
                squares.add(y, 0, 1, &shown);
            }
        }
    }
    ((top + high).min(height)..height).for_each(|y| squares.add(y, 0, 1, &empty));
    Ok(squares.finish())
}

/// Reads the next row of the frame. What has no colour is transparent.
fn read(decoder: &mut Decoder<&[u8]>, line: &mut [u8]) -> Result<(), PhotoError> {
    line.fill(0);
    let all = decoder.fill_buffer(line).map_err(|error| reason(&error))?;
    all.then_some(()).ok_or(PhotoError::Truncated)
}

fn reason(error: &DecodingError) -> PhotoError {
    match error {
        DecodingError::Io(error) if error.kind() == ErrorKind::UnexpectedEof => PhotoError::Truncated,
        error => in_words(error),
    }
}

#[cfg(test)]
mod tests {
    use gif::{Encoder, Frame};

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
