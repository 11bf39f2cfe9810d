//! When to try again what failed: the delays that Standard Webhooks advises, within one day, or
//! within another time, by delays that are as much longer or shorter.
//!
//! Pure: the time that has passed and the dice come in as arguments.

use crate::domain::time::Span;

/// How long something is tried before it is given up.
pub const GIVE_UP_AFTER: Span = Span::days(1);

/// The wait after each failed attempt, from the first on. The specification's schedule (Standard
/// Webhooks 1.0.0, "Deliverability and reliability") goes on past a day; ours ends there.
const DELAYS: [Span; 7] = [
    Span::seconds(5),
    Span::minutes(5),
    Span::minutes(30),
    Span::minutes(2 * 60),
    Span::minutes(5 * 60),
    Span::minutes(10 * 60),
    Span::minutes(14 * 60),
];

/// At most this share of a delay is added to it, in thousandths, so that what failed together
/// doesn't come back together.
const JITTER_PER_MILLE: i64 = 100;

/// Delays for something that is tried for another time than a day: each by the same share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    give_up_after: Span,
}

impl Schedule {
    /// Tried for so long.
    pub const fn within(give_up_after: Span) -> Self {
        Self { give_up_after }
    }

    /// A delay of the day's schedule, in this one.
    pub fn scaled(&self, delay: Span) -> Span {
        Span(delay.0 * self.give_up_after.0 / GIVE_UP_AFTER.0)
    }

    /// How long to wait after the `failed`th attempt (from 1), made `elapsed` after the first;
    /// `None`: give it up.
    ///
    /// `retry_after` is what the other side asked for, and only makes the wait longer. The last
    /// attempt is made when the time is over, so that an outage of just under it loses nothing.
    /// `dice` is any number.
    pub fn wait(
        &self,
        failed: u32,
        elapsed: Span,
        retry_after: Option<Span>,
        dice: u64,
    ) -> Option<Span> {
        if elapsed >= self.give_up_after {
            return None;
        }
        let index = (failed.max(1) as usize - 1).min(DELAYS.len() - 1);
        let delay = self.scaled(DELAYS[index]);
        let share = i64::try_from(dice % 1_001).expect("a remainder of 1,001 fits");
        let jittered = delay + Span(delay.0 * JITTER_PER_MILLE / 1_000 * share / 1_000);
        let asked = retry_after.unwrap_or(Span::ZERO);
        Some(jittered.max(asked).min(self.give_up_after - elapsed))
    }
}

/// [`Schedule::wait`] of what is tried for a day.
pub fn wait(failed: u32, elapsed: Span, retry_after: Option<Span>, dice: u64) -> Option<Span> {
    Schedule::within(GIVE_UP_AFTER).wait(failed, elapsed, retry_after, dice)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When attempts are made, in seconds after the first, if all of them fail at once.
    fn attempts(dice: u64) -> Vec<i64> {
        let mut at = Span::ZERO;
        let mut all = vec![0];
        for failed in 1..100 {
            let Some(wait) = wait(failed, at, None, dice) else { return all };
            at += wait;
            all.push(at.whole_seconds());
        }
        panic!("it never ends: {all:?}");
    }

    #[test]
    fn the_schedule_is_the_advised_one_and_ends_with_the_day() {
        assert_eq!(attempts(0), [0, 5, 305, 2_105, 9_305, 27_305, 63_305, 86_400]);
    }

    #[test]
    fn another_time_has_the_same_attempts_nearer_together() {
        let minute = Schedule::within(Span::minutes(1));
        assert_eq!(minute.scaled(Span::minutes(24 * 60)), Span::minutes(1));
        assert_eq!(minute.wait(2, Span::ZERO, None, 0), Some(Span::millis(208)));
        assert_eq!(minute.wait(7, Span::seconds(59), None, 0), Some(Span::seconds(1)));
        assert_eq!(minute.wait(7, Span::seconds(60), None, 0), None);
    }

    #[test]
    fn jitter_adds_a_tenth_at_most() {
        assert_eq!(wait(1, Span::ZERO, None, 1_000), Some(Span::millis(5_500)));
        assert_eq!(wait(1, Span::ZERO, None, 1_001), Some(Span::millis(5_000)));
        for dice in 0..2_002 {
            let span = wait(2, Span::ZERO, None, dice).expect("the day is young");
            assert!((300_000..=330_000).contains(&span.0), "{dice}: {span:?}");
        }
        assert_eq!(attempts(u64::MAX).last(), Some(&86_400));
    }

    #[test]
    fn what_the_other_side_asks_for_only_makes_it_longer_and_never_past_the_day() {
        let asked = |seconds| wait(2, Span::ZERO, Some(Span::seconds(seconds)), 0);
        assert_eq!(asked(1), Some(Span::minutes(5)));
        assert_eq!(asked(600), Some(Span::seconds(600)));
        assert_eq!(asked(u32::MAX), Some(GIVE_UP_AFTER));
        let nearly = GIVE_UP_AFTER - Span::millis(1);
        assert_eq!(wait(7, nearly, None, 0), Some(Span::millis(1)));
        assert_eq!(wait(7, GIVE_UP_AFTER, None, 0), None);
        assert_eq!(wait(0, Span::ZERO, None, 0), Some(Span::seconds(5)));
    }
}
