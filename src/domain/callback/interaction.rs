//! One attempt at a callback: put to agents as an offer, called, ended with an outcome.

use crate::domain::ids::{AgentId, InteractionId, OfferId};
use crate::domain::time::Timestamp;

/// How a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The customer took the call.
    Answered,
    /// Nobody picked up.
    NoAnswer,
    /// The line was busy.
    Busy,
    /// A machine picked up.
    Voicemail,
    /// Picked up, didn't take the call.
    Refused,
    /// The call couldn't be made.
    Failed,
    /// Somebody else's number.
    WrongNumber,
    /// Nobody said.
    Unknown,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Answered,
        Self::NoAnswer,
        Self::Busy,
        Self::Voicemail,
        Self::Refused,
        Self::Failed,
        Self::WrongNumber,
        Self::Unknown,
    ];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::NoAnswer => "no_answer",
            Self::Busy => "busy",
            Self::Voicemail => "voicemail",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::WrongNumber => "wrong_number",
            Self::Unknown => "unknown",
        }
    }

    /// Whether it counts as an attempt: only what happened on the customer's side does.
    pub const fn counts(self) -> bool {
        !matches!(self, Self::Unknown)
    }
}

/// Where an interaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InteractionState {
    /// Waits for an agent.
    Queued,
    /// Put to an agent.
    Offered,
    /// An agent has it.
    Accepted,
    /// The customer is being called, or talks.
    Calling,
    /// The customer was reached.
    ClosedComplete,
    /// The customer was not.
    ClosedAbandoned,
}

impl InteractionState {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Offered => "offered",
            Self::Accepted => "accepted",
            Self::Calling => "calling",
            Self::ClosedComplete => "closed_complete",
            Self::ClosedAbandoned => "closed_abandoned",
        }
    }
}

/// One attempt at a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interaction {
    /// Its id.
    pub id: InteractionId,
    /// Counts from 1 per callback.
    pub attempt: u32,
    /// Where it stands.
    pub state: InteractionState,
    /// Who had it last.
    pub agent: Option<AgentId>,
    /// When the callback fell due, or was redialled.
    pub created_at: Timestamp,
    /// When it was last offered.
    pub offered_at: Option<Timestamp>,
    /// When it was last accepted.
    pub accepted_at: Option<Timestamp>,
    /// When the agent called.
    pub called_at: Option<Timestamp>,
    /// When the customer answered.
    pub answered_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How the call went.
    pub outcome: Option<Outcome>,
    /// What the agent wrote of this attempt.
    pub notes: Option<String>,
}

/// One interaction put to one agent for a limited time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Its id.
    pub id: OfferId,
    /// The one agent who may answer it.
    pub agent: AgentId,
    /// When it expires, by the steady clock.
    pub expires_at: Timestamp,
}
