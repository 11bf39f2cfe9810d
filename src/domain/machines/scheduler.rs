//! The scheduler: who is to be woken when, on one ordered queue with one alarm.
//!
//! Two kinds of time stand here. Timers of live machines, all of them; and of the dormant
//! callbacks the window: those that wake first, read from the store's due order as time goes on.
//! A timer is a hint: whoever is woken looks at its record. It must never read a callback.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::effect::{Effect, StepOutput};
use crate::domain::ids::CallbackId;
use crate::domain::message::{
    AgentMessage, CallbackMessage, Letter, Machine, QueueMessage, RouterMessage, SchedulerMessage,
};
use crate::domain::time::{Now, Span, Timestamp};

/// How much of the due order is kept in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowLimits {
    /// At most so many callbacks.
    pub items: usize,
    /// At most so far ahead.
    pub span: Span,
}

/// The machine of the one scheduler.
#[derive(Debug, Clone)]
pub struct SchedulerMachine {
    limits: WindowLimits,
    wall: BTreeSet<(Timestamp, Whose)>,
    steady: BTreeSet<(Timestamp, Whose)>,
    /// By the wall clock and by the steady one; `NEVER` where none is set.
    timers: BTreeMap<Whose, (Timestamp, Timestamp)>,
    /// The window: dormant callbacks by when they wake.
    window: BTreeSet<Edge>,
    wakes: BTreeMap<CallbackId, Timestamp>,
    /// Everything dormant that wakes up to here (inclusive) is in the window.
    end: Edge,
    /// The read that is under way.
    reading: Option<Reading>,
    /// Reads begun so far.
    reads: u64,
    /// Who said something since the read began: the read may show them as they were.
    moved: BTreeSet<CallbackId>,
    told: (Option<Timestamp>, Option<Timestamp>),
}

/// Whose timer it is. Nearly all are callbacks', of which each that waits in line has one: what has
/// a longer name stands in a box, so that they take no more than they need.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    Callback(CallbackId),
    Other(Box<Machine>),
}

impl From<Machine> for Whose {
    fn from(machine: Machine) -> Self {
        match machine {
            Machine::Callback(id) => Self::Callback(id),
            other => Self::Other(Box::new(other)),
        }
    }
}

impl From<Whose> for Machine {
    fn from(whose: Whose) -> Self {
        match whose {
            Whose::Callback(id) => Self::Callback(id),
            Whose::Other(machine) => *machine,
        }
    }
}

/// A place in the due order.
type Edge = (Timestamp, CallbackId);

/// A read of the due order. One that is given up is answered all the same, later than the next one
/// may have begun, and would be taken for that without its number.
#[derive(Debug, Clone, Copy)]
struct Reading {
    number: u64,
    /// Up to here.
    until: Edge,
}

/// So many timers fire in one step; the alarm for the rest has come already, so that the next step
/// follows at once, and others get their turn in between.
const FIRED_AT_ONCE: usize = 1_000;

/// Past every callback of an instant.
const LAST: CallbackId = CallbackId(u128::MAX);

impl SchedulerMachine {
    /// Nothing scheduled; the first `Tick` reads the window.
    pub fn new(limits: WindowLimits) -> Self {
        Self {
            limits,
            wall: BTreeSet::new(),
            steady: BTreeSet::new(),
            timers: BTreeMap::new(),
            window: BTreeSet::new(),
            wakes: BTreeMap::new(),
            end: (Timestamp(i64::MIN), CallbackId(0)),
            reading: None,
            reads: 0,
            moved: BTreeSet::new(),
            told: (None, None),
        }
    }

    /// Takes one message.
    pub fn step(&mut self, now: &Now, message: SchedulerMessage, out: &mut StepOutput) {
        match message {
            SchedulerMessage::SetTimer { machine, wall, steady } => {
                self.set_timer(&machine.into(), wall, steady);
            }
            SchedulerMessage::Slept { callback, at } => self.slept(callback, at),
            SchedulerMessage::Roused { callback } => self.forget(callback),
            SchedulerMessage::Window { read, items, more } => {
                self.take_window(read, &items, more);
            }
            SchedulerMessage::Tick { permits } => self.tick(now, permits, out),
        }
        self.set_alarm(now, out);
    }

