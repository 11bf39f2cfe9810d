//! Which work, and which agent.

use super::*;
use crate::domain::policy::Strategy;

/// Everything waits, then agent 0 comes; the order in which it is taken, one at a time.
fn order_of(centre: &mut Centre, waiting: Vec<Work>, report: &AgentReport) -> Vec<u32> {
    for one in waiting {
        assert_eq!(centre.enqueue(one), [], "nobody is there");
    }
    let mut order = Vec::new();
    let mut proposals = centre.put(report.clone());
    while let [(number, 0)] = proposals[..] {
        order.push(number);
        proposals = centre.release(number, 0);
    }
    order
}

/// Everybody is there, then the work comes; the order in which they take equal work.
fn takers(centre: &mut Centre, reports: Vec<AgentReport>, template: &Work) -> Vec<u32> {
    for report in reports {
        assert_eq!(centre.put(report), [], "nothing waits");
    }
    let mut order = Vec::new();
    for number in 0.. {
        let one = Work { id: callback(number), ..template.clone() };
        match centre.enqueue(one)[..] {
            [(_, agent)] => order.push(agent),
            _ => return order,
        }
    }
    unreachable!("there are few agents")
}

#[test]
fn the_smallest_rank_goes_first_and_ties_by_id() {
    let ranked = |number, rank| Work { rank: Rank(rank), ..work(number) };
    let waiting = vec![ranked(1, 5), ranked(4, -5), ranked(3, -5), ranked(2, 0)];
    assert_eq!(order_of(&mut Centre::new(), waiting, &agent(0)), [3, 4, 2, 1]);
}

#[test]
fn the_lowest_preference_goes_before_the_rank_over_all_queues() {
    let mut centre = Centre::new();
    centre.tell(RouterMessage::PutQueue(queue_with(QueueSettings::new(queue_id(1)), None)));
    let report = agent_with(0, |settings| {
        settings.queues[0].preference = 2;
        settings.queues.push(Membership { queue: queue_id(1), preference: 1 });
        settings.skills = skills(&[("french", 3, 3)]);
    });
    let french = requirements(vec![require("french", 1, true, None)]);
    let optional = requirements(vec![require("french", 1, false, None)]);
    let second = |number| Work { queue: queue_id(1), rank: Rank(9), ..work(number) };
    let waiting = vec![
        work(1),
        second(2),
        // The pair's preference is the largest of membership and mandatory skills.
        Work { requirements: french, ..second(3) },
        Work { requirements: optional, ..second(4) },
    ];
    assert_eq!(order_of(&mut centre, waiting, &report), [2, 4, 1, 3]);
}

#[test]
fn what_has_waited_long_counts_as_preference_1() {
    for (limit, now, order) in [(900, 899, [2, 1]), (900, 900, [1, 2]), (0, 100_000, [2, 1])] {
        let mut centre = Centre::with_queue(|settings| settings.preference_limit_seconds = limit);
        let mut other = QueueSettings::new(queue_id(1));
        other.preference_limit_seconds = 0;
        centre.tell(RouterMessage::PutQueue(queue_with(other, None)));
        centre.now = at(now);
        let report = agent_with(0, |settings| {
            settings.queues[0].preference = 9;
            settings.queues.push(Membership { queue: queue_id(1), preference: 1 });
        });
        let waiting = vec![work(1), Work { queue: queue_id(1), rank: Rank(1), ..work(2) }];
        assert_eq!(order_of(&mut centre, waiting, &report), order, "{limit} s, at {now} s");
    }
}

#[test]
fn a_promise_about_to_break_goes_first_and_the_earliest_before_the_others() {
    let promised =
        |number, seconds| Work { promise: Some(at(seconds)), rank: Rank(100), ..work(number) };
    for (now, order) in [
        (99, [1, 2, 3]),  // nothing within 300 s of breaking
        (100, [2, 1, 3]), // one is
        (250, [2, 3, 1]), // both are
        (900, [2, 3, 1]), // both are broken
    ] {
        let mut centre = Centre::new();
        centre.now = at(now);
        let waiting = vec![work(1), promised(2, 400), promised(3, 401)];
        assert_eq!(order_of(&mut centre, waiting, &agent(0)), order, "at {now} s");
    }
}

