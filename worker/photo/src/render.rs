//! Renditions, each from the next larger one, and what the model looks at, all from one decode.

use decouple_contract::{Animation, Colour, Format, Renditions};

use crate::{
    PhotoError, animation,
    animation::{Frame, Output, Timeline},
    decode::{self, Opened},
    encode::{self, Encoder, longest_side},
    look::{Look, OF},
    memory::{Memory, Need, PROCESS, RENDITION},
    picture::{Picture, Stored},
    resample::{Area, Filter},
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
    /// Why renditions stand still of a photo that moves, where they should move too.
    pub not_kept: Option<String>,
}

/// A rendition as a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The file's format. It is not the one that is wanted where the rendition moves.
    pub format: Format,
    /// The file, without any metadata.
    pub data: Vec<u8>,
}

/// What is going to be made of a photo.
struct Plan {
    sizes: Vec<(usize, usize)>,
    /// What it is decoded to at least.
    least: (usize, usize),
    /// Its frames, where all of them are shown.
    frames: Option<Timeline>,
    not_kept: Option<String>,
}

impl Plan {
    fn of(opened: &Opened<'_>, wanted: Wanted<'_>) -> Result<Self, PhotoError> {
        let sizes = |format| {
            let widths = wanted.renditions.map(|settings| &settings.widths[..]).unwrap_or_default();
            sizes(opened.size(), widths, longest_side(format))
        };
        let mut not_kept = None;
        if let Some(settings) = wanted.renditions
            && settings.animation == Animation::Keep
            && let Some(frames) = Timeline::of(opened)?
        {
            let plan = Self { sizes: sizes(Format::Webp), least: opened.size(), frames: Some(frames), not_kept: None };
            not_kept = frames.too_much(&plan.output(settings), plan.memory(opened, wanted));
            if not_kept.is_none() {
                return Ok(plan);
            }
        }
        let sizes = wanted.renditions.map(|settings| sizes(settings.format)).unwrap_or_default();
        let widest = sizes.first().copied().unwrap_or_default();
        let least = if wanted.look { (widest.0.max(OF), widest.1.max(OF)) } else { widest };
        Ok(Self { sizes, least, frames: None, not_kept })
    }

    fn output(&self, settings: &Renditions) -> Output<'_> {
        Output { sizes: &self.sizes, quality: settings.quality }
    }

    /// About the memory that it takes, in bytes, with that of the photo itself and of the process.
    fn memory(&self, opened: &Opened<'_>, wanted: Wanted<'_>) -> u64 {
        let pixels = if let (Some(frames), Some(settings)) = (self.frames, wanted.renditions) {
            frames.memory(opened, &self.output(settings))
        } else {
            let Memory { decoding, kept } = opened.memory(self.least);
            let widest = self.sizes.first().copied().unwrap_or_default();
            let encoding = wanted.renditions.map_or(0, |settings| encode::memory(settings.format, widest));
            let made = (widest.0 * widest.1) as u64 * RENDITION * opened.copies();
            decoding.max(kept + made + encoding)
        };
        PROCESS + opened.content.len() as u64 + pixels
    }
}

/// Says what it takes to make of a photo what is wanted, by its header.
pub fn need(content: &[u8], wanted: Wanted<'_>) -> Result<Need, PhotoError> {
    let opened = decode::open(content)?;
    let plan = Plan::of(&opened, wanted)?;
    let (width, height) = (opened.header.width, opened.header.height);
    Ok(Need { width, height, memory: plan.memory(&opened, wanted) })
}

/// Makes of a photo what is wanted. It takes one core for as long as it takes.
pub fn make(content: &[u8], wanted: Wanted<'_>) -> Result<Made, PhotoError> {
    let opened = decode::open(content)?;
    let plan = Plan::of(&opened, wanted)?;
    let background = wanted.renditions.map(|settings| settings.background).unwrap_or_default();
    let mut made = match (wanted.renditions, plan.frames) {
        (Some(settings), Some(frames)) => {
            moving(&opened, frames, &plan.output(settings), settings.background, wanted.look)?
        }
        _ => still(opened.decode(plan.least, background)?, &plan.sizes, wanted)?,
    };
    made.not_kept = plan.not_kept;
    Ok(made)
}

fn still(stored: Stored, sizes: &[(usize, usize)], wanted: Wanted<'_>) -> Result<Made, PhotoError> {
    let Renditions { format, quality, .. } = *wanted.renditions.unwrap_or(&Renditions::default());
    let mut encoder = Encoder::new(format, quality)?;
    let mut made = Made::default();
    made.look = cascade(stored, sizes, wanted.look, |picture, size| {
        made.renditions.push(encoded(size, format, encoder.encode(picture, size)?)?);
        Ok(())
    })?;
    Ok(made)
}

/// Makes files of all frames, and lets the model look at the first.
fn moving(
    opened: &Opened<'_>,
    frames: Timeline,
    output: &Output<'_>,
    background: Colour,
    look: bool,
) -> Result<Made, PhotoError> {
    let Output { sizes, quality } = *output;
    let encoder = |size: &(usize, usize)| animation::Encoder::new(*size, quality, frames.plays);
    let mut encoders = sizes.iter().map(encoder).collect::<Result<Vec<_>, _>>()?;
    let mut made = Made::default();
    let to_srgb = opened.to_srgb();
    // What is transparent becomes the background before it is converted.
    let background = to_srgb.as_ref().map_or(background, |conversion| conversion.before(background));
    for frame in frames.decode(opened, background)? {
        let Frame { picture, milliseconds } = frame?;
        let stored = opened.stored(Picture::Rgb(picture), to_srgb.clone());
        let mut encoders = encoders.iter_mut();
        let seen = cascade(stored, sizes, look && made.look.is_none(), |picture, size| {
            let frame = picture.patch(Area::whole(size), Filter::Lanczos3, size);
            encoders.next().map_or(Ok(()), |encoder| encoder.add(&frame, milliseconds))
        })?;
        made.look = made.look.or(seen);
    }
    for (size, encoder) in sizes.iter().zip(encoders) {
        made.renditions.push(encoded(*size, Format::Webp, encoder.finish()?)?);
    }
    Ok(made)
}

fn encoded((width, height): (usize, usize), format: Format, data: Vec<u8>) -> Result<Encoded, PhotoError> {
    let pixels = |side: usize| u32::try_from(side).map_err(PhotoError::broken);
    Ok(Encoded { width: pixels(width)?, height: pixels(height)?, format, data })
}

/// Makes each size from the next larger one. Returns what the model looks at, where that is wanted: the smallest picture that
/// serves.
fn cascade(
    stored: Stored,
    sizes: &[(usize, usize)],
    look: bool,
    mut each: impl FnMut(&Picture, (usize, usize)) -> Result<(), PhotoError>,
) -> Result<Option<Look>, PhotoError> {
    let widest = sizes.first().copied().filter(|widest| serves(*widest));
    let mut seen = (look && widest.is_none()).then(|| Look::at_stored(&stored));
    let Some(widest) = sizes.first() else { return Ok(seen) };
    let mut picture = stored.upright(*widest);
    // The largest picture is of no use from here on, and is most of the memory.
    drop(stored);
    for (index, size) in sizes.iter().enumerate() {
        if index > 0 {
            picture = picture.resize(*size);
        }
        each(&picture, *size)?;
        let next_serves = sizes.get(index + 1).is_some_and(|next| serves(*next));
        if look && seen.is_none() && !next_serves {
            seen = Some(Look::at(&picture));
        }
    }
    Ok(seen)
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
