//! Files of frames that are told apart by how they look, and what comes of them.

use std::{io::Cursor, io::Write as _};

use decouple_contract::{Animation, Colour, Format, Renditions};
use flate2::{Compression, Crc, write::ZlibEncoder};
use gif::{DisposalMethod, Repeat};
use image::{AnimationDecoder as _, codecs};
use png::{BlendOp, DisposeOp};

use super::{Frame, Timeline};
use crate::{
    Made, PhotoError, Wanted, decode, make,
    rgb::{flattened, mixed},
};

const BACKGROUND: Colour = Colour([200, 100, 50]);
const CANVAS: (u16, u16) = (45, 23);
const PALETTE: [u8; 24] =
    [0, 0, 0, 220, 20, 20, 20, 200, 20, 9, 9, 9, 20, 20, 220, 220, 220, 20, 90, 90, 90, 255, 255, 255];
const TRANSPARENT: u8 = 3;

/// Places on the canvas: all of it, parts, beside its edges and not on it at all.
const PLACES: [[u16; 4]; 7] =
    [[0, 0, 45, 23], [5, 3, 20, 9], [0, 0, 45, 23], [40, 18, 20, 20], [2, 2, 30, 19], [50, 30, 4, 4], [0, 7, 3, 1]];

fn noise(length: usize, seed: usize) -> impl Iterator<Item = u8> {
    (0..length).map(move |at| ((at + seed) * (at + seed) / 7 % 251) as u8)
}

fn gif_frame([left, top, width, height]: [u16; 4], buffer: Vec<u8>) -> gif::Frame<'static> {
    let buffer = buffer.into();
    gif::Frame { left, top, width, height, buffer, transparent: Some(TRANSPARENT), delay: 7, ..gif::Frame::default() }
}

fn gif_file((width, height): (u16, u16), repeat: Option<Repeat>, frames: &[gif::Frame<'_>]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = gif::Encoder::new(&mut file, width, height, &PALETTE).unwrap();
    if let Some(repeat) = repeat {
        encoder.set_repeat(repeat).unwrap();
    }
    for frame in frames {
        encoder.write_frame(frame).unwrap();
    }
    drop(encoder);
    file
}

/// A GIF of frames each of which is of one colour all over.
fn plain_gif(size: (u16, u16), repeat: Option<Repeat>, frames: &[(u8, u16)]) -> Vec<u8> {
    let frame = |(colour, delay): &(u8, u16)| gif::Frame {
        delay: *delay,
        ..gif_frame([0, 0, size.0, size.1], vec![*colour; usize::from(size.0) * usize::from(size.1)])
    };
    gif_file(size, repeat, &frames.iter().map(frame).collect::<Vec<_>>())
}

/// A PNG of frames, each with its place, how it goes and what it is painted on.
fn apng(frames: &[([u32; 4], DisposeOp, BlendOp)], still_first: bool) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, CANVAS.0.into(), CANVAS.1.into());
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_animated(u32::try_from(frames.len()).unwrap(), 5).unwrap();
    encoder.set_sep_def_img(still_first).unwrap();
    let mut writer = encoder.write_header().unwrap();
    let pixels = |width: u32, height: u32, seed| noise((width * height * 4) as usize, seed).collect::<Vec<_>>();
    if still_first {
        writer.write_image_data(&vec![255; 45 * 23 * 4]).unwrap();
    }
    for (index, ([left, top, width, height], disposal, blend)) in frames.iter().enumerate() {
        writer.reset_frame_position().unwrap();
        writer.set_frame_dimension(*width, *height).unwrap();
        writer.set_frame_position(*left, *top).unwrap();
        writer.set_dispose_op(*disposal).unwrap();
        writer.set_blend_op(*blend).unwrap();
        writer.set_frame_delay(3, 20).unwrap();
        writer.write_image_data(&pixels(*width, *height, index * 50)).unwrap();
    }
    writer.finish().unwrap();
    file
}

