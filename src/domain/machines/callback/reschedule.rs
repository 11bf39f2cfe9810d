//! Moving a callback: to another start, for which the queue keeps a seat first, or to as soon as
//! possible.
//!
//! The seat that it leaves is given back by `settle`, as one is that was kept in vain.

use std::sync::Arc;

use super::{CallbackMachine, Draft, Taken, answer_with, asap_ever};
use crate::domain::agent::RevokeReason;
use crate::domain::callback::{Booking, Callback, CallbackType, OpenReason, State};
use crate::domain::effect::Outbox;
use crate::domain::event::CallbackEvent;
use crate::domain::message::{
    Action, CallbackCommand, Letter, OfferEnd, QueueMessage, Reserve, Seated, Token, Who,
};
use crate::domain::policy::Medium;
use crate::domain::refusal::Refusal;
use crate::domain::time::{Now, Timestamp};

impl CallbackMachine {
    /// Whether it may be moved as it stands; the queue says whether there is a seat.
    pub(super) fn reschedulable(&self) -> Result<Taken, Refusal> {
        match self.record().state() {
            State::Open | State::Queued | State::Offered => Ok(Taken::Asked),
            State::Accepted
            | State::Calling
            | State::WrapUp
            | State::ClosedComplete
            | State::ClosedAbandoned
            | State::Canceled => Err(self.illegal("reschedule")),
        }
    }

    pub(super) fn ask_queue(&self, command: &CallbackCommand, booking: &Booking, out: &mut Outbox) {
        let record = self.record();
        let reserve = Reserve {
            token: command.token,
            callback: self.id,
            medium: record.medium,
            booking: booking.clone(),
            own: record.booking.as_ref().map(|booking| booking.start),
            who: command.who.clone(),
        };
        let message = QueueMessage::Reserve(Box::new(reserve));
        out.send(Letter::Queue(record.queue.clone(), message));
    }

    /// The queue has kept a seat, or has none.
    pub(super) fn reserved(
        &mut self,
        now: &Now,
        token: Token,
        result: Result<Seated, Refusal>,
        before: Option<&Callback>,
        out: &mut Outbox,
    ) {
        if let Ok(seated) = &result {
            self.told.seats.push((seated.queue.clone(), seated.seat));
        }
        let Some(place) = self.claims.iter().position(|claim| claim.token == token) else {
            // The machine was made anew meanwhile: whoever asked was answered then.
            self.settle(now, before, Draft::default(), None, out);
            return;
        };
        let command = self.claims.remove(place);
        let mut draft = Draft::default();
        let moved = result.and_then(|seated| self.reschedule(now, &command, &seated, &mut draft));
        match moved {
            Ok(()) => {
                let callback = self.settle(now, before, draft, None, out);
                out.answer(token, Ok(answer_with(callback)));
            }
            Err(refusal) => {
                self.record = before.cloned().map(Box::new);
                self.settle(now, before, Draft::default(), None, out);
                out.answer(token, Err(refusal));
            }
        }
    }

    /// Moves it to the seat that was kept, if it still may be moved.
    fn reschedule(
        &mut self,
        now: &Now,
        command: &CallbackCommand,
        seated: &Seated,
        draft: &mut Draft,
    ) -> Result<(), Refusal> {
        let Action::Reschedule { booking: Some(booking) } = &command.action else {
            unreachable!("only a move asks the queue");
        };
        let record = self.record();
        if command.if_match.is_some_and(|version| version != record.version) {
            return Err(Refusal::VersionStale { version: record.version });
        }
        self.reschedulable()?;
        if self.record().queue != seated.queue {
            // It went to another queue meanwhile, whose slots nobody has looked at.
            return Err(Refusal::VersionStale { version: self.record().version });
        }
        let Seated { end, overbooked, .. } = *seated;
        let booking = Booking { end, overbooked, ..booking.clone() };
        self.leave_its_time(now, &command.who, Some(booking.start), draft);
        self.move_to(now, booking, draft);
        Ok(())
    }

    /// Takes a booking, as a new one is taken.
    pub(super) fn move_to(&mut self, now: &Now, booking: Booking, draft: &mut Draft) {
        let record = self.record_mut();
        record.kind = CallbackType::Scheduled;
        record.expiry_base = booking.end;
        record.queued_since = None;
        record.booking = Some(booking);
        let due = self.due_for_booking();
        self.open(now, due, OpenReason::Booked);
        if due <= now.wall {
            self.fall_due(now, draft);
        }
    }

    /// Moves it to as soon as possible.
    pub(super) fn reschedule_to_asap(
        &mut self,
        now: &Now,
        who: &Who,
        draft: &mut Draft,
    ) -> Result<Taken, Refusal> {
        self.reschedulable()?;
        let queue = Arc::clone(self.queue());
        if self.record().medium == Medium::Video {
            return Err(Refusal::field("/asap", "a video callback must have a start"));
        }
        asap_ever(&queue, &self.record().reach, now.wall)?;
        self.leave_its_time(now, who, None, draft);
        let record = self.record_mut();
        record.kind = CallbackType::Asap;
        record.booking = None;
        record.expiry_base = now.wall;
        record.queued_since = Some(now.wall);
        let opens_at = queue.settings.hours.next_open(now.wall).unwrap_or(Timestamp::NEVER);
        if opens_at <= now.wall {
            self.queue_anew(now, draft);
        } else {
            self.open_at_opening(now, opens_at);
        }
        Ok(Taken::Done)
    }

    fn leave_its_time(
        &mut self,
        now: &Now,
        who: &Who,
        start: Option<Timestamp>,
        draft: &mut Draft,
    ) {
        draft.events.push(CallbackEvent::Rescheduled { start, by: who.by() });
        self.end_offer(OfferEnd::Revoked(RevokeReason::Rescheduled), draft);
        self.end_interaction(now, draft);
        let record = self.record_mut();
        record.promise_broken = false;
        record.unroutable = None;
        record.retrying = false;
        record.contact_hours_bind = false;
    }
}