#[test]
fn the_lowest_preference_takes_it_then_who_meets_more_optional_requirements() {
    let membership = |number, preference| {
        agent_with(number, |settings| {
            settings.queues[0].preference = preference;
            settings.skills = skills(&[("french", number, 1)]);
        })
    };
    let template =
        Work { requirements: requirements(vec![require("french", 3, false, None)]), ..work(0) };
    let reports = vec![membership(1, 2), membership(2, 1), membership(3, 1), membership(4, 2)];
    assert_eq!(takers(&mut Centre::new(), reports.clone(), &template), [3, 2, 4, 1]);

    // What has waited long is preference 1 for everybody: only the skill tells them apart.
    let mut centre = Centre::new();
    centre.now = at(900);
    assert_eq!(takers(&mut centre, reports, &template), [3, 4, 1, 2]);
}

#[test]
fn each_strategy_breaks_ties_in_its_own_way() {
    let with = |number, idle, units, level| {
        let report = agent_with(number, |settings| {
            settings.capacity.units = units;
            settings.skills = skills(&[("french", level, 1)]);
        });
        AgentReport { idle_since: Timestamp(idle), ..report }
    };
    let reports =
        || vec![with(1, -10, 1, 2), with(2, -30, 2, 3), with(3, -20, 3, 5), with(4, -20, 1, 4)];
    let french =
        Work { requirements: requirements(vec![require("french", 2, true, None)]), ..work(0) };
    for (strategy, order) in [
        (Strategy::LongestIdle, vec![2, 2, 3, 3, 3, 4, 1]),
        (Strategy::MostCapacity, vec![3, 2, 3, 2, 3, 4, 1]),
        (Strategy::RoundRobin, vec![2, 3, 4, 1, 2, 3, 3]),
        (Strategy::BestSkilled, vec![3, 3, 3, 4, 2, 2, 1]),
    ] {
        let mut centre = Centre::with_queue(|settings| settings.strategy = strategy);
        assert_eq!(takers(&mut centre, reports(), &french), order, "{strategy:?}");
    }
}

#[test]
fn another_strategy_holds_from_the_next_decision_on() {
    let mut centre = Centre::new();
    centre.put(AgentReport { idle_since: Timestamp(-9), ..agent(1) });
    let report = agent_with(2, |settings| settings.capacity.units = 2);
    centre.put(AgentReport { idle_since: Timestamp(-5), ..report });
    let mut settings = QueueSettings::new(queue_id(0));
    settings.strategy = Strategy::MostCapacity;
    centre.tell(RouterMessage::PutQueue(queue_with(settings, None)));
    assert_eq!(centre.enqueue(work(1)), [(1, 2)]);
}

#[test]
fn mandatory_skills_must_be_held_at_the_level_asked_for() {
    let french = |level| Work {
        requirements: requirements(vec![require("french", level, true, None)]),
        ..work(level)
    };
    let mut centre = Centre::new();
    centre.put(agent_with(0, |settings| settings.skills = skills(&[("french", 3, 1)])));
    assert_eq!(centre.enqueue(french(4)), []);
    assert_eq!(centre.enqueue(french(3)), [(3, 0)]);
}

#[test]
fn nobody_is_given_what_another_queue_has() {
    let mut centre = Centre::new();
    centre.tell(RouterMessage::PutQueue(queue_with(QueueSettings::new(queue_id(1)), None)));
    centre.put(agent(0));
    assert_eq!(centre.enqueue(Work { queue: queue_id(1), ..work(1) }), []);
    assert_eq!(centre.enqueue(work(2)), [(2, 0)]);
}

#[test]
fn a_decline_bars_for_a_while_or_for_good_and_others_take_it() {
    let mut centre = Centre::new();
    centre.put(agent(1));
    centre.put(agent(2));
    let cooling = Work { declined: vec![declined(1, at(60), at(30))], ..work(1) };
    assert_eq!(centre.enqueue(cooling), [(1, 2)], "agent 1 would come first by id");
    let both = vec![declined(1, at(60), at(30)), barred(2)];
    centre.release(1, 2);
    // Agent 2 is barred, so nobody but agent 1 is eligible, and half the time is enough.
    assert_eq!(centre.enqueue(Work { declined: both, ..work(1) }), []);
    assert_eq!(centre.wake_at(at(29)), []);
    assert_eq!(centre.wake_at(at(30)), [(1, 1)]);
}

