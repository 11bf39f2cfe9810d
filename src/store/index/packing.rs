//! An entry's rows, written straight into the bytes of its place in the log.
//!
//! Separate from what the rows are. Each is written once: no row has a buffer of its own, neither
//! for its key nor for its value, before it becomes a part of the whole.

use std::ops::Range;

use bytes::Bytes;

use crate::engine::library::Packed;
use crate::engine::ports::{RowKey, RowWrite, Table};
use crate::store::record::{Record, put_varint};

/// The layout of a log entry: this byte, then row by row the table's number, the key's length, the
/// key, and 0 for a deletion or the value's length + 1 and the value. Lengths are varints.
pub(super) const LAYOUT: u8 = 1;

/// About what an entry takes: most have one record, some events and some index rows.
const BYTES: usize = 2_048;
const ROWS: usize = 24;

/// The rows so far.
pub(in crate::store) struct Packing {
    out: Vec<u8>,
    places: Vec<Place>,
    /// A record, until its length is known.
    record: Vec<u8>,
}

struct Place {
    table: Table,
    key: Range<usize>,
    value: Option<Range<usize>>,
}

impl Packing {
    pub(super) fn new() -> Self {
        let mut out = Vec::with_capacity(BYTES);
        out.push(LAYOUT);
        Self { out, places: Vec::with_capacity(ROWS), record: Vec::with_capacity(BYTES / 2) }
    }

    /// A record at its key.
    pub(super) fn put(&mut self, key: &RowKey, record: &impl Record) {
        self.put_with(key, |out| record.write(out));
    }

    /// What `write` appends, at its key.
    pub(super) fn put_with(&mut self, key: &RowKey, write: impl FnOnce(&mut Vec<u8>)) {
        let mut value = std::mem::take(&mut self.record);
        value.clear();
        write(&mut value);
        self.put_value(key, &value);
        self.record = value;
    }

    /// A value at its key.
    pub(super) fn put_value(&mut self, key: &RowKey, value: &[u8]) {
        self.row(key.table, &[&key.key], Some(value));
    }

    /// A row of an index, which has no value.
    pub(super) fn put_index(&mut self, key: &RowKey) {
        self.put_value(key, &[]);
    }

    /// No row is at this key any more.
    pub(super) fn delete(&mut self, key: &RowKey) {
        self.row(key.table, &[&key.key], None);
    }

    /// A row whose key is these parts after one another.
    pub(super) fn row(&mut self, table: Table, key: &[&[u8]], value: Option<&[u8]>) {
        let out = &mut self.out;
        out.push(table.number);
        let length: usize = key.iter().map(|part| part.len()).sum();
        put_varint(length as u64, out);
        let begins = out.len();
        for part in key {
            out.extend_from_slice(part);
        }
        let key = begins..out.len();
        put_varint(value.map_or(0, |value| value.len() as u64 + 1), out);
        let begins = out.len();
        let value = value.map(|value| {
            out.extend_from_slice(value);
            begins..out.len()
        });
        self.places.push(Place { table, key, value });
    }

    /// The whole, with the rows as parts of it.
    pub(super) fn finish(mut self) -> Packed {
        // What was reserved and isn't used would wait in memory with the rows.
        self.out.shrink_to_fit();
        let bytes = Bytes::from(self.out);
        let row = |Place { table, key, value }| RowWrite {
            key: RowKey { table, key: bytes.slice(key) },
            value: value.map(|value| bytes.slice(value)),
        };
        let rows = self.places.into_iter().map(row).collect();
        Packed { bytes, rows }
    }
}
