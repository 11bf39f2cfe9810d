//! A queue as stored and as shown: settings, pauses, and the clock that waiting is measured by.
//!
//! Expiry and promises run on the queue's clock, which stands still while the queue is closed or
//! its offers are paused. What it is made of stands in one small record, so that a pause or new
//! hours rewrite no callback: `expires_at` and `promised_by` are worked out when shown.

use std::sync::Arc;

use super::hours::Allowed;
use super::policy::{Medium, PerMedium, QueueSettings};
use super::slots::Grid;
use super::time::{Span, Timestamp};
use super::zone::TimeZone;

/// A time during which offers were, or are, paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// When it began, by the wall clock.
    pub from: Timestamp,
    /// When it ended; `NEVER` while it lasts.
    pub to: Timestamp,
}

/// The halves of a queue's work that a supervisor stops or lets go on, each by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Halves {
    /// New requests.
    pub intake: bool,
    /// Offers.
    pub offers: bool,
}

impl Halves {
    /// Both.
    pub const BOTH: Self = Self { intake: true, offers: true };

    /// Whether it is one at least.
    pub const fn any(self) -> bool {
        self.intake || self.offers
    }
}

/// What a supervisor stopped, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paused {
    /// When it was stopped, by the wall clock.
    pub since: Timestamp,
    /// When it ends by itself; none where somebody has to resume it.
    pub until: Option<Timestamp>,
    /// In the supervisor's words.
    pub reason: Option<String>,
}

/// A queue's facts.
#[derive(Debug, Clone, PartialEq)]
pub struct Queue {
    /// As the administrator set it up.
    pub settings: Arc<QueueSettings>,
    /// Rises with each change, for `ETag`.
    pub version: u64,
    /// New requests are refused.
    pub intake_paused: Option<Paused>,
    /// Nothing is offered.
    pub offers_paused: Option<Paused>,
    /// Pauses of offers, oldest first, the running one last; as old as [`Queue::PAUSES_KEPT`].
    pub pauses: Vec<Pause>,
    /// Its hours have changed, and not all callbacks that wait for a time were looked at since.
    pub unchecked: bool,
}

impl Queue {
    /// Pauses are kept as long as anything may have been waiting since.
    pub const PAUSES_KEPT: Span = Span::days(31);

    /// The most pauses kept; beyond it the oldest go first.
    pub const MAX_PAUSES: usize = 1_000;

    /// Whether it is open at `at`, by its hours.
    pub fn is_open(&self, at: Timestamp) -> bool {
        self.settings.hours.is_open(at)
    }

    /// Whether it takes callbacks of that medium.
    pub fn takes(&self, medium: Medium) -> bool {
        self.settings.media.contains(&medium)
    }

    /// When what is booked for a start falls due: the lead before it.
    pub fn due_before(&self, start: Timestamp) -> Timestamp {
        start - Span::seconds(self.settings.lead_seconds)
    }

    /// Whether nothing is offered any more until the next opening: closed, and the overrun over.
    /// What is booked for the opening is offered before it all the same, in its lead.
    pub fn is_shut(&self, now: Timestamp) -> bool {
        !self.is_open(now) && self.last_close(now).is_none()
    }

    /// When it is shut next, within the days after which its hours begin anew: the overrun after a
    /// closing, unless it opens again before.
    pub fn shuts_at(&self, now: Timestamp) -> Option<Timestamp> {
        let hours = &self.settings.hours;
        let overrun = Span::minutes(self.settings.overrun_minutes);
        let mut closing = hours.closes_at(now).or_else(|| self.last_close(now))?;
        while closing < now + Span::days(8) {
            match hours.next_open(closing).filter(|open_at| *open_at <= closing + overrun) {
                Some(open_at) => closing = hours.closes_at(open_at)?,
                None => return Some(closing + overrun),
            }
        }
        None
    }

    /// The last closing within the overrun, if one was and the queue is closed since.
    pub fn last_close(&self, now: Timestamp) -> Option<Timestamp> {
        let hours = &self.settings.hours;
        let mut last = None;
        let mut at = now - Span::minutes(self.settings.overrun_minutes);
        while let Some(open_at) = hours.next_open(at).filter(|open_at| *open_at <= now) {
            match hours.closes_at(open_at).filter(|close_at| *close_at <= now) {
                Some(close_at) => {
                    last = Some(close_at);
                    at = close_at;
                }
                None => return None,
            }
        }
        last
    }

