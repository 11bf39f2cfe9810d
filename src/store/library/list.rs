//! Pages of callbacks: the narrowest index that is in the list's order is walked, and what it
//! leads to is held against the whole filter.
//!
//! Most index keys end with the callback's id, and ids are in the order of creation. So a list by
//! creation merges the index's fronts by id. A list by start or by place in line walks the index
//! of that instant, unless something else finds so few callbacks that they can be sorted here.
//! Those without the instant come behind all others, by id, and have no index of their own: what
//! holds all that can match is looked through.
//!
//! Fronts are read one after the other and not at one moment, in the order of a callback's life:
//! one that goes on meanwhile is found, one that goes back may be missed by that page.
//!
//! A place in a list is what its order goes by: the id, or the instant and the id.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::try_join_all;

use super::filter::{asks_the_record_alone, matches, may_match};
use super::{StoreLibrary, part};
use crate::domain::callback::{Callback, CallbackType, NUMBER_DIGITS, NUMBER_MARK, State};
use crate::domain::ids::CallbackId;
use crate::domain::time::Timestamp;
use crate::engine::library::{FullCallback, Library, ListFilter, ListRead, Page, SortKey};
use crate::engine::ports::{RangeRead, StoreError, Table};
use crate::store::keys::{self, TextKind};

/// A page looks at most at so many rows.
const MAX_LOOKED_AT: usize = 5_000;

/// So many callbacks are sorted here; where more are found, the order's own index is walked.
const SORTED_HERE: usize = 1_000;

/// The most rows of one index front that are read at once.
const STRIDE: usize = 256;

/// The most rows of all fronts together that are read at once, but for 16 of each.
const STRIDES: usize = 2_048;

/// Where queues and states make more fronts than this, walking what holds them all is cheaper.
const MAX_FRONTS: usize = 48;

/// A cursor's layout: this byte, the digest of filter and order, the last place.
const CURSOR: u8 = 1;

/// Keys of a table that begin with the same bytes.
type Front = (Table, Vec<u8>);

/// Stands in a place for the instant that there isn't; later than any other.
const UNDATED: [u8; 8] = [u8::MAX; 8];

/// Where the places of a list come from.
enum Source {
    /// Keys that, less their fronts, are the places.
    Fronts(Vec<Front>),
    /// The same of those with the instant that the list goes by; and, behind them, the ids of
    /// those without.
    Dated(Vec<Front>, Vec<Front>),
    /// These, ascending.
    Found(Vec<Bytes>),
}

impl StoreLibrary {
    /// A page; `Err(None)` if the cursor belongs to another read.
    pub(super) async fn page(
        &self,
        read: ListRead,
    ) -> Result<Page<FullCallback>, Option<StoreError>> {
        let digest = digest(&read);
        let mut after = match &read.after {
            Some(cursor) => Some(place_in(cursor, &digest, read.sort).ok_or(None)?),
            None => None,
        };
        let source = self.source(&read).await?;
        let limit = read.limit.max(1);
        let mut stride = limit;
        let mut items = Vec::new();
        let mut left = MAX_LOOKED_AT;
        loop {
            let count = stride.clamp(16, STRIDE);
            let (mut places, mut more) = self.places(&read, &source, after.as_ref(), count).await?;
            more |= places.len() > left;
            places.truncate(left);
            left -= places.len();
            let (found, last) = self.take(&read, &places, limit - items.len()).await?;
            items.extend(found);
            more |= last < places.len();
            after = last.checked_sub(1).map(|last| places[last].clone()).or(after);
            if !more {
                return Ok(Page { items, next: None });
            }
            if items.len() == limit || left == 0 {
                let next = after.map(|place| cursor(&digest, &place));
                return Ok(Page { items, next });
            }
            stride = count * 2;
        }
    }

