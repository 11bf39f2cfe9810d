//! How a callback comes to wait: for its booked time, moved to another, or sent back.

use super::{Bench, START, agent, booking, mara, queue};
use crate::domain::callback::{CallbackType, State};
use crate::domain::effect::Effect;
use crate::domain::message::{Action, Letter, SchedulerMessage, Who};
use crate::domain::policy::Medium;
use crate::domain::refusal::Refusal;
use crate::domain::time::Span;

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
    let past = Action::Reschedule { booking: Some(booking(START)) };
    assert_eq!(bench.act(&Who::Channel, past), Err(Refusal::StartPast));
    assert_eq!(bench.state(), State::Queued, "a refusal changes nothing");
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
