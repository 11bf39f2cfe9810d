//! The end of each step: what changed becomes one journal entry, and everybody hears what they
//! must. It compares the record before and after, so that no handler can forget anyone.

use std::sync::Arc;

use super::life::BETWEEN_PHASES;
use super::outward::{has_email, is_moved, new_texts};
use super::{CallbackMachine, Draft, seats_of};
use crate::domain::agent::RevokeReason;
use crate::domain::callback::{
    Callback, LastAction, Phase, Preferred, Snapshot, State, Unroutable,
};
use crate::domain::dispatch::OutboxChange;
use crate::domain::effect::{Change, Effect, StepOutput};
use crate::domain::event::{CallbackEvent, Event};
use crate::domain::ids::AgentId;
use crate::domain::message::{
    AgentMessage, Letter, Machine, Place, QueueMessage, RouterMessage, SchedulerMessage, Work,
};
use crate::domain::queue::Queue;
use crate::domain::rank::{Rank, rank};
use crate::domain::time::{Now, Span, Timestamp};

impl CallbackMachine {
    /// Writes the step down and sends what follows from it. Answers the record as it is now.
    pub(super) fn settle(
        &mut self,
        now: &Now,
        before: Option<&Snapshot>,
        mut draft: Draft,
        last: Option<(AgentId, u64)>,
        out: &mut StepOutput,
    ) -> Snapshot {
        self.show_denied(&mut draft);
        self.refresh_bounds(now);
        let changed = before != self.record.as_ref() || draft.request.is_some() || draft.tells;
        if changed {
            let has_email = new_texts(&draft).map(|request| has_email(request));
            let noted = self.noted.take().map(|noted| *noted);
            let record = self.record_mut();
            assert!(record.phase != BETWEEN_PHASES, "a step that takes the interaction goes on");
            record.has_email = has_email.unwrap_or(record.has_email);
            if record.first_called_at.is_none() && record.state() != State::Open {
                record.told = record.told.or(noted);
            }
            record.bookings += u32::from(before.is_some_and(|before| is_moved(before, record)));
            record.version += 1;
            record.updated_at = now.wall;
            record.clock_gap = now.wall.since(now.steady);
            let version = record.version;
            let last = last.map(|(agent, digest)| LastAction { agent, digest, version });
            record.last_action = last.map(Box::new);
        }
        let after = self.record.clone().expect("a callback that has a step is there");
        if changed {
            self.write_down(now, before, &after, &mut draft, out);
        }
        let before = before.map(Arc::as_ref);
        self.tell_router(now, before, &draft, out);
        self.tell_agents(before, &after, &draft, changed, out);
        self.tell_seen(now, before, &after, out);
        self.tell_queue(before, &after, changed || draft.other_place, out);
        self.tell_seats(&after, out);
        if self.warns(now) {
            self.warned = true;
            if let Some(agent) = after.assigned_agent() {
                let message = AgentMessage::Updated { callback: Arc::clone(&after) };
                out.send(Letter::Agent(agent.clone(), message));
            }
        }
        self.tell_scheduler(before, &after, out);
        after
    }

    fn write_down(
        &self,
        now: &Now,
        before: Option<&Snapshot>,
        after: &Snapshot,
        draft: &mut Draft,
        out: &mut StepOutput,
    ) {
        let dispatches = self.dispatches(now, before.map(Arc::as_ref), after, draft);
        let first = after.ended_interactions() - u32::try_from(draft.ended.len()).unwrap_or(0);
        for (index, interaction) in (first..).zip(draft.ended.drain(..)) {
            let interaction = Box::new(interaction);
            out.changes.push(Change::Interaction { callback: self.id, index, interaction });
        }
        if let Some((before, after)) = draft.request.take() {
            out.changes.push(Change::Request { callback: self.id, before, after });
        }
        let before = before.cloned();
        out.changes.push(Change::Callback { before, after: Arc::clone(after) });
        let new = dispatches.into_iter().map(|one| Box::new(OutboxChange::New(one)));
        out.changes.extend(new.map(Change::Outbox));
        let id = self.id;
        out.events.extend(draft.events.drain(..).map(|event| Event::Callback(id, event)));
    }