    /// The first `limit` callbacks of `places` that match, and how many places that took.
    async fn take(
        &self,
        read: &ListRead,
        places: &[Bytes],
        limit: usize,
    ) -> Result<(Vec<FullCallback>, usize), StoreError> {
        let filter = &read.filter;
        let ids: Vec<_> = places.iter().filter_map(|place| keys::id_at_end(place)).collect();
        // One whose record is gone was dropped between the two reads.
        let there = (1..).zip(self.callbacks(&ids).await?);
        let there = there.filter_map(|(count, found)| Some((count, found?)));
        let dated = |place: &Bytes, callback: &Callback| {
            place.starts_with(&UNDATED) && instant(read.sort, callback).is_some()
        };
        let likely = there.filter(|(count, callback)| !dated(&places[count - 1], callback));
        let mut likely: Vec<(usize, _)> =
            likely.filter(|(_, callback)| may_match(filter, callback)).collect();
        if asks_the_record_alone(filter) && likely.len() > limit {
            likely.truncate(limit);
        }
        let (counts, callbacks): (Vec<usize>, Vec<_>) = likely.into_iter().unzip();
        let held = self.those_held(filter, &callbacks).await?;
        let full = counts.into_iter().zip(self.those_complete(callbacks).await?);
        let full = full.zip(held).filter_map(|((count, full), held)| Some((count, full?, held)));
        let found = full.filter(|(_, full, held)| matches(filter, full, *held));
        let mut found: Vec<_> = found.map(|(count, full, _)| (count, full)).collect();
        found.truncate(limit);
        let last = match found.last() {
            Some((count, _)) if found.len() == limit => *count,
            _ => places.len(),
        };
        Ok((found.into_iter().map(|(_, full)| full).collect(), last))
    }

    /// Callbacks with what belongs to them; none for one that lapsed between the reads.
    async fn those_complete(
        &self,
        callbacks: Vec<Arc<Callback>>,
    ) -> Result<Vec<Option<FullCallback>>, StoreError> {
        match self.complete_all(callbacks.clone()).await {
            Ok(all) => return Ok(all.into_iter().map(Some).collect()),
            Err(StoreError::Damaged { .. }) => {}
            Err(error) => return Err(error),
        }
        let ids: Vec<CallbackId> = callbacks.iter().map(|callback| callback.id).collect();
        let there = self.callbacks(&ids).await?;
        let kept = callbacks.into_iter().zip(&there).filter(|(_, there)| there.is_some());
        let mut full =
            self.complete_all(kept.map(|(callback, _)| callback).collect()).await?.into_iter();
        Ok(there.iter().map(|there| there.as_ref().and_then(|_| full.next())).collect())
    }

    async fn source(&self, read: &ListRead) -> Result<Source, StoreError> {
        let filter = &read.filter;
        let exact = exact_fronts(filter);
        let by_id = read.sort == SortKey::CreatedAt;
        if by_id && let Some(exact) = exact {
            return Ok(Source::Fronts(exact));
        }
        let beginning = filter.prefix.as_deref().filter(|it| !keys::by_prefix(it).is_empty());
        let found = match (exact, beginning) {
            (Some(exact), _) => self.few(&exact).await?,
            (None, Some(beginning)) => self.few_beginning(beginning).await?,
            (None, None) if !by_id && is_narrow(filter) => self.few(&wide_fronts(filter)).await?,
            (None, None) => None,
        };
        if let Some(ids) = found {
            return Ok(Source::Found(self.sorted(read.sort, ids).await?));
        }
        let all = match read.sort {
            SortKey::CreatedAt => return Ok(Source::Fronts(wide_fronts(filter))),
            SortKey::Start => keys::BY_START,
            SortKey::QueuedSince => keys::BY_QUEUED,
        };
        let dated = may_be_dated(read).then(|| (all, Vec::new()));
        let undated = if may_be_undated(read) { wide_fronts(filter) } else { Vec::new() };
        Ok(Source::Dated(dated.into_iter().collect(), undated))
    }

    /// The ids under fronts; none if they are more than are sorted here.
    async fn few(&self, fronts: &[Front]) -> Result<Option<BTreeSet<CallbackId>>, StoreError> {
        let mut left = SORTED_HERE;
        let mut ids = BTreeSet::new();
        for (table, front) in fronts {
            let rows = self.range(*table, front, None, left + 1).await?;
            if rows.len() > left {
                return Ok(None);
            }
            left -= rows.len();
            for (key, _) in rows {
                ids.insert(part(*table, &key, keys::id_at_end)?);
            }
        }
        Ok(Some(ids))
    }

