//! The overlay: rows that the journal has taken, until the tables have them durably.
//!
//! Separate from the journal because other threads read it while the workspace's thread writes it,
//! and from `merged`, which knows how to read it together with the tables. It keeps two things
//! under one lock: the newest value of each row, for readers, and each entry's own rows in order,
//! for the projector. The second can't be had from the first: a row of a durable entry may have
//! been rewritten by an entry that isn't durable and never will be, and the tables must then show
//! the durable one. Entries that the tables have stay for some seconds more, as long as there is
//! room: should the store fail over to a replica that lacks the last batches, readers don't see
//! what was before them. It must never wait for a store while it holds its lock.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;

use super::ports::{EntryNumber, RangeRead, RowKey, RowWrite, Table};

/// What a row costs beside its bytes: its place among its entry's rows and in the map.
const ROW_COST: usize = 192;

/// Entries whose rows are dropped under one hold of the lock, so that takers and readers never
/// wait longer than for a few hundred removals.
const ENTRIES_PER_DROP: usize = 32;

/// An entry's rows, as the projector takes them.
#[derive(Debug, Clone)]
pub(super) struct EntryRows {
    /// The entry.
    pub(super) number: EntryNumber,
    /// What it writes.
    pub(super) rows: Arc<[RowWrite]>,
    /// What they take of memory, in bytes.
    pub(super) cost: usize,
}

impl EntryRows {
    pub(super) fn new(number: EntryNumber, rows: Vec<RowWrite>) -> Self {
        let cost = rows.iter().map(cost).sum();
        Self { number, rows: rows.into(), cost }
    }
}

/// What a row takes of memory, as the overlay's bound counts it.
pub(super) fn cost(row: &RowWrite) -> usize {
    ROW_COST + row.key.key.len() + row.value.as_ref().map_or(0, Bytes::len)
}

/// What the overlay knows of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing: the tables have it, or there is none.
    Nothing,
    /// Its newest value; `None`: deleted.
    Row(Option<Bytes>),
}

/// A part of a range, as the overlay has it.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// Rows in the order of the read; `None`: deleted.
    pub(super) rows: Vec<(Bytes, Option<Bytes>)>,
    /// The overlay has no more of the range behind these.
    pub(super) is_last: bool,
}

/// Rows taken by the journal, until the tables have them durably.
#[derive(Debug)]
pub(super) struct Overlay {
    inner: RwLock<Inner>,
    newest: AtomicU64,
    /// Of all entries.
    bytes: AtomicUsize,
    /// Of those that the tables don't have.
    unprojected_bytes: AtomicUsize,
    bound: usize,
}

#[derive(Debug, Default)]
struct Inner {
    tables: BTreeMap<Table, BTreeMap<Bytes, Latest>>,
    entries: VecDeque<EntryRows>,
    /// The tables have every entry up to this one; some of them may still be here.
    watermark: EntryNumber,
}

/// A row's newest value, and the entry that wrote it.
#[derive(Debug)]
struct Latest {
    number: EntryNumber,
    value: Option<Bytes>,
}

impl Overlay {
    /// An empty one above tables that stand at `watermark`, to hold about `bound` bytes.
    pub(super) fn new(watermark: EntryNumber, bound: usize) -> Self {
        Self {
            inner: RwLock::new(Inner { watermark, ..Inner::default() }),
            newest: AtomicU64::new(watermark),
            bytes: AtomicUsize::new(0),
            unprojected_bytes: AtomicUsize::new(0),
            bound,
        }
    }

    /// The newest entry that a read may show.
    pub(super) fn newest(&self) -> EntryNumber {
        self.newest.load(Ordering::SeqCst)
    }

    /// What it should hold at most of what the tables don't have.
    pub(super) fn bound(&self) -> usize {
        self.bound
    }

    /// What waits for the tables.
    pub(super) fn unprojected_bytes(&self) -> usize {
        self.unprojected_bytes.load(Ordering::Relaxed)
    }

    /// So much waits for the tables that the journal must wait for them too. The bound isn't a
    /// wall: what was admitted before is taken.
    pub(super) fn is_full(&self) -> bool {
        self.unprojected_bytes() >= self.bound
    }

    /// So much waits for the tables that the projector shouldn't wait for rows to be rewritten.
    pub(super) fn is_quarter_full(&self) -> bool {
        self.unprojected_bytes() >= self.bound / 4
    }

