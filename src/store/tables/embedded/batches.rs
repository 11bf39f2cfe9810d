//! How a batch gets into the tables: as one write of fjall's, or, if it is large, as files.
//!
//! Separate from `upkeep` because here is decided what a batch becomes; what fjall needs for it
//! stands there. Nothing here may let a start bring back what a batch has deleted; see
//! [`Inner::put_files`].

use std::sync::atomic::Ordering;

use fjall::{OwnedWriteBatch as WriteBatch, PersistMode};

use super::{Inner, WATERMARK, lock};
use crate::engine::ports::{EntryNumber, RowKey, RowWrite, StoreError, Table};

/// A batch of so many rows goes in as sorted files, one for each table: that takes half of the
/// time that fjall's journal, its memory and writing that out take (docs/benchmarks.md). With fewer
/// the files would be so small that merging them costs more.
pub(super) const BULK_ROWS: usize = 16_384;

/// Of these, a table with so many new values gets a file. Each costs seven synchronisations.
const FILE_ROWS: usize = 1_024;

/// So many rows at most are taken at once, if they wait: 64 MiB in the overlay at some 250 bytes
/// each, a quarter of `overlay_mib`'s default.
pub(super) const BATCH_ROWS: usize = 262_144;

impl Inner {
    /// Puts rows in as one write of fjall's, through its journal and its memory.
    pub(super) fn put_rows(&self, rows: &[&RowWrite], to: EntryNumber) -> Result<(), StoreError> {
        let mut write = WriteBatch::with_capacity(self.database.clone(), rows.len() + 1)
            .durability(Some(PersistMode::Buffer));
        for (table, rows) in by_table(rows) {
            let table = self.make_table(table)?;
            for RowWrite { key: RowKey { key, .. }, value } in rows {
                match value {
                    Some(value) => write.insert(&table, &key[..], &value[..]),
                    None => write.remove(&table, &key[..]),
                }
            }
        }
        write.insert(&self.facts, WATERMARK, to.to_le_bytes().as_slice());
        write.commit().map_err(|error| self.refused(error))?;
        self.gather(rows)?;
        self.sync_now_and_then(rows.len())
    }

    /// Puts new values in as a file for each table that has many of them, and what is left last,
    /// with the watermark. After a crash, or when fjall was opened again, there may be rows of
    /// entries beyond the watermark: until the log has brought them again, the overlay shows them.
    ///
    /// Deletions never stand in a file. What fjall reads again of its journal at a start is what is
    /// newer than all that the table's files have. Had the journal an older value, and a file its
    /// deletion, and were both merged away, the value would be there again.
    pub(super) fn put_files(&self, rows: &[&RowWrite], to: EntryNumber) -> Result<(), StoreError> {
        // If this fails, what was written of a file stays on the disk until fjall is opened again,
        // and rows stay that mustn't be shown without the others.
        self.is_halfway.store(true, Ordering::Relaxed);
        let mut rest = Vec::new();
        for (table, rows) in by_table(rows) {
            let values = rows.iter().filter(|row| row.value.is_some()).count();
            if values < FILE_ROWS {
                rest.extend(rows);
                continue;
            }
            let keyspace = self.make_table(table)?;
            let refused = |error| self.refused(error);
            let mut file = keyspace.start_ingestion().map_err(refused)?;
            for row in rows {
                match &row.value {
                    Some(value) => file.write(&row.key.key[..], &value[..]).map_err(refused)?,
                    None => rest.push(*row),
                }
            }
            // It has what the table has gathered written out first.
            file.finish().map_err(refused)?;
            lock(&self.gathered).remove(table.name);
        }
        self.put_rows(&rest, to)?;
        self.is_halfway.store(false, Ordering::Relaxed);
        Ok(())
    }
}

