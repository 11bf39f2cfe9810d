//! Operating hours: when a queue is open.
//!
//! Weekly intervals in the queue's own zone, with dated exceptions. Separate from the queue,
//! because intake, slots, retries, expiry and the waiting clock all ask it. Must never scan by the
//! minute: it goes from day to day and reads each day's few intervals through the zone's rules.
//!
//! **Clock changes.** An interval lasts from the first instant at which the clock has reached
//! `from` to the instant from which it shows nothing before `to` any more. So: an opening that the
//! clocks skip is at the first instant after the gap, and a closing that they skip is there too.
//! An hour shown twice inside an interval counts twice. An interval that starts inside such an hour
//! starts in its first pass, and one that ends inside it ends in its second: whenever the clock
//! shows a time within the hours it is open, and it doesn't close to open again in between. (The
//! price: two intervals parted by a break inside that one hour of the year become one.)
//!
//! **Midnight.** An interval whose `to` isn't after its `from` runs into the next day and belongs
//! to the day on which it starts: an exception for the next day doesn't cut it.

use std::collections::BTreeMap;
use std::fmt;

use super::civil::{Date, Weekday};
use super::time::{Span, Timestamp};
use super::zone::TimeZone;

mod contact;
mod walk;

pub use contact::{Allowed, ContactHours};
use walk::{Walk, Week};

/// How far ahead all questions look, in days: beyond it lies "never".
///
/// A year and the holidays around its end; an exception may close a queue for a year, but what
/// opens later than that is no answer to a customer.
pub const LOOK_AHEAD_DAYS: u32 = 400;

/// The most intervals of one day.
pub const MAX_INTERVALS: usize = 24;

/// The most dated exceptions of one queue.
pub const MAX_EXCEPTIONS: usize = 1_000;

/// A time of day in minutes, 00:00–24:00.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClockTime(u16);

/// From one time of day to another; into the next day where `to` isn't after `from`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DayInterval {
    from: ClockTime,
    to: ClockTime,
}

/// A stretch of time: from `start` on, until and without `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval {
    /// Its first instant.
    pub start: Timestamp,
    /// The first instant after it.
    pub end: Timestamp,
}

impl Interval {
    /// Whether the instant lies in it.
    pub fn contains(self, at: Timestamp) -> bool {
        self.start <= at && at < self.end
    }

    /// Its length.
    pub fn length(self) -> Span {
        self.end.since(self.start)
    }
}

/// Why hours can't be taken as they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadHours {
    /// Not a time of day.
    #[error("{0:?} is not a time of day: write it as 08:30, from 00:00 to 24:00")]
    ClockTime(String),
    /// Nothing opens at midnight's second name.
    #[error("from can't be 24:00: write 00:00 of the next day")]
    FromMidnight,
    /// A day with too many intervals.
    #[error("{day} has more than {MAX_INTERVALS} intervals")]
    TooManyIntervals {
        /// The weekday or date.
        day: String,
    },
    /// Too many exceptions.
    #[error("there are more than {MAX_EXCEPTIONS} exceptions: drop those that are over")]
    TooManyExceptions,
    /// A date with two exceptions: which holds?
    #[error("{0} has two exceptions: put all its intervals into one")]
    TwoExceptions(Date),
}

impl ClockTime {
    /// 00:00.
    pub const MIDNIGHT: Self = Self(0);
    /// 24:00: the midnight at a day's end.
    pub const DAY_END: Self = Self(24 * 60);

    /// Takes `HH:MM`, 00:00 to 24:00.
    pub fn parse(text: &str) -> Result<Self, BadHours> {
        let minutes = || {
            let [h1, h2, b':', m1, m2] = *text.as_bytes() else { return None };
            let two = |tens: u8, ones: u8| {
                let digits = tens.is_ascii_digit() && ones.is_ascii_digit();
                digits.then(|| u16::from(tens - b'0') * 10 + u16::from(ones - b'0'))
            };
            let (hours, minutes) = (two(h1, h2)?, two(m1, m2)?);
            let time = Self(hours * 60 + minutes);
            (minutes < 60 && time <= Self::DAY_END).then_some(time)
        };
        minutes().ok_or_else(|| BadHours::ClockTime(super::civil::shown(text)))
    }

    /// Minutes since midnight, 0–1,440.
    pub const fn minutes(self) -> u16 {
        self.0
    }
}

impl fmt::Display for ClockTime {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl fmt::Debug for ClockTime {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl DayInterval {
    /// A whole day, midnight to midnight.
    pub const WHOLE_DAY: Self = Self { from: ClockTime::MIDNIGHT, to: ClockTime::DAY_END };

    /// From `from` to `to`; where both are the same it lasts until that time of the next day.
    pub fn new(from: ClockTime, to: ClockTime) -> Result<Self, BadHours> {
        if from == ClockTime::DAY_END { Err(BadHours::FromMidnight) } else { Ok(Self { from, to }) }
    }

    /// Takes two texts as [`ClockTime::parse`] does.
    pub fn parse(from: &str, to: &str) -> Result<Self, BadHours> {
        Self::new(ClockTime::parse(from)?, ClockTime::parse(to)?)
    }

    /// When it starts.
    pub const fn from(self) -> ClockTime {
        self.from
    }

    /// When it ends, the next day where that isn't after `from`.
    pub const fn to(self) -> ClockTime {
        self.to
    }

    /// Seconds from the midnight of its day to its end: up to two days.
    fn end_second(self) -> u32 {
        let next_day = if self.to <= self.from { ClockTime::DAY_END.0 } else { 0 };
        u32::from(self.to.0 + next_day) * 60
    }

    fn start_second(self) -> u32 {
        u32::from(self.from.0) * 60
    }
}

impl fmt::Debug for DayInterval {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.from, self.to)
    }
}

