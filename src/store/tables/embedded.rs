//! The tables of the embedded store: fjall, one keyspace per table.
//!
//! Behind the log, so that an LSM store's flushes and compactions hit no acknowledgement. A small
//! batch goes in with its watermark as one write of fjall's. Some of these are synchronised
//! together, and all before the log drops what they have, so that the disk is left to the log's own
//! writes. A large one, which comes under load, goes in as a sorted file for each table,
//! synchronised when it is whole: what fjall's journal would keep the log has, and what its memory
//! would gather the overlay has gathered.
//!
//! Writes keep the thread of their caller, who does nothing else. Reads run on blocking threads. A
//! row in fjall's cache would be read faster on the spot, but nobody can know before asking: one
//! that isn't costs the caller's thread, on which a whole workspace may run, a disk's time. The hop
//! costs some 10 µs.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{panic, thread};

use bytes::Bytes;
use fjall::compaction::Leveled;
use fjall::config::PinningPolicy;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, LsmError, PersistMode, Readable, Snapshot};

use self::batches::{BATCH_ROWS, BULK_ROWS};
use self::files::{Files, ROOM_BYTES, When};
use super::{holds_nothing, is_due};
use crate::engine::ports::{
    EntryNumber, Epoch, PortFuture, RangeRead, RowKey, StoreError, Table, TableBatch, Tables,
};
use crate::store::directory::{self, Directory};

mod batches;
mod files;
mod upkeep;

/// Keyspace of the facts about the tables themselves; no table has this name.
const FACTS: &str = "_facts";
const WATERMARK: &[u8] = b"watermark";
const EPOCH: &[u8] = b"epoch";

/// Blocks kept in memory, for all tables together.
const CACHE_BYTES: u64 = 8 * 1024 * 1024;

/// Past this, fjall writes memtables out to be able to drop journals. The log holds the same
/// facts again, so there is no reason to keep more. Tests have less to write.
const JOURNAL_BYTES: u64 = if cfg!(test) { 128 } else { 256 } * 1024 * 1024;

/// When a table has so many new files they are merged, twice as many as is fjall's default: they
/// come often under load, and each merge writes anew what it merges them with. A table keeps what
/// it was made with.
const MERGED_FILES: u8 = 8;

/// How long a merged file gets, half of fjall's default: what the merged files of a table may come
/// to is this times [`MERGED_FILES`].
const MERGED_BYTES: u64 = 32 * 1024 * 1024;

/// fjall's threads, which write out what was gathered in memory and merge files. Of two or more it
/// keeps one for the former, and while another one merges, that one spins (docs/benchmarks.md).
const WORKERS: usize = 1;

/// So many rows at most are left to be synchronised with those after them: a megabyte or two.
const SYNC_ROWS: usize = 8_192;

/// The tables of one workspace in a directory.
pub(in crate::store) struct EmbeddedTables {
    files: Arc<Files>,
    /// The epoch taken; 0 before.
    epoch: AtomicU64,
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
    /// What each table has gathered in memory, in bytes.
    gathered: Mutex<BTreeMap<&'static str, u64>>,
    /// What went into fjall's journal since that was last looked after, in bytes.
    journaled: AtomicU64,
    /// What the opening read of the journal has been written out.
    is_written_anew: AtomicBool,
    /// The disk has refused something, and not for want of room: what it has isn't known.
    is_unsure: AtomicBool,
    /// What reads show while a batch goes in: not even one write of fjall's is always seen as a
    /// whole.
    before: Mutex<Option<Snapshot>>,
    /// A batch is going in table by table, or has failed halfway: nothing else is taken meanwhile.
    is_halfway: AtomicBool,
    /// A merge or a writing out has failed, and left files behind.
    has_remains: AtomicBool,
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
        let files = Arc::new(Files::open(path, directory)?);
        Ok(Self { files, epoch: AtomicU64::new(0) })
    }

    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> Result<T, StoreError> + Send + 'static,
    ) -> PortFuture<'static, Result<T, StoreError>> {
        let files = Arc::clone(&self.files);
        Box::pin(directory::blocking(move || work(&files)))
    }
}

