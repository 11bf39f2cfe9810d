//! How long customers waited: how many, in all, the longest, and about how they were spread.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use crate::domain::time::Span;

/// Steps in which waits are told apart, per doubling: each is 6% longer than the last.
const STEPS: f64 = 12.0;

/// Waits, summed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Waits {
    /// Number of waits.
    pub count: u64,
    /// The time of all of them together.
    pub sum: Span,
    /// The longest single one.
    pub longest: Span,
    /// How many by step: step `n` holds waits of up to 2^(n/12) − 1 seconds.
    pub steps: BTreeMap<u8, u64>,
}

impl Waits {
    /// Counts one.
    pub fn add(&mut self, wait: Span) {
        let wait = wait.max(Span::ZERO);
        self.count += 1;
        self.sum += wait;
        self.longest = self.longest.max(wait);
        *self.steps.entry(step(wait)).or_default() += 1;
    }

    /// The wait that this share of them didn't pass, at most 6% and 60 ms too long; none before
    /// the first.
    pub fn percentile(&self, percent: u64) -> Option<Span> {
        let rank = (self.count * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let (reached, _) = self.steps.iter().find(|(_, count)| {
            seen += **count;
            seen >= rank
        })?;
        Some(most_in(*reached).min(self.longest))
    }
}

impl AddAssign<&Self> for Waits {
    fn add_assign(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.longest = self.longest.max(other.longest);
        for (step, count) in &other.steps {
            *self.steps.entry(*step).or_default() += count;
        }
    }
}

/// The step that a wait belongs to; the last one holds whatever is longer.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "waits are far below 2^53 ms, and the step is clamped"
)]
fn step(wait: Span) -> u8 {
    let seconds = wait.0.max(0) as f64 / 1_000.0;
    ((seconds + 1.0).log2() * STEPS).ceil().clamp(0.0, 255.0) as u8
}

/// The longest wait of a step.
#[expect(clippy::cast_possible_truncation, reason = "2^22 seconds are 2^32 ms")]
fn most_in(step: u8) -> Span {
    let seconds = (f64::from(step) / STEPS).exp2() - 1.0;
    Span::millis((seconds * 1_000.0).ceil() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_never_too_short_and_hardly_too_long() {
        let mut waits = Waits::default();
        assert_eq!(waits.percentile(50), None);
        for seconds in 1..=100 {
            waits.add(Span::seconds(seconds));
        }
        for percent in [1, 50, 90, 99, 100] {
            let exact = i64::try_from(percent).expect("small") * 1_000;
            let told = waits.percentile(percent).expect("there are some").0;
            assert!(told >= exact && told <= exact + exact * 6 / 100 + 60, "{percent}: {told}");
        }
        assert_eq!(waits.percentile(100), Some(Span::seconds(100)), "never past the longest");
    }

    #[test]
    fn the_longest_wait_of_a_step_belongs_to_it_and_no_wait_is_none() {
        assert_eq!((step(Span::ZERO), step(Span(-5)), step(Span(i64::MAX))), (0, 0, 255));
        for at in 1..=255_u8 {
            let most = most_in(at);
            assert!(step(Span(most.0 - 1)) <= at && step(Span(most.0 + 1)) > at || at == 255);
        }
    }
}
