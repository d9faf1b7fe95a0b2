//! WebP by its authors' library: photos in planes as they are stored, everything else in red, green and blue.

use decouple_contract::Colour;
use webpx::{BitstreamFormat, Decoder, DecoderConfig, Encoder, Limits, Unstoppable, YuvPlanesRef};

use crate::{
    PhotoError, colour,
    memory::Memory,
    picture::Picture,
    planes::{Coarse, Plane, Planes},
    resample::Levels,
    rgb::{Rgb, flattened},
};

/// Decodes a photo; none where it moves.
pub(crate) fn decode(content: &[u8], background: Colour) -> Result<Option<Picture>, PhotoError> {
    if claimed_length(content) > content.len() as u64 {
        return Err(PhotoError::Truncated);
    }
    let decoder = Decoder::new(content).map_err(|error| PhotoError::broken(error.error()))?;
    let info = decoder.info().clone();
    if info.has_animation {
        return Ok(None);
    }
    // Sizes were looked at before, and have one limit for all formats.
    let decoder = decoder.config(DecoderConfig::new().limits(Limits::none()));
    let broken = |error: webpx::At<webpx::Error>| PhotoError::broken(error.error());
    let (width, height) = (info.width as usize, info.height as usize);
    if info.has_alpha {
        let (pixels, ..) = decoder.decode_rgba_raw().map_err(broken)?;
        return Ok(Some(Picture::Rgb(Rgb::new(width, height, flattened(pixels, background)))));
    }
    if info.format != BitstreamFormat::Lossy {
        let (pixels, ..) = decoder.decode_rgb_raw().map_err(broken)?;
        return Ok(Some(Picture::Rgb(Rgb::new(width, height, pixels))));
    }
    let planes = decoder.decode_yuv().map_err(broken)?;
    let luma = Plane { width: planes.y_stride, height, data: planes.y.into(), levels: Levels::NarrowLuma };
    let (narrow, low) = (planes.u_stride, height.div_ceil(2));
    let chroma = [planes.u, planes.v].map(|data| Plane {
        width: narrow,
        height: low,
        data: data.into(),
        levels: Levels::NarrowChroma,
    });
    #[expect(clippy::cast_precision_loss, reason = "WebP has at most 16,383 pixels a side")]
    let extent = (width as f64, height as f64);
    Ok(Some(Picture::Planes(Planes { extent, luma, chroma: Some(chroma), coarse: Coarse::HALF })))
}

/// About the memory that decoding takes at most, and that what comes of it takes, in bytes.
pub(crate) fn memory(content: &[u8], pixels: u64) -> Memory {
    let has = |kind: &[u8; 4]| chunks(content).any(|(found, _)| found == kind);
    let (decoding, kept) = match () {
        // Frames are laid over each other.
        () if has(b"ANIM") => (12, 4),
        // Its pixels are unpacked to four bytes and converted, or converted and copied.
        () if has(b"VP8L") || has(b"ALPH") => (8, 4),
        // Planes, which are copied once.
        () => return Memory { decoding: pixels * 3, kept: pixels * 3 / 2 },
    };
    Memory { decoding: pixels * decoding, kept: pixels * kept }
}

/// The parts of a file, each with its kind.
pub(crate) fn chunks(content: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = content.get(12..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (kind, length) = (rest.get(..4)?, rest.get(4..8)?.try_into().map(u32::from_le_bytes).ok()?);
        let (length, behind) = (length as usize, rest.get(8..)?);
        rest = behind.get(length.checked_next_multiple_of(2)?..).unwrap_or_default();
        Some((kind, &behind[..length.min(behind.len())]))
    })
}

/// The container says how long it is.
pub(crate) fn claimed_length(content: &[u8]) -> u64 {
    let length = content.get(4..8).and_then(|length| length.try_into().ok()).map_or(0, u32::from_le_bytes);
    u64::from(length) + 8
}

