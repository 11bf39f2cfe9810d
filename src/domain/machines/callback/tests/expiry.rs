//! How long a callback may wait, what doesn't count, and where trying ends.

use std::sync::Arc;

use super::{BOSS, Bench, START, agent, booking, mara, queue};
use crate::domain::callback::{ClosedReason, FinalState, InteractionState, Outcome, State};
use crate::domain::effect::Effect;
use crate::domain::machines::callback::deadlines::{
    NextAction, next_deadline, promised_by, runs_out,
};
use crate::domain::message::{Action, CallbackMessage, Letter, QueueMessage, Who};
use crate::domain::policy::Medium;
use crate::domain::queue::{Pause, Paused, Queue};
use crate::domain::refusal::Refusal;
use crate::domain::time::{Span, Timestamp};

fn expires_at(bench: &Bench) -> Timestamp {
    runs_out(bench.record(), bench.machine.queue(), bench.at)
}

fn retry_at(at: Timestamp) -> Action {
    Action::Retry { at: Some(at), mine: false, customer_agreed: false }
}

const EXPIRED: Option<(FinalState, ClosedReason)> =
    Some((FinalState::ClosedAbandoned, ClosedReason::Expired));

#[test]
fn each_kind_of_waiting_has_its_own_hour() {
    let asap = Bench::asap();
    assert_eq!(expires_at(&asap), START + Span::minutes(60), "after the request");
    let start = START + Span::minutes(120);
    let booked = Bench::new(queue(|_| ()), Medium::Voice, Some(start));
    let slot_end = booked.record().booking.as_ref().expect("it is booked").end;
    assert_eq!(expires_at(&booked), slot_end + Span::minutes(60), "after the slot's end");
    let mut retried = Bench::ended_call(Outcome::Voicemail);
    retried.pass(Span::seconds(60));
    let due = retried.record().next_attempt_at().expect("it is tried again");
    assert_eq!(expires_at(&retried), due + Span::minutes(60), "after the due time");
    let own = Bench::asked(queue(|_| ()), Medium::Voice, None, |wish| {
        wish.expire_after_minutes = Some(7);
    });
    assert_eq!(expires_at(&own), START + Span::minutes(7), "its own comes before the queue's");
}

#[test]
fn what_may_not_wait_at_all_is_answered_as_waiting_and_leaves_the_line() {
    let mut bench = Bench::asked(queue(|_| ()), Medium::Voice, None, |wish| {
        wish.expire_after_minutes = Some(0);
    });
    assert_eq!(bench.state(), State::Queued);
    bench.tell(CallbackMessage::Wake);
    assert_eq!(bench.closed(), EXPIRED);
    let leaves = |effect: &Effect| {
        matches!(effect, Effect::Send(Letter::Queue(_, QueueMessage::Leave { .. })))
    };
    assert!(bench.out.effects.iter().any(leaves));
}

#[test]
fn where_retries_do_not_extend_it_the_first_hour_bounds_all() {
    let fixed = queue(|one| one.retry_extends_expiry = false);
    let mut bench = Bench::new(fixed, Medium::Voice, None);
    bench.take_and_call();
    bench.outcome(Outcome::Voicemail);
    bench.pass(Span::seconds(60));
    assert_eq!(bench.state(), State::Open);
    assert_eq!(expires_at(&bench), START + Span::minutes(60), "before it is due at 61");
    bench.at = START + Span::minutes(60);
    bench.tell(CallbackMessage::Wake);
    assert_eq!(bench.closed(), EXPIRED, "while it was open");
}

#[test]
fn time_when_the_queue_is_closed_or_paused_does_not_count() {
    let mut bench = Bench::new(Bench::open_until("08:20", |_| ()), Medium::Voice, None);
    let (days, left) = (Span::days(2), Span::minutes(20));
    assert_eq!(expires_at(&bench), START + days + left, "20 minutes a day");
    let mut queue = Queue::clone(bench.machine.queue());
    let from = START + Span::minutes(5);
    queue.pauses = vec![Pause { from, to: from + Span::minutes(10) }];
    bench.at = START + Span::minutes(16);
    bench.tell(CallbackMessage::QueueChanged(Arc::new(queue.clone())));
    assert_eq!(expires_at(&bench), START + Span::days(3) + Span::minutes(10));
    queue.offers_paused = Some(Paused { since: bench.at, until: None, reason: None });
    bench.tell(CallbackMessage::QueueChanged(Arc::new(queue)));
    assert_eq!(expires_at(&bench), Timestamp::NEVER, "not while it is paused without end");
}

