//! What a callback is told: the request that makes it, commands on it, and what the other
//! machines have decided.

use std::sync::Arc;

use super::queue::Seated;
use super::{Token, Who};
use crate::domain::agent::RevokeReason;
use crate::domain::callback::{
    Booking, CallbackType, Outcome, Preferred, Request, Snapshot, Told, Unroutable,
};
use crate::domain::dispatch::Meeting;
use crate::domain::ids::{AgentId, CallbackId, OfferId, QueueId, SessionId};
use crate::domain::policy::Medium;
use crate::domain::queue::Queue;
use crate::domain::rank::Priority;
use crate::domain::refusal::Refusal;
use crate::domain::skills::Requirements;
use crate::domain::time::Timestamp;
use crate::domain::zone::TimeZone;

/// A request for a callback on its way to becoming one.
#[derive(Debug, Clone)]
pub struct Create {
    /// Marks the command.
    pub token: Token,
    /// The new callback's id.
    pub id: CallbackId,
    /// Counted per workspace; shown as `CB0001042`.
    pub number: u64,
    /// What was asked for.
    pub wish: Wish,
    /// What the same contact has that isn't final, the oldest first.
    pub active: Vec<Snapshot>,
    /// The callback that has its external id already.
    pub external: Option<CallbackId>,
    /// Those of them that wait for the same; the queue's machine says.
    pub duplicates: Vec<CallbackId>,
    /// Agents of the queue with room for it.
    pub free_agents: u32,
    /// What is told of the wait; set by the queue's machine.
    pub told: Option<Told>,
}

/// What a request asks for, checked field by field; what depends on the queue's state isn't yet.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Where it shall wait.
    pub queue: QueueId,
    /// Who asks; an agent's or supervisor's request is `requested_by: agent`.
    pub who: Who,
    /// Texts, at version 1.
    pub request: Arc<Request>,
    /// Asap or scheduled.
    pub kind: CallbackType,
    /// Phone or video.
    pub medium: Medium,
    /// The booked time, resolved; its `end` is set by the queue's machine.
    pub booking: Option<Booking>,
    /// The zone that its times are shown in.
    pub zone: TimeZone,
    /// Its urgency.
    pub priority: Priority,
    /// Units of capacity that it takes.
    pub size: u32,
    /// What it asks of agents, beside what its queue asks.
    pub requirements: Requirements,
    /// The agent asked for.
    pub preferred: Option<Box<Preferred>>,
    /// In place of the queue's.
    pub max_attempts: Option<u32>,
    /// In place of the queue's.
    pub expire_after_minutes: Option<u32>,
}

impl Wish {
    /// For a call as soon as possible, with nothing special about it.
    pub fn asap(queue: QueueId, who: Who, request: Request) -> Self {
        Self {
            queue,
            who,
            request: Arc::new(request),
            kind: CallbackType::Asap,
            medium: Medium::Voice,
            booking: None,
            zone: TimeZone::utc(),
            priority: Priority::default(),
            size: 1,
            requirements: Requirements::default(),
            preferred: None,
            max_attempts: None,
            expire_after_minutes: None,
        }
    }

    /// The same for a booked time.
    #[must_use]
    pub fn booked(self, booking: Booking) -> Self {
        Self { kind: CallbackType::Scheduled, booking: Some(booking), ..self }
    }
}

/// What an agent answers an offer with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OfferAnswer {
    /// They take it.
    Accept,
    /// They don't.
    Decline {
        /// One of the queue's `decline_reasons`; where it lists none, any words.
        reason: Option<String>,
    },
}

/// What a callback is told.
#[derive(Debug, Clone)]
pub enum CallbackMessage {
    /// Begin: the queue has taken the request.
    Create {
        /// What was asked for.
        create: Box<Create>,
        /// The queue, as it is.
        queue: Arc<Queue>,
        /// The place in line, for an asap request while the queue is open; 1 is next.
        position: Option<u32>,
    },
    /// Do what somebody asks for.
    Command(Box<CallbackCommand>),
    /// An agent is reserved for it: offer it, or release them.
    Propose {
        /// Reserved for it: given back by `RouterMessage::Release` unless they take it.
        agent: AgentId,
    },
    /// The router's answer to `RouterMessage::Claim`.
    Claimed {
        /// The command that asked for it.
        token: Token,
        /// Reserved, or why not.
        result: Result<(), Refusal>,
    },
    /// Its meeting was made, moved or looked up.
    MeetingMade {
        /// Marks what asked for it, so that it hears when this is durable.
        token: Token,
        /// As its provider has it now.
        meeting: Meeting,
        /// Mails that should have had its link went out without.
        late: bool,
    },
    /// What would have been told of the wait when it was queued.
    Noted(Told),
    /// The queue's answer to `QueueMessage::Reserve`.
    Reserved {
        /// The command that asked for it; none where the rules of a zone did.
        token: Option<Token>,
        /// The seat that is kept, or why there is none.
        result: Result<Seated, Refusal>,
    },
    /// A deadline may have come.
    Wake,
    /// Take the pending offer back from this agent, without penalty.
    RevokeOffer {
        /// Whose offer it was when this was sent; another's is left alone.
        agent: AgentId,
        /// What came between.
        reason: RevokeReason,
    },
    /// The agent has been without a session for `session_grace_seconds`: give back what isn't
    /// called yet.
    GraceOver {
        /// Whose grace is over; what another has is left alone.
        agent: AgentId,
    },
    /// The agent's last session is gone; a call of theirs has its queue's `call_grace_seconds`.
    AgentLost {
        /// Whose session is gone; what another has is left alone.
        agent: AgentId,
        /// Since when, by the steady clock.
        since: Timestamp,
    },
    /// The agent has a session again.
    AgentBack {
        /// Whose session is back; what another has is left alone.
        agent: AgentId,
    },
    /// The queue's settings, pauses or hours have changed.
    QueueChanged(Arc<Queue>),
    /// Look again at what it waits for: the queue's hours, or the rules of a zone, have changed.
    Recheck,
    /// The queue has been closed for `overrun_minutes`: wait for its next opening.
    CarryOver {
        /// When that is; `None` if never.
        next_open: Option<Timestamp>,
    },
    /// The customer's number was put on the deny list, or taken off it.
    NumberDenied(bool),
    /// As things are nobody could ever take it; `None`: somebody can.
    SetUnroutable(Option<Unroutable>),
}

