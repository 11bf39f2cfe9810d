//! When to try again what failed: by a list of delays, the last of them again and again, within one
//! day, or within another time, by delays that are as much longer or shorter.
//!
//! Pure: the time that has passed and the dice come in as arguments.

use super::time::Span;

/// How long something is tried before it is given up, unless another time is set.
const DAY: Span = Span::days(1);

/// At most this share of a delay is added to it, in thousandths, so that what failed together
/// doesn't come back together.
const JITTER_PER_MILLE: i64 = 100;

/// Delays after each failed try, and when it is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// Of something that is tried for a day, from the first on.
    delays: &'static [Span],
    give_up_after: Span,
}

/// What goes out to customers: within seconds, since most failures are a moment's, and then twice
/// as long each time, up to half an hour, since it is about something that comes soon.
pub const DISPATCHES: Schedule = Schedule {
    delays: &[
        Span::seconds(5),
        Span::seconds(10),
        Span::seconds(20),
        Span::seconds(40),
        Span::seconds(80),
        Span::seconds(160),
        Span::seconds(320),
        Span::seconds(640),
        Span::seconds(1_280),
        Span::seconds(1_800),
    ],
    give_up_after: DAY,
};

/// Webhooks: as the specification advises (Standard Webhooks 1.0.0, "Deliverability and
/// reliability"). Its schedule goes on past a day; ours ends there.
pub const WEBHOOKS: Schedule = Schedule {
    delays: &[
        Span::seconds(5),
        Span::minutes(5),
        Span::minutes(30),
        Span::minutes(2 * 60),
        Span::minutes(5 * 60),
        Span::minutes(10 * 60),
        Span::minutes(14 * 60),
    ],
    give_up_after: DAY,
};

impl Schedule {
    /// The same for what is tried for so long.
    #[must_use]
    pub const fn within(self, give_up_after: Span) -> Self {
        Self { give_up_after, ..self }
    }

    /// How long something is tried.
    pub const fn give_up_after(self) -> Span {
        self.give_up_after
    }

    /// What is a delay where something is tried for a day, in this one.
    pub const fn scaled(self, delay: Span) -> Span {
        Span(delay.0 * self.give_up_after.0 / DAY.0)
    }

    /// How long to wait after the `failed`th try (from 1), made `elapsed` after the first; none:
    /// give it up.
    ///
    /// `retry_after` is what the other side asked for, and only makes the wait longer. The last try
    /// is made when the time is over, so that an outage of just under it loses nothing. `dice` is
    /// any number.
    pub fn wait(
        self,
        failed: u32,
        elapsed: Span,
        retry_after: Option<Span>,
        dice: u64,
    ) -> Option<Span> {
        if elapsed >= self.give_up_after {
            return None;
        }
        let index = (failed.max(1) as usize - 1).min(self.delays.len() - 1);
        let delay = self.scaled(self.delays[index]);
        let share = i64::try_from(dice % 1_001).expect("a remainder of 1,001 fits");
        let jittered = delay + Span(delay.0 * JITTER_PER_MILLE / 1_000 * share / 1_000);
        let asked = retry_after.unwrap_or(Span::ZERO);
        Some(jittered.max(asked).min(self.give_up_after - elapsed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When tries are made, in seconds after the first, if all of them fail at once.
    fn tries(schedule: Schedule, dice: u64) -> Vec<i64> {
        let mut at = Span::ZERO;
        let mut all = vec![0];
        for failed in 1..200 {
            let Some(wait) = schedule.wait(failed, at, None, dice) else { return all };
            at += wait;
            all.push(at.whole_seconds());
        }
        panic!("it never ends: {all:?}");
    }

    #[test]
    fn delays_of_dispatches_double_to_half_an_hour_and_the_last_try_ends_the_day() {
        let all = tries(DISPATCHES, 0);
        assert_eq!(all[..8], [0, 5, 15, 35, 75, 155, 315, 635]);
        assert_eq!(all[10..12], [4_355, 6_155]);
        assert_eq!((all.len(), all.last()), (57, Some(&86_400)));
    }

    #[test]
    fn webhooks_are_sent_as_advised_until_the_day_is_over() {
        let advised = [0, 5, 305, 2_105, 9_305, 27_305, 63_305, 86_400];
        assert_eq!(tries(WEBHOOKS, 0), advised);
    }

    #[test]
    fn another_time_has_the_same_tries_nearer_together() {
        let minute = WEBHOOKS.within(Span::minutes(1));
        assert_eq!(minute.give_up_after(), Span::minutes(1));
        assert_eq!(minute.wait(2, Span::ZERO, None, 0), Some(Span::millis(208)));
        assert_eq!(minute.wait(7, Span::seconds(59), None, 0), Some(Span::seconds(1)));
        assert_eq!(minute.wait(7, Span::seconds(60), None, 0), None);
    }

    #[test]
    fn jitter_adds_a_tenth_at_most() {
        for schedule in [DISPATCHES, WEBHOOKS] {
            let first = |dice| schedule.wait(1, Span::ZERO, None, dice);
            assert_eq!(first(1_000), Some(Span::millis(5_500)));
            assert_eq!(first(1_001), Some(Span::millis(5_000)));
            assert_eq!(tries(schedule, u64::MAX).last(), Some(&86_400));
        }
        for dice in 0..2_002 {
            let span = DISPATCHES.wait(u32::MAX, Span::ZERO, None, dice);
            let span = span.expect("the day is young");
            assert!((1_800_000..=1_980_000).contains(&span.0), "{dice}: {span:?}");
        }
    }

    #[test]
    fn what_the_other_side_asks_for_only_makes_it_longer_and_never_past_the_end() {
        let asked = |seconds| DISPATCHES.wait(2, Span::ZERO, Some(Span::seconds(seconds)), 0);
        assert_eq!(asked(1), Some(Span::seconds(10)));
        assert_eq!(asked(600), Some(Span::seconds(600)));
        assert_eq!(asked(u32::MAX), Some(DAY));
        let at = |failed, elapsed| DISPATCHES.wait(failed, elapsed, None, 0);
        let nearly = DAY - Span::millis(1);
        assert_eq!(at(7, nearly), Some(Span::millis(1)));
        assert_eq!(at(7, DAY), None);
        assert_eq!(at(0, Span::ZERO), Some(Span::seconds(5)));
        assert_eq!(at(1, Span::millis(-3_600_000)), Some(Span::seconds(5)));
    }
}
