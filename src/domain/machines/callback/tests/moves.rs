//! How a callback comes to wait: for its booked time, moved to another, or sent back.

use std::sync::Arc;

use super::{BOSS, Bench, START, agent, booking, mara, queue};
use crate::domain::callback::{CallbackType, Fallback, Outcome, PreferMode, Preferred, State};
use crate::domain::effect::{Effect, StepOutput};
use crate::domain::hours::{Hours, LOOK_AHEAD_DAYS};
use crate::domain::ids::{Fresh, QueueId, SkillName};
use crate::domain::machines::callback::CallbackMachine;
use crate::domain::message::{Action, CallbackMessage, Letter, SchedulerMessage, Who};
use crate::domain::policy::Medium;
use crate::domain::rank::{Priority, rank};
use crate::domain::refusal::Refusal;
use crate::domain::skills::{Level, Requirement, Requirements};
use crate::domain::time::{Now, Span, Timestamp};
use crate::domain::zone::TimeZone;

#[test]
fn a_scheduled_one_sleeps_until_its_lead_and_is_due_then() {
    let start = START + Span::minutes(60);
    let mut bench = Bench::new(queue(|_| ()), Medium::Voice, Some(start));
    assert_eq!(bench.state(), State::Open);
    let slept = bench.out.effects.iter().any(|effect| {
        matches!(effect, Effect::Send(Letter::Scheduler(SchedulerMessage::Slept { at, .. }))
            if *at == start - Span::seconds(60))
    });
    assert!(slept && matches!(bench.out.effects.last(), Some(Effect::Answer { .. })));
    bench.pass(Span::minutes(58));
    assert_eq!(bench.state(), State::Open, "a timer that comes early changes nothing");
    bench.pass(Span::minutes(1));
    assert_eq!(bench.state(), State::Queued);
    assert_eq!(bench.record().queued_since, Some(start - Span::seconds(60)));
}

#[test]
fn moving_takes_a_new_place_in_line_and_keeps_the_attempts() {
    let mut bench = Bench::asap();
    let later = START + Span::minutes(90);
    let action = Action::Reschedule { booking: Some(booking(later)) };
    bench.act(&Who::Channel, action).expect("moved");
    assert_eq!((bench.state(), bench.record().kind), (State::Open, CallbackType::Scheduled));
    assert_eq!(bench.record().ended_interactions(), 1);
    bench.at = START + Span::minutes(30);
    bench.act(&Who::Channel, Action::Reschedule { booking: None }).expect("moved");
    assert_eq!((bench.state(), bench.record().kind), (State::Queued, CallbackType::Asap));
    assert_eq!(bench.record().queued_since, Some(bench.at));
}

#[test]
fn sending_back_keeps_the_place_and_cools_the_sender_down() {
    let mut bench = Bench::accepted();
    let since = bench.record().queued_since;
    let noor = Action::Requeue { queue: None, agent: Some(agent("noor")) };
    bench.act(&mara(), noor).expect("sent back");
    assert_eq!((bench.state(), bench.record().queued_since), (State::Queued, since));
    assert_eq!(bench.record().declined[0].agent, agent("mara"));
    let preferred = bench.record().preferred.as_ref().expect("noor is preferred");
    assert_eq!((&preferred.agent, preferred.wait_seconds), (&agent("noor"), 120));
    assert_eq!(bench.record().interactions, 1, "the same interaction");
}

#[test]
fn a_wait_in_a_live_line_counts_from_its_beginning() {
    let since = START - Span::minutes(30);
    let bench = Bench::asked(queue(|_| ()), Medium::Voice, None, |wish| {
        let mut request = crate::domain::callback::Request::clone(&wish.request);
        request.origin.waiting_since = Some(since);
        wish.request = std::sync::Arc::new(request);
    });
    assert_eq!(bench.record().queued_since, Some(since));
    let work = bench.work().expect("it waits");
    assert_eq!(work.waiting_since, since);
    assert_eq!(work.rank, rank(since, Priority::default(), 300));
}

