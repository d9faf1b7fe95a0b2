//! Resizing of one plane of bytes or of interleaved pixels, from a part of the source that need not begin or end at a
//! whole sample.
//!
//! [`weights`] says how much of which samples each new one is made of, [`strips`] does the sums. They are whole numbers of
//! 16 bits, many at once in whatever vectors the machine has.

mod strips;
mod weights;

use self::weights::weights;

/// Beyond this, weights become too small for whole numbers, and it takes several steps.
const MOST_AT_ONCE: f64 = 8.0;

/// A part of a source, in its pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Area {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Area {
    /// All of a picture of so many pixels.
    #[expect(clippy::cast_precision_loss, reason = "sizes of photos are far below 2^52")]
    pub(crate) fn whole((width, height): (usize, usize)) -> Self {
        Self { left: 0.0, top: 0.0, width: width as f64, height: height as f64 }
    }
}

/// Pixels to be read: `width * height` of so many bytes each, row by row.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// One for a plane, three for red, green and blue.
    pub(crate) channels: usize,
    pub(crate) levels: Levels,
}

/// What the values of samples mean. New ones always have the full range, and are rounded once: were samples widened before they
/// are resized, each level would be off by a rounding of its own, and an even sky by that of its level.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Levels {
    /// 0 to 255.
    #[default]
    Full,
    /// Brightness as video and WebP have it: 16 to 235.
    NarrowLuma,
    /// Colour as video and WebP have it: 16 to 240, and 128 where there is none.
    NarrowChroma,
}

impl Levels {
    /// What a sample is multiplied with.
    fn gain(self) -> f64 {
        match self {
            Self::Full => 1.0,
            Self::NarrowLuma => 255.0 / 219.0,
            Self::NarrowChroma => 255.0 / 224.0,
        }
    }

    /// What then is added. A sample stands for the middle of its level, half a level above its value, before and after.
    fn offset(self) -> f64 {
        let [from, to] = match self {
            Self::Full => return 0.0,
            Self::NarrowLuma => [16.5, 0.5],
            Self::NarrowChroma => [128.5, 128.5],
        };
        to - from * self.gain()
    }
}

/// How the samples around a place make up a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filter {
    /// Keeps the most detail.
    Lanczos3,
    /// What the model was trained with.
    CatmullRom,
}

/// Returns `width * height` pixels of what `area` shows.
pub(crate) fn resize(from: Source<'_>, area: Area, filter: Filter, (width, height): (usize, usize)) -> Vec<u8> {
    let across = Span { start: area.left, length: area.width, of: from.width, to: width };
    let down = Span { start: area.top, length: area.height, of: from.height, to: height };
    if let (Some(left), Some(top), Levels::Full) = (across.as_it_is(), down.as_it_is(), from.levels) {
        let mut same = Vec::with_capacity(width * height * from.channels);
        for row in from.data.chunks_exact((from.width * from.channels).max(1)).skip(top).take(height) {
            same.extend_from_slice(&row[left * from.channels..][..width * from.channels]);
        }
        return same;
    }
    let (wide, high) = (across.one_step(), down.one_step());
    let (across, down) = (across.to(wide), down.to(high));
    let data = strips::resize(from, &weights(across, filter, 1.0), &weights(down, filter, from.levels.gain()));
    if (wide, high) == (width, height) {
        return data;
    }
    let from = Source { data: &data, width: wide, height: high, channels: from.channels, levels: Levels::Full };
    resize(from, Area::whole((wide, high)), filter, (width, height))
}

/// One direction: a part of `of` samples that becomes `to` samples.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: f64,
    length: f64,
    of: usize,
    to: usize,
}

#[expect(clippy::cast_precision_loss, reason = "sizes of photos are far below 2^52")]
impl Span {
    /// Samples of the source to a new one.
    fn scale(&self) -> f64 {
        self.length / self.to.max(1) as f64
    }

    fn to(self, to: usize) -> Self {
        Self { to, ..self }
    }

    /// After so many new samples, which take up so many of the source, all comes again. More than there are where nothing does.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and `of`")]
    fn period(&self) -> (usize, usize) {
        let length = self.length.max(0.0).round() as usize;
        if (self.length - length as f64).abs() > 1e-9 {
            return (usize::MAX, 0);
        }
        let (mut divisor, mut rest) = (length.max(1), self.to);
        while rest > 0 {
            (divisor, rest) = (rest, divisor % rest);
        }
        (self.to / divisor, length / divisor)
    }

    /// Where the new samples begin in the source, should they be the same as there.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and `of`")]
    fn as_it_is(&self) -> Option<usize> {
        let start = self.start.max(0.0).round() as usize;
        let near = |a: f64, b: f64| (a - b).abs() < 1e-6;
        let same = near(self.start, start as f64) && near(self.length, self.to as f64);
        (same && start + self.to <= self.of).then_some(start)
    }

