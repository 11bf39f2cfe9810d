//! The fold: facts in the order in which they were written down, into tallies.
//!
//! The workspace's thread alone adds to it, beside the records; other threads read it for reports,
//! under the same lock. Each step's tallies, as they stand after it, are written in the step's own
//! entry: like every row they are states, so that replaying them changes nothing, and a crash
//! between two entries finds them exactly as far as the records. In memory are the quarters of the
//! last day, and slots of some seconds for the last hour.
//!
//! Time is counted when it has passed: at each change of an agent, and by a tick once a minute.
//! What nobody watched, because the process was down, isn't counted. The ledger must never decide
//! anything.

use std::collections::BTreeMap;

use super::book::AgentBook;
use super::facts::{Fact, OfferStep, Standing};
use super::line::LineBook;
use super::series::{Series, Window};
use super::{
    AgentTally, Calls, Intake, LastHour, Measured, QUARTER, QueueTally, Tally, Work, quarter_of,
};
use crate::domain::agent::{Agent, Presence};
use crate::domain::callback::{Callback, CallbackType};
use crate::domain::effect::QueueStats;
use crate::domain::ids::{AgentId, QueueId};
use crate::domain::time::{Span, Timestamp};

/// How long quarters are kept: a day of 25 hours, and one hour more.
const QUARTERS_KEPT: Span = Span::minutes(26 * 60);

/// How often the ledger is told that time has passed.
pub const TICK: Span = Span::minutes(1);

/// What is being counted, and in which row it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Row {
    Intake(QueueId),
    Work(QueueId),
    Agent(AgentId),
    Line(QueueId),
}

/// Whose tallies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// A queue's.
    Queue(QueueId),
    /// An agent's.
    Agent(AgentId),
}

/// Tallies of all queues and agents.
#[derive(Debug, Clone)]
pub struct Ledger {
    queues: BTreeMap<QueueId, Series<QueueTally>>,
    agents: BTreeMap<AgentId, AgentBook>,
    lines: BTreeMap<QueueId, LineBook>,
    /// What queues told last of requests and offers.
    demand: BTreeMap<QueueId, (u64, u64)>,
    /// Before this quarters aren't known, so nothing may be counted there.
    floor: Timestamp,
    /// Rows that have changed since they were written.
    changed: Vec<(Timestamp, Row)>,
}

impl Ledger {
    /// A ledger that knows what was stored from [`Ledger::stored_from`] on.
    pub fn new(now: Timestamp, stored: Vec<Measured>) -> Self {
        let mut ledger = Self {
            queues: BTreeMap::new(),
            agents: BTreeMap::new(),
            lines: BTreeMap::new(),
            demand: BTreeMap::new(),
            floor: Self::stored_from(now),
            changed: Vec::new(),
        };
        for Measured { quarter, tally } in stored {
            ledger.restore(now, quarter, tally);
        }
        ledger
    }

    /// From where on a ledger must know what was stored.
    pub fn stored_from(now: Timestamp) -> Timestamp {
        quarter_of(now - QUARTERS_KEPT)
    }

    fn restore(&mut self, now: Timestamp, quarter: Timestamp, tally: Tally) {
        match tally {
            Tally::Intake(queue, intake) => {
                let tally = QueueTally { intake, work: Work::default() };
                self.queues.entry(queue).or_default().restore(now, quarter, &tally);
            }
            Tally::Work(queue, work) => {
                let tally = QueueTally { intake: Intake::default(), work: *work };
                self.queues.entry(queue).or_default().restore(now, quarter, &tally);
            }
            Tally::Agent(agent, tally) => {
                let book = self.agents.entry(agent).or_insert_with(|| AgentBook::new(now));
                book.series.restore(now, quarter, &tally);
            }
            Tally::Line(queue, line) => {
                self.line(&queue).quarters.insert(quarter, line);
            }
        }
    }

    /// An agent as they stand at start: without a session.
    pub fn know_agent(&mut self, now: Timestamp, agent: &Agent) {
        let book = self.agents.entry(agent.settings.id.clone());
        let book = book.or_insert_with(|| AgentBook::new(now));
        book.standing = Standing::of(agent);
        book.counted_to = now;
    }

    /// A callback as it stands at start.
    pub fn know_callback(&mut self, now: Timestamp, callback: &Callback) {
        if let Some(agent) = callback.holder() {
            let book = self.agents.entry(agent.clone()).or_insert_with(|| AgentBook::new(now));
            book.held = book.held.saturating_add(callback.size);
        }
    }

