//! The rules of routing once more, as slow and as plain as they can be said: every question is
//! answered by looking at everything. What the router does is compared with this.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::at_least_one;
use crate::domain::agent::Presence;
use crate::domain::callback::{Fallback, PreferMode, Unroutable};
use crate::domain::ids::{AgentId, CallbackId, QueueId};
use crate::domain::message::{AgentReport, Claim, RouterMessage, Work};
use crate::domain::policy::{AgentSettings, Medium, Strategy};
use crate::domain::queue::Queue;
use crate::domain::rank::Rank;
use crate::domain::refusal::Refusal;
use crate::domain::skills::Requirement;
use crate::domain::time::{Span, Timestamp};

/// What the router is to say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    Propose(CallbackId, AgentId),
    Claimed(CallbackId, Result<(), Refusal>),
}

/// All facts, and nothing derived.
#[derive(Clone, Default)]
pub(super) struct Model {
    pub(super) queues: BTreeMap<QueueId, Arc<Queue>>,
    pub(super) agents: BTreeMap<AgentId, AgentReport>,
    pub(super) waiting: BTreeMap<CallbackId, Work>,
    pub(super) held: BTreeMap<(CallbackId, AgentId), (Medium, u32)>,
    /// Grants of each pair beyond the first.
    extra: BTreeMap<(CallbackId, AgentId), u32>,
    offered: BTreeMap<AgentId, i64>,
    proposals: i64,
    pub(super) now: Timestamp,
}

impl Model {
    pub(super) fn step(&mut self, now: Timestamp, message: &RouterMessage) -> Vec<Said> {
        self.now = now;
        let mut said = Vec::new();
        self.sweep(&mut said);
        if let Some(agent) = self.hear(message, &mut said) {
            self.fill(&agent, &mut said);
        }
        self.sweep(&mut said);
        said
    }

    /// Follows what was said instead of foretelling it, where room is given up that was kept: who
    /// is given work first then is of no matter, as long as it is theirs to take.
    pub(super) fn follow(&mut self, now: Timestamp, message: &RouterMessage, said: &[Said]) {
        self.now = now;
        let mut expected = Vec::new();
        self.hear(message, &mut expected);
        let proposals = said.strip_prefix(&*expected).expect("what was claimed is told first");
        for one in proposals {
            let Said::Propose(callback, agent) = one else { panic!("{one:?} once more") };
            let (report, work) = (&self.agents[agent], &self.waiting[callback]);
            assert!(self.may(report, work), "{one:?} of {work:?}");
            let first = self.best_work(report) == Some(*callback);
            assert!(first || self.best_agent(work).as_ref() == Some(agent), "{one:?} is first");
            self.propose(*callback, agent.clone(), &mut Vec::new());
        }
    }

    /// Takes a message in; whom it gives room.
    fn hear(&mut self, message: &RouterMessage, said: &mut Vec<Said>) -> Option<AgentId> {
        match message.clone() {
            RouterMessage::PutQueue(queue) => {
                self.queues.insert(queue.settings.id.clone(), queue);
            }
            RouterMessage::RemoveQueue(queue) => {
                self.queues.remove(&queue);
            }
            RouterMessage::PutAgent(report) => {
                let id = report.settings.id.clone();
                self.agents.insert(id.clone(), *report);
                return Some(id);
            }
            RouterMessage::RemoveAgent(agent) => {
                self.agents.remove(&agent);
                self.offered.remove(&agent);
            }
            RouterMessage::Enqueue(mut work) => {
                if !self.held.keys().any(|(callback, _)| *callback == work.id) {
                    work.size = at_least_one(work.size);
                    self.waiting.insert(work.id, *work);
                }
            }
            RouterMessage::Withdraw(callback) => {
                self.waiting.remove(&callback);
            }
            RouterMessage::Missed { .. } => unreachable!("the model knows no rests"),
            RouterMessage::Release { callback, agent } => {
                let pair = (callback, agent.clone());
                if let Some(extra) = self.extra.get_mut(&pair).filter(|extra| **extra > 0) {
                    *extra -= 1;
                } else if self.held.remove(&pair).is_some() {
                    return Some(agent);
                }
            }
            RouterMessage::Claim(claim) => {
                let result = self.claim(&claim);
                said.push(Said::Claimed(claim.callback, result));
            }
            RouterMessage::Hold { callback, agent, medium, size } => {
                self.hold(callback, &agent, medium, size);
            }
            RouterMessage::Trace { .. } | RouterMessage::Wake => {}
        }
        None
    }

