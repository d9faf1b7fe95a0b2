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
    /// What the picture measures, in pixels: of the last column and row a part may be all that is shown.
    pub(crate) extent: (f64, f64),
    pub(crate) data: Bytes,
}

impl Rgb {
    pub(crate) fn new(width: usize, height: usize, data: impl Into<Bytes>) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "sizes of photos are far below 2^52")]
        let extent = (width as f64, height as f64);
        Self { width, height, extent, data: data.into() }
    }

    /// Takes what a decoder gave. What is transparent shows the background.
    pub(crate) fn from_decoded(decoded: DynamicImage, background: Colour) -> Self {
        let (width, height) = (decoded.width() as usize, decoded.height() as usize);
        let data = if decoded.color().has_alpha() {
            flattened(decoded.into_rgba8().into_raw(), background)
        } else {
            decoded.into_rgb8().into_raw()
        };
        Self::new(width, height, data)
    }

    /// Resizes an area of a photo in planes and converts it, colour as fine as brightness.
    pub(crate) fn from_planes(planes: &Planes, area: Area, filter: Filter, (width, height): (usize, usize)) -> Self {
        let (luma, chroma) = planes.patch(area, filter, (width, height));
        let chroma = chroma.as_ref().map(|[cb, cr]| [&cb[..], &cr[..]]);
        Self::new(width, height, ycc_to_rgb(&luma, chroma))
    }

    pub(crate) fn resize(&self, area: Area, filter: Filter, (width, height): (usize, usize)) -> Self {
        if (width, height) == (self.width, self.height) && area == Area::whole((width, height)) {
            // A copy of a large picture is memory that a small machine lacks.
            return self.clone();
        }
        let source =
            Source { data: &self.data, width: self.width, height: self.height, channels: 3, levels: Levels::Full };
        Self::new(width, height, resize(source, area, filter, (width, height)))
    }
}

/// Four bytes a pixel become three, in place: a copy of a large photo is memory that a small machine lacks.
pub(crate) fn flattened(mut pixels: Vec<u8>, background: Colour) -> Vec<u8> {
    let count = pixels.len() / 4;
    for index in 0..count {
        let [red, green, blue, alpha] = [0, 1, 2, 3].map(|channel| pixels[index * 4 + channel]);
        pixels[index * 3..index * 3 + 3].copy_from_slice(&mixed([red, green, blue], alpha, background));
    }
    pixels.truncate(count * 3);
    pixels
}

/// Returns what a pixel that is transparent in part shows on a background.
pub(crate) fn mixed(pixel: [u8; 3], alpha: u8, background: Colour) -> [u8; 3] {
    let alpha = u16::from(alpha);
    let mut mixed = background.0;
    for (behind, channel) in mixed.iter_mut().zip(pixel) {
        let sum = u16::from(channel) * alpha + u16::from(*behind) * (255 - alpha);
        *behind = u8::try_from((sum + 127) / 255).unwrap_or(u8::MAX);
    }
    mixed
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
