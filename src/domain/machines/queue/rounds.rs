//! What a queue tells all of its live callbacks, some in a step, so that a line of any length keeps
//! nobody else waiting.
//!
//! Separate because it goes on over several steps: between two of them anything may happen. It must
//! leave nobody out who was there when it began; whoever comes meanwhile knows it already. After a
//! panic nothing is known of a round: all join again, with the versions that they work by.

use std::sync::Arc;

use super::{QueueMachine, carry_over};
use crate::domain::effect::StepOutput;
use crate::domain::ids::CallbackId;
use crate::domain::message::{CallbackMessage, Letter};
use crate::domain::time::{Now, Timestamp};

/// So many are told something in one step.
const TOLD_AT_ONCE: usize = 500;

/// Before every other.
const FIRST: CallbackId = CallbackId(0);

/// What is still to be told, and with whom that goes on.
#[derive(Debug, Clone, Default)]
pub(super) struct Rounds {
    /// The queue is another.
    changed: Option<CallbackId>,
    /// It is shut: those that wait go.
    shut: Option<CallbackId>,
    /// The rest comes with the wake-up that was asked for then, by the steady clock: at once, but
    /// behind everybody who has something to do by now.
    goes_on_at: Option<Timestamp>,
}

impl Rounds {
    /// All are to be told of the queue as it is now.
    pub(super) const fn begin_changed(&mut self) {
        self.changed = Some(FIRST);
    }

    /// All are to be told that it is shut, unless they are being told.
    pub(super) fn begin_shut(&mut self) {
        self.shut.get_or_insert(FIRST);
    }

    /// When the next are told, if there are more.
    pub(super) const fn goes_on_at(&self) -> Option<Timestamp> {
        self.goes_on_at
    }

    /// The wake-up has come.
    pub(super) const fn go_on(&mut self) {
        self.goes_on_at = None;
    }
}

impl QueueMachine {
    /// Tells some of the live callbacks what they are to be told.
    pub(super) fn go_round(&mut self, now: &Now, out: &mut StepOutput) {
        let begun = self.rounds.changed.is_some() || self.rounds.shut.is_some();
        let Some(queue) = self.record.clone().filter(|_| begun && self.rounds.goes_on_at.is_none())
        else {
            return;
        };
        let (some, next) = self.some_from(self.rounds.changed, TOLD_AT_ONCE);
        self.rounds.changed = next;
        for id in &some {
            let message = CallbackMessage::QueueChanged(Arc::clone(&queue));
            out.send(Letter::Callback(*id, message));
        }
        // Each hears first that the queue is another. Those that an agent has leave it alone.
        let shut = self.rounds.shut.filter(|_| queue.is_shut(now.wall));
        let (some, next) = self.some_from(shut, TOLD_AT_ONCE - some.len());
        self.rounds.shut = next;
        for id in some {
            carry_over(id, &queue, now.wall, out);
        }
        let is_over = self.rounds.changed.is_none() && self.rounds.shut.is_none();
        self.rounds.goes_on_at = (!is_over).then_some(now.steady);
    }

    /// At most so many live callbacks from one on, and with whom it goes on.
    fn some_from(
        &self,
        from: Option<CallbackId>,
        most: usize,
    ) -> (Vec<CallbackId>, Option<CallbackId>) {
        let Some(from) = from else { return (Vec::new(), None) };
        let mut ids = self.live.range(from..).map(|(id, _)| *id);
        let some = ids.by_ref().take(most).collect();
        (some, ids.next())
    }
}
