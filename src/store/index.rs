//! The rows of a journal entry: records, index rows, events, kept answers.
//!
//! Index rows follow from a record alone, so those to delete are the old record's that the new
//! one doesn't have. An entry in the log is the list of its rows, which makes applying it twice
//! the same as once.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::keys::{self, TextKind};
use super::record::Record;
use crate::domain::callback::{Callback, Request};
use crate::domain::effect::Change;
use crate::domain::event::Event;
use crate::domain::ids::CallbackId;
use crate::domain::phone::PhoneNumber;
use crate::engine::entry::Entry;
use crate::engine::library::{Codec, StoredEvent};
use crate::engine::ports::{EntryNumber, RowKey, RowWrite, StoreError};

/// Turns entries into rows, and rows into the log's bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct RowCodec;

/// The layout of a log entry.
const PACKED: u8 = 1;

impl Codec for RowCodec {
    fn rows(&self, number: EntryNumber, entry: &Entry) -> Vec<RowWrite> {
        let mut rows = Vec::with_capacity(24);
        for change in &entry.changes {
            of_change(change, &mut rows);
        }
        for (place, event) in (0_u64..).zip(&entry.events) {
            let id = number * Entry::MAX_EVENTS + place;
            of_event(&StoredEvent { id, at: entry.at, event: event.clone() }, &mut rows);
        }
        if let Some(secret) = &entry.secret {
            let value = Bytes::copy_from_slice(&secret.0);
            put(keys::key(keys::META, keys::SECRET), value, &mut rows);
        }
        if let Some(kept) = &entry.kept {
            let key = kept.keyed.key.0;
            put(keys::key(keys::KEPT, key.to_vec()), kept.to_row(), &mut rows);
            let mut by_time = keys::instant(kept.at).to_vec();
            by_time.extend_from_slice(&key);
            put(keys::key(keys::KEPT_BY_TIME, by_time), Bytes::new(), &mut rows);
        }
        rows
    }

    fn pack(&self, rows: &[RowWrite]) -> Bytes {
        let length = |row: &RowWrite| row.key.key.len() + row.value.as_ref().map_or(0, Bytes::len);
        let mut out =
            Vec::with_capacity(8 + rows.iter().map(|row| 10 + length(row)).sum::<usize>());
        out.push(PACKED);
        for row in rows {
            let table = keys::ALL.iter().position(|table| *table == row.key.table);
            let table = table.expect("every table stands in keys::ALL");
            out.push(u8::try_from(table).expect("fewer tables than 256"));
            pack_bytes(&row.key.key, &mut out);
            match &row.value {
                Some(value) => {
                    out.push(1);
                    pack_bytes(value, &mut out);
                }
                None => out.push(0),
            }
        }
        out.into()
    }

    fn unpack(&self, bytes: &[u8]) -> Result<Vec<RowWrite>, StoreError> {
        unpack(bytes).ok_or_else(|| StoreError::Damaged {
            place: "a log entry".to_owned(),
            what: "it isn't a list of rows that this release can read".to_owned(),
        })
    }
}

fn pack_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(bytes.len()).expect("rows are far below 4 GiB");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}

fn unpack(mut bytes: &[u8]) -> Option<Vec<RowWrite>> {
    if take(&mut bytes, 1)?[0] != PACKED {
        return None;
    }
    let mut rows = Vec::new();
    while !bytes.is_empty() {
        let table = *keys::ALL.get(usize::from(take(&mut bytes, 1)?[0]))?;
        let key = unpack_bytes(&mut bytes)?;
        let value = match take(&mut bytes, 1)?[0] {
            0 => None,
            1 => Some(unpack_bytes(&mut bytes)?),
            _ => return None,
        };
        rows.push(RowWrite { key: RowKey { table, key }, value });
    }
    Some(rows)
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(head)
}

fn unpack_bytes(bytes: &mut &[u8]) -> Option<Bytes> {
    let length = u32::from_be_bytes(take(bytes, 4)?.try_into().ok()?);
    let count = usize::try_from(length).ok()?;
    take(bytes, count).map(Bytes::copy_from_slice)
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
            let key = keys::key(keys::CALLBACK, after.id.to_bytes().to_vec());
            put(key, after.to_row(), rows);
            let old = before.as_deref().map(callback_index).unwrap_or_default();
            replace(&old, &callback_index(after), rows);
        }
        Change::Request { callback, before, after } => {
            put(keys::request(*callback, after.version), after.to_row(), rows);
            let old = before.as_deref().map(|old| request_index(*callback, old));
            replace(&old.unwrap_or_default(), &request_index(*callback, after), rows);
        }
        Change::Interaction { callback, index, interaction } => {
            put(keys::interaction(*callback, *index), interaction.to_row(), rows);
        }
        Change::Agent(agent) => {
            let id = agent.settings.id.as_str().as_bytes().to_vec();
            put(keys::key(keys::AGENT, id), agent.to_row(), rows);
        }
        Change::AgentRemoved(id) => {
            delete(keys::key(keys::AGENT, id.as_str().as_bytes().to_vec()), rows);
        }
        Change::Queue(queue) => {
            let id = queue.settings.id.as_str().as_bytes().to_vec();
            put(keys::key(keys::QUEUE, id), queue.to_row(), rows);
        }
        Change::QueueRemoved(id) => {
            delete(keys::key(keys::QUEUE, id.as_str().as_bytes().to_vec()), rows);
        }
    }
}

