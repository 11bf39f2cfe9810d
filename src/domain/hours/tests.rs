//! Opening hours by example, over midnight and across clock changes; by a second model in `model`.

use proptest::prelude::*;

use super::*;
use crate::domain::civil::{format_rfc3339, parse_rfc3339};

mod model;

const MINUTE: i64 = 60_000;

pub(super) fn at(text: &str) -> Timestamp {
    parse_rfc3339(text).unwrap()
}

pub(super) fn zone(name: &str) -> TimeZone {
    TimeZone::parse(name).unwrap()
}

fn date(text: &str) -> Date {
    Date::parse(text).unwrap()
}

fn interval(text: &str) -> DayInterval {
    let (from, to) = text.split_once('-').unwrap();
    DayInterval::parse(from, to).unwrap()
}

/// Weekly hours as `mon 08:00-18:00`, exceptions as `2026-12-24 08:00-12:00` or `2026-12-25`.
pub(super) fn hours(name: &str, lines: &[&str]) -> Hours {
    let (mut weekly, mut exceptions) = (Vec::new(), Vec::new());
    for line in lines {
        let mut words = line.split(' ');
        let day = words.next().unwrap();
        let intervals: Vec<_> = words.map(interval).collect();
        match Weekday::parse(day) {
            Some(day) => weekly.extend(intervals.into_iter().map(|it| (day, it))),
            None if day == "daily" => {
                let each = |it| Weekday::ALL.map(|day| (day, it));
                weekly.extend(intervals.into_iter().flat_map(each));
            }
            None => exceptions.push((date(day), intervals)),
        }
    }
    Hours::new(zone(name), &weekly, exceptions).unwrap()
}

fn office() -> Hours {
    let week = ["mon", "tue", "wed", "thu", "fri"].map(|day| format!("{day} 08:00-18:00"));
    let mut lines: Vec<&str> = week.iter().map(String::as_str).collect();
    lines.extend(["2026-12-24 08:00-12:00", "2026-12-25", "2026-12-26 10:00-11:00"]);
    hours("Europe/Berlin", &lines)
}

fn shown(at: Option<Timestamp>) -> Option<String> {
    at.map(format_rfc3339)
}

/// The intervals that touch some days, as the clock there shows them.
fn listed(hours: &Hours, from: &str, to: &str) -> Vec<String> {
    let instant = |day| hours.zone().day_start(date(day));
    let local = |at| hours.zone().local(at).to_string()[5..].to_owned();
    let whole = |it: Interval| format!("{} {}", local(it.start), local(it.end));
    hours.intervals(instant(from), instant(to)).map(whole).collect()
}

#[test]
fn times_of_day_read_as_written() {
    for (text, minutes) in [("00:00", 0), ("08:30", 510), ("23:59", 1_439), ("24:00", 1_440)] {
        let time = ClockTime::parse(text).unwrap();
        assert_eq!((time.minutes(), time.to_string()), (minutes, text.to_owned()));
    }
    for text in ["", "8:30", "08:60", "24:01", "25:00", "08.30", "08:30:00", "-1:00", "0a:00"] {
        assert_eq!(ClockTime::parse(text), Err(BadHours::ClockTime(text.to_owned())));
    }
    assert_eq!(DayInterval::parse("24:00", "24:00"), Err(BadHours::FromMidnight));
    assert_eq!(DayInterval::parse("00:00", "24:00"), Ok(DayInterval::WHOLE_DAY));
}

#[test]
fn what_is_ambiguous_or_unbounded_is_refused() {
    let utc = TimeZone::utc;
    let day = |count: u16| {
        let minute = |n| DayInterval { from: ClockTime(n), to: ClockTime(n + 1) };
        (0..count).map(move |n| minute(2 * n)).collect::<Vec<_>>()
    };
    let on = |count| day(count).into_iter().map(|it| (Weekday::Monday, it)).collect::<Vec<_>>();
    assert!(Hours::new(utc(), &on(24), vec![(date("2026-01-01"), day(24))]).is_ok());
    let named = |day: &str| Err(BadHours::TooManyIntervals { day: day.to_owned() });
    assert_eq!(Hours::new(utc(), &on(25), Vec::new()), named("mon"));
    let long = vec![(date("2026-01-01"), day(25))];
    assert_eq!(Hours::new(utc(), &[], long), named("2026-01-01"));

    let closed = |count| {
        let first = date("2026-01-01");
        (0..count).map(|n| (first.plus_days(n), Vec::new())).collect::<Vec<_>>()
    };
    assert!(Hours::new(utc(), &[], closed(1_000)).is_ok());
    assert_eq!(Hours::new(utc(), &[], closed(1_001)), Err(BadHours::TooManyExceptions));
    let twice = [closed(2), closed(1)].concat();
    assert_eq!(Hours::new(utc(), &[], twice), Err(BadHours::TwoExceptions(date("2026-01-01"))));
}