/// Encodes a picture of `width` x `height` pixels; its planes have colour half as fine as brightness.
pub(crate) fn encode(picture: &Picture, (width, height): (usize, usize), quality: u8) -> Result<Vec<u8>, PhotoError> {
    let broken = |why: &dyn std::fmt::Display| PhotoError::Broken(format!("it cannot be encoded: {why}"));
    let [width, height] = [width, height].map(|side| u32::try_from(side).unwrap_or(u32::MAX));
    let quality = f32::from(quality);
    let encoded = match picture {
        Picture::Rgb(rgb) => Encoder::new_rgb(&rgb.data, width, height).quality(quality).encode(Unstoppable),
        Picture::Planes(planes) => {
            let [y, u, v] = narrowed(planes);
            let (y_stride, stride) = (planes.luma.width, planes.luma.width.div_ceil(2));
            let (y, u, v) = (&y[..], &u[..], &v[..]);
            let (u_stride, v_stride) = (stride, stride);
            let planes = YuvPlanesRef { y, y_stride, u, u_stride, v, v_stride, a: None, a_stride: 0, width, height };
            Encoder::new_yuv(planes).quality(quality).encode(Unstoppable)
        }
    };
    encoded.map_err(|error| broken(error.error()))
}

/// Returns planes in WebP's range. What is grey gets colours that are none.
fn narrowed(planes: &Planes) -> [Vec<u8>; 3] {
    let mut luma = planes.luma.data.to_vec();
    colour::narrow_luma(&mut luma);
    let Some(chroma) = &planes.chroma else {
        let grey = vec![colour::NO_COLOUR; planes.luma.width.div_ceil(2) * planes.luma.height.div_ceil(2)];
        return [luma, grey.clone(), grey];
    };
    let [cb, cr] = chroma.each_ref().map(|plane| {
        let mut samples = plane.data.to_vec();
        colour::narrow_chroma(&mut samples);
        samples
    });
    [luma, cb, cr]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resample::{Area, Filter};

    fn slope(width: usize, height: usize) -> Rgb {
        let rising = |at: usize, of: usize| (at * 200 / of + 20) as u8;
        let pixel = |x: usize, y: usize| [rising(x, width), rising(y, height), 90];
        let data: Vec<u8> = (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(x, y))).collect();
        Rgb::new(width, height, data)
    }

    fn furthest(picture: &Picture, from: &Rgb) -> u8 {
        let size = (from.width, from.height);
        let shown = picture.patch(Area::whole(size), Filter::Lanczos3, size);
        shown.data.iter().zip(&from.data).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
    }

    #[test]
    fn planes_keep_their_colours_there_and_back_at_every_odd_size() {
        for (width, height) in [(333, 255), (64, 64), (33, 1), (1, 1)] {
            let photo = slope(width, height);
            let first = encode(&Picture::Rgb(photo.clone()), (width, height), 95).unwrap();
            let planes = decode(&first, Colour::WHITE).unwrap().unwrap();
            assert!(matches!(planes, Picture::Planes(_)));
            assert!(furthest(&planes, &photo) < 14, "{width} x {height}");
            let upright = planes.resize((width, height));
            let second = encode(&upright, (width, height), 95).unwrap();
            assert!(furthest(&decode(&second, Colour::WHITE).unwrap().unwrap(), &photo) < 18, "{width} x {height}");
        }
    }

    #[test]
    fn what_is_cut_off_or_no_webp_is_told() {
        let photo = encode(&Picture::Rgb(slope(300, 200)), (300, 200), 80).unwrap();
        for length in [13, 30, photo.len() / 2, photo.len() - 2] {
            assert_eq!(decode(&photo[..length], Colour::WHITE).err(), Some(PhotoError::Truncated), "{length}");
        }
        assert!(decode(b"RIFF\x04\0\0\0WEBPVP8 ", Colour::WHITE).is_err());
    }

    #[test]
    fn what_a_file_holds_says_how_much_memory_it_takes() {
        for (name, decoding, kept) in [
            ("lossy.webp", 300, 150),
            ("lossless.webp", 800, 400),
            ("alpha.webp", 800, 400),
            ("moving.webp", 1200, 400),
        ] {
            let file = std::fs::read(format!("{}/fuzz/seeds/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
            assert_eq!(memory(&file, 100), Memory { decoding, kept }, "{name}");
            for length in 0..file.len().min(60) {
                let _said_of_any_part = memory(&file[..length], 100);
            }
        }
    }
}
