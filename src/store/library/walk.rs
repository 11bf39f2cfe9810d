//! All keys of a table, read before anybody is served.
//!
//! Separate because nothing else reads whole tables of a row for each callback: what counts is how
//! soon a start is over.

use bytes::Bytes;
use tokio::join;

use super::StoreLibrary;
use crate::engine::ports::{RangeRead, StoreError, Table};

/// Keys of one round trip; tests have few.
pub(super) const AT_ONCE: usize = if cfg!(test) { 3 } else { 10_000 };

/// Both halves of a table's keys.
pub(super) fn halves(table: Table, middle: Bytes) -> [RangeRead; 2] {
    let [mut low, mut high] = [all(table), all(table)];
    low.end = Some(middle.clone());
    high.start = middle;
    [low, high]
}

/// All keys of a table.
pub(super) fn all(table: Table) -> RangeRead {
    RangeRead { table, start: Bytes::new(), end: None, reverse: false, limit: AT_ONCE }
}

impl StoreLibrary {
    /// Looks at each key of a range, in their order, while the next ones are read.
    pub(super) async fn each_key(
        &self,
        mut read: RangeRead,
        mut look: impl FnMut(&Bytes) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut rows = self.rows.range(read.clone()).await?;
        loop {
            let last = rows.last().filter(|_| rows.len() == AT_ONCE);
            // The first key behind it in byte order.
            let next = last.map(|(last, _)| [&last[..], &[0]].concat().into());
            let mut look_at_all = || rows.iter().try_for_each(|(key, _)| look(key));
            let Some(next) = next else { return look_at_all() };
            read.start = next;
            let following = self.rows.range(read.clone());
            let (following, looked) = join!(biased; following, async { look_at_all() });
            looked?;
            rows = following?;
        }
    }

    /// About the middle of a table's keys, by the number that their first bytes are; none: there
    /// is no key, or one that is too short.
    pub(super) async fn middle(&self, table: Table) -> Result<Option<Bytes>, StoreError> {
        let end = |reverse| self.rows.range(RangeRead { reverse, limit: 1, ..all(table) });
        let (first, last) = join!(end(false), end(true));
        let number = |rows: &[(Bytes, Bytes)]| {
            let head: &[u8; 16] = rows.first()?.0.first_chunk()?;
            Some(u128::from_be_bytes(*head))
        };
        let Some((first, last)) = number(&first?).zip(number(&last?)) else { return Ok(None) };
        Ok(Some(Bytes::copy_from_slice(&first.midpoint(last).to_be_bytes())))
    }
}
