//! Reads of the outbox: what is due, what a callback waits for, what was given up.

use bytes::Bytes;

use super::{StoreLibrary, must_be, part};
use crate::domain::dispatch::{Carrier, Failure, Item};
use crate::domain::ids::CallbackId;
use crate::domain::time::Timestamp;
use crate::engine::library::OutboxPlace;
use crate::engine::ports::{RangeRead, RowKey, StoreError, Table};
use crate::store::keys;
use crate::store::record::Record;

/// Items or failures of one callback: a state change leaves four at most, and a mail is given up
/// within a day.
const OF_ONE: usize = 10_000;

impl StoreLibrary {
    pub(super) async fn items_due(
        &self,
        carrier: Carrier,
        after: Option<OutboxPlace>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<OutboxPlace>, StoreError> {
        let front = keys::outbox_front(carrier);
        let start = after.map_or_else(
            || Bytes::copy_from_slice(&front),
            |OutboxPlace { at, id, callback }| {
                keys::behind(&keys::outbox_due(carrier, at, id, callback).key)
            },
        );
        let end = keys::past(&[&front[..], &keys::instant(until)].concat());
        let read = RangeRead { table: keys::OUTBOX_DUE, start, end, reverse: false, limit };
        let rows = self.rows.range(read).await?;
        let place = |(key, _): &(Bytes, Bytes)| {
            let (at, id, callback) = part(keys::OUTBOX_DUE, key, keys::outbox_due_of)?;
            Ok(OutboxPlace { at, id, callback })
        };
        rows.iter().map(place).collect()
    }

    pub(super) async fn items_of(&self, callback: CallbackId) -> Result<Vec<Item>, StoreError> {
        let found: Vec<Box<Item>> =
            self.of_callback(keys::OUTBOX_OF, callback, keys::outbox).await?;
        Ok(found.into_iter().map(|item| *item).collect())
    }

    pub(super) async fn failures_of(
        &self,
        callback: CallbackId,
    ) -> Result<Vec<Failure>, StoreError> {
        let found: Vec<Box<Failure>> =
            self.of_callback(keys::FAILURE_OF, callback, keys::failure).await?;
        Ok(found.into_iter().map(|failure| *failure).collect())
    }

    pub(super) async fn given_up(
        &self,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Failure>, StoreError> {
        let after = keys::failure(after).key;
        let rows = self.range(keys::FAILURE, &[], Some(&after), limit).await?;
        let failure = |(key, value): (Bytes, Bytes)| {
            let found: Box<Failure> =
                Record::from_row(&RowKey { table: keys::FAILURE, key }, &value)?;
            Ok(*found)
        };
        rows.into_iter().map(failure).collect()
    }

    pub(super) async fn one_given_up(&self, id: u64) -> Result<Option<Failure>, StoreError> {
        let found: Option<Box<Failure>> = self.one(keys::failure(id)).await?;
        Ok(found.map(|failure| *failure))
    }

    /// The records whose numbers a table has for a callback.
    async fn of_callback<R: Record>(
        &self,
        table: Table,
        callback: CallbackId,
        key: fn(u64) -> RowKey,
    ) -> Result<Vec<R>, StoreError> {
        let places = self.range(table, &callback.to_bytes(), None, OF_ONE).await?;
        let ids = places.iter().map(|(key, _)| part(table, key, keys::event_at_end));
        let wanted: Vec<RowKey> = ids.map(|id| id.map(key)).collect::<Result<_, StoreError>>()?;
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let values = self.rows.get(wanted.clone()).await?;
        wanted.iter().zip(values).map(|row| must_be(Some(row))).collect()
    }
}
