//! Offers: made when an agent is reserved, and answered, expired or taken back.

use super::{CallbackMachine, Draft, Taken};
use crate::domain::agent::{AssignedBy, RevokeReason, UnassignReason};
use crate::domain::callback::{
    Assignment, Declined, Interaction, InteractionState, Offer, Phase, State,
};
use crate::domain::event::CallbackEvent;
use crate::domain::ids::{AgentId, OfferId, SessionId};
use crate::domain::message::{OfferEnd, Who};
use crate::domain::policy::QueueSettings;
use crate::domain::refusal::Refusal;
use crate::domain::time::{Now, Span, Timestamp};

impl CallbackMachine {
    /// An agent is reserved: offer it to them, unless it waits no more, waits for another, or the
    /// queue's offers were paused or the number was denied meanwhile.
    pub(super) fn propose(&mut self, now: &Now, agent: AgentId, draft: &mut Draft) {
        let waits = self.record.as_ref().is_some_and(|record| record.state() == State::Queued);
        let held = self.queue().offers_paused.is_some() || self.denied;
        if !waits || held || !self.pending.is_empty() {
            draft.released.push(agent);
            draft.enqueue = waits && self.pending.is_empty();
            return;
        }
        let mut interaction = self.take_interaction().expect("what is queued has an interaction");
        interaction.agent = Some(agent.clone());
        interaction.offered_at = Some(now.wall);
        self.record_mut().unroutable = None;
        if self.queue().settings.auto_accept {
            self.begin_assignment(now, interaction, agent, AssignedBy::Accept, draft);
            return;
        }
        interaction.state = InteractionState::Offered;
        let timeout = Span::seconds(self.queue().settings.offer_timeout_seconds);
        let offer =
            Offer { id: now.fresh.offer(), agent: agent.clone(), expires_at: now.steady + timeout };
        draft.events.push(CallbackEvent::Offered {
            offer: offer.id,
            agent,
            expires_at: now.wall + timeout,
        });
        self.record_mut().phase = Phase::Offered { interaction, offer };
    }

    /// Whether the agent has taken this offer, and has what it was for.
    pub(super) fn has_accepted(&self, who: &Who, offer: OfferId) -> bool {
        let record = self.record();
        record.assigned_agent().is_some_and(|agent| {
            who.agent() == Some(agent)
                && record.accepted_offer.as_deref() == Some(&(offer, agent.clone()))
        })
    }

    /// The agent takes the offer.
    pub(super) fn accept(
        &mut self,
        now: &Now,
        who: &Who,
        offer: OfferId,
        session: Option<SessionId>,
        draft: &mut Draft,
    ) -> Result<Taken, Refusal> {
        let agent = acting(who)?;
        self.pending_offer(&agent, offer)?;
        self.end_offer(OfferEnd::Accepted(session), draft);
        draft.events.push(CallbackEvent::Accepted { offer, agent: agent.clone() });
        self.record_mut().accepted_offer = Some(Box::new((offer, agent.clone())));
        let interaction = self.take_interaction().expect("an offer has its interaction");
        self.begin_assignment(now, interaction, agent, AssignedBy::Accept, draft);
        Ok(Taken::Done)
    }

    /// The agent doesn't take the offer.
    pub(super) fn decline(
        &mut self,
        now: &Now,
        who: &Who,
        offer: OfferId,
        reason: Option<&str>,
        session: Option<SessionId>,
        draft: &mut Draft,
    ) -> Result<Taken, Refusal> {
        let agent = acting(who)?;
        self.pending_offer(&agent, offer)?;
        let for_good = self.decline_bars(reason)?;
        self.end_offer(OfferEnd::Declined(session), draft);
        draft.events.push(CallbackEvent::Declined {
            offer,
            agent: agent.clone(),
            reason: reason.map(str::to_owned),
        });
        self.cool_down(now, agent, for_good);
        self.offer_lost(draft);
        let interaction = self.take_interaction().expect("an offer has its interaction");
        self.queue_again(now, interaction, draft);
        Ok(Taken::Done)
    }

    fn pending_offer(&self, agent: &AgentId, offer: OfferId) -> Result<(), Refusal> {
        match self.record().offer() {
            Some(pending) if pending.id == offer && pending.agent == *agent => Ok(()),
            Some(pending) if pending.id == offer => {
                Err(Refusal::Forbidden("the offer was made to another agent".to_owned()))
            }
            Some(_) | None => Err(Refusal::OfferNotPending),
        }
    }

    /// Whether a decline with this reason bars the agent for good.
    fn decline_bars(&self, reason: Option<&str>) -> Result<bool, Refusal> {
        let reasons = &self.queue().settings.decline_reasons;
        if reasons.is_empty() {
            return Ok(false);
        }
        let Some(reason) = reason else { return Ok(false) };
        let Some(listed) = reasons.iter().find(|one| one.choice.id == reason) else {
            let ids: Vec<_> = reasons.iter().map(|one| one.choice.id.as_str()).collect();
            let detail = format!("must be one of the queue's reasons: {}", ids.join(", "));
            return Err(Refusal::field("/reason", detail));
        };
        Ok(!listed.reassignable)
    }

