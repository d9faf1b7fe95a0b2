//! The fuzzer's seeds, a small file of each kind: as they are they become renditions; damaged they come to an end.

use decouple_contract::{Animation, Format, Renditions};
use decouple_photo::{Made, PhotoError, Wanted, inspect, make};

/// Damaged copies of each seed. The fuzzer tries very many more.
const COPIES: u32 = 400;

fn seeds() -> Vec<(String, Vec<u8>)> {
    let directory = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds")).unwrap();
    let seeds = directory.map(|entry| entry.unwrap().path());
    seeds.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap())).collect()
}

fn made(content: &[u8], format: Format, animation: Animation) -> Result<Made, PhotoError> {
    let settings = Renditions { widths: vec![30, 9], format, animation, ..Renditions::default() };
    let made = make(content, Wanted { renditions: Some(&settings), look: true })?;
    assert!(made.look.is_some());
    for rendition in &made.renditions {
        let read = inspect(&rendition.data).unwrap();
        assert_eq!((read.width, read.height), (rendition.width, rendition.height));
    }
    Ok(made)
}

#[test]
fn a_photo_of_every_kind_becomes_renditions_of_every_kind() {
    let seeds = seeds();
    assert!(seeds.len() > 15, "{}", seeds.len());
    for (name, content) in seeds {
        for format in [Format::Jpeg, Format::Webp, Format::Avif] {
            let made = |animation| made(&content, format, animation).unwrap_or_else(|error| panic!("{name}: {error}"));
            for animation in [Animation::FirstFrame, Animation::Keep] {
                let moves = animation == Animation::Keep && name.starts_with("moving");
                let expected = if moves { Format::Webp } else { format };
                let sizes: Vec<_> = made(animation).renditions.iter().map(|made| (made.width, made.format)).collect();
                assert_eq!(sizes[1..], [(9, expected)], "{name}");
            }
        }
    }
}

#[test]
fn a_damaged_photo_of_any_kind_comes_to_an_end() {
    let mut state = 1_u32;
    let mut random = |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below.max(1)
    };
    for (_, content) in seeds() {
        for _ in 0..COPIES {
            let mut damaged = content.clone();
            for _ in 0..=random(4) {
                let at = random(damaged.len());
                damaged[at] = random(256).to_le_bytes()[0];
            }
            if random(3) == 0 {
                damaged.truncate(random(content.len()));
            }
            // Larger sizes may come of it, which only take longer.
            if inspect(&damaged).is_ok_and(|header| header.width < 2000 && header.height < 2000) {
                let _either = made(&damaged, Format::Jpeg, Animation::Keep);
            }
        }
    }
}
