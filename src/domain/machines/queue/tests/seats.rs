//! Seats and slots: who gets one, who is told of others, and what is counted.

use std::sync::Arc;

use super::{Bench, HOUR, INTAKE, START, asap, booked, callbacks};
use crate::domain::callback::{Booking, CallbackType};
use crate::domain::effect::Answer;
use crate::domain::hours::ContactHours;
use crate::domain::ids::{AgentId, CallbackId};
use crate::domain::message::{
    CallbackMessage, QueueMessage, Reserve, Seated, SlotQuestion, Token, Who, Wish,
};
use crate::domain::policy::{Medium, PerMedium, QueueSettings, SlotCapacity};
use crate::domain::refusal::Refusal;
use crate::domain::slots::{Bound, Nearest, Seat};
use crate::domain::time::{Span, Timestamp};

const QUARTER: Span = Span::minutes(15);

/// Open from 8 to 18 hours, two places in each quarter of an hour; it is 8.
fn bench() -> Bench {
    Bench::new(&callbacks::Bench::open_until("18:00", |one| {
        one.slot_capacity = PerMedium::both(SlotCapacity::Fixed(2));
    }))
}

fn agent() -> Who {
    Who::Agent(AgentId::parse("mara").expect("an id"))
}

fn by_agent(start: Timestamp) -> Wish {
    Wish { who: agent(), ..booked(start) }
}

fn seat(start: Option<Timestamp>) -> Seat {
    Seat { medium: Medium::Voice, start }
}

fn nearest(refusal: Option<&Refusal>) -> Vec<(Timestamp, Option<u32>)> {
    let Some(Refusal::SlotFull { nearest } | Refusal::NotASlot { nearest }) = refusal else {
        panic!("it is refused with others: {refusal:?}")
    };
    let Nearest { slots, zone } = nearest;
    assert_eq!(zone.name(), "UTC");
    slots.iter().map(|room| (room.slot.start, room.remaining)).collect()
}

impl Bench {
    fn booking(&self) -> Option<&Booking> {
        self.told().into_iter().find_map(|(_, message)| match message {
            CallbackMessage::Create { create, .. } => create.wish.booking.as_ref(),
            _ => None,
        })
    }

    fn reserve(
        &mut self,
        who: &Who,
        to: Timestamp,
        own: Option<Timestamp>,
    ) -> Result<Seated, Refusal> {
        let wish = booked(to);
        let booking = wish.booking.expect("a booking");
        let (token, callback, medium) = (Some(Token(9)), CallbackId(1), Medium::Voice);
        let bound = who.bound();
        let reserve = Box::new(Reserve { token, callback, medium, booking, own, bound });
        self.tell(QueueMessage::Reserve(reserve));
        match self.told()[..] {
            [(1, CallbackMessage::Reserved { token: Some(Token(9)), result })] => result.clone(),
            _ => panic!("the callback is told"),
        }
    }

    fn taken(&self, start: Timestamp) -> u32 {
        let slot = crate::domain::hours::Interval { start, end: start + QUARTER };
        self.machine.bookings().taken(Medium::Voice, slot)
    }
}

#[test]
fn the_last_place_is_given_once_and_who_comes_late_is_told_the_nearest() {
    let mut bench = bench();
    let start = START + HOUR;
    for id in [1, 2] {
        bench.create(id, booked(start));
        let booking = bench.booking().expect("it is passed on");
        assert_eq!((booking.end, booking.overbooked), (start + QUARTER, false));
    }
    bench.create(3, booked(start));
    let near = [-2, -1, 1, 2, 3].map(|by| start + Span(QUARTER.0 * by));
    let soonest = START + Span::minutes(30);
    assert_eq!(near[0], soonest, "just far enough ahead");
    assert_eq!(nearest(bench.refused()), near.map(|start| (start, Some(2))));
    bench.tell(QueueMessage::FreeSeat(seat(Some(start))));
    bench.create(4, booked(start));
    assert!(bench.booking().is_some(), "a place given back is free at once");
    assert_eq!(bench.taken(start), 2);
}

