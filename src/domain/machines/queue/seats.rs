//! Who may take a seat: slots, and what may be outstanding, decided where they are counted.
//!
//! A seat is reserved here, in memory, as the queue decides; the callback's step confirms it by
//! writing it down, or gives it back. So two requests for the last place of a slot never both get
//! it, whatever happens between the two steps.

use std::sync::Arc;

use super::QueueMachine;
use crate::domain::callback::Booking;
use crate::domain::effect::{Answer, Change, StepOutput};
use crate::domain::message::{CallbackMessage, Letter, Reserve, Seated, SlotQuestion, Token, Wish};
use crate::domain::policy::Medium;
use crate::domain::queue::Queue;
use crate::domain::refusal::Refusal;
use crate::domain::slots::{
    Bookings, Bound, Grid, NEAREST, Nearest, Seat, SlotBook, SlotRoom, Staffing,
};
use crate::domain::time::{Now, Timestamp};

/// What a start that may be booked comes to.
struct Fitting {
    end: Timestamp,
    overbooked: bool,
}

impl QueueMachine {
    /// The seats taken, as recovery has counted them, and how many agents serve the queue.
    #[must_use]
    pub fn with_seats(mut self, bookings: Bookings, agents: u32) -> Self {
        self.bookings = bookings;
        self.agents = agents;
        self
    }

    /// The seats taken.
    pub fn bookings(&self) -> &Bookings {
        &self.bookings
    }

    fn book<'a>(&'a self, queue: &'a Queue, now: &Now) -> SlotBook<'a> {
        SlotBook {
            settings: &queue.settings,
            bookings: &self.bookings,
            staffing: self.staffing(),
            now: now.wall,
        }
    }

    fn staffing(&self) -> Staffing {
        Staffing { agents: self.agents, handling: self.waits.handling() }
    }

    /// The next free slots, as many as a refusal names.
    pub(super) fn next_slots(&self, now: &Now, queue: &Queue, medium: Medium) -> Vec<SlotRoom> {
        self.book(queue, now).next_free(medium, now.wall, NEAREST)
    }

    /// Whether as many are outstanding as channels and customers may have.
    pub(super) fn is_full(&self, queue: &Queue, medium: Medium) -> bool {
        let most = queue.settings.max_outstanding.of(medium);
        most > 0 && self.bookings.outstanding(medium) >= most
    }

    /// Whether a new callback's start may be booked at all, whatever is taken.
    pub(super) fn bookable(&self, now: &Now, queue: &Queue, wish: &Wish) -> Result<(), Refusal> {
        let Some(booking) = &wish.booking else { return Ok(()) };
        let book = self.book(queue, now);
        let checked = book.bookable(booking.start, wish.who.bound());
        checked.map_err(|why| why.refusal(|| nearest(&book, wish.medium, booking)))
    }

    /// Takes a seat for a new callback, or says why there is none.
    pub(super) fn seat_new(
        &mut self,
        now: &Now,
        queue: &Queue,
        wish: &mut Wish,
    ) -> Result<(), Refusal> {
        let (medium, bound) = (wish.medium, wish.who.bound());
        let most = queue.settings.max_outstanding.of(medium);
        if bound == Bound::ToSlots && self.is_full(queue, medium) {
            let text = format!("{most} {} callbacks are outstanding already", medium.as_str());
            return Err(Refusal::LimitReached(format!("{text}; ask again later")));
        }
        if let Some(booking) = &mut wish.booking {
            let fitting = fit(&self.book(queue, now), medium, booking, bound, None)?;
            (booking.end, booking.overbooked) = (fitting.end, fitting.overbooked);
        }
        let start = wish.booking.as_ref().map(|booking| booking.start);
        self.bookings.take(Seat { medium, start });
        Ok(())
    }

    /// Takes a seat for a callback that shall be moved. Its own stays counted until it has moved,
    /// but doesn't stand in its way.
    pub(super) fn reserve(&mut self, now: &Now, reserve: Reserve, out: &mut StepOutput) {
        let Reserve { token, callback, medium, booking, own, bound } = reserve;
        let result = self.seat_moved(now, (medium, &booking, own), bound);
        let message = CallbackMessage::Reserved { token, result };
        out.send(Letter::Callback(callback, message));
    }

