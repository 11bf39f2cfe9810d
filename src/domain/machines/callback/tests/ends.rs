//! How a callback ends: reached, closed, expired or canceled, and what is refused on the way.

use std::collections::BTreeMap;

use super::{BOSS, Bench, agent, mara, queue};
use crate::domain::agent::UnassignReason;
use crate::domain::callback::{ClosedReason, FinalState, Outcome, State};
use crate::domain::message::{Action, AgentMessage, CallbackCommand, CallbackMessage, Token, Who};
use crate::domain::policy::{Choice, Disposition, Medium, WrapUpMode};
use crate::domain::refusal::Refusal;
use crate::domain::time::Span;

#[test]
fn an_asap_request_is_queued_at_once_and_reached_in_the_end() {
    let mut bench = Bench::asap();
    assert_eq!(bench.state(), State::Queued);
    assert_eq!(bench.events(), ["callback.created", "callback.queued"]);
    assert!(bench.enqueued());
    assert_eq!(bench.record().version, 1);
    let offer = bench.offer("mara");
    assert_eq!(bench.state(), State::Offered);
    bench.act(&mara(), Action::Accept { offer, session: None }).expect("accepted");
    assert_eq!(bench.events(), ["callback.accepted", "callback.assigned"]);
    bench.act(&mara(), Action::Call).expect("called");
    let answered = Action::Outcome { outcome: Outcome::Answered, notes: None };
    bench.act(&mara(), answered).expect("told");
    assert_eq!(bench.state(), State::Calling, "the call goes on");
    assert_eq!(bench.record().attempts, 1);
    bench.act(&mara(), Action::EndCall { notes: None }).expect("ended");
    assert_eq!(bench.state(), State::WrapUp);
    assert!(bench.released().is_empty(), "wrap-up holds capacity");
    bench.pass(Span::seconds(60));
    assert_eq!(bench.closed(), Some((FinalState::ClosedComplete, ClosedReason::Reached)));
    assert_eq!(bench.released(), [&agent("mara")]);
}

#[test]
fn closing_says_complete_only_if_reached_or_resolved() {
    let close = |resolved| Action::Close { disposition: None, notes: None, resolved };
    let complete = FinalState::ClosedComplete;
    let abandoned = FinalState::ClosedAbandoned;
    let mut bench = Bench::accepted();
    bench.act(&mara(), close(None)).expect("closed");
    assert_eq!(bench.closed(), Some((abandoned, ClosedReason::Unreached)));
    let mut bench = Bench::accepted();
    bench.act(&mara(), close(Some(true))).expect("closed");
    assert_eq!(bench.closed(), Some((complete, ClosedReason::Resolved)));
    let mut bench = Bench::asap();
    bench.act(&BOSS, close(None)).expect("closed");
    assert_eq!(bench.closed(), Some((abandoned, ClosedReason::ClosedBySupervisor)));
    let mut bench = Bench::asap();
    assert!(bench.act(&mara(), close(None)).is_err(), "it isn't assigned to her");
}

#[test]
fn only_listed_dispositions_are_taken_and_they_may_mean_resolved() {
    let listed = queue(|one| {
        let choice = Choice { id: "settled".to_owned(), labels: BTreeMap::default() };
        one.dispositions = vec![Disposition { choice, resolved: true }];
    });
    let mut bench = Bench::new(listed, Medium::Voice, None);
    let close =
        |id: &str| Action::Close { disposition: Some(id.to_owned()), notes: None, resolved: None };
    assert!(matches!(bench.act(&BOSS, close("other")), Err(Refusal::Invalid(_))));
    bench.act(&BOSS, close("settled")).expect("closed");
    assert_eq!(bench.closed(), Some((FinalState::ClosedComplete, ClosedReason::Resolved)));
}

#[test]
fn what_waits_too_long_expires_and_an_offer_goes_with_it() {
    let mut bench = Bench::asap();
    bench.pass(Span::minutes(60) - Span::millis(1));
    assert_eq!(bench.state(), State::Queued);
    bench.offer("mara");
    bench.pass(Span::millis(1));
    let abandoned = FinalState::ClosedAbandoned;
    assert_eq!(bench.closed(), Some((abandoned, ClosedReason::Expired)));
    assert_eq!(bench.events(), ["callback.offer_revoked", "callback.closed"]);
    assert_eq!(bench.released(), [&agent("mara")]);
}

#[test]
fn expiry_never_ends_work_but_is_looked_at_when_it_comes_back() {
    let mut bench = Bench::accepted();
    bench.act(&mara(), Action::Call).expect("called");
    bench.pass(Span::minutes(61));
    assert_eq!(bench.state(), State::Calling);
    let mut bench = Bench::asap();
    bench.at = bench.at + Span::minutes(59);
    let offer = bench.offer("mara");
    bench.act(&mara(), Action::Accept { offer, session: None }).expect("accepted");
    bench.at = bench.at + Span::minutes(2);
    bench.tell(CallbackMessage::GraceOver { agent: agent("mara") });
    assert_eq!(bench.closed().map(|(_, why)| why), Some(ClosedReason::Expired));
}

