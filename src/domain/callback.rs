//! The callback: what was asked for (`Request`) and where it stands (`Callback`).
//!
//! They are two records. The request's texts are written once and read when somebody looks; the
//! callback is written at each step and holds every fact of its offer, assignment and cool-downs,
//! so that no step ever needs two records to agree.

use std::sync::Arc;

use super::civil::LocalTime;
use super::ids::{AgentId, CallbackId, InteractionId, OfferId, QueueId};
use super::phone::{Email, Extension, PhoneNumber};
use super::policy::Medium;
use super::rank::Priority;
use super::skills::Requirements;
use super::time::{Span, Timestamp};
use super::zone::TimeZone;

/// As soon as possible, or at a time of the customer's choosing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallbackType {
    /// As soon as an agent is free.
    Asap,
    /// At its booked start.
    Scheduled,
}

impl CallbackType {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asap => "asap",
            Self::Scheduled => "scheduled",
        }
    }
}

/// Where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// A chat bot.
    VirtualAgent,
    /// The messenger in a page.
    EngagementMessenger,
    /// The customers' portal.
    Portal,
    /// A live chat.
    Chat,
    /// A call or voice menu.
    Voice,
    /// A mail.
    Email,
    /// A messaging service.
    Messaging,
    /// A case on an agent's desk.
    Case,
    /// Any other program.
    Api,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::VirtualAgent,
        Self::EngagementMessenger,
        Self::Portal,
        Self::Chat,
        Self::Voice,
        Self::Email,
        Self::Messaging,
        Self::Case,
        Self::Api,
    ];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VirtualAgent => "virtual_agent",
            Self::EngagementMessenger => "engagement_messenger",
            Self::Portal => "portal",
            Self::Chat => "chat",
            Self::Voice => "voice",
            Self::Email => "email",
            Self::Messaging => "messaging",
            Self::Case => "case",
            Self::Api => "api",
        }
    }

    /// The channel of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == text)
    }
}

/// Whether the contact is a person of a business customer, or a private one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CustomerKind {
    /// A contact of an account.
    Contact,
    /// A private person.
    Consumer,
}

/// Who is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// Their id at the integrator's.
    pub id: Option<String>,
    /// What kind of customer they are.
    pub kind: Option<CustomerKind>,
    /// Their account.
    pub account: Option<String>,
    /// Their name.
    pub name: String,
    /// Their number; video may have none.
    pub phone: Option<PhoneNumber>,
    /// Dialled after the number.
    pub phone_extension: Option<Extension>,
    /// Their address.
    pub email: Option<Email>,
    /// Their zone.
    pub time_zone: Option<TimeZone>,
    /// Their language, as they gave it.
    pub locale: Option<String>,
}

/// Where a request came from, with references for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The channel.
    pub channel: Channel,
    /// The interaction at the channel.
    pub interaction_ref: Option<String>,
    /// The case that it belongs to.
    pub case_id: Option<String>,
    /// The page on which it was asked for.
    pub page_url: Option<String>,
    /// Since when the customer has waited in a live line.
    pub waiting_since: Option<Timestamp>,
}

/// The texts of a callback, written once; a PATCH writes a new version beside the old one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Counts from 1; [`Callback::request_version`] says which one holds.
    pub version: u32,
    /// Who is called.
    pub customer: Customer,
    /// A code, or free text where the queue lists none.
    pub reason: Option<String>,
    /// One line.
    pub short_description: Option<String>,
    /// Any more.
    pub description: Option<String>,
    /// Where it came from.
    pub origin: Origin,
    /// What the customer did before, as the JSON object that came in; at most 32 KiB.
    pub context: Option<String>,
    /// The integrator's own id, unique per workspace and channel.
    pub external_id: Option<String>,
    /// The customer agreed to be called outside contact hours.
    pub customer_agreed: bool,
}

/// A booked time: kept as instant and as the wall time that was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booking {
    /// The start.
    pub start: Timestamp,
    /// The end of the slot that it falls in.
    pub end: Timestamp,
    /// The start as wall time.
    pub local_start: LocalTime,
    /// In this zone.
    pub zone: TimeZone,
    /// The wall time exists twice that day; the first is meant.
    pub repeated: bool,
}

/// How firmly an agent is preferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PreferMode {
    /// For a while, and not while they are away.
    Prefer,
    /// For a while, wherever they are.
    Require,
}

/// Who takes over from an agent that was required in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fallback {
    /// Anyone eligible.
    Anyone,
    /// Nobody: it goes on waiting for that agent.
    None,
}

