//! Typed reads of one workspace, above its merged rows.

mod filter;
mod list;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;

use super::keys;
use super::record::Record;
use crate::domain::callback::{Callback, Channel, Interaction, Request, State};
use crate::domain::ids::{CallbackId, QueueId};
use crate::domain::time::{Span, Timestamp};
use crate::engine::entry::{IdempotencyKey, Kept};
use crate::engine::library::{FullCallback, Inventory, Library, ListRead, Page, StoredEvent};
use crate::engine::ports::{EntryNumber, PortFuture, RangeRead, RowKey, Rows, StoreError, Table};

/// How long an answer under an `Idempotency-Key` is kept.
pub const KEPT_FOR: Span = Span::days(1);

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

    /// The callbacks of these ids that are there, in their order.
    async fn callbacks(&self, ids: &[CallbackId]) -> Result<Vec<Arc<Callback>>, StoreError> {
        let key = |id: &CallbackId| keys::key(keys::CALLBACK, id.to_bytes().to_vec());
        let wanted: Vec<RowKey> = ids.iter().map(key).collect();
        let values = self.rows.get(wanted.clone()).await?;
        let pairs = wanted.iter().zip(values);
        pairs
            .filter_map(|(key, value)| Some((key, value?)))
            .map(|(key, value)| Record::from_row(key, &value))
            .collect()
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
            // The first key behind it in byte order.
            Some(after) => Bytes::from([after, &[0]].concat()),
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
        let number = rows.first().and_then(|(key, _)| key.get(..8)?.try_into().ok());
        Ok(number.map_or(0, u64::from_be_bytes))
    }
}

impl Library for StoreLibrary {
    fn newest(&self) -> EntryNumber {
        self.rows.newest()
    }

    fn callback(
        &self,
        id: CallbackId,
    ) -> PortFuture<'_, Result<Option<Arc<Callback>>, StoreError>> {
        Box::pin(async move { Ok(self.callbacks(&[id]).await?.pop()) })
    }

    fn complete(
        &self,
        callback: Arc<Callback>,
    ) -> PortFuture<'_, Result<FullCallback, StoreError>> {
        Box::pin(async move {
            let key = keys::request(callback.id, callback.request_version);
            let request: Option<Arc<Request>> = self.one(key.clone()).await?;
            let request = request.ok_or_else(|| StoreError::Damaged {
                place: format!("request {}", callback.id),
                what: format!("version {} is missing", callback.request_version),
            })?;
            let count = usize::try_from(callback.ended_interactions()).unwrap_or(usize::MAX);
            let mut ended = Vec::with_capacity(count);
            if count > 0 {
                let front = callback.id.to_bytes();
                let rows = self.range(keys::INTERACTION, &front, None, count).await?;
                for (key, value) in rows {
                    let key = RowKey { table: keys::INTERACTION, key };
                    ended.push(*Box::<Interaction>::from_row(&key, &value)?);
                }
            }
            Ok(FullCallback { callback, request, ended })
        })
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
            let front = id.to_bytes();
            let after = keys::history(id, after).key;
            let rows = self.range(keys::HISTORY, &front, Some(&after), limit).await?;
            rows.into_iter()
                .map(|(key, value)| {
                    StoredEvent::from_row(&RowKey { table: keys::HISTORY, key }, &value)
                })
                .collect()
        })
    }

    fn kept(
        &self,
        key: IdempotencyKey,
        now: Timestamp,
    ) -> PortFuture<'_, Result<Option<Kept>, StoreError>> {
        Box::pin(async move {
            let kept: Option<Kept> = self.one(keys::key(keys::KEPT, key.0.to_vec())).await?;
            Ok(kept.filter(|kept| now.since(kept.at) < KEPT_FOR))
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
            Ok(rows.first().and_then(|(key, _)| keys::id_at_end(key)))
        })
    }

    fn due(
        &self,
        after: Option<(Timestamp, CallbackId)>,
        until: Timestamp,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<(Timestamp, CallbackId)>, StoreError>> {
        Box::pin(async move {
            let start = after.map_or_else(Bytes::new, |(at, id)| {
                let whole = keys::with_id(&keys::instant(at), id);
                Bytes::from([whole.as_slice(), &[0]].concat())
            });
            let end = keys::past(&keys::instant(until));
            let read = RangeRead { table: keys::DUE, start, end, reverse: false, limit };
            let rows = self.rows.range(read).await?;
            Ok(rows
                .iter()
                .filter_map(|(key, _)| {
                    let at = keys::instant_of(key.get(..8)?.try_into().ok()?);
                    Some((at, keys::id_at_end(key)?))
                })
                .collect())
        })
    }

    fn live(
        &self,
        after: Option<CallbackId>,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<Arc<Callback>>, StoreError>> {
        Box::pin(async move {
            let after = after.map(CallbackId::to_bytes);
            let after = after.as_ref().map(<[u8; 16]>::as_slice);
            let rows = self.range(keys::LIVE, &[], after, limit).await?;
            let ids: Vec<_> = rows.iter().filter_map(|(key, _)| keys::id_at_end(key)).collect();
            self.callbacks(&ids).await
        })
    }

    fn count_open(
        &self,
        queue: QueueId,
        limit: usize,
    ) -> PortFuture<'_, Result<usize, StoreError>> {
        Box::pin(async move {
            let front = keys::queue(&queue, State::Open);
            Ok(self.range(keys::BY_QUEUE, &front, None, limit).await?.len())
        })
    }

    fn inventory(&self) -> PortFuture<'_, Result<Inventory, StoreError>> {
        Box::pin(async move {
            let secret = keys::key(keys::META, keys::SECRET);
            Ok(Inventory {
                queues: self.all(keys::QUEUE).await?,
                agents: self.all(keys::AGENT).await?,
                last_number: self.last_number().await?,
                secret: self.rows.get(vec![secret]).await?.pop().flatten().map(Into::into),
            })
        })
    }
}
