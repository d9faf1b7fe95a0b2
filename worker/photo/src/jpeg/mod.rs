//! JPEG: whether a file is whole, its pixels at a fraction of their size, and how much memory they take.

mod frame;
mod print;
mod whole;

use bytes::Bytes;
use turbojpeg::{Colorspace, DecompressHeader, Decompressor, ScalingFactor, Subsamp, YuvImage, yuv_pixels_len};

use self::frame::{Colours, Frame};
pub(crate) use self::whole::{head, shape};
use crate::{
    PhotoError,
    memory::Memory,
    picture::Picture,
    planes::{Coarse, Plane, Planes},
    resample::Levels,
};

/// Fractions at which decoding is fast: the transform itself gives fewer samples.
const FRACTIONS: [ScalingFactor; 3] = [ScalingFactor::ONE_EIGHTH, ScalingFactor::ONE_QUARTER, ScalingFactor::ONE_HALF];

/// Decodes at the smallest fraction of the size that is still at least `least` in both directions. Returns none for a JPEG that its
/// library has no planes of, such as one stored as red, green and blue.
pub(crate) fn decode(
    content: &[u8],
    least: (usize, usize),
    profile: Option<&[u8]>,
) -> Result<Option<Picture>, PhotoError> {
    let mut decoder = Decompressor::new().map_err(PhotoError::broken)?;
    let Ok(header) = decoder.read_header(content) else { return Ok(None) };
    let factor = factor((header.width, header.height), least);
    match header.colorspace {
        _ if header.is_lossless => Ok(None),
        Colorspace::CMYK | Colorspace::YCCK => {
            print::decode(&mut decoder, content, &header, factor, profile).map(|rgb| Some(Picture::Rgb(rgb)))
        }
        Colorspace::Gray | Colorspace::YCbCr if header.subsamp != Subsamp::Unknown => {
            planes(&mut decoder, content, &header, factor).map(|planes| Some(Picture::Planes(planes)))
        }
        _ => Ok(None),
    }
}

fn planes(
    decoder: &mut Decompressor,
    content: &[u8],
    header: &DecompressHeader,
    factor: ScalingFactor,
) -> Result<Planes, PhotoError> {
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
    let grey = header.colorspace == Colorspace::Gray;
    Ok(split(image, grey, extent(header, factor), Coarse { across, down }))
}

/// What a photo measures at a fraction of its size; of the last column and row, a part.
#[expect(clippy::cast_precision_loss, reason = "sizes of photos are far below 2^52")]
fn extent(header: &DecompressHeader, factor: ScalingFactor) -> (f64, f64) {
    let extent = |size: usize| (size * factor.num()) as f64 / factor.denom() as f64;
    (extent(header.width), extent(header.height))
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
    let scaled = (factor.scale(size.0) * factor.scale(size.1)) as u64;
    let (decoding, kept) = match frame.colours {
        Colours::Planes => (frame.samples(scaled), frame.samples(scaled)),
        Colours::Inks => (scaled * 7, scaled * 3),
        Colours::Others => (pixels * 3, pixels * 3),
    };
    Memory { decoding: coefficients + decoding, kept }
}

/// What the library only warns of, and every viewer passes over: cameras leave a few bytes between two markers, or say of a
/// photo of one scan what is only said of several.
const HARMLESS: [&str; 5] = [
    "extraneous bytes",
    "invalid sos parameters",
    "unknown adobe color transform",
    "unknown jfif revision",
    "bad icc marker",
];

fn harmless(error: &turbojpeg::Error) -> Result<(), PhotoError> {
    let says = error.to_string().to_ascii_lowercase();
    if HARMLESS.iter().any(|harmless| says.contains(harmless)) {
        Ok(())
    } else if says.contains("premature end") {
        Err(PhotoError::Truncated)
    } else {
        Err(PhotoError::broken(error))
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
        let planes = |least| match decode(ROCKET, least, None) {
            Ok(Some(Picture::Planes(planes))) => planes,
            _ => panic!("no planes"),
        };
        let whole = planes((usize::MAX / 16, 1));
        for (part, fraction) in [(2, 0.5), (4, 0.25), (8, 0.125)] {
            let (width, height) = whole.extent;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
            let least = (width as usize / part, height as usize / part);
            let small = planes(least);
            assert_eq!(small.extent, (width * fraction, height * fraction));
        }
    }

    #[test]
    fn what_is_no_jpeg_or_is_broken_inside_is_told() {
        assert!(decode(b"nothing", (1, 1), None).unwrap().is_none());
        let mut broken = ROCKET.to_vec();
        let middle = broken.len() / 2;
        // A restart that the file did not announce.
        broken[middle..middle + 2].copy_from_slice(&[0xFF, 0xD3]);
        let error = decode(&broken, (1, 1), None).unwrap_err();
        assert!(matches!(error, PhotoError::Broken(_) | PhotoError::Truncated), "{error}");
    }
    #[test]
    fn what_the_library_only_warns_of_is_shown() {
        let scan = ROCKET.windows(2).position(|marker| marker == [0xFF, 0xDA]).unwrap();
        // Some phones say that a scan ends with the coefficient that it begins with.
        let mut odd = ROCKET.to_vec();
        odd[scan + 4 + 1 + 3 * 2 + 1] = 0;
        assert!(matches!(decode(&odd, (1, 1), None), Ok(Some(Picture::Planes(_)))));
    }
}
