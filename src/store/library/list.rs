//! Pages of callbacks: the narrowest index that is in the list's order is walked, and what it
//! leads to is held against the whole filter.
//!
//! Most index keys end with the callback's id, and ids are in the order of creation. So a list by
//! creation merges the index's fronts by id; a list by start or by place in line walks the index
//! of that very instant.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::filter::matches;
use super::{CHUNK, StoreLibrary};
use crate::domain::callback::State;
use crate::domain::ids::CallbackId;
use crate::engine::library::{FullCallback, ListFilter, ListRead, Page, SortKey};
use crate::engine::ports::{RangeRead, StoreError, Table};
use crate::store::keys::{self, TextKind};

/// A page looks at most at so many rows.
const MAX_LOOKED_AT: usize = 5_000;

/// Rows of an index read at once.
const STRIDE: usize = 256;

/// A cursor's layout.
const CURSOR: u8 = 1;

/// Where the ids of a list come from.
enum Source {
    /// Keys of a table that begin with one of these, and end with the id.
    Fronts(Table, Vec<Vec<u8>>),
    /// These, ascending.
    Ids(Vec<CallbackId>),
}

impl StoreLibrary {
    /// A page; `Err(None)` if the cursor belongs to another read.
    pub(super) async fn page(
        &self,
        read: ListRead,
    ) -> Result<Page<FullCallback>, Option<StoreError>> {
        let digest = digest(&read);
        let mut after = match &read.after {
            Some(cursor) => Some(cursor_key(cursor, &digest).ok_or(None)?),
            None => None,
        };
        let source = self.source(&read).await?;
        let mut items = Vec::new();
        let mut looked_at = 0;
        loop {
            let (next, more) = self.next_keys(&read, &source, after.as_deref()).await?;
            for (place, (key, full)) in self.load(&next).await?.into_iter().enumerate() {
                looked_at += 1;
                after = Some(key);
                if matches(&read.filter, &full) {
                    items.push(full);
                }
                let rest = more || place + 1 < next.len();
                if (items.len() == read.limit || looked_at >= MAX_LOOKED_AT) && rest {
                    let next = after.map(|key| cursor(&digest, &key));
                    return Ok(Page { items, next });
                }
            }
            if !more {
                return Ok(Page { items, next: None });
            }
            after = next.last().cloned().or(after);
        }
    }

    /// The records that keys lead to. A key without one (deleted meanwhile) is left out.
    async fn load(&self, next: &[Vec<u8>]) -> Result<Vec<(Vec<u8>, FullCallback)>, StoreError> {
        use crate::engine::library::Library;
        let ids: Vec<_> = next.iter().filter_map(|key| keys::id_at_end(key)).collect();
        let mut loaded = Vec::with_capacity(ids.len());
        for callback in self.callbacks(&ids).await? {
            let key = next.iter().find(|key| keys::id_at_end(key) == Some(callback.id));
            if let Some(key) = key.cloned() {
                loaded.push((key, self.complete(callback).await?));
            }
        }
        Ok(loaded)
    }

    async fn source(&self, read: &ListRead) -> Result<Source, StoreError> {
        let instants = |table| Ok(Source::Fronts(table, vec![Vec::new()]));
        match read.sort {
            SortKey::Start => return instants(keys::BY_START),
            SortKey::QueuedSince => return instants(keys::BY_QUEUED),
            SortKey::CreatedAt => {}
        }
        let filter = &read.filter;
        if let Some(front) = text_front(filter) {
            return Ok(Source::Fronts(keys::BY_TEXT, vec![front.to_vec()]));
        }
        if let Some(number) = filter.number {
            return Ok(Source::Fronts(keys::BY_NUMBER, vec![number.to_be_bytes().to_vec()]));
        }
        if let Some(agent) = filter.agent.as_ref().or(filter.booked_by.as_ref()) {
            return Ok(Source::Fronts(keys::BY_AGENT, vec![keys::agent(agent).to_vec()]));
        }
        if let Some(prefix) = &filter.prefix
            && let Some(ids) = self.by_prefix(prefix).await?
        {
            return Ok(Source::Ids(ids));
        }
        let states = if filter.states.is_empty() { &State::ALL[..] } else { &filter.states };
        if filter.or_held_by.is_none() && !filter.queues.is_empty() {
            let of_queue = |queue| states.iter().map(move |one| keys::queue(queue, *one).to_vec());
            let fronts = filter.queues.iter().flat_map(of_queue).collect();
            return Ok(Source::Fronts(keys::BY_QUEUE, fronts));
        }
        if !filter.states.is_empty() {
            let fronts = states.iter().map(|one| keys::state(*one).to_vec()).collect();
            return Ok(Source::Fronts(keys::BY_STATE, fronts));
        }
        Ok(Source::Fronts(keys::CALLBACK, vec![Vec::new()]))
    }

