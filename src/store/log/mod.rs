//! The log's implementations, and what they have in common.
//!
//! A log keeps groups of entries in order and knows nothing of their meaning. The rule of what a
//! repeated group means stands here once, so that no implementation can have its own.

pub mod conformance;
mod embedded;
mod group;
mod memory;
mod redis;

use bytes::Bytes;

pub(super) use self::embedded::{EmbeddedLog, LogOptions, SEGMENT_BYTES};
pub(super) use self::memory::MemoryLog;
pub(super) use self::redis::RedisLog;
use crate::engine::ports::{EntryNumber, StoreError};

/// What of a group the log lacks, with the number of the first entry lacking; none when all of it
/// is there.
///
/// A group sent again may reach further than the one before it did: its head is there, its tail
/// is not. The tail is what remains to be written.
fn lacking(
    last: EntryNumber,
    first: EntryNumber,
    mut entries: Vec<Bytes>,
) -> Result<Option<(EntryNumber, Vec<Bytes>)>, StoreError> {
    let next = last + 1;
    if first > next {
        return Err(StoreError::Gap { found: last, first });
    }
    let there = usize::try_from(next - first).unwrap_or(usize::MAX);
    if there >= entries.len() {
        return Ok(None);
    }
    Ok(Some((next, entries.split_off(there))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(count: u8) -> Vec<Bytes> {
        (0..count).map(|at| Bytes::from(vec![at])).collect()
    }

    #[test]
    fn only_what_lacks_is_left_to_write() {
        let check = |last, first, count, left: Option<(u64, usize)>| {
            let found = lacking(last, first, group(count)).expect("no gap");
            assert_eq!(found.map(|(at, rest)| (at, rest.len())), left, "{last} {first} {count}");
        };
        check(0, 1, 3, Some((1, 3)));
        check(3, 4, 1, Some((4, 1)));
        check(3, 1, 3, None);
        check(3, 2, 3, Some((4, 1)));
        check(9, 1, 3, None);
        check(3, 4, 0, None);
        let refused = lacking(3, 5, group(1));
        assert!(matches!(refused, Err(StoreError::Gap { found: 3, first: 5 })), "{refused:?}");
    }
}
