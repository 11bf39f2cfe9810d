//! What the engine and its handle read from storage, by meaning instead of by key.
//!
//! The port is implemented in `store`, above `Rows`: the overlay merged with the tables, so that
//! every read shows the newest journaled state. Each answer comes with the newest entry number
//! that it may show; whoever lets it out of the process waits until that number is durable.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::contacts::ActiveKeys;
use super::entry::{Entry, IdempotencyKey, Kept};
use super::ports::{EntryNumber, PortFuture, RowWrite, StoreError};
use crate::domain::agent::Agent;
use crate::domain::callback::{
    Callback, CallbackType, Channel, ContactKey, Interaction, Request, State,
};
use crate::domain::denied::Denied;
use crate::domain::dispatch::{Carrier, Failure, Item};
use crate::domain::event::Event;
use crate::domain::ids::{AgentId, CallbackId, QueueId, WebhookId};
use crate::domain::key::ApiKey;
use crate::domain::measure::Measured;
use crate::domain::policy::Medium;
use crate::domain::queue::Queue;
use crate::domain::slots::Bookings;
use crate::domain::time::Timestamp;
use crate::domain::webhook::{Progress, Webhook};

/// The bytes of one log entry, and the rows that it writes, which are parts of these bytes: an
/// entry is one place in memory, however many rows it has, and is shared by the log's group, the
/// overlay and the batch for the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The bytes, with the version of the format.
    pub bytes: Bytes,
    /// The rows.
    pub rows: Vec<RowWrite>,
}

/// How an entry becomes rows and bytes. Pure; called on the engine's thread for each entry.
pub trait Codec: Send + Sync {
    /// The rows that the entry writes: records, index rows (old ones deleted), events.
    fn rows(&self, number: EntryNumber, entry: &Entry) -> Packed;

    /// Rows that don't follow from an entry.
    fn pack(&self, rows: &[RowWrite]) -> Packed;

    /// The rows of a log entry; damaged or unknown bytes are [`StoreError::Damaged`].
    fn unpack(&self, bytes: &[u8]) -> Result<Vec<RowWrite>, StoreError>;
}

/// A callback with everything that an answer shows of it.
#[derive(Debug, Clone, PartialEq)]
pub struct FullCallback {
    /// Where it stands.
    pub callback: Arc<Callback>,
    /// Its texts.
    pub request: Arc<Request>,
    /// Its ended interactions, oldest first; the live one is in `callback`.
    pub ended: Vec<Interaction>,
}

/// Order of a list; ties by id, in the same direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortKey {
    /// By `created_at`.
    CreatedAt,
    /// By the booked start; asap ones, which have none, come last.
    Start,
    /// By `queued_since`; those without come last.
    QueuedSince,
}

/// What a list asks for. Empty and `None` don't filter.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListFilter {
    /// Any of these states.
    pub states: Vec<State>,
    /// Any of these queues; an agent's scope is put here (see `or_held_by`).
    pub queues: Vec<QueueId>,
    /// With `queues`: also what this agent booked, holds or held, whatever its queue.
    pub or_held_by: Option<AgentId>,
    /// Asap or scheduled.
    pub kind: Option<CallbackType>,
    /// Phone or video.
    pub medium: Option<Medium>,
    /// True: requested by an agent; false: by a customer.
    pub requested_by_agent: Option<bool>,
    /// Offered or assigned to this agent now, or last.
    pub agent: Option<AgentId>,
    /// Booked by this agent.
    pub booked_by: Option<AgentId>,
    /// The channel of origin; a channel's scope is put here.
    pub channel: Option<Channel>,
    /// `customer.id`, else what tells the contact.
    pub contact: Option<String>,
    /// The whole number, E.164.
    pub phone: Option<String>,
    /// The whole address, compared without case.
    pub email: Option<String>,
    /// `origin.case_id`.
    pub case_id: Option<String>,
    /// `origin.interaction_ref`.
    pub interaction_ref: Option<String>,
    /// The integrator's id.
    pub external_id: Option<String>,
    /// The callback's number.
    pub number: Option<u64>,
    /// Number, name or phone begins with this (without case).
    pub prefix: Option<String>,
    /// `next_attempt_at` before this.
    pub due_before: Option<Timestamp>,
    /// `next_attempt_at` at or after this.
    pub due_after: Option<Timestamp>,
}

/// A page to read.
#[derive(Debug, Clone, PartialEq)]
pub struct ListRead {
    /// What a callback has to match.
    pub filter: ListFilter,
    /// In which order.
    pub sort: SortKey,
    /// The last in that order first.
    pub descending: bool,
    /// At most so many; 1 to 200.
    pub limit: usize,
    /// Where the last page ended, as it said; opaque, checked against filter and order.
    pub after: Option<Vec<u8>>,
}

