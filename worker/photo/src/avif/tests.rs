//! Files by other programs, which show the same in many ways, and our own: read back.

use std::{io::Cursor, sync::Arc};

use decouple_contract::Colour;
use image::{DynamicImage, RgbImage};

use super::*;
use crate::{
    colour::ToSrgb,
    memory::Memory,
    picture::{Picture, Stored},
    planes::{Coarse, Mirrored, Plane, Planes},
    resample::{Area, Filter, Levels},
    rgb::{Rgb, mixed},
};

const BACKGROUND: Colour = Colour([200, 100, 50]);
const SIZE: (usize, usize) = (45, 33);

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/fuzz/seeds/{name}.avif", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// What all files show: red rises from left to right, green from top to bottom.
fn slope((width, height): (usize, usize)) -> Rgb {
    let pixel = |x: usize, y: usize| [(x * 200 / width + 20) as u8, (y * 200 / height + 20) as u8, 90];
    let data: Vec<u8> = (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(x, y))).collect();
    Rgb::new(width, height, data)
}

fn grey(rgb: &Rgb) -> Rgb {
    let data: Vec<u8> = rgb.data.as_chunks::<3>().0.iter().flat_map(|[red, ..]| [*red; 3]).collect();
    Rgb::new(rgb.width, rgb.height, data)
}

/// A photo upright and in sRGB, at its own size.
fn shown(content: &[u8]) -> Rgb {
    let size = size(Cursor::new(content)).unwrap();
    let (turn, space, _) = open(content).unwrap();
    let to_srgb = space.as_ref().and_then(|space| ToSrgb::of(space, false)).map(Arc::new);
    let stored = Stored { picture: decode(content, BACKGROUND).unwrap(), turn, to_srgb };
    stored.upright(size).patch(Area::whole(size), Filter::Lanczos3, size)
}

#[track_caller]
fn assert_alike(name: &str, found: &Rgb, expected: &Rgb, most: u8) {
    assert_eq!((found.width, found.height), (expected.width, expected.height), "{name}");
    let differences: Vec<u8> = found.data.iter().zip(&expected.data).map(|(a, b)| a.abs_diff(*b)).collect();
    let furthest = differences.iter().max().unwrap();
    let mean = differences.iter().map(|difference| f64::from(*difference)).sum::<f64>() / differences.len() as f64;
    assert!(*furthest <= most && mean <= f64::from(most) / 3.0, "{name}: {furthest} at most, {mean} in the mean");
}

/// Changes what is behind the first place where a name stands.
fn patched(mut content: Vec<u8>, name: [u8; 4], behind: usize, with: &[u8]) -> Vec<u8> {
    let at = content.windows(4).position(|bytes| bytes == name).unwrap() + 4 + behind;
    content[at..at + with.len()].copy_from_slice(with);
    content
}

fn claiming(width: u32, height: u32) -> Vec<u8> {
    patched(file("plain"), *b"ispe", 4, &[width.to_be_bytes(), height.to_be_bytes()].concat())
}

#[test]
fn every_kind_of_samples_shows_the_same() {
    for (name, stays_in_planes) in [
        ("plain", true),
        ("narrow", true),
        ("half-colour", true),
        ("deep", false),
        ("deep-half-colour", false),
        ("deeper-full-colour", false),
        ("rgb", false),
        ("ycgco", false),
        ("sequence", false),
    ] {
        let content = file(name);
        let in_planes = matches!(decode(&content, BACKGROUND).unwrap(), Picture::Planes(_));
        assert_eq!(in_planes, stays_in_planes, "{name}");
        assert_alike(name, &shown(&content), &slope(SIZE), 9);
    }
    for name in ["grey", "deep-grey"] {
        assert_alike(name, &shown(&file(name)), &grey(&slope(SIZE)), 6);
    }
}

#[test]
fn what_is_transparent_shows_the_background() {
    for (name, size) in [("alpha", SIZE), ("premultiplied", SIZE), ("tiles", (128, 128))] {
        let mut expected = slope(size);
        let pixels = expected.data.as_chunks::<3>().0.iter().enumerate();
        let pixels = pixels.flat_map(|(at, pixel)| {
            let alpha = if at % size.0 < size.0 / 2 { 255 } else { 64 };
            mixed(*pixel, alpha, BACKGROUND)
        });
        expected.data = pixels.collect::<Vec<u8>>().into();
        assert_alike(name, &shown(&file(name)), &expected, 9);
    }
}

