//! Pixels in red, green and blue, without transparency.

use bytes::Bytes;
use fast_image_resize::{FilterType, PixelType};
use image::DynamicImage;

use crate::{
    PhotoError,
    colour::ycc_to_rgb,
    planes::Planes,
    resample::{Area, Resampler, Source},
};

/// Three bytes a pixel, row by row. Copies are cheap.
#[derive(Clone, Debug)]
pub(crate) struct Rgb {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) data: Bytes,
}

impl Rgb {
    /// Takes what a decoder gave. What is transparent shows a white background.
    pub(crate) fn from_decoded(decoded: DynamicImage) -> Self {
        let (width, height) = (decoded.width() as usize, decoded.height() as usize);
        let data = if decoded.color().has_alpha() {
            over_white(decoded.into_rgba8().into_raw())
        } else {
            decoded.into_rgb8().into_raw()
        };
        Self { width, height, data: data.into() }
    }

    /// Resizes an area of a photo in planes and converts it, colour as fine as brightness.
    pub(crate) fn from_planes(
        planes: &Planes,
        resampler: &mut Resampler,
        area: Area,
        filter: FilterType,
        (width, height): (usize, usize),
    ) -> Result<Self, PhotoError> {
        let (luma, chroma) = planes.patch(resampler, area, filter, (width, height))?;
        let chroma = chroma.as_ref().map(|[cb, cr]| [&cb[..], &cr[..]]);
        Ok(Self { width, height, data: ycc_to_rgb(&luma, chroma).into() })
    }

    pub(crate) fn resize(
        &self,
        resampler: &mut Resampler,
        area: Area,
        filter: FilterType,
        (width, height): (usize, usize),
    ) -> Result<Self, PhotoError> {
        let source = Source { data: &self.data, width: self.width, height: self.height, kind: PixelType::U8x3 };
        Ok(Self { width, height, data: resampler.resize(source, area, filter, (width, height))?.into() })
    }
}

/// Four bytes a pixel become three, in place: a copy of a large photo is memory that a small machine lacks.
pub(crate) fn over_white(mut pixels: Vec<u8>) -> Vec<u8> {
    let count = pixels.len() / 4;
    for index in 0..count {
        let [red, green, blue, alpha] = [0, 1, 2, 3].map(|channel| u16::from(pixels[index * 4 + channel]));
        let mixed = [red, green, blue].map(|channel| {
            let mixed = (channel * alpha + 255 * (255 - alpha) + 127) / 255;
            u8::try_from(mixed).unwrap_or(u8::MAX)
        });
        pixels[index * 3..index * 3 + 3].copy_from_slice(&mixed);
    }
    pixels.truncate(count * 3);
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transparency_shows_white() {
        let half = image::RgbaImage::from_raw(2, 1, vec![200, 0, 0, 0, 0, 0, 0, 128]).unwrap();
        assert_eq!(Rgb::from_decoded(DynamicImage::ImageRgba8(half)).data[..], [255, 255, 255, 127, 127, 127]);
    }
}
