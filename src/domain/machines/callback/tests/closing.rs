//! What the queue does to those that wait: it closes, pauses, changes, and opens again.

use std::sync::Arc;

use super::{BOSS, Bench, START, agent, mara, queue};
use crate::domain::agent::RevokeReason;
use crate::domain::callback::{InteractionState, OpenReason, Outcome, Phase, State};
use crate::domain::civil::Weekday;
use crate::domain::effect::Effect;
use crate::domain::event::{CallbackEvent, Event};
use crate::domain::hours::{DayInterval, Hours};
use crate::domain::message::{
    Action, AgentMessage, CallbackMessage, Letter, OfferEnd, QueueMessage, Seen,
};
use crate::domain::policy::Medium;
use crate::domain::queue::{Paused, Queue};
use crate::domain::rank::{Priority, rank};
use crate::domain::time::Span;
use crate::domain::zone::TimeZone;

const DAY: Span = Span::days(1);

fn paused(bench: &Bench) -> Arc<Queue> {
    let mut queue = Queue::clone(bench.machine.queue());
    queue.offers_paused = Some(Paused { since: bench.at, until: None, reason: None });
    Arc::new(queue)
}

#[test]
fn what_still_waits_after_the_overrun_keeps_its_place_for_the_next_opening() {
    let patient = Bench::office(|one| one.expire_after_minutes = 900);
    let mut bench = Bench::new(patient, Medium::Voice, None);
    let (since, id) = (bench.record().queued_since, bench.record().interaction().map(|it| it.id));
    bench.offer("mara");
    bench.at = START + Span::minutes(10 * 60 + 15);
    let opening = START + DAY;
    bench.tell(CallbackMessage::CarryOver { next_open: Some(opening) });
    assert_eq!(bench.events(), ["callback.offer_revoked", "callback.carried_over"]);
    assert!(bench.told_agent(|message| matches!(
        message,
        AgentMessage::OfferEnded { end: OfferEnd::Revoked(RevokeReason::CarriedOver), .. }
    )));
    assert_eq!(bench.released(), [&agent("mara")]);
    assert_eq!((bench.state(), bench.record().next_attempt_at()), (State::Open, Some(opening)));
    assert!(bench.ended().is_empty(), "the interaction waits with it");
    bench.at = opening;
    bench.tell(CallbackMessage::Wake);
    assert_eq!((bench.state(), bench.record().queued_since), (State::Queued, since));
    assert_eq!(bench.record().interaction().map(|it| it.id), id);
    assert_eq!((bench.record().attempts, bench.record().interactions), (0, 1));
}

#[test]
fn carrying_over_leaves_alone_what_an_agent_has() {
    for called in [false, true] {
        let mut bench = Bench::accepted();
        if called {
            bench.act(&mara(), Action::Call).expect("called");
        }
        let state = bench.state();
        bench.tell(CallbackMessage::CarryOver { next_open: Some(START + DAY) });
        assert_eq!(bench.state(), state);
    }
}

#[test]
fn what_comes_back_after_the_overrun_is_not_offered_before_the_next_opening() {
    let mut bench =
        Bench::new(Bench::office(|one| one.expire_after_minutes = 900), Medium::Voice, None);
    bench.at = START + Span::minutes(10 * 60 + 14);
    let offer = bench.offer("mara");
    bench.act(&mara(), Action::Accept { offer, session: None }).expect("accepted");
    bench.pass(Span::seconds(59));
    bench.tell(CallbackMessage::GraceOver { agent: agent("mara") });
    assert_eq!(bench.state(), State::Queued, "the overrun isn't over");
    let offer = bench.offer("mara");
    bench.act(&mara(), Action::Accept { offer, session: None }).expect("accepted");
    bench.pass(Span::seconds(1));
    bench.tell(CallbackMessage::GraceOver { agent: agent("mara") });
    let Phase::Open { due, why, carried, .. } = &bench.record().phase else { panic!("it waits") };
    assert_eq!((*due, *why), (START + DAY, OpenReason::CarriedOver));
    assert_eq!(carried.as_ref().map(|it| it.state), Some(InteractionState::Queued));
    assert!(!bench.enqueued());
    assert_eq!(bench.events(), ["callback.unassigned", "callback.carried_over"]);
}

#[test]
fn a_request_while_closed_waits_for_the_opening_with_its_place() {
    let mut bench = Bench::new(Bench::office(|_| ()), Medium::Voice, None);
    bench.at = START + Span::minutes(11 * 60);
    bench.act(&BOSS, Action::Reschedule { booking: None }).expect("moved");
    let (asked, opening) = (bench.at, START + DAY);
    assert_eq!((bench.state(), bench.record().next_attempt_at()), (State::Open, Some(opening)));
    bench.at = opening;
    bench.tell(CallbackMessage::Wake);
    assert_eq!((bench.state(), bench.record().queued_since), (State::Queued, Some(asked)));
}

