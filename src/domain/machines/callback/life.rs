//! How a callback begins, waits, falls due, is carried over and ends.

use std::sync::Arc;

use super::{CallbackMachine, Draft, ENGINE, seats_of};
use crate::domain::agent::{RevokeReason, UnassignReason};
use crate::domain::callback::{
    Booking, Callback, CallbackType, ClosedReason, FinalState, Interaction, InteractionState,
    OpenReason, Phase, Reach, Remarks, RequestedBy, State, Unroutable,
};
use crate::domain::event::{By, CallbackEvent};
use crate::domain::message::{Create, OfferEnd, Who};
use crate::domain::queue::Queue;
use crate::domain::time::{Now, Timestamp};

/// Stands in the record from when its interaction is taken until the phase that follows is set:
/// nothing ends at this instant.
pub(super) const BETWEEN_PHASES: Phase = Phase::Ended {
    state: FinalState::Canceled,
    reason: ClosedReason::ByCustomer,
    at: Timestamp::NEVER,
};

impl CallbackMachine {
    /// Begins. The queue has checked that the request may be taken.
    pub(super) fn create(
        &mut self,
        now: &Now,
        create: Create,
        queue: Arc<Queue>,
        draft: &mut Draft,
    ) {
        assert!(self.record.is_none(), "{} was created twice", self.id);
        let wish = &create.wish;
        draft.events.push(CallbackEvent::Created {
            queue: wish.queue.clone(),
            kind: wish.kind,
            medium: wish.medium,
            start: wish.booking.as_ref().map(|booking| booking.start),
            by: wish.who.by(),
        });
        draft.request = Some((None, Arc::clone(&wish.request)));
        let opens_at = queue.settings.hours.next_open(now.wall).unwrap_or(Timestamp::NEVER);
        let record = first_record(now, create, &queue);
        // The queue counts it already, in line and among the seats.
        self.told.joined = true;
        self.told.seats = seats_of(&record);
        self.record = Some(Arc::new(record));
        self.queue = Some(queue);
        match self.record().kind {
            CallbackType::Scheduled => {
                let due = self.due_for_booking();
                self.open(now, due, OpenReason::Booked);
                if due <= now.wall {
                    self.fall_due(now, draft);
                }
            }
            CallbackType::Asap if opens_at <= now.wall => self.queue_anew(now, draft),
            CallbackType::Asap => self.open_at_opening(now, opens_at),
        }
    }

    /// Waits for the queue's next opening, which nobody chose.
    pub(super) fn open_at_opening(&mut self, now: &Now, opens_at: Timestamp) {
        self.record_mut().contact_hours_bind = true;
        let due = self.allowed_from(opens_at).unwrap_or(Timestamp::NEVER);
        self.open(now, due, OpenReason::Opening);
    }

    /// When a booked callback falls due: its start, less the lead.
    pub(super) fn due_for_booking(&self) -> Timestamp {
        let booking = self.record().booking.as_ref().expect("a scheduled callback has a booking");
        self.queue().due_before(booking.start)
    }

    /// Waits for a time, without an interaction.
    pub(super) fn open(&mut self, now: &Now, due: Timestamp, why: OpenReason) {
        self.open_with(now, due, why, None);
    }

    fn open_with(
        &mut self,
        now: &Now,
        due: Timestamp,
        why: OpenReason,
        carried: Option<Box<Interaction>>,
    ) {
        let wake_at = due.min(self.waits_until_wall(now.wall));
        self.waits_until = None;
        self.promise = None;
        let record = self.record_mut();
        // What was told of the wait was told of a line that it isn't in any more.
        record.told = None;
        record.phase = Phase::Open { due, wake_at, why, carried };
    }

    /// A fresh interaction, queued. Gives up where too many were made.
    pub(super) fn queue_anew(&mut self, now: &Now, draft: &mut Draft) {
        if self.record().interactions >= self.queue().settings.max_interactions.max(1) {
            let reason = ClosedReason::AttemptsUsedUp;
            self.end(now, FinalState::ClosedAbandoned, reason, ENGINE, draft);
            return;
        }
        self.preferred_since = None;
        let interaction = self.new_interaction(now);
        self.queue_again(now, interaction, draft);
    }

