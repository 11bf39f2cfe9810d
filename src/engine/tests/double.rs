//! A log and tables for tests, with switches: hold, fail, lose. The data outlives what opens it.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::sync::watch;
use tokio::task::yield_now;

use crate::engine::entry::Entry;
use crate::engine::library::{Codec, Packed};
use crate::engine::ports::{
    EntryNumber, Epoch, Log, LogEntry, LogState, PortFuture, RangeRead, RowKey, RowWrite,
    StoreError, Table, TableBatch, Tables,
};

pub(super) const TABLES: [Table; 2] = [Table::ordered(0, "one"), Table::ordered(1, "two")];

/// How one side of the store behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Switch {
    /// As it should.
    On,
    /// Refuses.
    Off,
    /// Takes nothing yet.
    Busy,
    /// Writes, and says that it didn't.
    AnswerLost,
    /// Waits until the switch is changed.
    Held,
    /// Refuses by name, for good.
    Damaged,
}

#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) epoch: Epoch,
    pub(super) instance: u128,
    pub(super) last: EntryNumber,
    pub(super) entries: VecDeque<Bytes>,
    pub(super) watermark: EntryNumber,
    pub(super) rows: BTreeMap<RowKey, Bytes>,
    /// What the tables have for certain; the rest is gone when they are opened again.
    pub(super) settled: (EntryNumber, BTreeMap<RowKey, Bytes>),
    /// How often the tables were settled.
    pub(super) settles: u32,
    /// Groups that were tried to append: first number and how many.
    pub(super) appends: Vec<(EntryNumber, usize)>,
    /// Batches that were applied.
    pub(super) batches: Vec<TableBatch>,
    /// Trimming drops nothing, as a log may choose to.
    pub(super) keeps_all: bool,
    /// It says that it loses nothing.
    pub(super) is_sure: bool,
    /// It failed over to a replica that lacked something.
    pub(super) has_gone_back: bool,
}

/// The store; clones are the same one.
#[derive(Clone)]
pub(super) struct World {
    stored: Arc<Mutex<Stored>>,
    pub(super) log: Arc<watch::Sender<Switch>>,
    /// Trimming the log, which has a switch of its own.
    pub(super) trims: Arc<watch::Sender<Switch>>,
    pub(super) tables: Arc<watch::Sender<Switch>>,
    /// Reads of the tables.
    pub(super) reads: Arc<watch::Sender<Switch>>,
}

impl World {
    pub(super) fn new() -> Self {
        let stored = Stored {
            epoch: 0,
            instance: 7,
            last: 0,
            entries: VecDeque::new(),
            watermark: 0,
            rows: BTreeMap::new(),
            settled: (0, BTreeMap::new()),
            settles: 0,
            appends: Vec::new(),
            batches: Vec::new(),
            keeps_all: false,
            is_sure: false,
            has_gone_back: false,
        };
        let switch = || Arc::new(watch::Sender::new(Switch::On));
        Self {
            stored: Arc::new(Mutex::new(stored)),
            log: switch(),
            trims: switch(),
            tables: switch(),
            reads: switch(),
        }
    }

    pub(super) fn stored(&self) -> MutexGuard<'_, Stored> {
        self.stored.lock().unwrap()
    }

    /// Number of the log's last entry, the tables' watermark, and how many entries the log keeps.
    pub(super) fn position(&self) -> (EntryNumber, EntryNumber, usize) {
        let stored = self.stored();
        (stored.last, stored.watermark, stored.entries.len())
    }

    /// Rows and watermark are these again.
    pub(super) fn set_tables(&self, rows: BTreeMap<RowKey, Bytes>, watermark: EntryNumber) {
        let mut stored = self.stored();
        stored.settled = (watermark, rows.clone());
        (stored.rows, stored.watermark) = (rows, watermark);
    }

    /// A failover to a replica whose log lacks everything after `last`.
    pub(super) fn lose_log_after(&self, last: EntryNumber) {
        let mut stored = self.stored();
        while stored.last > last {
            stored.entries.pop_back().unwrap();
            stored.last -= 1;
        }
    }

    /// Comes back as an empty server.
    pub(super) fn empty(&self) {
        let mut stored = self.stored();
        stored.instance += 1;
        (stored.epoch, stored.last, stored.watermark) = (0, 0, 0);
        stored.entries.clear();
        stored.rows.clear();
        stored.settled = (0, BTreeMap::new());
    }

    pub(super) fn open_log(&self) -> Box<dyn Log> {
        Box::new(DoubleLog { world: self.clone(), epoch: 0 })
    }

    pub(super) fn open_tables(&self) -> Arc<dyn Tables> {
        let mut stored = self.stored();
        (stored.watermark, stored.rows) = stored.settled.clone();
        Arc::new(DoubleTables { world: self.clone(), epoch: Mutex::new(0) })
    }

    async fn pass<T>(
        &self,
        switch: &watch::Sender<Switch>,
        work: impl FnOnce(&mut Stored) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        yield_now().await;
        let held = |switch: &Switch| *switch != Switch::Held;
        let switch = *switch.subscribe().wait_for(held).await.unwrap();
        match switch {
            Switch::Off => return Err(StoreError::Unavailable("off".to_owned())),
            Switch::Busy => return Err(StoreError::Busy("merging".to_owned())),
            Switch::Damaged => {
                let (place, what) = ("a test".to_owned(), "damaged".to_owned());
                return Err(StoreError::Damaged { place, what });
            }
            Switch::On | Switch::AnswerLost | Switch::Held => {}
        }
        let done = work(&mut self.stored());
        // What is written can be read before its writer knows.
        yield_now().await;
        match switch {
            Switch::AnswerLost => Err(StoreError::Unavailable("no answer".to_owned())),
            _ => done,
        }
    }
}