#[test]
fn an_office_opens_and_closes() {
    let office = office();
    // at, open from, closes at (both null where it is closed or never)
    for (instant, opens, closes) in [
        ("2026-11-24T06:59:59.999Z", "2026-11-24T07:00:00Z", None),
        ("2026-11-24T07:00:00Z", "2026-11-24T07:00:00Z", Some("2026-11-24T17:00:00Z")),
        ("2026-11-24T16:59:59.999Z", "2026-11-24T16:59:59.999Z", Some("2026-11-24T17:00:00Z")),
        ("2026-11-24T17:00:00Z", "2026-11-25T07:00:00Z", None),
        ("2026-11-27T20:00:00Z", "2026-11-30T07:00:00Z", None),
        ("2026-12-24T10:59:00Z", "2026-12-24T10:59:00Z", Some("2026-12-24T11:00:00Z")),
        // Christmas on a Friday, special hours on the Saturday after.
        ("2026-12-24T11:00:00Z", "2026-12-26T09:00:00Z", None),
        ("2026-12-26T10:00:00Z", "2026-12-28T07:00:00Z", None),
    ] {
        let (instant, opens) = (at(instant), at(opens));
        assert_eq!(office.next_open(instant), Some(opens));
        assert_eq!(office.is_open(instant), opens == instant);
        assert_eq!(shown(office.closes_at(instant)).as_deref(), closes);
        assert_eq!(office.interval_at(instant).is_some(), opens == instant);
    }
}

#[test]
fn intervals_over_midnight_belong_to_the_day_they_start_on() {
    let night = hours(
        "Europe/Berlin",
        &["fri 22:00-06:00", "sat 20:00-20:00", "2026-12-26 23:00-01:00", "2026-12-18"],
    );
    assert_eq!(
        listed(&night, "2026-11-26", "2026-12-01"),
        ["11-27T22:00 11-28T06:00", "11-28T20:00 11-29T20:00"]
    );
    // Friday the 25th runs into the exception of the 26th, which replaces Saturday's own only.
    assert_eq!(
        listed(&night, "2026-12-25", "2026-12-28"),
        ["12-25T22:00 12-26T06:00", "12-26T23:00 12-27T01:00"]
    );
    assert_eq!(listed(&night, "2026-12-17", "2026-12-19"), Vec::<String>::new());
}

#[test]
fn what_overlaps_or_touches_is_one_interval() {
    let many = hours(
        "Europe/Berlin",
        &["mon 10:00-12:00 08:00-10:00 09:00-09:30 13:00-14:00 22:00-02:00", "tue 02:00-03:00"],
    );
    assert_eq!(
        listed(&many, "2026-11-23", "2026-11-25"),
        ["11-23T08:00 11-23T12:00", "11-23T13:00 11-23T14:00", "11-23T22:00 11-24T03:00"]
    );
    let monday = at("2026-11-23T08:00:00Z");
    assert_eq!(many.closes_at(monday), Some(at("2026-11-23T11:00:00Z")));
}

#[test]
fn days_open_throughout_are_intervals_of_their_own() {
    let always = Hours::always(zone("Europe/Berlin"));
    assert_eq!(
        listed(&always, "2026-10-24", "2026-10-27"),
        ["10-24T00:00 10-25T00:00", "10-25T00:00 10-26T00:00", "10-26T00:00 10-27T00:00"]
    );
    let long = always.interval_at(at("2026-10-25T12:00:00Z")).unwrap();
    assert_eq!(long.length(), Span::minutes(25 * 60));

    let shifts = hours("Europe/Berlin", &["daily 06:00-06:00"]);
    assert_eq!(listed(&shifts, "2026-11-23", "2026-11-24"), ["11-23T00:00 11-24T00:00"]);

    let weekend =
        hours("Europe/Berlin", &["fri 08:00-24:00", "sat 00:00-24:00", "sun 00:00-20:00"]);
    assert_eq!(
        listed(&weekend, "2026-11-26", "2026-11-30"),
        ["11-27T08:00 11-28T00:00", "11-28T00:00 11-29T00:00", "11-29T00:00 11-29T20:00"]
    );
    // It stays open all the same.
    let friday = at("2026-11-27T12:00:00Z");
    assert_eq!(weekend.closes_at(friday), Some(at("2026-11-29T19:00:00Z")));
}

