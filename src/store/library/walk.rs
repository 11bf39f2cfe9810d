//! All keys of a table, read before anybody is served.
//!
//! Separate because nothing else reads whole tables of a row for each callback: what counts is how
//! soon a start is over.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::join;

use super::StoreLibrary;
use crate::engine::ports::{RangeRead, StoreError, Table};
use crate::store::keys;

/// Keys of one round trip; tests have few.
pub(super) const AT_ONCE: usize = if cfg!(test) { 3 } else { 10_000 };

/// The one of two readers who comes from the first key on, or from the last one back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    FromFirst,
    FromLast,
}

/// What nobody has taken yet of a table's keys. Two readers that come from both ends meet wherever
/// the slower one has come: where a table's middle is nobody knows before it's read.
pub(super) struct Unread {
    table: Table,
    bounds: Mutex<(Bytes, Option<Bytes>)>,
}

impl Unread {
    /// All keys of a table.
    pub(super) fn all_of(table: Table) -> Self {
        Self { table, bounds: Mutex::default() }
    }

    /// A reader's next page.
    fn next(&self, reader: Reader) -> RangeRead {
        let (start, end) = self.bounds().clone();
        let reverse = reader == Reader::FromLast;
        RangeRead { table: self.table, start, end, reverse, limit: AT_ONCE }
    }

    /// Takes of a page what the other reader hasn't taken meanwhile: so many from its beginning.
    fn take(&self, reader: Reader, page: &[(Bytes, Bytes)]) -> usize {
        let (start, end) = &mut *self.bounds();
        let is_left = |key: &Bytes| key >= start && end.as_ref().is_none_or(|end| key < end);
        let count = page.partition_point(|(key, _)| is_left(key));
        if let Some((last, _)) = page[..count].last() {
            match reader {
                Reader::FromFirst => *start = keys::behind(last),
                Reader::FromLast => *end = Some(last.clone()),
            }
        }
        count
    }

    fn bounds(&self) -> MutexGuard<'_, (Bytes, Option<Bytes>)> {
        // Each bound is replaced as a whole.
        self.bounds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StoreLibrary {
    /// Takes what is unread from one end on, and looks at each key while the next ones are read.
    pub(super) async fn each_key(
        &self,
        unread: &Unread,
        reader: Reader,
        mut look: impl FnMut(&Bytes) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut page = self.rows.range(unread.next(reader)).await?;
        loop {
            let taken = &page[..unread.take(reader, &page)];
            let mut look_at_all = || taken.iter().try_for_each(|(key, _)| look(key));
            if taken.len() < AT_ONCE {
                return look_at_all();
            }
            let following = self.rows.range(unread.next(reader));
            let (following, looked) = join!(biased; following, async { look_at_all() });
            looked?;
            page = following?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_readers_have_read_is_taken_once() {
        let page = |keys: &[u8]| -> Vec<(Bytes, Bytes)> {
            keys.iter().map(|key| (Bytes::copy_from_slice(&[*key]), Bytes::new())).collect()
        };
        let (first, last) = (Reader::FromFirst, Reader::FromLast);
        let unread = Unread::all_of(keys::ACTIVE);
        assert_eq!(unread.take(first, &page(&[1, 2, 3])), 3);
        assert_eq!(unread.take(last, &page(&[9, 7, 6])), 3);
        let (start, end) = (keys::behind(&[3]), Some(Bytes::from_static(&[6])));
        let next = |reverse| {
            let (start, end, limit) = (start.clone(), end.clone(), AT_ONCE);
            RangeRead { table: keys::ACTIVE, start, end, reverse, limit }
        };
        assert_eq!((unread.next(first), unread.next(last)), (next(false), next(true)));
        // Both read all that is left, and the last reader is told first.
        assert_eq!(unread.take(last, &page(&[5, 4])), 2);
        assert_eq!(unread.take(first, &page(&[4, 5])), 0);

        let unread = Unread::all_of(keys::ACTIVE);
        assert_eq!(unread.take(first, &page(&[1, 2, 3])), 3);
        assert_eq!(unread.take(last, &page(&[5, 4, 3])), 2);
    }
}
