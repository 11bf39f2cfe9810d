//! A store in this process's memory, for tests: log and tables that share one head.
//!
//! The data lives as long as any clone of [`MemoryStore`], so a test can drop everything else and
//! "restart". It can be told to fail the ways real stores do. It must behave as the others do in
//! all that the ports promise; what it doesn't have is durability.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

use super::directory;
use super::log::MemoryLog;
use super::tables::MemoryTables;
use super::url::OpenStore;
use crate::engine::ports::{EntryNumber, Epoch, StoreError, Table};

/// Trouble that a test makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// All is well.
    None,
    /// Every call is refused and nothing is written.
    Unavailable,
    /// Writes are done, but their answer is lost: they end as unavailable.
    AnswerLost,
    /// Every call waits until the trouble changes, and then goes on under the new one.
    Held,
}

/// The store; clones are handles to the same one.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    kept: Arc<Mutex<Kept>>,
    log_trouble: Arc<watch::Sender<Trouble>>,
    tables_trouble: Arc<watch::Sender<Trouble>>,
}

/// What is stored.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) epoch: Epoch,
    pub(super) instance: u128,
    /// Number of the newest entry, kept or trimmed.
    pub(super) last: EntryNumber,
    /// The newest entries; the last of them is number `last`.
    pub(super) entries: VecDeque<Bytes>,
    pub(super) watermark: EntryNumber,
    pub(super) tables: BTreeMap<Table, BTreeMap<Bytes, Bytes>>,
}

impl Kept {
    fn new() -> Self {
        let instance = directory::draw_instance().expect("the system has random bits");
        Self {
            epoch: 0,
            instance,
            last: 0,
            entries: VecDeque::new(),
            watermark: 0,
            tables: BTreeMap::new(),
        }
    }

    /// Number of the oldest entry kept; `last + 1` when there is none.
    pub(super) fn first(&self) -> EntryNumber {
        self.last + 1 - self.entries.len() as u64
    }
}

/// One side's view: the data, and the trouble that this side has.
#[derive(Debug, Clone)]
pub(super) struct MemoryPart {
    kept: Arc<Mutex<Kept>>,
    trouble: watch::Receiver<Trouble>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self {
            kept: Arc::new(Mutex::new(Kept::new())),
            log_trouble: Arc::new(watch::Sender::new(Trouble::None)),
            tables_trouble: Arc::new(watch::Sender::new(Trouble::None)),
        }
    }

    /// Opens it, as a process that starts does; what was opened before can then be fenced.
    pub fn open(&self) -> OpenStore {
        let part = |trouble: &watch::Sender<Trouble>| MemoryPart {
            kept: Arc::clone(&self.kept),
            trouble: trouble.subscribe(),
        };
        OpenStore {
            log: Box::new(MemoryLog::new(part(&self.log_trouble))),
            tables: Arc::new(MemoryTables::new(part(&self.tables_trouble))),
        }
    }

    /// Makes, changes or ends the log's trouble.
    pub fn set_log_trouble(&self, trouble: Trouble) {
        self.log_trouble.send_replace(trouble);
    }

    /// Makes, changes or ends the tables' trouble.
    pub fn set_tables_trouble(&self, trouble: Trouble) {
        self.tables_trouble.send_replace(trouble);
    }

    /// Everything is gone and another instance is there: a server that came back empty.
    pub fn lose_everything(&self) {
        *lock(&self.kept) = Kept::new();
    }

    /// The log ends at `last`, and with it the tables if they were further: a failover to a
    /// replica that lacks the newest writes. Rows stay, which replaying the entries makes right.
    pub fn lose_after(&self, last: EntryNumber) {
        let mut kept = lock(&self.kept);
        while kept.last > last && kept.entries.pop_back().is_some() {
            kept.last -= 1;
        }
        kept.watermark = kept.watermark.min(last);
    }
}

impl MemoryPart {
    /// Reads under the trouble of the moment.
    pub(super) async fn read<T>(
        &self,
        work: impl FnOnce(&Kept) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match self.past_hold().await {
            Trouble::Unavailable => Err(unavailable()),
            Trouble::None | Trouble::AnswerLost | Trouble::Held => work(&lock(&self.kept)),
        }
    }

    /// Writes under the trouble of the moment.
    pub(super) async fn write<T>(
        &self,
        work: impl FnOnce(&mut Kept) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let trouble = self.past_hold().await;
        if trouble == Trouble::Unavailable {
            return Err(unavailable());
        }
        let done = work(&mut lock(&self.kept));
        if trouble == Trouble::AnswerLost { Err(unavailable()) } else { done }
    }

    async fn past_hold(&self) -> Trouble {
        let mut trouble = self.trouble.clone();
        match trouble.wait_for(|trouble| *trouble != Trouble::Held).await {
            Ok(trouble) => *trouble,
            // Nobody is left to end the hold: the store was dropped, which is a store gone.
            Err(_) => Trouble::Unavailable,
        }
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    // A panic under the lock is a failed assertion of a test; the data itself is still whole.
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unavailable() -> StoreError {
    StoreError::Unavailable("a test switched the store off".to_owned())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn entry() -> Vec<Bytes> {
        vec![Bytes::from_static(b"entry")]
    }

    #[tokio::test]
    async fn trouble_is_as_told() {
        let store = MemoryStore::new();
        let mut log = store.open().log;
        log.take().await.expect("taken");
        store.set_log_trouble(Trouble::Unavailable);
        assert!(matches!(log.append(1, entry()).await, Err(StoreError::Unavailable(_))));
        store.set_log_trouble(Trouble::None);
        assert_eq!(log.state().await.expect("a state").last, 0);

        store.set_log_trouble(Trouble::AnswerLost);
        assert!(matches!(log.append(1, entry()).await, Err(StoreError::Unavailable(_))));
        store.set_log_trouble(Trouble::None);
        assert_eq!(log.state().await.expect("a state").last, 1);

        store.set_log_trouble(Trouble::Held);
        let mut held = log.append(2, entry());
        assert!((&mut held).now_or_never().is_none(), "it waits");
        store.set_log_trouble(Trouble::None);
        held.await.expect("and goes on");
    }

    #[tokio::test]
    async fn losses_are_noticed_as_on_a_real_server() {
        let store = MemoryStore::new();
        let mut log = store.open().log;
        let before = log.take().await.expect("taken");
        for number in 1..=3 {
            log.append(number, entry()).await.expect("written");
        }
        store.lose_after(1);
        let gap = log.append(4, entry()).await;
        assert!(matches!(gap, Err(StoreError::Gap { found: 1, first: 4 })), "{gap:?}");
        assert_eq!(log.state().await.expect("a state").instance, before.instance);

        store.lose_everything();
        let gap = log.append(1, entry()).await;
        assert!(matches!(gap, Err(StoreError::Gap { found: 0, first: 1 })), "{gap:?}");
        let after = log.state().await.expect("a state");
        assert_ne!(after.instance, before.instance);
        assert_eq!((after.epoch, after.last), (before.epoch, 0));
        log.append(1, entry()).await.expect("looked at, it can be written again");
    }
}
