//! Every table with its keys, in one place.
//!
//! Keys sort as bytes do, so numbers are big-endian and signed instants are shifted. What stands in
//! front of something else must not run into it: the ids of queues and agents end with a zero,
//! which they can't contain, and texts of any length are hashed, since only equality is asked.
//! Most index keys end with a callback's id, and ids sort by when the callbacks were made.
//!
//! Nothing else makes a key up. A key's layout never changes under its table's name: another
//! layout is another table.

use bytes::Bytes;

use crate::domain::callback::State;
use crate::domain::dispatch::Carrier;
use crate::domain::ids::{AgentId, CallbackId, QueueId, WebhookId};
use crate::domain::key::TokenHash;
use crate::domain::measure::{Measured, Tally};
use crate::domain::phone::PhoneNumber;
use crate::domain::policy::Medium;
use crate::domain::slots::Seat;
use crate::domain::time::Timestamp;
use crate::engine::entry::IdempotencyKey;
use crate::engine::ports::{RowKey, Table};

mod texts;

pub use self::texts::{TextKind, by_prefix, by_text, external, hash, lower_case, whole_word};

/// No row of any table has it. It may be deleted where a table needs something new to write.
pub const NO_KEY: &[u8] = &[0];

/// callback id → where it stands. All of them, in the order of creation, are those of each state
/// in [`BY_STATE`]. Redis may have a sorted set of this name from a store of layout 1: nothing
/// reads it.
pub const CALLBACK: Table = Table::plain(0, "callback");
/// callback id, version → its texts.
pub const REQUEST: Table = Table::plain(1, "request");
/// callback id, place → an ended interaction.
pub const INTERACTION: Table = Table::plain(2, "interaction");
/// agent id → the agent.
pub const AGENT: Table = Table::ordered(3, "agent");
/// queue id → the queue.
pub const QUEUE: Table = Table::ordered(4, "queue");
/// callback id, event id → nothing: which events are a callback's.
pub const HISTORY: Table = Table::index(5, "history");
/// event id (number of its entry × 32 + place in it) → what happened, to whomever.
pub const EVENT: Table = Table::ordered(6, "event");
/// digest of credential and key → what was answered.
pub const KEPT: Table = Table::plain(7, "kept");
/// instant, digest → nothing: the order in which kept answers end.
pub const KEPT_BY_TIME: Table = Table::index(8, "kept_by_time");
/// name → a value of the workspace.
pub const META: Table = Table::plain(9, "meta");
/// In [`META`]: the 32 bytes that manage links are signed with.
pub const SECRET: &str = "secret";
/// In [`META`]: digest of the zone rules by which all bookings were looked at last.
pub const ZONE_RULES: &str = "zone_rules";
/// In [`META`]: the highest number of a callback that was removed, so that none is given twice.
pub const HIGHEST_REMOVED: &str = "highest_removed";
/// In [`META`]: the highest id of an event that was removed: who has read less misses something.
pub const HIGHEST_REMOVED_EVENT: &str = "highest_removed_event";

/// instant, callback id → nothing: `open` callbacks by when they are looked at next.
pub const DUE: Table = Table::index(10, "due");
/// Nothing is written or read: what is live is found by [`BY_STATE`]. Rows of earlier builds stay,
/// and so its number stays taken.
pub const LIVE: Table = Table::index(11, "live");
/// state, callback id → nothing.
pub const BY_STATE: Table = Table::index(12, "by_state");
/// queue, zero, state, callback id → nothing.
pub const BY_QUEUE: Table = Table::index(13, "by_queue");
/// instant of the booked start, callback id → nothing.
pub const BY_START: Table = Table::index(14, "by_start");
/// instant since when it is queued, callback id → nothing.
pub const BY_QUEUED: Table = Table::index(15, "by_queued");
/// hash of a kind and a text, callback id → nothing: see [`TextKind`].
pub const BY_TEXT: Table = Table::index(16, "by_text");
/// number, callback id → nothing.
pub const BY_NUMBER: Table = Table::index(17, "by_number");
/// agent, zero, callback id → nothing: what they were ever offered, hold, held or booked.
pub const BY_AGENT: Table = Table::index(18, "by_agent");
/// beginning of a name or phone in lower case, zero, callback id → nothing.
pub const BY_PREFIX: Table = Table::index(19, "by_prefix");

/// instant of the end, callback id → nothing: the order in which callbacks lapse.
pub const BY_END: Table = Table::index(20, "by_end");
/// instant, event id → nothing: events of agents and queues. A callback's go with the callback.
pub const EVENT_BY_TIME: Table = Table::index(21, "event_by_time");