    /// The ids of those whose name, phone or number begins like this; none if they are more than
    /// are sorted here.
    async fn few_beginning(
        &self,
        beginning: &str,
    ) -> Result<Option<BTreeSet<CallbackId>>, StoreError> {
        let fronts = [(keys::BY_PREFIX, keys::by_prefix(beginning))];
        let Some(mut ids) = self.few(&fronts).await? else { return Ok(None) };
        let last = self.last_number().await?;
        for Range { start, end } in numbers_beginning(beginning, last) {
            let limit = SORTED_HERE + 1 - ids.len();
            let (start, end) = (start.to_be_bytes().to_vec(), end.to_be_bytes().to_vec());
            let (start, end) = (start.into(), Some(end.into()));
            let read = RangeRead { table: keys::BY_NUMBER, start, end, reverse: false, limit };
            let rows = self.rows.range(read).await?;
            if rows.len() == limit {
                return Ok(None);
            }
            for (key, _) in rows {
                ids.insert(part(keys::BY_NUMBER, &key, keys::id_at_end)?);
            }
        }
        Ok(Some(ids))
    }

    /// The places of callbacks in a list.
    async fn sorted(
        &self,
        sort: SortKey,
        ids: BTreeSet<CallbackId>,
    ) -> Result<Vec<Bytes>, StoreError> {
        let ids: Vec<CallbackId> = ids.into_iter().collect();
        if sort == SortKey::CreatedAt {
            return Ok(ids.iter().map(|id| Bytes::copy_from_slice(&id.to_bytes())).collect());
        }
        let callbacks = self.callbacks(&ids).await?;
        let callbacks = callbacks.iter().flatten();
        let mut places: Vec<_> = callbacks.map(|callback| place(sort, callback)).collect();
        places.sort_unstable();
        Ok(places)
    }

    /// The next places in the list's order, at least `count` of them while there are; and whether
    /// there may be more behind.
    async fn places(
        &self,
        read: &ListRead,
        source: &Source,
        after: Option<&Bytes>,
        count: usize,
    ) -> Result<(Vec<Bytes>, bool), StoreError> {
        let descending = read.descending;
        match source {
            Source::Fronts(fronts) => self.merged(fronts, after, descending, count).await,
            Source::Dated(dated, undated) => {
                self.dated_first((dated, undated), after, descending, count).await
            }
            Source::Found(places) => {
                let behind = |place: &&Bytes| match after {
                    Some(after) if descending => *place < after,
                    Some(after) => *place > after,
                    None => true,
                };
                let next = |places: &mut dyn Iterator<Item = &Bytes>| {
                    let mut places = places.filter(behind).cloned();
                    let next: Vec<_> = places.by_ref().take(count).collect();
                    (next, places.next().is_some())
                };
                let mut places = places.iter();
                Ok(if descending { next(&mut places.rev()) } else { next(&mut places) })
            }
        }
    }

    /// The next places of those with an instant, and then of those without; a reversed list has
    /// the latter first.
    async fn dated_first(
        &self,
        (dated, undated): (&[Front], &[Front]),
        after: Option<&Bytes>,
        descending: bool,
        count: usize,
    ) -> Result<(Vec<Bytes>, bool), StoreError> {
        let by_id = after.filter(|after| after.starts_with(&UNDATED));
        let id = by_id.map(|after| after.slice(UNDATED.len()..));
        let undated = async |after: Option<&Bytes>| {
            let (ids, more) = self.merged(undated, after, descending, count).await?;
            let place = |id: &Bytes| Bytes::from([&UNDATED, id.as_ref()].concat());
            Ok::<_, StoreError>((ids.iter().map(place).collect::<Vec<_>>(), more))
        };
        let (mut places, more) = match (by_id, after, descending) {
            (Some(_), _, false) => return undated(id.as_ref()).await,
            (None, Some(_), true) => return self.merged(dated, after, true, count).await,
            (Some(_), _, true) | (None, None, true) => undated(id.as_ref()).await?,
            (None, _, false) => self.merged(dated, after, false, count).await?,
        };
        if more {
            return Ok((places, true));
        }
        let (rest, more) = if descending {
            self.merged(dated, None, true, count).await?
        } else {
            undated(None).await?
        };
        places.extend(rest);
        Ok((places, more))
    }

