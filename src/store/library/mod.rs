//! Typed reads of one workspace, above its merged rows.

mod contacts;
mod filter;
mod held;
mod lapsed;
mod list;
mod measures;
mod outbox;
mod seats;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::keys;
use super::record::{EventRecord, Record, damaged};
use crate::domain::callback::{Callback, Channel, ContactKey, Interaction, State};
use crate::domain::dispatch::{Carrier, Failure, Item};
use crate::domain::ids::{AgentId, CallbackId, QueueId, WebhookId};
use crate::domain::measure::Measured;
use crate::domain::slots::Bookings;
use crate::domain::time::Timestamp;
use crate::domain::webhook::Progress;
use crate::engine::contacts::ActiveKeys;
use crate::engine::entry::{IdempotencyKey, Kept};
use crate::engine::library::{
    BookedRead, FullCallback, Inventory, Lapsed, Lapsing, Library, ListRead, OutboxPlace, Page,
    Removal, StoredEvent,
};
use crate::engine::ports::{
    EntryNumber, PortFuture, RangeRead, RowKey, RowWrite, Rows, StoreError, Table,
};

/// Rows of one round trip where all of a table is read.
const CHUNK: usize = 1_000;

/// A workspace's records and indexes.
pub struct StoreLibrary {
    rows: Arc<dyn Rows>,
}

impl StoreLibrary {
    /// Reads from `rows`.
    pub fn new(rows: Arc<dyn Rows>) -> Self {
        Self { rows }
    }

    async fn one<R: Record>(&self, key: RowKey) -> Result<Option<R>, StoreError> {
        let found = self.rows.get(vec![key.clone()]).await?.pop().flatten();
        found.map(|value| R::from_row(&key, &value)).transpose()
    }

    /// The callbacks of these ids, in their order; none for one that isn't there.
    async fn callbacks(
        &self,
        ids: &[CallbackId],
    ) -> Result<Vec<Option<Arc<Callback>>>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let wanted: Vec<RowKey> = ids.iter().copied().map(keys::callback).collect();
        let values = self.rows.get(wanted.clone()).await?;
        let read = |(key, value): (&RowKey, Option<Bytes>)| {
            value.map(|value| Record::from_row(key, &value)).transpose()
        };
        wanted.iter().zip(values).map(read).collect()
    }

    /// Keys and values that begin with `front`, after `after` (a whole key).
    async fn range(
        &self,
        table: Table,
        front: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let start = match after {
            Some(after) => keys::behind(after),
            None => Bytes::copy_from_slice(front),
        };
        let end = if front.is_empty() { None } else { keys::past(front) };
        self.rows.range(RangeRead { table, start, end, reverse: false, limit }).await
    }

    /// All records of a table.
    async fn all<R: Record>(&self, table: Table) -> Result<Vec<R>, StoreError> {
        let mut all = Vec::new();
        let mut after: Option<Bytes> = None;
        loop {
            let rows = self.range(table, &[], after.as_deref(), CHUNK).await?;
            let full = rows.len() == CHUNK;
            after = rows.last().map(|(key, _)| key.clone());
            for (key, value) in rows {
                all.push(R::from_row(&RowKey { table, key }, &value)?);
            }
            if !full {
                return Ok(all);
            }
        }
    }

    async fn last_number(&self) -> Result<u64, StoreError> {
        let last = RangeRead {
            table: keys::BY_NUMBER,
            start: Bytes::new(),
            end: None,
            reverse: true,
            limit: 1,
        };
        let rows = self.rows.range(last).await?;
        let number = |(key, _): &(Bytes, Bytes)| {
            part(keys::BY_NUMBER, key, |key| key.first_chunk::<8>().copied())
        };
        Ok(rows.first().map(number).transpose()?.map_or(0, u64::from_be_bytes))
    }
}

fn ended_count(callback: &Callback) -> usize {
    usize::try_from(callback.ended_interactions()).expect("a 32-bit count fits")
}

