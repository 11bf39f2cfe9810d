//! What a queue has seen of waiting, and what it tells of it: estimates, how good they were, and
//! whether a callback is offered.
//!
//! Nothing here is journaled: it is statistics, learned again from the store after a restart. What
//! a customer was told stands in their callback's record.

use super::QueueMachine;
use crate::domain::callback::Told;
use crate::domain::callback_offer::{Situation, decide};
use crate::domain::effect::{Answer, Availability, InLine, QueueStats, StepOutput};
use crate::domain::estimate::{Ahead, Estimate, Estimator, MeanDelay, Scores};
use crate::domain::ids::CallbackId;
use crate::domain::message::{AvailabilityQuestion, CallbackMessage, Letter, Past, Seen, Who};
use crate::domain::policy::Medium;
use crate::domain::queue::Queue;
use crate::domain::rank::{Priority, rank};
use crate::domain::time::{Now, Span, Timestamp};

/// What a queue has seen of waiting.
#[derive(Debug, Clone, Default)]
pub struct Waits {
    estimator: Estimator,
    scores: Scores,
    delay: MeanDelay,
    /// Up to when waiting is counted, by the steady clock.
    counted_to: Timestamp,
    /// Requests for a callback as soon as possible, by customers and channels.
    asap_requests: u64,
    /// Times that a callback was offered.
    callback_offers: u64,
    /// Promises kept by a call in time, and broken.
    promises_kept: u64,
    promises_broken: u64,
}

impl QueueMachine {
    /// What it has seen of waiting, for the machine that is made in its place.
    pub fn take_waits(&mut self) -> Waits {
        std::mem::take(&mut self.waits)
    }

    /// A machine that goes on with what another one has seen.
    #[must_use]
    pub fn with_waits(mut self, waits: Waits) -> Self {
        self.waits = waits;
        self
    }

    /// Time has passed, in which those in line have waited.
    pub(super) fn pass_time(&mut self, now: &Now) {
        let waiting = i64::try_from(self.line.len()).unwrap_or(i64::MAX);
        let passed = now.steady.since(self.waits.counted_to).max(Span::ZERO);
        self.waits.counted_to = now.steady;
        self.waits.estimator.waited(Span(passed.0.saturating_mul(waiting)));
    }

    /// What somebody is told who has just been queued, as a request was taken.
    pub(super) fn tell_new(
        &mut self,
        now: &Now,
        id: CallbackId,
        who: &Who,
        free: u32,
    ) -> Option<Told> {
        let asked = matches!(who, Who::Customer | Who::Channel);
        self.waits.asap_requests += u64::from(asked);
        self.told_now(now, id, free)
    }

    fn told_now(&self, now: &Now, id: CallbackId, free: u32) -> Option<Told> {
        let ahead = self.position(id)?.saturating_sub(1);
        let estimate = self.estimate(now, self.record.as_deref()?, ahead, free)?;
        Some(Told { at: now.wall, estimate })
    }

    /// Has a callback that nobody asked for now note what its customer would be told who has just
    /// been queued. One that has been told something keeps that.
    pub(super) fn note(&self, now: &Now, id: CallbackId, out: &mut StepOutput) {
        if let Some(told) = self.told_now(now, id, 0) {
            out.send(Letter::Callback(id, CallbackMessage::Noted(told)));
        }
    }

    fn estimate(&self, now: &Now, queue: &Queue, waiting: u32, free: u32) -> Option<Estimate> {
        if !queue.is_open(now.wall) || queue.offers_paused.is_some() {
            return None;
        }
        let busy = u32::try_from(self.live.len() - self.line.len()).unwrap_or(u32::MAX);
        self.waits.estimator.estimate(Ahead { waiting, busy, free })
    }

    /// The wait of whoever joins now.
    fn estimate_next(&self, now: &Now, queue: &Queue, free: u32) -> Option<Estimate> {
        let place = rank(now.wall, Priority::default(), queue.settings.age_step_seconds);
        let ahead = self.line.below(&(place, CallbackId(u128::MAX)));
        self.estimate(now, queue, u32::try_from(ahead).unwrap_or(u32::MAX), free)
    }

    /// Where a callback stands in line, and for how long it will.
    pub(super) fn in_line(&self, now: &Now, id: CallbackId, free: u32) -> Option<InLine> {
        let position = self.position(id)?;
        let queue = self.record.as_ref()?;
        let estimate = self.estimate(now, queue, position.saturating_sub(1), free);
        Some(InLine { position, estimate })
    }

