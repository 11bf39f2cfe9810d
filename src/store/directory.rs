//! The directory of one workspace in an embedded store: its lock, and its head file.
//!
//! Separate because log and tables share both. The head says which epoch was taken last and which
//! instance this is; it is never written in place, because half a head would lock everyone out.
//!
//! ```text
//! PATH/WORKSPACE/lock      held by the one process that has it open
//! PATH/WORKSPACE/head      epoch, instance and layout
//! PATH/WORKSPACE/log/      segments of the log
//! PATH/WORKSPACE/tables/   the tables' own files; `tables.new/` until they are made, and
//!                          `tables.room` for as long as it is tried whether the disk has room
//! ```

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use super::keys::LAYOUT;
use crate::engine::ports::{Epoch, StoreError};

/// First bytes of the head file; the last digit is the version of the file's own layout.
const HEAD_MAGIC: &[u8; 8] = b"RBHEAD02";

/// The same of the first version, which had no layout of the store: still read.
const FIRST_MAGIC: &[u8; 8] = b"RBHEAD01";

/// Magic, epoch, instance, layout, checksum.
const HEAD_LENGTH: usize = 8 + 8 + 16 + 4 + 4;

/// Which taking and which store this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// The last epoch taken; 0 before the first.
    pub(super) epoch: Epoch,
    /// Drawn when the store was made.
    pub(super) instance: u128,
    /// [`LAYOUT`] of the release that took it last.
    pub(super) layout: u32,
}

/// An open and locked directory; the lock ends with the last owner of this.
#[derive(Debug)]
pub(in crate::store) struct Directory {
    path: PathBuf,
    /// Kept for its lock only.
    _lock: File,
}

impl Directory {
    /// Makes the directory when it isn't there, and locks it for this process.
    pub(in crate::store) fn open(path: &Path) -> Result<Self, StoreError> {
        make_directory(path)?;
        let lock_path = path.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&lock_path);
        let lock = lock.map_err(|error| trouble(&lock_path, &error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked(path.display().to_string()));
            }
            Err(TryLockError::Error(error)) => return Err(trouble(&lock_path, &error)),
        }
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// A directory inside, made when it isn't there.
    pub(super) fn inner(&self, name: &str) -> Result<PathBuf, StoreError> {
        let path = self.path.join(name);
        make_directory(&path)?;
        Ok(path)
    }

    /// A directory inside whose first content is made in several steps: it gets its name when all
    /// of them are done, so that a process that is killed in between leaves nothing by that name.
    pub(super) fn made_whole(
        &self,
        name: &str,
        make: impl FnOnce(&Path) -> Result<(), StoreError>,
    ) -> Result<PathBuf, StoreError> {
        let path = self.path.join(name);
        if path.is_dir() {
            return Ok(path);
        }
        let unfinished = self.path.join(format!("{name}.new"));
        let wrong = |error: io::Error| trouble(&unfinished, &error);
        if unfinished.is_dir() {
            fs::remove_dir_all(&unfinished).map_err(wrong)?;
        }
        make(&unfinished)?;
        fs::rename(&unfinished, &path).map_err(wrong)?;
        sync_directory(&self.path)?;
        Ok(path)
    }

    fn head_path(&self) -> PathBuf {
        self.path.join("head")
    }

    /// The head, or none in a store that was never taken. One that a newer release has taken is
    /// refused.
    pub(super) fn read_head(&self) -> Result<Option<Head>, StoreError> {
        let path = self.head_path();
        match fs::read(&path) {
            Ok(bytes) => match decode_head(&bytes) {
                Some(Head { layout: found, .. }) if found > LAYOUT => {
                    let place = self.path.display().to_string();
                    Err(StoreError::Newer { place, found, ours: LAYOUT })
                }
                Some(head) => Ok(Some(head)),
                None => Err(StoreError::Damaged {
                    place: path.display().to_string(),
                    what: "not a head file: wrong length, first bytes or checksum".to_owned(),
                }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(trouble(&path, &error)),
        }
    }

    /// Writes the head; it is durable on return, and the old one is whole until then.
    pub(super) fn write_head(&self, head: Head) -> Result<(), StoreError> {
        let path = self.path.join("head.new");
        let write = || -> io::Result<()> {
            let mut file = File::create(&path)?;
            file.write_all(&encode_head(head))?;
            file.sync_all()?;
            fs::rename(&path, self.head_path())
        };
        write().map_err(|error| trouble(&path, &error))?;
        sync_directory(&self.path)
    }
}

fn encode_head(head: Head) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD_LENGTH);
    bytes.extend_from_slice(HEAD_MAGIC);
    bytes.extend_from_slice(&head.epoch.to_le_bytes());
    bytes.extend_from_slice(&head.instance.to_le_bytes());
    bytes.extend_from_slice(&head.layout.to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

fn decode_head(bytes: &[u8]) -> Option<Head> {
    let (content, checksum) = bytes.split_last_chunk::<4>()?;
    let (magic, rest) = content.split_first_chunk::<8>()?;
    let (epoch, rest) = rest.split_first_chunk::<8>()?;
    let (instance, rest) = rest.split_first_chunk::<16>()?;
    let layout = match magic {
        HEAD_MAGIC => u32::from_le_bytes(rest.try_into().ok()?),
        FIRST_MAGIC if rest.is_empty() => 0,
        _ => return None,
    };
    let whole = u32::from_le_bytes(*checksum) == crc32fast::hash(content);
    whole.then(|| Head {
        epoch: Epoch::from_le_bytes(*epoch),
        instance: u128::from_le_bytes(*instance),
        layout,
    })
}

/// Makes a directory and those above it that lack, durably: a log in a directory whose name a power
/// cut takes back would be gone with it.
fn make_directory(path: &Path) -> Result<(), StoreError> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    let above = path.parent().unwrap_or(Path::new(""));
    make_directory(above)?;
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(trouble(path, &error)),
        _ => sync_directory(above),
    }
}

