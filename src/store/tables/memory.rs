//! The tables in memory, for tests; see [`MemoryStore`](crate::store::MemoryStore).

use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::{holds_nothing, is_due};
use crate::engine::ports::{
    EntryNumber, Epoch, PortFuture, RangeRead, RowKey, RowWrite, StoreError, TableBatch, Tables,
};
use crate::store::memory::MemoryPart;

/// One opening of a memory store's tables.
#[derive(Debug)]
pub(in crate::store) struct MemoryTables {
    part: MemoryPart,
    /// The epoch taken; 0 before.
    epoch: AtomicU64,
}

impl MemoryTables {
    pub(in crate::store) fn new(part: MemoryPart) -> Self {
        Self { part, epoch: AtomicU64::new(0) }
    }
}

fn copied(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

impl Tables for MemoryTables {
    fn take(&self, epoch: Epoch) -> PortFuture<'_, Result<EntryNumber, StoreError>> {
        Box::pin(self.part.write(move |kept| {
            if kept.epoch > epoch {
                return Err(StoreError::Fenced { found: kept.epoch, ours: epoch });
            }
            kept.epoch = epoch;
            self.epoch.store(epoch, Ordering::Relaxed);
            Ok(kept.watermark)
        }))
    }

    fn apply(&self, batch: TableBatch) -> PortFuture<'_, Result<(), StoreError>> {
        let ours = self.epoch.load(Ordering::Relaxed);
        Box::pin(self.part.write(move |kept| {
            if ours == 0 || kept.epoch > ours {
                return Err(StoreError::Fenced { found: kept.epoch, ours });
            }
            if kept.epoch < ours {
                return Err(StoreError::Gap { found: kept.watermark, first: batch.from });
            }
            if !is_due(kept.watermark, batch.from, batch.to)? {
                return Ok(());
            }
            for RowWrite { key: RowKey { table, key }, value } in batch.rows() {
                let rows = kept.tables.entry(*table).or_default();
                // Copied: as a part of its entry's bytes a row would keep all of them.
                match value {
                    Some(value) => rows.insert(copied(key), copied(value)),
                    None => rows.remove(key),
                };
            }
            kept.watermark = batch.to;
            Ok(())
        }))
    }

    fn settle(&self) -> PortFuture<'_, Result<(), StoreError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn get(&self, keys: Vec<RowKey>) -> PortFuture<'_, Result<Vec<Option<Bytes>>, StoreError>> {
        Box::pin(self.part.read(move |kept| {
            let value = |key: &RowKey| kept.tables.get(&key.table)?.get(&key.key).cloned();
            Ok(keys.iter().map(value).collect())
        }))
    }

    fn range(&self, read: RangeRead) -> PortFuture<'_, Result<Vec<(Bytes, Bytes)>, StoreError>> {
        Box::pin(self.part.read(move |kept| {
            let Some(table) = kept.tables.get(&read.table).filter(|_| !holds_nothing(&read)) else {
                return Ok(Vec::new());
            };
            let end = read.end.map_or(Bound::Unbounded, Bound::Excluded);
            let rows = table.range((Bound::Included(read.start), end));
            let row = |(key, value): (&Bytes, &Bytes)| (key.clone(), value.clone());
            Ok(if read.reverse {
                rows.rev().take(read.limit).map(row).collect()
            } else {
                rows.take(read.limit).map(row).collect()
            })
        }))
    }

    fn may_lose(&self) -> bool {
        false
    }
}