#[test]
fn what_is_booked_already_comes_to_lie_anywhere_and_may_be_one_too_many() {
    let mut bench = bench();
    let start = START + HOUR;
    let follow = |bench: &mut Bench, to: Timestamp| {
        let booking = booked(to).booking.expect("a booking");
        let (callback, medium) = (CallbackId(1), Medium::Voice);
        let (token, own, bound) = (None, None, Bound::ToNothing);
        let reserve = Box::new(Reserve { token, callback, medium, booking, own, bound });
        bench.tell(QueueMessage::Reserve(reserve));
        match bench.told()[..] {
            [(1, CallbackMessage::Reserved { token: None, result: Ok(seated) })] => {
                (seated.overbooked, seated.version)
            }
            _ => panic!("the callback is told"),
        }
    };
    let version = bench.record().version;
    assert_eq!(follow(&mut bench, start), (false, version));
    assert_eq!(follow(&mut bench, start), (false, version));
    assert_eq!(follow(&mut bench, start), (true, version));
    assert_eq!(bench.taken(start), 3);
    for elsewhere in [START - HOUR, START + Span::minutes(11 * 60)] {
        assert_eq!(follow(&mut bench, elsewhere), (false, version), "past, or closed");
    }
}

#[test]
fn customers_get_slots_alone_with_notice_and_not_too_far_ahead() {
    let mut bench = bench();
    bench.create(1, booked(START + HOUR + Span::minutes(5)));
    let told = nearest(bench.refused());
    assert_eq!(told.len(), 5);
    assert!(told.contains(&(START + HOUR, Some(2))));
    bench.create(1, booked(START + QUARTER));
    let soonest = START + Span::minutes(30);
    assert_eq!(bench.refused(), Some(&Refusal::TooSoon { soonest }));
    bench.create(1, booked(START + Span::days(30) + QUARTER));
    let latest = START + Span::days(30);
    assert_eq!(bench.refused(), Some(&Refusal::TooFar { latest }));
    bench.create(1, booked(latest));
    assert!(bench.booking().is_some(), "the horizon itself is not too far");
    bench.create(1, booked(soonest));
    assert!(bench.booking().is_some(), "nor is the notice too soon");
}

#[test]
fn agents_book_any_open_instant_count_in_its_slot_and_may_overfill_it() {
    let mut bench = bench();
    let start = START + HOUR;
    for (id, by, overbooked) in [(1, 0, false), (2, 7, false), (3, 14, true), (4, 15, false)] {
        bench.create(id, by_agent(start + Span::minutes(by)));
        let booking = bench.booking().expect("agents get what they book");
        assert_eq!(booking.overbooked, overbooked, "{by}");
    }
    assert_eq!(bench.taken(start), 3);
    bench.create(5, booked(start));
    assert!(matches!(bench.refused(), Some(Refusal::SlotFull { .. })));
    bench.create(6, by_agent(START + Span::seconds(1)));
    assert!(bench.booking().is_some(), "notice doesn't bind them");
}

#[test]
fn a_bound_on_what_is_outstanding_holds_for_channels_whatever_they_ask() {
    let mut bench = Bench::new(&callbacks::Bench::open_until("18:00", |one| {
        one.max_outstanding = PerMedium { voice: 2, video: 1 };
        one.media = vec![Medium::Voice, Medium::Video];
    }));
    bench.create(1, asap());
    bench.create(2, booked(START + HOUR));
    for wish in [asap(), booked(START + HOUR)] {
        bench.create(3, wish);
        assert!(matches!(bench.refused(), Some(Refusal::LimitReached(_))));
    }
    let video = Wish { medium: Medium::Video, ..booked(START + HOUR) };
    bench.create(4, video);
    assert!(bench.booking().is_some(), "each medium has its own");
    bench.create(5, Wish { who: agent(), ..callbacks::wish(CallbackType::Asap, None) });
    assert!(bench.answer().is_none(), "agents aren't bound");
    bench.tell(QueueMessage::FreeSeat(seat(None)));
    bench.tell(QueueMessage::FreeSeat(seat(None)));
    bench.create(6, asap());
    assert!(bench.answer().is_none(), "what has ended doesn't count");
}

