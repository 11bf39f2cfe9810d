//! Looks again at what waits for a time, in the background, when a queue's hours or the rules of
//! zones have changed.
//!
//! Which queues it is for stands in their records, and which rules all bookings were looked at by
//! in a row of its own: after a crash the walk begins anew, and finds what is left, since a
//! callback that was looked at is as it should be. A batch comes in through the door like a
//! command. Only callbacks that must change are woken; what changes they decide themselves.

use std::rc::Rc;
use std::sync::Arc;

use super::door::Cause;
use super::office::Office;
use super::ports::StoreError;
use crate::domain::effect::Change;
use crate::domain::ids::{CallbackId, QueueId};
use crate::domain::machines::callback::recheck::is_as_it_should_be;
use crate::domain::message::{CallbackMessage, Letter, QueueMessage};
use crate::domain::queue::Queue;
use crate::domain::time::Span;
use crate::domain::zone;

/// Callbacks that are read at once.
const BATCH: usize = 256;

/// Between two batches, so that commands hardly notice.
const BETWEEN: Span = Span::millis(100);

/// After a read that failed.
const AGAIN: Span = Span::seconds(5);

impl Office {
    /// Begins to look at what waits for a time in queues whose hours have changed.
    pub(crate) fn recheck_changed(self: &Rc<Self>, changes: &[Change]) {
        for change in changes {
            if let Change::Queue(queue) = change
                && queue.unchecked
            {
                self.recheck_queue(&queue.settings.id);
            }
        }
    }

    /// A time to wait for was decided by that version of its queue's record. Where there is another
    /// one by now, whose walk may have been over before that was written, it is looked at again.
    pub(crate) fn check_booking(
        self: &Rc<Self>,
        callback: CallbackId,
        queue: &QueueId,
        version: u64,
    ) {
        let known = self.known.borrow().queue(queue);
        let Some(newer) = known.filter(|queue| queue.version != version) else { return };
        for message in [CallbackMessage::QueueChanged(newer), CallbackMessage::Recheck] {
            self.deliver(Letter::Callback(callback, message), None);
        }
    }

    fn recheck_queue(self: &Rc<Self>, id: &QueueId) {
        if !self.rechecking.borrow_mut().insert(id.clone()) {
            return;
        }
        let (office, id) = (Rc::clone(self), id.clone());
        self.spawn(async move {
            loop {
                office.shared.clock.wait(BETWEEN).await;
                let queue = office.known.borrow().queue(&id).filter(|queue| queue.unchecked);
                let Some(queue) = queue else { break };
                office.look_again(&queue).await;
                let message = QueueMessage::Rechecked { version: queue.version };
                office.deliver(Letter::Queue(id.clone(), message), None);
            }
            office.rechecking.borrow_mut().remove(&id);
        });
    }

    /// After a start: goes on where an earlier life was, and looks at all bookings if the rules
    /// of zones are others than `seen`.
    pub(crate) fn recheck_all(self: &Rc<Self>, seen: Option<u64>) {
        let office = Rc::clone(self);
        self.spawn(async move {
            let ids = office.known.borrow().queue_ids();
            for id in &ids {
                if office.known.borrow().queue(id).is_some_and(|queue| queue.unchecked) {
                    office.recheck_queue(id);
                }
            }
            // It reads hundreds of zones: not on this thread. If it ended badly, the next start
            // looks again.
            let Ok(rules) = tokio::task::spawn_blocking(zone::rules).await else { return };
            if seen == Some(rules) {
                return;
            }
            if seen.is_some() {
                tracing::info!("the rules of time zones have changed; all bookings are looked at");
            }
            for id in &ids {
                let queue = office.known.borrow().queue(id);
                if let Some(queue) = queue {
                    office.look_again(&queue).await;
                }
            }
            office.note_rules(rules).await;
        });
    }

    async fn note_rules(self: &Rc<Self>, rules: u64) {
        let _permit = self.wait_to_write().await;
        let row = self.library.zone_rules_row(rules);
        let mut journal = self.journal.borrow_mut();
        if let (Some(journal), Some(row)) = (journal.as_mut(), row) {
            self.shared.gauges.taken(journal.take_rows(&[row]));
        }
    }

    /// Looks at all callbacks of a queue that wait for a time.
    async fn look_again(self: &Rc<Self>, queue: &Arc<Queue>) {
        let mut after = None;
        loop {
            match self.look_at_some(queue, after).await {
                Ok(Some(last)) => after = Some(last),
                Ok(None) => break,
                Err(error @ StoreError::Damaged { .. }) => {
                    tracing::error!(error = %error, alarm = true, "callbacks can't be read");
                    break;
                }
                Err(error) => {
                    tracing::warn!(error = %error, "callbacks can't be looked at again");
                    self.shared.clock.wait(AGAIN).await;
                }
            }
            self.shared.clock.wait(BETWEEN).await;
        }
    }

    /// Looks at one batch; answers its last one, if others may follow.
    async fn look_at_some(
        self: &Rc<Self>,
        queue: &Arc<Queue>,
        after: Option<CallbackId>,
    ) -> Result<Option<CallbackId>, StoreError> {
        let cause = self.wait_to_write().await;
        let ids = self.library.open(queue.settings.id.clone(), after, BATCH).await?;
        let last = ids.last().copied().filter(|_| ids.len() == BATCH);
        let now = self.shared.clock.wall();
        for callback in self.library.callbacks(ids).await? {
            if !is_as_it_should_be(&callback, queue, now) {
                let letter = Letter::Callback(callback.id, CallbackMessage::Recheck);
                self.deliver(letter, cause.clone());
            }
        }
        Ok(last)
    }

    /// Waits for a permit, and until the journal takes more. The permit is kept until what hangs
    /// on it is handled, so that a drain waits for it.
    async fn wait_to_write(self: &Rc<Self>) -> Option<Arc<Cause>> {
        loop {
            let permit = self.shared.door.wait_for(1).await;
            if self.may_write() {
                return permit.map(Cause::due);
            }
            drop(permit);
            self.shared.clock.wait(BETWEEN).await;
        }
    }
}
