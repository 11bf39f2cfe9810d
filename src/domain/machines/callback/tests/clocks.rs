//! Time-outs run by the steady clock, which lags behind the wall after a stall and starts anew with
//! each process; people see the wall's time.

use super::*;
use crate::domain::machines::callback::deadlines::{NextAction, next_deadline};
use crate::domain::policy::{Choice, DeclineReason, Labels};
use crate::domain::queue::{Pause, Paused};

/// For so long the store has stalled before anything here happens.
const LAG: Span = Span::seconds(90);

/// The clocks of a process whose store has stalled.
fn lagging(at: Timestamp, ids: u128) -> Now {
    Now { wall: at, steady: at - LAG, fresh: Fresh(ids) }
}

/// Offered to mara at [`START`], after the stall.
fn offered() -> Bench {
    let mut bench = Bench::asap();
    let propose = CallbackMessage::Propose { agent: agent("mara") };
    bench.machine.step(&lagging(START, 200), propose, &mut bench.out);
    bench
}

fn deadline(bench: &Bench, at: Timestamp) -> Option<(Timestamp, NextAction)> {
    next_deadline(bench.record(), &queue(|_| ()), None, at)
}

fn accept(bench: &mut Bench) {
    let offer = bench.record().offer().expect("it is offered").id;
    let command = CallbackCommand {
        token: Token(4),
        who: mara(),
        if_match: None,
        action: Action::Accept { offer, session: None },
    };
    let message = CallbackMessage::Command(Box::new(command));
    bench.machine.step(&lagging(START, 300), message, &mut bench.out);
    assert_eq!(bench.state(), State::Accepted);
}

#[test]
fn people_see_time_outs_by_the_wall() {
    let mut bench = offered();
    let ends = START + Span::seconds(30);
    assert_eq!(deadline(&bench, START), Some((ends, NextAction::ExpireOffer)));
    let offer = bench.record().offer().expect("it is offered");
    assert_eq!(bench.record().on_wall(offer.expires_at), ends);
    accept(&mut bench);
    let requeued = START + Span::seconds(300);
    assert_eq!(deadline(&bench, START), Some((requeued, NextAction::Requeue)));
}

#[test]
fn a_time_out_is_as_long_across_a_restart_as_without() {
    let mut bench = offered();
    accept(&mut bench);
    let snapshot = Arc::new(bench.record().clone());
    // The next process's clocks begin together.
    let restarted = START + Span::seconds(100);
    let now = Now { wall: restarted, steady: restarted, fresh: Fresh(900) };
    bench.machine = CallbackMachine::restore(&snapshot, queue(|_| ()), &now);
    bench.machine.recover(&now, &mut bench.out);
    let requeued = START + Span::seconds(300);
    assert_eq!(deadline(&bench, restarted), Some((requeued, NextAction::Requeue)));
    bench.at = requeued - Span::millis(1);
    bench.tell(CallbackMessage::Wake);
    assert_eq!(bench.state(), State::Accepted);
    bench.pass(Span::millis(1));
    assert_eq!(bench.state(), State::Queued);
}

#[test]
fn what_is_barred_for_good_stays_so_on_every_clock() {
    let mut bench = Bench::asap();
    let settings = |one: &mut QueueSettings| {
        one.decline_reasons = vec![DeclineReason {
            choice: Choice { id: "no".to_owned(), labels: Labels::default() },
            reassignable: false,
        }];
    };
    bench.tell(CallbackMessage::QueueChanged(queue(settings)));
    let offer = bench.offer("mara");
    let reason = Some("no".to_owned());
    bench.act(&mara(), Action::Decline { offer, reason, session: None }).expect("declined");
    let mut record = bench.record().clone();
    for wall in [START - LAG, START + LAG] {
        record.rebase(&Now { wall, steady: START, fresh: Fresh(1) });
        let declined = &record.declined[0];
        assert_eq!((declined.until, declined.lone_until), (Timestamp::NEVER, Timestamp::NEVER));
    }
}

