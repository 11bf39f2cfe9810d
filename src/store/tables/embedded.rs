//! The tables of the embedded store: fjall, one keyspace per table.
//!
//! Behind the log, so that an LSM store's flushes and compactions hit no acknowledgement. A batch
//! goes in with its watermark as one write of fjall's. Some of these are synchronised together, and
//! all before the log drops what they have, so that the disk is left to the log's own writes.
//!
//! Writes keep the thread of their caller, who does nothing else. Reads run on blocking threads. A
//! row in fjall's cache would be read faster on the spot, but nobody can know before asking: one
//! that isn't costs the caller's thread, on which a whole workspace may run, a disk's time. The hop
//! costs some 10 µs.
//!
//! After a write that failed, as on a full disk, fjall refuses all others until it is opened again.
//! That is done here as soon as the disk takes something, and counts if all is there that was:
//! what isn't is in the log, from which a start brings it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::{panic, thread};

use bytes::Bytes;
use fjall::config::PinningPolicy;
use fjall::{
    Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch as WriteBatch, PersistMode,
    Readable, Snapshot,
};
use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use super::{holds_nothing, is_due};
use crate::engine::ports::{
    EntryNumber, Epoch, PortFuture, RangeRead, RowKey, StoreError, Table, TableBatch, Tables,
};
use crate::store::directory::{self, Directory};

/// Keyspace of the facts about the tables themselves; no table has this name.
const FACTS: &str = "_facts";
const WATERMARK: &[u8] = b"watermark";
const EPOCH: &[u8] = b"epoch";

/// Blocks kept in memory, for all tables together.
const CACHE_BYTES: u64 = 8 * 1024 * 1024;

/// What each table gathers in memory before it is written out. A quarter of fjall's default,
/// because there are twenty tables, and each may have one full and one being written. With less
/// the compactions of a minute at full speed cost more than is gained.
const MEMTABLE_BYTES: u64 = 16 * 1024 * 1024;

/// Past this, fjall writes memtables out to be able to drop journals. The log holds the same
/// facts again, so there is no reason to keep more.
const JOURNAL_BYTES: u64 = 256 * 1024 * 1024;

/// So many rows at most are left to be synchronised with those after them: a megabyte or two.
const SYNC_ROWS: usize = 8_192;

/// The disk takes something again when it has room for so much: as much as for a segment of the
/// log, which fails with the tables.
const ROOM_BYTES: u64 = 64 * 1024 * 1024;

/// The tables of one workspace in a directory.
pub(in crate::store) struct EmbeddedTables {
    place: Arc<Place>,
    /// The epoch taken; 0 before.
    epoch: AtomicU64,
    /// Last, so that the lock outlives the database.
    _directory: Arc<Directory>,
}

/// Where they are, and whether they are open.
struct Place {
    path: PathBuf,
    state: RwLock<State>,
}

enum State {
    Open(Inner),
    /// They couldn't be opened again with all that they had, which is up to this watermark.
    Closed(EntryNumber),
}

struct Inner {
    database: Database,
    facts: Keyspace,
    /// Tables that exist, by name; a table is made by the first batch with a row of it.
    tables: Mutex<BTreeMap<&'static str, Keyspace>>,
    /// The watermark; held through a batch, so that two can't be applied at once.
    watermark: Mutex<EntryNumber>,
    /// The watermark when it was last settled, or opened.
    settled: AtomicU64,
    /// Rows since something was synchronised.
    unsynced: AtomicUsize,
}

type Rows = Vec<(Bytes, Bytes)>;

impl EmbeddedTables {
    /// Opens the tables in a locked directory.
    ///
    /// Blocks on I/O; call it where that is allowed.
    pub(in crate::store) fn open(directory: Arc<Directory>) -> Result<Self, StoreError> {
        let path = directory.made_whole("tables", |path| {
            let (database, _facts) = open_at(path)?;
            database.persist(PersistMode::SyncAll).map_err(failed)
        })?;
        let state = RwLock::new(State::Open(Inner::open(&path)?));
        let place = Arc::new(Place { path, state });
        Ok(Self { place, epoch: AtomicU64::new(0), _directory: directory })
    }

    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Place) -> Result<T, StoreError> + Send + 'static,
    ) -> PortFuture<'static, Result<T, StoreError>> {
        let place = Arc::clone(&self.place);
        Box::pin(directory::blocking(move || work(&place)))
    }
}