    /// Counts what a step says, and answers the rows that it changes.
    pub fn learn(&mut self, now: Timestamp, facts: Vec<Fact>) -> Vec<Measured> {
        if facts.is_empty() {
            return Vec::new();
        }
        for fact in facts {
            self.count(now, fact);
        }
        self.rows()
    }

    /// What a queue tells of itself after a step: how long its line is, and that it has counted so
    /// many requests and offers in all. Those are written with the next row, or tick.
    pub fn demand(&mut self, now: Timestamp, queue: &QueueId, stats: &QueueStats) {
        let at = now.max(self.floor);
        self.line(queue).is(at, stats.waiting);
        let told = (stats.asap_requests, stats.callback_offers);
        let before = self.demand.get(queue).copied().unwrap_or_default();
        if told == before {
            return;
        }
        self.demand.insert(queue.clone(), told);
        // Less than before: another queue of that name counts anew.
        let new = |told: u64, before: u64| told.checked_sub(before).unwrap_or(told);
        let (requests, offers) = (new(told.0, before.0), new(told.1, before.1));
        self.intake(now, queue, |intake| {
            intake.asap_requests += requests;
            intake.callback_offers += offers;
        });
    }

    /// Counts the time of some that has passed, forgets what is too old of theirs, and answers what
    /// has to be written.
    pub fn tick(&mut self, now: Timestamp, names: &[Name]) -> Vec<Measured> {
        for name in names {
            match name {
                Name::Agent(agent) => {
                    if self.agents.get(agent).is_some_and(AgentBook::is_on) {
                        self.book(now, agent);
                    }
                }
                Name::Queue(queue) => {
                    let now = now.max(self.floor);
                    let line = self.line(queue);
                    line.pass(now);
                    let changed = line.take_changed().into_iter();
                    let rows = changed.map(|quarter| (quarter, Row::Line(queue.clone())));
                    self.changed.extend(rows);
                }
            }
        }
        let rows = self.rows();
        self.floor = self.floor.max(Self::stored_from(now));
        // Who asked for the floor just before finds all from there on.
        let from = self.floor - QUARTER;
        for name in names {
            match name {
                Name::Queue(id) => {
                    if let Some(series) = self.queues.get_mut(id) {
                        series.forget(now, from);
                    }
                    let line = self.line(id);
                    line.quarters = line.quarters.split_off(&from);
                }
                Name::Agent(id) => {
                    if let Some(book) = self.agents.get_mut(id) {
                        book.series.forget(now, from);
                    }
                }
            }
        }
        rows
    }

    /// A queue's tally of a window that ends now.
    pub fn queue(&self, queue: &QueueId, window: Window) -> QueueTally {
        self.queues.get(queue).map_or_else(QueueTally::default, |series| series.sum(window))
    }

    /// How long a queue's line was in the last hour.
    pub fn last_hour(&self, now: Timestamp, queue: &QueueId) -> LastHour {
        let nobody = LineBook::default();
        self.lines.get(queue).unwrap_or(&nobody).last_hour(now)
    }

    /// An agent's tally of a window that ends now, up to this moment.
    pub fn agent(&self, now: Timestamp, agent: &AgentId, window: Window) -> AgentTally {
        let Some(book) = self.agents.get(agent) else { return AgentTally::default() };
        let mut sum = book.series.sum(window);
        let uncounted = book.uncounted(now).into_iter();
        uncounted.filter(|(at, _)| *at >= window.from()).for_each(|(_, tally)| sum += &tally);
        sum
    }

    /// From where on [`Ledger::quarters`] answers all that there is.
    pub const fn floor(&self) -> Timestamp {
        self.floor
    }

    /// Whose tallies there are.
    pub fn names(&self) -> Vec<Name> {
        let queues = self.queues.keys().cloned().map(Name::Queue);
        queues.chain(self.agents.keys().cloned().map(Name::Agent)).collect()
    }

