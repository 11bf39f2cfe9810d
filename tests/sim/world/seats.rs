//! Seats: what a queue counts is what the records say and what letters on their way will change,
//! after each step; and no slot has more customers than places.

use std::collections::BTreeMap;

use ringback::domain::callback::Callback;
use ringback::domain::ids::QueueId;
use ringback::domain::message::{CallbackMessage, Letter, QueueMessage};
use ringback::domain::policy::{Medium, SlotCapacity};
use ringback::domain::slots::{Bookings, Grid, Seat};
use ringback::domain::time::Timestamp;

use super::{Records, World};

impl Records {
    /// The seats of a queue's callbacks.
    pub(super) fn seats(&self, queue: &QueueId) -> Bookings {
        let mut bookings = Bookings::default();
        for seat in self.of(queue).filter_map(Callback::seat) {
            bookings.take(seat);
        }
        bookings
    }

    fn of(&self, queue: &QueueId) -> impl Iterator<Item = &Callback> {
        self.callbacks.values().map(AsRef::as_ref).filter(move |one| one.queue == *queue)
    }
}

impl World {
    pub(super) fn check_seats(&mut self) {
        let mut found = Vec::new();
        for id in self.newest.queues.keys() {
            let (mut recorded, mut counted) =
                (self.newest.seats(id), self.queues[id].bookings().clone());
            for letter in self.mail.values().flatten() {
                match letter {
                    // Counted already, and in the record soon, or given back.
                    Letter::Callback(_, CallbackMessage::Create { create, .. })
                        if create.wish.queue == *id =>
                    {
                        let start = create.wish.booking.as_ref().map(|booking| booking.start);
                        recorded.take(Seat { medium: create.wish.medium, start });
                    }
                    Letter::Callback(_, CallbackMessage::Reserved { result: Ok(seated), .. })
                        if seated.queue == *id =>
                    {
                        recorded.take(seated.seat);
                    }
                    Letter::Queue(queue, QueueMessage::FreeSeat(seat)) if queue == id => {
                        recorded.take(*seat);
                    }
                    // In the record already, and counted soon.
                    Letter::Queue(queue, QueueMessage::TakeSeat(seat)) if queue == id => {
                        counted.take(*seat);
                    }
                    _ => {}
                }
            }
            if recorded != counted {
                found.push(format!("{id} counts other seats than its callbacks have"));
            }
            found.extend(self.overrun(id));
        }
        self.checks.violations.extend(found);
    }

    /// A slot that more customers have than it has places; what agents overbooked doesn't count.
    fn overrun(&self, id: &QueueId) -> Option<String> {
        let settings = &self.newest.queues[id].settings;
        let SlotCapacity::Fixed(places @ 1..) = settings.slot_capacity.of(Medium::Voice) else {
            return None;
        };
        let mut slots: BTreeMap<(Medium, Timestamp), u32> = BTreeMap::new();
        for callback in self.newest.of(id).filter(|one| !one.state().is_final()) {
            let Some(booking) = callback.booking.as_ref().filter(|one| !one.overbooked) else {
                continue;
            };
            let slot = Grid::of(settings).slot_at(booking.start)?;
            *slots.entry((callback.medium, slot.start)).or_default() += 1;
        }
        let (slot, taken) = slots.into_iter().find(|(_, taken)| *taken > places)?;
        Some(format!("{id} has {taken} in a slot for {places}, at {slot:?}"))
    }
}
