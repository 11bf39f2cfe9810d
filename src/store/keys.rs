//! Every table with its keys, in one place.
//!
//! Keys sort as bytes do, so numbers are big-endian and signed instants are shifted. Texts in
//! front of something else are hashed where only equality is asked, so that no text of any length
//! can run into what follows it.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::domain::callback::{Channel, State};
use crate::domain::ids::{AgentId, CallbackId, QueueId};
use crate::domain::time::Timestamp;
use crate::engine::ports::{RowKey, Table};

const fn ordered(name: &'static str) -> Table {
    Table { name, ordered: true }
}

const fn plain(name: &'static str) -> Table {
    Table { name, ordered: false }
}

/// callback id → where it stands. In id order, which is the order of creation.
pub const CALLBACK: Table = ordered("callback");
/// callback id, version → its texts.
pub const REQUEST: Table = plain("request");
/// callback id, place → an ended interaction.
pub const INTERACTION: Table = ordered("interaction");
/// agent id → the agent.
pub const AGENT: Table = ordered("agent");
/// queue id → the queue.
pub const QUEUE: Table = ordered("queue");
/// callback id, event id → what happened to a callback.
pub const HISTORY: Table = ordered("history");
/// event id → what happened to an agent or a queue; to a callback: its id, the event in `history`.
pub const EVENT: Table = ordered("event");
/// digest of credential and key → what was answered.
pub const KEPT: Table = plain("kept");
/// instant, digest → nothing: the order in which kept answers end.
pub const KEPT_BY_TIME: Table = ordered("kept_by_time");
/// name → a value of the workspace.
pub const META: Table = plain("meta");
/// In [`META`]: the 32 bytes that manage links are signed with.
pub const SECRET: &str = "secret";

/// instant, callback id → nothing: `open` callbacks by when they are looked at next.
pub const DUE: Table = ordered("due");
/// callback id → nothing: those with a live interaction.
pub const LIVE: Table = ordered("live");
/// state, callback id → nothing.
pub const BY_STATE: Table = ordered("by_state");
/// hash of queue and state, callback id → nothing.
pub const BY_QUEUE: Table = ordered("by_queue");
/// instant of the booked start, callback id → nothing.
pub const BY_START: Table = ordered("by_start");
/// instant since when it is queued, callback id → nothing.
pub const BY_QUEUED: Table = ordered("by_queued");
/// hash of a kind and a text, callback id → nothing: contact, phone, e-mail, case, references.
pub const BY_TEXT: Table = ordered("by_text");
/// number, callback id → nothing.
pub const BY_NUMBER: Table = ordered("by_number");
/// hash of agent, callback id → nothing: what they are offered, hold, held or booked.
pub const BY_AGENT: Table = ordered("by_agent");
/// beginning of a name, phone or number in lower case, zero, callback id → nothing.
pub const BY_PREFIX: Table = ordered("by_prefix");

/// All tables; a table's place here is its number in the log, so new ones come last.
pub const ALL: [Table; 20] = [
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
];

/// What a text in [`BY_TEXT`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextKind {
    /// What tells the contact.
    Contact,
    /// The whole number.
    Phone,
    /// The whole address, in lower case.
    Email,
    /// The case.
    Case,
    /// The interaction at the channel.
    InteractionRef,
    /// The integrator's id, whatever the channel.
    ExternalId,
}

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

/// 16 bytes that stand for texts, each with its length.
pub fn hash(parts: &[&[u8]]) -> [u8; 16] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let whole: [u8; 32] = digest.finalize().into();
    whole[..16].try_into().expect("16 of 32 bytes")
}

/// Something in front, a callback's id behind.
pub fn with_id(front: &[u8], id: CallbackId) -> Vec<u8> {
    let mut key = front.to_vec();
    key.extend_from_slice(&id.to_bytes());
    key
}

/// The callback's id that a key ends with.
pub fn id_at_end(key: &[u8]) -> Option<CallbackId> {
    let start = key.len().checked_sub(16)?;
    Some(CallbackId(u128::from_be_bytes(key[start..].try_into().ok()?)))
}

/// A version of a callback's texts.
pub fn request(id: CallbackId, version: u32) -> RowKey {
    let mut bytes = id.to_bytes().to_vec();
    bytes.extend_from_slice(&version.to_be_bytes());
    key(REQUEST, bytes)
}

/// An ended interaction.
pub fn interaction(id: CallbackId, index: u32) -> RowKey {
    let mut bytes = id.to_bytes().to_vec();
    bytes.extend_from_slice(&index.to_be_bytes());
    key(INTERACTION, bytes)
}

/// An event of a callback.
pub fn history(id: CallbackId, event: u64) -> RowKey {
    let mut bytes = id.to_bytes().to_vec();
    bytes.extend_from_slice(&event.to_be_bytes());
    key(HISTORY, bytes)
}

/// The front of [`BY_STATE`].
pub fn state(state: State) -> [u8; 1] {
    let place = State::ALL.iter().position(|one| *one == state).expect("ALL has every state");
    [u8::try_from(place).expect("there are nine")]
}

/// The front of [`BY_QUEUE`].
pub fn queue(queue: &QueueId, of: State) -> [u8; 16] {
    hash(&[queue.as_str().as_bytes(), &state(of)])
}

/// The front of [`BY_AGENT`].
pub fn agent(agent: &AgentId) -> [u8; 16] {
    hash(&[agent.as_str().as_bytes()])
}

/// The front of [`BY_TEXT`].
pub fn text(kind: TextKind, text: &str) -> [u8; 16] {
    let kind: &[u8] = match kind {
        TextKind::Contact => b"contact",
        TextKind::Phone => b"phone",
        TextKind::Email => b"email",
        TextKind::Case => b"case",
        TextKind::InteractionRef => b"interaction_ref",
        TextKind::ExternalId => b"external_id",
    };
    hash(&[kind, text.as_bytes()])
}

/// The front of [`BY_TEXT`] for an external id of one channel, which is unique.
pub fn external(channel: Channel, external_id: &str) -> [u8; 16] {
    hash(&[b"external", channel.as_str().as_bytes(), external_id.as_bytes()])
}

/// A text as it is found by its beginning: lower case, without zeros, cut at a bound.
pub fn prefix(text: &str) -> Vec<u8> {
    let lower = text.to_lowercase().replace('\0', "");
    let end = (0..=PREFIX_MAX.min(lower.len())).rev().find(|end| lower.is_char_boundary(*end));
    lower.as_bytes()[..end.unwrap_or(0)].to_vec()
}

/// So much of a name is found by its beginning, in bytes.
const PREFIX_MAX: usize = 64;

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
