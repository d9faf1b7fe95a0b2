//! How much of which samples a new one is made of.

use super::{Filter, Span};

/// The weights of one sample add up to this, where it keeps its level.
pub(super) const ONE: i16 = 1 << 14;

/// A new sample: weights of the samples of the source from `start` on.
pub(super) struct Weights {
    pub(super) start: usize,
    pub(super) each: Vec<i16>,
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

    /// Fills in weights at distances from `first` on, each `step` further.
    fn fill(self, weights: &mut [f64], first: f64, step: f64) {
        match self {
            Self::Lanczos3 => lanczos3(weights, first, step),
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
/// sin(3 a) = 3 sin(a) - 4 sin(a)^3, and each next sine follows from the two before it.
fn lanczos3(weights: &mut [f64], first: f64, step: f64) {
    let third = std::f64::consts::PI / 3.0;
    let (first, step) = (first * third, step * third);
    let (mut before, mut sine, turn) = ((first - step).sin(), first.sin(), 2.0 * step.cos());
    for (weight, index) in weights.iter_mut().zip(0..) {
        let angle = first + f64::from(index) * step;
        let square = sine * sine;
        *weight = if angle.abs() < 1e-6 {
            1.0
        } else if angle.abs() < std::f64::consts::PI {
            square * (3.0 - 4.0 * square) / (3.0 * angle * angle)
        } else {
            0.0
        };
        (before, sine) = (sine, turn * sine - before);
    }
}

/// Returns the weights of each new sample as whole numbers. All together they multiply levels by `gain`, which is less than 2.
pub(super) fn weights(span: Span, filter: Filter, gain: f64) -> Vec<Weights> {
    exact(span, filter).into_iter().map(|(start, exact)| whole(start, &exact, gain)).collect()
}

/// Returns where the samples of each new one begin, and their weights, which add up to 1.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sizes of photos are far below 2^52, and places are within the photo"
)]
pub(super) fn exact(span: Span, filter: Filter) -> Vec<(usize, Vec<f64>)> {
    let last = span.of.saturating_sub(1);
    let scale = span.scale();
    // Of what is made larger, samples lie further apart than the filter is wide.
    let stretch = scale.max(1.0);
    let reach = filter.reach() * stretch;
    let one = |index: usize| {
        let middle = span.start + (index as f64 + 0.5) * scale;
        let first = ((middle - reach + 0.5).max(0.0) as usize).min(last);
        let behind = ((middle + reach + 0.5).max(0.0) as usize).clamp(first + 1, span.of.max(first + 1));
        let mut weights = vec![0.0; behind - first];
        filter.fill(&mut weights, (first as f64 + 0.5 - middle) / stretch, 1.0 / stretch);
        let sum: f64 = weights.iter().sum();
        if sum.abs() < 1e-6 {
            // Nothing is in reach but what weighs nothing: the nearest sample is.
            weights.fill(0.0);
            weights[0] = 1.0;
        } else {
            for weight in &mut weights {
                *weight /= sum;
            }
        }
        (first, weights)
    };
    (0..span.to).map(one).collect()
}

/// Rounds weights, and gives what rounding took or added to the largest, so that even areas stay as they are.
#[expect(clippy::cast_possible_truncation, reason = "no weight is much more than 1, and their sum is 1")]
fn whole(start: usize, exact: &[f64], gain: f64) -> Weights {
    let one = f64::from(ONE) * gain;
    let mut weights: Vec<i16> = exact.iter().map(|weight| (weight * one).round() as i16).collect();
    let sum: i32 = weights.iter().copied().map(i32::from).sum();
    if let Some(largest) = weights.iter_mut().max() {
        *largest = (i32::from(*largest) + one.round() as i32 - sum) as i16;
    }
    // Samples that weigh nothing at either end cost as much as others.
    let end = weights.iter().rposition(|weight| *weight != 0).map_or(0, |last| last + 1);
    weights.truncate(end);
    let before = weights.iter().take_while(|weight| **weight == 0).count();
    weights.drain(..before);
    let not_zero = weights.iter().filter(|weight| **weight != 0).count();
    Weights { start: start + before, each: weights, not_zero: i16::try_from(not_zero).unwrap_or(i16::MAX) }
}