impl Place {
    fn read<T>(&self, work: impl FnOnce(&Inner) -> Result<T, StoreError>) -> Result<T, StoreError> {
        match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Open(inner) => work(inner),
            State::Closed(_) => Err(StoreError::Unavailable(
                "the tables couldn't be opened again with all that they had; start again"
                    .to_owned(),
            )),
        }
    }

    /// Does what fjall may refuse after a write that failed: then it is opened again and asked
    /// once more, if the disk has room.
    fn write<T>(&self, work: impl Fn(&Inner) -> Result<T, StoreError>) -> Result<T, StoreError> {
        match self.read(&work) {
            Err(StoreError::Unavailable(_)) if self.is_refused() && has_room(&self.path) => {
                self.open_again()?;
                self.read(work)
            }
            done => done,
        }
    }

    /// Whether nothing is taken until fjall is opened again.
    fn is_refused(&self) -> bool {
        self.read(|inner| Ok(inner.refuses())).unwrap_or(true)
    }

    /// Opens fjall again. Readers wait; they find all that was there, or the tables closed.
    fn open_again(&self) -> Result<(), StoreError> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let had = match &*state {
            State::Open(inner) => *lock(&inner.watermark),
            State::Closed(had) => *had,
        };
        // Closed before they are opened: fjall locks its files.
        *state = State::Closed(had);
        let inner = Inner::open(&self.path)
            .map_err(|error| StoreError::Unavailable(format!("opening the tables: {error}")))?;
        let has = *lock(&inner.watermark);
        if has != had {
            let what = format!("the tables came back with entries up to {has} of {had}");
            return Err(StoreError::Unavailable(what + "; start again"));
        }
        *state = State::Open(inner);
        tracing::info!(path = %self.path.display(), "the tables are open again");
        Ok(())
    }
}

/// Whether the disk has room again, or can't say.
fn has_room(path: &Path) -> bool {
    let tried = path.with_extension("room");
    let reserved = File::create(&tried).is_ok_and(|file| {
        match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, ROOM_BYTES) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => true,
            Err(_) => false,
        }
    });
    fs::remove_file(&tried).is_ok() && reserved
}

impl Tables for EmbeddedTables {
    fn take(&self, epoch: Epoch) -> PortFuture<'_, Result<EntryNumber, StoreError>> {
        Box::pin(async move {
            let watermark = self.run(move |place| place.write(|inner| inner.take(epoch))).await?;
            self.epoch.store(epoch, Ordering::Relaxed);
            Ok(watermark)
        })
    }

    fn apply(&self, batch: TableBatch) -> PortFuture<'_, Result<(), StoreError>> {
        let ours = self.epoch.load(Ordering::Relaxed);
        // On the spot, and always on the same thread: on whichever is free each would keep pieces
        // of rows for itself.
        Box::pin(async move { self.place.write(|inner| inner.apply(ours, &batch)) })
    }

    fn settle(&self) -> PortFuture<'_, Result<(), StoreError>> {
        Box::pin(async { self.place.write(Inner::settle) })
    }

    fn get(&self, keys: Vec<RowKey>) -> PortFuture<'_, Result<Vec<Option<Bytes>>, StoreError>> {
        self.run(move |place| {
            place.read(|inner| {
                // One snapshot for all keys, so that no batch is seen by halves.
                let snapshot = inner.database.snapshot();
                keys.iter().map(|key| inner.get(&snapshot, key)).collect()
            })
        })
    }

    fn range(&self, read: RangeRead) -> PortFuture<'_, Result<Rows, StoreError>> {
        self.run(move |place| place.read(|inner| inner.range(&read)))
    }

    fn may_lose(&self) -> bool {
        false
    }
}

/// Opens fjall's files, or makes them: that is many steps, and of a process that was killed
/// between two of them fjall can't open what was left. Hence [`Directory::made_whole`].
fn open_at(path: &Path) -> Result<(Database, Keyspace), StoreError> {
    let open = || -> Result<(Database, Keyspace), fjall::Error> {
        let database = Database::builder(path)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES)
            .open()?;
        let facts = database.keyspace(FACTS, KeyspaceCreateOptions::default)?;
        Ok((database, facts))
    };
    open().map_err(|error| opening(&path.display().to_string(), error))
}

impl Inner {
    fn open(path: &Path) -> Result<Self, StoreError> {
        let (database, facts) = open_at(path)?;
        let watermark = number(&facts, WATERMARK)?;
        Ok(Self {
            database,
            facts,
            tables: Mutex::new(BTreeMap::new()),
            watermark: Mutex::new(watermark),
            settled: AtomicU64::new(watermark),
            unsynced: AtomicUsize::new(0),
        })
    }

    /// Whether a write has failed, so that no other is taken.
    fn refuses(&self) -> bool {
        matches!(self.database.persist(PersistMode::Buffer), Err(fjall::Error::Poisoned))
    }