    /// The live interaction waits for an agent, again or for the first time.
    pub(super) fn queue_again(
        &mut self,
        now: &Now,
        mut interaction: Box<Interaction>,
        draft: &mut Draft,
    ) {
        interaction.state = InteractionState::Queued;
        interaction.accepted_at = None;
        interaction.offered_at = None;
        interaction.agent = None;
        let id = interaction.id;
        let record = self.record_mut();
        let queued_since = *record.queued_since.get_or_insert(now.wall);
        record.phase = Phase::Queued { interaction };
        self.begin_waiting(now);
        let expired = self.waits_until.is_some_and(|until| until <= now.steady);
        if !expired && self.put_off_if_shut(now, draft) {
            return;
        }
        draft.enqueue = true;
        draft.events.push(CallbackEvent::Queued { interaction: id, queued_since });
        // What was asked for a moment ago is answered first, as waiting.
        if expired && self.record().version > 0 {
            self.expire(now, draft);
        }
    }

    pub(super) fn new_interaction(&mut self, now: &Now) -> Box<Interaction> {
        let record = self.record_mut();
        record.interactions += 1;
        Box::new(Interaction {
            id: now.fresh.interaction(),
            attempt: record.interactions,
            state: InteractionState::Queued,
            agent: None,
            created_at: now.wall,
            offered_at: None,
            accepted_at: None,
            called_at: None,
            answered_at: None,
            ended_at: None,
            outcome: None,
            notes: None,
        })
    }

    /// The time that it waited for has come.
    pub(super) fn fall_due(&mut self, now: &Now, draft: &mut Draft) {
        let Phase::Open { due, why, carried, .. } = &self.record().phase else { return };
        let (due, why, carried) = (*due, *why, carried.clone());
        if why == OpenReason::Retry && self.record().attempts >= self.record().max_attempts {
            // Fewer are allowed than when it was put off.
            let reason = ClosedReason::AttemptsUsedUp;
            self.end(now, FinalState::ClosedAbandoned, reason, ENGINE, draft);
            return;
        }
        // A timer comes a moment late: what fell due before the closing has the overrun too.
        let queue = self.queue();
        let in_time = queue.is_open(due) && !queue.is_shut(now.wall);
        let serves_at = if in_time || self.is_ahead_of_its_start(now.wall) {
            now.wall
        } else {
            queue.settings.hours.next_open(now.wall).unwrap_or(Timestamp::NEVER)
        };
        if serves_at > now.wall {
            // Another opening than the one that it was for.
            self.record_mut().contact_hours_bind = true;
        }
        let Some(serves_at) = self.allowed_from(serves_at) else {
            self.expire(now, draft);
            return;
        };
        if serves_at > now.wall {
            draft.events.push(CallbackEvent::CarriedOver { due: serves_at, why });
            self.open_with(now, serves_at, why, carried);
            return;
        }
        let extends = self.queue().settings.retry_extends_expiry;
        let record = self.record_mut();
        match why {
            OpenReason::Booked => record.queued_since = Some(due),
            OpenReason::Retry => {
                record.queued_since = Some(due);
                if extends {
                    record.expiry_base = due;
                }
            }
            OpenReason::Opening | OpenReason::CarriedOver => {}
        }
        draft.fell_due = true;
        match carried {
            Some(interaction) => self.queue_again(now, interaction, draft),
            None => self.queue_anew(now, draft),
        }
    }

    fn is_ahead_of_its_start(&self, now: Timestamp) -> bool {
        is_ahead_of_its_start(self.record(), self.queue(), now)
    }

    /// Carries it over where its queue is shut or contact hours forbid to call: true.
    fn put_off_if_shut(&mut self, now: &Now, draft: &mut Draft) -> bool {
        let shut = self.queue().is_shut(now.wall) && !self.is_ahead_of_its_start(now.wall);
        if !shut && !self.is_forbidden(now.wall) {
            return false;
        }
        let hours = &self.queue().settings.hours;
        let next_open = if shut { hours.next_open(now.wall) } else { Some(now.wall) };
        self.carry_over(now, next_open, draft);
        true
    }

    /// Its queue, or what binds it, has changed: it may fall due at another time, and what waits
    /// for an agent may have to stop.
    pub(super) fn follow_changes(&mut self, now: &Now, draft: &mut Draft) {
        self.follow_hours(now, draft);
        if !self.is_waiting() {
            return;
        }
        self.refresh_bounds(now);
        let expired = self.waits_until.is_some_and(|until| until <= now.steady);
        if expired || !self.put_off_if_shut(now, draft) {
            draft.enqueue = self.record().state() == State::Queued;
        }
    }

    /// The queue is shut: what is ahead of its start goes on all the same.
    pub(super) fn shut(&mut self, now: &Now, next_open: Option<Timestamp>, draft: &mut Draft) {
        if !self.is_ahead_of_its_start(now.wall) {
            self.carry_over(now, next_open, draft);
        }
    }

