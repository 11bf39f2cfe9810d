//! What a queue is told: requests, settings and pauses, and which callbacks wait in its line.

use std::sync::Arc;

use super::Token;
use super::callback::Create;
use crate::domain::ids::CallbackId;
use crate::domain::policy::QueueSettings;
use crate::domain::rank::Rank;
use crate::domain::time::Timestamp;

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
