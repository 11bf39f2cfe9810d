//! The grid by tables for changes of clocks and against a model that walks minute by minute; what
//! is taken, by example.

use proptest::prelude::*;

use super::*;
use crate::domain::civil::{Date, Weekday, format_rfc3339, parse_rfc3339};
use crate::domain::hours::DayInterval;
use crate::domain::ids::QueueId;
use crate::domain::policy::PerMedium;

const MINUTE: usize = 60_000;

/// Zone, day, hours around the change, length, and the starts as the clocks there show them.
type Row = (&'static str, &'static str, (&'static str, &'static str), u32, &'static str);

fn at(text: &str) -> Timestamp {
    parse_rfc3339(text).expect("an instant")
}

fn zone(name: &str) -> TimeZone {
    TimeZone::parse(name).expect("a zone")
}

/// A queue open daily in these intervals; none: always.
fn queue(name: &str, intervals: &[(&str, &str)], slot_minutes: u32) -> QueueSettings {
    let mut settings = QueueSettings::new(QueueId::parse("billing").expect("an id"));
    let each = intervals.iter().flat_map(|(from, to)| {
        let interval = DayInterval::parse(from, to).expect("an interval");
        Weekday::ALL.map(|day| (day, interval))
    });
    let weekly: Vec<_> = each.collect();
    settings.hours = Hours::new(zone(name), &weekly, Vec::new()).expect("hours").into();
    settings.time_zone = zone(name);
    settings.slot_minutes = slot_minutes;
    settings
}

/// The slots of a local day, as its clocks show their starts.
fn shown(settings: &QueueSettings, day: &str) -> Vec<String> {
    let (from, to) = settings.time_zone.day_bounds(Date::parse(day).expect("a date"));
    let local = |slot: Interval| settings.time_zone.local(slot.start).to_string()[11..].to_owned();
    Grid::of(settings).slots(from, to).map(local).collect()
}

#[test]
fn slots_go_on_by_elapsed_time_through_both_changes_of_clocks() {
    #[rustfmt::skip]
    let rows: [Row; 12] = [
        ("Europe/Berlin", "2026-03-29", ("01:00", "04:00"), 30, "01:00 01:30 03:00 03:30"),
        ("Europe/Berlin", "2026-10-25", ("01:00", "04:00"), 30,
         "01:00 01:30 02:00 02:30 02:00 02:30 03:00 03:30"),
        ("America/New_York", "2026-03-08", ("01:00", "04:00"), 60, "01:00 03:00"),
        ("America/New_York", "2026-11-01", ("00:30", "02:30"), 30,
         "00:30 01:00 01:30 01:00 01:30 02:00"),
        // Half an hour is skipped and repeated there.
        ("Australia/Lord_Howe", "2026-10-04", ("01:00", "04:00"), 30,
         "01:00 01:30 02:30 03:00 03:30"),
        ("Australia/Lord_Howe", "2026-04-05", ("01:00", "03:00"), 30,
         "01:00 01:30 01:30 02:00 02:30"),
        // An hour's slots don't stay on the hour where half of one is skipped.
        ("Australia/Lord_Howe", "2026-10-04", ("01:00", "04:00"), 60, "01:00 02:30"),
        ("Asia/Kathmandu", "2026-06-15", ("09:00", "10:00"), 20, "09:00 09:20 09:40"),
        // Midnight itself is skipped, and repeated.
        ("America/Sao_Paulo", "2018-11-04", ("00:00", "03:00"), 60, "01:00 02:00"),
        ("America/Sao_Paulo", "2018-02-17", ("22:00", "23:00"), 30, "22:00 22:30"),
        // The clocks there go back for Ramadan.
        ("Africa/Casablanca", "2026-02-15", ("01:00", "04:00"), 60, "01:00 02:00 02:00 03:00"),
        ("Africa/Casablanca", "2026-03-22", ("01:00", "04:00"), 60, "01:00 03:00"),
    ];
    for (name, day, hours, length, expected) in rows {
        let settings = queue(name, &[hours], length);
        assert_eq!(shown(&settings, day).join(" "), expected, "{name} {day} {hours:?} {length}");
    }
}

#[test]
fn a_queue_that_is_always_open_counts_from_each_local_midnight() {
    for (name, day, count, last) in [
        ("Europe/Berlin", "2026-03-29", 23, "23:00"),
        ("Europe/Berlin", "2026-10-25", 25, "23:00"),
        ("Australia/Lord_Howe", "2026-10-04", 23, "22:30"),
        ("Asia/Kathmandu", "2026-06-15", 24, "23:00"),
    ] {
        let slots = shown(&queue(name, &[], 60), day);
        assert_eq!((slots.len(), slots.last().map(String::as_str)), (count, Some(last)), "{name}");
        assert_eq!(slots[0], "00:00", "{name}");
    }
}

#[test]
fn a_rest_too_short_for_a_slot_is_none_and_agents_booking_there_fill_none() {
    let settings = queue("UTC", &[("09:00", "10:10")], 30);
    assert_eq!(shown(&settings, "2026-06-15"), ["09:00", "09:30"]);
    let grid = Grid::of(&settings);
    let slot = |text: &str| grid.slot_at(at(text)).map(|slot| format_rfc3339(slot.start));
    assert_eq!(slot("2026-06-15T09:59:59Z").as_deref(), Some("2026-06-15T09:30:00Z"));
    assert_eq!(slot("2026-06-15T10:00:00Z"), None);
    assert_eq!(slot("2026-06-15T08:59:00Z"), None);
    assert_eq!(grid.end_after(at("2026-06-15T10:05:00Z")), at("2026-06-15T10:30:00Z"));
}

/// The slots around a date, minute by minute, by the rule's words.
fn model(settings: &QueueSettings, middle: Date) -> Vec<Interval> {
    let zone = &settings.time_zone;
    let (first, last) = (zone.day_start(middle.plus_days(-3)), zone.day_start(middle.plus_days(4)));
    let open = |minute: Timestamp| settings.hours.is_open(minute);
    let minutes = |from: Timestamp, to: Timestamp| (from.0..to.0).step_by(MINUTE).map(Timestamp);
    // Where a local day that is open throughout begins and ends, a run of open minutes is cut.
    let mut cuts = Vec::new();
    for days in -3..4 {
        let (start, end) = zone.day_bounds(middle.plus_days(days));
        if start < end && minutes(start, end).all(open) {
            cuts.extend([start, end]);
        }
    }
    let mut slots = Vec::new();
    let mut run: Option<Timestamp> = None;
    for minute in minutes(first, last + Span::minutes(1)) {
        let ends = !open(minute) || cuts.contains(&minute) || minute == last;
        if let Some(opening) = run.filter(|_| ends) {
            let length = Span::minutes(settings.slot_minutes);
            let mut start = opening;
            while start + length <= minute {
                slots.push(Interval { start, end: start + length });
                start = start + length;
            }
            run = None;
        }
        if open(minute) && run.is_none() {
            run = Some(minute);
        }
    }
    slots
}

const CHANGES: [(&str, &str); 10] = [
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("Asia/Kathmandu", "2026-06-15"),
    ("America/Sao_Paulo", "2018-11-04"),
    ("Africa/Casablanca", "2026-02-15"),
    ("Africa/Casablanca", "2026-03-22"),
];

fn any_queue() -> impl Strategy<Value = (QueueSettings, Date)> {
    let quarter = || (0..96_u16).prop_map(|it| format!("{:02}:{:02}", it / 4, it % 4 * 15));
    let interval = (quarter(), prop_oneof![4 => quarter(), 1 => Just("24:00".to_owned())]);
    let day = proptest::collection::vec(interval, 0..3);
    let week = proptest::collection::vec(day, 7);
    let length =
        prop_oneof![Just(15), Just(7), Just(20), Just(45), Just(60), Just(1_440), 1..200_u32];
    let place = proptest::sample::select(&CHANGES[..]);
    (place, week, any::<bool>(), length).prop_map(|((name, day), week, always, length)| {
        let mut settings = queue(name, &[], length);
        let days = Weekday::ALL.into_iter().zip(if always { Vec::new() } else { week });
        let weekly: Vec<_> = days
            .flat_map(|(day, list)| list.into_iter().map(move |it| (day, it)))
            .map(|(day, (from, to))| (day, DayInterval::parse(&from, &to).expect("an interval")))
            .collect();
        settings.hours = Hours::new(zone(name), &weekly, Vec::new()).expect("hours").into();
        (settings, Date::parse(day).expect("a date"))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_grid_is_what_walking_minute_by_minute_finds((settings, middle) in any_queue()) {
        let zone = &settings.time_zone;
        // Runs that reach past the model's edges are cut there; the days inside are whole.
        let from = zone.day_start(middle.plus_days(-1));
        let to = zone.day_start(middle.plus_days(2));
        let inside = |slot: &Interval| from <= slot.start && slot.start < to;
        let all = model(&settings, middle);
        let expected: Vec<_> = all.iter().copied().filter(inside).collect();
        let grid = Grid::of(&settings);
        prop_assert_eq!(grid.slots(from, to).collect::<Vec<_>>(), expected.clone());
        for slot in &expected {
            let last = slot.end - Span::millis(1);
            for moment in [slot.start, slot.start + Span::millis(1), last] {
                prop_assert_eq!(grid.slot_at(moment), Some(*slot));
                prop_assert_eq!(grid.end_after(moment), slot.end);
            }
        }
        for minute in (from.0..to.0).step_by(MINUTE).map(Timestamp) {
            let held = all.iter().find(|slot| slot.contains(minute));
            prop_assert_eq!(grid.slot_at(minute), held.copied());
        }
    }

    /// Whatever is taken and given back in whatever order, the counts are those of a plain list.
    #[test]
    fn counts_are_those_of_a_plain_list(
        changes in proptest::collection::vec((0..6_i64, any::<bool>(), any::<bool>()), 0..60),
        edge in (0..6_i64, 0..6_i64),
    ) {
        let (mut bookings, mut list) = (Bookings::default(), Vec::new());
        for (start, takes, video) in changes {
            let medium = if video { Medium::Video } else { Medium::Voice };
            let seat = Seat { medium, start: (start > 0).then_some(Timestamp(start)) };
            if takes {
                bookings.take(seat);
                list.push(seat);
            } else {
                let place = list.iter().position(|one| *one == seat);
                prop_assert_eq!(bookings.free(seat), place.is_some());
                place.map(|place| list.remove(place));
            }
        }
        let slot = Interval { start: Timestamp(edge.0), end: Timestamp(edge.0.max(edge.1)) };
        for medium in Medium::ALL {
            let mine = || list.iter().filter(|seat| seat.medium == medium);
            prop_assert_eq!(bookings.outstanding(medium) as usize, mine().count());
            let inside = mine().filter(|seat| seat.start.is_some_and(|at| slot.contains(at)));
            prop_assert_eq!(bookings.taken(medium, slot) as usize, inside.count());
            let part = bookings.part(medium, slot.start, slot.end);
            prop_assert_eq!(part.taken(medium, slot), bookings.taken(medium, slot));
        }
        if list.is_empty() {
            prop_assert_eq!(bookings, Bookings::default());
        }
    }
}

/// A queue in UTC, open 9 to 12, two places a slot, seen from 8 o'clock.
fn seen<'a>(settings: &'a QueueSettings, bookings: &'a Bookings) -> SlotBook<'a> {
    let now = at("2026-06-15T08:00:00Z");
    SlotBook { settings, bookings, staffing: Staffing::default(), now }
}

fn office() -> QueueSettings {
    let mut settings = queue("UTC", &[("09:00", "12:00")], 60);
    settings.slot_capacity = PerMedium::both(SlotCapacity::Fixed(2));
    settings
}

fn taken(starts: &[&str]) -> Bookings {
    let mut bookings = Bookings::default();
    for start in starts {
        bookings.take(Seat { medium: Medium::Voice, start: Some(at(start)) });
    }
    bookings
}

fn told(rooms: &[SlotRoom]) -> Vec<(String, Option<u32>)> {
    let text =
        |room: &SlotRoom| (format_rfc3339(room.slot.start)[8..16].to_owned(), room.remaining);
    rooms.iter().map(text).collect()
}

#[test]
fn what_remains_is_never_below_none_and_other_media_have_their_own() {
    let settings = office();
    let start = "2026-06-15T09:00:00Z";
    let bookings = taken(&[start, "2026-06-15T09:59:59Z", start, "2026-06-15T10:30:00Z"]);
    let book = seen(&settings, &bookings);
    let (from, to) = (at("2026-06-15T00:00:00Z"), at("2026-06-16T00:00:00Z"));
    let voice: Vec<_> = book.slots(Medium::Voice, from, to).collect();
    let of = |day: &str, left| (day.to_owned(), Some(left));
    assert_eq!(told(&voice), [of("15T09:00", 0), of("15T10:00", 1), of("15T11:00", 2)]);
    let video: Vec<_> = book.slots(Medium::Video, from, to).collect();
    assert_eq!(told(&video), [of("15T09:00", 2), of("15T10:00", 2), of("15T11:00", 2)]);
}

#[test]
fn slots_lie_between_notice_and_horizon() {
    let mut settings = office();
    settings.min_notice_minutes = 61;
    settings.max_days_ahead = 1;
    let bookings = Bookings::default();
    let book = seen(&settings, &bookings);
    let all: Vec<_> = book.slots(Medium::Voice, Timestamp(0), Timestamp::NEVER).collect();
    assert_eq!(told(&all).len(), 2, "9 is too soon, and tomorrow's are too far: {all:?}");
    settings.max_days_ahead = 2;
    let book = seen(&settings, &bookings);
    assert_eq!(book.slots(Medium::Voice, Timestamp(0), Timestamp::NEVER).count(), 5);
}

#[test]
fn the_nearest_free_ones_are_told_in_order_and_five_at_most() {
    let settings = office();
    let full = ["2026-06-16T10:00:00Z"; 2];
    let bookings = taken(&full);
    let nearest = seen(&settings, &bookings).nearest(Medium::Voice, at(full[0]));
    let starts: Vec<_> = told(&nearest).into_iter().map(|(start, _)| start).collect();
    assert_eq!(starts, ["15T10:00", "15T11:00", "16T09:00", "16T11:00", "17T09:00"]);
    let next = seen(&settings, &bookings).next_free(Medium::Voice, at(full[0]), 3);
    let starts: Vec<_> = told(&next).into_iter().map(|(start, _)| start).collect();
    assert_eq!(starts, ["16T11:00", "17T09:00", "17T10:00"]);
}

#[test]
fn customers_are_held_to_slots_and_agents_to_hours() {
    let settings = office();
    let bookings = Bookings::default();
    let book = seen(&settings, &bookings);
    let asked = |start: &str, bound| book.bookable(at(start), bound);
    let rows = [
        ("2026-06-15T08:00:00Z", Err(Unbookable::Past), Err(Unbookable::Past)),
        (
            "2026-06-15T08:29:00Z",
            Err(Unbookable::TooSoon { soonest: book.soonest() }),
            Err(Unbookable::OutsideHours { next_allowed_at: Some(at("2026-06-15T09:00:00Z")) }),
        ),
        ("2026-06-15T09:00:00Z", Ok(()), Ok(())),
        ("2026-06-15T09:30:00Z", Err(Unbookable::NotASlot), Ok(())),
        ("2026-06-15T09:00:00.001Z", Err(Unbookable::NotASlot), Ok(())),
        (
            "2026-06-15T12:00:00Z",
            Err(Unbookable::OutsideHours { next_allowed_at: Some(at("2026-06-16T09:00:00Z")) }),
            Err(Unbookable::OutsideHours { next_allowed_at: Some(at("2026-06-16T09:00:00Z")) }),
        ),
        ("2026-07-16T09:00:00Z", Err(Unbookable::TooFar { latest: book.latest() }), Ok(())),
    ];
    for (start, customers, agents) in rows {
        assert_eq!(asked(start, Bound::ToSlots), customers, "{start}");
        assert_eq!(asked(start, Bound::ToHours), agents, "{start}");
    }
}

#[test]
fn places_by_staff_follow_agents_pace_and_reserve() {
    let mut settings = queue("UTC", &[], 15);
    settings.slot_capacity =
        PerMedium { voice: SlotCapacity::Staff, video: SlotCapacity::Fixed(0) };
    let bookings = Bookings::default();
    let places = |agents, seconds: Option<u32>, reserve| {
        let mut settings = settings.clone();
        settings.slot_reserve = reserve;
        let handling = seconds.map(Span::seconds);
        let staffing = Staffing { agents, handling };
        let now = Timestamp(0);
        let book = SlotBook { settings: &settings, bookings: &bookings, staffing, now };
        assert_eq!(book.places(Medium::Video), None, "no limit");
        book.places(Medium::Voice)
    };
    for (agents, seconds, reserve, expected) in [
        (4, Some(300), 0, 12),
        (4, Some(300), 200, 9),
        (4, Some(300), 1_000, 0),
        (1, Some(3_600), 200, 1),
        (0, Some(300), 0, 0),
        (0, None, 0, 0),
        (7, None, 0, UNKNOWN_PACE_PLACES),
        (u32::MAX, Some(1), 0, u32::MAX),
    ] {
        assert_eq!(places(agents, seconds, reserve), Some(expected), "{agents} {seconds:?}");
    }
}
