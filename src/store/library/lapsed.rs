//! What is kept for a time only: walked by its time, removed with everything that leads to it.
//!
//! A callback goes as a whole: record, texts, ended interactions, events, and the rows of every
//! index. Those follow from the records, but for the agents who saw it once, whom its events
//! name. So that one removal stays small, a history that is too long for it goes first, a part at
//! a time, and the callback with the last part. Only reads stand here; the engine writes.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::try_join_all;

use super::{StoreLibrary, must_be, part};
use crate::domain::callback::{Callback, Interaction, Phase, Request};
use crate::domain::dispatch::{Failure, Item};
use crate::domain::event::{CallbackEvent, Event};
use crate::domain::ids::{AgentId, CallbackId};
use crate::domain::time::Timestamp;
use crate::engine::entry::{IdempotencyKey, Kept};
use crate::engine::library::{Lapsed, Lapsing, Removal};
use crate::engine::ports::{RangeRead, RowKey, RowWrite, StoreError, Table};
use crate::store::index::outbox::{failure_keys, item_keys};
use crate::store::index::{callback_index, request_index};
use crate::store::keys;
use crate::store::record::{EventRecord, Record, damaged};

/// Events of one callback that are removed at once.
const EVENTS_AT_ONCE: usize = 256;

/// Versions of one callback's texts, of up to 64 KiB each, that are read at once.
const RECORDS_AT_ONCE: usize = 64;

/// Past this no further callback is begun.
const MOST_ROWS: usize = 4_096;

/// What is read of a callback to remove it.
struct Whole {
    callback: Arc<Callback>,
    requests: Vec<Arc<Request>>,
    ended: Vec<Interaction>,
    events: Vec<(u64, EventRecord)>,
    items: Vec<Item>,
    failures: Vec<Failure>,
}

/// The number in the row of a highest one.
fn highest_in(key: &RowKey, value: &[u8]) -> Result<u64, StoreError> {
    let number = value.try_into().map(u64::from_be_bytes);
    number.map_err(|_| damaged(key, "it isn't 8 bytes long".to_owned()))
}

impl StoreLibrary {
    pub(super) async fn walk(
        &self,
        kind: Lapsing,
        after: Option<(Timestamp, Lapsed)>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, Lapsed)>, StoreError> {
        let table = table(kind);
        let behind = |(at, lapsed)| keys::behind(&place(at, lapsed).key);
        let start = after.map_or_else(Bytes::new, behind);
        let end = keys::past(&keys::instant(until));
        let read = RangeRead { table, start, end, reverse: false, limit };
        let rows = self.rows.range(read).await?;
        let found = rows.iter().map(|(key, _)| part(table, key, |key| lapsed(kind, key)));
        let mut found: Vec<_> = found.collect::<Result<_, _>>()?;
        // A quarter has many rows.
        found.dedup();
        Ok(found)
    }

    pub(super) async fn remove(
        &self,
        lapsed: Vec<(Timestamp, Lapsed)>,
    ) -> Result<Removal, StoreError> {
        let mut removal = Removal::default();
        let mut callbacks = Vec::new();
        let mut answers = Vec::new();
        for (at, one) in &lapsed {
            match one {
                Lapsed::Answer(key) => answers.push((*at, *key)),
                Lapsed::Callback(id) => callbacks.push((*at, *id)),
                Lapsed::Event(id) => {
                    delete(place(*at, *one), &mut removal.rows);
                    delete(keys::event(*id), &mut removal.rows);
                    removal.whole += 1;
                }
                Lapsed::Quarter => self.remove_quarter(*at, &mut removal).await?,
            }
        }
        self.remove_answers(&answers, &mut removal).await?;
        self.remove_callbacks(&callbacks, &mut removal).await?;
        let gone = removal.rows.iter().filter(|row| row.key.table == keys::EVENT);
        if let Some(event) = gone.filter_map(|row| keys::event_at_end(&row.key.key)).max() {
            self.raise(keys::highest_removed_event(), event, &mut removal.rows).await?;
        }
        Ok(removal)
    }

    async fn remove_quarter(
        &self,
        quarter: Timestamp,
        removal: &mut Removal,
    ) -> Result<(), StoreError> {
        if removal.rows.len() >= MOST_ROWS {
            return Ok(());
        }
        let front = keys::instant(quarter);
        let rows = self.range(keys::MEASURE, &front, None, MOST_ROWS).await?;
        removal.whole += usize::from(rows.len() < MOST_ROWS);
        for (key, _) in rows {
            delete(RowKey { table: keys::MEASURE, key }, &mut removal.rows);
        }
        Ok(())
    }

    /// The number in the row of a highest one; 0 where there is none yet.
    pub(super) async fn highest(&self, key: RowKey) -> Result<u64, StoreError> {
        let value = self.rows.get(vec![key.clone()]).await?.pop().flatten();
        value.map_or(Ok(0), |value| highest_in(&key, &value))
    }

