//! Capacity, holds and claims.

use super::*;
use crate::domain::policy::PerMedium;

fn units(number: u32, units: u32) -> AgentReport {
    agent_with(number, |settings| settings.capacity.units = units)
}

#[test]
fn a_freed_agent_takes_as_much_as_fits_and_no_more() {
    let mut centre = Centre::new();
    for number in 1..=4 {
        centre.enqueue(Work { rank: Rank(i64::from(number)), ..work(number) });
    }
    assert_eq!(centre.put(units(0, 3)), [(1, 0), (2, 0), (3, 0)]);
    assert_eq!(centre.release(2, 0), [(4, 0)]);
    assert_eq!(centre.release(2, 0), [], "twice is once");
    assert_eq!(centre.release(7, 0), [], "never held");
    assert_eq!(centre.release(1, 5), [], "nobody of that name");
}

#[test]
fn size_and_media_and_work_elsewhere_count() {
    let mut centre = Centre::new();
    let media = PerMedium { voice: Some(1), video: None };
    let report = agent_with(0, |settings| settings.capacity = Capacity { units: 3, media });
    centre.put(report.clone());
    assert_eq!(centre.enqueue(work(1)), [(1, 0)]);
    assert_eq!(centre.enqueue(work(2)), [], "one voice call at a time");
    let video = |number, size| Work { medium: Medium::Video, size, ..work(number) };
    assert_eq!(centre.enqueue(video(3, 3)), [], "two units are left");
    assert_eq!(centre.enqueue(video(4, 2)), [(4, 0)]);
    assert_eq!(centre.release(4, 0), [], "the next of three units doesn't fit yet");
    assert_eq!(centre.put(AgentReport { external_units: 1, ..report.clone() }), []);
    assert_eq!(centre.enqueue(video(5, 2)), [], "one unit is left beside the work elsewhere");
    assert_eq!(centre.put(report), [(5, 0)], "the work elsewhere is over");
    assert_eq!(centre.release(1, 0), [(2, 0)]);
}

#[test]
fn a_smaller_capacity_takes_nothing_away() {
    let mut centre = Centre::new();
    centre.put(units(0, 2));
    assert_eq!(centre.enqueue(work(1)), [(1, 0)]);
    assert_eq!(centre.enqueue(work(2)), [(2, 0)]);
    centre.put(units(0, 1));
    centre.enqueue(work(3));
    assert_eq!(centre.release(1, 0), [], "one is still held");
    assert_eq!(centre.release(2, 0), [(3, 0)]);
}

#[test]
fn a_size_of_nothing_is_one_unit() {
    let mut centre = Centre::new();
    centre.put(agent(0));
    assert_eq!(centre.enqueue(Work { size: 0, ..work(1) }), [(1, 0)]);
    assert_eq!(centre.enqueue(Work { size: 0, ..work(2) }), []);
}

#[test]
fn at_start_what_is_held_counts_whatever_comes_first() {
    let hold = || RouterMessage::Hold {
        callback: callback(9),
        agent: agent_id(0),
        medium: Medium::Voice,
        size: 1,
    };
    for held_first in [false, true] {
        let mut centre = Centre::new();
        if held_first {
            centre.tell(hold());
            centre.put(agent(0));
        } else {
            centre.put(agent(0));
            centre.tell(hold());
        }
        assert_eq!(centre.enqueue(work(1)), []);
        assert_eq!(centre.release(9, 0), [(1, 0)]);
    }
}

#[test]
fn an_agent_removed_with_work_is_remembered_until_it_is_released() {
    let mut centre = Centre::new();
    centre.put(agent(0));
    assert_eq!(centre.enqueue(work(1)), [(1, 0)]);
    centre.tell(RouterMessage::RemoveAgent(agent_id(0)));
    assert_eq!(centre.enqueue(work(2)), []);
    assert_eq!(centre.put(agent(0)), [], "what they held still counts");
    assert_eq!(centre.release(1, 0), [(2, 0)]);
}

#[test]
fn a_claim_needs_a_session_a_place_in_the_queue_and_room() {
    let stranger = agent_with(3, |settings| settings.queues.clear());
    let mut centre = Centre::new();
    centre.put(agent(1));
    assert_eq!(centre.enqueue(work(9)), [(9, 1)]);
    centre.put(AgentReport { connected: false, ..agent(2) });
    centre.put(stranger);
    centre.put(AgentReport { presence: Presence::Offline, ..agent(4) });
    let by_agent = |claim: &mut Claim| claim.by_agent = true;
    let force = |claim: &mut Claim| claim.force = true;

    let absent = |name: &str| Err(Refusal::AgentNotConnected(name.to_owned()));
    let forbidden = "agents take work of their own queues; queue-0 isn't one".to_owned();
    assert_eq!(centre.claim(1, 7, |_| {}).claimed, [absent("agent-7")], "unknown");
    assert_eq!(centre.claim(1, 2, force).claimed, [absent("agent-2")], "no session");
    assert_eq!(centre.claim(1, 3, by_agent).claimed, [Err(Refusal::Forbidden(forbidden))]);
    assert_eq!(centre.claim(1, 3, |_| {}).claimed, [Ok(())], "a supervisor may");
    let full = Err(Refusal::AtCapacity("agent-1".to_owned()));
    assert_eq!(centre.claim(2, 1, |_| {}).claimed, [full]);
    assert_eq!(centre.claim(2, 1, force).claimed, [Ok(())]);
    assert_eq!(centre.claim(3, 4, by_agent).claimed, [Ok(())], "whatever their presence");
}

#[test]
fn a_claim_takes_the_callback_out_of_its_line_and_a_refused_one_does_not() {
    let mut centre = Centre::new();
    centre.enqueue(work(1));
    let refused = centre.claim(1, 0, |_| {});
    assert!(refused.claimed[0].is_err());
    centre.put(agent_with(5, |settings| settings.queues.clear()));
    let paused = Paused { since: at(0), until: None, reason: None };
    let pause = |paused| queue_with(QueueSettings::new(queue_id(0)), paused);
    centre.tell(RouterMessage::PutQueue(pause(Some(paused))));
    centre.put(agent(0));
    assert_eq!(centre.claim(1, 5, |_| {}).claimed, [Ok(())], "though offers are paused");
    assert_eq!(centre.tell(RouterMessage::PutQueue(pause(None))).proposals, []);
    assert_eq!(centre.enqueue(work(2)), [(2, 0)]);
}

#[test]
fn a_claim_stands_beside_an_earlier_reservation_until_that_is_released() {
    let mut centre = Centre::new();
    centre.put(agent(1));
    assert_eq!(centre.enqueue(work(1)), [(1, 1)]);
    centre.put(agent(2));
    assert_eq!(centre.claim(1, 2, |_| {}).claimed, [Ok(())]);
    assert_eq!(centre.claim(1, 2, |_| {}).claimed, [Ok(())], "they have it already");
    assert_eq!(centre.claim(1, 1, |_| {}).claimed, [Ok(())], "and so has the other");
    assert_eq!(centre.enqueue(work(3)), []);
    assert_eq!(centre.release(1, 1), [], "one of two grants");
    assert_eq!(centre.release(1, 1), [(3, 1)]);
    assert_eq!(centre.enqueue(work(1)), [], "agent 2 still has it");
    assert_eq!(centre.release(1, 2), []);
    assert_eq!(centre.enqueue(work(1)), [], "one of two grants");
    assert_eq!(centre.release(1, 2), []);
    assert_eq!(centre.enqueue(work(1)), [(1, 2)]);
}