#[test]
fn a_picture_is_turned_against_the_clock_and_then_mirrored() {
    let stored = slope(SIZE);
    let stored = RgbImage::from_raw(45, 33, stored.data.to_vec()).map(DynamicImage::ImageRgb8).unwrap();
    for quarters in 0..4_u8 {
        for mirrored in [None, Some(0), Some(1_u8)] {
            let content = patched(file("turned"), *b"irot", 0, &[quarters]);
            let content = match mirrored {
                Some(axis) => patched(content, *b"imir", 0, &[axis]),
                None => renamed(content, *b"imir", *b"none"),
            };
            let turned = [stored.clone(), stored.rotate270(), stored.rotate180(), stored.rotate90()];
            let turned = &turned[usize::from(quarters)];
            let expected = match mirrored {
                None => turned.clone(),
                Some(0) => turned.flipv(),
                Some(_) => turned.fliph(),
            };
            let (width, height) = (expected.width() as usize, expected.height() as usize);
            let expected = Rgb::new(width, height, expected.into_rgb8().into_raw());
            assert_alike(&format!("{quarters} {mirrored:?}"), &shown(&content), &expected, 9);
        }
    }
}

fn renamed(mut content: Vec<u8>, name: [u8; 4], to: [u8; 4]) -> Vec<u8> {
    let at = content.windows(4).position(|bytes| bytes == name).unwrap();
    content[at..at + 4].copy_from_slice(&to);
    content
}

#[test]
fn of_a_picture_with_a_clean_aperture_that_part_is_shown() {
    let whole = slope(SIZE);
    let rows = whole.data.chunks_exact(45 * 3).skip(8).take(21);
    let expected: Vec<u8> = rows.flat_map(|row| &row[8 * 3..][..31 * 3]).copied().collect();
    assert_alike("part", &shown(&file("part")), &Rgb::new(31, 21, expected), 9);
    // One that is not of whole pixels, or beyond the picture, is passed over.
    for (at, number) in [(4, 2_u32), (0, 99), (16, 40), (20, 0), (28, 0)] {
        let content = patched(file("part"), *b"clap", at, &number.to_be_bytes());
        assert_alike(&format!("{at}"), &shown(&content), &whole, 9);
    }
}

#[test]
fn colours_of_other_spaces_become_those_of_srgb() {
    let pixel = |rgb: &Rgb, x: usize, y: usize| rgb.data.as_chunks::<3>().0[y * rgb.width + x];
    let plain = shown(&file("plain"));
    let wide = shown(&patched(file("plain"), *b"nclx", 0, &[0, 12]));
    assert!(pixel(&wide, 40, 4)[0] > pixel(&plain, 40, 4)[0] + 5, "{wide:?}");
    for transfer in [16, 18] {
        let bright = shown(&patched(file("bright"), *b"nclx", 2, &[0, transfer]));
        let ([dark, ..], [light, ..]) = (pixel(&bright, 0, 0), pixel(&bright, 44, 32));
        assert!(dark < 60 && light > 220, "{transfer}: {dark} {light}");
    }
    let unknown = decode(&patched(file("plain"), *b"nclx", 4, &[0, 14]), BACKGROUND);
    assert!(matches!(unknown, Err(PhotoError::Broken(why)) if why.contains("colours")));
}

#[test]
fn what_the_container_leaves_unsaid_its_frames_say() {
    for (name, matrix) in
        [("deep", 1), ("deep-half-colour", 1), ("deeper-full-colour", 9), ("rgb", 0), ("narrow", 6), ("grey", 6)]
    {
        let said = file(name);
        let unsaid = renamed(said.clone(), *b"colr", *b"none");
        let colours = |content: &[u8]| Container::read(Cursor::new(content)).unwrap().colours(content);
        assert_eq!(colours(&unsaid), colours(&said), "{name}");
        assert_eq!(colours(&unsaid).unwrap().matrix, matrix, "{name}");
        assert_alike(name, &shown(&unsaid), &shown(&said), 0);
    }
}

#[test]
fn what_a_file_holds_says_how_much_memory_it_takes() {
    // A frame, and what comes of it, in bytes a pixel.
    for (name, size, frame, kept) in [
        ("plain", SIZE, 1.5, 1.5),
        ("grey", SIZE, 1.0, 1.0),
        ("deep", SIZE, 3.0, 3.0),
        ("deeper-full-colour", SIZE, 6.0, 3.0),
        ("tiles", (128, 128), 0.75, 3.0),
    ] {
        let content = file(name);
        let Memory { decoding, kept: found } = memory(&content);
        let near = |found: u64, each: f64| (found as f64 - (size.0 * size.1) as f64 * each).abs() <= 1.0;
        assert!(
            near(found, kept) && near(decoding - found - content.len() as u64, frame),
            "{name}: {decoding} {found}"
        );
        for length in 0..content.len() {
            let _said_of_any_part = memory(&content[..length]);
        }
    }
}

