//! The seat that a callback has in its queue: taken, moved, given back, never counted twice.

use super::{BOSS, Bench, START, booking, mara, queue};
use crate::domain::callback::{Callback, Outcome, State};
use crate::domain::effect::Outbox;
use crate::domain::ids::{Fresh, QueueId};
use crate::domain::machines::callback::CallbackMachine;
use crate::domain::message::{Action, CallbackCommand, CallbackMessage, Token, Who};
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
    bench.tell(CallbackMessage::Reserved { token: Token(2), result: refused });
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
    bench.tell(CallbackMessage::Reserved { token: Token(3), result: Ok(seated.clone()) });
    let refused = bench.answer().expect("answered").expect_err("it is over");
    assert!(matches!(refused, Refusal::IllegalTransition { state: State::Canceled, .. }));
    assert_eq!(bench.seats(), [of("billing", false, Some(to))]);
    // Nobody asked, as far as a machine made anew knows.
    let mut anew = booked();
    anew.tell(CallbackMessage::Reserved { token: Token(9), result: Ok(seated) });
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
    bench.tell(CallbackMessage::Reserved { token: Token(2), result: Ok(seated.clone()) });
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
    bench.act(&BOSS, Action::Requeue { queue: Some(other), agent: None }).expect("transferred");
    let start = Some(later());
    assert_eq!(bench.seats(), [of("sales", true, start), of("billing", false, start)]);
}

#[test]
fn a_machine_made_anew_knows_that_its_seat_is_counted() {
    let record: Callback = booked().record().clone();
    let now = Now { wall: START, steady: START, fresh: Fresh(300) };
    let record = std::sync::Arc::new(record);
    let mut machine = CallbackMachine::restore(&record, queue(|_| ()), &now);
    let mut out = Outbox::default();
    machine.step(&now, CallbackMessage::Wake, &mut out);
    let mut bench = booked();
    bench.out = out;
    assert_eq!(bench.seats(), []);
}
