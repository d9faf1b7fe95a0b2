//! The sums: a strip of rows at a time, first down, then across.
//!
//! Down, a sum goes over rows, so neighbours in a row are summed side by side. Across it would go over neighbours, which
//! vectors are slow at; so a strip is turned on its side in between, and what was a column is summed side by side.
//!
//! Sums are of 16 bits. A sample times a weight is cut down to its upper half, which one instruction does, and leaves five bits
//! behind the point. What cutting loses is half a bit a weight, and added beforehand. That holds of all samples but those
//! that leave nothing to be cut, such as zero; so each is taken in the middle of its level, a half above. The half also
//! makes a number that is cut off in the end one that is rounded.

#![expect(clippy::inline_always, reason = "what is compiled for each kind of vectors must be inlined there")]

use std::{iter::repeat, ops::Range};

use rten_simd::{
    Elem, Isa, SimdOp,
    ops::{BitOps, Interleave},
};

use super::{Levels, Source, weights::Weights};

/// Rows of a strip: what is summed side by side across.
const ROWS: usize = 32;
/// Columns that are summed down at a time: few enough for the rows of one sum to stay in the nearest cache.
const COLUMNS: usize = 1024;
/// Samples of a strip's source that are read at a time: few enough to stay in a near cache, and so many that whole rows are read
/// or long parts of them, since memory that is read on and on comes before it is asked for.
const READ: usize = 256 * 1024;
/// Rows that memory is asked for before their turn comes: it takes as long to answer as it takes to read so many.
const AHEAD: usize = 4;
/// Samples are multiplied with so many bits behind the point, and summed with fewer.
const BEFORE: u32 = 7;
const BEHIND: u32 = 5;
/// The middles of the first level and of the last, as sums have them.
const BLACK: i16 = 1 << (BEHIND - 1);
const WHITE: i16 = (255 << BEHIND) + BLACK;
/// Columns whose sums stay in registers while rows are added to them.
const AT_ONCE: usize = 128;
/// The most lanes that a vector of bytes has.
const LANES: usize = 64;

/// Resizes whole pixels; `across` and `down` say which of them, and to how many.
pub(super) fn resize(from: Source<'_>, across: &[Weights], down: &[Weights]) -> Vec<u8> {
    let mut to = vec![0; across.len() * down.len() * from.channels];
    match from.channels {
        1 => Strips::<1> { from, across, down, to: &mut to }.dispatch(),
        _ => Strips::<3> { from, across, down, to: &mut to }.dispatch(),
    }
    to
}

struct Strips<'a, const CHANNELS: usize> {
    from: Source<'a>,
    across: &'a [Weights],
    down: &'a [Weights],
    to: &'a mut [u8],
}

impl<const CHANNELS: usize> SimdOp for Strips<'_, CHANNELS> {
    type Output = ();

    // Compiled for each kind of vectors, so everything that it calls is inlined.
    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let Self { from, across, down, to } = self;
        let offset = offset(from.levels);
        let (columns, stride) = (from.width * CHANNELS, across.len() * CHANNELS);
        if columns == 0 || stride == 0 {
            return;
        }
        let strips = || down.chunks(ROWS).map(rows_of);
        let (mut source, mut strip, mut turned, mut made) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let most_rows = strips().map(|rows| rows.len()).max().unwrap_or(0).max(1);
        let read = (READ / most_rows / COLUMNS).max(1) * COLUMNS;
        // Rows that lay a power of two apart would all want the same places of a cache.
        let pitch = read.min(columns).next_multiple_of(AT_ONCE) + LANES / 2;
        let source = aligned(&mut source, most_rows * pitch);
        let strip = aligned(&mut strip, ROWS * COLUMNS).as_chunks_mut::<COLUMNS>().0;
        let turned = aligned(&mut turned, columns.next_multiple_of(COLUMNS) * ROWS);
        let made = aligned(&mut made, stride.next_multiple_of(LANES) * ROWS);
        for ((down, to), rows) in down.chunks(ROWS).zip(to.chunks_mut(ROWS * stride)).zip(strips()) {
            let first = rows.start;
            let rows = from.data.chunks_exact(columns).take(rows.end).skip(first);
            for (at, turned) in (0..columns).step_by(read).zip(turned.chunks_mut(read * ROWS)) {
                let behind = columns.min(at + read);
                let ahead = from.data.chunks_exact(columns).skip(first + AHEAD).map(|row| &row[at..behind]);
                let ahead = ahead.chain(repeat(&[][..]));
                for ((row, ahead), to) in rows.clone().zip(ahead).zip(source.chunks_exact_mut(pitch)) {
                    ahead.chunks(LANES).for_each(|line| isa.u8().prefetch(line.as_ptr()));
                    widen(&row[at..behind], to);
                }
                let width = behind - at;
                for (at, turned) in (0..width).step_by(COLUMNS).zip(turned.chunks_exact_mut(COLUMNS * ROWS)) {
                    let width = COLUMNS.min(width - at).next_multiple_of(AT_ONCE);
                    for (weights, to) in down.iter().zip(&mut *strip) {
                        sum_down(
                            &source[(weights.start - first) * pitch + at..],
                            pitch,
                            weights,
                            offset,
                            &mut to[..width],
                        );
                    }
                    turn(isa, strip, &mut turned[..width * ROWS]);
                }
            }
            let (turned, _) = turned.as_chunks::<ROWS>();
            let (columns, _) = made.as_chunks_mut::<ROWS>();
            for (weights, to) in across.iter().zip(columns.chunks_exact_mut(CHANNELS)) {
                for (channel, to) in to.iter_mut().enumerate() {
                    sum_across::<CHANNELS>(&turned[weights.start * CHANNELS + channel..], weights, to);
                }
            }
            turn_back(isa, made, to, stride);
        }
    }
}