/// An agent asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preferred {
    /// Who.
    pub agent: AgentId,
    /// How firmly.
    pub mode: PreferMode,
    /// How long, from the moment the callback is queued.
    pub wait_seconds: u32,
    /// And then.
    pub fallback: Fallback,
}

impl Preferred {
    /// How long `prefer` waits unless said.
    pub const PREFER_SECONDS: u32 = 60;
    /// How long `require` waits unless said.
    pub const REQUIRE_SECONDS: u32 = 1_800;
    /// How long a transfer's target is preferred.
    pub const TRANSFER_SECONDS: u32 = 120;
}

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
    /// To whom.
    pub agent: AgentId,
    /// When it expires, by the steady clock.
    pub expires_at: Timestamp,
}

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

    /// Whether it has a live interaction, and so an actor.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Queued | Self::Offered | Self::Accepted | Self::Calling | Self::WrapUp)
    }
}

/// An agent's hold on an interaction, from accept to the end of wrap-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Who.
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
    /// Over.
    Ended {
        /// How.
        state: FinalState,
        /// Why.
        reason: ClosedReason,
        /// When.
        at: Timestamp,
    },
}

/// One agent's refusals of one callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declined {
    /// Who.
    pub agent: AgentId,
    /// How often.
    pub times: u32,
    /// Not offered to them again until then, by the steady clock; `NEVER` for good.
    pub until: Timestamp,
    /// The same where nobody else is eligible.
    pub lone_until: Timestamp,
}

/// Why nobody could ever take it, as things are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unroutable {
    /// No agent serves the queue.
    NoAgentInQueue,
    /// None of them holds this skill at the level asked for.
    MissingSkill(String),
    /// None of them has room for its medium or size, even when free.
    TooLarge,
    /// All who could have been barred from it.
    AllBarred,
    /// The required agent can't take it and nobody else may.
    RequiredAgent,
}

impl Unroutable {
    /// The reason as shown: a word, with the skill behind a colon.
    pub fn to_text(&self) -> String {
        match self {
            Self::NoAgentInQueue => "no_agent_in_queue".to_owned(),
            Self::MissingSkill(skill) => format!("missing_skill:{skill}"),
            Self::TooLarge => "too_large".to_owned(),
            Self::AllBarred => "all_barred".to_owned(),
            Self::RequiredAgent => "required_agent".to_owned(),
        }
    }
}

/// Who asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestedBy {
    /// The customer, over a channel.
    Customer,
    /// An agent or supervisor; `None` where a supervisor's credential names no agent.
    Agent(Option<AgentId>),
}

/// An agent's last action, so that its repetition gets the same answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastAction {
    /// Who.
    pub agent: AgentId,
    /// Digest of the action with all its fields.
    pub digest: u64,
    /// The version that it made; holds while that is the newest.
    pub version: u64,
}

