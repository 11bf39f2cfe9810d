//! The outbox in memory: who is being served, whom to wake, what was counted.
//!
//! The items themselves are rows of the store. Separate from the dispatcher, which waits and
//! calls: nothing here does.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use tokio::sync::Notify;

use super::entry::Entry;
use super::ports::EntryNumber;
use crate::domain::dispatch::{Carrier, Item, OutboxChange, Undelivered};
use crate::domain::ids::CallbackId;
use crate::domain::time::Timestamp;

/// What the carriers of a workspace share, on its one thread.
#[derive(Debug, Default)]
pub(crate) struct OutboxDesk {
    /// Callbacks of which something is on its way: one thing at a time.
    busy: RefCell<BTreeSet<CallbackId>>,
    under_way: [Cell<usize>; Carrier::ALL.len()],
    wake: [Notify; Carrier::ALL.len()],
    idle: Notify,
    /// The newest entry of earlier lives.
    before: EntryNumber,
}

impl OutboxDesk {
    /// Nothing is on its way; entries up to `before` are earlier lives'.
    pub(crate) fn new(before: EntryNumber) -> Self {
        Self { before, ..Self::default() }
    }

    /// The newest entry of earlier lives.
    pub(crate) const fn before(&self) -> EntryNumber {
        self.before
    }

    /// How many things a carrier has on its way.
    pub(crate) fn under_way(&self, carrier: Carrier) -> usize {
        self.under_way[carrier as usize].get()
    }

    /// Whether something of the callback is on its way.
    pub(crate) fn is_busy(&self, callback: CallbackId) -> bool {
        self.busy.borrow().contains(&callback)
    }

    /// Something of the callback is on its way from now on.
    pub(crate) fn begin(&self, carrier: Carrier, callback: CallbackId) {
        self.busy.borrow_mut().insert(callback);
        let count = &self.under_way[carrier as usize];
        count.set(count.get() + 1);
    }

    /// It has arrived, or hasn't: who waited for the callback or for a place has a look.
    pub(crate) fn end(&self, carrier: Carrier, callback: CallbackId) {
        self.busy.borrow_mut().remove(&callback);
        let count = &self.under_way[carrier as usize];
        count.set(count.get() - 1);
        self.wake_all();
        self.idle.notify_one();
    }

    /// Something of a carrier's may be due. Remembered where nobody waits.
    pub(crate) fn wake(&self, carrier: Carrier) {
        self.wake[carrier as usize].notify_one();
    }

    /// The same for all of them.
    pub(crate) fn wake_all(&self) {
        for carrier in Carrier::ALL {
            self.wake(carrier);
        }
    }

    /// Until a carrier is woken.
    pub(crate) async fn woken(&self, carrier: Carrier) {
        self.wake[carrier as usize].notified().await;
    }

    /// Until nothing is on its way.
    pub(crate) async fn settled(&self) {
        while Carrier::ALL.into_iter().any(|carrier| self.under_way(carrier) > 0) {
            self.idle.notified().await;
        }
    }
}

/// The entry that an item was written in.
pub(crate) const fn entry_of(item: u64) -> EntryNumber {
    item / Entry::MAX_EVENTS
}

/// What is counted of the outbox, by carrier.
#[derive(Debug, Default)]
pub(crate) struct OutboxCounts {
    carriers: [CarrierCounts; Carrier::ALL.len()],
}

#[derive(Debug, Default)]
struct CarrierCounts {
    waiting: AtomicI64,
    sent: AtomicU64,
    retried: AtomicU64,
    given_up: AtomicU64,
}

/// A carrier's figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CarrierFigures {
    /// Who carries what is counted here.
    pub carrier: Carrier,
    /// Items that aren't done, those whose time hasn't come included.
    pub waiting: u64,
    /// Items done.
    pub sent: u64,
    /// Tries that failed and are made again.
    pub retried: u64,
    /// Items given up.
    pub given_up: u64,
}

impl OutboxCounts {
    /// A life begins: nothing is known of what waits.
    pub(crate) fn begin(&self) {
        for carrier in &self.carriers {
            carrier.waiting.store(0, Ordering::Relaxed);
        }
    }

    /// So many items were found waiting.
    pub(crate) fn found(&self, carrier: Carrier, count: i64) {
        self.of(carrier).waiting.fetch_add(count, Ordering::Relaxed);
    }

    /// An item went out.
    pub(crate) fn sent(&self, carrier: Carrier) {
        self.of(carrier).sent.fetch_add(1, Ordering::Relaxed);
    }

    /// A change is journaled.
    pub(crate) fn took(&self, change: &OutboxChange) {
        match change {
            OutboxChange::New(dispatch) => self.found(dispatch.carrier(), 1),
            OutboxChange::Later { before, after } => {
                if after.tries > before.tries {
                    let carrier = self.of(after.dispatch.carrier());
                    carrier.retried.fetch_add(1, Ordering::Relaxed);
                }
            }
            OutboxChange::Done(item) => self.found(item.dispatch.carrier(), -1),
            OutboxChange::GivenUp { item, .. } => {
                let carrier = item.dispatch.carrier();
                self.found(carrier, -1);
                self.of(carrier).given_up.fetch_add(1, Ordering::Relaxed);
            }
            OutboxChange::Again { item: Some(item), .. } => {
                self.found(item.dispatch.carrier(), 1);
            }
            OutboxChange::Again { item: None, .. } | OutboxChange::Failed(_) => {}
        }
    }

    /// All of it.
    pub(crate) fn read(&self) -> Vec<CarrierFigures> {
        let figures = |carrier: Carrier| {
            let counts = self.of(carrier);
            let waiting = counts.waiting.load(Ordering::Relaxed);
            CarrierFigures {
                carrier,
                // While they are counted some may be done before they were found.
                waiting: u64::try_from(waiting).unwrap_or(0),
                sent: counts.sent.load(Ordering::Relaxed),
                retried: counts.retried.load(Ordering::Relaxed),
                given_up: counts.given_up.load(Ordering::Relaxed),
            }
        };
        Carrier::ALL.into_iter().map(figures).collect()
    }

    fn of(&self, carrier: Carrier) -> &CarrierCounts {
        &self.carriers[carrier as usize]
    }
}

/// The item of a failure, due again; none where it was never one.
pub(crate) fn item_again(what: &Undelivered, id: u64, now: Timestamp) -> Option<Item> {
    match what {
        Undelivered::Dispatch(dispatch) => {
            Some(Item { next_at: now, ..Item::new(id, dispatch.clone()) })
        }
        Undelivered::Webhook { .. } => None,
    }
}