    fn take(&self, epoch: Epoch) -> Result<EntryNumber, StoreError> {
        let watermark = lock(&self.watermark);
        let found = number(&self.facts, EPOCH)?;
        if found > epoch {
            return Err(StoreError::Fenced { found, ours: epoch });
        }
        if found == epoch {
            // Only asked again, and perhaps because the disk is full: fjall takes nothing more
            // after a write that failed. Whether there was one it says here, too.
            self.database.persist(PersistMode::Buffer).map_err(failed)?;
            return Ok(*watermark);
        }
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncAll));
        batch.insert(&self.facts, EPOCH, epoch.to_le_bytes().as_slice());
        batch.commit().map_err(failed)?;
        Ok(*watermark)
    }

    fn apply(&self, ours: Epoch, batch: &TableBatch) -> Result<(), StoreError> {
        let mut watermark = lock(&self.watermark);
        let found = number(&self.facts, EPOCH)?;
        if ours == 0 || found > ours {
            return Err(StoreError::Fenced { found, ours });
        }
        if !is_due(*watermark, batch.from, batch.to)? {
            return Ok(());
        }
        let mut write = WriteBatch::with_capacity(self.database.clone(), batch.rows.len() + 1)
            .durability(Some(PersistMode::Buffer));
        // Rows come table by table.
        for rows in batch.rows.chunk_by(|one, next| one.key.table == next.key.table) {
            let table = self.make_table(rows[0].key.table)?;
            for row in rows {
                match &row.value {
                    Some(value) => write.insert(&table, &row.key.key[..], &value[..]),
                    None => write.remove(&table, &row.key.key[..]),
                }
            }
        }
        write.insert(&self.facts, WATERMARK, batch.to.to_le_bytes().as_slice());
        write.commit().map_err(failed)?;
        *watermark = batch.to;
        self.sync_now_and_then(batch.rows.len())?;
        Ok(())
    }

    /// Synchronises what is much by now: all of it at once, when the log is to let go of it, would
    /// keep the disk from the log's own groups for up to 70 ms.
    fn sync_now_and_then(&self, rows: usize) -> Result<(), StoreError> {
        if self.unsynced.fetch_add(rows, Ordering::Relaxed) + rows < SYNC_ROWS {
            return Ok(());
        }
        self.unsynced.store(0, Ordering::Relaxed);
        self.database.persist(PersistMode::SyncData).map_err(failed)
    }

    /// Synchronises. When nothing came since the last time, what is gathered in memory is written
    /// out too: what then waits for hours is on disk alone, and a start has little to read again.
    /// Only a later rotation drops it from memory: fjall keeps what older snapshots could read, and
    /// looks through that when it rotates anything. So there is always the watermark to rotate.
    fn settle(&self) -> Result<(), StoreError> {
        let watermark = lock(&self.watermark);
        let now = *watermark;
        let rests = self.settled.swap(now, Ordering::Relaxed) == now;
        if rests {
            self.facts.insert(WATERMARK, now.to_le_bytes().as_slice()).map_err(failed)?;
        }
        drop(watermark);
        self.database.persist(PersistMode::SyncAll).map_err(failed)?;
        if !rests {
            return Ok(());
        }
        // On a thread that ends with it. The allocator keeps some of what a thread has freed for
        // that thread, and each of these rows keeps the pages around it: after 100,000 callbacks
        // a thread of tokio's that lived on kept 10 MB so.
        thread::scope(|scope| {
            let thread = thread::Builder::new().name("tables-rest".to_owned());
            let rotating = thread.spawn_scoped(scope, || self.rotate());
            let rotating = rotating.map_err(|error| StoreError::Unavailable(error.to_string()))?;
            rotating.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
        })
    }

    /// Has what is gathered in memory written out, and what was written before forgotten.
    fn rotate(&self) -> Result<(), StoreError> {
        for name in self.database.list_keyspace_names() {
            let keyspace = self.database.keyspace(&name, table_options).map_err(failed)?;
            keyspace.rotate_memtable().map_err(failed)?;
        }
        Ok(())
    }

    /// The keyspace of a table, made when it isn't there.
    fn make_table(&self, table: Table) -> Result<Keyspace, StoreError> {
        let mut tables = lock(&self.tables);
        if let Some(keyspace) = tables.get(table.name) {
            return Ok(keyspace.clone());
        }
        let keyspace = self.database.keyspace(table.name, table_options).map_err(failed)?;
        tables.insert(table.name, keyspace.clone());
        Ok(keyspace)
    }

    /// The keyspace of a table; none when it never had a row. Reading makes no tables.
    fn table(&self, table: Table) -> Result<Option<Keyspace>, StoreError> {
        if let Some(keyspace) = lock(&self.tables).get(table.name) {
            return Ok(Some(keyspace.clone()));
        }
        if !self.database.keyspace_exists(table.name) {
            return Ok(None);
        }
        self.make_table(table).map(Some)
    }

    fn get(&self, snapshot: &Snapshot, key: &RowKey) -> Result<Option<Bytes>, StoreError> {
        let Some(table) = self.table(key.table)? else { return Ok(None) };
        let value = snapshot.get(&table, &key.key).map_err(failed)?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn range(&self, read: &RangeRead) -> Result<Rows, StoreError> {
        if holds_nothing(read) {
            return Ok(Vec::new());
        }
        let Some(table) = self.table(read.table)? else { return Ok(Vec::new()) };
        let end = read.end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let bounds: (Bound<&[u8]>, Bound<&[u8]>) = (Bound::Included(&read.start), end);
        let found = self.database.snapshot().range::<&[u8], _>(&table, bounds);
        let row = |guard: fjall::Guard| {
            let (key, value) = guard.into_inner().map_err(failed)?;
            Ok((Bytes::copy_from_slice(&key), Bytes::copy_from_slice(&value)))
        };
        if read.reverse {
            found.rev().take(read.limit).map(row).collect()
        } else {
            found.take(read.limit).map(row).collect()
        }
    }
}