#[test]
fn cancel_is_possible_until_the_call() {
    let cancel = || Action::Cancel { reason: Some("no need".to_owned()) };
    let mut bench = Bench::asap();
    bench.offer("mara");
    bench.act(&Who::Customer, cancel()).expect("canceled");
    assert_eq!(bench.events(), ["callback.offer_revoked", "callback.canceled"]);
    assert_eq!(bench.closed(), Some((FinalState::Canceled, ClosedReason::ByCustomer)));
    let mut bench = Bench::accepted();
    bench.act(&mara(), cancel()).expect("canceled");
    assert_eq!(bench.closed(), Some((FinalState::Canceled, ClosedReason::ByAgent)));
    let mut bench = Bench::accepted();
    bench.act(&mara(), Action::Call).expect("called");
    let state = State::Calling;
    let refused = bench.act(&BOSS, cancel());
    assert_eq!(refused, Err(Refusal::IllegalTransition { state, action: "cancel" }));
}

#[test]
fn a_stale_version_is_refused_and_wrap_up_may_be_switched_off() {
    let mut bench =
        Bench::new(queue(|one| one.wrap_up_mode = WrapUpMode::None), Medium::Voice, None);
    let cancel = Action::Cancel { reason: None };
    let command = CallbackCommand { token: Token(3), who: BOSS, if_match: Some(9), action: cancel };
    bench.tell(CallbackMessage::Command(Box::new(command)));
    assert!(matches!(bench.answer(), Some(Err(Refusal::VersionStale { version: 1 }))));
    let offer = bench.offer("mara");
    bench.act(&mara(), Action::Accept { offer, session: None }).expect("accepted");
    bench.act(&mara(), Action::Call).expect("called");
    let answered = Action::Outcome { outcome: Outcome::Answered, notes: None };
    bench.act(&mara(), answered).expect("told");
    bench.act(&mara(), Action::EndCall { notes: None }).expect("ended");
    assert_eq!(bench.state(), State::ClosedComplete);
}

#[test]
fn words_may_follow_a_wrap_up_that_ran_out_into_a_retry() {
    let mut bench = Bench::ended_call(Outcome::Busy);
    bench.pass(Span::seconds(60));
    assert_eq!(bench.state(), State::Open);
    let word = |notes: &str| Action::Close {
        disposition: None,
        notes: Some(notes.to_owned()),
        resolved: Some(true),
    };
    bench.act(&mara(), word("was busy")).expect("within 30 minutes");
    assert_eq!((bench.state(), bench.record().remarks.notes()), (State::Open, Some("was busy")));
    assert_eq!(bench.events(), ["callback.updated"]);
    let other = bench.act(&Who::Agent(agent("noor")), word("another's"));
    let state = State::Open;
    assert_eq!(other, Err(Refusal::IllegalTransition { state, action: "close" }));
    bench.pass(Span::minutes(5));
    bench.take_and_call();
    bench.outcome(Outcome::WrongNumber);
    bench.act(&mara(), word("somebody else's")).expect("closed");
    assert_eq!(bench.closed(), Some((FinalState::ClosedComplete, ClosedReason::Resolved)));
    assert!(bench.act(&mara(), word("more")).is_err(), "that wrap-up was closed, not run out");
}

#[test]
fn who_closes_says_why_nobody_was_reached() {
    let close = Action::Close { disposition: None, notes: None, resolved: None };
    let abandoned = FinalState::ClosedAbandoned;
    let mut wrong = Bench::ended_call(Outcome::WrongNumber);
    wrong.act(&mara(), close.clone()).expect("closed");
    assert_eq!(wrong.closed(), Some((abandoned, ClosedReason::WrongNumber)));
    let mut boss = Bench::ended_call(Outcome::NoAnswer);
    boss.act(&BOSS, close.clone()).expect("closed");
    assert_eq!(boss.closed(), Some((abandoned, ClosedReason::ClosedBySupervisor)));
    assert_eq!(boss.events(), ["callback.unassigned", "callback.closed"]);
    let mut reached = Bench::ended_call(Outcome::Answered);
    reached.act(&mara(), close.clone()).expect("closed");
    assert_eq!(reached.closed(), Some((FinalState::ClosedComplete, ClosedReason::Reached)));
    reached.act(&mara(), close).expect("repeated, the same answer");
}

#[test]
fn a_cancel_tells_the_assigned_agent_and_keeps_the_words() {
    let mut bench = Bench::accepted();
    let cancel = Action::Cancel { reason: Some("no need".to_owned()) };
    bench.act(&Who::Channel, cancel).expect("canceled");
    assert_eq!(bench.events(), ["callback.unassigned", "callback.canceled"]);
    let told = |message: &AgentMessage| {
        matches!(message, AgentMessage::Unassigned { reason: UnassignReason::Canceled, .. })
    };
    assert!(bench.told_agent(told) && bench.released() == [&agent("mara")]);
    assert_eq!(bench.closed(), Some((FinalState::Canceled, ClosedReason::ByCustomer)));
    assert_eq!(bench.record().remarks.cancel_reason(), Some("no need"));
}
