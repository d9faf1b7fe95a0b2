//! From the samples of a frame to red, green and blue in eight bits: by the matrix that the file names, with as many bits as it has.
//!
//! Colour that is coarser than brightness is taken to lie in the middle of the pixels that it covers, as in all photos but stills of
//! video.

use super::{frame::Frame, items::Colours, light};
use crate::PhotoError;

/// Levels that a channel is told in before it is rounded to one of 256.
const LEVELS: u16 = 4096;

/// A conversion of frames that are alike.
pub(super) struct Conversion {
    /// For red, green and blue: what brightness and the two samples of colour are multiplied with, and what is added.
    channels: [[f32; 4]; 3],
    /// What becomes of each level.
    shown: Vec<u8>,
    samples: [Vec<f32>; 3],
    coarse: [Vec<f32>; 2],
}

/// Where the range of samples begins and how long it is, for brightness and for colour.
struct Range {
    black: f32,
    middle: f32,
    luma: f32,
    chroma: f32,
}

impl Range {
    fn of(bits: u8, full: bool, is_rgb: bool) -> Self {
        let worth = f32::from(1_u16 << bits.saturating_sub(8).min(8));
        let most = 256.0 * worth - 1.0;
        let (black, luma, chroma) = if full { (0.0, most, most) } else { (16.0 * worth, 219.0 * worth, 224.0 * worth) };
        if is_rgb {
            Self { black, middle: black, luma, chroma: luma }
        } else {
            Self { black, middle: 128.0 * worth, luma, chroma }
        }
    }
}

impl Conversion {
    /// Returns the conversion of frames like the one given. Where there is a profile, it says what light the levels stand for.
    pub(super) fn new(frame: &Frame, colours: Colours, has_profile: bool) -> Result<Self, PhotoError> {
        let matrix = if frame.coarse.is_none() { [[1.0, 0.0, 0.0]; 3] } else { matrix(colours)? };
        let range = Range::of(frame.bits, colours.full_range, colours.matrix == RGB && frame.coarse.is_some());
        let last = f32::from(LEVELS - 1);
        let channel = |[luma, cb, cr]: [f32; 3]| {
            let [luma, cb, cr] = [luma / range.luma, cb / range.chroma, cr / range.chroma].map(|factor| factor * last);
            // A half, to round.
            [luma, cb, cr, 0.5 - luma * range.black - (cb + cr) * range.middle]
        };
        let transfer = if has_profile { light::SRGB } else { colours.transfer };
        let shown = (0..LEVELS).map(|level| to_byte(light::on_a_screen(f32::from(level) / last, transfer) * 255.0));
        Ok(Self {
            channels: matrix.map(channel),
            shown: shown.collect(),
            samples: Default::default(),
            coarse: Default::default(),
        })
    }

    /// Converts a row.
    pub(super) fn row(&mut self, frame: &Frame, y: usize, rgb: &mut [u8]) {
        read(frame, 0, y, &mut self.samples[0]);
        for plane in 1..=2 {
            if frame.coarse.is_some() {
                self.colour(frame, plane, y);
            } else {
                self.samples[plane].resize(frame.width, 0.0);
            }
        }
        let [luma, cb, cr] = &self.samples;
        for (((pixel, luma), cb), cr) in rgb.as_chunks_mut::<3>().0.iter_mut().zip(luma).zip(cb).zip(cr) {
            *pixel = self.channels.map(|[by_luma, by_cb, by_cr, more]| {
                let level = usize::from(to_level(by_luma * luma + by_cb * cb + by_cr * cr + more));
                self.shown[level.min(self.shown.len() - 1)]
            });
        }
    }

    /// Reads a row of colour and makes it as fine as brightness: a new sample is of the nearest one by three quarters, in each direction.
    fn colour(&mut self, frame: &Frame, plane: usize, y: usize) {
        let (across, down) = frame.coarse.unwrap_or((1, 1));
        let [near, far] = &mut self.coarse;
        read(frame, plane, y / down, near);
        if down > 1 {
            read(frame, plane, neighbour(y, frame.height), far);
            near.iter_mut().zip(far).for_each(|(near, far)| *near = 0.75 * *near + 0.25 * *far);
        }
        let fine = &mut self.samples[plane];
        if across > 1 {
            fine.clear();
            fine.extend((0..frame.width).map(|x| 0.75 * near[x / 2] + 0.25 * near[neighbour(x, frame.width)]));
        } else {
            std::mem::swap(fine, near);
        }
    }
}

/// Of samples that cover two pixels each, the second nearest to a pixel.
fn neighbour(pixel: usize, of: usize) -> usize {
    let last = of.div_ceil(2) - 1;
    if pixel.is_multiple_of(2) { (pixel / 2).saturating_sub(1) } else { (pixel / 2 + 1).min(last) }
}

/// How opaque the pixels of a row are.
pub(super) fn opaque(frame: &Frame, y: usize) -> Vec<u8> {
    let range = Range::of(frame.bits, frame.full_range, false);
    let mut samples = Vec::new();
    read(frame, 0, y, &mut samples);
    samples.into_iter().map(|sample| to_byte((sample - range.black) / range.luma * 255.0)).collect()
}

fn read(frame: &Frame, plane: usize, y: usize, samples: &mut Vec<f32>) {
    let row = frame.row(plane, y);
    samples.clear();
    if frame.bits > 8 {
        samples.extend(row.as_chunks().0.iter().map(|sample| f32::from(u16::from_ne_bytes(*sample))));
    } else {
        samples.extend(row.iter().map(|sample| f32::from(*sample)));
    }
}

/// Planes that are green, blue and red.
const RGB: u16 = 0;

/// Returns how much of brightness and of the two planes of colour makes up red, green and blue.
fn matrix(colours: Colours) -> Result<[[f32; 3]; 3], PhotoError> {
    let (red, blue) = match (colours.matrix, colours.primaries) {
        (RGB, _) => return Ok([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
        // YCgCo.
        (8, _) => return Ok([[1.0, -1.0, 1.0], [1.0, 1.0, 0.0], [1.0, -1.0, -1.0]]),
        (1, _) | (12, 1) => (0.2126, 0.0722),
        (4, _) => (0.30, 0.11),
        (7, _) => (0.212, 0.087),
        (9, _) | (12, 9) => (0.2627, 0.0593),
        // BT.601, and what says nothing.
        (2 | 5 | 6, _) => (0.299, 0.114),
        (matrix, _) => {
            return Err(PhotoError::Broken(format!("its colours are of a kind that is not known ({matrix})")));
        }
    };
    let green = 1.0 - red - blue;
    let (to_red, to_blue) = (2.0 * (1.0 - red), 2.0 * (1.0 - blue));
    Ok([[1.0, 0.0, to_red], [1.0, -to_blue * blue / green, -to_red * red / green], [1.0, to_blue, 0.0]])
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what is beyond the ends becomes the ends")]
fn to_level(value: f32) -> u16 {
    value as u16
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what is beyond the ends becomes the ends")]
fn to_byte(value: f32) -> u8 {
    (value + 0.5) as u8
}
