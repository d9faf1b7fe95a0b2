//! From pixels to renditions, each from the next larger one, and to what the model looks at.

use decouple_contract::{Format, Renditions};
use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};
use image::{ExtendedColorType, codecs::jpeg::JpegEncoder};

use super::{Photo, PhotoError};

/// A rendition as a file.
#[derive(Debug)]
pub struct Encoded {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The file, without any metadata.
    pub data: Vec<u8>,
}

/// Makes a photo's renditions, the widest first. None is wider than the photo itself.
pub fn renditions(photo: &Photo, settings: &Renditions) -> Result<Vec<Encoded>, PhotoError> {
    let mut made = Vec::new();
    let mut larger: Option<Photo> = None;
    for width in widths(photo.width, &settings.widths) {
        let source = larger.as_ref().unwrap_or(photo);
        let height = scaled_height(photo, width);
        let rendition = if (width, height) == (source.width, source.height) {
            Photo { width, height, pixels: source.pixels.clone() }
        } else {
            resize(source, width, height)?
        };
        made.push(Encoded { width, height, data: encode(&rendition, settings)? });
        larger = Some(rendition);
    }
    Ok(made)
}

/// Returns the widths that a photo is offered in: never wider than itself, each once, the widest first.
fn widths(own: u32, wanted: &[u32]) -> Vec<u32> {
    let mut widths: Vec<u32> = wanted.iter().map(|width| (*width).min(own)).collect();
    widths.sort_unstable_by(|a, b| b.cmp(a));
    widths.dedup();
    widths
}

fn scaled_height(photo: &Photo, width: u32) -> u32 {
    let (own_width, own_height) = (u64::from(photo.width), u64::from(photo.height));
    let height = (own_height * u64::from(width) + own_width / 2) / own_width.max(1);
    u32::try_from(height.max(1)).unwrap_or(u32::MAX)
}

fn resize(source: &Photo, width: u32, height: u32) -> Result<Photo, PhotoError> {
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    resize_with(source, width, height, &options)
}

fn resize_with(source: &Photo, width: u32, height: u32, options: &ResizeOptions) -> Result<Photo, PhotoError> {
    let broken = |error: &dyn std::fmt::Display| PhotoError::Broken(format!("it cannot be resized: {error}"));
    let from =
        ImageRef::new(source.width, source.height, &source.pixels, PixelType::U8x3).map_err(|error| broken(&error))?;
    let mut to = Image::new(width, height, PixelType::U8x3);
    Resizer::new().resize(&from, &mut to, options).map_err(|error| broken(&error))?;
    Ok(Photo { width, height, pixels: to.into_vec() })
}

fn encode(photo: &Photo, settings: &Renditions) -> Result<Vec<u8>, PhotoError> {
    let broken = |why: String| PhotoError::Broken(format!("it cannot be encoded: {why}"));
    match settings.format {
        Format::Jpeg => {
            let mut data = Vec::new();
            JpegEncoder::new_with_quality(&mut data, settings.quality)
                .encode(&photo.pixels, photo.width, photo.height, ExtendedColorType::Rgb8)
                .map_err(|error| broken(error.to_string()))?;
            Ok(data)
        }
        Format::Webp => {
            let encoder = webp::Encoder::from_rgb(&photo.pixels, photo.width, photo.height);
            let encoded = encoder.encode_simple(false, f32::from(settings.quality));
            encoded.map(|data| data.to_vec()).map_err(|error| broken(format!("{error:?}")))
        }
    }
}

/// Side of the square that the model looks at.
const SIDE: u32 = 224;
/// The model was trained on the middle of a photo of this side.
const OF: f64 = 256.0;

/// Returns what the model looks at: the middle of the photo, `[1, 3, 224, 224]`, red, green, blue, each `(v - 127) / 128`.
pub fn model_input(photo: &Photo) -> Result<Vec<f32>, PhotoError> {
    let side = f64::from(photo.width.min(photo.height)) * f64::from(SIDE) / OF;
    let side = side.max(1.0);
    let (left, top) = ((f64::from(photo.width) - side) / 2.0, (f64::from(photo.height) - side) / 2.0);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom)).crop(
        left.max(0.0),
        top.max(0.0),
        side.min(f64::from(photo.width)),
        side.min(f64::from(photo.height)),
    );
    let middle = resize_with(photo, SIDE, SIDE, &options)?;
    let channel =
        |offset: usize| middle.pixels.iter().skip(offset).step_by(3).map(|value| (f32::from(*value) - 127.0) / 128.0);
    Ok((0..3).flat_map(channel).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(width: u32, height: u32) -> Photo {
        Photo { width, height, pixels: vec![128; (width * height * 3) as usize] }
    }

    #[test]
    fn no_rendition_is_wider_than_the_photo_and_none_is_made_twice() {
        assert_eq!(widths(500, &[160, 2048, 480, 1080]), [500, 480, 160]);
        assert_eq!(widths(100, &[160, 2048]), [100]);
    }

    #[test]
    fn odd_and_extreme_shapes_keep_their_proportions() {
        for (width, height) in [(1, 1), (3, 2), (161, 3), (2, 4000), (4000, 1), (481, 321)] {
            let photo = grey(width, height);
            let made = renditions(&photo, &Renditions::default()).unwrap();
            assert!(!made.is_empty());
            for rendition in made {
                let read = image::load_from_memory(&rendition.data).unwrap();
                assert_eq!((read.width(), read.height()), (rendition.width, rendition.height));
                assert_eq!(rendition.height, scaled_height(&photo, rendition.width));
            }
        }
    }

    #[test]
    fn both_formats_are_what_they_say() {
        for (format, kind) in [(Format::Jpeg, image::ImageFormat::Jpeg), (Format::Webp, image::ImageFormat::WebP)] {
            let settings = Renditions { widths: vec![32], quality: 80, format };
            let made = renditions(&grey(64, 64), &settings).unwrap();
            assert_eq!(image::guess_format(&made[0].data).unwrap(), kind);
        }
    }

    #[test]
    fn the_model_looks_at_planes_of_the_middle() {
        let input = model_input(&grey(500, 300)).unwrap();
        assert_eq!(input.len(), 3 * 224 * 224);
        assert!(input.iter().all(|value| (value - 1.0 / 128.0).abs() < 0.01));
        assert_eq!(model_input(&grey(1, 1)).unwrap().len(), 3 * 224 * 224);
    }
}