    /// How many samples one step makes: all, or as many as it can without weights that are too small.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between `to` and `of`")]
    fn one_step(&self) -> usize {
        if self.scale() <= MOST_AT_ONCE { self.to } else { (self.length / MOST_AT_ONCE).ceil() as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(width: usize, height: usize) -> Area {
        Area::whole((width, height))
    }

    /// The same in floating point, sample by sample: slow, and plainly right.
    fn plain(from: Source<'_>, area: Area, filter: Filter, (width, height): (usize, usize)) -> Vec<u8> {
        let across = Span { start: area.left, length: area.width, of: from.width, to: width };
        let down = Span { start: area.top, length: area.height, of: from.height, to: height };
        let exact = |span: Span| -> Vec<(usize, Vec<f64>)> {
            let exact = weights::Exact::new(span, filter);
            let each = |index| {
                let mut weights = Vec::new();
                (exact.fill(index, &mut weights), weights)
            };
            (0..span.to).map(each).collect()
        };
        let (across, down) = (exact(across), exact(down));
        let mut made = Vec::new();
        for (top, down) in &down {
            // What is beyond black and white is cut off between down and across, as in every resizer of bytes.
            let sum = |at: usize| {
                let column = from.data.chunks_exact(from.width * from.channels).skip(*top);
                let sum: f64 = column.zip(down).map(|(row, weight)| f64::from(row[at]) * weight).sum();
                let widened = match from.levels {
                    Levels::Full => sum,
                    Levels::NarrowLuma => (sum - 16.0) * 255.0 / 219.0,
                    Levels::NarrowChroma => (sum - 128.0) * 255.0 / 224.0 + 128.0,
                };
                widened.clamp(0.0, 255.0)
            };
            let row: Vec<f64> = (0..from.width * from.channels).map(sum).collect();
            for (left, across) in &across {
                for channel in 0..from.channels {
                    let samples = row.iter().skip(left * from.channels + channel).step_by(from.channels);
                    let sum: f64 = samples.zip(across).map(|(sample, weight)| sample * weight).sum();
                    made.push(sum.round().clamp(0.0, 255.0) as u8);
                }
            }
        }
        made
    }

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 12_345_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn every_size_is_what_exact_sums_give() {
        let sizes = [
            ((70, 50), (33, 21)),
            ((70, 50), (70, 50)),
            ((5, 7), (3, 9)),
            ((1, 1), (4, 2)),
            ((300, 3), (40, 1)),
            ((9001, 99), (4400, 37)),
        ];
        for (channels, levels) in
            [(1, Levels::Full), (3, Levels::Full), (1, Levels::NarrowLuma), (1, Levels::NarrowChroma)]
        {
            for filter in [Filter::Lanczos3, Filter::CatmullRom] {
                for ((width, height), to) in sizes {
                    let data = noise(width * height * channels);
                    let from = Source { data: &data, width, height, channels, levels };
                    let part = Area { left: width as f64 / 5.0, width: width as f64 / 2.0, ..whole(width, height) };
                    for area in [whole(width, height), part] {
                        let (made, exact) = (resize(from, area, filter, to), plain(from, area, filter, to));
                        assert_eq!(made.len(), to.0 * to.1 * channels);
                        let furthest = made.iter().zip(&exact).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
                        assert!(furthest <= 1, "{width}x{height} to {to:?}: {furthest}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_keeps_its_size_keeps_its_samples() {
        let (width, height) = (40, 30);
        for channels in [1, 3] {
            let data = noise(width * height * channels);
            let from = Source { data: &data, width, height, channels, levels: Levels::Full };
            assert_eq!(resize(from, whole(width, height), Filter::Lanczos3, (width, height)), data);
            let area = Area { left: 5.0, top: 3.0, width: 20.0, height: 10.0 };
            let part = plain(from, area, Filter::Lanczos3, (20, 10));
            assert_eq!(resize(from, area, Filter::Lanczos3, (20, 10)), part);
        }
    }

    #[test]
    fn no_scale_makes_a_photo_lighter_or_darker() {
        let (width, height) = (360, 300);
        let data: Vec<u8> = noise(width * height).into_iter().map(|sample| 64 + sample / 2).collect();
        let mean = |samples: &[u8]| samples.iter().copied().map(f64::from).sum::<f64>() / samples.len() as f64;
        for levels in [Levels::Full, Levels::NarrowLuma, Levels::NarrowChroma] {
            let from = Source { data: &data, width, height, channels: 1, levels };
            for to in [(180, 150), (120, 100), (90, 60), (72, 40), (240, 200)] {
                let area = whole(width, height);
                let made = mean(&resize(from, area, Filter::Lanczos3, to));
                let exact = mean(&plain(from, area, Filter::Lanczos3, to));
                assert!((made - exact).abs() < 0.05, "{levels:?} to {to:?}: {made}, not {exact}");
            }
        }
    }

    #[test]
    fn what_is_even_stays_even_at_every_scale() {
        for (width, height) in [(1, 1), (17, 3), (4000, 2), (6000, 1), (1, 6000)] {
            for value in [0, 1, 100, 127, 128, 254, 255] {
                let data = vec![value; width * height];
                let from = Source { data: &data, width, height, channels: 1, levels: Levels::Full };
                for to in [(1, 1), (16, 16), (40, 33)] {
                    let made = resize(from, whole(width, height), Filter::Lanczos3, to);
                    assert!(made.iter().all(|made| *made == value), "{width}x{height} to {to:?}: {value}, {made:?}");
                }
            }
        }
    }
}
