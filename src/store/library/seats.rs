//! What is taken of the queues' slots, read from the seats of callbacks that aren't final.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::walk::{Reader, Unread};
use super::{StoreLibrary, part};
use crate::domain::ids::{CallbackId, QueueId};
use crate::domain::slots::{Bookings, Seat};
use crate::domain::time::Timestamp;
use crate::engine::library::BookedRead;
use crate::engine::ports::{RangeRead, StoreError};
use crate::store::keys;

/// A callback's id, which a key ends with.
const ID: usize = 16;

impl StoreLibrary {
    /// Counts all seats. Those of one start stand beside each other, so that a key is only looked
    /// into where it differs from the one before.
    pub(super) async fn all_seats(&self) -> Result<BTreeMap<QueueId, Bookings>, StoreError> {
        let mut taken: BTreeMap<QueueId, Bookings> = BTreeMap::new();
        let mut run = Run::default();
        self.each_key(&Unread::all_of(keys::SEAT), Reader::FromFirst, |key| {
            let front = key.len().saturating_sub(ID);
            if run.count > 0 && run.key[..run.front] == key[..front] {
                run.count += 1;
                return Ok(());
            }
            run.end(&mut taken)?;
            run = Run { key: key.clone(), front, count: 1 };
            Ok(())
        })
        .await?;
        run.end(&mut taken)?;
        Ok(taken)
    }
}

impl StoreLibrary {
    pub(super) async fn booked_seats(
        &self,
        read: BookedRead,
    ) -> Result<Vec<(Timestamp, CallbackId)>, StoreError> {
        let BookedRead { queue, medium, after, from, until, limit } = read;
        let at = |start| keys::seat(&queue, Seat { medium, start: Some(start) });
        let start = after.map_or_else(
            || at(from).into(),
            |(start, id)| keys::behind(&keys::with_id(&at(start), id)),
        );
        let end = Some(at(until).into());
        let read = RangeRead { table: keys::SEAT, start, end, reverse: false, limit };
        let rows = self.rows.range(read).await?;
        let row = |key: &[u8]| {
            let (_, seat) = keys::seat_of(key)?;
            Some((seat.start?, keys::id_at_end(key)?))
        };
        rows.iter().map(|(key, _)| part(keys::SEAT, key, row)).collect()
    }
}

/// Keys that differ in their callbacks alone.
#[derive(Debug, Default)]
struct Run {
    key: Bytes,
    front: usize,
    count: u32,
}

impl Run {
    fn end(&self, taken: &mut BTreeMap<QueueId, Bookings>) -> Result<(), StoreError> {
        if self.count == 0 {
            return Ok(());
        }
        let (queue, seat): (QueueId, Seat) = part(keys::SEAT, &self.key, keys::seat_of)?;
        taken.entry(queue).or_default().take_many(seat, self.count);
        Ok(())
    }
}
