//! Files that move, or say so, and are made to cost much or to break what decodes them.

use image::{DynamicImage, ImageFormat};

use super::crafted::encoded;

/// What each frame of a GIF takes here, and what is before the first.
const GIF_FRAME: usize = 15;
const GIF_HEAD: usize = 19;
/// One pixel as a GIF packs it: black, white, and of a colour that there is none of.
const PIXELS: [[u8; 2]; 2] = [[0x44, 0x01], [0x4C, 0x01]];
const BROKEN: [u8; 2] = [0x7C, 0x01];

fn gif_frame(size: (u16, u16), pixel: [u8; 2]) -> Vec<u8> {
    let [width, height] = [size.0, size.1].map(u16::to_le_bytes);
    [&[0x2C, 0, 0, 0, 0][..], &width, &height, &[0, 2, 2], &pixel, &[0]].concat()
}

fn gif_of((width, height): (u16, u16), frames: &[Vec<u8>]) -> Vec<u8> {
    let [width, height] = [width, height].map(u16::to_le_bytes);
    let palette = [0, 0, 0, 255, 255, 255];
    [b"GIF89a", &width[..], &height, &[0x80, 0, 0], &palette, &frames.concat(), &[0x3B]].concat()
}

/// A GIF of one pixel that blinks.
pub(crate) fn gif(canvas: (u16, u16), frames: usize) -> Vec<u8> {
    let frames: Vec<_> = PIXELS.iter().cycle().take(frames).map(|pixel| gif_frame((1, 1), *pixel)).collect();
    gif_of(canvas, &frames)
}

/// The same of eight frames, without what is behind the first half of the fifth.
pub(crate) fn gif_cut_in_its_fifth_frame() -> Vec<u8> {
    let mut file = gif((64, 48), 8);
    file.truncate(GIF_HEAD + GIF_FRAME * 9 / 2);
    file
}

pub(crate) fn gif_with_broken_second_frame() -> Vec<u8> {
    gif_of((64, 48), &[gif_frame((1, 1), PIXELS[0]), gif_frame((1, 1), BROKEN)])
}

/// A small GIF whose second frame is said to be of 100 megapixels.
pub(crate) fn gif_that_sticks_out() -> Vec<u8> {
    gif_of((64, 48), &[gif_frame((1, 1), PIXELS[0]), gif_frame((10_000, 10_000), PIXELS[1])])
}

fn webp_part(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_le_bytes();
    let end = vec![0; content.len() % 2];
    [&kind, &length[..], content, &end].concat()
}

/// Numbers of three bytes, less one, as WebP has sizes.
fn sides((width, height): (u32, u32)) -> Vec<u8> {
    [width, height].into_iter().flat_map(|side| (side - 1).to_le_bytes().into_iter().take(3)).collect()
}

/// An animated WebP of some frames, each of the size given, whatever that of the canvas is.
pub(crate) fn webp(canvas: (u32, u32), frame: (u32, u32), frames: usize) -> Vec<u8> {
    let picture = encoded(&DynamicImage::new_rgb8(frame.0, frame.1), ImageFormat::WebP);
    let start = [&[0; 6][..], &sides(frame), &[100, 0, 0, 0]].concat();
    let frame = webp_part(*b"ANMF", &[&start, &picture[12..]].concat());
    let head = webp_part(*b"VP8X", &[&[2, 0, 0, 0][..], &sides(canvas)].concat());
    let parts = [&b"WEBP"[..], &head, &webp_part(*b"ANIM", &[0; 6]), &frame.repeat(frames)].concat();
    webp_part(*b"RIFF", &parts)
}
