//! The frames of a GIF.

use decouple_contract::Colour;
use gif::{Decoder, DisposalMethod, Repeat};

use super::{
    Frame, Timeline,
    canvas::{Blend, Canvas, Disposal, Place},
};
use crate::{
    PhotoError,
    gif::{Rows, open, passes, reason},
};

/// Reads what is said about the frames, without decoding any.
pub(super) fn timeline(content: &[u8], canvas: u64) -> Result<Timeline, PhotoError> {
    let mut decoder = open(content)?;
    let mut timeline = Timeline::default();
    while let Some(frame) = decoder.next_frame_info().map_err(|error| reason(&error))? {
        timeline.add(canvas.max(u64::from(frame.width) * u64::from(frame.height)));
    }
    timeline.plays = match decoder.repeat() {
        Repeat::Infinite => 0,
        // It counts how often they are shown again.
        Repeat::Finite(again) => again.saturating_add(1),
    };
    Ok(timeline)
}

/// Frames as they are decoded.
pub(super) struct Frames<'a> {
    decoder: Decoder<&'a [u8]>,
    palette: Vec<u8>,
    canvas: Canvas,
}

impl<'a> Frames<'a> {
    pub(super) fn new(content: &'a [u8], background: Colour) -> Result<Self, PhotoError> {
        let decoder = open(content)?;
        let palette = decoder.global_palette().unwrap_or_default().to_vec();
        let canvas = Canvas::new((decoder.width().into(), decoder.height().into()), background);
        Ok(Self { decoder, palette, canvas })
    }

    fn decode(&mut self) -> Result<Option<Frame>, PhotoError> {
        let Some(frame) = self.decoder.read_next_frame().map_err(|error| reason(&error))? else { return Ok(None) };
        let [left, top, width, height] = [frame.left, frame.top, frame.width, frame.height].map(usize::from);
        let disposal = match frame.dispose {
            DisposalMethod::Any | DisposalMethod::Keep => Disposal::Keep,
            DisposalMethod::Background => Disposal::Clear,
            DisposalMethod::Previous => Disposal::Restore,
        };
        self.canvas.begin(Place { left, top, width, height }, disposal);
        let mut rows = Rows::of(frame, &self.palette)?;
        for [first, step] in passes(frame.interlaced) {
            for y in (*first..height).step_by(*step) {
                self.canvas.paint([0, 1, y], Blend::Over, rows.next()?);
            }
        }
        Ok(Some(Frame { picture: self.canvas.picture(), milliseconds: u32::from(frame.delay) * 10 }))
    }
}

impl Iterator for Frames<'_> {
    type Item = Result<Frame, PhotoError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.decode().transpose()
    }
}
