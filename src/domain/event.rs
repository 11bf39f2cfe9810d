//! What happened, in the past tense: the same on the event stream, in webhooks and in history.

use super::agent::{AssignedBy, Presence, PresenceBy, RevokeReason, UnassignReason};
use super::callback::{CallbackType, ClosedReason, FinalState, OpenReason, Outcome, Unroutable};
use super::dispatch::Provider;
use super::ids::{AgentId, CallbackId, InteractionId, OfferId, QueueId, SessionId};
use super::policy::Medium;
use super::queue::Halves;
use super::time::Timestamp;

/// Whom a change was made by, for the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// The customer, by manage link.
    Customer,
    /// The channel, for the customer.
    Channel,
    /// An agent.
    Agent(AgentId),
    /// A supervisor or administrator.
    Supervisor,
    /// A rule.
    Engine,
}

impl By {
    /// The word on the wire.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Channel => "channel",
            Self::Agent(_) => "agent",
            Self::Supervisor => "supervisor",
            Self::Engine => "engine",
        }
    }
}

/// An event of a callback, an agent or a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Of a callback.
    Callback(CallbackId, CallbackEvent),
    /// Of an agent.
    Agent(AgentId, AgentEvent),
    /// Of a queue.
    Queue(QueueId, QueueEvent),
}

/// What happened to a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallbackEvent {
    /// `callback.created`.
    Created {
        /// Where it waits.
        queue: QueueId,
        /// Asap or scheduled.
        kind: CallbackType,
        /// Phone or video.
        medium: Medium,
        /// The booked start.
        start: Option<Timestamp>,
        /// Who asked for it.
        by: By,
    },
    /// `callback.rescheduled`.
    Rescheduled {
        /// The new start; `None` for asap.
        start: Option<Timestamp>,
        /// Who moved it; `Engine` where the rules of its zone have changed.
        by: By,
    },
    /// `callback.canceled`.
    Canceled {
        /// Why it ended.
        reason: ClosedReason,
        /// In the words of who called it off.
        text: Option<String>,
        /// Who called it off.
        by: By,
    },
    /// `callback.queued`.
    Queued {
        /// The live interaction.
        interaction: InteractionId,
        /// Its place in line.
        queued_since: Timestamp,
    },
    /// `callback.offered`.
    Offered {
        /// The offer.
        offer: OfferId,
        /// Whom it was put to, and nobody else meanwhile.
        agent: AgentId,
        /// When it expires unless it is answered, by the wall clock.
        expires_at: Timestamp,
    },
    /// `callback.accepted`.
    Accepted {
        /// The offer.
        offer: OfferId,
        /// Who took it, and has it from now on.
        agent: AgentId,
    },
    /// `callback.declined`.
    Declined {
        /// The offer.
        offer: OfferId,
        /// Who didn't take it.
        agent: AgentId,
        /// One of the queue's `decline_reasons`; where it lists none, any words.
        reason: Option<String>,
    },
    /// `callback.offer_expired`.
    OfferExpired {
        /// The offer.
        offer: OfferId,
        /// Who missed it.
        agent: AgentId,
    },
    /// `callback.offer_revoked`.
    OfferRevoked {
        /// The offer.
        offer: OfferId,
        /// To whom it was.
        agent: AgentId,
        /// What came between; the agent isn't to blame.
        reason: RevokeReason,
    },
    /// `callback.assigned`.
    Assigned {
        /// Who has it from now on.
        agent: AgentId,
        /// By accepting an offer, by taking it, or by a supervisor.
        by: AssignedBy,
    },
    /// `callback.unassigned`.
    Unassigned {
        /// Who had it.
        agent: AgentId,
        /// What ended it: most often what becomes of the callback next.
        reason: UnassignReason,
    },
    /// `callback.calling`.
    Calling {
        /// Who calls.
        agent: AgentId,
        /// The interaction's `attempt`, counted from 1.
        attempt: u32,
    },
    /// `callback.answered`.
    Answered {
        /// By whom the customer was reached.
        agent: AgentId,
    },
    /// `callback.call_ended`.
    CallEnded {
        /// By whom it was made.
        agent: AgentId,
        /// How it went.
        outcome: Outcome,
    },
    /// `callback.retry_scheduled`.
    RetryScheduled {
        /// When it falls due again, by the wall clock.
        at: Timestamp,
        /// How many attempts were made.
        attempts: u32,
        /// An agent asked for it; else the policy.
        by: By,
    },
    /// `callback.requeued`.
    Requeued {
        /// Where it waits now.
        queue: QueueId,
        /// The agent asked for.
        agent: Option<AgentId>,
        /// Who sent it back.
        by: By,
    },
    /// `callback.updated`.
    Updated {
        /// Who changed it.
        by: By,
        /// Names of the fields that changed.
        fields: Vec<String>,
    },
    /// `callback.unroutable`.
    Unroutable {
        /// Why nobody could take it; `None`: somebody can again.
        reason: Option<Unroutable>,
    },
    /// `callback.stuck`.
    Stuck {
        /// Offers declined or missed.
        offers_lost: u32,
    },
    /// `callback.carried_over`.
    CarriedOver {
        /// When it falls due instead, by the wall clock.
        due: Timestamp,
        /// Why it waits.
        why: OpenReason,
    },
    /// `callback.schedule_conflict`: the queue's hours have changed under its booking.
    ScheduleConflict {
        /// The booked start, at which the queue isn't open any more.
        start: Timestamp,
        /// When it opens after that; unmoved, it falls due then.
        next_open: Option<Timestamp>,
    },
    /// `callback.promise_broken`.
    PromiseBroken {
        /// What had been promised.
        promised_by: Timestamp,
    },
    /// `callback.meeting_ready`.
    MeetingReady {
        /// Who made it.
        provider: Provider,
        /// The customer's way in.
        join_url: String,
    },
    /// `callback.closed`.
    Closed {
        /// Complete or abandoned: what is called off is `Canceled`.
        state: FinalState,
        /// Tells those apart who end alike: expired, used up, given up.
        reason: ClosedReason,
        /// The closing code.
        disposition: Option<String>,
        /// Who closed it; `Engine` where a rule did.
        by: By,
    },
}

