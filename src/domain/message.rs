//! What machines say to each other, and what the world says to them: closed enums, in imperative.
//!
//! Between any two machines letters arrive in the order in which they were sent; between different
//! pairs any order must do. Nothing here is lost or doubled: that is the engine's promise.

use std::sync::Arc;

use super::agent::{AssignedBy, Presence, PresenceBy, RevokeReason, UnassignReason};
use super::callback::{
    Booking, CallbackType, Declined, Outcome, Preferred, Request, Snapshot, Unroutable,
};
use super::event::By;
use super::ids::{AgentId, CallbackId, OfferId, QueueId, SessionId};
use super::policy::{AgentSettings, Medium, QueueSettings};
use super::queue::Queue;
use super::rank::{Priority, Rank};
use super::refusal::Refusal;
use super::skills::Requirements;
use super::time::{Span, Timestamp};
use super::zone::TimeZone;

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

    /// Whether a supervisor's rights apply.
    pub const fn supervises(&self) -> bool {
        matches!(self, Self::Supervisor(_))
    }
}

/// A request for a callback on its way to becoming one.
#[derive(Debug, Clone)]
pub struct Create {
    /// Marks the command.
    pub token: Token,
    /// The new callback's id.
    pub id: CallbackId,
    /// Its number.
    pub number: u64,
    /// What was asked for.
    pub wish: Wish,
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
    /// What it asks of agents; the queue's own requirements are added by the queue's machine.
    pub requirements: Requirements,
    /// The agent asked for.
    pub preferred: Option<Preferred>,
    /// In place of the queue's.
    pub max_attempts: Option<u32>,
    /// In place of the queue's.
    pub expire_after_minutes: Option<u32>,
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
        /// Who.
        agent: AgentId,
    },
    /// The router's answer to `RouterMessage::Claim`.
    Claimed {
        /// The command that asked for it.
        token: Token,
        /// Reserved, or why not.
        result: Result<(), Refusal>,
    },
    /// A deadline may have come.
    Wake,
    /// Take the pending offer back from this agent, without penalty.
    RevokeOffer {
        /// From whom.
        agent: AgentId,
        /// Why.
        reason: RevokeReason,
    },
    /// The agent has been without a session for `session_grace_seconds`: give back what isn't
    /// called yet.
    GraceOver {
        /// Who.
        agent: AgentId,
    },
    /// The agent has been without a session for `call_grace_seconds`: end the call.
    CallGraceOver {
        /// Who.
        agent: AgentId,
    },
    /// The queue's settings, pauses or hours have changed.
    QueueChanged(Arc<Queue>),
    /// The queue has been closed for `overrun_minutes`: wait for its next opening.
    CarryOver {
        /// When that is; `None` if never.
        next_open: Option<Timestamp>,
    },
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
        /// Which.
        offer: OfferId,
    },
    /// Don't take the offer.
    Decline {
        /// Which.
        offer: OfferId,
        /// Why.
        reason: Option<String>,
    },
    /// The agent calls now.
    Call,
    /// How the call went.
    Outcome {
        /// The outcome.
        outcome: Outcome,
        /// In words.
        notes: Option<String>,
    },
    /// The answered call is over.
    EndCall {
        /// In words.
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
        /// In words.
        notes: Option<String>,
        /// The matter is settled.
        resolved: Option<bool>,
    },
    /// Give it to an agent.
    Assign {
        /// Whom.
        agent: AgentId,
        /// Past capacity.
        force: bool,
    },
    /// Call it off.
    Cancel {
        /// In words.
        reason: Option<String>,
    },
    /// Move it: to a time, or `None` for as soon as possible.
    Reschedule {
        /// The new time, resolved.
        booking: Option<Booking>,
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
            Self::Patch(_) => "patch",
        }
    }
}

/// Fields to change; `None` leaves a field as it is. What the role may change was checked before.
#[derive(Debug, Clone, Default)]
pub struct Patch {
    /// Its urgency.
    pub priority: Option<Priority>,
    /// What it asks of agents; the queue's own are added.
    pub requirements: Option<Requirements>,
    /// The agent asked for, or none.
    pub preferred: Option<Option<Preferred>>,
    /// Attempts before it is given up.
    pub max_attempts: Option<u32>,
    /// Its texts, as they were read and as they shall be (the version is set by the step). If they
    /// have changed since, the patch is refused as stale.
    pub request: Option<(Arc<Request>, Arc<Request>)>,
    /// Names of all fields that change, for the event.
    pub fields: Vec<String>,
}

/// What an agent is told.
#[derive(Debug, Clone)]
pub enum AgentMessage {
    /// A session is up; the answer is `Answer::Welcome`.
    Connect {
        /// Marks the command.
        token: Token,
        /// Which.
        session: SessionId,
    },
    /// A session is gone.
    Disconnect {
        /// Which.
        session: SessionId,
    },
    /// Set what the agent wants.
    SetPresence {
        /// Marks the command; `None` from a rule.
        token: Option<Token>,
        /// By whom.
        by: PresenceBy,
        /// What.
        presence: Presence,
        /// Why.
        reason: Option<String>,
    },
    /// Set work elsewhere.
    SetExternalLoad {
        /// Marks the command.
        token: Token,
        /// Units; 0 ends it.
        units: u32,
        /// Until when.
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
        /// How.
        end: OfferEnd,
    },
    /// A callback was assigned to them.
    Assigned {
        /// As it is.
        callback: Snapshot,
        /// How.
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
        /// Why.
        reason: UnassignReason,
    },
    /// A deadline may have come.
    Wake,
}

