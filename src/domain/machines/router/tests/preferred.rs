//! Agents asked for.

use super::*;

fn required(number: u32, fallback: Fallback, until: Timestamp) -> Work {
    Work {
        preferred: Some(Box::new(wish(number, PreferMode::Require, fallback, until))),
        ..work(1)
    }
}

/// Agent 1 is busy with callback 9, agent 2 is free.
fn centre() -> Centre {
    let mut centre = Centre::new();
    centre.put(agent(1));
    assert_eq!(centre.enqueue(work(9)), [(9, 1)]);
    centre.put(agent(2));
    centre
}

#[test]
fn the_preferred_agent_comes_before_everybody() {
    let mut centre = Centre::new();
    centre.put(agent(1));
    centre.put(agent_with(2, |settings| settings.queues[0].preference = 9));
    // Long over, but still who it is given to if they are free.
    let waiting = Work { preferred: Some(Box::new(prefer(2, at(0)))), ..work(1) };
    assert_eq!(centre.enqueue(waiting), [(1, 2)]);
}

#[test]
fn it_waits_for_a_busy_one_until_the_time_is_over() {
    let mut centre = centre();
    assert_eq!(
        centre.enqueue(Work { preferred: Some(Box::new(prefer(1, at(60)))), ..work(1) }),
        []
    );
    assert_eq!(centre.wake_at(at(59)), []);
    assert_eq!(centre.wake_at(at(60)), [(1, 2)]);
}

#[test]
fn the_one_it_waits_for_takes_it_when_free() {
    let mut centre = centre();
    assert_eq!(
        centre.enqueue(Work { preferred: Some(Box::new(prefer(1, at(60)))), ..work(1) }),
        []
    );
    assert_eq!(centre.release(9, 1), [(1, 1)]);
}

#[test]
fn it_competes_with_other_work_of_the_one_it_waits_for() {
    let mut centre = centre();
    assert_eq!(centre.enqueue(Work { rank: Rank(1), ..work(3) }), [(3, 2)]);
    let waiting = Work { preferred: Some(Box::new(prefer(1, at(60)))), rank: Rank(5), ..work(1) };
    assert_eq!(centre.enqueue(waiting), []);
    assert_eq!(centre.enqueue(Work { rank: Rank(4), ..work(2) }), []);
    assert_eq!(centre.release(9, 1), [(2, 1)]);
    assert_eq!(centre.release(2, 1), [(1, 1)]);
}

#[test]
fn prefer_does_not_wait_for_who_cannot_take_it() {
    let busy = || AgentReport { external_units: 1, ..agent(1) };
    let serves_another = agent_with(1, |settings| settings.queues[0].queue = queue_id(1));
    let cases = [
        ("away", AgentReport { presence: Presence::Away, ..busy() }),
        ("offline", AgentReport { presence: Presence::Offline, ..busy() }),
        ("not connected", AgentReport { connected: false, ..busy() }),
        ("out of the queue", AgentReport { external_units: 1, ..serves_another }),
    ];
    for (why, report) in cases {
        let mut centre = Centre::new();
        centre.put(busy());
        centre.put(agent(2));
        assert_eq!(
            centre.enqueue(Work { preferred: Some(Box::new(prefer(1, at(60)))), ..work(1) }),
            []
        );
        assert_eq!(centre.put(report), [(1, 2)], "{why}");
    }
    let mut centre = Centre::new();
    centre.put(busy());
    centre.put(agent(2));
    assert_eq!(
        centre.enqueue(Work { preferred: Some(Box::new(prefer(1, at(60)))), ..work(1) }),
        []
    );
    let said = centre.tell(RouterMessage::RemoveAgent(agent_id(1)));
    assert_eq!(said.proposals, [(1, 2)], "removed");
    let unknown = Work { preferred: Some(Box::new(prefer(7, at(60)))), ..work(3) };
    centre.release(1, 2);
    assert_eq!(centre.enqueue(unknown), [(3, 2)], "never there");
}

#[test]
fn prefer_does_not_wait_for_who_declined() {
    let mut centre = Centre::new();
    centre.put(agent(1));
    centre.put(agent(2));
    let declined = vec![declined(1, at(60), at(30))];
    let waiting = Work { preferred: Some(Box::new(prefer(1, at(600)))), declined, ..work(1) };
    assert_eq!(centre.enqueue(waiting), [(1, 2)]);
}

#[test]
fn it_waits_again_when_the_preferred_one_comes_back() {
    let mut centre = Centre::new();
    centre.put(AgentReport { presence: Presence::Away, external_units: 1, ..agent(1) });
    assert_eq!(
        centre.enqueue(Work { preferred: Some(Box::new(prefer(1, at(60)))), ..work(1) }),
        []
    );
    centre.put(AgentReport { external_units: 1, ..agent(1) });
    assert_eq!(centre.put(agent(2)), []);
    assert_eq!(centre.wake_at(at(60)), [(1, 2)]);
}

#[test]
fn require_waits_wherever_they_are_and_then_for_anybody() {
    let mut centre = Centre::new();
    centre.put(AgentReport { presence: Presence::Offline, connected: false, ..agent(1) });
    centre.put(agent(2));
    assert_eq!(centre.enqueue(required(1, Fallback::Anyone, at(1_800))), []);
    assert_eq!(centre.wake_at(at(1_799)), []);
    assert_eq!(centre.wake_at(at(1_800)), [(1, 2)]);
}

#[test]
fn require_does_not_wait_for_one_removed_from_the_queue() {
    let mut centre = centre();
    assert_eq!(centre.enqueue(required(1, Fallback::Anyone, at(1_800))), []);
    assert_eq!(centre.put(agent_with(1, |settings| settings.queues.clear())), [(1, 2)]);
}

#[test]
fn require_without_fallback_waits_for_good_and_says_so_when_in_vain() {
    let mut centre = centre();
    let waiting = required(1, Fallback::None, at(60));
    let said = centre.tell(RouterMessage::Enqueue(Box::new(waiting)));
    assert_eq!((said.proposals, said.unroutable), (vec![], vec![]));
    assert_eq!(centre.wake_at(at(100_000)), []);
    let gone = agent_with(1, |settings| settings.queues.clear());
    let said = centre.tell(RouterMessage::PutAgent(Box::new(gone)));
    assert_eq!(said.proposals, []);
    assert_eq!(said.unroutable, [(1, Some(Unroutable::RequiredAgent))]);
    let said = centre.tell(RouterMessage::PutAgent(Box::new(agent(1))));
    assert_eq!(said.unroutable, [(1, None)]);
    assert_eq!(centre.release(9, 1), [(1, 1)]);
}

#[test]
fn a_required_agent_is_alone_and_cools_down_for_half_the_time() {
    let mut centre = Centre::new();
    centre.put(agent(1));
    centre.put(agent(2));
    let declined = vec![declined(1, at(60), at(30))];
    let waiting = Work { declined, ..required(1, Fallback::Anyone, at(1_800)) };
    assert_eq!(centre.enqueue(waiting), []);
    assert_eq!(centre.wake_at(at(30)), [(1, 1)]);
}
