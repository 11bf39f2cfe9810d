//! The embedded log cut, flipped, and with a disk that fails.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tempfile::TempDir;

use super::segment::FileSync;
use super::*;
use crate::engine::ports::{EntryNumber, LogEntry, StoreError};

/// Small segments, so that a few groups fill some.
const SEGMENT: u64 = 1024;

/// Randomness that a seed repeats.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }
}

/// A disk whose synchronising fails as often as it is told to.
#[derive(Debug, Clone, Default)]
struct Disk {
    /// Calls that still succeed before failures begin.
    good: Arc<AtomicU64>,
    /// Calls that fail then.
    bad: Arc<AtomicU64>,
}

impl Disk {
    fn fail_after(&self, good: u64, bad: u64) {
        self.good.store(good, Ordering::SeqCst);
        self.bad.store(bad, Ordering::SeqCst);
    }
}

impl FileSync for Disk {
    fn sync_data(&self, file: &File) -> io::Result<()> {
        let less = |left: u64| left.checked_sub(1);
        let is_good = self.good.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok();
        if !is_good && self.bad.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok() {
            return Err(io::Error::from_raw_os_error(5));
        }
        file.sync_data()
    }
}

fn open_on(path: &Path, sync: Box<dyn FileSync>) -> Result<Files, StoreError> {
    let directory = Arc::new(Directory::open(path)?);
    Files::open(directory, LogOptions { segment_bytes: SEGMENT, sync })
}

fn open(path: &Path) -> Result<Files, StoreError> {
    open_on(path, Box::new(SystemSync))
}

/// Never ends in a zero, so that a cut group can't be whole by chance.
fn entry(number: EntryNumber) -> Bytes {
    Bytes::from(format!("{number} {}", "x".repeat(usize::try_from(number % 37).expect("small"))))
}

fn group(first: EntryNumber, count: u64) -> Vec<Bytes> {
    (first..first + count).map(entry).collect()
}

fn assert_holds(files: &Files, last: EntryNumber, context: &str) {
    let found = files.read(1, usize::MAX).unwrap_or_else(|error| panic!("{context}: {error}"));
    let expected: Vec<_> =
        (1..=last).map(|number| LogEntry { number, bytes: entry(number) }).collect();
    assert_eq!(found, expected, "{context}");
    assert_eq!(files.state().last, last, "{context}");
}

/// Where each group stands: file, start, end, its last number.
type Places = Vec<(PathBuf, u64, u64, EntryNumber)>;

/// A log of groups of 1 to 3 entries over four segments, with three groups in the last one.
fn sample() -> (TempDir, Places) {
    let place = tempfile::tempdir().expect("a directory");
    let mut files = open(place.path()).expect("opens");
    let mut places = Places::new();
    let mut first = 1;
    let in_last = |places: &Places| {
        places.iter().filter(|group| group.0 == places[places.len() - 1].0).count()
    };
    while files.segments.len() < 4 || in_last(&places) < 3 {
        let entries = group(first, places.len() as u64 % 3 + 1);
        files.append(first, &entries).expect("appends");
        first += entries.len() as u64;
        let segment = files.segments.back().expect("a segment");
        let length = frame::encode(0, first, &entries).expect("small").len() as u64;
        places.push((segment.path.clone(), segment.end - length, segment.end, first - 1));
    }
    (place, places)
}

/// A copy of a log to be spoilt, and the copy's path of one of its files.
fn copy(of: &Path, file: &Path) -> (TempDir, PathBuf) {
    let place = tempfile::tempdir().expect("a directory");
    fs::create_dir(place.path().join("log")).expect("made");
    fs::copy(of.join("head"), place.path().join("head")).expect("copied");
    for entry in fs::read_dir(of.join("log")).expect("readable") {
        let path = entry.expect("readable").path();
        let name = path.file_name().expect("a name");
        fs::copy(&path, place.path().join("log").join(name)).expect("copied");
    }
    let file = place.path().join(file.strip_prefix(of).expect("a file of the log"));
    (place, file)
}

#[test]
fn cut_at_any_byte_of_its_last_groups_it_keeps_the_whole_ones() {
    let (place, places) = sample();
    let [.., third, second, last] = places.as_slice() else { panic!("three groups") };
    for cut in third.1..=last.2 {
        let kept = [last, second, third].into_iter().find(|group| group.2 <= cut);
        let kept = kept.map_or(places[places.len() - 4].3, |group| group.3);
        for zeroed in [false, true] {
            let (copied, file) = copy(place.path(), &last.0);
            let context = format!("cut at {cut}, zeros behind it: {zeroed}");
            let handle = File::options().write(true).open(&file).expect("opens");
            handle.set_len(cut).expect("cut");
            if zeroed {
                handle.set_len(SEGMENT).expect("zeros");
            }
            let mut files = open(copied.path()).unwrap_or_else(|e| panic!("{context}: {e}"));
            assert_holds(&files, kept, &context);
            // Going on costs more fsyncs than all else here, so not after every cut.
            if cut % 8 == 0 {
                files.append(kept + 1, &group(kept + 1, 2)).expect("goes on");
                drop(files);
                assert_holds(&open(copied.path()).expect("opens again"), kept + 2, &context);
            }
        }
    }
}