/// A command on one callback.
#[derive(Debug, Clone)]
pub struct CallbackCommand {
    /// Marks the command.
    pub token: Token,
    /// In whose name.
    pub who: Who,
    /// The version that it is meant for.
    pub if_match: Option<u64>,
    /// What to do.
    pub action: Action,
}

/// What may be asked of a callback.
#[derive(Debug, Clone)]
pub enum Action {
    /// Take the offer.
    Accept {
        /// The offer meant: an older one is refused.
        offer: OfferId,
        /// In which session of the agent's, if in one.
        session: Option<SessionId>,
    },
    /// Don't take the offer.
    Decline {
        /// The offer meant: an older one is refused.
        offer: OfferId,
        /// One of the queue's `decline_reasons`; where it lists none, any words.
        reason: Option<String>,
        /// In which session of the agent's, if in one.
        session: Option<SessionId>,
    },
    /// The agent calls now.
    Call,
    /// How the call went.
    Outcome {
        /// The outcome.
        outcome: Outcome,
        /// What the agent writes of this attempt.
        notes: Option<String>,
    },
    /// The answered call is over.
    EndCall {
        /// What the agent writes of this attempt.
        notes: Option<String>,
    },
    /// More time for wrap-up.
    ExtendWrapUp {
        /// So much more.
        seconds: u32,
    },
    /// Try again later.
    Retry {
        /// When; by policy if not said.
        at: Option<Timestamp>,
        /// The same agent is preferred then.
        mine: bool,
        /// The customer agreed to be called outside contact hours.
        customer_agreed: bool,
    },
    /// Send it back to a queue.
    Requeue {
        /// Another queue, as it is.
        queue: Option<Arc<Queue>>,
        /// An agent to be preferred.
        agent: Option<AgentId>,
    },
    /// Close it.
    Close {
        /// The closing code.
        disposition: Option<String>,
        /// What is written at closing.
        notes: Option<String>,
        /// The matter is settled.
        resolved: Option<bool>,
    },
    /// Give it to an agent.
    Assign {
        /// Who is to have it.
        agent: AgentId,
        /// Even where it doesn't fit into their capacity.
        force: bool,
    },
    /// Call it off.
    Cancel {
        /// In the words of who calls it off.
        reason: Option<String>,
    },
    /// Move it: to a time, or `None` for as soon as possible.
    Reschedule {
        /// The new time, resolved.
        booking: Option<Booking>,
    },
    /// The customer was served another way: call off what waits for them.
    ServeElsewhere {
        /// What is booked for a time to come too.
        include_scheduled: bool,
    },
    /// Change fields.
    Patch(Box<Patch>),
}

impl Action {
    /// Its name on the wire.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Accept { .. } => "accept",
            Self::Decline { .. } => "decline",
            Self::Call => "call",
            Self::Outcome { .. } => "outcome",
            Self::EndCall { .. } => "end_call",
            Self::ExtendWrapUp { .. } => "extend_wrap_up",
            Self::Retry { .. } => "retry",
            Self::Requeue { .. } => "requeue",
            Self::Close { .. } => "close",
            Self::Assign { .. } => "assign",
            Self::Cancel { .. } => "cancel",
            Self::Reschedule { .. } => "reschedule",
            Self::ServeElsewhere { .. } => "serve_elsewhere",
            Self::Patch(_) => "patch",
        }
    }
}

/// Fields to change; `None` leaves a field as it is. What the role may change was checked before.
#[derive(Debug, Clone, Default)]
pub struct Patch {
    /// Its urgency.
    pub priority: Option<Priority>,
    /// What it asks of agents, beside what its queue asks.
    pub requirements: Option<Requirements>,
    /// The agent asked for, or none.
    pub preferred: Option<Option<Box<Preferred>>>,
    /// Attempts before it is given up.
    pub max_attempts: Option<u32>,
    /// Its texts, as they were read and as they shall be (the version is set by the step). If they
    /// have changed since, the patch is refused as stale.
    pub request: Option<(Arc<Request>, Arc<Request>)>,
    /// Names of all fields that change, for the event.
    pub fields: Vec<String>,
}