    fn hold(&mut self, callback: CallbackId, agent: &AgentId, medium: Medium, size: u32) {
        let held = (medium, at_least_one(size));
        let pair = (callback, agent.clone());
        match self.held.entry(pair.clone()) {
            Entry::Occupied(_) => *self.extra.entry(pair).or_default() += 1,
            Entry::Vacant(vacant) => {
                vacant.insert(held);
            }
        }
        self.waiting.remove(&callback);
    }

    fn claim(&mut self, claim: &Claim) -> Result<(), Refusal> {
        let name = claim.agent.to_string();
        let absent = || Refusal::AgentNotConnected(name.clone());
        let report = self.agents.get(&claim.agent).ok_or_else(absent)?;
        if claim.by_agent && report.settings.membership(&claim.queue).is_none() {
            let text = format!("agents take work of their own queues; {} isn't one", claim.queue);
            return Err(Refusal::Forbidden(text));
        }
        if !report.connected {
            return Err(absent());
        }
        let holds = self.held.contains_key(&(claim.callback, claim.agent.clone()));
        if !holds && !claim.force && !self.has_room(report, claim.medium, claim.size.max(1)) {
            return Err(Refusal::AtCapacity(name));
        }
        self.hold(claim.callback, &claim.agent, claim.medium, claim.size);
        Ok(())
    }

    fn fill(&mut self, agent: &AgentId, said: &mut Vec<Said>) {
        while let Some(report) = self.agents.get(agent) {
            let Some(callback) = self.best_work(report) else { return };
            self.propose(callback, agent.clone(), said);
        }
    }

    fn sweep(&mut self, said: &mut Vec<Said>) {
        let mut order: Vec<_> = self.waiting.values().map(|work| self.turn(work, 1)).collect();
        order.sort_unstable();
        for (_, _, _, callback) in order {
            let work = &self.waiting[&callback];
            if let Some(agent) = self.best_agent(work) {
                self.propose(callback, agent, said);
            }
        }
    }

    fn best_work(&self, report: &AgentReport) -> Option<CallbackId> {
        let able = self.waiting.values().filter(|work| self.may(report, work));
        let best = able.min_by_key(|work| self.turn(work, self.preference(report, work)));
        best.map(|work| work.id)
    }

    fn best_agent(&self, work: &Work) -> Option<AgentId> {
        let able = self.agents.values().filter(|report| self.may(report, work));
        let best = able.min_by_key(|report| self.order(report, work));
        best.map(|report| report.settings.id.clone())
    }

    fn propose(&mut self, callback: CallbackId, agent: AgentId, said: &mut Vec<Said>) {
        let work = self.waiting.remove(&callback).expect("it waits");
        self.held.insert((callback, agent.clone()), (work.medium, work.size));
        self.proposals += 1;
        self.offered.insert(agent.clone(), self.proposals);
        said.push(Said::Propose(callback, agent));
    }

    /// Which work: smallest first.
    fn turn(&self, work: &Work, preference: u8) -> (Timestamp, u8, Rank, CallbackId) {
        match work.promise.filter(|_| self.is_urgent(work)) {
            Some(deadline) => (deadline, 0, work.rank, work.id),
            None => (Timestamp::NEVER, preference, work.rank, work.id),
        }
    }

    fn is_urgent(&self, work: &Work) -> bool {
        self.queues.get(&work.queue).zip(work.promise).is_some_and(|(queue, promise)| {
            promise - Span::seconds(queue.settings.promise_slack_seconds) <= self.now
        })
    }

    fn has_aged(&self, work: &Work) -> bool {
        self.queues.get(&work.queue).is_some_and(|queue| {
            let limit = queue.settings.preference_limit_seconds;
            limit > 0 && self.waited(work) >= Span::seconds(limit)
        })
    }

