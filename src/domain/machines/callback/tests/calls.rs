//! From the assignment to the end of wrap-up: calls, outcomes, attempts, and agents who vanish.

use super::{BOSS, Bench, START, agent, mara, queue};
use crate::domain::agent::UnassignReason;
use crate::domain::callback::{ClosedReason, FinalState, Outcome, Phase, State};
use crate::domain::message::{Action, AgentMessage, CallbackMessage, Who};
use crate::domain::policy::Medium;
use crate::domain::refusal::Refusal;
use crate::domain::time::Span;

#[test]
fn an_uncalled_assignment_goes_back_after_the_preview_with_a_warning_before() {
    let mut bench = Bench::accepted();
    bench.pass(Span::seconds(269));
    assert!(!bench.told_agent(|_| true));
    bench.pass(Span::seconds(1));
    assert!(bench.told_agent(|message| matches!(message, AgentMessage::Updated { .. })));
    assert_eq!(bench.state(), State::Accepted);
    bench.pass(Span::seconds(30));
    assert_eq!(bench.state(), State::Queued);
    assert!(bench.told_agent(|message| {
        matches!(message, AgentMessage::Unassigned { reason: UnassignReason::NoCall, .. })
    }));
}

#[test]
fn a_call_must_have_an_outcome_before_it_can_end() {
    let mut bench = Bench::accepted();
    let early = bench.act(&mara(), Action::EndCall { notes: None });
    let state = State::Accepted;
    assert_eq!(early, Err(Refusal::IllegalTransition { state, action: "end_call" }));
    bench.act(&mara(), Action::Call).expect("called");
    let silent = bench.act(&mara(), Action::EndCall { notes: None });
    assert_eq!(silent, Err(Refusal::OutcomeMissing));
    let closed =
        bench.act(&BOSS, Action::Close { disposition: None, notes: None, resolved: Some(true) });
    assert!(matches!(closed, Err(Refusal::IllegalTransition { .. })), "not while calling");
}

#[test]
fn each_outcome_has_its_delay_and_only_the_customers_side_counts() {
    let table = [
        (Outcome::NoAnswer, 1, 15),
        (Outcome::Busy, 1, 5),
        (Outcome::Voicemail, 1, 60),
        (Outcome::Refused, 1, 60),
        (Outcome::Failed, 1, 5),
        (Outcome::Unknown, 0, 15),
    ];
    for (outcome, attempts, minutes) in table {
        let mut bench = Bench::ended_call(outcome);
        assert_eq!((bench.state(), bench.record().attempts), (State::WrapUp, attempts));
        bench.pass(Span::seconds(60));
        let due = bench.at + Span::minutes(minutes);
        assert_eq!(bench.record().next_attempt_at(), Some(due), "{outcome:?}");
        assert_eq!(bench.record().queued_since, Some(due), "a retry takes its due time");
        bench.at = due;
        bench.tell(CallbackMessage::Wake);
        assert_eq!((bench.state(), bench.record().interactions), (State::Queued, 2));
    }
    let mut wrong = Bench::ended_call(Outcome::WrongNumber);
    wrong.pass(Span::seconds(60));
    let abandoned = FinalState::ClosedAbandoned;
    assert_eq!(wrong.closed(), Some((abandoned, ClosedReason::WrongNumber)));
}

#[test]
fn attempts_run_out() {
    let mut bench = Bench::ended_call(Outcome::Busy);
    for attempt in 2..=5 {
        bench.act(&mara(), Action::Call).expect("redialled");
        let busy = Action::Outcome { outcome: Outcome::Busy, notes: None };
        bench.act(&mara(), busy).expect("told");
        assert_eq!(bench.record().attempts, attempt);
    }
    let used_up = Err(Refusal::AttemptsUsedUp { max_attempts: 5 });
    assert_eq!(bench.act(&mara(), Action::Call), used_up);
    let retry = Action::Retry { at: None, mine: false, customer_agreed: false };
    assert_eq!(bench.act(&mara(), retry), used_up);
    bench.pass(Span::seconds(60));
    let abandoned = FinalState::ClosedAbandoned;
    assert_eq!(bench.closed(), Some((abandoned, ClosedReason::AttemptsUsedUp)));
}

