//! Looking again at what waits for a time, because its queue's hours or the rules of its zone have
//! changed.
//!
//! What was meant by a booking is the wall time: where it is another instant now, the booking
//! moves there. A booking that lies outside the hours stays, which is told once, and falls due at
//! the next opening. What waits for an opening, or for a retry that nobody chose, falls due when
//! the hours say now. Looking twice changes nothing more than looking once, so whoever walks
//! through all of them may begin anew at any time.

use super::contact::next_bound;
use super::{CallbackMachine, Draft, ENGINE};
use crate::domain::callback::{Booking, Callback, OpenReason, Phase};
use crate::domain::effect::StepOutput;
use crate::domain::event::CallbackEvent;
use crate::domain::message::Seated;
use crate::domain::queue::Queue;
use crate::domain::slots::Bound;
use crate::domain::time::{Now, Timestamp};

/// Whether looking at it again changes nothing.
pub fn is_as_it_should_be(callback: &Callback, queue: &Queue, now: Timestamp) -> bool {
    looked_at_again(callback, queue, now).is_none() && due_again(callback, queue, now).is_none()
}

/// When a callback that waits for a time falls due by its queue as it is now, and whether contact
/// hours bind it then; none where that is as it was.
fn due_again(callback: &Callback, queue: &Queue, now: Timestamp) -> Option<(Timestamp, bool)> {
    let Phase::Open { due: old, why, .. } = &callback.phase else { return None };
    let (settings, is_bound) = (&queue.settings, callback.contact_hours_bind);
    let found = match why {
        // Its time has come.
        _ if *old <= now => None,
        OpenReason::Booked => {
            let start = callback.booking.as_ref()?.start;
            if start > now && queue.is_open(start) {
                Some((queue.due_before(start), false))
            } else {
                next_bound(callback, settings, start.max(now)).map(|at| (at, true))
            }
        }
        // An agent has chosen that time.
        OpenReason::Retry if !is_bound => None,
        OpenReason::Retry => {
            let wanted = callback.queued_since.unwrap_or(*old);
            next_bound(callback, settings, wanted.max(now)).map(|at| (at, true))
        }
        OpenReason::Opening | OpenReason::CarriedOver => {
            next_bound(callback, settings, now).map(|at| (at, true))
        }
    };
    found.filter(|found| *found != (*old, is_bound))
}

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
    pub(super) fn recheck(&mut self, now: &Now, draft: &mut Draft, out: &mut StepOutput) {
        let found = looked_at_again(self.record(), self.queue(), now.wall);
        let Some(booking) = found else { return self.follow_hours(now, draft) };
        if self.booked_start() != Some(booking.start) {
            // Where it comes to lie it counts, and may be one too many.
            self.ask_for_seat(&self.record().queue, None, booking, Bound::ToNothing, out);
            return;
        }
        let was_told = self.record().booking.as_ref().is_some_and(|old| old.in_conflict);
        let in_conflict = booking.in_conflict;
        let start = booking.start;
        self.record_mut().booking = Some(booking);
        if in_conflict && !was_told {
            self.tell_conflict(start, draft);
        }
        self.follow_hours(now, draft);
    }

    /// What waits for a time falls due when its queue's hours say now.
    pub(super) fn follow_hours(&mut self, now: &Now, draft: &mut Draft) {
        let Some((due, binds)) = due_again(self.record(), self.queue(), now.wall) else { return };
        let extends = self.queue().settings.retry_extends_expiry;
        let record = self.record_mut();
        let Phase::Open { due: old, why, .. } = &mut record.phase else { return };
        *old = due;
        let why = *why;
        record.contact_hours_bind = binds;
        if why == OpenReason::Retry && extends {
            record.expiry_base = due;
        }
        if due <= now.wall {
            self.fall_due(now, draft);
            return;
        }
        if why != OpenReason::Booked {
            draft.events.push(CallbackEvent::CarriedOver { due, why });
        }
        self.open_wake(now, draft);
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
        self.end_interaction(now, draft);
        self.move_to(now, Booking { overbooked: seated.overbooked, ..booking }, draft);
        if in_conflict {
            self.tell_conflict(start, draft);
        }
    }

    pub(super) fn booked_start(&self) -> Option<Timestamp> {
        self.record().booking.as_ref().map(|booking| booking.start)
    }

    fn tell_conflict(&self, start: Timestamp, draft: &mut Draft) {
        let next_open = self.queue().settings.hours.next_open(start);
        draft.events.push(CallbackEvent::ScheduleConflict { start, next_open });
    }
}