    /// One's tallies of the quarters from `from` to before `to`, up to this moment; a quarter's may
    /// come in parts.
    pub fn quarters(
        &self,
        now: Timestamp,
        name: &Name,
        from: Timestamp,
        to: Timestamp,
    ) -> Vec<Measured> {
        if to <= from {
            return Vec::new();
        }
        let tallies: Vec<(Timestamp, Tally)> = match name {
            Name::Queue(id) => {
                let series = self.queues.get(id).into_iter();
                let tallies = series.flat_map(|series| series.quarters.range(from..to));
                let parts = tallies.flat_map(|(quarter, tally)| {
                    let intake = Tally::Intake(id.clone(), tally.intake.clone());
                    let work = Tally::Work(id.clone(), Box::new(tally.work.clone()));
                    [(*quarter, intake), (*quarter, work)]
                });
                let line = self.lines.get(id).map(|line| line.quarters(now, from, to));
                let lines = line.into_iter().flatten();
                let lines = lines.map(|(quarter, line)| (quarter, Tally::Line(id.clone(), line)));
                parts.chain(lines).collect()
            }
            Name::Agent(id) => {
                let Some(book) = self.agents.get(id) else { return Vec::new() };
                let counted = book.series.quarters.range(from..to);
                let counted = counted.map(|(quarter, tally)| (*quarter, tally.clone()));
                let uncounted = book.uncounted(now).into_iter();
                let uncounted = uncounted.map(|(at, tally)| (quarter_of(at), tally));
                let uncounted = uncounted.filter(|(quarter, _)| (from..to).contains(quarter));
                let all = counted.chain(uncounted);
                all.map(|(quarter, tally)| (quarter, Tally::Agent(id.clone(), Box::new(tally))))
                    .collect()
            }
        };
        tallies.into_iter().map(|(quarter, tally)| Measured { quarter, tally }).collect()
    }

    fn count(&mut self, now: Timestamp, fact: Fact) {
        match fact {
            Fact::Created(queue, channel, kind, medium) => self.intake(now, &queue, |intake| {
                *intake.created.entry((channel, (kind, medium))).or_default() += 1;
            }),
            Fact::Queued(queue) => self.intake(now, &queue, |intake| intake.queued += 1),
            Fact::Offer(queue, agent, step) => {
                self.work(now, &queue, |work| count_offer(&mut work.offers, step));
                self.agent_at(now, now, &agent, |tally| count_offer(&mut tally.offers, step));
            }
            Fact::Called(queue, agent) => {
                self.work(now, &queue, |work| work.calls.reached.of += 1);
                self.agent_at(now, now, &agent, |tally| tally.calls.reached.of += 1);
            }
            Fact::Reached { queue, agent, called_at, reached } => {
                let at = called_at.min(now);
                self.work(at, &queue, |work| count_reached(&mut work.calls, reached));
                self.agent_at(now, at, &agent, |tally| count_reached(&mut tally.calls, reached));
            }
            Fact::FirstCalled { queue, kind, wait, in_time } => self.work(now, &queue, |work| {
                work.waits.add(wait);
                share_of(work, kind).count(in_time);
            }),
            Fact::NeverCalled(queue, kind) => {
                self.work(now, &queue, |work| share_of(work, kind).count(false));
            }
            Fact::Promise(queue, kept) => self.work(now, &queue, |work| {
                work.promises_kept += u64::from(kept);
                work.promises_broken += u64::from(!kept);
            }),
            Fact::Handled(queue, agent, took) => {
                self.work(now, &queue, |work| count_handled(&mut work.calls, took));
                self.agent_at(now, now, &agent, |tally| count_handled(&mut tally.calls, took));
            }
            Fact::Closed(queue, reason, attempts) => self.work(now, &queue, |work| {
                *work.closed.entry(reason).or_default() += 1;
                if let Some(attempts) = attempts {
                    work.attempts.met += u64::from(attempts);
                    work.attempts.of += 1;
                }
            }),
            Fact::Holds(agent, size) => {
                let book = self.book(now, &agent);
                book.held = book.held.saturating_add(size);
            }
            Fact::Releases(agent, size) => {
                let book = self.book(now, &agent);
                book.held = book.held.saturating_sub(size);
            }
            Fact::Stands(agent, standing) => self.book(now, &agent).standing = standing,
            Fact::Connected(agent, connected) => self.book(now, &agent).connected = connected,
            Fact::Removed(agent) => {
                let book = self.book(now, &agent);
                book.standing.presence = Presence::Offline;
                book.connected = false;
            }
            Fact::QueueRemoved(queue) => {
                let at = now.max(self.floor);
                self.line(&queue).leave(at);
            }
        }
    }