/// Rows come table by table.
pub(super) fn by_table<'a>(
    rows: &'a [&'a RowWrite],
) -> impl Iterator<Item = (Table, &'a [&'a RowWrite])> {
    let tables = rows.chunk_by(|one, next| one.key.table == next.key.table);
    tables.map(|rows| (rows[0].key.table, rows))
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use bytes::Bytes;

    use super::super::EmbeddedTables;
    use super::super::files::{State, When};
    use super::*;
    use crate::engine::ports::{TableBatch, Tables};
    use crate::store::directory::Directory;
    use crate::store::tables::conformance;

    const _: () =
        assert!(BULK_ROWS <= conformance::MANY_ROWS as usize, "the checks have large batches");

    pub(in super::super) const FEW: Table = Table::ordered(200, "few");
    pub(in super::super) const MANY: Table = Table::ordered(201, "many");

    pub(in super::super) fn row(
        table: Table,
        key: usize,
        value: Option<&'static [u8]>,
    ) -> RowWrite {
        let key = RowKey { table, key: Bytes::from(key.to_be_bytes().to_vec()) };
        RowWrite { key, value: value.map(Bytes::from_static) }
    }

    /// What is there, and so many rows of another table.
    pub(in super::super) fn batch(
        number: EntryNumber,
        rows: Vec<RowWrite>,
        many: usize,
    ) -> TableBatch {
        let many = (0..many).map(|key| row(MANY, key, Some(b"")));
        TableBatch { from: number, to: number, runs: vec![rows.into_iter().chain(many).collect()] }
    }

    pub(in super::super) async fn open(folder: &Path) -> EmbeddedTables {
        let directory = Directory::open(folder).expect("it is locked");
        let tables = EmbeddedTables::open(Arc::new(directory)).expect("they open");
        tables.take(1).await.expect("taken");
        tables
    }

    pub(in super::super) async fn get(tables: &EmbeddedTables, key: usize) -> Option<Bytes> {
        let found = tables.get(vec![row(FEW, key, None).key]).await.expect("readable");
        found.into_iter().next().flatten()
    }

    pub(in super::super) fn inner<T>(tables: &EmbeddedTables, look: impl FnOnce(&Inner) -> T) -> T {
        let State::Open(inner) = &*tables.files.state.read().expect("whole") else {
            panic!("they are closed")
        };
        look(inner)
    }

    pub(in super::super) fn files_of(tables: &EmbeddedTables, table: Table) -> usize {
        inner(tables, |inner| inner.make_table(table).expect("it is there").table_count())
    }

    #[tokio::test]
    async fn what_has_many_new_values_in_a_large_batch_goes_in_as_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let tables = open(folder.path()).await;
        tables.apply(batch(1, vec![], BULK_ROWS - 1)).await.expect("applied");
        assert_eq!(files_of(&tables, MANY), 0, "too small");
        let few = |count: usize| (0..count).map(|key| row(FEW, key, Some(b"it"))).collect();
        tables.apply(batch(2, few(FILE_ROWS - 1), BULK_ROWS)).await.expect("applied");
        // What the table had gathered before was written out first.
        assert_eq!((files_of(&tables, FEW), files_of(&tables, MANY)), (0, 2));
        tables.apply(batch(3, few(FILE_ROWS), BULK_ROWS - FILE_ROWS)).await.expect("applied");
        assert_eq!((files_of(&tables, FEW), files_of(&tables, MANY)), (2, 3));
        assert_eq!(get(&tables, FILE_ROWS - 1).await, Some(Bytes::from_static(b"it")));
    }

    /// fjall forgets deletions when it merges files, and reads its journal again at a start.
    #[tokio::test]
    async fn what_a_large_batch_has_deleted_stays_away() {
        let folder = tempfile::tempdir().expect("a folder");
        let tables = open(folder.path()).await;
        tables.apply(batch(1, vec![row(FEW, 7, Some(b"once"))], 0)).await.expect("applied");
        let deletions = || (0..FILE_ROWS).map(|key| row(FEW, key, None)).collect();
        tables.apply(batch(2, deletions(), BULK_ROWS)).await.expect("applied");
        let values = (100..100 + FILE_ROWS).map(|key| row(FEW, key, Some(b"it"))).collect();
        tables.apply(batch(3, values, BULK_ROWS)).await.expect("applied");
        let deletions = (0..3 * FILE_ROWS).map(|key| row(FEW, key, None)).collect();
        tables.apply(batch(4, deletions, BULK_ROWS)).await.expect("applied");
        inner(&tables, |inner| {
            let table = inner.make_table(FEW).expect("it is there");
            table.rotate_memtable_and_wait().expect("written out");
            table.major_compact().expect("merged");
            assert_eq!(table.table_count(), 0, "nothing is left of it");
        });
        for _ in 0..2 {
            tables.files.open_again(When::InUse).expect("all is there");
            assert_eq!((get(&tables, 7).await, get(&tables, 200).await), (None, None));
        }
    }

    fn folders_of_files(below: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(below).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders_of_files(&path, found);
                if path.file_name().is_some_and(|name| name == "tables") {
                    found.push(path);
                }
            }
        }
    }

    #[tokio::test]
    async fn a_large_batch_that_fails_halfway_is_not_seen_and_goes_in_after_a_new_opening() {
        let folder = tempfile::tempdir().expect("a folder");
        let tables = open(folder.path()).await;
        let few =
            |value: &'static [u8]| (0..FILE_ROWS).map(|key| row(FEW, key, Some(value))).collect();
        tables.apply(batch(1, few(b"before"), BULK_ROWS)).await.expect("applied");
        // Files of the second table, which was made last, can't be made.
        let mut folders = Vec::new();
        folders_of_files(&folder.path().join("tables"), &mut folders);
        folders.sort();
        let (there, away) = (folders.pop().expect("a table has one"), folder.path().join("away"));
        fs::rename(&there, &away).expect("moved");
        let after = batch(2, few(b"after"), BULK_ROWS);
        let failed = inner(&tables, |inner| inner.apply(1, &after));
        assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}");
        assert!(files_of(&tables, FEW) > 1, "the first table has its file");
        assert_eq!(get(&tables, 0).await, Some(Bytes::from_static(b"before")));
        inner(&tables, |inner| assert!(inner.refuses()));
        fs::rename(&away, &there).expect("moved back");
        tables.apply(after).await.expect("opened again, and applied");
        assert_eq!(get(&tables, 0).await, Some(Bytes::from_static(b"after")));
    }
}
