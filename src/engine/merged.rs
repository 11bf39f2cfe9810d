//! Reads that show the newest journaled state: the overlay merged with the tables.
//!
//! Separate from `overlay` because this waits for a store and that never does. It must never show
//! an older value than was visible before, which rests on one order: **the overlay first, the
//! tables after**. The projector drops a row from the overlay only when every read of the tables
//! finds it there. So if the overlay still had the row, that is the newest; and if it had been
//! dropped already, the tables, which are asked later, have it. The other way round a row could be
//! missed by both: read the tables before the batch, and the overlay after the drop.
//!
//! What isn't promised: that all rows of one read belong to the same entry. An entry may be taken
//! between the two looks, or between two parts of a long range. `Rows::newest`, asked after the
//! read, is at or past everything shown.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use super::overlay::{Overlay, Part, Seen};
use super::ports::{EntryNumber, PortFuture, RangeRead, RowKey, Rows, StoreError, Tables};

/// The overlay's rows looked at under one hold of its lock; a longer range is read in parts. Few
/// in tests, so that ranges of some rows have many parts.
const PART: usize = if cfg!(test) { 3 } else { 512 };

type Row = (Bytes, Bytes);

/// The overlay above the tables, for any thread.
pub struct Merged {
    overlay: Arc<Overlay>,
    tables: Arc<dyn Tables>,
}

impl Merged {
    pub(super) fn new(overlay: Arc<Overlay>, tables: Arc<dyn Tables>) -> Self {
        Self { overlay, tables }
    }

    async fn get_merged(&self, keys: Vec<RowKey>) -> Result<Vec<Option<Bytes>>, StoreError> {
        let seen = self.overlay.get(&keys);
        let missing: Vec<RowKey> = keys
            .into_iter()
            .zip(&seen)
            .filter_map(|(key, seen)| (*seen == Seen::Nothing).then_some(key))
            .collect();
        let stored = if missing.is_empty() { Vec::new() } else { self.tables.get(missing).await? };
        let mut stored = stored.into_iter();
        Ok(seen
            .into_iter()
            .map(|seen| match seen {
                Seen::Row(value) => value,
                Seen::Nothing => stored.next().flatten(),
            })
            .collect())
    }

    async fn range_merged(&self, mut read: RangeRead) -> Result<Vec<Row>, StoreError> {
        let limit = read.limit;
        let mut found = Vec::new();
        while found.len() < limit && !is_empty(&read) {
            let part = self.overlay.range(&read, PART);
            let rest = part.rows.last().filter(|_| !part.is_last).map(|(last, _)| {
                let mut rest = read.clone();
                step_past(&mut rest, last);
                rest
            });
            self.read_part(&mut found, limit, part, rest.as_ref(), read).await?;
            let Some(rest) = rest else { break };
            read = rest;
        }
        Ok(found)
    }

    /// Reads the tables along one part of the overlay, and merges both.
    ///
    /// So many rows more are asked for as the part has deletions: if the tables return as many,
    /// then at least what is missing to the limit remains of them, and nothing behind the last of
    /// them can belong to the answer; if they return fewer, they have been read to the part's end.
    async fn read_part(
        &self,
        found: &mut Vec<Row>,
        limit: usize,
        part: Part,
        rest: Option<&RangeRead>,
        mut read: RangeRead,
    ) -> Result<(), StoreError> {
        if let Some(rest) = rest {
            if read.reverse {
                // The rest ends, exclusively, where this part begins.
                read.start = rest.end.clone().unwrap_or_default();
            } else {
                read.end = Some(rest.start.clone());
            }
        }
        let deletions = part.rows.iter().filter(|(_, value)| value.is_none()).count();
        read.limit = limit - found.len() + deletions;
        let reverse = read.reverse;
        let stored = self.tables.range(read).await?;
        merge(found, limit, reverse, part, stored);
        Ok(())
    }
}

impl Rows for Merged {
    fn newest(&self) -> EntryNumber {
        self.overlay.newest()
    }

    fn get(&self, keys: Vec<RowKey>) -> PortFuture<'_, Result<Vec<Option<Bytes>>, StoreError>> {
        Box::pin(self.get_merged(keys))
    }

    fn range(&self, read: RangeRead) -> PortFuture<'_, Result<Vec<Row>, StoreError>> {
        Box::pin(self.range_merged(read))
    }
}

/// There is no key in it, so no store need be asked.
fn is_empty(read: &RangeRead) -> bool {
    read.end.as_ref().is_some_and(|end| *end <= read.start)
}

/// Shortens a read to what lies behind `last` in its direction.
fn step_past(read: &mut RangeRead, last: &Bytes) {
    if read.reverse {
        read.end = Some(last.clone());
    } else {
        // The least key above it.
        let mut next = BytesMut::with_capacity(last.len() + 1);
        next.put_slice(last);
        next.put_u8(0);
        read.start = next.freeze();
    }
}

/// Appends both in one order until `found` has `limit` rows; the overlay's row wins.
fn merge(found: &mut Vec<Row>, limit: usize, reverse: bool, part: Part, stored: Vec<Row>) {
    let mut overlaid = part.rows.into_iter().peekable();
    let mut stored = stored.into_iter().peekable();
    while found.len() < limit {
        let (take_overlaid, take_stored) = match (overlaid.peek(), stored.peek()) {
            (None, None) => return,
            (Some(_), None) => (true, false),
            (None, Some(_)) => (false, true),
            (Some((over, _)), Some((below, _))) => {
                let over_first = if reverse { over > below } else { over < below };
                (over == below || over_first, over == below || !over_first)
            }
        };
        let below = if take_stored { stored.next() } else { None };
        let over = if take_overlaid { overlaid.next() } else { None };
        match over {
            Some((key, Some(value))) => found.push((key, value)),
            Some((_, None)) => {}
            None => found.extend(below),
        }
    }
}
