//! Files that nobody's camera makes: small ones that are made to cost much, and ones that are not what they say.

use std::io::{Cursor, Write};

use flate2::{Compression, write::ZlibEncoder};
use image::{DynamicImage, GrayImage, ImageFormat};

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// A progressive JPEG of 16 x 16 grey pixels.
const PROGRESSIVE: &[u8] = include_bytes!("../../../../tests/photos/crafted/progressive.jpg");
/// A JPEG of 64 x 48 pixels in cyan, magenta, yellow and black, as a well-known photo editor writes them.
pub(crate) const CMYK: &[u8] = include_bytes!("../../../../tests/photos/crafted/cmyk.jpg");

/// An AVIF of one frame of 45 x 33 pixels, which is at its end.
const AVIF: &[u8] = include_bytes!("../../../photo/fuzz/seeds/plain.avif");

pub(crate) fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, format).unwrap();
    file.into_inner()
}

/// A small photo of the kind given.
pub(crate) fn small(format: ImageFormat) -> Vec<u8> {
    encoded(&DynamicImage::new_rgb8(64, 48), format)
}

/// Puts segments in front of everything else in a JPEG.
pub(crate) fn jpeg_with_segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let mut file = small(ImageFormat::Jpeg);
    let length = u16::try_from(content.len() + 2).unwrap().to_be_bytes();
    file.splice(2..2, [&[0xFF, marker, length[0], length[1]], content].concat());
    file
}

/// A JPEG whose header claims another size.
pub(crate) fn jpeg_that_claims(width: u16, height: u16) -> Vec<u8> {
    claiming(small(ImageFormat::Jpeg), width, height)
}

/// The same, of planes whose sizes have nothing to do with each other.
pub(crate) fn jpeg_of_uneven_planes(width: u16, height: u16) -> Vec<u8> {
    let mut file = jpeg_that_claims(width, height);
    let frame = file.windows(2).position(|marker| marker == [0xFF, 0xC0]).unwrap();
    for (plane, sampling) in [0x22, 0x21, 0x12].into_iter().enumerate() {
        file[frame + 11 + plane * 3] = sampling;
    }
    file
}

/// A progressive JPEG whose header claims another size.
pub(crate) fn progressive_jpeg_that_claims(width: u16, height: u16) -> Vec<u8> {
    claiming(PROGRESSIVE.to_vec(), width, height)
}

fn claiming(mut file: Vec<u8>, width: u16, height: u16) -> Vec<u8> {
    let frame = file.windows(2).position(|marker| matches!(marker, [0xFF, 0xC0 | 0xC2])).unwrap();
    file[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    file[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    file
}

/// A progressive JPEG whose last scan comes again and again.
pub(crate) fn jpeg_of_scans(scans: usize) -> Vec<u8> {
    let start = PROGRESSIVE.windows(2).rposition(|marker| marker == [0xFF, 0xDA]).unwrap();
    let end = PROGRESSIVE.len() - 2;
    [&PROGRESSIVE[..start], &PROGRESSIVE[start..end].repeat(scans), &PROGRESSIVE[end..]].concat()
}

fn chunk(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    let checked = [&kind[..], content].concat();
    let checksum = crc32(&checked).to_be_bytes();
    [&length, &checked[..], &checksum].concat()
}

fn crc32(data: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(data);
    crc.sum()
}

fn deflated(zeros: usize) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    let block = vec![0; 1 << 20];
    let mut left = zeros;
    while left > 0 {
        let part = left.min(block.len());
        encoder.write_all(&block[..part]).unwrap();
        left -= part;
    }
    encoder.finish().unwrap()
}

/// A PNG of the chunks given, between its header and its end. Grey pixels of one byte.
fn png(width: u32, height: u32, chunks: &[Vec<u8>]) -> Vec<u8> {
    png_of([8, 0, 0, 0, 0], width, height, chunks)
}

/// The same of pixels of some kind: depth, colours, two that are always zero, and whether it is interlaced.
fn png_of(kind: [u8; 5], width: u32, height: u32, chunks: &[Vec<u8>]) -> Vec<u8> {
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &kind].concat();
    [SIGNATURE, &chunk(*b"IHDR", &header), &chunks.concat(), &chunk(*b"IEND", b"")].concat()
}