/// Indexes and filters of what is stored go through the cache like the rest: pinned ones would
/// grow with what waits.
fn table_options() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(MEMTABLE_BYTES)
        .index_block_pinning_policy(PinningPolicy::disabled())
        .filter_block_pinning_policy(PinningPolicy::disabled())
}

/// A number among the facts; 0 before it was first written.
fn number(facts: &Keyspace, name: &[u8]) -> Result<u64, StoreError> {
    let Some(bytes) = facts.get(name).map_err(failed)? else { return Ok(0) };
    let bytes: [u8; 8] = bytes.as_ref().try_into().map_err(|_| StoreError::Damaged {
        place: format!("tables, fact {}", String::from_utf8_lossy(name)),
        what: format!("{} bytes where a number has 8", bytes.len()),
    })?;
    Ok(u64::from_le_bytes(bytes))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each of these holds a value that is replaced as a whole, so a panic leaves it whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What fjall says while it runs. After a failed write it refuses all others until it is opened
/// again ("poisoned"), which is right: the log keeps what the tables lack, up to its bound.
fn failed(error: fjall::Error) -> StoreError {
    match error {
        fjall::Error::Poisoned => StoreError::Unavailable(format!(
            "the tables couldn't be written; they go on when the disk has room for {} MiB",
            ROOM_BYTES >> 20
        )),
        error => StoreError::Unavailable(format!("tables: {error}")),
    }
}

/// What fjall says when it opens: trouble with the system, or files that aren't what was written.
fn opening(place: &str, error: fjall::Error) -> StoreError {
    match error {
        fjall::Error::Locked => StoreError::Locked(place.to_owned()),
        fjall::Error::Io(error) => StoreError::Unavailable(format!("{place}: {error}")),
        error => StoreError::Damaged { place: place.to_owned(), what: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ports::RowWrite;

    const TABLE: Table = Table::ordered(200, "things");

    fn batch(number: EntryNumber) -> TableBatch {
        let key = RowKey { table: TABLE, key: Bytes::from(number.to_be_bytes().to_vec()) };
        let row = RowWrite { key, value: Some(Bytes::from_static(b"it")) };
        TableBatch { from: number, to: number, rows: [row].into() }
    }

    #[tokio::test]
    async fn they_are_opened_again_with_all_that_they_had_or_stay_closed() {
        let folder = tempfile::tempdir().expect("a folder");
        let directory = Directory::open(folder.path()).expect("it is locked");
        let tables = EmbeddedTables::open(Arc::new(directory)).expect("they open");
        tables.take(1).await.expect("taken");
        tables.apply(batch(1)).await.expect("applied");
        assert!(!tables.place.is_refused());
        tables.place.open_again().expect("all is there");
        tables.apply(batch(2)).await.expect("it goes on where it was");
        let start = Bytes::new();
        let read = RangeRead { table: TABLE, start, end: None, reverse: false, limit: 9 };
        let all = || tables.range(read.clone());
        assert_eq!(all().await.expect("they are open").len(), 2);

        if let State::Open(inner) = &*tables.place.state.read().expect("whole") {
            *lock(&inner.watermark) = 7;
        }
        for _ in 0..2 {
            let lost = tables.place.open_again().expect_err("five entries are missing");
            assert!(lost.to_string().contains("up to 2 of 7"), "{lost}");
            assert!(tables.place.is_refused());
        }
        let closed = all().await.expect_err("what was read before might be missing");
        assert!(closed.to_string().contains("start again"), "{closed}");
        tables.apply(batch(8)).await.expect_err("nor is anything written");
    }
}
