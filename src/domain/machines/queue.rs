//! A queue: its settings, its pauses, its line, and the door through which requests come in.
//!
//! The machine owns the queue's record. The line is derived from what callbacks tell it. A
//! request is taken here and passed on to its callback, so that what a queue bounds is decided in
//! one place. It must never choose an agent: that is the router's.

mod rounds;
mod seats;
mod waits;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::callback::asap_ever;
use super::callback::contact::agents_choice;
use crate::domain::callback::{CallbackType, Reach};
use crate::domain::duplicates::{Verdict, judge};
use crate::domain::effect::{Answer, Change, Effect, QueueStats, StepOutput};
use crate::domain::event::{Event, QueueEvent};
use crate::domain::ids::{CallbackId, QueueId};
use crate::domain::message::{
    CallbackMessage, Create, Letter, Machine, Place, QueueMessage, RouterMessage, SchedulerMessage,
    Token,
};
use crate::domain::policy::QueueSettings;
use crate::domain::queue::{Halves, Pause, Paused, Queue};
use crate::domain::rank::{Rank, rank};
use crate::domain::ranked::RankedSet;
use crate::domain::refusal::Refusal;
use crate::domain::slots::Bookings;
use crate::domain::time::{Now, Span, Timestamp};
use rounds::Rounds;

pub use waits::Waits;

/// The machine of one queue.
#[derive(Debug, Clone)]
pub struct QueueMachine {
    id: QueueId,
    /// The record; none before the first `Put`.
    record: Option<Arc<Queue>>,
    /// No queue that had the id before had a version above it, so that a tag of theirs never fits
    /// the one that is made next.
    versions_after: u64,
    /// Callbacks that are live here, with their place while they are queued.
    live: BTreeMap<CallbackId, Option<Place>>,
    /// Those queued, smallest rank first.
    line: RankedSet<(Rank, CallbackId)>,
    /// Those queued, longest waiting first.
    waiting: RankedSet<(Timestamp, CallbackId)>,
    /// The seats taken, by callbacks that aren't final.
    bookings: Bookings,
    /// How many agents serve the queue.
    agents: u32,
    /// What it has seen of waiting.
    waits: Waits,
    /// The scheduler's timers, as told last: by the wall clock and by the steady one.
    told_timers: (Option<Timestamp>, Option<Timestamp>),
    /// What its live callbacks are still to be told.
    rounds: Rounds,
}

impl QueueMachine {
    /// A machine that waits for `Put`; `versions_after`: no earlier queue of that id had a version
    /// above it.
    pub fn new(id: QueueId, versions_after: u64) -> Self {
        Self {
            id,
            record: None,
            versions_after,
            live: BTreeMap::new(),
            line: RankedSet::new(),
            waiting: RankedSet::new(),
            bookings: Bookings::default(),
            agents: 0,
            waits: Waits::default(),
            told_timers: (None, None),
            rounds: Rounds::default(),
        }
    }

    /// A machine made from its record; `recover` follows once it may send.
    pub fn restore(queue: Arc<Queue>) -> Self {
        let mut machine = Self::new(queue.settings.id.clone(), queue.version);
        machine.record = Some(queue);
        machine
    }

    /// After a restart: the router and the readers are told, timers are set.
    pub fn recover(&mut self, now: &Now, out: &mut StepOutput) {
        if let Some(queue) = self.record.clone() {
            self.tell(&queue, out);
        }
        self.set_timer(now, out);
    }