    /// How long the queue's clock ran between two instants: open, offers not paused, and contact
    /// hours allowing it in all `zones`.
    fn ran_within(&self, from: Timestamp, to: Timestamp, zones: &[TimeZone]) -> Span {
        let mut ran = self.open_within(from, to, zones);
        for pause in &self.pauses {
            let (start, end) = (pause.from.max(from), pause.to.min(to));
            if start < end {
                ran = ran - self.open_within(start, end, zones);
            }
        }
        ran
    }

    /// How long hours, and contact hours in all `zones`, let it run between two instants.
    fn open_within(&self, from: Timestamp, to: Timestamp, zones: &[TimeZone]) -> Span {
        match zones {
            [] => self.settings.hours.open_between(from, to),
            zones => self.allowed(zones).between(from, to),
        }
    }

    /// When they will have let it run for `span`.
    fn add_within(&self, from: Timestamp, span: Span, zones: &[TimeZone]) -> Timestamp {
        match zones {
            [] => self.settings.hours.add_open(from, span),
            zones => self.allowed(zones).add(from, span),
        }
    }

    fn allowed<'a>(&'a self, zones: &'a [TimeZone]) -> Allowed<'a> {
        let contact = self.settings.contact_hours;
        Allowed { hours: &self.settings.hours, contact, zones }
    }

    /// When something that began to wait at `base` and may wait for `bound` expires, seen from
    /// `now`: the past counts as it was, the future as the hours say, and a pause without end
    /// means never. What is past stays the same from then on.
    pub fn runs_out_at(&self, base: Timestamp, bound: Span, now: Timestamp) -> Timestamp {
        self.runs_out_within(base, bound, now, &[])
    }

    /// The same for something that contact hours bind in all `zones`: what they forbid doesn't
    /// count either.
    pub fn runs_out_within(
        &self,
        base: Timestamp,
        bound: Span,
        now: Timestamp,
        zones: &[TimeZone],
    ) -> Timestamp {
        if base >= now {
            return self.add_within(self.resumes_at(base), bound, zones);
        }
        let left = bound - self.ran_within(base, now, zones);
        if left <= Span::ZERO {
            return self.ran_out_within(base, bound, zones).min(now);
        }
        self.add_within(self.resumes_at(now), left, zones)
    }

    /// When what has run out already did: each pause that began before put it off.
    fn ran_out_within(&self, base: Timestamp, bound: Span, zones: &[TimeZone]) -> Timestamp {
        let mut ends = self.add_within(base, bound, zones);
        for pause in &self.pauses {
            let start = pause.from.max(base);
            if start < pause.to && start < ends {
                let stood = self.open_within(start, pause.to, zones);
                ends = self.add_within(ends, stood, zones);
            }
        }
        ends
    }

    /// So long after an appointed time, by people's clocks: only pauses put it off, since what was
    /// appointed was known to be open then or not.
    pub fn unpaused_after(&self, appointed: Timestamp, span: Span) -> Timestamp {
        let resumes_at = self.resumes_at(Timestamp::default());
        let mut ends = appointed + span;
        for pause in &self.pauses {
            let from = pause.from.max(appointed);
            let to = if pause.to == Timestamp::NEVER { resumes_at } else { pause.to };
            if from < to && from < ends {
                ends = if to == Timestamp::NEVER { to } else { ends + to.since(from) };
            }
        }
        ends
    }

    /// The end of the slot that a start falls in.
    pub fn slot_end(&self, start: Timestamp) -> Timestamp {
        Grid::of(&self.settings).end_after(start)
    }

    fn resumes_at(&self, at: Timestamp) -> Timestamp {
        match &self.offers_paused {
            Some(paused) => paused.until.unwrap_or(Timestamp::NEVER).max(at),
            None => at,
        }
    }
}

/// Agents of a queue, as they are now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Staff {
    /// With a session.
    pub connected: u32,
    /// With a session, and available.
    pub available: u32,
    /// Of these, with room for one more of a medium.
    pub free: PerMedium<u32>,
}
