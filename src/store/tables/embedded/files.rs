//! Fjall's files, closed and opened again while the server goes on.
//!
//! After a write that failed, as on a full disk, nothing more is taken until fjall is opened again.
//! That is done here as soon as the disk has room. Where something is gone then, or what the disk
//! has isn't known, the journal is told that they are damaged: the workspace starts again, opens
//! them anew, and brings from the log what they lack.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use rustix::fs::StatVfs;

use super::{Inner, lock};
use crate::engine::ports::{EntryNumber, StoreError};
use crate::store::directory::{self, Directory};
use crate::store::log::SEGMENT_BYTES;

/// The disk takes something again when it has room for so much: as much as for a segment of the
/// log, which fails with the tables.
pub(super) const ROOM_BYTES: u64 = SEGMENT_BYTES;

/// Extension of the file that is made to see that, and goes at once.
const TRIED: &str = "room";

/// Waited for between closing fjall and opening it again.
const LETS_GO: Duration = Duration::from_millis(100);

/// Where they are, and what is open of them.
pub(super) struct Files {
    path: PathBuf,
    pub(super) state: RwLock<State>,
    /// Last, so that the lock outlives the database.
    _directory: Arc<Directory>,
}

pub(super) enum State {
    Open(Inner),
    /// They couldn't be opened again yet; what they had is up to this watermark.
    Closed(EntryNumber),
}

/// When something is asked of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// By a workspace that starts: it looks how far they are, and brings the rest from the log.
    AtStart,
    /// By one that counts on what they had.
    InUse,
}

/// Why nothing more is written to fjall's files as they are open now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// Nothing is in the way.
    None,
    /// A write has failed halfway, or they are closed.
    Halfway,
    /// The disk has refused one: what it has isn't known.
    Unsure,
}

impl Files {
    /// Opens them in a locked directory.
    pub(super) fn open(path: PathBuf, directory: Arc<Directory>) -> Result<Self, StoreError> {
        // Of a process that was killed meanwhile; as a rule there is none.
        let _ = fs::remove_file(path.with_extension(TRIED));
        let state = RwLock::new(State::Open(Inner::open(&path)?));
        Ok(Self { path, state, _directory: directory })
    }

    /// Does something with them while they are open.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Open(inner) => work(inner),
            State::Closed(_) => {
                Err(StoreError::Unavailable("the tables aren't open again yet".to_owned()))
            }
        }
    }

    /// Does what may be refused after a write that failed: then fjall is opened again and asked
    /// once more, if the disk has room.
    ///
    /// # Errors
    ///
    /// Beside those of `work`: [`StoreError::Damaged`] if what the disk has isn't known, so that
    /// only a start can go on.
    pub(super) fn write<T>(
        &self,
        when: When,
        work: impl Fn(&Inner) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let done = self.read(&work);
        if !matches!(done, Err(StoreError::Unavailable(_))) {
            return done;
        }
        match (self.refusal(), when) {
            (Refusal::Unsure, When::InUse) => Err(StoreError::Damaged {
                place: self.path.display().to_string(),
                what: "the disk refused a write, so that nobody knows what it has; a start opens \
                       the tables anew"
                    .to_owned(),
            }),
            // A start asks for no more room than a new process does.
            (Refusal::Halfway | Refusal::Unsure, _)
                if when == When::AtStart || has_room(&self.path) =>
            {
                self.open_again(when)?;
                self.read(work)
            }
            (Refusal::None | Refusal::Halfway | Refusal::Unsure, _) => done,
        }
    }

    /// Whether nothing is taken until fjall is opened again, and why.
    fn refusal(&self) -> Refusal {
        let refusal = |inner: &Inner| {
            if inner.is_unsure.load(Ordering::Relaxed) {
                Refusal::Unsure
            } else if inner.refuses() {
                Refusal::Halfway
            } else {
                Refusal::None
            }
        };
        self.read(|inner| Ok(refusal(inner))).unwrap_or(Refusal::Halfway)
    }

    /// Opens fjall again. Readers wait; they find all that was there, or the tables closed.
    pub(super) fn open_again(&self, when: When) -> Result<(), StoreError> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let had = match &*state {
            State::Open(inner) => *lock(&inner.watermark),
            State::Closed(had) => *had,
        };
        // Closed before they are opened: fjall locks its files. Its threads let go of its journal,
        // and write the rest of it, a moment after they count as ended.
        *state = State::Closed(had);
        thread::park_timeout(LETS_GO);
        let inner = Inner::open(&self.path)
            .map_err(|error| StoreError::Unavailable(format!("opening the tables: {error}")))?;
        let has = *lock(&inner.watermark);
        // More is right: a batch that failed may have been written as fjall closed.
        if when == When::InUse && has < had {
            let place = self.path.display().to_string();
            let what = format!("opened again, it has entries up to {has} of {had}");
            return Err(StoreError::Damaged { place, what });
        }
        *state = State::Open(inner);
        tracing::info!(path = %self.path.display(), "the tables are open again");
        Ok(())
    }
}

