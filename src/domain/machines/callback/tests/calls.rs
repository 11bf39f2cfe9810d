//! From the assignment to the end of wrap-up: calls, outcomes, attempts, and agents who vanish.

use super::{BOSS, Bench, START, agent, mara, queue};
use crate::domain::agent::UnassignReason;
use crate::domain::callback::{
    ClosedReason, Fallback, FinalState, InteractionState, Outcome, Phase, PreferMode, Preferred,
    State,
};
use crate::domain::message::{Action, AgentMessage, CallbackMessage, Patch, Who};
use crate::domain::policy::{Medium, WrapUpMode};
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
    assert_eq!(bench.events(), ["callback.updated"]);
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
    assert_eq!(bench.record().remarks.notes(), Some("late"));
    bench.at = bench.at + Span::millis(1);
    assert!(bench.act(&mara(), word("too late")).is_err());
    let other = Who::Agent(agent("noor"));
    assert!(bench.act(&other, word("another's")).is_err());
}

/// The agent's last session goes at this moment.
fn lose(bench: &mut Bench) {
    let since = bench.at;
    bench.tell(CallbackMessage::AgentLost { agent: agent("mara"), since });
}

#[test]
fn a_lost_agents_call_ends_unknown_and_comes_back_to_them() {
    let own = queue(|one| one.call_grace_seconds = 100);
    let mut bench = Bench::new(own, Medium::Voice, None);
    bench.take_and_call();
    lose(&mut bench);
    bench.tell(CallbackMessage::GraceOver { agent: agent("mara") });
    bench.pass(Span::seconds(100) - Span::millis(1));
    assert_eq!(bench.state(), State::Calling, "a call is kept longer");
    bench.pass(Span::millis(1));
    assert_eq!((bench.state(), bench.record().attempts), (State::Open, 0));
    assert_eq!(bench.ended(), [(1, InteractionState::ClosedAbandoned, Some(Outcome::Unknown))]);
    let preferred = bench.record().preferred.as_ref().map(|preferred| &preferred.agent);
    assert_eq!(preferred, Some(&agent("mara")));
    assert!(bench.told_agent(|message| matches!(
        message,
        AgentMessage::Unassigned { reason: UnassignReason::ConnectionLost, .. }
    )));
}

#[test]
fn an_agent_who_is_back_in_time_finds_all_as_it_was() {
    let mut bench = Bench::accepted();
    bench.act(&mara(), Action::Call).expect("called");
    lose(&mut bench);
    bench.at = bench.at + Span::seconds(899);
    bench.tell(CallbackMessage::AgentBack { agent: agent("mara") });
    bench.pass(Span::seconds(2));
    assert_eq!(bench.state(), State::Calling);
    lose(&mut bench);
    bench.pass(Span::seconds(899));
    assert_eq!(bench.state(), State::Calling, "the grace starts again");
    bench.tell(CallbackMessage::AgentLost { agent: agent("noor"), since: START });
    bench.tell(CallbackMessage::Wake);
    assert_eq!(bench.state(), State::Calling, "another's sessions don't matter");
}

#[test]
fn a_lost_agents_answered_call_counts_as_ended() {
    let mut bench = Bench::accepted();
    bench.act(&mara(), Action::Call).expect("called");
    bench.outcome(Outcome::Answered);
    lose(&mut bench);
    bench.pass(Span::seconds(900));
    assert_eq!(bench.state(), State::WrapUp);
    assert_eq!(bench.events(), ["callback.call_ended"]);
    bench.pass(Span::seconds(60));
    assert_eq!(bench.state(), State::ClosedComplete);
}

#[test]
fn a_lost_agents_wrap_up_runs_out_and_what_was_not_called_goes_back_at_once() {
    let mut wrapping = Bench::ended_call(Outcome::Answered);
    lose(&mut wrapping);
    wrapping.tell(CallbackMessage::GraceOver { agent: agent("mara") });
    assert_eq!(wrapping.state(), State::WrapUp);
    wrapping.pass(Span::seconds(60));
    assert_eq!(wrapping.state(), State::ClosedComplete);
    let mut accepted = Bench::accepted();
    let (since, id) =
        (accepted.record().queued_since, accepted.record().interaction().map(|one| one.id));
    lose(&mut accepted);
    assert_eq!(accepted.state(), State::Accepted);
    accepted.tell(CallbackMessage::GraceOver { agent: agent("mara") });
    assert_eq!((accepted.state(), accepted.record().queued_since), (State::Queued, since));
    assert_eq!(accepted.record().interaction().map(|one| one.id), id);
    assert_eq!(accepted.events(), ["callback.unassigned", "callback.queued"]);
}

#[test]
fn a_call_without_an_end_is_given_up_with_a_warning_before() {
    for (answered, state) in [(false, State::Open), (true, State::WrapUp)] {
        let mut bench = Bench::accepted();
        bench.act(&mara(), Action::Call).expect("called");
        if answered {
            bench.outcome(Outcome::Answered);
        }
        bench.pass(Span::seconds(14_369));
        assert!(!bench.told_agent(|_| true));
        bench.pass(Span::seconds(1));
        assert!(bench.told_agent(|message| matches!(message, AgentMessage::Updated { .. })));
        bench.pass(Span::seconds(29));
        assert_eq!(bench.state(), State::Calling);
        bench.pass(Span::seconds(1));
        assert_eq!(bench.state(), state);
    }
}