    /// Which agent: smallest first.
    fn order(
        &self,
        report: &AgentReport,
        work: &Work,
    ) -> (bool, u8, Reverse<usize>, i64, Timestamp, AgentId) {
        let settings = &report.settings;
        let preferred =
            work.preferred.as_deref().is_some_and(|(wish, _)| wish.agent == settings.id);
        let in_force = self.in_force(work);
        let optional = in_force.iter().filter(|one| !one.mandatory && meets(settings, one));
        let mut skills: Vec<_> = in_force.iter().map(|one| &one.skill).collect();
        skills.dedup();
        let levels = skills.into_iter().filter_map(|skill| settings.skills.held(skill));
        let strategy = match self.queues[&work.queue].settings.strategy {
            Strategy::LongestIdle => 0,
            Strategy::MostCapacity => {
                let used = self.used(report, None) + u64::from(report.external_units);
                let free = u64::from(settings.capacity.units).saturating_sub(used);
                -i64::try_from(free).expect("small")
            }
            Strategy::RoundRobin => self.offered.get(&settings.id).copied().unwrap_or(0),
            Strategy::BestSkilled => -levels.map(|held| i64::from(held.level.value())).sum::<i64>(),
        };
        let preference = self.preference(report, work);
        let optional = Reverse(optional.count());
        (!preferred, preference, optional, strategy, report.idle_since, settings.id.clone())
    }

    fn preference(&self, report: &AgentReport, work: &Work) -> u8 {
        let settings = &report.settings;
        if self.has_aged(work) {
            return 1;
        }
        let membership = settings.membership(&work.queue).expect("a member").preference;
        let mandatory = self.in_force(work).into_iter().filter(|one| one.mandatory);
        let held = mandatory.filter_map(|one| settings.skills.held(&one.skill));
        held.map(|held| held.preference.value()).chain([membership]).max().expect("not empty")
    }

    /// Whether the agent may be offered it now.
    pub(super) fn may(&self, report: &AgentReport, work: &Work) -> bool {
        self.has_room(report, work.medium, work.size)
            && self.may_with_room(report, work)
            && !self.keeps_room_from(report, work)
    }

    fn may_with_room(&self, report: &AgentReport, work: &Work) -> bool {
        let id = &report.settings.id;
        let queue = self.queues.get(&work.queue);
        queue.is_some_and(|queue| queue.offers_paused.is_none())
            && self.could(report, work)
            && report.connected
            && report.presence == Presence::Available
            && !self.cools(id, work)
            && self.waits_for(work).is_none_or(|only| only == *id)
    }

    /// Whether something larger presses, comes before it, waits for calls here to end, and would
    /// wait longer for this.
    fn keeps_room_from(&self, report: &AgentReport, work: &Work) -> bool {
        let turn = |work| self.turn(work, self.preference(report, work));
        let units = report.settings.capacity.units;
        let comes = |size| size + report.external_units <= units;
        let used = self.used(report, None) + u64::from(report.external_units);
        let free = |but: u32| u64::from(units).saturating_sub(used).saturating_sub(but.into());
        self.waiting.values().filter(|other| other.size > work.size).any(|other| {
            comes(other.size)
                && !self.has_room(report, other.medium, other.size)
                && self.may_with_room(report, other)
                && (self.is_urgent(other) || self.has_aged(other))
                && turn(other) < turn(work)
                && (other.medium == work.medium || free(work.size) < u64::from(other.size))
        })
    }

    /// Whether any agent keeps room, as things are at `now`.
    pub(super) fn keeps_room_at(&mut self, now: Timestamp) -> bool {
        let before = std::mem::replace(&mut self.now, now);
        let keeps = self.waiting.values().any(|work| {
            self.agents.values().any(|report| {
                self.has_room(report, work.medium, work.size)
                    && self.may_with_room(report, work)
                    && self.keeps_room_from(report, work)
            })
        });
        self.now = before;
        keeps
    }

    /// Whether the agent could ever be, as things are.
    fn could(&self, report: &AgentReport, work: &Work) -> bool {
        let barred = work.declined.iter().any(|declined| {
            declined.agent == report.settings.id && declined.until == Timestamp::NEVER
        });
        !barred && Self::fits(&report.settings, work, self.waited(work))
    }

    fn fits(settings: &AgentSettings, work: &Work, waited: Span) -> bool {
        let asked = work.requirements.iter().filter(|one| {
            one.expires_after_seconds.is_none_or(|after| waited < Span::seconds(after))
        });
        settings.membership(&work.queue).is_some()
            && asked.filter(|one| one.mandatory).all(|one| meets(settings, one))
            && work.size <= settings.capacity.units
            && settings.capacity.media.of(work.medium).is_none_or(|most| work.size <= most)
    }

    fn waited(&self, work: &Work) -> Span {
        self.now.since(work.waiting_since)
    }

