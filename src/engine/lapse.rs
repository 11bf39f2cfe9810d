//! What is kept for a time only goes, in the background: answers under keys after a day, callbacks
//! with all that belongs to them, and agents' and queues' events, after `retain_days`, what was
//! measured after `report_days`.
//!
//! Each kind is walked in the order of its time from the oldest on, a batch at a time, and every
//! batch is one entry of the journal: a crash between two loses nothing, and the next walk begins
//! with what is left. A batch comes in through the door like a command, takes the keys of what it
//! removes in line, and waits while the journal has no room. It must never remove a callback whose
//! actor is there, since that one would write it again.

use std::rc::Rc;

use super::entry::Kept;
use super::facts::FactKey;
use super::library::{Lapsed, Lapsing, Removal};
use super::office::Office;
use super::ports::StoreError;
use crate::domain::time::{Span, Timestamp};

/// Between two batches, so that commands hardly notice.
const BETWEEN: Span = Span::millis(100);

/// After a read that failed.
const AGAIN: Span = Span::seconds(5);

/// Between two walks.
const REST: Span = Span::minutes(5);

/// A walk through one kind.
struct Walk {
    kind: Lapsing,
    after: Option<(Timestamp, Lapsed)>,
    /// How many are taken at once: one, after damage was met, so that nothing else stays for it.
    batch: usize,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Another one follows.
    More,
    /// Nothing is left.
    Done,
}

impl Walk {
    fn new(kind: Lapsing) -> Self {
        // A callback has some forty rows, an answer or an event two.
        let batch = match kind {
            Lapsing::Callbacks => 32,
            Lapsing::Answers | Lapsing::Events | Lapsing::Measures => 512,
        };
        Self { kind, after: None, batch }
    }
}

impl Office {
    /// Begins to drop what lapses, for as long as this life lasts.
    pub(crate) fn drop_what_lapses(self: &Rc<Self>) {
        let office = Rc::clone(self);
        self.spawn(async move {
            loop {
                for kind in Lapsing::ALL {
                    office.walk(Walk::new(kind)).await;
                }
                office.shared.clock.wait(REST).await;
            }
        });
    }

    async fn walk(self: &Rc<Self>, mut walk: Walk) {
        loop {
            let pause = match self.drop_some(&mut walk).await {
                Ok(Step::Done) => return,
                Ok(Step::More) => BETWEEN,
                Err(error) => {
                    tracing::warn!(error = %error, kind = ?walk.kind, "what lapsed can't be read");
                    AGAIN
                }
            };
            self.shared.clock.wait(pause).await;
        }
    }

    /// Removes one batch.
    async fn drop_some(self: &Rc<Self>, walk: &mut Walk) -> Result<Step, StoreError> {
        // Kept until the entry is with the journal, so that a drain waits for it.
        let _permit = self.shared.door.wait_for(1).await;
        if !self.may_write() {
            return Ok(Step::More);
        }
        let kept_for = match walk.kind {
            Lapsing::Answers => Kept::FOR,
            Lapsing::Callbacks | Lapsing::Events => self.shared.limits.retain,
            Lapsing::Measures => self.shared.limits.report,
        };
        let until = self.shared.clock.wall() - kept_for;
        let found = self.library.lapsed(walk.kind, walk.after, until, walk.batch).await?;
        let Some(last) = found.last().copied() else { return Ok(Step::Done) };
        let token = self.take_turn(found.iter().filter_map(|(_, one)| key(*one)).collect()).await;
        let removed = self.remove(walk.kind, found.clone()).await;
        self.next_in_line(token);
        match removed {
            Ok(passed) => walk.after = passed.or(walk.after),
            Err(error @ StoreError::Damaged { .. }) if walk.batch == 1 => {
                tracing::error!(error = %error, alarm = true, "what lapsed can't be removed");
                walk.after = Some(last);
            }
            Err(StoreError::Damaged { .. }) => walk.batch = 1,
            Err(error) => {
                // It may have been too much for the time that a read has.
                walk.batch = (walk.batch / 2).max(1);
                return Err(error);
            }
        }
        Ok(Step::More)
    }

    /// Removes what was found, and returns the last that the walk is past.
    async fn remove(
        self: &Rc<Self>,
        kind: Lapsing,
        found: Vec<(Timestamp, Lapsed)>,
    ) -> Result<Option<(Timestamp, Lapsed)>, StoreError> {
        // An actor that is there is about to go, or is set aside until a restart: the next walk
        // finds its callback again.
        let free: Vec<_> = found.iter().copied().filter(|(_, one)| !self.is_there(*one)).collect();
        let Removal { rows, whole } = self.library.removal(free.clone()).await?;
        let came = free.iter().any(|(_, one)| self.is_there(*one));
        if came || !self.may_write() {
            return Ok(None);
        }
        if !rows.is_empty() {
            let mut journal = self.journal.borrow_mut();
            let Some(journal) = journal.as_mut() else { return Ok(None) };
            self.shared.gauges.taken(journal.take_rows(&rows));
            self.shared.gauges.removed(kind, whole as u64);
        }
        Ok(if whole == free.len() { found.last().copied() } else { free[..whole].last().copied() })
    }

    fn is_there(&self, one: Lapsed) -> bool {
        match one {
            Lapsed::Callback(id) => self.directory.callbacks.has(&id),
            Lapsed::Answer(_) | Lapsed::Event(_) | Lapsed::Quarter => false,
        }
    }
}

/// What nobody else may change meanwhile. Events are never changed, nor are tallies so old.
fn key(one: Lapsed) -> Option<FactKey> {
    match one {
        Lapsed::Answer(key) => Some(FactKey::Idempotency(key)),
        Lapsed::Callback(id) => Some(FactKey::Callback(id)),
        Lapsed::Event(_) | Lapsed::Quarter => None,
    }
}
