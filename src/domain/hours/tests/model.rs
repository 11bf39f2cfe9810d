//! Hours against a model that is slow and obviously right: it looks at every minute.

use std::collections::BTreeSet;

use super::*;

/// Zones and a date near a change of clocks there.
const CHANGES: [(&str, &str); 14] = [
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("Asia/Kathmandu", "2026-06-15"),
    ("America/Sao_Paulo", "2018-02-17"),
    ("America/Sao_Paulo", "2018-11-04"),
    ("Africa/Casablanca", "2026-02-15"),
    ("Africa/Casablanca", "2026-03-22"),
    ("America/St_Johns", "2010-11-07"),
    ("America/Havana", "2024-11-03"),
    ("Pacific/Apia", "2011-12-30"),
];

/// Days on each side of the date that the model looks at.
const AROUND: i64 = 8;

/// The open minutes around a date, by the rule's words: an interval lasts from the first minute to
/// the last at which the clock shows a time from its `from` to its `to`, on its day.
struct Model {
    first: i64,
    open: BTreeSet<i64>,
}

impl Model {
    fn new(hours: &Hours, middle: Date) -> Self {
        let noon = hours.zone().day_start(middle).0 / MINUTE;
        let minutes = noon - AROUND * 1_440..noon + AROUND * 1_440;
        let zone = jiff::tz::TimeZoneDatabase::bundled().get(hours.zone().name()).unwrap();
        let epoch = jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0);
        let clock = |minute: i64| {
            let at = jiff::Timestamp::from_second(minute * 60).unwrap();
            zone.to_datetime(at).duration_since(epoch).as_mins()
        };
        let shown: Vec<i64> = minutes.clone().map(clock).collect();
        let mut open = BTreeSet::new();
        for days in -AROUND..=AROUND {
            let date = middle.plus_days(i32::try_from(days).unwrap());
            let excepted = hours.exceptions().find(|(on, _)| *on == date);
            let intervals = excepted.map_or_else(|| hours.weekly(date.weekday()), |(_, it)| it);
            for interval in intervals {
                let midnight = i64::from(date.days()) * 1_440;
                let from = midnight + i64::from(interval.from().minutes());
                let next_day = if interval.to() <= interval.from() { 1_440 } else { 0 };
                let to = midnight + i64::from(interval.to().minutes()) + next_day;
                let within = |minute: &i64| (from..to).contains(minute);
                let start = shown.iter().position(within);
                let end = shown.iter().rposition(within);
                for index in start.into_iter().zip(end).flat_map(|(start, end)| start..=end) {
                    open.insert(minutes.start + i64::try_from(index).unwrap());
                }
            }
        }
        Self { first: minutes.start, open }
    }

    fn is_open(&self, minute: i64) -> bool {
        self.open.contains(&minute)
    }

    /// The first minute from this one on that is open, or that isn't.
    fn next(&self, minute: i64, open: bool) -> Option<i64> {
        (minute..self.last()).find(|&minute| self.is_open(minute) == open)
    }

    fn open_between(&self, from: i64, to: i64) -> i64 {
        i64::try_from(self.open.range(from..to.max(from)).count()).unwrap()
    }

    /// The minute at which so many open ones have gone by.
    fn add_open(&self, from: i64, count: i64) -> Option<i64> {
        let Some(before) = usize::try_from(count - 1).ok() else { return Some(from) };
        self.open.range(from..).nth(before).map(|minute| minute + 1)
    }

    fn last(&self) -> i64 {
        self.first + 2 * AROUND * 1_440
    }
}

fn any_interval() -> impl Strategy<Value = DayInterval> {
    // Mostly at night and on the quarter, where clocks change and edges meet.
    let minute = prop_oneof![
        3 => (0..16u16).prop_map(|quarter| quarter * 15),
        2 => (0..96u16).prop_map(|quarter| quarter * 15),
        1 => 0..1_440u16,
    ];
    let end = prop_oneof![5 => minute.clone(), 1 => Just(1_440)];
    (minute, end).prop_map(|(from, to)| DayInterval { from: ClockTime(from), to: ClockTime(to) })
}