    /// Takes one message.
    pub fn step(&mut self, now: &Now, message: QueueMessage, out: &mut StepOutput) {
        self.pass_time(now);
        match message {
            QueueMessage::Create(create) => self.create(now, *create, out),
            QueueMessage::Put { token, if_match, settings } => {
                self.put(token, if_match, settings, out);
            }
            QueueMessage::Remove { token, if_match, dormant } => {
                self.remove(token, if_match, dormant, out);
            }
            QueueMessage::Pause { token, halves, reason, until } => {
                let paused = Paused { since: now.wall, until, reason };
                self.pause(now, token, halves, paused, out);
            }
            QueueMessage::Resume { token, halves } => {
                self.resume(now, Some(token), halves, out);
            }
            QueueMessage::Join { callback, place, version } => {
                self.join(now, callback, place, out);
                self.update(callback, version, out);
            }
            QueueMessage::Leave { callback } => self.leave(callback),
            QueueMessage::Reserve(reserve) => self.reserve(now, *reserve, out),
            QueueMessage::TakeSeat(seat) => self.take_seat(seat),
            QueueMessage::FreeSeat(seat) => self.free_seat(seat),
            QueueMessage::Rechecked { version } => self.rechecked(version, out),
            QueueMessage::Staff { agents } => self.agents = agents,
            QueueMessage::Slots { token, question } => {
                self.tell_slots(now, token, &question, out);
            }
            QueueMessage::Seen(seen) => self.learn(&seen),
            QueueMessage::Recall(past) => self.recall(now, &past, out),
            QueueMessage::Stats { token, free_agents } => {
                out.answer(token, Ok(Answer::QueueStats(self.full_stats(now, free_agents))));
            }
            QueueMessage::Position { token, callback, free_agents } => {
                let in_line = self.in_line(now, callback, free_agents);
                out.answer(token, Ok(Answer::Position(in_line)));
            }
            QueueMessage::Availability(question) => {
                self.tell_availability(now, &question, out);
            }
            QueueMessage::Wake => {
                self.told_timers = (None, None);
                self.rounds.go_on();
                self.wake(now, out);
            }
        }
        self.go_round(now, out);
        self.set_timer(now, out);
    }

    fn create(&mut self, now: &Now, mut create: Create, out: &mut StepOutput) {
        let token = create.token;
        let Some(queue) = self.record.clone() else {
            out.answer(token, Err(Refusal::field("/queue", "there is no such queue")));
            return;
        };
        // What is sent again asks for nothing: whether the queue takes new requests doesn't matter.
        let bookable = if create.external.is_some() {
            Ok(())
        } else {
            admit(now, &create, &queue).and_then(|()| self.bookable(now, &queue, &create.wish))
        };
        if let Err(refusal) = bookable {
            out.answer(token, Err(refusal));
            return;
        }
        match judge(&create.wish, &queue.settings, &create.active, create.external) {
            Verdict::Take(duplicates) => create.duplicates = duplicates,
            Verdict::Existing(callback) => {
                let (created, duplicates) = (false, Vec::new());
                let position = self.position(callback.id);
                let answer = Answer::Callback { callback, position, created, duplicates };
                out.answer(token, Ok(answer));
                return;
            }
            Verdict::Refuse(refusal) => {
                out.answer(token, Err(refusal));
                return;
            }
        }
        if let Err(refusal) = self.seat_new(now, &queue, &mut create.wish) {
            out.answer(token, Err(refusal));
            return;
        }
        let id = create.id;
        let position = (create.wish.kind == CallbackType::Asap && queue.is_open(now.wall))
            .then(|| {
                // Its place is taken at once, so that two requests are never told the same.
                let since = create.wish.request.origin.waiting_since.unwrap_or(now.wall);
                let step = queue.settings.age_step_seconds;
                let rank = rank(since, create.wish.priority, step);
                self.set_place(id, Some(Place { rank, queued_since: since }));
                self.position(id)
            })
            .flatten();
        if position.is_some() {
            create.told = self.tell_new(now, id, &create.wish.who, create.free_agents);
        }
        let create = Box::new(create);
        let message = CallbackMessage::Create { create, queue, position };
        out.send(Letter::Callback(id, message));
    }

    fn put(
        &mut self,
        token: Option<Token>,
        if_match: Option<u64>,
        settings: Arc<QueueSettings>,
        out: &mut StepOutput,
    ) {
        let version = self.record.as_ref().map_or(0, |queue| queue.version);
        if let (Some(token), true) = (token, if_match.is_some_and(|wanted| wanted != version)) {
            out.answer(token, Err(Refusal::VersionStale { version }));
            return;
        }
        let created = self.record.is_none();
        let queue = match &self.record {
            Some(old) => {
                let changed = !self.bookings.is_empty() && times_change(&old.settings, &settings);
                let unchecked = old.unchecked || changed;
                Queue { settings, unchecked, ..Queue::clone(old) }
            }
            None => Queue {
                settings,
                version: self.versions_after,
                intake_paused: None,
                offers_paused: None,
                pauses: Vec::new(),
                unchecked: false,
            },
        };
        let queue = self.replace(queue, out);
        if let Some(token) = token {
            out.answer(token, Ok(Answer::Queue { queue, created }));
        }
    }