    fn tell_router(
        &mut self,
        now: &Now,
        before: Option<&Callback>,
        draft: &Draft,
        out: &mut StepOutput,
    ) {
        let callback = self.id;
        let held = before.and_then(Callback::holder);
        let lost = held.filter(|agent| self.record().holder() != Some(agent));
        for agent in &draft.released {
            let agent = agent.clone();
            out.send(Letter::Router(RouterMessage::Release { callback, agent }));
        }
        if let Some(agent) = lost.cloned() {
            out.send(Letter::Router(match draft.missed() {
                Some(what) => RouterMessage::Missed { callback, agent, what },
                None => RouterMessage::Release { callback, agent },
            }));
        }
        let waited = before.is_some_and(|before| before.state() == State::Queued);
        match self.record().state() {
            State::Queued if self.denied => {
                // Unless it was denied before: then the router doesn't know it.
                let shown = before.and_then(|before| before.unroutable.as_deref());
                if waited && shown != Some(&Unroutable::NumberDenied) {
                    out.send(Letter::Router(RouterMessage::Withdraw(self.id)));
                }
            }
            State::Queued if !waited || draft.enqueue => {
                let work = Box::new(Work { gathers: draft.fell_due, ..self.work(now) });
                out.send(Letter::Router(RouterMessage::Enqueue(work)));
            }
            State::Open | State::ClosedComplete | State::ClosedAbandoned | State::Canceled
                if waited =>
            {
                out.send(Letter::Router(RouterMessage::Withdraw(self.id)));
            }
            State::Open
            | State::Queued
            | State::Offered
            | State::Accepted
            | State::Calling
            | State::WrapUp
            | State::ClosedComplete
            | State::ClosedAbandoned
            | State::Canceled => {}
        }
    }

    /// What the router needs to know of it.
    pub(super) fn work(&mut self, now: &Now) -> Work {
        let wished = self.record().preferred.as_deref();
        if self.preferred_since.as_deref().map(|(preferred, _)| preferred) != wished {
            self.preferred_since =
                wished.map(|preferred| Box::new((preferred.clone(), now.steady)));
        }
        let preferred = self.preferred_since.as_deref().map(|(preferred, since)| {
            Box::new((preferred.clone(), *since + Span::seconds(preferred.wait_seconds)))
        });
        let record = self.record();
        let settings = &self.queue().settings;
        let asked = record.requirements.with(&settings.requirements);
        Work {
            id: self.id,
            queue: record.queue.clone(),
            medium: record.medium,
            size: record.size,
            requirements: asked.widened(&settings.steps),
            rank: self.rank(now),
            waiting_since: self.waiting.map_or(now.steady, |waiting| waiting.steady),
            preferred,
            declined: record.declined.clone(),
            gathers: false,
            promise: self.promise,
            unroutable: record.unroutable.clone(),
        }
    }

    /// What the router would be told of a callback if it waited now: for questions about it.
    pub fn as_work(callback: &Snapshot, queue: Arc<Queue>, now: &Now) -> Work {
        let mut machine = Self::restore(callback, queue, now);
        machine.begin_waiting(now);
        machine.work(now)
    }

    fn rank(&self, now: &Now) -> Rank {
        let record = self.record();
        let step = self.queue().settings.age_step_seconds;
        rank(record.queued_since.unwrap_or(now.wall), record.priority, step)
    }

    fn tell_agents(
        &self,
        before: Option<&Callback>,
        after: &Snapshot,
        draft: &Draft,
        changed: bool,
        out: &mut StepOutput,
    ) {
        let callback = self.id;
        let mut tell = |agent: &AgentId, message| out.send(Letter::Agent(agent.clone(), message));
        if let Some((agent, offer, end)) = &draft.offer_end {
            tell(agent, AgentMessage::OfferEnded { callback, offer: *offer, end: *end });
        }
        if let Some((agent, reason)) = &draft.unassigned {
            tell(agent, AgentMessage::Unassigned { callback, reason: *reason });
        }
        let snapshot = Arc::clone(after);
        match (&after.phase, draft.assigned) {
            (Phase::Offered { offer, .. }, _) => {
                if before.and_then(Callback::offer).map(|old| old.id) != Some(offer.id) {
                    tell(&offer.agent, AgentMessage::Offered { callback: snapshot });
                }
            }
            (
                Phase::Accepted { assignment, .. }
                | Phase::Calling { assignment, .. }
                | Phase::WrapUp { assignment, .. },
                assigned,
            ) => match assigned {
                Some(by) => {
                    let message = AgentMessage::Assigned { callback: snapshot, by };
                    tell(&assignment.agent, message);
                }
                None if changed => {
                    tell(&assignment.agent, AgentMessage::Updated { callback: snapshot });
                }
                None => {}
            },
            (Phase::Open { .. } | Phase::Queued { .. } | Phase::Ended { .. }, _) => {}
        }
    }

