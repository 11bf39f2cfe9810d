//! The journal's entries of a run: kept as the log is given them, and committed again alone.
//!
//! Separate because it stands below the engine: it knows rows and bytes, and nothing of callbacks.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use ringback::domain::time::Timestamp;
use ringback::engine::entry::Entry;
use ringback::engine::journal::{JournalEvent, JournalSettings};
use ringback::engine::library::{Codec, Packed};
use ringback::engine::ports::{
    EntryNumber, Log, LogEntry, LogState, PortFuture, RowWrite, StoreError,
};
use ringback::engine::recovery::{self, Places, Storage};
use ringback::store::OpenStore;
use ringback::store::index::RowCodec;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::clock;

/// How long the journal may take to close.
const PATIENCE: Duration = Duration::from_mins(1);

/// Entries in their order.
pub(super) type Entries = Arc<Mutex<Vec<Bytes>>>;

/// A log that keeps what it is given.
pub(super) struct Recorder {
    log: Box<dyn Log>,
    entries: Entries,
}

impl Recorder {
    pub(super) fn new(log: Box<dyn Log>) -> Self {
        Self { log, entries: Entries::default() }
    }

    /// What it is given from now on.
    pub(super) fn entries(&self) -> Entries {
        Arc::clone(&self.entries)
    }
}

impl Log for Recorder {
    fn take(&mut self) -> PortFuture<'_, Result<LogState, StoreError>> {
        self.log.take()
    }

    fn state(&mut self) -> PortFuture<'_, Result<LogState, StoreError>> {
        self.log.state()
    }

    fn append(
        &mut self,
        first: EntryNumber,
        entries: Vec<Bytes>,
    ) -> PortFuture<'_, Result<(), StoreError>> {
        // References; what they point to stays in memory until it is committed again.
        let mut kept = self.entries.lock().expect("nobody panics while holding it");
        kept.extend(entries.iter().cloned());
        drop(kept);
        self.log.append(first, entries)
    }

    fn read(
        &mut self,
        from: EntryNumber,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<LogEntry>, StoreError>> {
        self.log.read(from, limit)
    }

    fn trim(&mut self, keep_from: EntryNumber) -> PortFuture<'_, Result<(), StoreError>> {
        self.log.trim(keep_from)
    }

    fn size_bytes(&mut self) -> PortFuture<'_, Result<u64, StoreError>> {
        self.log.size_bytes()
    }

    fn may_lose(&self) -> bool {
        self.log.may_lose()
    }
}

/// Gives the rows of kept entries in their order, whatever the journal is given.
struct Replay(Vec<Vec<RowWrite>>);

impl Codec for Replay {
    fn rows(&self, number: EntryNumber, _: &Entry) -> Packed {
        let index = usize::try_from(number - 1).expect("entries fit into memory");
        RowCodec.pack(&self.0[index])
    }

    fn pack(&self, rows: &[RowWrite]) -> Packed {
        RowCodec.pack(rows)
    }

    fn unpack(&self, bytes: &[u8]) -> Result<Vec<RowWrite>, StoreError> {
        RowCodec.unpack(bytes)
    }
}

/// Commits them to an empty store through a journal of their own, so many under way; says how
/// long it took until the last was durable.
pub(super) async fn commit(
    store: OpenStore,
    entries: Vec<Bytes>,
    under_way: usize,
) -> Result<Duration> {
    let rows: Result<Vec<_>, _> = entries.iter().map(|bytes| RowCodec.unpack(bytes)).collect();
    drop(entries);
    let rows = rows.context("an entry that can't be read")?;
    let count = rows.len();
    let OpenStore { log, tables } = store;
    let storage = Storage { log, tables, codec: Arc::new(Replay(rows)), expected_instance: None };
    let (tell, mut told) = mpsc::unbounded_channel();
    let notify = Arc::new(move |event| {
        // Whoever has gone doesn't want to know.
        let _ = tell.send(event);
    });
    let settings = JournalSettings::default();
    let places = Places { log: Handle::current(), tables: Handle::current() };
    let opened = recovery::open::<()>(storage, settings, notify, &places).await;
    let mut journal = opened.context("opening the store")?.journal;
    let nothing = || Entry {
        at: Timestamp(0),
        changes: Vec::new(),
        events: Vec::new(),
        kept: None,
        secret: None,
    };
    let began = clock::now();
    let (mut taken, mut durable) = (0, 0);
    while durable < count {
        while taken < count && taken - durable < under_way && !journal.must_wait() {
            journal.take(nothing());
            taken += 1;
        }
        journal.hand_over();
        match told.recv().await.context("the journal has ended")? {
            JournalEvent::Durable(number) => {
                drop(journal.acknowledge(number));
                durable = usize::try_from(number)?;
            }
            JournalEvent::Stalled | JournalEvent::Resumed | JournalEvent::Room => {}
            JournalEvent::Fenced { .. } | JournalEvent::Lost(_) => bail!("the store was lost"),
        }
    }
    let took = clock::now().duration_since(began);
    journal.close(PATIENCE).await;
    Ok(took)
}
