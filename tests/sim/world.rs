//! The engine's part of the simulation: the real machines, a mailbox each, a journal that is
//! durable up to some entry, outputs that are held until theirs is, and a crash between any two.

mod carriers;
mod courier;
mod lines;
pub(crate) mod outside;
mod planted;
mod records;
mod seats;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ringback::domain::callback::Callback;
use ringback::domain::effect::{Answer, Change, Effect, Notice, StepOutput};
use ringback::domain::event::Event;
use ringback::domain::ids::{AgentId, CallbackId, Fresh, QueueId, SessionId};
use ringback::domain::machines::agent::AgentMachine;
use ringback::domain::machines::callback::CallbackMachine;
use ringback::domain::machines::queue::QueueMachine;
use ringback::domain::machines::router::{RouterLimits, RouterMachine};
use ringback::domain::machines::scheduler::{SchedulerMachine, WindowLimits};
use ringback::domain::message::{AgentTimers, Letter, Machine, SchedulerMessage, Token};
use ringback::domain::refusal::Refusal;
use ringback::domain::time::{Now, Span, Timestamp};

use self::carriers::Carriers;
use self::courier::Courier;
use self::lines::Lines;
use self::outside::Outside;
pub(crate) use self::planted::Planted;
pub(crate) use self::records::{Entry, Records};
use crate::checks::Checks;
use crate::rng::Rng;

/// What leaves the engine.
#[derive(Debug, Clone)]
pub(crate) enum Output {
    Answer(Token, Box<Result<Answer, Refusal>>),
    Notice(SessionId, Notice),
}

/// The engine.
pub(crate) struct World {
    pub(crate) planted: Planted,
    pub(crate) wall: Timestamp,
    pub(crate) steady: Timestamp,
    pub(crate) newest: Records,
    pub(crate) checks: Checks,
    pub(crate) timers: AgentTimers,
    /// Due reads under way: what they found, to be delivered later.
    pub(crate) reads: VecDeque<SchedulerMessage>,
    pub(crate) steps: u64,
    /// Every event is printed: `TRACE=1 SEED=17 make sim`.
    traced: bool,
    callbacks: BTreeMap<CallbackId, CallbackMachine>,
    agents: BTreeMap<AgentId, AgentMachine>,
    queues: BTreeMap<QueueId, QueueMachine>,
    router: RouterMachine,
    scheduler: SchedulerMachine,
    mail: BTreeMap<Machine, VecDeque<Letter>>,
    journal: Vec<Entry>,
    durable: usize,
    lines: Lines,
    carriers: Carriers,
    courier: Courier,
    /// What isn't the engine's: it lasts over a crash.
    pub(crate) outside: Outside,
    held: VecDeque<(usize, Output)>,
    alarm: (Option<Timestamp>, Option<Timestamp>),
    ids: u64,
}

impl World {
    pub(crate) fn new(planted: Planted, start: Timestamp, timers: AgentTimers) -> Self {
        Self {
            planted,
            wall: start,
            steady: start,
            newest: Records::default(),
            checks: Checks::default(),
            timers,
            reads: VecDeque::new(),
            steps: 0,
            traced: std::env::var("TRACE").is_ok(),
            callbacks: BTreeMap::new(),
            agents: BTreeMap::new(),
            queues: BTreeMap::new(),
            router: router(),
            scheduler: scheduler(),
            mail: BTreeMap::new(),
            journal: Vec::new(),
            durable: 0,
            lines: Lines::default(),
            carriers: Carriers::default(),
            courier: Courier::at(None),
            outside: Outside::default(),
            held: VecDeque::new(),
            alarm: (Some(start), None),
            ids: 0,
        }
    }

    /// A fresh id, ordered in time as a `UUIDv7` is.
    pub(crate) fn fresh(&mut self) -> u128 {
        self.ids += 1;
        let millis = u128::try_from(self.steady.0).expect("after 1970");
        (millis << 80) | (u128::from(self.ids) << 1)
    }

    fn now(&mut self) -> Now {
        let fresh = Fresh(self.fresh());
        Now { wall: self.wall, steady: self.steady, fresh }
    }

    /// Puts a letter into its machine's mailbox.
    pub(crate) fn post(&mut self, letter: Letter) {
        if self.planted.drops(&letter) {
            return;
        }
        let machine = match &letter {
            Letter::Callback(id, _) => Machine::Callback(*id),
            Letter::Agent(id, _) => Machine::Agent(id.clone()),
            Letter::Queue(id, _) => Machine::Queue(id.clone()),
            Letter::Router(_) => Machine::Router,
            Letter::Scheduler(_) => Machine::Scheduler,
        };
        self.mail.entry(machine).or_default().push_back(letter);
    }

    /// Whether any letter waits.
    pub(crate) fn has_mail(&self) -> bool {
        !self.mail.is_empty()
    }