    /// Writes a number down, unless there is a higher one.
    async fn raise(
        &self,
        key: RowKey,
        number: u64,
        rows: &mut Vec<RowWrite>,
    ) -> Result<(), StoreError> {
        let before = self.highest(key.clone()).await?;
        let value = Bytes::copy_from_slice(&number.max(before).to_be_bytes());
        rows.push(RowWrite { key, value: Some(value) });
        Ok(())
    }

    /// A key that was used again since has a newer answer, which stays.
    async fn remove_answers(
        &self,
        answers: &[(Timestamp, IdempotencyKey)],
        removal: &mut Removal,
    ) -> Result<(), StoreError> {
        if answers.is_empty() {
            return Ok(());
        }
        let wanted: Vec<RowKey> = answers.iter().map(|(_, key)| keys::kept(key)).collect();
        let values = self.rows.get(wanted.clone()).await?;
        for (((at, key), row), value) in answers.iter().zip(wanted).zip(values) {
            delete(keys::kept_by_time(*at, key), &mut removal.rows);
            let kept = value.map(|value| Kept::from_row(&row, &value)).transpose()?;
            if kept.is_some_and(|kept| kept.at <= *at) {
                delete(row, &mut removal.rows);
            }
            removal.whole += 1;
        }
        Ok(())
    }

    async fn remove_callbacks(
        &self,
        callbacks: &[(Timestamp, CallbackId)],
        removal: &mut Removal,
    ) -> Result<(), StoreError> {
        if callbacks.is_empty() {
            return Ok(());
        }
        let ids: Vec<CallbackId> = callbacks.iter().map(|(_, id)| *id).collect();
        let found = self.callbacks(&ids).await?;
        let wholes = found.into_iter().map(|found| self.whole(found));
        let wholes = try_join_all(wholes).await?;
        let mut highest = 0;
        for ((at, id), whole) in callbacks.iter().zip(wholes) {
            if removal.rows.len() >= MOST_ROWS {
                break;
            }
            let ended_then = |whole: &Whole| match whole.callback.phase {
                Phase::Ended { at: ended, .. } => ended == *at,
                _ => false,
            };
            let Some(whole) = whole.filter(ended_then) else {
                // It leads nowhere, or to a callback that isn't there for it.
                delete(keys::by_end(*at, *id), &mut removal.rows);
                removal.whole += 1;
                continue;
            };
            remove_events(&whole, &mut removal.rows);
            if whole.events.len() == EVENTS_AT_ONCE {
                // There may be more: the rest of it comes next.
                break;
            }
            remove_callback(&whole, &mut removal.rows);
            highest = highest.max(whole.callback.number);
            removal.whole += 1;
        }
        if highest > 0 {
            self.raise(keys::highest_removed(), highest, &mut removal.rows).await?;
        }
        Ok(())
    }

    /// A callback with all versions of its texts, its ended interactions, and the first of its
    /// events. What a removal that was cut in two took already is missing, and not missed.
    async fn whole(&self, callback: Option<Arc<Callback>>) -> Result<Option<Whole>, StoreError> {
        let Some(callback) = callback else { return Ok(None) };
        let id = callback.id;
        let requests = (1..=callback.request_version).map(|version| keys::request(id, version));
        let requests = self.those_there(requests.collect()).await?;
        let ended = (0..callback.ended_interactions()).map(|index| keys::interaction(id, index));
        let ended: Vec<Box<Interaction>> = self.those_there(ended.collect()).await?;
        let ended = ended.into_iter().map(|one| *one).collect();
        let places = self.range(keys::HISTORY, &id.to_bytes(), None, EVENTS_AT_ONCE).await?;
        let ids = places.iter().map(|(key, _)| part(keys::HISTORY, key, keys::event_at_end));
        let ids: Vec<u64> = ids.collect::<Result<_, _>>()?;
        let wanted: Vec<RowKey> = ids.iter().copied().map(keys::event).collect();
        let values =
            if wanted.is_empty() { Vec::new() } else { self.rows.get(wanted.clone()).await? };
        let event = |(id, row)| Ok((id, must_be(Some(row))?));
        let events = ids.into_iter().zip(wanted.iter().zip(values)).map(event);
        let events = events.collect::<Result<_, StoreError>>()?;
        let (items, failures) = (self.items_of(id).await?, self.failures_of(id).await?);
        Ok(Some(Whole { callback, requests, ended, events, items, failures }))
    }

    async fn those_there<R: Record>(&self, wanted: Vec<RowKey>) -> Result<Vec<R>, StoreError> {
        let mut all = Vec::new();
        for wanted in wanted.chunks(RECORDS_AT_ONCE) {
            let values = self.rows.get(wanted.to_vec()).await?;
            let there = wanted.iter().zip(values).filter_map(|(key, value)| Some((key, value?)));
            for (key, value) in there {
                all.push(R::from_row(key, &value)?);
            }
        }
        Ok(all)
    }
}