    /// It holds so much in all that what the tables have should go.
    pub(super) fn is_crowded(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) >= self.bound / 2
    }

    /// Takes the next entry's rows; from now on reads show them.
    pub(super) fn put(&self, number: EntryNumber, rows: Vec<RowWrite>) {
        let entry = EntryRows::new(number, rows);
        let mut inner = self.write();
        assert_eq!(number, self.newest() + 1, "entries come in order and without gaps");
        // Before any of its rows can be seen: who reads a row and then asks for the newest number
        // gets this one or a later one.
        self.newest.store(number, Ordering::SeqCst);
        self.bytes.fetch_add(entry.cost, Ordering::Relaxed);
        self.unprojected_bytes.fetch_add(entry.cost, Ordering::Relaxed);
        inner.show(&entry);
        inner.entries.push_back(entry);
    }

    /// Number of the oldest entry that is here; one past the newest if there is none.
    pub(super) fn first(&self) -> EntryNumber {
        let inner = self.read();
        inner.entries.front().map_or(self.newest() + 1, |first| first.number)
    }

    /// Takes back entries that were dropped, because the tables lost them: in order, ending just
    /// before the oldest that is here. Newer values of their rows stay.
    pub(super) fn put_back(&self, entries: Vec<EntryRows>) {
        let mut inner = self.write();
        for entry in entries.into_iter().rev() {
            let next = inner.entries.front().map_or(self.newest() + 1, |first| first.number);
            assert_eq!(entry.number + 1, next, "entries come back without gaps");
            self.bytes.fetch_add(entry.cost, Ordering::Relaxed);
            inner.show(&entry);
            inner.entries.push_front(entry);
        }
    }

    /// The next entries that the tables don't have, up to number `to`, at most `limit`.
    pub(super) fn unprojected(&self, to: EntryNumber, limit: usize) -> Vec<EntryRows> {
        let inner = self.read();
        let (_, unprojected) = inner.split_at(inner.watermark);
        unprojected.take(limit).take_while(|entry| entry.number <= to).cloned().collect()
    }

    /// The tables have every entry up to `watermark` now, which may be less than they had.
    pub(super) fn set_watermark(&self, watermark: EntryNumber) {
        let mut inner = self.write();
        let (low, high) = (inner.watermark.min(watermark), inner.watermark.max(watermark));
        let (_, passed) = inner.split_at(low);
        let bytes = passed.take_while(|entry| entry.number <= high).map(|entry| entry.cost).sum();
        if watermark > inner.watermark {
            self.unprojected_bytes.fetch_sub(bytes, Ordering::Relaxed);
        } else {
            self.unprojected_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        inner.watermark = watermark;
    }

    /// Drops entries up to `to`, which the tables have, and their rows unless rewritten.
    pub(super) fn drop_to(&self, to: EntryNumber) {
        while self.drop_some(to) {}
    }

    fn drop_some(&self, to: EntryNumber) -> bool {
        let mut inner = self.write();
        assert!(to <= inner.watermark, "only what the tables have is dropped");
        for _ in 0..ENTRIES_PER_DROP {
            let Some(entry) = inner.entries.pop_front_if(|entry| entry.number <= to) else {
                return false;
            };
            self.bytes.fetch_sub(entry.cost, Ordering::Relaxed);
            inner.hide(&entry, to);
        }
        true
    }

    /// What is known of each of `keys`, at one instant.
    pub(super) fn get(&self, keys: &[RowKey]) -> Vec<Seen> {
        let inner = self.read();
        keys.iter()
            .map(|key| {
                let latest = inner.tables.get(&key.table).and_then(|rows| rows.get(&key.key));
                latest.map_or(Seen::Nothing, |latest| Seen::Row(latest.value.clone()))
            })
            .collect()
    }

    /// The first rows of a range in its direction, at one instant, at most `limit`, deleted ones
    /// among them. The range isn't empty: its end lies above its start.
    pub(super) fn range(&self, read: &RangeRead, limit: usize) -> Part {
        let inner = self.read();
        let Some(rows) = inner.tables.get(&read.table) else {
            return Part { rows: Vec::new(), is_last: true };
        };
        let start = Bound::Included(read.start.clone());
        let end = read.end.clone().map_or(Bound::Unbounded, Bound::Excluded);
        let rows = rows.range::<Bytes, _>((start, end));
        if read.reverse { part(rows.rev(), limit) } else { part(rows, limit) }
    }

    // A thread that panicked while it held the lock can have left an entry half shown; the
    // workspace then starts again from the log as a whole, and until it does, reads go on.
    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Entries up to number `at`, and those after.
    fn split_at(
        &self,
        at: EntryNumber,
    ) -> (impl Iterator<Item = &EntryRows>, impl Iterator<Item = &EntryRows>) {
        let place = self.entries.partition_point(|entry| entry.number <= at);
        (self.entries.range(..place), self.entries.range(place..))
    }

    fn show(&mut self, entry: &EntryRows) {
        for row in &*entry.rows {
            let latest = Latest { number: entry.number, value: row.value.clone() };
            let rows = self.tables.entry(row.key.table).or_default();
            match rows.get_mut(&row.key.key) {
                Some(there) if there.number > entry.number => {}
                Some(there) => *there = latest,
                None => drop(rows.insert(row.key.key.clone(), latest)),
            }
        }
    }

    /// Removes an entry's rows unless an entry past `to` has rewritten them.
    fn hide(&mut self, entry: &EntryRows, to: EntryNumber) {
        for row in &*entry.rows {
            let Some(rows) = self.tables.get_mut(&row.key.table) else { continue };
            if rows.get(&row.key.key).is_some_and(|latest| latest.number <= to) {
                rows.remove(&row.key.key);
            }
        }
    }
}

fn part<'a>(mut rows: impl Iterator<Item = (&'a Bytes, &'a Latest)>, limit: usize) -> Part {
    let taken: Vec<_> = rows
        .by_ref()
        .take(limit)
        .map(|(key, latest)| (key.clone(), latest.value.clone()))
        .collect();
    Part { rows: taken, is_last: rows.next().is_none() }
}
