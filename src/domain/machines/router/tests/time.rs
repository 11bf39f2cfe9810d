//! What time alone changes, timers, and the bounds.

use super::*;
use crate::domain::machines::router::DUE_PER_STEP;

#[test]
fn the_circle_widens_when_a_requirement_expires() {
    let mut centre = Centre::new();
    centre.put(agent(1));
    let list = vec![require("french", 3, true, Some(120))];
    let waiting = Work { requirements: requirements(list), ..work(1) };
    let said = centre.tell(RouterMessage::Enqueue(Box::new(waiting)));
    assert_eq!(said.timers, [Some(at(120))]);
    assert_eq!(centre.wake_at(Timestamp(119_999)), []);
    assert_eq!(centre.wake_at(at(120)), [(1, 1)]);
}

#[test]
fn the_circle_widens_by_the_queues_steps() {
    let mut centre = Centre::new();
    centre.put(agent_with(1, |settings| settings.skills = skills(&[("french", 2, 1)])));
    let step = |after_seconds, min_level_delta| Widening {
        after_seconds,
        min_level_delta,
        drop_optional: false,
    };
    let asked = requirements(vec![require("french", 4, true, None)]);
    let asked = asked.widened(&[step(60, -1), step(120, -1)]);
    let said =
        centre.tell(RouterMessage::Enqueue(Box::new(Work { requirements: asked, ..work(1) })));
    assert_eq!(said.timers, [Some(at(60))]);
    assert_eq!(said.unroutable, [], "in the end somebody can take it");
    assert_eq!(centre.wake_at(at(60)), [], "3 is still too much");
    assert_eq!(centre.wake_at(at(120)), [(1, 1)]);
}

#[test]
fn a_deadline_that_has_come_counts_before_the_wake_up() {
    let mut centre = Centre::new();
    centre.put(agent(1));
    centre.enqueue(Work { declined: vec![declined(1, at(60), at(60))], ..work(1) });
    centre.now = at(60);
    let newer = Work { rank: Rank(-1), ..work(2) };
    assert_eq!(centre.enqueue(newer), [(1, 1)], "what was due came first");
}

#[test]
fn the_timer_is_set_when_it_moves_forward_and_after_each_wake_up() {
    let mut centre = Centre::with_queue(|settings| settings.preference_limit_seconds = 900);
    let timers = |centre: &mut Centre, message| centre.tell(message).timers;
    let enqueue = |work| RouterMessage::Enqueue(Box::new(work));
    let since = |number, since| Work { waiting_since: at(since), ..work(number) };
    assert_eq!(timers(&mut centre, RouterMessage::Wake), [], "there is nothing to wait for");
    assert_eq!(timers(&mut centre, enqueue(since(1, 10))), [Some(at(910))]);
    assert_eq!(timers(&mut centre, enqueue(since(2, 20))), [], "later than what is set");
    assert_eq!(timers(&mut centre, enqueue(since(3, 0))), [Some(at(900))]);
    assert_eq!(timers(&mut centre, RouterMessage::Withdraw(callback(3))), [], "it may be early");
    centre.now = at(900);
    assert_eq!(timers(&mut centre, RouterMessage::Wake), [Some(at(910))]);
    centre.now = at(920);
    assert_eq!(timers(&mut centre, RouterMessage::Wake), [], "both are old now");
}

#[test]
fn a_queues_new_settings_hold_for_what_waits() {
    let mut centre = Centre::with_queue(|settings| settings.preference_limit_seconds = 0);
    let said = centre.tell(RouterMessage::Enqueue(Box::new(work(1))));
    assert_eq!(said.timers, []);
    let mut settings = QueueSettings::new(queue_id(0));
    settings.preference_limit_seconds = 30;
    let said = centre.tell(RouterMessage::PutQueue(queue_with(settings, None)));
    assert_eq!(said.timers, [Some(at(30))]);
}

#[test]
fn what_falls_due_all_at_once_is_taken_in_parts() {
    let mut centre = Centre::new();
    let count = u32::try_from(2 * DUE_PER_STEP + 1).expect("small");
    let waiting = |number| Work { declined: vec![declined(0, at(60), at(60))], ..work(number) };
    centre.put(agent_with(0, |settings| settings.capacity.units = count));
    for number in 0..count {
        let mut out = StepOutput::default();
        let message = RouterMessage::Enqueue(Box::new(waiting(number)));
        centre.router.step(&now_at(centre.now), message, &mut out);
    }
    centre.now = at(60);
    let mut taken = Vec::new();
    loop {
        let said = centre.tell(RouterMessage::Wake);
        taken.push(said.proposals.len());
        if said.timers.is_empty() {
            break;
        }
        assert_eq!(said.timers, [Some(at(60))], "again, at once");
    }
    assert_eq!(taken, [DUE_PER_STEP, DUE_PER_STEP, 1]);
}

