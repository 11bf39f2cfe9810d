//! What machines say to each other, and what the world says to them, as closed enums.
//!
//! What asks for something is an imperative (`Reserve`, `Release`). What tells what has happened is
//! in the past tense (`Seen`, `Slept`, `AgentLost`), and so is an answer (`Reserved`, `Claimed`).
//! A fact obliges nobody: the receiver decides what follows from it.
//!
//! Between any two machines letters arrive in the order in which they were sent; between different
//! pairs any order must do. Nothing here is lost or doubled: that is the engine's promise.

mod agent;
mod callback;
mod queue;
mod router;
mod scheduler;

pub use agent::{AgentMessage, AgentTimers, OfferEnd};
pub use callback::{Action, CallbackCommand, CallbackMessage, Create, OfferAnswer, Patch, Wish};
pub use queue::{
    AvailabilityQuestion, Past, Place, QueueMessage, Reserve, Seated, Seen, SlotQuestion,
};
pub use router::{AgentReport, Claim, Missed, RouterMessage, Work};
pub use scheduler::SchedulerMessage;

use super::event::By;
use super::ids::{AgentId, CallbackId, QueueId};
use super::slots::Bound;

/// Marks a command, so that its answer finds the one who waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// A machine that letters go to and timers wake.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Machine {
    /// A callback's.
    Callback(CallbackId),
    /// An agent's.
    Agent(AgentId),
    /// A queue's.
    Queue(QueueId),
    /// The router.
    Router,
    /// The scheduler.
    Scheduler,
}

/// A message with its address.
#[derive(Debug, Clone)]
pub enum Letter {
    /// To a callback; a dormant one is woken for it.
    Callback(CallbackId, CallbackMessage),
    /// To an agent.
    Agent(AgentId, AgentMessage),
    /// To a queue.
    Queue(QueueId, QueueMessage),
    /// To the router.
    Router(RouterMessage),
    /// To the scheduler.
    Scheduler(SchedulerMessage),
}

/// In whose name a command comes. What the role as such may not do was refused before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// The customer, by manage link.
    Customer,
    /// The channel of origin.
    Channel,
    /// An agent.
    Agent(AgentId),
    /// A supervisor or administrator, who may also act as the agent that the credential names.
    Supervisor(Option<AgentId>),
}

impl Who {
    /// What may be booked in their name.
    pub const fn bound(&self) -> Bound {
        match self {
            Self::Customer | Self::Channel => Bound::ToSlots,
            Self::Agent(_) | Self::Supervisor(_) => Bound::ToHours,
        }
    }

    /// For the record.
    pub fn by(&self) -> By {
        match self {
            Self::Customer => By::Customer,
            Self::Channel => By::Channel,
            Self::Agent(agent) => By::Agent(agent.clone()),
            Self::Supervisor(_) => By::Supervisor,
        }
    }

    /// The agent that acts, if one does.
    pub const fn agent(&self) -> Option<&AgentId> {
        match self {
            Self::Agent(agent) | Self::Supervisor(Some(agent)) => Some(agent),
            Self::Customer | Self::Channel | Self::Supervisor(None) => None,
        }
    }

    /// Whether it is the customer, by whatever way.
    pub const fn is_customers(&self) -> bool {
        matches!(self, Self::Customer | Self::Channel)
    }

    /// Whether a supervisor's rights apply.
    pub const fn supervises(&self) -> bool {
        matches!(self, Self::Supervisor(_))
    }
}