    fn in_force(&self, work: &Work) -> Vec<Requirement> {
        let waited = self.waited(work);
        let requirements = work.requirements.iter().filter(|one| {
            one.expires_after_seconds.is_none_or(|after| waited < Span::seconds(after))
        });
        requirements.cloned().collect()
    }

    fn used(&self, report: &AgentReport, of: Option<Medium>) -> u64 {
        let held = self.held.iter().filter(|((_, agent), _)| *agent == report.settings.id);
        held.filter(|(_, (medium, _))| of.is_none_or(|of| of == *medium))
            .map(|(_, (_, size))| u64::from(*size))
            .sum()
    }

    pub(super) fn has_room(&self, report: &AgentReport, medium: Medium, size: u32) -> bool {
        let capacity = &report.settings.capacity;
        let size = u64::from(size);
        let all = self.used(report, None) + u64::from(report.external_units) + size;
        all <= u64::from(capacity.units)
            && capacity
                .media
                .of(medium)
                .is_none_or(|most| self.used(report, Some(medium)) + size <= u64::from(most))
    }

    fn required(&self, work: &Work) -> Option<AgentId> {
        let (wish, until) = work.preferred.as_deref()?;
        let could = self.agents.get(&wish.agent).is_some_and(|report| self.could(report, work));
        let alone = wish.mode == PreferMode::Require
            && (wish.fallback == Fallback::None || (self.now < *until && could));
        alone.then(|| wish.agent.clone())
    }

    /// The one agent that it waits for.
    fn waits_for(&self, work: &Work) -> Option<AgentId> {
        self.required(work).or_else(|| {
            let (wish, until) = work.preferred.as_deref()?;
            let report = self.agents.get(&wish.agent)?;
            let awaited = wish.mode == PreferMode::Prefer
                && self.now < *until
                && report.presence == Presence::Available
                && report.connected
                && self.could(report, work)
                && !self.cools(&wish.agent, work);
            awaited.then(|| wish.agent.clone())
        })
    }

    /// Whether the agent declined it a moment ago.
    fn cools(&self, agent: &AgentId, work: &Work) -> bool {
        let others = self.agents.values().filter(|report| report.settings.id != *agent);
        let alone = self.required(work).as_ref() == Some(agent)
            || !others.into_iter().any(|report| self.could(report, work));
        let declined = work.declined.iter().find(|declined| declined.agent == *agent);
        declined.is_some_and(|declined| {
            self.now < if alone { declined.lone_until.min(declined.until) } else { declined.until }
        })
    }

    /// Whether, and why, nobody could ever take it; a missing skill isn't named here.
    pub(super) fn outlook(&self, work: &Work) -> Option<Unroutable> {
        self.queues.get(&work.queue)?;
        let not_barred = |settings: &AgentSettings| {
            !work
                .declined
                .iter()
                .any(|declined| declined.agent == settings.id && declined.until == Timestamp::NEVER)
        };
        let in_the_end = |report: &&AgentReport| {
            let settings = &report.settings;
            not_barred(settings) && Self::fits(settings, work, Span(i64::MAX))
        };
        if let Some((wish, _)) = work.preferred.as_deref()
            && wish.mode == PreferMode::Require
            && wish.fallback == Fallback::None
        {
            let could = self.agents.get(&wish.agent).is_some_and(|report| in_the_end(&report));
            return (!could).then_some(Unroutable::RequiredAgent);
        }
        if self.agents.values().any(|report| in_the_end(&report)) {
            return None;
        }
        let members = || {
            let reports = self.agents.values().map(|report| &report.settings);
            reports.filter(|settings| settings.membership(&work.queue).is_some())
        };
        let skilled = |settings: &&Arc<AgentSettings>| {
            let in_force = self.in_force(work);
            in_force.iter().filter(|one| one.mandatory).all(|one| meets(settings, one))
        };
        Some(if members().any(|settings| Self::fits(settings, work, self.waited(work))) {
            Unroutable::AllBarred
        } else if members().count() == 0 {
            Unroutable::NoAgentInQueue
        } else if members().any(|settings| skilled(&settings)) {
            Unroutable::TooLarge
        } else {
            Unroutable::MissingSkill(String::new())
        })
    }
}

fn meets(settings: &AgentSettings, asked: &Requirement) -> bool {
    settings.skills.held(&asked.skill).is_some_and(|held| held.level >= asked.min_level)
}