/// what tells the contact, callback id → nothing: those that aren't final, by contact and number.
pub const ACTIVE: Table = Table::index(22, "active");
/// webhook id → the webhook, with its secrets.
pub const WEBHOOK: Table = Table::ordered(23, "webhook");
/// webhook id → how far it has come.
pub const WEBHOOK_PROGRESS: Table = Table::plain(24, "webhook_progress");

/// number of an item (its entry's × 32 + place) → what is to go out.
pub const OUTBOX: Table = Table::plain(25, "outbox");
/// who carries it out, instant, number, callback id → nothing: items by when they are due.
pub const OUTBOX_DUE: Table = Table::index(26, "outbox_due");
/// callback id, number → nothing: a callback's items.
pub const OUTBOX_OF: Table = Table::index(27, "outbox_of");
/// number → what was given up.
pub const FAILURE: Table = Table::ordered(28, "failure");
/// callback id, number → nothing: a callback's failures.
pub const FAILURE_OF: Table = Table::index(29, "failure_of");

/// number → since when it is denied, by whom, why.
pub const DENIED: Table = Table::ordered(30, "denied");

/// queue, zero, medium, instant of the booked start (the last of all for none), callback id →
/// nothing: the seats of callbacks that aren't final.
pub const SEAT: Table = Table::index(31, "seat");

/// webhook id, zero, event id → nothing: what was given up and is to be sent again.
pub const WEBHOOK_AGAIN: Table = Table::index(32, "webhook_again");

/// SHA-256 of a token → what it allows, or that it is revoked.
pub const API_KEY: Table = Table::ordered(33, "api_key");

/// instant of a quarter of an hour, kind, id of a queue or agent → what was measured of it then.
pub const MEASURE: Table = Table::ordered(34, "measure");

/// The layout of the whole store, kept in its head by whoever takes it; 0 in stores from before it
/// was kept. Raised when rows come that an earlier release would miss without noticing, since it
/// looks for the same facts elsewhere: a store with a higher one is refused at start. What it would
/// notice (another layout of a record, a table that it doesn't know in the log) needs no raise.
pub const LAYOUT: u32 = 2;

/// All tables; a table's place here is its number in the log, so new ones come last.
pub const ALL: [Table; 35] = [
    CALLBACK,
    REQUEST,
    INTERACTION,
    AGENT,
    QUEUE,
    HISTORY,
    EVENT,
    KEPT,
    KEPT_BY_TIME,
    META,
    DUE,
    LIVE,
    BY_STATE,
    BY_QUEUE,
    BY_START,
    BY_QUEUED,
    BY_TEXT,
    BY_NUMBER,
    BY_AGENT,
    BY_PREFIX,
    BY_END,
    EVENT_BY_TIME,
    ACTIVE,
    WEBHOOK,
    WEBHOOK_PROGRESS,
    OUTBOX,
    OUTBOX_DUE,
    OUTBOX_OF,
    FAILURE,
    FAILURE_OF,
    DENIED,
    SEAT,
    WEBHOOK_AGAIN,
    API_KEY,
    MEASURE,
];

/// A key of one table.
pub fn key(table: Table, bytes: impl Into<Bytes>) -> RowKey {
    RowKey { table, key: bytes.into() }
}

/// An instant as bytes that sort as it does.
pub fn instant(at: Timestamp) -> [u8; 8] {
    (at.0.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

/// The instant of such bytes.
pub fn instant_of(bytes: [u8; 8]) -> Timestamp {
    Timestamp((u64::from_be_bytes(bytes) ^ (1 << 63)).cast_signed())
}

/// Something in front, a callback's id behind.
pub fn with_id(front: &[u8], id: CallbackId) -> Vec<u8> {
    [front, &id.to_bytes()].concat()
}

/// The callback's id that a key ends with.
pub fn id_at_end(key: &[u8]) -> Option<CallbackId> {
    let bytes = key.last_chunk::<16>()?;
    Some(CallbackId(u128::from_be_bytes(*bytes)))
}

/// Where a callback stands.
pub fn callback(id: CallbackId) -> RowKey {
    key(CALLBACK, id.to_bytes().to_vec())
}

/// A version of a callback's texts.
pub fn request(id: CallbackId, version: u32) -> RowKey {
    key(REQUEST, [id.to_bytes().as_slice(), &version.to_be_bytes()].concat())
}

/// An ended interaction.
pub fn interaction(id: CallbackId, index: u32) -> RowKey {
    key(INTERACTION, [id.to_bytes().as_slice(), &index.to_be_bytes()].concat())
}

/// An event's place among those of its callback.
pub fn history(id: CallbackId, event: u64) -> RowKey {
    key(HISTORY, [id.to_bytes().as_slice(), &event.to_be_bytes()].concat())
}

/// An event.
pub fn event(id: u64) -> RowKey {
    key(EVENT, id.to_be_bytes().to_vec())
}

/// The id of the event that a key ends with.
pub fn event_at_end(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))
}

