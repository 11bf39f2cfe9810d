//! The router's machine: hears what waits and who is there, and proposes who takes what.
//!
//! One router per workspace makes every assignment, so two agents can't get the same callback. It
//! is separate from the index structures in `matching`, which know who fits what and send
//! nothing. It journals nothing: lines, load and reservations follow from the records of
//! callbacks and agents, and recovery tells them again. It must never ask anybody anything
//! before it decides.
//!
//! After each step no callback waits that an agent who may take it is free for, but what has
//! fallen due a moment ago: that is gathered, so that all of a burst is known when it is decided.

mod trace;

#[cfg(test)]
mod model;
#[cfg(test)]
mod random_tests;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::domain::effect::{Answer, StepOutput};
use crate::domain::ids::{AgentId, CallbackId, QueueId};
use crate::domain::matching::{AgentState, Held, Matching, No, Rules, Waiting};
use crate::domain::message::{
    AgentReport, CallbackMessage, Claim, Letter, Machine, Missed, RouterMessage, SchedulerMessage,
    Work,
};
use crate::domain::queue::Queue;
use crate::domain::refusal::Refusal;
use crate::domain::time::{Now, Span, Timestamp};

/// What bounds the router's memory and the length of its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouterLimits {
    /// Signatures kept at once. Beyond it those without waiting work go first; where all have
    /// some, a new one's work is matched by looking at each agent of its queue.
    pub max_signatures: usize,
    /// Agents that a trace tells of.
    pub max_candidates: usize,
}

impl Default for RouterLimits {
    fn default() -> Self {
        Self { max_signatures: 10_000, max_candidates: 1_000 }
    }
}

/// So many callbacks that time has changed are looked at in one step; more wait for the next
/// wake-up, which comes at once, so that others' messages get their turn in between.
const DUE_PER_STEP: usize = 1_000;

/// From so many decided at once on, scarcity breaks ties.
const MANY: usize = 20;

/// With so many gathered they are decided at once, so that no step takes long.
const MOST_GATHERED: usize = DUE_PER_STEP;

/// Everything that waits in a workspace, and everyone who could take it.
#[derive(Debug)]
pub struct RouterMachine {
    matching: Matching,
    limits: RouterLimits,
    /// Agents who rest, by when that ends.
    rests: BTreeSet<(Timestamp, AgentId)>,
    /// What has fallen due and isn't decided yet, and when it is.
    gathered: BTreeSet<CallbackId>,
    decided_at: Option<Timestamp>,
    /// The wake-up asked for and not come yet.
    alarm: Option<Timestamp>,
}

impl RouterMachine {
    /// A router that knows nobody yet.
    pub fn new(limits: RouterLimits) -> Self {
        let matching = Matching::new(limits.max_signatures);
        Self {
            matching,
            limits,
            rests: BTreeSet::new(),
            gathered: BTreeSet::new(),
            decided_at: None,
            alarm: None,
        }
    }

    /// How long who has missed something isn't proposed to anything, unless they speak before.
    pub const REST: Span = Span::seconds(1);

    /// How long what falls due at an appointed time is gathered before it is decided: as long as
    /// the callbacks of one instant may need to be read and woken, and far less than the lead.
    pub const GATHER: Span = Span::millis(100);

    /// Hears one message and does everything that follows from it at `now`.
    pub fn step(&mut self, now: &Now, message: RouterMessage, out: &mut StepOutput) {
        let now = now.steady;
        self.end_rests(now, out);
        self.review_due(now, out);
        self.decide_gathered(now, out);
        self.fill_freed(out);
        match message {
            RouterMessage::PutQueue(queue) => self.put_queue(&queue, now, out),
            RouterMessage::RemoveQueue(queue) => self.remove_queue(&queue, now, out),
            RouterMessage::PutAgent(report) => self.put_agent(*report, now, out),
            RouterMessage::RemoveAgent(agent) => self.remove_agent(&agent, now, out),
            RouterMessage::Enqueue(work) => self.enqueue(work, now, out),
            RouterMessage::Withdraw(callback) => self.withdraw(callback),
            RouterMessage::Release { callback, agent } => self.release(callback, &agent, out),
            RouterMessage::Missed { callback, agent, what } => {
                self.rest(&agent, what, now, out);
                self.release(callback, &agent, out);
            }
            RouterMessage::Claim(claim) => self.claim(&claim, out),
            RouterMessage::Hold { callback, agent, medium, size } => {
                self.hold(callback, &agent, Held { medium, size: at_least_one(size) });
            }
            RouterMessage::Trace { token, mut work } => {
                work.size = at_least_one(work.size);
                let trace = self.trace(work, now);
                out.answer(token, Ok(Answer::Trace(Box::new(trace))));
            }
            RouterMessage::Wake => self.alarm = None,
        }
        self.fill_freed(out);
        self.set_alarm(out);
    }

