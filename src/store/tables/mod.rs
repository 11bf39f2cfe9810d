//! The tables' implementations, and what they have in common.
//!
//! Tables keep rows by key, in order, and know nothing of their meaning; which tables there are
//! and how keys are made stands one layer up. They follow the log: each batch says which entries
//! it covers, and the rule about that stands here once.

pub mod conformance;
mod embedded;
mod memory;
mod redis;

pub(super) use self::embedded::EmbeddedTables;
pub(super) use self::memory::MemoryTables;
pub(super) use self::redis::RedisTables;
use crate::engine::ports::{EntryNumber, RangeRead, StoreError};

/// What a watermark says about a batch of the entries `from ..= to`: whether it is still to be
/// applied, or was before.
fn is_due(watermark: EntryNumber, from: EntryNumber, to: EntryNumber) -> Result<bool, StoreError> {
    if to <= watermark {
        return Ok(false);
    }
    if from == watermark + 1 {
        return Ok(true);
    }
    Err(StoreError::Gap { found: watermark, first: from })
}

/// Whether a range can hold no row at all; the maps below panic at one that ends before it starts.
fn holds_nothing(read: &RangeRead) -> bool {
    debug_assert!(read.table.is_ordered(), "a range of {}, which isn't ordered", read.table.name);
    read.limit == 0 || read.end.as_ref().is_some_and(|end| *end <= read.start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_due_once_and_in_its_turn() {
        let due = |watermark, from, to| is_due(watermark, from, to).ok();
        assert_eq!(due(0, 1, 5), Some(true));
        assert_eq!(due(5, 1, 5), Some(false));
        assert_eq!(due(5, 2, 4), Some(false));
        assert_eq!(due(5, 6, 6), Some(true));
        let gap = is_due(5, 7, 9);
        assert!(matches!(gap, Err(StoreError::Gap { found: 5, first: 7 })), "{gap:?}");
        // Reaches further than what is there, but begins within it: other rows were coalesced.
        assert!(matches!(is_due(5, 4, 9), Err(StoreError::Gap { found: 5, first: 4 })));
    }
}
