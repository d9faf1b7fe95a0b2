//! Pictures as files: only pixels, without any metadata.

use decouple_contract::Format;
use turbojpeg::{Compressor, Image, PixelFormat, Subsamp, YuvPlanesImage};

use crate::{PhotoError, avif, picture::Picture, planes::Planes, webp};

/// Returns how many pixels a side of a picture may have in a format: for JPEG those that its library writes.
pub(crate) fn longest_side(format: Format) -> usize {
    match format {
        Format::Jpeg => 65_500,
        Format::Webp => 16_383,
        Format::Avif => 65_535,
    }
}

/// Returns about how many bytes an encoder takes for a picture of a size beside what any rendition does.
pub(crate) fn memory(format: Format, size: (usize, usize)) -> u64 {
    match format {
        Format::Jpeg | Format::Webp => 0,
        Format::Avif => avif::encoding(size),
    }
}

/// Writes pictures in one format.
pub(crate) struct Encoder {
    quality: u8,
    format: Format,
    jpeg: Compressor,
}

impl Encoder {
    pub(crate) fn new(format: Format, quality: u8) -> Result<Self, PhotoError> {
        let mut jpeg = Compressor::new().map_err(broken)?;
        jpeg.set_quality(i32::from(quality.clamp(1, 100))).map_err(broken)?;
        Ok(Self { quality, format, jpeg })
    }

    /// Encodes a picture of `size` pixels.
    pub(crate) fn encode(&mut self, picture: &Picture, size: (usize, usize)) -> Result<Vec<u8>, PhotoError> {
        match (self.format, picture) {
            (Format::Jpeg, Picture::Planes(planes)) => self.planes(planes, size),
            (Format::Jpeg, Picture::Rgb(rgb)) => self.pixels(&rgb.data, rgb.width * 3, size, PixelFormat::RGB),
            (Format::Webp, _) => webp::encode(picture, size, self.quality),
            (Format::Avif, _) => avif::encode(picture, size, self.quality),
        }
    }

    fn planes(&mut self, planes: &Planes, (width, height): (usize, usize)) -> Result<Vec<u8>, PhotoError> {
        let Some([cb, cr]) = &planes.chroma else {
            return self.pixels(&planes.luma.data, planes.luma.width, (width, height), PixelFormat::GRAY);
        };
        let image = YuvPlanesImage {
            y_plane: &planes.luma.data[..],
            u_plane: &cb.data[..],
            v_plane: &cr.data[..],
            width,
            height,
            y_stride: planes.luma.width,
            u_stride: cb.width,
            v_stride: cr.width,
            subsamp: Subsamp::Sub2x2,
        };
        self.jpeg.set_subsamp(Subsamp::Sub2x2).map_err(broken)?;
        self.jpeg.compress_yuv_planes_to_vec(&image).map_err(broken)
    }

    fn pixels(
        &mut self,
        pixels: &[u8],
        pitch: usize,
        (width, height): (usize, usize),
        format: PixelFormat,
    ) -> Result<Vec<u8>, PhotoError> {
        let coarse = if format == PixelFormat::GRAY { Subsamp::Gray } else { Subsamp::Sub2x2 };
        self.jpeg.set_subsamp(coarse).map_err(broken)?;
        self.jpeg.compress_to_vec(Image { pixels, width, pitch, height, format }).map_err(broken)
    }
}

pub(crate) fn broken(why: impl std::fmt::Display) -> PhotoError {
    PhotoError::Broken(format!("it cannot be encoded: {why}"))
}
