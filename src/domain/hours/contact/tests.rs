//! Contact hours in one zone and in several, alone and together with a queue's hours.

use proptest::prelude::*;

use super::*;
use crate::domain::hours::tests::{at, hours, zone};

fn zones(names: &[&str]) -> Vec<TimeZone> {
    names.iter().map(|name| zone(name)).collect()
}

fn contact(text: &str) -> ContactHours {
    let (from, to) = text.split_once('-').unwrap();
    ContactHours::parse(from, to).unwrap()
}

#[test]
fn customers_are_called_within_their_own_hours() {
    let usual = ContactHours::default();
    for (names, instant, allowed) in [
        // 07:59 and 08:00 in New York.
        (&["America/New_York"][..], "2026-11-24T12:59:59.999Z", "2026-11-24T13:00:00Z"),
        (&["America/New_York"], "2026-11-24T13:00:00Z", "2026-11-24T13:00:00Z"),
        // 20:59 and 21:00.
        (&["America/New_York"], "2026-11-25T01:59:59.999Z", "2026-11-25T01:59:59.999Z"),
        (&["America/New_York"], "2026-11-25T02:00:00Z", "2026-11-25T13:00:00Z"),
        // In all of them: from 08:00 in Los Angeles until 21:00 in New York.
        (
            &["America/New_York", "America/Los_Angeles"],
            "2026-11-24T13:00:00Z",
            "2026-11-24T16:00:00Z",
        ),
        (
            &["America/Los_Angeles", "America/New_York"],
            "2026-11-25T02:00:00Z",
            "2026-11-25T16:00:00Z",
        ),
        // Nobody knows where the customer is: nothing binds.
        (&[], "2026-11-24T03:00:00Z", "2026-11-24T03:00:00Z"),
    ] {
        let (names, instant, expected) = (zones(names), at(instant), at(allowed));
        assert_eq!(usual.next_allowed(instant, &names), Some(expected), "{names:?}");
        assert_eq!(usual.allows(instant, &names), instant == expected);
        assert!(usual.allows(expected, &names));
    }
}

#[test]
fn hours_that_never_agree_are_never() {
    let (brief, now) = (contact("09:00-10:00"), at("2026-11-24T00:00:00Z"));
    let apart = zones(&["Europe/Berlin", "Asia/Tokyo"]);
    assert_eq!(brief.next_allowed(now, &apart), None);
    assert_eq!(brief.next_allowed(now, &apart[..1]), Some(at("2026-11-24T08:00:00Z")));
    let open = hours("Europe/Berlin", &["daily 10:00-18:00"]);
    let both = Allowed { hours: &open, contact: brief, zones: &apart[..1] };
    assert_eq!(both.next(now), None);
    assert_eq!(both.add(now, Span(1)), Timestamp::NEVER);
    assert_eq!(both.between(now, Timestamp::NEVER), Span::ZERO);
}

#[test]
fn any_time_is_any_time() {
    let (apart, now) = (zones(&["Europe/Berlin", "Asia/Tokyo"]), at("2026-11-24T00:00:00Z"));
    for always in [contact("00:00-24:00"), contact("05:00-05:00"), ContactHours::ALWAYS] {
        assert_eq!(always.next_allowed(now, &apart), Some(now));
        let hours = Hours::always(zone("Europe/Berlin"));
        let both = Allowed { hours: &hours, contact: always, zones: &apart };
        assert_eq!(both.ends(now), None);
        assert_eq!(both.add(now, Span::days(30)), now + Span::days(30));
    }
}