    /// The queue has closed and its overrun is over, or contact hours are: what waits goes on at
    /// the next opening that they allow. Where there is none, it has waited in vain.
    pub(super) fn carry_over(
        &mut self,
        now: &Now,
        next_open: Option<Timestamp>,
        draft: &mut Draft,
    ) {
        if !matches!(self.record().state(), State::Queued | State::Offered) {
            return;
        }
        self.record_mut().contact_hours_bind = true;
        let Some(due) = self.allowed_from(next_open.unwrap_or(Timestamp::NEVER)) else {
            self.expire(now, draft);
            return;
        };
        self.end_offer(OfferEnd::Revoked(RevokeReason::CarriedOver), draft);
        self.record_mut().unroutable = None;
        let carried = self.take_interaction().map(|mut interaction| {
            interaction.state = InteractionState::Queued;
            interaction
        });
        draft.events.push(CallbackEvent::CarriedOver { due, why: OpenReason::CarriedOver });
        self.wait_by_the_wall(now);
        self.open_with(now, due, OpenReason::CarriedOver, carried);
    }

    /// Whether it was given to its agent ahead of its booked time, without ever standing in line,
    /// and that time is still to come.
    pub(super) fn is_before_its_time(&self, now: Timestamp) -> bool {
        self.was_taken_ahead() && self.due_for_booking() > now
    }

    /// Whether it was given to its agent without ever standing in line, and has a booked time.
    pub(super) fn was_taken_ahead(&self) -> bool {
        let record = self.record();
        let was_taken = record.interaction().is_some_and(|interaction| {
            interaction.offered_at.is_none() && interaction.accepted_at == record.queued_since
        });
        was_taken && record.booking.is_some() && !record.retrying
    }

    /// Waits for its booked time, with the interaction that it has.
    pub(super) fn wait_for_its_time(&mut self, now: &Now, draft: &mut Draft) {
        let due = self.due_for_booking();
        let carried = self.take_interaction().map(|mut interaction| {
            interaction.state = InteractionState::Queued;
            (interaction.agent, interaction.accepted_at) = (None, None);
            interaction
        });
        self.record_mut().queued_since = None;
        draft.events.push(CallbackEvent::CarriedOver { due, why: OpenReason::Booked });
        self.open_with(now, due, OpenReason::Booked, carried);
    }

    /// It waited too long.
    pub(super) fn expire(&mut self, now: &Now, draft: &mut Draft) {
        self.end_offer(OfferEnd::Revoked(RevokeReason::Expired), draft);
        let reason = ClosedReason::Expired;
        self.end(now, FinalState::ClosedAbandoned, reason, ENGINE, draft);
    }

    /// Ends it: the interaction becomes a row, an assignment is over.
    pub(super) fn end(
        &mut self,
        now: &Now,
        state: FinalState,
        reason: ClosedReason,
        by: By,
        draft: &mut Draft,
    ) {
        let why = match state {
            FinalState::Canceled => UnassignReason::Canceled,
            FinalState::ClosedComplete | FinalState::ClosedAbandoned => UnassignReason::Closed,
        };
        self.unassign(why, draft);
        self.end_interaction(now, draft);
        let record = self.record_mut();
        record.phase = Phase::Ended { state, reason, at: now.wall };
        record.unroutable = None;
        draft.events.push(match state {
            FinalState::Canceled => {
                let text = record.remarks.cancel_reason().map(str::to_owned);
                CallbackEvent::Canceled { reason, text, by }
            }
            FinalState::ClosedComplete | FinalState::ClosedAbandoned => {
                let disposition = record.remarks.disposition().map(str::to_owned);
                CallbackEvent::Closed { state, reason, disposition, by }
            }
        });
    }

    /// Moves the interaction out of the record, into a row of its own. One that wasn't ended yet
    /// ends abandoned, unless the customer was reached in it.
    pub(super) fn end_interaction(&mut self, now: &Now, draft: &mut Draft) {
        let Some(mut interaction) = self.take_interaction() else { return };
        let reached = interaction.answered_at.is_some();
        interaction.ended_at.get_or_insert(now.wall);
        interaction.state = if reached {
            InteractionState::ClosedComplete
        } else {
            InteractionState::ClosedAbandoned
        };
        self.record_mut().reached |= reached;
        draft.ended.push(*interaction);
    }

