//! What all tables must do, checked from outside: the port's promises, one by one.
//!
//! Compiled into the library so that the integration tests, and whoever writes another store, run
//! the same checks. It must know no implementation.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join;

use crate::engine::ports::{
    EntryNumber, PortFuture, RangeRead, RowKey, RowWrite, StoreError, Table, TableBatch, Tables,
};

/// One storage that tables can be opened on again and again.
pub trait TablesStorage: Sync {
    /// Opens it as a process that starts does.
    fn open(&self) -> PortFuture<'_, Result<Arc<dyn Tables>, StoreError>>;

    /// Whether a second opening beside the first one is possible, and fences it.
    fn second_fences(&self) -> bool;
}

const ORDERED: Table = Table::ordered(0, "ordered");
const OTHER: Table = Table::ordered(1, "other");
const PLAIN: Table = Table::plain(2, "plain");
const INDEX: Table = Table::index(3, "index");

/// Runs all checks, each on a fresh and empty storage. Call it on a runtime of several threads, or
/// readers don't overlap with writes.
///
/// # Panics
/// When the tables break a promise; that is how a check fails.
pub async fn check<S: TablesStorage>(mut fresh: impl FnMut() -> S) {
    new_tables_are_empty(&fresh()).await;
    rows_come_back_byte_for_byte(&fresh()).await;
    deleted_rows_are_gone(&fresh()).await;
    ranges_end_where_asked(&fresh()).await;
    the_watermark_rules(&fresh()).await;
    reopening_keeps_what_was_settled(&fresh()).await;
    an_index_has_keys_alone(&fresh()).await;
    a_stale_writer_is_fenced(&fresh()).await;
    a_batch_comes_before_a_taking_or_not_at_all(&fresh()).await;
    a_large_batch_is_one(&fresh()).await;
    small_and_large_batches_override_one_another(&fresh()).await;
    readers_see_batches_whole(&fresh()).await;
}

async fn open(storage: &impl TablesStorage) -> Arc<dyn Tables> {
    let tables = storage.open().await.expect("the storage opens");
    tables.take(1).await.expect("the tables can be taken");
    tables
}

fn row_key(table: Table, key: &[u8]) -> RowKey {
    RowKey { table, key: Bytes::copy_from_slice(key) }
}

fn put(table: Table, key: &[u8], value: &[u8]) -> RowWrite {
    RowWrite { key: row_key(table, key), value: Some(Bytes::copy_from_slice(value)) }
}

fn delete(table: Table, key: &[u8]) -> RowWrite {
    RowWrite { key: row_key(table, key), value: None }
}

async fn apply(tables: &Arc<dyn Tables>, from: EntryNumber, to: EntryNumber, rows: &[RowWrite]) {
    let done = tables.apply(TableBatch { from, to, runs: vec![rows.into()] }).await;
    done.unwrap_or_else(|error| panic!("batch {from}..={to}: {error}"));
}

async fn get(tables: &Arc<dyn Tables>, table: Table, key: &[u8]) -> Option<Bytes> {
    let mut found = tables.get(vec![row_key(table, key)]).await.expect("readable");
    assert_eq!(found.len(), 1);
    found.pop().flatten()
}

async fn range(tables: &Arc<dyn Tables>, read: &RangeRead) -> Vec<(Bytes, Bytes)> {
    tables.range(read.clone()).await.expect("readable")
}

fn whole(table: Table) -> RangeRead {
    RangeRead { table, start: Bytes::new(), end: None, reverse: false, limit: usize::MAX }
}

async fn new_tables_are_empty(storage: &impl TablesStorage) {
    let tables = storage.open().await.expect("the storage opens");
    assert_eq!(tables.take(1).await.expect("the tables can be taken"), 0);
    assert_eq!(get(&tables, PLAIN, b"key").await, None);
    assert_eq!(get(&tables, ORDERED, b"key").await, None);
    assert_eq!(tables.get(Vec::new()).await.expect("readable"), []);
    assert_eq!(range(&tables, &whole(ORDERED)).await, []);
}

