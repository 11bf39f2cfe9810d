//! Slots: the starts that customers may choose, and how much of each is taken.
//!
//! The grid follows from the hours alone; what is taken is counted, exactly, from the callbacks
//! that aren't final. Separate from the queue's machine, which keeps the counts, because lists of
//! slots are worked out elsewhere from a copy of them. Must never look at the clock: notice and
//! horizon are held against a `now` that comes in.
//!
//! A slot starts at the opening of each interval and every `slot_minutes` of elapsed time after,
//! and ends before the interval does: so an hour that the clocks repeat has its slots twice, and
//! one that they skip has none. A rest too short for a slot is none.

use std::collections::BTreeMap;

use super::hours::{Hours, Interval};
use super::policy::{Medium, QueueSettings, SlotCapacity};
use super::refusal::Refusal;
use super::time::{Span, Timestamp};
use super::zone::TimeZone;

/// The most free slots that a refusal names.
pub const NEAREST: usize = 5;

/// The longest time over which slots are listed, in days.
pub const LIST_DAYS: u32 = 31;

/// So many slots are looked at for free ones before it is given up.
const MOST_LOOKED_AT: usize = 5_000;

/// Places in a slot by staff, while nobody knows how long a callback takes: as many as the default
/// of `slot_capacity`.
const UNKNOWN_PACE_PLACES: u32 = 4;

/// The slots of a queue, as its hours make them.
#[derive(Debug, Clone, Copy)]
pub struct Grid<'a> {
    hours: &'a Hours,
    length: Span,
}

/// What a callback that isn't final takes of its queue: one of what may be outstanding of its
/// medium, and room in the slot that its booked start lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seat {
    /// Phone or video.
    pub medium: Medium,
    /// The booked start; none for asap.
    pub start: Option<Timestamp>,
}

/// The seats taken in one queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bookings {
    media: BTreeMap<Medium, Taken>,
}

/// Those of one medium.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Taken {
    /// Those without a booked start.
    asap: u32,
    /// Those with one.
    booked: u32,
    /// The same, by it.
    by_start: BTreeMap<Timestamp, u32>,
}

/// A slot with what is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotRoom {
    /// From its start to its end.
    pub slot: Interval,
    /// Places left; none where there is no limit.
    pub remaining: Option<u32>,
}

/// Free slots near one that can't be had, and the zone that they are told in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nearest {
    /// At most [`NEAREST`], in order.
    pub slots: Vec<SlotRoom>,
    /// The zone that was asked in.
    pub zone: TimeZone,
}

/// Whether the rules of slots bind whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Customers and channels: a free slot, neither too soon nor too far off.
    ToSlots,
    /// Agents and supervisors: any instant at which the queue is open.
    ToHours,
    /// Nobody: it is booked already, and counts wherever it comes to lie.
    ToNothing,
}

/// What the number of places by staff follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Staffing {
    /// Agents who serve the queue.
    pub agents: u32,
    /// How long a callback has taken lately, from accept to the end of wrap-up; none where there
    /// is too little to say.
    pub handling: Option<Span>,
}

/// A queue's slots: its settings and what is taken, seen from a moment.
#[derive(Debug, Clone, Copy)]
pub struct SlotBook<'a> {
    /// The queue's: its hours, and how its slots are made.
    pub settings: &'a QueueSettings,
    /// What is taken.
    pub bookings: &'a Bookings,
    /// Who serves it.
    pub staffing: Staffing,
    /// What notice and horizon are counted from, by the wall clock.
    pub now: Timestamp,
}

impl<'a> Grid<'a> {
    /// The grid of a queue.
    pub fn of(settings: &'a QueueSettings) -> Self {
        Self { hours: &settings.hours, length: Span::minutes(settings.slot_minutes.max(1)) }
    }

    /// The slot that holds an instant; none while the queue is closed, and in a rest at the end of
    /// an interval that is too short for one.
    pub fn slot_at(self, at: Timestamp) -> Option<Interval> {
        let interval = self.hours.interval_at(at)?;
        let whole = at.since(interval.start).0.div_euclid(self.length.0);
        let start = interval.start + Span(whole * self.length.0);
        let slot = Interval { start, end: start + self.length };
        (slot.end <= interval.end).then_some(slot)
    }

