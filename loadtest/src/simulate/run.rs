//! One replication: customers come, wait, give up, talk; agents accept at once and hang up.
//!
//! What these people do is all that is made up here. Who is called by whom, and when, is what the
//! engine's machines say. After everything that happens it is checked that nobody waits whom an
//! idle agent could serve.

mod foretell;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use anyhow::{Result, ensure};
use ringback::domain::agent::Presence;
use ringback::domain::callback::{Outcome, State};
use ringback::domain::estimate::Estimator;
use ringback::domain::ids::CallbackId;
use ringback::domain::machines::router::RouterMachine;
use ringback::domain::message::{Action, Wish};
use ringback::domain::time::Span;

use foretell::Foretold;

use super::arrivals::{Call, Coming, Process};
use super::dice::Dice;
use super::floor::Floor;
use super::office::{Office, START, Told, slot_number};
use super::people::{self, clock, wish};
use super::plan::{Class, Micros, Plan, micros};
use super::tally::{ClassTally, Replication, Window, seconds};

/// After a week without anybody who does anything those who still wait do so in vain: their agents
/// have left.
const IN_VAIN: Micros = 7 * 86_400 * 1_000_000;

/// Something that happens at its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Arrives {
        class: usize,
        call: Option<Call>,
    },
    GivesUp(CallbackId),
    HangsUp(CallbackId),
    ShiftsChange,
    /// Nothing; so that the run looks up when its time is over.
    Ends,
}

/// A customer on the line, waiting to be called back, or talking.
#[derive(Debug)]
struct Customer {
    class: usize,
    came: Micros,
    /// How long the conversation takes, with an agent of ordinary pace.
    talks: Micros,
    /// Came within the window.
    counts: bool,
    called_back: bool,
    agent: Option<usize>,
    answered: Micros,
    foretold: Option<Foretold>,
}

/// The streams of a class.
#[derive(Debug)]
struct Streams {
    process: Process,
    service: Dice,
    patience: Dice,
    choice: Dice,
    wish: Wish,
}

struct Run<'a> {
    plan: &'a Plan,
    /// Whoever comes within is counted.
    window: Window,
    /// The line's length within is measured, and agents' time.
    measured: Window,
    office: Office,
    now: Micros,
    /// When somebody did something last.
    happened: Micros,
    agenda: BinaryHeap<Reverse<(Micros, u64, Happening)>>,
    order: u64,
    streams: Vec<Streams>,
    customers: Vec<Option<Customer>>,
    floor: Floor,
    /// Who waits on the line of each queue, in order of arrival; some of them are gone.
    lines: Vec<VecDeque<(CallbackId, Micros)>>,
    /// The engine's estimator of each queue.
    estimators: Vec<Estimator>,
    /// Of each class: on the line, and since when that many.
    on_line: Vec<(u64, Micros)>,
    /// Of each class: waiting to be called back.
    to_call: Vec<u64>,
    /// Customers who are here, and those of them who count.
    here: u64,
    here_counting: u64,
    told: Vec<Told>,
    classes: Vec<ClassTally>,
}