#[test]
fn the_halved_cool_down_is_for_those_who_are_alone() {
    let waiting = || Work { declined: vec![declined(1, at(60), at(30))], ..work(1) };
    // Somebody else is eligible, though away: the whole cool-down.
    let mut centre = Centre::new();
    centre.put(agent(1));
    centre.put(AgentReport { presence: Presence::Away, ..agent(2) });
    assert_eq!(centre.enqueue(waiting()), []);
    assert_eq!(centre.wake_at(at(30)), []);
    // The other one leaves: now half of it counts, and is over.
    let said = centre.tell(RouterMessage::RemoveAgent(agent_id(2)));
    assert_eq!(said.proposals, [(1, 1)]);

    let mut centre = Centre::new();
    centre.put(agent(1));
    centre.put(AgentReport { presence: Presence::Away, ..agent(2) });
    assert_eq!(centre.enqueue(waiting()), []);
    assert_eq!(centre.wake_at(at(60)), [(1, 1)]);
}

#[test]
fn a_freed_agent_passes_over_what_they_declined() {
    let mut centre = Centre::new();
    centre.put(agent(2));
    assert_eq!(centre.enqueue(work(9)), [(9, 2)]);
    let mine = Work { declined: vec![barred(1)], ..work(1) };
    assert_eq!(centre.enqueue(mine), []);
    assert_eq!(centre.enqueue(Work { rank: Rank(5), ..work(2) }), []);
    assert_eq!(centre.put(agent(1)), [(2, 1)]);
    assert_eq!(centre.release(9, 2), [(1, 2)]);
}

#[test]
fn nothing_of_a_paused_queue_is_proposed_and_all_of_it_after() {
    let mut centre = Centre::new();
    let paused = Paused { since: at(0), until: None, reason: None };
    let pause = |paused| queue_with(QueueSettings::new(queue_id(0)), paused);
    centre.tell(RouterMessage::PutQueue(pause(Some(paused))));
    centre.put(agent(1));
    centre.put(agent_with(2, |settings| settings.queues[0].preference = 2));
    for number in [3, 2, 1] {
        assert_eq!(centre.enqueue(work(number)), []);
    }
    assert_eq!(centre.put(agent(1)), []);
    let resumed = centre.tell(RouterMessage::PutQueue(pause(None)));
    assert_eq!(resumed.proposals, [(1, 1), (2, 2)], "in the order of the line");
}

#[test]
fn letters_of_different_senders_may_cross() {
    let mut centre = Centre { router: RouterMachine::new(RouterLimits::default()), now: at(0) };
    let said = centre.tell(RouterMessage::Enqueue(Box::new(work(1))));
    assert_eq!(said, Said::default(), "of a queue that isn't known nothing can be said");
    assert_eq!(centre.put(agent(1)), []);
    let queue = queue_with(QueueSettings::new(queue_id(0)), None);
    assert_eq!(centre.tell(RouterMessage::PutQueue(queue)).proposals, [(1, 1)]);
}

#[test]
fn what_is_asked_anew_replaces_what_was_asked_before() {
    let mut centre = Centre::new();
    centre.enqueue(Work { rank: Rank(5), ..work(1) });
    centre.enqueue(Work { rank: Rank(3), ..work(2) });
    centre.enqueue(Work { rank: Rank(1), ..work(1) });
    assert_eq!(centre.put(agent(0)), [(1, 0)]);
    assert_eq!(centre.enqueue(Work { rank: Rank(0), ..work(1) }), [], "it is reserved");
    assert_eq!(centre.release(1, 0), [(2, 0)]);
    assert_eq!(centre.release(2, 0), [], "callback 1 doesn't wait");
}

#[test]
fn what_is_withdrawn_waits_no_more() {
    let mut centre = Centre::new();
    centre.enqueue(work(1));
    centre.tell(RouterMessage::Withdraw(callback(1)));
    centre.tell(RouterMessage::Withdraw(callback(1)));
    assert_eq!(centre.put(agent(0)), []);
}
