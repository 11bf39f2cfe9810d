//! When a mail that couldn't be handed over is tried again.

use crate::domain::time::{Span, Timestamp};

/// The wait after the first failure; each further one doubles it.
const FIRST_WAIT: Span = Span::seconds(30);
/// The longest wait between two tries.
const LONGEST_WAIT: Span = Span::minutes(60);
/// So long after its first try a mail is given up.
pub const GIVEN_UP_AFTER: Span = Span::days(1);

/// When to try again after the failure number `failures` (from 1) at `now`; none: give it up.
///
/// A try that would come later than a day after the first comes at the end of that day, so that
/// a mail has the whole day, whatever the waits add up to.
pub fn next_try(failures: u32, first_try: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let doublings = failures.saturating_sub(1).min(16);
    let wait = Span(FIRST_WAIT.0 << doublings).min(LONGEST_WAIT);
    let last = first_try + GIVEN_UP_AFTER;
    (now < last).then(|| (now + wait).min(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_800_000_000_000);

    #[test]
    fn waits_double_from_half_a_minute_to_an_hour() {
        let wait = |failures| {
            let next = next_try(failures, START, START).expect("within the day");
            next.since(START).whole_seconds()
        };
        let waits: Vec<i64> = (1..=9).map(wait).collect();
        assert_eq!(waits, [30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600]);
        assert_eq!(wait(0), 30);
        assert_eq!(wait(u32::MAX), 3_600);
    }

    #[test]
    fn the_last_try_is_a_day_after_the_first() {
        let last = START + GIVEN_UP_AFTER;
        assert_eq!(next_try(30, START, Timestamp(last.0 - 1)), Some(last));
        assert_eq!(next_try(30, START, last), None);
        let count = |tries: &[Timestamp]| u32::try_from(tries.len()).expect("few");
        let mut tries = vec![START];
        while let Some(next) = next_try(count(&tries), START, tries[tries.len() - 1]) {
            assert!(tries.len() < 100, "it ends");
            tries.push(next);
        }
        assert_eq!(tries.last(), Some(&last));
        assert_eq!(tries.len(), 31);
    }

    #[test]
    fn a_clock_set_back_gives_nothing_up_early() {
        assert!(next_try(1, START, Timestamp(START.0 - 3_600_000)).is_some());
    }
}
