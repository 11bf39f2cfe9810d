//! Bookings looked at again: moved by their wall time, told to lie outside the hours, once.

use std::sync::Arc;

use super::{BOSS, Bench, START, booking, queue};
use crate::domain::callback::{Booking, Callback, Outcome, State};
use crate::domain::civil::{LocalTime, Weekday, parse_rfc3339};
use crate::domain::hours::{DayInterval, Hours};
use crate::domain::machines::callback::recheck::{is_as_it_should_be, looked_at_again};
use crate::domain::message::{Action, CallbackMessage, Seated};
use crate::domain::policy::Medium;
use crate::domain::queue::Queue;
use crate::domain::time::{Span, Timestamp};
use crate::domain::zone::TimeZone;

const HOUR: Span = Span::minutes(60);

fn later() -> Timestamp {
    START + Span(HOUR.0 * 2)
}

/// Booked when the clocks of its zone were told to show an hour more at that time.
fn under_old_rules() -> Bench {
    Bench::asked(queue(|_| ()), Medium::Voice, Some(later()), |wish| {
        let mut booking = booking(later());
        booking.local_start = booking.zone.local(later() + HOUR);
        wish.booking = Some(booking);
    })
}

fn booked(bench: &Bench) -> &Booking {
    bench.record().booking.as_ref().expect("it is booked")
}

#[test]
fn a_booking_moves_with_its_wall_time_and_once() {
    let mut bench = under_old_rules();
    let (version, local) = (bench.record().version, booked(&bench).local_start);
    bench.recheck();
    let moved = booked(&bench).clone();
    assert_eq!((moved.start, moved.local_start), (later() + HOUR, local));
    assert_eq!(moved.end, later() + HOUR + Span::minutes(15));
    assert_eq!(bench.record().next_attempt_at(), Some(moved.start - Span::seconds(60)));
    assert_eq!(bench.record().expiry_base, moved.end);
    assert_eq!(bench.record().version, version + 1);
    assert_eq!(bench.events(), ["callback.rescheduled"]);
    let left = ("billing".to_owned(), false, Some(later()));
    assert_eq!(bench.seats(), [left], "the queue has counted where it is");
    assert!(!moved.overbooked);
    bench.recheck();
    assert!(bench.out.changes.is_empty() && bench.out.events.is_empty());
}

#[test]
fn one_too_many_where_it_comes_to_lie_is_marked_and_a_seat_kept_in_vain_is_given_back() {
    let asked = |bench: &mut Bench| {
        bench.tell(CallbackMessage::Recheck);
        let seated = bench.asks_for_seat().expect("it asks");
        assert!(bench.out.changes.is_empty(), "nothing moves before");
        Seated { overbooked: true, ..seated }
    };
    let mut bench = under_old_rules();
    let seated = asked(&mut bench);
    let again = asked(&mut bench);
    bench.tell(CallbackMessage::Reserved { token: None, result: Ok(seated) });
    assert!(booked(&bench).overbooked);
    // Looked at twice meanwhile: it has the seat already, and needs no second one.
    bench.tell(CallbackMessage::Reserved { token: None, result: Ok(again.clone()) });
    assert_eq!(bench.seats(), [("billing".to_owned(), false, again.seat.start)]);
    assert!(bench.out.changes.is_empty());
}

#[test]
fn a_wall_time_that_is_gone_becomes_the_first_instant_after_the_gap() {
    let zone = TimeZone::parse("Europe/Berlin").expect("a zone");
    let at = |text: &str| parse_rfc3339(text).expect("an instant");
    let old = Booking {
        start: at("2027-03-28T01:30:00Z"),
        local_start: LocalTime::parse("2027-03-28T02:30").expect("a time"),
        zone: zone.clone(),
        ..booking(later())
    };
    let callback = Callback { booking: Some(old), ..under_old_rules().record().clone() };
    let found = looked_at_again(&callback, &queue(|_| ()), START).expect("it moves");
    assert_eq!(found.start, at("2027-03-28T01:00:00Z"));
    assert_eq!(found.local_start.to_string(), "2027-03-28T03:00");
    // The second pass of an hour shows its wall time still: it was meant, and stays.
    let start = at("2027-10-31T01:30:00Z");
    let second = Booking { start, local_start: zone.local(start), zone, ..booking(later()) };
    let callback = Callback { booking: Some(second), ..callback };
    assert_eq!(looked_at_again(&callback, &queue(|_| ()), START), None);
}

#[test]
fn a_booking_outside_the_hours_stays_and_is_told_of_once_for_each_time() {
    let mut bench = Bench::new(Bench::office(|_| ()), Medium::Voice, Some(later()));
    let hours = |to: &str| -> Arc<Queue> {
        let queue = Bench::open_until(to, |_| ());
        Arc::new(Queue { version: 2, ..Queue::clone(&queue) })
    };
    let mut look = |queue: &Arc<Queue>| {
        bench.tell(CallbackMessage::QueueChanged(Arc::clone(queue)));
        bench.recheck();
        (bench.events(), bench.record().booking.as_ref().map(|one| (one.start, one.in_conflict)))
    };
    let (short, long) = (hours("09:00"), hours("18:00"));
    let stays = |in_conflict| Some((later(), in_conflict));
    assert_eq!(look(&long), (vec![], stays(false)));
    assert_eq!(look(&short), (vec!["callback.schedule_conflict"], stays(true)));
    assert_eq!(look(&short), (vec![], stays(true)));
    assert_eq!(look(&long), (vec![], stays(false)));
    assert_eq!(look(&short), (vec!["callback.schedule_conflict"], stays(true)));
    // Unmoved, it falls due at the next opening.
    assert_eq!(bench.record().next_attempt_at(), Some(START + Span::days(1)));
    bench.tell(CallbackMessage::QueueChanged(short));
    bench.at = later() - Span::seconds(60);
    bench.tell(CallbackMessage::Wake);
    assert_eq!(bench.state(), State::Open);
    assert_eq!(bench.record().next_attempt_at(), Some(START + Span::days(1)));
    bench.at = START + Span::days(1);
    bench.tell(CallbackMessage::Wake);
    assert_eq!(bench.state(), State::Queued);
}