    fn remove(&mut self, token: Token, if_match: Option<u64>, dormant: u64, out: &mut StepOutput) {
        let Some(queue) = &self.record else {
            out.answer(token, Err(Refusal::NotFound));
            return;
        };
        let version = queue.version;
        if if_match.is_some_and(|wanted| wanted != version) {
            out.answer(token, Err(Refusal::VersionStale { version }));
            return;
        }
        let live = self.live.len() as u64 + dormant;
        if live > 0 {
            let text =
                format!("not final there: {live} of its callbacks; end or requeue them first");
            out.answer(token, Err(Refusal::InUse(text)));
            return;
        }
        let id = self.id.clone();
        self.versions_after = version;
        self.record = None;
        out.changes.push(Change::QueueRemoved(id.clone()));
        out.send(Letter::Router(RouterMessage::RemoveQueue(id.clone())));
        out.effects.push(Effect::PublishQueue(id, None));
        out.answer(token, Ok(Answer::Done));
        out.effects.push(Effect::LetGo);
    }

    fn pause(
        &mut self,
        now: &Now,
        token: Token,
        halves: Halves,
        paused: Paused,
        out: &mut StepOutput,
    ) {
        let Some(old) = &self.record else {
            out.answer(token, Err(Refusal::NotFound));
            return;
        };
        let mut queue = Queue::clone(old);
        if halves.intake {
            queue.intake_paused = Some(paused.clone());
        }
        if halves.offers {
            if queue.offers_paused.is_none() {
                queue.pauses.push(Pause { from: now.wall, to: Timestamp::NEVER });
            }
            queue.offers_paused = Some(paused.clone());
        }
        out.events.push(Event::Queue(
            self.id.clone(),
            QueueEvent::Paused { halves, reason: paused.reason, until: paused.until },
        ));
        let queue = self.replace(queue, out);
        out.answer(token, Ok(Answer::Queue { queue, created: false }));
    }

    fn resume(&mut self, now: &Now, token: Option<Token>, halves: Halves, out: &mut StepOutput) {
        let Some(old) = &self.record else {
            if let Some(token) = token {
                out.answer(token, Err(Refusal::NotFound));
            }
            return;
        };
        let resumed = Halves {
            intake: halves.intake && old.intake_paused.is_some(),
            offers: halves.offers && old.offers_paused.is_some(),
        };
        let mut queue = Queue::clone(old);
        if resumed.intake {
            queue.intake_paused = None;
        }
        if resumed.offers {
            queue.offers_paused = None;
            if let Some(pause) = queue.pauses.last_mut() {
                pause.to = now.wall.max(pause.from);
            }
            prune(&mut queue.pauses, now.wall);
        }
        let queue = if resumed.any() {
            let event = QueueEvent::Resumed { halves: resumed };
            out.events.push(Event::Queue(self.id.clone(), event));
            self.replace(queue, out)
        } else {
            Arc::clone(old)
        };
        if let Some(token) = token {
            out.answer(token, Ok(Answer::Queue { queue, created: false }));
        }
    }

    /// The record is a new one: it is written, and all who work by it are told.
    fn replace(&mut self, mut queue: Queue, out: &mut StepOutput) -> Arc<Queue> {
        queue.version += 1;
        let queue = Arc::new(queue);
        self.record = Some(Arc::clone(&queue));
        out.changes.push(Change::Queue(Arc::clone(&queue)));
        self.tell(&queue, out);
        self.rounds.begin_changed();
        queue
    }

    fn tell(&self, queue: &Arc<Queue>, out: &mut StepOutput) {
        out.send(Letter::Router(RouterMessage::PutQueue(Arc::clone(queue))));
        out.effects.push(Effect::PublishQueue(self.id.clone(), Some(Arc::clone(queue))));
    }

    fn join(
        &mut self,
        now: &Now,
        callback: CallbackId,
        place: Option<Place>,
        out: &mut StepOutput,
    ) {
        let known = self.live.contains_key(&callback);
        self.set_place(callback, place);
        if !known {
            self.note(now, callback, out);
        }
        if let (Some(queue), Some(_)) = (&self.record, place)
            && queue.is_shut(now.wall)
        {
            carry_over(callback, queue, now.wall, out);
        }
    }

    /// A callback that began to work by an older record, read while it changed, gets this one.
    fn update(&self, callback: CallbackId, version: u64, out: &mut StepOutput) {
        if let Some(queue) = self.record.as_ref().filter(|queue| queue.version != version) {
            let message = CallbackMessage::QueueChanged(Arc::clone(queue));
            out.send(Letter::Callback(callback, message));
        }
    }

    fn leave(&mut self, callback: CallbackId) {
        self.set_place(callback, None);
        self.live.remove(&callback);
    }