    /// Delivers one letter, of a mailbox drawn at random.
    pub(crate) fn deliver(&mut self, rng: &mut Rng) {
        let boxes: Vec<Machine> = self.mail.keys().cloned().collect();
        let machine = rng.pick(&boxes).clone();
        let letters = self.mail.get_mut(&machine).expect("drawn from the keys");
        let letter = letters.pop_front().expect("empty mailboxes are removed");
        if letters.is_empty() {
            self.mail.remove(&machine);
        }
        self.step(letter);
    }

    fn step(&mut self, letter: Letter) {
        self.steps += 1;
        let now = self.now();
        let mut out = StepOutput::default();
        let mut lets_go = None;
        match letter {
            Letter::Callback(id, message) => {
                self.rouse(id, &now).step(&now, message, &mut out);
                lets_go = Some(id);
            }
            Letter::Agent(id, message) => {
                let timers = self.timers;
                let new = || AgentMachine::new(id.clone(), 0, timers);
                self.agents.entry(id.clone()).or_insert_with(new).step(&now, message, &mut out);
            }
            Letter::Queue(id, message) => {
                let new = || QueueMachine::new(id.clone(), 0);
                self.queues.entry(id.clone()).or_insert_with(new).step(&now, message, &mut out);
            }
            Letter::Router(message) => self.router.step(&now, message, &mut out),
            Letter::Scheduler(message) => self.scheduler.step(&now, message, &mut out),
        }
        self.carry_out(&now, out, lets_go);
        // It looks at everything: now and then while letters are on their way, and when none is.
        if self.steps.is_multiple_of(16) || !self.has_mail() {
            self.check_seats();
        }
    }

    /// The machine of a callback, made from its record if it isn't live.
    fn rouse(&mut self, id: CallbackId, now: &Now) -> &mut CallbackMachine {
        let newest = &self.newest;
        let record = newest.callbacks.get(&id);
        let machine = self.callbacks.entry(id).or_insert_with(|| match record {
            Some(record) => {
                let queue = Arc::clone(&newest.queues[&record.queue]);
                CallbackMachine::restore(record, queue, now)
            }
            None => CallbackMachine::new(id),
        });
        if let Some(record) = record
            && self.planted != Planted::DenialsForgotten
        {
            machine.know_denied(newest.is_denied(record.reach.phone.as_ref()));
        }
        machine
    }

    fn carry_out(&mut self, now: &Now, mut out: StepOutput, lets_go: Option<CallbackId>) {
        if self.traced {
            for event in &out.events {
                eprintln!("{} {:?} {event:?}", self.journal.len() + 1, now.steady);
            }
        }
        self.planted.spoils(&mut out.changes);
        self.checks.entry(now, &self.newest, &out);
        self.checks.owes(self.journal.len() + 1, &out);
        self.write(out.changes, out.events);
        for effect in out.effects {
            match effect {
                Effect::Send(letter) => self.post(letter),
                Effect::Answer { token, result } => {
                    self.hold(Output::Answer(token, result));
                    self.next_in_line(token);
                }
                Effect::Notify { sessions, notice } => {
                    for session in sessions {
                        self.hold(Output::Notice(session, notice.clone()));
                    }
                }
                Effect::CloseSessions { .. }
                | Effect::PublishAgent(..)
                | Effect::PublishQueue(..) => {}
                Effect::LetGo => {
                    if let Some(id) = lets_go
                        && !self.mail.contains_key(&Machine::Callback(id))
                    {
                        self.callbacks.remove(&id);
                    }
                }
                Effect::ReadDue { read, after, until, limit } => {
                    self.read_due(read, after, until, limit);
                }
                Effect::SetAlarm { wall, steady } => self.alarm = (wall, steady),
            }
        }
    }

    /// Changes and events are one entry of the journal.
    fn write(&mut self, changes: Vec<Change>, events: Vec<Event>) {
        if changes.is_empty() && events.is_empty() {
            return;
        }
        let entry = Entry { changes, events };
        self.newest.take(self.journal.len() as u64 + 1, &entry);
        self.journal.push(entry);
        self.checks.capacity(&self.newest);
    }

    fn read_due(
        &mut self,
        read: u64,
        after: Option<(Timestamp, CallbackId)>,
        until: Timestamp,
        limit: usize,
    ) {
        let mut due: Vec<_> = self
            .newest
            .callbacks
            .values()
            .filter_map(|callback| Some((callback.wakes_at()?, callback.id)))
            .filter(|edge| after.is_none_or(|after| *edge > after) && edge.0 <= until)
            .collect();
        due.sort_unstable();
        let more = due.len() > limit;
        due.truncate(limit);
        self.reads.push_back(SchedulerMessage::Window { read, items: due, more });
    }