#[test]
fn intervals_are_cut_alike_from_any_instant_in_them() {
    // Tuesday is open throughout, and only Monday's interval makes it so.
    let berlin = ["mon 22:00-22:00", "tue 22:00-20:00"];
    // The same around a date that isn't there.
    let apia = ["wed 22:00-22:00", "thu 22:00-22:00", "sat 00:00-20:00"];
    // One interval ends where another goes on.
    let twice = ["tue 00:00-24:00 22:00-20:00"];
    for (name, lines, instant, expected) in [
        ("Europe/Berlin", &berlin[..], "2026-11-25T09:00:00Z", "11-25T00:00 11-25T20:00"),
        ("Europe/Berlin", &berlin, "2026-11-24T09:00:00Z", "11-24T00:00 11-25T00:00"),
        ("Europe/Berlin", &twice, "2026-11-24T22:00:00Z", "11-24T00:00 11-25T00:00"),
        ("Europe/Berlin", &twice, "2026-11-25T09:00:00Z", "11-25T00:00 11-25T20:00"),
        ("Pacific/Apia", &apia, "2011-12-30T20:00:00Z", "12-31T00:00 12-31T20:00"),
        ("Pacific/Apia", &apia, "2011-12-30T09:00:00Z", "12-29T00:00 12-31T00:00"),
    ] {
        let hours = hours(name, lines);
        let local = |at| hours.zone().local(at).to_string()[5..].to_owned();
        let found = hours.interval_at(at(instant));
        let text = found.map(|it| format!("{} {}", local(it.start), local(it.end)));
        assert_eq!(text.as_deref(), Some(expected), "{name} {instant}");
    }
}

#[test]
fn an_hour_that_clocks_skip_is_no_opening_time() {
    // In Berlin 02:00 becomes 03:00 on 2026-03-29; in Lord Howe 02:00 becomes 02:30 on 10-04.
    for (name, day, written, lasts) in [
        ("Europe/Berlin", "2026-03-29", "01:00-04:00", "2026-03-29T00:00:00Z 120"),
        ("Europe/Berlin", "2026-03-29", "02:30-05:00", "2026-03-29T01:00:00Z 120"),
        ("Europe/Berlin", "2026-03-29", "00:00-02:30", "2026-03-28T23:00:00Z 120"),
        ("Europe/Berlin", "2026-03-29", "02:00-03:00", "none"),
        ("Europe/Berlin", "2026-03-29", "02:15-02:45", "none"),
        ("Europe/Berlin", "2026-03-28", "22:00-06:00", "2026-03-28T21:00:00Z 420"),
        ("Europe/Berlin", "2026-03-28", "02:30-02:30", "2026-03-28T01:30:00Z 1410"),
        ("Australia/Lord_Howe", "2026-10-04", "01:00-03:00", "2026-10-03T14:30:00Z 90"),
        ("Australia/Lord_Howe", "2026-10-04", "02:00-02:30", "none"),
        // Midnight itself is skipped.
        ("Asia/Beirut", "2026-03-29", "00:00-08:00", "2026-03-28T22:00:00Z 420"),
        ("Asia/Beirut", "2026-03-28", "20:00-24:00", "2026-03-28T18:00:00Z 240"),
        ("America/Sao_Paulo", "2018-11-03", "22:00-02:00", "2018-11-04T01:00:00Z 180"),
        // A whole day is: the night before goes on until it would have begun.
        ("Pacific/Apia", "2011-12-29", "22:00-06:00", "2011-12-30T08:00:00Z 120"),
        ("Pacific/Apia", "2011-12-30", "08:00-18:00", "none"),
    ] {
        check_day(name, day, written, lasts);
    }
}