/// When a queue is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    zone: TimeZone,
    /// By weekday from Monday on, each sorted. All whole days where no weekly hours were given.
    weekly: [Vec<DayInterval>; 7],
    /// What holds on a date in place of its weekday's intervals; empty: closed.
    exceptions: BTreeMap<Date, Vec<DayInterval>>,
    /// The weekly intervals leave no minute of the week out.
    unbroken: bool,
}

impl Hours {
    /// Open always, in a zone that says where its days begin.
    pub fn always(zone: TimeZone) -> Self {
        let weekly = std::array::from_fn(|_| vec![DayInterval::WHOLE_DAY]);
        Self { zone, weekly, exceptions: BTreeMap::new(), unbroken: true }
    }

    /// Weekly intervals in any order (none: always open) with exceptions: on such a date its
    /// intervals hold in place of the weekday's, and none means closed.
    pub fn new(
        zone: TimeZone,
        weekly: &[(Weekday, DayInterval)],
        exceptions: Vec<(Date, Vec<DayInterval>)>,
    ) -> Result<Self, BadHours> {
        let mut hours = Self::always(zone);
        if !weekly.is_empty() {
            for day in Weekday::ALL {
                let of_day = weekly.iter().filter(|(on, _)| *on == day).map(|(_, it)| *it);
                hours.weekly[day.index()] = sorted(of_day.collect(), &day.as_str())?;
            }
        }
        if exceptions.len() > MAX_EXCEPTIONS {
            return Err(BadHours::TooManyExceptions);
        }
        for (date, intervals) in exceptions {
            let intervals = sorted(intervals, &date)?;
            if hours.exceptions.insert(date, intervals).is_some() {
                return Err(BadHours::TwoExceptions(date));
            }
        }
        hours.unbroken = covers_week(&hours.weekly);
        Ok(hours)
    }

    /// The zone in which the intervals are told.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// A weekday's intervals, sorted.
    pub fn weekly(&self, day: Weekday) -> &[DayInterval] {
        &self.weekly[day.index()]
    }

    /// The exceptions, by date.
    pub fn exceptions(&self) -> impl ExactSizeIterator<Item = (Date, &[DayInterval])> {
        self.exceptions.iter().map(|(date, intervals)| (*date, intervals.as_slice()))
    }

    /// Whether it is open at the instant.
    pub fn is_open(&self, at: Timestamp) -> bool {
        Walk(self).is_open(at)
    }

    /// The first open instant from `at` on, `at` itself included; none within
    /// [`LOOK_AHEAD_DAYS`].
    pub fn next_open(&self, at: Timestamp) -> Option<Timestamp> {
        Walk(self).next_open(at)
    }

    /// Until when it stays open from `at` on: the first closed instant. None where it is closed at
    /// `at`, and where it doesn't close within [`LOOK_AHEAD_DAYS`].
    pub fn closes_at(&self, at: Timestamp) -> Option<Timestamp> {
        Walk(self).closes_at(at)
    }

    /// The interval that holds the instant, as [`Self::intervals`] has it; none where it is
    /// closed.
    pub fn interval_at(&self, at: Timestamp) -> Option<Interval> {
        Walk(self).interval_at(at)
    }

    /// The intervals that touch `from .. to`, whole, in order; of at most [`LOOK_AHEAD_DAYS`].
    ///
    /// What overlaps or touches is one interval, except that a local day which is open throughout
    /// is always one of its own: so intervals end, and those of a queue that is always open are
    /// its local days. Slots are counted from their starts.
    pub fn intervals(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = Interval> {
        Walk(self).intervals(from, to)
    }

    /// How much of `from .. to` it is open; of more than [`LOOK_AHEAD_DAYS`] only the first count.
    pub fn open_between(&self, from: Timestamp, to: Timestamp) -> Span {
        Walk(self).open_between(from, to)
    }

    /// The first instant by which it has been open for `span` since `from`; `from` itself for no
    /// span, and [`Timestamp::NEVER`] where that isn't within [`LOOK_AHEAD_DAYS`].
    pub fn add_open(&self, from: Timestamp, span: Span) -> Timestamp {
        Walk(self).add_open(from, span)
    }
}

impl Week for Hours {
    fn zone(&self) -> &TimeZone {
        &self.zone
    }

    fn day(&self, date: Date) -> &[DayInterval] {
        let weekly = || &self.weekly[date.weekday().index()];
        self.exceptions.get(&date).unwrap_or_else(weekly)
    }

    fn is_unbroken(&self, first: Date, last: Date) -> bool {
        self.unbroken && self.exceptions.range(first..=last.max(first)).next().is_none()
    }
}

fn sorted(
    mut intervals: Vec<DayInterval>,
    day: &dyn fmt::Display,
) -> Result<Vec<DayInterval>, BadHours> {
    if intervals.len() > MAX_INTERVALS {
        return Err(BadHours::TooManyIntervals { day: day.to_string() });
    }
    intervals.sort_unstable();
    Ok(intervals)
}

/// Whether every second of a week, told by the clock, lies in an interval.
fn covers_week(weekly: &[Vec<DayInterval>; 7]) -> bool {
    const DAY: u32 = 86_400;
    // From Sunday on, since its intervals may run into Monday: eight days from that Sunday.
    let days = [6, 0, 1, 2, 3, 4, 5, 6].into_iter().zip(0u32..);
    let covered_to = days
        .flat_map(|(day, n)| weekly[day].iter().map(move |it| (n * DAY, it)))
        .fold(DAY, |covered, (midnight, it)| {
            let reaches = midnight + it.start_second() <= covered;
            if reaches { covered.max(midnight + it.end_second()) } else { covered }
        });
    covered_to >= 8 * DAY
}

#[cfg(test)]
mod tests;