    fn seat_moved(
        &mut self,
        now: &Now,
        (medium, booking, own): (Medium, &Booking, Option<Timestamp>),
        bound: Bound,
    ) -> Result<Seated, Refusal> {
        let queue = self.record.clone().ok_or(Refusal::NotFound)?;
        let book = self.book(&queue, now);
        if let Err(why) = book.bookable(booking.start, bound) {
            return Err(why.refusal(|| nearest(&book, medium, booking)));
        }
        let Fitting { end, overbooked } = fit(&book, medium, booking, bound, own)?;
        let seat = Seat { medium, start: Some(booking.start) };
        self.bookings.take(seat);
        Ok(Seated { queue: self.id.clone(), seat, end, overbooked, version: queue.version })
    }

    /// A callback took a seat that nobody reserved: it became asap, or came so from another queue.
    pub(super) fn take_seat(&mut self, seat: Seat) {
        self.bookings.take(seat);
    }

    /// A callback gives a seat back.
    pub(super) fn free_seat(&mut self, seat: Seat) {
        assert!(self.bookings.free(seat), "{}: a seat that nobody has is free: {seat:?}", self.id);
    }

    /// All that wait for a time were looked at by the record of that version. The mark goes without
    /// a new version: nobody sees it.
    pub(super) fn rechecked(&mut self, version: u64, out: &mut StepOutput) {
        let marked = |queue: &&Arc<Queue>| queue.unchecked && queue.version == version;
        let Some(old) = self.record.as_ref().filter(marked) else { return };
        let queue = Arc::new(Queue { unchecked: false, ..Queue::clone(old) });
        self.record = Some(Arc::clone(&queue));
        out.changes.push(Change::Queue(queue));
    }

    /// Tells about slots.
    pub(super) fn tell_slots(
        &self,
        now: &Now,
        token: Token,
        question: &SlotQuestion,
        out: &mut StepOutput,
    ) {
        let Some(queue) = &self.record else {
            out.answer(token, Err(Refusal::NotFound));
            return;
        };
        let book = self.book(queue, now);
        let medium = question.medium();
        let answer = match question {
            SlotQuestion::Between { from, to, .. } => Answer::Booked {
                queue: queue.clone(),
                bookings: self.bookings.part(medium, *from, *to),
                staffing: self.staffing(),
            },
            SlotQuestion::Next { from, count, .. } => {
                Answer::Slots(book.next_free(medium, *from, *count))
            }
            SlotQuestion::Near { start, .. } => Answer::Slots(book.nearest(medium, *start)),
        };
        out.answer(token, Ok(answer));
    }
}

/// Whether the slot has room for whoever is bound by it. `own` is where the callback is booked now.
fn fit(
    book: &SlotBook<'_>,
    medium: Medium,
    booking: &Booking,
    bound: Bound,
    own: Option<Timestamp>,
) -> Result<Fitting, Refusal> {
    let grid = Grid::of(book.settings);
    let end = grid.end_after(booking.start);
    // In a rest at the end of an interval there is no slot, and so nothing to fill.
    let full = grid.slot_at(booking.start).is_some_and(|slot| {
        let own = u32::from(own.is_some_and(|own| slot.contains(own)));
        let taken = book.bookings.taken(medium, slot).saturating_sub(own);
        book.places(medium).is_some_and(|places| taken >= places)
    });
    match bound {
        Bound::ToSlots if full => {
            Err(Refusal::SlotFull { nearest: nearest(book, medium, booking) })
        }
        Bound::ToSlots | Bound::ToHours | Bound::ToNothing => Ok(Fitting { end, overbooked: full }),
    }
}

fn nearest(book: &SlotBook<'_>, medium: Medium, booking: &Booking) -> Nearest {
    Nearest { slots: book.nearest(medium, booking.start), zone: booking.zone.clone() }
}
