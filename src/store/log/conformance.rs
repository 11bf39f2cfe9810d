//! What every log must do, checked from outside: the port's promises, one by one.
//!
//! Compiled into the library so that the integration tests, and whoever writes another log, run
//! the same checks. It must know no implementation.

use bytes::Bytes;

use crate::engine::ports::{EntryNumber, Log, LogEntry, LogState, PortFuture, StoreError};

/// One storage that a log can be opened on again and again.
pub trait LogStorage: Sync {
    /// Opens it as a process that starts does.
    fn open(&self) -> PortFuture<'_, Result<Box<dyn Log>, StoreError>>;

    /// How a second opening beside the first one ends.
    fn second(&self) -> SecondOpening;
}

/// What becomes of two that have the same storage open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondOpening {
    /// The second is refused as [`StoreError::Locked`].
    Refused,
    /// The second takes the workspace, and the first is [`StoreError::Fenced`] from then on.
    Fences,
}

/// Runs all checks, each on a fresh and empty storage.
///
/// # Panics
/// When the log breaks a promise; that is how a check fails.
pub async fn check<S: LogStorage>(mut fresh: impl FnMut() -> S) {
    a_new_log_is_empty(&fresh()).await;
    entries_come_back_in_order(&fresh()).await;
    reading_begins_and_ends_where_asked(&fresh()).await;
    a_group_sent_twice_is_there_once(&fresh()).await;
    a_longer_group_adds_its_tail(&fresh()).await;
    a_gap_is_refused(&fresh()).await;
    reopening_keeps_everything(&fresh()).await;
    of_two_only_one_can_write(&fresh()).await;
    whoever_never_took_cannot_write(&fresh()).await;
    trimming_keeps_what_is_asked(&fresh()).await;
    trimming_everything_keeps_the_number(&fresh()).await;
    large_groups_and_many_groups(&fresh()).await;
}

async fn open(storage: &impl LogStorage) -> (Box<dyn Log>, LogState) {
    let mut log = storage.open().await.expect("the storage opens");
    let state = log.take().await.expect("the log can be taken");
    (log, state)
}

/// An entry that differs from all others and holds bytes that texts don't.
fn entry(number: EntryNumber) -> Bytes {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.extend_from_slice(b"\0\r\n\xff$5\r\n");
    bytes.resize(bytes.len() + usize::try_from(number % 50).expect("below 50"), 0);
    Bytes::from(bytes)
}

fn entries(first: EntryNumber, last: EntryNumber) -> Vec<Bytes> {
    (first..=last).map(entry).collect()
}

fn numbered(first: EntryNumber, last: EntryNumber) -> Vec<LogEntry> {
    (first..=last).map(|number| LogEntry { number, bytes: entry(number) }).collect()
}

async fn append(log: &mut Box<dyn Log>, first: EntryNumber, last: EntryNumber) {
    let done = log.append(first, entries(first, last)).await;
    done.unwrap_or_else(|error| panic!("append {first}..={last}: {error}"));
}

async fn all(log: &mut Box<dyn Log>) -> Vec<LogEntry> {
    log.read(1, usize::MAX).await.expect("the log can be read")
}

async fn a_new_log_is_empty(storage: &impl LogStorage) {
    let (mut log, state) = open(storage).await;
    assert!(state.epoch >= 1, "a taking has an epoch: {state:?}");
    assert_eq!((state.first, state.last), (1, 0));
    assert_eq!(all(&mut log).await, []);
    assert_eq!(log.size_bytes().await.expect("a size"), 0);
    assert_eq!(log.state().await.expect("a state"), state);
}

async fn entries_come_back_in_order(storage: &impl LogStorage) {
    let (mut log, taken) = open(storage).await;
    append(&mut log, 1, 1).await;
    append(&mut log, 2, 40).await;
    log.append(41, vec![Bytes::new(), entry(42), Bytes::new()]).await.expect("empty entries");
    log.append(44, Vec::new()).await.expect("an empty group is nothing");
    let mut expected = numbered(1, 43);
    expected[40].bytes = Bytes::new();
    expected[42].bytes = Bytes::new();
    assert_eq!(all(&mut log).await, expected);
    let state = log.state().await.expect("a state");
    assert_eq!(state, LogState { first: 1, last: 43, ..taken });
    let written: usize = expected.iter().map(|entry| entry.bytes.len()).sum();
    assert!(log.size_bytes().await.expect("a size") >= written as u64);
}

async fn reading_begins_and_ends_where_asked(storage: &impl LogStorage) {
    let (mut log, _) = open(storage).await;
    append(&mut log, 1, 5).await;
    append(&mut log, 6, 6).await;
    append(&mut log, 7, 20).await;
    for from in 1..=21 {
        for limit in [0, 1, 2, 5, 14, 20, 100] {
            let found = log.read(from, limit).await.expect("readable");
            let last = 20.min(from + limit as u64 - u64::from(limit > 0));
            let expected = if limit == 0 { Vec::new() } else { numbered(from, last) };
            assert_eq!(found, expected, "from {from}, at most {limit}");
        }
    }
}

async fn a_group_sent_twice_is_there_once(storage: &impl LogStorage) {
    let (mut log, _) = open(storage).await;
    append(&mut log, 1, 4).await;
    append(&mut log, 5, 9).await;
    let size = log.size_bytes().await.expect("a size");
    append(&mut log, 5, 9).await;
    append(&mut log, 1, 4).await;
    append(&mut log, 7, 8).await;
    assert_eq!(all(&mut log).await, numbered(1, 9));
    assert_eq!(log.size_bytes().await.expect("a size"), size);
    append(&mut log, 10, 10).await;
    assert_eq!(all(&mut log).await, numbered(1, 10));
}

