//! Who fits what: the index structures behind a routing decision.
//!
//! Work is filed by signature (queue, medium, size, requirements in force), agents by the
//! signatures whose work they could ever take, so a decision looks at the heads of a few ordered
//! lists and never at their members. This is separate from the router, which hears what happened
//! and says what shall be done: here nothing is sent, and nothing happens by itself.
//!
//! What holds after every call of the router's step:
//! - an agent has an entry for each signature of their queues that they fit, and stands among its
//!   able ones exactly if they take work and have room for it;
//! - each waiting callback stands in one line: its signature's, or that of the one agent it waits
//!   for, or in its queue's overflow when the table of signatures is full;
//! - room is kept for what presses, by `room`: nothing smaller that comes after it is given there;
//! - a number is kept only as long as what it stands for; [`AgentState::is_unused`] and
//!   [`Matching::forget_queue`] say when that is over.

mod agents;
mod burst;
#[cfg(test)]
mod check;
mod choosing;
mod filing;
mod lines;
mod members;
mod outlook;
mod queues;
mod registry;
mod room;
mod signatures;

use std::collections::BTreeSet;
use std::mem;

pub(crate) use agents::{AgentState, Held};
pub(crate) use filing::{Filing, Waiting, waits_for_good};
pub(crate) use queues::{QueueState, Rules};
pub(crate) use registry::ByKey;
pub(crate) use registry::No;
pub(crate) use signatures::fits_when_free;

use super::callback::Unroutable;
use super::ids::{AgentId, CallbackId, QueueId};
use super::time::Timestamp;
use registry::Registry;
use room::Room;
use signatures::{Signature, SignatureKey};

/// Everything that waits, and everyone who could take it.
#[derive(Debug)]
pub(crate) struct Matching {
    /// So many signatures are kept at most.
    max_signatures: usize,
    pub(crate) queues: Registry<QueueId, QueueState>,
    pub(crate) agents: Registry<AgentId, AgentState>,
    signatures: Registry<SignatureKey, Signature>,
    /// How many signatures have waiting work.
    in_use: usize,
    /// Requests for a signature so far: tells which was used last.
    asks: u64,
    /// Boxed: a map has room for twice as many as are in it.
    waiting: ByKey<CallbackId, Box<Waiting>>,
    /// When time itself changes how a callback is filed.
    reviews: BTreeSet<(Timestamp, CallbackId)>,
    room: Room,
    /// How many agents hold a callback: a proposal and a claim may cross.
    holders: ByKey<CallbackId, usize>,
    /// Proposals so far: tells who was offered something longest ago.
    proposals: i64,
}

impl Matching {
    pub(crate) fn new(max_signatures: usize) -> Self {
        Self {
            max_signatures,
            queues: Registry::new(),
            agents: Registry::new(),
            signatures: Registry::new(),
            in_use: 0,
            asks: 0,
            waiting: ByKey::default(),
            reviews: BTreeSet::new(),
            room: Room::default(),
            holders: ByKey::default(),
            proposals: 0,
        }
    }

    pub(crate) fn waiting(&self, id: CallbackId) -> Option<&Waiting> {
        self.waiting.get(&id).map(Box::as_ref)
    }

    /// Notes what a waiting callback is told now; what it was told before.
    pub(crate) fn tell(&mut self, id: CallbackId, told: Option<Unroutable>) -> Option<Unroutable> {
        let waiting = self.waiting.get_mut(&id).expect("whoever is told waits");
        let before = mem::replace(&mut waiting.work.unroutable, told.map(Box::new));
        before.map(|before| *before)
    }

    /// All that waits in a queue: in its signatures' lines, in agents' lines of those signatures,
    /// and beside them. Nothing that waits elsewhere is looked at.
    pub(crate) fn waiting_in(&self, queue: &QueueId) -> BTreeSet<CallbackId> {
        let Some(queue) = self.queues.find(queue) else { return BTreeSet::new() };
        let QueueState { signatures, overflow, .. } = &self.queues[queue];
        let open = signatures.iter().flat_map(|no| self.signatures[*no].lines.ids());
        let reserved = self.agents.iter().flat_map(|(_, agent)| &agent.reserved);
        let theirs = reserved.filter(|(no, _)| signatures.contains(no));
        let theirs = theirs.flat_map(|(_, lines)| lines.ids());
        open.chain(theirs).chain(overflow.iter().copied()).collect()
    }

    /// When time itself next changes how something is filed.
    pub(crate) fn next_review(&self) -> Option<Timestamp> {
        self.reviews.first().map(|(at, _)| *at)
    }

    /// The callbacks that time has changed, the earliest first.
    pub(crate) fn due(&self, now: Timestamp, limit: usize) -> Vec<CallbackId> {
        let due = self.reviews.iter().take_while(|(at, _)| *at <= now);
        due.take(limit).map(|(_, id)| *id).collect()
    }

    /// Whether an agent holds it.
    pub(crate) fn is_held(&self, callback: CallbackId) -> bool {
        self.holders.contains_key(&callback)
    }

    /// Takes capacity of the agent; their place among able ones is refreshed by the caller.
    pub(crate) fn hold(&mut self, callback: CallbackId, agent: No<AgentState>, held: Held) {
        if self.agents[agent].hold(callback, held) {
            *self.holders.entry(callback).or_default() += 1;
        }
    }

    /// Gives one grant back; true if it was the last, and capacity is free again.
    pub(crate) fn release(&mut self, callback: CallbackId, agent: No<AgentState>) -> bool {
        let last = self.agents[agent].release(callback);
        if last {
            let holders = self.holders.get_mut(&callback).expect("the agent is one of them");
            *holders -= 1;
            if *holders == 0 {
                self.holders.remove(&callback);
            }
        }
        last
    }

    /// Marks that the agent is offered something now.
    pub(crate) fn offered(&mut self, agent: No<AgentState>) {
        self.proposals += 1;
        self.agents[agent].last_offered = self.proposals;
    }

    fn queue_no(&mut self, id: &QueueId) -> No<QueueState> {
        self.queues
            .find(id)
            .unwrap_or_else(|| self.queues.insert(id.clone(), QueueState::new(id.clone())))
    }

    /// The agent's number; what nobody else speaks of is forgotten by
    /// [`Matching::forget_agent`].
    pub(crate) fn agent_no(&mut self, id: &AgentId) -> No<AgentState> {
        self.agents
            .find(id)
            .unwrap_or_else(|| self.agents.insert(id.clone(), AgentState::new(id.clone())))
    }

    /// Lets an agent go whom nothing speaks of any more.
    pub(crate) fn forget_agent(&mut self, no: No<AgentState>) {
        let agent = &self.agents[no];
        if agent.is_unused() {
            let id = agent.id.clone();
            self.agents.remove(&id);
        }
    }

    /// Lets a queue go that nothing speaks of any more, with the signatures kept for it.
    pub(crate) fn forget_queue(&mut self, no: No<QueueState>) {
        let queue = &self.queues[no];
        let unused = queue.rules.is_none()
            && queue.members.is_empty()
            && queue.overflow.is_empty()
            && queue.signatures.iter().all(|signature| self.signatures[*signature].waiting == 0);
        if unused {
            for signature in queue.signatures.clone() {
                self.remove_signature(signature);
            }
            let id = self.queues[no].id.clone();
            self.queues.remove(&id);
        }
    }
}