#[test]
fn an_hour_that_clocks_repeat_counts_twice() {
    // In Berlin 03:00 becomes 02:00 on 2026-10-25; in Lord Howe 02:00 becomes 01:30 on 04-05.
    for (name, day, written, lasts) in [
        ("Europe/Berlin", "2026-10-25", "01:00-04:00", "2026-10-24T23:00:00Z 240"),
        ("Europe/Berlin", "2026-10-24", "22:00-06:00", "2026-10-24T20:00:00Z 540"),
        ("Europe/Berlin", "2026-10-25", "02:00-03:00", "2026-10-25T00:00:00Z 120"),
        // Opening in the first pass, closing in the second.
        ("Europe/Berlin", "2026-10-25", "02:30-05:00", "2026-10-25T00:30:00Z 210"),
        ("Europe/Berlin", "2026-10-25", "00:00-02:30", "2026-10-24T22:00:00Z 210"),
        ("Europe/Berlin", "2026-10-25", "02:15-02:45", "2026-10-25T00:15:00Z 90"),
        // What ends or starts at its edge isn't touched by it.
        ("Europe/Berlin", "2026-10-25", "00:00-02:00", "2026-10-24T22:00:00Z 120"),
        ("Europe/Berlin", "2026-10-25", "03:00-05:00", "2026-10-25T02:00:00Z 120"),
        ("Australia/Lord_Howe", "2026-04-05", "01:00-03:00", "2026-04-04T14:00:00Z 150"),
        ("Australia/Lord_Howe", "2026-04-05", "01:45-03:00", "2026-04-04T14:45:00Z 105"),
        ("America/Havana", "2024-11-03", "00:00-08:00", "2024-11-03T04:00:00Z 540"),
        ("America/Havana", "2024-11-02", "20:00-24:00", "2024-11-03T00:00:00Z 240"),
        ("America/Sao_Paulo", "2018-02-17", "20:00-24:00", "2018-02-17T22:00:00Z 300"),
        ("America/Sao_Paulo", "2018-02-18", "00:00-04:00", "2018-02-18T03:00:00Z 240"),
    ] {
        check_day(name, day, written, lasts);
    }
}

/// Opens on one date only, and looks when that is and for how many minutes.
fn check_day(name: &str, day: &str, written: &str, lasts: &str) {
    let (weekday, before) = (date(day).weekday().as_str(), date(day).plus_days(-3));
    let week = hours(name, &[&format!("{weekday} {written}")]);
    let start = zone(name).day_start(before);
    let found = week.intervals(start, start + Span::days(7)).next();
    let text = found.map(|it| format!("{} {}", format_rfc3339(it.start), it.length().0 / MINUTE));
    assert_eq!(text.as_deref().unwrap_or("none"), lasts, "{name} {day} {written}");
}

#[test]
fn a_break_inside_the_repeated_hour_is_lost() {
    let lines = ["sun 00:00-02:30 02:45-06:00"];
    let found = listed(&hours("Europe/Berlin", &lines), "2026-10-25", "2026-10-26");
    assert_eq!(found, ["10-25T00:00 10-25T06:00"]);
}

#[test]
fn once_open_it_stays_open_while_clocks_repeat_the_day_before() {
    // At 00:01 on Sunday the clocks went back to 23:01 on Saturday.
    let sunday = hours("America/St_Johns", &["sun 00:00-06:00"]);
    let repeated = at("2010-11-07T03:00:00Z");
    assert_eq!(sunday.zone().local(repeated).to_string(), "2010-11-06T23:30");
    assert!(sunday.is_open(repeated));
    assert_eq!(sunday.next_open(repeated), Some(repeated));
    assert_eq!(sunday.interval_at(repeated).unwrap().start, at("2010-11-07T02:30:00Z"));
}

#[test]
fn open_time_is_counted_and_added() {
    let office = office();
    // Friday 17:00 in Berlin: an hour is left of the week.
    let friday = at("2026-11-27T16:00:00Z");
    for (minutes, reached) in [
        (0, "2026-11-27T16:00:00Z"),
        (59, "2026-11-27T16:59:00Z"),
        (60, "2026-11-27T17:00:00Z"),
        (61, "2026-11-30T07:01:00Z"),
        (60 + 600, "2026-11-30T17:00:00Z"),
        (60 + 5 * 600, "2026-12-04T17:00:00Z"),
    ] {
        let span = Span::minutes(minutes);
        assert_eq!(format_rfc3339(office.add_open(friday, span)), reached);
        assert_eq!(office.open_between(friday, at(reached)), span);
    }
    let closed = at("2026-11-28T12:00:00Z");
    assert_eq!(office.add_open(closed, Span::ZERO), closed);
    assert_eq!(office.add_open(closed, Span(-1)), closed);
    assert_eq!(office.add_open(closed, Span(1)), at("2026-11-30T07:00:00.001Z"));
    assert_eq!(office.open_between(closed, friday), Span::ZERO);
    assert_eq!(office.open_between(friday, closed), Span::minutes(60));
}