impl Tables for EmbeddedTables {
    fn take(&self, epoch: Epoch) -> PortFuture<'_, Result<EntryNumber, StoreError>> {
        Box::pin(async move {
            let is_ours = epoch == self.epoch.load(Ordering::Relaxed);
            let when = if is_ours { When::InUse } else { When::AtStart };
            let take = move |files: &Files| files.write(when, |inner| inner.take(epoch));
            let watermark = self.run(take).await?;
            self.epoch.store(epoch, Ordering::Relaxed);
            Ok(watermark)
        })
    }

    fn apply(&self, batch: TableBatch) -> PortFuture<'_, Result<(), StoreError>> {
        let ours = self.epoch.load(Ordering::Relaxed);
        // On the spot, and always on the same thread: on whichever is free each would keep pieces
        // of rows for itself.
        Box::pin(async move { self.files.write(When::InUse, |inner| inner.apply(ours, &batch)) })
    }

    fn batch_rows(&self) -> usize {
        BATCH_ROWS
    }

    fn settle(&self) -> PortFuture<'_, Result<(), StoreError>> {
        Box::pin(async { self.files.write(When::InUse, Inner::settle) })
    }

    fn get(&self, keys: Vec<RowKey>) -> PortFuture<'_, Result<Vec<Option<Bytes>>, StoreError>> {
        self.run(move |files| {
            files.read(|inner| {
                // One snapshot for all keys, so that no batch is seen by halves.
                let snapshot = inner.snapshot();
                keys.iter().map(|key| inner.get(&snapshot, key)).collect()
            })
        })
    }

    fn range(&self, read: RangeRead) -> PortFuture<'_, Result<Rows, StoreError>> {
        self.run(move |files| files.read(|inner| inner.range(&read)))
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
            .worker_threads(WORKERS)
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
            gathered: Mutex::new(BTreeMap::new()),
            journaled: AtomicU64::new(0),
            is_written_anew: AtomicBool::new(false),
            is_unsure: AtomicBool::new(false),
            before: Mutex::new(None),
            is_halfway: AtomicBool::new(false),
            has_remains: AtomicBool::new(false),
        })
    }

    /// Whether a write has failed, so that no other is taken.
    fn refuses(&self) -> bool {
        let _no_batch_goes_in = lock(&self.watermark);
        matches!(self.check(), Err(fjall::Error::Poisoned))
    }

    /// An error if a write has failed, be it of files, of which fjall doesn't know. Beside a batch
    /// that is going in it says so too: whoever isn't to be told that holds the watermark.
    fn check(&self) -> Result<(), fjall::Error> {
        if self.is_halfway.load(Ordering::Relaxed) {
            return Err(fjall::Error::Poisoned);
        }
        self.check_upkeep()
    }

    /// The same of what isn't a batch, for whoever waits for one to go in.
    fn check_upkeep(&self) -> Result<(), fjall::Error> {
        if self.has_remains.load(Ordering::Relaxed) || self.is_unsure.load(Ordering::Relaxed) {
            return Err(fjall::Error::Poisoned);
        }
        self.database.persist(PersistMode::Buffer)
    }

    fn take(&self, epoch: Epoch) -> Result<EntryNumber, StoreError> {
        if number(&self.facts, EPOCH)? < epoch {
            self.awaits_turn(&[])?;
        }
        let watermark = lock(&self.watermark);
        let found = number(&self.facts, EPOCH)?;
        if found > epoch {
            return Err(StoreError::Fenced { found, ours: epoch });
        }
        // Also where it is only asked again, perhaps because the disk is full: nothing more is
        // taken after a write that failed. Whether there was one it says here, too.
        self.check().map_err(failed)?;
        if found == epoch {
            return Ok(*watermark);
        }
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncAll));
        batch.insert(&self.facts, EPOCH, epoch.to_le_bytes().as_slice());
        batch.commit().map_err(|error| self.refused(error))?;
        Ok(*watermark)
    }

    fn apply(&self, ours: Epoch, batch: &TableBatch) -> Result<(), StoreError> {
        // Before the watermark is held: another epoch doesn't wait for this one's batch.
        let rows = batch.rows();
        self.look_after_journal()?;
        self.awaits_turn(&rows)?;
        let mut watermark = lock(&self.watermark);
        let found = number(&self.facts, EPOCH)?;
        if ours == 0 || found > ours {
            return Err(StoreError::Fenced { found, ours });
        }
        if !is_due(*watermark, batch.from, batch.to)? {
            return Ok(());
        }
        self.check().map_err(failed)?;
        *lock(&self.before) = Some(self.database.snapshot());
        if rows.len() >= BULK_ROWS {
            self.put_files(&rows, batch.to)?;
        } else {
            self.put_rows(&rows, batch.to)?;
        }
        *lock(&self.before) = None;
        *watermark = batch.to;
        Ok(())
    }

    /// Synchronises what is much by now: all of it at once, when the log is to let go of it, would
    /// keep the disk from the log's own groups for up to 70 ms.
    fn sync_now_and_then(&self, rows: usize) -> Result<(), StoreError> {
        if self.unsynced.fetch_add(rows, Ordering::Relaxed) + rows < SYNC_ROWS {
            return Ok(());
        }
        self.unsynced.store(0, Ordering::Relaxed);
        self.sync(PersistMode::SyncData)
    }

    fn sync(&self, mode: PersistMode) -> Result<(), StoreError> {
        self.database.persist(mode).map_err(|error| self.refused(error))
    }

    /// Something wasn't written. What the disk has isn't known any more then, unless the system
    /// refused before it asked the disk.
    fn refused(&self, error: fjall::Error) -> StoreError {
        if let fjall::Error::Io(error) | fjall::Error::Storage(LsmError::Io(error)) = &error
            && !never_reached_the_disk(error)
        {
            self.is_unsure.store(true, Ordering::Relaxed);
        }
        failed(error)
    }

    /// Synchronises, and the first time writes out all that is gathered in memory, and so what the
    /// opening has read of the journal. So it does when nothing came since the last time: what then
    /// waits for hours is on disk alone, and a start has little to read again. Only a later
    /// rotation drops it from memory: fjall keeps what older snapshots could read, and looks
    /// through that when it rotates anything. So there is always the watermark to rotate.
    fn settle(&self) -> Result<(), StoreError> {
        let now = *lock(&self.watermark);
        let rests = self.settled.swap(now, Ordering::Relaxed) == now;
        if rests {
            self.awaits_turn(&[])?;
            let watermark = lock(&self.watermark);
            self.facts.insert(WATERMARK, watermark.to_le_bytes().as_slice()).map_err(failed)?;
        }
        self.sync(PersistMode::SyncAll)?;
        if !self.is_written_anew.load(Ordering::Relaxed) {
            on_a_thread_of_its_own(|| self.write_anew())?;
            self.is_written_anew.store(true, Ordering::Relaxed);
        } else if rests {
            on_a_thread_of_its_own(|| self.rotate())?;
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

    /// What reads show.
    fn snapshot(&self) -> Snapshot {
        // Held until there is a snapshot: in between a batch could begin, and be seen by halves.
        let before = lock(&self.before);
        before.clone().unwrap_or_else(|| self.database.snapshot())
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
        let found = self.snapshot().range::<&[u8], _>(&table, bounds);
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

/// Whether the system refused for want of room, memory or file descriptors, or because a path may
/// not be used: the disk was never asked.
fn never_reached_the_disk(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let refusals = [
        Errno::NOSPC,
        Errno::DQUOT,
        Errno::FBIG,
        Errno::NOMEM,
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOENT,
        Errno::ACCESS,
        Errno::PERM,
    ];
    match Errno::from_io_error(error) {
        Some(errno) => refusals.contains(&errno),
        // Whoever wraps an error keeps its kind.
        None => refusals.iter().any(|errno| io::Error::from(*errno).kind() == error.kind()),
    }
}

/// On a thread that ends with it. The allocator keeps some of what a thread has freed for that
/// thread, and each of the rows that are written out keeps the pages around it: after 100,000
/// callbacks a thread of tokio's that lived on kept 10 MB so.
fn on_a_thread_of_its_own(
    work: impl FnOnce() -> Result<(), StoreError> + Send,
) -> Result<(), StoreError> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("tables-rest".to_owned());
        let working = thread.spawn_scoped(scope, work);
        let working = working.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        working.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
    })
}

/// How a table's files are merged.
fn merging() -> Leveled {
    Leveled::default().with_l0_threshold(MERGED_FILES).with_table_target_size(MERGED_BYTES)
}

/// Indexes and filters of what is stored go through the cache like the rest: pinned ones would
/// grow with what waits.
fn table_options() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .compaction_strategy(Arc::new(merging()))
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
            "the tables couldn't be written; with room for {} MiB they go on by themselves, \
             else see to the disk and start again",
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