    /// Takes the interaction out of the record; the caller sets the phase that follows, or `settle`
    /// panics.
    pub(super) fn take_interaction(&mut self) -> Option<Box<Interaction>> {
        let old = std::mem::replace(&mut self.record_mut().phase, BETWEEN_PHASES);
        match old {
            Phase::Open { carried, .. } => carried,
            Phase::Queued { interaction }
            | Phase::Offered { interaction, .. }
            | Phase::Accepted { interaction, .. }
            | Phase::Calling { interaction, .. }
            | Phase::WrapUp { interaction, .. } => Some(interaction),
            ended @ Phase::Ended { .. } => {
                self.record_mut().phase = ended;
                None
            }
        }
    }

    pub(super) fn queue_changed(&mut self, now: &Now, queue: Arc<Queue>, draft: &mut Draft) {
        if queue.settings.id != self.record().queue {
            return;
        }
        let paused = queue.offers_paused.is_some();
        let old = self.queue.replace(queue);
        let step = self.queue().settings.age_step_seconds;
        draft.other_place = old.as_ref().is_none_or(|old| old.settings.age_step_seconds != step);
        if let Some(old) = old {
            self.offers_bounded_anew(old.settings.max_offers, draft);
        }
        self.waits_until = None;
        self.promise = None;
        match self.record().offer() {
            Some(offer) if paused => {
                let agent = offer.agent.clone();
                self.revoke(now, &agent, RevokeReason::Paused, draft);
            }
            Some(_) | None => self.follow_changes(now, draft),
        }
    }

    pub(super) fn set_unroutable(&mut self, reason: Option<Unroutable>, draft: &mut Draft) {
        if self.denied {
            return;
        }
        let record = self.record_mut();
        let waits = record.state() == State::Queued;
        if record.unroutable.as_deref() == reason.as_ref() || (reason.is_some() && !waits) {
            return;
        }
        record.unroutable = reason.clone().map(Box::new);
        draft.events.push(CallbackEvent::Unroutable { reason });
    }
}

/// Whether its lead has begun and its start is to come, at which the queue is open: a slot at the
/// opening falls due before it.
pub(super) fn is_ahead_of_its_start(callback: &Callback, queue: &Queue, now: Timestamp) -> bool {
    let booked = callback.kind == CallbackType::Scheduled && !callback.retrying;
    callback.booking.as_ref().filter(|_| booked).is_some_and(|Booking { start, .. }| {
        queue.due_before(*start) <= now && now < *start && queue.is_open(*start)
    })
}

fn first_record(now: &Now, create: Create, queue: &Queue) -> Callback {
    let Create { id, number, wish, told, .. } = create;
    let settings = &queue.settings;
    let requested_by = match &wish.who {
        Who::Customer | Who::Channel => RequestedBy::Customer,
        Who::Agent(agent) => RequestedBy::Agent(Some(agent.clone())),
        Who::Supervisor(agent) => RequestedBy::Agent(agent.clone()),
    };
    let asked_at = wish.request.origin.waiting_since.unwrap_or(now.wall);
    let expiry_base = wish.booking.as_ref().map_or(now.wall, |booking| booking.end);
    Callback {
        id,
        number,
        version: 0,
        request_version: wish.request.version,
        queue: wish.queue,
        kind: wish.kind,
        medium: wish.medium,
        channel: wish.request.origin.channel,
        requested_by,
        reach: Reach::of(&wish.request.customer),
        zone: wish.zone,
        priority: wish.priority,
        size: wish.size,
        requirements: wish.requirements,
        preferred: wish.preferred,
        max_attempts: wish.max_attempts.unwrap_or(settings.max_attempts),
        expire_after_minutes: wish.expire_after_minutes.unwrap_or(settings.expire_after_minutes),
        expiry_base,
        attempts: 0,
        interactions: 0,
        queued_since: (wish.kind == CallbackType::Asap).then_some(asked_at),
        booking: wish.booking,
        phase: Phase::Open {
            due: Timestamp::NEVER,
            wake_at: Timestamp::NEVER,
            why: OpenReason::Opening,
            carried: None,
        },
        declined: Vec::new(),
        offers_lost: 0,
        retrying: false,
        contact_hours_bind: false,
        reached: false,
        told,
        first_called_at: None,
        promise_broken: false,
        unroutable: None,
        accepted_offer: None,
        closable_by: None,
        last_action: None,
        remarks: Remarks::default(),
        has_email: false,
        bookings: 1,
        meeting: None,
        created_at: now.wall,
        updated_at: now.wall,
        clock_gap: now.wall.since(now.steady),
    }
}
