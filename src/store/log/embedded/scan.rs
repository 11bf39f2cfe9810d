//! Opening: reads all segments, tells a torn tail from damage, and says where the log ends.
//!
//! Torn is what a crash leaves: an unfinished frame at the very end, which was never acknowledged.
//! Everything else that isn't as it was written is damage and is refused by name. It must never
//! repair damage: that would drop what was acknowledged.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::frame::{self, FRAME_HEADER, FrameHeader, SEGMENT_HEADER, SegmentHeader};
use super::segment::{self, Segment};
use crate::engine::ports::{EntryNumber, StoreError};
use crate::store::directory::trouble;

/// What opening found.
pub(super) struct Found {
    /// Segments in order; each begins where the one before it ends.
    pub(super) segments: Vec<Segment>,
    /// The highest sequence in use, of files without groups too; 0 without files.
    pub(super) sequence: u64,
    /// About the last segment, for writing on in it.
    pub(super) tail: Tail,
}

/// How the last segment ends.
#[derive(Default)]
pub(super) struct Tail {
    /// Its last good frame with the offset.
    pub(super) last_frame: Option<(u64, Bytes)>,
    /// Whether nothing but zeros stands behind it.
    pub(super) rest_is_clean: bool,
}

pub(super) fn damaged(path: &Path, offset: u64, what: impl Into<String>) -> StoreError {
    StoreError::Damaged { place: format!("{} at {offset}", path.display()), what: what.into() }
}

fn read(path: &Path) -> Result<Vec<u8>, StoreError> {
    fs::read(path).map_err(|error| trouble(path, &error))
}