    /// The next places of fronts, each of which has them in order.
    async fn merged(
        &self,
        fronts: &[Front],
        after: Option<&Bytes>,
        descending: bool,
        count: usize,
    ) -> Result<(Vec<Bytes>, bool), StoreError> {
        let count = count.min(STRIDES / fronts.len().max(1)).max(16);
        let strides = fronts.iter().map(|front| self.stride(front, after, descending, count));
        let strides = try_join_all(strides).await?;
        // Behind the last row of a full stride others of its front may follow, so nothing that
        // another front has behind that row is next yet.
        let full = strides.iter().filter(|rows| rows.len() == count);
        let edges = full.filter_map(|rows| rows.last());
        let edge = if descending { edges.max().cloned() } else { edges.min().cloned() };
        let mut merged: BTreeSet<Bytes> = strides.into_iter().flatten().collect();
        if let Some(edge) = &edge {
            merged.retain(|place| if descending { place >= edge } else { place <= edge });
        }
        let mut places: Vec<_> = merged.into_iter().collect();
        if descending {
            places.reverse();
        }
        Ok((places, edge.is_some()))
    }

    /// Places of one front behind `after`.
    async fn stride(
        &self,
        (table, front): &Front,
        after: Option<&Bytes>,
        descending: bool,
        limit: usize,
    ) -> Result<Vec<Bytes>, StoreError> {
        let behind = after.map(|after| [front.as_slice(), after].concat());
        let past = keys::past(front);
        let (start, end) = match (behind, descending) {
            (Some(behind), false) => (keys::behind(&behind), past),
            (Some(behind), true) => (front.clone().into(), Some(behind.into())),
            (None, _) => (front.clone().into(), past),
        };
        let range = RangeRead { table: *table, start, end, reverse: descending, limit };
        let rows = self.rows.range(range).await?;
        Ok(rows.into_iter().map(|(key, _)| key.slice(front.len()..)).collect())
    }
}

/// Where exactly what is asked for stands, if the filter has a part that few callbacks match.
fn exact_fronts(filter: &ListFilter) -> Option<Vec<Front>> {
    let email = filter.email.as_deref().map(keys::lower_case);
    let texts = [
        (TextKind::ExternalId, filter.external_id.as_deref()),
        (TextKind::InteractionRef, filter.interaction_ref.as_deref()),
        (TextKind::Case, filter.case_id.as_deref()),
        (TextKind::Email, email.as_deref()),
        (TextKind::Contact, filter.contact.as_deref()),
    ];
    let text = texts.into_iter().find_map(|(kind, text)| Some(keys::by_text(kind, text?)));
    let phone = || Some((keys::BY_PREFIX, keys::whole_word(filter.phone.as_deref()?)));
    let number = || Some((keys::BY_NUMBER, filter.number?.to_be_bytes().to_vec()));
    let agent = filter.agent.as_ref().or(filter.booked_by.as_ref());
    let agent = || Some((keys::BY_AGENT, keys::by_agent(agent?)));
    let text = text.map(|front| (keys::BY_TEXT, front.to_vec()));
    text.or_else(phone).or_else(number).or_else(agent).map(|front| vec![front])
}

/// The numbers up to `last` that are shown with this beginning, in any case.
fn numbers_beginning(beginning: &str, last: u64) -> Vec<Range<u64>> {
    let all = 0..last + 1;
    let lower = keys::lower_case(beginning);
    let mark = keys::lower_case(NUMBER_MARK);
    if mark.starts_with(&lower) {
        return vec![all];
    }
    let Some(digits) = lower.strip_prefix(&mark) else { return Vec::new() };
    let Some(value) = digits.parse::<u128>().ok().filter(|_| digits.len() <= 20) else {
        return Vec::new();
    };
    // Only numbers that are filled up to the least length begin with a zero.
    let longest = if digits.starts_with('0') { NUMBER_DIGITS } else { 20 };
    let shown = (NUMBER_DIGITS.max(digits.len())..=longest).map(|length| {
        let unit = 10_u128.pow(u32::try_from(length - digits.len()).expect("at most 20"));
        let bounded = |it: u128| u64::try_from(it).unwrap_or(u64::MAX).min(all.end);
        bounded(value * unit)..bounded((value + 1) * unit)
    });
    shown.filter(|range| !range.is_empty()).collect()
}