/// A queue.
pub fn queue(id: &QueueId) -> RowKey {
    key(QUEUE, id.as_str().as_bytes().to_vec())
}

/// An agent.
pub fn agent(id: &AgentId) -> RowKey {
    key(AGENT, id.as_str().as_bytes().to_vec())
}

/// A webhook.
pub fn webhook(id: &WebhookId) -> RowKey {
    key(WEBHOOK, id.as_str().as_bytes().to_vec())
}

/// How far a webhook has come.
pub fn webhook_progress(id: &WebhookId) -> RowKey {
    key(WEBHOOK_PROGRESS, id.as_str().as_bytes().to_vec())
}

/// An API key.
pub fn api_key(token: &TokenHash) -> RowKey {
    key(API_KEY, token.0.to_vec())
}

/// A number on the deny list.
pub fn denied(phone: &PhoneNumber) -> RowKey {
    key(DENIED, phone.as_str().as_bytes().to_vec())
}

/// The front of [`WEBHOOK_AGAIN`].
pub fn webhook_again_front(id: &WebhookId) -> Vec<u8> {
    [id.as_str().as_bytes(), &[0]].concat()
}

/// An event that a webhook is to be sent again.
pub fn webhook_again(id: &WebhookId, event: u64) -> RowKey {
    key(WEBHOOK_AGAIN, [&webhook_again_front(id)[..], &event.to_be_bytes()].concat())
}

/// What was answered under a key.
pub fn kept(idempotency: &IdempotencyKey) -> RowKey {
    key(KEPT, idempotency.0.to_vec())
}

/// The same, by when it was answered.
///
/// A key that is used again after its answer ended leaves its older place behind: whoever drops
/// old answers compares the place with the record's time.
pub fn kept_by_time(at: Timestamp, idempotency: &IdempotencyKey) -> RowKey {
    key(KEPT_BY_TIME, [instant(at).as_slice(), &idempotency.0].concat())
}

/// The secret that manage links are signed with.
pub fn secret() -> RowKey {
    key(META, SECRET.as_bytes())
}

/// The zone rules by which all bookings were looked at last.
pub fn zone_rules() -> RowKey {
    key(META, ZONE_RULES.as_bytes())
}

/// The highest number of a callback that was removed.
pub fn highest_removed() -> RowKey {
    key(META, HIGHEST_REMOVED.as_bytes())
}

/// The highest id of an event that was removed.
pub fn highest_removed_event() -> RowKey {
    key(META, HIGHEST_REMOVED_EVENT.as_bytes())
}

/// What was measured in a quarter of an hour.
pub fn measure(measured: &Measured) -> RowKey {
    // Numbers of their own: a new kind must not move the others.
    let (kind, id) = match &measured.tally {
        Tally::Intake(queue, _) => (0, queue.as_str()),
        Tally::Work(queue, _) => (1, queue.as_str()),
        Tally::Agent(agent, _) => (2, agent.as_str()),
        Tally::Line(queue, _) => (3, queue.as_str()),
    };
    key(MEASURE, [&instant(measured.quarter)[..], &[kind], id.as_bytes()].concat())
}

/// Quarter, kind and id of a key of [`MEASURE`].
pub fn measure_of(key: &[u8]) -> Option<(Timestamp, u8, String)> {
    let (quarter, rest) = key.split_first_chunk::<8>()?;
    let (kind, id) = rest.split_first()?;
    Some((instant_of(*quarter), *kind, String::from_utf8(id.to_vec()).ok()?))
}

/// A callback by when it ended.
pub fn by_end(at: Timestamp, id: CallbackId) -> RowKey {
    key(BY_END, with_id(&instant(at), id))
}

/// An agent's or a queue's event by when it happened.
pub fn event_by_time(at: Timestamp, event: u64) -> RowKey {
    key(EVENT_BY_TIME, [instant(at), event.to_be_bytes()].concat())
}

