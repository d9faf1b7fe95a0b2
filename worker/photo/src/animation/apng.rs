//! The frames of a PNG that moves.

use std::io::Cursor;

use decouple_contract::Colour;
use png::{BlendOp, ColorType, Decoder, DisposeOp, FrameControl, Limits, Reader, Transformations};

use super::{
    Frame, Timeline,
    canvas::{Blend, Canvas, Disposal, Place},
};
use crate::{
    PhotoError,
    decode::MEMORY,
    png::{passes, reason},
};

/// Where the first chunk begins.
const CHUNKS: usize = 8;
/// What a frame is shown for whose delay is a fraction of nothing, in parts of a second.
const HUNDREDTHS: u32 = 100;

/// What frames and plays may be, so that they are in range.
const MOST: u32 = 0x7FFF_FFFF;

/// Reads what is said about the frames, without decoding any.
pub(super) fn timeline(content: &[u8], canvas: u64) -> Result<Timeline, PhotoError> {
    let mut timeline = Timeline::default();
    let mut said = None;
    let mut rest = content.get(CHUNKS..).unwrap_or_default();
    loop {
        let Some((kind, data, behind)) = chunk(rest) else { return Err(PhotoError::Truncated) };
        match kind {
            b"acTL" => said = Some((number(data, 0), number(data, 4))),
            b"fcTL" => timeline.add(canvas.max(u64::from(number(data, 4)).saturating_mul(number(data, 8).into()))),
            b"IEND" => break,
            _ => {}
        }
        rest = behind;
    }
    // Where more are said to be there than there are, or fewer, no more are shown than both say. What is out of range says nothing.
    let (frames, plays) = said.filter(|(frames, plays)| (*frames).max(*plays) <= MOST).unwrap_or_default();
    timeline.frames = timeline.frames.min(frames.into());
    timeline.plays = u16::try_from(plays).unwrap_or(u16::MAX);
    Ok(timeline)
}

/// Splits the first chunk off: its kind, what is in it, and what is behind it.
fn chunk(rest: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let length = rest.first_chunk().map(|length| u32::from_be_bytes(*length))? as usize;
    let (kind, data) = (rest.get(4..8)?, rest.get(8..)?.get(..length)?);
    let checksum = 4;
    Some((kind, data, rest.get(8 + length + checksum..)?))
}

fn number(data: &[u8], at: usize) -> u32 {
    data.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

/// Frames as they are decoded.
pub(super) struct Frames<'a> {
    reader: Reader<Cursor<&'a [u8]>>,
    canvas: Canvas,
    started: bool,
}

impl<'a> Frames<'a> {
    pub(super) fn new(content: &'a [u8], background: Colour) -> Result<Self, PhotoError> {
        let limits = Limits { bytes: usize::try_from(MEMORY).unwrap_or(usize::MAX) };
        let mut decoder = Decoder::new_with_limits(Cursor::new(content), limits);
        // What is beside the pixels was read before.
        decoder.set_ignore_text_chunk(true);
        decoder.set_ignore_iccp_chunk(true);
        decoder.set_transformations(Transformations::normalize_to_color8() | Transformations::ALPHA);
        let reader = decoder.read_info().map_err(|error| reason(&error))?;
        let canvas = Canvas::new((reader.info().width as usize, reader.info().height as usize), background);
        Ok(Self { reader, canvas, started: false })
    }

    fn decode(&mut self) -> Result<Frame, PhotoError> {
        let control = self.control()?;
        let [left, top, width, height] =
            [control.x_offset, control.y_offset, control.width, control.height].map(|side| side as usize);
        let disposal = match control.dispose_op {
            DisposeOp::None => Disposal::Keep,
            DisposeOp::Background => Disposal::Clear,
            DisposeOp::Previous => Disposal::Restore,
        };
        let blend = if control.blend_op == BlendOp::Over { Blend::Over } else { Blend::Source };
        self.canvas.begin(Place { left, top, width, height }, disposal);
        for [left, across, top, down] in passes(self.reader.info().interlaced) {
            let columns = width.saturating_sub(*left).div_ceil(*across);
            for y in (*top..if columns == 0 { 0 } else { height }).step_by(*down) {
                self.row([*left, *across, y], blend)?;
            }
        }
        // The checksums are behind the last row.
        self.reader.next_row().map_err(|error| reason(&error))?;
        Ok(Frame { picture: self.canvas.picture(), milliseconds: milliseconds(&control) })
    }

    /// Goes to the next frame. The picture that is shown where nothing moves need not be one.
    fn control(&mut self) -> Result<FrameControl, PhotoError> {
        let first = self.reader.info().frame_control.filter(|_| !self.started);
        self.started = true;
        match first {
            Some(control) => Ok(control),
            None => self.reader.next_frame_info().copied().map_err(|error| reason(&error)),
        }
    }

    fn row(&mut self, at: [usize; 3], blend: Blend) -> Result<(), PhotoError> {
        let colours = self.reader.output_color_type().0;
        let row = self.reader.next_row().map_err(|error| reason(&error))?.ok_or(PhotoError::Truncated)?;
        if colours == ColorType::GrayscaleAlpha {
            let pixels = row.data().as_chunks().0.iter().map(|[grey, alpha]| ([*grey; 3], *alpha));
            self.canvas.paint(at, blend, pixels);
        } else {
            let pixels = row.data().as_chunks().0.iter();
            let pixels = pixels.map(|[red, green, blue, alpha]| ([*red, *green, *blue], *alpha));
            self.canvas.paint(at, blend, pixels);
        }
        Ok(())
    }
}

fn milliseconds(control: &FrameControl) -> u32 {
    let parts = if control.delay_den == 0 { HUNDREDTHS } else { control.delay_den.into() };
    u32::from(control.delay_num) * 1000 / parts
}

impl Iterator for Frames<'_> {
    type Item = Result<Frame, PhotoError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.decode())
    }
}