#[test]
fn looking_ahead_ends_after_400_days() {
    // Open on 2028-02-29 and no other day for longer than we look.
    let first = date("2027-01-01");
    let closed = (0..900).map(|day| first.plus_days(day)).filter(|day| *day != date("2028-02-29"));
    let exceptions = closed.map(|day| (day, Vec::new())).collect();
    let weekly = Weekday::ALL.map(|day| (day, interval("12:00-13:00")));
    let rare = Hours::new(TimeZone::utc(), &weekly, exceptions).unwrap();
    let opens = at("2028-02-29T12:00:00Z");
    let reach = Span::days(LOOK_AHEAD_DAYS);
    for (from, found) in [(opens - reach, true), (opens - reach - Span(1), false)] {
        assert_eq!(rare.next_open(from), found.then_some(opens));
        assert_eq!(rare.add_open(from, Span(1)), Timestamp::NEVER);
    }
    assert_eq!(rare.add_open(opens - reach + Span(1), Span(1)), opens + Span(1));
    assert_eq!(rare.add_open(opens, Span::minutes(60)), opens + Span::minutes(60));
    assert_eq!(rare.add_open(opens, Span(3_600_001)), Timestamp::NEVER);
    assert_eq!(rare.open_between(opens - reach - Span(1), Timestamp::NEVER), Span::ZERO);
    assert_eq!(rare.intervals(at("2027-01-01T00:00:00Z"), Timestamp::NEVER).count(), 0);
}

#[test]
fn always_open_is_open_for_good() {
    let always = Hours::always(zone("America/New_York"));
    let now = at("2026-11-24T15:00:00Z");
    assert_eq!(always, hours("America/New_York", &[]));
    assert!(always.is_open(now));
    assert_eq!(always.next_open(now), Some(now));
    assert_eq!(always.closes_at(now), None);
    assert_eq!(always.add_open(now, Span::days(3_650)), now + Span::days(3_650));
    assert_eq!(always.open_between(now, now + Span::days(3_650)), Span::days(3_650));

    // The same, told in another way, and a holiday in it.
    let shifts = hours("America/New_York", &["daily 18:00-06:00 06:00-18:00", "2026-12-25"]);
    assert!(shifts.unbroken);
    assert_eq!(shown(shifts.closes_at(now)).as_deref(), Some("2026-12-25T11:00:00Z"));
    let closed = at("2026-12-25T11:00:00Z");
    assert_eq!(shown(shifts.next_open(closed)).as_deref(), Some("2026-12-26T11:00:00Z"));
    assert_eq!(shifts.closes_at(at("2026-12-26T11:00:00Z")), None);
}

#[test]
fn a_week_is_unbroken_only_to_the_minute() {
    for (lines, unbroken) in [
        (&["daily 00:00-24:00"][..], true),
        (&["daily 07:30-07:30"], true),
        (&["daily 00:00-12:00 12:00-24:00"], true),
        (&["daily 00:00-12:00 12:01-24:00"], false),
        (&["daily 00:01-24:00"], false),
        (&["daily 00:00-23:59"], false),
        (&["mon 00:00-24:00", "tue 00:00-24:00"], false),
    ] {
        assert_eq!(hours("UTC", lines).unbroken, unbroken, "{lines:?}");
    }
}

#[test]
fn times_outside_the_calendar_do_not_panic() {
    for hours in [office(), Hours::always(zone("Pacific/Apia"))] {
        for at in [i64::MIN, -1, 0, i64::MAX - 1, i64::MAX].map(Timestamp) {
            let _ = (hours.is_open(at), hours.interval_at(at));
            let _ = (hours.closes_at(at), hours.next_open(at));
            let _ = hours.open_between(at, Timestamp::NEVER);
            assert!(hours.add_open(at, Span(i64::MAX)) >= at);
        }
    }
    assert_eq!(office().add_open(Timestamp::NEVER, Span(1)), Timestamp::NEVER);
}