/// Returns the rows of the source that a strip is made of.
fn rows_of(strip: &[Weights]) -> Range<usize> {
    let first = strip.iter().map(|weights| weights.start).min().unwrap_or(0);
    let behind = strip.iter().map(|weights| weights.start + weights.each.len()).max().unwrap_or(0);
    first..behind
}

/// Returns zeros that begin where a line of a cache does: vectors that lie across two lines take twice as long.
fn aligned<T: Copy + Default>(buffer: &mut Vec<T>, length: usize) -> &mut [T] {
    buffer.resize(length + LANES, T::default());
    let begin = buffer.as_ptr().align_offset(LANES).min(LANES);
    &mut buffer[begin..begin + length]
}

#[inline(always)]
fn widen(from: &[u8], to: &mut [i16]) {
    for (to, sample) in to.iter_mut().zip(from) {
        *to = (i16::from(*sample) << BEFORE) | (1 << (BEFORE - 1));
    }
}

/// The upper half of a product. None of the sums here can overflow; saying so lets the compiler make vectors of them where it
/// would check.
#[inline(always)]
fn part(sample: i16, weight: i16) -> i16 {
    (i32::from(sample).wrapping_mul(i32::from(weight)) >> 16) as i16
}

/// What is to be added for what cutting products takes away. A weight of zero leaves nothing to be cut.
#[inline(always)]
fn made_up(weights: &Weights) -> i16 {
    weights.not_zero / 2
}

/// What is added to sums of levels, once.
#[expect(clippy::cast_possible_truncation, reason = "at most 19 levels")]
fn offset(levels: Levels) -> i16 {
    (levels.offset() * f64::from(1 << BEHIND)).round() as i16
}

/// A new row of a strip: a sum over rows of the source, each `pitch` samples behind the one before.
#[inline(always)]
fn sum_down(rows: &[i16], pitch: usize, weights: &Weights, offset: i16, to: &mut [i16]) {
    let begin = made_up(weights) + offset;
    for (at, to) in (0..).step_by(AT_ONCE).zip(to.as_chunks_mut::<AT_ONCE>().0) {
        let mut sums = [begin; AT_ONCE];
        for (row, weight) in rows.chunks(pitch).zip(&*weights.each) {
            for (sum, sample) in sums.iter_mut().zip(&row[at..at + AT_ONCE]) {
                *sum = sum.wrapping_add(part(*sample, *weight));
            }
        }
        for (to, sum) in to.iter_mut().zip(&sums) {
            // A filter that sharpens goes beyond black and white, and multiplying has no room for that.
            *to = (*sum).clamp(BLACK, WHITE) << (BEFORE - BEHIND);
        }
    }
}

/// One column of a strip of new samples.
#[expect(clippy::cast_sign_loss, reason = "it is between black and white, and a check of each would keep vectors away")]
#[inline(always)]
fn sum_across<const CHANNELS: usize>(columns: &[[i16; ROWS]], weights: &Weights, to: &mut [u8; ROWS]) {
    let mut sums = [made_up(weights); ROWS];
    for (column, weight) in columns.chunks(CHANNELS).zip(&*weights.each) {
        for (sum, sample) in sums.iter_mut().zip(&column[0]) {
            *sum = sum.wrapping_add(part(*sample, *weight));
        }
    }
    for (to, sum) in to.iter_mut().zip(&sums) {
        *to = ((*sum).clamp(BLACK, WHITE) >> BEHIND) as u8;
    }
}

/// Interleaves the first half of the vectors with the second, over and over: each time the place of every element, as a number
/// in bits, turns left by one bit. After as many times as the number of a row has bits, rows are columns. `spare` is overwritten.
#[inline(always)]
fn interleave<'a, T: Elem, O: Interleave<T>>(
    ops: O,
    vectors: &'a mut [O::Simd; ROWS],
    spare: &'a mut [O::Simd; ROWS],
    times: u32,
) -> &'a [O::Simd; ROWS] {
    let (mut from, mut to) = (vectors, spare);
    for _ in 0..times / 2 {
        interleave_twice(ops, from, to);
        std::mem::swap(&mut from, &mut to);
    }
    if times.is_multiple_of(2) {
        return from;
    }
    let (upper, lower) = from.split_at(ROWS / 2);
    for ((a, b), to) in upper.iter().zip(lower).zip(to.as_chunks_mut::<2>().0) {
        *to = [ops.interleave_low(*a, *b), ops.interleave_high(*a, *b)];
    }
    to
}

