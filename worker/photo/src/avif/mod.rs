//! AVIF: still AV1 frames in a container.
//!
//! - `boxes` and `items` read the container's metadata, `container` makes sense of it.
//! - `sequence` reads the head of what lies there, `frame` decodes it, `convert` and `light` make red, green and blue of it, `decode` a picture.
//! - `encode` writes files.

mod boxes;
mod container;
mod convert;
mod decode;
mod encode;
mod frame;
mod items;
mod light;
mod sequence;
#[cfg(test)]
mod tests;

use std::io::{Cursor, Read, Seek};

use image::ColorType;

use self::{container::Container, items::Colours};
pub(crate) use self::{
    decode::{decode, memory},
    encode::{encode, encoding},
};
use crate::{PhotoError, colour::Space, turn::Turn};

/// Tells whether a file begins as one that holds such frames: its first box names the kinds of readers that can read it.
pub(crate) fn is_avif(start: &[u8]) -> bool {
    let Some((head, rest)) = start.split_at_checked(8) else { return false };
    let (length, kind) = head.split_at(4);
    let length = length.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
    // The second four bytes are a version.
    let brands = rest[..rest.len().min(length.saturating_sub(8))].as_chunks::<4>().0;
    kind == b"ftyp" && brands.iter().enumerate().any(|(at, brand)| at != 1 && matches!(brand, b"avif" | b"avis"))
}

/// Returns the size of a photo in pixels, upright. No more is read than the metadata.
pub(crate) fn size(file: impl Read + Seek) -> Result<(usize, usize), PhotoError> {
    Container::read(file).map(|container| container.size())
}

/// Returns how a photo is put upright, what its colours are where they are others than those of sRGB, and what its pixels have.
pub(crate) fn open(content: &[u8]) -> Result<(Turn, Option<Space>, ColorType), PhotoError> {
    let container = Container::read(Cursor::new(content))?;
    let codes = container.colours(content).map(|Colours { primaries, transfer, .. }| Space::Codes {
        primaries,
        // What is too bright for a screen is dimmed as it is decoded.
        transfer: if light::is_very_bright(transfer) { light::SRGB } else { transfer },
    });
    let pixels = match container.sequence(content) {
        _ if container.alpha.is_some() => ColorType::Rgba8,
        Some(sequence) if sequence.coarse.is_none() => ColorType::L8,
        _ => ColorType::Rgb8,
    };
    let space = container.profile.map(Space::Profile).or(codes.filter(Space::differs));
    Ok((container.turn, space, pixels))
}
