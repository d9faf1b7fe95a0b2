//! Renditions, each from the next larger one, and what the model looks at, all from one decode.

use decouple_contract::Renditions;

use crate::{
    PhotoError, decode,
    encode::{self, Encoder, longest_side},
    look::{Look, OF},
    memory::{Memory, Need, PROCESS, RENDITION},
    picture::{Picture, Stored},
};

/// What is to be made of a photo.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Renditions, where they are.
    pub renditions: Option<&'a Renditions>,
    /// What the model looks at.
    pub look: bool,
}

/// What was made of a photo.
#[derive(Debug, Default)]
pub struct Made {
    /// The renditions, the widest first; none is wider than the photo itself. Empty where none were wanted.
    pub renditions: Vec<Encoded>,
    /// What the model looks at, where that was wanted.
    pub look: Option<Look>,
}

/// A rendition as a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The file, without any metadata.
    pub data: Vec<u8>,
}

impl Wanted<'_> {
    /// The sizes of the renditions of a photo, and the size that it is decoded to at least.
    fn of(&self, size: (usize, usize)) -> (Vec<(usize, usize)>, (usize, usize)) {
        let made = |settings: &Renditions| sizes(size, &settings.widths, longest_side(settings.format));
        let sizes = self.renditions.map(made).unwrap_or_default();
        let widest = sizes.first().copied().unwrap_or_default();
        let least = if self.look { (widest.0.max(OF), widest.1.max(OF)) } else { widest };
        (sizes, least)
    }
}

/// Says what it takes to make of a photo what is wanted, by its header.
pub fn need(content: &[u8], wanted: Wanted<'_>) -> Result<Need, PhotoError> {
    let opened = decode::open(content)?;
    let (sizes, least) = wanted.of(opened.size());
    let Memory { decoding, kept } = opened.memory(least);
    let widest = sizes.first().map_or(0, |(width, height)| (width * height) as u64);
    let encoding = wanted.renditions.map_or(0, |settings| encode::memory(settings.format));
    let made = widest * (RENDITION * opened.copies() + encoding);
    let memory = PROCESS + content.len() as u64 + decoding.max(kept + made);
    let (width, height) = (opened.header.width, opened.header.height);
    Ok(Need { width, height, memory })
}

/// Makes of a photo what is wanted. It takes one core for as long as it takes.
pub fn make(content: &[u8], wanted: Wanted<'_>) -> Result<Made, PhotoError> {
    let opened = decode::open(content)?;
    let (sizes, least) = wanted.of(opened.size());
    let stored = opened.decode(least, wanted.renditions.map(|settings| settings.background).unwrap_or_default())?;
    let mut maker = Maker { wanted, made: Made::default() };
    maker.make(stored, &sizes)?;
    Ok(maker.made)
}

struct Maker<'a> {
    wanted: Wanted<'a>,
    made: Made,
}

impl Maker<'_> {
    fn make(&mut self, stored: Stored, sizes: &[(usize, usize)]) -> Result<(), PhotoError> {
        let (Some(settings), Some(widest)) = (self.wanted.renditions, sizes.first()) else {
            self.look_at_stored(&stored);
            return Ok(());
        };
        let mut encoder = Encoder::new(settings.format, settings.quality)?;
        let mut picture = stored.upright(*widest);
        if !serves(*widest) {
            self.look_at_stored(&stored);
        }
        // The largest picture is of no use from here on, and is most of the memory.
        drop(stored);
        for (index, size) in sizes.iter().enumerate() {
            if index > 0 {
                picture = picture.resize(*size);
            }
            self.encode(&mut encoder, &picture, *size)?;
            let next_serves = sizes.get(index + 1).is_some_and(|next| serves(*next));
            if self.wanted.look && self.made.look.is_none() && !next_serves {
                self.made.look = Some(Look::at(&picture));
            }
        }
        Ok(())
    }

    fn look_at_stored(&mut self, stored: &Stored) {
        if self.wanted.look {
            self.made.look = Some(Look::at_stored(stored));
        }
    }

    fn encode(&mut self, encoder: &mut Encoder, picture: &Picture, size: (usize, usize)) -> Result<(), PhotoError> {
        let pixels = |size: usize| u32::try_from(size).map_err(PhotoError::broken);
        let data = encoder.encode(picture, size)?;
        self.made.renditions.push(Encoded { width: pixels(size.0)?, height: pixels(size.1)?, data });
        Ok(())
    }
}

/// Tells whether a picture is large enough for the model to look at.
fn serves((width, height): (usize, usize)) -> bool {
    width.min(height) >= OF
}

