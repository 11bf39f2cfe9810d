//! One run: chaos for a while, then calm, in which everything must come to its end.

use std::collections::BTreeMap;
use std::sync::Arc;

use ringback::domain::ids::{AgentId, QueueId};
use ringback::domain::machines::router::RouterMachine;
use ringback::domain::message::{AgentMessage, AgentTimers, Letter, QueueMessage, Token};
use ringback::domain::policy::{
    AgentSettings, Capacity, DuplicatePolicy, Medium, Membership, PerMedium, QueueSettings,
    SlotCapacity, WrapUpMode,
};
use ringback::domain::skills::Skills;
use ringback::domain::time::{Span, Timestamp};

use crate::people::{Asked, PHONES, People, SLOT_MINUTES, Sent, phone};
use crate::rng::Rng;
use crate::world::{Output, Planted, World};

/// What a run came to.
pub(crate) struct Report {
    pub(crate) violations: Vec<String>,
    pub(crate) steps: u64,
    pub(crate) entries: usize,
}

/// Something that happens at its time.
#[derive(Debug, Clone)]
enum Happening {
    Arrives(Box<Sent>),
    AgentActs(usize),
    CustomerAsks,
    SomebodyChanges,
    Pauses,
    Denies,
    Crash,
    ClockJumps,
}

struct Run {
    rng: Rng,
    world: World,
    people: People,
    agenda: BTreeMap<(Timestamp, u64), Happening>,
    asked: BTreeMap<Token, Asked>,
    order: u64,
}

/// 2026-11-24T08:00:00Z.
const START: Timestamp = Timestamp(1_795_507_200_000);
/// How long the chaos lasts.
const CHAOS: Span = Span::minutes(40);
/// In calm, everything must have ended by then.
const CALM: Span = Span::days(2);
/// A run that does more steps than this goes round in circles.
const MAX_STEPS: u64 = 400_000;

/// Runs one seed.
pub(crate) fn simulate(seed: u64, planted: Planted) -> Report {
    let mut rng = Rng::new(seed);
    let timers = AgentTimers {
        session_grace: Span::seconds(30),
        call_grace: Span::seconds(900),
        max_missed_offers: u32::try_from(rng.between(1, 3)).expect("small"),
    };
    let queues: Vec<QueueId> =
        (0..rng.between(1, 3)).map(|n| QueueId::parse(&format!("q{n}")).expect("id")).collect();
    let agents: Vec<AgentId> =
        (0..rng.between(1, 6)).map(|n| AgentId::parse(&format!("a{n}")).expect("id")).collect();
    let mut run = Run {
        world: World::new(planted, START, timers),
        people: People::new(&agents, queues.clone()),
        agenda: BTreeMap::new(),
        asked: BTreeMap::new(),
        order: 0,
        rng,
    };
    run.set_up(&queues, &agents, timers);
    run.chaos();
    run.calm();
    run.finish();
    let violations = run.world.checks.violations.clone();
    Report { violations, steps: run.world.steps, entries: run.world.taken() }
}

impl Run {
    fn set_up(&mut self, queues: &[QueueId], agents: &[AgentId], timers: AgentTimers) {
        for id in queues {
            let settings = Arc::new(queue_settings(id, &mut self.rng));
            let message = QueueMessage::Put { token: None, if_match: None, settings };
            self.world.post(Letter::Queue(id.clone(), message));
        }
        for id in agents {
            let settings = Arc::new(agent_settings(id, queues, &mut self.rng));
            let message = AgentMessage::Put { token: None, if_match: None, settings, timers };
            self.world.post(Letter::Agent(id.clone(), message));
        }
        while self.world.has_mail() {
            self.world.deliver(&mut self.rng);
        }
        self.sync_all();
    }

    fn at(&mut self, after: Span, happening: Happening) {
        self.order += 1;
        self.agenda.insert((self.world.wall + after, self.order), happening);
    }

    fn soon(&mut self, most_seconds: u64) -> Span {
        Span::millis(i64::try_from(self.rng.below(most_seconds * 1_000)).expect("small"))
    }

    fn chaos(&mut self) {
        let end = START + CHAOS;
        for place in 0..self.people.agents.len() {
            let after = self.soon(20);
            self.at(after, Happening::AgentActs(place));
        }
        for happening in [
            Happening::CustomerAsks,
            Happening::SomebodyChanges,
            Happening::Pauses,
            Happening::Denies,
            Happening::Crash,
            Happening::ClockJumps,
        ] {
            let after = self.soon(600);
            self.at(after, happening);
        }
        while self.world.wall < end && self.sound() {
            self.one(true);
        }
    }

