//! Looking at a booking again, because its queue's hours or the rules of its zone have changed.
//!
//! What was meant is the wall time: where it is another instant now, the booking moves there. A
//! booking that lies outside the hours stays, and that is told once. Looking twice changes nothing
//! more than looking once, so whoever walks through all bookings may begin anew at any time.

use super::{CallbackMachine, Draft, ENGINE};
use crate::domain::callback::{Booking, Callback, OpenReason, Phase};
use crate::domain::effect::Outbox;
use crate::domain::event::CallbackEvent;
use crate::domain::message::Seated;
use crate::domain::queue::Queue;
use crate::domain::slots::Bound;
use crate::domain::time::{Now, Timestamp};

/// The booking as it should be, if it isn't: of a callback that waits for a start to come.
pub fn looked_at_again(callback: &Callback, queue: &Queue, now: Timestamp) -> Option<Booking> {
    let waits = matches!(callback.phase, Phase::Open { why: OpenReason::Booked, .. });
    let old = callback.booking.as_ref().filter(|booking| waits && booking.start > now)?;
    let mut booking = old.clone();
    if old.zone.local(old.start) != old.local_start {
        let (start, repeated) = match old.zone.resolve(old.local_start) {
            Ok(resolved) => (resolved.at, resolved.repeated),
            Err(missing) => (missing.next_at, false),
        };
        booking = Booking {
            start,
            end: queue.slot_end(start),
            local_start: old.zone.local(start),
            repeated,
            ..booking
        };
    }
    booking.in_conflict = !queue.is_open(booking.start);
    (booking != *old).then_some(booking)
}

impl CallbackMachine {
    pub(super) fn recheck(&mut self, now: &Now, draft: &mut Draft, out: &mut Outbox) {
        let Some(booking) = looked_at_again(self.record(), self.queue(), now.wall) else { return };
        if self.booked_start() != Some(booking.start) {
            // Where it comes to lie it counts, and may be one too many.
            self.ask_for_seat(None, booking, Bound::ToNothing, out);
            return;
        }
        let was_told = self.record().booking.as_ref().is_some_and(|old| old.in_conflict);
        let in_conflict = booking.in_conflict;
        let start = booking.start;
        self.record_mut().booking = Some(booking);
        if in_conflict && !was_told {
            self.tell_conflict(start, draft);
        }
    }

    /// A seat was kept where the rules of its zone move it, if they still do.
    pub(super) fn follow_its_zone(&mut self, now: &Now, seated: &Seated, draft: &mut Draft) {
        let found = looked_at_again(self.record(), self.queue(), now.wall);
        let its_own = |booking: &Booking| {
            seated.seat.start == Some(booking.start) && seated.queue == self.record().queue
        };
        let Some(booking) = found.filter(its_own) else { return };
        let (start, in_conflict) = (booking.start, booking.in_conflict);
        if self.booked_start() == Some(start) {
            return;
        }
        draft.events.push(CallbackEvent::Rescheduled { start: Some(start), by: ENGINE });
        self.move_to(now, Booking { overbooked: seated.overbooked, ..booking }, draft);
        if in_conflict {
            self.tell_conflict(start, draft);
        }
    }

    fn booked_start(&self) -> Option<Timestamp> {
        self.record().booking.as_ref().map(|booking| booking.start)
    }

    fn tell_conflict(&self, start: Timestamp, draft: &mut Draft) {
        let next_open = self.queue().settings.hours.next_open(start);
        draft.events.push(CallbackEvent::ScheduleConflict { start, next_open });
    }
}
