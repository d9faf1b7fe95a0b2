//! Animated WebP, in and out, by its authors' library.

use decouple_contract::Colour;
use webpx::{AnimationDecoder, AnimationEncoder, ColorMode, Limits};

use super::{Frame, Timeline};
use crate::{
    PhotoError,
    encode::broken,
    rgb::{Rgb, flattened},
    webp::{chunks, claimed_length},
};

/// Where a file of several parts says which it has, and the bit that says that it moves.
const FLAGS: usize = 20;
const MOVES: u8 = 2;
/// Where, in the part that is about all frames, it says how often they are shown: behind a colour.
const PLAYS: usize = 4;

/// Reads what is said about the frames, without decoding any.
pub(super) fn timeline(content: &[u8], canvas: u64) -> Result<Timeline, PhotoError> {
    if claimed_length(content) > content.len() as u64 {
        return Err(PhotoError::Truncated);
    }
    let mut timeline = Timeline::default();
    if content.get(12..16) != Some(b"VP8X") || content.get(FLAGS).is_none_or(|flags| flags & MOVES == 0) {
        return Ok(timeline);
    }
    for (kind, data) in chunks(content) {
        match kind {
            b"ANMF" => timeline.add(canvas),
            b"ANIM" => {
                let plays = data.get(PLAYS..).and_then(<[u8]>::first_chunk);
                timeline.plays = plays.map_or(0, |plays| u16::from_le_bytes(*plays));
            }
            _ => {}
        }
    }
    Ok(timeline)
}

/// Frames as they are decoded.
pub(super) struct Frames {
    decoder: AnimationDecoder,
    background: Colour,
}

impl Frames {
    pub(super) fn new(content: &[u8], background: Colour) -> Result<Self, PhotoError> {
        // Sizes were looked at before, and have one limit for all formats.
        let decoder = AnimationDecoder::with_options_limits(content, ColorMode::Rgba, false, &Limits::none());
        Ok(Self { decoder: decoder.map_err(|error| PhotoError::broken(error.error()))?, background })
    }
}

impl Iterator for Frames {
    type Item = Result<Frame, PhotoError>;

    fn next(&mut self) -> Option<Self::Item> {
        let frame = self.decoder.next_frame().map_err(|error| PhotoError::broken(error.error())).transpose()?;
        Some(frame.map(|frame| Frame {
            picture: Rgb::new(frame.width as usize, frame.height as usize, flattened(frame.data, self.background)),
            milliseconds: frame.duration_ms,
        }))
    }
}

/// Writes one file, frame by frame.
pub(crate) struct Encoder {
    encoder: AnimationEncoder,
    /// When the next frame begins, in milliseconds.
    elapsed: i32,
}

impl Encoder {
    pub(crate) fn new((width, height): (usize, usize), quality: u8, plays: u16) -> Result<Self, PhotoError> {
        let [width, height] = [width, height].map(|side| u32::try_from(side).unwrap_or(u32::MAX));
        let encoder = AnimationEncoder::with_options(width, height, false, plays.into());
        let mut encoder = encoder.map_err(|error| broken(error.error()))?;
        encoder.set_quality(f32::from(quality.clamp(1, 100)));
        Ok(Self { encoder, elapsed: 0 })
    }

    pub(crate) fn add(&mut self, picture: &Rgb, milliseconds: u32) -> Result<(), PhotoError> {
        self.encoder.add_frame_rgb(&picture.data, self.elapsed).map_err(|error| broken(error.error()))?;
        // After three weeks nobody looks any more: what would come then is over at once.
        self.elapsed = self.elapsed.saturating_add_unsigned(milliseconds);
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<Vec<u8>, PhotoError> {
        self.encoder.finish(self.elapsed).map_err(|error| broken(error.error()))
    }
}
