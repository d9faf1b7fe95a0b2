//! Photos: from the bytes that were uploaded to pixels, and from pixels to renditions and to what the model looks at.
//!
//! Pure computing: nothing here knows where a photo comes from or where it goes.

mod decode;
mod inspect;
mod jpeg;
mod render;

pub use decode::decode;
pub use inspect::{Header, Kind, inspect};
pub use render::{Encoded, model_input, renditions};

/// More pixels are refused: a decoded one takes at least 300 MB.
pub const MOST_PIXELS: u64 = 100_000_000;

/// Pixels in sRGB, upright, without transparency: three bytes each, row by row.
pub struct Photo {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// `width * height * 3` bytes.
    pub pixels: Vec<u8>,
}

/// A photo that cannot be worked on, now or later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PhotoError {
    /// The content is of no kind that is known.
    #[error("this is not an image of a kind that is known (JPEG, PNG, WebP, GIF, TIFF, BMP)")]
    NotAnImage,
    /// The header says that there are too many pixels.
    #[error("{width} x {height} pixels are more than {MOST_PIXELS}")]
    TooLarge {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The end is missing.
    #[error("the file is cut off: its end is missing")]
    Truncated,
    /// The content is not what its kind says.
    #[error("the image cannot be decoded: {0}")]
    Broken(String),
}
