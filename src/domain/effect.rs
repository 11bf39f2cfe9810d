//! What a step wants done: changes to be journaled, letters, answers, frames.

use std::sync::Arc;

use super::agent::{
    Agent, AgentView, AssignedBy, PresenceBy, RevokeReason, UnassignReason, Welcome,
};
use super::callback::{Interaction, Request, Snapshot};
use super::callback_offer::CallbackOffer;
use super::denied::Denied;
use super::dispatch::{Failure, OutboxChange};
use super::estimate::{Accuracy, Estimate};
use super::event::Event;
use super::ids::{AgentId, CallbackId, OfferId, QueueId, SessionId, WebhookId};
use super::key::{ApiKey, TokenHash};
use super::measure::Measured;
use super::message::{Letter, Token};
use super::phone::PhoneNumber;
use super::queue::{Queue, Staff};
use super::refusal::Refusal;
use super::slots::{Bookings, SlotRoom, Staffing};
use super::time::Timestamp;
use super::webhook::{Progress, Webhook};

/// What a step leaves behind. The changes and events are one journal entry, all or nothing;
/// answers, frames and publications leave only when that entry is durable; letters go at once.
#[derive(Debug, Default)]
pub struct StepOutput {
    /// New states of records.
    pub changes: Vec<Change>,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// What to do.
    pub effects: Vec<Effect>,
}

impl StepOutput {
    /// Sends a letter.
    pub fn send(&mut self, letter: Letter) {
        self.effects.push(Effect::Send(letter));
    }

    /// Answers a command.
    pub fn answer(&mut self, token: Token, result: Result<Answer, Refusal>) {
        self.effects.push(Effect::Answer { token, result: Box::new(result) });
    }
}

/// A new state of one record. The old one comes along, because index rows follow from both.
#[derive(Debug, Clone)]
pub enum Change {
    /// A callback was made or changed.
    Callback {
        /// What it was.
        before: Option<Snapshot>,
        /// What it is.
        after: Snapshot,
    },
    /// A version of a callback's texts was written.
    Request {
        /// The callback whose texts they are.
        callback: CallbackId,
        /// What they were, where they are known to the step.
        before: Option<Arc<Request>>,
        /// What they are.
        after: Arc<Request>,
    },
    /// An interaction has ended and left the callback's record; counted from 0.
    Interaction {
        /// The callback that it belonged to.
        callback: CallbackId,
        /// Which: its place among the ended ones.
        index: u32,
        /// As it ended.
        interaction: Box<Interaction>,
    },
    /// A number was put on the deny list, or taken off it.
    Denied(PhoneNumber, Option<Arc<Denied>>),
    /// A key was made, changed or revoked; none: the store has nothing of it any more.
    Key(TokenHash, Option<Arc<ApiKey>>),
    /// An agent was made or changed.
    Agent(Arc<Agent>),
    /// An agent was removed.
    AgentRemoved(AgentId),
    /// A queue was made or changed.
    Queue(Arc<Queue>),
    /// A queue was removed.
    QueueRemoved(QueueId),
    /// Something goes out, went out, or won't.
    Outbox(Box<OutboxChange>),
    /// A webhook was made or changed, or has come further.
    Webhook(WebhookChange),
    /// What was measured in a quarter of an hour, so far.
    Measured(Box<Measured>),
}

/// A new state of a webhook.
#[derive(Debug, Clone)]
pub enum WebhookChange {
    /// It was made or changed; one that isn't active keeps no progress.
    Put(Arc<Webhook>),
    /// It was removed.
    Removed(WebhookId),
    /// It has come further.
    Progress(Arc<Progress>),
    /// It is to be sent an event again that was given up.
    Again {
        /// The webhook that gave it up.
        webhook: WebhookId,
        /// The event's id.
        event: u64,
    },
    /// An event that was to be sent again stands in its progress now.
    TakenAgain {
        /// The webhook that it goes to.
        webhook: WebhookId,
        /// The event's id.
        event: u64,
    },
}

