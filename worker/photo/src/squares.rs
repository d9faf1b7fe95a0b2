//! Making a picture smaller while it is decoded: of each square of pixels only the mean is kept, so that a very large one is
//! never held whole.

use std::iter::repeat_n;

use crate::{memory::Memory, rgb::Rgb};

/// A square has no more pixels to a side: the sum of its samples must go into 16 bits.
const LONGEST_SIDE: usize = 16;
/// Pictures of more pixels are kept smaller than quality alone would have it.
const ROOMY: usize = 40_000_000;

/// Returns the side of the squares of which something is made that has at least `least` pixels. Twice as many are kept, so that the filter
/// that makes it has something to work with; half as many more, where that would still be very many.
pub(crate) fn side((width, height): (usize, usize), least: (usize, usize)) -> usize {
    let keeping = |halves: usize| {
        let by = (width * 2 / (least.0 * halves).max(1)).min(height * 2 / (least.1 * halves).max(1));
        by.clamp(1, LONGEST_SIDE)
    };
    let side = keeping(4);
    if width.div_ceil(side) * height.div_ceil(side) <= ROOMY { side } else { keeping(3) }
}

/// How much memory a picture takes. `scattered` says that its rows do not come in order.
pub(crate) fn memory((width, height): (usize, usize), side: usize, scattered: bool) -> Memory {
    let kept = (width.div_ceil(side) * height.div_ceil(side) * 3) as u64;
    Memory { decoding: if scattered && side > 1 { kept * 2 } else { kept }, kept }
}

/// A picture that comes in row by row.
pub(crate) struct Squares {
    width: usize,
    height: usize,
    side: usize,
    scattered: bool,
    /// A sum for each channel of each square: of one row of squares, or of all where rows do not come in order. They are bytes, so that
    /// means can take their place.
    sums: Vec<[u8; 2]>,
    means: Vec<u8>,
}

impl Squares {
    pub(crate) fn new((width, height): (usize, usize), side: usize, scattered: bool) -> Self {
        let (across, down) = (width.div_ceil(side), height.div_ceil(side));
        let (summed, kept) = match (side, scattered) {
            (1, _) => (0, across * down),
            (_, true) => (across * down, 0),
            (_, false) => (across, 0),
        };
        let mut means = vec![0; kept * 3];
        if side > 1 && !scattered {
            means.reserve_exact(across * down * 3);
        }
        Self { width, height, side, scattered, sums: vec![[0; 2]; summed * 3], means }
    }

    /// Takes pixels of a row: every `step`th from the one at `left` on.
    pub(crate) fn add(&mut self, y: usize, left: usize, step: usize, pixels: &[u8]) {
        let stride = self.width.div_ceil(self.side) * 3;
        if self.side == 1 {
            let row = &mut self.means[y * stride..][..stride];
            if step == 1 {
                row[left * 3..].copy_from_slice(pixels);
            } else {
                for (to, pixel) in row[left * 3..].chunks_mut(step * 3).zip(pixels.chunks_exact(3)) {
                    to[..3].copy_from_slice(pixel);
                }
            }
            return;
        }
        let at = if self.scattered { y / self.side * stride } else { 0 };
        let sums = &mut self.sums[at..][..stride];
        if step == 1 {
            for (sums, pixels) in sums[left / self.side * 3..].chunks_exact_mut(3).zip(pixels.chunks(self.side * 3)) {
                pixels.chunks_exact(3).for_each(|pixel| sum(sums, pixel));
            }
        } else {
            for (index, pixel) in pixels.chunks_exact(3).enumerate() {
                sum(&mut sums[(left + index * step) / self.side * 3..][..3], pixel);
            }
        }
        if !self.scattered && ((y + 1).is_multiple_of(self.side) || y + 1 == self.height) {
            self.finish_row(y / self.side);
        }
    }

    /// Turns the sums of one row of squares to means.
    fn finish_row(&mut self, row: usize) {
        let weights = weights(self.width, self.side, self.height - row * self.side);
        self.means.extend(self.sums.iter().zip(weights).map(|(sum, weight)| mean(*sum, weight)));
        self.sums.fill([0; 2]);
    }

    /// Returns the picture once all of its rows came.
    pub(crate) fn finish(self) -> Rgb {
        let Self { width, height, side, .. } = self;
        let (across, down) = (width.div_ceil(side), height.div_ceil(side));
        let data = if self.scattered && side > 1 { self.all_in_place() } else { self.means };
        #[expect(clippy::cast_precision_loss, reason = "sizes of photos are far below 2^52")]
        let extent = [width, height].map(|pixels| pixels as f64 / side as f64);
        // The last squares may show fewer pixels than the others.
        Rgb { extent: extent.into(), ..Rgb::new(across, down, data) }
    }