/// Whether the filter asks for no state that piles up for years.
fn is_narrow(filter: &ListFilter) -> bool {
    let states = wanted_states(filter);
    states.len() < State::ALL.len() && !states.iter().any(|state| state.is_final())
}

/// The states that can match: only `open` ones have a next attempt.
fn wanted_states(filter: &ListFilter) -> Vec<State> {
    let by_due = filter.due_before.is_some() || filter.due_after.is_some();
    let asked = |state: &State| filter.states.is_empty() || filter.states.contains(state);
    let wanted = State::ALL.into_iter().filter(asked);
    wanted.filter(|state| !by_due || *state == State::Open).collect()
}

/// Where all that can match stands by id, as narrow as states, queues and an agent's scope make it.
fn wide_fronts(filter: &ListFilter) -> Vec<Front> {
    let states = wanted_states(filter);
    let queues: BTreeSet<_> = filter.queues.iter().collect();
    let scoped = !queues.is_empty() || filter.or_held_by.is_some();
    if scoped && queues.len() * states.len() < MAX_FRONTS {
        let of_queue =
            |queue| states.iter().map(move |state| (keys::BY_QUEUE, keys::by_queue(queue, *state)));
        let agent = filter.or_held_by.iter();
        let of_agent = agent.map(|agent| (keys::BY_AGENT, keys::by_agent(agent)));
        return queues.into_iter().flat_map(of_queue).chain(of_agent).collect();
    }
    let of_state = |state: State| (keys::BY_STATE, keys::by_state(state).to_vec());
    states.into_iter().map(of_state).collect()
}

/// Whether any that matches can have the instant that the list goes by.
fn may_be_dated(read: &ListRead) -> bool {
    read.sort != SortKey::Start || read.filter.kind != Some(CallbackType::Asap)
}

/// Whether any that matches can be without it: what is scheduled has a start, what is live a place
/// in line.
fn may_be_undated(read: &ListRead) -> bool {
    match read.sort {
        SortKey::CreatedAt => false,
        SortKey::Start => read.filter.kind != Some(CallbackType::Scheduled),
        SortKey::QueuedSince => wanted_states(&read.filter).iter().any(|state| !state.is_live()),
    }
}

/// The instant that a list goes by.
fn instant(sort: SortKey, callback: &Callback) -> Option<Timestamp> {
    match sort {
        SortKey::CreatedAt => None,
        SortKey::Start => callback.booking.as_ref().map(|booking| booking.start),
        SortKey::QueuedSince => callback.queued_since,
    }
}

/// A callback's place in a list.
fn place(sort: SortKey, callback: &Callback) -> Bytes {
    if sort == SortKey::CreatedAt {
        return Bytes::copy_from_slice(&callback.id.to_bytes());
    }
    let front = instant(sort, callback).map_or(UNDATED, keys::instant);
    keys::with_id(&front, callback.id).into()
}

/// Stands for what a cursor belongs to.
///
/// Printed for debugging is whole and unambiguous, since texts are quoted; should a release print
/// it otherwise, cursors from before are refused, and their lists are begun again.
fn digest(read: &ListRead) -> [u8; 16] {
    let text = format!("{:?} {:?} {}", read.filter, read.sort, read.descending);
    keys::hash(&[text.as_bytes()])
}

fn cursor(digest: &[u8; 16], place: &[u8]) -> Vec<u8> {
    [&[CURSOR], digest.as_slice(), place].concat()
}

fn place_in(cursor: &[u8], digest: &[u8; 16], sort: SortKey) -> Option<Bytes> {
    let place = cursor.strip_prefix(&[CURSOR])?.strip_prefix(digest.as_slice())?;
    let length = if sort == SortKey::CreatedAt { 16 } else { 24 };
    (place.len() == length).then(|| Bytes::copy_from_slice(place))
}