/// What to do.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Send a letter, at once.
    Send(Letter),
    /// Answer a command, when durable.
    Answer {
        /// Marks the command.
        token: Token,
        /// What came of the command, or why nothing did.
        result: Box<Result<Answer, Refusal>>,
    },
    /// Send frames to sessions, when durable.
    Notify {
        /// All that are to have it; one that is gone by then is passed over.
        sessions: Vec<SessionId>,
        /// The same for each of them.
        notice: Notice,
    },
    /// End these sessions, whose agent was removed, when durable.
    CloseSessions {
        /// All of the agent's.
        sessions: Vec<SessionId>,
    },
    /// Show readers an agent, when durable; `None`: removed.
    PublishAgent(AgentId, Option<Arc<AgentView>>),
    /// Show readers a queue, when durable; `None`: removed.
    PublishQueue(QueueId, Option<Arc<Queue>>),
    /// The machine may be let go: its callback is dormant or over.
    LetGo,
    /// Of the scheduler: read dormant callbacks behind `after` and due up to `until`, at most
    /// `limit`, and tell it with `SchedulerMessage::Window`.
    ReadDue {
        /// The read's number, which its answer carries.
        read: u64,
        /// Behind this one in order of due time and id; `None` from the beginning.
        after: Option<(Timestamp, CallbackId)>,
        /// Those due by then, this instant included.
        until: Timestamp,
        /// At most so many.
        limit: usize,
    },
    /// Of the scheduler: tick at these times; replaces what was set before. A time that has come
    /// already means: as soon as a permit is free.
    SetAlarm {
        /// By the wall clock.
        wall: Option<Timestamp>,
        /// By the steady clock.
        steady: Option<Timestamp>,
    },
}

/// What a command is answered with.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The callback, as the command left it.
    Callback {
        /// As it is.
        callback: Snapshot,
        /// Its place in line, where the command was an asap request.
        position: Option<u32>,
        /// It was made by the command.
        created: bool,
        /// What the contact has waiting for the same already, where an agent asked for one more.
        duplicates: Vec<CallbackId>,
    },
    /// The agent, as the command left it.
    Agent {
        /// As it is.
        agent: Arc<Agent>,
        /// It was made by the command.
        created: bool,
    },
    /// The queue, as the command left it.
    Queue {
        /// As it is.
        queue: Arc<Queue>,
        /// It was made by the command.
        created: bool,
    },
    /// The webhook, as the command left it.
    Webhook {
        /// As it is.
        webhook: Arc<Webhook>,
        /// It was made by the command.
        created: bool,
    },
    /// A session's first frame.
    Welcome(Box<Welcome>),
    /// A place in line; `None` if it isn't queued there.
    Position(Option<InLine>),
    /// Whether a callback is offered.
    Availability(Box<Availability>),
    /// Why a callback isn't assigned.
    Trace(Box<Trace>),
    /// How a queue's line is.
    QueueStats(QueueStats),
    /// A failure of the outbox, as it was before its item was tried again.
    Failure(Box<Failure>),
    /// A key, as the command left it.
    Key {
        /// As it is.
        key: Arc<ApiKey>,
        /// It was made by the command.
        created: bool,
    },
    /// A number is on the deny list.
    Denied {
        /// It, with what is said of it.
        denied: Arc<Denied>,
        /// It was put there by the command.
        created: bool,
    },
    /// What became of a contact's callbacks when they were served another way.
    Served {
        /// Called off by that.
        closed: Vec<CallbackId>,
        /// Left as they were: an agent has them, or they are booked and that was to stay.
        kept: Vec<CallbackId>,
    },
    /// Slots, free ones.
    Slots(Vec<SlotRoom>),
    /// What is taken of a queue's slots, to work a list out from.
    Booked {
        /// The queue, as it is.
        queue: Arc<Queue>,
        /// What is taken.
        bookings: Bookings,
        /// Who serves it.
        staffing: Staffing,
    },
    /// Done, with nothing to show.
    Done,
}

/// A callback's place in line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InLine {
    /// 1 is next.
    pub position: u32,
    /// For how long it will stand there; none where too little is known.
    pub estimate: Option<Estimate>,
}

/// What a customer is told before they choose.
#[derive(Debug, Clone, PartialEq)]
pub struct Availability {
    /// The queue, as it is.
    pub queue: Arc<Queue>,
    /// Its agents.
    pub staff: Staff,
    /// Callbacks queued.
    pub waiting: u32,
    /// The wait of whoever joins now; none where too little is known.
    pub estimate: Option<Estimate>,
    /// From request to first call, lately; none where too few were called.
    pub average_callback_seconds: Option<u32>,
    /// What is offered, and why.
    pub offer: CallbackOffer,
    /// The next free slots.
    pub next_slots: Vec<SlotRoom>,
}

