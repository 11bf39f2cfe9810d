//! Runs: the rows of some entries in a row, as they were last among these.
//!
//! Separate from the overlay because nothing here is shared or locked: a run is filled by one
//! thread, then sealed, and never changes again. Filling is on the way of every entry, so a row
//! costs as little as can be: rows are kept as they come, and put in order when the run is sealed.
//! Until then a table's are searched one by one, as a rule some dozens, by their keys' first bytes,
//! which lie beside each other.

use std::cmp::Ordering;
use std::mem;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::engine::ports::{EntryNumber, RangeRead, RowKey, RowWrite, Table, key_head};

/// What a row costs beside its bytes: its place in a run, and its buffers' own heads.
const ROW_COST: usize = 192;

/// A run ends with the entry that brings it to so many rows, as they come, or bytes. On Redis it is
/// one batch: nothing else is done there while one is written, and appends wait behind it.
pub(in crate::engine) const RUN_ROWS: usize = 512;
const RUN_BYTES: usize = 1 << 20;

/// Rows of the entries `from ..= to`, by table and then by key, each as it was last.
#[derive(Debug)]
pub(in crate::engine) struct Run {
    pub(in crate::engine) from: EntryNumber,
    pub(in crate::engine) to: EntryNumber,
    pub(in crate::engine) rows: Arc<[RowWrite]>,
    /// By number.
    tables: Vec<Option<TableRows>>,
    keys: KeyFilter,
    pub(super) cost: usize,
}

/// The rows of one table.
#[derive(Debug)]
struct TableRows {
    rows: Range<usize>,
    /// Heads of the first and the last key: a run's ids are of a few moments, so that most runs
    /// needn't even be asked for their filter.
    first: u128,
    last: u128,
}

/// The run that is being filled; empty before its first entry.
#[derive(Debug, Default)]
pub(in crate::engine) struct Filling {
    pub(super) span: Option<(EntryNumber, EntryNumber)>,
    /// As they came.
    rows: Vec<RowWrite>,
    /// By number: the table's rows, as they came.
    tables: Vec<Vec<Place>>,
    pub(super) cost: usize,
}

/// Where a row stands, behind the first bytes of its key: nearly always two keys differ in these.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// See [`key_head`].
    head: u128,
    row: usize,
}

/// Says of nearly every key that isn't among some that it isn't. A callback that has slept for
/// hours is in no run, and dozens would have to be searched to find that out.
#[derive(Debug)]
struct KeyFilter {
    /// Each key sets two bits.
    bits: Vec<u64>,
}

/// Bits for each key: of those that aren't there, one in seventy is taken for one that may be.
const BITS_PER_KEY: usize = 16;

/// A key, with what all runs are asked by.
#[derive(Debug)]
pub(super) struct Sought<'a> {
    key: &'a RowKey,
    head: u128,
    hash: u64,
}

impl Run {
    /// The key's row, as it was last; none: it isn't among these.
    pub(super) fn get(&self, sought: &Sought<'_>) -> Option<&Option<Bytes>> {
        let key = sought.key;
        let part = self.tables.get(usize::from(key.table.number))?.as_ref()?;
        let may_be = part.first <= sought.head && sought.head <= part.last;
        if !may_be || !self.keys.maybe(sought.hash) {
            return None;
        }
        let rows = &self.rows[part.rows.clone()];
        let place = rows.binary_search_by(|row| row.key.key.cmp(&key.key)).ok()?;
        Some(&rows[place].value)
    }

    /// The rows of a range.
    pub(super) fn range(&self, read: &RangeRead) -> &[RowWrite] {
        let rows = self.of(read.table);
        // Who follows what is new reads behind the end of nearly all runs.
        if rows.last().is_none_or(|last| last.key.key < read.start) {
            return &[];
        }
        let from = rows.partition_point(|row| row.key.key < read.start);
        let rows = &rows[from..];
        let is_below_end = |row: &RowWrite| read.end.as_ref().is_none_or(|end| row.key.key < *end);
        &rows[..rows.partition_point(is_below_end)]
    }

    fn of(&self, table: Table) -> &[RowWrite] {
        let part = self.tables.get(usize::from(table.number)).and_then(Option::as_ref);
        part.map_or(&[], |part| &self.rows[part.rows.clone()])
    }
}

impl Filling {
    /// Adds the next entry's rows.
    pub(in crate::engine) fn add(&mut self, number: EntryNumber, rows: Vec<RowWrite>) {
        let from = self.span.map_or(number, |(from, _)| from);
        self.span = Some((from, number));
        for (row, RowWrite { key: RowKey { table, key }, value }) in (self.rows.len()..).zip(&rows)
        {
            self.cost += ROW_COST + key.len() + value.as_ref().map_or(0, Bytes::len);
            let table = usize::from(table.number);
            if table >= self.tables.len() {
                self.tables.resize_with(table + 1, Vec::new);
            }
            self.tables[table].push(Place { head: key_head(key), row });
        }
        self.rows.extend(rows);
    }

