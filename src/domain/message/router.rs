//! What the router is told: who is there, what waits, and who is held by what.

use std::sync::Arc;

use super::Token;
use crate::domain::agent::Presence;
use crate::domain::callback::{Declined, Preferred, Unroutable};
use crate::domain::ids::{AgentId, CallbackId, QueueId};
use crate::domain::policy::{AgentSettings, Medium};
use crate::domain::queue::Queue;
use crate::domain::rank::Rank;
use crate::domain::skills::Requirements;
use crate::domain::time::Timestamp;

/// What the router is told.
#[derive(Debug, Clone)]
pub enum RouterMessage {
    /// A queue is there or has changed.
    PutQueue(Arc<Queue>),
    /// A queue is gone.
    RemoveQueue(QueueId),
    /// An agent is there or has changed.
    PutAgent(Box<AgentReport>),
    /// An agent is gone.
    RemoveAgent(AgentId),
    /// A callback waits, or what it asks for has changed. What falls due at an appointed time is
    /// decided within `RouterMachine::GATHER`, together with what else does. Ignored while an agent
    /// is reserved for it: the callback answers `Propose` by an offer, or by `Release` and
    /// `Enqueue`.
    Enqueue(Box<Work>),
    /// A callback waits no more. While an agent is reserved for it, `Release` will follow.
    Withdraw(CallbackId),
    /// One grant of the agent (by `Propose`, `Claim` or `Hold`) is given back. The same agent may
    /// have been granted to the same callback twice, by a proposal that crossed a claim: their
    /// capacity is free again when the last grant is given back.
    Release {
        /// Which callback held it.
        callback: CallbackId,
        /// Whose grant it was.
        agent: AgentId,
    },
    /// As `Release`, of an agent who has missed an offer or a call. Where that sends them away
    /// their own machine is about to say so: they are proposed to nothing until it speaks, for
    /// `RouterMachine::REST` at most.
    Missed {
        /// Which callback held it.
        callback: CallbackId,
        /// Who missed it.
        agent: AgentId,
        /// What sends them away: a call always, an offer if it was the last they may miss.
        what: Missed,
    },
    /// Reserve this very agent; answered by `CallbackMessage::Claimed`.
    Claim(Box<Claim>),
    /// At start: the agent holds this callback, as its record says.
    Hold {
        /// Which callback.
        callback: CallbackId,
        /// Who has it.
        agent: AgentId,
        /// Phone or video.
        medium: Medium,
        /// Units of capacity.
        size: u32,
    },
    /// Say why a callback isn't assigned; the answer is `Answer::Trace`.
    Trace {
        /// Marks the question.
        token: Token,
        /// What would be enqueued, as it is.
        work: Box<Work>,
    },
    /// A deadline may have come.
    Wake,
}

/// What an agent has missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    /// An offer that expired.
    Offer,
    /// A call that they had accepted.
    Call,
}

/// An agent, as the router needs to know them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentReport {
    /// Who they are and what they can do.
    pub settings: Arc<AgentSettings>,
    /// What they want.
    pub presence: Presence,
    /// Whether a session is up.
    pub connected: bool,
    /// Idle since, by the steady clock.
    pub idle_since: Timestamp,
    /// Units taken by work elsewhere.
    pub external_units: u32,
    /// The next offer that they miss sends them away.
    pub last_chance: bool,
}

/// A queued callback, as the router needs to know it. Instants are of the steady clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// The callback that waits.
    pub id: CallbackId,
    /// Where it waits.
    pub queue: QueueId,
    /// Phone or video.
    pub medium: Medium,
    /// Units of capacity.
    pub size: u32,
    /// What it asks of agents.
    pub requirements: Requirements,
    /// Smallest first.
    pub rank: Rank,
    /// Since when it waits: requirements expire and preference widens from here.
    pub waiting_since: Timestamp,
    /// The agent asked for, until when.
    pub preferred: Option<Box<(Preferred, Timestamp)>>,
    /// Who isn't offered it at the moment, or for good.
    pub declined: Vec<Declined>,
    /// It falls due at an appointed time, as others may: it is decided together with them.
    pub gathers: bool,
    /// When its promise breaks.
    pub promise: Option<Timestamp>,
    /// What it was told last of why nobody could take it.
    pub unroutable: Option<Box<Unroutable>>,
}

/// A wish for one agent.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The command that asks.
    pub token: Token,
    /// The callback.
    pub callback: CallbackId,
    /// Where it waits.
    pub queue: QueueId,
    /// Phone or video.
    pub medium: Medium,
    /// Units of capacity.
    pub size: u32,
    /// The only one who will do.
    pub agent: AgentId,
    /// Even where it doesn't fit into their capacity.
    pub force: bool,
    /// The agent takes it for themselves: only within their queues.
    pub by_agent: bool,
}