/// Whether the disk has room again, or can't say.
fn has_room(path: &Path) -> bool {
    let room = |found: StatVfs| found.f_bavail.saturating_mul(found.f_frsize);
    if rustix::fs::statvfs(path).is_ok_and(|found| room(found) < ROOM_BYTES) {
        return false;
    }
    let tried = path.with_extension(TRIED);
    let reserved = File::create(&tried).and_then(|file| directory::reserve(&file, ROOM_BYTES));
    fs::remove_file(&tried).and(reserved).is_ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::super::EmbeddedTables;
    use super::*;
    use crate::engine::ports::{RangeRead, RowKey, RowWrite, Table, TableBatch, Tables};

    const TABLE: Table = Table::ordered(200, "things");

    fn batch(number: EntryNumber) -> TableBatch {
        let key = RowKey { table: TABLE, key: Bytes::from(number.to_be_bytes().to_vec()) };
        let row = RowWrite { key, value: Some(Bytes::from_static(b"it")) };
        TableBatch { from: number, to: number, runs: vec![[row].into()] }
    }

    #[tokio::test]
    async fn they_are_opened_again_with_all_that_they_had_or_stay_closed_until_a_start() {
        let folder = tempfile::tempdir().expect("a folder");
        let directory = Directory::open(folder.path()).expect("it is locked");
        let tables = EmbeddedTables::open(Arc::new(directory)).expect("they open");
        tables.take(1).await.expect("taken");
        tables.apply(batch(1)).await.expect("applied");
        assert_eq!(tables.files.refusal(), Refusal::None);
        tables.files.open_again(When::InUse).expect("all is there");
        tables.apply(batch(2)).await.expect("it goes on where it was");
        let start = Bytes::new();
        let read = RangeRead { table: TABLE, start, end: None, reverse: false, limit: 9 };
        let all = || tables.range(read.clone());
        assert_eq!(all().await.expect("they are open").len(), 2);

        let had = |watermark| {
            if let State::Open(inner) = &*tables.files.state.read().expect("whole") {
                *lock(&inner.watermark) = watermark;
            }
        };
        had(1);
        tables.files.open_again(When::InUse).expect("and what was under way");
        tables.apply(batch(2)).await.expect("there already");
        tables.apply(batch(3)).await.expect("the next one");

        had(7);
        for _ in 0..2 {
            let lost = tables.files.open_again(When::InUse).expect_err("four entries are missing");
            let is_known =
                matches!(&lost, StoreError::Damaged { what, .. } if what.contains("3 of 7"));
            assert!(is_known, "{lost}");
            assert_eq!(tables.files.refusal(), Refusal::Halfway);
        }
        let closed = all().await.expect_err("what was read before might be missing");
        assert!(matches!(closed, StoreError::Unavailable(_)), "{closed}");
        tables.apply(batch(8)).await.expect_err("nor is anything written");
        let entries = tables.take(2).await.expect("a start finds what there is");
        assert_eq!((entries, all().await.expect("they are open").len()), (3, 3));
        tables.apply(batch(4)).await.expect("and brings the rest");
    }
}
