//! Moving a callback: to another start, for which the queue keeps a seat first, or to as soon as
//! possible.
//!
//! The seat that it leaves is given back by `settle`, as one is that was kept in vain.

use std::sync::Arc;

use super::{Asked, Asking, CallbackMachine, Draft, SeatFor, Taken, answer_with, asap_ever};
use crate::domain::agent::RevokeReason;
use crate::domain::callback::{Booking, CallbackType, OpenReason, Snapshot, State};
use crate::domain::effect::StepOutput;
use crate::domain::event::CallbackEvent;
use crate::domain::ids::QueueId;
use crate::domain::machines::digest::digest;
use crate::domain::message::{
    CallbackCommand, Letter, OfferEnd, QueueMessage, Reserve, Seated, Token, Who,
};
use crate::domain::policy::Medium;
use crate::domain::refusal::Refusal;
use crate::domain::slots::Bound;
use crate::domain::time::{Now, Timestamp};

impl CallbackMachine {
    /// Whether it may be moved as it stands; the queue says whether there is a seat.
    pub(super) fn reschedulable(&self) -> Result<(), Refusal> {
        match self.record().state() {
            State::Open | State::Queued | State::Offered => Ok(()),
            State::Accepted
            | State::Calling
            | State::WrapUp
            | State::ClosedComplete
            | State::ClosedAbandoned
            | State::Canceled => Err(self.illegal("reschedule")),
        }
    }

    /// Asks a queue to keep a seat for it: its own for another start, or one to which it shall go.
    pub(super) fn ask_for_seat(
        &self,
        queue: &QueueId,
        token: Option<Token>,
        booking: Booking,
        bound: Bound,
        out: &mut StepOutput,
    ) {
        let record = self.record();
        let (callback, medium) = (self.id, record.medium);
        // Another queue doesn't count it yet.
        let own = self.booked_start().filter(|_| *queue == record.queue);
        let reserve = Box::new(Reserve { token, callback, medium, booking, own, bound });
        out.send(Letter::Queue(queue.clone(), QueueMessage::Reserve(reserve)));
    }

    /// The queue has kept a seat, or has none.
    pub(super) fn reserved(
        &mut self,
        now: &Now,
        token: Option<Token>,
        result: Result<Seated, Refusal>,
        before: Option<&Snapshot>,
        out: &mut StepOutput,
    ) {
        if let Ok(seated) = &result {
            self.told.seats.push((seated.queue.clone(), seated.seat));
        }
        let mut draft = Draft::default();
        let Some(Asking { command, asked: Asked::Seat(seat_for) }) = self.take_claim(token) else {
            if let (None, Ok(seated)) = (token, &result) {
                self.follow_its_zone(now, seated, &mut draft);
            }
            self.settle(now, before, draft, None, out);
            return;
        };
        let token = command.token;
        let moved =
            result.and_then(|seated| self.seated(now, &command, seat_for, &seated, &mut draft));
        match moved {
            Ok(()) => {
                let last = command.who.agent().cloned().map(|one| (one, digest(&command.action)));
                let callback = self.settle(now, before, draft, last, out);
                out.answer(token, Ok(answer_with(callback)));
            }
            Err(refusal) => {
                self.record = before.cloned();
                // A proposal that came in between was sent back: the router must know that it
                // still waits.
                let enqueue = self.record().state() == State::Queued;
                let draft = Draft { enqueue, ..Draft::default() };
                self.settle(now, before, draft, None, out);
                out.answer(token, Err(refusal));
            }
        }
    }

    /// Carries out what a seat was kept for.
    fn seated(
        &mut self,
        now: &Now,
        command: &CallbackCommand,
        seat_for: SeatFor,
        seated: &Seated,
        draft: &mut Draft,
    ) -> Result<(), Refusal> {
        let record = self.record();
        if command.if_match.is_some_and(|version| version != record.version) {
            return Err(Refusal::VersionStale { version: record.version });
        }
        match seat_for {
            SeatFor::Move(booking) => self.reschedule(now, &command.who, &booking, seated, draft),
            SeatFor::Transfer { queue, agent } => {
                let queue = Some(queue);
                self.requeue(now, &command.who, queue, agent, Some(seated), draft).map(|_taken| ())
            }
        }
    }

    /// Moves it to the seat that was kept, if it still may be moved.
    fn reschedule(
        &mut self,
        now: &Now,
        who: &Who,
        booking: &Booking,
        seated: &Seated,
        draft: &mut Draft,
    ) -> Result<(), Refusal> {
        self.reschedulable()?;
        if self.record().queue != seated.queue {
            // It went to another queue meanwhile, whose slots nobody has looked at.
            return Err(Refusal::VersionStale { version: self.record().version });
        }
        let Seated { end, overbooked, .. } = *seated;
        let booking = Booking { end, overbooked, ..booking.clone() };
        self.leave_its_time(now, who, Some(booking.start), draft);
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
