//! The deny list, as a callback lives with it: what waits for a denied number isn't offered.
//!
//! It keeps its place in line and may expire there; the router doesn't hear of it until the number
//! is off the list. Whether the number is on it is the engine's to tell, before each step and when
//! that changes: the record only says what was shown of it.

use super::{CallbackMachine, Draft};
use crate::domain::agent::RevokeReason;
use crate::domain::callback::{State, Unroutable};
use crate::domain::event::CallbackEvent;
use crate::domain::message::OfferEnd;
use crate::domain::time::Now;

impl CallbackMachine {
    /// Tells a machine whether its number is on the deny list, when it is made and before each
    /// step.
    pub fn know_denied(&mut self, denied: bool) {
        self.denied = denied;
    }

    /// The number was put on the deny list, or taken off it.
    pub(super) fn number_denied(&mut self, now: &Now, denied: bool, draft: &mut Draft) {
        self.denied = denied;
        if denied && self.record().state() == State::Offered {
            self.end_offer(OfferEnd::Revoked(RevokeReason::NumberDenied), draft);
            let interaction = self.take_interaction().expect("an offer has its interaction");
            self.queue_again(now, interaction, draft);
        }
    }

    /// Shows in the record whether it waits in vain because of its number.
    pub(super) fn show_denied(&mut self, draft: &mut Draft) {
        let Some(record) = self.record.as_deref() else { return };
        let in_vain = self.denied && record.state() == State::Queued;
        let shown = record.unroutable.as_deref() == Some(&Unroutable::NumberDenied);
        if in_vain == shown {
            return;
        }
        let record = self.record_mut();
        let reason = in_vain.then_some(Unroutable::NumberDenied);
        record.unroutable = reason.clone().map(Box::new);
        if record.state() == State::Queued {
            draft.events.push(CallbackEvent::Unroutable { reason });
            draft.enqueue |= !in_vain;
        }
    }
}
