//! Contact hours: they bind whatever the customer didn't choose.
//!
//! A retry by policy and whatever is carried into another opening are bound; a request that is
//! served at once, a picked slot and what a person decides are not. What is bound waits, `open`,
//! while it isn't allowed, keeps its place, and doesn't expire meanwhile.

use std::sync::Arc;

use super::CallbackMachine;
use crate::domain::callback::{Callback, Reach, State};
use crate::domain::hours::Allowed;
use crate::domain::policy::QueueSettings;
use crate::domain::refusal::Refusal;
use crate::domain::time::{Now, Timestamp};
use crate::domain::zone::TimeZone;

/// Where a customer may be, as far as contact hours ask; none where those allow any time.
///
/// Of a number's several zones the hours must hold in all. Where the queue is never open then, in
/// as many as can be had, in the order of [`Reach::zones`]: a customer whose country is too wide
/// for the queue's day is called, and where most live at a good time.
fn zones(reach: &Reach, settings: &QueueSettings, at: Timestamp) -> Arc<[TimeZone]> {
    if settings.contact_hours.is_always() {
        return Arc::default();
    }
    let all = reach.zones();
    if all.len() < 2 || allowed(settings, &all).within_days(at) {
        return all;
    }
    let mut some: Vec<TimeZone> = Vec::new();
    for zone in &*all {
        some.push(zone.clone());
        if !allowed(settings, &some).within_days(at) {
            some.pop();
        }
    }
    if some.is_empty() { all } else { some.into() }
}

/// The zones in which contact hours bind a callback; none where they don't.
pub(super) fn binding_zones(callback: &Callback, settings: &QueueSettings) -> Arc<[TimeZone]> {
    if !callback.contact_hours_bind {
        return Arc::default();
    }
    zones(&callback.reach, settings, callback.created_at)
}

/// From `at` on the first instant at which its queue is open and contact hours would allow a
/// call, if they bound it.
pub(super) fn next_bound(
    callback: &Callback,
    settings: &QueueSettings,
    at: Timestamp,
) -> Option<Timestamp> {
    allowed(settings, &zones(&callback.reach, settings, callback.created_at)).next(at)
}

/// Whether a person may choose this time for the customer: unless that one has agreed to it, it
/// must lie in contact hours.
pub fn agents_choice(
    reach: &Reach,
    settings: &QueueSettings,
    at: Timestamp,
) -> Result<(), Refusal> {
    let zones = zones(reach, settings, at);
    if settings.contact_hours.allows(at, &zones) {
        return Ok(());
    }
    Err(Refusal::OutsideContactHours { next_allowed_at: allowed(settings, &zones).next(at) })
}

/// Whether what is asked for while the queue is closed can ever be served in contact hours.
pub fn ever_allowed(reach: &Reach, settings: &QueueSettings, at: Timestamp) -> bool {
    let zones = zones(reach, settings, at);
    zones.is_empty() || allowed(settings, &zones).next(at).is_some()
}

fn allowed<'a>(settings: &'a QueueSettings, zones: &'a [TimeZone]) -> Allowed<'a> {
    Allowed { hours: &settings.hours, contact: settings.contact_hours, zones }
}

impl CallbackMachine {
    fn binding_zones(&self) -> Arc<[TimeZone]> {
        binding_zones(self.record(), &self.queue().settings)
    }

    /// From `at` on the first instant that contact hours allow, while the queue is open, where they
    /// bind; none if there is none within the year.
    pub(super) fn allowed_from(&self, at: Timestamp) -> Option<Timestamp> {
        let (zones, settings) = (self.binding_zones(), &self.queue().settings);
        if at == Timestamp::NEVER || settings.contact_hours.allows(at, &zones) {
            return Some(at);
        }
        allowed(settings, &zones).next(at)
    }

    /// Whether contact hours bind it and forbid to call now.
    pub(super) fn is_forbidden(&self, now: Timestamp) -> bool {
        !self.queue().settings.contact_hours.allows(now, &self.binding_zones())
    }

    /// Until when, by the steady clock, contact hours allow what waits: until now where they don't;
    /// none where they don't bind it or don't end.
    pub(super) fn allowed_until(&self, now: &Now) -> Option<Timestamp> {
        if !self.is_waiting() {
            return None;
        }
        let (zones, settings) = (self.binding_zones(), &self.queue().settings);
        if !settings.contact_hours.allows(now.wall, &zones) {
            return Some(now.steady);
        }
        let ends = settings.contact_hours.ends(now.wall, &zones)?;
        Some(now.steady + ends.since(now.wall))
    }

    /// Whether it waits for an agent or an agent's answer.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.record().state(), State::Queued | State::Offered)
    }
}
