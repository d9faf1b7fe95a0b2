//! Conversions between colour spaces: the one of JPEG's planes, and the one that a profile names, to sRGB.

use std::sync::Arc;

use bytes::Bytes;
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformExecutor, TransformOptions};

/// Colours that a conversion changes by no more than this are not worth converting.
const UNSEEN: u8 = 2;

/// Converts brightness and colour of equal size (as JPEG has them, in full range) to red, green and blue.
pub(crate) fn ycc_to_rgb(luma: &[u8], chroma: Option<[&[u8]; 2]>) -> Vec<u8> {
    let mut rgb = vec![0; luma.len() * 3];
    let Some([cb, cr]) = chroma else {
        for (pixel, grey) in rgb.chunks_exact_mut(3).zip(luma) {
            pixel.fill(*grey);
        }
        return rgb;
    };
    for (((pixel, luma), cb), cr) in rgb.chunks_exact_mut(3).zip(luma).zip(cb).zip(cr) {
        let (luma, cb, cr) = (i32::from(*luma) << 16, i32::from(*cb) - 128, i32::from(*cr) - 128);
        // 1.402, 0.344136, 0.714136 and 1.772 in 1/65536, and a half to round.
        let channels =
            [luma + 91_881 * cr, luma - 22_554 * cb - 46_802 * cr, luma + 116_130 * cb].map(|sum| (sum + 32_768) >> 16);
        for (to, channel) in pixel.iter_mut().zip(channels) {
            *to = u8::try_from(channel.clamp(0, 255)).unwrap_or(u8::MAX);
        }
    }
    rgb
}

/// Of a plane of colour: neither more nor less than grey has.
pub(crate) const NO_COLOUR: u8 = 128;

/// Brightness from JPEG's range (0 to 255) to WebP's (16 to 235). In 16 bits, so that many samples are converted at once.
pub(crate) fn narrow_luma(samples: &mut [u8]) {
    convert(samples, |sample| ((sample * 220 + 128) >> 8) + 16);
}

/// Colour from JPEG's range to WebP's (16 to 240).
pub(crate) fn narrow_chroma(samples: &mut [u8]) {
    convert(samples, |sample| (sample * 225 + 31 * 128 + 128) >> 8);
}

fn convert(samples: &mut [u8], conversion: impl Fn(u16) -> u16) {
    for sample in samples {
        *sample = u8::try_from(conversion(u16::from(*sample)).min(255)).unwrap_or(u8::MAX);
    }
}

/// A conversion to sRGB.
pub(crate) struct ToSrgb(Arc<dyn TransformExecutor<u8> + Send + Sync>);

impl ToSrgb {
    /// Returns the conversion that a photo's profile asks for; none where it is sRGB already, near enough. A profile that
    /// cannot be used is passed over, as browsers do.
    pub(crate) fn from_profile(profile: &[u8]) -> Option<Self> {
        let profile = ColorProfile::new_from_slice(profile).ok()?;
        if profile.color_space != DataColorSpace::Rgb {
            return None;
        }
        let target = ColorProfile::new_srgb();
        let transform =
            profile.create_transform_8bit(Layout::Rgb, &target, Layout::Rgb, TransformOptions::default()).ok()?;
        let conversion = Self(transform);
        conversion.is_seen().then_some(conversion)
    }

    /// Converts pixels. Where it cannot be done they stay as they are.
    pub(crate) fn convert(&self, pixels: Bytes) -> Bytes {
        let mut converted = vec![0; pixels.len()];
        match self.0.transform(&pixels, &mut converted) {
            Ok(()) => converted.into(),
            Err(_) => pixels,
        }
    }

    /// Tries a cube of colours. Cameras and editors put sRGB's own profile into most files.
    fn is_seen(&self) -> bool {
        const LEVELS: [u8; 6] = [0, 51, 102, 153, 204, 255];
        let colours: Bytes = LEVELS
            .into_iter()
            .flat_map(|red| LEVELS.map(|green| LEVELS.map(|blue| [red, green, blue])))
            .flatten()
            .flatten()
            .collect();
        let converted = self.convert(colours.clone());
        colours.iter().zip(&converted).any(|(before, after)| before.abs_diff(*after) > UNSEEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_become_the_colours_that_they_stand_for() {
        let rgb = ycc_to_rgb(&[76, 150, 29, 255, 0], Some([&[85, 44, 255, 128, 128], &[255, 21, 107, 128, 128]]));
        let expected = [254, 0, 0, 0, 255, 1, 0, 0, 254, 255, 255, 255, 0, 0, 0];
        assert!(rgb.iter().zip(expected).all(|(found, expected): (&u8, u8)| found.abs_diff(expected) <= 1), "{rgb:?}");
        assert_eq!(ycc_to_rgb(&[7, 9], None), [7, 7, 7, 9, 9, 9]);
    }

    #[test]
    fn ranges_are_narrowed_to_their_ends() {
        type Conversion = fn(&mut [u8]);
        let conversions: [(Conversion, f64, f64); 2] =
            [(narrow_luma, 16.0, 219.0 / 255.0), (narrow_chroma, 128.0 - 128.0 * 224.0 / 255.0, 224.0 / 255.0)];
        for (narrow, least, factor) in conversions {
            let mut narrowed: Vec<u8> = (0..=255).collect();
            narrow(&mut narrowed);
            for (value, found) in (0_u8..=255).zip(narrowed) {
                let exact = f64::from(value) * factor + least;
                assert!((f64::from(found) - exact).abs() < 0.8, "{value}: {found}, not {exact}");
            }
        }
        let mut grey = [NO_COLOUR];
        narrow_chroma(&mut grey);
        assert_eq!(grey, [NO_COLOUR]);
    }

    #[test]
    fn a_profile_that_is_none_or_srgb_changes_nothing() {
        assert!(ToSrgb::from_profile(b"not a profile").is_none());
        let srgb = ColorProfile::new_srgb().encode().unwrap();
        assert!(ToSrgb::from_profile(&srgb).is_none());
    }

    #[test]
    fn colours_of_a_wider_space_become_stronger() {
        let wide = ColorProfile::new_display_p3().encode().unwrap();
        let converted = ToSrgb::from_profile(&wide).unwrap().convert(vec![200, 60, 60].into());
        assert!(converted[0] > 205 && converted[1] < 60, "{converted:?}");
    }
}
