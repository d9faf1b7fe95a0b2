//! What the first bytes of an upload say, before anything is decoded.

use std::io::{BufRead, Cursor, Read as _, Seek};

use image::{ImageDecoder, ImageFormat};

use crate::{MOST_PIXELS, PhotoError, avif, decode::decoder, jpeg};

/// Kinds of images that are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Media type.
    pub content_type: &'static str,
    pub(super) format: ImageFormat,
}

/// What an image's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Kind of the image, by its content and not by its name.
    pub kind: Kind,
    /// Width in pixels, upright.
    pub width: u32,
    /// Height in pixels, upright.
    pub height: u32,
}

const KINDS: [Kind; 7] = [
    Kind { content_type: "image/jpeg", format: ImageFormat::Jpeg },
    Kind { content_type: "image/png", format: ImageFormat::Png },
    Kind { content_type: "image/webp", format: ImageFormat::WebP },
    Kind { content_type: "image/gif", format: ImageFormat::Gif },
    Kind { content_type: "image/tiff", format: ImageFormat::Tiff },
    Kind { content_type: "image/bmp", format: ImageFormat::Bmp },
    Kind { content_type: "image/avif", format: ImageFormat::Avif },
];

/// The longest signature by which a kind is told.
const SIGNATURE: u64 = 64;

/// Reads an image's header: its kind, and its size as people will see it.
pub fn inspect(content: &[u8]) -> Result<Header, PhotoError> {
    let kind = kind(content)?;
    let found = header(Cursor::new(head(content, kind)), kind);
    match found {
        // What is odd about it may lie in how its head was told.
        Err(PhotoError::Broken(_)) => header(Cursor::new(content), kind),
        found => found,
    }
}

/// Returns the part of a file that its header is read from. A decoder takes a copy of what it is given.
pub(crate) fn head(content: &[u8], kind: Kind) -> &[u8] {
    if kind.format == ImageFormat::Jpeg { jpeg::head(content) } else { content }
}

/// Reads an image's header from where it lies.
pub fn inspect_from(mut file: impl BufRead + Seek) -> Result<Header, PhotoError> {
    let mut start = Vec::new();
    file.by_ref().take(SIGNATURE).read_to_end(&mut start).map_err(PhotoError::broken)?;
    file.rewind().map_err(PhotoError::broken)?;
    header(file, kind(&start)?)
}

/// Reads an image's header from the first part of a file; none where only the whole file can tell.
pub fn inspect_start(start: &[u8]) -> Result<Option<Header>, PhotoError> {
    let kind = kind(start)?;
    // The others may have what the header says, or how the photo is turned, at their end.
    if matches!(kind.format, ImageFormat::WebP | ImageFormat::Tiff) {
        return Ok(None);
    }
    match header(Cursor::new(start), kind) {
        Err(PhotoError::Broken(_) | PhotoError::Truncated) => Ok(None),
        header => header.map(Some),
    }
}

fn kind(start: &[u8]) -> Result<Kind, PhotoError> {
    let format = match image::guess_format(start) {
        _ if avif::is_avif(start) => ImageFormat::Avif,
        guessed => guessed.map_err(|_| PhotoError::NotAnImage)?,
    };
    KINDS.into_iter().find(|kind| kind.format == format).ok_or(PhotoError::NotAnImage)
}

fn header(file: impl BufRead + Seek, kind: Kind) -> Result<Header, PhotoError> {
    if kind.format == ImageFormat::Avif {
        let (width, height) = avif::size(file)?;
        let [width, height] = [width, height].map(|side| u32::try_from(side).unwrap_or(u32::MAX));
        return Ok(Header { kind, width, height });
    }
    let mut decoder = decoder(file, kind.format).map_err(PhotoError::broken)?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(PhotoError::Broken("it has no pixels".to_owned()));
    }
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(PhotoError::TooLarge { width, height });
    }
    let turned = decoder.orientation().is_ok_and(turns);
    let (width, height) = if turned { (height, width) } else { (width, height) };
    Ok(Header { kind, width, height })
}

fn turns(orientation: image::metadata::Orientation) -> bool {
    use image::metadata::Orientation as O;
    matches!(orientation, O::Rotate90 | O::Rotate270 | O::Rotate90FlipH | O::Rotate270FlipH)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHOTOS: [&[u8]; 2] =
        [include_bytes!("../../../tests/photos/rocket.jpg"), include_bytes!("../../../tests/photos/cat.png")];

    #[test]
    fn the_start_of_a_file_says_what_the_whole_says_or_nothing() {
        for photo in PHOTOS {
            let whole = inspect(photo).unwrap();
            assert_eq!(inspect_from(Cursor::new(photo)).unwrap(), whole);
            let mut told = 0;
            for length in (16..photo.len()).step_by(1999) {
                if let Some(header) = inspect_start(&photo[..length]).unwrap() {
                    assert_eq!(header, whole);
                    told += 1;
                }
            }
            assert!(told > 10, "{told}");
        }
    }

    #[test]
    fn what_has_its_header_at_its_end_is_not_told_by_its_start() {
        let mut tiff = Cursor::new(Vec::new());
        image::DynamicImage::new_rgb8(64, 64).write_to(&mut tiff, ImageFormat::Tiff).unwrap();
        let tiff = tiff.into_inner();
        assert!(inspect_start(&tiff[..tiff.len() / 2]).unwrap().is_none());
        assert_eq!(inspect(&tiff).unwrap().width, 64);
        assert_eq!(inspect_start(b"hello"), Err(PhotoError::NotAnImage));
    }

    #[test]
    fn what_has_no_pixels_is_no_photo() {
        let flat = b"GIF89a\x28\0\0\0\0\0\0";
        assert!(matches!(inspect(flat), Err(PhotoError::Broken(_))));
    }
}
