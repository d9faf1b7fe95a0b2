//! From the bytes that were uploaded to pixels, as they are stored: not yet upright, not yet in sRGB.

use std::{
    io::{BufRead, Cursor, Seek},
    sync::Arc,
};

use decouple_contract::Colour;
use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use crate::{
    Header, PhotoError, avif,
    colour::{Space, ToSrgb},
    gif,
    inspect::{head, inspect},
    jpeg,
    memory::Memory,
    picture::{Picture, Stored},
    png,
    rgb::Rgb,
    turn::Turn,
    webp,
};

/// Most memory that a header may take: a profile of colours is stored deflated, and may unpack to anything.
const HEADER_MEMORY: u64 = 16 * 1024 * 1024;
/// Most memory that a decoder may take beside the pixels themselves.
pub(crate) const MEMORY: u64 = 1024 * 1024 * 1024;
/// Progressive photos have about ten scans. Each costs as much time as a photo of one.
const MOST_SCANS: u64 = 100;
/// And this is what all of them may go over: some twenty scans of the largest photo that is taken.
const MOST_SCANNED: u64 = 2_000_000_000;

/// Opens a decoder of which no more than the header has been read.
pub(crate) fn decoder<'a>(
    file: impl BufRead + Seek + 'a,
    format: ImageFormat,
) -> image::ImageResult<impl ImageDecoder + 'a> {
    let limits = |memory| {
        let mut limits = Limits::no_limits();
        limits.max_alloc = Some(memory);
        limits
    };
    let mut reader = ImageReader::with_format(file, format);
    reader.limits(limits(HEADER_MEMORY));
    let mut decoder = reader.into_decoder()?;
    decoder.set_limits(limits(MEMORY))?;
    Ok(decoder)
}

/// A photo whose header was read and found fit.
pub(crate) struct Opened<'a> {
    pub(crate) content: &'a [u8],
    pub(crate) header: Header,
    turn: Turn,
    space: Option<Space>,
    /// What a decoder gives of it that gives all of it at once.
    decoded: (ColorType, u64),
}

/// Looks at a photo without decoding it.
pub(crate) fn open(content: &[u8]) -> Result<Opened<'_>, PhotoError> {
    let header = inspect(content)?;
    let format = header.kind.format;
    if format == ImageFormat::Avif {
        let (turn, space, colours) = avif::open(content)?;
        return Ok(Opened { content, header, turn, space, decoded: (colours, 0) });
    }
    let mut decoder = decoder(Cursor::new(head(content, header.kind)), format)
        .or_else(|_| decoder(Cursor::new(content), format))
        .map_err(PhotoError::broken)?;
    // Metadata that cannot be read is no reason to refuse a photo that can.
    let orientation = decoder.orientation().unwrap_or(image::metadata::Orientation::NoTransforms);
    let space = decoder.icc_profile().ok().flatten().map(Space::Profile);
    let decoded = (decoder.color_type(), decoder.total_bytes());
    Ok(Opened { content, header, turn: Turn::of(orientation), space, decoded })
}

