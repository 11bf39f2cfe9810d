//! Contact hours: when a customer may be called, told in the customer's own zone.
//!
//! The same engine as the queue's hours over a week of equal days. Where a customer may live in one
//! of several zones the hours must hold in all of them.

use super::walk::{Walk, Week};
use super::{BadHours, DayInterval, Hours, LOOK_AHEAD_DAYS};
use crate::domain::civil::Date;
use crate::domain::time::{Span, Timestamp};
use crate::domain::zone::TimeZone;

/// From when to when customers may be called, every day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContactHours([DayInterval; 1]);

impl Default for ContactHours {
    /// 08:00–21:00, the hours that the US rules for telephone sales allow (47 CFR 64.1200(c)(1)).
    fn default() -> Self {
        Self::parse("08:00", "21:00").expect("both are times of day")
    }
}

impl ContactHours {
    /// At any time.
    pub const ALWAYS: Self = Self([DayInterval::WHOLE_DAY]);

    /// Every day within `interval`.
    pub const fn new(interval: DayInterval) -> Self {
        Self([interval])
    }

    /// Takes two times of day; `00:00` to `24:00` is always.
    pub fn parse(from: &str, to: &str) -> Result<Self, BadHours> {
        DayInterval::parse(from, to).map(Self::new)
    }

    /// The interval of each day.
    pub const fn interval(self) -> DayInterval {
        self.0[0]
    }

    /// Whether a customer may be called at the instant, wherever among `zones` they are. Without
    /// any zone nothing binds.
    pub fn allows(self, at: Timestamp, zones: &[TimeZone]) -> bool {
        zones.iter().all(|zone| self.in_zone(zone, |walk| walk.is_open(at)))
    }

    /// The first instant from `at` on, `at` included, at which [`Self::allows`] says yes; none
    /// within [`LOOK_AHEAD_DAYS`].
    pub fn next_allowed(self, at: Timestamp, zones: &[TimeZone]) -> Option<Timestamp> {
        agree(at, LOOK_AHEAD_DAYS, zones.len(), |zone, at| {
            self.in_zone(&zones[zone], |walk| walk.next_open(at))
        })
    }

    /// Whether they allow any time.
    pub fn is_always(self) -> bool {
        let interval = self.interval();
        interval.end_second() - interval.start_second() >= 86_400
    }

    /// Until when calls at the instant and after it are allowed in all `zones`; none where they
    /// aren't allowed at it, or without end.
    pub fn ends(self, at: Timestamp, zones: &[TimeZone]) -> Option<Timestamp> {
        let ends = zones.iter().filter_map(|zone| self.in_zone(zone, |walk| walk.closes_at(at)));
        if self.allows(at, zones) { ends.min() } else { None }
    }

    fn in_zone<T>(self, zone: &TimeZone, ask: impl FnOnce(Walk<'_, EveryDay<'_>>) -> T) -> T {
        ask(Walk(&EveryDay { hours: self, zone }))
    }
}

/// A week, and the change of a clock beside it: hours that don't meet within it hardly ever do.
const MEETING_DAYS: u32 = 8;

/// When both hold: the queue is open and the customer may be called.
#[derive(Debug, Clone, Copy)]
pub struct Allowed<'a> {
    /// The queue's hours.
    pub hours: &'a Hours,
    /// The contact hours.
    pub contact: ContactHours,
    /// Where the customer may be; none: the contact hours don't bind.
    pub zones: &'a [TimeZone],
}

impl Allowed<'_> {
    /// Whether both hold at the instant.
    pub fn at(&self, at: Timestamp) -> bool {
        self.hours.is_open(at) && self.contact.allows(at, self.zones)
    }

    /// The first instant from `at` on, `at` included, at which both hold; none within
    /// [`LOOK_AHEAD_DAYS`].
    pub fn next(&self, at: Timestamp) -> Option<Timestamp> {
        self.next_within(at, LOOK_AHEAD_DAYS)
    }

    /// Whether both hold at any time within the next eight days from `at` on.
    pub fn within_days(&self, at: Timestamp) -> bool {
        self.next_within(at, MEETING_DAYS).is_some()
    }

    fn next_within(&self, at: Timestamp, days: u32) -> Option<Timestamp> {
        agree(at, days, self.zones.len() + 1, |which, at| match which.checked_sub(1) {
            None => self.hours.next_open(at),
            Some(zone) => self.contact.next_allowed(at, &self.zones[zone..=zone]),
        })
    }

    /// Until when both go on to hold from `at` on; none where they don't, or don't stop.
    pub fn ends(&self, at: Timestamp) -> Option<Timestamp> {
        let in_zone = |zone| self.contact.in_zone(zone, |walk| walk.closes_at(at));
        let ends = self.zones.iter().filter_map(in_zone).chain(self.hours.closes_at(at));
        if self.at(at) { ends.min() } else { None }
    }

    /// How much of `from .. to` both hold; of more than [`LOOK_AHEAD_DAYS`] only the first count.
    pub fn between(&self, from: Timestamp, to: Timestamp) -> Span {
        let to = to.min(from + Span::days(LOOK_AHEAD_DAYS));
        let (mut counted_to, mut sum) = (from, Span::ZERO);
        while let Some(start) = self.next(counted_to).filter(|&start| start < to) {
            counted_to = self.ends(start).unwrap_or(to).min(to);
            sum += counted_to.since(start);
        }
        sum
    }

    /// The first instant by which both have held for `span` since `from`; [`Timestamp::NEVER`]
    /// where that isn't within [`LOOK_AHEAD_DAYS`].
    pub fn add(&self, from: Timestamp, span: Span) -> Timestamp {
        if span <= Span::ZERO {
            return from;
        }
        let horizon = from + Span::days(LOOK_AHEAD_DAYS);
        let (mut counted_to, mut left) = (from, span);
        while let Some(start) = self.next(counted_to).filter(|&start| start < horizon) {
            let end = self.ends(start).unwrap_or(horizon);
            if left <= end.since(start) {
                return start + left;
            }
            left = left - end.since(start);
            counted_to = end;
        }
        Timestamp::NEVER
    }
}

/// The first instant from `at` on, within `days`, at which all of `count` parties are ready, each
/// asked for its own next one. Every answer only moves on, so what they agree on is the first.
fn agree(
    at: Timestamp,
    days: u32,
    count: usize,
    next: impl Fn(usize, Timestamp) -> Option<Timestamp>,
) -> Option<Timestamp> {
    let horizon = at + Span::days(days);
    let (mut candidate, mut agreed, mut party) = (at, 0, 0);
    while agreed < count {
        let answer = next(party, candidate)?;
        agreed = if answer == candidate { agreed + 1 } else { 1 };
        candidate = answer;
        if candidate > horizon {
            return None;
        }
        party = (party + 1) % count;
    }
    Some(candidate)
}

/// Contact hours in one zone, as a week of equal days.
struct EveryDay<'a> {
    hours: ContactHours,
    zone: &'a TimeZone,
}

impl Week for EveryDay<'_> {
    fn zone(&self) -> &TimeZone {
        self.zone
    }

    fn day(&self, _: Date) -> &[DayInterval] {
        &self.hours.0
    }

    fn is_unbroken(&self, _: Date, _: Date) -> bool {
        self.hours.is_always()
    }
}

#[cfg(test)]
mod tests;