fn some_apng() -> Vec<u8> {
    // In this order: the other decoder takes what was cleared for what was there before it was.
    let disposals = [DisposeOp::None, DisposeOp::Previous, DisposeOp::Background];
    let places = [[0, 0, 45, 23], [5, 3, 20, 9], [40, 13, 5, 10], [2, 2, 30, 19]];
    let disposed = disposals.into_iter().flat_map(|disposal| [BlendOp::Over, BlendOp::Source].map(|b| (disposal, b)));
    let others = disposed.flat_map(|(disposal, blend)| places.map(|place| (place, disposal, blend)));
    // The first must be as large as the canvas.
    apng(&others.collect::<Vec<_>>(), false)
}

fn webp() -> Vec<u8> {
    let mut encoder = webpx::AnimationEncoder::with_options(45, 23, false, 4).unwrap();
    encoder.set_lossless(true);
    for frame in 0..6 {
        let mut pixels: Vec<u8> = noise(45 * 23 * 4, frame / 2).collect();
        pixels[..frame * 400].fill(0);
        encoder.add_frame_rgba(&pixels, i32::try_from(frame * 150).unwrap()).unwrap();
    }
    encoder.finish(900).unwrap()
}

fn chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    let checked = [&kind, data].concat();
    let mut crc = Crc::new();
    crc.update(&checked);
    [&u32::try_from(data.len()).unwrap().to_be_bytes(), &checked[..], &crc.sum().to_be_bytes()].concat()
}

/// Puts a chunk behind a PNG's header.
fn with_chunk(mut file: Vec<u8>, kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    file.splice(33..33, chunk(kind, data));
    file
}

fn decoded(content: &[u8]) -> Vec<Frame> {
    let opened = decode::open(content).unwrap();
    let timeline = Timeline::of(&opened).unwrap().unwrap();
    let frames: Vec<Frame> = timeline.decode(&opened, BACKGROUND).unwrap().map(Result::unwrap).collect();
    assert_eq!(frames.len() as u64, timeline.frames);
    frames
}

/// Compares frames with those of another decoder, whose steps from transparency to colours may round otherwise.
fn compare(content: &[u8], expected: image::Frames<'_>, most: u8) {
    let expected = expected.collect_frames().unwrap();
    let found = decoded(content);
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let (numerator, denominator) = expected.delay().numer_denom_ms();
        assert_eq!(found.milliseconds, numerator / denominator, "{index}");
        let expected = flattened(expected.into_buffer().into_raw(), BACKGROUND);
        assert_eq!((found.picture.width, found.picture.height), (45, 23));
        let furthest = found.picture.data.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(expected.len() == found.picture.data.len() && furthest <= most, "{index}: {furthest}");
    }
}

fn kept(widths: &[u32], format: Format) -> Renditions {
    Renditions { widths: widths.to_vec(), format, animation: Animation::Keep, ..Renditions::default() }
}

fn made(content: &[u8], settings: &Renditions) -> Made {
    make(content, Wanted { renditions: Some(settings), look: true }).unwrap()
}

/// Returns how often frames are shown, and of each its colour in the middle and for how long it is seen.
fn shown(file: &[u8]) -> (u32, Vec<([u8; 3], u32)>) {
    let mut decoder = webpx::AnimationDecoder::new(file).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = decoder.next_frame().unwrap() {
        let middle = ((frame.height / 2 * frame.width + frame.width / 2) * 4) as usize;
        frames.push((frame.data[middle..middle + 3].try_into().unwrap(), frame.duration_ms));
    }
    (decoder.info().loop_count, frames)
}

fn near(a: [u8; 3], b: [u8; 3]) -> bool {
    a.iter().zip(b).all(|(a, b)| a.abs_diff(b) < 12)
}

fn colour(index: u8) -> [u8; 3] {
    PALETTE.as_chunks().0[usize::from(index)]
}