#[test]
fn a_file_that_was_cut_off_is_said_to_be() {
    for name in ["plain", "alpha", "tiles"] {
        let content = file(name);
        for length in 40..content.len() {
            let cut = decode(&content[..length], BACKGROUND).map(|_| ());
            assert_eq!(cut, Err(PhotoError::Truncated), "{name}: {length} of {}", content.len());
        }
    }
}

#[test]
fn what_claims_to_be_larger_than_it_is_or_may_be_is_refused() {
    let too_large = PhotoError::TooLarge { width: 65_535, height: 65_535 };
    assert_eq!(size(Cursor::new(claiming(65_535, 65_535))).err(), Some(too_large));
    assert!(matches!(size(Cursor::new(claiming(0, 33))).err(), Some(PhotoError::Broken(_))));
    for (width, height) in [(44, 33), (46, 33), (10, 10), (9000, 9000)] {
        let decoded = decode(&claiming(width, height), BACKGROUND);
        assert!(matches!(decoded, Err(PhotoError::Broken(_))), "{width} x {height}");
    }
}

#[test]
fn a_file_is_told_by_the_readers_that_it_names() {
    let start = |brands: &[[u8; 4]]| {
        let length = 8 + 4 * brands.len() as u8;
        [&[0, 0, 0, length][..], b"ftyp", brands.as_flattened()].concat()
    };
    let avif = [&[*b"avif", [0; 4]][..], &[*b"avis", [0; 4], *b"msf1"], &[*b"mif1", [0; 4], *b"miaf", *b"avif"]];
    for brands in avif {
        assert!(is_avif(&start(brands)), "{brands:?}");
    }
    // A version is no brand, and neither is what is behind the box.
    let others = [&[*b"heic", [0; 4], *b"mif1", *b"heic"][..], &[*b"mif1", *b"avif", *b"mif1"], &[*b"isom"]];
    for brands in others {
        assert!(!is_avif(&[&start(brands)[..], b"avif"].concat()), "{brands:?}");
    }
    assert!(!is_avif(b"") && !is_avif(b"\0\0\0\x1cftypavi"));
}

#[test]
fn our_own_files_have_the_colours_that_they_were_made_of_at_every_odd_size() {
    let longest = slope((2, 65_535));
    let content = encode(&Picture::Rgb(longest.clone()), (2, 65_535), 95).unwrap();
    assert_alike("the longest", &shown(&content), &longest, 110);
    for size @ (width, height) in [(333, 255), (64, 64), (33, 1), (1, 1), (3, 2), (1, 1500)] {
        let rgb = slope(size);
        let [luma, cb, cr] = crate::colour::rgb_to_ycc(&rgb.data, width);
        let plane =
            |data: Vec<u8>, width: usize, height| Plane { width, height, data: data.into(), levels: Levels::Full };
        let planes = |chroma| Planes {
            extent: (width as f64, height as f64),
            luma: plane(luma.clone(), width, height),
            chroma,
            coarse: Coarse::HALF,
        };
        let half = (width.div_ceil(2), height.div_ceil(2));
        let colour = planes(Some([cb, cr].map(|data| plane(data, half.0, half.1))));
        // As renditions are: with whole groups of pixels at the edges.
        let colour = Picture::Planes(colour.resize(size, Coarse::HALF, Mirrored::default()));
        let brightness = Picture::Planes(planes(None));
        let luma = Rgb::new(width, height, luma.iter().flat_map(|level| [*level; 3]).collect::<Vec<u8>>());
        for (picture, expected) in [(Picture::Rgb(rgb.clone()), &rgb), (colour, &rgb), (brightness, &luma)] {
            let content = encode(&picture, size, 95).unwrap();
            assert!(is_avif(&content));
            assert_eq!(super::size(Cursor::new(&content)).unwrap(), size);
            assert!(matches!(decode(&content, BACKGROUND).unwrap(), Picture::Planes(_)));
            // Between very few pixels, colour changes by more than half of them can tell.
            let most = if [width, height].iter().all(|side| *side == 1 || *side > 30) { 14 } else { 110 };
            assert_alike(&format!("{width} x {height}"), &shown(&content), expected, most);
        }
    }
}
