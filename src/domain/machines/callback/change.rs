//! Changes that people make: move, call off, send back, give to somebody, edit.

use std::sync::Arc;

use super::call::prefer;
use super::contact::ever_allowed;
use super::{Asked, CallbackMachine, Draft, SeatFor, Taken};
use crate::domain::agent::{AssignedBy, RevokeReason, UnassignReason};
use crate::domain::callback::{
    CallbackType, ClosedReason, Declined, FinalState, OpenReason, Phase, Preferred, Reach, Remarks,
    Request, State,
};
use crate::domain::event::CallbackEvent;
use crate::domain::ids::AgentId;
use crate::domain::message::{OfferEnd, Patch, Seated, Who};
use crate::domain::queue::Queue;
use crate::domain::refusal::Refusal;
use crate::domain::time::{Now, Timestamp};

impl CallbackMachine {
    /// Calls it off.
    pub(super) fn cancel(
        &mut self,
        now: &Now,
        who: &Who,
        reason: Option<String>,
        draft: &mut Draft,
    ) -> Result<Taken, Refusal> {
        match self.record().state() {
            State::Open | State::Queued | State::Offered | State::Accepted => {}
            State::Calling
            | State::WrapUp
            | State::ClosedComplete
            | State::ClosedAbandoned
            | State::Canceled => return Err(self.illegal("cancel")),
        }
        self.end_offer(OfferEnd::Revoked(RevokeReason::Canceled), draft);
        self.record_mut().remarks.add(Remarks::new(None, None, reason));
        let why = match who {
            Who::Customer | Who::Channel => ClosedReason::ByCustomer,
            Who::Agent(_) => ClosedReason::ByAgent,
            Who::Supervisor(_) => ClosedReason::BySupervisor,
        };
        self.end(now, FinalState::Canceled, why, who.by(), draft);
        Ok(Taken::Done)
    }

    /// The customer was served another way: what waits is called off, a booking only where that is
    /// asked for. What an agent has goes on.
    pub(super) fn serve_elsewhere(
        &mut self,
        now: &Now,
        who: &Who,
        include_scheduled: bool,
        draft: &mut Draft,
    ) -> Taken {
        let record = self.record();
        let waits = matches!(record.state(), State::Open | State::Queued | State::Offered);
        let booked = record.kind == CallbackType::Scheduled && !record.retrying;
        if !waits || (booked && !include_scheduled) {
            return Taken::Again;
        }
        self.end_offer(OfferEnd::Revoked(RevokeReason::Canceled), draft);
        let reason = ClosedReason::ServedElsewhere;
        self.end(now, FinalState::Canceled, reason, who.by(), draft);
        Taken::Done
    }

    /// Sends it back to a queue, its place kept.
    pub(super) fn requeue(
        &mut self,
        now: &Now,
        who: &Who,
        queue: Option<Arc<Queue>>,
        agent: Option<AgentId>,
        seated: Option<&Seated>,
        draft: &mut Draft,
    ) -> Result<Taken, Refusal> {
        let from = self.record().state();
        let assigned = self.record().assigned_agent().cloned();
        let by_assigned = assigned.is_some() && assigned.as_ref() == who.agent();
        self.may_requeue(who, by_assigned)?;
        if let Some(queue) = queue.as_ref().filter(|one| !one.takes(self.record().medium)) {
            let medium = self.record().medium.as_str();
            let detail = format!("{} takes no {medium} callbacks", queue.settings.id);
            return Err(Refusal::field("/queue", detail));
        }
        let fresh = matches!(from, State::WrapUp)
            || (from == State::Open && self.record().interaction().is_none());
        if fresh && self.record().interactions >= self.queue().settings.max_interactions {
            let max_attempts = self.record().max_attempts;
            return Err(Refusal::AttemptsUsedUp { max_attempts });
        }
        let record = self.record();
        let elsewhere = queue.as_ref().filter(|queue| queue.settings.id != record.queue);
        if let Some(queue) = elsewhere
            && record.booking.is_some()
            && seated.is_none()
        {
            // Its booked start counts there, and may be one too many.
            let transfer = SeatFor::Transfer { queue: Arc::clone(queue), agent };
            return Ok(Taken::Asks(Asked::Seat(transfer)));
        }
        // An agent doesn't bring forward what a customer has booked.
        let was_ahead = !who.supervises() && self.was_taken_ahead();
        self.end_offer(OfferEnd::Revoked(RevokeReason::Reassigned), draft);
        self.unassign(UnassignReason::Requeued, draft);
        if let Some(assigned) = assigned.filter(|one| by_assigned && agent.as_ref() != Some(one)) {
            self.cool_down(now, assigned, false);
        }
        self.wait_no_later(now);
        // Whoever doesn't let it wait for its time has decided that it shall be called now.
        self.record_mut().contact_hours_bind &= from != State::Open;
        if let Some(queue) = queue {
            self.change_queue(queue, draft);
        }
        if let Some(seated) = seated {
            self.sit_down(seated);
        }
        if let Some(agent) = &agent {
            self.wish_for(agent.clone());
        }
        let to = self.record().queue.clone();
        draft.events.push(CallbackEvent::Requeued { queue: to, agent, by: who.by() });
        draft.tells = true;
        if fresh {
            self.begin_anew(now, from, draft);
        } else if was_ahead && self.due_for_booking() > now.wall {
            self.wait_for_its_time(now, draft);
        } else {
            let interaction = self.take_interaction().expect("it has a live interaction");
            self.queue_again(now, interaction, draft);
        }
        Ok(Taken::Done)
    }