fn table(kind: Lapsing) -> Table {
    match kind {
        Lapsing::Answers => keys::KEPT_BY_TIME,
        Lapsing::Callbacks => keys::BY_END,
        Lapsing::Events => keys::EVENT_BY_TIME,
        Lapsing::Measures => keys::MEASURE,
    }
}

/// Where it stands in the order of time.
fn place(at: Timestamp, lapsed: Lapsed) -> RowKey {
    match lapsed {
        Lapsed::Answer(key) => keys::kept_by_time(at, &key),
        Lapsed::Callback(id) => keys::by_end(at, id),
        Lapsed::Event(id) => keys::event_by_time(at, id),
        // Behind all of the quarter's rows.
        Lapsed::Quarter => keys::key(keys::MEASURE, [&keys::instant(at)[..], &[u8::MAX]].concat()),
    }
}

/// What a key in the order of time leads to.
fn lapsed(kind: Lapsing, key: &[u8]) -> Option<(Timestamp, Lapsed)> {
    let (at, rest) = key.split_first_chunk::<8>()?;
    let lapsed = match kind {
        Lapsing::Answers => Lapsed::Answer(IdempotencyKey(rest.try_into().ok()?)),
        Lapsing::Callbacks => Lapsed::Callback(keys::id_at_end(rest)?),
        Lapsing::Events => Lapsed::Event(keys::event_at_end(rest)?),
        Lapsing::Measures => Lapsed::Quarter,
    };
    Some((keys::instant_of(*at), lapsed))
}

fn delete(key: RowKey, rows: &mut Vec<RowWrite>) {
    rows.push(RowWrite { key, value: None });
}

/// Removes the events that were read, with their places and the agents that they name.
fn remove_events(whole: &Whole, rows: &mut Vec<RowWrite>) {
    let id = whole.callback.id;
    for (event, record) in &whole.events {
        delete(keys::history(id, *event), rows);
        delete(keys::event(*event), rows);
        if let Event::Callback(_, event) = &record.event
            && let Some(agent) = agent_of(event)
        {
            delete_once(seen_by(agent, id), rows);
        }
    }
}

/// Removes everything else.
fn remove_callback(whole: &Whole, rows: &mut Vec<RowWrite>) {
    let Whole { callback, requests, ended, events: _, items, failures } = whole;
    let id = callback.id;
    delete(keys::callback(id), rows);
    for key in callback_index(callback) {
        delete_once(key, rows);
    }
    for request in requests {
        delete(keys::request(id, request.version), rows);
        for key in request_index(id, request) {
            delete_once(key, rows);
        }
    }
    let items = items.iter().flat_map(item_keys);
    for key in items.chain(failures.iter().flat_map(failure_keys)) {
        delete(key, rows);
    }
    for (index, interaction) in (0..).zip(ended) {
        delete(keys::interaction(id, index), rows);
        if let Some(agent) = &interaction.agent {
            delete_once(seen_by(agent, id), rows);
        }
    }
}

fn seen_by(agent: &AgentId, id: CallbackId) -> RowKey {
    keys::key(keys::BY_AGENT, keys::with_id(&keys::by_agent(agent), id))
}

/// The same agent or text may be named again and again. All of one callback's rows end up near
/// each other, so looking back a little finds nearly all; one that is deleted twice does no harm.
fn delete_once(key: RowKey, rows: &mut Vec<RowWrite>) {
    const LOOK_BACK: usize = 32;
    let near = rows.len().saturating_sub(LOOK_BACK);
    if !rows[near..].iter().any(|row| row.key == key) {
        delete(key, rows);
    }
}

/// The agent who was offered or given a callback by this.
fn agent_of(event: &CallbackEvent) -> Option<&AgentId> {
    match event {
        CallbackEvent::Offered { agent, .. }
        | CallbackEvent::Accepted { agent, .. }
        | CallbackEvent::Declined { agent, .. }
        | CallbackEvent::OfferExpired { agent, .. }
        | CallbackEvent::OfferRevoked { agent, .. }
        | CallbackEvent::Assigned { agent, .. }
        | CallbackEvent::Unassigned { agent, .. }
        | CallbackEvent::Calling { agent, .. }
        | CallbackEvent::Answered { agent }
        | CallbackEvent::CallEnded { agent, .. } => Some(agent),
        CallbackEvent::Created { .. }
        | CallbackEvent::Rescheduled { .. }
        | CallbackEvent::Canceled { .. }
        | CallbackEvent::Queued { .. }
        | CallbackEvent::RetryScheduled { .. }
        | CallbackEvent::Requeued { .. }
        | CallbackEvent::Updated { .. }
        | CallbackEvent::Unroutable { .. }
        | CallbackEvent::Stuck { .. }
        | CallbackEvent::CarriedOver { .. }
        | CallbackEvent::ScheduleConflict { .. }
        | CallbackEvent::PromiseBroken { .. }
        | CallbackEvent::MeetingReady { .. }
        | CallbackEvent::Closed { .. } => None,
    }
}

#[cfg(test)]
mod tests;