/// What `average_callback_seconds` comes from, while it runs and after a restart.
#[test]
fn a_first_call_is_measured_from_when_it_was_asked_for() {
    let reached = |bench: &mut Bench, at, known: Option<Timestamp>| {
        bench.at = START + Span::minutes(at);
        bench.take_and_call();
        assert_eq!(bench.first_calls(), [known]);
        assert_eq!(bench.record().asked_at(), known);
    };
    let mut bench = Bench::asap();
    reached(&mut bench, 3, Some(START));
    bench.outcome(Outcome::NoAnswer);
    bench.pass(Span::minutes(1));
    bench.pass(Span::minutes(15));
    bench.take_and_call();
    assert_eq!(bench.first_calls(), [], "once");
    assert_eq!(bench.record().asked_at(), Some(START), "its place is the retry's by now");

    let mut put_off = Bench::accepted();
    let later = Some(START + Span::minutes(20));
    let retry = Action::Retry { at: later, mine: false, customer_agreed: true };
    put_off.act(&mara(), retry).expect("put off");
    put_off.pass(Span::minutes(20));
    reached(&mut put_off, 21, Some(START));

    let mut moved = Bench::asap();
    moved.at = START + Span::minutes(1);
    moved.act(&Who::Channel, Action::Reschedule { booking: None }).expect("moved");
    let again = moved.at;
    reached(&mut moved, 3, Some(again));
    moved.outcome(Outcome::NoAnswer);
    moved.pass(Span::minutes(1));
    let booked = booking(START + Span::minutes(90));
    moved.act(&Who::Channel, Action::Reschedule { booking: Some(booked) }).expect("moved");
    assert_eq!(moved.record().asked_at(), None, "of a booking nobody waits for the first call");
    moved.act(&Who::Channel, Action::Reschedule { booking: None }).expect("moved");
    assert_eq!(moved.record().asked_at(), None, "it was called before that was asked for");
}

#[test]
fn nothing_that_happens_on_our_side_costs_the_place() {
    let mut bench = Bench::asap();
    let since = bench.record().queued_since;
    let requeue = || Action::Requeue { queue: None, agent: None };
    bench.pass(Span::seconds(1));
    let offer = bench.offer("mara");
    bench.act(&mara(), Action::Decline { offer, reason: None, session: None }).expect("declined");
    bench.pass(Span::seconds(1));
    bench.offer("mara");
    bench.pass(Span::seconds(30));
    let offer = bench.offer("mara");
    bench.act(&mara(), Action::Accept { offer, session: None }).expect("accepted");
    bench.act(&mara(), requeue()).expect("sent back");
    let other = queue(|one| one.id = QueueId::parse("sales").expect("an id"));
    bench.act(&BOSS, Action::Requeue { queue: Some(other), agent: None }).expect("transferred");
    assert_eq!((bench.record().queued_since, bench.state()), (since, State::Queued));
    assert_eq!(bench.record().interactions, 1);
    bench.take_and_call();
    bench.outcome(Outcome::NoAnswer);
    bench.act(&mara(), requeue()).expect("sent back after the call");
    assert_eq!((bench.record().queued_since, bench.record().interactions), (since, 2));
    assert_eq!(bench.events(), ["callback.unassigned", "callback.requeued", "callback.queued"]);
}

#[test]
fn what_is_called_before_its_time_stands_in_line_from_now_on() {
    let requeue = Action::Requeue { queue: None, agent: None };
    let start = START + Span::minutes(120);
    let mut booked = Bench::new(queue(|_| ()), Medium::Voice, Some(start));
    booked.at = START + Span::minutes(5);
    booked.act(&BOSS, requeue.clone()).expect("called now");
    assert_eq!(booked.record().queued_since, Some(booked.at));
    let mut retried = Bench::ended_call(Outcome::NoAnswer);
    retried.pass(Span::seconds(60));
    retried.pass(Span::minutes(5));
    assert_eq!(retried.state(), State::Open);
    retried.act(&BOSS, requeue).expect("called now");
    assert_eq!(retried.record().queued_since, Some(retried.at), "not from a time to come");
}

#[test]
fn a_transfer_follows_the_other_queue_and_only_to_one_that_takes_it() {
    let asks = |skill: &str| {
        let skill = SkillName::parse(skill).expect("a name");
        let min_level = Level::new(2).expect("a level");
        let one = Requirement { skill, min_level, mandatory: true, expires_after_seconds: None };
        Requirements::new(vec![one], 8).expect("one requirement")
    };
    let first = queue(|one| one.requirements = asks("french"));
    let mut bench = Bench::asked(first, Medium::Voice, None, |wish| {
        wish.requirements = asks("refunds");
    });
    assert_eq!(bench.record().requirements, asks("refunds"), "what comes back was sent");
    let both = asks("refunds").with(&asks("french"));
    assert_eq!(bench.work().expect("it waits").requirements, both);
    let sales = |media: Medium| {
        queue(|one| {
            one.id = QueueId::parse("sales").expect("an id");
            one.requirements = asks("polish");
            one.media = vec![media];
        })
    };
    let to = |media| Action::Requeue { queue: Some(sales(media)), agent: None };
    let refused = bench.act(&BOSS, to(Medium::Video));
    assert!(matches!(refused, Err(Refusal::Invalid(faults)) if faults[0].pointer == "/queue"));
    bench.act(&BOSS, to(Medium::Voice)).expect("transferred");
    let work = bench.work().expect("it waits").clone();
    assert_eq!(work.requirements, asks("refunds").with(&asks("polish")));
    assert_eq!(work.queue.as_str(), "sales");
}

