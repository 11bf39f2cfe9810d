//! Where a callback stands, and for each state what only that state has.
//!
//! A fact that must not outlive its state is a field of the state, so that nobody can forget to
//! clear it.

use super::interaction::{Interaction, Offer};
use crate::domain::ids::AgentId;
use crate::domain::time::Timestamp;

/// Why a callback is `open`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OpenReason {
    /// Waits for its booked start, less the lead.
    Booked,
    /// Waits for its next attempt.
    Retry,
    /// Was asked for while the queue was closed.
    Opening,
    /// Was still queued when the queue's overrun ended.
    CarriedOver,
}

/// A final state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FinalState {
    /// Done.
    ClosedComplete,
    /// Given up.
    ClosedAbandoned,
    /// Called off.
    Canceled,
}

/// Why it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClosedReason {
    /// The customer was reached.
    Reached,
    /// The matter was settled otherwise.
    Resolved,
    /// It waited too long.
    Expired,
    /// Every attempt was made.
    AttemptsUsedUp,
    /// An agent gave it up.
    Unreached,
    /// The number is somebody else's.
    WrongNumber,
    /// A supervisor gave it up.
    ClosedBySupervisor,
    /// The customer called it off.
    ByCustomer,
    /// An agent called it off.
    ByAgent,
    /// A supervisor called it off.
    BySupervisor,
    /// The customer was served another way.
    ServedElsewhere,
}

impl ClosedReason {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reached => "reached",
            Self::Resolved => "resolved",
            Self::Expired => "expired",
            Self::AttemptsUsedUp => "attempts_used_up",
            Self::Unreached => "unreached",
            Self::WrongNumber => "wrong_number",
            Self::ClosedBySupervisor => "closed_by_supervisor",
            Self::ByCustomer => "by_customer",
            Self::ByAgent => "by_agent",
            Self::BySupervisor => "by_supervisor",
            Self::ServedElsewhere => "served_elsewhere",
        }
    }
}

/// A state of a callback, as shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Waits for a time.
    Open,
    /// Waits for an agent.
    Queued,
    /// Put to an agent.
    Offered,
    /// An agent has it and hasn't called.
    Accepted,
    /// The customer is being called, or talks.
    Calling,
    /// The call is over, the agent writes it up.
    WrapUp,
    /// Done.
    ClosedComplete,
    /// Given up.
    ClosedAbandoned,
    /// Called off.
    Canceled,
}

impl State {
    /// All of them, in the order of a callback's life.
    pub const ALL: [Self; 9] = [
        Self::Open,
        Self::Queued,
        Self::Offered,
        Self::Accepted,
        Self::Calling,
        Self::WrapUp,
        Self::ClosedComplete,
        Self::ClosedAbandoned,
        Self::Canceled,
    ];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Queued => "queued",
            Self::Offered => "offered",
            Self::Accepted => "accepted",
            Self::Calling => "calling",
            Self::WrapUp => "wrap_up",
            Self::ClosedComplete => "closed_complete",
            Self::ClosedAbandoned => "closed_abandoned",
            Self::Canceled => "canceled",
        }
    }

    /// Whether nothing can follow.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::ClosedComplete | Self::ClosedAbandoned | Self::Canceled)
    }

    /// Whether it has a live interaction, and so its machine in memory.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Queued | Self::Offered | Self::Accepted | Self::Calling | Self::WrapUp)
    }
}

/// An agent's hold on an interaction, from accept to the end of wrap-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Who has it.
    pub agent: AgentId,
    /// When it began, by the steady clock: `preview_seconds` run from here.
    pub since: Timestamp,
}

/// Where a callback stands, with what only that state has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Waits for a time.
    Open {
        /// When it falls due, by the wall clock: `next_attempt_at`.
        due: Timestamp,
        /// When it is looked at next: when due, or before that when its time to wait may be over.
        wake_at: Timestamp,
        /// Why it waits.
        why: OpenReason,
        /// An interaction that waits along, carried over from before the queue closed.
        carried: Option<Box<Interaction>>,
    },
    /// Waits for an agent.
    Queued {
        /// The live interaction.
        interaction: Box<Interaction>,
    },
    /// Put to an agent.
    Offered {
        /// The live interaction.
        interaction: Box<Interaction>,
        /// The pending offer.
        offer: Offer,
    },
    /// An agent has it and hasn't called.
    Accepted {
        /// The live interaction.
        interaction: Box<Interaction>,
        /// Who has it.
        assignment: Assignment,
    },
    /// The customer is being called, or talks (the interaction's outcome is `answered`).
    Calling {
        /// The live interaction.
        interaction: Box<Interaction>,
        /// Who calls.
        assignment: Assignment,
        /// When the call began, by the steady clock: `max_call_seconds` run from here.
        since: Timestamp,
    },
    /// The call is over.
    WrapUp {
        /// The interaction, closed.
        interaction: Box<Interaction>,
        /// Who writes it up.
        assignment: Assignment,
        /// When the call ended, by the steady clock: `max_wrap_up_seconds` run from here.
        since: Timestamp,
        /// When wrap-up ends by itself, by the steady clock.
        ends_at: Timestamp,
    },
    /// In a final state, which nothing follows.
    Ended {
        /// What it is shown as from now on.
        state: FinalState,
        /// Tells those apart who end alike: expired, used up, given up.
        reason: ClosedReason,
        /// When it ended, by the wall clock: how long it is kept is counted from here.
        at: Timestamp,
    },
}