    fn of(&self, table: Table) -> &[Place] {
        self.tables.get(usize::from(table.number)).map_or(&[], Vec::as_slice)
    }

    /// The key's row, as it was last; none: it isn't among these.
    pub(super) fn get(&self, key: &RowKey) -> Option<&Option<Bytes>> {
        let head = key_head(&key.key);
        let mut places = self.of(key.table).iter().rev();
        let is_it = |place: &&Place| place.head == head && self.rows[place.row].key.key == key.key;
        places.find(is_it).map(|place| &self.rows[place.row].value)
    }

    /// The rows of a range.
    pub(super) fn range(&self, read: &RangeRead) -> Vec<RowWrite> {
        let order = |place: &Place, key: &Bytes| {
            let wholes = || self.rows[place.row].key.key.cmp(key);
            place.head.cmp(&key_head(key)).then_with(wholes)
        };
        let is_among = |place: &Place| {
            order(place, &read.start).is_ge()
                && read.end.as_ref().is_none_or(|end| order(place, end).is_lt())
        };
        let mut places = self.of(read.table).iter().copied().filter(is_among).collect();
        sort(&mut places, &self.rows);
        places.into_iter().map(|place| self.rows[place.row].clone()).collect()
    }

    pub(in crate::engine) fn is_full(&self) -> bool {
        self.rows.len() >= RUN_ROWS || self.cost >= RUN_BYTES
    }

    /// The run, unless no entry was added; the next one begins, in the same memory.
    pub(in crate::engine) fn seal(&mut self) -> Option<Run> {
        let (from, to) = self.span.take()?;
        let mut cost = mem::take(&mut self.cost);
        let mut rows = Vec::with_capacity(self.rows.len());
        let mut tables = Vec::with_capacity(self.tables.len());
        for places in &mut self.tables {
            let all = places.len();
            sort(places, &self.rows);
            // The bytes of those that were rewritten stay as long as the rest of their entries'.
            cost -= (all - places.len()) * ROW_COST;
            let begins = rows.len();
            rows.extend(places.iter().map(|place| taken(&mut self.rows[place.row])));
            tables.push(places.first().zip(places.last()).map(|(first, last)| TableRows {
                rows: begins..rows.len(),
                first: first.head,
                last: last.head,
            }));
            places.clear();
            places.shrink_to(RUN_ROWS);
        }
        self.rows.clear();
        self.rows.shrink_to(2 * RUN_ROWS);
        let keys = KeyFilter::of(&rows);
        Some(Run { from, to, rows: rows.into(), tables, keys, cost })
    }
}

/// Puts places in the order of their keys, and keeps the last of those that have the same.
fn sort(places: &mut Vec<Place>, rows: &[RowWrite]) {
    let order = |one: &Place, other: &Place| {
        let wholes = || rows[one.row].key.key.cmp(&rows[other.row].key.key);
        one.head.cmp(&other.head).then_with(wholes)
    };
    places.sort_unstable_by(|one, other| order(one, other).then(one.row.cmp(&other.row)));
    places.dedup_by(|later, kept| {
        let is_same = order(later, kept) == Ordering::Equal;
        if is_same {
            *kept = *later;
        }
        is_same
    });
}

/// A row, taken out of its place.
fn taken(row: &mut RowWrite) -> RowWrite {
    let RowWrite { key: RowKey { table, key }, value } = row;
    RowWrite { key: RowKey { table: *table, key: mem::take(key) }, value: value.take() }
}

impl KeyFilter {
    fn of(rows: &[RowWrite]) -> Self {
        let words = (rows.len() * BITS_PER_KEY).next_power_of_two() / 64;
        let mut filter = Self { bits: vec![0; words.max(1)] };
        for row in rows {
            for (word, bit) in filter.places(hash(&row.key)) {
                filter.bits[word] |= bit;
            }
        }
        filter
    }

    /// Whether a key with this hash may be among them.
    fn maybe(&self, hash: u64) -> bool {
        self.places(hash).into_iter().all(|(word, bit)| self.bits[word] & bit != 0)
    }

    /// The two bits of a hash, by its lower and its upper half.
    fn places(&self, hash: u64) -> [(usize, u64); 2] {
        let words = self.bits.len() - 1;
        [hash, hash >> 32].map(|half| {
            let place = usize::try_from(half & 0xffff_ffff).expect("32 bits fit");
            ((place >> 6) & words, 1 << (place & 63))
        })
    }
}