    fn put_queue(&mut self, queue: &Queue, now: Timestamp, out: &mut StepOutput) {
        let id = &queue.settings.id;
        let rules = Rules::of(queue);
        let before = self.matching.put_queue(id, rules);
        if before == Some(rules) {
            return;
        }
        if before.is_none_or(|before| before.strategy != rules.strategy) {
            self.matching.refresh_members(id);
        }
        let alike = before.is_some_and(|before| {
            before.preference_limit == rules.preference_limit
                && before.promise_slack == rules.promise_slack
        });
        if rules.offers_paused {
            self.matching.free_members(id);
        }
        let waiting = self.matching.waiting_in(id);
        if !alike {
            self.refile(&waiting, now, out);
        }
        self.sweep(&waiting, out);
    }

    fn remove_queue(&mut self, id: &QueueId, now: Timestamp, out: &mut StepOutput) {
        let waiting = self.matching.waiting_in(id);
        self.matching.remove_queue(id);
        self.matching.refresh_members(id);
        self.refile(&waiting, now, out);
    }

    fn put_agent(&mut self, report: AgentReport, now: Timestamp, out: &mut StepOutput) {
        self.rests.retain(|(_, agent)| *agent != report.settings.id);
        let mut touched = BTreeSet::new();
        let agent = self.matching.put_agent(report, &mut touched);
        self.refile(&touched, now, out);
        self.fill(agent, out);
        self.sweep(&touched, out);
    }

    /// Lets an agent rest who takes work and is about to go away.
    fn rest(&mut self, id: &AgentId, what: Missed, now: Timestamp, out: &mut StepOutput) {
        let Some(agent) = self.matching.agents.find(id) else { return };
        let state = &self.matching.agents[agent];
        let away = match what {
            Missed::Call => true,
            Missed::Offer => state.report.as_ref().is_some_and(|report| report.last_chance),
        };
        if away && state.takes_work() {
            self.rests.insert((now + Self::REST, id.clone()));
            self.set_rest(agent, true, now, out);
        }
    }

    /// Wakes those who have rested long enough.
    fn end_rests(&mut self, now: Timestamp, out: &mut StepOutput) {
        while let Some((_, id)) = self.rests.first().filter(|(until, _)| *until <= now).cloned() {
            self.rests.pop_first();
            if let Some(agent) = self.matching.agents.find(&id) {
                self.set_rest(agent, false, now, out);
                self.fill(agent, out);
            }
        }
    }

    /// Who is waited for, and who may be chosen, changes with it.
    fn set_rest(&mut self, no: No<AgentState>, rests: bool, now: Timestamp, out: &mut StepOutput) {
        let agent = &mut self.matching.agents[no];
        agent.rests = rests;
        agent.changed();
        let touched = agent.preferring.clone();
        self.matching.refresh(no);
        self.refile(&touched, now, out);
        self.sweep(&touched, out);
    }

    fn remove_agent(&mut self, id: &AgentId, now: Timestamp, out: &mut StepOutput) {
        self.rests.retain(|(_, agent)| agent != id);
        let mut touched = BTreeSet::new();
        self.matching.remove_agent(id, &mut touched);
        self.refile(&touched, now, out);
        self.sweep(&touched, out);
        if let Some(agent) = self.matching.agents.find(id) {
            self.matching.forget_agent(agent);
        }
    }

