//! What the frames of a GIF or a PNG are painted on, one over the other: each says where, and what becomes of it before the next.
//!
//! Nothing here is transparent. A pixel that is painted over another in part shows the same whether the background is put below
//! all of them before or after, so it is there from the first: three bytes a pixel instead of four, and no second step.

use decouple_contract::Colour;

use crate::rgb::{Rgb, mixed};

/// A part of the canvas, in pixels. It may stick out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

/// What becomes of a frame before the next one is painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disposal {
    /// It stays.
    Keep,
    /// Its place shows the background.
    Clear,
    /// Its place shows what it showed before.
    Restore,
}

/// What a frame that is transparent in part is painted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blend {
    /// What was there before: it shows through.
    Over,
    /// The background: what was there before is gone.
    Source,
}

/// How the last frame is taken off.
enum Undo {
    Nothing,
    Clear,
    Restore(Vec<[u8; 3]>),
}

/// Rows of pixels, and the frame that was painted last.
pub(super) struct Canvas {
    width: usize,
    background: Colour,
    pixels: Vec<[u8; 3]>,
    place: Place,
    undo: Undo,
}

impl Canvas {
    /// An empty one: all of it shows the background.
    pub(super) fn new((width, height): (usize, usize), background: Colour) -> Self {
        let pixels = vec![background.0; width * height];
        Self { width, background, pixels, place: Place::default(), undo: Undo::Nothing }
    }

    /// Takes the last frame off as it said, and makes ready for the next.
    pub(super) fn begin(&mut self, place: Place, disposal: Disposal) {
        self.take_off();
        self.place = place;
        self.undo = match disposal {
            Disposal::Keep => Undo::Nothing,
            Disposal::Clear => Undo::Clear,
            Disposal::Restore => Undo::Restore(self.seen()),
        };
    }

    fn take_off(&mut self) {
        let background = self.background.0;
        match std::mem::replace(&mut self.undo, Undo::Nothing) {
            Undo::Nothing => {}
            Undo::Clear => self.rows(|row| row.fill(background)),
            Undo::Restore(before) => {
                let mut before = before.into_iter();
                self.rows(|row| row.iter_mut().zip(before.by_ref()).for_each(|(to, from)| *to = from));
            }
        }
    }

    /// What is seen in the frame's place.
    fn seen(&mut self) -> Vec<[u8; 3]> {
        let mut seen = Vec::new();
        self.rows(|row| seen.extend_from_slice(row));
        seen
    }

    fn rows(&mut self, mut each: impl FnMut(&mut [[u8; 3]])) {
        let mut y = 0;
        while let Some(row) = self.row(y) {
            each(row);
            y += 1;
        }
    }

    /// A row of the frame's place, as far as it is on the canvas; none below either.
    fn row(&mut self, y: usize) -> Option<&mut [[u8; 3]]> {
        let Place { left, top, width, height } = self.place;
        let row = self.pixels.chunks_exact_mut(self.width.max(1)).nth(top + y).filter(|_| y < height)?;
        let end = (left + width).min(row.len());
        Some(&mut row[left.min(end)..end])
    }

    /// Paints pixels of a row of the frame, colours and alpha: every `step`th from the one at `left` on. What sticks out of the canvas is
    /// not seen.
    pub(super) fn paint(
        &mut self,
        [left, step, y]: [usize; 3],
        blend: Blend,
        pixels: impl Iterator<Item = ([u8; 3], u8)>,
    ) {
        let background = self.background;
        let Some(row) = self.row(y) else { return };
        for (to, (from, alpha)) in row.iter_mut().skip(left).step_by(step).zip(pixels) {
            *to = match (alpha, blend) {
                (u8::MAX, _) => from,
                (0, Blend::Over) => *to,
                (_, Blend::Over) => mixed(from, alpha, Colour(*to)),
                (_, Blend::Source) => mixed(from, alpha, background),
            };
        }
    }

    /// Returns what is seen now.
    pub(super) fn picture(&self) -> Rgb {
        let height = self.pixels.len() / self.width.max(1);
        Rgb::new(self.width, height, self.pixels.as_flattened().to_vec())
    }
}
