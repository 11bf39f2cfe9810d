//! Thousands of random steps, each decision compared with the slow model's.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::model::{Model, Said};
use super::tests::{agent_id, callback, now_at, queue_id, queue_with, require, skills};
use super::{RouterLimits, RouterMachine};
use crate::domain::agent::Presence;
use crate::domain::callback::{Declined, Fallback, PreferMode, Preferred, Unroutable};
use crate::domain::effect::{Answer, Effect, StepOutput};
use crate::domain::ids::CallbackId;
use crate::domain::message::{
    AgentReport, CallbackMessage, Claim, Letter, RouterMessage, SchedulerMessage, Token, Work,
};
use crate::domain::policy::{
    AgentSettings, Capacity, Medium, Membership, PerMedium, QueueSettings, Strategy,
};
use crate::domain::queue::{Paused, Queue};
use crate::domain::rank::Rank;
use crate::domain::skills::{MAX_REQUIREMENTS, Requirements};
use crate::domain::time::{Span, Timestamp};

/// A repeatable source of numbers (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((word >> 33) % u64::from(below)).expect("smaller than `below`")
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.roll(100) < percent
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(u32::try_from(from.len()).expect("a few")) as usize]
    }

    fn later(&mut self, now: Timestamp) -> Timestamp {
        now + Span::seconds(self.roll(90)) - Span::seconds(10)
    }
}

const QUEUES: u32 = 3;
const SKILLS: [&str; 4] = ["billing", "french", "refunds", "tax"];

struct Run {
    dice: Dice,
    agents: u32,
    now: Timestamp,
    router: RouterMachine,
    model: Model,
    /// What each callback was told last.
    told: BTreeMap<CallbackId, Unroutable>,
    alarm: Option<Timestamp>,
    /// Proposals in steps before which somebody kept room.
    beside_kept: u32,
}

impl Run {
    fn new(seed: u64, max_signatures: usize) -> Self {
        let limits = RouterLimits { max_signatures, ..RouterLimits::default() };
        let mut dice = Dice(seed);
        Self {
            agents: 1 + dice.roll(7),
            dice,
            now: Timestamp(1_000_000_000),
            router: RouterMachine::new(limits),
            model: Model::default(),
            told: BTreeMap::new(),
            alarm: None,
            beside_kept: 0,
        }
    }

    fn queue(&mut self) -> Arc<Queue> {
        let dice = &mut self.dice;
        let mut settings = QueueSettings::new(queue_id(dice.roll(QUEUES)));
        settings.strategy = dice.pick(&[
            Strategy::LongestIdle,
            Strategy::MostCapacity,
            Strategy::RoundRobin,
            Strategy::BestSkilled,
        ]);
        settings.preference_limit_seconds = dice.pick(&[0, 30, 60]);
        settings.promise_slack_seconds = dice.pick(&[0, 20, 60]);
        let paused = dice.chance(20);
        let paused = paused.then_some(Paused { since: self.now, until: None, reason: None });
        queue_with(settings, paused)
    }

    fn agent(&mut self) -> AgentReport {
        let dice = &mut self.dice;
        let held: Vec<_> = SKILLS
            .into_iter()
            .filter_map(|skill| {
                let (level, preference) = (1 + dice.roll(5), 1 + dice.roll(3));
                dice.chance(60).then_some((skill, level, preference))
            })
            .collect();
        let queues = (0..QUEUES).filter_map(|queue| {
            let preference = u8::try_from(1 + dice.roll(3)).expect("small");
            dice.chance(60).then_some(Membership { queue: queue_id(queue), preference })
        });
        let mut settings = AgentSettings {
            id: agent_id(0),
            name: String::new(),
            queues: queues.collect(),
            skills: skills(&held),
            capacity: Capacity::default(),
        };
        settings.id = agent_id(dice.roll(self.agents));
        settings.capacity.units = dice.pick(&[1, 1, 2, 3, 4]);
        if dice.chance(20) {
            settings.capacity.media = PerMedium { voice: Some(1), video: Some(dice.roll(3)) };
        }
        // Mostly the settings stay and the rest changes.
        let known = self.model.agents.get(&settings.id).map(|known| known.settings.clone());
        let known = known.filter(|_| self.dice.chance(80));
        let dice = &mut self.dice;
        AgentReport {
            settings: known.unwrap_or_else(|| Arc::new(settings)),
            presence: dice.pick(&[
                Presence::Available,
                Presence::Available,
                Presence::Available,
                Presence::Away,
                Presence::Offline,
            ]),
            connected: dice.chance(85),
            idle_since: self.now - Span::seconds(dice.roll(20)),
            external_units: dice.pick(&[0, 0, 0, 0, 1, 2]),
            last_chance: true,
        }
    }