/// A decline and a change of the queue have its end worked out anew.
#[test]
fn a_jump_of_the_wall_clock_ends_no_wait_and_prolongs_none_whoever_touches_it() {
    for ahead in [61, -61].map(|minutes| Span::millis(minutes * 60_000)) {
        let window = queue(|one| one.promise_window_minutes = Some(30));
        let mut bench = Bench::new(Arc::clone(&window), Medium::Voice, None);
        let since = bench.work().expect("it waits").waiting_since;
        let offer = bench.offer("mara");
        bench.ahead = ahead;
        bench
            .act(&mara(), Action::Decline { offer, reason: None, session: None })
            .expect("declined");
        assert_eq!(bench.state(), State::Queued, "{ahead:?}");
        assert_eq!(bench.work().expect("it waits").waiting_since, since);
        bench.tell(CallbackMessage::QueueChanged(window));
        assert_eq!(bench.state(), State::Queued, "{ahead:?}");
        bench.pass(Span::minutes(30) - Span::millis(1));
        assert!(bench.events().is_empty());
        bench.pass(Span::millis(1));
        assert_eq!(bench.events(), ["callback.promise_broken"]);
        bench.pass(Span::minutes(30) - Span::millis(1));
        assert_eq!(bench.state(), State::Queued);
        bench.pass(Span::millis(1));
        assert_eq!(bench.state(), State::ClosedAbandoned);
    }
}

#[test]
fn what_is_carried_over_has_waited_no_longer_than_it_has() {
    let hours = Bench::open_until("09:00", |one| one.overrun_minutes = 0);
    let mut bench = Bench::new(hours, Medium::Voice, None);
    bench.at = START + Span::minutes(10);
    // The store stalls: it has waited for ten minutes of the hour.
    bench.ahead = Span::minutes(50);
    let next_open = Some(START + Span::days(1));
    bench.tell(CallbackMessage::CarryOver { next_open });
    assert_eq!((bench.state(), bench.record().next_attempt_at()), (State::Open, next_open));
    let opening = START + Span::days(1) - bench.ahead;
    bench.at = opening;
    bench.tell(CallbackMessage::Wake);
    assert_eq!(bench.state(), State::Queued, "and goes on in the morning");
    bench.pass(Span::minutes(50) - Span::millis(1));
    assert_eq!(bench.state(), State::Queued);
    bench.pass(Span::millis(1));
    assert_eq!(bench.state(), State::ClosedAbandoned);
}

#[test]
fn a_pause_is_taken_off_whether_it_was_before_a_jump_or_after_it() {
    for ahead in [3_600, -120].map(|seconds| Span::millis(seconds * 1_000)) {
        for jumps_first in [true, false] {
            let mut bench = Bench::new(queue(|_| ()), Medium::Voice, None);
            bench.at = START + Span::minutes(1);
            if jumps_first {
                bench.ahead = ahead;
            }
            let from = bench.at + bench.ahead;
            let since = Some(Paused { since: from, until: None, reason: None });
            let mut paused = Queue::clone(&queue(|_| ()));
            paused.version = 2;
            paused.offers_paused = since;
            paused.pauses = vec![Pause { from, to: Timestamp::NEVER }];
            bench.tell(CallbackMessage::QueueChanged(Arc::new(paused.clone())));
            bench.at = bench.at + Span::minutes(90);
            let to = bench.at + bench.ahead;
            (paused.version, paused.offers_paused) = (3, None);
            paused.pauses = vec![Pause { from, to }];
            let resumed = Arc::new(paused);
            bench.tell(CallbackMessage::QueueChanged(Arc::clone(&resumed)));
            bench.ahead = ahead;
            bench.tell(CallbackMessage::QueueChanged(resumed));
            assert_eq!(bench.state(), State::Queued, "{ahead:?} {jumps_first}");
            bench.pass(Span::minutes(59) - Span::millis(1));
            assert_eq!(bench.state(), State::Queued, "{ahead:?} {jumps_first}");
            bench.pass(Span::millis(1));
            assert_eq!(bench.state(), State::ClosedAbandoned, "{ahead:?} {jumps_first}");
        }
    }
}

#[test]
fn what_waits_keeps_its_queue_time_when_it_is_sent_back_after_a_jump() {
    let mut bench = Bench::asap();
    bench.ahead = Span::millis(-3_600_000);
    bench.act(&BOSS, Action::Requeue { queue: None, agent: None }).expect("sent back");
    assert_eq!(bench.record().queued_since, Some(START));
    let offer = bench.offer("mara");
    bench.act(&mara(), Action::Accept { offer, session: None }).expect("accepted");
    bench.act(&mara(), Action::Requeue { queue: None, agent: None }).expect("sent back");
    assert_eq!(bench.record().queued_since, Some(START));
    bench.pass(Span::minutes(60));
    assert_eq!(bench.state(), State::ClosedAbandoned);
}
