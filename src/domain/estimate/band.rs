//! The range of an estimate: quantiles of the wait, moved until they hold.
//!
//! It begins with the quantiles of the sum of exponential times, by the cube root that makes a
//! gamma distribution nearly normal (Wilson and Hilferty, 1931). Then each end is moved by what
//! came true: out by a step where a wait fell beyond it, in by a ninth of one where it didn't, so
//! that it rests where one wait in ten falls beyond it, whatever the waits are distributed like
//! (I. Gibbs and E. Candès, *Adaptive conformal inference under distribution shift*, 2021;
//! A. Angelopoulos, E. Candès and R. Tibshirani, *Conformal PID control*, 2023). Nothing in it
//! belongs to one centre or month: after `n` waits the share beyond either end is a tenth to
//! within `140 / n`, since that is how many steps an end can be away from where it began.

use std::collections::VecDeque;

use super::{Basis, Estimate, Wait, seconds, up};
use crate::domain::time::Span;

/// One wait in ten falls beyond each end.
const BEYOND: f64 = 0.1;

/// The normal distribution's quantile that leaves a tenth beyond it.
const TENTH: f64 = 1.281_551_565_544_600_4;

/// How far an end is moved, in standard deviations; ten waits in a row beyond it move it by half
/// of one.
const STEP: f64 = 0.05;

/// No end goes further out; a wait that lies beyond is one that nothing told of.
const FARTHEST: f64 = 8.0;

/// Where the mean of a single exponential time lies; of a sum it lies nearer to 0.
const MEAN: f64 = 1.0 / 3.0;

/// So many answers of free agents are remembered.
const ANSWERS: usize = 50;

/// Fewer of them say nothing.
const ANSWERS_LEAST: usize = 5;

/// Where the ends stand, in standard deviations of the wait made normal.
#[derive(Debug, Clone)]
pub(super) struct Band {
    lower: f64,
    upper: f64,
    /// What customers waited who found an agent free, oldest first.
    answers: VecDeque<Span>,
    /// The wait that 80 of 100 of them didn't pass, in seconds.
    answers_within: u32,
}

impl Default for Band {
    fn default() -> Self {
        Self { lower: -TENTH, upper: TENTH, answers: VecDeque::new(), answers_within: 0 }
    }
}

impl Band {
    /// The range of a wait, in seconds. The mean is always inside.
    pub(super) fn range(&self, wait: Wait) -> (f64, f64) {
        let low = quantile(wait, self.lower);
        let high = quantile(wait, self.upper).max(wait.mean);
        (low.min(wait.mean), high)
    }

    /// The wait for a free agent's answer that 80 of 100 don't pass, in seconds.
    pub(super) fn answers_within(&self) -> u32 {
        self.answers_within
    }

    /// Learns from what came true. True: the wait was inside the range.
    pub(super) fn learn(&mut self, estimate: &Estimate, waited: Span) -> bool {
        let below = waited < Span::seconds(estimate.low);
        let above = waited > Span::seconds(estimate.high);
        match estimate.basis {
            Basis::FreeAgent => self.answered(waited),
            Basis::Line => {
                let lower = self.lower + STEP * moved(below);
                let upper = self.upper - STEP * moved(above);
                self.lower = lower.clamp(-FARTHEST, MEAN);
                self.upper = upper.clamp(0.0, FARTHEST);
            }
        }
        !below && !above
    }

    fn answered(&mut self, waited: Span) {
        self.answers.push_back(waited);
        if self.answers.len() > ANSWERS {
            self.answers.pop_front();
        }
        if self.answers.len() >= ANSWERS_LEAST {
            let mut sorted: Vec<Span> = self.answers.iter().copied().collect();
            sorted.sort_unstable();
            let place = (sorted.len() * 4).div_ceil(5) - 1;
            self.answers_within = up(seconds(sorted[place]));
        }
    }
}

/// Inwards a little, or outwards much.
fn moved(beyond: bool) -> f64 {
    if beyond { BEYOND - 1.0 } else { BEYOND }
}

/// The quantile of a gamma distribution with the wait's mean and variance.
fn quantile(wait: Wait, deviations: f64) -> f64 {
    let ninth_of_shape = wait.variance / (9.0 * wait.mean * wait.mean);
    let root = deviations.mul_add(ninth_of_shape.sqrt(), 1.0 - ninth_of_shape);
    wait.mean * root.max(0.0).powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64, within: f64) {
        assert!((found - expected).abs() <= within, "{found} instead of {expected}");
    }

    /// Exact quantiles of gamma distributions: of one exponential time, and of ten.
    #[test]
    fn quantiles_are_those_of_the_sum_of_exponential_times() {
        let of = |shape: f64, z| quantile(Wait { mean: shape, variance: shape }, z);
        near(of(1.0, -TENTH), 0.1054, 0.01);
        near(of(1.0, TENTH), 10_f64.ln(), 0.03);
        near(of(10.0, -TENTH), 6.2213, 0.01);
        near(of(10.0, TENTH), 14.206, 0.01);
        near(of(1.0, -FARTHEST), 0.0, 0.0);
    }

    /// Whatever the waits are like, a tenth falls beyond each end; but the mean stays inside.
    #[test]
    fn the_ends_go_where_a_tenth_falls_beyond() {
        let wait = Wait { mean: 100.0, variance: 10_000.0 };
        // From, how far up, and the per cent that are below and above in the end.
        let cases =
            [(0, 100, 10.0, 0.0), (150, 200, 0.0, 10.0), (20, 900, 10.0, 10.0), (90, 5, 10.0, 0.0)];
        for (from, spread, expected_below, expected_above) in cases {
            let mut band = Band::default();
            let (mut below, mut above) = (0, 0);
            for turn in 0..5_000_i64 {
                let waited = Span((from + turn * 7_919 % spread) * 1_000 + 1);
                let (low, high) = band.range(wait);
                let (low, high) = (super::super::down(low), up(high));
                assert!(low <= 100 && 100 <= high, "the mean is inside: {low} to {high}");
                band.learn(&Estimate { basis: Basis::Line, seconds: 100, low, high }, waited);
                below += i32::from(waited < Span::seconds(low));
                above += i32::from(waited > Span::seconds(high));
            }
            near(f64::from(below) / 50.0, expected_below, 2.0);
            near(f64::from(above) / 50.0, expected_above, 2.0);
        }
    }

    #[test]
    fn a_free_agents_answer_has_a_range_of_its_own() {
        let mut band = Band::default();
        let told = Estimate { basis: Basis::FreeAgent, seconds: 0, low: 0, high: 0 };
        for waited in 1..=4 {
            assert!(!band.learn(&told, Span::seconds(waited)));
            assert_eq!(band.answers_within(), 0, "too few to say");
        }
        band.learn(&told, Span::seconds(5));
        assert_eq!(band.answers_within(), 4);
        assert!(band.learn(&Estimate { high: 4, ..told }, Span::seconds(3)));
        near(band.upper, TENTH, 0.0);
    }
}