#[test]
fn what_falls_due_while_closed_falls_due_at_the_next_opening() {
    let start = START + Span::minutes(9 * 60 + 30);
    let mut bench = Bench::new(Bench::office(|_| ()), Medium::Voice, Some(start));
    bench.tell(CallbackMessage::QueueChanged(Bench::open_until("17:00", |_| ())));
    bench.at = start - Span::seconds(60);
    bench.tell(CallbackMessage::Wake);
    assert_eq!(bench.state(), State::Open);
    assert_eq!(bench.record().next_attempt_at(), Some(START + DAY));
    bench.at = START + DAY;
    bench.tell(CallbackMessage::Wake);
    assert_eq!((bench.state(), bench.record().queued_since), (State::Queued, Some(START + DAY)));
}

#[test]
fn what_falls_due_just_before_the_closing_has_the_overrun() {
    let start = START + Span::minutes(10 * 60) - Span::millis(1);
    for (late, state) in [(14, State::Queued), (15, State::Open)] {
        let mut bench =
            Bench::new(Bench::office(|one| one.lead_seconds = 0), Medium::Voice, Some(start));
        bench.at = START + Span::minutes(10 * 60 + late);
        bench.tell(CallbackMessage::Wake);
        assert_eq!(bench.state(), state, "{late} minutes after closing");
    }
}

#[test]
fn new_hours_that_have_closed_the_queue_carry_over_what_waits() {
    for offered in [false, true] {
        let mut bench = Bench::new(Bench::office(|_| ()), Medium::Voice, None);
        if offered {
            bench.offer("mara");
        }
        bench.at = START + Span::minutes(30);
        let closed_since =
            |minutes: u32| Bench::open_until("08:20", |one| one.overrun_minutes = minutes);
        let state = bench.state();
        bench.tell(CallbackMessage::QueueChanged(closed_since(15)));
        assert_eq!(bench.state(), state, "within the overrun");
        bench.tell(CallbackMessage::QueueChanged(closed_since(10)));
        assert_eq!(bench.events().last(), Some(&"callback.carried_over"));
        assert!(!bench.enqueued());
        assert_eq!(bench.record().next_attempt_at(), Some(START + DAY));
    }
}

#[test]
fn in_a_break_only_what_is_ahead_of_its_start_goes_on() {
    let office = || {
        queue(|one| {
            let day = |from, to| DayInterval::parse(from, to).expect("an interval");
            let parts = [day("08:00", "09:00"), day("09:40", "18:00")];
            let week = Weekday::ALL.into_iter();
            let week: Vec<_> = week.flat_map(|it| parts.map(|part| (it, part))).collect();
            one.hours = Arc::new(Hours::new(TimeZone::utc(), &week, Vec::new()).expect("hours"));
            (one.lead_seconds, one.expire_after_minutes) = (3_600, 600);
        })
    };
    let at = |minutes| START + Span::minutes(minutes);
    let shut = CallbackMessage::CarryOver { next_open: Some(at(100)) };
    let mut asap = Bench::new(office(), Medium::Voice, None);
    asap.at = at(75);
    asap.tell(CallbackMessage::QueueChanged(office()));
    assert_eq!((asap.state(), asap.record().next_attempt_at()), (State::Open, Some(at(100))));
    let mut booked = Bench::new(office(), Medium::Voice, Some(at(100)));
    booked.at = at(75);
    booked.tell(CallbackMessage::Wake);
    assert_eq!(booked.state(), State::Queued, "in its lead");
    booked.tell(shut.clone());
    assert_eq!(booked.state(), State::Queued);
    let mut missed = Bench::new(office(), Medium::Voice, Some(at(59)));
    missed.pass(Span::ZERO);
    missed.at = at(75);
    missed.tell(shut);
    assert_eq!((missed.state(), missed.record().next_attempt_at()), (State::Open, Some(at(100))));
}

#[test]
fn the_queue_hears_of_places_that_are_counted_in_another_way() {
    let place = |bench: &Bench| {
        bench.out.effects.iter().find_map(|effect| match effect {
            Effect::Send(Letter::Queue(_, QueueMessage::Join { place, .. })) => *place,
            _ => None,
        })
    };
    let mut bench = Bench::asked(queue(|_| ()), Medium::Voice, None, |wish| {
        wish.priority = Priority::MOST;
    });
    bench.tell(CallbackMessage::QueueChanged(queue(|_| ())));
    assert_eq!(place(&bench), None, "nothing new");
    bench.tell(CallbackMessage::QueueChanged(queue(|one| one.age_step_seconds = 0)));
    let plain = rank(START, Priority::MOST, 0);
    assert_eq!(place(&bench).map(|place| place.rank), Some(plain));
}

