//! The rows of a journal entry: records, index rows, events, kept answers.
//!
//! Index rows follow from a record alone, so those to delete are the old record's that the new
//! one doesn't have. An entry in the log is the list of its rows, which makes applying it twice
//! the same as once.

pub(super) mod outbox;

use bytes::Bytes;

use super::keys::{self, TextKind};
use super::record::{Broken, EventRecord, Reader, Record, put_varint, tally_row};
use crate::domain::callback::{Callback, Phase, Request};
use crate::domain::effect::{Change, WebhookChange};
use crate::domain::event::Event;
use crate::domain::ids::CallbackId;
use crate::domain::phone::PhoneNumber;
use crate::engine::entry::Entry;
use crate::engine::library::Codec;
use crate::engine::ports::{EntryNumber, RowKey, RowWrite, StoreError, Table};

/// Turns entries into rows, and rows into the log's bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct RowCodec;

/// The layout of a log entry: this byte, then row by row the table's number, the key's length, the
/// key, and 0 for a deletion or the value's length + 1 and the value. Lengths are varints.
const PACKED: u8 = 1;

impl Codec for RowCodec {
    fn rows(&self, number: EntryNumber, entry: &Entry) -> Vec<RowWrite> {
        let mut rows = Vec::with_capacity(24);
        let mut dispatches = 0;
        for change in &entry.changes {
            if let Change::Outbox(change) = change {
                outbox::of_change(change, number, &mut dispatches, &mut rows);
            } else {
                of_change(change, &mut rows);
            }
        }
        for (place, event) in (0_u64..).zip(&entry.events) {
            assert!(
                place < Entry::MAX_EVENTS,
                "a step leaves at most {} events",
                Entry::MAX_EVENTS
            );
            of_event(number * Entry::MAX_EVENTS + place, event, entry, &mut rows);
        }
        if let Some(kept) = &entry.kept {
            let key = &kept.keyed.key;
            put(keys::kept(key), kept.to_row(), &mut rows);
            put(keys::kept_by_time(kept.at, key), Bytes::new(), &mut rows);
        }
        if let Some(secret) = &entry.secret {
            put(keys::secret(), Bytes::copy_from_slice(&secret.0), &mut rows);
        }
        rows
    }

    fn pack(&self, rows: &mut [RowWrite]) -> Bytes {
        let length = |row: &RowWrite| row.key.key.len() + row.value.as_ref().map_or(0, Bytes::len);
        let mut out = Vec::with_capacity(rows.iter().map(|row| 8 + length(row)).sum::<usize>() + 1);
        out.push(PACKED);
        let mut places = Vec::with_capacity(rows.len());
        for row in &*rows {
            out.push(row.key.table.number);
            put_varint(row.key.key.len() as u64, &mut out);
            let key = out.len();
            out.extend_from_slice(&row.key.key);
            put_varint(row.value.as_ref().map_or(0, |value| value.len() as u64 + 1), &mut out);
            places.push((key, out.len()));
            out.extend_from_slice(row.value.as_deref().unwrap_or_default());
        }
        let whole = Bytes::from(out);
        for (row, (key, value)) in rows.iter_mut().zip(places) {
            row.key.key = whole.slice(key..key + row.key.key.len());
            row.value = row.value.as_ref().map(|old| whole.slice(value..value + old.len()));
        }
        whole
    }

    fn unpack(&self, bytes: &[u8]) -> Result<Vec<RowWrite>, StoreError> {
        unpack(bytes).map_err(|broken| StoreError::Damaged {
            place: "a log entry".to_owned(),
            what: format!("it isn't a list of rows: {broken}"),
        })
    }
}

