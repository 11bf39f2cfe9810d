//! The overlay: rows that the journal has taken, until the tables have them durably.
//!
//! Separate from the journal because other threads read it while the workspace's thread writes it,
//! and from `merged`, which knows how to read it together with the tables. It is a row of runs:
//! each holds the rows of some entries in a row, as they were last among these. The newest run is
//! being filled; the others never change, are written to the tables one by one, and go as a whole,
//! so that a row costs one place in a small map and nothing when it leaves. A row of a durable
//! entry may have been rewritten by an entry that isn't durable and never will be: a run is
//! therefore written only when all of its entries are durable. Runs that the tables have stay for
//! some seconds more, as long as there is room: should the store fail over to a replica that lacks
//! the last batches, readers don't see what was before them. It must never wait for a store while
//! it holds its lock.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use itertools::Itertools;

use super::ports::{EntryNumber, RangeRead, RowKey, RowWrite};

/// What a row costs beside its bytes: its place in a run, and its buffers' own heads.
const ROW_COST: usize = 192;

/// A run ends with the entry that brings it to so many rows or bytes. It is one batch for the
/// tables: Redis does nothing else while it writes one, and appends wait behind it.
pub(super) const RUN_ROWS: usize = 2_048;
const RUN_BYTES: usize = 1 << 20;

/// What a row takes of memory, as the overlay's bound counts it.
fn cost(key: &RowKey, value: Option<&Bytes>) -> usize {
    ROW_COST + key.key.len() + value.map_or(0, Bytes::len)
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

/// Rows of the entries `from ..= to`, in the order of their keys, each as it was last.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) from: EntryNumber,
    pub(super) to: EntryNumber,
    pub(super) rows: Vec<RowWrite>,
    keys: KeyFilter,
    cost: usize,
}

/// Says of nearly every key that isn't among some that it isn't. A callback that has slept for
/// hours is in no run, and dozens would have to be searched to find that out.
#[derive(Debug)]
struct KeyFilter {
    /// Each key sets two bits.
    bits: Vec<u64>,
}

/// Bits for each key: of those that aren't there, one in seventy is taken for one that may be.
const BITS_PER_KEY: usize = 16;

/// The run that is being filled; empty before its first entry.
#[derive(Debug, Default)]
pub(super) struct Filling {
    span: Option<(EntryNumber, EntryNumber)>,
    rows: BTreeMap<RowKey, Option<Bytes>>,
    cost: usize,
}

/// Rows taken by the journal, until the tables have them durably.
#[derive(Debug)]
pub(super) struct Overlay {
    inner: RwLock<Inner>,
    newest: AtomicU64,
    /// Of all rows.
    bytes: AtomicUsize,
    /// Of those that the tables don't have.
    unprojected_bytes: AtomicUsize,
    bound: usize,
}