/// Returns the sizes that a photo is offered in: never wider than itself, no side above `most`, each once, the widest first.
fn sizes((width, height): (usize, usize), wanted: &[u32], most: usize) -> Vec<(usize, usize)> {
    // A tall photo is made as wide as its height allows, so that it keeps its proportions.
    let widest = width.min(most).min(width * most / height.max(1)).max(1);
    let mut widths: Vec<usize> = wanted.iter().map(|wanted| (*wanted as usize).clamp(1, widest)).collect();
    widths.sort_unstable_by(|a, b| b.cmp(a));
    widths.dedup();
    let scaled = |to: usize| ((height * to + width / 2) / width.max(1)).clamp(1, most);
    widths.into_iter().map(|to| (to, scaled(to))).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use decouple_contract::Format;
    use image::{DynamicImage, ImageFormat, RgbImage};

    use super::*;

    fn file(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let pixels = RgbImage::from_fn(width, height, |x, y| {
            let rising = |at: u32, of: u32| u8::try_from(at * 200 / of.max(1) + 20).unwrap();
            image::Rgb([rising(x, width), rising(y, height), 90])
        });
        let mut file = Cursor::new(Vec::new());
        DynamicImage::ImageRgb8(pixels).write_to(&mut file, format).unwrap();
        file.into_inner()
    }

    fn renditions(content: &[u8], settings: &Renditions) -> Vec<Encoded> {
        make(content, Wanted { renditions: Some(settings), look: false }).unwrap().renditions
    }

    #[test]
    fn no_rendition_is_wider_than_the_photo_and_none_is_made_twice() {
        assert_eq!(sizes((500, 300), &[160, 2048, 480, 1080], 1000), [(500, 300), (480, 288), (160, 96)]);
        assert_eq!(sizes((100, 1), &[160, 2048], 1000), [(100, 1)]);
    }

    #[test]
    fn no_side_is_longer_than_the_format_allows() {
        assert_eq!(sizes((1000, 17_000), &[160, 2048], 16_383), [(963, 16_371), (160, 2720)]);
        assert_eq!(sizes((1, 20_000), &[160], 16_383), [(1, 16_383)]);
        assert_eq!(sizes((20_000, 10), &[30_000], 16_383), [(16_383, 8)]);
        for (format, height) in [(Format::Webp, 17_000), (Format::Jpeg, 66_000)] {
            let settings = Renditions { widths: vec![8, 4], format, ..Renditions::default() };
            let tall = file(8, height, ImageFormat::Png);
            let made = make(&tall, Wanted { renditions: Some(&settings), look: true }).unwrap();
            assert!(made.look.is_some());
            let widths: Vec<u32> = made.renditions.iter().map(|rendition| rendition.width).collect();
            assert_eq!(widths, [7, 4]);
            for rendition in made.renditions {
                let read = image::load_from_memory(&rendition.data).unwrap().into_rgb8();
                assert_eq!(read.dimensions(), (rendition.width, rendition.height));
            }
        }
    }

    #[test]
    fn odd_and_extreme_shapes_keep_their_proportions_and_colours_in_every_format() {
        let sides = [(1, 1), (3, 2), (161, 3), (2, 1500), (1500, 1), (481, 321), (333, 255)];
        for format in [ImageFormat::Jpeg, ImageFormat::Png] {
            for (width, height) in sides {
                let made = renditions(&file(width, height, format), &Renditions::default());
                assert!(!made.is_empty());
                for rendition in made {
                    let read = image::load_from_memory(&rendition.data).unwrap().into_rgb8();
                    assert_eq!(read.dimensions(), (rendition.width, rendition.height));
                    let (x, y) = (rendition.width - 1, rendition.height - 1);
                    let (last, first) = (read.get_pixel(x, y), read.get_pixel(0, 0));
                    if rendition.width > 40 && rendition.height > 40 {
                        assert!(
                            last[0] > 200 && last[1] > 200 && last[2].abs_diff(90) < 12,
                            "{width}x{height} {last:?}"
                        );
                        assert!(first[0] < 36 && first[1] < 36, "{width}x{height} {first:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_format_is_what_it_says() {
        let formats =
            [(Format::Jpeg, ImageFormat::Jpeg), (Format::Webp, ImageFormat::WebP), (Format::Avif, ImageFormat::Avif)];
        for (format, kind) in formats {
            let settings = Renditions { widths: vec![32], format, ..Renditions::default() };
            let made = renditions(&file(64, 64, ImageFormat::Jpeg), &settings);
            assert_eq!(image::guess_format(&made[0].data).unwrap(), kind);
        }
    }

    #[test]
    fn one_decode_serves_both_parts_and_shows_the_model_the_same() {
        let photo = include_bytes!("../../../tests/photos/rocket.jpg");
        let alone = make(photo, Wanted { renditions: None, look: true }).unwrap();
        assert!(alone.renditions.is_empty());
        let alone = alone.look.unwrap();
        for widths in [vec![2048, 1080, 480, 160], vec![160]] {
            let settings = Renditions { widths, ..Renditions::default() };
            let both = make(photo, Wanted { renditions: Some(&settings), look: true }).unwrap();
            assert_eq!(both.renditions.is_empty(), settings.widths.is_empty());
            let differs = |(a, b): (&u8, &u8)| f64::from(a.abs_diff(*b));
            let both = both.look.unwrap();
            let mean = both.as_bytes().iter().zip(alone.as_bytes()).map(differs).sum::<f64>() / Look::LENGTH as f64;
            assert!(mean < 3.0, "{mean}");
        }
    }
}