fn any_hours() -> impl Strategy<Value = (Hours, Date)> {
    let day = || proptest::collection::vec(any_interval(), 0..4);
    let weekly = proptest::collection::vec(day(), 7);
    let exceptions = proptest::collection::btree_map(-3..4i32, day(), 0..3);
    let place = proptest::sample::select(&CHANGES[..]);
    (place, weekly, exceptions, any::<bool>()).prop_map(
        |((name, day), weekly, excepted, always)| {
            let middle = date(day);
            let days = Weekday::ALL.into_iter().zip(if always { Vec::new() } else { weekly });
            let weekly: Vec<_> =
                days.flat_map(|(day, list)| list.into_iter().map(move |it| (day, it))).collect();
            let excepted = excepted.into_iter().map(|(by, list)| (middle.plus_days(by), list));
            (Hours::new(zone(name), &weekly, excepted.collect()).unwrap(), middle)
        },
    )
}

fn instant(minute: i64) -> Timestamp {
    Timestamp(minute * MINUTE)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_minute_around_a_change_is_as_the_model_says(
        (hours, middle) in any_hours(),
        // Minutes of the four days around, and stretches of up to two of them.
        probes in proptest::collection::vec((-2 * 1_440..2 * 1_440i64, 0..2 * 1_440i64), 24),
    ) {
        let model = Model::new(&hours, middle);
        let noon = model.first + AROUND * 1_440;
        for (by, length) in probes {
            let (minute, end) = (noon + by, noon + by + length);
            let at = instant(minute);
            let open = model.is_open(minute);
            prop_assert_eq!(hours.is_open(at), open, "at {}", format_rfc3339(at));
            prop_assert_eq!(hours.is_open(Timestamp(at.0 + MINUTE - 1)), open);

            // What the model can't see the end of is only asked to lie beyond it.
            let seen_to = instant(model.last() - 1_440);
            match model.next(minute, true) {
                Some(opens) => prop_assert_eq!(hours.next_open(at), Some(instant(opens))),
                None => prop_assert!(hours.next_open(at).is_none_or(|it| it >= seen_to)),
            }
            match model.next(minute, false) {
                Some(closes) if open && closes < model.last() - 2 * 1_440 => {
                    prop_assert_eq!(hours.closes_at(at), Some(instant(closes)));
                }
                _ if !open => prop_assert_eq!(hours.closes_at(at), None),
                _ => {}
            }

            let counted = model.open_between(minute, end);
            prop_assert_eq!(hours.open_between(at, instant(end)), Span(counted * MINUTE));
            if let Some(reached) = model.add_open(minute, length / 8)
                && reached < model.last() - 2 * 1_440
            {
                prop_assert_eq!(hours.add_open(at, Span(length / 8 * MINUTE)), instant(reached));
            }
        }
    }

    #[test]
    fn intervals_cover_what_is_open_and_nothing_else((hours, middle) in any_hours()) {
        let model = Model::new(&hours, middle);
        let noon = model.first + AROUND * 1_440;
        let (from, to) = (noon - 2 * 1_440, noon + 2 * 1_440);
        let found: Vec<_> = hours.intervals(instant(from), instant(to)).collect();
        for minute in from..to {
            let holding = found.iter().filter(|it| it.contains(instant(minute))).count();
            prop_assert_eq!(holding, usize::from(model.is_open(minute)));
        }
        let is_midnight = |at| hours.zone().day_start(hours.zone().day_of(at)) == at;
        for pair in found.windows(2) {
            prop_assert!(pair[0].end <= pair[1].start);
            // Only whole days part what touches.
            prop_assert!(pair[0].end < pair[1].start || is_midnight(pair[0].end));
        }
        // Each is found again, the same, from any instant in it: slots hang on its start.
        for interval in found {
            for at in [interval.start, Timestamp(interval.end.0 - 1)] {
                prop_assert_eq!(hours.interval_at(at), Some(interval));
            }
            let middle = Timestamp(interval.start.0.midpoint(interval.end.0));
            prop_assert_eq!(hours.interval_at(middle), Some(interval));
        }
    }
}