fn unpack(bytes: &[u8]) -> Result<Vec<RowWrite>, Broken> {
    // One copy for all rows, which are slices of it.
    let whole = Bytes::copy_from_slice(bytes);
    let mut reader = Reader(&whole);
    let version = reader.byte()?;
    if version != PACKED {
        return Err(Broken(format!("layout {version}; this release knows {PACKED}")));
    }
    let mut rows = Vec::new();
    while !reader.0.is_empty() {
        let number = reader.byte()?;
        let table = keys::ALL.get(usize::from(number));
        let table = *table.ok_or_else(|| Broken(format!("there is no table {number}")))?;
        let length = reader.varint()?;
        let key = whole.slice_ref(reader.bytes(fitting(length))?);
        let value = match reader.varint()?.checked_sub(1) {
            None => None,
            Some(length) => Some(whole.slice_ref(reader.bytes(fitting(length))?)),
        };
        rows.push(RowWrite { key: RowKey { table, key }, value });
    }
    Ok(rows)
}

/// A length that no machine could hold is longer than what is left, and told so.
fn fitting(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

fn put(key: RowKey, value: Bytes, rows: &mut Vec<RowWrite>) {
    rows.push(RowWrite { key, value: Some(value) });
}

fn delete(key: RowKey, rows: &mut Vec<RowWrite>) {
    rows.push(RowWrite { key, value: None });
}

fn of_change(change: &Change, rows: &mut Vec<RowWrite>) {
    match change {
        Change::Callback { before, after } => {
            put(keys::callback(after.id), after.to_row(), rows);
            let old = before.as_deref().map(callback_index).unwrap_or_default();
            replace(&old, callback_index(after), rows);
        }
        Change::Request { callback, before, after } => {
            put(keys::request(*callback, after.version), after.to_row(), rows);
            let old = before.as_deref().map(|old| request_index(*callback, old));
            replace(&old.unwrap_or_default(), request_index(*callback, after), rows);
        }
        Change::Interaction { callback, index, interaction } => {
            put(keys::interaction(*callback, *index), interaction.to_row(), rows);
            if let Some(agent) = &interaction.agent {
                let front = keys::by_agent(agent);
                let key = keys::key(keys::BY_AGENT, keys::with_id(&front, *callback));
                put(key, Bytes::new(), rows);
            }
        }
        Change::Agent(agent) => put(keys::agent(&agent.settings.id), agent.to_row(), rows),
        Change::AgentRemoved(id) => delete(keys::agent(id), rows),
        Change::Queue(queue) => put(keys::queue(&queue.settings.id), queue.to_row(), rows),
        Change::QueueRemoved(id) => delete(keys::queue(id), rows),
        Change::Denied(phone, Some(denied)) => put(keys::denied(phone), denied.to_row(), rows),
        Change::Denied(phone, None) => delete(keys::denied(phone), rows),
        Change::Key(token, Some(key)) => put(keys::api_key(token), key.to_row(), rows),
        Change::Key(token, None) => delete(keys::api_key(token), rows),
        Change::Webhook(change) => of_webhook(change, rows),
        Change::Measured(measured) => put(keys::measure(measured), tally_row(measured), rows),
        Change::Outbox(_) => unreachable!("its rows need the entry's number"),
    }
}

fn of_webhook(change: &WebhookChange, rows: &mut Vec<RowWrite>) {
    match change {
        WebhookChange::Put(webhook) => {
            let id = &webhook.settings.id;
            put(keys::webhook(id), webhook.to_row(), rows);
            if !webhook.settings.active {
                delete(keys::webhook_progress(id), rows);
            }
        }
        WebhookChange::Removed(id) => {
            delete(keys::webhook(id), rows);
            delete(keys::webhook_progress(id), rows);
        }
        WebhookChange::Progress(progress) => {
            put(keys::webhook_progress(&progress.webhook), progress.to_row(), rows);
        }
        WebhookChange::Again { webhook, event } => {
            put(keys::webhook_again(webhook, *event), Bytes::new(), rows);
        }
        WebhookChange::TakenAgain { webhook, event } => {
            delete(keys::webhook_again(webhook, *event), rows);
        }
    }
}

/// Only what is new is written, and only what is gone is deleted. The lists are short enough to be
/// looked through.
fn replace(old: &[RowKey], new: Vec<RowKey>, rows: &mut Vec<RowWrite>) {
    // Who held a callback once goes on seeing it.
    let gone = old.iter().filter(|key| key.table != keys::BY_AGENT && !new.contains(key));
    gone.for_each(|key| delete(key.clone(), rows));
    let made = new.into_iter().filter(|key| !old.contains(key));
    made.for_each(|key| put(key, Bytes::new(), rows));
}

/// The index rows of where a callback stands.
pub(super) fn callback_index(callback: &Callback) -> Vec<RowKey> {
    let state = callback.state();
    let mut index = Index { id: callback.id, keys: Vec::with_capacity(12) };
    let mut add = |table, front: &[u8]| index.add(table, front);
    add(keys::BY_STATE, &keys::by_state(state));
    add(keys::BY_QUEUE, &keys::by_queue(&callback.queue, state));
    add(keys::BY_NUMBER, &callback.number.to_be_bytes());
    if let Some(at) = callback.wakes_at() {
        add(keys::DUE, &keys::instant(at));
    }
    if state.is_live() {
        add(keys::LIVE, &[]);
    }
    if let Phase::Ended { at, .. } = callback.phase {
        add(keys::BY_END, &keys::instant(at));
    } else {
        callback.reach.keys().for_each(|contact| add(keys::ACTIVE, &contact.0));
    }
    if let Some(booking) = &callback.booking {
        add(keys::BY_START, &keys::instant(booking.start));
    }
    if let Some(seat) = callback.seat() {
        add(keys::SEAT, &keys::seat(&callback.queue, seat));
    }
    if let Some(since) = callback.queued_since {
        add(keys::BY_QUEUED, &keys::instant(since));
    }
    let last = callback.interaction().and_then(|interaction| interaction.agent.as_ref());
    let accepted = callback.accepted_offer.as_deref().map(|(_, agent)| agent);
    let closable = callback.closable_by.as_deref().map(|(agent, _)| agent);
    let agents = [callback.holder(), callback.booked_by(), last, accepted, closable];
    for agent in agents.into_iter().flatten() {
        add(keys::BY_AGENT, &keys::by_agent(agent));
    }
    index.keys
}

/// Index rows of one callback, each once.
struct Index {
    id: CallbackId,
    keys: Vec<RowKey>,
}

impl Index {
    fn add(&mut self, table: Table, front: &[u8]) {
        let key = keys::key(table, keys::with_id(front, self.id));
        if !self.keys.contains(&key) {
            self.keys.push(key);
        }
    }
}

/// The index rows of a callback's texts.
pub(super) fn request_index(id: CallbackId, request: &Request) -> Vec<RowKey> {
    let customer = &request.customer;
    let origin = &request.origin;
    let phone = customer.phone.as_ref().map(PhoneNumber::as_str);
    let email = customer.email.as_ref().map(|email| keys::lower_case(email.as_str()));
    let contact = customer.contact();
    let texts = [
        (TextKind::Contact, contact.as_deref()),
        (TextKind::Email, email.as_deref()),
        (TextKind::Case, origin.case_id.as_deref()),
        (TextKind::InteractionRef, origin.interaction_ref.as_deref()),
        (TextKind::ExternalId, request.external_id.as_deref()),
    ];
    let mut index = Index { id, keys: Vec::with_capacity(9) };
    for (kind, text) in texts {
        if let Some(text) = text {
            index.add(keys::BY_TEXT, &keys::by_text(kind, text));
        }
    }
    if let Some(external_id) = &request.external_id {
        index.add(keys::BY_TEXT, &keys::external(origin.channel, external_id));
    }
    for text in [Some(customer.name.as_str()), phone].into_iter().flatten() {
        index.add(keys::BY_PREFIX, &keys::whole_word(text));
    }
    index.keys
}

fn of_event(id: u64, event: &Event, entry: &Entry, rows: &mut Vec<RowWrite>) {
    let record = EventRecord { at: entry.at, event: event.clone() };
    put(keys::event(id), record.to_row(), rows);
    match event {
        Event::Callback(callback, _) => put(keys::history(*callback, id), Bytes::new(), rows),
        Event::Agent(..) | Event::Queue(..) => {
            put(keys::event_by_time(entry.at, id), Bytes::new(), rows);
        }
    }
}

#[cfg(test)]
mod tests;