/// Only what is new is written, and only what is gone is deleted.
fn replace(old: &BTreeSet<RowKey>, new: &BTreeSet<RowKey>, rows: &mut Vec<RowWrite>) {
    // Who held a callback once goes on seeing it.
    let gone = old.difference(new).filter(|key| key.table != keys::BY_AGENT);
    gone.for_each(|key| delete(key.clone(), rows));
    new.difference(old).for_each(|key| put(key.clone(), Bytes::new(), rows));
}

/// The index rows of where a callback stands.
fn callback_index(callback: &Callback) -> BTreeSet<RowKey> {
    let id = callback.id;
    let state = callback.state();
    let mut index = BTreeSet::new();
    let mut add = |table, front: &[u8]| index.insert(keys::key(table, keys::with_id(front, id)));
    add(keys::BY_STATE, &keys::state(state));
    add(keys::BY_QUEUE, &keys::queue(&callback.queue, state));
    add(keys::BY_NUMBER, &callback.number.to_be_bytes());
    let shown = crate::domain::callback::shown_number(callback.number);
    add(keys::BY_PREFIX, &[keys::prefix(&shown).as_slice(), &[0]].concat());
    if let Some(at) = callback.wakes_at() {
        add(keys::DUE, &keys::instant(at));
    }
    if state.is_live() {
        add(keys::LIVE, &[]);
    }
    if let Some(booking) = &callback.booking {
        add(keys::BY_START, &keys::instant(booking.start));
    }
    if let Some(since) = callback.queued_since {
        add(keys::BY_QUEUED, &keys::instant(since));
    }
    let last = callback.interaction().and_then(|interaction| interaction.agent.as_ref());
    for agent in [callback.holder(), callback.booked_by(), last].into_iter().flatten() {
        add(keys::BY_AGENT, &keys::agent(agent));
    }
    if let Some((_, agent)) = &callback.accepted_offer {
        add(keys::BY_AGENT, &keys::agent(agent));
    }
    index
}

/// The index rows of a callback's texts.
fn request_index(id: CallbackId, request: &Request) -> BTreeSet<RowKey> {
    let customer = &request.customer;
    let origin = &request.origin;
    let phone = customer.phone.as_ref().map(PhoneNumber::as_str);
    let email = customer.email.as_ref().map(|email| email.as_str().to_lowercase());
    let texts = [
        (TextKind::Contact, contact(request)),
        (TextKind::Phone, phone.map(str::to_owned)),
        (TextKind::Email, email),
        (TextKind::Case, origin.case_id.clone()),
        (TextKind::InteractionRef, origin.interaction_ref.clone()),
        (TextKind::ExternalId, request.external_id.clone()),
    ];
    let mut index = BTreeSet::new();
    for (kind, text) in texts {
        if let Some(text) = text {
            let front = keys::text(kind, &text);
            index.insert(keys::key(keys::BY_TEXT, keys::with_id(&front, id)));
        }
    }
    if let Some(external_id) = &request.external_id {
        let front = keys::external(origin.channel, external_id);
        index.insert(keys::key(keys::BY_TEXT, keys::with_id(&front, id)));
    }
    for text in [Some(customer.name.as_str()), phone].into_iter().flatten() {
        let front = [keys::prefix(text).as_slice(), &[0]].concat();
        index.insert(keys::key(keys::BY_PREFIX, keys::with_id(&front, id)));
    }
    index
}

/// What tells the contact: their id, else phone and extension, else the address.
pub(super) fn contact(request: &Request) -> Option<String> {
    let customer = &request.customer;
    let phone = || {
        let phone = customer.phone.as_ref()?.as_str();
        Some(match &customer.phone_extension {
            Some(extension) => format!("{phone};{}", extension.as_str()),
            None => phone.to_owned(),
        })
    };
    let email = || customer.email.as_ref().map(|email| email.as_str().to_lowercase());
    customer.id.clone().or_else(phone).or_else(email)
}

fn of_event(event: &StoredEvent, rows: &mut Vec<RowWrite>) {
    let by_id = keys::key(keys::EVENT, event.id.to_be_bytes().to_vec());
    match &event.event {
        Event::Callback(id, _) => {
            put(keys::history(*id, event.id), event.to_row(), rows);
            put(by_id, Bytes::copy_from_slice(&id.to_bytes()), rows);
        }
        Event::Agent(..) | Event::Queue(..) => put(by_id, event.to_row(), rows),
    }
}