#[test]
fn what_waits_for_an_opening_follows_the_hours() {
    let at = |minutes| START + Span::minutes(minutes);
    let until = |to: &str| Bench::open_until(to, |one| one.expire_after_minutes = 600);
    let mut bench = Bench::new(until("09:00"), Medium::Voice, None);
    bench.at = at(90);
    bench.tell(CallbackMessage::CarryOver { next_open: Some(START + Span::days(1)) });
    assert_eq!(bench.state(), State::Open);
    let (since, attempt) = (bench.record().queued_since, bench.record().interactions);
    bench.recheck();
    assert!(bench.out.changes.is_empty(), "the hours are the same");
    let later = queue(|one| {
        let day = DayInterval::parse("10:00", "18:00").expect("an interval");
        let week = Weekday::ALL.map(|weekday| (weekday, day));
        one.hours = Arc::new(Hours::new(TimeZone::utc(), &week, Vec::new()).expect("hours"));
    });
    bench.tell(CallbackMessage::QueueChanged(later));
    assert_eq!(bench.events(), ["callback.carried_over"]);
    assert_eq!(bench.record().next_attempt_at(), Some(at(120)));
    bench.recheck();
    assert!(bench.out.changes.is_empty());
    bench.tell(CallbackMessage::QueueChanged(until("18:00")));
    assert_eq!((bench.state(), bench.record().queued_since), (State::Queued, since));
    assert_eq!(bench.record().interactions, attempt);
    let mut asked = Bench::new(until("09:00"), Medium::Voice, None);
    asked.at = at(90);
    asked.act(&BOSS, Action::Reschedule { booking: None }).expect("moved");
    assert_eq!(asked.state(), State::Open);
    asked.tell(CallbackMessage::QueueChanged(until("18:00")));
    assert_eq!((asked.state(), asked.record().queued_since), (State::Queued, Some(at(90))));
}

#[test]
fn a_retry_that_the_hours_put_off_comes_as_early_as_they_allow() {
    let until = |to: &str| Bench::open_until(to, |_| ());
    let at = |minutes| START + Span::minutes(minutes);
    let mut bench = Bench::new(until("09:00"), Medium::Voice, None);
    bench.at = at(49);
    bench.take_and_call();
    bench.outcome(Outcome::NoAnswer);
    bench.pass(Span::seconds(60));
    let tomorrow = START + Span::days(1);
    assert_eq!(bench.record().next_attempt_at(), Some(tomorrow));
    let mut soon = bench.record().clone();
    bench.tell(CallbackMessage::QueueChanged(until("09:30")));
    assert_eq!(bench.record().next_attempt_at(), Some(at(65)), "its delay is over then");
    assert_eq!(bench.record().expiry_base, at(65));
    bench.tell(CallbackMessage::QueueChanged(until("09:00")));
    assert_eq!(bench.record().next_attempt_at(), Some(tomorrow));
    bench.at = at(80);
    bench.tell(CallbackMessage::QueueChanged(until("09:30")));
    assert_eq!((bench.state(), bench.record().queued_since), (State::Queued, Some(at(80))));
    // What an agent has chosen stays.
    soon.contact_hours_bind = false;
    assert!(is_as_it_should_be(&soon, &until("09:30"), at(50)));
    soon.contact_hours_bind = true;
    assert!(!is_as_it_should_be(&soon, &until("09:30"), at(50)));
}

#[test]
fn a_retry_called_before_its_time_stands_in_line_from_then_on() {
    let mut bench = Bench::new(Bench::open_until("09:00", |_| ()), Medium::Voice, None);
    bench.at = START + Span::minutes(49);
    bench.take_and_call();
    bench.outcome(Outcome::NoAnswer);
    bench.pass(Span::seconds(60));
    bench.at = START + Span::minutes(70);
    bench.act(&BOSS, Action::Requeue { queue: None, agent: None }).expect("called now");
    assert_eq!((bench.state(), bench.record().queued_since), (State::Queued, Some(bench.at)));
}

#[test]
fn another_lead_moves_when_a_booking_falls_due() {
    let lead = |seconds| queue(|one| one.lead_seconds = seconds);
    let mut bench = Bench::new(lead(60), Medium::Voice, Some(later()));
    bench.tell(CallbackMessage::QueueChanged(lead(600)));
    bench.recheck();
    assert_eq!(bench.record().next_attempt_at(), Some(later() - Span::seconds(600)));
    bench.tell(CallbackMessage::QueueChanged(lead(7_200)));
    assert_eq!((bench.state(), bench.record().queued_since), (State::Queued, Some(START)));
}

#[test]
fn what_waits_for_nothing_booked_is_left_alone() {
    for mut bench in [Bench::asap(), Bench::accepted()] {
        bench.recheck();
        assert!(bench.out.changes.is_empty());
    }
    let mut due = under_old_rules();
    due.pass(HOUR);
    due.pass(HOUR);
    assert_eq!(due.state(), State::Queued);
    due.recheck();
    assert!(due.out.changes.is_empty(), "its time has come");
}
