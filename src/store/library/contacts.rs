//! Callbacks of one contact that aren't final, those of one queue that are dormant, and all
//! dormant ones by when they are due.

use std::sync::Arc;

use bytes::Bytes;
use tokio::try_join;

use super::walk::{Reader, Unread};
use super::{StoreLibrary, part};
use crate::domain::callback::{Callback, ContactKey, State};
use crate::domain::ids::{CallbackId, QueueId};
use crate::domain::time::Timestamp;
use crate::engine::contacts::ActiveKeys;
use crate::engine::ports::{RangeRead, StoreError};
use crate::store::keys;

impl StoreLibrary {
    /// Those found under a key, the oldest first. One that ends between the two reads is there or
    /// isn't, as any read may show it.
    pub(super) async fn active_of(
        &self,
        contact: ContactKey,
        limit: usize,
    ) -> Result<Vec<Arc<Callback>>, StoreError> {
        let rows = self.range(keys::ACTIVE, &contact.0, None, limit).await?;
        let ids = rows.iter().map(|(key, _)| part(keys::ACTIVE, key, keys::id_at_end));
        let ids: Vec<CallbackId> = ids.collect::<Result<_, _>>()?;
        let found = self.callbacks(&ids).await?.into_iter().flatten();
        Ok(found.filter(|callback| !callback.state().is_final()).collect())
    }

    /// All keys under which something is found, once per callback. Two readers at once: reading
    /// them takes longest of all that a start does.
    pub(super) async fn all_active(&self) -> Result<ActiveKeys, StoreError> {
        let unread = Unread::all_of(keys::ACTIVE);
        let read = |reader| self.active_in(&unread, reader);
        let (mut active, others) = try_join!(read(Reader::FromFirst), read(Reader::FromLast))?;
        active.append(others);
        Ok(active)
    }

    async fn active_in(&self, unread: &Unread, reader: Reader) -> Result<ActiveKeys, StoreError> {
        let mut active = ActiveKeys::default();
        let read = |key: &[u8]| {
            let contact = ContactKey(*key.first_chunk::<16>()?);
            (key.len() == 32).then_some(contact)
        };
        self.each_key(unread, reader, |key| {
            active.add(part(keys::ACTIVE, key, read)?);
            Ok(())
        })
        .await?;
        Ok(active)
    }

    /// Those of a queue that wait for a time, by id, after `after`.
    pub(super) async fn open_of(
        &self,
        queue: QueueId,
        after: Option<CallbackId>,
        limit: usize,
    ) -> Result<Vec<CallbackId>, StoreError> {
        let front = keys::by_queue(&queue, State::Open);
        let after = after.map(|id| keys::with_id(&front, id));
        let rows = self.range(keys::BY_QUEUE, &front, after.as_deref(), limit).await?;
        rows.iter().map(|(key, _)| part(keys::BY_QUEUE, key, keys::id_at_end)).collect()
    }

    /// Those that are due up to an instant, the first of them first, after `after`.
    pub(super) async fn due_after(
        &self,
        after: Option<(Timestamp, CallbackId)>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, CallbackId)>, StoreError> {
        let start = after.map_or_else(Bytes::new, |(at, id)| {
            keys::behind(&keys::with_id(&keys::instant(at), id))
        });
        let end = keys::past(&keys::instant(until));
        let read = RangeRead { table: keys::DUE, start, end, reverse: false, limit };
        let rows = self.rows.range(read).await?;
        let due = |key: &[u8]| {
            let at = key.first_chunk::<8>()?;
            Some((keys::instant_of(*at), keys::id_at_end(key)?))
        };
        rows.iter().map(|(key, _)| part(keys::DUE, key, due)).collect()
    }
}