#[test]
fn a_supervisor_who_sends_it_back_cools_nobody_down() {
    let mut bench = Bench::accepted();
    bench.act(&BOSS, Action::Requeue { queue: None, agent: None }).expect("sent back");
    assert!(bench.record().declined.is_empty());
    let to_self = Action::Requeue { queue: None, agent: Some(agent("mara")) };
    let mut bench = Bench::accepted();
    bench.act(&mara(), to_self).expect("sent back to herself");
    assert!(bench.record().declined.is_empty());
}

#[test]
fn video_is_never_as_soon_as_possible_and_a_queue_that_never_opens_takes_nothing() {
    let start = START + Span::minutes(120);
    let mut video = Bench::new(queue(|_| ()), Medium::Video, Some(start));
    let asap = || Action::Reschedule { booking: None };
    assert!(matches!(video.act(&BOSS, asap()), Err(Refusal::Invalid(_))));
    let mut voice = Bench::asap();
    let never = queue(|one| {
        let today = TimeZone::utc().local(START).date();
        let days = 0..=i32::try_from(LOOK_AHEAD_DAYS).expect("it is small") + 1;
        let closed = days.map(|day| (today.plus_days(day), vec![]));
        let hours = Hours::new(TimeZone::utc(), &[], closed.collect()).expect("hours");
        one.hours = std::sync::Arc::new(hours);
    });
    voice.tell(CallbackMessage::QueueChanged(never));
    let refused = voice.act(&BOSS, asap());
    assert_eq!(refused, Err(Refusal::OutsideHours { next_allowed_at: None }));
}

#[test]
fn a_start_within_the_lead_is_due_at_once() {
    let start = START + Span::seconds(60);
    let bench = Bench::new(queue(|_| ()), Medium::Voice, Some(start));
    assert_eq!((bench.state(), bench.record().queued_since), (State::Queued, Some(START)));
    let later = START + Span::seconds(60) + Span::millis(1);
    assert_eq!(Bench::new(queue(|_| ()), Medium::Voice, Some(later)).state(), State::Open);
}

#[test]
fn what_is_called_before_its_time_may_still_wait_for_that() {
    let start = START + Span::minutes(1_500);
    let mut booked = Bench::new(queue(|_| ()), Medium::Voice, Some(start));
    let ends = booked.record().expiry_base;
    booked.act(&BOSS, Action::Requeue { queue: None, agent: None }).expect("called now");
    assert_eq!((booked.state(), booked.record().expiry_base), (State::Queued, ends));
    booked.take_and_call();
    booked.outcome(Outcome::Busy);
    booked.act(&mara(), Action::Requeue { queue: None, agent: None }).expect("sent back");
    assert_eq!(booked.record().expiry_base, booked.at, "an attempt was made");
}

#[test]
fn who_is_wished_for_again_is_waited_for_again() {
    let noor = || Action::Requeue { queue: None, agent: Some(agent("noor")) };
    let ends = |bench: &Bench| bench.work().and_then(|work| Some(work.preferred.clone()?.1));
    let mut bench = Bench::accepted();
    bench.act(&mara(), noor()).expect("sent back");
    assert_eq!(ends(&bench), Some(START + Span::seconds(120)));
    bench.at = START + Span::seconds(130);
    bench.tell(CallbackMessage::QueueChanged(queue(|_| ())));
    assert_eq!(ends(&bench), Some(START + Span::seconds(120)), "nobody wished anew");
    bench.act(&BOSS, noor()).expect("sent back");
    assert_eq!(ends(&bench), Some(START + Span::seconds(250)));
    assert_eq!(bench.events(), ["callback.requeued", "callback.queued"], "told, though it waited");
}

#[test]
fn a_restart_does_not_begin_the_wait_for_somebody_anew() {
    let wished = Preferred {
        agent: agent("noor"),
        mode: PreferMode::Require,
        wait_seconds: 100,
        fallback: Fallback::Anyone,
    };
    let mut bench = Bench::asked(queue(|_| ()), Medium::Voice, None, |wish| {
        wish.preferred = Some(Box::new(wished));
    });
    let snapshot = Arc::new(bench.record().clone());
    // The next process has a steady clock of its own.
    let (wall, steady) = (START + Span::seconds(70), Timestamp(5_000_000));
    let now = Now { wall, steady, fresh: Fresh(900) };
    bench.machine = CallbackMachine::restore(&snapshot, queue(|_| ()), &now);
    bench.out = StepOutput::default();
    bench.machine.recover(&now, &mut bench.out);
    let (_, until) = *bench.work().and_then(|work| work.preferred.clone()).expect("it waits");
    assert_eq!(until, steady + Span::seconds(30));
}