    fn set_timer(&mut self, machine: &Whose, wall: Option<Timestamp>, steady: Option<Timestamp>) {
        let times = [wall, steady].map(|at| at.unwrap_or(Timestamp::NEVER));
        let old = match times {
            [Timestamp::NEVER, Timestamp::NEVER] => self.timers.remove(machine),
            [wall, steady] => self.timers.insert(machine.clone(), (wall, steady)),
        };
        let (old_wall, old_steady) = old.unwrap_or((Timestamp::NEVER, Timestamp::NEVER));
        let clocks = [(&mut self.wall, old_wall), (&mut self.steady, old_steady)];
        for ((due, old), new) in clocks.into_iter().zip(times) {
            if old < Timestamp::NEVER {
                due.remove(&(old, machine.clone()));
            }
            if new < Timestamp::NEVER {
                due.insert((new, machine.clone()));
            }
        }
    }

    fn slept(&mut self, callback: CallbackId, at: Timestamp) {
        self.forget(callback);
        let edge = (at, callback);
        let covered = self.reading.map_or(self.end, |reading| reading.until.max(self.end));
        if edge <= covered {
            self.window.insert(edge);
            self.wakes.insert(callback, at);
            self.trim();
        }
    }

    fn forget(&mut self, callback: CallbackId) {
        if self.reading.is_some() {
            self.moved.insert(callback);
        }
        if let Some(at) = self.wakes.remove(&callback) {
            self.window.remove(&(at, callback));
        }
    }

    /// Too many: the tail drops out, and the window's end moves back to before it. A read under
    /// way would fill in what lies behind, so it is given up and begun again when there is room.
    fn trim(&mut self) {
        while self.window.len() > self.limits.items {
            let Some(edge) = self.window.pop_last() else { return };
            self.wakes.remove(&edge.1);
            self.end = self.end.min((edge.0, CallbackId(edge.1.0.saturating_sub(1))));
            self.reading = None;
            self.moved.clear();
        }
    }

    fn take_window(&mut self, read: u64, items: &[Edge], more: bool) {
        let Some(Reading { until, .. }) = self.reading.take_if(|one| one.number == read) else {
            return;
        };
        self.end = match items.last() {
            Some(last) if more => *last,
            Some(_) | None => until,
        };
        let moved = std::mem::take(&mut self.moved);
        for edge in items.iter().filter(|edge| !moved.contains(&edge.1)) {
            self.window.insert(*edge);
            self.wakes.insert(edge.1, edge.0);
        }
        self.trim();
    }

    fn tick(&mut self, now: &Now, permits: usize, out: &mut StepOutput) {
        for _ in 0..FIRED_AT_ONCE {
            let due = |first: Option<&(Timestamp, Whose)>, time: Timestamp| {
                first.filter(|(at, _)| *at <= time).map(|(_, machine)| machine.clone())
            };
            let first = due(self.wall.first(), now.wall);
            let Some(machine) = first.or_else(|| due(self.steady.first(), now.steady)) else {
                break;
            };
            self.fire(machine, out);
        }
        for _ in 0..permits {
            let Some(edge) = self.window.first().copied().filter(|edge| edge.0 <= now.wall) else {
                break;
            };
            self.window.remove(&edge);
            self.wakes.remove(&edge.1);
            out.send(Letter::Callback(edge.1, CallbackMessage::Wake));
        }
        self.read_on(now, out);
    }

    /// Wakes a machine. Both its timers are over: it sets anew what it still needs.
    fn fire(&mut self, whose: Whose, out: &mut StepOutput) {
        self.set_timer(&whose, None, None);
        out.send(match whose.into() {
            Machine::Callback(id) => Letter::Callback(id, CallbackMessage::Wake),
            Machine::Agent(id) => Letter::Agent(id, AgentMessage::Wake),
            Machine::Queue(id) => Letter::Queue(id, QueueMessage::Wake),
            Machine::Router => Letter::Router(RouterMessage::Wake),
            Machine::Scheduler => unreachable!("the scheduler sets no timer of its own"),
        });
    }

    /// Reads on once the window is half used up, in time and in number.
    fn read_on(&mut self, now: &Now, out: &mut StepOutput) {
        if self.reading.is_some() || self.read_at().is_none_or(|at| at > now.wall) {
            return;
        }
        let until = now.wall + self.limits.span;
        self.reads += 1;
        self.reading = Some(Reading { number: self.reads, until: (until, LAST) });
        out.effects.push(Effect::ReadDue {
            read: self.reads,
            after: Some(self.end),
            until,
            limit: self.limits.items - self.window.len(),
        });
    }

