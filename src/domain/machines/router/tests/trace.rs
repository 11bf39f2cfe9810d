//! Why a callback isn't assigned, in words.

use super::*;
use crate::domain::effect::Failed;

#[test]
fn each_agent_is_told_by_the_first_test_that_they_fail() {
    let mut centre = Centre::new();
    let french =
        |number| agent_with(number, |settings| settings.skills = skills(&[("french", 3, 1)]));
    // Each fails one test more than the next one.
    centre.put(agent_with(1, |settings| settings.skills = skills(&[("french", 2, 1)])));
    centre.put(AgentReport { presence: Presence::Offline, connected: false, ..french(2) });
    centre.put(AgentReport { presence: Presence::Offline, connected: false, ..french(3) });
    centre.put(AgentReport { presence: Presence::Away, connected: false, ..french(4) });
    centre.put(AgentReport { connected: false, external_units: 1, ..french(5) });
    centre.put(AgentReport { external_units: 1, ..french(6) });
    centre.put(french(7));
    centre.put(french(8));
    centre.put(agent_with(9, |settings| settings.queues.clear()));
    let waiting = Work {
        requirements: requirements(vec![require("french", 3, true, None)]),
        preferred: Some(Box::new(wish(6, PreferMode::Require, Fallback::Anyone, at(90)))),
        declined: vec![
            barred(2),
            declined(6, at(45), at(45)),
            declined(7, Timestamp(44_001), at(30)),
        ],
        ..work(1)
    };
    let trace = centre.trace(waiting.clone());
    let rows: Vec<_> = trace
        .candidates
        .iter()
        .map(|row| (row.agent.as_str(), row.failed, row.detail.as_str()))
        .collect();
    let expected = [
        ("agent-1", Some(Failed::MissingSkill), "needs french at level 3, has 2"),
        ("agent-2", Some(Failed::Barred), "declined it with a reason that bars them for good"),
        ("agent-3", Some(Failed::Offline), "is offline"),
        ("agent-4", Some(Failed::Away), "is away"),
        ("agent-5", Some(Failed::NotConnected), "has no session"),
        ("agent-6", Some(Failed::AtCapacity), "needs 1 free, uses 1 of 1 units"),
        ("agent-7", Some(Failed::Cooldown), "declined it, is offered it again in 45 s"),
        ("agent-8", Some(Failed::ReservedForPreferred), "it waits for agent-6"),
    ];
    assert_eq!(rows, expected);
    let changes: Vec<_> = trace.would_change.iter().map(String::as_str).collect();
    let expected = [
        "agent-6 can take it, or the wait for them ends in 90 s.",
        "agent-7's cool-down ends in 45 s.",
        "agent-6 has room again.",
        "agent-5 connects.",
        "agent-4 becomes available.",
        "agent-3 becomes available.",
        "agent-1 is given the skills asked for.",
    ];
    assert_eq!(changes, expected);
    assert_eq!(centre.put(french(8)), [], "asking changes nothing");

    let other = Work { preferred: Some(Box::new(prefer(9, at(90)))), ..waiting };
    let trace = centre.trace(other);
    let last = trace.candidates.last().expect("nine");
    assert_eq!((last.failed, &*last.detail), (Some(Failed::NotInQueue), "doesn't serve queue-0"));
}

#[test]
fn where_it_waits_for_one_alone_others_change_nothing() {
    let mut centre = Centre::new();
    for number in 1..=2 {
        centre.put(AgentReport { presence: Presence::Offline, ..agent(number) });
    }
    let alone = wish(2, PreferMode::Require, Fallback::None, Timestamp::NEVER);
    let trace = centre.trace(Work { preferred: Some(Box::new(alone)), ..work(1) });
    assert_eq!(
        trace.would_change,
        ["agent-2 can take it; it waits for nobody else.", "agent-2 becomes available."]
    );
}

#[test]
fn an_eligible_agent_fails_nothing_and_a_pause_is_told() {
    let mut centre = Centre::new();
    let paused = Paused { since: at(0), until: None, reason: None };
    let queue = queue_with(QueueSettings::new(queue_id(0)), Some(paused));
    centre.tell(RouterMessage::PutQueue(queue));
    centre.put(agent(1));
    let trace = centre.trace(work(1));
    assert_eq!(trace.candidates[0].failed, None);
    assert_eq!(trace.would_change, ["Offers of queue-0 are resumed."]);
}

#[test]
fn who_has_it_is_told_so() {
    let mut centre = Centre::new();
    centre.put(agent(1));
    assert_eq!(centre.enqueue(work(1)), [(1, 1)]);
    let trace = centre.trace(work(1));
    let row = &trace.candidates[0];
    assert_eq!((row.failed, &*row.detail), (None, "is offered it, or has it"));
    assert_eq!(trace.would_change, Vec::<String>::new());
}

#[test]
fn without_agents_the_queue_needs_one_and_requirements_may_expire() {
    let mut centre = Centre::new();
    let list = vec![require("french", 1, true, Some(75))];
    let trace = centre.trace(Work { requirements: requirements(list), ..work(1) });
    assert_eq!(trace.candidates, []);
    assert_eq!(
        trace.would_change,
        ["A requirement expires in 75 s.", "An agent is added to queue-0."]
    );
}

#[test]
fn many_agents_are_cut_off_but_the_preferred_one_is_told_of() {
    let limits = RouterLimits { max_candidates: 3, ..RouterLimits::default() };
    let mut centre = Centre::with_limits(limits, |_| {});
    for number in 1..=5 {
        centre.put(AgentReport { presence: Presence::Away, ..agent(number) });
    }
    let names = |trace: &Trace| -> Vec<_> {
        trace.candidates.iter().map(|row| row.agent.to_string()).collect()
    };
    assert_eq!(names(&centre.trace(work(1))), ["agent-1", "agent-2", "agent-3"]);
    let trace = centre.trace(Work { preferred: Some(Box::new(prefer(5, at(9)))), ..work(1) });
    assert_eq!(names(&trace), ["agent-1", "agent-2", "agent-5"]);
    let changes = "One of 3 agents becomes available: agent-1, agent-2, agent-5.";
    assert_eq!(trace.would_change, [changes]);
}