/// How an offer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferEnd {
    /// It was taken.
    Accepted,
    /// It was not.
    Declined,
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

/// What a queue is told.
#[derive(Debug, Clone)]
pub enum QueueMessage {
    /// Take a request, or refuse it.
    Create(Box<Create>),
    /// Set it up; makes the queue where there is none.
    Put {
        /// Marks the command; `None` at start.
        token: Option<Token>,
        /// The version that it is meant for.
        if_match: Option<u64>,
        /// The settings.
        settings: Arc<QueueSettings>,
    },
    /// Be gone; refused while any callback isn't final.
    Remove {
        /// Marks the command.
        token: Token,
        /// The version that it is meant for.
        if_match: Option<u64>,
        /// Dormant callbacks that the store knows of there.
        dormant: u64,
    },
    /// Stop requests, offers, or both.
    Pause {
        /// Marks the command.
        token: Token,
        /// New requests.
        intake: bool,
        /// Offers.
        offers: bool,
        /// Why.
        reason: Option<String>,
        /// Until when.
        until: Option<Timestamp>,
    },
    /// Go on.
    Resume {
        /// Marks the command.
        token: Token,
        /// New requests.
        intake: bool,
        /// Offers.
        offers: bool,
    },
    /// A callback has become live here, or its rank or state has changed.
    Join {
        /// Which.
        callback: CallbackId,
        /// Its place, while it is queued; `None` while an agent has it.
        place: Option<Place>,
        /// The version of the queue that it works by; told a newer one if there is one.
        version: u64,
    },
    /// A callback is live here no more.
    Leave {
        /// Which.
        callback: CallbackId,
    },
    /// Tell how many wait, for the stats of now.
    Stats {
        /// Marks the question.
        token: Token,
    },
    /// Tell a callback's place in line.
    Position {
        /// Marks the question.
        token: Token,
        /// Which.
        callback: CallbackId,
    },
    /// A deadline may have come.
    Wake,
}

/// A callback's place in a queue's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Smallest first; see `rank`.
    pub rank: Rank,
    /// Since when it waits.
    pub queued_since: Timestamp,
}

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
    /// A callback waits, or what it asks for has changed. Ignored while an agent is reserved for
    /// it: the callback answers `Propose` by an offer, or by `Release` and `Enqueue`.
    Enqueue(Box<Work>),
    /// A callback waits no more. While an agent is reserved for it, `Release` will follow.
    Withdraw(CallbackId),
    /// One grant of the agent (by `Propose`, `Claim` or `Hold`) is given back. The same agent may
    /// have been granted to the same callback twice, by a proposal that crossed a claim: their
    /// capacity is free again when the last grant is given back.
    Release {
        /// Which callback held it.
        callback: CallbackId,
        /// Whose.
        agent: AgentId,
    },
    /// Reserve this very agent; answered by `CallbackMessage::Claimed`.
    Claim(Box<Claim>),
    /// At start: the agent holds this callback, as its record says.
    Hold {
        /// Which callback.
        callback: CallbackId,
        /// Who.
        agent: AgentId,
        /// Phone or video.
        medium: Medium,
        /// Units.
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
}

/// A queued callback, as the router needs to know it. Instants are of the steady clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// Which.
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
    pub preferred: Option<(Preferred, Timestamp)>,
    /// Who isn't offered it at the moment, or for good.
    pub declined: Vec<Declined>,
    /// When its promise breaks.
    pub promise: Option<Timestamp>,
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
    /// Whom.
    pub agent: AgentId,
    /// Past capacity.
    pub force: bool,
    /// The agent takes it for themselves: only within their queues.
    pub by_agent: bool,
}

/// What the scheduler is told.
#[derive(Debug, Clone)]
pub enum SchedulerMessage {
    /// Wake a machine at these times; replaces what was set for it before.
    SetTimer {
        /// Whom.
        machine: Machine,
        /// By the wall clock.
        wall: Option<Timestamp>,
        /// By the steady clock.
        steady: Option<Timestamp>,
    },
    /// A callback went dormant, with its record in the store: wake it then.
    Slept {
        /// Which.
        callback: CallbackId,
        /// When, by the wall clock.
        at: Timestamp,
    },
    /// A dormant callback was addressed, and is live.
    Roused {
        /// Which.
        callback: CallbackId,
    },
    /// What `Effect::ReadDue` found: dormant callbacks in order of their time.
    Window {
        /// Due time and id, ascending.
        items: Vec<(Timestamp, CallbackId)>,
        /// There are more up to the window's end than `items` has.
        more: bool,
    },
    /// Time has passed, the clock may have jumped, or permits came free.
    Tick {
        /// So many dormant callbacks may be woken now.
        permits: usize,
    },
}