    /// When the window is to be read on; none while it is more than half full, since it is looked
    /// at again whenever some of it has fired.
    fn read_at(&self) -> Option<Timestamp> {
        let half = Span(self.limits.span.0 / 2);
        (self.window.len() <= self.limits.items / 2).then(|| self.end.0 - half)
    }

    fn set_alarm(&mut self, now: &Now, out: &mut StepOutput) {
        let read_at = if self.reading.is_some() { None } else { self.read_at() };
        let timer = self.wall.first().map(|(at, _)| *at);
        let dormant = self.window.first().map(|edge| edge.0);
        let wall = [timer, dormant, read_at].into_iter().flatten().min();
        let steady = self.steady.first().map(|(at, _)| *at);
        let has_come =
            wall.is_some_and(|at| at <= now.wall) || steady.is_some_and(|at| at <= now.steady);
        if self.told != (wall, steady) || has_come {
            self.told = (wall, steady);
            out.effects.push(Effect::SetAlarm { wall, steady });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{AgentId, Fresh};

    fn now(at: i64) -> Now {
        Now { wall: Timestamp(at), steady: Timestamp(at), fresh: Fresh(0) }
    }

    fn machine(items: usize) -> SchedulerMachine {
        SchedulerMachine::new(WindowLimits { items, span: Span::seconds(300) })
    }

    fn run(machine: &mut SchedulerMachine, at: i64, message: SchedulerMessage) -> Vec<Effect> {
        let mut out = StepOutput::default();
        machine.step(&now(at), message, &mut out);
        out.effects
    }

    fn woken(effects: &[Effect]) -> Vec<u128> {
        let one = |effect: &Effect| match effect {
            Effect::Send(Letter::Callback(id, CallbackMessage::Wake)) => Some(id.0),
            _ => None,
        };
        effects.iter().filter_map(one).collect()
    }

    fn slept(id: u128, at: i64) -> SchedulerMessage {
        SchedulerMessage::Slept { callback: CallbackId(id), at: Timestamp(at) }
    }

    /// The answer of the read that was begun last.
    fn found(machine: &mut SchedulerMachine, at: i64, items: &[(i64, u128)], more: bool) {
        let read = machine.reads;
        run(machine, at, window(read, items, more));
    }

    fn window(read: u64, items: &[(i64, u128)], more: bool) -> SchedulerMessage {
        let items = items.iter().map(|(at, id)| (Timestamp(*at), CallbackId(*id))).collect();
        SchedulerMessage::Window { read, items, more }
    }

    const TICK: SchedulerMessage = SchedulerMessage::Tick { permits: 10 };

    #[test]
    fn the_first_tick_reads_the_window_and_what_is_due_fires_in_order() {
        let mut machine = machine(10);
        let effects = run(&mut machine, 1_000, TICK);
        assert!(effects.iter().any(|effect| matches!(
            effect,
            Effect::ReadDue { until: Timestamp(301_000), limit: 10, .. }
        )));
        found(&mut machine, 1_000, &[(900, 1), (2_000, 2)], false);
        assert_eq!(woken(&run(&mut machine, 1_500, TICK)), [1]);
        assert_eq!(woken(&run(&mut machine, 2_000, TICK)), [2]);
        assert_eq!(woken(&run(&mut machine, 3_000, TICK)), [0_u128; 0]);
    }

    #[test]
    fn what_moves_while_the_window_is_read_keeps_its_new_place() {
        let mut machine = machine(10);
        run(&mut machine, 0, TICK);
        run(&mut machine, 0, slept(1, 200_000));
        run(&mut machine, 0, SchedulerMessage::Roused { callback: CallbackId(2) });
        found(&mut machine, 0, &[(10, 1), (20, 2), (30, 3)], false);
        assert_eq!(woken(&run(&mut machine, 50, TICK)), [3]);
        assert_eq!(woken(&run(&mut machine, 200_000, TICK)), [1]);
    }

    #[test]
    fn a_full_window_drops_its_tail_and_reads_it_again() {
        let mut machine = machine(4);
        run(&mut machine, 0, TICK);
        found(&mut machine, 0, &[(10, 1), (20, 2), (30, 3), (40, 4)], true);
        run(&mut machine, 0, slept(5, 15));
        assert_eq!(woken(&run(&mut machine, 30, TICK)), [1, 5, 2, 3]);
        let effects = run(&mut machine, 30, TICK);
        let reread = effects.iter().any(|effect| {
            matches!(effect, Effect::ReadDue { after: Some((Timestamp(40), CallbackId(3))), .. })
        });
        assert!(reread || machine.reading.is_some(), "{effects:?}");
        found(&mut machine, 30, &[(40, 4)], false);
        assert_eq!(woken(&run(&mut machine, 40, TICK)), [4]);
    }

    #[test]
    fn the_answer_of_a_read_that_was_given_up_is_not_the_next_ones() {
        let mut machine = machine(2);
        run(&mut machine, 0, TICK);
        for (id, at) in [(1, 10), (2, 20), (3, 30)] {
            run(&mut machine, 0, slept(id, at));
        }
        assert!(machine.reading.is_none(), "there was no room for the third");
        assert_eq!(woken(&run(&mut machine, 20, TICK)), [1, 2]);
        assert_eq!(machine.reads, 2, "it is read again");
        run(&mut machine, 20, window(1, &[], false));
        run(&mut machine, 20, window(2, &[(30, 3)], false));
        assert_eq!(woken(&run(&mut machine, 30, TICK)), [3]);
    }

    #[test]
    fn of_a_flood_of_timers_some_fire_at_once_and_the_others_next() {
        let mut machine = machine(10);
        let count = FIRED_AT_ONCE as u128 + 1;
        for id in 0..count {
            let whose = Machine::Callback(CallbackId(id));
            let steady = Some(Timestamp(5));
            let timer = SchedulerMessage::SetTimer { machine: whose, wall: None, steady };
            run(&mut machine, 0, timer);
        }
        let effects = run(&mut machine, 5, TICK);
        assert_eq!(woken(&effects).len(), FIRED_AT_ONCE);
        let alarm = effects.last();
        assert!(matches!(alarm, Some(Effect::SetAlarm { steady: Some(Timestamp(5)), .. })));
        assert_eq!(woken(&run(&mut machine, 5, TICK)), [count - 1]);
    }

    #[test]
    fn no_more_fire_than_there_are_permits_and_the_alarm_stays_due() {
        let mut machine = machine(10);
        run(&mut machine, 0, TICK);
        found(&mut machine, 0, &[(1, 1), (2, 2), (3, 3)], false);
        let effects = run(&mut machine, 5, SchedulerMessage::Tick { permits: 2 });
        assert_eq!(woken(&effects), [1, 2]);
        assert!(
            effects
                .iter()
                .any(|effect| matches!(effect, Effect::SetAlarm { wall: Some(Timestamp(3)), .. }))
        );
        assert_eq!(woken(&run(&mut machine, 5, SchedulerMessage::Tick { permits: 2 })), [3]);
    }

    #[test]
    fn a_callbacks_timer_takes_no_more_than_its_id_and_a_word() {
        assert_eq!(size_of::<Whose>(), 24);
        for machine in [Machine::Callback(CallbackId(1)), Machine::Router] {
            assert_eq!(Machine::from(Whose::from(machine.clone())), machine);
        }
    }

    #[test]
    fn timers_follow_their_own_clock_and_are_replaced() {
        let mut machine = machine(10);
        let agent = Machine::Agent(AgentId::parse("mara").expect("an id"));
        let set = |wall: Option<i64>, steady: Option<i64>| SchedulerMessage::SetTimer {
            machine: agent.clone(),
            wall: wall.map(Timestamp),
            steady: steady.map(Timestamp),
        };
        let fires = |machine: &mut SchedulerMachine, wall: i64, steady: i64| {
            let mut out = StepOutput::default();
            let at = Now { wall: Timestamp(wall), steady: Timestamp(steady), fresh: Fresh(0) };
            machine.step(&at, TICK, &mut out);
            out.effects.iter().filter(|one| matches!(one, Effect::Send(Letter::Agent(..)))).count()
        };
        run(&mut machine, 0, set(Some(100), None));
        run(&mut machine, 0, set(None, Some(50)));
        assert_eq!(fires(&mut machine, 1_000, 49), 0, "replaced, and the wall clock jumped");
        assert_eq!(fires(&mut machine, 0, 50), 1);
        assert_eq!(fires(&mut machine, 2_000, 2_000), 0, "once");
    }
}
