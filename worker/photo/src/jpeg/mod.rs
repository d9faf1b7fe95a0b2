//! JPEG: whether a file is whole, its planes at a fraction of their size, and how much memory they take.

mod frame;
mod whole;

use bytes::Bytes;
use turbojpeg::{Colorspace, Decompressor, ScalingFactor, Subsamp, YuvImage, yuv_pixels_len};

use self::frame::Frame;
pub(crate) use self::whole::{head, shape};
use crate::{
    PhotoError,
    memory::Memory,
    planes::{Coarse, Plane, Planes},
    resample::Levels,
};

/// Fractions at which decoding is fast: the transform itself gives fewer samples.
const FRACTIONS: [ScalingFactor; 3] = [ScalingFactor::ONE_EIGHTH, ScalingFactor::ONE_QUARTER, ScalingFactor::ONE_HALF];

/// Decodes to planes, at the smallest fraction of the size that is still at least `least` in both directions. Returns none
/// for a JPEG that has no such planes (one for print, or one stored as red, green and blue).
pub(crate) fn planes(content: &[u8], least: (usize, usize)) -> Result<Option<Planes>, PhotoError> {
    let mut decoder = Decompressor::new().map_err(PhotoError::broken)?;
    let Ok(header) = decoder.read_header(content) else { return Ok(None) };
    let grey = match header.colorspace {
        Colorspace::Gray => true,
        Colorspace::YCbCr => false,
        _ => return Ok(None),
    };
    if header.is_lossless || header.subsamp == Subsamp::Unknown {
        return Ok(None);
    }
    let factor = factor((header.width, header.height), least);
    decoder.set_scaling_factor(factor).map_err(PhotoError::broken)?;
    let scaled = header.scaled(factor);
    let length = yuv_pixels_len(scaled.width, 1, scaled.height, scaled.subsamp).map_err(PhotoError::broken)?;
    let mut image = YuvImage {
        pixels: vec![0; length],
        width: scaled.width,
        align: 1,
        height: scaled.height,
        subsamp: scaled.subsamp,
    };
    decoder.decompress_to_yuv(content, image.as_deref_mut()).or_else(|error| harmless(&error))?;
    let (across, down) = scaled.subsamp.size();
    #[expect(clippy::cast_precision_loss, reason = "sizes of photos are far below 2^52")]
    let extent = |size: usize| (size * factor.num()) as f64 / factor.denom() as f64;
    let extent = (extent(header.width), extent(header.height));
    Ok(Some(split(image, grey, extent, Coarse { across, down })))
}

/// The smallest fraction of a size that is still at least `least`.
fn factor((width, height): (usize, usize), least: (usize, usize)) -> ScalingFactor {
    let enough = |factor: &ScalingFactor| {
        width * factor.num() >= least.0 * factor.denom() && height * factor.num() >= least.1 * factor.denom()
    };
    FRACTIONS.into_iter().find(enough).unwrap_or(ScalingFactor::ONE)
}

/// About the memory that decoding takes at most, and that what comes of it takes, in bytes.
pub(crate) fn memory(content: &[u8], size: (usize, usize), least: (usize, usize)) -> Memory {
    let pixels = (size.0 * size.1) as u64;
    // A head that is broken is one of a photo that is not going to be decoded.
    let Some(frame) = Frame::of(content) else { return Memory::default() };
    let coefficients = if frame.scans { frame.samples(pixels) * 2 } else { 0 };
    let factor = factor(size, least);
    let kept =
        if frame.planes { frame.samples((factor.scale(size.0) * factor.scale(size.1)) as u64) } else { pixels * 3 };
    Memory { decoding: coefficients + kept, kept }
}

/// Some cameras leave a few bytes between two markers, which every viewer passes over.
fn harmless(error: &turbojpeg::Error) -> Result<(), PhotoError> {
    let says = error.to_string();
    if says.contains("extraneous bytes") {
        Ok(())
    } else if says.to_ascii_lowercase().contains("premature end") {
        Err(PhotoError::Truncated)
    } else {
        Err(PhotoError::Broken(says))
    }
}

fn split(image: YuvImage<Vec<u8>>, grey: bool, extent: (f64, f64), coarse: Coarse) -> Planes {
    let ((wide, high), (narrow, low)) = (image.y_size(), image.uv_size());
    let pixels = Bytes::from(image.pixels);
    let plane = |width: usize, height: usize, at: usize| {
        let data = pixels.slice(at..at + width * height);
        Plane { width, height, data, levels: Levels::Full }
    };
    let luma = plane(wide, high, 0);
    if grey {
        return Planes { extent, luma, chroma: None, coarse: Coarse::NONE };
    }
    let cb = plane(narrow, low, wide * high);
    let cr = plane(narrow, low, wide * high + narrow * low);
    Planes { extent, luma, chroma: Some([cb, cr]), coarse }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROCKET: &[u8] = include_bytes!("../../../../tests/photos/rocket.jpg");

    #[test]
    fn no_more_is_decoded_than_serves() {
        let whole = planes(ROCKET, (usize::MAX / 16, 1)).unwrap().unwrap();
        for (part, fraction) in [(2, 0.5), (4, 0.25), (8, 0.125)] {
            let (width, height) = whole.extent;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
            let least = (width as usize / part, height as usize / part);
            let small = planes(ROCKET, least).unwrap().unwrap();
            assert_eq!(small.extent, (width * fraction, height * fraction));
        }
    }

    #[test]
    fn what_is_no_jpeg_or_is_broken_inside_is_told() {
        assert!(planes(b"nothing", (1, 1)).unwrap().is_none());
        let mut broken = ROCKET.to_vec();
        let middle = broken.len() / 2;
        // A restart that the file did not announce.
        broken[middle..middle + 2].copy_from_slice(&[0xFF, 0xD3]);
        let error = planes(&broken, (1, 1)).unwrap_err();
        assert!(matches!(error, PhotoError::Broken(_) | PhotoError::Truncated), "{error}");
    }
}
