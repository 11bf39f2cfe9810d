//! Offers and assignments: taken, declined, expired, taken back, and given by a supervisor.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::table::noor;
use super::{BOSS, Bench, START, agent, mara, queue};
use crate::domain::agent::{AssignedBy, RevokeReason, UnassignReason};
use crate::domain::callback::State;
use crate::domain::effect::StepOutput;
use crate::domain::ids::{Fresh, QueueId};
use crate::domain::machines::callback::CallbackMachine;
use crate::domain::message::{
    Action, AgentMessage, CallbackCommand, CallbackMessage, OfferEnd, Token, Who,
};
use crate::domain::policy::{Choice, DeclineReason, Medium};
use crate::domain::refusal::Refusal;
use crate::domain::time::{Now, Span, Timestamp};

#[test]
fn accepting_twice_is_answered_twice_and_late_is_refused() {
    let mut bench = Bench::asap();
    let first = bench.offer("mara");
    let other = Who::Agent(agent("noor"));
    let refused = bench.act(&other, Action::Accept { offer: first, session: None });
    assert!(matches!(refused, Err(Refusal::Forbidden(_))));
    bench.act(&mara(), Action::Accept { offer: first, session: None }).expect("accepted");
    let version = bench.record().version;
    bench.act(&mara(), Action::Accept { offer: first, session: None }).expect("the same answer");
    assert_eq!(bench.record().version, version);
    bench.act(&BOSS, Action::Requeue { queue: None, agent: None }).expect("sent back");
    let late = bench.act(&mara(), Action::Accept { offer: first, session: None });
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
fn an_offer_stands_as_long_as_the_queue_says() {
    for seconds in [5, 600] {
        let mut bench =
            Bench::new(queue(|one| one.offer_timeout_seconds = seconds), Medium::Voice, None);
        bench.offer("mara");
        bench.pass(Span::seconds(seconds) - Span::millis(1));
        assert_eq!(bench.state(), State::Offered);
        bench.pass(Span::millis(1));
        assert_eq!(bench.state(), State::Queued);
    }
}

fn declined(bench: &mut Bench) -> (Span, Span) {
    let offer = bench.offer("mara");
    bench.act(&mara(), Action::Decline { offer, reason: None, session: None }).expect("declined");
    let declined = &bench.record().declined[0];
    (declined.until.since(bench.at), declined.lone_until.since(bench.at))
}

#[test]
fn cool_downs_double_up_to_ten_minutes() {
    let mut bench = Bench::asap();
    for seconds in [60, 120, 240, 480, 600, 600] {
        let halved = Span::seconds(seconds / 2);
        assert_eq!(declined(&mut bench), (Span::seconds(seconds), halved));
    }
}

#[test]
fn half_a_cool_down_is_at_least_15_seconds_and_no_more_than_the_whole() {
    for (whole, lone) in [(0, 0), (10, 10), (20, 15), (30, 15), (32, 16), (900, 450)] {
        let own = queue(|one| one.decline_cooldown_seconds = whole);
        let mut bench = Bench::new(own, Medium::Voice, None);
        assert_eq!(declined(&mut bench), (Span::seconds(whole), Span::seconds(lone)));
    }
}

#[test]
fn some_reasons_bar_for_good_and_unknown_ones_are_refused() {
    let listed = queue(|one| {
        let reason = |id: &str, reassignable| {
            let choice =
                Choice { id: id.to_owned(), labels: std::collections::BTreeMap::default() };
            DeclineReason { choice, reassignable }
        };
        one.decline_reasons = vec![reason("break", true), reason("related", false)];
    });
    let decline = |offer, reason: &str| Action::Decline {
        offer,
        reason: Some(reason.to_owned()),
        session: None,
    };
    let mut bench = Bench::new(listed, Medium::Voice, None);
    let offer = bench.offer("mara");
    let unknown = bench.act(&mara(), decline(offer, "bored"));
    assert!(matches!(unknown, Err(Refusal::Invalid(faults)) if faults[0].pointer == "/reason"));
    assert_eq!(bench.state(), State::Offered);
    bench.act(&mara(), decline(offer, "break")).expect("declined");
    assert_eq!(bench.events(), ["callback.declined", "callback.queued"]);
    assert_eq!(bench.record().declined[0].until, bench.at + Span::seconds(60));
    let offer = bench.offer("mara");
    bench.act(&mara(), decline(offer, "related")).expect("declined");
    let barred = &bench.record().declined[0];
    assert_eq!((barred.until, barred.lone_until), (Timestamp::NEVER, Timestamp::NEVER));
}

#[test]
fn a_queue_may_skip_the_offer() {
    let mut bench = Bench::new(queue(|one| one.auto_accept = true), Medium::Voice, None);
    bench.tell(CallbackMessage::Propose { agent: agent("mara") });
    assert_eq!(bench.state(), State::Accepted);
    assert_eq!(bench.events(), ["callback.assigned"]);
    let told = |message: &AgentMessage| {
        matches!(message, AgentMessage::Assigned { by: AssignedBy::Accept, .. })
    };
    assert!(bench.told_agent(told));
}

#[test]
fn agents_take_work_by_themselves_only_where_the_queue_lets_them() {
    let closed = queue(|one| one.agents_may_claim = false);
    let mut bench = Bench::new(closed, Medium::Voice, None);
    let claim = Action::Assign { agent: agent("mara"), force: false };
    assert!(matches!(bench.act(&mara(), claim.clone()), Err(Refusal::Forbidden(_))));
    let ask = |bench: &mut Bench, who: Who| {
        let action = claim.clone();
        let command = CallbackCommand { token: Token(9), who, if_match: None, action };
        bench.tell(CallbackMessage::Command(Box::new(command)));
        assert!(bench.answer().is_none(), "the router is asked");
        bench.tell(CallbackMessage::Claimed { token: Token(9), result: Ok(()) });
    };
    ask(&mut bench, BOSS);
    assert_eq!(bench.record().assigned_agent(), Some(&agent("mara")));
    let mut open = Bench::asap();
    open.offer("noor");
    ask(&mut open, mara());
    assert_eq!(open.events(), ["callback.offer_revoked", "callback.assigned"]);
    assert_eq!(open.released(), [&agent("noor")]);
}

#[test]
fn an_assignment_given_to_another_ends_the_first() {
    let mut bench = Bench::accepted();
    let action = Action::Assign { agent: agent("noor"), force: true };
    let command = CallbackCommand { token: Token(9), who: BOSS, if_match: None, action };
    bench.tell(CallbackMessage::Command(Box::new(command)));
    bench.tell(CallbackMessage::Claimed { token: Token(9), result: Ok(()) });
    assert_eq!(bench.events(), ["callback.unassigned", "callback.assigned"]);
    assert_eq!(bench.released(), [&agent("mara")]);
    assert!(bench.told_agent(|message| matches!(
        message,
        AgentMessage::Unassigned { reason: UnassignReason::Reassigned, .. }
    )));
}

#[test]
fn a_callback_declined_too_often_is_told_to_be_stuck_once_and_still_offered() {
    let mut bench = Bench::new(queue(|one| one.max_offers = 2), Medium::Voice, None);
    let mut stuck = 0;
    for turn in 0..4 {
        let offer = bench.offer("mara");
        if turn % 2 == 0 {
            bench
                .act(&mara(), Action::Decline { offer, reason: None, session: None })
                .expect("declined");
            assert!(turn > 0 || !bench.events().contains(&"callback.stuck"));
        } else {
            bench.pass(Span::seconds(30));
        }
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
    let now = Now { wall: bench.at, steady: bench.at, fresh: Fresh(900) };
    bench.machine = CallbackMachine::restore(&snapshot, queue(|_| ()), &now);
    bench.out = StepOutput::default();
    bench.machine.recover(&now, &mut bench.out);
    assert_eq!(bench.state(), State::Queued);
    assert_eq!(bench.events(), ["callback.offer_revoked", "callback.queued"]);
    assert!(bench.enqueued());
}

#[test]
fn a_bound_set_below_what_was_lost_is_told_at_once_and_once() {
    let mut bench = Bench::new(queue(|one| one.max_offers = 8), Medium::Voice, None);
    let bound = |bench: &mut Bench, most| {
        bench.tell(CallbackMessage::QueueChanged(queue(|one| one.max_offers = most)));
        bench.events().contains(&"callback.stuck")
    };
    let lose = |bench: &mut Bench| {
        bench.offer("mara");
        bench.pass(Span::seconds(30));
        bench.events().contains(&"callback.stuck")
    };
    assert!(!(0..3).any(|_| lose(&mut bench)));
    assert!(!bound(&mut bench, 4) && !bound(&mut bench, 0), "0 is no bound");
    assert!(bound(&mut bench, 2), "three were lost");
    assert!(!bound(&mut bench, 1) && !lose(&mut bench));
    let other = queue(|one| one.id = QueueId::parse("sales").expect("an id"));
    let transfer = Action::Requeue { queue: Some(other), agent: None };
    bench.act(&BOSS, transfer).expect("transferred");
    assert!(!bench.events().contains(&"callback.stuck"), "there it may lose more");
}

#[test]
fn who_is_barred_from_it_may_not_claim_it_but_be_given_it() {
    let never = queue(|one| {
        let choice = Choice { id: "conflict".to_owned(), labels: BTreeMap::new() };
        one.decline_reasons = vec![DeclineReason { choice, reassignable: false }];
    });
    let mut bench = Bench::new(never, Medium::Voice, None);
    let offer = bench.offer("mara");
    let reason = Some("conflict".to_owned());
    bench.act(&mara(), Action::Decline { offer, reason, session: None }).expect("declined");
    let claim = Action::Assign { agent: agent("mara"), force: false };
    assert!(matches!(bench.act(&mara(), claim.clone()), Err(Refusal::Forbidden(_))));
    let command = CallbackCommand { token: Token(9), who: BOSS, if_match: None, action: claim };
    bench.tell(CallbackMessage::Command(Box::new(command)));
    bench.tell(CallbackMessage::Claimed { token: Token(9), result: Ok(()) });
    assert_eq!(bench.record().assigned_agent(), Some(&agent("mara")));
}

#[test]
fn a_booking_claimed_ahead_of_its_time_waits_for_it_again() {
    let start = START + Span::minutes(180);
    let mut bench = Bench::new(queue(|_| ()), Medium::Voice, Some(start));
    let due = bench.record().next_attempt_at();
    for _ in 0..2 {
        let action = Action::Assign { agent: agent("mara"), force: false };
        let command = CallbackCommand { token: Token(9), who: mara(), if_match: None, action };
        bench.tell(CallbackMessage::Command(Box::new(command)));
        bench.tell(CallbackMessage::Claimed { token: Token(9), result: Ok(()) });
        assert_eq!(bench.record().state(), State::Accepted);
        bench.pass(Span::seconds(300));
        assert_eq!(bench.events(), ["callback.unassigned", "callback.carried_over"]);
        let record = bench.record();
        assert_eq!((record.state(), record.queued_since), (State::Open, None));
        assert_eq!((record.next_attempt_at(), record.interactions), (due, 1));
        assert_eq!(bench.released(), [&agent("mara")]);
    }
    bench.at = due.expect("it has a time");
    bench.tell(CallbackMessage::Wake);
    let record = bench.record();
    assert_eq!((record.state(), record.queued_since), (State::Queued, due));
}

#[test]
fn a_booking_given_on_ahead_of_its_time_waits_for_it_and_one_put_off_for_its_retry() {
    let start = START + Span::minutes(180);
    let mut bench = Bench::new(queue(|_| ()), Medium::Voice, Some(start));
    let give = |bench: &mut Bench, who: Who, to: &str| {
        bench.at = bench.at + Span::seconds(10);
        let action = Action::Assign { agent: agent(to), force: false };
        let command = CallbackCommand { token: Token(9), who, if_match: None, action };
        bench.tell(CallbackMessage::Command(Box::new(command)));
        bench.tell(CallbackMessage::Claimed { token: Token(9), result: Ok(()) });
        assert_eq!(bench.record().assigned_agent(), Some(&agent(to)));
    };
    give(&mut bench, mara(), "mara");
    give(&mut bench, BOSS, "noor");
    bench.pass(Span::seconds(300));
    assert_eq!(bench.record().state(), State::Open);
    give(&mut bench, mara(), "mara");
    let at = bench.at + Span::minutes(30);
    let retry = Action::Retry { at: Some(at), mine: false, customer_agreed: true };
    bench.act(&mara(), retry).expect("put off");
    give(&mut bench, mara(), "mara");
    bench.pass(Span::seconds(300));
    assert_eq!(bench.record().state(), State::Queued, "it isn't its booked time that counts");
}

/// Only a supervisor has a booking called before its time.
#[test]
fn a_booking_that_its_agent_sends_back_ahead_of_its_time_waits_for_it() {
    let start = START + Span::minutes(180);
    for (who, state) in [(mara(), State::Open), (BOSS, State::Queued)] {
        let mut bench = Bench::new(queue(|_| ()), Medium::Voice, Some(start));
        let action = Action::Assign { agent: agent("mara"), force: false };
        let command = CallbackCommand { token: Token(9), who: mara(), if_match: None, action };
        bench.tell(CallbackMessage::Command(Box::new(command)));
        bench.tell(CallbackMessage::Claimed { token: Token(9), result: Ok(()) });
        bench.act(&who, Action::Requeue { queue: None, agent: None }).expect("sent back");
        assert_eq!(bench.state(), state);
        assert_eq!(bench.released(), [&agent("mara")]);
    }
}

fn act_on(bench: &mut Bench, who: Who, version: u64, action: Action) -> Result<(), Refusal> {
    let if_match = Some(version);
    let command = CallbackCommand { token: Token(9), who, if_match, action };
    bench.tell(CallbackMessage::Command(Box::new(command)));
    bench.answer().expect("a command is answered").map(|_| ())
}

#[test]
fn an_accept_repeated_with_the_version_of_before_is_as_once() {
    let mut bench = Bench::asap();
    let offer = bench.offer("mara");
    let read = bench.record().version;
    let accept = Action::Accept { offer, session: None };
    assert_eq!(act_on(&mut bench, mara(), read, accept.clone()), Ok(()));
    let taken = bench.record().version;
    assert_eq!(act_on(&mut bench, mara(), read, accept.clone()), Ok(()), "its answer was lost");
    assert_eq!(bench.record().version, taken);
    let stale = act_on(&mut bench, BOSS, read, Action::Requeue { queue: None, agent: None });
    assert_eq!(stale, Err(Refusal::VersionStale { version: taken }));
    let forbidden = act_on(&mut bench, noor(), read, Action::Call);
    assert!(matches!(forbidden, Err(Refusal::Forbidden(_))), "{forbidden:?}");
    assert_eq!((bench.state(), bench.record().version), (State::Accepted, taken));
}

#[test]
fn a_booking_that_was_to_be_called_at_once_goes_back_into_the_line() {
    let start = START + Span::minutes(180);
    let mut bench = Bench::new(queue(|_| ()), Medium::Voice, Some(start));
    bench.act(&BOSS, Action::Requeue { queue: None, agent: None }).expect("call now");
    let offer = bench.offer("mara");
    bench.act(&mara(), Action::Accept { offer, session: None }).expect("accepted");
    bench.pass(Span::seconds(300));
    assert_eq!(bench.record().state(), State::Queued);
}
