//! What a customer is told before they choose, and how it is asked for.

use serde::Serialize;
use serde_json::Value;

use super::instant::Instant;
use super::problem::Problem;
use super::query::Query;
use super::request::MEDIA;
use super::settings::YEAR_SECONDS;
use super::slot::slot_list;
use crate::domain::callback_offer::{Reason, Verdict};
use crate::domain::effect::Availability;
use crate::domain::policy::Medium;
use crate::domain::queue::Queue;
use crate::domain::time::Timestamp;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AvailabilityQuery {
    /// Phone or video.
    pub medium: Medium,
    /// How long whoever stays in the channel's own line waits.
    pub live_wait_seconds: Option<u32>,
}

impl AvailabilityQuery {
    /// Reads it; a queue that takes one medium only is asked for that one unless said.
    pub fn read(query: &mut Query<'_>, queue: &Queue) -> Result<Self, Problem> {
        let usual = match queue.settings.media.as_slice() {
            [only] => *only,
            _ => Medium::Voice,
        };
        let medium = query.word("medium", &MEDIA).unwrap_or(usual);
        let live_wait_seconds = query.parsed("live_wait_seconds", |text| {
            let seconds = text.parse().ok().filter(|seconds| *seconds <= *YEAR_SECONDS.end());
            seconds.ok_or_else(|| format!("must be whole seconds, {} at most", YEAR_SECONDS.end()))
        });
        if !queue.takes(medium) {
            let media: Vec<_> = queue.settings.media.iter().map(|one| one.as_str()).collect();
            return Err(Problem::medium_not_offered(&media));
        }
        Ok(Self { medium, live_wait_seconds })
    }
}

/// An availability, ready to be written.
#[derive(Debug, Serialize)]
pub struct AvailabilityBody<'a> {
    queue: &'a str,
    name: &'a str,
    open: bool,
    next_open_at: Option<Instant>,
    closes_at: Option<Instant>,
    media: Vec<&'static str>,
    agents: AgentsBody,
    waiting: u32,
    estimated_wait_seconds: Option<u32>,
    estimated_wait_range_seconds: Option<[u32; 2]>,
    average_callback_seconds: Option<u32>,
    offer_callback: bool,
    asap: VerdictBody,
    scheduled: VerdictBody,
    reasons: Vec<&'static str>,
    promise_window_minutes: Option<u32>,
    next_slots: Vec<Value>,
}

#[derive(Debug, Serialize)]
struct AgentsBody {
    connected: u32,
    available: u32,
}

#[derive(Debug, Serialize)]
struct VerdictBody {
    offered: bool,
    reason: Option<&'static str>,
}

impl VerdictBody {
    fn of(verdict: Verdict) -> Self {
        Self { offered: verdict.offered, reason: verdict.reason.map(Reason::as_str) }
    }
}

impl<'a> AvailabilityBody<'a> {
    /// The availability, seen from `now`.
    pub fn new(availability: &'a Availability, now: Timestamp) -> Self {
        let settings = &availability.queue.settings;
        let (hours, open) = (&settings.hours, availability.queue.is_open(now));
        let (staff, offer) = (&availability.staff, &availability.offer);
        let estimate = availability.estimate;
        Self {
            queue: settings.id.as_str(),
            name: &settings.name,
            open,
            next_open_at: (!open).then(|| hours.next_open(now)).flatten().map(Instant),
            closes_at: open.then(|| hours.closes_at(now)).flatten().map(Instant),
            media: settings.media.iter().map(|medium| medium.as_str()).collect(),
            agents: AgentsBody { connected: staff.connected, available: staff.available },
            waiting: availability.waiting,
            estimated_wait_seconds: estimate.map(|estimate| estimate.seconds),
            estimated_wait_range_seconds: estimate.map(|estimate| [estimate.low, estimate.high]),
            average_callback_seconds: availability.average_callback_seconds,
            offer_callback: offer.is_made(),
            asap: VerdictBody::of(offer.asap),
            scheduled: VerdictBody::of(offer.scheduled),
            reasons: offer.reasons.iter().map(|reason| reason.as_str()).collect(),
            promise_window_minutes: settings.promise_window_minutes,
            next_slots: slot_list(&availability.next_slots, &settings.time_zone),
        }
    }
}