impl Opened<'_> {
    /// Size in pixels once the photo is upright.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.header.width as usize, self.header.height as usize)
    }

    /// How many copies of a rendition there are until it is upright and in the right colours.
    pub(crate) fn copies(&self) -> u64 {
        1 + u64::from(self.turn != Turn::default()) + u64::from(self.space.is_some())
    }

    /// About the memory that decoding takes at most, and that what comes of it takes, in bytes.
    pub(crate) fn memory(&self, least: (usize, usize)) -> Memory {
        let (size, least) = (self.turn.size(self.size()), self.turn.size(least));
        let pixels = (size.0 * size.1) as u64;
        match self.header.kind.format {
            ImageFormat::Jpeg => jpeg::memory(self.content, size, least),
            ImageFormat::Png => png::memory(self.content, size, least),
            ImageFormat::WebP => webp::memory(self.content, pixels),
            ImageFormat::Gif => gif::memory(self.content, size, least),
            ImageFormat::Avif => avif::memory(self.content),
            // A part is unpacked beside the whole, and may be all of it.
            _ => match self.decoded {
                (ColorType::Rgb8 | ColorType::Rgba8, bytes) => Memory { decoding: bytes * 2, kept: bytes },
                (colours, bytes) => {
                    let kept = pixels * if colours.has_alpha() { 4 } else { 3 };
                    Memory { decoding: bytes + kept.max(bytes), kept }
                }
            },
        }
    }

    /// Decodes to at least the size given (upright), or to the photo's own where that is smaller. What is transparent shows
    /// the background.
    pub(crate) fn decode(&self, least: (usize, usize), background: Colour) -> Result<Stored, PhotoError> {
        if self.header.kind.format == ImageFormat::Jpeg {
            self.check_scans()?;
        }
        let to_srgb = self.to_srgb();
        // What is transparent becomes the background before it is converted.
        let background = match &to_srgb {
            Some(conversion) if self.decoded.0.has_alpha() => conversion.before(background),
            _ => background,
        };
        let picture = self.picture(self.turn.size(least), background)?;
        Ok(self.stored(picture, to_srgb))
    }

    /// Returns the conversion that the photo's colours ask for, where they ask for one that is seen.
    pub(crate) fn to_srgb(&self) -> Option<Arc<ToSrgb>> {
        let grey = !self.decoded.0.has_color();
        self.space.as_ref().and_then(|space| ToSrgb::of(space, grey)).map(Arc::new)
    }

    /// Says of pixels of this photo how they become upright and get the right colours.
    pub(crate) fn stored(&self, picture: Picture, to_srgb: Option<Arc<ToSrgb>>) -> Stored {
        Stored { picture, turn: self.turn, to_srgb }
    }

    /// Refuses a JPEG without its end, and one that is made to cost much.
    fn check_scans(&self) -> Result<(), PhotoError> {
        let shape = jpeg::shape(self.content);
        if !shape.whole {
            return Err(PhotoError::Truncated);
        }
        let (scans, pixels) = (shape.scans as u64, u64::from(self.header.width) * u64::from(self.header.height));
        if scans > MOST_SCANS || scans * pixels > MOST_SCANNED {
            return Err(PhotoError::Broken(format!("{scans} scans of {pixels} pixels are far more than a photo has")));
        }
        Ok(())
    }

    fn picture(&self, least: (usize, usize), background: Colour) -> Result<Picture, PhotoError> {
        let by_its_own = match self.header.kind.format {
            ImageFormat::Jpeg => {
                jpeg::decode(self.content, least, self.space.as_ref().and_then(Space::stored_profile))?
            }
            ImageFormat::Png => Some(Picture::Rgb(png::decode(self.content, least, background)?)),
            ImageFormat::Gif => Some(Picture::Rgb(gif::decode(self.content, least, background)?)),
            ImageFormat::WebP => webp::decode(self.content, background)?,
            ImageFormat::Avif => Some(avif::decode(self.content, background)?),
            _ => None,
        };
        if let Some(picture) = by_its_own {
            return Ok(picture);
        }
        let decoder = decoder(Cursor::new(self.content), self.header.kind.format).map_err(PhotoError::broken)?;
        let decoded = DynamicImage::from_decoder(decoder).map_err(|error| reason(&error))?;
        Ok(Picture::Rgb(Rgb::from_decoded(decoded, background)))
    }
}

/// A file that ends too early is told of in plain words.
fn reason(error: &image::ImageError) -> PhotoError {
    match error {
        image::ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => PhotoError::Truncated,
        error => in_words(error),
    }
}

/// Decoders that have an error of their own for a file that ends too early give it no kind.
pub(crate) fn in_words(error: &impl std::fmt::Display) -> PhotoError {
    let words = error.to_string();
    if words.to_ascii_lowercase().contains("unexpected end") {
        PhotoError::Truncated
    } else {
        PhotoError::Broken(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(content: &[u8]) -> Result<Stored, PhotoError> {
        open(content)?.decode((1, 1), Colour::WHITE)
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