    fn requirements(&mut self) -> Requirements {
        let dice = &mut self.dice;
        let mut list = Vec::new();
        for skill in SKILLS {
            for mandatory in [true, false] {
                if dice.chance(15) {
                    let expires = dice.chance(30).then(|| dice.roll(60));
                    list.push(require(skill, 1 + dice.roll(5), mandatory, expires));
                }
            }
        }
        Requirements::new(list, MAX_REQUIREMENTS).expect("fits")
    }

    fn work(&mut self, id: u32) -> Work {
        let requirements = self.requirements();
        let dice = &mut self.dice;
        let now = self.now;
        let preferred = dice.chance(40).then(|| {
            let wish = Preferred {
                agent: agent_id(dice.roll(self.agents + 1)),
                mode: dice.pick(&[PreferMode::Prefer, PreferMode::Require]),
                wait_seconds: 0,
                fallback: dice.pick(&[Fallback::Anyone, Fallback::Anyone, Fallback::None]),
            };
            Box::new((wish, dice.later(now)))
        });
        let declined = (0..self.agents).filter_map(|agent| {
            let until = if dice.chance(30) { Timestamp::NEVER } else { dice.later(now) };
            let lone_until = if until == Timestamp::NEVER {
                until
            } else {
                until - Span::seconds(dice.roll(20))
            };
            let declined = Declined { agent: agent_id(agent), times: 1, until, lone_until };
            dice.chance(15).then_some(declined)
        });
        let declined = declined.collect();
        Work {
            id: callback(id),
            queue: queue_id(dice.roll(QUEUES)),
            medium: dice.pick(&[Medium::Voice, Medium::Voice, Medium::Video]),
            size: dice.pick(&[0, 1, 1, 1, 2, 2, 3]),
            requirements,
            rank: Rank(i64::from(dice.roll(5))),
            waiting_since: now - Span::seconds(dice.roll(30)),
            preferred,
            declined,
            gathers: false,
            promise: dice.chance(30).then(|| now + Span::seconds(dice.roll(120))),
            unroutable: None,
        }
    }

    /// Something that may happen; mostly what is sensible, now and then what isn't.
    fn message(&mut self) -> RouterMessage {
        let id = self.dice.roll(40);
        match self.dice.roll(100) {
            0..6 => RouterMessage::PutQueue(self.queue()),
            6 => RouterMessage::RemoveQueue(queue_id(self.dice.roll(QUEUES))),
            7..30 => RouterMessage::PutAgent(Box::new(self.agent())),
            30..32 => RouterMessage::RemoveAgent(agent_id(self.dice.roll(self.agents))),
            32..62 => RouterMessage::Enqueue(Box::new(self.work(id))),
            62..67 => RouterMessage::Withdraw(callback(id)),
            67..85 => {
                let count = u32::try_from(self.model.held.len()).expect("small");
                let place = if count == 0 { 0 } else { self.dice.roll(count) };
                let held = self.model.held.keys().nth(place as usize).cloned();
                let (callback, agent) = held.unwrap_or_else(|| (callback(id), agent_id(0)));
                RouterMessage::Release { callback, agent }
            }
            85..89 => RouterMessage::Claim(Box::new(Claim {
                token: Token(1),
                callback: callback(id),
                queue: queue_id(self.dice.roll(QUEUES)),
                medium: self.dice.pick(&Medium::ALL),
                size: self.dice.roll(3),
                agent: agent_id(self.dice.roll(self.agents)),
                force: self.dice.chance(20),
                by_agent: self.dice.chance(50),
            })),
            89 => RouterMessage::Hold {
                callback: callback(id),
                agent: agent_id(self.dice.roll(self.agents)),
                medium: self.dice.pick(&Medium::ALL),
                size: 1,
            },
            90..93 => RouterMessage::Trace { token: Token(1), work: Box::new(self.work(id)) },
            _ => RouterMessage::Wake,
        }
    }

    /// One message; what time alone changes is seen before it where room is kept.
    fn step(&mut self, message: &RouterMessage) {
        if !matches!(message, RouterMessage::Wake) && self.keeps_room() {
            self.hear(&RouterMessage::Wake);
        }
        self.hear(message);
    }

    /// Whether any agent keeps room, when it was last looked or now.
    fn keeps_room(&mut self) -> bool {
        let kept = self.model.keeps_room_at(self.model.now);
        self.model.keeps_room_at(self.now) || kept
    }

    fn hear(&mut self, message: &RouterMessage) {
        let before = self.keeps_room().then(|| self.model.clone());
        let expected = self.model.step(self.now, message);
        let mut out = StepOutput::default();
        self.router.step(&now_at(self.now), message.clone(), &mut out);
        assert!(out.changes.is_empty() && out.events.is_empty(), "it journals nothing");
        let mut said = Vec::new();
        for effect in out.effects {
            match effect {
                Effect::Send(Letter::Callback(id, message)) => self.letter(id, message, &mut said),
                Effect::Send(Letter::Scheduler(SchedulerMessage::SetTimer { steady, .. })) => {
                    self.alarm = steady;
                }
                Effect::Answer { result, .. } => self.answer(message, &result),
                other => panic!("unexpected: {other:?}"),
            }
        }
        let proposals = said.iter().filter(|one| matches!(one, Said::Propose(..))).count();
        if before.is_some() {
            self.beside_kept += u32::try_from(proposals).expect("a few");
        }
        match before {
            Some(before) if said != expected => {
                self.model = before;
                self.model.follow(self.now, message, &said);
            }
            _ => assert_eq!(said, expected, "{message:?} at {:?}", self.now),
        }
        self.check();
    }