impl Stored {
    fn check(&self, ours: Epoch) -> Result<(), StoreError> {
        if self.epoch > ours {
            return Err(StoreError::Fenced { found: self.epoch, ours });
        }
        Ok(())
    }

    fn first(&self) -> EntryNumber {
        self.last + 1 - self.entries.len() as u64
    }

    fn state(&self) -> LogState {
        let (epoch, last, instance) = (self.epoch, self.last, self.instance);
        LogState { epoch, first: self.first(), last, instance }
    }
}

struct DoubleLog {
    world: World,
    epoch: Epoch,
}

impl Log for DoubleLog {
    fn take(&mut self) -> PortFuture<'_, Result<LogState, StoreError>> {
        Box::pin(async {
            let world = self.world.clone();
            let state = world
                .pass(&world.log, |stored| {
                    stored.epoch += 1;
                    Ok(stored.state())
                })
                .await?;
            self.epoch = state.epoch;
            Ok(state)
        })
    }

    fn state(&mut self) -> PortFuture<'_, Result<LogState, StoreError>> {
        let ours = self.epoch;
        Box::pin(self.world.pass(&self.world.log, move |stored| {
            stored.check(ours)?;
            stored.epoch = ours;
            Ok(stored.state())
        }))
    }

    fn append(
        &mut self,
        first: EntryNumber,
        entries: Vec<Bytes>,
    ) -> PortFuture<'_, Result<(), StoreError>> {
        let ours = self.epoch;
        self.world.stored().appends.push((first, entries.len()));
        Box::pin(self.world.pass(&self.world.log, move |stored| {
            stored.check(ours)?;
            if stored.epoch < ours || first > stored.last + 1 {
                return Err(StoreError::Gap { found: stored.last, first });
            }
            for (number, entry) in (first..).zip(entries) {
                if number > stored.last {
                    stored.entries.push_back(entry);
                    stored.last = number;
                }
            }
            Ok(())
        }))
    }

    fn read(
        &mut self,
        from: EntryNumber,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<LogEntry>, StoreError>> {
        Box::pin(self.world.pass(&self.world.log, move |stored| {
            let numbered = (stored.first()..).zip(&stored.entries);
            let wanted = numbered.filter(|(number, _)| *number >= from).take(limit);
            Ok(wanted.map(|(number, bytes)| LogEntry { number, bytes: bytes.clone() }).collect())
        }))
    }

    fn trim(&mut self, keep_from: EntryNumber) -> PortFuture<'_, Result<(), StoreError>> {
        Box::pin(self.world.pass(&self.world.trims, move |stored| {
            assert!(keep_from <= stored.settled.0 + 1, "what the tables may lose was trimmed");
            while !stored.keeps_all
                && stored.first() < keep_from
                && stored.entries.pop_front().is_some()
            {}
            Ok(())
        }))
    }

    fn size_bytes(&mut self) -> PortFuture<'_, Result<u64, StoreError>> {
        Box::pin(self.world.pass(&self.world.log, |stored| {
            Ok(stored.entries.iter().map(|entry| entry.len() as u64).sum())
        }))
    }

    fn may_lose(&self) -> bool {
        !self.world.stored().is_sure
    }
}

struct DoubleTables {
    world: World,
    epoch: Mutex<Epoch>,
}

