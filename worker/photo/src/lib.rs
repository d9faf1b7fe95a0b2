//! From the bytes of a photo to its renditions and to what is in it.
//!
//! Pure computing: nothing here knows where a photo comes from or where it goes, and nothing waits.
//!
//! A JPEG stays in its planes (brightness and two of colour) all the way: decoded at the least scale that serves, resized
//! plane by plane, and encoded from planes. That saves the conversion to red, green and blue and back, and half of
//! the pixels of colour. So do a WebP and most AVIFs, but for the scale. Everything else, and what needs another colour space, goes
//! through [`rgb`], PNG and GIF row by row: of a very large one no more is kept than serves.
//!
//! - `inspect` reads headers, `memory` says what a photo takes, `decode` gives pixels (a [`picture`]), `render` makes renditions,
//!   `look` what the model sees.
//! - `animation` gives the frames of what moves, one after the other, and writes files of them.
//! - `planes` and `rgb` own pixels and their resizing; `colour` converts, `turn` puts upright, `encode` writes files.
//! - [`model`] knows what is in a photo, by a model and its labels.

// Tests paint pictures by formula.
#![cfg_attr(test, allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss))]

mod animation;
mod avif;
mod colour;
mod decode;
mod encode;
mod gif;
mod inspect;
mod jpeg;
mod look;
mod memory;
#[cfg(feature = "model")]
pub mod model;
mod picture;
mod planes;
mod png;
mod render;
mod resample;
mod rgb;
mod squares;
mod turn;
mod webp;

use serde::{Deserialize, Serialize};

pub use inspect::{Header, Kind, inspect, inspect_from, inspect_start};
pub use look::{Look, SIDE};
pub use memory::Need;
pub use render::{Encoded, Made, Wanted, make, need};

/// More pixels are refused.
pub const MOST_PIXELS: u64 = 100_000_000;

/// A photo that cannot be worked on, now or later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum PhotoError {
    /// The content is of no kind that is known.
    #[error("this is not an image of a kind that is known (JPEG, PNG, WebP, AVIF, GIF, TIFF, BMP)")]
    NotAnImage,
    /// The header says that there are too many pixels.
    #[error("{width} x {height} pixels are more than {MOST_PIXELS}")]
    TooLarge {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// It takes more memory than there is for it.
    #[error(
        "decoding its {width} x {height} pixels takes about {mib} MiB of memory, more than the {most} MiB that photos may take here"
    )]
    TooMuchMemory {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// What it takes, in MiB.
        mib: u32,
        /// What it may take, in MiB.
        most: u32,
    },
    /// The end is missing.
    #[error("the file is cut off: its end is missing")]
    Truncated,
    /// The content is not what its kind says.
    #[error("the image cannot be decoded: {0}")]
    Broken(String),
}

impl PhotoError {
    /// Says that a photo cannot be decoded, in the words of whoever tried.
    fn broken(why: impl std::fmt::Display) -> Self {
        Self::Broken(why.to_string())
    }
}
