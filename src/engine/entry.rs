//! A journal entry: what one step changed, with the events that tell of it.

use crate::domain::callback::Snapshot;
use crate::domain::effect::Change;
use crate::domain::event::Event;
use crate::domain::ids::CallbackId;
use crate::domain::time::{Span, Timestamp};

/// One step's changes and events: all of it is durable, or nothing.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When, by the wall clock; the `at` of its events.
    pub at: Timestamp,
    /// New states of records.
    pub changes: Vec<Change>,
    /// What happened, in order; an event's id is the entry's number × 32 + its place here.
    pub events: Vec<Event>,
    /// What an idempotent command was answered with.
    pub kept: Option<Kept>,
    /// The workspace's own secret, in the one entry that makes it.
    pub secret: Option<Secret>,
}

/// A workspace's own secret, from which manage links are made. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub [u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Secret(..)")
    }
}

impl Entry {
    /// The most events, and the most dispatches, that one step may leave; a step with more is a
    /// defect.
    pub const MAX_EVENTS: u64 = 32;
}

/// A credential's `Idempotency-Key`, as a digest of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdempotencyKey(pub [u8; 32]);

/// A command sent under a key: the key, and a digest of method, path and body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keyed {
    /// Credential and key.
    pub key: IdempotencyKey,
    /// Method, path and body.
    pub fingerprint: [u8; 32],
}

/// What the answer to a command under a key was made of; http renders it again from this.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// The command.
    pub keyed: Keyed,
    /// When it was answered, by the wall clock: [`Kept::FOR`] runs from here.
    pub at: Timestamp,
    /// What was answered.
    pub answer: KeptAnswer,
}

impl Kept {
    /// How long it is kept.
    pub const FOR: Span = Span::days(1);
}

/// The kinds of answers that POSTs have.
#[derive(Debug, Clone, PartialEq)]
pub enum KeptAnswer {
    /// A callback, as it was then; its texts are found by `request_version`.
    Callback {
        /// As it was.
        callback: Snapshot,
        /// Its place in line then.
        position: Option<u32>,
        /// The answer was 201.
        created: bool,
        /// What waited for the same then.
        duplicates: Vec<CallbackId>,
    },
    /// What became of a contact's callbacks when they were served another way.
    Served {
        /// Called off by that.
        closed: Vec<CallbackId>,
        /// Left as they were.
        kept: Vec<CallbackId>,
    },
    /// A queue's version (pause, resume).
    Queue(std::sync::Arc<crate::domain::queue::Queue>),
    /// A failure of the outbox, as it was when it was tried again.
    Failure(Box<crate::domain::dispatch::Failure>),
}