/// A PNG that is black all over, and whose file is a thousandth of its pixels.
pub(crate) fn black_png(width: u32, height: u32) -> Vec<u8> {
    let pixels = deflated((width as usize + 1) * height as usize);
    png(width, height, &[chunk(*b"IDAT", &pixels)])
}

/// A PNG of 100 megapixels that are all alike.
pub(crate) fn large_png(colours: Colours, interlaced: bool) -> Vec<u8> {
    const SIDE: usize = 10_000;
    // First column, columns, first row and rows from one to the next, as Adam7 has them.
    let passes = [[0, 8, 0, 8], [4, 8, 0, 8], [0, 4, 4, 8], [2, 4, 0, 4], [0, 2, 2, 4], [1, 2, 0, 2], [0, 1, 1, 2]];
    let in_order = [[0, 1, 0, 1]];
    let (depth, kind, bytes) = match colours {
        Colours::Eight => (8, 2, 3),
        Colours::SixteenAndAlpha => (16, 6, 8),
    };
    let rows = |[left, across, top, down]: &[usize; 4]| {
        (SIDE - top).div_ceil(*down) * (1 + (SIDE - left).div_ceil(*across) * bytes)
    };
    let pixels = if interlaced { passes.iter().map(rows).sum() } else { in_order.iter().map(rows).sum::<usize>() };
    let side = u32::try_from(SIDE).unwrap();
    png_of([depth, kind, 0, 0, interlaced.into()], side, side, &[chunk(*b"IDAT", &deflated(pixels))])
}

/// Pixels of a PNG.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Colours {
    /// Red, green and blue in eight bits.
    Eight,
    /// The same in sixteen, and transparency.
    SixteenAndAlpha,
}

/// A lossless WebP whose header claims another size.
pub(crate) fn lossless_webp_that_claims(width: u32, height: u32) -> Vec<u8> {
    let mut file = small(ImageFormat::WebP);
    assert_eq!(&file[12..16], b"VP8L");
    // Behind the chunk's head and a signature: 14 bits each of width and height less one.
    let size = u32::from_le_bytes(file[21..25].try_into().unwrap()) >> 28 << 28 | (height - 1) << 14 | (width - 1);
    file[21..25].copy_from_slice(&size.to_le_bytes());
    file
}

/// An AVIF whose end is missing.
pub(crate) fn avif_that_was_cut_off() -> Vec<u8> {
    AVIF[..AVIF.len() - 20].to_vec()
}

/// An AVIF whose metadata claims another size than its frame has.
pub(crate) fn avif_that_claims(width: u32, height: u32) -> Vec<u8> {
    let mut file = AVIF.to_vec();
    let size = file.windows(4).position(|kind| kind == b"ispe").unwrap() + 8;
    file[size..size + 8].copy_from_slice(&[width.to_be_bytes(), height.to_be_bytes()].concat());
    file
}

fn avif_box(kind: [u8; 4], content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    [&(8 + u32::try_from(content.len()).unwrap()).to_be_bytes()[..], &kind, &content].concat()
}

