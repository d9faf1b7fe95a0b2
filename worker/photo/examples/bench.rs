//! Our side of `bench/photos`: does one task a line of standard input, and answers with what it cost.
//!
//! A line is `TASK TIMES PHOTO [DIRECTORY]`, separated by tabs. Tasks are `resize`, `tag` and `both`, and `resize-webp` and `resize-avif`
//! for other formats than JPEG; `floor-resize` and `floor-tag` do only what cannot be left out: decoding and encoding, decoding and inference. The answer is a line of JSON:
//! milliseconds of CPU time of each time, the process's peak memory in KiB so far, the first label, and how many bytes all renditions have. Renditions go to the
//! directory, where there is one.

use std::{
    error::Error,
    io::{BufRead, Write, stdin, stdout},
    path::Path,
};

use decouple_contract::{Format, Renditions, Tagging};
use decouple_photo::{Look, Wanted, make, model::Tagger};
use rustix::time::{ClockId, clock_gettime};
use turbojpeg::{Compressor, Decompressor, ScalingFactor, Subsamp, YuvImage, yuv_pixels_len};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Shorter side of what a photo must be decoded to for the model.
const MODEL_SIDE: usize = 256;

fn main() -> Result<()> {
    // Loading a model takes memory, and is not resizing.
    let mut tagger = None;
    for line in stdin().lock().lines() {
        let line = line?;
        let mut words = line.split('\t');
        let mut word = || words.next().ok_or("a word is missing");
        let (task, times, photo) = (word()?, word()?.parse::<u32>()?, word()?);
        let content = std::fs::read(photo)?;
        if task.ends_with("tag") || task == "both" {
            tagger.get_or_insert(Tagger::load(&Tagging::default())?);
        }
        let mut answer = Answer::default();
        match task {
            "floor-resize" => floor_resize(&content, times, &mut answer)?,
            "floor-tag" => floor_tag(&content, times, tagger.as_ref().ok_or("no model")?, &mut answer)?,
            _ => ours(task, &content, times, tagger.as_ref(), words.next(), &mut answer)?,
        }
        let Answer { cpu, label, bytes } = answer;
        writeln!(stdout(), "{}", serde_json::json!({ "cpu": cpu, "peak": peak(), "label": label, "bytes": bytes }))?;
    }
    Ok(())
}

#[derive(Default)]
struct Answer {
    cpu: Vec<f64>,
    label: String,
    /// Of all renditions.
    bytes: usize,
}

impl Answer {
    fn time<T>(&mut self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let begun = cpu_milliseconds();
        let result = work()?;
        self.cpu.push(cpu_milliseconds() - begun);
        Ok(result)
    }
}

fn ours(
    task: &str,
    content: &[u8],
    times: u32,
    tagger: Option<&Tagger>,
    directory: Option<&str>,
    answer: &mut Answer,
) -> Result<()> {
    let format = match task {
        "resize-webp" => Format::Webp,
        "resize-avif" => Format::Avif,
        _ => Format::Jpeg,
    };
    let settings = Renditions { format, ..Renditions::default() };
    let wanted = Wanted { renditions: (task != "tag").then_some(&settings), look: !task.starts_with("resize") };
    for _ in 0..times {
        let (made, label) = answer.time(|| {
            let made = make(content, wanted)?;
            let label = match (&made.look, tagger) {
                (Some(look), Some(tagger)) => first_label(tagger, look)?,
                _ => String::new(),
            };
            Ok((made, label))
        })?;
        answer.label = label;
        answer.bytes = made.renditions.iter().map(|rendition| rendition.data.len()).sum();
        for rendition in directory.iter().flat_map(|_| &made.renditions) {
            let path = Path::new(directory.unwrap_or_default()).join(format!("{}.jpg", rendition.width));
            std::fs::write(path, &rendition.data)?;
        }
    }
    Ok(())
}

fn first_label(tagger: &Tagger, look: &Look) -> Result<String> {
    let tagged = tagger.tag(look)?;
    Ok(tagged.tags.first().map(|tag| tag.label.clone()).unwrap_or_default())
}

/// Decodes to planes at a scale that serves, and encodes renditions that were made before.
fn floor_resize(content: &[u8], times: u32, answer: &mut Answer) -> Result<()> {
    let settings = Renditions::default();
    let made = make(content, Wanted { renditions: Some(&settings), look: false })?.renditions;
    let widest = made.first().ok_or("no rendition")?;
    let least = (widest.width as usize, widest.height as usize);
    let planes = made.iter().map(|rendition| decode(&rendition.data, None)).collect::<Result<Vec<_>>>()?;
    let mut encoder = Compressor::new()?;
    encoder.set_quality(i32::from(settings.quality))?;
    encoder.set_subsamp(Subsamp::Sub2x2)?;
    for _ in 0..times {
        answer.time(|| {
            decode(content, Some(least))?;
            for planes in &planes {
                encoder.compress_yuv_to_vec(planes.as_deref())?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Decodes to planes at a scale that serves, and runs the model.
fn floor_tag(content: &[u8], times: u32, tagger: &Tagger, answer: &mut Answer) -> Result<()> {
    let look = make(content, Wanted { renditions: None, look: true })?.look.ok_or("no look")?;
    for _ in 0..times {
        let label = answer.time(|| {
            decode(content, Some((MODEL_SIDE, MODEL_SIDE)))?;
            first_label(tagger, &look)
        })?;
        answer.label = label;
    }
    Ok(())
}

fn decode(content: &[u8], least: Option<(usize, usize)>) -> Result<YuvImage<Vec<u8>>> {
    let mut decoder = Decompressor::new()?;
    let header = decoder.read_header(content)?;
    let fractions = [ScalingFactor::ONE_EIGHTH, ScalingFactor::ONE_QUARTER, ScalingFactor::ONE_HALF];
    let serves = |factor: &ScalingFactor| {
        let scaled = header.scaled(*factor);
        least.is_some_and(|least| scaled.width >= least.0 && scaled.height >= least.1)
    };
    let factor = fractions.into_iter().find(serves).unwrap_or(ScalingFactor::ONE);
    decoder.set_scaling_factor(factor)?;
    let scaled = header.scaled(factor);
    let pixels = vec![0; yuv_pixels_len(scaled.width, 1, scaled.height, scaled.subsamp)?];
    let mut image = YuvImage { pixels, width: scaled.width, align: 1, height: scaled.height, subsamp: scaled.subsamp };
    decoder.decompress_to_yuv(content, image.as_deref_mut())?;
    Ok(image)
}

#[expect(clippy::cast_precision_loss, reason = "processes do not run for years")]
fn cpu_milliseconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