    fn hold(&mut self, output: Output) {
        self.held.push_back((self.journal.len(), output));
    }

    /// More of the journal becomes durable, and what showed it may leave.
    pub(crate) fn sync(&mut self, up_to: usize) -> Vec<Output> {
        self.durable = self.durable.max(up_to.min(self.journal.len()));
        let bound = match self.planted {
            Planted::OutputsNotHeld => usize::MAX,
            _ => self.durable,
        };
        let mut left = Vec::new();
        while self.held.front().is_some_and(|(number, _)| *number <= bound) {
            left.extend(self.held.pop_front().map(|(_, output)| output));
        }
        for output in &left {
            if let Output::Answer(token, _) = output {
                self.carriers.answered(*token);
            }
        }
        left
    }

    /// Entries taken so far.
    pub(crate) fn taken(&self) -> usize {
        self.journal.len()
    }

    /// The process ends at this moment, and another one starts from what is durable.
    pub(crate) fn crash(&mut self) {
        if self.traced {
            eprintln!("{} crash, {} entries are durable", self.journal.len(), self.durable);
        }
        self.journal.truncate(self.durable);
        self.newest = Records::default();
        for (number, entry) in (1..).zip(&self.journal) {
            self.newest.take(number, entry);
        }
        self.checks.restarted(self.durable, &self.newest);
        let lost = self.outside.lies(self.durable, &self.newest);
        self.checks.violations.extend(lost);
        self.lines = Lines::default();
        self.carriers = Carriers::default();
        self.courier = Courier::at(self.newest.progress.as_deref());
        self.mail.clear();
        self.held.clear();
        self.reads.clear();
        self.callbacks.clear();
        self.agents.clear();
        self.queues.clear();
        self.router = router();
        self.scheduler = scheduler();
        self.steady = self.wall;
        self.alarm = (Some(self.wall), None);
        self.recover();
    }

    fn recover(&mut self) {
        let records = self.newest.clone();
        for (id, queue) in &records.queues {
            let seats = records.seats(id);
            let mut machine = QueueMachine::restore(Arc::clone(queue)).with_seats(seats, 0);
            let (now, mut out) = (self.now(), StepOutput::default());
            machine.recover(&now, &mut out);
            self.queues.insert(id.clone(), machine);
            self.carry_out(&now, out, None);
        }
        for (id, agent) in &records.agents {
            let mut machine = AgentMachine::restore(Arc::clone(agent), self.timers);
            let (now, mut out) = (self.now(), StepOutput::default());
            machine.recover(&now, &mut out);
            self.agents.insert(id.clone(), machine);
            self.carry_out(&now, out, None);
        }
        for (id, callback) in &records.callbacks {
            if callback.state().is_live() {
                let queue = Arc::clone(&records.queues[&callback.queue]);
                let (now, mut out) = (self.now(), StepOutput::default());
                let mut machine = CallbackMachine::restore(callback, queue, &now);
                machine.know_denied(
                    self.planted != Planted::DenialsForgotten
                        && records.is_denied(callback.reach.phone.as_ref()),
                );
                machine.recover(&now, &mut out);
                self.callbacks.insert(*id, machine);
                self.carry_out(&now, out, None);
            }
        }
    }

    /// When something happens by itself next: a due read's answer aside, the alarm.
    pub(crate) fn next_alarm(&self) -> Option<Timestamp> {
        let offset = self.wall.since(self.steady);
        let steady = self.alarm.1.map(|at| at + offset);
        [self.alarm.0, steady].into_iter().flatten().min()
    }

    /// Ticks the scheduler if its alarm has come.
    pub(crate) fn ring(&mut self, permits: usize) {
        if self.next_alarm().is_some_and(|at| at <= self.wall) {
            self.alarm = (None, None);
            self.post(Letter::Scheduler(SchedulerMessage::Tick { permits }));
        }
    }

    /// Lets time pass.
    pub(crate) fn advance(&mut self, to: Timestamp) {
        let passed = to.since(self.wall);
        if passed > Span::ZERO {
            self.wall = to;
            self.steady = self.steady + passed;
        }
    }

    /// Callbacks that aren't over.
    pub(crate) fn unfinished(&self) -> Vec<&Callback> {
        let all = self.newest.callbacks.values();
        all.filter(|callback| !callback.state().is_final()).map(AsRef::as_ref).collect()
    }
}

fn router() -> RouterMachine {
    RouterMachine::new(RouterLimits::default())
}

fn scheduler() -> SchedulerMachine {
    SchedulerMachine::new(WindowLimits { items: 8, span: Span::seconds(300) })
}

/// The callback that an event tells of.
pub(crate) fn subject(event: &Event) -> Option<CallbackId> {
    match event {
        Event::Callback(id, _) => Some(*id),
        Event::Agent(..) | Event::Queue(..) => None,
    }
}
