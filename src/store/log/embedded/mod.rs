//! The embedded log: files of our own, one durable write per group.
//!
//! Separate from the tables because an LSM store's flushes stall for hundreds of milliseconds, and
//! every acknowledgement waits for this. Invariants:
//! - a group counts when fdatasync returned after it was written, and not before;
//! - after a failed write or fdatasync the segment is never written again: the kernel may have
//!   dropped the bytes and call the next fdatasync a success. The group goes into a new segment;
//! - a segment begins where the one before it ends; what stands behind that end was given up.

mod frame;
mod scan;
mod segment;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use self::frame::{SEGMENT_HEADER, SegmentHeader};
pub(in crate::store) use self::segment::{FileSync, SystemSync};
use self::segment::{Segment, SegmentFile};
use super::lacking;
use crate::engine::ports::{EntryNumber, Log, LogEntry, LogState, PortFuture, StoreError};
use crate::store::directory::{self, Directory, Head, sync_directory, trouble};
use crate::store::keys::LAYOUT;

/// Space of a segment: large enough that a new one is made every 130,000 small groups, small
/// enough that trimming by whole segments keeps close to what is asked.
pub(in crate::store) const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;

/// How an embedded log is kept; tests make segments small and synchronising fail.
#[derive(Debug)]
pub(in crate::store) struct LogOptions {
    /// Space of a segment, in bytes. A group that is longer gets a segment of its own.
    pub(in crate::store) segment_bytes: u64,
    /// How data is made durable.
    pub(in crate::store) sync: Box<dyn FileSync>,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { segment_bytes: SEGMENT_BYTES, sync: Box::new(SystemSync) }
    }
}

/// The log of one workspace in a directory.
#[derive(Debug)]
pub(in crate::store) struct EmbeddedLog {
    /// Taken where it may block only. A future that is dropped leaves its work running on a thread
    /// for that, so the files' state can't be owned by the future.
    files: Arc<Mutex<Files>>,
}

#[derive(Debug)]
struct Files {
    directory: Arc<Directory>,
    folder: PathBuf,
    options: LogOptions,
    head: Head,
    segments: VecDeque<Segment>,
    /// The file of the last segment; none after it was given up, and in a new log.
    active: Option<SegmentFile>,
    /// The highest sequence ever used here.
    sequence: u64,
}

impl EmbeddedLog {
    /// Opens the log in a locked directory: reads all of it, cuts a torn tail, refuses damage.
    ///
    /// Blocks on I/O; call it where that is allowed.
    pub(in crate::store) fn open(
        directory: Arc<Directory>,
        options: LogOptions,
    ) -> Result<Self, StoreError> {
        let files = Files::open(directory, options)?;
        Ok(Self { files: Arc::new(Mutex::new(files)) })
    }

    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Files) -> Result<T, StoreError> + Send + 'static,
    ) -> PortFuture<'static, Result<T, StoreError>> {
        let files = Arc::clone(&self.files);
        Box::pin(directory::blocking(move || work(&mut *locked(&files)?)))
    }
}

fn locked(files: &Mutex<Files>) -> Result<MutexGuard<'_, Files>, StoreError> {
    files
        .lock()
        .map_err(|_| StoreError::Unavailable("the log's thread panicked; start again".to_owned()))
}

impl Log for EmbeddedLog {
    fn take(&mut self) -> PortFuture<'_, Result<LogState, StoreError>> {
        self.run(|files| {
            let epoch = files.head.epoch + 1;
            let head = Head { epoch, layout: LAYOUT, ..files.head };
            files.directory.write_head(head)?;
            files.head = head;
            Ok(files.state())
        })
    }

    fn state(&mut self) -> PortFuture<'_, Result<LogState, StoreError>> {
        self.run(|files| Ok(files.state()))
    }

    fn append(
        &mut self,
        first: EntryNumber,
        entries: Vec<Bytes>,
    ) -> PortFuture<'_, Result<(), StoreError>> {
        // On the spot. To another thread and back would be two more waits for a processor, and
        // while everybody waits for the same group, these are what they wait for.
        Box::pin(async move {
            let mut files = locked(&self.files)?;
            match lacking(files.last(), first, entries)? {
                Some((first, entries)) => files.append(first, &entries),
                None => Ok(()),
            }
        })
    }

    fn read(
        &mut self,
        from: EntryNumber,
        limit: usize,
    ) -> PortFuture<'_, Result<Vec<LogEntry>, StoreError>> {
        self.run(move |files| files.read(from, limit))
    }

    fn trim(&mut self, keep_from: EntryNumber) -> PortFuture<'_, Result<(), StoreError>> {
        self.run(move |files| files.trim(keep_from))
    }

    fn size_bytes(&mut self) -> PortFuture<'_, Result<u64, StoreError>> {
        self.run(|files| Ok(files.segments.iter().map(|segment| segment.end).sum()))
    }

    fn may_lose(&self) -> bool {
        false
    }
}