/// An AVIF that is put together of tiles, all of which are the same frame.
pub(crate) fn avif_of_tiles(columns: u32, rows: u32) -> Vec<u8> {
    const WHOLE: [u8; 4] = [0; 4];
    let at = AVIF.windows(4).position(|kind| kind == b"mdat").unwrap() + 4;
    let frame = &AVIF[at..];
    let tiles = u16::try_from(columns * rows).unwrap();
    let size = |width: u32, height: u32| avif_box(*b"ispe", &[&WHOLE, &width.to_be_bytes(), &height.to_be_bytes()]);
    let properties = avif_box(*b"ipco", &[&size(45 * columns, 33 * rows), &size(45, 33)]);
    // Item 1 is the grid and item 2 the tile: each has its size.
    let said = avif_box(*b"ipma", &[&WHOLE, &[0, 0, 0, 2], &[0, 1, 1, 1], &[0, 2, 1, 2]]);
    let item = |id: u8, kind: &[u8; 4]| avif_box(*b"infe", &[&[2, 0, 0, 0, 0, id, 0, 0], kind, &[0]]);
    // Both are in the metadata's own data, from its beginning to its end.
    let place = |id: u8| [0, id, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let metadata = avif_box(
        *b"meta",
        &[
            &WHOLE,
            &avif_box(*b"pitm", &[&WHOLE, &[0, 1]]),
            &avif_box(*b"iinf", &[&WHOLE, &[0, 2], &item(1, b"grid"), &item(2, b"av01")]),
            &avif_box(*b"iloc", &[&[1, 0, 0, 0, 0x44, 0, 0, 2], &place(1), &place(2)]),
            &avif_box(*b"iprp", &[&properties, &said]),
            &avif_box(
                *b"iref",
                &[&WHOLE, &avif_box(*b"dimg", &[&[0, 1], &tiles.to_be_bytes(), &[0, 2].repeat(tiles.into())])],
            ),
            &avif_box(*b"idat", &[frame]),
        ],
    );
    [avif_box(*b"ftyp", &[b"avif", &WHOLE, b"mif1"]), metadata].concat()
}

/// A PNG with an end but without pixels, whose header claims a size.
pub(crate) fn png_that_claims(width: u32, height: u32) -> Vec<u8> {
    png(width, height, &[chunk(*b"IDAT", &deflated(64))])
}

/// A small PNG whose colour profile unpacks to very much.
pub(crate) fn png_with_profile_of(bytes: usize) -> Vec<u8> {
    let profile = [b"profile\0\0", &deflated(bytes)[..]].concat();
    png(16, 16, &[chunk(*b"iCCP", &profile), chunk(*b"IDAT", &deflated(17 * 16))])
}

/// A small PNG whose comment unpacks to very much.
pub(crate) fn png_with_comment_of(bytes: usize) -> Vec<u8> {
    let comment = [b"Comment\0\0", &deflated(bytes)[..]].concat();
    png(16, 16, &[chunk(*b"zTXt", &comment), chunk(*b"IDAT", &deflated(17 * 16))])
}

/// A small PNG that goes on for many frames after the picture that it shows where nothing moves.
pub(crate) fn apng_of(frames: u32) -> Vec<u8> {
    let control = [frames.to_be_bytes(), 0_u32.to_be_bytes()].concat();
    let mut chunks = vec![chunk(*b"acTL", &control), chunk(*b"IDAT", &deflated(17 * 16))];
    for frame in 0..frames {
        let sides = [2 * frame, 50_000, 50_000, 0, 0].map(u32::to_be_bytes).concat();
        chunks.push(chunk(*b"fcTL", &[&sides[..], &[0, 1, 0, 10, 0, 0]].concat()));
        chunks.push(chunk(*b"fdAT", &[&(2 * frame + 1).to_be_bytes()[..], &deflated(1 << 16)].concat()));
    }
    png(16, 16, &chunks)
}

/// A GIF of the screen and the first frame given, with too few pixels for either.
pub(crate) fn gif_that_claims(screen: u16, frame: u16) -> Vec<u8> {
    let (screen, frame) = (screen.to_le_bytes(), frame.to_le_bytes());
    let palette = [0, 0, 0, 255, 255, 255];
    [
        b"GIF89a",
        &[screen, screen].concat()[..],
        &[0x80, 0, 0],
        &palette,
        &[0x2C, 0, 0, 0, 0],
        &[frame, frame].concat(),
        &[0, 2, 2, 0x4C, 0x01, 0, 0x3B],
    ]
    .concat()
}

/// A photo that keeps a decoder busy for long enough to be caught at it.
pub(crate) fn noise(side: u32) -> Vec<u8> {
    let mut state = 1_u32;
    let pixels = GrayImage::from_fn(side, side, |_, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        image::Luma([state.to_be_bytes()[0]])
    });
    encoded(&DynamicImage::ImageLuma8(pixels), ImageFormat::Png)
}
