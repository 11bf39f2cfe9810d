//! How far a webhook has come: what it was sent, and which events are still to be sent.
//!
//! One record, written as a whole: the last event that was read, and each event up to it that
//! wasn't settled yet. So whatever is lost in a crash was done since the record was written, and
//! is done again.

use crate::domain::event::Event;
use crate::domain::ids::{AgentId, CallbackId, QueueId, WebhookId};
use crate::domain::time::Timestamp;

/// What events are kept in order of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    /// A callback.
    Callback(CallbackId),
    /// An agent.
    Agent(AgentId),
    /// A queue.
    Queue(QueueId),
}

impl Stream {
    /// The one that an event belongs to.
    pub fn of(event: &Event) -> Self {
        match event {
            Event::Callback(id, _) => Self::Callback(*id),
            Event::Agent(id, _) => Self::Agent(id.clone()),
            Event::Queue(id, _) => Self::Queue(id.clone()),
        }
    }
}

/// An event that was read and is still to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenEvent {
    /// Its id.
    pub event: u64,
    /// Whose it is: those of one are sent one after the other.
    pub stream: Stream,
    /// Attempts that failed.
    pub failed: u32,
    /// Since when it is tried, or was kept waiting by an earlier one that is.
    pub since: Timestamp,
    /// Not to be sent before.
    pub next_at: Timestamp,
}

/// An event that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
    /// The event, with the attempts that failed.
    pub event: OpenEvent,
    /// When it was given up.
    pub at: Timestamp,
    /// Why the last attempt failed.
    pub reason: String,
}

/// How far a webhook has come since it was written down last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Where it stands.
    pub progress: Progress,
    /// What was given up meanwhile.
    pub given_up: Vec<GivenUp>,
    /// Events that somebody asked for again, and that stand among the open ones from here on.
    pub taken_again: Vec<u64>,
}

/// How far a webhook has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Which one.
    pub webhook: WebhookId,
    /// Its [`starts_after`](super::Webhook::starts_after): that of another beginning says nothing.
    pub starts_after: u64,
    /// Every event up to this one was read.
    pub read_to: u64,
    /// Those of them that are still to be sent, in order.
    pub open: Vec<OpenEvent>,
    /// When one was delivered last.
    pub delivered_at: Option<Timestamp>,
    /// When an attempt failed last, and why.
    pub failed: Option<(Timestamp, String)>,
}

impl Progress {
    /// That of a webhook at its beginning.
    pub fn beginning(webhook: WebhookId, starts_after: u64) -> Self {
        Self {
            webhook,
            starts_after,
            read_to: starts_after,
            open: Vec::new(),
            delivered_at: None,
            failed: None,
        }
    }
}
