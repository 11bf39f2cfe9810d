//! What a supervisor stops of a queue, as callers say it.

use crate::domain::message::{QueueMessage, Token};
use crate::domain::time::Timestamp;

/// What a supervisor stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuePause {
    /// New requests are to be refused.
    pub intake: bool,
    /// Nothing is to be offered.
    pub offers: bool,
    /// In the supervisor's words.
    pub reason: Option<String>,
    /// When it ends by itself, by the wall clock; none until it is resumed.
    pub until: Option<Timestamp>,
}

impl QueuePause {
    /// The queue's machine is told so.
    pub(crate) fn message(self, token: Token) -> QueueMessage {
        let Self { intake, offers, reason, until } = self;
        QueueMessage::Pause { token, intake, offers, reason, until }
    }
}