async fn rows_come_back_byte_for_byte(storage: &impl TablesStorage) {
    let tables = open(storage).await;
    let every: Vec<u8> = (0..=255).collect();
    let (long, large) = (vec![0xff; 300], vec![0; 200_000]);
    let keys: [&[u8]; 7] = [b"\0", b"\0\0", b"a\0b", b"\xff\xff", b"\r\n$1", &every, &long];
    let values: [&[u8]; 4] = [b"", b"\0", &every, &large];
    let mut expected: BTreeMap<(Table, &[u8]), &[u8]> = BTreeMap::new();
    for table in [ORDERED, PLAIN] {
        for (nth, key) in keys.iter().enumerate() {
            expected.insert((table, key), values[nth % values.len()]);
        }
    }
    let rows: Vec<_> =
        expected.iter().map(|(&(table, key), value)| put(table, key, value)).collect();
    apply(&tables, 1, 1, &rows).await;
    for (&(table, key), value) in &expected {
        assert_eq!(get(&tables, table, key).await.as_deref(), Some(*value), "{table:?} {key:?}");
    }
    // In the order asked, across tables, one of them twice and one that isn't there.
    let asked = vec![
        row_key(PLAIN, &every),
        row_key(ORDERED, b"\0"),
        row_key(OTHER, b"\0"),
        row_key(PLAIN, b"none"),
        row_key(ORDERED, b"\0\0"),
        row_key(PLAIN, &every),
    ];
    let found = tables.get(asked).await.expect("readable");
    let value = |table, key: &[u8]| Some(Bytes::copy_from_slice(expected[&(table, key)]));
    let (one, two, three) = (value(PLAIN, &every), value(ORDERED, b"\0"), value(ORDERED, b"\0\0"));
    assert_eq!(found, [one.clone(), two, None, None, three, one]);
    let ranged = range(&tables, &whole(ORDERED)).await;
    let in_order: Vec<(Bytes, Bytes)> = expected
        .iter()
        .filter(|((table, _), _)| *table == ORDERED)
        .map(|((_, key), value)| (Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)))
        .collect();
    assert_eq!(ranged, in_order, "keys sort as bytes do");
}

async fn deleted_rows_are_gone(storage: &impl TablesStorage) {
    let tables = open(storage).await;
    for table in [ORDERED, PLAIN] {
        assert_eq!(get(&tables, table, b"a").await, None);
    }
    let both = |write: fn(Table) -> [RowWrite; 2]| [write(ORDERED), write(PLAIN)].concat();
    let written = both(|table| [put(table, b"a", b"1"), put(table, b"b", b"")]);
    apply(&tables, 1, 1, &written).await;
    // A value becomes empty and an empty one a value, without a trace of what was.
    apply(&tables, 2, 2, &both(|table| [put(table, b"a", b""), put(table, b"b", b"2")])).await;
    for table in [ORDERED, PLAIN] {
        assert_eq!(get(&tables, table, b"a").await.as_deref(), Some(&b""[..]));
        assert_eq!(get(&tables, table, b"b").await.as_deref(), Some(&b"2"[..]));
    }
    apply(&tables, 3, 3, &both(|table| [delete(table, b"a"), delete(table, b"none")])).await;
    for table in [ORDERED, PLAIN] {
        assert_eq!(get(&tables, table, b"a").await, None);
        assert_eq!(get(&tables, table, b"b").await.as_deref(), Some(&b"2"[..]));
    }
    let left = range(&tables, &whole(ORDERED)).await;
    assert_eq!(left, [(Bytes::from_static(b"b"), Bytes::from_static(b"2"))]);
}

