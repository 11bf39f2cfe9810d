//! The callback: what was asked for (`Request`) and where it stands (`Callback`).
//!
//! They are two records. The request's texts are written once and read when somebody looks; the
//! callback is written at each step and holds every fact of its offer, assignment and cool-downs,
//! so that no step ever needs two records to agree.

mod contact;
mod interaction;
mod phase;
mod remarks;
mod request;

use std::sync::Arc;

pub use contact::{ContactKey, Reach};
pub use interaction::{Interaction, InteractionState, Offer, Outcome};
pub use phase::{Assignment, ClosedReason, FinalState, OpenReason, Phase, State};
pub use remarks::Remarks;
pub use request::{
    Booking, CallbackType, Channel, Customer, CustomerKind, Fallback, Origin, PreferMode,
    Preferred, Request, RequestedBy,
};

use super::dispatch::Meeting;
use super::estimate::Estimate;
use super::ids::{AgentId, CallbackId, OfferId, QueueId};
use super::policy::Medium;
use super::rank::Priority;
use super::skills::Requirements;
use super::slots::Seat;
use super::time::{Now, Span, Timestamp};
use super::zone::TimeZone;

/// One agent's refusals of one callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declined {
    /// Who declined it, or missed an offer of it.
    pub agent: AgentId,
    /// How often, so that the time until the next offer can grow.
    pub times: u32,
    /// Not offered to them again until then, by the steady clock; `NEVER` for good.
    pub until: Timestamp,
    /// The same where nobody else is eligible.
    pub lone_until: Timestamp,
}

impl Declined {
    /// Whether it isn't offered to them ever again.
    pub fn bars(&self) -> bool {
        self.until == Timestamp::NEVER
    }
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
    /// The customer's number is on the deny list.
    NumberDenied,
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
            Self::NumberDenied => "number_denied".to_owned(),
        }
    }
}

/// What a customer was told of the wait, and when; scored by the first call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// When they were told, by the wall clock.
    pub at: Timestamp,
    /// The wait as it was estimated then.
    pub estimate: Estimate,
}

/// An agent's last action, so that its repetition gets the same answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastAction {
    /// Who acted.
    pub agent: AgentId,
    /// Digest of the action with all its fields.
    pub digest: u64,
    /// The version that it made; holds while that is the newest.
    pub version: u64,
}