/// A page.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Where to go on; `None` at the end. A page may be short or empty with more to come.
    pub next: Option<Vec<u8>>,
}

/// An event as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// Strictly increasing per workspace.
    pub id: u64,
    /// When it happened, by the wall clock.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}

/// What stands in a workspace besides its callbacks, and the counters.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// All queues.
    pub queues: Vec<Arc<Queue>>,
    /// All agents.
    pub agents: Vec<Arc<Agent>>,
    /// All webhooks.
    pub webhooks: Vec<Arc<Webhook>>,
    /// The deny list, by number.
    pub denied: Vec<Arc<Denied>>,
    /// Keys, by hash: what was changed of the configuration's, and others.
    pub keys: Vec<Arc<ApiKey>>,
    /// The highest callback number given.
    pub last_number: u64,
    /// The workspace's own secret (32 bytes), if one was made.
    pub secret: Option<Vec<u8>>,
    /// Digest of the zone rules by which all bookings were looked at last.
    pub zone_rules: Option<u64>,
}

/// Booked callbacks to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookedRead {
    /// In which queue.
    pub queue: QueueId,
    /// Of which medium.
    pub medium: Medium,
    /// Behind this one; else from `from` on.
    pub after: Option<(Timestamp, CallbackId)>,
    /// From here, inclusive.
    pub from: Timestamp,
    /// To here, exclusive.
    pub until: Timestamp,
    /// At most so many.
    pub limit: usize,
}

/// What is kept for a time only, by the kinds that are walked each in the order of its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lapsing {
    /// What was answered under a key, by when.
    Answers,
    /// Final callbacks, by when they ended.
    Callbacks,
    /// Events of agents and queues, by when they happened.
    Events,
    /// What was measured, by when.
    Measures,
}

impl Lapsing {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Answers, Self::Callbacks, Self::Events, Self::Measures];
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lapsed {
    /// What was answered under this key.
    Answer(IdempotencyKey),
    /// A final callback.
    Callback(CallbackId),
    /// An agent's or a queue's event.
    Event(u64),
    /// All that was measured in a quarter of an hour.
    Quarter,
}

/// The rows to be written so that some of what lapsed is gone.
#[derive(Debug, Default)]
pub struct Removal {
    /// The rows, nearly all of them deletions.
    pub rows: Vec<RowWrite>,
    /// So many of those asked for, from the first on, are gone without a rest when the rows are
    /// written. The next one may have lost a part of its history.
    pub whole: usize,
}

/// An item's place in the order of due times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OutboxPlace {
    /// When it is due.
    pub at: Timestamp,
    /// Its number.
    pub id: u64,
    /// Its callback.
    pub callback: CallbackId,
}

/// Why a cursor can't be used.
pub const BAD_CURSOR: &str = "the cursor belongs to other filters or another order";

/// Typed reads of one workspace.
pub trait Library: Send + Sync {
    /// The newest entry number that reads may show; taken before reading it bounds what is shown
    /// from below, taken after reading from above.
    fn newest(&self) -> EntryNumber;

    /// A callback's record.
    fn callback(&self, id: CallbackId)
    -> PortFuture<'_, Result<Option<Arc<Callback>>, StoreError>>;