    fn enqueue(&mut self, mut work: Box<Work>, now: Timestamp, out: &mut StepOutput) {
        if self.matching.is_held(work.id) {
            return;
        }
        work.size = at_least_one(work.size);
        let callback = work.id;
        self.gathered.remove(&callback);
        let mut before = self.matching.unfile(callback);
        if let Some(before) = &mut before {
            work.unroutable = before.work.unroutable.take();
        }
        let waiting = self.matching.classify(work, now);
        match self.matching.choose_agent(&waiting) {
            Some(_) if waiting.work.gathers => {
                self.gathered.insert(callback);
                self.decided_at.get_or_insert(now + Self::GATHER);
                self.file(waiting, out);
                if self.gathered.len() >= MOST_GATHERED {
                    self.decide(out);
                }
            }
            Some(agent) => {
                self.propose(&waiting, agent, out);
                self.matching.refresh(agent);
            }
            None => self.file(waiting, out),
        }
        if let Some(before) = before {
            // Only now, when what the new one speaks of is filed.
            self.matching.let_go(&before);
        }
    }

    fn withdraw(&mut self, callback: CallbackId) {
        self.gathered.remove(&callback);
        if let Some(waiting) = self.matching.unfile(callback) {
            self.matching.let_go(&waiting);
        }
    }

    /// Finds agents for what has been gathered.
    fn decide_gathered(&mut self, now: Timestamp, out: &mut StepOutput) {
        if self.decided_at.is_some_and(|at| at <= now) {
            self.decide(out);
        }
    }

    fn decide(&mut self, out: &mut StepOutput) {
        self.decided_at = None;
        let gathered = std::mem::take(&mut self.gathered);
        self.sweep(&gathered, out);
    }

    fn release(&mut self, callback: CallbackId, id: &AgentId, out: &mut StepOutput) {
        let Some(agent) = self.matching.agents.find(id) else {
            return;
        };
        if self.matching.release(callback, agent) {
            self.fill(agent, out);
            self.matching.forget_agent(agent);
        }
    }

    fn hold(&mut self, callback: CallbackId, id: &AgentId, held: Held) {
        let agent = self.matching.agent_no(id);
        self.matching.hold(callback, agent, held);
        self.matching.refresh(agent);
        self.withdraw(callback);
    }

    fn claim(&mut self, claim: &Claim, out: &mut StepOutput) {
        let result = self.grant(claim);
        let answer = CallbackMessage::Claimed { token: claim.token, result };
        out.send(Letter::Callback(claim.callback, answer));
    }

    /// Reserves the agent and takes the callback out of its line, or leaves all as it is.
    fn grant(&mut self, claim: &Claim) -> Result<(), Refusal> {
        let absent = || Refusal::AgentNotConnected(claim.agent.to_string());
        let no = self.matching.agents.find(&claim.agent).ok_or_else(absent)?;
        let agent = &self.matching.agents[no];
        let report = agent.report.as_ref().ok_or_else(absent)?;
        if claim.by_agent && report.settings.membership(&claim.queue).is_none() {
            let detail = format!("agents take work of their own queues; {} isn't one", claim.queue);
            return Err(Refusal::Forbidden(detail));
        }
        if !report.connected {
            return Err(absent());
        }
        let held = Held { medium: claim.medium, size: at_least_one(claim.size) };
        let holds = agent.held.contains_key(&claim.callback);
        if !holds && !claim.force && !agent.has_room(held.medium, held.size) {
            return Err(Refusal::AtCapacity(claim.agent.to_string()));
        }
        self.hold(claim.callback, &claim.agent, held);
        Ok(())
    }

    /// Files anew what time has changed, and finds agents for it.
    fn review_due(&mut self, now: Timestamp, out: &mut StepOutput) {
        let due = self.matching.due(now, DUE_PER_STEP);
        if !due.is_empty() {
            let due = due.into_iter().collect();
            self.refile(&due, now, out);
            self.sweep(&due, out);
        }
    }

    /// Files each of them as it is now, and tells those whose outlook has changed.
    fn refile(&mut self, callbacks: &BTreeSet<CallbackId>, now: Timestamp, out: &mut StepOutput) {
        for callback in callbacks {
            if let Some(Waiting { work, .. }) = self.matching.unfile(*callback) {
                let waiting = self.matching.classify(work, now);
                self.file(waiting, out);
            }
        }
    }

