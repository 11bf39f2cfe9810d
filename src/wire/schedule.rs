//! When a callback is booked for: an instant, or a local time in a zone.
//!
//! Separate from the request, because a reschedule takes the same.

use super::customer::read_zone;
use super::problem::Problem;
use super::settings::fields::{Fields, Item};
use super::text::instant;
use crate::domain::callback::{Booking, Customer, Reach};
use crate::domain::civil::LocalTime;
use crate::domain::machines::callback::contact::agents_choice;
use crate::domain::policy::Medium;
use crate::domain::queue::Queue;
use crate::domain::refusal::Refusal;
use crate::domain::slots::{Bookings, Bound, Grid, Nearest, SlotBook, Staffing, Unbookable};
use crate::domain::time::Timestamp;
use crate::domain::zone::TimeZone;

/// A start as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// An instant.
    At(Timestamp),
    /// What the clock shows in a zone.
    Local(LocalTime),
}

/// `schedule`, or the body of a reschedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The start; none where none was given.
    pub start: Option<Start>,
    /// The zone that was named.
    pub zone: Option<TimeZone>,
}

/// Reads `start` or `local_start`, and `time_zone`.
fn read(fields: &mut Fields<'_>, place: &str, problem: &mut Option<Problem>) -> Schedule {
    if fields.count_of(&["start", "local_start"]) == 2 {
        fields.fault("start", "must not stand beside local_start; give one of them");
    }
    let at = fields.parsed("start", instant).map(Start::At);
    let local = fields.parsed("local_start", LocalTime::parse).map(Start::Local);
    let zone = read_zone(fields, "time_zone", place, problem);
    Schedule { start: at.or(local), zone }
}

/// Reads the `schedule` of a request.
pub fn read_schedule(item: Item<'_>, problem: &mut Option<Problem>) -> Option<Schedule> {
    item.table(|fields| read(fields, "/schedule", problem))
}

/// What a reschedule asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// As soon as possible.
    Asap,
    /// To a start, to which the customer has agreed whatever the contact hours say, or not.
    To {
        /// The start.
        schedule: Schedule,
        /// The customer agreed to be called outside contact hours.
        agreed: bool,
    },
}

/// Reads the body of a reschedule.
pub fn read_move(
    fields: &mut Fields<'_>,
    medium: Medium,
    problem: &mut Option<Problem>,
) -> Option<Move> {
    let asap = fields.flag("asap", false);
    let agreed = fields.flag("customer_agreed", false);
    let given = fields.count_of(&["start", "local_start"]);
    let schedule = read(fields, "", problem);
    match (asap, given) {
        (true, 0) if medium == Medium::Video => {
            fields.fault("asap", "isn't possible for video; give a start");
            None
        }
        (true, 0) if fields.count_of(&["time_zone"]) > 0 => {
            fields.fault("time_zone", "must not stand beside asap, which has no time");
            None
        }
        (true, 0) => Some(Move::Asap),
        (true, _) => {
            fields.fault("asap", "must not stand beside a start; give one of them");
            None
        }
        (false, 0) => {
            fields.fault("", "must have start, local_start, or asap: true");
            None
        }
        (false, _) => schedule.start.is_some().then_some(Move::To { schedule, agreed }),
    }
}

/// The zone that a callback's times are shown in: the one named, else the customer's, else the
/// queue's.
pub fn zone_of(schedule: Option<&Schedule>, customer: &Customer, queue: &Queue) -> TimeZone {
    let named = schedule.and_then(|schedule| schedule.zone.as_ref());
    named.or(customer.time_zone.as_ref()).unwrap_or(&queue.settings.time_zone).clone()
}

/// Where a start stands in the body, for problems.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Pointer to the instant.
    pub start: &'static str,
    /// Pointer to the local time.
    pub local_start: &'static str,
}

/// In a request.
pub const IN_REQUEST: Place =
    Place { start: "/schedule/start", local_start: "/schedule/local_start" };

/// In the body of a reschedule.
pub const IN_MOVE: Place = Place { start: "/start", local_start: "/local_start" };

/// Who books, when, and where it stands in the body.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// Whether the rules of slots bind them.
    pub bound: Bound,
    /// What notice and horizon are counted from, by the wall clock.
    pub now: Timestamp,
    /// What problems name as the faulty field.
    pub place: Place,
}

/// Resolves a start in its zone, and holds it against all that the queue's settings say, but for
/// whether a slot starts then: who tells that names the free ones near it. The booking's end is
/// the queue's to set.
pub fn book(
    start: &Start,
    zone: TimeZone,
    queue: &Queue,
    asked: Asked,
) -> Result<Booking, Problem> {
    let Asked { bound, now, place } = asked;
    let (at, pointer) = match start {
        Start::At(at) => (*at, place.start),
        Start::Local(local) => {
            let resolved = zone
                .resolve(*local)
                .map_err(|missing| Problem::local_time_missing(place.local_start, &missing))?;
            (resolved.at, place.local_start)
        }
    };
    let refused = |refusal: Refusal| {
        let detail = refusal.to_string();
        Problem::from(refusal).at(pointer, detail)
    };
    let (bookings, staffing) = (Bookings::default(), Staffing::default());
    let book = SlotBook { settings: &queue.settings, bookings: &bookings, staffing, now };
    match book.bookable(at, bound) {
        Ok(()) | Err(Unbookable::NotASlot) => {}
        Err(why) => {
            let nearest = || Nearest { slots: Vec::new(), zone: zone.clone() };
            return Err(refused(why.refusal(nearest)));
        }
    }
    let local_start = zone.local(at);
    let repeated = zone.resolve(local_start).is_ok_and(|first| first.repeated && first.at == at);
    Ok(Booking {
        start: at,
        end: at,
        local_start,
        zone,
        repeated,
        overbooked: false,
        in_conflict: false,
    })
}

/// Whether a booking is one that its maker may make: customers and channels book slots.
pub fn is_slot(booking: &Booking, queue: &Queue, bound: Bound) -> bool {
    let slot = || Grid::of(&queue.settings).slot_at(booking.start);
    bound == Bound::ToHours || slot().is_some_and(|slot| slot.start == booking.start)
}

/// Holds a start that a person chose for the customer against contact hours.
pub fn check_contact_hours(
    start: &Start,
    booking: &Booking,
    customer: &Customer,
    queue: &Queue,
    place: Place,
) -> Result<(), Problem> {
    let pointer = match start {
        Start::At(_) => place.start,
        Start::Local(_) => place.local_start,
    };
    let reach = Reach::of(customer);
    agents_choice(&reach, &queue.settings, booking.start).map_err(|refusal| {
        let detail = refusal.to_string();
        Problem::from(refusal).at(pointer, detail)
    })
}