#[test]
fn an_outcome_may_be_corrected_in_wrap_up() {
    let mut bench = Bench::ended_call(Outcome::Busy);
    let answered = Action::Outcome { outcome: Outcome::Answered, notes: None };
    bench.act(&mara(), answered).expect("corrected");
    assert_eq!((bench.state(), bench.record().attempts), (State::WrapUp, 1));
    let unknown = Action::Outcome { outcome: Outcome::Unknown, notes: None };
    bench.act(&mara(), unknown).expect("corrected");
    assert_eq!(bench.record().attempts, 0);
}

#[test]
fn the_last_action_repeated_is_answered_again_until_something_else_happens() {
    let mut bench = Bench::accepted();
    bench.act(&mara(), Action::Call).expect("called");
    let version = bench.record().version;
    bench.act(&mara(), Action::Call).expect("the same answer");
    assert_eq!(bench.record().version, version);
    let busy = Action::Outcome { outcome: Outcome::Busy, notes: None };
    bench.act(&mara(), busy).expect("told");
    bench.act(&mara(), Action::Call).expect("redialled: another attempt");
    assert_eq!(bench.record().interactions, 2);
}

#[test]
fn wrap_up_can_be_extended_to_its_bound_and_closing_adds_words_for_half_an_hour() {
    let mut bench = Bench::ended_call(Outcome::Answered);
    bench.act(&mara(), Action::ExtendWrapUp { seconds: 10_000 }).expect("extended");
    let Phase::WrapUp { ends_at, .. } = bench.record().phase else { panic!("in wrap-up") };
    assert_eq!(ends_at, bench.at + Span::seconds(1_800));
    bench.pass(Span::seconds(1_800));
    assert_eq!(bench.state(), State::ClosedComplete);
    let word = |notes: &str| Action::Close {
        disposition: None,
        notes: Some(notes.to_owned()),
        resolved: None,
    };
    bench.at = bench.at + Span::minutes(30);
    bench.act(&mara(), word("late")).expect("within 30 minutes");
    assert_eq!(bench.record().notes.as_deref(), Some("late"));
    bench.at = bench.at + Span::millis(1);
    assert!(bench.act(&mara(), word("too late")).is_err());
    let other = Who::Agent(agent("noor"));
    assert!(bench.act(&other, word("another's")).is_err());
}

#[test]
fn a_lost_agents_call_ends_unknown_and_comes_back_to_them() {
    let mut bench = Bench::accepted();
    bench.act(&mara(), Action::Call).expect("called");
    bench.tell(CallbackMessage::GraceOver { agent: agent("mara") });
    assert_eq!(bench.state(), State::Calling, "a call is kept longer");
    bench.tell(CallbackMessage::CallGraceOver { agent: agent("mara") });
    assert_eq!((bench.state(), bench.record().attempts), (State::Open, 0));
    let preferred = bench.record().preferred.as_ref().map(|preferred| &preferred.agent);
    assert_eq!(preferred, Some(&agent("mara")));
}

#[test]
fn a_lost_agents_answered_call_counts_as_ended() {
    let mut bench = Bench::accepted();
    bench.act(&mara(), Action::Call).expect("called");
    let answered = Action::Outcome { outcome: Outcome::Answered, notes: None };
    bench.act(&mara(), answered).expect("told");
    bench.tell(CallbackMessage::CallGraceOver { agent: agent("mara") });
    assert_eq!(bench.state(), State::WrapUp);
    bench.pass(Span::seconds(60));
    assert_eq!(bench.state(), State::ClosedComplete);
}

#[test]
fn video_customers_who_do_not_come_have_not_answered_and_are_not_tried_again() {
    let start = START + Span::minutes(5);
    let mut bench = Bench::new(queue(|_| ()), Medium::Video, Some(start));
    bench.pass(Span::minutes(4));
    let offer = bench.offer("mara");
    bench.act(&mara(), Action::Accept { offer }).expect("accepted");
    bench.act(&mara(), Action::Call).expect("called");
    bench.pass(Span::minutes(10));
    assert_eq!((bench.state(), bench.record().attempts), (State::WrapUp, 1));
    bench.pass(Span::seconds(60));
    let abandoned = FinalState::ClosedAbandoned;
    assert_eq!(bench.closed(), Some((abandoned, ClosedReason::Unreached)));
}