impl Files {
    fn open(directory: Arc<Directory>, options: LogOptions) -> Result<Self, StoreError> {
        let folder = directory.inner("log")?;
        let head = match directory.read_head()? {
            Some(head) => head,
            None if scan::has_segments(&folder)? => {
                let what = "the store's head file is missing beside this log";
                return Err(scan::damaged(&folder, 0, what));
            }
            None => {
                let instance = directory::draw_instance()?;
                let head = Head { epoch: 0, instance, layout: LAYOUT };
                directory.write_head(head)?;
                head
            }
        };
        let found = scan::scan(&folder, head.instance)?;
        let active = match found.segments.last() {
            Some(last) => {
                let frame = found.tail.last_frame.as_ref();
                Some(SegmentFile::reopen(
                    last,
                    frame.map(|(offset, bytes)| (*offset, &bytes[..])),
                    found.tail.rest_is_clean,
                    options.segment_bytes,
                    &*options.sync,
                )?)
            }
            None => None,
        };
        let sequence = found.sequence;
        Ok(Self {
            directory,
            folder,
            options,
            head,
            segments: found.segments.into(),
            active,
            sequence,
        })
    }

    fn last(&self) -> EntryNumber {
        self.segments.back().map_or(0, |segment| segment.last)
    }

    fn state(&self) -> LogState {
        let last = self.last();
        LogState {
            epoch: self.head.epoch,
            first: self.segments.front().map_or(last + 1, |segment| segment.header.first),
            last,
            instance: self.head.instance,
        }
    }

    /// Writes a group that begins right behind the end; durable on return.
    fn append(&mut self, first: EntryNumber, entries: &[Bytes]) -> Result<(), StoreError> {
        // A group is tried in two segments and no more: when a fresh one fails as well, the disk
        // is in trouble, and the journal will send the group again.
        match self.write(first, entries) {
            Err(Failed::Write(_)) => {}
            Err(Failed::NoSpace(error)) => return Err(error),
            Ok(()) => return Ok(()),
        }
        self.write(first, entries).map_err(|failed| match failed {
            Failed::Write(error) | Failed::NoSpace(error) => error,
        })
    }

    fn write(&mut self, first: EntryNumber, entries: &[Bytes]) -> Result<(), Failed> {
        let length: u64 = entries.iter().map(|entry| entry.len() as u64 + 4).sum();
        self.make_room(first, length + frame::FRAME_HEADER as u64).map_err(Failed::NoSpace)?;
        let (Some(file), Some(segment)) = (&mut self.active, self.segments.back_mut()) else {
            unreachable!("make_room leaves an open segment or an error");
        };
        let frame =
            frame::encode(segment.header.seed(), first, entries).map_err(Failed::NoSpace)?;
        match file.write(segment.end, &frame, &*self.options.sync) {
            Ok(()) => {
                let last = first + entries.len() as u64 - 1;
                segment.extend(first, last, frame.len() as u64);
                Ok(())
            }
            Err(error) => {
                let told = trouble(&segment.path, &error);
                tracing::error!(%error, path = %segment.path.display(), "log segment given up");
                self.give_up();
                Err(Failed::Write(told))
            }
        }
    }

    /// Stops using the active segment. It stays sealed at its last good group; one without any
    /// would only be in the way.
    fn give_up(&mut self) {
        self.active = None;
        if self.segments.back().is_some_and(Segment::is_empty)
            && let Some(empty) = self.segments.pop_back()
        {
            // When it can't be removed it is left behind, and the next opening passes it over:
            // the segment after it begins with the same number.
            let _ = fs::remove_file(&empty.path);
        }
    }

    /// Sees to an open segment with `needed` bytes of space left.
    fn make_room(&mut self, first: EntryNumber, needed: u64) -> Result<(), StoreError> {
        if let (Some(file), Some(segment)) = (&self.active, self.segments.back())
            && segment.end + needed <= file.capacity
        {
            return Ok(());
        }
        let sequence = self.sequence + 1;
        let header = SegmentHeader { sequence, instance: self.head.instance, first };
        let path = self.folder.join(segment::file_name(sequence));
        let capacity = self.options.segment_bytes.max(SEGMENT_HEADER as u64 + needed);
        // Used up even when making it fails: its file may have stayed.
        self.sequence = sequence;
        let file = SegmentFile::create(&path, &header, capacity, &*self.options.sync)?;
        self.active = Some(file);
        self.segments.push_back(Segment::new(path, header));
        Ok(())
    }

    fn read(&self, from: EntryNumber, limit: usize) -> Result<Vec<LogEntry>, StoreError> {
        let mut found = Vec::new();
        for segment in &self.segments {
            if found.len() == limit {
                break;
            }
            let Some(mark) = segment.before(from).filter(|_| segment.last >= from) else {
                continue;
            };
            scan::read_groups(segment, mark.offset, |first, entries| {
                for (number, bytes) in (first..).zip(entries) {
                    if number >= from && found.len() < limit {
                        found.push(LogEntry { number, bytes });
                    }
                }
                found.len() < limit
            })?;
        }
        Ok(found)
    }

    fn trim(&mut self, keep_from: EntryNumber) -> Result<(), StoreError> {
        // The last two stay: a crash while the newest is made may cost it its header, and the log
        // must still know its last number then.
        while self.segments.len() > 2 && self.segments[0].last < keep_from {
            let path = &self.segments[0].path;
            match fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(trouble(path, &error));
                }
                _ => {}
            }
            // After each: a power cut that undid one removal and not the next would leave a hole.
            sync_directory(&self.folder)?;
            self.segments.pop_front();
        }
        Ok(())
    }
}

/// Why a group wasn't written.
enum Failed {
    /// There was no segment to write it to, or it can't be framed; trying again at once is vain.
    NoSpace(StoreError),
    /// The segment failed under it and was given up.
    Write(StoreError),
}