#[test]
fn a_torn_group_with_rubbish_behind_it_is_cut() {
    let (place, places) = sample();
    let (file, start, end, last) = places[places.len() - 1].clone();
    let before = places[places.len() - 2].3;
    for seed in 0..40 {
        let (copied, file) = copy(place.path(), &file);
        let mut bytes = fs::read(&file).expect("readable");
        let mut random = Random(seed);
        let from = usize::try_from(start).expect("small") + random.below(40);
        for byte in &mut bytes[from..] {
            *byte = u8::try_from(random.below(256)).expect("a byte");
        }
        fs::write(&file, bytes).expect("written");
        let mut files = open(copied.path()).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        assert_holds(&files, before, &format!("seed {seed}"));
        files.append(before + 1, &group(before + 1, last - before)).expect("goes on");
        assert_eq!(files.segments.back().expect("a segment").end, end);
        drop(files);
        assert_holds(&open(copied.path()).expect("opens"), last, &format!("seed {seed}"));
    }
}

#[test]
fn flipped_bits_lose_at_most_the_newest_group_or_are_refused_by_name() {
    let (place, places) = sample();
    let (tail_file, tail_start, tail_end, last) = places[places.len() - 1].clone();
    let before = places[places.len() - 2].3;
    let mut paths: Vec<PathBuf> = places.iter().map(|group| group.0.clone()).collect();
    paths.dedup();
    let (mut refused, mut kept, mut cut) = (0, 0, 0);
    for seed in 0..600 {
        let mut random = Random(seed);
        let path = &paths[random.below(paths.len())];
        let (copied, file) = copy(place.path(), path);
        let mut bytes = fs::read(&file).expect("readable");
        let bit = random.below(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&file, bytes).expect("written");
        let at = bit as u64 / 8;
        let in_tail = *path == tail_file && (tail_start..tail_end).contains(&at);
        let in_header = at < SEGMENT_HEADER as u64;
        let in_group =
            places.iter().any(|group| group.0 == *path && (group.1..group.2).contains(&at));
        let context = format!("seed {seed}: bit {bit} of {}", path.display());
        match open(copied.path()) {
            Err(StoreError::Damaged { place, .. }) => {
                assert!((in_group && !in_tail) || in_header, "{context}: refused at {place}");
                let name = path.file_name().expect("a name").to_string_lossy();
                assert!(place.contains(&*name), "{context}: names {place}");
                refused += 1;
            }
            Ok(files) if in_tail => {
                assert_holds(&files, before, &context);
                cut += 1;
            }
            Ok(files) => {
                assert!(!in_group && !in_header, "{context}: not noticed");
                assert_holds(&files, last, &context);
                kept += 1;
            }
            Err(error) => panic!("{context}: {error}"),
        }
    }
    assert!(refused > 50 && kept > 20 && cut > 0, "{refused} refused, {kept} kept, {cut} cut");
}

#[test]
fn damage_that_comes_while_it_is_open_is_found_by_reading() {
    let (place, places) = sample();
    let files = open(place.path()).expect("opens");
    let (file, start, ..) = &places[4];
    let mut bytes = fs::read(file).expect("readable");
    bytes[usize::try_from(*start).expect("small") + frame::FRAME_HEADER + 5] ^= 1;
    fs::write(file, bytes).expect("written");
    let read = files.read(1, usize::MAX);
    assert!(matches!(read, Err(StoreError::Damaged { .. })), "{read:?}");
    let last = places[places.len() - 1].3;
    assert!(files.read(last, 100).is_ok(), "another segment can still be read");
}

#[test]
fn missing_and_foreign_files_are_refused_by_name() {
    let (place, places) = sample();
    let middle = &places[15].0;
    let (copied, file) = copy(place.path(), middle);
    fs::remove_file(&file).expect("removed");
    let refused = open(copied.path());
    assert!(matches!(refused, Err(StoreError::Damaged { .. })), "{:?}", refused.err());

    let (copied, _) = copy(place.path(), middle);
    fs::remove_file(copied.path().join("head")).expect("removed");
    let refused = open(copied.path());
    assert!(matches!(refused, Err(StoreError::Damaged { .. })), "{:?}", refused.err());

    let (other, _) = sample();
    let (copied, file) = copy(place.path(), middle);
    fs::copy(other.path().join("log").join(file.file_name().expect("a name")), &file)
        .expect("copied");
    let refused = open(copied.path());
    assert!(matches!(refused, Err(StoreError::Damaged { .. })), "{:?}", refused.err());
}

