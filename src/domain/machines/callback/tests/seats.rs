//! The seat that a callback has in its queue: taken, moved, given back, never counted twice.

use super::{BOSS, Bench, START, agent, booking, mara, queue};
use crate::domain::agent::RevokeReason;
use crate::domain::callback::{Callback, Outcome, State, Told};
use crate::domain::effect::{Effect, StepOutput};
use crate::domain::estimate::{Basis, Estimate};
use crate::domain::ids::{Fresh, QueueId};
use crate::domain::machines::callback::CallbackMachine;
use crate::domain::message::{
    Action, CallbackCommand, CallbackMessage, Letter, RouterMessage, Seated, Token, Who,
};
use crate::domain::policy::Medium;
use crate::domain::refusal::Refusal;
use crate::domain::time::{Now, Span, Timestamp};

fn later() -> Timestamp {
    START + Span::minutes(90)
}

fn booked() -> Bench {
    Bench::new(queue(|_| ()), Medium::Voice, Some(later()))
}

fn moves(to: Timestamp) -> Action {
    Action::Reschedule { booking: Some(booking(to)) }
}

/// The step of a move up to the question to the queue, with its token.
fn asks(bench: &mut Bench, token: Token, to: Timestamp) {
    let who = Who::Channel;
    let command = CallbackCommand { token, who, if_match: None, action: moves(to) };
    bench.tell(CallbackMessage::Command(Box::new(command)));
    assert!(bench.answer().is_none(), "the queue is asked first");
}

fn of(queue: &str, taken: bool, start: Option<Timestamp>) -> (String, bool, Option<Timestamp>) {
    (queue.to_owned(), taken, start)
}

#[test]
fn the_seat_that_the_queue_has_counted_is_not_counted_again() {
    assert_eq!(booked().seats(), []);
    assert_eq!(Bench::asap().seats(), []);
}

#[test]
fn a_move_gives_the_old_seat_back_and_keeps_the_new_one() {
    let mut bench = booked();
    let to = later() + Span::minutes(15);
    bench.act(&Who::Channel, moves(to)).expect("moved");
    assert_eq!(bench.seats(), [of("billing", false, Some(later()))]);
    bench.act(&Who::Channel, moves(to)).expect("moved to where it is");
    assert_eq!(bench.seats(), [of("billing", false, Some(to))], "one of the two");
    bench.act(&Who::Channel, Action::Reschedule { booking: None }).expect("as soon as possible");
    assert_eq!(bench.seats(), [of("billing", true, None), of("billing", false, Some(to))]);
}

#[test]
fn a_seat_kept_in_vain_is_given_back() {
    let to = later() + Span::minutes(15);
    let mut bench = booked();
    asks(&mut bench, Token(2), to);
    let seated = bench.asks_for_seat().expect("it asks");
    let refused = Err(Refusal::StartPast);
    bench.tell(CallbackMessage::Reserved { token: Some(Token(2)), result: refused });
    assert_eq!(bench.answer().map(Result::err), Some(Some(Refusal::StartPast)));
    assert_eq!(bench.seats(), []);
    // Called off while the queue thought about it.
    asks(&mut bench, Token(3), to);
    bench.tell(CallbackMessage::Command(Box::new(CallbackCommand {
        token: Token(4),
        who: Who::Channel,
        if_match: None,
        action: Action::Cancel { reason: None },
    })));
    assert_eq!(bench.seats(), [of("billing", false, Some(later()))]);
    bench.tell(CallbackMessage::Reserved { token: Some(Token(3)), result: Ok(seated.clone()) });
    let refused = bench.answer().expect("answered").expect_err("it is over");
    assert!(matches!(refused, Refusal::IllegalTransition { state: State::Canceled, .. }));
    assert_eq!(bench.seats(), [of("billing", false, Some(to))]);
    // Nobody asked, as far as a machine made anew knows.
    let mut anew = booked();
    anew.tell(CallbackMessage::Reserved { token: Some(Token(9)), result: Ok(seated) });
    assert_eq!(anew.seats(), [of("billing", false, Some(to))]);
    assert!(anew.answer().is_none() && anew.out.changes.is_empty());
}

#[test]
fn a_move_meant_for_another_version_is_refused_although_a_seat_was_kept() {
    let mut bench = booked();
    let version = bench.record().version;
    let command = CallbackCommand {
        token: Token(2),
        who: Who::Channel,
        if_match: Some(version),
        action: moves(later() + Span::minutes(15)),
    };
    bench.tell(CallbackMessage::Command(Box::new(command)));
    let seated = bench.asks_for_seat().expect("it asks");
    bench.pass(Span::minutes(89));
    assert_eq!(bench.state(), State::Queued, "it fell due meanwhile");
    bench.tell(CallbackMessage::Reserved { token: Some(Token(2)), result: Ok(seated.clone()) });
    let refused = bench.answer().expect("answered").expect_err("stale");
    assert_eq!(refused, Refusal::VersionStale { version: version + 1 });
    assert_eq!(bench.seats(), [of("billing", false, seated.seat.start)]);
}