#[test]
fn an_answered_call_may_still_end_otherwise_and_counts_once() {
    let mut bench = Bench::accepted();
    bench.act(&mara(), Action::Call).expect("called");
    bench.outcome(Outcome::Answered);
    assert_eq!(bench.events(), ["callback.answered"]);
    bench.outcome(Outcome::Refused);
    assert_eq!((bench.state(), bench.record().attempts), (State::WrapUp, 1));
    assert_eq!(bench.events(), ["callback.call_ended"]);
    bench.pass(Span::seconds(60));
    assert_eq!(bench.state(), State::Open, "not reached after all");
}

#[test]
fn a_redial_is_a_new_interaction_and_the_old_one_ends() {
    let mut bench = Bench::ended_call(Outcome::NoAnswer);
    bench.act(&mara(), Action::Call).expect("redialled");
    assert_eq!(bench.ended(), [(1, InteractionState::ClosedAbandoned, Some(Outcome::NoAnswer))]);
    assert_eq!(bench.record().interaction().map(|one| one.attempt), Some(2));
    bench.outcome(Outcome::Answered);
    bench.act(&mara(), Action::EndCall { notes: None }).expect("ended");
    let again = bench.act(&mara(), Action::Call);
    let state = State::WrapUp;
    assert_eq!(again, Err(Refusal::IllegalTransition { state, action: "call" }), "it was reached");
}

#[test]
fn each_mode_of_wrap_up_has_its_length_and_its_bound() {
    let modes = [(WrapUpMode::Timed, 60), (WrapUpMode::Required, 1_800)];
    for (mode, seconds) in modes {
        let mut bench = Bench::new(queue(|one| one.wrap_up_mode = mode), Medium::Voice, None);
        bench.take_and_call();
        bench.outcome(Outcome::WrongNumber);
        bench.pass(Span::seconds(seconds) - Span::millis(1));
        assert_eq!(bench.state(), State::WrapUp, "{mode:?}");
        bench.pass(Span::millis(1));
        assert_eq!(bench.state(), State::ClosedAbandoned, "{mode:?}");
    }
    let none = queue(|one| one.wrap_up_mode = WrapUpMode::None);
    let mut bench = Bench::new(none, Medium::Voice, None);
    bench.take_and_call();
    bench.outcome(Outcome::WrongNumber);
    assert_eq!(bench.state(), State::ClosedAbandoned);
}

#[test]
fn the_policys_retry_is_moved_into_the_hours_and_an_agents_must_lie_in_them() {
    let mut bench = Bench::new(Bench::office(|_| ()), Medium::Voice, None);
    bench.at = START + Span::minutes(9 * 60 + 50);
    bench.tell(CallbackMessage::QueueChanged(Bench::office(|one| one.expire_after_minutes = 900)));
    bench.act(&BOSS, Action::Reschedule { booking: None }).expect("asked again");
    bench.take_and_call();
    bench.outcome(Outcome::NoAnswer);
    let retry = |at| Action::Retry { at, mine: false, customer_agreed: false };
    let closed = START + Span::minutes(10 * 60);
    let opening = START + Span::days(1);
    let next_allowed_at = Some(opening);
    assert_eq!(
        bench.act(&mara(), retry(Some(closed))),
        Err(Refusal::OutsideHours { next_allowed_at })
    );
    assert_eq!(bench.act(&mara(), retry(Some(bench.at))), Err(Refusal::StartPast));
    bench.act(&mara(), retry(None)).expect("by policy");
    assert_eq!(bench.record().next_attempt_at(), Some(opening));
    assert_eq!(bench.events(), ["callback.unassigned", "callback.retry_scheduled"]);
}

#[test]
fn a_retry_that_the_policy_has_no_time_for_is_refused_and_closes_nothing() {
    let office = Bench::office(|one| one.retry_days = 0);
    let mut bench = Bench::new(office, Medium::Voice, None);
    let offer = bench.offer("mara");
    bench.act(&mara(), Action::Accept { offer, session: None }).expect("accepted");
    let retry = Action::Retry { at: None, mine: false, customer_agreed: false };
    let refused = bench.act(&mara(), retry);
    assert!(matches!(&refused, Err(Refusal::Invalid(faults)) if faults[0].pointer == "/at"));
    assert_eq!(bench.state(), State::Accepted);
}

#[test]
fn a_retry_of_mine_prefers_the_agent_from_its_due_time_on() {
    let mut bench = Bench::ended_call(Outcome::Busy);
    let due = bench.at + Span::minutes(40);
    let mine = Action::Retry { at: Some(due), mine: true, customer_agreed: false };
    bench.act(&mara(), mine).expect("put off");
    bench.at = due;
    bench.tell(CallbackMessage::Wake);
    let (preferred, until) = *bench.work().expect("it waits").preferred.clone().expect("mara");
    assert_eq!((&preferred.agent, preferred.mode), (&agent("mara"), PreferMode::Prefer));
    assert_eq!(until, due + Span::seconds(60));
}