    fn letter(&mut self, id: CallbackId, message: CallbackMessage, said: &mut Vec<Said>) {
        match message {
            CallbackMessage::Propose { agent } => {
                self.told.remove(&id);
                said.push(Said::Propose(id, agent));
            }
            CallbackMessage::Claimed { result, .. } => said.push(Said::Claimed(id, result)),
            CallbackMessage::SetUnroutable(reason) => {
                let before = match reason.clone() {
                    Some(reason) => self.told.insert(id, reason),
                    None => self.told.remove(&id),
                };
                assert_ne!(before, reason, "it is told of changes only");
            }
            other => panic!("unexpected: {other:?}"),
        }
    }

    /// A trace finds an agent eligible exactly if they may be offered it.
    fn answer(&self, message: &RouterMessage, result: &Result<Answer, super::Refusal>) {
        let (RouterMessage::Trace { work, .. }, Ok(Answer::Trace(trace))) = (message, result)
        else {
            panic!("an answer to {message:?}");
        };
        let mut work = work.clone();
        work.size = work.size.max(1);
        let paused = self.model.queues.get(&work.queue).is_none_or(|q| q.offers_paused.is_some());
        for candidate in &trace.candidates {
            let held = self.model.held.contains_key(&(work.id, candidate.agent.clone()));
            let report = self.model.agents.get(&candidate.agent);
            let may = report.is_some_and(|report| self.model.may(report, &work));
            assert!(paused || held || may == candidate.failed.is_none(), "{candidate:?} {work:?}");
        }
    }

    fn check(&mut self) {
        self.router.matching.check();
        for work in self.model.waiting.values() {
            let idle = self.model.agents.values().find(|agent| self.model.may(agent, work));
            assert!(idle.is_none(), "{work:?} waits while {idle:?} is free for it");
        }
        assert!(self.router.matching.all_waiting().iter().eq(self.model.waiting.keys()));
        self.told.retain(|id, _| self.model.waiting.contains_key(id));
        for work in self.model.waiting.values() {
            let told = self.told.get(&work.id).cloned().map(|reason| match reason {
                Unroutable::MissingSkill(_) => Unroutable::MissingSkill(String::new()),
                other => other,
            });
            assert_eq!(told, self.model.outlook(work), "{work:?}");
        }
    }

    /// Runs so many steps; time goes on by itself or to the alarm.
    fn run(&mut self, steps: u32) {
        for _ in 0..steps {
            match (self.dice.roll(4), self.alarm) {
                (0, Some(alarm)) if alarm > self.now => {
                    self.now = alarm;
                    self.alarm = None;
                    self.step(&RouterMessage::Wake);
                    continue;
                }
                (1, _) => self.now = self.now + Span::seconds(self.dice.roll(15)),
                _ => self.now = self.now + Span::millis(1),
            }
            let message = self.message();
            self.step(&message);
        }
    }

    /// Takes everything away and looks for what is left behind.
    fn end(&mut self) {
        while let Some((callback, agent)) = self.model.held.keys().next().cloned() {
            self.step(&RouterMessage::Release { callback, agent });
        }
        for id in self.model.waiting.keys().copied().collect::<Vec<_>>() {
            self.step(&RouterMessage::Withdraw(id));
        }
        for id in self.model.agents.keys().cloned().collect::<Vec<_>>() {
            self.step(&RouterMessage::RemoveAgent(id));
        }
        for id in self.model.queues.keys().cloned().collect::<Vec<_>>() {
            self.step(&RouterMessage::RemoveQueue(id));
        }
        self.router.matching.check_empty();
    }
}

fn run_seeds(seeds: std::ops::Range<u64>, max_signatures: usize) {
    let mut beside_kept = 0;
    for seed in seeds {
        let mut run = Run::new(seed, max_signatures);
        run.run(400);
        run.end();
        beside_kept += run.beside_kept;
    }
    assert!(beside_kept > 20, "room is kept, and given up: {beside_kept}");
}

#[test]
fn decisions_are_those_of_a_scan_over_everything() {
    run_seeds(0..60, 10_000);
}

#[test]
fn decisions_are_the_same_at_the_limit_of_signatures() {
    run_seeds(100..130, 2);
    run_seeds(200..230, 8);
}

#[test]
fn decisions_are_the_same_without_any_signature() {
    run_seeds(300..320, 0);
}