#[test]
fn whatever_ends_it_gives_its_seat_back() {
    let mut canceled = booked();
    canceled.act(&Who::Customer, Action::Cancel { reason: None }).expect("canceled");
    assert_eq!(canceled.seats(), [of("billing", false, Some(later()))]);
    let mut closed = Bench::ended_call(Outcome::Answered);
    let close = Action::Close { disposition: None, notes: None, resolved: None };
    closed.act(&mara(), close).expect("closed");
    assert_eq!(closed.seats(), [of("billing", false, None)]);
    let mut expired = Bench::asap();
    expired.pass(Span::minutes(60));
    assert_eq!(expired.seats(), [of("billing", false, None)]);
}

#[test]
fn a_retry_keeps_the_seat_of_its_booking() {
    let mut bench = Bench::new(queue(|_| ()), Medium::Voice, Some(START + Span::seconds(60)));
    bench.take_and_call();
    bench.outcome(Outcome::NoAnswer);
    bench.pass(Span::seconds(60));
    assert_eq!((bench.state(), bench.seats()), (State::Open, Vec::new()));
}

#[test]
fn a_transfer_takes_its_seat_along() {
    let mut bench = booked();
    let other = queue(|one| one.id = QueueId::parse("sales").expect("an id"));
    let requeue = Action::Requeue { queue: Some(other), agent: None };
    bench.act(&BOSS, requeue.clone()).expect("transferred");
    assert_eq!(bench.seats(), [of("billing", false, Some(later()))], "the other has counted it");
    assert_eq!(bench.record().queue.as_str(), "sales");
    // Where it fills a slot beyond its places it is marked, and it ends with the slot that it has.
    let mut bench = booked();
    let action = requeue;
    let command = CallbackCommand { token: Token(2), who: BOSS, if_match: None, action };
    bench.tell(CallbackMessage::Command(Box::new(command)));
    assert!(bench.answer().is_none() && bench.out.changes.is_empty(), "the queue is asked first");
    let asked = bench.asks_for_seat().expect("it asks");
    let end = asked.end + Span::minutes(45);
    let seated = Seated { overbooked: true, end, ..asked };
    bench.tell(CallbackMessage::Reserved { token: Some(Token(2)), result: Ok(seated) });
    let booking = bench.record().booking.as_ref().expect("it is booked");
    assert_eq!((booking.overbooked, booking.end), (true, end));
    assert_eq!(bench.record().expiry_base, end);
    assert_eq!(bench.events(), ["callback.requeued", "callback.queued"]);
    // As soon as possible it takes no slot, and goes at once.
    let mut asap = Bench::asap();
    let other = queue(|one| one.id = QueueId::parse("sales").expect("an id"));
    asap.act(&BOSS, Action::Requeue { queue: Some(other), agent: None }).expect("transferred");
    assert_eq!(asap.seats(), [of("sales", true, None), of("billing", false, None)]);
}

#[test]
fn a_move_refused_after_a_proposal_leaves_it_in_the_routers_line() {
    let mut bench = booked();
    bench.pass(Span::minutes(89));
    assert_eq!(bench.state(), State::Queued);
    asks(&mut bench, Token(2), later() + Span::minutes(15));
    bench.tell(CallbackMessage::Propose { agent: agent("mara") });
    assert_eq!(bench.state(), State::Queued, "it may be gone in a moment");
    bench
        .tell(CallbackMessage::Reserved { token: Some(Token(2)), result: Err(Refusal::StartPast) });
    let filed =
        |effect: &Effect| matches!(effect, Effect::Send(Letter::Router(RouterMessage::Enqueue(_))));
    assert!(bench.out.effects.iter().any(filed), "the proposal had taken it out");
}

#[test]
fn an_estimate_that_comes_later_is_kept_with_the_next_change() {
    let estimate = Estimate { basis: Basis::Line, seconds: 60, low: 10, high: 90 };
    let told = Told { at: START, estimate };
    let mut bench = booked();
    bench.pass(Span::minutes(89));
    let version = bench.record().version;
    bench.tell(CallbackMessage::Noted(told));
    assert_eq!((bench.record().version, bench.out.changes.len()), (version, 0));
    bench.offer("mara");
    assert_eq!(bench.record().told, Some(told));
    let other = Told { at: later(), ..told };
    bench.tell(CallbackMessage::Noted(other));
    bench.tell(CallbackMessage::RevokeOffer {
        agent: agent("mara"),
        reason: RevokeReason::AgentAway,
    });
    assert_eq!(bench.record().told, Some(told), "the first one stays");
}

#[test]
fn a_machine_made_anew_knows_that_its_seat_is_counted() {
    let record: Callback = booked().record().clone();
    let now = Now { wall: START, steady: START, fresh: Fresh(300) };
    let record = std::sync::Arc::new(record);
    let mut machine = CallbackMachine::restore(&record, queue(|_| ()), &now);
    let mut out = StepOutput::default();
    machine.step(&now, CallbackMessage::Wake, &mut out);
    let mut bench = booked();
    bench.out = out;
    assert_eq!(bench.seats(), []);
}
