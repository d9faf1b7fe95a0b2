//! Photos that are stored as they are printed, in four inks.

use turbojpeg::{DecompressHeader, Decompressor, Image, PixelFormat, ScalingFactor};

use super::{extent, harmless};
use crate::{PhotoError, colour::inks_to_rgb, rgb::Rgb};

/// Decodes to red, green and blue.
pub(super) fn decode(
    decoder: &mut Decompressor,
    content: &[u8],
    header: &DecompressHeader,
    factor: ScalingFactor,
    profile: Option<&[u8]>,
) -> Result<Rgb, PhotoError> {
    decoder.set_scaling_factor(factor).map_err(PhotoError::broken)?;
    let scaled = header.scaled(factor);
    let (width, height) = (scaled.width, scaled.height);
    let pixels = vec![0; width * height * 4];
    let mut image = Image { pixels, width, pitch: width * 4, height, format: PixelFormat::CMYK };
    decoder.decompress(content, image.as_deref_mut()).or_else(|error| harmless(&error))?;
    // Adobe's programs, which nearly all such files come from, store what an ink leaves.
    for level in &mut image.pixels {
        *level = u8::MAX - *level;
    }
    let data = inks_to_rgb(&image.pixels, profile);
    Ok(Rgb { extent: extent(header, factor), ..Rgb::new(width, height, data) })
}