#[test]
fn what_has_run_out_keeps_its_instant() {
    let bench = Bench::new(Bench::open_until("08:20", |_| ()), Medium::Voice, None);
    let mut queue = Queue::clone(bench.machine.queue());
    let pause =
        |from, to| Pause { from: START + Span::minutes(from), to: START + Span::minutes(to) };
    let ends = START + Span::days(3) + Span::minutes(10);
    let before = START - Span::minutes(30);
    queue.pauses = vec![
        Pause { from: before, to: START },
        pause(5, 13),
        pause(18, 20),
        Pause { from: ends, to: ends + Span::minutes(7) },
    ];
    let seen_at = |at| runs_out(bench.record(), &queue, at);
    let mut at = START + Span::minutes(21);
    while at < ends + Span::days(2) {
        assert_eq!(seen_at(at), ends, "seen from {at:?}");
        at = at + Span::minutes(7);
    }

    let start = START + Span::minutes(5);
    let booked = Bench::new(self::queue(|_| ()), Medium::Voice, Some(start));
    let promised =
        |after| promised_by(booked.record(), booked.machine.queue(), START + Span::minutes(after));
    for after in [0, 6, 10, 11, 500] {
        assert_eq!(promised(after), Some(start + Span::minutes(5)), "{after} minutes on");
    }
}

#[test]
fn trying_ends_some_days_after_the_first_call_in_any_case() {
    let settings = |one: &mut crate::domain::policy::QueueSettings| {
        one.retry_days = 2;
        one.max_attempts = 100;
    };
    let mut bench = Bench::new(queue(settings), Medium::Voice, None);
    bench.take_and_call();
    bench.outcome(Outcome::Busy);
    let last = START + Span::days(2);
    let late = bench.act(&mara(), retry_at(last + Span::millis(1)));
    assert!(matches!(late, Err(Refusal::Invalid(faults)) if faults[0].pointer == "/at"));
    bench.act(&mara(), retry_at(last)).expect("on the last instant");
    assert_eq!(expires_at(&bench), last);
    bench.at = last - Span::minutes(1);
    bench.act(&BOSS, Action::Requeue { queue: None, agent: None }).expect("called now");
    bench.take_and_call();
    bench.outcome(Outcome::Busy);
    bench.pass(Span::seconds(60));
    assert_eq!(bench.closed(), EXPIRED, "the policy's next retry would be too late");
    assert_eq!(bench.events(), ["callback.unassigned", "callback.closed"]);
}

#[test]
fn a_customer_may_move_it_past_those_days_and_it_is_called_then() {
    let mut bench = Bench::new(queue(|one| one.retry_days = 2), Medium::Voice, None);
    bench.take_and_call();
    bench.outcome(Outcome::Busy);
    bench.pass(Span::seconds(60));
    let later = START + Span::days(9);
    let moved = Action::Reschedule { booking: Some(booking(later)) };
    bench.act(&Who::Customer, moved).expect("moved");
    assert_eq!(bench.record().next_attempt_at(), bench.record().wakes_at());
    bench.at = later;
    bench.tell(CallbackMessage::Wake);
    assert_eq!((bench.state(), bench.record().attempts), (State::Queued, 1));
}

#[test]
fn what_was_never_called_is_put_off_by_no_more_than_those_days() {
    let mut bench = Bench::accepted();
    bench.at = START + Span::minutes(1);
    let last = bench.at + Span::days(7);
    assert!(bench.act(&mara(), retry_at(last + Span::millis(1))).is_err());
    bench.act(&mara(), retry_at(last)).expect("put off");
    assert_eq!((bench.state(), bench.record().attempts), (State::Open, 0));
}

