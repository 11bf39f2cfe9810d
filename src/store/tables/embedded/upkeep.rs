//! What fjall's memory, its files and its journal need of us.
//!
//! Separate because here fjall is helped: it looks after its journal only when its thread writes
//! out memory, takes sorted files without looking after anything, and waits for its thread without
//! looking whether that still lives.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use fjall::{AbstractTree, Keyspace, LsmError};

use super::batches::by_table;
use super::{Inner, JOURNAL_BYTES, failed, lock, merging, table_options};
use crate::engine::ports::{RowWrite, StoreError};
use crate::store::keys::NO_KEY;

/// What each table gathers in memory before it is written out: fjall would have its only thread
/// begin that, which then may wait for itself. A quarter of fjall's default, because there are
/// twenty tables, and each may have some full ones that wait to be written. With less, a minute at
/// full speed cost more in compactions than was gained, when all rows still went through here.
const MEMTABLE_BYTES: u64 = 16 * 1024 * 1024;

/// What a row costs in memory beside its bytes, about.
const ROW_BYTES: u64 = 100;

/// What a row costs in fjall's journal beside its bytes, at most, and each batch beside its rows.
const JOURNAL_ROW_BYTES: u64 = 21;
const JOURNAL_BATCH_BYTES: u64 = 64;

/// When a batch comes, a table may have so many memtables that wait to be written out. Until fjall
/// looks itself, its thread may add one. With four it holds the batch back, for ever if its thread
/// has ended meanwhile.
const MOST_SEALED: usize = 2;

/// With so many files of a table that aren't merged yet a batch waits: fjall takes any number of
/// sorted ones. What it writes out itself it slows down at so many batches' files, and stops at 30.
const MOST_FILES: usize = 20;

/// Looked at so often meanwhile: fjall tells nobody.
const LOOK: Duration = Duration::from_millis(10);

/// After so many looks, five seconds, whoever waits merges what nobody merges, or is told to try
/// again. Tests have less time.
const LOOKS: usize = if cfg!(test) { 200 } else { 500 };

/// So many merges at most are made of a table then: the first may be of older files.
const MOST_MERGES: usize = 3;

/// When the journal has got so much more, fjall is to look whether it should begin another file,
/// which it does past 64,000,000 bytes.
const JOURNAL_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// With so much journal, as a rule some table keeps fjall from dropping any: what it drops must be
/// in files, and it takes that from the newest row in a table's files. A table that was emptied has
/// no row.
const STUCK_JOURNAL_BYTES: u64 = JOURNAL_BYTES + 2 * JOURNAL_FILE_BYTES;

/// What is older than this can be forgotten, if there is something newer: nothing is. fjall knows
/// what its snapshots show, and tells nobody.
const KEEP_ALL: u64 = 0;

impl Inner {
    /// Waits until fjall takes a batch with these rows without holding it back.
    pub(super) fn awaits_turn(&self, rows: &[&RowWrite]) -> Result<(), StoreError> {
        let mut touched = vec![self.facts.clone()];
        for (table, _) in by_table(rows) {
            touched.push(self.make_table(table)?);
        }
        self.awaits(&touched)
    }

    fn awaits(&self, tables: &[Keyspace]) -> Result<(), StoreError> {
        let had: Vec<usize> = tables.iter().map(Keyspace::l0_table_count).collect();
        for _ in 0..LOOKS {
            self.check_upkeep().map_err(failed)?;
            if tables.iter().all(keeps_up) {
                return Ok(());
            }
            thread::park_timeout(LOOK);
        }
        // fjall merges once for each file that comes, perhaps other ones, and none comes meanwhile.
        for (table, had) in tables.iter().zip(had) {
            for _ in 0..MOST_MERGES {
                let has = table.l0_table_count();
                if has >= MOST_FILES && has >= had {
                    self.merge(table)?;
                }
            }
        }
        if tables.iter().all(keeps_up) {
            return Ok(());
        }
        Err(StoreError::Busy(
            "what the tables have isn't written out and merged yet; see whether the disk is slow"
                .to_owned(),
        ))
    }

    /// Merges what should be merged first. Older values stay in it, until their keys come again.
    fn merge(&self, table: &Keyspace) -> Result<(), StoreError> {
        self.or_open_again(table.tree.compact(Arc::new(merging()), KEEP_ALL))
    }

