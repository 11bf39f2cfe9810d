//! The log in memory, for tests; see [`MemoryStore`](crate::store::MemoryStore).

use bytes::Bytes;

use super::lacking;
use crate::engine::ports::{EntryNumber, Epoch, Log, LogEntry, LogState, PortFuture, StoreError};
use crate::store::memory::{Kept, MemoryPart};

/// One opening of a memory store's log.
#[derive(Debug)]
pub(in crate::store) struct MemoryLog {
    part: MemoryPart,
    /// The epoch taken; 0 before.
    epoch: Epoch,
}

impl MemoryLog {
    pub(in crate::store) fn new(part: MemoryPart) -> Self {
        Self { part, epoch: 0 }
    }
}

/// Refuses the one whose epoch isn't the newest. A store that came back empty knows a lower one.
fn check(kept: &Kept, ours: Epoch) -> Result<(), StoreError> {
    if ours == 0 || kept.epoch > ours {
        return Err(StoreError::Fenced { found: kept.epoch, ours });
    }
    Ok(())
}

fn state(kept: &Kept) -> LogState {
    LogState { epoch: kept.epoch, first: kept.first(), last: kept.last, instance: kept.instance }
}

impl Log for MemoryLog {
    fn take(&mut self) -> PortFuture<'_, Result<LogState, StoreError>> {
        Box::pin(async {
            let taken = self
                .part
                .write(|kept| {
                    kept.epoch += 1;
                    Ok(state(kept))
                })
                .await?;
            self.epoch = taken.epoch;
            Ok(taken)
        })
    }

    fn state(&mut self) -> PortFuture<'_, Result<LogState, StoreError>> {
        let ours = self.epoch;
        Box::pin(self.part.write(move |kept| {
            check(kept, ours)?;
            kept.epoch = ours;
            Ok(state(kept))
        }))
    }

    fn append(
        &mut self,
        first: EntryNumber,
        entries: Vec<Bytes>,
    ) -> PortFuture<'_, Result<(), StoreError>> {
        let ours = self.epoch;
        Box::pin(self.part.write(move |kept| {
            check(kept, ours)?;
            if kept.epoch < ours {
                return Err(StoreError::Gap { found: kept.last, first });
            }
            if let Some((_, entries)) = lacking(kept.last, first, entries)? {
                kept.last += entries.len() as u64;
                kept.entries.extend(entries);
            }
            Ok(())
        }))
    }

    fn read(
        &mut self,
        from: EntryNumber,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<LogEntry>, StoreError>> {
        Box::pin(self.part.read(move |kept| {
            let numbered = (kept.first()..).zip(&kept.entries);
            let wanted = numbered.filter(|&(number, _)| number >= from).take(limit);
            Ok(wanted.map(|(number, bytes)| LogEntry { number, bytes: bytes.clone() }).collect())
        }))
    }

    fn trim(&mut self, keep_from: EntryNumber) -> PortFuture<'_, Result<(), StoreError>> {
        let ours = self.epoch;
        Box::pin(self.part.write(move |kept| {
            check(kept, ours)?;
            while kept.first() < keep_from && kept.entries.pop_front().is_some() {}
            Ok(())
        }))
    }

    fn size_bytes(&mut self) -> PortFuture<'_, Result<u64, StoreError>> {
        Box::pin(
            self.part.read(|kept| Ok(kept.entries.iter().map(|entry| entry.len() as u64).sum())),
        )
    }

    fn may_lose(&self) -> bool {
        false
    }
}
