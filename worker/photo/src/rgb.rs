//! Pixels in red, green and blue, without transparency.

use bytes::Bytes;
use decouple_contract::Colour;
use image::DynamicImage;

use crate::{
    colour::ycc_to_rgb,
    planes::Planes,
    resample::{Area, Filter, Levels, Source, resize},
};

/// Three bytes a pixel, row by row. Copies are cheap.
#[derive(Clone, Debug)]
pub(crate) struct Rgb {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) data: Bytes,
}

impl Rgb {
    /// Takes what a decoder gave. What is transparent shows the background.
    pub(crate) fn from_decoded(decoded: DynamicImage, background: Colour) -> Self {
        let (width, height) = (decoded.width() as usize, decoded.height() as usize);
        let data = if decoded.color().has_alpha() {
            flattened(decoded.into_rgba8().into_raw(), background)
        } else {
            decoded.into_rgb8().into_raw()
        };
        Self { width, height, data: data.into() }
    }

    /// Resizes an area of a photo in planes and converts it, colour as fine as brightness.
    pub(crate) fn from_planes(planes: &Planes, area: Area, filter: Filter, (width, height): (usize, usize)) -> Self {
        let (luma, chroma) = planes.patch(area, filter, (width, height));
        let chroma = chroma.as_ref().map(|[cb, cr]| [&cb[..], &cr[..]]);
        Self { width, height, data: ycc_to_rgb(&luma, chroma).into() }
    }

    pub(crate) fn resize(&self, area: Area, filter: Filter, (width, height): (usize, usize)) -> Self {
        let source =
            Source { data: &self.data, width: self.width, height: self.height, channels: 3, levels: Levels::Full };
        Self { width, height, data: resize(source, area, filter, (width, height)).into() }
    }
}

/// Four bytes a pixel become three, in place: a copy of a large photo is memory that a small machine lacks.
pub(crate) fn flattened(mut pixels: Vec<u8>, background: Colour) -> Vec<u8> {
    let count = pixels.len() / 4;
    let [red, green, blue] = background.0.map(u16::from);
    for index in 0..count {
        let [r, g, b, alpha] = [0, 1, 2, 3].map(|channel| u16::from(pixels[index * 4 + channel]));
        let mixed = [(r, red), (g, green), (b, blue)].map(|(channel, behind)| {
            let mixed = (channel * alpha + behind * (255 - alpha) + 127) / 255;
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
    fn transparency_shows_the_background() {
        let half = image::RgbaImage::from_raw(2, 1, vec![200, 0, 0, 0, 0, 0, 0, 128]).unwrap();
        let half = DynamicImage::ImageRgba8(half);
        for (background, shown) in
            [(Colour::WHITE, [255, 255, 255, 127, 127, 127]), (Colour([9, 100, 200]), [9, 100, 200, 4, 50, 100])]
        {
            assert_eq!(Rgb::from_decoded(half.clone(), background).data[..], shown);
        }
    }
}
