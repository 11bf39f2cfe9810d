//! Whether anybody could ever take a callback, as agents, skills and queues are.
//!
//! It is separate because it asks of everybody, present or not, where a decision asks who can
//! take something now. Only where nobody is left does it look at agents one by one.

use super::signatures::{SignatureKey, fits_when_free};
use super::{AgentState, Filing, Matching, No, QueueState, Waiting, waits_for_good};
use crate::domain::callback::Unroutable;
use crate::domain::ids::CallbackId;
use crate::domain::policy::AgentSettings;
use crate::domain::skills::Ask;
use crate::domain::time::Span;

impl Matching {
    /// Why nobody could ever take what is filed under `id`; none if somebody could. What its
    /// requirements let in by expiring counts: that needs no change, only time.
    pub(crate) fn outlook(&mut self, id: CallbackId) -> Option<Unroutable> {
        let waiting = &self.waiting[&id];
        self.queues[waiting.queue].rules?;
        if let Some((wish, _)) = waiting.work.preferred.as_deref()
            && waits_for_good(wish)
        {
            let could = waiting.preferred.is_some_and(|agent| self.will_fit(agent, waiting));
            return (!could).then_some(Unroutable::RequiredAgent);
        }
        let eligible = self.eligible(waiting.queue, &waiting.filing);
        if eligible > self.barred(waiting, &waiting.filing, None) {
            return None;
        }
        let at_last = Self::at_last(waiting);
        if at_last.asked != self.key_of(waiting).asked {
            // What it will be filed under is kept like any other signature, so that the many who
            // wait for the same are not each compared with everybody.
            let filing = self.filing_of(at_last);
            let waiting = &self.waiting[&id];
            let eligible = self.eligible(waiting.queue, &filing);
            if eligible > self.barred(waiting, &filing, None) {
                return None;
            }
        }
        let waiting = &self.waiting[&id];
        Some(if eligible > 0 { Unroutable::AllBarred } else { self.why_nobody(waiting) })
    }

    /// Whether the agent could take it, free or not, there or not.
    pub(super) fn could_take(&self, agent: No<AgentState>, waiting: &Waiting) -> bool {
        self.fit(agent, waiting.queue, &waiting.filing).is_some() && !self.is_barred(agent, waiting)
    }

    /// Whether nobody but this agent could take it.
    pub(super) fn is_lone(&self, agent: No<AgentState>, waiting: &Waiting) -> bool {
        if waiting.waits_for == Some(agent) {
            return true;
        }
        let oneself = self.fit(agent, waiting.queue, &waiting.filing).is_some();
        let barred = self.barred(waiting, &waiting.filing, Some(agent));
        self.eligible(waiting.queue, &waiting.filing) == usize::from(oneself) + barred
    }

    /// How many agents fit what is filed there, barred ones included.
    fn eligible(&self, queue: No<QueueState>, filing: &Filing) -> usize {
        match filing {
            Filing::Signature(number) => self.signatures[*number].eligible,
            Filing::Overflow(_) => {
                let members = self.queues[queue].members.iter();
                members.filter(|agent| self.fit(**agent, queue, filing).is_some()).count()
            }
        }
    }

    /// How many of them are barred from this callback, leaving out one.
    fn barred(&self, waiting: &Waiting, filing: &Filing, but: Option<No<AgentState>>) -> usize {
        let barred = waiting.work.declined.iter().filter(|declined| declined.bars());
        let agents = barred.filter_map(|declined| self.agents.find(&declined.agent));
        agents
            .filter(|agent| Some(*agent) != but)
            .filter(|agent| self.fit(*agent, waiting.queue, filing).is_some())
            .count()
    }

    fn is_barred(&self, agent: No<AgentState>, waiting: &Waiting) -> bool {
        let id = &self.agents[agent].id;
        waiting.work.declined.iter().any(|declined| declined.agent == *id && declined.bars())
    }

    /// What is asked once every requirement that expires has expired.
    fn at_last(waiting: &Waiting) -> SignatureKey {
        SignatureKey {
            queue: waiting.queue,
            medium: waiting.work.medium,
            size: waiting.work.size,
            asked: waiting.work.requirements.in_force(Span(i64::MAX)),
        }
    }

    /// Whether the agent could take it in the end.
    fn will_fit(&self, agent: No<AgentState>, waiting: &Waiting) -> bool {
        let queue = &self.queues[waiting.queue].id;
        let fit = self.agents[agent].fit_of(queue, &Self::at_last(waiting));
        fit.is_some() && !self.is_barred(agent, waiting)
    }

    /// What is asked now.
    pub(crate) fn key_of<'a>(&'a self, waiting: &'a Waiting) -> &'a SignatureKey {
        match &waiting.filing {
            Filing::Signature(number) => &self.signatures[*number].key,
            Filing::Overflow(key) => key,
        }
    }

    /// Why no agent fits; kept for all work of a signature.
    fn why_nobody(&self, waiting: &Waiting) -> Unroutable {
        match &waiting.filing {
            Filing::Signature(number) => {
                let signature = &self.signatures[*number];
                signature.nobody.get_or_init(|| self.find_out_why(waiting)).clone()
            }
            Filing::Overflow(_) => self.find_out_why(waiting),
        }
    }

    /// The first thing asked that leaves nobody.
    fn find_out_why(&self, waiting: &Waiting) -> Unroutable {
        let members = self.queues[waiting.queue].members.iter();
        let reports = members.filter_map(|no| self.agents[*no].report.as_ref());
        let all: Vec<&AgentSettings> = reports.map(|report| &*report.settings).collect();
        if all.is_empty() {
            return Unroutable::NoAgentInQueue;
        }
        let holds = |settings: &AgentSettings, ask: &Ask| {
            settings.skills.held(&ask.skill).is_some_and(|held| held.level >= ask.min_level)
        };
        let asked = &self.key_of(waiting).asked;
        for ask in asked.iter().filter(|ask| ask.mandatory) {
            if !all.iter().any(|settings| holds(settings, ask)) {
                return Unroutable::MissingSkill(ask.skill.to_string());
            }
        }
        // Each skill is there, but not in one person: name the one that nobody has besides the
        // ones before it.
        let mut left = all;
        for ask in asked.iter().filter(|ask| ask.mandatory) {
            left.retain(|settings| holds(settings, ask));
            if left.is_empty() {
                return Unroutable::MissingSkill(ask.skill.to_string());
            }
        }
        let (medium, size) = (waiting.work.medium, waiting.work.size);
        assert!(
            left.iter().all(|settings| !fits_when_free(settings, medium, size)),
            "whoever has the skills and the room fits"
        );
        Unroutable::TooLarge
    }
}
