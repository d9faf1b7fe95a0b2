//! What moves, kept moving: its frames one after the other, and animated WebP of them.
//!
//! Owns how frames are told, limited and timed. Of all frames one is held at a time. What is made of each (sizes, colours,
//! what the model looks at) is the business of `render`, as it is for a photo that stands still.

mod apng;
mod canvas;
mod gif;
mod webp;

use decouple_contract::Colour;
use image::ImageFormat;

pub(crate) use self::webp::Encoder;
use crate::{MOST_PIXELS, PhotoError, decode::Opened, rgb::Rgb};

/// What has more frames stands still.
const MOST_FRAMES: u64 = 2000;
/// And what takes more memory: as much as there is for photos at least, wherever a worker runs.
const MOST_MIB: u64 = 200;
/// A frame that is said to be shown for no longer, in milliseconds, is shown for longer: browsers do so, because authors relied on
/// programs that could not be so quick.
const TOO_QUICK: u32 = 10;
const INSTEAD: u32 = 100;

/// One frame as it is seen, and for how long.
pub(crate) struct Frame {
    pub(crate) picture: Rgb,
    pub(crate) milliseconds: u32,
}

/// What a file says about its frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Timeline {
    frames: u64,
    /// Pixels that are painted: of each frame its own, or the canvas where that is larger.
    pixels: u64,
    /// How often all frames are shown. None means for ever.
    pub(crate) plays: u16,
}

impl Timeline {
    /// Reads it without decoding anything; none where fewer than two frames are shown.
    pub(crate) fn of(opened: &Opened<'_>) -> Result<Option<Self>, PhotoError> {
        let (width, height) = opened.size();
        let (content, canvas) = (opened.content, (width * height) as u64);
        let timeline = match opened.header.kind.format {
            ImageFormat::Gif => gif::timeline(content, canvas)?,
            ImageFormat::Png => apng::timeline(content, canvas)?,
            ImageFormat::WebP => webp::timeline(content, canvas)?,
            _ => return Ok(None),
        };
        Ok((timeline.frames > 1).then_some(timeline))
    }

    fn add(&mut self, pixels: u64) {
        self.frames += 1;
        self.pixels = self.pixels.saturating_add(pixels);
    }

    /// Says why so much is not kept moving; none where it is.
    pub(crate) fn too_much(&self, output: &Output<'_>, need: u64) -> Option<String> {
        let Self { frames, .. } = *self;
        if frames > MOST_FRAMES {
            return Some(format!("{frames} frames are more than {MOST_FRAMES}"));
        }
        let pixels = self.pixels.saturating_add(frames * output.pixels());
        if pixels > MOST_PIXELS {
            return Some(format!("{frames} frames and their renditions have {pixels} pixels, more than {MOST_PIXELS}"));
        }
        let mib = need.div_ceil(1 << 20);
        (mib > MOST_MIB).then(|| format!("its frames take about {mib} MiB of memory, more than {MOST_MIB} MiB"))
    }

    /// About the memory that it takes at most, in bytes.
    pub(crate) fn memory(&self, opened: &Opened<'_>, output: &Output<'_>) -> u64 {
        let (width, height) = opened.size();
        let canvas = (width * height) as u64;
        let decoding = match opened.header.kind.format {
            // The library has a copy of the file, two canvases and a frame, of which a copy is taken.
            ImageFormat::WebP => canvas * 20 + opened.content.len() as u64,
            // The canvas, what a frame covers of it, and what is seen.
            _ => canvas * 9,
        };
        decoding + output.memory(self.frames, opened.copies())
    }

    /// Decodes the frames, one after the other.
    pub(crate) fn decode<'a>(
        &self,
        opened: &Opened<'a>,
        background: Colour,
    ) -> Result<impl Iterator<Item = Result<Frame, PhotoError>> + use<'a>, PhotoError> {
        let content = opened.content;
        let frames: Box<dyn Iterator<Item = Result<Frame, PhotoError>> + 'a> = match opened.header.kind.format {
            ImageFormat::Gif => Box::new(gif::Frames::new(content, background)?),
            ImageFormat::Png => Box::new(apng::Frames::new(content, background)?),
            _ => Box::new(webp::Frames::new(content, background)?),
        };
        let most = usize::try_from(self.frames).unwrap_or(usize::MAX);
        Ok(frames.take(most).map(|frame| frame.map(slowed)))
    }
}

/// The files that are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output<'a> {
    pub(crate) sizes: &'a [(usize, usize)],
    pub(crate) quality: u8,
}

impl Output<'_> {
    fn each(&self) -> impl Iterator<Item = u64> {
        self.sizes.iter().map(|(width, height)| (width * height) as u64)
    }

    /// Pixels of a frame in all sizes.
    fn pixels(&self) -> u64 {
        self.each().sum()
    }

    fn memory(&self, frames: u64, copies: u64) -> u64 {
        let (widest, all) = (self.each().next().unwrap_or_default(), self.pixels());
        // Each encoder has three canvases. A frame is copied, converted and encoded, by one of them at a time.
        let encoding = all * 13 + widest * (11 + 3 * copies);
        // In quarters of a byte: what a pixel of noise comes to. All files grow side by side, and the one that is finished is copied twice.
        let pixel = if self.quality > 80 { 5 } else { 3 };
        encoding + frames * (all + widest * 2) * pixel / 4
    }
}

/// Returns a frame with the time that browsers show it for.
fn slowed(frame: Frame) -> Frame {
    let milliseconds = if frame.milliseconds > TOO_QUICK { frame.milliseconds } else { INSTEAD };
    Frame { milliseconds, ..frame }
}

#[cfg(test)]
mod tests;