async fn ranges_end_where_asked(storage: &impl TablesStorage) {
    let tables = open(storage).await;
    let keys: [&[u8]; 8] = [b"a", b"a\0", b"a\xff", b"b", b"ba", b"c", b"\xff", b"\xff\0"];
    let mut model: BTreeMap<Bytes, Bytes> = BTreeMap::new();
    let mut rows = vec![put(OTHER, b"b", b"of another table"), put(PLAIN, b"b", b"unordered")];
    for (nth, key) in keys.iter().enumerate() {
        let value: &[u8] = if nth % 3 == 0 { b"" } else { key };
        model.insert(Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
        rows.push(put(ORDERED, key, value));
    }
    apply(&tables, 1, 1, &rows).await;
    let mut starts: Vec<&[u8]> = vec![b"", b"0", b"a\0\0", b"bz", b"d", b"\xff\xff"];
    starts.extend(keys);
    let ends: Vec<Option<&[u8]>> = starts.iter().map(|end| Some(*end)).chain([None]).collect();
    for start in &starts {
        for end in &ends {
            for limit in [0, 1, 3, usize::MAX] {
                for reverse in [false, true] {
                    let read = RangeRead {
                        table: ORDERED,
                        start: Bytes::copy_from_slice(start),
                        end: end.map(Bytes::copy_from_slice),
                        reverse,
                        limit,
                    };
                    let within = |key: &Bytes| {
                        *key >= read.start && read.end.as_ref().is_none_or(|end| key < end)
                    };
                    let mut expected: Vec<_> =
                        model.clone().into_iter().filter(|(key, _)| within(key)).collect();
                    if reverse {
                        expected.reverse();
                    }
                    expected.truncate(limit);
                    assert_eq!(range(&tables, &read).await, expected, "{read:?}");
                }
            }
        }
    }
}

async fn the_watermark_rules(storage: &impl TablesStorage) {
    let tables = open(storage).await;
    apply(&tables, 1, 7, &[put(PLAIN, b"k", b"7")]).await;
    assert_eq!(tables.take(1).await.expect("taken"), 7);
    // Applied before: success, and nothing happens.
    apply(&tables, 1, 7, &[put(PLAIN, b"k", b"again")]).await;
    apply(&tables, 3, 5, &[put(PLAIN, b"k", b"older")]).await;
    assert_eq!(get(&tables, PLAIN, b"k").await.as_deref(), Some(&b"7"[..]));
    for (from, to) in [(9, 9), (7, 8), (1, 8)] {
        let rows = [put(PLAIN, b"k", b"gap")].into();
        let refused = tables.apply(TableBatch { from, to, runs: vec![rows] }).await;
        let Err(StoreError::Gap { found: 7, first }) = refused else {
            panic!("{from}..={to} must be refused: {refused:?}");
        };
        assert_eq!(first, from);
    }
    assert_eq!(get(&tables, PLAIN, b"k").await.as_deref(), Some(&b"7"[..]));
    // Entries that change no row move the watermark, too.
    apply(&tables, 8, 8, &[]).await;
    apply(&tables, 9, 1_000, &[put(PLAIN, b"k", b"1000")]).await;
    assert_eq!(tables.take(2).await.expect("taken"), 1_000);
}

async fn reopening_keeps_what_was_settled(storage: &impl TablesStorage) {
    let tables = open(storage).await;
    apply(&tables, 1, 3, &[put(ORDERED, b"a", b"1"), put(PLAIN, b"p", b"")]).await;
    apply(&tables, 4, 4, &[put(ORDERED, b"b", b""), delete(ORDERED, b"a")]).await;
    tables.settle().await.expect("settled");
    drop(tables);
    let tables = storage.open().await.expect("opens again");
    assert_eq!(tables.take(2).await.expect("taken"), 4);
    assert_eq!(range(&tables, &whole(ORDERED)).await, [(Bytes::from_static(b"b"), Bytes::new())]);
    assert_eq!(get(&tables, PLAIN, b"p").await, Some(Bytes::new()));
    apply(&tables, 5, 5, &[put(ORDERED, b"c", b"3")]).await;
}

async fn an_index_has_keys_alone(storage: &impl TablesStorage) {
    let tables = open(storage).await;
    let rows: Vec<_> = [&b"a"[..], b"b", b"c"].iter().map(|key| put(INDEX, key, b"")).collect();
    apply(&tables, 1, 1, &rows).await;
    apply(&tables, 2, 2, &[delete(INDEX, b"b"), delete(INDEX, b"none"), put(PLAIN, b"b", b"1")])
        .await;
    let asked = vec![row_key(INDEX, b"c"), row_key(PLAIN, b"b"), row_key(INDEX, b"b")];
    let found = tables.get(asked).await.expect("readable");
    assert_eq!(found, [Some(Bytes::new()), Some(Bytes::from_static(b"1")), None]);
    let left = [b"a", b"c"].map(|key| (Bytes::from_static(key), Bytes::new()));
    assert_eq!(range(&tables, &whole(INDEX)).await, left);
}

async fn a_batch_comes_before_a_taking_or_not_at_all(storage: &impl TablesStorage) {
    if !storage.second_fences() {
        return;
    }
    let mut holder = open(storage).await;
    let mut watermark = 0;
    for epoch in 2..10_u64 {
        let next = storage.open().await.expect("another one opens");
        let (number, key) = (watermark + 1, epoch.to_be_bytes());
        let rows = [put(PLAIN, &key, b"there")].into();
        let batch = TableBatch { from: number, to: number, runs: vec![rows] };
        let (written, found) = join(holder.apply(batch), next.take(epoch)).await;
        let found = found.expect("taken");
        let is_there = get(&next, PLAIN, &key).await.is_some();
        let expected = if written.is_ok() { (number, true) } else { (watermark, false) };
        assert_eq!((found, is_there), expected, "{written:?}");
        (holder, watermark) = (next, found);
    }
}

async fn a_stale_writer_is_fenced(storage: &impl TablesStorage) {
    let old = storage.open().await.expect("the storage opens");
    let rows = [put(PLAIN, b"k", b"untaken")].into();
    let untaken = old.apply(TableBatch { from: 1, to: 1, runs: vec![rows] }).await;
    assert!(matches!(untaken, Err(StoreError::Fenced { ours: 0, .. })), "{untaken:?}");
    old.take(4).await.expect("taken");
    apply(&old, 1, 1, &[put(PLAIN, b"k", b"old")]).await;
    let lower = old.take(3).await;
    assert!(matches!(lower, Err(StoreError::Fenced { found: 4, ours: 3 })), "{lower:?}");
    if !storage.second_fences() {
        return;
    }
    let new = storage.open().await.expect("a second one opens");
    assert_eq!(new.take(5).await.expect("taken"), 1);
    // Neither a repetition nor a gap hides it.
    for (from, to) in [(2, 2), (1, 1), (9, 9)] {
        let rows = [put(PLAIN, b"k", b"stale")].into();
        let stale = old.apply(TableBatch { from, to, runs: vec![rows] }).await;
        assert!(matches!(stale, Err(StoreError::Fenced { found: 5, ours: 4 })), "{stale:?}");
    }
    assert_eq!(get(&new, PLAIN, b"k").await.as_deref(), Some(&b"old"[..]));
    apply(&new, 2, 2, &[put(PLAIN, b"k", b"new")]).await;
}

/// In many runs, of which later ones override the earlier.
async fn a_large_batch_is_one(storage: &impl TablesStorage) {
    const KEYS: u32 = 12_000;
    let tables = open(storage).await;
    let key = |number: u32| number.to_be_bytes();
    let run = |part: u32| -> Arc<[RowWrite]> {
        let (numbers, value) = (part * 500..part * 500 + 600, part.to_string());
        let ordered = numbers.clone().map(|number| put(ORDERED, &key(number), value.as_bytes()));
        ordered.chain(numbers.map(|number| put(PLAIN, &key(number), &[7; 100]))).collect()
    };
    let older = [put(ORDERED, &key(4_998), b"older"), put(OTHER, b"k", b"once")].into();
    let newer = [delete(ORDERED, &key(0)), put(ORDERED, &key(1), b"")].into();
    let mut runs = vec![older];
    runs.extend((0..KEYS / 500).map(run));
    runs.push(newer);
    tables.apply(TableBatch { from: 1, to: 9_000, runs }).await.expect("written");
    let found = range(&tables, &whole(ORDERED)).await;
    assert_eq!(found.len(), KEYS as usize + 99);
    assert!(found.is_sorted());
    assert_eq!(found[0], (Bytes::copy_from_slice(&key(1)), Bytes::new()));
    assert_eq!(found[4_997].1, Bytes::from_static(b"9"));
    // In two runs.
    assert_eq!(found[5_049].1, Bytes::from_static(b"10"));
    assert_eq!(get(&tables, OTHER, b"k").await, Some(Bytes::from_static(b"once")));
    let asked = (0..KEYS).map(|number| row_key(PLAIN, &key(number))).collect();
    let found = tables.get(asked).await.expect("readable");
    assert!(found.iter().all(|value| value.as_deref() == Some(&[7; 100])));
    let mut rows: Vec<RowWrite> =
        (0..KEYS + 100).map(|number| delete(ORDERED, &key(number))).collect();
    rows.extend((0..KEYS).map(|number| delete(PLAIN, &key(number))));
    apply(&tables, 9_001, 9_001, &rows).await;
    assert_eq!(range(&tables, &whole(ORDERED)).await, []);
    assert_eq!(get(&tables, PLAIN, &key(17)).await, None);
}

/// A batch overrides those before it, whichever way each of them went in, also after a start.
async fn small_and_large_batches_override_one_another(storage: &impl TablesStorage) {
    let mut tables = open(storage).await;
    let mut model = BTreeMap::new();
    for number in 1..=24_u64 {
        let mut rows = Vec::new();
        for key in 0..20_u64 {
            let at = key.to_be_bytes();
            if (number * 7 + key * 5) % 4 == 0 {
                rows.push(delete(ORDERED, &at));
                model.remove(&at[..]);
            } else if (number + key) % 3 > 0 {
                let value = number.to_be_bytes();
                rows.push(put(ORDERED, &at, &value));
                model.insert(Bytes::copy_from_slice(&at), Bytes::copy_from_slice(&value));
            }
        }
        if number % 3 != 1 {
            rows.extend(many());
        }
        apply(&tables, number, number, &rows).await;
        if number % 5 == 0 {
            tables.settle().await.expect("settled");
            drop(tables);
            tables = storage.open().await.expect("opens again");
            assert_eq!(tables.take(number).await.expect("taken"), number);
        }
        let found = range(&tables, &whole(ORDERED)).await;
        assert_eq!(found, model.clone().into_iter().collect::<Vec<_>>(), "after {number}");
    }
}

/// A batch of so many rows a store may take another way; each store that does asserts that it does.
pub(super) const MANY_ROWS: u32 = 17_000;

fn many() -> impl Iterator<Item = RowWrite> {
    (0..MANY_ROWS).map(|number| put(OTHER, &number.to_be_bytes(), b""))
}

/// Ten rows change together, again and again; whoever reads them must find them equal. Readers are
/// tasks of their own, for a runtime of several threads: a store may write on the thread it is on.
async fn readers_see_batches_whole(storage: &impl TablesStorage) {
    const BATCHES: u64 = 60;
    let tables = open(storage).await;
    let keys = (0..10).map(|key| [key]);
    let read = async |tables: Arc<dyn Tables>| {
        let mut seen = Bytes::new();
        while seen.as_ref() != BATCHES.to_be_bytes() {
            let asked = (0..10).flat_map(|key| [row_key(ORDERED, &[key]), row_key(PLAIN, &[key])]);
            let values = tables.get(asked.collect()).await.expect("readable");
            assert!(values.iter().all(|value| value == &values[0]), "half a batch: {values:?}");
            let rows = range(&tables, &whole(ORDERED)).await;
            assert!(rows.iter().all(|row| row.1 == rows[0].1), "half a batch: {rows:?}");
            let now = rows.first().map(|row| row.1.clone()).unwrap_or_default();
            assert!(now >= seen, "a reader went back in time");
            seen = now;
        }
    };
    let readers: Vec<_> = (0..3).map(|_| tokio::spawn(read(Arc::clone(&tables)))).collect();
    for number in 1..=BATCHES {
        let value = number.to_be_bytes();
        let mut rows: Vec<_> = keys.clone().map(|key| put(ORDERED, &key, &value)).collect();
        if number % 10 == 0 {
            rows.extend(many());
        }
        rows.extend(keys.clone().map(|key| put(PLAIN, &key, &value)));
        apply(&tables, number, number, &rows).await;
    }
    for reader in readers {
        reader.await.expect("batches are whole");
    }
}