/// Files of the log, in order.
fn files(folder: &Path) -> Result<Vec<(u64, PathBuf)>, StoreError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| trouble(folder, &error))? {
        let path = entry.map_err(|error| trouble(folder, &error))?.path();
        if let Some(sequence) = segment::sequence_of(&path) {
            found.push((sequence, path));
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a folder holds any segment.
pub(super) fn has_segments(folder: &Path) -> Result<bool, StoreError> {
    files(folder).map(|files| !files.is_empty())
}

/// Reads the whole log of store `instance`.
pub(super) fn scan(folder: &Path, instance: u128) -> Result<Found, StoreError> {
    let files = files(folder)?;
    let sequence = files.last().map_or(0, |&(sequence, _)| sequence);
    let mut headers = Vec::new();
    for (sequence, path) in files {
        headers.push((header_of(&path, sequence, instance)?, sequence, path));
    }
    drop_unfinished(&mut headers, instance)?;

    let mut found = Found { segments: Vec::new(), sequence, tail: Tail::default() };
    let mut headerless = Vec::new();
    for at in 0..headers.len() {
        let (header, _, path) = &headers[at];
        let Some(header) = *header else {
            headerless.push(path);
            continue;
        };
        check_joint(found.segments.last(), header, path, headerless.first().copied())?;
        for path in headerless.drain(..) {
            fs::remove_file(path).map_err(|error| trouble(path, &error))?;
        }
        // Entries from here on are in the next segment: what stands here of them was given up.
        let stop = match headers.get(at + 1) {
            None => Stop::Tail,
            Some((Some(next), ..)) => Stop::Before(next.first),
            Some((None, ..)) => {
                let next =
                    headers[at + 1..].iter().find_map(|(next, ..)| next.map(|next| next.first));
                Stop::Headerless(next.unwrap_or(EntryNumber::MAX))
            }
        };
        let (segment, tail) = walk(path, header, stop)?;
        found.segments.push(segment);
        found.tail = tail;
    }
    Ok(found)
}

fn header_of(
    path: &Path,
    sequence: u64,
    instance: u128,
) -> Result<Option<SegmentHeader>, StoreError> {
    let mut start = Vec::new();
    File::open(path)
        .and_then(|file| file.take(SEGMENT_HEADER as u64).read_to_end(&mut start))
        .map_err(|error| trouble(path, &error))?;
    let Some(header) = SegmentHeader::decode(&start) else { return Ok(None) };
    if header.sequence != sequence || header.first == 0 {
        return Err(damaged(path, 0, format!("says that it is segment {}", header.sequence)));
    }
    if header.instance != instance {
        return Err(damaged(path, 0, "belongs to another store"));
    }
    Ok(Some(header))
}

/// A crash while the newest segment was made leaves it without a whole header; it has no groups
/// then, and goes. With groups in it, it is damaged.
fn drop_unfinished(
    headers: &mut Vec<(Option<SegmentHeader>, u64, PathBuf)>,
    instance: u128,
) -> Result<(), StoreError> {
    while let Some((None, sequence, path)) = headers.last() {
        let seed = frame::seed(instance, *sequence);
        if let Some(at) = frame::find_header(&read(path)?, seed, 1) {
            let what = format!("its header is not what was written, yet a group stands at {at}");
            return Err(damaged(path, 0, what));
        }
        fs::remove_file(path).map_err(|error| trouble(path, &error))?;
        headers.pop();
    }
    Ok(())
}

/// Each segment begins where the one before it ends. One without a whole header may lie between
/// when nothing is missing without it: it was given up before its first group.
fn check_joint(
    before: Option<&Segment>,
    header: SegmentHeader,
    path: &Path,
    headerless: Option<&PathBuf>,
) -> Result<(), StoreError> {
    let begins_right = match before {
        Some(before) => before.last + 1 == header.first,
        // The log's oldest segment begins anywhere, since trimming drops whole ones.
        None => headerless.is_none() || header.first == 1,
    };
    match (begins_right, headerless) {
        (true, _) => Ok(()),
        (false, Some(path)) => Err(damaged(path, 0, "its header is not what was written")),
        (false, None) => {
            let what = format!("begins with entry {}, not where the one before ends", header.first);
            Err(damaged(path, 0, what))
        }
    }
}

/// Where a segment's walk has to end.
#[derive(Clone, Copy)]
enum Stop {
    /// It is the last segment, and ends where no whole frame stands.
    Tail,
    /// Before this number, the first of the next segment.
    Before(EntryNumber),
    /// Before this number at the latest. A segment without a whole header lies between, and if
    /// anything is missing, then it is that one which gets the blame.
    Headerless(EntryNumber),
}

/// Walks a segment's frames to where it has to stop.
fn walk(path: &Path, header: SegmentHeader, stop: Stop) -> Result<(Segment, Tail), StoreError> {
    let bytes = Bytes::from(read(path)?);
    let mut segment = Segment::new(path.to_owned(), header);
    let mut tail = Tail::default();
    let least = match stop {
        Stop::Tail => EntryNumber::MAX,
        Stop::Before(number) | Stop::Headerless(number) => number,
    };
    while segment.last + 1 < least {
        let next = segment.last + 1;
        let offset = segment.end;
        match (frame_at(&bytes, offset, header.seed(), next), stop) {
            (Ok(frame), _) if frame.last() >= least => {
                return Err(damaged(path, offset, "its entries overlap the next segment's"));
            }
            (Ok(frame), _) => {
                let length = frame.frame_length();
                let whole = position(offset)..position(offset + length);
                tail.last_frame = Some((offset, bytes.slice(whole)));
                segment.extend(frame.first, frame.last(), length);
            }
            (Err(what), Stop::Before(_)) => return Err(damaged(path, offset, what)),
            (Err(_), Stop::Headerless(_)) => break,
            (Err(what), Stop::Tail) => {
                let rest = bytes.get(position(offset)..).unwrap_or_default();
                if let Some(at) = frame::find_header(rest, header.seed(), next + 1) {
                    let what = format!("{what}, yet a later group stands {at} bytes on");
                    return Err(damaged(path, offset, what));
                }
                tail.rest_is_clean = rest.iter().all(|&byte| byte == 0);
                break;
            }
        }
    }
    Ok((segment, tail))
}

/// The frame at `offset` with first number `next`, all of it checked; or what is wrong there.
fn frame_at(
    bytes: &Bytes,
    offset: u64,
    seed: u32,
    next: EntryNumber,
) -> Result<FrameHeader, &'static str> {
    let start = position(offset);
    let rest = bytes.get(start..).ok_or("the file ends")?;
    let header = FrameHeader::decode(rest, seed).ok_or("no whole header of a group")?;
    if header.first != next {
        return Err("a group with another number than the next");
    }
    let end = start + position(header.frame_length());
    if end > bytes.len() {
        return Err("the file ends within a group");
    }
    let payload = bytes.slice(start + FRAME_HEADER..end);
    if !header.fits(&payload, seed) || header.entries(&payload).is_none() {
        return Err("a group's entries are not what was written");
    }
    Ok(header)
}

/// An offset in a file that was read into memory.
fn position(offset: u64) -> usize {
    usize::try_from(offset).expect("offsets are within bytes that are in memory")
}

/// Bytes read at once when the log is read back.
const READ_AHEAD: u64 = 1024 * 1024;

/// Reads groups of one segment from `offset` on, as long as `take` wants more.
///
/// Used while the log is open, where everything up to `segment.end` was found right before: what
/// isn't now is damage.
pub(super) fn read_groups(
    segment: &Segment,
    mut offset: u64,
    mut take: impl FnMut(EntryNumber, Vec<Bytes>) -> bool,
) -> Result<(), StoreError> {
    let path = &segment.path;
    let seed = segment.header.seed();
    let file = File::open(path).map_err(|error| trouble(path, &error))?;
    let read_from = |offset: u64, least: u64| {
        let mut bytes = vec![0; position(least.max(READ_AHEAD).min(segment.end - offset))];
        file.read_exact_at(&mut bytes, offset).map_err(|error| trouble(path, &error))?;
        Ok(Bytes::from(bytes))
    };
    let mut window = Bytes::new();
    while offset < segment.end {
        if window.len() < FRAME_HEADER {
            window = read_from(offset, FRAME_HEADER as u64)?;
        }
        let header = FrameHeader::decode(&window, seed)
            .filter(|header| header.frame_length() <= segment.end - offset)
            .ok_or_else(|| damaged(path, offset, "no whole header of a group"))?;
        let length = position(header.frame_length());
        if window.len() < length {
            window = read_from(offset, header.frame_length())?;
        }
        let payload = window.split_to(length).slice(FRAME_HEADER..);
        let entries = header.fits(&payload, seed).then(|| header.entries(&payload)).flatten();
        let entries = entries
            .ok_or_else(|| damaged(path, offset, "a group's entries are not what was written"))?;
        if !take(header.first, entries) {
            return Ok(());
        }
        offset += header.frame_length();
    }
    Ok(())
}
