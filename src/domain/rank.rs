//! The order of waiting work: priority turned into time, so that nothing starves.
//!
//! Separate from the queue, because queue, router and store all sort by it and must agree. Must
//! never depend on `now`: a rank is set once and stays, or sorted lists would need rewriting.

use std::fmt;

use super::time::{Span, Timestamp};

/// How urgent a callback is: 0–9, 9 most urgent, 5 unless told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(u8);

/// Why a number isn't a priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a priority: use 0 to 9, 9 being the most urgent")]
pub struct BadPriority(pub i64);

impl Priority {
    /// The least urgent.
    pub const LEAST: Self = Self(0);
    /// The most urgent.
    pub const MOST: Self = Self(9);

    /// Takes 0 to 9.
    pub fn new(value: i64) -> Result<Self, BadPriority> {
        let fits = u8::try_from(value).ok().filter(|&value| value <= Self::MOST.0);
        fits.map(Self).ok_or(BadPriority(value))
    }

    /// The number.
    pub const fn value(self) -> u8 {
        self.0
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self(5)
    }
}

/// Where work stands in line: the smallest is served first, ties by id.
///
/// An instant in milliseconds, moved back by the priority; so a rank older than `now` is ordinary.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank(pub i64);

impl fmt::Debug for Rank {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "rank {}", self.0)
    }
}

/// `queued_since − priority × age_step_seconds`: each step of priority is worth that much waiting.
pub fn rank(queued_since: Timestamp, priority: Priority, age_step_seconds: u32) -> Rank {
    let step = Span::seconds(age_step_seconds);
    Rank((queued_since - Span(step.0 * i64::from(priority.0))).0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn priorities_are_0_to_9_and_5_unless_told() {
        for value in 0..=9 {
            assert_eq!(Priority::new(value).map(|it| i64::from(it.value())), Ok(value));
        }
        for value in [-1, 10, 255, 256, i64::MIN, i64::MAX] {
            assert_eq!(Priority::new(value), Err(BadPriority(value)));
        }
        assert_eq!(Priority::default().value(), 5);
    }

    #[test]
    fn a_step_of_priority_is_worth_its_seconds_of_waiting() {
        let at = |seconds: i64| Timestamp(seconds * 1_000);
        let cases = [
            // since, priority, step, rank in seconds
            (10_000, 0, 300, 10_000),
            (10_000, 5, 300, 8_500),
            (10_000, 9, 300, 7_300),
            (10_000, 9, 0, 10_000),
            (0, 1, u32::MAX, -i64::from(u32::MAX)),
        ];
        for (since, priority, step, expected) in cases {
            let priority = Priority::new(priority).unwrap();
            assert_eq!(rank(at(since), priority, step), Rank(expected * 1_000));
        }
    }

    #[test]
    fn extremes_neither_wrap_nor_panic() {
        assert_eq!(rank(Timestamp(i64::MIN), Priority::MOST, u32::MAX), Rank(i64::MIN));
        assert!(rank(Timestamp::NEVER, Priority::MOST, u32::MAX) > Rank(0));
    }

    proptest! {
        /// Whoever has waited longer by more than all priorities together can make up is first.
        #[test]
        fn nothing_starves(since in 0..i64::MAX / 4, step in 0..=u32::MAX, low in 0..=9i64) {
            let (low, age) = (Priority::new(low).unwrap(), Span::seconds(step).0 * 9 + 1);
            let waiting = rank(Timestamp(since), low, step);
            let later = rank(Timestamp(since + age), Priority::MOST, step);
            prop_assert!(waiting < later);
        }

        /// At the same instant the more urgent is never behind.
        #[test]
        fn urgency_never_loses_places(
            since in any::<i64>(), step in any::<u32>(), a in 0..=9i64, b in 0..=9i64,
        ) {
            let of = |value| rank(Timestamp(since), Priority::new(value).unwrap(), step);
            prop_assert!(of(a.max(b)) <= of(a.min(b)));
        }
    }
}