    fn calm(&mut self) {
        // What is still on its way arrives first; what it pauses goes on again after that.
        self.agenda.retain(|_, one| matches!(one, Happening::Arrives(_)));
        while (self.world.has_mail() || !self.agenda.is_empty()) && self.sound() {
            self.one(true);
        }
        self.people.calm = true;
        for place in 0..self.people.agents.len() {
            self.at(Span::ZERO, Happening::AgentActs(place));
        }
        for sent in self.people.resume_all() {
            self.send(sent);
        }
        let end = self.world.wall + CALM;
        while self.sound() && !self.world.unfinished().is_empty() {
            if self.world.wall > end {
                let left: Vec<String> = self
                    .world
                    .unfinished()
                    .iter()
                    .map(|one| format!("{} never ended: {:?}", one.id, one.phase))
                    .collect();
                self.world.checks.violations.extend(left);
                return;
            }
            self.one(false);
        }
    }

    fn sound(&mut self) -> bool {
        if self.world.steps > MAX_STEPS {
            self.world.checks.violations.push("it goes round in circles".to_owned());
        }
        self.world.checks.violations.is_empty()
    }

    /// One thing happens.
    fn one(&mut self, chaos: bool) {
        if self.rng.percent(25) {
            let taken = u64::try_from(self.world.taken()).expect("fits");
            let up_to = usize::try_from(self.rng.below(taken + 1)).expect("fits");
            self.sync(up_to);
        }
        if self.world.has_mail() && self.rng.percent(if chaos { 95 } else { 100 }) {
            self.world.deliver(&mut self.rng);
            return;
        }
        if let Some(read) = self.world.reads.pop_front() {
            self.world.post(Letter::Scheduler(read));
            return;
        }
        if self.rng.percent(60) && self.goes_out(chaos) {
            return;
        }
        if !self.world.has_mail() {
            // In chaos time goes on, and a crash may come, before all of it is durable.
            if !chaos || self.rng.percent(70) {
                self.sync_all();
            }
            self.world.checks.offers_stand(&self.world.newest);
            if !chaos {
                self.conserves();
            }
        }
        let permits = usize::try_from(self.rng.between(1, 4)).expect("small");
        let next = self.agenda.keys().next().map(|(at, _)| *at);
        let times = [next, self.world.next_alarm()];
        let Some(at) = times.into_iter().flatten().min() else {
            if !self.world.has_mail() {
                let text = "nothing will ever happen again".to_owned();
                self.world.checks.violations.push(text);
            }
            return;
        };
        self.world.advance(at);
        self.world.ring(permits);
        if next.is_some_and(|next| next <= self.world.wall)
            && let Some((_, happening)) = self.agenda.pop_first()
        {
            self.happens(happening, chaos);
        }
    }

    /// One thing is done for mails, meetings and the webhook, if there is any.
    fn goes_out(&mut self, troubled: bool) -> bool {
        let (world, rng) = (&mut self.world, &mut self.rng);
        let events_first = rng.percent(50) && world.deliver_event(rng, troubled);
        events_first || world.carry(rng, troubled) || world.deliver_event(rng, troubled)
    }

    /// Every callback is over: what was to go out does, and nothing is left.
    fn finish(&mut self) {
        while self.sound() {
            self.world.steps += 1;
            self.sync_all();
            if self.world.has_mail() {
                self.world.deliver(&mut self.rng);
            } else if !self.goes_out(false) {
                let times = [self.world.carries_at(), self.world.delivers_at()];
                match times.into_iter().flatten().min() {
                    Some(at) => self.world.advance(at),
                    None => break,
                }
            }
        }
        if self.sound() {
            self.world.check_outside();
        }
    }

    /// In calm, when nothing is under way, nobody waits in vain.
    fn conserves(&mut self) {
        // What fell due a moment ago is decided a moment later, with all that falls due then.
        let soon = self.world.wall + RouterMachine::GATHER;
        let due = self.world.next_alarm().is_some_and(|at| at <= soon);
        let resumed = self.world.newest.queues.values().all(|queue| queue.offers_paused.is_none());
        if due || !resumed {
            return;
        }
        let idle = self.people.available();
        self.world.checks.conserves(&self.world.newest, self.world.steady, &idle);
    }

    fn happens(&mut self, happening: Happening, chaos: bool) {
        match happening {
            Happening::Arrives(sent) => {
                self.asked.insert(sent.token, sent.asked.clone());
                self.world.arrive(sent.letter);
            }
            Happening::AgentActs(place) => {
                if let Some(sent) = self.people.agent_acts(place, &mut self.world, &mut self.rng) {
                    self.send(sent);
                }
                let after = if chaos { self.soon(20) } else { Span::seconds(10) };
                self.at(after + Span::millis(1), Happening::AgentActs(place));
            }
            Happening::CustomerAsks => {
                for _ in 0..self.rng.between(1, 4) {
                    let sent = self.people.asks(&mut self.world, &mut self.rng);
                    self.send(sent);
                }
                self.again(240, Happening::CustomerAsks);
            }
            Happening::SomebodyChanges => {
                if let Some(sent) = self.people.changes(&self.world, &mut self.rng) {
                    self.send(sent);
                }
                self.again(120, Happening::SomebodyChanges);
            }
            Happening::Pauses => {
                let resume = self.rng.percent(60);
                let sent = self.people.pauses(resume, &mut self.rng);
                self.send(sent);
                self.again(900, Happening::Pauses);
            }
            Happening::Denies => {
                let (token, phone) = (self.people.token(), phone(self.rng.below(PHONES)));
                self.world.deny(token, phone, self.rng.percent(50));
                self.again(400, Happening::Denies);
            }
            Happening::Crash => {
                self.world.crash();
                self.people.cut_off();
                self.asked.clear();
                self.again(1_500, Happening::Crash);
            }
            Happening::ClockJumps => {
                let minutes = u32::try_from(self.rng.between(1, 60)).expect("small");
                if self.rng.percent(50) {
                    self.world.wall = self.world.wall + Span::minutes(minutes);
                }
                self.again(3_600, Happening::ClockJumps);
            }
        }
    }

