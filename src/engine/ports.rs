//! What the engine asks of storage: an ordered log that makes things durable, and tables behind it.
//!
//! Implementations live in `store`; each port has one conformance suite that all of them pass.
//! Nothing here knows what an entry or a row means: they are bytes.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

/// A boxed future of a port's method; one allocation per group is nothing beside its round trip.
pub type PortFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The number of a journal entry: from 1, without gaps, strictly increasing per workspace.
pub type EntryNumber = u64;

/// Which taking of the workspace this process holds; a higher one fences all lower ones.
pub type Epoch = u64;

/// Why the store didn't do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A newer process has taken the workspace: this one must stop writing for good.
    #[error("another process took the workspace (epoch {found}, ours is {ours})")]
    Fenced {
        /// The epoch found.
        found: Epoch,
        /// The epoch that this process holds.
        ours: Epoch,
    },
    /// The log's end isn't where this process left it: the store lost or gained entries.
    #[error("the log ends at {found}, the group starts at {first}")]
    Gap {
        /// Number of the last entry found.
        found: EntryNumber,
        /// First number of the group that was to be appended.
        first: EntryNumber,
    },
    /// Another process has the store open.
    #[error("the store at {0} is in use by another process; stop it first")]
    Locked(String),
    /// A newer release has written it, with rows that this one would miss.
    #[error(
        "the store at {place} has layout {found}, and this release knows {ours}: start the release \
         that wrote it or a newer one, or restore a copy from before that"
    )]
    Newer {
        /// Folder, or key.
        place: String,
        /// The layout found.
        found: u32,
        /// The highest layout that this release knows.
        ours: u32,
    },
    /// Stored bytes that can't be what was written.
    #[error("damaged: {place}: {what}")]
    Damaged {
        /// File and offset, or key.
        place: String,
        /// What is wrong there.
        what: String,
    },
    /// It takes nothing until it has done what it was given before; sending the same again is safe.
    #[error("the store has too much to do: {0}")]
    Busy(String),
    /// The store can't be reached or can't write now; sending the same again is safe.
    #[error("the store does not answer: {0}")]
    Unavailable(String),
}

/// One journal entry as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// One more than that of the entry before.
    pub number: EntryNumber,
    /// What it says, encoded by `store::record`.
    pub bytes: Bytes,
}

/// What [`Log::take`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogState {
    /// The epoch that this process now holds.
    pub epoch: Epoch,
    /// Number of the oldest entry kept; `last + 1` when there is none.
    pub first: EntryNumber,
    /// Number of the newest entry; 0 in a new log.
    pub last: EntryNumber,
    /// Drawn when the store was made: another one means that it was emptied or replaced.
    pub instance: u128,
}

/// The ordered log: durable is what it has.
pub trait Log: Send {
    /// Takes the workspace: raises the epoch above all earlier ones, and says what is there.
    fn take(&mut self) -> PortFuture<'_, Result<LogState, StoreError>>;

    /// What is there now, under the epoch held; told after a reconnect.
    fn state(&mut self) -> PortFuture<'_, Result<LogState, StoreError>>;

    /// Appends `entries`, numbered `first`, `first + 1`, …, all or none, and returns when they are
    /// durable. It may block the thread that polls it until then: that of the journal's writer,
    /// who would only wait for another one. A group that is there already (sent twice) is not
    /// written again and is success; a group that starts past the end is [`StoreError::Gap`].
    fn append(
        &mut self,
        first: EntryNumber,
        entries: Vec<Bytes>,
    ) -> PortFuture<'_, Result<(), StoreError>>;

    /// Entries from number `from` on, in order, at most `limit`; fewer only at the end.
    fn read(
        &mut self,
        from: EntryNumber,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<LogEntry>, StoreError>>;

    /// Allows everything before `keep_from` to be dropped; what is kept beyond is the log's choice.
    fn trim(&mut self, keep_from: EntryNumber) -> PortFuture<'_, Result<(), StoreError>>;

    /// Bytes that the log holds now, for its bound.
    fn size_bytes(&mut self) -> PortFuture<'_, Result<u64, StoreError>>;

    /// Whether it may lose what it has acknowledged while this process goes on, as a server can
    /// that is restarted, or whose replica takes over. Where it can't, nothing is kept in memory
    /// to be written again.
    fn may_lose(&self) -> bool;
}

/// A table: a space of ordered keys of its own.
///
/// The list of all tables, with their keys, is `store::keys`.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Its number in log entries; unique, and all that two tables are compared by.
    pub number: u8,
    /// Its name in Redis keys and on disk; short, unique.
    pub name: &'static str,
    /// What it holds.
    pub holds: Holds,
}

/// What a table holds, and so how it can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Values by their keys.
    Values,
    /// The same, and ranges are read. It costs Redis a member of a sorted set more.
    OrderedValues,
    /// Keys in their order, whose values are all empty: an index.
    Keys,
}

impl Table {
    /// One with values.
    pub const fn plain(number: u8, name: &'static str) -> Self {
        Self { number, name, holds: Holds::Values }
    }

    /// One with values in the order of their keys.
    pub const fn ordered(number: u8, name: &'static str) -> Self {
        Self { number, name, holds: Holds::OrderedValues }
    }

    /// One with keys alone.
    pub const fn index(number: u8, name: &'static str) -> Self {
        Self { number, name, holds: Holds::Keys }
    }

    /// Whether ranges are read from it.
    pub fn is_ordered(self) -> bool {
        self.holds != Holds::Values
    }
}

impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Table {}

impl PartialOrd for Table {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Table {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.number.cmp(&other.number)
    }
}