#[test]
fn lost_calls_do_not_count_as_attempts_but_are_bounded() {
    let mut bench = Bench::new(queue(|one| one.max_interactions = 3), Medium::Voice, None);
    for attempt in 1..=3 {
        bench.take_and_call();
        let since = bench.at;
        bench.tell(CallbackMessage::AgentLost { agent: agent("mara"), since });
        bench.pass(Span::seconds(900));
        assert_eq!((bench.record().attempts, bench.record().interactions), (0, attempt));
        if let Some(due) = bench.record().next_attempt_at() {
            bench.at = due;
            bench.tell(CallbackMessage::Wake);
        }
    }
    let used_up = (FinalState::ClosedAbandoned, ClosedReason::AttemptsUsedUp);
    assert_eq!(bench.closed(), Some(used_up));
}

#[test]
fn an_interaction_without_an_answer_ends_abandoned_however_it_ends() {
    let abandoned = |outcome| vec![(1, InteractionState::ClosedAbandoned, outcome)];
    let mut canceled = Bench::asap();
    canceled.act(&Who::Customer, Action::Cancel { reason: None }).expect("canceled");
    assert_eq!(canceled.ended(), abandoned(None));
    let mut expired = Bench::asap();
    expired.pass(Span::minutes(60));
    assert_eq!(expired.ended(), abandoned(None));
    let mut moved = Bench::asap();
    moved.act(&Who::Customer, Action::Reschedule { booking: None }).expect("moved");
    assert_eq!(moved.ended(), abandoned(None));
    let mut busy = Bench::ended_call(Outcome::Busy);
    busy.act(&mara(), retry_at(busy.at + Span::minutes(1))).expect("put off");
    assert_eq!(busy.ended(), abandoned(Some(Outcome::Busy)));
    let mut reached = Bench::ended_call(Outcome::Answered);
    reached.pass(Span::seconds(60));
    let complete = vec![(1, InteractionState::ClosedComplete, Some(Outcome::Answered))];
    assert_eq!(reached.ended(), complete);
}

#[test]
fn what_waits_shortly_before_the_closing_is_carried_over_next() {
    let next = |queue: Arc<Queue>, minutes: u32| {
        let mut bench = Bench::new(queue, Medium::Voice, None);
        bench.at = START + Span::minutes(minutes);
        next_deadline(bench.record(), bench.machine.queue(), None, bench.at)
    };
    let at = |minutes| START + Span::minutes(minutes);
    let carried = Some((at(35), NextAction::CarryOver));
    for minutes in [15, 25] {
        assert_eq!(next(Bench::open_until("08:20", |_| ()), minutes), carried);
    }
    let expires = Some((at(60), NextAction::Expire));
    assert_eq!(next(Bench::open_until("18:00", |_| ()), 15), expires);
    assert_eq!(next(queue(|_| ()), 15), expires);
}

#[test]
fn every_state_before_the_end_has_an_end() {
    let next = |bench: &Bench| {
        next_deadline(bench.record(), bench.machine.queue(), None, bench.at)
            .map(|(_, action)| action)
    };
    let start = START + Span::minutes(120);
    let booked = Bench::new(queue(|_| ()), Medium::Voice, Some(start));
    assert_eq!(next(&booked), Some(NextAction::Queue));
    let mut bench = Bench::asap();
    assert_eq!(next(&bench), Some(NextAction::Expire));
    let offer = bench.offer("mara");
    assert_eq!(next(&bench), Some(NextAction::ExpireOffer));
    bench.act(&mara(), Action::Accept { offer, session: None }).expect("accepted");
    assert_eq!(next(&bench), Some(NextAction::Requeue));
    bench.act(&mara(), Action::Call).expect("called");
    assert_eq!(next(&bench), Some(NextAction::EndCall));
    bench.outcome(Outcome::NoAnswer);
    assert_eq!(next(&bench), Some(NextAction::EndWrapUp));
    bench
        .act(&BOSS, Action::Close { disposition: None, notes: None, resolved: None })
        .expect("closed");
    assert_eq!(next(&bench), None);
}
