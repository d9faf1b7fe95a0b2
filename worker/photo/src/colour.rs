//! Conversions between colour spaces: the one of JPEG's planes, and the ones that profiles name, to sRGB.

use std::sync::Arc;

use bytes::Bytes;
use decouple_contract::Colour;
use moxcms::{
    CicpColorPrimaries, CicpProfile, ColorProfile, DataColorSpace, Layout, MatrixCoefficients, TransferCharacteristics,
    TransformExecutor, TransformOptions,
};

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
            *to = level(channel);
        }
    }
    rgb
}

/// Converts rows of red, green and blue to brightness and two planes of colour, half as fine each way. A sample of colour is of the
/// mean of the pixels that it covers: at an edge that may be two, or one.
pub(crate) fn rgb_to_ycc(rgb: &[u8], width: usize) -> [Vec<u8>; 3] {
    let mut planes = [rgb.len() / 3, rgb.len() / 12, rgb.len() / 12].map(Vec::with_capacity);
    let [luma, cb, cr] = &mut planes;
    let mut sums = vec![[0_i32; 4]; width.div_ceil(2)];
    for rows in rgb.chunks((width * 3 * 2).max(1)) {
        sums.fill([0; 4]);
        for row in rows.chunks_exact(width * 3) {
            for (x, pixel) in row.as_chunks().0.iter().enumerate() {
                let [red, green, blue]: [i32; 3] = pixel.map(i32::from);
                // 0.299, 0.587 and 0.114 in 1/65536, and a half to round.
                luma.push(level((19_595 * red + 38_470 * green + 7_471 * blue + 32_768) >> 16));
                let sum = &mut sums[x / 2];
                *sum = [sum[0] + red, sum[1] + green, sum[2] + blue, sum[3] + 1];
            }
        }
        for [red, green, blue, count] in &sums {
            // 0.168736, 0.331264, 0.5, 0.418688 and 0.081312 in 1/65536. Colour is counted from 128 on.
            let mean = |sum: i32| level((sum + (128 * 65_536 + 32_768) * count) / (65_536 * count.max(&1)));
            cb.push(mean(-11_058 * red - 21_710 * green + 32_768 * blue));
            cr.push(mean(32_768 * red - 27_439 * green - 5_329 * blue));
        }
    }
    planes
}