    /// The end of the slot that an instant falls in, as if the interval went on: also of a rest
    /// that is none, since agents may book there.
    pub fn end_after(self, at: Timestamp) -> Timestamp {
        let opening = self.hours.interval_at(at).map_or(at, |interval| interval.start);
        let whole = at.since(opening).0.div_euclid(self.length.0) + 1;
        opening + Span(whole * self.length.0)
    }

    /// The slots that start in `from .. to`, in order.
    pub fn slots(self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = Interval> + use<'a> {
        let length = self.length;
        let of_interval = move |interval: Interval| {
            let passed = (from.since(interval.start).0 + length.0 - 1).div_euclid(length.0).max(0);
            let first = interval.start + Span(passed * length.0);
            let starts = std::iter::successors(Some(first), move |start| Some(*start + length));
            let slots = starts.map(move |start| Interval { start, end: start + length });
            slots.take_while(move |slot| slot.end <= interval.end && slot.start < to)
        };
        self.hours.intervals(from, to).flat_map(of_interval)
    }
}

impl Bookings {
    /// One more.
    pub fn take(&mut self, seat: Seat) {
        self.take_many(seat, 1);
    }

    /// So many at once, as they were read.
    pub fn take_many(&mut self, seat: Seat, count: u32) {
        let taken = self.media.entry(seat.medium).or_default();
        match seat.start {
            Some(start) => {
                *taken.by_start.entry(start).or_default() += count;
                taken.booked += count;
            }
            None => taken.asap += count,
        }
    }

    /// One less; false: there was none.
    #[must_use]
    pub fn free(&mut self, seat: Seat) -> bool {
        let Some(taken) = self.media.get_mut(&seat.medium) else { return false };
        if let Some(start) = seat.start {
            let Some(count) = taken.by_start.get_mut(&start) else { return false };
            *count -= 1;
            if *count == 0 {
                taken.by_start.remove(&start);
            }
            taken.booked -= 1;
        } else {
            let Some(fewer) = taken.asap.checked_sub(1) else { return false };
            taken.asap = fewer;
        }
        if *taken == Taken::default() {
            self.media.remove(&seat.medium);
        }
        true
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.media.is_empty()
    }

    /// How many there are of a medium, whenever.
    pub fn outstanding(&self, medium: Medium) -> u32 {
        self.media.get(&medium).map_or(0, |taken| taken.asap + taken.booked)
    }

    /// How many have their booked start in a slot.
    pub fn taken(&self, medium: Medium, slot: Interval) -> u32 {
        let counts =
            self.media.get(&medium).map(|taken| taken.by_start.range(slot.start..slot.end));
        counts.into_iter().flatten().map(|(_, count)| count).sum()
    }

    /// Those of one medium that start in `from .. to`, for whoever works lists out elsewhere.
    #[must_use]
    pub fn part(&self, medium: Medium, from: Timestamp, to: Timestamp) -> Self {
        let mut part = Self::default();
        if let Some(taken) = self.media.get(&medium).filter(|_| from < to) {
            for (start, count) in taken.by_start.range(from..to) {
                part.take_many(Seat { medium, start: Some(*start) }, *count);
            }
        }
        part
    }
}

