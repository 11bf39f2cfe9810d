//! What an agent holds, as the callbacks tell it: offers and assignments, and what befalls them.
//!
//! Nothing here changes a callback: taking an offer back is asked of the callback's machine.

use std::sync::Arc;

use super::{AgentMachine, notify};
use crate::domain::agent::{Presence, RevokeReason, UnassignReason};
use crate::domain::callback::{Snapshot, State};
use crate::domain::effect::{Notice, StepOutput};
use crate::domain::ids::{AgentId, CallbackId, OfferId, SessionId};
use crate::domain::message::{CallbackMessage, Letter, OfferEnd};
use crate::domain::time::Now;

impl AgentMachine {
    pub(super) fn offered(&mut self, callback: Snapshot, out: &mut StepOutput) {
        // The router decided by what it knew; the agent may have gone meanwhile, or been sent away
        // for missing the offer before. Nobody is shown what is taken back at once.
        if self.sessions.is_empty() {
            self.revoke_offer(callback.id, RevokeReason::SessionLost, out);
        } else if self.record.as_ref().is_none_or(|one| one.presence != Presence::Available) {
            self.revoke_offer(callback.id, RevokeReason::AgentAway, out);
        } else {
            self.hold(Arc::clone(&callback));
            self.notify(Notice::Offered { callback }, out);
        }
    }

    pub(super) fn offer_ended(
        &mut self,
        now: &Now,
        callback: CallbackId,
        offer: OfferId,
        end: OfferEnd,
        out: &mut StepOutput,
    ) {
        let held = self.held.get(&callback).and_then(|one| one.offer());
        let was_shown = held.is_some_and(|one| one.id == offer);
        if was_shown {
            self.held.remove(&callback);
        }
        match end {
            OfferEnd::Accepted(within) => {
                if was_shown {
                    let reason = RevokeReason::AcceptedElsewhere;
                    let revoked = Notice::OfferRevoked { callback, offer, reason };
                    notify(self.others(within), revoked, out);
                }
            }
            OfferEnd::Declined(within) => {
                if was_shown {
                    let declined = Notice::OfferDeclined { callback, offer };
                    notify(self.others(within), declined, out);
                }
                self.change(|agent| agent.missed_offers = 0, out);
            }
            OfferEnd::Expired => {
                self.notify(Notice::OfferExpired { callback, offer }, out);
                self.change(
                    |agent| agent.missed_offers = agent.missed_offers.saturating_add(1),
                    out,
                );
                let missed = self.record.as_ref().map_or(0, |agent| agent.missed_offers);
                if self.goes_away_at(missed) {
                    self.send_away(now, "no_response", out);
                }
            }
            OfferEnd::Revoked(reason) => {
                if was_shown {
                    self.notify(Notice::OfferRevoked { callback, offer, reason }, out);
                }
            }
        }
    }

    /// The agent's sessions but for this one.
    fn others(&self, within: Option<SessionId>) -> Vec<SessionId> {
        self.sessions.iter().copied().filter(|one| Some(*one) != within).collect()
    }

    /// Whether so many missed offers in a row send them away.
    pub(super) fn goes_away_at(&self, missed: u32) -> bool {
        missed >= self.timers.max_missed_offers
    }

    pub(super) fn unassigned(
        &mut self,
        now: &Now,
        callback: CallbackId,
        reason: UnassignReason,
        out: &mut StepOutput,
    ) {
        let held = self.held.remove(&callback).map(|held| held.state());
        self.notify(Notice::Unassigned { callback, reason }, out);
        // What was never called was no work, and costs nobody their turn.
        if matches!(held, Some(State::Calling | State::WrapUp)) {
            self.change(|agent| agent.idle_since = now.steady, out);
        }
        if reason == UnassignReason::NoCall {
            self.send_away(now, "no_call", out);
        }
    }

    pub(super) fn tell_held(
        &self,
        out: &mut StepOutput,
        message: impl Fn(AgentId) -> CallbackMessage,
    ) {
        for callback in self.held.keys() {
            out.send(Letter::Callback(*callback, message(self.id.clone())));
        }
    }

    pub(super) fn revoke_offers(&self, reason: RevokeReason, out: &mut StepOutput) {
        for (id, callback) in &self.held {
            if callback.offer().is_some() {
                self.revoke_offer(*id, reason, out);
            }
        }
    }

    pub(super) fn revoke_offer(
        &self,
        callback: CallbackId,
        reason: RevokeReason,
        out: &mut StepOutput,
    ) {
        let agent = self.id.clone();
        out.send(Letter::Callback(callback, CallbackMessage::RevokeOffer { agent, reason }));
    }

    pub(super) fn hold(&mut self, callback: Snapshot) {
        if callback.is_news_for(&self.id, self.held.get(&callback.id)) {
            self.held.insert(callback.id, callback);
        }
    }
}