/// An item of the outbox.
pub fn outbox(id: u64) -> RowKey {
    key(OUTBOX, id.to_be_bytes().to_vec())
}

/// An item by when it is due.
pub fn outbox_due(carrier: Carrier, at: Timestamp, id: u64, callback: CallbackId) -> RowKey {
    let front = outbox_front(carrier);
    key(OUTBOX_DUE, with_id(&[&front[..], &instant(at), &id.to_be_bytes()].concat(), callback))
}

/// The front of [`OUTBOX_DUE`].
pub const fn outbox_front(carrier: Carrier) -> [u8; 1] {
    [match carrier {
        Carrier::Mail => 0,
        Carrier::Meeting => 1,
    }]
}

/// When an item is due, its number and its callback, out of a key of [`OUTBOX_DUE`].
pub fn outbox_due_of(key: &[u8]) -> Option<(Timestamp, u64, CallbackId)> {
    let (at, rest) = key.get(1..)?.split_first_chunk::<8>()?;
    let (id, callback) = rest.split_first_chunk::<8>()?;
    let callback: [u8; 16] = callback.try_into().ok()?;
    Some((instant_of(*at), u64::from_be_bytes(*id), CallbackId(u128::from_be_bytes(callback))))
}

/// An item's place among those of its callback.
pub fn outbox_of(callback: CallbackId, id: u64) -> RowKey {
    key(OUTBOX_OF, [&callback.to_bytes()[..], &id.to_be_bytes()].concat())
}

/// What was given up.
pub fn failure(id: u64) -> RowKey {
    key(FAILURE, id.to_be_bytes().to_vec())
}

/// A failure's place among those of its callback.
pub fn failure_of(callback: CallbackId, id: u64) -> RowKey {
    key(FAILURE_OF, [&callback.to_bytes()[..], &id.to_be_bytes()].concat())
}

/// The front of [`BY_STATE`].
pub const fn by_state(state: State) -> [u8; 1] {
    // Numbers of their own: a new state must not move the others.
    [match state {
        State::Open => 0,
        State::Queued => 1,
        State::Offered => 2,
        State::Accepted => 3,
        State::Calling => 4,
        State::WrapUp => 5,
        State::ClosedComplete => 6,
        State::ClosedAbandoned => 7,
        State::Canceled => 8,
    }]
}

/// The front of [`BY_QUEUE`].
pub fn by_queue(queue: &QueueId, state: State) -> Vec<u8> {
    [queue.as_str().as_bytes(), &[0], &by_state(state)].concat()
}

/// The front of [`SEAT`] for all of a queue's of one medium.
pub fn seats(queue: &QueueId, medium: Medium) -> Vec<u8> {
    // Numbers of their own: a new medium must not move the others.
    let medium = match medium {
        Medium::Voice => 0,
        Medium::Video => 1,
    };
    [queue.as_str().as_bytes(), &[0, medium]].concat()
}

/// The front of [`SEAT`].
pub fn seat(queue: &QueueId, seat: Seat) -> Vec<u8> {
    let start = instant(seat.start.unwrap_or(Timestamp::NEVER));
    [seats(queue, seat.medium).as_slice(), &start].concat()
}

/// The queue and the seat of a key of [`SEAT`].
pub fn seat_of(key: &[u8]) -> Option<(QueueId, Seat)> {
    let zero = key.iter().position(|byte| *byte == 0)?;
    let (queue, rest) = key.split_at(zero);
    let medium = match rest.get(1)? {
        0 => Medium::Voice,
        1 => Medium::Video,
        _ => return None,
    };
    let start = instant_of(*rest.get(2..)?.first_chunk::<8>()?);
    let start = (start != Timestamp::NEVER).then_some(start);
    let queue = QueueId::parse(std::str::from_utf8(queue).ok()?).ok()?;
    Some((queue, Seat { medium, start }))
}

/// The front of [`BY_AGENT`].
pub fn by_agent(agent: &AgentId) -> Vec<u8> {
    [agent.as_str().as_bytes(), &[0]].concat()
}

/// The first key behind one in byte order.
pub fn behind(key: &[u8]) -> Bytes {
    [key, &[0]].concat().into()
}

/// The first key that no key beginning with `front` reaches; none where all bytes are the last.
pub fn past(front: &[u8]) -> Option<Bytes> {
    let mut end = front.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Some(end.into());
        }
    }
    None
}

#[cfg(test)]
mod tests;