/// Two times in one, so that what comes of the first need not leave the registers.
#[inline(always)]
fn interleave_twice<T: Elem, O: Interleave<T>>(ops: O, from: &[O::Simd; ROWS], to: &mut [O::Simd; ROWS]) {
    for (index, to) in to.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        let [a, b, c, d] = [0, 1, 2, 3].map(|quarter| from[index + quarter * ROWS / 4]);
        let (low, high) = (ops.interleave_low(a, c), ops.interleave_high(a, c));
        let (lower, higher) = (ops.interleave_low(b, d), ops.interleave_high(b, d));
        to[0] = ops.interleave_low(low, lower);
        to[1] = ops.interleave_high(low, lower);
        to[2] = ops.interleave_low(high, higher);
        to[3] = ops.interleave_high(high, higher);
    }
}

/// Writes the columns of a strip one behind the other.
#[inline(always)]
fn turn<I: Isa>(isa: I, strip: &[[i16; COLUMNS]], to: &mut [i16]) {
    let ops = isa.i16();
    let lanes = ops.len();
    let (mut vectors, mut spare) = ([ops.zero(); ROWS], [ops.zero(); ROWS]);
    for (index, to) in to.chunks_exact_mut(lanes * ROWS).enumerate() {
        for (vector, row) in vectors.iter_mut().zip(strip) {
            *vector = ops.load(&row[index * lanes..][..lanes]);
        }
        let turned = interleave(ops, &mut vectors, &mut spare, ROWS.ilog2());
        for (vector, to) in turned.iter().zip(to.chunks_exact_mut(lanes)) {
            ops.store(*vector, to);
        }
    }
}

/// Writes new columns as rows of `stride` samples, as many as there is room for.
#[inline(always)]
fn turn_back<I: Isa>(isa: I, columns: &[u8], to: &mut [u8], stride: usize) {
    let ops = isa.u8();
    let lanes = ops.len();
    let (mut vectors, mut spare) = ([ops.zero(); ROWS], [ops.zero(); ROWS]);
    for (at, from) in (0..stride).step_by(lanes).zip(columns.chunks_exact(lanes * ROWS)) {
        for (vector, from) in vectors.iter_mut().zip(from.chunks_exact(lanes)) {
            *vector = ops.load(from);
        }
        let turned = interleave(ops, &mut vectors, &mut spare, lanes.ilog2());
        for (vector, row) in turned.iter().zip(to.chunks_exact_mut(stride)) {
            let to = &mut row[at..stride.min(at + lanes)];
            if to.len() == lanes {
                ops.store(*vector, to);
            } else {
                let mut whole = [0; LANES];
                ops.store(*vector, &mut whole[..lanes]);
                to.copy_from_slice(&whole[..to.len()]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rten_simd::isa::GenericIsa;

    use super::*;
    use crate::resample::{Filter, Span, weights::weights};

    /// What is run on a machine of each kind of vectors, where this machine has them.
    fn by_each_kind<const CHANNELS: usize>(from: Source<'_>, across: &[Weights], down: &[Weights]) -> Vec<Vec<u8>> {
        let mut made = Vec::new();
        let mut run = |eval: &dyn Fn(Strips<'_, CHANNELS>)| {
            let mut to = vec![0; across.len() * down.len() * CHANNELS];
            eval(Strips { from, across, down, to: &mut to });
            made.push(to);
        };
        run(&|strips| strips.eval(GenericIsa::new()));
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(isa) = rten_simd::isa::Avx2Isa::new() {
                run(&|strips| strips.eval(isa));
            }
            if let Some(isa) = rten_simd::isa::Avx512Isa::new() {
                run(&|strips| strips.eval(isa));
            }
        }
        run(&|strips| strips.dispatch());
        made
    }

    #[test]
    fn vectors_of_every_length_give_the_same() {
        let (width, height) = (611, 83);
        let data: Vec<u8> = (0..width * height * 3).map(|at| (at * at / 7 + at) as u8).collect();
        let span = |of: usize, to: usize| Span { start: 0.0, length: of as f64, of, to };
        for (wide, high) in [(300, 41), (63, 33), (1, 1)] {
            let (across, down) = (span(width, wide), span(height, high));
            let (across, down) = (weights(across, Filter::Lanczos3, 1.0), weights(down, Filter::Lanczos3, 1.0));
            let from = |channels: usize| Source { data: &data, width, height, channels, levels: Levels::Full };
            for made in [by_each_kind::<1>(from(1), &across, &down), by_each_kind::<3>(from(3), &across, &down)] {
                assert!(made.windows(2).all(|two| two[0] == two[1]), "{wide} x {high}");
            }
        }
    }
}
