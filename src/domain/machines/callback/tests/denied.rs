//! The deny list, and who was served another way.

use super::{BOSS, Bench, START, agent, mara, queue, table};
use crate::domain::callback::{ClosedReason, FinalState, Outcome, State, Unroutable};
use crate::domain::effect::Effect;
use crate::domain::message::{
    Action, CallbackCommand, CallbackMessage, Letter, RouterMessage, Token,
};
use crate::domain::policy::Medium;
use crate::domain::refusal::Refusal;
use crate::domain::time::Span;

fn deny(bench: &mut Bench, denied: bool) {
    bench.tell(CallbackMessage::NumberDenied(denied));
}

/// What the router was told by the last step, in a word each.
fn told(bench: &Bench) -> Vec<&'static str> {
    let told = bench.out.effects.iter().filter_map(|effect| match effect {
        Effect::Send(Letter::Router(RouterMessage::Enqueue(_))) => Some("enqueue"),
        Effect::Send(Letter::Router(RouterMessage::Withdraw(_))) => Some("withdraw"),
        Effect::Send(Letter::Router(RouterMessage::Release { .. })) => Some("release"),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_number_denied_while_the_router_is_asked_gives_the_agent_back() {
    let mut bench = Bench::asap();
    let action = Action::Assign { agent: agent("mara"), force: true };
    let command = CallbackCommand { token: Token(9), who: BOSS, if_match: None, action };
    bench.tell(CallbackMessage::Command(Box::new(command)));
    deny(&mut bench, true);
    bench.tell(CallbackMessage::Claimed { token: Token(9), result: Ok(()) });
    assert!(matches!(bench.answer(), Some(Err(Refusal::NumberDenied))));
    assert_eq!((bench.state(), bench.released()), (State::Queued, vec![&agent("mara")]));
}

#[test]
fn a_denied_number_waits_in_its_place_and_is_not_offered() {
    let mut bench = Bench::asap();
    let since = bench.record().queued_since;
    deny(&mut bench, true);
    assert_eq!(bench.record().unroutable.as_deref(), Some(&Unroutable::NumberDenied));
    assert_eq!((bench.events(), told(&bench)), (vec!["callback.unroutable"], vec!["withdraw"]));
    // What was on its way meanwhile changes nothing.
    bench.tell(CallbackMessage::Propose { agent: agent("mara") });
    assert_eq!((bench.state(), told(&bench)), (State::Queued, vec!["release"]));
    bench.tell(CallbackMessage::SetUnroutable(None));
    assert_eq!(bench.record().unroutable.as_deref(), Some(&Unroutable::NumberDenied));
    let assign = Action::Assign { agent: agent("mara"), force: false };
    assert_eq!(bench.act(&BOSS, assign), Err(Refusal::NumberDenied));
    deny(&mut bench, false);
    assert_eq!((bench.record().unroutable.clone(), told(&bench)), (None, vec!["enqueue"]));
    assert_eq!(bench.events(), ["callback.unroutable"], "it says that somebody can again");
    assert_eq!(bench.record().queued_since, since);
    bench.offer("mara");
}

#[test]
fn a_pending_offer_is_taken_back_and_work_goes_on() {
    let mut bench = Bench::asap();
    bench.offer("mara");
    deny(&mut bench, true);
    assert_eq!((bench.state(), told(&bench)), (State::Queued, vec!["release"]));
    assert_eq!(
        bench.events(),
        ["callback.offer_revoked", "callback.queued", "callback.unroutable"]
    );
    let mut accepted = Bench::accepted();
    deny(&mut accepted, true);
    assert_eq!((accepted.state(), accepted.events().len()), (State::Accepted, 0));
    // What comes back from there isn't offered again.
    accepted.act(&mara(), Action::Requeue { queue: None, agent: None }).expect("sent back");
    assert_eq!(accepted.record().unroutable.as_deref(), Some(&Unroutable::NumberDenied));
}

#[test]
fn a_dormant_one_is_found_denied_when_it_falls_due_and_expires_in_time() {
    let start = START + Span::minutes(30);
    let mut bench = Bench::new(queue(|_| ()), Medium::Voice, Some(start));
    bench.machine.know_denied(true);
    bench.at = start;
    bench.pass(Span::ZERO);
    let unroutable = bench.record().unroutable.as_deref();
    assert_eq!((bench.state(), unroutable), (State::Queued, Some(&Unroutable::NumberDenied)));
    assert!(told(&bench).is_empty(), "the router never hears of it");
    bench.pass(Span::minutes(75));
    assert_eq!(bench.closed().map(|(_, reason)| reason), Some(ClosedReason::Expired));
    assert_eq!(bench.record().unroutable, None);
}

const SERVED: Option<(FinalState, ClosedReason)> =
    Some((FinalState::Canceled, ClosedReason::ServedElsewhere));

fn serve(bench: &mut Bench, include_scheduled: bool) {
    bench.act(&mara(), Action::ServeElsewhere { include_scheduled }).expect("never refused");
}

#[test]
fn who_was_served_another_way_waits_no_more_and_work_goes_on() {
    for state in State::ALL {
        let (mut bench, _) = table::at(state);
        let before = bench.record().version;
        serve(&mut bench, true);
        let waits = matches!(state, State::Open | State::Queued | State::Offered);
        assert_eq!(bench.closed() == SERVED, waits, "{state:?}");
        assert_eq!(bench.record().version > before, waits, "{state:?}: nothing else changes");
        serve(&mut bench, true);
        assert_eq!(bench.closed() == SERVED, waits, "{state:?}, repeated");
    }
}

#[test]
fn a_booking_is_called_off_only_on_request_and_its_retry_always() {
    let start = START + Span::minutes(30);
    let booked = || Bench::new(queue(|_| ()), Medium::Voice, Some(start));
    let due = || {
        let mut bench = booked();
        bench.at = start;
        bench.pass(Span::ZERO);
        bench
    };
    for make in [&booked as &dyn Fn() -> Bench, &due] {
        let mut bench = make();
        serve(&mut bench, false);
        assert_eq!(bench.closed(), None);
        serve(&mut bench, true);
        assert_eq!(bench.closed(), SERVED);
    }
    let mut retried = due();
    retried.take_and_call();
    retried.outcome(Outcome::NoAnswer);
    retried.pass(Span::seconds(60));
    assert_eq!(retried.state(), State::Open);
    serve(&mut retried, false);
    assert_eq!(retried.closed(), SERVED);
}