    /// The texts and ended interactions that belong to this state of a callback.
    fn complete(
        &self,
        callback: Arc<Callback>,
    ) -> PortFuture<'_, Result<FullCallback, StoreError>> {
        Box::pin(async move {
            let mut full = self.complete_all(vec![callback]).await?;
            Ok(full.pop().expect("as many as were asked for"))
        })
    }

    /// The same for many, each in its place, in one read.
    fn complete_all(
        &self,
        callbacks: Vec<Arc<Callback>>,
    ) -> PortFuture<'_, Result<Vec<FullCallback>, StoreError>>;

    /// Which of these callbacks the agent booked, holds or held, each in its place.
    fn held(
        &self,
        agent: AgentId,
        callbacks: Vec<CallbackId>,
    ) -> PortFuture<'_, Result<Vec<bool>, StoreError>>;

    /// A page of callbacks; looks at 5,000 rows at most. `Err(None)`: the cursor doesn't belong
    /// to this read.
    fn list(
        &self,
        read: ListRead,
    ) -> PortFuture<'_, Result<Page<FullCallback>, Option<StoreError>>>;

    /// A callback's events, oldest first, after event id `after`.
    fn history(
        &self,
        id: CallbackId,
        after: u64,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<StoredEvent>, StoreError>>;

    /// Events of everybody after event id `after`, oldest first. No event that comes later has an
    /// id below one of these.
    fn events(
        &self,
        after: u64,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<StoredEvent>, StoreError>>;

    /// The highest id of an event that was removed; 0: none was.
    fn events_gone_to(&self) -> PortFuture<'_, Result<u64, StoreError>>;

    /// Those of these events that are there, in the order of their ids.
    fn events_of(&self, ids: Vec<u64>) -> PortFuture<'_, Result<Vec<StoredEvent>, StoreError>>;

    /// How far a webhook has come.
    fn progress(&self, webhook: WebhookId) -> PortFuture<'_, Result<Option<Progress>, StoreError>>;

    /// Events that a webhook is to be sent again, at most so many.
    fn webhook_again(
        &self,
        webhook: WebhookId,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<u64>, StoreError>>;

    /// What was answered under a key, within the last 24 h before `now`.
    fn kept(
        &self,
        key: IdempotencyKey,
        now: Timestamp,
    ) -> PortFuture<'_, Result<Option<Kept>, StoreError>>;

    /// The callback with this external id.
    fn external(
        &self,
        channel: Channel,
        external_id: String,
    ) -> PortFuture<'_, Result<Option<CallbackId>, StoreError>>;

    /// Dormant callbacks by their next time, ascending: `after` exclusive, `until` inclusive.
    fn due(
        &self,
        after: Option<(Timestamp, CallbackId)>,
        until: Timestamp,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<(Timestamp, CallbackId)>, StoreError>>;

    /// Live callbacks (queued to wrap-up) by id, after `after`. For recovery, while none of them
    /// changes its state: one that does may be missed, since states are read one after another.
    fn live(
        &self,
        after: Option<CallbackId>,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<Arc<Callback>>, StoreError>>;

    /// How many dormant (open) callbacks a queue has, counted up to `limit`.
    fn count_open(&self, queue: QueueId, limit: usize)
    -> PortFuture<'_, Result<usize, StoreError>>;

    /// Dormant (open) callbacks of a queue by id, after `after`.
    fn open(
        &self,
        queue: QueueId,
        after: Option<CallbackId>,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<CallbackId>, StoreError>>;

    /// Callbacks of a contact, or of a number, that aren't final: the oldest `limit`.
    fn active(
        &self,
        contact: ContactKey,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<Arc<Callback>>, StoreError>>;

    /// All keys under which such callbacks are found, once per callback.
    fn contacts(&self) -> PortFuture<'_, Result<ActiveKeys, StoreError>>;

    /// What is taken of each queue by callbacks that aren't final, counted once over all of them.
    fn seats(&self) -> PortFuture<'_, Result<BTreeMap<QueueId, Bookings>, StoreError>>;

    /// Callbacks that have a seat in a queue, by their booked start.
    fn booked(
        &self,
        read: BookedRead,
    ) -> PortFuture<'_, Result<Vec<(Timestamp, CallbackId)>, StoreError>>;

    /// The records of these callbacks that are there, in their order.
    fn callbacks(
        &self,
        ids: Vec<CallbackId>,
    ) -> PortFuture<'_, Result<Vec<Arc<Callback>>, StoreError>>;

    /// The row that keeps which zone rules all bookings were looked at by; none where no rows are
    /// kept.
    fn zone_rules_row(&self, rules: u64) -> Option<RowWrite>;

    /// What lapsed, by when, ascending: `after` exclusive, `until` inclusive.
    fn lapsed(
        &self,
        kind: Lapsing,
        after: Option<(Timestamp, Lapsed)>,
        until: Timestamp,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<(Timestamp, Lapsed)>, StoreError>>;

    /// How to remove what lapsed, with everything that leads to it. The rows are some thousands at
    /// most. Whoever writes them sees to it that nobody changes the records in between.
    fn removal(
        &self,
        lapsed: Vec<(Timestamp, Lapsed)>,
    ) -> PortFuture<'_, Result<Removal, StoreError>>;

    /// The tallies of the quarters from `from` to before `to`.
    fn measured(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> PortFuture<'_, Result<Vec<Measured>, StoreError>>;

    /// Items of the outbox by when they are due, ascending: `after` exclusive, `until` inclusive.
    fn outbox_due(
        &self,
        carrier: Carrier,
        after: Option<OutboxPlace>,
        until: Timestamp,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<OutboxPlace>, StoreError>>;

    /// A callback's items, by number.
    fn outbox_of(&self, callback: CallbackId) -> PortFuture<'_, Result<Vec<Item>, StoreError>>;

    /// What was given up, by number, after `after`.
    fn failures(
        &self,
        after: u64,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<Failure>, StoreError>>;

    /// One of them.
    fn failure(&self, id: u64) -> PortFuture<'_, Result<Option<Failure>, StoreError>>;

    /// Queues, agents and counters.
    fn inventory(&self) -> PortFuture<'_, Result<Inventory, StoreError>>;
}