/// Where a callback stands: every fact of it but its texts.
///
/// What few have, or have late, is boxed: most that wait in memory have none of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "facts that come and go each by itself")]
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
    /// What is needed of its customer.
    pub reach: Reach,
    /// Its booked time, if scheduled.
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
    /// Its place in line; while a retry waits for its time, when the delay before it ends.
    pub queued_since: Option<Timestamp>,
    /// Where it stands.
    pub phase: Phase,
    /// Who declined it.
    pub declined: Vec<Declined>,
    /// Offers declined or missed.
    pub offers_lost: u32,
    /// It waits for another attempt, and not for the time that was asked for.
    pub retrying: bool,
    /// The customer didn't choose the time that it waits for, so that contact hours bind it.
    pub contact_hours_bind: bool,
    /// An earlier interaction reached the customer.
    pub reached: bool,
    /// What its customer was told of the wait when they were queued.
    pub told: Option<Told>,
    /// When the customer was first called.
    pub first_called_at: Option<Timestamp>,
    /// The promise was not kept, and that was told.
    pub promise_broken: bool,
    /// Why nobody could take it, while that is so.
    pub unroutable: Option<Box<Unroutable>>,
    /// The offer accepted last, so that a repeated accept is known.
    pub accepted_offer: Option<Box<(OfferId, AgentId)>>,
    /// Who had it last in wrap-up, and until when they may still set disposition and notes.
    pub closable_by: Option<Box<(AgentId, Timestamp)>>,
    /// The agent's last action.
    pub last_action: Option<Box<LastAction>>,
    /// What was written when it ended.
    pub remarks: Remarks,
    /// The customer has an address that mails can go to.
    pub has_email: bool,
    /// How often its time was set: what was said of an earlier one holds no longer.
    pub bookings: u32,
    /// Where it takes place, if it's by video and that was made.
    pub meeting: Option<Box<Meeting>>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// By how much the wall clock was ahead of the steady one then. They part when the store
    /// stalls and when the wall clock is set, and each process has a steady clock of its own.
    pub clock_gap: Span,
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

    /// Whether the call is still to be made that was asked for, at the time asked for last.
    pub const fn awaits_its_call(&self) -> bool {
        let is_called = matches!(self.phase, Phase::Calling { .. } | Phase::WrapUp { .. });
        let was_called = self.first_called_at.is_some() && (self.retrying || is_called);
        !was_called && !self.state().is_final()
    }

    /// When its customer asked to be called as soon as possible, as far as that is known: what its
    /// first call is measured from. None for a booking, and for what was moved since or before.
    pub fn asked_at(&self) -> Option<Timestamp> {
        if self.kind == CallbackType::Scheduled {
            return None;
        }
        if self.bookings == 1 && self.retrying {
            // Its place in line is its retry's.
            return Some(self.created_at);
        }
        // Who waited in a live line before has an earlier place.
        let since = self.queued_since.filter(|_| !self.retrying)?.max(self.created_at);
        (self.first_called_at.is_none_or(|called| since <= called)).then_some(since)
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

    /// Whether it is news to whoever keeps what this agent holds: they hold it, and what is kept of
    /// it, if anything is, isn't newer.
    pub fn is_news_for(&self, agent: &AgentId, kept: Option<&Snapshot>) -> bool {
        self.holder() == Some(agent) && kept.is_none_or(|kept| kept.version <= self.version)
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

    /// What it takes of its queue; nothing once it is final. A retry keeps the seat of its booking.
    pub fn seat(&self) -> Option<Seat> {
        let start = self.booking.as_ref().map(|booking| booking.start);
        (!self.state().is_final()).then_some(Seat { medium: self.medium, start })
    }

    /// Whether it ended because it was called off, or its time to wait was over.
    pub const fn gave_up(&self) -> bool {
        matches!(
            &self.phase,
            Phase::Ended { state: FinalState::Canceled, .. }
                | Phase::Ended { reason: ClosedReason::Expired, .. }
        )
    }

    /// How long it may wait.
    pub const fn expire_after(&self) -> Span {
        Span::minutes(self.expire_after_minutes)
    }

    /// An instant of its time-outs, which run by the steady clock, as people's clocks show it.
    pub fn on_wall(&self, steady: Timestamp) -> Timestamp {
        shifted(steady, self.clock_gap)
    }

    /// Counts its time-outs by the clocks as they are now: it was written by another process, or
    /// before they parted.
    pub fn rebase(&mut self, now: &Now) {
        let gap = now.wall.since(now.steady);
        let by = self.clock_gap - gap;
        self.clock_gap = gap;
        let shift = |at: &mut Timestamp| *at = shifted(*at, by);
        for declined in &mut self.declined {
            shift(&mut declined.until);
            shift(&mut declined.lone_until);
        }
        match &mut self.phase {
            Phase::Open { .. } | Phase::Queued { .. } | Phase::Ended { .. } => {}
            Phase::Offered { offer, .. } => shift(&mut offer.expires_at),
            Phase::Accepted { assignment, .. } => shift(&mut assignment.since),
            Phase::Calling { assignment, since, .. } => {
                shift(&mut assignment.since);
                shift(since);
            }
            Phase::WrapUp { assignment, since, ends_at, .. } => {
                shift(&mut assignment.since);
                shift(since);
                shift(ends_at);
            }
        }
    }

    /// It with its time-outs counted by the clocks as they are now; itself, where they agree.
    pub fn rebased(this: &Snapshot, now: &Now) -> Snapshot {
        let mut this = Arc::clone(this);
        if this.clock_gap != now.wall.since(now.steady) {
            Arc::make_mut(&mut this).rebase(now);
        }
        this
    }

    /// How many ended interactions stand in rows of their own.
    pub fn ended_interactions(&self) -> u32 {
        self.interactions - u32::from(self.interaction().is_some())
    }
}

/// An instant on another clock; what never comes stays so.
fn shifted(at: Timestamp, by: Span) -> Timestamp {
    if at == Timestamp::NEVER { at } else { at + by }
}

/// What a callback's number is shown behind.
pub const NUMBER_MARK: &str = "CB";

/// The least digits that it is shown with.
pub const NUMBER_DIGITS: usize = 7;

/// A callback's number as people see it: `CB0001042`, longer when it needs more digits.
pub fn shown_number(number: u64) -> String {
    format!("{NUMBER_MARK}{number:0NUMBER_DIGITS$}")
}

/// A callback as messages and answers carry it.
pub type Snapshot = Arc<Callback>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_fits_into_512_bytes_with_its_two_counts() {
        // The allocator's next size is 640, and everything in line has a record in memory.
        let (record, counts) = (size_of::<Callback>(), 2 * size_of::<usize>());
        assert!(record + counts <= 512, "{record} and {counts} bytes");
    }
}