async fn a_longer_group_adds_its_tail(storage: &impl LogStorage) {
    let (mut log, _) = open(storage).await;
    append(&mut log, 1, 4).await;
    append(&mut log, 3, 7).await;
    append(&mut log, 1, 8).await;
    assert_eq!(all(&mut log).await, numbered(1, 8));
}

async fn a_gap_is_refused(storage: &impl LogStorage) {
    let (mut log, _) = open(storage).await;
    let early = log.append(2, entries(2, 3)).await;
    assert!(matches!(early, Err(StoreError::Gap { found: 0, first: 2 })), "{early:?}");
    append(&mut log, 1, 3).await;
    let late = log.append(5, entries(5, 5)).await;
    assert!(matches!(late, Err(StoreError::Gap { found: 3, first: 5 })), "{late:?}");
    assert_eq!(all(&mut log).await, numbered(1, 3));
}

async fn reopening_keeps_everything(storage: &impl LogStorage) {
    let (mut log, before) = open(storage).await;
    append(&mut log, 1, 30).await;
    append(&mut log, 31, 31).await;
    drop(log);
    let (mut log, after) = open(storage).await;
    assert!(after.epoch > before.epoch, "each taking raises the epoch: {before:?} {after:?}");
    assert_eq!(after, LogState { epoch: after.epoch, first: 1, last: 31, ..before });
    assert_eq!(all(&mut log).await, numbered(1, 31));
    append(&mut log, 32, 33).await;
    let again = log.take().await.expect("taken again by its holder");
    assert!(again.epoch > after.epoch);
    append(&mut log, 34, 34).await;
    assert_eq!(all(&mut log).await, numbered(1, 34));
}

async fn of_two_only_one_can_write(storage: &impl LogStorage) {
    let (mut old, before) = open(storage).await;
    append(&mut old, 1, 2).await;
    if storage.second() == SecondOpening::Refused {
        let second = storage.open().await.map(|_| "opened");
        assert!(matches!(second, Err(StoreError::Locked(_))), "{second:?}");
        append(&mut old, 3, 3).await;
        return;
    }
    let (mut new, after) = open(storage).await;
    assert!(after.epoch > before.epoch);
    let fenced = |result: Result<(), StoreError>| {
        let Err(StoreError::Fenced { found, ours }) = result else {
            panic!("the old one must be fenced: {result:?}");
        };
        assert_eq!((found, ours), (after.epoch, before.epoch));
    };
    fenced(old.append(3, entries(3, 3)).await);
    // Neither a repetition nor a gap hides it: the old one has to stop for good.
    fenced(old.append(1, entries(1, 2)).await);
    fenced(old.append(9, entries(9, 9)).await);
    fenced(old.trim(2).await);
    fenced(old.state().await.map(|_| ()));
    append(&mut new, 3, 3).await;
    assert_eq!(all(&mut new).await, numbered(1, 3));
}

async fn whoever_never_took_cannot_write(storage: &impl LogStorage) {
    if storage.second() == SecondOpening::Refused {
        return;
    }
    let mut log = storage.open().await.expect("the storage opens");
    let refused = log.append(1, entries(1, 1)).await;
    assert!(matches!(refused, Err(StoreError::Fenced { ours: 0, .. })), "{refused:?}");
}

async fn trimming_keeps_what_is_asked(storage: &impl LogStorage) {
    let (mut log, taken) = open(storage).await;
    for first in (1..=200).step_by(5) {
        append(&mut log, first, first + 4).await;
    }
    log.trim(98).await.expect("trims");
    let state = log.state().await.expect("a state");
    assert!(state.first <= 98 && state.last == 200, "{state:?}");
    assert_eq!(log.read(98, 500).await.expect("readable"), numbered(98, 200));
    // Below what is kept, reading begins with the first one kept.
    assert_eq!(all(&mut log).await, numbered(state.first, 200));
    log.trim(1).await.expect("trimming what is gone is nothing");
    append(&mut log, 201, 202).await;
    drop(log);
    let (mut log, after) = open(storage).await;
    assert_eq!(after.instance, taken.instance);
    assert!(after.first <= 98 && after.last == 202, "{after:?}");
    assert_eq!(log.read(98, 500).await.expect("readable"), numbered(98, 202));
}

async fn trimming_everything_keeps_the_number(storage: &impl LogStorage) {
    let (mut log, _) = open(storage).await;
    append(&mut log, 1, 10).await;
    append(&mut log, 11, 20).await;
    log.trim(21).await.expect("trims");
    drop(log);
    let (mut log, state) = open(storage).await;
    assert_eq!(state.last, 20);
    assert!(state.first <= 21, "{state:?}");
    let gap = log.append(1, entries(1, 1)).await;
    assert!(gap.is_ok(), "what was trimmed was there: {gap:?}");
    append(&mut log, 21, 22).await;
    assert_eq!(log.read(21, 5).await.expect("readable"), numbered(21, 22));
}

async fn large_groups_and_many_groups(storage: &impl LogStorage) {
    let (mut log, _) = open(storage).await;
    let large = Bytes::from(vec![0xa7; 300_000]);
    log.append(1, vec![large.clone(); 8]).await.expect("2.4 MB in one group");
    for number in 9..=300 {
        append(&mut log, number, number).await;
    }
    let found = log.read(8, usize::MAX).await.expect("readable");
    assert_eq!(found[0], LogEntry { number: 8, bytes: large });
    assert_eq!(found[1..], numbered(9, 300));
}
