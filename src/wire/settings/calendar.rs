//! Reads a queue's hours with their exceptions, and its contact hours.

use std::collections::BTreeMap;

use super::fields::{Fields, Item};
use crate::domain::civil::{Date, Weekday};
use crate::domain::hours::{BadHours, ClockTime, ContactHours, DayInterval, Hours};
use crate::domain::zone::TimeZone;

/// The queue's hours; none given: always open. Faults are noted and leave it open.
pub(super) fn hours(fields: &mut Fields<'_>, zone: &TimeZone) -> Hours {
    let weekly: Vec<_> =
        fields.list("hours", |item| item.table(weekly).flatten()).into_iter().flatten().collect();
    let mut exceptions: BTreeMap<Date, Vec<DayInterval>> = BTreeMap::new();
    fields.list("exceptions", |item| {
        item.table(|fields| {
            let (date, interval) = exception(fields)?;
            let known = exceptions.contains_key(&date);
            let intervals = exceptions.entry(date).or_default();
            // Several intervals of one date are several entries; closed and open at once is none.
            if known && (interval.is_none() || intervals.is_empty()) {
                fields.fault("date", "is closed in one exception and has another one too");
            }
            intervals.extend(interval);
            Some(())
        })
        .flatten()
    });
    match Hours::new(zone.clone(), &weekly, exceptions.into_iter().collect()) {
        Ok(hours) => hours,
        Err(error) => {
            let key = match error {
                BadHours::TooManyExceptions | BadHours::TwoExceptions(_) => "exceptions",
                BadHours::ClockTime(_)
                | BadHours::FromMidnight
                | BadHours::TooManyIntervals { .. } => "hours",
            };
            fields.fault(key, error.to_string());
            Hours::always(zone.clone())
        }
    }
}

/// One entry of the weekly hours: an interval on each of its days.
fn weekly(fields: &mut Fields<'_>) -> Option<Vec<(Weekday, DayInterval)>> {
    let words = Weekday::ALL.map(|day| (day.as_str(), day));
    let days = fields.required("days").and_then(|item| item.some(|item| item.word(&words)));
    let interval = interval(fields);
    let interval = interval?;
    Some(days?.into_iter().map(|day| (day, interval)).collect())
}

/// A date, and from when to when it is open; none: closed.
fn exception(fields: &mut Fields<'_>) -> Option<(Date, Option<DayInterval>)> {
    let date = fields.required("date").and_then(|item| item.parsed(Date::parse));
    if fields.flag("closed", false) {
        return Some((date?, None));
    }
    let interval = interval(fields)?;
    Some((date?, Some(interval)))
}

/// The keys `from` and `to`.
fn interval(fields: &mut Fields<'_>) -> Option<DayInterval> {
    let from = fields.required("from").and_then(|item| item.parsed(ClockTime::parse));
    let to = fields.required("to").and_then(|item| item.parsed(ClockTime::parse));
    match DayInterval::new(from?, to?) {
        Ok(interval) => Some(interval),
        Err(error) => {
            fields.fault("from", error.to_string());
            None
        }
    }
}

/// `{from, to}` in the customer's zone.
pub(super) fn contact_hours(item: Item<'_>) -> Option<ContactHours> {
    item.table(interval).flatten().map(ContactHours::new)
}
