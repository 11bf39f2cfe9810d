//! One segment: its file, where its groups lie, and writing one group durably.
//!
//! Separate from the log so that "written" has one meaning: [`SegmentFile::write`] returns after
//! the file was synchronised, or with an error after which the file must not be written again.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::frame::{SEGMENT_HEADER, SegmentHeader};
use crate::engine::ports::{EntryNumber, StoreError};
use crate::store::directory::{reserve, sync_directory, trouble};

/// One place per this many bytes is remembered, so that a read needn't walk a whole segment:
/// 1,024 places of 16 bytes for a full one.
const INDEX_EVERY: u64 = 64 * 1024;

/// Zeros written ahead of the groups. Space that was only reserved costs the file system a change
/// of its own records with each group that first touches it: 6,400 synchronised groups a second
/// on ext4, against 9,100 where the space had been written before. A whole segment of zeros would
/// stall the group that starts it for 150 ms.
static ZEROS: [u8; 256 * 1024] = [0; 256 * 1024];

/// How a file's data is made durable: the system's way, or a test's way to let it fail.
pub(in crate::store) trait FileSync: Send + fmt::Debug {
    /// Returns when all that was written to `file` is on disk.
    fn sync_data(&self, file: &File) -> io::Result<()>;
}

/// fdatasync.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::store) struct SystemSync;

impl FileSync for SystemSync {
    fn sync_data(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }
}

/// Where a group starts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    /// Number of the group's first entry.
    pub(super) first: EntryNumber,
    /// Its frame's offset in the file.
    pub(super) offset: u64,
}

/// What is known about a segment without opening its file.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    pub(super) header: SegmentHeader,
    /// Number of its last good entry; one below `header.first` when it has none.
    pub(super) last: EntryNumber,
    /// Past its last good frame; what lies beyond is not the log's.
    pub(super) end: u64,
    /// Places of some groups, in order; the first group always among them.
    marks: Vec<Mark>,
}

impl Segment {
    pub(super) fn new(path: PathBuf, header: SegmentHeader) -> Self {
        let last = header.first - 1;
        Self { path, header, last, end: SEGMENT_HEADER as u64, marks: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.last < self.header.first
    }

    /// Takes note of a good frame at the end.
    pub(super) fn extend(&mut self, first: EntryNumber, last: EntryNumber, length: u64) {
        if self.marks.last().is_none_or(|mark| self.end - mark.offset >= INDEX_EVERY) {
            self.marks.push(Mark { first, offset: self.end });
        }
        self.last = last;
        self.end += length;
    }

    /// A group's place from which walking on leads to entry `number`.
    pub(super) fn before(&self, number: EntryNumber) -> Option<Mark> {
        let past = self.marks.partition_point(|mark| mark.first <= number);
        self.marks.get(past.saturating_sub(1)).copied()
    }
}

/// A segment's file name.
pub(super) fn file_name(sequence: u64) -> String {
    format!("{sequence:016}.log")
}

/// The sequence in a file name; none for files that aren't segments.
pub(super) fn sequence_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    let sequence = name.strip_suffix(".log")?.parse().ok()?;
    (file_name(sequence) == name).then_some(sequence)
}

/// The file of the segment that is being written.
#[derive(Debug)]
pub(super) struct SegmentFile {
    file: File,
    /// Space that the file has, written or not.
    pub(super) capacity: u64,
    /// Past the last byte known to have been written, groups and zeros alike.
    written: u64,
}

impl SegmentFile {
    /// Makes a segment's file with its header and its space, durable in every respect.
    pub(super) fn create(
        path: &Path,
        header: &SegmentHeader,
        capacity: u64,
        sync: &dyn FileSync,
    ) -> Result<Self, StoreError> {
        let make = || -> io::Result<File> {
            let file = File::options().read(true).write(true).create_new(true).open(path)?;
            reserve(&file, capacity)?;
            file.write_all_at(&header.encode(), 0)?;
            sync.sync_data(&file)?;
            // Sizes and extents, which fdatasync may leave out.
            file.sync_all()?;
            Ok(file)
        };
        let folder = path.parent().unwrap_or(Path::new("."));
        let durable = make().map_err(|error| trouble(path, &error)).and_then(|file| {
            sync_directory(folder)?;
            Ok(file)
        });
        match durable {
            Ok(file) => Ok(Self { file, capacity, written: SEGMENT_HEADER as u64 }),
            Err(error) => {
                // It holds no group yet, so losing it is right, and leaving it is harmless.
                let _ = fs::remove_file(path);
                Err(error)
            }
        }
    }

    /// Opens the last segment for writing on, behind `end`: whatever lies there is cut off, and
    /// the frame at `last_frame` is written again.
    ///
    /// Written again, because the process before may have ended between writing and synchronising,
    /// or after a synchronising that failed: the page cache then shows bytes that the disk lacks,
    /// and only fresh writes make the kernel try again.
    pub(super) fn reopen(
        segment: &Segment,
        last_frame: Option<(u64, &[u8])>,
        rest_is_clean: bool,
        capacity: u64,
        sync: &dyn FileSync,
    ) -> Result<Self, StoreError> {
        let capacity = capacity.max(segment.end);
        let open = || -> io::Result<File> {
            let file = File::options().read(true).write(true).open(&segment.path)?;
            if !rest_is_clean || file.metadata()?.len() < capacity {
                file.set_len(segment.end)?;
                reserve(&file, capacity)?;
                file.sync_all()?;
            }
            if let Some((offset, frame)) = last_frame {
                file.write_all_at(frame, offset)?;
            }
            sync.sync_data(&file)?;
            Ok(file)
        };
        let file = open().map_err(|error| trouble(&segment.path, &error))?;
        Ok(Self { file, capacity, written: segment.end })
    }

    /// Writes a frame and synchronises. After an error the file's content is not known any more,
    /// on disk or in the page cache: it must be given up.
    pub(super) fn write(
        &mut self,
        offset: u64,
        frame: &[u8],
        sync: &dyn FileSync,
    ) -> io::Result<()> {
        self.file.write_all_at(frame, offset)?;
        let end = offset + frame.len() as u64;
        if end > self.written {
            let room = usize::try_from(self.capacity - end).unwrap_or(usize::MAX);
            let zeros = &ZEROS[..ZEROS.len().min(room)];
            self.file.write_all_at(zeros, end)?;
            self.written = end + zeros.len() as u64;
        }
        sync.sync_data(&self.file)
    }
}
