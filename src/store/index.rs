//! The rows of a journal entry: records, index rows, events, kept answers.
//!
//! Index rows follow from a record alone, so those to delete are the old record's that the new
//! one doesn't have. An entry in the log is the list of its rows, which makes applying it twice
//! the same as once.

pub(super) mod outbox;
mod packing;

use std::ops::Range;

use bytes::Bytes;

use self::packing::Packing;
use super::keys::{self, TextKind};
use super::record::{Broken, EventRecord, Reader, put_tally};
use crate::domain::callback::{Callback, Phase, Request};
use crate::domain::effect::{Change, WebhookChange};
use crate::domain::event::Event;
use crate::domain::ids::CallbackId;
use crate::domain::phone::PhoneNumber;
use crate::engine::entry::Entry;
use crate::engine::library::{Codec, Packed};
use crate::engine::ports::{EntryNumber, RowKey, RowWrite, StoreError, Table};

/// Turns entries into rows, and rows into the log's bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct RowCodec;

impl Codec for RowCodec {
    fn rows(&self, number: EntryNumber, entry: &Entry) -> Packed {
        let mut rows = Packing::new();
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
            rows.put(&keys::kept(key), kept);
            rows.put_index(&keys::kept_by_time(kept.at, key));
        }
        if let Some(secret) = &entry.secret {
            rows.put_value(&keys::secret(), &secret.0);
        }
        rows.finish()
    }

    fn pack(&self, rows: &[RowWrite]) -> Packed {
        let mut packing = Packing::new();
        for RowWrite { key, value } in rows {
            packing.row(key.table, &[&key.key], value.as_deref());
        }
        packing.finish()
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
    if version != packing::LAYOUT {
        return Err(Broken(format!("layout {version}; this release knows {}", packing::LAYOUT)));
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

fn of_change(change: &Change, rows: &mut Packing) {
    match change {
        Change::Callback { before, after } => {
            rows.put(&keys::callback(after.id), after);
            let old = before.as_deref().map(of_callback);
            replace(old.as_ref(), &of_callback(after), rows);
        }
        Change::Request { callback, before, after } => {
            rows.put(&keys::request(*callback, after.version), after);
            let old = before.as_deref().map(|old| of_request(*callback, old));
            replace(old.as_ref(), &of_request(*callback, after), rows);
        }
        Change::Interaction { callback, index, interaction } => {
            rows.put(&keys::interaction(*callback, *index), interaction);
            if let Some(agent) = &interaction.agent {
                let front = keys::by_agent(agent);
                rows.put_index(&keys::key(keys::BY_AGENT, keys::with_id(&front, *callback)));
            }
        }
        Change::Agent(agent) => rows.put(&keys::agent(&agent.settings.id), agent),
        Change::AgentRemoved(id) => rows.delete(&keys::agent(id)),
        Change::Queue(queue) => rows.put(&keys::queue(&queue.settings.id), queue),
        Change::QueueRemoved(id) => rows.delete(&keys::queue(id)),
        Change::Denied(phone, Some(denied)) => rows.put(&keys::denied(phone), denied),
        Change::Denied(phone, None) => rows.delete(&keys::denied(phone)),
        Change::Key(token, Some(key)) => rows.put(&keys::api_key(token), key),
        Change::Key(token, None) => rows.delete(&keys::api_key(token)),
        Change::Webhook(change) => of_webhook(change, rows),
        Change::Measured(measured) => {
            rows.put_with(&keys::measure(measured), |out| put_tally(measured, out));
        }
        Change::Outbox(_) => unreachable!("its rows need the entry's number"),
    }
}

fn of_webhook(change: &WebhookChange, rows: &mut Packing) {
    match change {
        WebhookChange::Put(webhook) => {
            let id = &webhook.settings.id;
            rows.put(&keys::webhook(id), webhook);
            if !webhook.settings.active {
                rows.delete(&keys::webhook_progress(id));
            }
        }
        WebhookChange::Removed(id) => {
            rows.delete(&keys::webhook(id));
            rows.delete(&keys::webhook_progress(id));
        }
        WebhookChange::Progress(progress) => {
            rows.put(&keys::webhook_progress(&progress.webhook), progress);
        }
        WebhookChange::Again { webhook, event } => {
            rows.put_index(&keys::webhook_again(webhook, *event));
        }
        WebhookChange::TakenAgain { webhook, event } => {
            rows.delete(&keys::webhook_again(webhook, *event));
        }
    }
}

/// Only what is new is written, and only what is gone is deleted. The lists are short enough to be
/// looked through.
fn replace(old: Option<&Index>, new: &Index, rows: &mut Packing) {
    if let Some(old) = old {
        for (table, key) in old.iter() {
            // Who held a callback once goes on seeing it.
            if table != keys::BY_AGENT && !new.has(table, key) {
                rows.row(table, &[key], None);
            }
        }
    }
    for (table, key) in new.iter() {
        if old.is_none_or(|old| !old.has(table, key)) {
            rows.row(table, &[key], Some(&[]));
        }
    }
}

/// The index rows of where a callback stands.
pub(super) fn callback_index(callback: &Callback) -> Vec<RowKey> {
    of_callback(callback).into_keys()
}

/// The index rows of a callback's texts.
pub(super) fn request_index(id: CallbackId, request: &Request) -> Vec<RowKey> {
    of_request(id, request).into_keys()
}

fn of_callback(callback: &Callback) -> Index {
    let state = callback.state();
    let mut index = Index::new(callback.id);
    let mut add = |table, front: &[u8]| index.add(table, front);
    add(keys::BY_STATE, &keys::by_state(state));
    add(keys::BY_QUEUE, &keys::by_queue(&callback.queue, state));
    add(keys::BY_NUMBER, &callback.number.to_be_bytes());
    if let Some(at) = callback.wakes_at() {
        add(keys::DUE, &keys::instant(at));
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
    index
}

/// Index rows of one callback, each once; their keys stand after one another.
struct Index {
    id: CallbackId,
    bytes: Vec<u8>,
    keys: Vec<(Table, Range<usize>)>,
}

impl Index {
    fn new(id: CallbackId) -> Self {
        Self { id, bytes: Vec::with_capacity(512), keys: Vec::with_capacity(12) }
    }

    fn add(&mut self, table: Table, front: &[u8]) {
        let begins = self.bytes.len();
        self.bytes.extend_from_slice(front);
        self.bytes.extend_from_slice(&self.id.to_bytes());
        if self.has(table, &self.bytes[begins..]) {
            self.bytes.truncate(begins);
        } else {
            self.keys.push((table, begins..self.bytes.len()));
        }
    }

    fn iter(&self) -> impl Iterator<Item = (Table, &[u8])> {
        self.keys.iter().map(|(table, place)| (*table, &self.bytes[place.clone()]))
    }

    fn has(&self, table: Table, key: &[u8]) -> bool {
        self.iter().any(|(other, there)| other == table && there == key)
    }

    fn into_keys(self) -> Vec<RowKey> {
        let key = |(table, key): (Table, &[u8])| keys::key(table, Bytes::copy_from_slice(key));
        self.iter().map(key).collect()
    }
}

fn of_request(id: CallbackId, request: &Request) -> Index {
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
    let mut index = Index::new(id);
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
    index
}

fn of_event(id: u64, event: &Event, entry: &Entry, rows: &mut Packing) {
    rows.put_with(&keys::event(id), |out| EventRecord::put_parts(entry.at, event, out));
    match event {
        Event::Callback(callback, _) => rows.put_index(&keys::history(*callback, id)),
        Event::Agent(..) | Event::Queue(..) => {
            rows.put_index(&keys::event_by_time(entry.at, id));
        }
    }
}

#[cfg(test)]
mod tests;
