//! The two decisions, and what has to be right for them: each agent's place among the able ones.

use std::mem;

use super::lines::Turn;
use super::signatures::{Able, Fit};
use super::{AgentState, Filing, Matching, No, QueueState, Waiting};
use crate::domain::ids::CallbackId;

impl Matching {
    /// Which agent arriving work takes: the one it prefers, else by preference, optional
    /// requirements met, strategy, idle time, id.
    pub(crate) fn choose_agent(&self, waiting: &Waiting) -> Option<No<AgentState>> {
        if !self.queues[waiting.queue].offers() {
            return None;
        }
        if let Some(only) = waiting.waits_for {
            return self.may_take(only, waiting).then_some(only);
        }
        if let Some(preferred) = waiting.preferred.filter(|agent| self.may_take(*agent, waiting)) {
            return Some(preferred);
        }
        match &waiting.filing {
            Filing::Signature(number) => self.signatures[*number]
                .best_able(waiting.standing.aged, |agent| self.passes_over(agent, waiting)),
            Filing::Overflow(_) => self.choose_agent_by_scan(waiting),
        }
    }

    /// Whether the agent isn't offered it, although they could take it.
    pub(super) fn passes_over(&self, agent: No<AgentState>, waiting: &Waiting) -> bool {
        waiting.excluded.contains(&agent) || self.keeps_room_from(agent, waiting)
    }

    /// Whether the agent is offered it, leaving aside that it may wait for somebody else.
    fn may_take(&self, agent: No<AgentState>, waiting: &Waiting) -> bool {
        self.can_take(agent, waiting) && !self.keeps_room_from(agent, waiting)
    }

    /// Whether the agent can take it, leaving aside for what else they keep room.
    pub(crate) fn can_take(&self, agent: No<AgentState>, waiting: &Waiting) -> bool {
        let work = &waiting.work;
        self.agents[agent].can_hold(work.medium, work.size)
            && !waiting.excluded.contains(&agent)
            && self.fit(agent, waiting.queue, &waiting.filing).is_some()
    }

    /// How the agent fits what is filed there, as their settings are.
    pub(super) fn fit(
        &self,
        agent: No<AgentState>,
        queue: No<QueueState>,
        filing: &Filing,
    ) -> Option<Fit> {
        let agent = &self.agents[agent];
        match filing {
            Filing::Signature(number) => agent.fit(*number),
            Filing::Overflow(key) => agent.fit_of(&self.queues[queue].id, key),
        }
    }

    /// The slow and exact way, for work without a signature: over all agents of its queue.
    fn choose_agent_by_scan(&self, waiting: &Waiting) -> Option<No<AgentState>> {
        let queue = &self.queues[waiting.queue];
        let able = queue.members.iter().filter(|no| self.may_take(**no, waiting));
        let order = able.filter_map(|no| {
            let fit = self.fit(*no, waiting.queue, &waiting.filing)?;
            let preference = if waiting.standing.aged { 1 } else { fit.preference };
            Some((preference, Able::new(*no, &self.agents[*no], &fit, queue.strategy())))
        });
        order.min().map(|(_, able)| able.no)
    }

    /// Which work a freed agent takes, over all their queues: promises about to break first, then
    /// the lowest preference, then the smallest rank; but none that takes room that they keep.
    pub(crate) fn choose_work(&self, no: No<AgentState>) -> Option<CallbackId> {
        let agent = &self.agents[no];
        if !agent.takes_work() || agent.free_units() == 0 {
            return None;
        }
        let excluded = |id| agent.excluded.contains(&id);
        let kept = self.kept(no);
        let mut best: Option<Turn> = None;
        let mut consider = |medium, size, turn: Option<Turn>| {
            let is_kept =
                |turn: &Turn| kept.as_ref().is_some_and(|kept| kept.holds_back(medium, size, turn));
            let turn = turn.filter(|turn| !is_kept(turn));
            best = best.into_iter().chain(turn).min();
        };
        for entry in &agent.entries {
            let signature = &self.signatures[entry.signature];
            let key = &signature.key;
            if signature.waiting == 0
                || !agent.has_room(key.medium, key.size)
                || !self.queues[key.queue].offers()
            {
                continue;
            }
            let preference = entry.fit.preference;
            consider(key.medium, key.size, signature.lines.first(preference, excluded));
            if let Some(lines) = agent.reserved.get(&entry.signature) {
                consider(key.medium, key.size, lines.first(preference, excluded));
            }
        }
        for queue in agent.queues.iter().map(|queue| &self.queues[*queue]) {
            if queue.offers() {
                for waiting in queue.overflow.iter().map(|id| &self.waiting[id]) {
                    let (medium, size) = (waiting.work.medium, waiting.work.size);
                    consider(medium, size, self.overflow_turn(no, waiting));
                }
            }
        }
        best.map(|turn| turn.id)
    }

    /// The turn of work without a signature at this agent, if they can take it.
    fn overflow_turn(&self, agent: No<AgentState>, waiting: &Waiting) -> Option<Turn> {
        let open = waiting.waits_for.is_none_or(|only| only == agent);
        if !open || !self.can_take(agent, waiting) {
            return None;
        }
        let fit = self.fit(agent, waiting.queue, &waiting.filing)?;
        Some(waiting.standing.turn(fit.preference))
    }

    /// Puts the agent where they belong among the able ones of each of their signatures.
    pub(crate) fn refresh(&mut self, no: No<AgentState>) {
        let mut entries = mem::take(&mut self.agents[no].entries);
        let agent = &self.agents[no];
        let busy = !agent.takes_work() || agent.free_units() == 0;
        for entry in &mut entries {
            if busy && entry.able.is_none() {
                continue;
            }
            let signature = &mut self.signatures[entry.signature];
            let key = &signature.key;
            let able = agent
                .can_hold(key.medium, key.size)
                .then(|| Able::new(no, agent, &entry.fit, self.queues[key.queue].strategy()));
            if entry.able == able {
                continue;
            }
            let preference = entry.fit.preference;
            if let Some(before) = &entry.able {
                signature.remove_able(preference, before);
            }
            if let Some(able) = &able {
                signature.insert_able(preference, able.clone());
            }
            entry.able = able;
        }
        self.agents[no].entries = entries;
    }
}