#[derive(Debug, Default)]
struct Inner {
    /// Oldest first.
    runs: VecDeque<Arc<Run>>,
    filling: Filling,
    /// The tables have every entry up to this one; some of them may still be here.
    watermark: EntryNumber,
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
        let mut inner = self.write();
        assert_eq!(number, self.newest() + 1, "entries come in order and without gaps");
        // Before any of its rows can be seen: who reads a row and then asks for the newest number
        // gets this one or a later one.
        self.newest.store(number, Ordering::SeqCst);
        let before = inner.filling.cost;
        inner.filling.add(number, rows);
        let filling = inner.filling.cost;
        add(&self.bytes, before, filling);
        add(&self.unprojected_bytes, before, filling);
        if inner.filling.is_full() {
            inner.seal();
        }
    }

    /// Number of the oldest entry that is here; one past the newest if there is none.
    pub(super) fn first(&self) -> EntryNumber {
        let inner = self.read();
        let filling = inner.filling.span.map(|(from, _)| from);
        let first = inner.runs.front().map(|run| run.from).or(filling);
        first.unwrap_or(self.newest() + 1)
    }

    /// Takes back what was dropped, because the tables lost it: runs in order, ending just before
    /// the oldest entry that is here. Newer values of their rows stay the ones that are seen.
    pub(super) fn put_back(&self, runs: Vec<Run>) {
        for run in runs.into_iter().rev() {
            assert_eq!(run.to + 1, self.first(), "entries come back without gaps");
            self.bytes.fetch_add(run.cost, Ordering::Relaxed);
            self.write().runs.push_front(Arc::new(run));
        }
    }

    /// The next run that the tables don't have, if each of its entries is `durable`. The one that
    /// is being filled ends here if it is the next.
    pub(super) fn next_run(&self, durable: EntryNumber) -> Option<Arc<Run>> {
        let mut inner = self.write();
        if inner.filling.span.is_some_and(|(_, to)| to <= durable) {
            inner.seal();
        }
        let watermark = inner.watermark;
        let next = inner.runs.partition_point(|run| run.to <= watermark);
        let run = inner.runs.get(next).filter(|run| run.to <= durable)?;
        assert_eq!(run.from, watermark + 1, "the tables stand between two runs");
        Some(Arc::clone(run))
    }

    /// The tables have every entry up to `watermark` now, which may be less than they had.
    pub(super) fn set_watermark(&self, watermark: EntryNumber) {
        let mut inner = self.write();
        let (low, high) = (inner.watermark.min(watermark), inner.watermark.max(watermark));
        let passed = inner.runs.iter().filter(|run| run.to > low && run.to <= high);
        let bytes = passed.map(|run| run.cost).sum();
        if watermark > inner.watermark {
            self.unprojected_bytes.fetch_sub(bytes, Ordering::Relaxed);
        } else {
            self.unprojected_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        inner.watermark = watermark;
    }

    /// Drops the runs of entries up to `to`, which the tables have.
    pub(super) fn drop_to(&self, to: EntryNumber) {
        let mut inner = self.write();
        assert!(to <= inner.watermark, "only what the tables have is dropped");
        let count = inner.runs.partition_point(|run| run.to <= to);
        let dropped: Vec<_> = inner.runs.drain(..count).collect();
        drop(inner);
        // Takers and readers don't wait while the rows are freed.
        let bytes = dropped.iter().map(|run| run.cost).sum();
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// What is known of each of `keys`, at one instant.
    pub(super) fn get(&self, keys: &[RowKey]) -> Vec<Seen> {
        let inner = self.read();
        keys.iter().map(|key| inner.get(key)).collect()
    }

    /// The first rows of a range in its direction, at one instant, at most `limit`, deleted ones
    /// among them. The range isn't empty: its end lies above its start.
    pub(super) fn range(&self, read: &RangeRead, limit: usize) -> Part {
        let start = RowKey { table: read.table, key: read.start.clone() };
        let is_below_end = |key: &RowKey| {
            key.table == read.table && read.end.as_ref().is_none_or(|end| key.key < *end)
        };
        let (filling, runs) = {
            let inner = self.read();
            let rows = inner.filling.rows.range(&start..).take_while(|(key, _)| is_below_end(key));
            let row = |(key, value): (&RowKey, &Option<Bytes>)| RowWrite {
                key: key.clone(),
                value: value.clone(),
            };
            (rows.map(row).collect::<Vec<_>>(), inner.runs.clone())
        };
        let sealed = runs.iter().rev().map(|run| {
            let from = run.rows.partition_point(|row| row.key < start);
            let count = run.rows[from..].partition_point(|row| is_below_end(&row.key));
            &run.rows[from..from + count]
        });
        part(std::iter::once(&filling[..]).chain(sealed), read.reverse, limit)
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
    fn seal(&mut self) {
        self.runs.extend(std::mem::take(&mut self.filling).seal().map(Arc::new));
    }

    fn get(&self, key: &RowKey) -> Seen {
        if let Some(value) = self.filling.rows.get(key) {
            return Seen::Row(value.clone());
        }
        let hash = KeyFilter::hash(key);
        let found = self.runs.iter().rev().filter(|run| run.keys.maybe(hash)).find_map(|run| {
            let place = run.rows.binary_search_by(|row| row.key.cmp(key)).ok()?;
            Some(run.rows[place].value.clone())
        });
        found.map_or(Seen::Nothing, Seen::Row)
    }
}

impl KeyFilter {
    fn of(rows: &[RowWrite]) -> Self {
        let words = (rows.len() * BITS_PER_KEY).next_power_of_two() / 64;
        let mut filter = Self { bits: vec![0; words.max(1)] };
        for row in rows {
            for (word, bit) in filter.places(Self::hash(&row.key)) {
                filter.bits[word] |= bit;
            }
        }
        filter
    }

    /// Whether a key with this hash may be among them.
    fn maybe(&self, hash: u64) -> bool {
        self.places(hash).into_iter().all(|(word, bit)| self.bits[word] & bit != 0)
    }

    /// The two bits of a hash, by its lower and its upper half.
    fn places(&self, hash: u64) -> [(usize, u64); 2] {
        let words = self.bits.len() - 1;
        [hash, hash >> 32].map(|half| {
            let place = usize::try_from(half & 0xffff_ffff).expect("32 bits fit");
            ((place >> 6) & words, 1 << (place & 63))
        })
    }

    /// Eight bytes of the key at a time, each mixed by a multiplication (the odd constant is 2^64
    /// over the golden ratio). Whoever makes up keys that collide gains searches, as without it.
    fn hash(key: &RowKey) -> u64 {
        let mix = |hash: u64, part: u64| {
            let hash = (hash ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            hash ^ (hash >> 32)
        };
        let part = |bytes: &[u8]| bytes.iter().fold(0, |all, byte| (all << 8) | u64::from(*byte));
        let hash = mix(u64::from(key.table.number), key.key.len() as u64);
        key.key.chunks(8).fold(hash, |hash, bytes| mix(hash, part(bytes)))
    }
}

impl Filling {
    /// Adds the next entry's rows.
    pub(super) fn add(&mut self, number: EntryNumber, rows: Vec<RowWrite>) {
        let from = self.span.map_or(number, |(from, _)| from);
        self.span = Some((from, number));
        for RowWrite { key, value } in rows {
            self.cost += cost(&key, value.as_ref());
            match self.rows.entry(key) {
                Entry::Vacant(place) => drop(place.insert(value)),
                Entry::Occupied(mut there) => {
                    // Its bytes stay as long as the rest of its entry's.
                    self.cost -= ROW_COST;
                    there.insert(value);
                }
            }
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows.len() >= RUN_ROWS || self.cost >= RUN_BYTES
    }

    /// The run, unless no entry was added.
    pub(super) fn seal(self) -> Option<Run> {
        let (from, to) = self.span?;
        let rows: Vec<_> =
            self.rows.into_iter().map(|(key, value)| RowWrite { key, value }).collect();
        let keys = KeyFilter::of(&rows);
        Some(Run { from, to, rows, keys, cost: self.cost })
    }
}

/// Counts what grew from `before` to `after`, or shrank.
fn add(counter: &AtomicUsize, before: usize, after: usize) {
    counter.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
}

/// Merges the parts of runs, newest first, of which the first to have a key wins.
fn part<'a>(runs: impl Iterator<Item = &'a [RowWrite]>, reverse: bool, limit: usize) -> Part {
    let newest_first = (0_usize..).zip(runs).filter(|(_, rows)| !rows.is_empty());
    let rows = newest_first.map(|(age, rows)| {
        let rows: Box<dyn Iterator<Item = &RowWrite>> =
            if reverse { Box::new(rows.iter().rev()) } else { Box::new(rows.iter()) };
        rows.map(move |row| (row, age))
    });
    let mut rows = rows
        .kmerge_by(|(a, age), (b, other)| {
            let order = a.key.key.cmp(&b.key.key);
            let order = if reverse { order.reverse() } else { order };
            order.then(age.cmp(other)).is_lt()
        })
        .dedup_by(|(a, _), (b, _)| a.key.key == b.key.key);
    let taken: Vec<_> = rows
        .by_ref()
        .take(limit)
        .map(|(row, _)| (row.key.key.clone(), row.value.clone()))
        .collect();
    Part { rows: taken, is_last: rows.next().is_none() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ports::Table;

    const TABLES: [Table; 2] = [
        Table { number: 1, name: "one", ordered: true },
        Table { number: 2, name: "two", ordered: true },
    ];

    fn key(table: Table, number: u64) -> RowKey {
        // Neighbours differ in a byte or two, as ids of one second do.
        let key = Bytes::from([&[0x19; 12][..], &number.to_be_bytes()[..]].concat());
        RowKey { table, key }
    }

    #[test]
    fn a_filter_knows_all_of_its_keys_and_few_others() {
        let row = |number| RowWrite { key: key(TABLES[0], number), value: None };
        let rows: Vec<_> = (0..2_000).map(row).collect();
        let filter = KeyFilter::of(&rows);
        assert!(rows.iter().all(|row| filter.maybe(KeyFilter::hash(&row.key))));
        let others = (2_000..12_000).map(|number| key(TABLES[0], number));
        let others = others.chain((0..10_000).map(|number| key(TABLES[1], number)));
        let taken = others.filter(|other| filter.maybe(KeyFilter::hash(other))).count();
        assert!(taken < 1_000, "{taken} of 20,000");
    }

    #[test]
    fn rows_are_found_in_every_run_as_they_were_last() {
        let overlay = Overlay::new(0, usize::MAX);
        let value = |number: u64| Some(Bytes::copy_from_slice(&number.to_be_bytes()));
        let entries = 3 * RUN_ROWS as u64;
        for number in 1..=entries {
            let own = RowWrite { key: key(TABLES[0], number), value: value(number) };
            let shared = RowWrite { key: key(TABLES[1], number % 7), value: value(number) };
            overlay.put(number, vec![own, shared]);
        }
        let own: Vec<_> = (0..=entries).map(|number| key(TABLES[0], number)).collect();
        let seen = overlay.get(&own);
        assert_eq!(seen[0], Seen::Nothing);
        assert!((1..=entries).zip(&seen[1..]).all(|(at, seen)| *seen == Seen::Row(value(at))));
        let shared: Vec<_> = (0..8).map(|number| key(TABLES[1], number)).collect();
        let last = |rest: u64| (1..=entries).rev().find(|number| number % 7 == rest);
        let wanted = (0..8).map(|rest| last(rest).map_or(Seen::Nothing, |at| Seen::Row(value(at))));
        assert_eq!(overlay.get(&shared), wanted.collect::<Vec<_>>());
    }
}