fn level(value: i32) -> u8 {
    u8::try_from(value.clamp(0, 255)).unwrap_or(u8::MAX)
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

/// The colours that a photo says it has.
#[derive(Debug)]
pub(crate) enum Space {
    /// By an ICC profile.
    Profile(Vec<u8>),
    /// By codes (ITU-T H.273).
    Codes { primaries: u16, transfer: u16 },
}

impl Space {
    /// Tells whether this can be other than sRGB: its codes, those of broadcasts, whose light is shown as if it were sRGB's, and those
    /// that say nothing.
    pub(crate) fn differs(&self) -> bool {
        !matches!(self, Self::Codes { primaries: 0..=3, transfer: 0..=3 | 6 | 13..=15 })
    }

    /// The profile as it is in the file.
    pub(crate) fn stored_profile(&self) -> Option<&[u8]> {
        match self {
            Self::Profile(profile) => Some(profile),
            Self::Codes { .. } => None,
        }
    }

    fn profile(&self) -> Option<ColorProfile> {
        match self {
            Self::Profile(profile) => ColorProfile::new_from_slice(profile).ok(),
            Self::Codes { primaries, transfer } => {
                let transfer_characteristics = match transfer {
                    4 => TransferCharacteristics::Bt470M,
                    5 => TransferCharacteristics::Bt470Bg,
                    8 => TransferCharacteristics::Linear,
                    _ => TransferCharacteristics::Srgb,
                };
                let primaries = u8::try_from(*primaries).ok().filter(|code| !matches!(code, 0 | 2 | 3)).unwrap_or(1);
                let color_primaries = CicpColorPrimaries::try_from(primaries).ok()?;
                let matrix_coefficients = MatrixCoefficients::Identity;
                let codes =
                    CicpProfile { color_primaries, transfer_characteristics, matrix_coefficients, full_range: true };
                Some(ColorProfile::new_from_cicp(codes))
            }
        }
    }
}

type Transform = Arc<dyn TransformExecutor<u8> + Send + Sync>;

/// A conversion to sRGB.
pub(crate) struct ToSrgb {
    profile: ColorProfile,
    how: How,
}

enum How {
    /// Of red, green and blue together.
    Colours(Transform),
    /// Of each by itself: of a grey photo, all are the same.
    Greys(Box<[u8; 256]>),
}

impl ToSrgb {
    /// Returns the conversion that a photo's colours ask for; none where they are sRGB's already, near enough. A profile that
    /// cannot be used is passed over, as browsers do, and so is one for greys on a photo with colours.
    pub(crate) fn of(space: &Space, grey: bool) -> Option<Self> {
        let profile = space.profile()?;
        let how = match profile.color_space {
            DataColorSpace::Rgb => How::Colours(transform(&profile, Layout::Rgb, &ColorProfile::new_srgb())?),
            DataColorSpace::Gray if grey => {
                let all: Vec<u8> = (0..=u8::MAX).collect();
                let mut greys = [0; 256 * 3];
                transform(&profile, Layout::Gray, &ColorProfile::new_srgb())?.transform(&all, &mut greys).ok()?;
                How::Greys(Box::new(std::array::from_fn(|level| greys[level * 3 + 1])))
            }
            _ => return None,
        };
        let conversion = Self { profile, how };
        conversion.is_seen().then_some(conversion)
    }

    /// Converts pixels. Where it cannot be done they stay as they are.
    pub(crate) fn convert(&self, pixels: Bytes) -> Bytes {
        match &self.how {
            How::Colours(transform) => {
                let mut converted = vec![0; pixels.len()];
                match transform.transform(&pixels, &mut converted) {
                    Ok(()) => converted.into(),
                    Err(_) => pixels,
                }
            }
            How::Greys(table) => pixels.iter().map(|level| table[usize::from(*level)]).collect(),
        }
    }

    /// Returns a colour as it must be so that converting makes it what it is now; the nearest where there is none.
    pub(crate) fn before(&self, colour: Colour) -> Colour {
        match &self.how {
            How::Colours(_) => {
                let mut before = colour.0;
                let back = transform(&ColorProfile::new_srgb(), Layout::Rgb, &self.profile);
                match back.map(|back| back.transform(&colour.0, &mut before)) {
                    Some(Ok(())) => Colour(before),
                    _ => colour,
                }
            }
            How::Greys(table) => Colour(colour.0.map(|wanted| {
                let nearest = (0..=u8::MAX).min_by_key(|level| table[usize::from(*level)].abs_diff(wanted));
                nearest.unwrap_or(wanted)
            })),
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

fn transform(from: &ColorProfile, layout: Layout, to: &ColorProfile) -> Option<Transform> {
    from.create_transform_8bit(layout, to, Layout::Rgb, TransformOptions::default()).ok()
}

/// Converts what is to be printed, four bytes a pixel (cyan, magenta, yellow, black; 255 is all of an ink), to red, green and blue: as
/// the profile of the inks says, or without one as if they were perfect.
pub(crate) fn inks_to_rgb(inks: &[u8], profile: Option<&[u8]>) -> Vec<u8> {
    let mut rgb = vec![0; inks.len() / 4 * 3];
    let profile = profile.and_then(|profile| ColorProfile::new_from_slice(profile).ok());
    let profile = profile.filter(|profile| profile.color_space == DataColorSpace::Cmyk);
    // For inks, the library has the layout of four channels.
    let by_profile = profile.and_then(|profile| transform(&profile, Layout::Rgba, &ColorProfile::new_srgb()));
    if by_profile.is_some_and(|transform| transform.transform(inks, &mut rgb).is_ok()) {
        return rgb;
    }
    for (rgb, inks) in rgb.as_chunks_mut::<3>().0.iter_mut().zip(inks.as_chunks::<4>().0) {
        let left = |ink: u8| u32::from(u8::MAX - ink);
        let [.., black] = *inks;
        for (channel, ink) in rgb.iter_mut().zip(inks) {
            *channel = u8::try_from((left(*ink) * left(black) + 127) / 255).unwrap_or(u8::MAX);
        }
    }
    rgb
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
    fn colours_become_the_planes_that_stand_for_them() {
        let [red, green, blue] = [[255, 0, 0], [0, 255, 0], [0, 0, 255]];
        // Five pixels in three rows: the last column and the last row have no partner.
        let rows = [[red, red, green, blue, blue], [red, red, blue, green, blue], [green, green, red, blue, red]];
        let [luma, cb, cr] = rgb_to_ycc(rows.as_flattened().as_flattened(), 5);
        assert_eq!(luma, [76, 76, 150, 29, 29, 76, 76, 29, 150, 29, 150, 150, 76, 29, 76]);
        assert_eq!(cb, [85, 150, 255, 44, 170, 85]);
        assert_eq!(cr, [255, 64, 107, 21, 181, 255]);
        let [luma, cb, cr] = rgb_to_ycc(&[255; 3], 1);
        assert_eq!((&luma[..], &cb[..], &cr[..]), (&[255][..], &[128][..], &[128][..]));
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
        assert!(ToSrgb::of(&Space::Profile(b"not a profile".to_vec()), false).is_none());
        let srgb = ColorProfile::new_srgb().encode().unwrap();
        assert!(ToSrgb::of(&Space::Profile(srgb), false).is_none());
    }

    #[test]
    fn colours_of_a_wider_space_become_stronger() {
        let wide = Space::Profile(ColorProfile::new_display_p3().encode().unwrap());
        for wide in [wide, Space::Codes { primaries: 12, transfer: 13 }, Space::Codes { primaries: 9, transfer: 1 }] {
            let converted = ToSrgb::of(&wide, false).unwrap().convert(vec![200, 60, 60].into());
            assert!(converted[0] > 205 && converted[1] < 60, "{wide:?}: {converted:?}");
        }
    }

    #[test]
    fn codes_that_are_srgb_or_nothing_change_nothing() {
        for (primaries, transfer) in [(1, 13), (1, 1), (2, 2), (1, 14)] {
            let same = Space::Codes { primaries, transfer };
            assert!(!same.differs() && ToSrgb::of(&same, false).is_none(), "{same:?}");
        }
        let linear = Space::Codes { primaries: 1, transfer: 8 };
        let converted = ToSrgb::of(&linear, false).unwrap().convert(vec![128; 3].into());
        assert!(linear.differs() && converted.iter().all(|channel| channel.abs_diff(188) <= 1), "{converted:?}");
    }
    #[test]
    fn greys_are_converted_by_their_curve_and_only_where_all_is_grey() {
        let linear = Space::Profile(ColorProfile::new_gray_with_gamma(1.0).encode().unwrap());
        let conversion = ToSrgb::of(&linear, true).unwrap();
        let converted = conversion.convert(vec![0, 128, 255].into());
        assert!(converted[0] == 0 && converted[1].abs_diff(188) <= 1 && converted[2] == 255, "{converted:?}");
        assert!(ToSrgb::of(&linear, false).is_none());
    }

    #[test]
    fn a_background_is_the_colour_that_was_asked_for_after_conversion() {
        let wide = ToSrgb::of(&Space::Profile(ColorProfile::new_display_p3().encode().unwrap()), false).unwrap();
        let linear =
            ToSrgb::of(&Space::Profile(ColorProfile::new_gray_with_gamma(1.0).encode().unwrap()), true).unwrap();
        for (conversion, colour) in [(wide, [192, 32, 64]), (linear, [255, 188, 0])] {
            let shown = conversion.convert(conversion.before(Colour(colour)).0.to_vec().into());
            assert!(shown.iter().zip(colour).all(|(shown, colour)| shown.abs_diff(colour) <= 2), "{shown:?}");
        }
    }

    #[test]
    fn perfect_inks_take_away_what_they_are_for() {
        let inks = [[0; 4], [255, 0, 0, 0], [0, 255, 0, 0], [0, 0, 255, 0], [0, 0, 0, 255], [128, 0, 0, 128]];
        let expected =
            [[255; 3], [0, 255, 255], [255, 0, 255], [255, 255, 0], [0; 3], [63, 127, 127]].as_flattened().to_vec();
        assert_eq!(inks_to_rgb(inks.as_flattened(), None), expected);
        assert_eq!(inks_to_rgb(inks.as_flattened(), Some(b"no profile")), expected);
    }
}
