//! How long a queue's line was: minute by minute, the most that waited at once.
//!
//! A line is told at each change, and between two changes it is as it was. What the ledger counts
//! adds up; this doesn't, so it has rows of its own, written once a minute and never with a step.

use std::collections::{BTreeMap, BTreeSet};

use super::{QUARTER, quarter_of, start_of};
use crate::domain::time::{Span, Timestamp};

/// What a line is kept by.
const MINUTE: Span = Span::minutes(1);

/// Longer than that between two looks, nobody watched: the machine slept, or its clock was set.
const UNWATCHED: Span = Span::minutes(3);

/// The minutes of [`LineBook::last_hour`].
const HOUR: usize = 60;

/// A quarter of an hour, minute by minute.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// The most that waited at once in each minute, as far as it was watched; what is missing at
    /// the end wasn't either.
    pub minutes: Vec<Option<u32>>,
}

impl Line {
    /// The most in the whole quarter.
    pub fn most(&self) -> Option<u32> {
        self.minutes.iter().flatten().copied().max()
    }

    fn raise(&mut self, place: usize, waiting: u32) {
        if self.minutes.len() <= place {
            self.minutes.resize(place + 1, None);
        }
        let minute = &mut self.minutes[place];
        *minute = (*minute).max(Some(waiting));
    }
}

/// The last hour of a line: which is what a chart shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LastHour {
    /// When the first minute began.
    pub from: Timestamp,
    /// The most that waited at once in each minute, the present one last; none: nobody watched.
    pub waiting: Vec<Option<u32>>,
}

/// One queue's line.
#[derive(Debug, Clone, Default)]
pub(super) struct LineBook {
    pub(super) quarters: BTreeMap<Timestamp, Line>,
    /// Quarters that have changed since they were written.
    changed: BTreeSet<Timestamp>,
    /// How long it is now.
    waiting: u32,
    /// The minute in which it was looked at last; none: nobody watches it.
    looked: Option<Timestamp>,
}

impl LineBook {
    /// It is so long now.
    pub(super) fn is(&mut self, now: Timestamp, waiting: u32) {
        self.pass(now);
        let minute = start_of(now, MINUTE);
        self.waiting = waiting;
        self.looked = Some(minute);
        self.raise(minute, waiting);
    }

    /// Up to now it is as it was.
    pub(super) fn pass(&mut self, now: Timestamp) {
        for minute in self.unwritten(now) {
            self.raise(minute, self.waiting);
            self.looked = Some(minute);
        }
    }

    /// Nobody watches it from now on.
    pub(super) fn leave(&mut self, now: Timestamp) {
        self.pass(now);
        self.looked = None;
    }

    /// The quarters to be written.
    pub(super) fn take_changed(&mut self) -> BTreeSet<Timestamp> {
        std::mem::take(&mut self.changed)
    }

    /// The quarters from `from` to before `to`, up to this moment.
    pub(super) fn quarters(
        &self,
        now: Timestamp,
        from: Timestamp,
        to: Timestamp,
    ) -> BTreeMap<Timestamp, Line> {
        let known = self.quarters.range(from..to).map(|(quarter, line)| (*quarter, line.clone()));
        let mut quarters: BTreeMap<Timestamp, Line> = known.collect();
        for minute in self.unwritten(now) {
            let quarter = quarter_of(minute);
            if (from..to).contains(&quarter) {
                let line = quarters.entry(quarter).or_default();
                line.raise(place_of(minute), self.waiting);
            }
        }
        quarters
    }

    /// The last hour, up to this moment.
    pub(super) fn last_hour(&self, now: Timestamp) -> LastHour {
        let end = start_of(now, MINUTE) + MINUTE;
        let from = end - Span::minutes(60);
        let quarters = self.quarters(now, quarter_of(from), end);
        let at = |place: usize| {
            let minute = from + Span(MINUTE.0 * i64::try_from(place).unwrap_or(i64::MAX));
            *quarters.get(&quarter_of(minute))?.minutes.get(place_of(minute))?
        };
        LastHour { from, waiting: (0..HOUR).map(at).collect() }
    }