    fn intake(&mut self, at: Timestamp, queue: &QueueId, count: impl Fn(&mut Intake)) {
        let at = at.max(self.floor);
        let quarter = self.series(queue).count(at, |tally| count(&mut tally.intake));
        self.changed.push((quarter, Row::Intake(queue.clone())));
    }

    fn work(&mut self, at: Timestamp, queue: &QueueId, count: impl Fn(&mut Work)) {
        let at = at.max(self.floor);
        let quarter = self.series(queue).count(at, |tally| count(&mut tally.work));
        self.changed.push((quarter, Row::Work(queue.clone())));
    }

    /// A queue's line. Whoever has one has a series as well, so that there is one list of names.
    fn line(&mut self, queue: &QueueId) -> &mut LineBook {
        if !self.lines.contains_key(queue) {
            self.lines.insert(queue.clone(), LineBook::default());
            self.series(queue);
        }
        self.lines.get_mut(queue).expect("it was put there")
    }

    fn series(&mut self, queue: &QueueId) -> &mut Series<QueueTally> {
        self.queues.entry(queue.clone()).or_default()
    }

    fn agent_at(
        &mut self,
        now: Timestamp,
        at: Timestamp,
        agent: &AgentId,
        count: impl Fn(&mut AgentTally),
    ) {
        let at = at.max(self.floor);
        let quarter = self.book(now, agent).series.count(at, count);
        self.changed.push((quarter, Row::Agent(agent.clone())));
    }

    /// An agent's book, with their time counted up to now.
    fn book(&mut self, now: Timestamp, agent: &AgentId) -> &mut AgentBook {
        let floor = self.floor;
        let book = self.agents.entry(agent.clone()).or_insert_with(|| AgentBook::new(now));
        for (at, piece) in book.uncounted(now) {
            let quarter = book.series.count(at.max(floor), |tally| *tally += &piece);
            self.changed.push((quarter, Row::Agent(agent.clone())));
        }
        // A clock that was set back counts from where it is.
        book.counted_to = now;
        book
    }

    /// What has changed, as it stands.
    fn rows(&mut self) -> Vec<Measured> {
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable();
        changed.dedup();
        let row = |(quarter, row)| {
            let tally = match row {
                Row::Intake(queue) => {
                    let tally = self.quarter_of_queue(&queue, quarter);
                    let intake = tally.map(|tally| tally.intake.clone()).unwrap_or_default();
                    Tally::Intake(queue, intake)
                }
                Row::Work(queue) => {
                    let tally = self.quarter_of_queue(&queue, quarter);
                    let work = tally.map(|tally| tally.work.clone()).unwrap_or_default();
                    Tally::Work(queue, Box::new(work))
                }
                Row::Agent(agent) => {
                    let book = self.agents.get(&agent);
                    let tally = book.and_then(|book| book.series.quarters.get(&quarter));
                    let tally = tally.cloned().unwrap_or_default();
                    Tally::Agent(agent, Box::new(tally))
                }
                Row::Line(queue) => {
                    let book = self.lines.get(&queue);
                    let line = book.and_then(|book| book.quarters.get(&quarter));
                    let line = line.cloned().unwrap_or_default();
                    Tally::Line(queue, line)
                }
            };
            Measured { quarter, tally }
        };
        changed.into_iter().map(row).collect()
    }

    fn quarter_of_queue(&self, queue: &QueueId, quarter: Timestamp) -> Option<&QueueTally> {
        self.queues.get(queue)?.quarters.get(&quarter)
    }
}

/// The share that a first call counts in.
fn share_of(work: &mut Work, kind: CallbackType) -> &mut super::Share {
    match kind {
        CallbackType::Asap => &mut work.service_level,
        CallbackType::Scheduled => &mut work.on_time,
    }
}

fn count_offer(offers: &mut super::Offers, step: OfferStep) {
    let count = match step {
        OfferStep::Made => &mut offers.made,
        OfferStep::Accepted => &mut offers.accepted,
        OfferStep::Declined => &mut offers.declined,
        OfferStep::Missed => &mut offers.missed,
        OfferStep::Revoked => &mut offers.revoked,
    };
    *count += 1;
}

/// A correction takes back what was counted.
fn count_reached(calls: &mut Calls, reached: bool) {
    let met = &mut calls.reached.met;
    *met = if reached { *met + 1 } else { met.saturating_sub(1) };
}

fn count_handled(calls: &mut Calls, took: Span) {
    calls.handled += 1;
    calls.handling += took;
}
