//! Room that an agent keeps for what is larger.
//!
//! A callback of several units would never find room while smaller work takes each unit as it is
//! given back. So what presses (it has waited for the queue's preference limit, or its promise is
//! about to break) holds back smaller work that comes after it and would be in its way, at each
//! agent who fits it and whose callbacks leave it no room: they end, so the room comes. Work
//! elsewhere may last for ever; where that is in the way nothing is held back. What has time lets
//! smaller work pass, so that no unit lies idle for it.
//!
//! Separate from `choosing`, because holding back ends without anything happening to the agent:
//! whoever may have kept room for what leaves its line is noted here, and given work by the router.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::lines::Turn;
use super::{AgentState, Filing, Matching, No, QueueState, Waiting};
use crate::domain::ids::{AgentId, QueueId};
use crate::domain::policy::Medium;
use crate::domain::time::Timestamp;

/// What there is to hold back, and for what.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// How many wait that press and take several units.
    pressing: usize,
    /// How many wait, by size.
    sizes: BTreeMap<u32, usize>,
    /// Raised when any agent may begin or cease to keep room without being changed themselves.
    generation: u64,
    /// Agents who may have kept room for what has left its line, the longest idle first.
    freed: BTreeSet<(Timestamp, AgentId)>,
}

/// One for which an agent keeps room.
#[derive(Debug, PartialEq, Eq)]
struct Larger {
    medium: Medium,
    size: u32,
    turn: Turn,
}

/// For what an agent keeps room: of each line that they serve the first that presses and finds
/// none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kept {
    larger: Vec<Larger>,
    free_units: u32,
}

impl Kept {
    /// Whether work of that medium, size and turn would take room that is kept.
    pub(super) fn holds_back(&self, medium: Medium, size: u32, turn: &Turn) -> bool {
        self.larger.iter().any(|larger| {
            let is_in_the_way =
                medium == larger.medium || self.free_units.saturating_sub(size) < larger.size;
            size < larger.size && larger.turn < *turn && is_in_the_way
        })
    }
}

impl Waiting {
    /// Whether room is kept for it.
    pub(super) fn presses(&self) -> bool {
        self.work.size > 1 && (self.standing.urgent.is_some() || self.standing.aged)
    }
}

impl Matching {
    /// Counts what comes into a line.
    pub(super) fn count_in(&mut self, waiting: &Waiting) {
        *self.room.sizes.entry(waiting.work.size).or_default() += 1;
        if waiting.presses() {
            self.room.pressing += 1;
            self.room.generation += 1;
            let queue = &mut self.queues[waiting.queue];
            match waiting.filing {
                Filing::Signature(number) => {
                    self.signatures[number].pressing += 1;
                    queue.pressing.insert(number);
                }
                Filing::Overflow(_) => {
                    queue.pressing_overflow.insert(waiting.work.id);
                }
            }
        }
    }

    /// Counts what has left its line, and notes who may have kept room for it.
    pub(super) fn count_out(&mut self, waiting: &Waiting) {
        let size = waiting.work.size;
        let alike = self.room.sizes.get_mut(&size).expect("it was counted in");
        *alike -= 1;
        if *alike == 0 {
            self.room.sizes.remove(&size);
        }
        if !waiting.presses() {
            return;
        }
        self.room.pressing -= 1;
        self.room.generation += 1;
        let queue = &mut self.queues[waiting.queue];
        match waiting.filing {
            Filing::Signature(number) => {
                let signature = &mut self.signatures[number];
                signature.pressing -= 1;
                if signature.pressing == 0 {
                    queue.pressing.remove(&number);
                }
            }
            Filing::Overflow(_) => {
                queue.pressing_overflow.remove(&waiting.work.id);
            }
        }
        if self.room.sizes.first_key_value().is_some_and(|(smallest, _)| *smallest < size) {
            let only = waiting.waits_for;
            self.note_freed(waiting.queue, |no, agent| {
                only.is_none_or(|only| only == no) && !agent.has_room(waiting.work.medium, size)
            });
        }
    }

    /// Notes who may have kept room for what waits in a queue, when its offers are paused. When
    /// it is removed all that waits there is filed anew, which notes them too.
    pub(crate) fn free_members(&mut self, queue: &QueueId) {
        if self.room.pressing > 0
            && let Some(queue) = self.queues.find(queue)
        {
            self.note_freed(queue, |_, _| true);
        }
    }

