//! By when a customer is to be called, as things go on.

use std::sync::Arc;

use super::{BOSS, Bench, START, booking, mara, queue};
use crate::domain::callback::{Outcome, State};
use crate::domain::ids::Fresh;
use crate::domain::machines::callback::CallbackMachine;
use crate::domain::machines::callback::deadlines::promised_by;
use crate::domain::message::{Action, CallbackMessage, Seen, Who};
use crate::domain::policy::Medium;
use crate::domain::queue::{Pause, Paused, Queue};
use crate::domain::time::{Now, Span, Timestamp};

const ON_TIME: Span = Span::seconds(300);

fn promised(bench: &Bench) -> Option<Timestamp> {
    promised_by(bench.record(), bench.machine.queue(), bench.at)
}

fn move_to(bench: &mut Bench, start: Option<Timestamp>) {
    let action = Action::Reschedule { booking: start.map(booking) };
    bench.act(&Who::Channel, action).expect("moved");
}

#[test]
fn a_window_begins_when_it_becomes_as_soon_as_possible() {
    let window = queue(|one| one.promise_window_minutes = Some(1));
    let mut bench = Bench::new(window, Medium::Voice, Some(START + Span::minutes(60)));
    bench.at = START + Span::seconds(63);
    move_to(&mut bench, None);
    let by = bench.at + Span::minutes(1);
    assert_eq!(promised(&bench), Some(by));
    assert_eq!(bench.work().expect("it waits").promise, Some(by));
    bench.pass(Span::minutes(1) - Span::millis(1));
    assert!(bench.events().is_empty());
    bench.pass(Span::millis(1));
    assert_eq!(bench.events(), ["callback.promise_broken"]);
}

#[test]
fn what_an_agent_puts_off_uncalled_is_promised_no_later() {
    let window = queue(|one| one.promise_window_minutes = Some(10));
    let mut bench = Bench::new(window, Medium::Voice, None);
    let offer = bench.offer("mara");
    bench.act(&mara(), Action::Accept { offer, session: None }).expect("accepted");
    let at = Some(START + Span::minutes(180));
    let later = Action::Retry { at, mine: false, customer_agreed: false };
    bench.act(&mara(), later).expect("put off");
    assert_eq!(promised(&bench), Some(START + Span::minutes(10)));
}

#[test]
fn a_line_that_they_waited_in_before_was_promised_nothing() {
    let window = queue(|one| one.promise_window_minutes = Some(10));
    let bench = Bench::asked(window, Medium::Voice, None, |wish| {
        let mut request = crate::domain::callback::Request::clone(&wish.request);
        request.origin.waiting_since = Some(START - Span::minutes(30));
        wish.request = std::sync::Arc::new(request);
    });
    assert_eq!(promised(&bench), Some(START + Span::minutes(10)));
}

#[test]
fn a_start_chosen_after_an_attempt_is_promised_too_and_its_retry_not() {
    let start = START + Span::minutes(60);
    let mut bench = Bench::ended_call(Outcome::NoAnswer);
    bench.pass(Span::seconds(60));
    assert_eq!((bench.state(), promised(&bench)), (State::Open, None));
    move_to(&mut bench, Some(start));
    assert_eq!(promised(&bench), Some(start + ON_TIME));
    bench.at = start;
    bench.pass(Span::ZERO);
    assert_eq!(bench.work().expect("it waits").promise, Some(start + ON_TIME));
    bench.take_and_call();
    assert_eq!(bench.seen(), [Seen::PromiseKept]);
    assert_eq!(promised(&bench), None);
    bench.outcome(Outcome::Busy);
    bench.act(&BOSS, Action::Requeue { queue: None, agent: None }).expect("sent back");
    assert_eq!((bench.state(), promised(&bench)), (State::Queued, None));
    bench.take_and_call();
    assert!(bench.seen().is_empty());
}

#[test]
fn only_a_pause_puts_an_appointment_off() {
    let start = START + Span::minutes(5);
    let office = |edit: &dyn Fn(&mut Queue)| {
        let mut office = Queue::clone(&Bench::open_until("08:06", |_| ()));
        edit(&mut office);
        office
    };
    let bench = Bench::new(Bench::open_until("08:06", |_| ()), Medium::Voice, Some(start));
    let by =
        |queue: &Queue, after| promised_by(bench.record(), queue, START + Span::minutes(after));
    let pause = |from, to| Pause { from: START + Span::minutes(from), to };
    let ended = |from, to| pause(from, START + Span::minutes(to));
    let closes_in_between = office(&|_| ());
    let paused =
        office(&|one| one.pauses = vec![ended(1, 2), ended(4, 7), ended(11, 12), ended(20, 30)]);
    let running = office(&|one| {
        one.pauses = vec![pause(6, Timestamp::NEVER)];
        one.offers_paused = Some(Paused { since: START, until: None, reason: None });
    });
    let until = office(&|one| {
        one.pauses = vec![pause(6, Timestamp::NEVER)];
        let until = Some(START + Span::minutes(26));
        one.offers_paused = Some(Paused { since: START, until, reason: None });
    });
    for seen_after in [0, 6, 40, 100_000] {
        assert_eq!(by(&closes_in_between, seen_after), Some(start + ON_TIME));
        assert_eq!(by(&paused, seen_after), Some(start + ON_TIME + Span::minutes(3)));
        assert_eq!(by(&running, seen_after), Some(Timestamp::NEVER));
        assert_eq!(by(&until, seen_after), Some(start + ON_TIME + Span::minutes(20)));
    }
}

/// The deadline that it had is still the earliest.
#[test]
fn what_has_broken_its_promise_stays_in_front_whoever_touches_it() {
    let window = queue(|one| one.promise_window_minutes = Some(1));
    let mut bench = Bench::new(Arc::clone(&window), Medium::Voice, None);
    let by = Some(START + Span::minutes(1));
    bench.pass(Span::minutes(2));
    assert!(bench.record().promise_broken);
    let offer = bench.offer("mara");
    bench.act(&mara(), Action::Decline { offer, reason: None, session: None }).expect("declined");
    assert_eq!(bench.work().expect("it waits").promise, by);
    bench.tell(CallbackMessage::QueueChanged(window));
    assert!(bench.events().is_empty(), "it is broken once");
    let (callback, queue) = (Arc::new(bench.record().clone()), bench.machine.queue().clone());
    let now = Now { wall: bench.at, steady: bench.at, fresh: Fresh(1) };
    assert_eq!(CallbackMachine::as_work(&callback, queue, &now).promise, by, "nor by a restart");
}