    /// Minutes that have begun since it was looked at, while it was as it is.
    fn unwritten(&self, now: Timestamp) -> Vec<Timestamp> {
        let minute = start_of(now, MINUTE);
        let Some(looked) = self.looked else { return Vec::new() };
        // A clock that was set back counts from where it is.
        let watched = (Span::ZERO..=UNWATCHED).contains(&minute.since(looked));
        let mut at = if watched { looked } else { minute };
        let mut minutes = Vec::new();
        while at <= minute {
            minutes.push(at);
            at = at + MINUTE;
        }
        minutes
    }

    fn raise(&mut self, minute: Timestamp, waiting: u32) {
        let quarter = quarter_of(minute);
        let line = self.quarters.entry(quarter).or_default();
        let place = place_of(minute);
        if line.minutes.get(place).copied().flatten() < Some(waiting) {
            line.raise(place, waiting);
            self.changed.insert(quarter);
        }
    }
}

/// A minute's place in its quarter.
fn place_of(minute: Timestamp) -> usize {
    let place = minute.since(quarter_of(minute)).0.clamp(0, QUARTER.0 - 1) / MINUTE.0;
    usize::try_from(place).expect("there are 15")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The beginning of a quarter.
    const START: Timestamp = Timestamp(1_795_507_200_000);

    fn at(seconds: u32) -> Timestamp {
        START + Span::seconds(seconds)
    }

    /// The last minutes of the hour, the present one last.
    fn last(book: &LineBook, now: Timestamp, minutes: usize) -> Vec<Option<u32>> {
        book.last_hour(now).waiting.split_off(HOUR - minutes)
    }

    #[test]
    fn a_minute_has_the_most_of_it_and_what_it_began_with() {
        let mut book = LineBook::default();
        book.is(at(5), 2);
        book.is(at(10), 7);
        book.is(at(20), 1);
        book.is(at(150), 0);
        assert_eq!(last(&book, at(170), 4), [None, Some(7), Some(1), Some(1)]);
        // Nothing changes: it goes on, whether or not it was written down.
        assert_eq!(last(&book, at(230), 3), [Some(1), Some(1), Some(0)]);
        book.pass(at(230));
        assert_eq!(last(&book, at(230), 3), [Some(1), Some(1), Some(0)]);
        let hour = book.last_hour(at(230));
        assert_eq!((hour.from, hour.waiting.len()), (at(240) - Span::minutes(60), 60));
    }

    #[test]
    fn quarters_are_written_where_they_changed() {
        let mut book = LineBook::default();
        book.is(at(14 * 60 + 59), 3);
        book.is(at(15 * 60 + 1), 2);
        let quarters = [START, START + QUARTER];
        assert_eq!(book.take_changed(), quarters.into());
        let mut first = Line { minutes: vec![None; 15] };
        first.minutes[14] = Some(3);
        assert_eq!(book.quarters[&quarters[0]], first);
        assert_eq!(book.quarters[&quarters[1]].minutes, [Some(3)], "it began so");
        book.is(at(15 * 60 + 2), 1);
        assert!(book.take_changed().is_empty(), "there were more before");
    }

    #[test]
    fn what_nobody_watched_is_not_known() {
        let mut book = LineBook::default();
        assert_eq!(last(&book, START, 1), [None]);
        book.is(START, 4);
        // The machine slept.
        book.pass(START + Span::minutes(10));
        let known = last(&book, START + Span::minutes(10), 12);
        let nothing = |minutes| vec![None; minutes];
        assert_eq!(known, [nothing(1), vec![Some(4)], nothing(9), vec![Some(4)]].concat());
        // The queue was removed.
        book.leave(START + Span::minutes(11));
        assert_eq!(last(&book, START + Span::minutes(12), 3), [Some(4), Some(4), None]);
        // The clock was set back.
        book.is(START - Span::minutes(20), 1);
        assert_eq!(last(&book, START - Span::minutes(20), 2), [None, Some(1)]);
    }
}