    /// It has a seat in another queue, whose slots end at other times.
    fn sit_down(&mut self, seated: &Seated) {
        let record = self.record_mut();
        if let Some(booking) = &mut record.booking {
            if record.expiry_base == booking.end {
                record.expiry_base = seated.end;
            }
            (booking.overbooked, booking.end) = (seated.overbooked, seated.end);
        }
    }

    /// With an interaction of its own, as the last is over or there was none.
    fn begin_anew(&mut self, now: &Now, from: State, draft: &mut Draft) {
        self.end_interaction(now, draft);
        self.record_mut().retrying |= from == State::WrapUp;
        if self.queue().settings.retry_extends_expiry {
            // Called before its time, it may still wait for that.
            let base = &mut self.record_mut().expiry_base;
            *base = if from == State::Open { now.wall.max(*base) } else { now.wall };
        }
        self.queue_anew(now, draft);
    }

    /// Wished for again, an agent is waited for again.
    fn wish_for(&mut self, agent: AgentId) {
        let preferred = prefer(agent, Preferred::TRANSFER_SECONDS);
        self.record_mut().preferred = Some(Box::new(preferred));
        self.preferred_since = None;
    }

    fn may_requeue(&self, who: &Who, by_assigned: bool) -> Result<(), Refusal> {
        match self.record().state() {
            State::Accepted | State::WrapUp if by_assigned || who.supervises() => Ok(()),
            State::Accepted | State::WrapUp => Err(Refusal::Forbidden(
                "only the assigned agent or a supervisor may requeue it".to_owned(),
            )),
            State::Open | State::Queued | State::Offered if who.supervises() => Ok(()),
            State::Open
            | State::Queued
            | State::Offered
            | State::Calling
            | State::ClosedComplete
            | State::ClosedAbandoned
            | State::Canceled => Err(self.illegal("requeue")),
        }
    }

    fn change_queue(&mut self, queue: Arc<Queue>, draft: &mut Draft) {
        let old_bound = self.queue().settings.max_offers;
        let record = self.record_mut();
        if record.queue != queue.settings.id {
            // What was told was told of the other line.
            record.told = None;
        }
        record.queue = queue.settings.id.clone();
        self.queue = Some(queue);
        self.offers_bounded_anew(old_bound, draft);
    }

    /// Whether it may be given to this agent; the router says whether they have room.
    pub(super) fn assign(&self, who: &Who, agent: &AgentId, force: bool) -> Result<Taken, Refusal> {
        if !who.supervises() {
            if who.agent() != Some(agent) || force {
                return Err(Refusal::Forbidden(
                    "agents may assign to themselves only, and within their capacity".to_owned(),
                ));
            }
            if !self.queue().settings.agents_may_claim {
                return Err(Refusal::Forbidden(
                    "agents may not take callbacks of this queue by themselves".to_owned(),
                ));
            }
            let accepted = self.record().state() == State::Accepted;
            if accepted && self.record().assigned_agent() != Some(agent) {
                return Err(Refusal::Forbidden(
                    "it is assigned to another agent; ask a supervisor".to_owned(),
                ));
            }
        }
        if !self.assignable() {
            return Err(self.illegal("assign"));
        }
        if self.denied {
            return Err(Refusal::NumberDenied);
        }
        if self.record().assigned_agent() == Some(agent) {
            return Ok(Taken::Again);
        }
        let barred = |one: &Declined| one.agent == *agent && one.bars();
        if !who.supervises() && self.record().declined.iter().any(barred) {
            return Err(Refusal::Forbidden(
                "you declined it for good; ask a supervisor".to_owned(),
            ));
        }
        let record = self.record();
        if record.interaction().is_none()
            && record.interactions >= self.queue().settings.max_interactions
        {
            return Err(Refusal::AttemptsUsedUp { max_attempts: record.max_attempts });
        }
        Ok(Taken::Asks(Asked::Agent { agent: agent.clone(), force }))
    }

    /// Called before its time, it stands in line from now on and not from a time to come. What
    /// waits already keeps its queue time, wherever the wall clock has jumped to.
    fn wait_no_later(&mut self, now: &Now) {
        let Phase::Open { why, .. } = self.record().phase else { return };
        let retry = why == OpenReason::Retry;
        let queued_since = &mut self.record_mut().queued_since;
        *queued_since =
            queued_since.map(|since| if retry { now.wall } else { since.min(now.wall) });
    }