    /// The ids found by a beginning; none if there are too many to sort here.
    async fn by_prefix(&self, prefix: &str) -> Result<Option<Vec<CallbackId>>, StoreError> {
        let front = keys::prefix(prefix);
        let mut ids = BTreeSet::new();
        let mut after: Option<Bytes> = None;
        for _ in 0..=MAX_LOOKED_AT / CHUNK {
            let rows = self.range(keys::BY_PREFIX, &front, after.as_deref(), CHUNK).await?;
            ids.extend(rows.iter().filter_map(|(key, _)| keys::id_at_end(key)));
            if rows.len() < CHUNK {
                return Ok(Some(ids.into_iter().collect()));
            }
            after = rows.last().map(|(key, _)| key.clone());
        }
        Ok(None)
    }

    /// The next keys in the list's order, each ending with an id, without their fronts where those
    /// don't order the list; and whether there may be more.
    async fn next_keys(
        &self,
        read: &ListRead,
        source: &Source,
        after: Option<&[u8]>,
    ) -> Result<(Vec<Vec<u8>>, bool), StoreError> {
        let (table, fronts) = match source {
            Source::Fronts(table, fronts) => (*table, fronts),
            Source::Ids(ids) => {
                let after = after.and_then(keys::id_at_end);
                let left = |id: &&CallbackId| match (after, read.descending) {
                    (Some(after), false) => **id > after,
                    (Some(after), true) => **id < after,
                    (None, _) => true,
                };
                let mut left: Vec<_> =
                    ids.iter().filter(left).map(|id| id.to_bytes().to_vec()).collect();
                if read.descending {
                    left.reverse();
                }
                let more = left.len() > STRIDE;
                left.truncate(STRIDE);
                return Ok((left, more));
            }
        };
        let mut merged = BTreeSet::new();
        let mut edge: Option<Vec<u8>> = None;
        for front in fronts {
            let rows = self.stride(table, front, after, read.descending).await?;
            let full = rows.len() == STRIDE;
            if let (true, Some(last)) = (full, rows.last()) {
                // Behind the last row of a full stride others of this front may follow.
                let nearer = edge.as_ref().is_none_or(|edge| (last < edge) != read.descending);
                if nearer {
                    edge = Some(last.clone());
                }
            }
            merged.extend(rows);
        }
        let more = edge.is_some();
        if let Some(edge) = edge {
            merged.retain(|key| if read.descending { *key >= edge } else { *key <= edge });
        }
        let mut keys: Vec<_> = merged.into_iter().collect();
        if read.descending {
            keys.reverse();
        }
        Ok((keys, more))
    }

    /// Keys of one front after `after`, the front cut off.
    async fn stride(
        &self,
        table: Table,
        front: &[u8],
        after: Option<&[u8]>,
        descending: bool,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let behind = after.map(|after| [front, after].concat());
        let past = if front.is_empty() { None } else { keys::past(front) };
        let (start, end) = match (behind, descending) {
            (Some(behind), false) => ([behind.as_slice(), &[0]].concat(), past),
            (Some(behind), true) => (front.to_vec(), Some(behind.into())),
            (None, _) => (front.to_vec(), past),
        };
        let read =
            RangeRead { table, start: start.into(), end, reverse: descending, limit: STRIDE };
        let rows = self.rows.range(read).await?;
        Ok(rows.into_iter().map(|(key, _)| key[front.len()..].to_vec()).collect())
    }
}

/// The front of the narrowest exact text that is asked for.
fn text_front(filter: &ListFilter) -> Option<[u8; 16]> {
    let email = filter.email.as_ref().map(|email| email.to_lowercase());
    let texts = [
        (TextKind::ExternalId, filter.external_id.as_deref()),
        (TextKind::InteractionRef, filter.interaction_ref.as_deref()),
        (TextKind::Case, filter.case_id.as_deref()),
        (TextKind::Phone, filter.phone.as_deref()),
        (TextKind::Email, email.as_deref()),
        (TextKind::Contact, filter.contact.as_deref()),
    ];
    texts.into_iter().find_map(|(kind, text)| text.map(|text| keys::text(kind, text)))
}

/// Stands for what a cursor belongs to.
fn digest(read: &ListRead) -> [u8; 16] {
    let text = format!("{:?} {:?} {}", read.filter, read.sort, read.descending);
    keys::hash(&[text.as_bytes()])
}

fn cursor(digest: &[u8; 16], key: &[u8]) -> Vec<u8> {
    [&[CURSOR], digest.as_slice(), key].concat()
}

fn cursor_key(cursor: &[u8], digest: &[u8; 16]) -> Option<Vec<u8>> {
    let rest = cursor.strip_prefix(&[CURSOR])?;
    let key = rest.strip_prefix(digest.as_slice())?;
    matches!(key.len(), 16 | 24).then(|| key.to_vec())
}