    fn again(&mut self, most_seconds: u64, happening: Happening) {
        let after = self.soon(most_seconds);
        self.at(after + Span::seconds(1), happening);
    }

    /// A message sets out; in chaos it may be lost, late, or come twice.
    fn send(&mut self, sent: Sent) {
        if self.people.calm {
            self.at(Span::ZERO, Happening::Arrives(Box::new(sent)));
            return;
        }
        let connection = matches!(
            sent.letter,
            Letter::Agent(_, AgentMessage::Connect { .. } | AgentMessage::Disconnect { .. })
        );
        if connection {
            self.at(Span::ZERO, Happening::Arrives(Box::new(sent)));
            return;
        }
        if self.rng.percent(5) {
            return;
        }
        if self.rng.percent(8) && !matches!(sent.letter, Letter::Queue(..)) {
            let after = self.soon(30);
            self.at(after, Happening::Arrives(Box::new(sent.clone())));
        }
        let after = self.soon(2);
        self.at(after, Happening::Arrives(Box::new(sent)));
    }

    fn sync_all(&mut self) {
        self.sync(usize::MAX);
    }

    fn sync(&mut self, up_to: usize) {
        for output in self.world.sync(up_to) {
            match output {
                Output::Answer(token, result) => {
                    if let Some(asked) = self.asked.get(&token).cloned() {
                        self.people.answered(&mut self.world, &asked, &result);
                    }
                }
                Output::Notice(session, notice) => {
                    self.people.noticed(&mut self.world, session, &notice);
                }
            }
        }
    }
}

fn queue_settings(id: &QueueId, rng: &mut Rng) -> QueueSettings {
    let small = |rng: &mut Rng, low, high| u32::try_from(rng.between(low, high)).expect("small");
    let mut settings = QueueSettings::new(id.clone());
    settings.offer_timeout_seconds = small(rng, 5, 40);
    settings.preview_seconds = small(rng, 20, 300);
    settings.max_call_seconds = small(rng, 60, 1_200);
    settings.wrap_up_seconds = small(rng, 0, 60);
    settings.max_attempts = small(rng, 1, 5);
    settings.max_interactions = small(rng, 5, 20);
    settings.lead_seconds = small(rng, 0, 120);
    settings.slot_minutes = SLOT_MINUTES;
    settings.slot_capacity = PerMedium::both(SlotCapacity::Fixed(small(rng, 0, 3)));
    settings.min_notice_minutes = 0;
    settings.max_outstanding = PerMedium::both(if rng.percent(30) { small(rng, 3, 12) } else { 0 });
    settings.media = vec![Medium::Voice, Medium::Video];
    settings.reminder_minutes = small(rng, 0, 30);
    settings.duplicate_window_minutes = small(rng, 0, 60);
    settings.duplicate_policy = *rng.pick(&[
        DuplicatePolicy::ReturnExisting,
        DuplicatePolicy::Reject,
        DuplicatePolicy::Allow,
    ]);
    settings.auto_accept = rng.percent(10);
    settings.retry_extends_expiry = rng.percent(80);
    settings.expire_after_minutes = small(rng, 5, 60);
    settings.wrap_up_mode =
        *rng.pick(&[WrapUpMode::Timed, WrapUpMode::Timed, WrapUpMode::Required, WrapUpMode::None]);
    settings
}

fn agent_settings(id: &AgentId, queues: &[QueueId], rng: &mut Rng) -> AgentSettings {
    let mut served: Vec<Membership> = queues
        .iter()
        .filter(|_| rng.percent(70))
        .map(|queue| Membership { queue: queue.clone(), preference: 1 })
        .collect();
    if served.is_empty() {
        served.push(Membership { queue: queues[0].clone(), preference: 1 });
    }
    let units = u32::try_from(rng.between(1, 3)).expect("small");
    AgentSettings {
        id: id.clone(),
        name: id.to_string(),
        queues: served,
        skills: Skills::default(),
        capacity: Capacity { units, media: PerMedium::both(None) },
    }
}
