//! When an item of the outbox that failed is tried again: soon, then more and more rarely, within
//! one day.
//!
//! Pure: the time that has passed and the dice come in as arguments. Begins within seconds, since
//! most failures are a moment's, and ends at half an hour, since what is told to a customer is
//! about something that comes soon.

use super::time::Span;

/// How long something is tried before it is given up.
pub const GIVE_UP_AFTER: Span = Span::days(1);

/// The wait after the first failure; each further one doubles it.
const FIRST_WAIT: Span = Span::seconds(5);

/// The longest wait between two tries.
const LONGEST_WAIT: Span = Span::minutes(30);

/// At most this share of a wait is added to it, in thousandths, so that what failed together
/// doesn't come back together.
const JITTER_PER_MILLE: i64 = 100;

/// How long to wait after the `failed`th try (from 1), made `elapsed` after the first; none: give
/// it up.
///
/// `retry_after` is what the other side asked for, and only makes the wait longer. The last try is
/// made when the day is over, so that an outage of just under a day loses nothing. `dice` is any
/// number.
pub fn wait(failed: u32, elapsed: Span, retry_after: Option<Span>, dice: u64) -> Option<Span> {
    if elapsed >= GIVE_UP_AFTER {
        return None;
    }
    let doublings = failed.max(1) - 1;
    let wait = Span(FIRST_WAIT.0 << doublings.min(16)).min(LONGEST_WAIT);
    let share = i64::try_from(dice % 1_001).expect("a remainder of 1,001 fits");
    let jittered = wait + Span(wait.0 * JITTER_PER_MILLE / 1_000 * share / 1_000);
    let asked = retry_after.unwrap_or(Span::ZERO);
    Some(jittered.max(asked).min(GIVE_UP_AFTER - elapsed))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When tries are made, in seconds after the first, if all of them fail at once.
    fn tries(dice: u64) -> Vec<i64> {
        let mut at = Span::ZERO;
        let mut all = vec![0];
        for failed in 1..200 {
            let Some(wait) = wait(failed, at, None, dice) else { return all };
            at += wait;
            all.push(at.whole_seconds());
        }
        panic!("it never ends: {all:?}");
    }

    #[test]
    fn waits_double_to_half_an_hour_and_the_last_try_ends_the_day() {
        let all = tries(0);
        assert_eq!(all[..8], [0, 5, 15, 35, 75, 155, 315, 635]);
        assert_eq!(all[10..12], [4_355, 6_155]);
        assert_eq!((all.len(), all.last()), (57, Some(&86_400)));
        assert_eq!(tries(u64::MAX).last(), Some(&86_400));
    }

    #[test]
    fn jitter_adds_a_tenth_at_most() {
        assert_eq!(wait(1, Span::ZERO, None, 1_000), Some(Span::millis(5_500)));
        assert_eq!(wait(1, Span::ZERO, None, 1_001), Some(Span::millis(5_000)));
        for dice in 0..2_002 {
            let span = wait(u32::MAX, Span::ZERO, None, dice).expect("the day is young");
            assert!((1_800_000..=1_980_000).contains(&span.0), "{dice}: {span:?}");
        }
    }

    #[test]
    fn what_the_other_side_asks_for_only_makes_it_longer_and_never_past_the_day() {
        let asked = |seconds| wait(2, Span::ZERO, Some(Span::seconds(seconds)), 0);
        assert_eq!(asked(1), Some(Span::seconds(10)));
        assert_eq!(asked(600), Some(Span::seconds(600)));
        assert_eq!(asked(u32::MAX), Some(GIVE_UP_AFTER));
        let nearly = GIVE_UP_AFTER - Span::millis(1);
        assert_eq!(wait(7, nearly, None, 0), Some(Span::millis(1)));
        assert_eq!(wait(7, GIVE_UP_AFTER, None, 0), None);
        assert_eq!(wait(0, Span::ZERO, None, 0), Some(Span::seconds(5)));
        assert_eq!(wait(1, Span::millis(-3_600_000), None, 0), Some(Span::seconds(5)));
    }
}
