//! Offers and assignments: taken, declined, expired, taken back, and given by a supervisor.

use std::sync::Arc;

use super::{BOSS, Bench, agent, mara, queue};
use crate::domain::agent::RevokeReason;
use crate::domain::callback::State;
use crate::domain::effect::Outbox;
use crate::domain::ids::Fresh;
use crate::domain::machines::callback::CallbackMachine;
use crate::domain::message::{
    Action, AgentMessage, CallbackCommand, CallbackMessage, OfferEnd, Token, Who,
};
use crate::domain::policy::Medium;
use crate::domain::refusal::Refusal;
use crate::domain::time::{Now, Span};

#[test]
fn accepting_twice_is_answered_twice_and_late_is_refused() {
    let mut bench = Bench::asap();
    let first = bench.offer("mara");
    let other = Who::Agent(agent("noor"));
    let refused = bench.act(&other, Action::Accept { offer: first });
    assert!(matches!(refused, Err(Refusal::Forbidden(_))));
    bench.act(&mara(), Action::Accept { offer: first }).expect("accepted");
    let version = bench.record().version;
    bench.act(&mara(), Action::Accept { offer: first }).expect("the same answer");
    assert_eq!(bench.record().version, version);
    bench.act(&BOSS, Action::Requeue { queue: None, agent: None }).expect("sent back");
    let late = bench.act(&mara(), Action::Accept { offer: first });
    assert_eq!(late, Err(Refusal::OfferNotPending));
}

#[test]
fn an_offer_that_expires_goes_back_with_its_place_kept() {
    let mut bench = Bench::asap();
    let since = bench.record().queued_since;
    bench.offer("mara");
    bench.pass(Span::seconds(30));
    assert_eq!(bench.state(), State::Queued);
    assert_eq!(bench.record().queued_since, since);
    assert_eq!(bench.events(), ["callback.offer_expired", "callback.queued"]);
    assert!(bench.told_agent(|message| {
        matches!(message, AgentMessage::OfferEnded { end: OfferEnd::Expired, .. })
    }));
    assert!(bench.enqueued() && bench.released() == [&agent("mara")]);
}

#[test]
fn cool_downs_double_up_to_ten_minutes_and_some_reasons_bar_for_good() {
    let mut bench = Bench::asap();
    for (times, seconds) in [(1, 60), (2, 120), (3, 240), (4, 480), (5, 600), (6, 600)] {
        let offer = bench.offer("mara");
        bench.act(&mara(), Action::Decline { offer, reason: None }).expect("declined");
        let declined = &bench.record().declined[0];
        assert_eq!(declined.times, times);
        assert_eq!(declined.until, bench.at + Span::seconds(seconds));
        let lone = Span::seconds(seconds / 2);
        assert_eq!(declined.lone_until, bench.at + lone);
    }
}

#[test]
fn a_callback_declined_too_often_is_told_to_be_stuck_once_and_still_offered() {
    let mut bench = Bench::new(queue(|one| one.max_offers = 2), Medium::Voice, None);
    let mut stuck = 0;
    for _ in 0..4 {
        let offer = bench.offer("mara");
        bench.act(&mara(), Action::Decline { offer, reason: None }).expect("declined");
        stuck += bench.events().iter().filter(|name| **name == "callback.stuck").count();
    }
    assert_eq!((stuck, bench.state()), (1, State::Queued));
}

#[test]
fn an_offer_taken_back_carries_no_penalty() {
    let mut bench = Bench::asap();
    bench.offer("mara");
    let reason = RevokeReason::SessionLost;
    bench.tell(CallbackMessage::RevokeOffer { agent: agent("noor"), reason });
    assert_eq!(bench.state(), State::Offered, "it isn't noor's");
    bench.tell(CallbackMessage::RevokeOffer { agent: agent("mara"), reason });
    assert_eq!((bench.state(), bench.record().offers_lost), (State::Queued, 0));
    assert!(bench.record().declined.is_empty());
}

#[test]
fn assigning_asks_the_router_and_holds_off_what_comes_between() {
    let mut bench = Bench::asap();
    let assign = Action::Assign { agent: agent("noor"), force: false };
    let command = CallbackCommand { token: Token(9), who: BOSS, if_match: None, action: assign };
    bench.tell(CallbackMessage::Command(Box::new(command)));
    assert!(bench.answer().is_none(), "the router is asked first");
    bench.tell(CallbackMessage::Propose { agent: agent("mara") });
    assert_eq!((bench.state(), bench.released()), (State::Queued, vec![&agent("mara")]));
    bench.tell(CallbackMessage::Claimed { token: Token(9), result: Ok(()) });
    assert_eq!(bench.record().assigned_agent(), Some(&agent("noor")));
    assert!(matches!(bench.answer(), Some(Ok(_))));
}

#[test]
fn an_assignment_that_comes_too_late_gives_the_agent_back() {
    let mut bench = Bench::asap();
    let assign = Action::Assign { agent: agent("noor"), force: false };
    let command = CallbackCommand { token: Token(9), who: BOSS, if_match: None, action: assign };
    bench.tell(CallbackMessage::Command(Box::new(command)));
    bench.act(&Who::Customer, Action::Cancel { reason: None }).expect("canceled");
    bench.tell(CallbackMessage::Claimed { token: Token(9), result: Ok(()) });
    assert!(matches!(bench.answer(), Some(Err(Refusal::IllegalTransition { .. }))));
    assert_eq!(bench.released(), [&agent("noor")]);
}

#[test]
fn after_a_restart_a_pending_offer_is_taken_back() {
    let mut bench = Bench::asap();
    bench.offer("mara");
    let snapshot = Arc::new(bench.record().clone());
    bench.machine = CallbackMachine::restore(&snapshot, queue(|_| ()));
    let now = Now { wall: bench.at, steady: bench.at, fresh: Fresh(900) };
    bench.out = Outbox::default();
    bench.machine.recover(&now, &mut bench.out);
    assert_eq!(bench.state(), State::Queued);
    assert_eq!(bench.events(), ["callback.offer_revoked", "callback.queued"]);
    assert!(bench.enqueued());
}