#[test]
fn both_queue_and_customer_must_allow_it() {
    // Open 09:00–17:00 in Berlin; a customer in New York from 08:00 there, 14:00 in Berlin.
    let open = hours("Europe/Berlin", &["mon 09:00-17:00", "tue 09:00-17:00", "fri 09:00-17:00"]);
    let there = zones(&["America/New_York"]);
    let both = Allowed { hours: &open, contact: ContactHours::default(), zones: &there };
    for (instant, next, ends) in [
        ("2026-11-24T09:00:00Z", "2026-11-24T13:00:00Z", None),
        ("2026-11-24T13:00:00Z", "2026-11-24T13:00:00Z", Some("2026-11-24T16:00:00Z")),
        ("2026-11-24T15:59:59.999Z", "2026-11-24T15:59:59.999Z", Some("2026-11-24T16:00:00Z")),
        ("2026-11-24T16:00:00Z", "2026-11-27T13:00:00Z", None),
        // Two weeks in spring the two are an hour closer: 08:00 there is 13:00 in Berlin.
        ("2026-03-10T00:00:00Z", "2026-03-10T12:00:00Z", None),
    ] {
        assert_eq!(both.next(at(instant)), Some(at(next)));
        assert_eq!(both.at(at(instant)), instant == next);
        assert_eq!(both.ends(at(instant)), ends.map(at));
    }
    let tuesday = at("2026-11-24T15:00:00Z");
    assert_eq!(both.add(tuesday, Span::ZERO), tuesday);
    assert_eq!(both.add(tuesday, Span::minutes(60)), at("2026-11-24T16:00:00Z"));
    assert_eq!(both.add(tuesday, Span::minutes(61)), at("2026-11-27T13:01:00Z"));
    assert_eq!(both.between(tuesday, at("2026-11-27T13:01:00Z")), Span::minutes(61));
    assert_eq!(both.between(at("2026-11-27T13:01:00Z"), tuesday), Span::ZERO);
}

#[test]
fn nothing_binds_without_zones_but_the_queue() {
    let open = hours("Europe/Berlin", &["mon 09:00-17:00"]);
    let both = Allowed { hours: &open, contact: ContactHours::default(), zones: &[] };
    let sunday = at("2026-11-22T12:00:00Z");
    assert_eq!(both.next(sunday), open.next_open(sunday));
    assert_eq!(both.add(sunday, Span::minutes(500)), open.add_open(sunday, Span::minutes(500)));
}

const PLACES: [&str; 6] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/Sao_Paulo",
    "Africa/Casablanca",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Against asking for every quarter of an hour whether each party is ready.
    #[test]
    fn the_first_agreement_is_found(
        from in 0..96u16, to in 0..96u16, opens in 0..96u16, closes in 0..96u16,
        places in proptest::collection::vec(proptest::sample::select(&PLACES[..]), 0..4),
        start in 0..40_000i64, quarters in 0..300u32,
    ) {
        // From the days before both changes of clocks in Europe and America.
        let start = at("2026-10-22T00:00:00Z") + Span(start * 60_000);
        let clock = |quarter: u16| format!("{:02}:{:02}", quarter / 4, quarter % 4 * 15);
        let contact = ContactHours::parse(&clock(from), &clock(to)).unwrap();
        let line = format!("daily {}-{}", clock(opens), clock(closes));
        let open = hours("Europe/Berlin", &[&line]);
        let there = zones(&places);
        let both = Allowed { hours: &open, contact, zones: &there };

        let ready = |at| open.is_open(at) && contact.allows(at, &there);
        let quarter = Span::minutes(15);
        let next = both.next(start);
        if let Some(next) = next {
            prop_assert!(ready(next));
            prop_assert!(next == start || !ready(next - Span(1)));
        }
        let (mut clock, mut sum, mut first) = (start, Span::ZERO, None);
        let end = start + Span(quarter.0 * i64::from(quarters));
        while clock < end {
            if ready(clock) {
                first = first.or(Some(clock));
            }
            // Parties change on whole quarters only, so within one the start's rest decides.
            let edge = Timestamp((clock.0 / quarter.0 + 1) * quarter.0).min(end);
            if ready(clock) {
                sum += edge.since(clock);
            }
            clock = edge;
        }
        prop_assert_eq!(both.between(start, end), sum);
        prop_assert_eq!(next.filter(|&next| next < end), first);
        if sum > Span::ZERO {
            let reached = both.add(start, sum);
            prop_assert!(reached <= end);
            prop_assert_eq!(both.between(start, reached), sum);
        }
    }
}