/// A record that another one says is there.
fn must_be<R: Record>(row: Option<(&RowKey, Option<Bytes>)>) -> Result<R, StoreError> {
    let (key, value) = row.expect("a read answers as many values as keys");
    match value {
        Some(value) => R::from_row(key, &value),
        None => Err(damaged(key, "it is missing".to_owned())),
    }
}

/// What a key of an index says, or that it can't be one of that table.
fn part<T>(table: Table, key: &Bytes, read: impl Fn(&[u8]) -> Option<T>) -> Result<T, StoreError> {
    let bad = || {
        let key = RowKey { table, key: key.clone() };
        damaged(&key, "its key isn't one of this table".to_owned())
    };
    read(key).ok_or_else(bad)
}

/// The event of a row.
fn stored_event(key: Bytes, value: &Bytes) -> Result<StoredEvent, StoreError> {
    let id = part(keys::EVENT, &key, keys::event_at_end)?;
    let key = RowKey { table: keys::EVENT, key };
    let EventRecord { at, event } = Record::from_row(&key, value)?;
    Ok(StoredEvent { id, at, event })
}

impl Library for StoreLibrary {
    fn newest(&self) -> EntryNumber {
        self.rows.newest()
    }

    fn callback(
        &self,
        id: CallbackId,
    ) -> PortFuture<'_, Result<Option<Arc<Callback>>, StoreError>> {
        Box::pin(self.one(keys::callback(id)))
    }

    fn complete_all(
        &self,
        callbacks: Vec<Arc<Callback>>,
    ) -> PortFuture<'_, Result<Vec<FullCallback>, StoreError>> {
        Box::pin(async move {
            let mut wanted = Vec::with_capacity(callbacks.len());
            for callback in &callbacks {
                wanted.push(keys::request(callback.id, callback.request_version));
                let ended = 0..callback.ended_interactions();
                wanted.extend(ended.map(|index| keys::interaction(callback.id, index)));
            }
            if wanted.is_empty() {
                return Ok(Vec::new());
            }
            let values = self.rows.get(wanted.clone()).await?;
            let mut found = wanted.iter().zip(values);
            let complete = |callback: Arc<Callback>| {
                let request = must_be(found.next())?;
                let ended = found.by_ref().take(ended_count(&callback));
                let ended: Result<Vec<Box<Interaction>>, _> =
                    ended.map(|row| must_be(Some(row))).collect();
                let ended = ended?.into_iter().map(|one| *one).collect();
                Ok(FullCallback { callback, request, ended })
            };
            callbacks.into_iter().map(complete).collect()
        })
    }

    fn held(
        &self,
        agent: AgentId,
        callbacks: Vec<CallbackId>,
    ) -> PortFuture<'_, Result<Vec<bool>, StoreError>> {
        Box::pin(self.held_by(agent, callbacks))
    }

    fn list(
        &self,
        read: ListRead,
    ) -> PortFuture<'_, Result<Page<FullCallback>, Option<StoreError>>> {
        Box::pin(self.page(read))
    }

    fn history(
        &self,
        id: CallbackId,
        after: u64,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<StoredEvent>, StoreError>> {
        Box::pin(async move {
            let after = keys::history(id, after).key;
            let places = self.range(keys::HISTORY, &id.to_bytes(), Some(&after), limit).await?;
            let ids = places.iter().map(|(key, _)| part(keys::HISTORY, key, keys::event_at_end));
            let ids: Vec<u64> = ids.collect::<Result<_, _>>()?;
            let wanted: Vec<RowKey> = ids.iter().copied().map(keys::event).collect();
            let values = self.rows.get(wanted.clone()).await?;
            let event = |(id, row)| {
                let EventRecord { at, event } = must_be(Some(row))?;
                Ok(StoredEvent { id, at, event })
            };
            ids.into_iter().zip(wanted.iter().zip(values)).map(event).collect()
        })
    }

    fn events(
        &self,
        after: u64,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<StoredEvent>, StoreError>> {
        Box::pin(async move {
            let (mut events, mut after) = (Vec::new(), keys::event(after).key);
            loop {
                let wanted = limit - events.len();
                let rows = self.range(keys::EVENT, &[], Some(&after), wanted).await?;
                let is_last = rows.len() < wanted;
                for (key, value) in rows {
                    after = key.clone();
                    match stored_event(key, &value) {
                        // Whoever follows the events must come past it.
                        Err(error @ StoreError::Damaged { .. }) => {
                            tracing::error!(error = %error, alarm = true, "an event is skipped");
                        }
                        event => events.push(event?),
                    }
                }
                if is_last || events.len() == limit {
                    return Ok(events);
                }
            }
        })
    }

    fn events_gone_to(&self) -> PortFuture<'_, Result<u64, StoreError>> {
        Box::pin(self.highest(keys::highest_removed_event()))
    }

    fn events_of(&self, ids: Vec<u64>) -> PortFuture<'_, Result<Vec<StoredEvent>, StoreError>> {
        Box::pin(async move {
            let wanted: Vec<RowKey> = ids.into_iter().map(keys::event).collect();
            if wanted.is_empty() {
                return Ok(Vec::new());
            }
            let values = self.rows.get(wanted.clone()).await?;
            let there = wanted.into_iter().zip(values);
            let there = there.filter_map(|(key, value)| Some((key.key, value?)));
            there.map(|(key, value)| stored_event(key, &value)).collect()
        })
    }

    fn progress(&self, webhook: WebhookId) -> PortFuture<'_, Result<Option<Progress>, StoreError>> {
        Box::pin(async move {
            let found: Option<Arc<Progress>> = self.one(keys::webhook_progress(&webhook)).await?;
            Ok(found.map(Arc::unwrap_or_clone))
        })
    }

    fn webhook_again(
        &self,
        webhook: WebhookId,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<u64>, StoreError>> {
        Box::pin(async move {
            let front = keys::webhook_again_front(&webhook);
            let rows = self.range(keys::WEBHOOK_AGAIN, &front, None, limit).await?;
            let event =
                |(key, _): &(Bytes, Bytes)| part(keys::WEBHOOK_AGAIN, key, keys::event_at_end);
            rows.iter().map(event).collect()
        })
    }

    fn kept(
        &self,
        key: IdempotencyKey,
        now: Timestamp,
    ) -> PortFuture<'_, Result<Option<Kept>, StoreError>> {
        Box::pin(async move {
            let kept: Option<Kept> = self.one(keys::kept(&key)).await?;
            Ok(kept.filter(|kept| now.since(kept.at) < Kept::FOR))
        })
    }

    fn external(
        &self,
        channel: Channel,
        external_id: String,
    ) -> PortFuture<'_, Result<Option<CallbackId>, StoreError>> {
        Box::pin(async move {
            let front = keys::external(channel, &external_id);
            let rows = self.range(keys::BY_TEXT, &front, None, 1).await?;
            let id = |(key, _): &(Bytes, Bytes)| part(keys::BY_TEXT, key, keys::id_at_end);
            rows.first().map(id).transpose()
        })
    }

    fn due(
        &self,
        after: Option<(Timestamp, CallbackId)>,
        until: Timestamp,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<(Timestamp, CallbackId)>, StoreError>> {
        Box::pin(self.due_after(after, until, limit))
    }

    fn live(
        &self,
        after: Option<CallbackId>,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<Arc<Callback>>, StoreError>> {
        Box::pin(async move {
            let mut ids = Vec::new();
            for state in State::ALL.into_iter().filter(|state| state.is_live()) {
                let front = keys::by_state(state);
                let after = after.map(|id| keys::with_id(&front, id));
                let rows = self.range(keys::BY_STATE, &front, after.as_deref(), limit).await?;
                for (key, _) in rows {
                    ids.push(part(keys::BY_STATE, &key, keys::id_at_end)?);
                }
            }
            ids.sort_unstable();
            ids.dedup();
            ids.truncate(limit);
            // One left out would shorten the page, and a short page is the last.
            let there = |(id, found): (&CallbackId, Option<_>)| {
                found.ok_or_else(|| damaged(&keys::callback(*id), "it is missing".to_owned()))
            };
            ids.iter().zip(self.callbacks(&ids).await?).map(there).collect()
        })
    }

    fn count_open(
        &self,
        queue: QueueId,
        limit: usize,
    ) -> PortFuture<'_, Result<usize, StoreError>> {
        Box::pin(async move {
            let front = keys::by_queue(&queue, State::Open);
            Ok(self.range(keys::BY_QUEUE, &front, None, limit).await?.len())
        })
    }

    fn open(
        &self,
        queue: QueueId,
        after: Option<CallbackId>,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<CallbackId>, StoreError>> {
        Box::pin(self.open_of(queue, after, limit))
    }

    fn active(
        &self,
        contact: ContactKey,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<Arc<Callback>>, StoreError>> {
        Box::pin(self.active_of(contact, limit))
    }

    fn contacts(&self) -> PortFuture<'_, Result<ActiveKeys, StoreError>> {
        Box::pin(self.all_active())
    }

    fn seats(&self) -> PortFuture<'_, Result<BTreeMap<QueueId, Bookings>, StoreError>> {
        Box::pin(self.all_seats())
    }

    fn booked(
        &self,
        read: BookedRead,
    ) -> PortFuture<'_, Result<Vec<(Timestamp, CallbackId)>, StoreError>> {
        Box::pin(self.booked_seats(read))
    }

    fn callbacks(
        &self,
        ids: Vec<CallbackId>,
    ) -> PortFuture<'_, Result<Vec<Arc<Callback>>, StoreError>> {
        Box::pin(async move { Ok(self.callbacks(&ids).await?.into_iter().flatten().collect()) })
    }

    fn zone_rules_row(&self, rules: u64) -> Option<RowWrite> {
        let value = Some(Bytes::copy_from_slice(&rules.to_be_bytes()));
        Some(RowWrite { key: keys::zone_rules(), value })
    }

    fn lapsed(
        &self,
        kind: Lapsing,
        after: Option<(Timestamp, Lapsed)>,
        until: Timestamp,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<(Timestamp, Lapsed)>, StoreError>> {
        Box::pin(self.walk(kind, after, until, limit))
    }

    fn removal(
        &self,
        lapsed: Vec<(Timestamp, Lapsed)>,
    ) -> PortFuture<'_, Result<Removal, StoreError>> {
        Box::pin(self.remove(lapsed))
    }

    fn measured(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> PortFuture<'_, Result<Vec<Measured>, StoreError>> {
        Box::pin(self.tallies(from, to))
    }

    fn outbox_due(
        &self,
        carrier: Carrier,
        after: Option<OutboxPlace>,
        until: Timestamp,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<OutboxPlace>, StoreError>> {
        Box::pin(self.items_due(carrier, after, until, limit))
    }

    fn outbox_of(&self, callback: CallbackId) -> PortFuture<'_, Result<Vec<Item>, StoreError>> {
        Box::pin(self.items_of(callback))
    }

    fn failures(
        &self,
        after: u64,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<Failure>, StoreError>> {
        Box::pin(self.given_up(after, limit))
    }

    fn failure(&self, id: u64) -> PortFuture<'_, Result<Option<Failure>, StoreError>> {
        Box::pin(self.one_given_up(id))
    }

    fn inventory(&self) -> PortFuture<'_, Result<Inventory, StoreError>> {
        Box::pin(async move {
            let secret = self.rows.get(vec![keys::secret()]).await?.pop().flatten();
            let rules = self.rows.get(vec![keys::zone_rules()]).await?.pop().flatten();
            let removed = self.highest(keys::highest_removed()).await?;
            Ok(Inventory {
                queues: self.all(keys::QUEUE).await?,
                agents: self.all(keys::AGENT).await?,
                webhooks: self.all(keys::WEBHOOK).await?,
                denied: self.all(keys::DENIED).await?,
                keys: self.all(keys::API_KEY).await?,
                last_number: self.last_number().await?.max(removed),
                secret: secret.map(Into::into),
                // Rules that can't be read are others than those that hold.
                zone_rules: rules
                    .and_then(|rules| rules.first_chunk().copied().map(u64::from_be_bytes)),
            })
        })
    }
}