#[test]
fn frames_of_a_gif_are_what_another_decoder_gives() {
    let disposals = [DisposalMethod::Any, DisposalMethod::Keep, DisposalMethod::Background, DisposalMethod::Previous];
    for interlaced in [false, true] {
        let frames = disposals.into_iter().flat_map(|dispose| {
            PLACES.map(|place| {
                let length = usize::from(place[2]) * usize::from(place[3]);
                let buffer = noise(length, usize::from(place[0]) + dispose as usize).map(|colour| colour % 8).collect();
                gif::Frame { dispose, interlaced, ..gif_frame(place, buffer) }
            })
        });
        let file = gif_file(CANVAS, None, &frames.collect::<Vec<_>>());
        compare(&file, codecs::gif::GifDecoder::new(Cursor::new(&file)).unwrap().into_frames(), 0);
    }
}

#[test]
fn frames_of_a_png_are_what_another_decoder_gives() {
    let file = some_apng();
    let expected = codecs::png::PngDecoder::new(Cursor::new(&file)).unwrap().apng().unwrap();
    compare(&file, expected.into_frames(), 3);
}

#[test]
fn frames_of_a_webp_are_what_another_decoder_gives() {
    let file = webp();
    compare(&file, codecs::webp::WebPDecoder::new(Cursor::new(&file)).unwrap().into_frames(), 2);
}

#[test]
fn the_picture_that_a_png_shows_where_nothing_moves_is_no_frame() {
    let frames = [[0, 0, 45, 23], [5, 3, 20, 9]].map(|place| (place, DisposeOp::None, BlendOp::Over));
    let found = decoded(&apng(&frames, true));
    assert_eq!(found.len(), 2);
    let first: Vec<u8> = noise(4, 0).collect();
    assert_eq!(found[0].picture.data[..3], mixed([first[0], first[1], first[2]], first[3], BACKGROUND));
}

#[test]
fn renditions_keep_colours_times_and_how_often_they_are_shown() {
    let frames = [(1, 5), (2, 0), (4, 1), (5, 30), (1, 2)];
    for (repeat, plays) in [(None, 1), (Some(Repeat::Infinite), 0), (Some(Repeat::Finite(2)), 3)] {
        let file = plain_gif((64, 48), repeat, &frames);
        for format in [Format::Jpeg, Format::Webp] {
            let made = made(&file, &kept(&[200, 64, 20], format));
            let sizes: Vec<_> = made.renditions.iter().map(|made| (made.width, made.height, made.format)).collect();
            assert_eq!(sizes, [(64, 48, Format::Webp), (20, 15, Format::Webp)]);
            assert_eq!(made.not_kept, None);
            for rendition in made.renditions {
                let (found, shown) = shown(&rendition.data);
                assert_eq!(found, plays);
                let times: Vec<u32> = shown.iter().map(|(_, time)| *time).collect();
                assert_eq!(times, [50, 100, 100, 300, 20]);
                assert!(shown.iter().zip(frames).all(|((found, _), (index, _))| near(*found, colour(index))));
            }
        }
    }
}

#[test]
fn what_does_not_move_or_shall_not_is_made_as_ever() {
    let moving = plain_gif((64, 48), None, &[(1, 5), (2, 5)]);
    let still = plain_gif((64, 48), None, &[(1, 5)]);
    let first_frame = Renditions { animation: Animation::FirstFrame, ..kept(&[64], Format::Jpeg) };
    for (file, settings) in [(&moving, first_frame), (&still, kept(&[64], Format::Jpeg))] {
        let made = made(file, &settings);
        assert_eq!((made.renditions.len(), made.renditions[0].format), (1, Format::Jpeg));
        assert_eq!(made.not_kept, None);
    }
}

#[test]
fn the_model_looks_at_the_first_frame() {
    for size in [(320, 300), (40, 30)] {
        let file = plain_gif(size, None, &[(1, 5), (2, 5), (4, 5)]);
        for widths in [vec![320, 280], vec![20]] {
            let look = made(&file, &kept(&widths, Format::Jpeg)).look.unwrap();
            assert!(look.as_bytes().as_chunks().0.iter().all(|pixel| near(*pixel, colour(1))));
        }
    }
}