    /// Learns from what happened to a callback.
    pub(super) fn learn(&mut self, seen: &Seen) {
        let waits = &mut self.waits;
        match *seen {
            Seen::Served { service } => waits.estimator.served(service),
            Seen::GaveUp => waits.estimator.gave_up(),
            Seen::PromiseKept => waits.promises_kept += 1,
            Seen::PromiseBroken => waits.promises_broken += 1,
            Seen::FirstCalled { at, asked_at, told } => waits.first_called(at, asked_at, told),
        }
    }

    /// Learns from callbacks that ended before a restart, oldest first; now that so much is known
    /// again, those that stood in line then and had no estimate yet get one.
    pub(super) fn recall(&mut self, now: &Now, past: &[Past], out: &mut StepOutput) {
        let waits = &mut self.waits;
        for one in past {
            waits.estimator.waited(one.waited);
            one.services.iter().for_each(|service| waits.estimator.served(*service));
            if one.gave_up {
                waits.estimator.gave_up();
            }
            if let Some(at) = one.first_called_at {
                waits.first_called(at, one.asked_at, one.told);
            }
        }
        for (id, _) in self.live.iter().filter(|(_, place)| place.is_some()) {
            self.note(now, *id, out);
        }
    }

    /// Whether a callback is offered, and all that a customer is told before they choose.
    pub(super) fn tell_availability(
        &mut self,
        now: &Now,
        question: &AvailabilityQuestion,
        out: &mut StepOutput,
    ) {
        let AvailabilityQuestion { token, medium, live_wait_seconds, staff } = *question;
        let Some(queue) = self.record.clone() else {
            out.answer(token, Err(crate::domain::refusal::Refusal::NotFound));
            return;
        };
        let settings = &queue.settings;
        let estimate = self.estimate_next(now, &queue, staff.free.of(medium));
        let next_slots = self.next_slots(now, &queue, medium);
        let offer = decide(&Situation {
            now: now.wall,
            open: queue.is_open(now.wall),
            closes_at: settings.hours.closes_at(now.wall),
            intake_paused: queue.intake_paused.is_some(),
            offers_paused: queue.offers_paused.is_some(),
            available: staff.available,
            live_wait_seconds,
            estimate,
            wait_threshold_seconds: settings.wait_threshold_seconds,
            promise_window: settings.promise_window_minutes.map(Span::minutes),
            asap_allowed: medium == Medium::Voice,
            outstanding_full: self.is_full(&queue, medium),
            slot_free: !next_slots.is_empty(),
        });
        self.waits.callback_offers += u64::from(offer.is_made());
        let availability = Availability {
            waiting: self.stats().waiting,
            average_callback_seconds: self.waits.delay.mean(now.wall),
            queue,
            staff,
            estimate,
            offer,
            next_slots,
        };
        out.answer(token, Ok(Answer::Availability(Box::new(availability))));
    }

    /// The line, with what is worked out for an answer only.
    pub(super) fn full_stats(&self, now: &Now, free: u32) -> QueueStats {
        let average_callback_seconds = self.waits.delay.mean(now.wall);
        let queue = self.record.as_deref();
        let estimate = queue.and_then(|queue| self.estimate_next(now, queue, free));
        QueueStats { average_callback_seconds, estimate, ..self.stats() }
    }
}

impl Waits {
    fn first_called(&mut self, at: Timestamp, asked_at: Option<Timestamp>, told: Option<Told>) {
        if let Some(asked_at) = asked_at {
            self.delay.note(at, at.since(asked_at));
        }
        if let Some(Told { at: told_at, estimate }) = told {
            let waited = at.since(told_at).max(Span::ZERO);
            let inside = self.estimator.score(&estimate, waited);
            self.scores.note(&estimate, waited, inside);
        }
    }

    /// How long an agent has lately taken for a callback; none where too little is known.
    pub(super) fn handling(&self) -> Option<Span> {
        self.estimator.handling()
    }

    /// Adds what the figures show.
    pub(super) fn add_to(&self, stats: &mut QueueStats) {
        stats.accuracy = self.scores.accuracy();
        stats.asap_requests = self.asap_requests;
        stats.callback_offers = self.callback_offers;
        stats.promises_kept = self.promises_kept;
        stats.promises_broken = self.promises_broken;
    }
}