/// Makes the names in a directory durable: creating, renaming and removing are not before this.
pub(super) fn sync_directory(path: &Path) -> Result<(), StoreError> {
    // The parent of a relative path of one part is the empty path, which means "here".
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path).and_then(|dir| dir.sync_all()).map_err(|error| trouble(path, &error))
}

/// What the operating system said about a file, as the store's error.
pub(super) fn trouble(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Unavailable(format!("{}: {error}", path.display()))
}

/// A fresh instance: 128 bits from the operating system.
pub(super) fn draw_instance() -> Result<u128, StoreError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| StoreError::Unavailable(format!("no random bits: {error}")))?;
    Ok(u128::from_le_bytes(bytes))
}

/// Gives a file its space ahead: what is written there then needs no more of the disk, and
/// fdatasync needn't write sizes with every group.
pub(super) fn reserve(file: &File, capacity: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, capacity) {
        Ok(()) => Ok(()),
        // Some file systems can't; a sparse file of that size serves, more slowly.
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
            if file.metadata()?.len() < capacity {
                file.set_len(capacity)
            } else {
                Ok(())
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// Runs file work where it may block: on the runtime's threads for that, never on the caller's.
///
/// The work goes on when the caller stops waiting; what it changes is behind a lock of its own and
/// safe to ask for again.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(StoreError::Unavailable(format!("the store's thread ended: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_survives_reopening_and_a_damaged_one_is_refused() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("ws");
        let head = Head { epoch: 7, instance: u128::MAX - 5, layout: LAYOUT };
        {
            let directory = Directory::open(&path).expect("opens");
            assert_eq!(directory.read_head().expect("readable"), None);
            directory.write_head(head).expect("writes");
        }
        let directory = Directory::open(&path).expect("opens again");
        assert_eq!(directory.read_head().expect("readable"), Some(head));
        let good = fs::read(path.join("head")).expect("the file");
        assert_eq!(good.len(), HEAD_LENGTH);
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            fs::write(path.join("head"), bad).expect("writes");
            let read = directory.read_head();
            assert!(matches!(read, Err(StoreError::Damaged { .. })), "bit {bit}: {read:?}");
        }
    }

    #[test]
    fn a_store_of_a_newer_layout_is_refused_and_one_from_before_layouts_is_not() {
        let place = tempfile::tempdir().expect("a directory");
        let directory = Directory::open(place.path()).expect("opens");
        directory.write_head(Head { epoch: 7, instance: 5, layout: LAYOUT + 1 }).expect("writes");
        let newer = directory.read_head().expect_err("it is newer").to_string();
        let layouts = format!("layout {}, and this release knows {LAYOUT}", LAYOUT + 1);
        assert!(newer.contains(&layouts), "{newer}");
        assert!(newer.contains(&place.path().display().to_string()), "{newer}");
        let mut first = [&FIRST_MAGIC[..], &7_u64.to_le_bytes(), &5_u128.to_le_bytes()].concat();
        first.extend(crc32fast::hash(&first).to_le_bytes());
        fs::write(place.path().join("head"), first).expect("writes");
        let head = Head { epoch: 7, instance: 5, layout: 0 };
        assert_eq!(directory.read_head().expect("readable"), Some(head));
    }

    #[test]
    fn a_second_owner_is_refused_by_name() {
        let place = tempfile::tempdir().expect("a directory");
        let held = Directory::open(place.path()).expect("opens");
        let refused = Directory::open(place.path()).expect_err("locked");
        assert!(refused.to_string().contains(&place.path().display().to_string()), "{refused}");
        drop(held);
        Directory::open(place.path()).expect("free again");
    }

    #[test]
    fn what_was_left_half_made_is_made_again() {
        let place = tempfile::tempdir().expect("a directory");
        let directory = Directory::open(place.path()).expect("opened");
        let write = |path: &Path, name: &str| {
            make_directory(path)?;
            fs::write(path.join(name), name).map_err(|error| trouble(path, &error))
        };
        let cut = |path: &Path| {
            write(path, "half")?;
            Err(StoreError::Unavailable("killed".to_owned()))
        };
        directory.made_whole("tables", cut).expect_err("it was cut off");
        assert!(!place.path().join("tables").exists(), "nothing has the name yet");
        let made = directory.made_whole("tables", |path| write(path, "whole")).expect("made");
        assert!(made.join("whole").exists() && !made.join("half").exists());
        assert!(!place.path().join("tables.new").exists());
        directory.made_whole("tables", |_| unreachable!("it is there")).expect("found");
    }
}