    fn tell_queue(
        &mut self,
        before: Option<&Callback>,
        after: &Snapshot,
        changed: bool,
        out: &mut StepOutput,
    ) {
        let callback = self.id;
        let joins = after.state().is_live();
        let joined = before.map_or(&after.queue, |before| &before.queue);
        if self.told.joined && (!joins || *joined != after.queue) {
            out.send(Letter::Queue(joined.clone(), QueueMessage::Leave { callback }));
            self.told.joined = false;
        }
        if joins && (changed || !self.told.joined) {
            self.told.joined = true;
            let place = self.place(after);
            let version = self.queue().version;
            out.send(Letter::Queue(
                after.queue.clone(),
                QueueMessage::Join { callback, place, version },
            ));
        }
    }

    /// The seat that it has must be counted, in its queue, and no other.
    fn tell_seats(&mut self, after: &Callback, out: &mut StepOutput) {
        let wanted = seats_of(after);
        let mut counted = std::mem::take(&mut self.told.seats);
        for (queue, seat) in &wanted {
            match counted.iter().position(|(at, one)| at == queue && one == seat) {
                Some(place) => drop(counted.remove(place)),
                None => out.send(Letter::Queue(queue.clone(), QueueMessage::TakeSeat(*seat))),
            }
        }
        for (queue, seat) in counted {
            out.send(Letter::Queue(queue, QueueMessage::FreeSeat(seat)));
        }
        self.told.seats = wanted;
    }

    fn place(&self, after: &Callback) -> Option<Place> {
        let queued_since = after.queued_since?;
        let step = self.queue().settings.age_step_seconds;
        let rank = rank(queued_since, after.priority, step);
        (after.state() == State::Queued).then_some(Place { rank, queued_since })
    }

    fn tell_scheduler(
        &mut self,
        before: Option<&Callback>,
        after: &Callback,
        out: &mut StepOutput,
    ) {
        let machine = Machine::Callback(self.id);
        let steady = self.wakes_at();
        if steady != self.told.wakes_at {
            self.told.wakes_at = steady;
            let wall = None;
            out.send(Letter::Scheduler(SchedulerMessage::SetTimer { machine, wall, steady }));
        }
        let callback = self.id;
        match &after.phase {
            Phase::Open { wake_at, .. } => {
                self.told.sleeps = true;
                let at = *wake_at;
                out.send(Letter::Scheduler(SchedulerMessage::Slept { callback, at }));
            }
            Phase::Queued { .. }
            | Phase::Offered { .. }
            | Phase::Accepted { .. }
            | Phase::Calling { .. }
            | Phase::WrapUp { .. }
            | Phase::Ended { .. } => {
                if self.told.sleeps || before.is_some_and(|old| old.state() == State::Open) {
                    self.told.sleeps = false;
                    out.send(Letter::Scheduler(SchedulerMessage::Roused { callback }));
                }
            }
        }
        if !after.state().is_live() && self.pending.is_empty() {
            out.effects.push(Effect::LetGo);
        }
    }

    /// After a restart: a pending offer is taken back and made anew, and everybody is told what
    /// they keep in memory only.
    pub fn recover(&mut self, now: &Now, out: &mut StepOutput) {
        let before = self.record.clone();
        let mut draft = Draft::default();
        self.begin_waiting(now);
        let record = self.record();
        if let Some(agent) = record.assigned_agent().cloned() {
            let (medium, size) = (record.medium, record.size);
            let callback = self.id;
            let hold = RouterMessage::Hold { callback, agent: agent.clone(), medium, size };
            out.send(Letter::Router(hold));
            let message = AgentMessage::Hold { callback: Arc::new(record.clone()) };
            out.send(Letter::Agent(agent, message));
        }
        if let Some(offer) = record.offer().cloned() {
            let reason = RevokeReason::Restarted;
            let (offer, agent) = (offer.id, offer.agent);
            draft.events.push(CallbackEvent::OfferRevoked { offer, agent, reason });
            let interaction = self.take_interaction().expect("an offer has its interaction");
            self.queue_again(now, interaction, &mut draft);
        }
        draft.enqueue = self.record().state() == State::Queued;
        self.settle(now, before.as_ref(), draft, None, out);
    }
}

/// Whom what waits has waited for, and since when. Its record was last written when that began, or
/// when something was tried meanwhile.
pub(super) fn wished_since(callback: &Callback, now: &Now) -> Option<Box<(Preferred, Timestamp)>> {
    let waits = matches!(callback.state(), State::Queued | State::Offered);
    let wished = callback.preferred.as_deref().cloned().filter(|_| waits)?;
    let since = now.steady - now.wall.since(callback.updated_at).max(Span::ZERO);
    Some(Box::new((wished, since)))
}
