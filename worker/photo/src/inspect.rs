//! What the first bytes of an upload say, before anything is decoded.

use image::{ImageDecoder, ImageFormat};

use crate::{MOST_PIXELS, PhotoError, decode::decoder};

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
    /// About the most memory that decoding and resizing takes, in bytes.
    pub memory: u64,
}

const KINDS: [Kind; 6] = [
    Kind { content_type: "image/jpeg", format: ImageFormat::Jpeg },
    Kind { content_type: "image/png", format: ImageFormat::Png },
    Kind { content_type: "image/webp", format: ImageFormat::WebP },
    Kind { content_type: "image/gif", format: ImageFormat::Gif },
    Kind { content_type: "image/tiff", format: ImageFormat::Tiff },
    Kind { content_type: "image/bmp", format: ImageFormat::Bmp },
];

/// Reads an image's header: its kind, and its size as people will see it.
pub fn inspect(content: &[u8]) -> Result<Header, PhotoError> {
    let format = image::guess_format(content).map_err(|_| PhotoError::NotAnImage)?;
    let kind = KINDS.into_iter().find(|kind| kind.format == format).ok_or(PhotoError::NotAnImage)?;
    let broken = |error: image::ImageError| PhotoError::Broken(error.to_string());
    let mut decoder = decoder(content, format).map_err(broken)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(PhotoError::TooLarge { width, height });
    }
    let turned = decoder.orientation().is_ok_and(turns);
    let (width, height) = if turned { (height, width) } else { (width, height) };
    let memory = memory(format, width, height, decoder.total_bytes());
    Ok(Header { kind, width, height, memory })
}

/// A JPEG is three samples in two bytes of planes, and up to three bytes of coefficients when it is progressive. Of others
/// there is what the decoder gives, what it becomes, and half of that while it is resized.
fn memory(format: ImageFormat, width: u32, height: u32, decoded: u64) -> u64 {
    let pixels = u64::from(width) * u64::from(height);
    if format == ImageFormat::Jpeg { pixels * 9 / 2 } else { decoded + pixels * 9 / 2 }
}

fn turns(orientation: image::metadata::Orientation) -> bool {
    use image::metadata::Orientation as O;
    matches!(orientation, O::Rotate90 | O::Rotate270 | O::Rotate90FlipH | O::Rotate270FlipH)
}