/// Where a callback stands: every fact of it but its texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    /// Its id; sorts by when it was made.
    pub id: CallbackId,
    /// Counted per workspace; shown as `CB0001042`.
    pub number: u64,
    /// Rises with each change.
    pub version: u64,
    /// The version of its [`Request`] that holds.
    pub request_version: u32,
    /// Where it waits.
    pub queue: QueueId,
    /// Asap or scheduled.
    pub kind: CallbackType,
    /// Phone or video.
    pub medium: Medium,
    /// Where it came from.
    pub channel: Channel,
    /// Who asked for it.
    pub requested_by: RequestedBy,
    /// Its booked time, if scheduled.
    pub booking: Option<Booking>,
    /// The zone that its times are shown in.
    pub zone: TimeZone,
    /// Its urgency.
    pub priority: Priority,
    /// Units of capacity that it takes.
    pub size: u32,
    /// What it asks of agents, the queue's own included.
    pub requirements: Requirements,
    /// The agent asked for.
    pub preferred: Option<Preferred>,
    /// Attempts before it is given up.
    pub max_attempts: u32,
    /// How long it may wait.
    pub expire_after_minutes: u32,
    /// From when that runs: the request, the slot's end, or the due time of the retry.
    pub expiry_base: Timestamp,
    /// Attempts made, counted by outcome.
    pub attempts: u32,
    /// Interactions made, ended ones included; the ended ones are rows of their own.
    pub interactions: u32,
    /// Its place in line.
    pub queued_since: Option<Timestamp>,
    /// Where it stands.
    pub phase: Phase,
    /// Who declined it.
    pub declined: Vec<Declined>,
    /// Offers declined or missed.
    pub offers_lost: u32,
    /// An earlier interaction reached the customer.
    pub reached: bool,
    /// When the customer was first called.
    pub first_called_at: Option<Timestamp>,
    /// The promise was not kept, and that was told.
    pub promise_broken: bool,
    /// Why nobody could take it, while that is so.
    pub unroutable: Option<Unroutable>,
    /// The offer accepted last, so that a repeated accept is known.
    pub accepted_offer: Option<(OfferId, AgentId)>,
    /// Who had it last in wrap-up, and until when they may still set disposition and notes.
    pub closable_by: Option<(AgentId, Timestamp)>,
    /// The agent's last action.
    pub last_action: Option<LastAction>,
    /// The closing code.
    pub disposition: Option<String>,
    /// Closing notes.
    pub notes: Option<String>,
    /// Why it was called off.
    pub cancel_reason: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Callback {
    /// Its state, as shown.
    pub const fn state(&self) -> State {
        match &self.phase {
            Phase::Open { .. } => State::Open,
            Phase::Queued { .. } => State::Queued,
            Phase::Offered { .. } => State::Offered,
            Phase::Accepted { .. } => State::Accepted,
            Phase::Calling { .. } => State::Calling,
            Phase::WrapUp { .. } => State::WrapUp,
            Phase::Ended { state: FinalState::ClosedComplete, .. } => State::ClosedComplete,
            Phase::Ended { state: FinalState::ClosedAbandoned, .. } => State::ClosedAbandoned,
            Phase::Ended { state: FinalState::Canceled, .. } => State::Canceled,
        }
    }

    /// The interaction in its record: the live one, one carried over, or the one being wrapped up.
    pub fn interaction(&self) -> Option<&Interaction> {
        match &self.phase {
            Phase::Open { carried, .. } => carried.as_deref(),
            Phase::Queued { interaction }
            | Phase::Offered { interaction, .. }
            | Phase::Accepted { interaction, .. }
            | Phase::Calling { interaction, .. }
            | Phase::WrapUp { interaction, .. } => Some(interaction),
            Phase::Ended { .. } => None,
        }
    }

    /// Who has it, from accept to the end of wrap-up.
    pub fn assigned_agent(&self) -> Option<&AgentId> {
        match &self.phase {
            Phase::Accepted { assignment, .. }
            | Phase::Calling { assignment, .. }
            | Phase::WrapUp { assignment, .. } => Some(&assignment.agent),
            Phase::Open { .. }
            | Phase::Queued { .. }
            | Phase::Offered { .. }
            | Phase::Ended { .. } => None,
        }
    }

    /// The pending offer.
    pub const fn offer(&self) -> Option<&Offer> {
        match &self.phase {
            Phase::Offered { offer, .. } => Some(offer),
            Phase::Open { .. }
            | Phase::Queued { .. }
            | Phase::Accepted { .. }
            | Phase::Calling { .. }
            | Phase::WrapUp { .. }
            | Phase::Ended { .. } => None,
        }
    }

    /// The agent who booked it for the customer.
    pub const fn booked_by(&self) -> Option<&AgentId> {
        match &self.requested_by {
            RequestedBy::Agent(agent) => agent.as_ref(),
            RequestedBy::Customer => None,
        }
    }

    /// Whose capacity it takes: the agent offered to, or assigned.
    pub fn holder(&self) -> Option<&AgentId> {
        self.offer().map(|offer| &offer.agent).or_else(|| self.assigned_agent())
    }

    /// When the engine tries next: the due time while `open`.
    pub const fn next_attempt_at(&self) -> Option<Timestamp> {
        match &self.phase {
            Phase::Open { due, .. } => Some(*due),
            Phase::Queued { .. }
            | Phase::Offered { .. }
            | Phase::Accepted { .. }
            | Phase::Calling { .. }
            | Phase::WrapUp { .. }
            | Phase::Ended { .. } => None,
        }
    }

    /// When a dormant one is looked at next: its place in the due order.
    pub const fn wakes_at(&self) -> Option<Timestamp> {
        match &self.phase {
            Phase::Open { wake_at, .. } => Some(*wake_at),
            Phase::Queued { .. }
            | Phase::Offered { .. }
            | Phase::Accepted { .. }
            | Phase::Calling { .. }
            | Phase::WrapUp { .. }
            | Phase::Ended { .. } => None,
        }
    }

    /// How long it may wait.
    pub const fn expire_after(&self) -> Span {
        Span::minutes(self.expire_after_minutes)
    }

    /// How many ended interactions stand in rows of their own.
    pub fn ended_interactions(&self) -> u32 {
        self.interactions - u32::from(self.interaction().is_some())
    }
}

/// A callback's number as people see it: `CB0001042`.
pub fn shown_number(number: u64) -> String {
    format!("CB{number:07}")
}

/// A callback as messages and answers carry it.
pub type Snapshot = Arc<Callback>;