    /// Turns all sums to means where they are: in a place of its own they would be half as much memory again.
    fn all_in_place(self) -> Vec<u8> {
        let stride = self.width.div_ceil(self.side) * 3;
        let rows = self.height.div_ceil(self.side);
        let mut bytes = self.sums.into_flattened();
        for row in 0..rows {
            let weights = weights(self.width, self.side, self.height - row * self.side);
            for (at, weight) in (row * stride..).zip(weights) {
                bytes[at] = mean([bytes[at * 2], bytes[at * 2 + 1]], weight);
            }
        }
        bytes.truncate(rows * stride);
        bytes.shrink_to_fit();
        bytes
    }
}

fn sum(sums: &mut [[u8; 2]], pixel: &[u8]) {
    for (sum, sample) in sums.iter_mut().zip(pixel) {
        *sum = (u16::from_ne_bytes(*sum) + u16::from(*sample)).to_ne_bytes();
    }
}

/// What the sums of a row of squares are multiplied with, in 1/65536: one divided by the number of pixels in the square, which
/// is smaller at the edges.
fn weights(width: usize, side: usize, rows_left: usize) -> impl Iterator<Item = u32> {
    let weight = move |columns: usize| {
        let pixels = u32::try_from(columns * side.min(rows_left)).unwrap_or(u32::MAX).max(1);
        (65_536 + pixels / 2) / pixels
    };
    let whole = width / side;
    repeat_n(weight(side), whole * 3)
        .chain(repeat_n(weight(width % side), if width.is_multiple_of(side) { 0 } else { 3 }))
}

fn mean(sum: [u8; 2], weight: u32) -> u8 {
    let mean = (u32::from(u16::from_ne_bytes(sum)) * weight + 32_768) >> 16;
    u8::try_from(mean).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: usize, height: usize) -> Vec<u8> {
        (0..width * height * 3).map(|at| (at * at / 11 + at) as u8).collect()
    }

    /// The same, square by square.
    fn plain(picture: &[u8], (width, height): (usize, usize), side: usize) -> Vec<u8> {
        let mut means = Vec::new();
        for (top, left) in (0..height).step_by(side).flat_map(|y| (0..width).step_by(side).map(move |x| (y, x))) {
            for channel in 0..3 {
                let rows = top..height.min(top + side);
                let of = rows.flat_map(|y| (left..width.min(left + side)).map(move |x| (y * width + x) * 3 + channel));
                let samples: Vec<f64> = of.map(|at| f64::from(picture[at])).collect();
                means.push((samples.iter().sum::<f64>() / samples.len() as f64).round() as u8);
            }
        }
        means
    }

    #[test]
    fn each_square_is_its_mean_in_whatever_order_rows_come() {
        for size @ (width, height) in [(1, 1), (7, 5), (64, 48), (65, 33), (3, 100)] {
            let picture = picture(width, height);
            let rows = || picture.chunks_exact(width * 3).enumerate();
            for side in 1..=LONGEST_SIDE {
                let exact = plain(&picture, size, side);
                let mut in_order = Squares::new(size, side, false);
                rows().for_each(|(y, row)| in_order.add(y, 0, 1, row));
                let mut scattered = Squares::new(size, side, true);
                for (y, row) in rows().collect::<Vec<_>>().into_iter().rev() {
                    let every_second = |from: usize| row.chunks_exact(3).skip(from).step_by(2).flatten().copied();
                    scattered.add(y, 0, 2, &every_second(0).collect::<Vec<_>>());
                    if width > 1 {
                        scattered.add(y, 1, 2, &every_second(1).collect::<Vec<_>>());
                    }
                }
                for made in [in_order.finish(), scattered.finish()] {
                    assert_eq!((made.width, made.height), (width.div_ceil(side), height.div_ceil(side)));
                    assert_eq!(made.extent, (width as f64 / side as f64, height as f64 / side as f64));
                    let furthest = made.data.iter().zip(&exact).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
                    assert!(made.data.len() == exact.len() && furthest <= 1, "{size:?} by {side}: {furthest}");
                }
            }
        }
    }

    #[test]
    fn what_is_even_stays_even() {
        for side in 1..=LONGEST_SIDE {
            for value in [0, 1, 127, 128, 254, 255] {
                let mut squares = Squares::new((35, 33), side, false);
                (0..33).for_each(|y| squares.add(y, 0, 1, &[value; 35 * 3]));
                assert!(squares.finish().data.iter().all(|mean| *mean == value), "{side}: {value}");
            }
        }
    }

    #[test]
    fn twice_what_is_wanted_is_kept_and_never_too_little() {
        assert_eq!(side((4000, 3000), (2048, 1536)), 1);
        assert_eq!(side((6000, 4000), (2048, 1365)), 1);
        assert_eq!(side((11_547, 8660), (2048, 1536)), 2);
        assert_eq!(side((7900, 10_533), (2048, 2731)), 2);
        assert_eq!(side((4000, 3000), (341, 256)), 5);
        assert_eq!(side((100_000, 1000), (2048, 20)), LONGEST_SIDE);
        assert_eq!(side((2048, 48_000), (2048, 48_000)), 1);
        assert_eq!(side((1, 1), (256, 256)), 1);
    }
}
