//! The ledger in the workspace: what each step says is counted on its way to the journal, and time
//! once a minute.
//!
//! The rows that a step changes are part of its entry, so that the tallies and the records are
//! durable together or not at all. Whoever reads the ledger on another thread holds it for one
//! queue or agent at a time, since each step waits for it.

use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::office::Office;
use crate::domain::effect::{Change, QueueStats};
use crate::domain::event::Event;
use crate::domain::ids::QueueId;
use crate::domain::measure::facts::facts;
use crate::domain::measure::ledger::TICK;
use crate::domain::measure::{Ledger, Measured};
use crate::domain::time::Timestamp;

/// Whose time is counted at once.
const AT_ONCE: usize = 256;

/// The ledger, as threads share it.
pub(crate) type SharedLedger = Arc<Mutex<Ledger>>;

/// Holds the ledger. A thread that panicked in it can have left a count half made at most, and the
/// workspace starts again then.
pub(crate) fn open(ledger: &SharedLedger) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Office {
    /// Counts what a step says; answers the rows to be written with it.
    pub(super) fn measure(
        &self,
        at: Timestamp,
        changes: &[Change],
        events: &[Event],
    ) -> impl Iterator<Item = Change> + use<> {
        let known = self.known.borrow();
        let settings = |id: &QueueId| Arc::clone(&known.queue_of(id).settings);
        let facts = facts(at, changes, events, settings);
        rows(open(&self.ledger).learn(at, facts))
    }

    /// Counts what a queue tells of requests and offers.
    pub(super) fn note_demand(&self, queue: &QueueId, stats: &QueueStats) {
        open(&self.ledger).demand(self.shared.clock.wall(), queue, stats);
    }

    /// Counts the time that has passed and writes it down, of some queues and agents at a time, so
    /// that steps in between hardly notice.
    pub(super) async fn count_time(&self) {
        let names = open(&self.ledger).names();
        for some in names.chunks(AT_ONCE) {
            let now = self.shared.clock.wall();
            let rows: Vec<Change> = rows(open(&self.ledger).tick(now, some)).collect();
            self.write(now, rows, Vec::new(), Vec::new());
            tokio::task::yield_now().await;
        }
    }

    /// Counts time, for as long as this life lasts.
    pub(crate) fn keep_time(self: &Rc<Self>) {
        let office = Rc::clone(self);
        self.spawn(async move {
            loop {
                office.shared.clock.wait(TICK).await;
                // Kept until all is with the journal, so that a drain waits for it.
                let _permit = office.shared.door.wait_for(1).await;
                if office.may_write() {
                    office.count_time().await;
                }
            }
        });
    }
}

fn rows(measured: Vec<Measured>) -> impl Iterator<Item = Change> {
    measured.into_iter().map(|one| Change::Measured(Box::new(one)))
}