/// What happened to an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentEvent {
    /// `agent.connected`: a session came up.
    Connected {
        /// One of several that the agent may have at once.
        session: SessionId,
    },
    /// `agent.disconnected`: a session went.
    Disconnected {
        /// The one that went.
        session: SessionId,
        /// Sessions that remain.
        remaining: u32,
    },
    /// `agent.presence_changed`.
    PresenceChanged {
        /// What they want from now on.
        presence: Presence,
        /// In the words of who set it; where a rule did, the rule's name.
        reason: Option<String>,
        /// The agent, a supervisor, or a rule.
        by: PresenceBy,
    },
}

/// What happened to a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueEvent {
    /// `queue.paused`.
    Paused {
        /// New requests are refused, nothing is offered, or both.
        halves: Halves,
        /// In the supervisor's words.
        reason: Option<String>,
        /// When it ends by itself; none where somebody has to resume it.
        until: Option<Timestamp>,
    },
    /// `queue.resumed`.
    Resumed {
        /// Requests are taken again, offers are made again, or both.
        halves: Halves,
    },
}

impl Event {
    /// The event's name on the wire.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Callback(_, event) => event.name(),
            Self::Agent(_, event) => match event {
                AgentEvent::Connected { .. } => "agent.connected",
                AgentEvent::Disconnected { .. } => "agent.disconnected",
                AgentEvent::PresenceChanged { .. } => "agent.presence_changed",
            },
            Self::Queue(_, event) => match event {
                QueueEvent::Paused { .. } => "queue.paused",
                QueueEvent::Resumed { .. } => "queue.resumed",
            },
        }
    }
}

impl CallbackEvent {
    /// The event's name on the wire.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Created { .. } => "callback.created",
            Self::Rescheduled { .. } => "callback.rescheduled",
            Self::Canceled { .. } => "callback.canceled",
            Self::Queued { .. } => "callback.queued",
            Self::Offered { .. } => "callback.offered",
            Self::Accepted { .. } => "callback.accepted",
            Self::Declined { .. } => "callback.declined",
            Self::OfferExpired { .. } => "callback.offer_expired",
            Self::OfferRevoked { .. } => "callback.offer_revoked",
            Self::Assigned { .. } => "callback.assigned",
            Self::Unassigned { .. } => "callback.unassigned",
            Self::Calling { .. } => "callback.calling",
            Self::Answered { .. } => "callback.answered",
            Self::CallEnded { .. } => "callback.call_ended",
            Self::RetryScheduled { .. } => "callback.retry_scheduled",
            Self::Requeued { .. } => "callback.requeued",
            Self::Updated { .. } => "callback.updated",
            Self::Unroutable { .. } => "callback.unroutable",
            Self::Stuck { .. } => "callback.stuck",
            Self::CarriedOver { .. } => "callback.carried_over",
            Self::ScheduleConflict { .. } => "callback.schedule_conflict",
            Self::PromiseBroken { .. } => "callback.promise_broken",
            Self::MeetingReady { .. } => "callback.meeting_ready",
            Self::Closed { .. } => "callback.closed",
        }
    }
}
