//! The hours and days of a zone, between two instants.
//!
//! An hour begins whenever the clock there shows a full hour, or another hour than it showed a
//! moment ago: days on which clocks change have 23 or 25 of them, and where clocks change by half
//! an hour, one is shorter or longer. Zones begin their hours at any quarter of an hour of UTC.

use super::{QUARTER, quarter_of};
use crate::domain::time::{Span, Timestamp};
use crate::domain::zone::TimeZone;

/// Seconds of an hour on the clock.
const HOUR: i64 = 3_600;

/// Quarters that an hour has at most, where clocks go back by a part of it.
const LONGEST_HOUR: usize = 8;

/// How a time is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Into hours.
    Hour,
    /// Into days.
    Day,
}

impl Cut {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }
}

/// The hours or days that the time from `from` to `to` touches, each with its first instant and the
/// first one after it: in order, without gap or overlap. None where `to` isn't after `from`.
pub fn intervals(
    zone: &TimeZone,
    cut: Cut,
    from: Timestamp,
    to: Timestamp,
) -> Vec<(Timestamp, Timestamp)> {
    match cut {
        Cut::Hour => hours(zone, from, to),
        Cut::Day => days(zone, from, to),
    }
}

fn days(zone: &TimeZone, from: Timestamp, to: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let mut date = zone.day_of(from);
    let mut all = Vec::new();
    loop {
        let (start, end) = zone.day_bounds(date);
        if start >= to {
            return all;
        }
        // A date that the zone skipped has no length, nor has the calendar's last one.
        if start < end {
            all.push((start, end));
        }
        let next = date.plus_days(1);
        if next == date {
            return all;
        }
        date = next;
    }
}

fn hours(zone: &TimeZone, from: Timestamp, to: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let quarter = quarter_of(from);
    let mut start = first(zone, quarter, Span::ZERO - QUARTER);
    let mut all = Vec::new();
    while start < to {
        let end = first(zone, start + QUARTER, QUARTER);
        all.push((start, end));
        start = end;
    }
    all
}

/// The first quarter from `at` on, in steps, with which an hour begins. Past the calendar's ends
/// none does, and any will do.
fn first(zone: &TimeZone, at: Timestamp, step: Span) -> Timestamp {
    let mut quarter = at;
    for _ in 0..LONGEST_HOUR {
        if begins_hour(zone, quarter) {
            return quarter;
        }
        quarter = quarter + step;
    }
    at
}

/// Whether an hour begins there with this quarter.
fn begins_hour(zone: &TimeZone, at: Timestamp) -> bool {
    let clock = |at| zone.local(at).civil_seconds();
    let shown = clock(at);
    let before = clock(at - Span::millis(1));
    shown.rem_euclid(HOUR) == 0 || shown.div_euclid(HOUR) != before.div_euclid(HOUR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::civil::{format_rfc3339, parse_rfc3339};

    fn at(text: &str) -> Timestamp {
        parse_rfc3339(text).expect("an instant")
    }

    fn cut(zone: &str, cut: Cut, from: &str, to: &str) -> Vec<(Timestamp, Timestamp)> {
        let zone = TimeZone::parse(zone).expect("a zone");
        let all = intervals(&zone, cut, at(from), at(to));
        assert!(all.iter().all(|(start, end)| quarter_of(*start) == *start && start < end));
        assert!(all.windows(2).all(|pair| pair[0].1 == pair[1].0), "no gap, no overlap");
        all
    }

    fn minutes(all: &[(Timestamp, Timestamp)]) -> Vec<i64> {
        all.iter().map(|(start, end)| end.since(*start).whole_seconds() / 60).collect()
    }

    #[test]
    fn days_are_23_or_25_hours_long_where_clocks_change() {
        let day = |from, to| minutes(&cut("Europe/Berlin", Cut::Day, from, to));
        assert_eq!(day("2026-03-28T23:00:00Z", "2026-03-30T22:00:00Z"), [23 * 60, 24 * 60]);
        assert_eq!(day("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"), [25 * 60]);
        let hours = |from, to| minutes(&cut("Europe/Berlin", Cut::Hour, from, to));
        assert_eq!(hours("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"), [60; 23]);
        assert_eq!(hours("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"), [60; 25]);
    }

    #[test]
    fn a_time_is_widened_to_whole_intervals_of_the_zone() {
        for (zone, start) in [
            ("Asia/Kolkata", "2026-05-01T08:30:00Z"),
            ("Asia/Kathmandu", "2026-05-01T08:15:00Z"),
            ("Australia/Eucla", "2026-05-01T08:15:00Z"),
            ("UTC", "2026-05-01T08:00:00Z"),
        ] {
            let all = cut(zone, Cut::Hour, "2026-05-01T08:44:59Z", "2026-05-01T08:45:00Z");
            assert_eq!((format_rfc3339(all[0].0).as_str(), all.len()), (start, 1), "{zone}");
        }
        let day = cut("Asia/Kathmandu", Cut::Day, "2026-05-01T18:14:59Z", "2026-05-01T18:15:01Z");
        assert_eq!((format_rfc3339(day[1].0).as_str(), day.len()), ("2026-05-01T18:15:00Z", 2));
        let none = cut("UTC", Cut::Day, "2026-05-01T00:00:00Z", "2026-05-01T00:00:00Z");
        assert!(none.is_empty());
    }

    #[test]
    fn clocks_that_change_by_half_an_hour_make_one_hour_longer_or_shorter() {
        let lord_howe = |from, to| minutes(&cut("Australia/Lord_Howe", Cut::Hour, from, to));
        // 02:00 becomes 01:30, and in October 02:00 becomes 02:30.
        assert_eq!(lord_howe("2026-04-04T13:00:00Z", "2026-04-04T17:00:00Z"), [60, 90, 60, 60]);
        let spring = lord_howe("2026-10-03T14:30:00Z", "2026-10-03T17:00:00Z");
        assert_eq!(spring, [60, 30, 60]);
        let days = cut("Pacific/Apia", Cut::Day, "2011-12-29T12:00:00Z", "2011-12-31T00:00:00Z");
        assert_eq!(minutes(&days), [24 * 60, 24 * 60], "Samoa had no 30th of December");
    }

    #[test]
    fn at_the_ends_of_the_calendar_it_ends_as_well() {
        let zone = TimeZone::parse("Asia/Kolkata").expect("a zone");
        for cut in [Cut::Hour, Cut::Day] {
            for (from, to) in [
                ("9999-12-30T00:00:00Z", "9999-12-31T23:59:59Z"),
                ("1970-01-01T00:00:00Z", "1970-01-02T00:00:00Z"),
            ] {
                let all = intervals(&zone, cut, at(from), at(to));
                assert!((1..100).contains(&all.len()), "{from} {cut:?}: {}", all.len());
            }
        }
    }
}