    /// What was written of a file when that failed stays on the disk until fjall is opened again.
    fn or_open_again<T>(&self, done: Result<T, LsmError>) -> Result<T, StoreError> {
        done.map_err(|error| {
            self.has_remains.store(true, Ordering::Relaxed);
            self.refused(error.into())
        })
    }

    /// Has tables written out that have gathered much.
    pub(super) fn gather(&self, rows: &[&RowWrite]) -> Result<(), StoreError> {
        let mut gathered = lock(&self.gathered);
        self.journaled.fetch_add(JOURNAL_BATCH_BYTES, Ordering::Relaxed);
        for (table, rows) in by_table(rows) {
            let bytes =
                |row: &RowWrite| row.key.key.len() + row.value.as_ref().map_or(0, Bytes::len);
            let bytes = rows.iter().map(|row| bytes(row)).sum::<usize>() as u64;
            let journaled = bytes + rows.len() as u64 * JOURNAL_ROW_BYTES;
            self.journaled.fetch_add(journaled, Ordering::Relaxed);
            let all = gathered.entry(table.name).or_default();
            *all += bytes + rows.len() as u64 * ROW_BYTES;
            if *all >= MEMTABLE_BYTES {
                *all = 0;
                self.make_table(table)?.rotate_memtable().map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Looks after fjall's journal when it has got much.
    pub(super) fn look_after_journal(&self) -> Result<(), StoreError> {
        if self.journaled.load(Ordering::Relaxed) < JOURNAL_FILE_BYTES {
            return Ok(());
        }
        // If it fails, it is tried again when there is as much more.
        self.journaled.store(0, Ordering::Relaxed);
        self.shorten_journal()
    }

    /// Has fjall begin another file of its journal if it should, and drop those that it can.
    fn shorten_journal(&self) -> Result<(), StoreError> {
        let journal = self.database.journal_disk_space().map_err(failed)?;
        if journal < STUCK_JOURNAL_BYTES {
            // As a rule there is a watermark to write out.
            return self.facts.rotate_memtable().map(drop).map_err(failed);
        }
        tracing::info!(bytes = journal, "the tables' journal is long");
        let keyspaces = self.keyspaces()?;
        self.awaits(&keyspaces)?;
        for keyspace in &keyspaces {
            keyspace.remove(NO_KEY).map_err(failed)?;
        }
        self.rotate()
    }

    /// Has what is gathered in memory written out, and what was written before forgotten.
    pub(super) fn rotate(&self) -> Result<(), StoreError> {
        for keyspace in self.keyspaces()? {
            keyspace.rotate_memtable().map_err(failed)?;
            lock(&self.gathered).remove(&**keyspace.name());
        }
        Ok(())
    }

    /// Writes out what an opening has read of the journal, so that it is known to be on the disk:
    /// of what the disk has refused to fjall's thread nobody else is told, and a file shows it as
    /// written until the machine stops. Here and now, since that thread may have much to merge.
    pub(super) fn write_anew(&self) -> Result<(), StoreError> {
        self.rotate()?;
        for keyspace in self.keyspaces()? {
            let tree = &keyspace.tree;
            self.or_open_again(tree.flush(&tree.get_flush_lock(), KEEP_ALL))?;
        }
        Ok(())
    }

    fn keyspaces(&self) -> Result<Vec<Keyspace>, StoreError> {
        let names = self.database.list_keyspace_names().into_iter();
        names.map(|name| self.database.keyspace(&name, table_options).map_err(failed)).collect()
    }
}

/// Whether fjall's thread has little to do for a table. (fjall hides both from its documentation:
/// look here when it is upgraded.)
fn keeps_up(table: &Keyspace) -> bool {
    table.sealed_memtable_count() <= MOST_SEALED && table.l0_table_count() < MOST_FILES
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io;
    use std::sync::atomic::AtomicBool;
    use std::sync::mpsc::{self, RecvTimeoutError};

    use rustix::io::Errno;

    use super::super::EmbeddedTables;
    use super::super::batches::BULK_ROWS;
    use super::super::batches::tests::{FEW, MANY, batch, files_of, get, inner, open, row};
    use super::super::files::When;
    use super::*;
    use crate::engine::ports::{EntryNumber, Table, TableBatch, Tables};

    fn keyspace(tables: &EmbeddedTables, table: Table) -> Keyspace {
        inner(tables, |inner| inner.make_table(table).expect("it is there"))
    }

    fn facts(tables: &EmbeddedTables) -> Keyspace {
        inner(tables, |inner| inner.facts.clone())
    }

    /// A mebibyte that nothing can make shorter: by Marsaglia's xorshift.
    fn mebibyte() -> Bytes {
        let mut state = 1_u64;
        let next = |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        };
        (0..1 << 17).flat_map(next).collect()
    }

    type Applied = Result<(), StoreError>;

    /// Applies a batch of one row on another thread, which says how that went.
    fn begin(tables: &Arc<EmbeddedTables>, number: EntryNumber) -> mpsc::Receiver<Applied> {
        let (done, told) = mpsc::channel();
        let tables = Arc::clone(tables);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("one");
            done.send(runtime.block_on(tables.apply(batch(number, vec![], 1))))
        });
        told
    }

