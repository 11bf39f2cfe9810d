//! Room that an agent keeps for what is larger.
//!
//! A callback of several units would never find room while smaller work takes each unit as it is
//! given back. So what presses (it has waited for the queue's preference limit, or its promise is
//! about to break) holds back smaller work that comes after it, at each agent who fits it and
//! whose callbacks leave it no room: they end, so the room comes. Work elsewhere may last for
//! ever; where it is in the way nothing is held back. What has time lets smaller work pass, so
//! that no unit lies idle for it.
//!
//! Separate from `choosing`, because holding back ends without anything happening to the agent:
//! whoever may have kept room for what leaves its line is noted here, and given work by the router.

use std::collections::{BTreeMap, BTreeSet};

use super::lines::Turn;
use super::{AgentState, Filing, Matching, No, Waiting};
use crate::domain::ids::{AgentId, QueueId};

/// What there is to hold back, and for what.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// How many wait that press and take several units.
    pressing: usize,
    /// How many wait, by size.
    sizes: BTreeMap<u32, usize>,
    /// Agents who may have kept room for what has left its line.
    freed: BTreeSet<AgentId>,
}

/// What presses and waits for room at an agent: the sizes, and the turns of the first of each.
pub(super) struct Kept(Vec<(u32, Turn)>);

impl Kept {
    /// Whether work of that size and turn would take room that is kept.
    pub(super) fn holds_back(&self, size: u32, turn: &Turn) -> bool {
        self.0.iter().any(|(larger, first)| size < *larger && first < turn)
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
            if let Filing::Signature(number) = waiting.filing {
                self.signatures[number].pressing += 1;
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
        if waiting.presses() {
            self.room.pressing -= 1;
            if let Filing::Signature(number) = waiting.filing {
                self.signatures[number].pressing -= 1;
            }
            if self.room.sizes.first_key_value().is_some_and(|(smallest, _)| *smallest < size) {
                let only = waiting.waits_for;
                self.note_freed(waiting.queue, |no, agent| {
                    only.is_none_or(|only| only == no) && !agent.has_room(waiting.work.medium, size)
                });
            }
        }
    }

    /// Notes who may have kept room for what waits in a queue, when its offers are paused.
    pub(crate) fn free_members(&mut self, queue: &QueueId) {
        if self.room.pressing > 0
            && let Some(queue) = self.queues.find(queue)
        {
            self.note_freed(queue, |_, _| true);
        }
    }

    fn note_freed(
        &mut self,
        queue: No<super::QueueState>,
        kept: impl Fn(No<AgentState>, &AgentState) -> bool,
    ) {
        for no in &self.queues[queue].members {
            let agent = &self.agents[*no];
            if agent.takes_work() && agent.free_units() > 0 && kept(*no, agent) {
                self.room.freed.insert(agent.id.clone());
            }
        }
    }

    /// An agent who may take what was held back from them, by id; each is told once.
    pub(crate) fn next_freed(&mut self) -> Option<AgentId> {
        self.room.freed.pop_first()
    }

    /// Whether the agent keeps their room for what comes before this.
    pub(crate) fn keeps_room_from(&self, no: No<AgentState>, waiting: &Waiting) -> bool {
        if self.room.pressing == 0 {
            return false;
        }
        self.fit(no, waiting.queue, &waiting.filing).is_some_and(|fit| {
            let turn = waiting.standing.turn(fit.preference);
            self.kept(no).holds_back(waiting.work.size, &turn)
        })
    }

    /// For what the agent keeps room. It looks at the heads of the lines that they serve, and at
    /// all that is filed beside them.
    pub(super) fn kept(&self, no: No<AgentState>) -> Kept {
        let mut kept = Vec::new();
        let agent = &self.agents[no];
        if self.room.pressing == 0 || !agent.takes_work() {
            return Kept(kept);
        }
        let excluded = |id| agent.excluded.contains(&id);
        for entry in &agent.entries {
            let signature = &self.signatures[entry.signature];
            let key = &signature.key;
            if signature.pressing > 0
                && agent.room_comes(key.medium, key.size)
                && self.queues[key.queue].offers()
            {
                let reserved = agent.reserved.get(&entry.signature);
                let lines = reserved.into_iter().chain([&signature.lines]);
                let firsts = lines.filter_map(|lines| lines.first_pressing(excluded));
                kept.extend(firsts.map(|turn| (key.size, turn)));
            }
        }
        for queue in agent.queues.iter().map(|queue| &self.queues[*queue]) {
            if queue.offers() {
                let beside = queue.overflow.iter().map(|id| &self.waiting[id]);
                let here = beside.filter(|waiting| self.comes_to(no, waiting));
                kept.extend(here.map(|one| (one.work.size, one.standing.turn(1))));
            }
        }
        Kept(kept)
    }

    /// Whether the agent keeps room for what is filed beside the lines.
    fn comes_to(&self, no: No<AgentState>, waiting: &Waiting) -> bool {
        waiting.presses()
            && waiting.waits_for.is_none_or(|only| only == no)
            && !waiting.excluded.contains(&no)
            && self.agents[no].room_comes(waiting.work.medium, waiting.work.size)
            && self.fit(no, waiting.queue, &waiting.filing).is_some()
    }
}

#[cfg(test)]
impl Matching {
    /// Asserts that the counts are those of what waits, and that everybody freed was told.
    pub(super) fn check_room(&self) {
        let Room { pressing, sizes, freed } = &self.room;
        let all = || self.waiting.values();
        assert_eq!(*pressing, all().filter(|waiting| waiting.presses()).count());
        let mut counted = BTreeMap::new();
        all().for_each(|waiting| *counted.entry(waiting.work.size).or_default() += 1);
        assert_eq!(*sizes, counted);
        assert!(freed.is_empty());
    }
}