    fn note_freed(
        &mut self,
        queue: No<QueueState>,
        kept: impl Fn(No<AgentState>, &AgentState) -> bool,
    ) {
        for no in &self.queues[queue].members {
            let agent = &self.agents[*no];
            if agent.takes_work() && agent.free_units() > 0 && kept(*no, agent) {
                self.room.freed.insert((agent.idle_since(), agent.id.clone()));
            }
        }
    }

    /// An agent who may take what was held back from them, the longest idle first; each is told
    /// once.
    pub(crate) fn next_freed(&mut self) -> Option<AgentId> {
        self.room.freed.pop_first().map(|(_, agent)| agent)
    }

    /// Whether the agent keeps their room for what comes before this.
    pub(crate) fn keeps_room_from(&self, no: No<AgentState>, waiting: &Waiting) -> bool {
        let Some(kept) = self.kept(no) else { return false };
        let work = &waiting.work;
        self.fit(no, waiting.queue, &waiting.filing).is_some_and(|fit| {
            let turn = waiting.standing.turn(fit.preference);
            kept.holds_back(work.medium, work.size, &turn)
        })
    }

    /// The settings of some queue, or which there are, have changed.
    pub(super) fn queues_changed(&mut self) {
        self.room.generation += 1;
    }

    /// For what the agent keeps room, worked out once for as long as nothing changes; none where
    /// nothing presses anywhere.
    pub(super) fn kept(&self, no: No<AgentState>) -> Option<Rc<Kept>> {
        if self.room.pressing == 0 {
            return None;
        }
        let generation = self.room.generation;
        let mut found = self.agents[no].kept.borrow_mut();
        if let Some((_, kept)) = found.as_ref().filter(|(then, _)| *then == generation) {
            return Some(Rc::clone(kept));
        }
        let kept = Rc::new(self.find_kept(no));
        *found = Some((generation, Rc::clone(&kept)));
        Some(kept)
    }

    /// It looks at the first of each line of the agent's queues where something presses, and at
    /// all that presses and is filed beside them.
    fn find_kept(&self, no: No<AgentState>) -> Kept {
        let agent = &self.agents[no];
        let mut kept = Kept { larger: Vec::new(), free_units: agent.free_units() };
        if !agent.takes_work() {
            return kept;
        }
        let excluded = |id| agent.excluded.contains(&id);
        for queue in agent.queues.iter().map(|queue| &self.queues[*queue]) {
            if !queue.offers() {
                continue;
            }
            for number in &queue.pressing {
                let signature = &self.signatures[*number];
                let (medium, size) = (signature.key.medium, signature.key.size);
                if agent.fit(*number).is_some() && agent.room_comes(medium, size) {
                    let reserved = agent.reserved.get(number);
                    let lines = reserved.into_iter().chain([&signature.lines]);
                    let firsts = lines.filter_map(|lines| lines.first_pressing(excluded));
                    kept.larger.extend(firsts.map(|turn| Larger { medium, size, turn }));
                }
            }
            for waiting in queue.pressing_overflow.iter().map(|id| &self.waiting[id]) {
                let (medium, size) = (waiting.work.medium, waiting.work.size);
                if waiting.waits_for.is_none_or(|only| only == no)
                    && !excluded(waiting.work.id)
                    && agent.room_comes(medium, size)
                    && self.fit(no, waiting.queue, &waiting.filing).is_some()
                {
                    // What presses has the same turn at everybody.
                    let turn = waiting.standing.turn(1);
                    kept.larger.push(Larger { medium, size, turn });
                }
            }
        }
        kept
    }
}

#[cfg(test)]
impl Matching {
    /// Asserts that the counts are those of what waits, and that everybody freed was told.
    pub(super) fn check_room(&self) {
        let Room { pressing, sizes, generation: _, freed } = &self.room;
        let all = || self.waiting.values();
        assert_eq!(*pressing, all().filter(|waiting| waiting.presses()).count());
        let mut counted = BTreeMap::new();
        all().for_each(|waiting| *counted.entry(waiting.work.size).or_default() += 1);
        assert_eq!(*sizes, counted);
        assert!(freed.is_empty());
        for (no, agent) in self.agents.iter() {
            let found = agent.kept.borrow().clone();
            if let Some((_, kept)) = found.filter(|(then, _)| *then == self.room.generation) {
                assert_eq!(*kept, self.find_kept(no), "{} was changed unnoticed", agent.id);
            }
        }
    }
}