    fn waits(told: &mpsc::Receiver<Applied>) {
        let now = told.recv_timeout(LOOK * 5);
        assert!(matches!(now, Err(RecvTimeoutError::Timeout)), "it should wait, and was {now:?}");
    }

    fn ends(told: &mpsc::Receiver<Applied>) -> Applied {
        told.recv_timeout(Duration::from_mins(2)).expect("it ends")
    }

    #[tokio::test]
    async fn a_batch_that_waits_for_fjalls_thread_ends_when_that_has_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let tables = Arc::new(open(folder.path()).await);
        tables.apply(batch(1, vec![row(FEW, 1, Some(b"it"))], 0)).await.expect("applied");
        let (few, facts) = (keyspace(&tables, FEW), facts(&tables));
        // The thread stands before this table, and can't write the facts out.
        let busy = few.tree.get_flush_lock();
        few.rotate_memtable().expect("rotated");
        for count in 1..=4 {
            facts.insert("sealed", "").expect("inserted");
            facts.rotate_memtable().expect("rotated");
            assert_eq!(keeps_up(&facts), count <= MOST_SEALED);
        }
        let too_late = ends(&begin(&tables, 2)).expect_err("it waited long enough");
        assert!(matches!(too_late, StoreError::Busy(_)), "{too_late}");
        let told = begin(&tables, 2);
        waits(&told);
        fs::remove_dir(few.path().join("tables")).expect("it is empty");
        drop(busy);
        drop((few, facts));
        // They could be opened again at once or couldn't.
        match ends(&told) {
            Ok(()) | Err(StoreError::Unavailable(_)) => {}
            Err(other) => panic!("{other}"),
        }
        tables.apply(batch(2, vec![], 1)).await.expect("opened again, and applied");
        assert_eq!(get(&tables, 1).await, Some(Bytes::from_static(b"it")));
    }

    #[tokio::test]
    #[expect(clippy::await_holding_lock, reason = "nobody else in here asks for it")]
    async fn a_batch_waits_while_a_table_has_many_files_and_merges_them_if_nobody_does() {
        let folder = tempfile::tempdir().expect("a folder");
        let tables = Arc::new(open(folder.path()).await);
        tables.apply(batch(1, vec![row(FEW, 1, Some(b"it"))], 0)).await.expect("applied");
        let few = keyspace(&tables, FEW);
        // The thread stands before this table, and merges nothing.
        let busy = few.tree.get_flush_lock();
        few.rotate_memtable().expect("rotated");
        let most = MOST_FILES as u64;
        for number in 2..2 + most {
            tables.apply(batch(number, vec![], BULK_ROWS)).await.expect("applied");
        }
        assert_eq!(files_of(&tables, MANY), MOST_FILES);
        let told = begin(&tables, 2 + most);
        waits(&told);
        inner(&tables, |inner| assert!(inner.watermark.try_lock().is_ok(), "others go on"));
        ends(&told).expect("applied");
        assert!(files_of(&tables, MANY) < MOST_FILES, "they were merged");
        drop(busy);
        tables.apply(batch(3 + most, vec![], BULK_ROWS)).await.expect("applied");
    }

    #[tokio::test]
    async fn the_facts_are_written_out_when_the_journal_has_got_much_and_not_with_each_batch() {
        let folder = tempfile::tempdir().expect("a folder");
        let tables = open(folder.path()).await;
        let facts = facts(&tables);
        let written = || facts.sealed_memtable_count() + facts.table_count();
        for number in 1..=5 {
            tables.apply(batch(number, vec![], BULK_ROWS)).await.expect("applied");
        }
        assert_eq!(written(), 0);
        let got = |bytes| inner(&tables, |inner| inner.journaled.swap(bytes, Ordering::Relaxed));
        got(JOURNAL_FILE_BYTES - 1);
        tables.apply(batch(6, vec![], 1)).await.expect("applied");
        // A key of eight bytes, and no value.
        let more = JOURNAL_BATCH_BYTES + JOURNAL_ROW_BYTES + 8;
        assert_eq!((written(), got(JOURNAL_FILE_BYTES)), (0, JOURNAL_FILE_BYTES - 1 + more));
        tables.apply(batch(7, vec![], 1)).await.expect("applied");
        assert_eq!((written(), got(0)), (1, more));
    }

    /// fjall keeps a journal until each table of it has a row in its files that is as new as what
    /// the journal has of it.
    #[tokio::test]
    async fn a_table_that_was_emptied_keeps_no_journal() {
        let folder = tempfile::tempdir().expect("a folder");
        let tables = open(folder.path()).await;
        let journal = || inner(&tables, |inner| inner.database.journal_disk_space().expect("it"));
        tables.apply(batch(1, vec![row(FEW, 7, Some(b"it"))], 0)).await.expect("applied");
        tables.apply(batch(2, vec![row(FEW, 7, None)], 0)).await.expect("applied");
        let (value, mut number, mut longest) = (mebibyte(), 2, 0);
        let mut more = async |mib: u64| {
            for _ in 0..mib / 16 {
                number += 1;
                let key = |key| row(MANY, key, None).key;
                let row = |number| RowWrite { key: key(number), value: Some(value.clone()) };
                let runs = vec![(0..16).map(row).collect()];
                let batch = TableBatch { from: number, to: number, runs };
                tables.apply(batch).await.expect("applied");
                let many = keyspace(&tables, MANY);
                many.tree.flush(&many.tree.get_flush_lock(), KEEP_ALL).expect("written out");
                longest = longest.max(journal());
            }
        };
        // The first journal ends before the table is written out, and stays for the facts.
        more(64).await;
        let few = keyspace(&tables, FEW);
        few.rotate_memtable_and_wait().expect("written out");
        few.major_compact().expect("merged");
        assert_eq!(few.table_count(), 0, "nothing is left of it");
        let bound = STUCK_JOURNAL_BYTES + 2 * JOURNAL_FILE_BYTES;
        more((bound + JOURNAL_FILE_BYTES) >> 20).await;
        assert!(longest > STUCK_JOURNAL_BYTES, "{} MiB: it was never stuck", longest >> 20);
        assert!(longest <= bound, "{} MiB", longest >> 20);
        assert_eq!(get(&tables, 7).await, None);
    }

    #[tokio::test]
    async fn what_an_opening_has_read_of_the_journal_is_in_files_before_it_counts_as_settled() {
        let folder = tempfile::tempdir().expect("a folder");
        let tables = open(folder.path()).await;
        tables.settle().await.expect("settled");
        tables.apply(batch(1, vec![row(FEW, 1, Some(b"it"))], 0)).await.expect("applied");
        tables.settle().await.expect("settled");
        assert_eq!(files_of(&tables, FEW), 0, "only synchronised");
        tables.files.open_again(When::InUse).expect("all is there");
        tables.apply(batch(2, vec![row(MANY, 1, Some(b"it"))], 0)).await.expect("applied");
        assert_eq!(files_of(&tables, FEW), 0);
        tables.settle().await.expect("settled");
        assert_eq!(files_of(&tables, FEW), 1);
        tables.apply(batch(3, vec![row(FEW, 2, Some(b"it"))], 0)).await.expect("applied");
        tables.settle().await.expect("settled");
        assert_eq!((files_of(&tables, FEW), files_of(&tables, MANY)), (1, 1), "once is enough");
    }

    #[tokio::test]
    #[expect(clippy::await_holding_lock, reason = "nobody else in here asks for it")]
    async fn what_a_merge_or_a_writing_out_left_behind_goes_with_a_new_opening() {
        let folder = tempfile::tempdir().expect("a folder");
        let tables = open(folder.path()).await;
        let move_files = |table, is_back| {
            let path = keyspace(&tables, table).path().to_owned();
            let (there, away) = (path.join("tables"), path.join("away"));
            if is_back { fs::rename(&away, &there) } else { fs::rename(&there, &away) }
                .expect("moved");
        };
        let fails = |work: &dyn Fn(&Inner) -> Result<(), StoreError>| {
            let failed = inner(&tables, work);
            assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}");
            inner(&tables, |inner| assert!(inner.refuses()));
        };
        tables.apply(batch(1, vec![row(FEW, 1, Some(b"it"))], 0)).await.expect("applied");
        move_files(FEW, false);
        fails(&|inner| inner.settle());
        move_files(FEW, true);
        let remains = keyspace(&tables, FEW).path().join("tables").join("4711");
        fs::write(&remains, "a part of a file").expect("it is written");
        tables.settle().await.expect("opened again, and settled");
        assert_eq!(files_of(&tables, FEW), 1);
        assert!(!remains.exists());

        tables.apply(batch(2, vec![row(FEW, 2, Some(b"it"))], 0)).await.expect("applied");
        let few = keyspace(&tables, FEW);
        // The thread stands before this table, and merges nothing.
        let busy = few.tree.get_flush_lock();
        few.rotate_memtable().expect("rotated");
        for number in 3..13 {
            tables.apply(batch(number, vec![], BULK_ROWS)).await.expect("applied");
        }
        move_files(MANY, false);
        fails(&|inner| inner.merge(&keyspace(&tables, MANY)));
        move_files(MANY, true);
        drop(busy);
        drop(few);
        tables.apply(batch(13, vec![], 1)).await.expect("opened again, and applied");
    }

    #[tokio::test]
    async fn a_disk_that_refused_a_write_leaves_them_to_a_start() {
        let folder = tempfile::tempdir().expect("a folder");
        let tables = open(folder.path()).await;
        let wrapped = io::Error::new(io::ErrorKind::StorageFull, "wrapped");
        inner(&tables, |inner| drop(inner.refused(fjall::Error::Io(wrapped))));
        inner(&tables, |inner| assert!(!inner.is_unsure.load(Ordering::Relaxed)));
        let mut number = 0;
        for (errno, is_known) in [
            (Errno::NOSPC, true),
            (Errno::MFILE, true),
            (Errno::IO, false),
            // A file system becomes read-only by itself after errors of the disk.
            (Errno::ROFS, false),
        ] {
            let error = || io::Error::from(errno);
            // Of a merge, and of a batch.
            let refuse: [&dyn Fn(&Inner); 2] =
                [&|inner| drop(inner.or_open_again::<()>(Err(LsmError::Io(error())))), &|inner| {
                    inner.is_halfway.store(true, Ordering::Relaxed);
                    inner.refused(fjall::Error::Io(error()));
                }];
            for refuse in refuse {
                inner(&tables, refuse);
                number += 1;
                match tables.apply(batch(number, vec![], 1)).await {
                    Ok(()) => assert!(is_known, "{errno}: nobody knows what the disk has"),
                    Err(StoreError::Damaged { .. }) => {
                        assert!(!is_known, "{errno}: nothing is lost");
                        let start = 1 + number;
                        assert_eq!(tables.take(start).await.expect("taken"), number - 1);
                        tables.apply(batch(number, vec![], 1)).await.expect("opened, and applied");
                    }
                    Err(other) => panic!("{errno}: {other}"),
                }
            }
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn no_batch_is_seen_by_halves_while_others_are_written_out() {
        const ROWS: usize = 2_000;
        let folder = tempfile::tempdir().expect("a folder");
        let tables = Arc::new(open(folder.path()).await);
        let write = |number: EntryNumber| {
            let row = |key: usize| RowWrite {
                key: row(MANY, key, None).key,
                value: Some(Bytes::copy_from_slice(&number.to_be_bytes())),
            };
            TableBatch { from: number, to: number, runs: vec![(0..ROWS).map(row).collect()] }
        };
        tables.apply(write(1)).await.expect("applied");
        let is_over = Arc::new(AtomicBool::new(false));
        let readers = [(); 2].map(|()| {
            let (tables, is_over) = (Arc::clone(&tables), Arc::clone(&is_over));
            tokio::spawn(async move {
                let mut reads = 0;
                while !is_over.load(Ordering::Relaxed) {
                    let keys = [0, ROWS - 1].map(|key| row(MANY, key, None).key);
                    let found = tables.get(keys.to_vec()).await.expect("readable");
                    assert_eq!(found[0], found[1]);
                    reads += 1;
                }
                reads
            })
        });
        for number in 2..200 {
            tables.apply(write(number)).await.expect("applied");
            if number % 4 == 0 {
                keyspace(&tables, MANY).rotate_memtable().expect("rotated");
            }
        }
        is_over.store(true, Ordering::Relaxed);
        for reader in readers {
            assert!(reader.await.expect("none by halves") > 0);
        }
    }
}
