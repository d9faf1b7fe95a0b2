//! How much of which samples a new one is made of.

use std::rc::Rc;

use super::{Filter, Span};

/// What Lanczos multiplies distances with.
const THIRD: f64 = std::f64::consts::FRAC_PI_3;
/// The weights of one sample add up to this, where it keeps its level.
pub(super) const ONE: i16 = 1 << 14;

/// A new sample: weights of the samples of the source from `start` on. Copies are cheap.
#[derive(Clone)]
pub(super) struct Weights {
    pub(super) start: usize,
    pub(super) each: Rc<[i16]>,
    /// How many of them are not zero. At some scales every third one is, within the filter's reach.
    pub(super) not_zero: i16,
}

impl Filter {
    /// Samples that it reaches to either side.
    fn reach(self) -> f64 {
        match self {
            Self::Lanczos3 => 3.0,
            Self::CatmullRom => 2.0,
        }
    }

    /// Fills in weights at distances from `first` on, each `step` further. `turn` has the sine and cosine of a step, as Lanczos has it.
    fn fill(self, weights: &mut [f64], first: f64, step: f64, turn: (f64, f64)) {
        match self {
            Self::Lanczos3 => lanczos3(weights, first, step, turn),
            Self::CatmullRom => {
                for (weight, index) in weights.iter_mut().zip(0..) {
                    *weight = catmull_rom((first + f64::from(index) * step).abs());
                }
            }
        }
    }
}

fn catmull_rom(x: f64) -> f64 {
    if x < 1.0 {
        (1.5 * x - 2.5) * x * x + 1.0
    } else if x < 2.0 {
        ((2.5 - 0.5 * x) * x - 4.0) * x + 2.0
    } else {
        0.0
    }
}

/// The weight is sin(3 a) sin(a) / (3 a^2), where a is a third of pi times the distance. Sines would cost as much as all sums:
/// sin(3 a) = 3 sin(a) - 4 sin(a)^3, and each next sine follows from the one before it. `turn` has the sine and cosine of a step.
fn lanczos3(weights: &mut [f64], first: f64, step: f64, turn: (f64, f64)) {
    let (mut sine, mut cosine) = (first * THIRD).sin_cos();
    for (weight, index) in weights.iter_mut().zip(0..) {
        let angle = (first + f64::from(index) * step) * THIRD;
        let square = sine * sine;
        *weight = if angle.abs() < 1e-6 {
            1.0
        } else if angle.abs() < std::f64::consts::PI {
            square * (3.0 - 4.0 * square) / (3.0 * angle * angle)
        } else {
            0.0
        };
        (sine, cosine) = (sine * turn.1 + cosine * turn.0, cosine * turn.1 - sine * turn.0);
    }
}

/// Returns the weights of each new sample as whole numbers. All together they multiply levels by `gain`, which is less than 2.
pub(super) fn weights(span: Span, filter: Filter, gain: f64) -> Vec<Weights> {
    let exact = Exact::new(span, filter);
    let (period, samples) = span.period();
    let mut weights = Vec::new();
    let mut all: Vec<Weights> = Vec::with_capacity(span.to);
    for index in 0..span.to {
        let same = index.checked_sub(period).filter(|same| exact.is_inside(*same) && exact.is_inside(index));
        all.push(match same {
            Some(same) => Weights { start: all[same].start + samples, ..all[same].clone() },
            None => whole(exact.fill(index, &mut weights), &weights, gain),
        });
    }
    all
}

/// Weights before they are rounded.
pub(super) struct Exact {
    span: Span,
    filter: Filter,
    /// Samples that the filter reaches to either side.
    reach: f64,
    /// How much wider the filter is than it would be of samples that keep their size. Of what is made larger, they lie further apart than
    /// it is wide.
    stretch: f64,
    /// Sine and cosine of the step from one sample to the next, as Lanczos has them.
    turn: (f64, f64),
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sizes of photos are far below 2^52, and places are within the photo"
)]
impl Exact {
    pub(super) fn new(span: Span, filter: Filter) -> Self {
        let stretch = span.scale().max(1.0);
        Self { span, filter, reach: filter.reach() * stretch, stretch, turn: (THIRD / stretch).sin_cos() }
    }

    /// Where the middle of a new sample lies in the source.
    fn middle(&self, index: usize) -> f64 {
        self.span.start + (index as f64 + 0.5) * self.span.scale()
    }

    /// Tells whether nothing that the filter reaches lies beyond the source.
    fn is_inside(&self, index: usize) -> bool {
        let middle = self.middle(index);
        middle - self.reach >= 0.0 && middle + self.reach <= self.span.of as f64
    }

    /// Fills in the weights of a new sample, which add up to 1, and returns where its samples begin.
    pub(super) fn fill(&self, index: usize, weights: &mut Vec<f64>) -> usize {
        let (middle, of) = (self.middle(index), self.span.of);
        let first = ((middle - self.reach + 0.5).max(0.0) as usize).min(of.saturating_sub(1));
        let behind = ((middle + self.reach + 0.5).max(0.0) as usize).clamp(first + 1, of.max(first + 1));
        weights.resize(behind - first, 0.0);
        self.filter.fill(weights, (first as f64 + 0.5 - middle) / self.stretch, 1.0 / self.stretch, self.turn);
        let sum: f64 = weights.iter().sum();
        if sum.abs() < 1e-6 {
            // Nothing is in reach but what weighs nothing: the nearest sample is.
            weights.fill(0.0);
            weights[0] = 1.0;
        } else {
            let one = 1.0 / sum;
            for weight in weights {
                *weight *= one;
            }
        }
        first
    }
}

/// Rounds weights, and gives what rounding took or added to the largest, so that even areas stay as they are.
fn whole(start: usize, exact: &[f64], gain: f64) -> Weights {
    let one = f64::from(ONE) * gain;
    let mut weights: Vec<i16> = exact.iter().map(|weight| nearest(weight * one)).collect();
    let sum = weights.iter().fold(0_i16, |sum, weight| sum.wrapping_add(*weight));
    if let Some(largest) = weights.iter_mut().max() {
        *largest = largest.wrapping_add(nearest(one).wrapping_sub(sum));
    }
    // Samples that weigh nothing at either end cost as much as others.
    let end = weights.iter().rposition(|weight| *weight != 0).map_or(0, |last| last + 1);
    weights.truncate(end);
    let before = weights.iter().take_while(|weight| **weight == 0).count();
    weights.drain(..before);
    let not_zero = weights.iter().filter(|weight| **weight != 0).count();
    Weights { start: start + before, each: weights.into(), not_zero: i16::try_from(not_zero).unwrap_or(i16::MAX) }
}

/// Rounds. What does it in the standard library is a call into another one.
#[expect(clippy::cast_possible_truncation, reason = "no weight is much more than 1, and `ONE` of them go into 16 bits")]
fn nearest(weight: f64) -> i16 {
    (weight + 0.5_f64.copysign(weight)) as i16
}
