//! What a supervisor stops of a queue, as callers say it.

use crate::domain::message::{QueueMessage, Token};
use crate::domain::queue::Halves;
use crate::domain::time::Timestamp;

/// What a supervisor stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuePause {
    /// Which halves of the queue's work.
    pub halves: Halves,
    /// In the supervisor's words.
    pub reason: Option<String>,
    /// When it ends by itself, by the wall clock; none until it is resumed.
    pub until: Option<Timestamp>,
}

impl QueuePause {
    /// The queue's machine is told so.
    pub(crate) fn message(self, token: Token) -> QueueMessage {
        let Self { halves, reason, until } = self;
        QueueMessage::Pause { token, halves, reason, until }
    }
}
