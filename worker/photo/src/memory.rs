//! How much memory a photo takes, told by its header, so that nobody begins what there is no room for. These are bounds, a little above
//! what is measured; each module that decodes says its own.

/// A process that has done nothing yet, and what it needs beside pixels.
pub(crate) const PROCESS: u64 = 16 << 20;
/// Bytes for each pixel of the largest rendition while it is made and encoded.
pub(crate) const RENDITION: u64 = 5;

/// What decoding takes, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// At its most.
    pub(crate) decoding: u64,
    /// Of what comes of it.
    pub(crate) kept: u64,
}

/// What it takes to make of a photo what is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Width in pixels, upright.
    pub width: u32,
    /// Height in pixels, upright.
    pub height: u32,
    /// Memory in bytes, with that of the photo itself and of the process that does it.
    pub memory: u64,
}
