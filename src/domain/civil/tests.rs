//! Calendar dates, local times and instants: what reads, what is refused, and what prints.

use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    parse_rfc3339(text).unwrap()
}

#[test]
fn dates_exist_or_are_refused() {
    for (text, days, day) in [
        ("1970-01-01", 0, Weekday::Thursday),
        ("2024-02-29", 19_782, Weekday::Thursday),
        ("2026-11-24", 20_781, Weekday::Tuesday),
        ("2100-02-28", 47_540, Weekday::Sunday),
        ("9999-12-31", LAST_DAY, Weekday::Friday),
    ] {
        let date = Date::parse(text).unwrap();
        assert_eq!((date.days(), date.weekday(), date.to_string()), (days, day, text.to_owned()));
        assert_eq!(Date::from_days(days), Some(date));
    }
    for text in [
        "",
        "2026-11-31",
        "2026-02-29",
        "2100-02-29",
        "2026-00-01",
        "2026-13-01",
        "2026-01-00",
        "1969-12-31",
        "0000-01-01",
        "2026-1-01",
        "26-01-01",
        "2026/01/01",
        "2026-01-01 ",
        "+026-01-01",
        "2026-01-0١",
    ] {
        assert_eq!(Date::parse(text), Err(BadDate(text.to_owned())));
    }
    assert_eq!(Date::new(10_000, 1, 1), None);
    assert_eq!(Date::new(-1, 1, 1), None);
    assert!(Date::new(0, 1, 1).is_some());
    assert_eq!(Date::from_days(LAST_DAY + 1), None);
    assert_eq!(Date::from_days(i32::MIN), None);
}

#[test]
fn days_are_added_up_to_the_end_of_the_calendar() {
    let last = Date::parse("9999-12-31").unwrap();
    assert_eq!(last.plus_days(1), last);
    assert_eq!(last.plus_days(i32::MAX), last);
    assert_eq!(Date::parse("2024-02-28").unwrap().plus_days(2).to_string(), "2024-03-01");
    assert_eq!(Date::parse("2024-03-01").unwrap().plus_days(-1).to_string(), "2024-02-29");
}

#[test]
fn weekdays_read_as_in_the_settings() {
    for day in Weekday::ALL {
        assert_eq!(Weekday::parse(day.as_str()), Some(day));
        assert_eq!(Weekday::ALL[day.index()], day);
    }
    for text in ["", "Mon", "monday", "mo", "mon "] {
        assert_eq!(Weekday::parse(text), None);
    }
}

#[test]
fn local_times_take_minutes_or_seconds_and_no_offset() {
    for (text, printed) in [
        ("2026-11-24T10:00", "2026-11-24T10:00"),
        ("2026-11-24T10:00:00", "2026-11-24T10:00"),
        ("2026-11-24T23:59:59", "2026-11-24T23:59:59"),
        ("1970-01-01T00:00", "1970-01-01T00:00"),
        ("9999-12-31T23:59", "9999-12-31T23:59"),
    ] {
        let local = LocalTime::parse(text).unwrap();
        assert_eq!(local.to_string(), printed);
        assert_eq!(LocalTime::from_civil_seconds(local.civil_seconds()), local);
    }
    for text in [
        "",
        "2026-11-24",
        "2026-11-24 10:00",
        "2026-11-24t10:00",
        "2026-11-24T10",
        "2026-11-24T1000",
        "2026-11-24T24:00",
        "2026-11-24T10:60",
        "2026-11-24T10:00:60",
        "2026-11-24T10:00:5",
        "2026-11-24T10:00:05.5",
        "2026-11-31T10:00",
        "1969-12-31T23:59",
        "10000-01-01T10:00",
        "2026-11-24T10:0ä",
    ] {
        assert_eq!(LocalTime::parse(text), Err(BadLocalTime::Malformed(text.to_owned())));
    }
    for text in ["2026-11-24T10:00Z", "2026-11-24T10:00+01:00", "2026-11-24T10:00:00-05:00"] {
        assert_eq!(LocalTime::parse(text), Err(BadLocalTime::Offset(text.to_owned())));
    }
}