#[test]
fn a_pause_takes_pending_offers_back_and_lets_none_through() {
    let mut bench = Bench::asap();
    bench.offer("mara");
    let paused = paused(&bench);
    bench.tell(CallbackMessage::QueueChanged(Arc::clone(&paused)));
    assert_eq!(bench.events(), ["callback.offer_revoked", "callback.queued"]);
    assert!(bench.told_agent(|message| matches!(
        message,
        AgentMessage::OfferEnded { end: OfferEnd::Revoked(RevokeReason::Paused), .. }
    )));
    assert!(bench.record().declined.is_empty() && bench.record().offers_lost == 0);
    bench.tell(CallbackMessage::Propose { agent: agent("noor") });
    assert_eq!((bench.state(), bench.released()), (State::Queued, vec![&agent("noor")]));
    assert!(bench.enqueued(), "the router must know that it still waits");
    let mut held = Bench::accepted();
    held.tell(CallbackMessage::QueueChanged(paused));
    assert_eq!(held.state(), State::Accepted, "assignments stay");
}

#[test]
fn nobody_eligible_is_marked_and_told_once() {
    use crate::domain::callback::Unroutable;
    let mut bench = Bench::asap();
    let reason = Some(Unroutable::NoAgentInQueue);
    bench.tell(CallbackMessage::SetUnroutable(reason.clone()));
    assert_eq!(bench.events(), ["callback.unroutable"]);
    assert_eq!(bench.record().unroutable.as_deref(), reason.as_ref());
    bench.tell(CallbackMessage::SetUnroutable(reason.clone()));
    assert!(bench.events().is_empty());
    bench.tell(CallbackMessage::QueueChanged(queue(|_| ())));
    let known = bench.work().expect("filed anew").unroutable.as_deref();
    assert_eq!(known, reason.as_ref(), "the router knows it");
    bench.tell(CallbackMessage::SetUnroutable(None));
    let told = bench.out.events.last().cloned();
    let Some(Event::Callback(_, CallbackEvent::Unroutable { reason })) = told else {
        panic!("somebody can take it again")
    };
    assert_eq!((reason, bench.record().unroutable.clone()), (None, None));
}

#[test]
fn a_broken_promise_is_told_once_and_not_after_the_call() {
    let start = START + Span::minutes(5);
    let kept = start + Span::seconds(300);
    let mut bench = Bench::new(queue(|_| ()), Medium::Voice, Some(start));
    bench.pass(Span::minutes(4));
    assert_eq!(bench.work().expect("it is queued").promise, Some(kept));
    bench.at = kept - Span::millis(1);
    bench.tell(CallbackMessage::Wake);
    assert!(bench.events().is_empty());
    bench.pass(Span::millis(1));
    let Some(Event::Callback(_, CallbackEvent::PromiseBroken { promised_by })) =
        bench.out.events.first()
    else {
        panic!("it is told")
    };
    assert_eq!(*promised_by, kept);
    bench.pass(Span::seconds(1));
    assert!(bench.events().is_empty());

    let mut called = Bench::new(queue(|_| ()), Medium::Voice, Some(start));
    called.pass(Span::minutes(4));
    called.take_and_call();
    called.pass(Span::minutes(30));
    assert!(called.events().is_empty() && !called.record().promise_broken);
    called.outcome(Outcome::Busy);
    called.pass(Span::seconds(60));
    assert_eq!(called.state(), State::Open);
    called.pass(Span::minutes(6));
    assert_eq!(called.events(), ["callback.queued"], "a retry isn't promised");
}

#[test]
fn a_queue_hears_once_what_became_of_a_promise() {
    let start = START + Span::minutes(5);
    let by = start + Span::seconds(300);
    for (called_at, kept) in [(by - Span::millis(1), true), (by, false)] {
        let mut bench = Bench::new(queue(|_| ()), Medium::Voice, Some(start));
        bench.pass(Span::minutes(4));
        let offer = bench.offer("mara");
        bench.act(&mara(), Action::Accept { offer, session: None }).expect("accepted");
        bench.at = called_at;
        bench.act(&mara(), Action::Call).expect("called");
        let told = if kept { Seen::PromiseKept } else { Seen::PromiseBroken };
        assert_eq!((bench.seen(), bench.record().promise_broken), (vec![told], !kept));
        bench.pass(Span::minutes(1));
        bench.outcome(Outcome::Busy);
        assert!(bench.seen().is_empty(), "it was told");
    }
}
