//! An agent as stored and as shown: presence, connection, what is held.

use std::sync::Arc;

use super::callback::Snapshot;
use super::ids::{CallbackId, SessionId};
use super::policy::AgentSettings;
use super::time::{Span, Timestamp};

/// What the agent wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Presence {
    /// To be offered work.
    Available,
    /// Not now.
    Away,
    /// To be gone.
    Offline,
}

impl Presence {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Available, Self::Away, Self::Offline];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Away => "away",
            Self::Offline => "offline",
        }
    }
}

/// Who set a presence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PresenceBy {
    /// The agent.
    Agent,
    /// A supervisor.
    Supervisor,
    /// A rule: `no_response`, `no_call`, `connection_lost`.
    Engine,
}

impl PresenceBy {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Supervisor => "supervisor",
            Self::Engine => "engine",
        }
    }
}

/// What an agent is doing, derived from what they hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Engagement {
    /// Nothing.
    Idle,
    /// Something is put to them.
    Offered,
    /// They have work.
    Busy,
    /// All that they have is in wrap-up.
    WrapUp,
}

impl Engagement {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Offered => "offered",
            Self::Busy => "busy",
            Self::WrapUp => "wrap_up",
        }
    }
}

/// Work outside Ringback that takes an agent's units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExternalLoad {
    /// Units of capacity that it takes.
    pub units: u32,
    /// Until when, by the wall clock.
    pub until: Timestamp,
}

/// An agent's facts. What they hold is not among them: it stands in the callbacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Who they are and what they can do.
    pub settings: Arc<AgentSettings>,
    /// Rises with each change, for the `ETag` of their status.
    pub version: u64,
    /// What they want.
    pub presence: Presence,
    /// Why, in their words or the engine's.
    pub reason: Option<String>,
    /// When they came to want that, by the wall clock.
    pub presence_since: Timestamp,
    /// Offers missed in a row.
    pub missed_offers: u32,
    /// Idle since, by the steady clock: the end of the last wrap-up, or becoming available.
    pub idle_since: Timestamp,
    /// Work elsewhere, until it ends.
    pub external: Option<ExternalLoad>,
    /// Rises with each change of the settings, for their `ETag`: whoever sets an agent up must not
    /// be refused because the agent went for lunch meanwhile.
    pub settings_version: u64,
}

/// An agent as supervisors and colleagues see them; published with each change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentView {
    /// The stored facts.
    pub agent: Arc<Agent>,
    /// Those that are up; none: the agent isn't connected.
    pub sessions: Vec<SessionId>,
    /// Since when a session has been up without a break, or none has.
    pub connection_since: Timestamp,
    /// Derived from what is held.
    pub engagement: Engagement,
    /// How long they keep what they haven't called when no session is up.
    pub session_grace: Span,
    /// Units held, external ones left out.
    pub held_units: u32,
    /// What is assigned; pending offers are no assignments.
    pub assigned: Vec<CallbackId>,
}

/// An agent without a session, as those who show their work see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// Since when, by the wall clock.
    pub since: Timestamp,
    /// How long they keep what they haven't called.
    pub session_grace: Span,
}

impl AgentView {
    /// Since when no session has been up; none while one is.
    pub fn lost(&self) -> Option<Lost> {
        let lost = Lost { since: self.connection_since, session_grace: self.session_grace };
        self.sessions.is_empty().then_some(lost)
    }
}

/// The whole truth for a session that has just connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// The one that has just come up, and gets this.
    pub session: SessionId,
    /// The agent.
    pub agent: Arc<Agent>,
    /// Callbacks with a pending offer to them.
    pub offers: Vec<Snapshot>,
    /// Callbacks assigned to them.
    pub assignments: Vec<Snapshot>,
}

/// Why an offer ended without being accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RevokeReason {
    /// The callback was called off.
    Canceled,
    /// It was moved.
    Rescheduled,
    /// The agent accepted it in another session, or somebody was assigned.
    AcceptedElsewhere,
    /// The agent's last session is gone.
    SessionLost,
    /// The agent went away or offline.
    AgentAway,
    /// A supervisor gave it to somebody else or sent it back.
    Reassigned,
    /// It waited too long.
    Expired,
    /// A supervisor closed it.
    Closed,
    /// The queue closed and its overrun is over.
    CarriedOver,
    /// The queue's offers are paused.
    Paused,
    /// The agent's room is taken by work elsewhere.
    AtCapacity,
    /// The engine started anew.
    Restarted,
    /// The customer's number was put on the deny list.
    NumberDenied,
}

impl RevokeReason {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Canceled => "canceled",
            Self::Rescheduled => "rescheduled",
            Self::AcceptedElsewhere => "accepted_elsewhere",
            Self::SessionLost => "session_lost",
            Self::AgentAway => "agent_away",
            Self::Reassigned => "reassigned",
            Self::Expired => "expired",
            Self::Closed => "closed",
            Self::CarriedOver => "carried_over",
            Self::Paused => "paused",
            Self::AtCapacity => "at_capacity",
            Self::Restarted => "restarted",
            Self::NumberDenied => "number_denied",
        }
    }
}

/// How an assignment began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AssignedBy {
    /// The agent accepted an offer, or the queue accepts for them.
    Accept,
    /// A supervisor assigned it.
    Supervisor,
    /// The agent took it.
    Claim,
}

impl AssignedBy {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Supervisor => "supervisor",
            Self::Claim => "claim",
        }
    }
}

/// Why an assignment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnassignReason {
    /// The callback was closed.
    Closed,
    /// Another attempt follows.
    Retry,
    /// It went back to the queue.
    Requeued,
    /// The callback was called off.
    Canceled,
    /// A supervisor gave it to somebody else.
    Reassigned,
    /// It wasn't called in time.
    NoCall,
    /// The agent's connection was lost.
    ConnectionLost,
}

impl UnassignReason {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Retry => "retry",
            Self::Requeued => "requeued",
            Self::Canceled => "canceled",
            Self::Reassigned => "reassigned",
            Self::NoCall => "no_call",
            Self::ConnectionLost => "connection_lost",
        }
    }
}