    /// Keeps it from an agent for a while that doubles each time, or for good.
    pub(super) fn cool_down(&mut self, now: &Now, agent: AgentId, for_good: bool) {
        let base = self.queue().settings.decline_cooldown_seconds;
        let declined = &mut self.record_mut().declined;
        let place = declined.iter().position(|one| one.agent == agent).unwrap_or_else(|| {
            let never = Timestamp::default();
            declined.push(Declined { agent, times: 0, until: never, lone_until: never });
            declined.len() - 1
        });
        let one = &mut declined[place];
        one.times = one.times.saturating_add(1);
        if for_good {
            one.until = Timestamp::NEVER;
            one.lone_until = Timestamp::NEVER;
            return;
        }
        let doubled = Span(Span::seconds(base).0 << (one.times - 1).min(20));
        let whole = doubled.min(QueueSettings::MAX_COOLDOWN.max(Span::seconds(base)));
        let lone = Span(whole.0 / 2).max(QueueSettings::LONE_COOLDOWN).min(whole);
        one.until = one.until.max(now.steady + whole);
        one.lone_until = one.lone_until.max(now.steady + lone);
    }

    /// Takes the pending offer back from an agent, without penalty for them.
    pub(super) fn revoke(
        &mut self,
        now: &Now,
        agent: &AgentId,
        reason: RevokeReason,
        draft: &mut Draft,
    ) {
        let theirs = self
            .record
            .as_ref()
            .and_then(|record| record.offer())
            .is_some_and(|offer| offer.agent == *agent);
        if theirs {
            self.end_offer(OfferEnd::Revoked(reason), draft);
            let interaction = self.take_interaction().expect("an offer has its interaction");
            self.queue_again(now, interaction, draft);
        }
    }

    /// Notes how the pending offer ended, if there is one; the caller sets the phase.
    pub(super) fn end_offer(&mut self, end: OfferEnd, draft: &mut Draft) {
        let Some(Offer { id, agent, .. }) = self.record().offer().cloned() else { return };
        let offer = id;
        match end {
            OfferEnd::Accepted(_) | OfferEnd::Declined(_) => {}
            OfferEnd::Expired => {
                draft.events.push(CallbackEvent::OfferExpired { offer, agent: agent.clone() });
            }
            OfferEnd::Revoked(reason) => {
                let agent = agent.clone();
                draft.events.push(CallbackEvent::OfferRevoked { offer, agent, reason });
            }
        }
        draft.offer_end = Some((agent, offer, end));
    }

    /// One more offer was declined or missed.
    pub(super) fn offer_lost(&mut self, draft: &mut Draft) {
        let bound = self.queue().settings.max_offers;
        let record = self.record_mut();
        record.offers_lost = record.offers_lost.saturating_add(1);
        if record.offers_lost == bound {
            draft.events.push(CallbackEvent::Stuck { offers_lost: bound });
        }
    }

    /// Its queue bounds them otherwise from now on, or is another: what passed the old bound was
    /// told then.
    pub(super) fn offers_bounded_anew(&self, old_bound: u32, draft: &mut Draft) {
        let (bound, record) = (self.queue().settings.max_offers, self.record());
        let offers_lost = record.offers_lost;
        let was_told = old_bound > 0 && old_bound <= offers_lost;
        if !record.state().is_final() && bound > 0 && bound <= offers_lost && !was_told {
            draft.events.push(CallbackEvent::Stuck { offers_lost });
            draft.tells = true;
        }
    }

    /// An agent has it from now on.
    pub(super) fn begin_assignment(
        &mut self,
        now: &Now,
        mut interaction: Box<Interaction>,
        agent: AgentId,
        by: AssignedBy,
        draft: &mut Draft,
    ) {
        interaction.state = InteractionState::Accepted;
        interaction.agent = Some(agent.clone());
        interaction.accepted_at = Some(now.wall);
        draft.events.push(CallbackEvent::Assigned { agent: agent.clone(), by });
        draft.assigned = Some(by);
        self.warned = false;
        self.agent_lost_since = None;
        let record = self.record_mut();
        record.unroutable = None;
        record.closable_by = None;
        let assignment = Assignment { agent, since: now.steady };
        record.phase = Phase::Accepted { interaction, assignment };
    }

    /// The agent has had no session for too long: what isn't called yet goes back.
    pub(super) fn grace_over(&mut self, now: &Now, agent: &AgentId, draft: &mut Draft) {
        let Some(record) = &self.record else { return };
        if record.state() == State::Accepted && record.assigned_agent() == Some(agent) {
            self.give_back(now, UnassignReason::ConnectionLost, draft);
        }
    }

    /// Notes that the assignment is over, if there is one; the caller sets the phase.
    pub(super) fn unassign(&mut self, reason: UnassignReason, draft: &mut Draft) {
        if let Some(agent) = self.record().assigned_agent().cloned() {
            draft.events.push(CallbackEvent::Unassigned { agent: agent.clone(), reason });
            draft.unassigned = Some((agent, reason));
        }
    }

    /// An accepted, uncalled callback goes back to its place in the queue; one that was taken ahead
    /// of its booked time waits for that again.
    pub(super) fn give_back(&mut self, now: &Now, reason: UnassignReason, draft: &mut Draft) {
        self.unassign(reason, draft);
        if self.is_before_its_time(now.wall) {
            self.wait_for_its_time(now, draft);
            return;
        }
        let interaction = self.take_interaction().expect("accepted has an interaction");
        self.queue_again(now, interaction, draft);
    }
}

/// The agent that acts; roles without one were refused before.
pub(super) fn acting(who: &Who) -> Result<AgentId, Refusal> {
    who.agent().cloned().ok_or_else(|| {
        Refusal::Forbidden("only an agent may do that; use a credential that names one".to_owned())
    })
}
