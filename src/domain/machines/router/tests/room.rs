//! Room that is kept for what is larger and presses.

use super::*;
use crate::domain::effect::Failed;
use crate::domain::policy::PerMedium;

/// Waits from `since` on, and presses 900 s later.
fn large(number: u32, since: u32) -> Work {
    Work { size: 2, ..ranked(number, since) }
}

fn ranked(number: u32, since: u32) -> Work {
    Work { rank: Rank(at(since).0), waiting_since: at(since), ..work(number) }
}

fn units(number: u32, units: u32) -> AgentReport {
    agent_with(number, |settings| settings.capacity.units = units)
}

fn two_units(number: u32) -> AgentReport {
    units(number, 2)
}

/// Agent 0 holds 1 and 2, one unit each; 3 takes both and waits from 10 on, 4 is small and younger.
fn one_large_waits() -> Centre {
    let mut centre = Centre::new();
    centre.put(two_units(0));
    assert_eq!(centre.enqueue(work(1)), [(1, 0)]);
    assert_eq!(centre.enqueue(work(2)), [(2, 0)]);
    assert_eq!(centre.enqueue(large(3, 10)), []);
    assert_eq!(centre.enqueue(ranked(4, 20)), []);
    centre
}

/// Waits for that agent alone.
fn require_for_good(number: u32) -> (Preferred, Timestamp) {
    wish(number, PreferMode::Require, Fallback::None, Timestamp::NEVER)
}

/// The same, where 3 presses and 4 is held back: agent 0 has one unit free.
fn room_is_kept() -> Centre {
    let mut centre = one_large_waits();
    assert_eq!(centre.wake_at(at(910)), []);
    assert_eq!(centre.release(1, 0), []);
    centre
}

#[test]
fn smaller_work_goes_by_until_the_larger_has_waited_long() {
    let mut centre = one_large_waits();
    centre.now = at(909);
    assert_eq!(centre.release(1, 0), [(4, 0)], "no unit lies idle for what has time");
    for number in 5..100 {
        centre.enqueue(ranked(number, 900 + number));
    }
    assert_eq!(centre.wake_at(at(1_100)), [], "from now on it presses");
    assert_eq!(centre.release(2, 0), []);
    assert_eq!(centre.release(4, 0), [(3, 0)], "each unit given back was kept");
    assert_eq!(centre.release(3, 0), [(5, 0), (6, 0)]);
}

#[test]
fn what_comes_before_it_in_turn_is_not_held_back() {
    let mut centre = room_is_kept();
    let before = Work { rank: Rank(at(5).0), ..ranked(5, 900) };
    assert_eq!(centre.enqueue(before), [(5, 0)], "its rank is smaller");
    assert_eq!(centre.release(5, 0), []);
    let urgent = Work { promise: Some(at(900)), ..ranked(6, 900) };
    assert_eq!(centre.enqueue(urgent), [(6, 0)], "its promise breaks");
    assert_eq!(centre.release(6, 0), []);
    assert_eq!(centre.enqueue(ranked(7, 900)), []);
}

#[test]
fn a_promise_about_to_break_keeps_room_as_well() {
    let mut centre = one_large_waits();
    centre.enqueue(Work { promise: Some(at(30)), ..large(3, 10) });
    assert_eq!(centre.wake_at(at(30)), []);
    assert_eq!(centre.release(1, 0), []);
    assert_eq!(centre.release(2, 0), [(3, 0)]);
}

#[test]
fn whoever_kept_room_for_what_goes_takes_what_was_held_back() {
    let mut centre = room_is_kept();
    let withdrawn = centre.tell(RouterMessage::Withdraw(callback(3)));
    assert_eq!(withdrawn.proposals, [(4, 0)], "withdrawn");

    let mut centre = room_is_kept();
    assert_eq!(centre.put(two_units(1)), [(3, 1), (4, 0)], "somebody else takes it");

    let mut centre = room_is_kept();
    assert_eq!(centre.enqueue(large(3, 900)), [(4, 0)], "asked anew, it has time again");

    let mut centre = room_is_kept();
    let said = centre.claim(3, 0, |claim| (claim.size, claim.force) = (2, true));
    assert_eq!(said.proposals, [], "claimed by force, it takes the room itself");

    let mut centre = room_is_kept();
    centre.put(units(1, 1));
    centre.enqueue(ranked(5, 30));
    let said = centre.claim(3, 1, |claim| (claim.size, claim.force) = (2, true));
    assert_eq!(said.proposals, [(5, 0)], "claimed for somebody else");

    let mut centre = room_is_kept();
    let mut settings = QueueSettings::new(queue_id(0));
    settings.preference_limit_seconds = 0;
    let said = centre.tell(RouterMessage::PutQueue(queue_with(settings, None)));
    assert_eq!(said.proposals, [(4, 0)], "nothing ages any more");
}