#[test]
fn a_move_is_not_in_its_own_way() {
    let mut bench = bench();
    let start = START + HOUR;
    for id in [1, 2] {
        bench.create(id, booked(start));
    }
    let own = Some(start);
    let kept = bench.reserve(&Who::Customer, start, own).expect("to where it is");
    assert_eq!((kept.seat, kept.end, kept.overbooked), (seat(own), start + QUARTER, false));
    assert_eq!(bench.taken(start), 3, "both seats are counted until it has moved");
    bench.tell(QueueMessage::FreeSeat(seat(own)));
    let refused = bench.reserve(&Who::Customer, start, Some(start + QUARTER));
    assert!(matches!(refused, Err(Refusal::SlotFull { .. })), "it comes from elsewhere");
    let within = bench.reserve(&agent(), start + Span::minutes(3), own).expect("agents may");
    assert!(!within.overbooked, "in its own slot");
    let over = bench.reserve(&agent(), start, Some(start + QUARTER)).expect("agents may");
    assert!(over.overbooked);
    assert_eq!(bench.reserve(&Who::Channel, START, own), Err(Refusal::StartPast));
}

#[test]
fn a_seat_that_nobody_has_is_a_broken_invariant() {
    let broken = std::panic::catch_unwind(|| {
        bench().tell(QueueMessage::FreeSeat(seat(None)));
    });
    assert!(broken.is_err());
}

#[test]
fn slots_are_told_as_they_are_asked_for() {
    let mut bench = bench();
    let start = START + HOUR;
    bench.create(1, booked(start));
    let medium = Medium::Voice;
    let mut asks = |question| {
        bench.tell(QueueMessage::Slots { token: Token(5), question });
        let answer = bench.answer().expect("answered").expect("there is such a queue");
        match answer {
            Answer::Slots(rooms) => {
                rooms.iter().map(|room| (room.slot.start, room.remaining)).collect::<Vec<_>>()
            }
            Answer::Booked { bookings, queue, .. } => {
                let slot = crate::domain::hours::Interval { start, end: start + QUARTER };
                assert_eq!(queue.settings.id.as_str(), "billing");
                vec![(start, Some(bookings.taken(medium, slot)))]
            }
            other => panic!("{other:?}"),
        }
    };
    let next = asks(SlotQuestion::Next { medium, from: start, count: 2 });
    assert_eq!(next, [(start, Some(1)), (start + QUARTER, Some(2))]);
    assert_eq!(asks(SlotQuestion::Near { medium, start }).len(), 5);
    let (from, to) = (START, START + Span::days(1));
    assert_eq!(asks(SlotQuestion::Between { medium, from, to }), [(start, Some(1))]);
    assert_eq!(asks(SlotQuestion::Between { medium, from, to: start }), [(start, Some(0))]);
}

#[test]
fn hours_changed_under_bookings_are_marked_until_all_were_looked_at() {
    let mut bench = bench();
    let shorter = callbacks::Bench::open_until("12:00", |_| ());
    bench.put(&shorter);
    assert!(!bench.record().unchecked, "there are no bookings");
    bench.create(1, booked(START + HOUR));
    bench.put(&shorter);
    assert!(!bench.record().unchecked, "the hours are the same");
    bench.put(&callbacks::Bench::open_until("11:00", |_| ()));
    assert!(bench.record().unchecked);
    let version = bench.record().version;
    bench.tell(QueueMessage::Rechecked { version });
    let same = Arc::clone(&bench.record().settings);
    for edit in [(|one| one.lead_seconds = 5) as fn(&mut QueueSettings), |one| {
        one.contact_hours = ContactHours::ALWAYS;
    }] {
        let mut settings = QueueSettings::clone(&same);
        edit(&mut settings);
        let (token, if_match) = (None, None);
        let settings = Arc::new(settings);
        bench.tell(QueueMessage::Put { token, if_match, settings });
        assert!(bench.record().unchecked);
        let version = bench.record().version;
        bench.tell(QueueMessage::Rechecked { version });
        assert!(!bench.record().unchecked);
    }
    bench.put(&callbacks::Bench::open_until("12:00", |_| ()));
    assert!(bench.record().unchecked);
    let version = bench.record().version;
    bench.tell(QueueMessage::Rechecked { version: version - 1 });
    assert!(bench.record().unchecked, "they were looked at by another record");
    bench.pause(INTAKE, None);
    let version = bench.record().version;
    bench.tell(QueueMessage::Rechecked { version });
    assert!(!bench.record().unchecked);
    assert_eq!(bench.record().version, version, "nobody sees the mark");
    assert_eq!(bench.out.changes.len(), 1);
    bench.tell(QueueMessage::Rechecked { version });
    assert!(bench.out.changes.is_empty());
}
