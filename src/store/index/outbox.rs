//! The rows of the outbox: items with their places in the order of due times and among their
//! callback's, and failures.

use super::packing::Packing;
use crate::domain::dispatch::{Failure, Item, OutboxChange};
use crate::engine::entry::Entry;
use crate::engine::ports::{EntryNumber, RowKey};
use crate::store::keys;

/// The rows of a change; `dispatches` counts the new ones of the entry.
pub(super) fn of_change(
    change: &OutboxChange,
    number: EntryNumber,
    dispatches: &mut u64,
    rows: &mut Packing,
) {
    match change {
        OutboxChange::New(dispatch) => {
            assert!(*dispatches < Entry::MAX_EVENTS, "a step leaves few dispatches");
            let id = number * Entry::MAX_EVENTS + *dispatches;
            *dispatches += 1;
            put_item(&Item::new(id, dispatch.clone()), rows);
        }
        OutboxChange::Later { before, after } => {
            rows.delete(&due(before));
            rows.put(&keys::outbox(after.id), &Box::new(after.clone()));
            rows.put_index(&due(after));
        }
        OutboxChange::Done(item) => delete_item(item, rows),
        OutboxChange::GivenUp { item, failure } => {
            delete_item(item, rows);
            put_failure(failure, rows);
        }
        OutboxChange::Failed(failure) => put_failure(failure, rows),
        OutboxChange::Again { failure, item } => {
            for key in failure_keys(failure) {
                rows.delete(&key);
            }
            if let Some(item) = item {
                put_item(item, rows);
            }
        }
    }
}

fn due(item: &Item) -> RowKey {
    let dispatch = &item.dispatch;
    keys::outbox_due(dispatch.carrier(), item.next_at, item.id, dispatch.callback)
}

/// The rows of an item.
pub(in crate::store) fn item_keys(item: &Item) -> [RowKey; 3] {
    [keys::outbox(item.id), due(item), keys::outbox_of(item.dispatch.callback, item.id)]
}

/// The rows of a failure.
pub(in crate::store) fn failure_keys(failure: &Failure) -> Vec<RowKey> {
    let of = failure.what.callback().map(|callback| keys::failure_of(callback, failure.id));
    [keys::failure(failure.id)].into_iter().chain(of).collect()
}

fn put_item(item: &Item, rows: &mut Packing) {
    let [record, due, of] = item_keys(item);
    rows.put(&record, &Box::new(item.clone()));
    rows.put_index(&due);
    rows.put_index(&of);
}

fn delete_item(item: &Item, rows: &mut Packing) {
    for key in item_keys(item) {
        rows.delete(&key);
    }
}

fn put_failure(failure: &Failure, rows: &mut Packing) {
    let mut keys = failure_keys(failure).into_iter();
    if let Some(record) = keys.next() {
        rows.put(&record, &Box::new(failure.clone()));
    }
    for index in keys {
        rows.put_index(&index);
    }
}
