//! From a file to pixels, as they are stored: not yet upright, not yet in sRGB.

use std::io::Cursor;

use decouple_contract::Colour;

use super::{
    container::{Container, Frames},
    convert::{Conversion, opaque},
    frame::Frame,
    items::{Colours, Place},
    light,
};
use crate::{
    PhotoError,
    memory::Memory,
    picture::Picture,
    planes::{Coarse, Plane, Planes},
    resample::{Area, Filter, Levels},
    rgb::{Rgb, mixed},
};

/// Decodes a photo. What is transparent shows the background.
pub(crate) fn decode(content: &[u8], background: Colour) -> Result<Picture, PhotoError> {
    let container = Container::read(Cursor::new(content))?;
    let picture = pixels(&container, content, background)?;
    let Some(part) = container.part else { return Ok(picture) };
    #[expect(clippy::cast_precision_loss, reason = "sizes of photos are far below 2^52")]
    let [left, top, width, height] = [part.left, part.top, part.size.0, part.size.1].map(|pixels| pixels as f64);
    Ok(Picture::Rgb(picture.patch(Area { left, top, width, height }, Filter::Lanczos3, part.size)))
}

/// About the memory that decoding takes at most, and that what comes of it takes, in bytes.
pub(crate) fn memory(content: &[u8]) -> Memory {
    let Ok(container) = Container::read(Cursor::new(content)) else { return Memory::default() };
    let Some(sequence) = container.sequence(content) else { return Memory::default() };
    let pixels = |(width, height): (usize, usize)| (width * height) as u64;
    // In half samples for each pixel, with those of colour.
    let halves = sequence.coarse.map_or(2, |(across, down)| 2 + 4 / (across * down) as u64);
    let frame = pixels(container.picture.each) * halves / 2 * if sequence.deep { 2 } else { 1 };
    // Grain is laid over a copy.
    let frames = if sequence.grain { frame * 2 } else { frame };
    let colours = container.colours.unwrap_or(sequence.colours);
    let in_planes = container.stays_in_planes(sequence.deep, sequence.coarse.is_none(), colours);
    let kept = if in_planes { frame } else { pixels(container.picture.size) * 3 };
    Memory { decoding: content.len() as u64 + frames + kept, kept }
}

impl Container {
    /// Tells whether a picture of such samples is of such planes as pictures are kept in.
    fn stays_in_planes(&self, deep: bool, grey: bool, colours: Colours) -> bool {
        let is_one_frame = self.picture.places.len() == 1 && self.alpha.is_none();
        let is_usual_light = self.profile.is_some() || !light::is_very_bright(colours.transfer);
        is_one_frame && !deep && is_usual_light && (grey || matches!(colours.matrix, 2 | 5 | 6))
    }
}

fn frame(container: &Container, frames: &Frames, place: &Place, content: &[u8]) -> Result<Frame, PhotoError> {
    Frame::decode(container.bytes(place, content)?.into_owned(), frames.each)
}

fn pixels(container: &Container, content: &[u8], background: Colour) -> Result<Picture, PhotoError> {
    let frames = &container.picture;
    let colours = container.colours(content).ok_or(PhotoError::Truncated)?;
    let mut canvas = Canvas { size: frames.size, rgb: Vec::new() };
    for (index, place) in frames.places.iter().enumerate() {
        let frame = frame(container, frames, place, content)?;
        if container.stays_in_planes(frame.bits > 8, frame.coarse.is_none(), colours) {
            return Ok(Picture::Planes(planes(&frame, colours.full_range)));
        }
        canvas.rgb.resize(canvas.size.0 * canvas.size.1 * 3, 0);
        let mut conversion = Conversion::new(&frame, colours, container.profile.is_some())?;
        let mut row = vec![0; frame.width * 3];
        canvas.rows(frames.before(index), frames.each, |y, pixels| {
            conversion.row(&frame, y, &mut row);
            pixels.copy_from_slice(&row[..pixels.len()]);
        });
    }
    if let Some(alpha) = &container.alpha {
        flatten(&mut canvas, container, alpha, content, background)?;
    }
    Ok(Picture::Rgb(Rgb::new(canvas.size.0, canvas.size.1, canvas.rgb)))
}

/// Lets the background through where a picture is transparent.
fn flatten(
    canvas: &mut Canvas,
    container: &Container,
    alpha: &Frames,
    content: &[u8],
    background: Colour,
) -> Result<(), PhotoError> {
    if alpha.size != canvas.size {
        return Err(PhotoError::Broken("what is transparent is not of the picture's size".to_owned()));
    }
    for (index, place) in alpha.places.iter().enumerate() {
        let frame = frame(container, alpha, place, content)?;
        canvas.rows(alpha.before(index), alpha.each, |y, pixels| {
            let opaque = opaque(&frame, y);
            for (pixel, alpha) in pixels.as_chunks_mut::<3>().0.iter_mut().zip(opaque) {
                let shown = mixed(if container.premultiplied { [0; 3] } else { *pixel }, alpha, background);
                *pixel = if container.premultiplied {
                    [0, 1, 2].map(|channel| pixel[channel].saturating_add(shown[channel]))
                } else {
                    shown
                };
            }
        });
    }
    Ok(())
}

/// A picture that is put together.
struct Canvas {
    size: (usize, usize),
    rgb: Vec<u8>,
}

impl Canvas {
    /// Gives the pixels that a frame shows, row by row; of one at the edge a part may be beyond it.
    fn rows(&mut self, (left, top): (usize, usize), frame: (usize, usize), mut paint: impl FnMut(usize, &mut [u8])) {
        let (width, height) = self.size;
        let pixels = frame.0.min(width.saturating_sub(left));
        let rows = self.rgb.chunks_exact_mut((width * 3).max(1)).skip(top).take(frame.1.min(height));
        for (y, row) in rows.enumerate() {
            paint(y, &mut row[left * 3..][..pixels * 3]);
        }
    }
}

/// Copies the planes of a frame: a row of the decoder's is longer than the frame is wide.
fn planes(frame: &Frame, full_range: bool) -> Planes {
    let plane = |index: usize, (across, down): (usize, usize), narrow: Levels| {
        let (width, height) = (frame.width.div_ceil(across), frame.height.div_ceil(down));
        let mut data = Vec::with_capacity(width * height);
        (0..height).for_each(|y| data.extend_from_slice(frame.row(index, y)));
        Plane { width, height, data: data.into(), levels: if full_range { Levels::Full } else { narrow } }
    };
    let (across, down) = frame.coarse.unwrap_or((1, 1));
    let chroma = frame.coarse.map(|coarse| [1, 2].map(|index| plane(index, coarse, Levels::NarrowChroma)));
    #[expect(clippy::cast_precision_loss, reason = "AV1 has at most 65,536 pixels a side")]
    let extent = (frame.width as f64, frame.height as f64);
    Planes { extent, luma: plane(0, (1, 1), Levels::NarrowLuma), chroma, coarse: Coarse { across, down } }
}