impl<'a> Sought<'a> {
    pub(super) fn new(key: &'a RowKey) -> Self {
        Self { key, head: key_head(&key.key), hash: hash(key) }
    }
}

/// Eight bytes of the key at a time, each mixed by a multiplication (the odd constant is 2^64
/// over the golden ratio). Whoever makes up keys that collide gains searches, as without it.
fn hash(key: &RowKey) -> u64 {
    let mix = |hash: u64, part: u64| {
        let hash = (hash ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^ (hash >> 32)
    };
    let (eights, rest) = key.key.as_chunks::<8>();
    let rest = rest.iter().fold(0, |all, byte| (all << 8) | u64::from(*byte));
    let hash = mix(u64::from(key.table.number), key.key.len() as u64);
    let hash = eights.iter().fold(hash, |hash, eight| mix(hash, u64::from_be_bytes(*eight)));
    mix(hash, rest)
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use super::*;

    pub(in crate::engine::overlay) const TABLES: [Table; 2] =
        [Table::ordered(1, "one"), Table::ordered(2, "two")];

    pub(in crate::engine::overlay) fn key(table: Table, number: u64) -> RowKey {
        // Neighbours differ in a byte or two, as ids of one second do.
        let key = Bytes::from([&[0x19; 12][..], &number.to_be_bytes()[..]].concat());
        RowKey { table, key }
    }

    #[test]
    fn a_filter_knows_all_of_its_keys_and_few_others() {
        let row = |number| RowWrite { key: key(TABLES[0], number), value: None };
        let rows: Vec<_> = (0..2_000).map(row).collect();
        let filter = KeyFilter::of(&rows);
        assert!(rows.iter().all(|row| filter.maybe(hash(&row.key))));
        let others = (2_000..12_000).map(|number| key(TABLES[0], number));
        let others = others.chain((0..10_000).map(|number| key(TABLES[1], number)));
        let taken = others.filter(|other| filter.maybe(hash(other))).count();
        assert!(taken < 1_000, "{taken} of 20,000");
    }

    /// Short keys, long ones, ones that differ in zeros at the end alone, or behind the head.
    #[test]
    fn rows_are_in_the_order_of_their_keys_each_as_it_was_last() {
        let parts: [&[u8]; 4] = [&[], &[0], &[1, 0], &[7; 16]];
        let mut all: Vec<Bytes> = Vec::new();
        for one in parts {
            for two in parts {
                all.extend(parts.map(|three| Bytes::from([one, two, three].concat())));
            }
        }
        let mut filling = Filling::default();
        let mut wanted = BTreeMap::new();
        for (number, key) in (1_u64..).zip(&all) {
            let value = Some(Bytes::copy_from_slice(&number.to_be_bytes()));
            wanted.insert(key.clone(), value.clone());
            let key = RowKey { table: TABLES[1], key: key.clone() };
            filling.add(number, vec![RowWrite { key: key.clone(), value: value.clone() }]);
            assert_eq!(filling.get(&key), Some(&value));
        }
        assert!(wanted.len() < all.len(), "some come more than once");
        let read = |start: &Bytes, end: Option<&Bytes>| {
            let (start, end) = (start.clone(), end.cloned());
            RangeRead { table: TABLES[1], start, end, reverse: false, limit: 99 }
        };
        let of = |rows: &[RowWrite]| -> Vec<_> {
            rows.iter().map(|row| (row.key.key.clone(), row.value.clone())).collect()
        };
        for (key, value) in &wanted {
            let key = RowKey { table: TABLES[1], key: key.clone() };
            assert_eq!(filling.get(&key), Some(value));
        }
        let absent = Bytes::from([7; 17].as_slice());
        assert!(!wanted.contains_key(&absent) && wanted.keys().any(|key| key[..] == [7; 16]));
        assert_eq!(filling.get(&RowKey { table: TABLES[1], key: absent }), None);
        assert_eq!(filling.get(&RowKey { table: TABLES[0], key: all[0].clone() }), None);
        let before = filling.cost;
        let rows: Vec<_> = wanted.clone().into_iter().collect();
        for (from, (start, _)) in rows.iter().enumerate() {
            assert_eq!(of(&filling.range(&read(start, None))), rows[from..]);
            for (to, (end, _)) in rows.iter().enumerate().skip(from) {
                assert_eq!(of(&filling.range(&read(start, Some(end)))), rows[from..to]);
            }
        }
        let run = filling.seal().expect("some were added");
        assert_eq!(of(&run.rows), rows);
        assert_eq!(run.cost, before - (all.len() - rows.len()) * ROW_COST);
    }
}