#[test]
fn a_paused_queue_keeps_no_room_from_others() {
    let mut centre = Centre::new();
    let other = queue_with(QueueSettings::new(queue_id(1)), None);
    centre.tell(RouterMessage::PutQueue(other));
    centre.put(agent_with(0, |settings| {
        settings.capacity.units = 2;
        settings.queues = vec![
            Membership { queue: queue_id(0), preference: 1 },
            Membership { queue: queue_id(1), preference: 1 },
        ];
    }));
    centre.enqueue(work(1));
    centre.enqueue(large(2, 10));
    centre.wake_at(at(910));
    assert_eq!(centre.enqueue(Work { queue: queue_id(1), ..ranked(3, 900) }), []);
    let paused = Paused { since: at(910), until: None, reason: None };
    let paused = queue_with(QueueSettings::new(queue_id(0)), Some(paused));
    let said = centre.tell(RouterMessage::PutQueue(paused));
    assert_eq!(said.proposals, [(3, 0)]);
}

#[test]
fn nothing_is_held_back_where_work_elsewhere_is_in_the_way() {
    let mut centre = room_is_kept();
    assert_eq!(centre.put(AgentReport { external_units: 1, ..two_units(0) }), []);
    assert_eq!(centre.release(2, 0), [(4, 0)], "the room for 3 doesn't come by calls that end");
    assert_eq!(centre.put(two_units(0)), []);
    assert_eq!(centre.release(4, 0), [(3, 0)]);
}

#[test]
fn what_is_not_in_its_way_is_not_held_back() {
    let mut centre = Centre::new();
    let media = PerMedium { voice: None, video: Some(2) };
    centre.put(agent_with(0, |settings| settings.capacity = Capacity { units: 4, media }));
    let video = |work: Work| Work { medium: Medium::Video, ..work };
    assert_eq!(centre.enqueue(video(work(1))), [(1, 0)]);
    centre.enqueue(video(large(2, 10)));
    assert_eq!(centre.wake_at(at(910)), [], "one more by video is the most");
    assert_eq!(centre.enqueue(video(ranked(3, 900))), [], "that one would be in its way");
    assert_eq!(centre.enqueue(ranked(4, 900)), [(4, 0)], "two units are left for it");
    assert_eq!(centre.enqueue(ranked(5, 900)), [], "only one would be");
    assert_eq!(centre.release(1, 0), [(2, 0), (5, 0)]);
}

#[test]
fn room_is_kept_for_what_waits_for_this_agent_and_not_for_what_waits_for_another() {
    let mut centre = one_large_waits();
    centre.enqueue(Work { preferred: Some(Box::new(require_for_good(1))), ..large(3, 10) });
    centre.now = at(910);
    assert_eq!(centre.release(1, 0), [(4, 0)], "it waits for 1");

    let mut centre = one_large_waits();
    centre.enqueue(Work { preferred: Some(Box::new(require_for_good(0))), ..large(3, 10) });
    centre.now = at(910);
    assert_eq!(centre.release(1, 0), [], "it waits for 0");
    assert_eq!(centre.release(2, 0), [(3, 0)]);
}

#[test]
fn who_declined_it_keeps_no_room_for_it() {
    let mut centre = one_large_waits();
    centre.put(AgentReport { presence: Presence::Away, ..two_units(1) });
    centre.enqueue(Work { declined: vec![barred(0)], ..large(3, 10) });
    centre.now = at(910);
    assert_eq!(centre.release(1, 0), [(4, 0)]);
}

#[test]
fn the_longest_idle_of_those_who_kept_room_takes_what_was_held_back() {
    let mut centre = Centre::new();
    for (number, idle_since) in [(0, at(2)), (1, at(1))] {
        centre.put(AgentReport { idle_since, ..two_units(number) });
    }
    for number in 1..=4 {
        centre.enqueue(work(number));
    }
    centre.enqueue(large(5, 10));
    centre.enqueue(ranked(6, 20));
    centre.wake_at(at(910));
    assert_eq!(centre.release(1, 1), []);
    assert_eq!(centre.release(2, 0), []);
    assert_eq!(centre.tell(RouterMessage::Withdraw(callback(5))).proposals, [(6, 1)]);
}

#[test]
fn the_trace_says_for_what_the_units_are_kept() {
    let mut centre = room_is_kept();
    let trace = centre.trace(ranked(4, 20));
    let [candidate] = &trace.candidates[..] else { panic!("one agent, not {trace:?}") };
    assert_eq!(candidate.failed, Some(Failed::AtCapacity));
    assert_eq!(candidate.detail, "keeps the free units for a larger one before it");
    assert_eq!(trace.would_change, ["agent-0 has room again."]);
}