#[test]
fn instants_read_with_any_offset_and_print_in_utc() {
    for (text, printed) in [
        ("2026-11-24T15:00:00Z", "2026-11-24T15:00:00Z"),
        ("2026-11-24t15:00:00z", "2026-11-24T15:00:00Z"),
        ("2026-11-24T10:00:00-05:00", "2026-11-24T15:00:00Z"),
        ("2026-11-25T00:30:00+09:30", "2026-11-24T15:00:00Z"),
        ("2026-11-24T15:00:00-00:00", "2026-11-24T15:00:00Z"),
        ("2026-11-24T15:00:00.000Z", "2026-11-24T15:00:00Z"),
        ("2026-11-24T15:00:00.5Z", "2026-11-24T15:00:00.500Z"),
        ("2026-11-24T15:00:00.0129Z", "2026-11-24T15:00:00.012Z"),
        ("2026-11-24T15:00:00.999999999Z", "2026-11-24T15:00:00.999Z"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
        ("1969-12-31T23:00:00-01:00", "1970-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
    ] {
        assert_eq!(format_rfc3339(at(text)), printed, "{text}");
    }
    assert_eq!(at("2026-11-24T15:00:00Z"), Timestamp(1_795_532_400_000));
}

#[test]
fn what_is_no_instant_says_why() {
    let malformed = [
        "",
        "Z",
        "2026-11-24",
        "2026-11-24T15:00Z",
        "2026-11-24T15:00:00.Z",
        "2026-11-24T15:00:00 Z",
        "2026-11-24 15:00:00Z",
        "2026-11-24T15:00:60Z",
        "2026-11-24T24:00:00Z",
        "2026-11-24T15:00:00+1:00",
        "2026-11-24T15:00:00+0100",
        "2026-11-24T15:00:00+24:00",
        "2026-11-24T15:00:00+01:60",
        "2026-02-29T15:00:00Z",
        "2026-11-24T15:00:00ZZ",
        "2026-11-24T15:00:00+01:00:00",
        "2026-11-24T15:00:00\u{2212}01:00",
    ];
    for text in malformed {
        assert_eq!(parse_rfc3339(text), Err(BadInstant::Malformed(shown(text))), "{text}");
    }
    for text in ["2026-11-24T15:00", "2026-11-24T15:00:00", "2026-11-24T15:00:00.25"] {
        assert_eq!(parse_rfc3339(text), Err(BadInstant::NoOffset(text.to_owned())));
    }
    for text in [
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:59:59+01:00",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-00:01",
    ] {
        assert_eq!(parse_rfc3339(text), Err(BadInstant::OutOfRange(text.to_owned())));
    }
    let long = format!("2026-11-24T15:00:00.{}Z", "1".repeat(1_000));
    assert_eq!(parse_rfc3339(&long), Err(BadInstant::Malformed(shown(&long))));
}

#[test]
fn what_lies_outside_the_calendar_prints_as_its_end() {
    assert_eq!(format_rfc3339(Timestamp::NEVER), "9999-12-31T23:59:59.999Z");
    assert_eq!(format_rfc3339(Timestamp(i64::MIN)), "0000-01-01T00:00:00Z");
    assert_eq!(format_rfc3339(Timestamp(-1)), "1969-12-31T23:59:59.999Z");
    assert_eq!(LocalTime::from_civil_seconds(i64::MAX).to_string(), "9999-12-31T23:59:59");
    assert_eq!(LocalTime::from_civil_seconds(i64::MIN).to_string(), "0000-01-01T00:00");
}

proptest! {
    /// Every day of the calendar, against another implementation of it.
    #[test]
    fn the_calendar_is_the_one_that_others_have(days in Date::new(0, 1, 1).unwrap().0..=LAST_DAY) {
        let date = Date::from_days(days).unwrap();
        let other = jiff::civil::date(1970, 1, 1)
            .checked_add(jiff::Span::new().days(days))
            .unwrap();
        prop_assert_eq!(date.to_string(), other.to_string());
        let weekday = usize::try_from(other.weekday().to_monday_zero_offset()).unwrap();
        prop_assert_eq!(date.weekday().index(), weekday);
        let (year, month, day) = date.year_month_day();
        prop_assert_eq!(Date::new(year, month, day), Some(date));
    }

    #[test]
    fn instants_print_and_read_back(ms in 0..=PRINTABLE_MS.1, offset in -1_439..1_440i64) {
        let text = format_rfc3339(Timestamp(ms));
        prop_assert_eq!(parse_rfc3339(&text), Ok(Timestamp(ms)));
        prop_assert_eq!(text.len(), if ms % 1_000 == 0 { 20 } else { 24 });

        // The same instant as a clock elsewhere would write it.
        let local = Timestamp(ms + offset * 60_000);
        prop_assume!((0..=PRINTABLE_MS.1).contains(&local.0));
        let sign = if offset < 0 { '-' } else { '+' };
        let (hours, minutes) = (offset.abs() / 60, offset.abs() % 60);
        let there = format_rfc3339(local).replace('Z', &format!("{sign}{hours:02}:{minutes:02}"));
        prop_assert_eq!(parse_rfc3339(&there), Ok(Timestamp(ms)));
    }

    #[test]
    fn local_times_print_and_read_back(seconds in 0..=PRINTABLE_MS.1 / 1_000) {
        let local = LocalTime::from_civil_seconds(seconds);
        prop_assert_eq!(LocalTime::parse(&local.to_string()), Ok(local));
        prop_assert_eq!(local.date().at_second(local.second_of_day()), local);
    }

    /// Whatever comes in, nothing panics, and what is taken prints as something that is taken.
    #[test]
    fn any_text_is_taken_or_refused(text in "[0-9TZtz:.+-]{0,30}|\\PC{0,40}") {
        if let Ok(at) = parse_rfc3339(&text) {
            prop_assert_eq!(parse_rfc3339(&format_rfc3339(at)), Ok(at));
        }
        if let Ok(local) = LocalTime::parse(&text) {
            prop_assert_eq!(LocalTime::parse(&local.to_string()), Ok(local));
        }
        if let Ok(date) = Date::parse(&text) {
            prop_assert_eq!(date.to_string(), text);
        }
    }
}