#[test]
fn a_segment_that_was_being_made_is_dropped() {
    let (place, places) = sample();
    let last = places[places.len() - 1].3;
    for content in [Vec::new(), vec![0; 1024], b"RBLOG\0\0\x01".to_vec()] {
        let (copied, _) = copy(place.path(), &places[0].0);
        let unfinished = copied.path().join("log").join(segment::file_name(900));
        fs::write(&unfinished, content).expect("written");
        let mut files = open(copied.path()).expect("opens");
        assert_holds(&files, last, "with an unfinished segment");
        assert!(!unfinished.exists());
        files.append(last + 1, &group(last + 1, 50)).expect("goes on");
        drop(files);
        assert_holds(&open(copied.path()).expect("opens"), last + 50, "afterwards");
    }
}

#[test]
fn trimming_removes_files_and_keeps_two() {
    let (place, places) = sample();
    let count = || fs::read_dir(place.path().join("log")).expect("readable").count();
    let mut files = open(place.path()).expect("opens");
    let all = count();
    files.trim(places[20].3).expect("trims");
    assert!(count() < all);
    let first = files.state().first;
    assert!(first <= places[20].3 && first > 1, "{first}");
    files.trim(EntryNumber::MAX).expect("trims");
    assert_eq!(count(), 2);
    assert_eq!(files.state().last, places[places.len() - 1].3);
}

#[test]
fn a_failed_sync_moves_the_group_to_a_new_segment() {
    let place = tempfile::tempdir().expect("a directory");
    let disk = Disk::default();
    let mut files = open_on(place.path(), Box::new(disk.clone())).expect("opens");
    files.append(1, &group(1, 3)).expect("appends");
    let before = files.segments.len();
    disk.fail_after(0, 1);
    files.append(4, &group(4, 2)).expect("the second try is in a new segment");
    assert_eq!(files.segments.len(), before + 1);
    assert_eq!(files.segments[0].last, 3, "the old one is sealed before the group");
    files.append(6, &group(6, 1)).expect("appends");
    assert_holds(&files, 6, "open");
    drop(files);
    // The group stands in both files; only the new one's counts.
    let files = open(place.path()).expect("opens");
    assert_holds(&files, 6, "reopened");
    drop(files);
    // And whatever became of the given-up copy on disk is nobody's concern.
    let old = place.path().join("log").join(segment::file_name(1));
    let mut bytes = fs::read(&old).expect("readable");
    let end = bytes.len();
    let sealed = SEGMENT_HEADER
        + frame::FRAME_HEADER
        + group(1, 3).iter().map(|e| e.len() + 4).sum::<usize>();
    bytes[sealed..end].fill(0xee);
    fs::write(&old, bytes).expect("written");
    assert_holds(&open(place.path()).expect("opens"), 6, "with the given-up copy spoilt");
}

#[test]
fn a_disk_that_goes_on_failing_acknowledges_nothing() {
    let place = tempfile::tempdir().expect("a directory");
    let disk = Disk::default();
    let mut files = open_on(place.path(), Box::new(disk.clone())).expect("opens");
    files.append(1, &group(1, 3)).expect("appends");
    disk.fail_after(0, u64::MAX);
    for _ in 0..5 {
        let refused = files.append(4, &group(4, 2));
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        assert_eq!(files.state().last, 3);
    }
    let left = fs::read_dir(place.path().join("log")).expect("readable").count();
    assert_eq!(left, 1, "failed attempts leave no files behind");
    disk.fail_after(0, 0);
    files.append(4, &group(4, 2)).expect("the disk is well again");
    assert_holds(&files, 5, "open");
    drop(files);
    assert_holds(&open(place.path()).expect("opens"), 5, "reopened");
}

/// A disk that fails at random, and a process that ends at random: what was acknowledged is there.
#[test]
fn what_was_acknowledged_survives_failing_disks_and_restarts() {
    for seed in 0..30 {
        let mut random = Random(seed);
        let place = tempfile::tempdir().expect("a directory");
        let disk = Disk::default();
        let mut files = open_on(place.path(), Box::new(disk.clone())).expect("opens");
        let mut acknowledged = 0;
        for step in 0..60 {
            let context = format!("seed {seed}, step {step}");
            match random.below(10) {
                0..3 => disk.fail_after(random.below(3) as u64, 1 + random.below(4) as u64),
                3 => disk.fail_after(0, 0),
                4 => {
                    drop(files);
                    disk.fail_after(0, 0);
                    files = open_on(place.path(), Box::new(disk.clone()))
                        .unwrap_or_else(|error| panic!("{context}: {error}"));
                    // The group that wasn't acknowledged may be there; then it stays.
                    let last = files.state().last;
                    assert!((acknowledged..=acknowledged + 4).contains(&last), "{context}: {last}");
                    acknowledged = last;
                    assert_holds(&files, acknowledged, &context);
                }
                _ => {
                    let count = 1 + random.below(4) as u64;
                    match files.append(acknowledged + 1, &group(acknowledged + 1, count)) {
                        Ok(()) => acknowledged += count,
                        Err(StoreError::Unavailable(_)) => {}
                        Err(error) => panic!("{context}: {error}"),
                    }
                    assert_holds(&files, acknowledged, &context);
                }
            }
        }
    }
}