    fn set_place(&mut self, callback: CallbackId, place: Option<Place>) {
        let old = self.live.insert(callback, place).flatten();
        if old == place {
            return;
        }
        if let Some(old) = old {
            self.line.remove(&(old.rank, callback));
            self.waiting.remove(&(old.queued_since, callback));
        }
        if let Some(place) = place {
            self.line.insert((place.rank, callback));
            self.waiting.insert((place.queued_since, callback));
        }
    }

    fn position(&self, callback: CallbackId) -> Option<u32> {
        let place = self.live.get(&callback)?.as_ref()?;
        let ahead = self.line.rank_of(&(place.rank, callback))?;
        u32::try_from(ahead + 1).ok()
    }

    /// The line, as it is now.
    pub fn stats(&self) -> QueueStats {
        let waiting = u32::try_from(self.line.len()).unwrap_or(u32::MAX);
        let live = u32::try_from(self.live.len()).unwrap_or(u32::MAX);
        let mut stats = QueueStats {
            waiting,
            oldest_since: self.waiting.first().map(|(since, _)| *since),
            with_agents: live - waiting,
            ..QueueStats::default()
        };
        self.waits.add_to(&mut stats);
        stats
    }

    fn wake(&mut self, now: &Now, out: &mut StepOutput) {
        let Some(queue) = self.record.clone() else { return };
        let over = |paused: &Option<Paused>| {
            paused.as_ref().and_then(|paused| paused.until).is_some_and(|at| at <= now.wall)
        };
        let halves =
            Halves { intake: over(&queue.intake_paused), offers: over(&queue.offers_paused) };
        if halves.any() {
            self.resume(now, None, halves, out);
        }
        if queue.is_shut(now.wall) {
            self.rounds.begin_shut();
        }
    }

    fn set_timer(&mut self, now: &Now, out: &mut StepOutput) {
        let wall = self.record.as_ref().and_then(|queue| next_wake(queue, now.wall));
        let steady = self.rounds.goes_on_at();
        if (wall, steady) != self.told_timers {
            self.told_timers = (wall, steady);
            let machine = Machine::Queue(self.id.clone());
            out.send(Letter::Scheduler(SchedulerMessage::SetTimer { machine, wall, steady }));
        }
    }
}

/// Whether a request may come in now.
fn admit(now: &Now, create: &Create, queue: &Queue) -> Result<(), Refusal> {
    let wish = &create.wish;
    let reach = || Reach::of(&wish.request.customer);
    if let Some(paused) = &queue.intake_paused {
        return Err(Refusal::IntakePaused { until: paused.until });
    }
    match &wish.booking {
        Some(booking) => {
            let chosen = wish.who.is_customers() || wish.request.customer_agreed;
            if chosen { Ok(()) } else { agents_choice(&reach(), &queue.settings, booking.start) }
        }
        None => asap_ever(queue, &reach(), now.wall),
    }
}

fn carry_over(callback: CallbackId, queue: &Queue, now: Timestamp, out: &mut StepOutput) {
    let next_open = queue.settings.hours.next_open(now);
    out.send(Letter::Callback(callback, CallbackMessage::CarryOver { next_open }));
}

/// When the queue has something to do by itself.
fn next_wake(queue: &Queue, now: Timestamp) -> Option<Timestamp> {
    let hours = &queue.settings.hours;
    let overrun = Span::minutes(queue.settings.overrun_minutes);
    let closing = hours.closes_at(now).or_else(|| queue.last_close(now));
    // What is in its lead may wait here before the opening.
    let closing = closing.or_else(|| hours.closes_at(hours.next_open(now)?));
    let ends = |paused: &Option<Paused>| paused.as_ref().and_then(|paused| paused.until);
    let shuts_at = closing.map(|at| at + overrun);
    [ends(&queue.intake_paused), ends(&queue.offers_paused), shuts_at].into_iter().flatten().min()
}

/// Whether callbacks that wait for a time may wait for another one by these settings.
fn times_change(old: &QueueSettings, new: &QueueSettings) -> bool {
    let times = |one: &QueueSettings| (one.contact_hours, one.lead_seconds);
    old.hours != new.hours || times(old) != times(new)
}

/// Forgets pauses that nothing can have been waiting through.
fn prune(pauses: &mut Vec<Pause>, now: Timestamp) {
    pauses.retain(|pause| pause.to > now - Queue::PAUSES_KEPT);
    let extra = pauses.len().saturating_sub(Queue::MAX_PAUSES);
    pauses.drain(..extra);
}

#[cfg(test)]
mod tests;