    fn assignable(&self) -> bool {
        matches!(
            self.record().state(),
            State::Open | State::Queued | State::Offered | State::Accepted
        )
    }

    /// The router has reserved the agent: they have it, if the state still allows.
    pub(super) fn assigned(
        &mut self,
        now: &Now,
        who: &Who,
        agent: &AgentId,
        draft: &mut Draft,
    ) -> Result<(), Refusal> {
        if self.record().assigned_agent() == Some(agent) {
            draft.released.push(agent.clone());
            return Ok(());
        }
        if !self.assignable() {
            draft.released.push(agent.clone());
            return Err(self.illegal("assign"));
        }
        if self.denied {
            // Since the router was asked.
            draft.released.push(agent.clone());
            return Err(Refusal::NumberDenied);
        }
        if self.record().holder() == Some(agent) {
            // The offer's grant is kept for the assignment; the claim's is one too many.
            draft.released.push(agent.clone());
        }
        let was_early = self.is_before_its_time(now.wall);
        let same = self.record().offer().is_some_and(|offer| offer.agent == *agent);
        let reason = if same { RevokeReason::AcceptedElsewhere } else { RevokeReason::Reassigned };
        self.end_offer(OfferEnd::Revoked(reason), draft);
        self.unassign(UnassignReason::Reassigned, draft);
        self.wait_no_later(now);
        let interaction = match self.take_interaction() {
            Some(interaction) => interaction,
            None => self.new_interaction(now),
        };
        let queued_since = &mut self.record_mut().queued_since;
        // Still ahead of its time, it was never in line.
        *queued_since = queued_since.filter(|_| !was_early).or(Some(now.wall));
        let by = if who.supervises() { AssignedBy::Supervisor } else { AssignedBy::Claim };
        self.begin_assignment(now, interaction, agent.clone(), by, draft);
        Ok(())
    }

    /// Changes fields.
    pub(super) fn patch(
        &mut self,
        now: &Now,
        who: &Who,
        patch: &Patch,
        draft: &mut Draft,
    ) -> Result<Taken, Refusal> {
        if self.record().state().is_final() {
            return Err(self.illegal("patch"));
        }
        if *who == Who::Channel
            && !matches!(self.record().state(), State::Open | State::Queued | State::Offered)
        {
            return Err(self.illegal("patch"));
        }
        let record = self.record_mut();
        if let Some((read, _)) = &patch.request
            && read.version != record.request_version
        {
            return Err(Refusal::VersionStale { version: record.version });
        }
        if let Some(priority) = patch.priority {
            record.priority = priority;
        }
        if let Some(requirements) = &patch.requirements {
            record.requirements = requirements.clone();
        }
        if let Some(preferred) = &patch.preferred {
            record.preferred.clone_from(preferred);
        }
        if let Some(max_attempts) = patch.max_attempts {
            record.max_attempts = max_attempts;
        }
        if let Some((read, wished)) = &patch.request {
            self.rewrite(read, wished, draft);
        }
        if patch.fields.is_empty() {
            return Ok(Taken::Again);
        }
        if self.record().state() != State::Open {
            // Where the customer is may have changed, and with it what contact hours allow.
            self.waits_until = None;
        }
        draft.events.push(CallbackEvent::Updated { by: who.by(), fields: patch.fields.clone() });
        self.follow_changes(now, draft);
        Ok(Taken::Done)
    }

    /// Other texts from now on; what the record has of them follows.
    fn rewrite(&mut self, read: &Arc<Request>, wished: &Request, draft: &mut Draft) {
        let reach = Reach::of(&wished.customer);
        // A denied number isn't taken, so that a new one isn't denied.
        self.denied &= reach.phone == self.record().reach.phone;
        let record = self.record_mut();
        record.reach = reach;
        record.request_version += 1;
        let request = Request { version: record.request_version, ..wished.clone() };
        draft.request = Some((Some(Arc::clone(read)), Arc::new(request)));
    }

    /// A supervisor closed it while it was offered.
    pub(super) fn end_offer_closed(&mut self, draft: &mut Draft) {
        self.end_offer(OfferEnd::Revoked(RevokeReason::Closed), draft);
    }
}

/// Whether what is asked for as soon as possible can ever be served.
pub(in crate::domain::machines) fn asap_ever(
    queue: &Queue,
    reach: &Reach,
    now: Timestamp,
) -> Result<(), Refusal> {
    match queue.settings.hours.next_open(now) {
        None => Err(Refusal::OutsideHours { next_allowed_at: None }),
        Some(opens_at) if opens_at > now && !ever_allowed(reach, &queue.settings, opens_at) => {
            Err(Refusal::OutsideContactHours { next_allowed_at: None })
        }
        Some(_) => Ok(()),
    }
}