/// Plays a scenario once.
pub(crate) fn replicate(plan: &Plan, number: u32) -> Result<Replication> {
    let mut run = Run::new(plan, number)?;
    run.play()?;
    Ok(run.finish())
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan, number: u32) -> Result<Self> {
        let streams = plan.classes.iter().enumerate().map(|(class, settings)| {
            let dice = |purpose| Dice::new([plan.seed, u64::from(number), class as u64, purpose]);
            Streams {
                process: settings.arrivals.start(dice(0)),
                service: dice(1),
                patience: dice(2),
                choice: dice(3),
                wish: wish(settings),
            }
        });
        let window = Window { from: plan.warmup, to: plan.duration };
        let end = if plan.until_empty { Micros::MAX } else { plan.duration };
        let measured = Window { to: end, ..window };
        let mut run = Self {
            plan,
            window,
            measured,
            office: Office::new(&plan.queues, &plan.agents)?,
            now: 0,
            happened: 0,
            agenda: BinaryHeap::new(),
            order: 0,
            streams: streams.collect(),
            customers: Vec::new(),
            floor: Floor::new(plan, measured),
            lines: vec![VecDeque::new(); plan.queues.len()],
            estimators: vec![Estimator::new(); plan.queues.len()],
            on_line: vec![(0, 0); plan.classes.len()],
            to_call: vec![0; plan.classes.len()],
            here: 0,
            here_counting: 0,
            told: Vec::new(),
            classes: vec![ClassTally::default(); plan.classes.len()],
        };
        run.change_shifts();
        run.after()?;
        for class in 0..plan.classes.len() {
            run.await_next(class);
        }
        run.at(plan.duration, Happening::Ends);
        Ok(run)
    }

    fn at(&mut self, time: Micros, happening: Happening) {
        self.order += 1;
        self.agenda.push(Reverse((time, self.order, happening)));
    }

    /// Until everybody who counts is served or gone. Where people go on coming at most twice as
    /// long as asked for, since where more come than can be served that never is; where they don't,
    /// until nobody has done anything for long.
    fn play(&mut self) -> Result<()> {
        loop {
            // One that is past rings at once.
            let alarm = self.office.alarm().map(|at| at.max(START).since(START).0 * 1_000);
            let next = self.agenda.peek().map(|Reverse((time, _, _))| *time);
            let left = if self.plan.until_empty { self.here } else { self.here_counting };
            let over = self.now >= self.plan.duration && left == 0;
            let Some(time) = next.into_iter().chain(alarm).min() else { return Ok(()) };
            let last = if self.plan.until_empty {
                self.happened.max(self.plan.duration) + IN_VAIN
            } else {
                self.plan.duration.saturating_mul(2)
            };
            if over || time > last {
                return Ok(());
            }
            self.now = self.now.max(time);
            self.office.advance(clock(self.now));
            if alarm.is_some_and(|at| at <= self.now) {
                self.office.ring();
            } else if let Some(Reverse((_, _, happening))) = self.agenda.pop() {
                self.happened = self.now;
                self.happens(happening);
            }
            self.after()?;
        }
    }

    fn happens(&mut self, happening: Happening) {
        match happening {
            Happening::Arrives { class, call } => {
                self.arrives(class, call);
                self.await_next(class);
            }
            Happening::GivesUp(callback) => {
                if self.customer(callback).is_some_and(|customer| customer.agent.is_none()) {
                    self.office.cancel(callback);
                }
            }
            Happening::HangsUp(callback) => {
                let agent = self.customer(callback).and_then(|customer| customer.agent);
                // The engine itself may have ended what lasted longer than the settings allow.
                if let Some(agent) = agent.filter(|_| self.office.is_calling(callback)) {
                    self.office.act(callback, agent, Action::EndCall { notes: None });
                }
            }
            Happening::ShiftsChange => self.change_shifts(),
            Happening::Ends => {}
        }
    }

    /// Draws when the next customer of a class comes. With `until_empty` nobody comes any more
    /// after the end.
    fn await_next(&mut self, class: usize) {
        let end = self.plan.duration;
        let end = if self.plan.until_empty { end } else { end.saturating_mul(2) };
        if let Some(Coming { at, call }) = self.streams[class].process.next(end) {
            self.at(at, Happening::Arrives { class, call });
        }
    }

    fn arrives(&mut self, number: usize, call: Option<Call>) {
        let (plan, now) = (self.plan, self.now);
        let class = &plan.classes[number];
        let streams = &mut self.streams[number];
        let talks = people::talks(class.service, call, &mut streams.service);
        let patience = class.patience;
        let patience = patience.map(|times| people::patience(times, call, &mut streams.patience));
        // All are drawn in any case: whoever comes is the same person whatever the rules.
        let balks = streams.choice.happens(class.balk_share);
        let accepts = class.callback.as_ref().map(|one| streams.choice.happens(one.accept_share));
        let counts = self.window.counts(now);
        let tally = &mut self.classes[number];
        tally.arrivals += u64::from(counts);
        let waits =
            self.is_shut(class) || class.groups.iter().all(|group| self.floor.idle(*group) == 0);
        if waits && self.line_length(class) >= class.waiting_places {
            self.classes[number].blocked += u64::from(counts);
            return;
        }
        if waits && balks {
            self.classes[number].balked += u64::from(counts);
            return;
        }
        let offered = waits && self.is_offered(number);
        let called_back = offered && accepts == Some(true);
        let mut wish = self.streams[number].wish.clone();
        if let Some(option) = class.callback.as_ref().filter(|_| called_back) {
            wish.queue.clone_from(&option.queue);
            self.classes[number].callbacks += u64::from(counts);
        }
        let foretold = if waits { self.foretell(number) } else { None };
        let callback = self.office.request(wish);
        let customer = Customer {
            class: number,
            came: now,
            talks,
            counts,
            called_back,
            agent: None,
            answered: now,
            foretold,
        };
        if waits && !called_back {
            self.lines[class.line].push_back((callback, now));
        }
        self.seat(callback, customer);
        if let Some(patience) = patience.filter(|_| waits && !called_back) {
            self.at(now + patience, Happening::GivesUp(callback));
        }
    }

    fn seat(&mut self, callback: CallbackId, customer: Customer) {
        self.here += 1;
        self.here_counting += u64::from(customer.counts);
        if customer.called_back {
            self.to_call[customer.class] += 1;
        } else {
            self.count_line(customer.class, true);
        }
        let slot = slot_number(callback);
        if slot >= self.customers.len() {
            self.customers.resize_with(slot + 1, || None);
        }
        self.customers[slot] = Some(customer);
    }

    fn customer(&mut self, callback: CallbackId) -> Option<&mut Customer> {
        if !self.office.is_live(callback) {
            return None;
        }
        self.customers.get_mut(slot_number(callback))?.as_mut()
    }

    /// How many wait in the class's queue.
    fn line_length(&self, class: &Class) -> u64 {
        let alike = self.plan.classes.iter().zip(&self.on_line);
        alike.filter(|(one, _)| one.line == class.line).map(|(_, (count, _))| *count).sum()
    }

    /// One more, or one fewer, on the line of a class.
    fn count_line(&mut self, class: usize, more: bool) {
        let (count, since) = self.on_line[class];
        let length = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        self.classes[class].line_area += length * self.measured.overlap(since, self.now);
        self.on_line[class] = (if more { count + 1 } else { count - 1 }, self.now);
    }

    /// Whoever is not there yet comes, and whoever is too many goes when their call is over.
    fn change_shifts(&mut self) {
        let plan = self.plan;
        let mut again: Option<Micros> = None;
        for group in &plan.groups {
            let there = match &group.shifts {
                None => group.size,
                Some(shifts) => {
                    // Those of the last period stay until everybody is gone.
                    let over = plan.until_empty && self.now >= plan.duration;
                    let at = if over { plan.duration - 1 } else { self.now };
                    let period = at / shifts.period;
                    if !over {
                        let next = (period + 1) * shifts.period;
                        again = Some(again.map_or(next, |again| again.min(next)));
                    }
                    let place = usize::try_from(period).unwrap_or_default() % shifts.counts.len();
                    shifts.counts[place]
                }
            };
            for (agent, there) in self.floor.shift(group, there, self.now) {
                let presence = if there { Presence::Available } else { Presence::Away };
                self.office.set_presence(agent, presence);
            }
        }
        if let Some(next) = again {
            self.at(next, Happening::ShiftsChange);
        }
    }

    /// Lets the machines talk, and people answer, until nobody has anything to say.
    fn after(&mut self) -> Result<()> {
        loop {
            self.office.settle()?;
            let mut told = std::mem::take(&mut self.told);
            self.office.hear(&mut told);
            let quiet = told.is_empty();
            for one in told.drain(..) {
                self.hear(one);
            }
            self.told = told;
            if quiet {
                break;
            }
        }
        self.conserves()
    }

    /// Whether the class's queue is closed.
    fn is_shut(&self, class: &Class) -> bool {
        self.plan.keeps_hours && !self.plan.queues[class.line].hours.is_open(clock(self.now))
    }

    /// No compatible pair waits and idles. What waited for an opening is gathered for a moment
    /// before it is decided.
    fn conserves(&self) -> Result<()> {
        let soon = clock(self.now) + RouterMachine::GATHER;
        if self.plan.keeps_hours && self.office.alarm().is_some_and(|at| at <= soon) {
            return Ok(());
        }
        for (number, class) in self.plan.classes.iter().enumerate() {
            let waiting = self.on_line[number].0 + self.to_call[number];
            if waiting > 0 && !self.is_shut(class) {
                let free = class.groups.iter().find(|group| self.floor.idle(**group) > 0);
                ensure!(
                    free.is_none(),
                    "customers of class {:?} wait while an agent of {:?} is idle, after {} s",
                    class.id,
                    free.map_or("", |group| &self.plan.groups[*group].id),
                    seconds(self.now)
                );
            }
        }
        Ok(())
    }

    fn hear(&mut self, told: Told) {
        match told {
            Told::Offered { callback, agent, offer } => {
                self.office.act(callback, agent, Action::Accept { offer, session: None });
            }
            Told::Assigned { callback, agent } => self.assigned(callback, agent),
            Told::Unassigned { agent, .. } => self.floor.free(agent, self.now),
            Told::Ended { callback, state } => self.ended(callback, Some(state)),
            Told::Refused { callback } => self.ended(callback, None),
        }
    }

    fn assigned(&mut self, callback: CallbackId, agent: usize) {
        self.office.act(callback, agent, Action::Call);
        let (outcome, notes) = (Outcome::Answered, None);
        self.office.act(callback, agent, Action::Outcome { outcome, notes });
        let now = self.now;
        self.floor.take(agent, now, self.measured.counts(now));
        let Some(customer) = self.customers[slot_number(callback)].as_mut() else { return };
        customer.agent = Some(agent);
        customer.answered = now;
        let Customer { class, came, talks, counts, called_back, foretold, .. } = *customer;
        let pace = self.plan.groups[self.plan.group_of[agent]].pace[class];
        let lasts = micros(seconds(talks) * pace);
        self.at(now + lasts, Happening::HangsUp(callback));
        let waited = now - came;
        if called_back {
            self.to_call[class] -= 1;
        } else {
            self.count_line(class, false);
        }
        if counts {
            self.count_answer(class, waited, called_back);
        }
        if !called_back {
            self.learn(class, waited, foretold, counts);
        }
    }

    fn count_answer(&mut self, class: usize, waited: Micros, called_back: bool) {
        let promise = self.plan.classes[class].callback.as_ref().and_then(|one| one.promise);
        let tally = &mut self.classes[class];
        tally.served += 1;
        if called_back {
            tally.called_back += 1;
            tally.delays += seconds(waited);
            tally.promised += u64::from(promise.is_some());
            tally.kept += u64::from(promise.is_some_and(|promise| waited <= promise));
            return;
        }
        tally.answered += 1;
        tally.waits += seconds(waited);
        tally.on_the_line += seconds(waited);
        tally.at_once += u64::from(waited == 0);
        tally.in_time += u64::from(waited <= self.plan.service_level);
    }

    /// A customer is gone: served, or given up, or refused.
    fn ended(&mut self, callback: CallbackId, state: Option<State>) {
        let Some(customer) = self.customers[slot_number(callback)].take() else { return };
        self.here -= 1;
        self.here_counting -= u64::from(customer.counts);
        let estimator = &mut self.estimators[self.plan.classes[customer.class].line];
        if customer.agent.is_some() {
            estimator.served(Span::millis((self.now - customer.answered) / 1_000));
            return;
        }
        if customer.called_back {
            self.to_call[customer.class] -= 1;
        } else {
            estimator.waited(Span::millis((self.now - customer.came) / 1_000));
            estimator.gave_up();
            self.count_line(customer.class, false);
        }
        if !customer.counts {
            return;
        }
        let tally = &mut self.classes[customer.class];
        if state.is_none() {
            tally.blocked += 1;
        } else {
            tally.abandoned += 1;
            tally.on_the_line += seconds(self.now - customer.came);
        }
    }

    fn finish(self) -> Replication {
        let end = if self.plan.until_empty { self.now } else { self.plan.duration };
        Replication {
            classes: self.classes,
            agents: self.floor.finish(self.now),
            simulated: seconds(end),
            events: self.office.steps,
        }
    }
}
