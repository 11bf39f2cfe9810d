//! The walk from day to day that answers every question about hours.
//!
//! Shared by a queue's hours and the contact hours of a customer's zone, which are the same thing
//! over different weeks. Must never look further than [`LOOK_AHEAD_DAYS`].

use std::iter::Peekable;

use super::{DayInterval, Interval, LOOK_AHEAD_DAYS};
use crate::domain::civil::Date;
use crate::domain::time::{Span, Timestamp};
use crate::domain::zone::TimeZone;

/// What is open on each date.
pub(super) trait Week {
    /// The zone in which the days are told.
    fn zone(&self) -> &TimeZone;

    /// The intervals that start on a date, sorted by start.
    fn day(&self, date: Date) -> &[DayInterval];

    /// Whether the intervals of these dates leave no instant out, without looking at each; may say
    /// no where looking would say yes. It only saves the walk.
    fn is_unbroken(&self, first: Date, last: Date) -> bool;
}

/// An interval reaches into the next day at most, and an hour that the clocks repeat across
/// midnight may show a date after the next one has begun: so whatever holds an instant starts at
/// most two dates before the one that the clock shows, and one after it.
const REACH_DAYS: i32 = 2;

/// How many dates before an instant the intervals are put together, so that those around it are
/// cut as from any earlier start. The nearest cut lies where the day before began or ended, so
/// that day is needed whole; it may be two dates back where the zone skipped one.
const CUT_DAYS: i32 = 2 + REACH_DAYS;

/// The questions, over any week.
#[derive(Debug)]
pub(super) struct Walk<'a, W>(pub(super) &'a W);

impl<'a, W: Week> Walk<'a, W> {
    pub(super) fn is_open(&self, at: Timestamp) -> bool {
        let day = self.date(at);
        self.is_unbroken(at, at)
            || self
                .pieces(day.plus_days(-REACH_DAYS), day.plus_days(1))
                .take_while(|piece| piece.start <= at)
                .any(|piece| at < piece.end)
    }

    pub(super) fn next_open(&self, at: Timestamp) -> Option<Timestamp> {
        if self.is_unbroken(at, at) {
            return Some(at);
        }
        let next = self.ahead(at).find(|piece| at < piece.end)?;
        Some(next.start.max(at)).filter(|&open| open <= horizon(at))
    }

    pub(super) fn closes_at(&self, at: Timestamp) -> Option<Timestamp> {
        if self.is_unbroken(at, horizon(at)) {
            return None;
        }
        let run = merged(self.ahead(at)).find(|run| at < run.end)?;
        (run.start <= at && run.end <= horizon(at)).then_some(run.end)
    }

    pub(super) fn open_between(&self, from: Timestamp, to: Timestamp) -> Span {
        let to = to.max(from);
        if self.is_unbroken(from, to) {
            return to.since(from);
        }
        let to = to.min(horizon(from));
        let (mut counted_to, mut open) = (from, Span::ZERO);
        for piece in self.ahead(from).take_while(|piece| piece.start < to) {
            let start = piece.start.max(counted_to);
            counted_to = piece.end.clamp(counted_to, to.max(counted_to));
            open += Span(counted_to.since(start).0.max(0));
        }
        open
    }

    pub(super) fn add_open(&self, from: Timestamp, span: Span) -> Timestamp {
        if span <= Span::ZERO || from == Timestamp::NEVER {
            return from;
        }
        if self.is_unbroken(from, from + span) {
            return from + span;
        }
        let (mut counted_to, mut left) = (from, span);
        for piece in self.ahead(from) {
            let start = piece.start.max(counted_to);
            let open = piece.end.since(start);
            if open <= Span::ZERO {
                continue;
            }
            if left <= open {
                let end = start + left;
                return if end <= horizon(from) { end } else { Timestamp::NEVER };
            }
            left = left - open;
            counted_to = piece.end;
        }
        Timestamp::NEVER
    }

    pub(super) fn interval_at(&self, at: Timestamp) -> Option<Interval> {
        if self.is_unbroken(at, at) {
            let (start, end) = self.0.zone().day_bounds(self.0.zone().day_of(at));
            return Some(Interval { start, end });
        }
        self.intervals(at, at + Span::millis(1)).next()
    }

