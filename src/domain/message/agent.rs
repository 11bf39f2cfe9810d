//! What an agent is told: by their sessions, by administrators, and by the callbacks they hold.

use std::sync::Arc;

use super::Token;
use crate::domain::agent::{AssignedBy, Presence, PresenceBy, RevokeReason, UnassignReason};
use crate::domain::callback::Snapshot;
use crate::domain::ids::{CallbackId, OfferId, SessionId};
use crate::domain::policy::AgentSettings;
use crate::domain::time::{Span, Timestamp};

/// What an agent is told.
#[derive(Debug, Clone)]
pub enum AgentMessage {
    /// A session is up; the answer is `Answer::Welcome`.
    Connect {
        /// Marks the command.
        token: Token,
        /// The new one, beside any others of the same agent.
        session: SessionId,
    },
    /// A session is gone.
    Disconnect {
        /// The one that is gone.
        session: SessionId,
    },
    /// Set what the agent wants.
    SetPresence {
        /// Marks the command; `None` from a rule.
        token: Option<Token>,
        /// The agent, a supervisor, or a rule.
        by: PresenceBy,
        /// What they want from now on.
        presence: Presence,
        /// In the words of who sets it; from a rule, the rule's name.
        reason: Option<String>,
    },
    /// Set work elsewhere.
    SetExternalLoad {
        /// Marks the command.
        token: Token,
        /// Units; 0 ends it.
        units: u32,
        /// When it ends by itself, by the wall clock.
        until: Timestamp,
    },
    /// Set who they are and what they can do; makes the agent where there is none.
    Put {
        /// Marks the command; `None` at start.
        token: Option<Token>,
        /// The version that it is meant for.
        if_match: Option<u64>,
        /// The settings.
        settings: Arc<AgentSettings>,
        /// Timers, the largest among their queues.
        timers: AgentTimers,
    },
    /// Their queues' timers have changed.
    SetTimers(AgentTimers),
    /// Be gone; refused while anything is held.
    Remove {
        /// Marks the command.
        token: Token,
        /// The version that it is meant for.
        if_match: Option<u64>,
    },
    /// A callback was offered to them.
    Offered {
        /// As it is.
        callback: Snapshot,
    },
    /// An offer to them is over.
    OfferEnded {
        /// The callback.
        callback: CallbackId,
        /// The offer.
        offer: OfferId,
        /// Decides whether it counts as missed, and which sessions are told.
        end: OfferEnd,
    },
    /// A callback was assigned to them.
    Assigned {
        /// As it is.
        callback: Snapshot,
        /// By accepting an offer, by taking it, or by a supervisor.
        by: AssignedBy,
    },
    /// At start: a callback is assigned to them, as its record says. Nobody is told.
    Hold {
        /// As it is.
        callback: Snapshot,
    },
    /// An assignment of theirs has changed.
    Updated {
        /// As it is.
        callback: Snapshot,
    },
    /// An assignment of theirs is over.
    Unassigned {
        /// The callback.
        callback: CallbackId,
        /// What ended it.
        reason: UnassignReason,
    },
    /// A deadline may have come.
    Wake,
}

/// How an offer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferEnd {
    /// It was taken.
    Accepted(Option<SessionId>),
    /// It was not; said in this session of the agent's, which knows, if it was in one.
    Declined(Option<SessionId>),
    /// Nobody answered in time.
    Expired,
    /// It was taken back.
    Revoked(RevokeReason),
}

/// An agent's own timers: the largest value among their queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentTimers {
    /// How long a vanished agent keeps what wasn't called yet.
    pub session_grace: Span,
    /// How long a vanished agent keeps a call, and their presence.
    pub call_grace: Span,
    /// After so many missed offers they go away.
    pub max_missed_offers: u32,
}