/// A queue's line, now.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QueueStats {
    /// Callbacks queued.
    pub waiting: u32,
    /// Since when the oldest of them waits.
    pub oldest_since: Option<Timestamp>,
    /// Callbacks that an agent was offered or has.
    pub with_agents: u32,
    /// How good estimates were; none before the first was scored.
    pub accuracy: Option<Accuracy>,
    /// Requests for a callback as soon as possible, by customers and channels.
    pub asap_requests: u64,
    /// Times that a callback was offered.
    pub callback_offers: u64,
    /// Customers called for the first time as promised.
    pub promises_kept: u64,
    /// Those who weren't.
    pub promises_broken: u64,
    /// From request to first call, lately; worked out for answers, none in the figures.
    pub average_callback_seconds: Option<u32>,
    /// The wait of whoever joins now; worked out for answers as well.
    pub estimate: Option<Estimate>,
}

/// Why a callback isn't assigned, agent by agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// One row per agent of the queue, and the preferred one, by id.
    pub candidates: Vec<Candidate>,
    /// What would have to change for it to be offered, in sentences.
    pub would_change: Vec<String>,
}

/// An agent, seen from one callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Who is looked at.
    pub agent: AgentId,
    /// The first test failed; `None`: eligible now.
    pub failed: Option<Failed>,
    /// What decided it, in words and with the values that did.
    pub detail: String,
}

/// The test that an agent failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failed {
    /// Doesn't serve the queue.
    NotInQueue,
    /// Lacks a mandatory skill.
    MissingSkill,
    /// Declined it with a reason that bars them.
    Barred,
    /// Is offline.
    Offline,
    /// Is away.
    Away,
    /// Has no session.
    NotConnected,
    /// Has no room.
    AtCapacity,
    /// Declined it a moment ago.
    Cooldown,
    /// It waits for another agent.
    ReservedForPreferred,
}

impl Failed {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotInQueue => "not_in_queue",
            Self::MissingSkill => "missing_skill",
            Self::Barred => "barred",
            Self::Offline => "offline",
            Self::Away => "away",
            Self::NotConnected => "not_connected",
            Self::AtCapacity => "at_capacity",
            Self::Cooldown => "cooldown",
            Self::ReservedForPreferred => "reserved_for_preferred",
        }
    }
}

/// What an agent's sessions are told.
#[derive(Debug, Clone)]
pub enum Notice {
    /// `callback.offered`: the Callback notification.
    Offered {
        /// As it is, with its pending offer.
        callback: Snapshot,
    },
    /// `callback.offer_revoked`.
    OfferRevoked {
        /// The callback.
        callback: CallbackId,
        /// The offer.
        offer: OfferId,
        /// What came between.
        reason: RevokeReason,
    },
    /// `callback.offer_revoked`, of an offer that the agent declined in another session.
    OfferDeclined {
        /// The callback.
        callback: CallbackId,
        /// The offer.
        offer: OfferId,
    },
    /// `callback.offer_expired`.
    OfferExpired {
        /// The callback.
        callback: CallbackId,
        /// The offer.
        offer: OfferId,
    },
    /// `callback.assigned`.
    Assigned {
        /// As it is.
        callback: Snapshot,
        /// By accepting an offer, by taking it, or by a supervisor.
        by: AssignedBy,
    },
    /// `callback.updated`.
    Updated {
        /// As it is.
        callback: Snapshot,
    },
    /// `callback.unassigned`.
    Unassigned {
        /// The callback.
        callback: CallbackId,
        /// What ended it.
        reason: UnassignReason,
    },
    /// `agent.presence_changed`.
    PresenceChanged {
        /// As it is now.
        agent: Arc<Agent>,
        /// The agent, a supervisor, or a rule.
        by: PresenceBy,
    },
    /// `queue.updated`.
    QueueUpdated {
        /// The queue.
        queue: QueueId,
        /// Callbacks queued.
        waiting: u32,
        /// Since when the oldest waits.
        oldest_since: Option<Timestamp>,
    },
}