/// A callback that shares its signature with no other: each has its size.
fn alone(number: u32) -> Work {
    Work { size: number, rank: Rank(-i64::from(number)), ..work(number) }
}

#[test]
fn signatures_without_work_make_room_the_longest_unused_first() {
    let limits = RouterLimits { max_signatures: 2, ..RouterLimits::default() };
    let mut centre = Centre::with_limits(limits, |_| {});
    let present = |centre: &Centre| centre.router.matching.signature_sizes();
    for number in [1, 2, 1] {
        centre.enqueue(alone(number));
        centre.tell(RouterMessage::Withdraw(callback(number)));
    }
    centre.enqueue(alone(3));
    assert_eq!(present(&centre), [1, 3], "2 was used before 1");
    centre.enqueue(alone(4));
    assert_eq!(present(&centre), [3, 4]);
    centre.enqueue(alone(5));
    assert_eq!(present(&centre), [3, 4], "both have waiting work");
}

#[test]
fn work_beyond_the_limit_of_signatures_is_served_as_well() {
    let limits = RouterLimits { max_signatures: 2, ..RouterLimits::default() };
    let mut centre = Centre::with_limits(limits, |_| {});
    for number in 1..=5 {
        centre.enqueue(alone(number));
    }
    let report = agent_with(0, |settings| settings.capacity.units = 5);
    assert_eq!(centre.put(report), [(5, 0)], "the smallest rank, which has no signature");
    assert_eq!(centre.release(5, 0), [(4, 0), (1, 0)], "and what fits beside it");
    assert_eq!(centre.release(4, 0), [(3, 0)]);
    assert_eq!(centre.enqueue(Work { size: 1, ..work(6) }), [(6, 0)]);
}

#[test]
fn who_has_missed_something_rests_until_they_speak_or_a_second_is_over() {
    let mut centre = Centre::new();
    centre.put(agent(1));
    assert_eq!(centre.enqueue(work(1)), [(1, 1)]);
    assert_eq!(centre.enqueue(work(2)), []);
    assert_eq!(centre.missed(1, 1, Missed::Offer), []);
    assert_eq!(centre.enqueue(work(1)), [], "they may be about to go away");
    centre.now = at(1) - Span::millis(1);
    assert_eq!(centre.wake_at(centre.now), []);
    assert_eq!(centre.wake_at(at(1)), [(1, 1)], "they have said nothing");

    assert_eq!(centre.missed(1, 1, Missed::Offer), []);
    let away = AgentReport { presence: Presence::Away, ..agent(1) };
    assert_eq!(centre.put(away), []);
    assert_eq!(centre.wake_at(at(9)), [], "they have");
    assert_eq!(centre.put(agent(1)), [(2, 1)], "whoever comes back is there at once");
}

#[test]
fn who_may_miss_more_offers_does_not_rest_but_for_a_call() {
    let mut centre = Centre::new();
    centre.put(AgentReport { last_chance: false, ..agent(1) });
    assert_eq!(centre.enqueue(work(1)), [(1, 1)]);
    assert_eq!(centre.enqueue(work(2)), []);
    assert_eq!(centre.missed(1, 1, Missed::Offer), [(2, 1)]);
    assert_eq!(centre.enqueue(work(3)), []);
    assert_eq!(centre.missed(2, 1, Missed::Call), []);
}

#[test]
fn nobody_waits_for_a_preferred_agent_who_rests() {
    let mut centre = Centre::new();
    centre.put(agent(1));
    assert_eq!(centre.enqueue(work(1)), [(1, 1)]);
    centre.put(agent(2));
    assert_eq!(centre.enqueue(work(2)), [(2, 2)]);
    assert_eq!(
        centre.enqueue(Work { preferred: Some(Box::new(prefer(1, at(60)))), ..work(3) }),
        []
    );
    assert_eq!(centre.release(2, 2), [], "it waits for the preferred one");
    assert_eq!(centre.missed(1, 1, Missed::Offer), [(3, 2)]);
}
