//! Resizing of one plane of bytes or of interleaved pixels, from a part of the source that need not begin or end at a
//! whole pixel.

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};

use crate::PhotoError;

/// A part of a source, in its pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Area {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Area {
    /// Rounding may reach a hair beyond the last pixel, which a resizer refuses.
    fn within(self, width: usize, height: usize) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "sizes of photos are far below 2^52")]
        let (width, height) = (width as f64, height as f64);
        let (left, top) = (self.left.clamp(0.0, width), self.top.clamp(0.0, height));
        Self { left, top, width: self.width.min(width - left), height: self.height.min(height - top) }
    }
}

/// Pixels to be read: `width * height` of `kind`, row by row.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) kind: PixelType,
}

/// Resizes, and keeps its buffers from one use to the next.
#[derive(Default)]
pub(crate) struct Resampler(Resizer);

impl Resampler {
    /// Returns `width * height` pixels of what `area` shows.
    pub(crate) fn resize(
        &mut self,
        from: Source<'_>,
        area: Area,
        filter: FilterType,
        (width, height): (usize, usize),
    ) -> Result<Vec<u8>, PhotoError> {
        let area = area.within(from.width, from.height);
        let source = ImageRef::new(pixels(from.width)?, pixels(from.height)?, from.data, from.kind).map_err(broken)?;
        let mut target = Image::new(pixels(width)?, pixels(height)?, from.kind);
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
        let options = options.crop(area.left, area.top, area.width, area.height);
        self.0.resize(&source, &mut target, &options).map_err(broken)?;
        Ok(target.into_vec())
    }
}

fn pixels(count: usize) -> Result<u32, PhotoError> {
    u32::try_from(count).map_err(broken)
}

fn broken(error: impl std::fmt::Display) -> PhotoError {
    PhotoError::Broken(format!("it cannot be resized: {error}"))
}