    /// Puts a callback in its line, and tells it if whether anybody could ever take it changes.
    fn file(&mut self, waiting: Waiting, out: &mut StepOutput) {
        let callback = waiting.work.id;
        self.matching.file(waiting);
        let outlook = self.matching.outlook(callback);
        if self.matching.tell(callback, outlook.clone()) != outlook {
            let message = CallbackMessage::SetUnroutable(outlook);
            out.send(Letter::Callback(callback, message));
        }
    }

    /// Gives a freed agent work while they fit; ends, since each takes at least one unit.
    fn fill(&mut self, agent: No<AgentState>, out: &mut StepOutput) {
        while let Some(callback) = self.matching.choose_work(agent) {
            self.take(callback, agent, out);
        }
        self.matching.refresh(agent);
    }

    /// Gives work to those who kept room for what doesn't wait for it any more.
    fn fill_freed(&mut self, out: &mut StepOutput) {
        while let Some(id) = self.matching.next_freed() {
            if let Some(agent) = self.matching.agents.find(&id) {
                self.fill(agent, out);
            }
        }
    }

    /// Finds agents for work that may have become possible, in the order in which it is taken.
    fn sweep(&mut self, callbacks: &BTreeSet<CallbackId>, out: &mut StepOutput) {
        let waiting = callbacks.iter().filter_map(|callback| self.matching.waiting(*callback));
        let possible = waiting.filter(|waiting| self.matching.choose_agent(waiting).is_some());
        // What nobody is free for now isn't helped by others taking agents first.
        let mut possible: Vec<_> = possible.collect();
        let many = possible.len() >= MANY;
        if many {
            possible.sort_by_cached_key(|one| self.matching.burst_order(one));
        } else {
            possible.sort_unstable_by_key(|one| one.standing.turn(1));
        }
        let order: Vec<CallbackId> = possible.into_iter().map(|one| one.work.id).collect();
        let choose = if many { Matching::choose_agent_in_burst } else { Matching::choose_agent };
        for callback in order {
            let waiting = self.matching.waiting(callback).expect("each is taken in its own turn");
            let agent = choose(&self.matching, waiting);
            if let Some(agent) = agent {
                self.take(callback, agent, out);
                self.matching.refresh(agent);
            }
        }
    }

    fn take(&mut self, callback: CallbackId, agent: No<AgentState>, out: &mut StepOutput) {
        self.gathered.remove(&callback);
        let waiting = self.matching.unfile(callback).expect("what is chosen waits");
        self.propose(&waiting, agent, out);
    }

    /// Reserves the agent and proposes them to the callback, which stands in no line any more.
    fn propose(&mut self, waiting: &Waiting, agent: No<AgentState>, out: &mut StepOutput) {
        let work = &waiting.work;
        let held = Held { medium: work.medium, size: work.size };
        self.matching.hold(work.id, agent, held);
        self.matching.offered(agent);
        if waiting.work.unroutable.is_some() {
            out.send(Letter::Callback(work.id, CallbackMessage::SetUnroutable(None)));
        }
        let proposal = CallbackMessage::Propose { agent: self.matching.agents[agent].id.clone() };
        out.send(Letter::Callback(work.id, proposal));
        self.matching.let_go(waiting);
    }

    /// Asks to be woken for the next review. A wake-up that is set too early is left as it is: it
    /// finds nothing to do and sets the right one, which costs less than moving it each time the
    /// callback that it was meant for finds an agent.
    fn set_alarm(&mut self, out: &mut StepOutput) {
        let rested = self.rests.first().map(|(until, _)| *until);
        let all = [self.matching.next_review(), rested, self.decided_at];
        let Some(next) = all.into_iter().flatten().min() else {
            return;
        };
        if self.alarm.is_none_or(|alarm| next < alarm) {
            self.alarm = Some(next);
            let machine = Machine::Router;
            let timer = SchedulerMessage::SetTimer { machine, wall: None, steady: Some(next) };
            out.send(Letter::Scheduler(timer));
        }
    }
}

/// Nothing is free of cost: capacity bounds how much an agent is given.
const fn at_least_one(size: u32) -> u32 {
    if size == 0 { 1 } else { size }
}
