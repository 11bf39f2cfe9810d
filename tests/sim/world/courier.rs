//! A webhook's events, delivered as its courier does it: what is sent next is the domain's to say,
//! and how far it has come is written down now and then.

use std::sync::Arc;

use ringback::domain::back_off::WEBHOOKS;
use ringback::domain::dispatch::Outcome;
use ringback::domain::effect::{Change, WebhookChange};
use ringback::domain::ids::WebhookId;
use ringback::domain::time::Timestamp;
use ringback::domain::webhook::{Bounds, Outgoing, Progress, Settled, Stream};

use super::records::PLACES;
use super::{Planted, World};
use crate::rng::Rng;

/// The courier of the one webhook, which wants all events.
#[derive(Debug)]
pub(super) struct Courier {
    outgoing: Outgoing,
    /// Events under way.
    attempts: Vec<u64>,
}

impl Courier {
    /// Goes on from where it was written down, or begins.
    pub(super) fn at(progress: Option<&Progress>) -> Self {
        let id = WebhookId::parse("crm").expect("an id");
        let progress = progress.cloned().unwrap_or_else(|| Progress::beginning(id, 0));
        let bounds = Bounds { waiting: 20, concurrency: 3, schedule: WEBHOOKS };
        Self { outgoing: Outgoing::new(progress, bounds), attempts: Vec::new() }
    }
}

impl World {
    /// Does one thing for the webhook, if there is any; `troubled`: its receiver fails now and
    /// then.
    pub(crate) fn deliver_event(&mut self, rng: &mut Rng, troubled: bool) -> bool {
        let now = self.steady;
        if !self.courier.attempts.is_empty() && rng.percent(60) {
            self.land(rng, troubled);
            return true;
        }
        if self.read_events(now) {
            return true;
        }
        if let Some(event) = self.courier.outgoing.start(now) {
            self.courier.attempts.push(event);
            return true;
        }
        if !self.courier.attempts.is_empty() {
            self.land(rng, troubled);
            return true;
        }
        if self.courier.outgoing.is_unsaved() {
            self.save_progress();
            return true;
        }
        false
    }

    fn read_events(&mut self, now: Timestamp) -> bool {
        let room = self.courier.outgoing.room(now);
        let from = self.courier.outgoing.read_to();
        let held = self.planted != Planted::DispatchesNotHeld;
        let known = if held { self.durable } else { self.journal.len() };
        // The entry that was read last may have more.
        let first = usize::try_from(from / PLACES).expect("fits").saturating_sub(1);
        let entries = self.journal.iter().take(known).skip(first);
        let events = (first as u64 + 1..).zip(entries);
        let events = events.flat_map(|(number, entry)| {
            (number * PLACES..).zip(entry.events.iter().map(Stream::of))
        });
        let more: Vec<_> = events.filter(|(event, _)| *event > from).take(room).collect();
        for (event, stream) in &more {
            self.courier.outgoing.read(*event, Some(stream.clone()), now);
        }
        !more.is_empty()
    }

    /// One attempt, drawn from those under way, is over.
    fn land(&mut self, rng: &mut Rng, troubled: bool) {
        let place = rng.below(self.courier.attempts.len() as u64);
        let event = self.courier.attempts.swap_remove(usize::try_from(place).expect("small"));
        let outcome = if troubled && rng.percent(20) {
            Outcome::later("answered 500")
        } else {
            let wrong = self.stream_of(event).and_then(|it| self.outside.event(event, &it));
            self.checks.violations.extend(wrong);
            if troubled && rng.percent(5) {
                Outcome::later("its answer got lost")
            } else {
                Outcome::Delivered(())
            }
        };
        match self.courier.outgoing.settle(event, outcome, self.steady, 0) {
            Settled::Done | Settled::Held => {}
            other => self.checks.violations.push(format!("event {event}: {other:?}")),
        }
        if rng.percent(20) {
            self.save_progress();
        }
    }

    fn stream_of(&self, event: u64) -> Option<Stream> {
        let (number, place) = (event / PLACES, event % PLACES);
        let entry = self.journal.get(usize::try_from(number).ok()?.checked_sub(1)?)?;
        entry.events.get(usize::try_from(place).ok()?).map(Stream::of)
    }

    fn save_progress(&mut self) {
        let mut progress = self.courier.outgoing.take_unsaved();
        if self.planted == Planted::OpenEventsLost {
            progress.open.clear();
        }
        let change = Change::Webhook(WebhookChange::Progress(Arc::new(progress)));
        self.write(vec![change], Vec::new());
    }

    /// When the webhook has something to send again.
    pub(crate) fn delivers_at(&self) -> Option<Timestamp> {
        let offset = self.wall.since(self.steady);
        self.courier.outgoing.wakes_at().map(|at| at + offset)
    }

    /// Events that never arrived.
    pub(super) fn missing_events(&self) -> Option<String> {
        let all = (1_u64..)
            .zip(&self.journal)
            .flat_map(|(number, entry)| (number * PLACES..).take(entry.events.len()));
        let missing: Vec<u64> = all.filter(|event| !self.outside.has_event(*event)).collect();
        let first = missing.first()?;
        Some(format!("{} events never arrived, {first} the first", missing.len()))
    }
}
