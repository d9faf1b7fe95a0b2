//! From the bytes that were uploaded to pixels in sRGB, upright, without transparency and without metadata.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

use super::{Photo, PhotoError, inspect, jpeg};

/// Most memory that a decoder may take beside the pixels themselves.
const MEMORY: u64 = 1024 * 1024 * 1024;

/// Limits of every decoder.
pub(super) fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MEMORY);
    limits
}

/// Decodes a photo.
pub fn decode(content: &[u8]) -> Result<Photo, PhotoError> {
    let header = inspect(content)?;
    if header.kind.format == ImageFormat::Jpeg && !jpeg::is_whole(content) {
        return Err(PhotoError::Truncated);
    }
    let broken = |error: image::ImageError| PhotoError::Broken(error.to_string());
    let mut reader = ImageReader::with_format(Cursor::new(content), header.kind.format);
    reader.limits(limits());
    let mut decoder = reader.into_decoder().map_err(broken)?;
    // Metadata that cannot be read is no reason to refuse a photo that can.
    let orientation = decoder.orientation().unwrap_or(image::metadata::Orientation::NoTransforms);
    let profile = decoder.icc_profile().ok().flatten();
    let mut decoded =
        DynamicImage::from_decoder(decoder).map_err(|error| cut_off(&error).unwrap_or_else(|| broken(error)))?;
    decoded.apply_orientation(orientation);
    let rgb = flatten(decoded);
    let (width, height) = rgb.dimensions();
    let pixels = to_srgb(rgb.into_raw(), profile.as_deref());
    Ok(Photo { width, height, pixels })
}

/// A file that ends too early is told of in plain words.
fn cut_off(error: &image::ImageError) -> Option<PhotoError> {
    match error {
        image::ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Some(PhotoError::Truncated)
        }
        _ => None,
    }
}

/// What is transparent shows a white background.
fn flatten(decoded: DynamicImage) -> image::RgbImage {
    if !decoded.color().has_alpha() {
        return decoded.into_rgb8();
    }
    let rgba = decoded.into_rgba8();
    let (width, height) = rgba.dimensions();
    let pixels = rgba.as_raw().chunks_exact(4).flat_map(|pixel| {
        let alpha = u16::from(pixel[3]);
        let over_white = |channel: u8| {
            let mixed = (u16::from(channel) * alpha + 255 * (255 - alpha) + 127) / 255;
            u8::try_from(mixed).unwrap_or(u8::MAX)
        };
        [over_white(pixel[0]), over_white(pixel[1]), over_white(pixel[2])]
    });
    image::RgbImage::from_raw(width, height, pixels.collect()).expect("there are three bytes for each pixel")
}

/// Converts to sRGB where the photo says that it is something else. A profile that cannot be used is passed over, as
/// browsers do.
fn to_srgb(pixels: Vec<u8>, profile: Option<&[u8]>) -> Vec<u8> {
    let Some(profile) = profile.and_then(|bytes| ColorProfile::new_from_slice(bytes).ok()) else { return pixels };
    if profile.color_space != DataColorSpace::Rgb {
        return pixels;
    }
    let target = ColorProfile::new_srgb();
    let Ok(transform) = profile.create_transform_8bit(Layout::Rgb, &target, Layout::Rgb, TransformOptions::default())
    else {
        return pixels;
    };
    let mut converted = vec![0; pixels.len()];
    match transform.transform(&pixels, &mut converted) {
        Ok(()) => converted,
        Err(_) => pixels,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transparency_shows_white() {
        let half = image::RgbaImage::from_raw(2, 1, vec![200, 0, 0, 0, 0, 0, 0, 128]).unwrap();
        let flat = flatten(DynamicImage::ImageRgba8(half));
        assert_eq!(flat.as_raw(), &[255, 255, 255, 127, 127, 127]);
    }

    #[test]
    fn a_profile_that_is_none_changes_nothing() {
        assert_eq!(to_srgb(vec![1, 2, 3], Some(b"not a profile")), [1, 2, 3]);
    }

    #[test]
    fn a_photo_that_was_cut_off_is_said_to_be() {
        let jpeg = include_bytes!("../../../tests/photos/rocket.jpg");
        assert_eq!(decode(&jpeg[..jpeg.len() / 2]).err(), Some(PhotoError::Truncated));
        let png = include_bytes!("../../../tests/photos/cat.png");
        assert!(matches!(decode(&png[..png.len() / 2]), Err(PhotoError::Truncated | PhotoError::Broken(_))));
        assert_eq!(decode(b"<svg xmlns='http://www.w3.org/2000/svg'/>").err(), Some(PhotoError::NotAnImage));
        assert_eq!(decode(b"").err(), Some(PhotoError::NotAnImage));
    }
}