#[test]
fn a_reached_customer_may_be_called_again_and_stays_reached() {
    let mut bench = Bench::ended_call(Outcome::Answered);
    let again = Action::Retry { at: None, mine: false, customer_agreed: false };
    bench.act(&mara(), again).expect("whatever the outcome");
    let due = bench.record().next_attempt_at().expect("it is tried again");
    bench.at = due;
    bench.tell(CallbackMessage::Wake);
    bench.take_and_call();
    bench.outcome(Outcome::NoAnswer);
    bench.pass(Span::seconds(60));
    assert_eq!(bench.closed(), Some((FinalState::ClosedComplete, ClosedReason::Reached)));
}

#[test]
fn video_customers_who_do_not_come_have_not_answered_and_are_not_tried_again() {
    let start = START + Span::minutes(5);
    let mut bench = Bench::new(queue(|_| ()), Medium::Video, Some(start));
    bench.pass(Span::minutes(4));
    let offer = bench.offer("mara");
    bench.act(&mara(), Action::Accept { offer, session: None }).expect("accepted");
    bench.act(&mara(), Action::Call).expect("called");
    bench.pass(Span::minutes(10));
    assert_eq!((bench.state(), bench.record().attempts), (State::WrapUp, 1));
    let no_answer = Some(Outcome::NoAnswer);
    assert_eq!(bench.record().interaction().and_then(|one| one.outcome), no_answer);
    let policy = Action::Retry { at: None, mine: false, customer_agreed: false };
    assert!(matches!(bench.act(&mara(), policy), Err(Refusal::Invalid(_))), "say when");
    bench.pass(Span::seconds(60));
    let abandoned = FinalState::ClosedAbandoned;
    assert_eq!(bench.closed(), Some((abandoned, ClosedReason::Unreached)));
}

#[test]
fn who_is_required_stays_so_when_their_call_is_lost_or_put_off() {
    let wished = |name: &str| Preferred {
        agent: agent(name),
        mode: PreferMode::Require,
        wait_seconds: 1_800,
        fallback: Fallback::None,
    };
    let called = |name: &str| {
        let mut bench = Bench::asked(queue(|_| ()), Medium::Voice, None, |wish| {
            wish.preferred = Some(Box::new(wished(name)));
        });
        bench.take_and_call();
        bench
    };
    let mut lost = called("mara");
    lose(&mut lost);
    lost.pass(Span::seconds(900));
    assert_eq!(
        (lost.state(), lost.record().preferred.as_deref()),
        (State::Open, Some(&wished("mara")))
    );
    let mut put_off = called("mara");
    put_off.outcome(Outcome::Busy);
    let mine = Action::Retry { at: None, mine: true, customer_agreed: false };
    put_off.act(&mara(), mine).expect("put off");
    assert_eq!(put_off.record().preferred.as_deref(), Some(&wished("mara")));
    let mut of_another = called("noor");
    lose(&mut of_another);
    of_another.pass(Span::seconds(900));
    let preferred = of_another.record().preferred.clone().expect("mara is");
    assert_eq!((preferred.agent, preferred.mode), (agent("mara"), PreferMode::Prefer));
}

#[test]
fn more_time_for_wrap_up_is_told_also_where_there_is_none_left() {
    let mut bench = Bench::ended_call(Outcome::Answered);
    for time in [1, 2] {
        let before = bench.record().version;
        bench.act(&mara(), Action::ExtendWrapUp { seconds: 10_000 }).expect("extended");
        assert_eq!(bench.events(), ["callback.updated"], "time {time}");
        assert_eq!(bench.record().version, before + 1);
    }
}

#[test]
fn an_answer_that_is_told_late_was_while_the_call_lasted() {
    let mut bench = Bench::ended_call(Outcome::NoAnswer);
    let ended_at = bench.record().interaction().expect("it is wrapped up").ended_at;
    bench.at = bench.at + Span::seconds(20);
    let outcome = Action::Outcome { outcome: Outcome::Answered, notes: None };
    bench.act(&mara(), outcome).expect("corrected");
    let interaction = bench.record().interaction().expect("it is wrapped up");
    assert_eq!((interaction.answered_at, interaction.ended_at), (ended_at, ended_at));
}

#[test]
fn fewer_attempts_than_were_made_are_no_further_one() {
    let mut bench = Bench::ended_call(Outcome::Busy);
    bench.pass(Span::seconds(60));
    assert_eq!(bench.state(), State::Open);
    let patch = Patch { max_attempts: Some(1), ..Patch::default() };
    bench.act(&BOSS, Action::Patch(Box::new(patch))).expect("patched");
    bench.pass(Span::minutes(5));
    let Phase::Ended { reason, .. } = bench.record().phase else { panic!("it has ended") };
    assert_eq!(reason, ClosedReason::AttemptsUsedUp);
}
