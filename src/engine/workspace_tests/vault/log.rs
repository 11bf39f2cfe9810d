//! The vault as the engine's log: appended to, held up and fenced.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::{Vault, World, lock};
use crate::engine::ports::{
    EntryNumber, Epoch, Log, LogEntry, LogState, PortFuture, RangeRead, RowKey, StoreError,
    TableBatch, Tables,
};

/// A process's hold on the vault's log.
pub(in super::super) struct VaultLog {
    pub(in super::super) vault: Arc<Vault>,
    pub(in super::super) epoch: Epoch,
}

impl VaultLog {
    fn check(&self) -> Result<(), StoreError> {
        let found = *lock(&self.vault.epoch);
        let ours = self.epoch;
        if found == ours { Ok(()) } else { Err(StoreError::Fenced { found, ours }) }
    }

    fn describe(&self) -> LogState {
        let last = lock(&self.vault.log).len() as u64;
        let instance = self.vault.instance.load(Ordering::SeqCst).into();
        LogState { epoch: self.epoch, first: 1, last, instance }
    }
}

impl Log for VaultLog {
    fn take(&mut self) -> PortFuture<'_, Result<LogState, StoreError>> {
        Box::pin(async {
            if self.vault.is_gone.load(Ordering::Relaxed) {
                return Err(StoreError::Unavailable("gone".to_owned()));
            }
            {
                let mut epoch = lock(&self.vault.epoch);
                *epoch += 1;
                self.epoch = *epoch;
            }
            // What reads show is made anew from the log, as recovery does.
            *lock(&self.vault.world) = World::default();
            Ok(self.describe())
        })
    }

    fn state(&mut self) -> PortFuture<'_, Result<LogState, StoreError>> {
        Box::pin(async { self.check().map(|()| self.describe()) })
    }

    fn append(
        &mut self,
        first: EntryNumber,
        entries: Vec<Bytes>,
    ) -> PortFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let open = self.vault.log_open.subscribe().wait_for(|open| *open).await.is_ok();
            assert!(open, "the vault outlives its writers");
            self.check()?;
            let mut log = lock(&self.vault.log);
            if first <= log.len() as u64 {
                return Ok(());
            }
            assert_eq!(first, log.len() as u64 + 1, "entries come in order");
            log.extend(entries);
            Ok(())
        })
    }

    fn read(
        &mut self,
        from: EntryNumber,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<LogEntry>, StoreError>> {
        Box::pin(async move {
            let log = lock(&self.vault.log);
            let numbered = (1..).zip(log.iter().cloned());
            let entries = numbered.map(|(number, bytes)| LogEntry { number, bytes });
            Ok(entries.skip_while(|entry| entry.number < from).take(limit).collect())
        })
    }

    fn trim(&mut self, _keep_from: EntryNumber) -> PortFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }

    fn size_bytes(&mut self) -> PortFuture<'_, Result<u64, StoreError>> {
        Box::pin(async { Ok(0) })
    }

    fn may_lose(&self) -> bool {
        true
    }
}

/// Tables that keep nothing: recovery reads the whole log.
pub(in super::super) struct NoTables;

impl Tables for NoTables {
    fn take(&self, _epoch: Epoch) -> PortFuture<'_, Result<EntryNumber, StoreError>> {
        Box::pin(async { Ok(0) })
    }

    fn apply(&self, _batch: TableBatch) -> PortFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }

    fn settle(&self) -> PortFuture<'_, Result<(), StoreError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn get(&self, keys: Vec<RowKey>) -> PortFuture<'_, Result<Vec<Option<Bytes>>, StoreError>> {
        Box::pin(async move { Ok(vec![None; keys.len()]) })
    }

    fn range(&self, _: RangeRead) -> PortFuture<'_, Result<Vec<(Bytes, Bytes)>, StoreError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn may_lose(&self) -> bool {
        true
    }
}
