//! Much at once: what falls due together is decided together, and scarcity breaks the ties.

use super::*;
use crate::domain::machines::router::{MANY, MOST_GATHERED};

/// A repeatable source of numbers (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((word >> 33) % u64::from(below)).expect("smaller than `below`")
    }
}

const SKILLS: [&str; 6] = ["cards", "claims", "funds", "loans", "phone", "taxes"];

/// 50 agents with two of the six skills each, idle for different times.
fn crowd(dice: &mut Dice) -> Centre {
    let mut centre = Centre::new();
    for number in 0..50 {
        let first = dice.roll(6);
        let second = (first + 1 + dice.roll(5)) % 6;
        let held = [first, second].map(|skill| (SKILLS[skill as usize], 3, 1));
        let mut report = agent_with(number, |settings| settings.skills = skills(&held));
        report.idle_since = Timestamp(-1_000 * i64::from(dice.roll(3_600)));
        centre.put(report);
    }
    centre
}

/// 50 callbacks that ask for one of the six skills each.
fn asked(dice: &mut Dice) -> Vec<Work> {
    let one = |number| {
        let list = vec![require(SKILLS[dice.roll(6) as usize], 1, true, None)];
        Work { requirements: requirements(list), rank: Rank(i64::from(number)), ..work(number) }
    };
    (0..50).map(one).collect()
}

const ROUNDS: u32 = 100;

fn mean(mut filled: impl FnMut(&mut Dice) -> usize) -> f64 {
    let mut dice = Dice(50);
    let all: usize = (0..ROUNDS).map(|_| filled(&mut dice)).sum();
    f64::from(u32::try_from(all).expect("small")) / f64::from(ROUNDS)
}

/// One after another they take whoever has been idle longest, and leave those who come later
/// without the few who could have done theirs.
#[test]
fn one_by_one_some_find_nobody() {
    let filled = mean(|dice| {
        let mut centre = crowd(dice);
        asked(dice).into_iter().map(|work| centre.enqueue(work).len()).sum()
    });
    assert!(filled < 48.5, "{filled}");
}

#[test]
fn due_at_once_nearly_all_find_somebody() {
    let filled = mean(|dice| {
        let mut centre = crowd(dice);
        for work in asked(dice) {
            assert_eq!(centre.enqueue(Work { gathers: true, ..work }), []);
        }
        centre.wake_at(Timestamp(0) + RouterMachine::GATHER).len()
    });
    assert!(filled >= 49.5, "{filled}");
}

#[test]
fn a_queue_that_goes_on_has_its_agents_taken_as_well() {
    let filled = mean(|dice| {
        let mut centre = crowd(dice);
        let settings = || QueueSettings::new(queue_id(0));
        let paused = Paused { since: centre.now, until: None, reason: None };
        let pause = RouterMessage::PutQueue(queue_with(settings(), Some(paused)));
        centre.tell(pause);
        for work in asked(dice) {
            assert_eq!(centre.enqueue(work), []);
        }
        centre.tell(RouterMessage::PutQueue(queue_with(settings(), None))).proposals.len()
    });
    assert!(filled >= 49.5, "{filled}");
}

#[test]
fn what_falls_due_is_decided_a_moment_later_and_by_rank() {
    let mut centre = Centre::new();
    centre.put(agent(1));
    let due = |number, rank| Work { gathers: true, rank: Rank(rank), ..work(number) };
    let said = centre.tell(RouterMessage::Enqueue(Box::new(due(1, 5))));
    let decided = Timestamp(0) + RouterMachine::GATHER;
    assert_eq!((said.proposals, said.timers), (vec![], vec![Some(decided)]));
    assert_eq!(centre.enqueue(due(2, 4)), []);
    assert_eq!(centre.wake_at(decided - Span::millis(1)), []);
    assert_eq!(centre.wake_at(decided), [(2, 1)]);
    assert_eq!(centre.release(2, 1), [(1, 1)]);
}

#[test]
fn who_is_freed_meanwhile_takes_what_is_gathered() {
    let mut centre = Centre::new();
    centre.put(agent(1));
    centre.enqueue(Work { gathers: true, ..work(1) });
    assert_eq!(centre.put(agent(2)), [(1, 2)]);
    assert_eq!(centre.wake_at(at(1)), [], "it is taken");
}

#[test]
fn what_is_withdrawn_or_asked_anew_is_gathered_no_more() {
    let mut centre = Centre::new();
    centre.put(agent(1));
    centre.put(agent(2));
    centre.enqueue(Work { gathers: true, ..work(1) });
    centre.tell(RouterMessage::Withdraw(callback(1)));
    centre.enqueue(Work { gathers: true, ..work(2) });
    assert_eq!(centre.enqueue(work(2)), [(2, 1)], "asked anew it is decided at once");
    assert_eq!(centre.wake_at(at(1)), []);
}

#[test]
fn in_a_burst_preference_and_preferred_agents_come_first_as_ever() {
    let mut centre = Centre::new();
    let count = u32::try_from(MANY).expect("small");
    for number in 0..count + 5 {
        let preference = if number < 5 { 1 } else { 2 };
        centre.put(agent_with(number, |settings| settings.queues[0].preference = preference));
    }
    for number in 0..count {
        let preferred = (number == 3).then(|| Box::new(prefer(7, at(60))));
        centre.enqueue(Work { gathers: true, preferred, rank: Rank(0), ..work(number) });
    }
    let taken = centre.wake_at(at(1));
    assert_eq!(taken.len(), MANY);
    assert!(taken.contains(&(3, 7)), "{taken:?}");
    let first: Vec<u32> = taken.iter().take(6).map(|(_, agent)| *agent).collect();
    assert!(first.iter().filter(|agent| **agent < 5).count() == 5, "{taken:?}");
}

#[test]
fn of_a_flood_so_many_are_decided_at_once() {
    let mut centre = Centre::new();
    centre.put(agent(1));
    let most = u32::try_from(MOST_GATHERED).expect("small");
    let due = |number| Work { gathers: true, ..work(number) };
    for number in 1..most {
        assert_eq!(centre.enqueue(due(number)), []);
    }
    assert_eq!(centre.enqueue(due(most)), [(1, 1)], "the last that is gathered");
}