impl SlotBook<'_> {
    /// How many a slot takes of a medium; none where there is no limit.
    pub fn places(&self, medium: Medium) -> Option<u32> {
        match self.settings.slot_capacity.of(medium) {
            SlotCapacity::Fixed(0) => None,
            SlotCapacity::Fixed(places) => Some(places),
            SlotCapacity::Staff => Some(self.places_by_staff()),
        }
    }

    /// Agents × slot length ÷ handling time × (1 − reserve), rounded down; at least one while
    /// anybody serves the queue, so that long calls don't leave it without slots.
    fn places_by_staff(&self) -> u32 {
        let Staffing { agents, handling } = self.staffing;
        let Some(handling) = handling.filter(|handling| *handling > Span::ZERO) else {
            return if agents == 0 { 0 } else { UNKNOWN_PACE_PLACES };
        };
        let slot = Span::minutes(self.settings.slot_minutes.max(1));
        let kept = i128::from(1_000 - self.settings.slot_reserve.min(1_000));
        let units = i128::from(agents) * i128::from(slot.0) * kept;
        let places = units / (i128::from(handling.0) * 1_000);
        u32::try_from(places).unwrap_or(u32::MAX).max(u32::from(agents > 0 && kept > 0))
    }

    /// A slot with what is left of it.
    pub fn room(&self, medium: Medium, slot: Interval) -> SlotRoom {
        let left = |places: u32| places.saturating_sub(self.bookings.taken(medium, slot));
        SlotRoom { slot, remaining: self.places(medium).map(left) }
    }

    /// The soonest that a customer may book.
    pub fn soonest(&self) -> Timestamp {
        self.now + Span::minutes(self.settings.min_notice_minutes)
    }

    /// The latest that a customer may book.
    pub fn latest(&self) -> Timestamp {
        self.now + Span::days(self.settings.max_days_ahead)
    }

    /// The slots that customers may choose from and that start in `from .. to`, full ones too.
    pub fn slots(
        &self,
        medium: Medium,
        from: Timestamp,
        to: Timestamp,
    ) -> impl Iterator<Item = SlotRoom> + '_ {
        let from = from.max(self.soonest()).max(self.now);
        let to = to.min(self.latest() + Span::millis(1)).max(from);
        Grid::of(self.settings).slots(from, to).map(move |slot| self.room(medium, slot))
    }

    /// The first free ones from an instant on.
    pub fn next_free(&self, medium: Medium, from: Timestamp, count: usize) -> Vec<SlotRoom> {
        let slots = self.slots(medium, from, Timestamp::NEVER).take(MOST_LOOKED_AT);
        slots.filter(SlotRoom::is_free).take(count).collect()
    }

    /// The free ones nearest to a start, before it and after, in order.
    pub fn nearest(&self, medium: Medium, start: Timestamp) -> Vec<SlotRoom> {
        // Further and further around it, until there are enough.
        for around in [Span::minutes(6 * 60), Span::days(2), Span::days(LIST_DAYS)] {
            let slots = self.slots(medium, start - around, start + around).take(MOST_LOOKED_AT);
            let mut free: Vec<_> = slots.filter(SlotRoom::is_free).collect();
            free.sort_by_key(|room| (room.slot.start.since(start).0.abs(), room.slot.start));
            if free.len() >= NEAREST || around == Span::days(LIST_DAYS) {
                free.truncate(NEAREST);
                free.sort_by_key(|room| room.slot.start);
                return free;
            }
        }
        Vec::new()
    }

    /// Whether a start may be booked at all, whatever is taken: the checks in their order.
    pub fn bookable(&self, start: Timestamp, bound: Bound) -> Result<(), Unbookable> {
        if bound == Bound::ToNothing {
            return Ok(());
        }
        if start <= self.now {
            return Err(Unbookable::Past);
        }
        if bound == Bound::ToSlots {
            let (soonest, latest) = (self.soonest(), self.latest());
            if start < soonest {
                return Err(Unbookable::TooSoon { soonest });
            }
            if start > latest {
                return Err(Unbookable::TooFar { latest });
            }
        }
        let hours = &self.settings.hours;
        if !hours.is_open(start) {
            return Err(Unbookable::OutsideHours { next_allowed_at: hours.next_open(start) });
        }
        let slot = Grid::of(self.settings).slot_at(start);
        if bound == Bound::ToSlots && slot.is_none_or(|slot| slot.start != start) {
            return Err(Unbookable::NotASlot);
        }
        Ok(())
    }
}

impl SlotRoom {
    /// Whether anything is left of it.
    pub fn is_free(&self) -> bool {
        self.remaining != Some(0)
    }
}

/// Why a start can't be booked, before anybody looks at what is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unbookable {
    /// It lies in the past.
    Past,
    /// Within the notice.
    TooSoon {
        /// The soonest that there is.
        soonest: Timestamp,
    },
    /// Beyond the horizon.
    TooFar {
        /// The latest that there is.
        latest: Timestamp,
    },
    /// The queue isn't open then.
    OutsideHours {
        /// The next instant at which it is.
        next_allowed_at: Option<Timestamp>,
    },
    /// No slot starts then.
    NotASlot,
}

impl Unbookable {
    /// The refusal, with the free slots that are near where the start is none.
    pub fn refusal(self, nearest: impl FnOnce() -> Nearest) -> Refusal {
        match self {
            Self::Past => Refusal::StartPast,
            Self::TooSoon { soonest } => Refusal::TooSoon { soonest },
            Self::TooFar { latest } => Refusal::TooFar { latest },
            Self::OutsideHours { next_allowed_at } => Refusal::OutsideHours { next_allowed_at },
            Self::NotASlot => Refusal::NotASlot { nearest: nearest() },
        }
    }
}

#[cfg(test)]
mod tests;