/// A row's place: table and key bytes. Keys of one table sort as bytes do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowKey {
    /// The table.
    pub table: Table,
    /// The key in it.
    pub key: Bytes,
}

/// One row to write: a value, or none to delete. Index rows have an empty value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowWrite {
    /// The row's table, and its key there.
    pub key: RowKey,
    /// What; `None` deletes.
    pub value: Option<Bytes>,
}

/// Rows that follow from the entries `from ..= to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableBatch {
    /// First entry covered: the tables' watermark + 1.
    pub from: EntryNumber,
    /// Last entry covered: the watermark afterwards.
    pub to: EntryNumber,
    /// The rows, in runs of which a later one overrides the earlier; in each of them by table and
    /// key, and each key at most once. Shared with whoever goes on reading them.
    pub runs: Vec<Arc<[RowWrite]>>,
}

impl TableBatch {
    /// The rows by table and key, each key once, as it is last. Sorted table by table and by the
    /// keys' heads, which lie in the list itself: whole keys lie elsewhere in memory.
    pub fn rows(&self) -> Vec<&RowWrite> {
        if let [run] = &*self.runs {
            return run.iter().collect();
        }
        let mut tables: BTreeMap<Table, Vec<&[RowWrite]>> = BTreeMap::new();
        for run in &self.runs {
            for part in run.chunk_by(|row, next| row.key.table == next.key.table) {
                tables.entry(part[0].key.table).or_default().push(part);
            }
        }
        let mut rows = Vec::with_capacity(self.runs.iter().map(|run| run.len()).sum());
        let mut sorted = Vec::new();
        for parts in tables.into_values() {
            let part = parts.into_iter().flatten();
            sorted.extend(part.map(|row| (key_head(&row.key.key), row)));
            // Stable: of one key the latest stays last. Most of it is in order already, which the
            // sort finds.
            sorted.sort_by(|(head, row), (other, next)| {
                head.cmp(other).then_with(|| row.key.key.cmp(&next.key.key))
            });
            let is_same = |one: &(u128, &RowWrite), next: &(u128, &RowWrite)| {
                one.0 == next.0 && one.1.key.key == next.1.key.key
            };
            rows.extend(sorted.chunk_by(is_same).map(|same| same[same.len() - 1].1));
            sorted.clear();
        }
        rows
    }
}

/// The first 16 bytes of a key, with zeros behind a shorter one: numbers that sort as the keys do,
/// but for keys that have them in common.
pub(super) fn key_head(key: &[u8]) -> u128 {
    u128::from_be_bytes(key.first_chunk().copied().unwrap_or_else(|| {
        let mut head = [0; 16];
        head[..key.len()].copy_from_slice(key);
        head
    }))
}

/// A range of one table's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeRead {
    /// The table; must be an ordered one.
    pub table: Table,
    /// First key, inclusive.
    pub start: Bytes,
    /// Past the last key; `None` for the table's end.
    pub end: Option<Bytes>,
    /// From the end backwards.
    pub reverse: bool,
    /// At most so many rows.
    pub limit: usize,
}

/// The tables behind the log: what is read by key and by range.
///
/// Methods take `&self`: reads come from many threads at once, beside the one writer. That one's
/// calls may block the thread that polls them.
pub trait Tables: Send + Sync {
    /// Takes the tables under `epoch` (the log's), and returns the watermark: every entry up to it
    /// is in the tables.
    fn take(&self, epoch: Epoch) -> PortFuture<'_, Result<EntryNumber, StoreError>>;

    /// Writes a batch with its watermark, and returns when it can be read; before, no read shows
    /// any of it. Until [`Tables::settle`] a crash may take it back, the newest first, or leave
    /// some of its rows without the watermark: whoever reads after a start shows what the log has
    /// beyond the watermark instead. A batch whose `to` is at or below the watermark was applied
    /// before and is success; one whose `from` isn't watermark + 1 otherwise is
    /// [`StoreError::Gap`] (`found` the watermark).
    fn apply(&self, batch: TableBatch) -> PortFuture<'_, Result<(), StoreError>>;

    /// How many rows a batch may have where so many wait for the tables; a single run is always
    /// taken, whatever it has. 1: one run at a time, for a store that does nothing else meanwhile.
    fn batch_rows(&self) -> usize {
        1
    }

    /// Makes durable what was applied, as far as the store is set to be. Only then may the log
    /// drop its entries.
    fn settle(&self) -> PortFuture<'_, Result<(), StoreError>>;

    /// The values of `keys`, in their order.
    fn get(&self, keys: Vec<RowKey>) -> PortFuture<'_, Result<Vec<Option<Bytes>>, StoreError>>;

    /// Rows of a range with their keys, in order (or backwards).
    fn range(&self, read: RangeRead) -> PortFuture<'_, Result<Vec<(Bytes, Bytes)>, StoreError>>;

    /// Whether they may lose a batch while this process goes on: see [`Log::may_lose`]. Where they
    /// can't, the overlay lets go of it at once.
    fn may_lose(&self) -> bool;
}

/// Reads that show the newest journaled state: the overlay merged with the tables.
pub trait Rows: Send + Sync {
    /// The newest entry number that a read may show.
    fn newest(&self) -> EntryNumber;

    /// The values of `keys`, in their order.
    fn get(&self, keys: Vec<RowKey>) -> PortFuture<'_, Result<Vec<Option<Bytes>>, StoreError>>;

    /// Rows of a range with their keys, in order (or backwards), deleted ones left out; never
    /// fewer than `limit` while the range has more.
    fn range(&self, read: RangeRead) -> PortFuture<'_, Result<Vec<(Bytes, Bytes)>, StoreError>>;
}
