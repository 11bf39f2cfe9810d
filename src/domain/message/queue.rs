//! What a queue is told: requests, settings and pauses, and which callbacks wait in its line.

use std::sync::Arc;

use super::Token;
use super::callback::Create;
use crate::domain::callback::{Booking, Told};
use crate::domain::ids::{CallbackId, QueueId};
use crate::domain::policy::{Medium, QueueSettings};
use crate::domain::queue::{Halves, Staff};
use crate::domain::rank::Rank;
use crate::domain::slots::{Bound, Seat};
use crate::domain::time::{Span, Timestamp};

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
        /// Which of them.
        halves: Halves,
        /// In the supervisor's words.
        reason: Option<String>,
        /// When it ends by itself, by the wall clock; none until it is resumed.
        until: Option<Timestamp>,
    },
    /// Let requests, offers, or both go on.
    Resume {
        /// Marks the command.
        token: Token,
        /// Which of them.
        halves: Halves,
    },
    /// A callback has become live here, or its rank or state has changed.
    Join {
        /// In line or with an agent.
        callback: CallbackId,
        /// Its place, while it is queued; `None` while an agent has it.
        place: Option<Place>,
        /// The version of the queue that it works by; told a newer one if there is one.
        version: u64,
    },
    /// A callback is live here no more.
    Leave {
        /// Dormant, over, or in another queue from now on.
        callback: CallbackId,
    },
    /// Learn from what happened to a callback.
    Seen(Seen),
    /// Learn from what ended before a restart, oldest first.
    Recall(Vec<Past>),
    /// Tell whether a callback is offered.
    Availability(AvailabilityQuestion),
    /// Keep a seat for a callback that shall be moved, or refuse it.
    Reserve(Box<Reserve>),
    /// A callback has taken a seat that nobody kept for it.
    TakeSeat(Seat),
    /// A callback gives a seat back.
    FreeSeat(Seat),
    /// What waits for a time was looked at again, by the record of that version.
    Rechecked {
        /// The record's: one that has changed since has them looked at once more.
        version: u64,
    },
    /// So many agents serve the queue.
    Staff {
        /// Set up for the queue, whether they are there or not.
        agents: u32,
    },
    /// Tell about slots.
    Slots {
        /// Marks the question.
        token: Token,
        /// What about them.
        question: SlotQuestion,
    },
    /// Tell how many wait, for the stats of now.
    Stats {
        /// Marks the question.
        token: Token,
        /// Agents of the queue with room for a call.
        free_agents: u32,
    },
    /// Tell a callback's place in line, and for how long it will stand there.
    Position {
        /// Marks the question.
        token: Token,
        /// One that is queued here.
        callback: CallbackId,
        /// Agents of the queue with room for it.
        free_agents: u32,
    },
    /// A deadline may have come.
    Wake,
}

/// What a queue learns about waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Its customer was called for the first time.
    FirstCalled {
        /// When the call began, by the wall clock.
        at: Timestamp,
        /// When it was asked for, if as soon as possible.
        asked_at: Option<Timestamp>,
        /// What was told of the wait, if it stands in the callback.
        told: Option<Told>,
    },
    /// An agent who had called is done with it.
    Served {
        /// How long they had it.
        service: Span,
    },
    /// It was called off or expired while it waited.
    GaveUp,
    /// Its customer was called for the first time, as promised.
    PromiseKept,
    /// They weren't by the time promised.
    PromiseBroken,
}

/// What an ended callback says of waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// How long its customer stood in line.
    pub waited: Span,
    /// It was called off or expired while it waited.
    pub gave_up: bool,
    /// How long agents had it who called.
    pub services: Vec<Span>,
    /// When its customer was first called.
    pub first_called_at: Option<Timestamp>,
    /// When it was asked for, if as soon as possible.
    pub asked_at: Option<Timestamp>,
    /// What was told of the wait.
    pub told: Option<Told>,
}

/// Whether a callback is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AvailabilityQuestion {
    /// Marks the question.
    pub token: Token,
    /// Phone or video.
    pub medium: Medium,
    /// What the channel says of its own live line.
    pub live_wait_seconds: Option<u32>,
    /// The queue's agents.
    pub staff: Staff,
}

/// A callback that shall be moved to another start, or come from another queue.
#[derive(Debug, Clone)]
pub struct Reserve {
    /// The command that moves it; none where the rules of its zone do.
    pub token: Option<Token>,
    /// Which callback.
    pub callback: CallbackId,
    /// Phone or video: each has seats of its own.
    pub medium: Medium,
    /// Where it shall be.
    pub booking: Booking,
    /// Where it is booked now.
    pub own: Option<Timestamp>,
    /// What binds whoever moves it.
    pub bound: Bound,
}

/// A seat that is kept for a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seated {
    /// In this queue.
    pub queue: QueueId,
    /// The seat.
    pub seat: Seat,
    /// The end of its slot.
    pub end: Timestamp,
    /// The slot was full.
    pub overbooked: bool,
    /// The version of the queue's record by which that was decided.
    pub version: u64,
}

/// What is asked about slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotQuestion {
    /// What is taken of those that start in `from .. to`.
    Between {
        /// Phone or video: each has seats of its own.
        medium: Medium,
        /// The earliest start, inclusive.
        from: Timestamp,
        /// The end of the starts, exclusive.
        to: Timestamp,
    },
    /// The next free ones.
    Next {
        /// Of this medium.
        medium: Medium,
        /// The earliest start, inclusive.
        from: Timestamp,
        /// At most so many.
        count: usize,
    },
    /// The free ones nearest to a start that is none.
    Near {
        /// Of this medium.
        medium: Medium,
        /// The start that was asked for and can't be had.
        start: Timestamp,
    },
}

impl SlotQuestion {
    /// Phone or video.
    pub const fn medium(&self) -> Medium {
        match self {
            Self::Between { medium, .. }
            | Self::Next { medium, .. }
            | Self::Near { medium, .. } => *medium,
        }
    }
}

/// A callback's place in a queue's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Smallest first; see `rank`.
    pub rank: Rank,
    /// Since when it waits.
    pub queued_since: Timestamp,
}