impl Tables for DoubleTables {
    fn take(&self, epoch: Epoch) -> PortFuture<'_, Result<EntryNumber, StoreError>> {
        *self.epoch.lock().unwrap() = epoch;
        Box::pin(self.world.pass(&self.world.tables, move |stored| {
            stored.check(epoch)?;
            stored.epoch = epoch;
            Ok(stored.watermark)
        }))
    }

    fn apply(&self, batch: TableBatch) -> PortFuture<'_, Result<(), StoreError>> {
        let ours = *self.epoch.lock().unwrap();
        Box::pin(self.world.pass(&self.world.tables, move |stored| {
            stored.check(ours)?;
            if stored.epoch == ours && batch.to <= stored.watermark {
                return Ok(());
            }
            if stored.epoch < ours || batch.from != stored.watermark + 1 {
                return Err(StoreError::Gap { found: stored.watermark, first: batch.from });
            }
            if batch.to > stored.last && stored.has_gone_back {
                // Only a store that lost entries may be sent them as rows before it has them again.
                return Err(StoreError::Gap { found: stored.watermark, first: batch.from });
            }
            assert!(batch.to <= stored.last, "an entry that isn't durable was projected");
            let is_sorted =
                |run: &Arc<[RowWrite]>| run.is_sorted_by(|row, next| row.key < next.key);
            assert!(batch.runs.iter().all(is_sorted), "each row comes once in a run, in its order");
            for row in batch.rows().into_iter().cloned() {
                match row.value {
                    Some(value) => drop(stored.rows.insert(row.key, value)),
                    None => drop(stored.rows.remove(&row.key)),
                }
            }
            stored.watermark = batch.to;
            stored.batches.push(batch);
            Ok(())
        }))
    }

    fn settle(&self) -> PortFuture<'_, Result<(), StoreError>> {
        Box::pin(self.world.pass(&self.world.tables, |stored| {
            stored.settled = (stored.watermark, stored.rows.clone());
            stored.settles += 1;
            Ok(())
        }))
    }

    fn get(&self, keys: Vec<RowKey>) -> PortFuture<'_, Result<Vec<Option<Bytes>>, StoreError>> {
        Box::pin(self.world.pass(&self.world.reads, move |stored| {
            Ok(keys.iter().map(|key| stored.rows.get(key).cloned()).collect())
        }))
    }

    fn range(&self, read: RangeRead) -> PortFuture<'_, Result<Vec<(Bytes, Bytes)>, StoreError>> {
        Box::pin(
            self.world.pass(&self.world.reads, move |stored| Ok(plain_range(&stored.rows, &read))),
        )
    }

    fn may_lose(&self) -> bool {
        !self.world.stored().is_sure
    }
}

/// A range of a plain map of rows.
pub(super) fn plain_range(rows: &BTreeMap<RowKey, Bytes>, read: &RangeRead) -> Vec<(Bytes, Bytes)> {
    let start = RowKey { table: read.table, key: read.start.clone() };
    let in_range = rows
        .range((Bound::Included(start), Bound::Unbounded))
        .filter(|(at, _)| at.table == read.table)
        .filter(|(at, _)| read.end.as_ref().is_none_or(|end| at.key < *end))
        .map(|(at, value)| (at.key.clone(), value.clone()));
    if read.reverse {
        let mut all: Vec<_> = in_range.collect();
        all.reverse();
        all.truncate(read.limit);
        all
    } else {
        in_range.take(read.limit).collect()
    }
}

/// Turns entries into the rows that a test has lined up.
#[derive(Default)]
pub(super) struct LinedUp(pub(super) Mutex<VecDeque<Vec<RowWrite>>>);

impl Codec for LinedUp {
    fn rows(&self, _: EntryNumber, _: &Entry) -> Packed {
        let rows = self.0.lock().unwrap().pop_front();
        self.pack(&rows.expect("the test lined up rows for each entry"))
    }

    fn pack(&self, rows: &[RowWrite]) -> Packed {
        let mut packed = BytesMut::new();
        for row in rows {
            let table = TABLES.iter().position(|table| *table == row.key.table).unwrap();
            packed.put_u8(u8::try_from(table).unwrap());
            put(&mut packed, &row.key.key);
            packed.put_u8(u8::from(row.value.is_some()));
            put(&mut packed, row.value.as_deref().unwrap_or_default());
        }
        Packed { bytes: packed.freeze(), rows: rows.to_vec() }
    }

    fn unpack(&self, bytes: &[u8]) -> Result<Vec<RowWrite>, StoreError> {
        let mut rest = bytes;
        let mut rows = Vec::new();
        while let Some((table, after)) = rest.split_first() {
            rest = after;
            let key = cut(&mut rest);
            let (is_there, after) = rest.split_first().unwrap();
            rest = after;
            let value = cut(&mut rest);
            let key = RowKey { table: TABLES[usize::from(*table)], key };
            rows.push(RowWrite { key, value: (*is_there == 1).then_some(value) });
        }
        Ok(rows)
    }
}

fn put(packed: &mut BytesMut, bytes: &[u8]) {
    packed.put_u32(u32::try_from(bytes.len()).unwrap());
    packed.put_slice(bytes);
}

fn cut(rest: &mut &[u8]) -> Bytes {
    let (length, after) = rest.split_first_chunk::<4>().unwrap();
    let (bytes, after) = after.split_at(u32::from_be_bytes(*length) as usize);
    *rest = after;
    Bytes::copy_from_slice(bytes)
}