#[test]
fn every_frame_is_put_upright_and_gets_the_right_colours() {
    let frames = [[0, 0, 45, 23], [0, 0, 45, 23]].map(|place| (place, DisposeOp::None, BlendOp::Source));
    let quarter_turn = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let turned = with_chunk(apng(&frames, false), *b"eXIf", quarter_turn);
    let made_turned = made(&turned, &kept(&[2048], Format::Webp));
    assert_eq!((made_turned.renditions[0].width, made_turned.renditions[0].height), (23, 45));
    assert_eq!(shown(&made_turned.renditions[0].data).1.len(), 2);

    let mut deflated = ZlibEncoder::new(b"wide\0\0".to_vec(), Compression::fast());
    deflated.write_all(&moxcms::ColorProfile::new_display_p3().encode().unwrap()).unwrap();
    let plain = with_chunk(png_of_one_colour([200, 60, 60]), *b"iCCP", &deflated.finish().unwrap());
    let (_, shown) = shown(&made(&plain, &kept(&[16], Format::Webp)).renditions[0].data);
    assert_eq!(shown.len(), 2);
    assert!(shown[0].0[0] > 205 && shown[0].0[1] < 60, "{shown:?}");
}

/// A PNG of two frames, the second of which is darker.
fn png_of_one_colour(colour: [u8; 3]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 16, 16);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_animated(2, 0).unwrap();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&colour.repeat(256)).unwrap();
    writer.write_image_data(&colour.map(|channel| channel / 2).repeat(256)).unwrap();
    writer.finish().unwrap();
    file
}

#[test]
fn what_is_cut_off_is_said_to_be_wherever_it_was_cut() {
    let gif = plain_gif((9, 9), None, &[(1, 5), (2, 5), (4, 5)]);
    for file in [gif, some_apng(), webp()] {
        let mut told = 0;
        for length in 0..file.len() {
            let timeline = decode::open(&file[..length]).and_then(|opened| Timeline::of(&opened));
            told += usize::from(timeline == Err(PhotoError::Truncated));
            assert!(timeline.is_err(), "{length} of {}: {timeline:?}", file.len());
        }
        assert!(told > file.len() / 2, "{told} of {}", file.len());
    }
}

#[test]
fn what_is_too_much_stands_still_and_says_why() {
    let tiny = |size: (u16, u16), frames: usize| {
        let first = gif_frame([0, 0, size.0, size.1], vec![1; usize::from(size.0) * usize::from(size.1)]);
        let others = (1..frames).map(|index| gif_frame([0, 0, 1, 1], vec![(index % 3) as u8]));
        gif_file(size, None, &[first].into_iter().chain(others).collect::<Vec<_>>())
    };
    // Its second frame is said to stick out very far.
    let mut far_out = plain_gif((9, 9), None, &[(1, 5), (2, 5)]);
    let second = far_out.windows(9).rposition(|place| place == [0x2C, 0, 0, 0, 0, 9, 0, 9, 0]).unwrap();
    far_out[second + 5..second + 9].copy_from_slice(&[0x10, 0x27, 0x10, 0x27]);
    for (file, why) in [
        (tiny((9, 9), 2001), "2001 frames are more than 2000"),
        (tiny((2000, 1000), 25), "25 frames and their renditions have 103125000"),
        (tiny((2600, 2600), 2), "MiB of memory, more than 200 MiB"),
        (far_out, "2 frames and their renditions have 1000"),
    ] {
        let settings = kept(&[3000, 500], Format::Jpeg);
        let made = made(&file, &settings);
        let said = made.not_kept.unwrap();
        assert!(said.contains(why), "{said}");
        assert!(made.renditions.iter().all(|rendition| rendition.format == Format::Jpeg));
        assert_eq!(
            made.look.unwrap().as_bytes().as_chunks().0.iter().filter(|pixel| !near(**pixel, colour(1))).count(),
            0
        );
    }
}
