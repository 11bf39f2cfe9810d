//! The overlay: rows that the journal has taken, at least until the tables have them.
//!
//! Separate from the journal because other threads read it while the workspace's thread writes it,
//! and from `merged`, which knows how to read it together with the tables. It is a row of runs:
//! each holds the rows of some entries in a row, as they were last among these. The newest run is
//! being filled; the others never change, are written to the tables in their order, one or many at
//! a time, and go as a whole, so that a row costs one place in a list and nothing when it
//! leaves. A row of a durable entry may have been rewritten by an entry that isn't durable and
//! never will be: a run is therefore written only when all of its entries are durable. Runs that
//! the tables have stay for some seconds more, as long as there is room and the tables may lose
//! them: should the store fail over to a replica that lacks the last batches, readers don't see
//! what was before them. It must never wait for a store while it holds its lock.

mod run;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use itertools::Itertools;

#[cfg(test)]
pub(super) use self::run::RUN_ROWS;
use self::run::Sought;
pub(super) use self::run::{Filling, Run};
use super::ports::{EntryNumber, RangeRead, RowKey, RowWrite};

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

/// Rows taken by the journal, at least until the tables have them.
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

    /// Some runs have gone to the tables since that was so: with the default bound 4 MiB of them.
    pub(super) fn has_room_again(&self) -> bool {
        self.unprojected_bytes() < self.bound / 64 * 15
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
        self.count(before, inner.filling.cost);
        if inner.filling.is_full() {
            self.seal(&mut inner);
        }
    }

    /// Ends the run that is being filled.
    fn seal(&self, inner: &mut Inner) {
        let before = inner.filling.cost;
        let Some(run) = inner.filling.seal() else { return };
        self.count(before, run.cost);
        inner.runs.push_back(Arc::new(run));
    }

    /// What is here, and not in the tables, has grown from `before` to `after` bytes, or shrunk.
    fn count(&self, before: usize, after: usize) {
        for counter in [&self.bytes, &self.unprojected_bytes] {
            counter.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
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

    /// The next runs that the tables don't have and each of whose entries is `durable`: with at
    /// most `rows` rows and a quarter of the bound together, or the first one alone. The run that
    /// is being filled ends here if it is the next.
    pub(super) fn next_runs(&self, durable: EntryNumber, rows: usize) -> Vec<Arc<Run>> {
        let mut inner = self.write();
        let watermark = inner.watermark;
        let next = inner.runs.partition_point(|run| run.to <= watermark);
        let is_filling_next = next == inner.runs.len();
        if is_filling_next && inner.filling.span.is_some_and(|(_, to)| to <= durable) {
            self.seal(&mut inner);
        }
        let runs = inner.runs.range(next..).take_while(|run| run.to <= durable);
        let (mut count, mut bytes) = (0, 0);
        let runs = runs.take_while(|run| {
            let is_first = count == 0;
            count += run.rows.len();
            bytes += run.cost;
            is_first || (count <= rows && bytes <= self.bound / 4)
        });
        let runs: Vec<_> = runs.cloned().collect();
        if let Some(first) = runs.first() {
            assert_eq!(first.from, watermark + 1, "the tables stand between two runs");
        }
        runs
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
        let mut seen: Vec<Seen> = keys.iter().map(|key| Seen::of(inner.filling.get(key))).collect();
        let missing = keys.iter().enumerate().filter(|(place, _)| seen[*place] == Seen::Nothing);
        let mut missing: Vec<_> = missing.map(|(place, key)| (place, Sought::new(key))).collect();
        // Run by run for all keys, so that what a run is asked by is fetched into the cache once.
        for run in inner.runs.iter().rev() {
            missing.retain(|(place, sought)| {
                let row = run.get(sought);
                seen[*place] = Seen::of(row);
                row.is_none()
            });
        }
        seen
    }

    /// The first rows of a range in its direction, at one instant, at most `limit`, deleted ones
    /// among them. The range isn't empty: its end lies above its start.
    pub(super) fn range(&self, read: &RangeRead, limit: usize) -> Part {
        let (filling, runs) = {
            let inner = self.read();
            let has_some = |run: &&Arc<Run>| !run.range(read).is_empty();
            let runs: Vec<_> = inner.runs.iter().rev().filter(has_some).cloned().collect();
            (inner.filling.range(read), runs)
        };
        let filling = (!filling.is_empty()).then_some(&filling[..]);
        let sealed = runs.iter().map(|run| run.range(read));
        part(&filling.into_iter().chain(sealed).collect::<Vec<_>>(), read.reverse, limit)
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

impl Seen {
    fn of(row: Option<&Option<Bytes>>) -> Self {
        row.map_or(Self::Nothing, |value| Self::Row(value.clone()))
    }
}

/// Merges the parts of runs, newest first, of which the first to have a key wins.
fn part(runs: &[&[RowWrite]], reverse: bool, limit: usize) -> Part {
    let shown = |row: &RowWrite| (row.key.key.clone(), row.value.clone());
    if let [rows] = runs {
        let taken: Vec<_> = in_order(rows, reverse).take(limit).map(shown).collect();
        return Part { is_last: taken.len() == rows.len(), rows: taken };
    }
    let newest_first = (0_usize..).zip(runs);
    let mut rows = newest_first
        .map(|(age, rows)| in_order(rows, reverse).map(move |row| (row, age)))
        .kmerge_by(|(a, age), (b, other)| {
            let order = a.key.key.cmp(&b.key.key);
            let order = if reverse { order.reverse() } else { order };
            order.then(age.cmp(other)).is_lt()
        })
        .dedup_by(|(a, _), (b, _)| a.key.key == b.key.key);
    let taken: Vec<_> = rows.by_ref().take(limit).map(|(row, _)| shown(row)).collect();
    Part { rows: taken, is_last: rows.next().is_none() }
}

fn in_order(rows: &[RowWrite], reverse: bool) -> Box<dyn Iterator<Item = &RowWrite> + '_> {
    if reverse { Box::new(rows.iter().rev()) } else { Box::new(rows.iter()) }
}

#[cfg(test)]
mod tests {
    use super::run::tests::{TABLES, key};
    use super::*;

    #[test]
    fn the_next_runs_have_at_most_so_many_rows_or_are_one() {
        let (overlay, run) = (Overlay::new(0, usize::MAX), RUN_ROWS as u64);
        for number in 1..=3 * run + 1 {
            overlay.put(number, vec![RowWrite { key: key(TABLES[0], number), value: None }]);
        }
        let next = |durable, rows| -> Vec<_> {
            overlay.next_runs(durable, rows).iter().map(|run| run.to).collect()
        };
        assert!(next(run - 1, usize::MAX).is_empty());
        assert_eq!(next(3 * run, 1), [run]);
        assert_eq!(next(3 * run, 2 * RUN_ROWS - 1), [run]);
        assert_eq!(next(3 * run, 2 * RUN_ROWS), [run, 2 * run]);
        assert_eq!(next(2 * run, usize::MAX), [run, 2 * run]);
        overlay.set_watermark(3 * run);
        assert!(next(3 * run, usize::MAX).is_empty());
        assert_eq!(next(3 * run + 1, usize::MAX), [3 * run + 1], "the one being filled");
    }

    #[test]
    fn the_next_runs_have_at_most_a_quarter_of_what_there_is_room_for() {
        let bound = 64 << 20;
        let overlay = Overlay::new(0, bound);
        let value = Some(Bytes::from(vec![7; 100_000]));
        for number in 1.. {
            let value = value.clone();
            overlay.put(number, vec![RowWrite { key: key(TABLES[0], number), value }]);
            if overlay.is_full() {
                break;
            }
        }
        let runs = overlay.next_runs(overlay.newest(), usize::MAX);
        let bytes: usize = runs.iter().map(|run| run.cost).sum();
        assert!(bytes <= bound / 4 && bytes > bound / 5, "{bytes} bytes in {} runs", runs.len());
    }

    #[test]
    fn rows_are_found_in_every_run_as_they_were_last() {
        let overlay = Overlay::new(0, usize::MAX);
        let value = |number: u64| Some(Bytes::copy_from_slice(&number.to_be_bytes()));
        // Some are still in the run that is being filled.
        let entries = 3 * RUN_ROWS as u64 + 100;
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
