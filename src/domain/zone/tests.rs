//! Names of zones, and local times on the days on which clocks change.

use proptest::prelude::*;

use super::*;
use crate::domain::civil::{format_rfc3339, parse_rfc3339};

fn zone(name: &str) -> TimeZone {
    TimeZone::parse(name).unwrap()
}

fn at(text: &str) -> Timestamp {
    parse_rfc3339(text).unwrap()
}

fn local(text: &str) -> LocalTime {
    LocalTime::parse(text).unwrap()
}

fn date(text: &str) -> Date {
    Date::parse(text).unwrap()
}

/// Zones with changes of an hour, of half an hour and none, at midnight and across it, with rules
/// of their own (Ramadan), and one that skipped a date.
const ZONES: [&str; 12] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Havana",
    "Africa/Casablanca",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Pacific/Apia",
];

#[test]
fn zones_go_by_the_name_that_tzdb_writes() {
    for (given, name) in [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/BERLIN", "Europe/Berlin"),
        ("America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("UTC", "UTC"),
        ("utc", "UTC"),
        ("Etc/UTC", "Etc/UTC"),
        ("Asia/Calcutta", "Asia/Calcutta"),
    ] {
        let zone = zone(given);
        assert_eq!((zone.name(), zone.to_string()), (name, name.to_owned()));
    }
    assert_eq!(zone("europe/berlin"), zone("Europe/Berlin"));
    assert_eq!(zone("UTC"), TimeZone::utc());
    assert!(zone("Africa/Cairo") < zone("Europe/Berlin"));
    // Two names for the same rules stay two zones, as the customer named them.
    assert_ne!(zone("Asia/Calcutta"), zone("Asia/Kolkata"));
}

#[test]
fn abbreviations_are_refused_with_a_name_to_use() {
    for (given, hint) in [
        ("PST", "America/Los_Angeles"),
        ("pdt", "America/Los_Angeles"),
        ("EST", "America/New_York"),
        ("EST5EDT", "America/New_York"),
        ("CET", "Europe/Berlin"),
        ("cest", "Europe/Berlin"),
        ("GMT", "Europe/London, or UTC"),
    ] {
        let refused = TimeZone::parse(given).unwrap_err();
        assert_eq!(refused.hint(), hint);
        assert_eq!(refused, BadZone::Abbreviation { given: given.to_owned(), hint });
    }
}

/// A hint that is refused in its turn would be worse than none.
#[test]
fn every_hint_names_zones_that_exist() {
    for (_, hint) in ABBREVIATIONS {
        let words = hint.split([' ', ',', '(', ')']);
        let mut names = words.filter(|word| word.contains('/') || *word == "UTC").peekable();
        assert!(names.peek().is_some(), "{hint}");
        assert!(
            names.all(|name| TimeZone::parse(name).is_ok_and(|it| it.name() == name)),
            "{hint}"
        );
    }
}

#[test]
fn offsets_and_unknown_names_are_refused() {
    for given in ["+01:00", "-5", "Z", "UTC+2", "gmt-03:00", "UTC-5", "\u{2212}05:00", "+0000"] {
        assert_eq!(TimeZone::parse(given), Err(BadZone::Offset(given.to_owned())));
    }
    for (given, near) in [
        ("", None),
        ("Factory", None),
        ("Etc/Unknown", None),
        ("Europe/Atlantis", None),
        ("../../etc/passwd", None),
        ("Europe/Berlin ", Some("Europe/Berlin")),
        ("berlin", Some("Europe/Berlin")),
        ("New York", Some("America/New_York")),
        ("US/New_York", Some("America/New_York")),
    ] {
        let near = near.map(str::to_owned);
        let refused = TimeZone::parse(given).unwrap_err();
        assert_eq!(refused, BadZone::Unknown { given: given.to_owned(), near });
        assert!(!refused.hint().is_empty());
    }
    let long = "Ä".repeat(10_000);
    assert!(TimeZone::parse(&long).unwrap_err().to_string().len() < 200);
}

#[test]
fn a_local_time_names_one_instant_none_or_the_first_of_two() {
    // zone, local time, its instant, whether it comes twice
    let exists = [
        ("Europe/Berlin", "2026-11-24T10:00", "2026-11-24T09:00:00Z", false),
        ("Europe/Berlin", "2026-10-25T01:59:59", "2026-10-24T23:59:59Z", false),
        ("Europe/Berlin", "2026-10-25T02:00", "2026-10-25T00:00:00Z", true),
        ("Europe/Berlin", "2026-10-25T02:59:59", "2026-10-25T00:59:59Z", true),
        ("Europe/Berlin", "2026-10-25T03:00", "2026-10-25T02:00:00Z", false),
        ("Europe/Berlin", "2026-03-29T01:59:59", "2026-03-29T00:59:59Z", false),
        ("Europe/Berlin", "2026-03-29T03:00", "2026-03-29T01:00:00Z", false),
        ("America/New_York", "2026-11-01T01:30", "2026-11-01T05:30:00Z", true),
        ("Australia/Lord_Howe", "2026-04-05T01:30", "2026-04-04T14:30:00Z", true),
        ("Australia/Lord_Howe", "2026-04-05T01:29:59", "2026-04-04T14:29:59Z", false),
        ("Asia/Kathmandu", "2026-11-24T10:00", "2026-11-24T04:15:00Z", false),
        ("Asia/Beirut", "2026-10-24T23:30", "2026-10-24T20:30:00Z", true),
    ];
    for (name, wall, instant, repeated) in exists {
        let resolved = Resolved { at: at(instant), repeated };
        assert_eq!(zone(name).resolve(local(wall)), Ok(resolved), "{name} {wall}");
        assert_eq!(zone(name).resolve_lenient(local(wall)), at(instant));
        assert_eq!(zone(name).local(at(instant)), local(wall));
    }
    // zone, local time that is skipped, the next that exists, its instant
    let skipped = [
        ("Europe/Berlin", "2026-03-29T02:00", "2026-03-29T03:00", "2026-03-29T01:00:00Z"),
        ("Europe/Berlin", "2026-03-29T02:59:59", "2026-03-29T03:00", "2026-03-29T01:00:00Z"),
        ("America/New_York", "2026-03-08T02:30", "2026-03-08T03:00", "2026-03-08T07:00:00Z"),
        ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-04T02:30", "2026-10-03T15:30:00Z"),
        ("Asia/Beirut", "2026-03-29T00:00", "2026-03-29T01:00", "2026-03-28T22:00:00Z"),
        ("Antarctica/Troll", "2026-03-29T01:30", "2026-03-29T03:00", "2026-03-29T01:00:00Z"),
        ("Pacific/Apia", "2011-12-30T12:00", "2011-12-31T00:00", "2011-12-30T10:00:00Z"),
    ];
    for (name, wall, next_local, next_at) in skipped {
        let missing = Missing { next_local: local(next_local), next_at: at(next_at) };
        assert_eq!(zone(name).resolve(local(wall)), Err(missing), "{name} {wall}");
        assert_eq!(zone(name).resolve_lenient(local(wall)), at(next_at));
    }
}

#[test]
fn an_end_is_when_the_clock_shows_nothing_before_it_any_more() {
    for (name, wall, instant) in [
        ("Europe/Berlin", "2026-11-24T10:00", "2026-11-24T09:00:00Z"),
        // 03:00 becomes 02:00: the hour from 02:00 on is repeated, the time before it isn't.
        ("Europe/Berlin", "2026-10-25T02:00", "2026-10-25T00:00:00Z"),
        ("Europe/Berlin", "2026-10-25T02:00:01", "2026-10-25T01:00:01Z"),
        ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T01:30:00Z"),
        ("Europe/Berlin", "2026-10-25T03:00", "2026-10-25T02:00:00Z"),
        // 02:00 becomes 03:00.
        ("Europe/Berlin", "2026-03-29T02:00", "2026-03-29T01:00:00Z"),
        ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:00:00Z"),
        ("Europe/Berlin", "2026-03-29T03:00", "2026-03-29T01:00:00Z"),
        ("Europe/Berlin", "2026-03-29T03:01", "2026-03-29T01:01:00Z"),
    ] {
        assert_eq!(zone(name).resolve_end(local(wall)), at(instant), "{name} {wall}");
    }
}

#[test]
fn days_follow_one_another_whatever_happens_at_midnight() {
    // zone, date, its first instant, its hours
    for (name, day, start, hours) in [
        ("Europe/Berlin", "2026-11-24", "2026-11-23T23:00:00Z", 24.0),
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00Z", 23.0),
        ("Europe/Berlin", "2026-10-25", "2026-10-24T22:00:00Z", 25.0),
        ("Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00:00Z", 24.5),
        ("Australia/Lord_Howe", "2026-10-04", "2026-10-03T13:30:00Z", 23.5),
        // Midnight skipped: the day begins at 01:00.
        ("Asia/Beirut", "2026-03-29", "2026-03-28T22:00:00Z", 23.0),
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z", 23.0),
        // The clocks go back at midnight, to 23:00 of the same day.
        ("America/Sao_Paulo", "2018-02-17", "2018-02-17T02:00:00Z", 25.0),
        ("Asia/Beirut", "2026-10-24", "2026-10-23T21:00:00Z", 25.0),
        // Midnight comes twice: at 01:00 the clocks go back to it.
        ("America/Havana", "2024-11-03", "2024-11-03T04:00:00Z", 25.0),
        ("Africa/Casablanca", "2026-02-15", "2026-02-14T23:00:00Z", 25.0),
        ("Africa/Casablanca", "2026-03-22", "2026-03-22T00:00:00Z", 23.0),
        ("Pacific/Apia", "2011-12-29", "2011-12-29T10:00:00Z", 24.0),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z", 0.0),
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z", 24.0),
        // At 00:01 the clocks went back to 23:01 of the day before.
        ("America/St_Johns", "2010-11-06", "2010-11-06T02:30:00Z", 24.0),
        ("America/St_Johns", "2010-11-07", "2010-11-07T02:30:00Z", 25.0),
    ] {
        let (first, after) = zone(name).day_bounds(date(day));
        assert_eq!(format_rfc3339(first), start, "{name} {day}");
        #[expect(clippy::cast_precision_loss, reason = "a day's milliseconds fit")]
        let length = after.since(first).0 as f64 / 3_600_000.0;
        assert!((length - hours).abs() < 1e-9, "{name} {day}: {length} h");
    }
}

#[test]
fn what_clocks_repeat_of_yesterday_belongs_to_the_day_that_had_begun() {
    let st_johns = zone("America/St_Johns");
    let repeated = at("2010-11-07T03:00:00Z");
    assert_eq!(st_johns.local(repeated).to_string(), "2010-11-06T23:30");
    assert_eq!(st_johns.day_of(repeated), date("2010-11-07"));
}

#[test]
fn times_outside_the_calendar_do_not_panic() {
    for name in ZONES {
        let zone = zone(name);
        for at in [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX].map(Timestamp) {
            let local = zone.local(at);
            let _ = zone.resolve_lenient(local);
            let _ = zone.resolve_end(local);
            let _ = zone.day_bounds(zone.day_of(at));
        }
        assert_eq!(zone.local(Timestamp::NEVER).date().to_string(), "9999-12-31");
    }
}

/// Any instant, more often than not within a day of a change of clocks in that zone.
fn zone_and_instant() -> impl Strategy<Value = (TimeZone, Timestamp)> {
    let years = (0..2_500_000_000i64, -86_400..86_400i64, any::<bool>());
    (proptest::sample::select(&ZONES[..]), years).prop_map(|(name, (second, around, near))| {
        let zone = zone(name);
        let start = jiff::Timestamp::from_second(second).unwrap();
        let change = zone.0.following(start).next().map(|it| it.timestamp().as_second());
        let second = if near { change.map_or(second, |it| it + around) } else { second };
        (zone, Timestamp(second.max(0) * 1_000))
    })
}

proptest! {
    /// What a clock shows resolves to the instant at which it shows that, or to the hour before.
    #[test]
    fn what_a_clock_shows_is_resolved_back((zone, at) in zone_and_instant()) {
        let wall = zone.local(at);
        let resolved = zone.resolve(wall);
        prop_assert!(resolved.is_ok(), "shown, so it exists");
        let resolved = resolved.unwrap();
        prop_assert_eq!(zone.local(resolved.at), wall);
        if resolved.at != at {
            prop_assert!(resolved.repeated && resolved.at < at);
        }
    }

    /// A refused local time is never shown, and the one offered is the first that is shown again.
    #[test]
    fn only_what_is_never_shown_is_refused((zone, near) in zone_and_instant(), by in 0..7_200i64) {
        let wall = LocalTime::from_civil_seconds(zone.local(near).civil_seconds() + by);
        if let Err(missing) = zone.resolve(wall) {
            prop_assert_eq!(zone.local(missing.next_at), missing.next_local);
            prop_assert!(missing.next_local > wall);
            prop_assert!(zone.local(Timestamp(missing.next_at.0 - 1)) < wall);
            prop_assert_eq!(zone.resolve_lenient(wall), missing.next_at);
        }
    }

    /// The rule of an end, by its words: from it on nothing earlier is shown, before it something.
    #[test]
    fn ends_hold_for_days_around((zone, near) in zone_and_instant()) {
        let wall = zone.local(near);
        let end = zone.resolve_end(wall);
        prop_assert!(zone.local(Timestamp(end.0 - 1)) < wall);
        for minutes in 0..180 {
            prop_assert!(zone.local(Timestamp(end.0 + minutes * 60_000)) >= wall);
        }
    }

    /// Every instant lies in exactly the one day that it is said to lie in.
    #[test]
    fn days_part_time((zone, at) in zone_and_instant()) {
        let day = zone.day_of(at);
        let (start, end) = zone.day_bounds(day);
        prop_assert!(start <= at && at < end);
        prop_assert_eq!(zone.day_bounds(day.plus_days(1)).0, end);
    }
}