    pub(super) fn intervals(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> impl Iterator<Item = Interval> + use<'a, W> {
        let to = to.min(horizon(from));
        let first = self.date(from).plus_days(-CUT_DAYS);
        let pieces = self.pieces(first, self.date(to).plus_days(REACH_DAYS)).peekable();
        Cut { zone: self.0.zone(), pieces, rest: None }
            .skip_while(move |interval| interval.end <= from)
            .take_while(move |interval| interval.start < to)
    }

    fn date(&self, at: Timestamp) -> Date {
        self.0.zone().local(at).date()
    }

    fn is_unbroken(&self, from: Timestamp, to: Timestamp) -> bool {
        let first = self.date(from).plus_days(-REACH_DAYS);
        self.0.is_unbroken(first, self.date(to).plus_days(REACH_DAYS))
    }

    /// All pieces that may hold `at` or lie after it, as far as we look.
    fn ahead(&self, at: Timestamp) -> impl Iterator<Item = Interval> + use<'a, W> {
        let first = self.date(at).plus_days(-REACH_DAYS);
        self.pieces(first, self.date(horizon(at)).plus_days(REACH_DAYS))
    }

    /// Every day's intervals as stretches of time, sorted by start. They may overlap and touch;
    /// what the clocks skip whole is left out.
    fn pieces(&self, first: Date, last: Date) -> impl Iterator<Item = Interval> + use<'a, W> {
        let week = self.0;
        let days = (first.days()..=last.days()).filter_map(Date::from_days);
        let pieces = days.flat_map(move |date| {
            week.day(date).iter().map(move |interval| Interval {
                start: week.zone().resolve_lenient(date.at_second(interval.start_second())),
                end: week.zone().resolve_end(date.at_second(interval.end_second())),
            })
        });
        pieces.filter(|piece| piece.start < piece.end)
    }
}

fn horizon(at: Timestamp) -> Timestamp {
    at + Span::days(LOOK_AHEAD_DAYS)
}

/// Puts together what overlaps or touches.
fn merged(pieces: impl Iterator<Item = Interval>) -> impl Iterator<Item = Interval> {
    let mut pieces = pieces.peekable();
    std::iter::from_fn(move || {
        let mut run = pieces.next()?;
        while let Some(more) = pieces.next_if(|piece| piece.start <= run.end) {
            run.end = run.end.max(more.end);
        }
        Some(run)
    })
}

/// Puts together what overlaps or touches, and cuts it at the midnights around days that are open
/// throughout. Reads no further than it needs, since a run may be endless.
struct Cut<'a, I: Iterator<Item = Interval>> {
    zone: &'a TimeZone,
    pieces: Peekable<I>,
    /// What is left of a run after a whole day.
    rest: Option<Interval>,
}

impl<I: Iterator<Item = Interval>> Iterator for Cut<'_, I> {
    type Item = Interval;

    fn next(&mut self) -> Option<Interval> {
        let mut run = self.rest.take().or_else(|| self.pieces.next())?;
        let (day, day_end) = self.first_day_from(run.start);
        while run.end < day_end {
            let Some(more) = self.pieces.next_if(|piece| piece.start <= run.end) else {
                return Some(run);
            };
            run.end = run.end.max(more.end);
        }
        let cut = if run.start < day { day } else { day_end };
        // What starts before the cut may go on after it even where the run so far doesn't.
        while let Some(more) = self.pieces.next_if(|piece| piece.start < cut) {
            run.end = run.end.max(more.end);
        }
        self.rest = (cut < run.end).then_some(Interval { start: cut, end: run.end });
        Some(Interval { start: run.start, end: cut })
    }
}

impl<I: Iterator<Item = Interval>> Cut<'_, I> {
    /// The first local day that begins at `start` or after it.
    fn first_day_from(&self, start: Timestamp) -> (Timestamp, Timestamp) {
        let next = |date: Date, after: Timestamp| {
            // A date that the zone skipped is no day; two are never skipped in a row.
            let later = (1..=3).map(|days| self.zone.day_start(date.plus_days(days)));
            later.into_iter().find(|&midnight| after < midnight).unwrap_or(Timestamp::NEVER)
        };
        let date = self.zone.day_of(start);
        let midnight = self.zone.day_start(date);
        if midnight == start {
            return (start, next(date, start));
        }
        let day = next(date, start);
        (day, next(self.zone.day_of(day), day))
    }
}
