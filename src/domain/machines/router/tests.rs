//! The rules one by one, by hand: a small call centre, and who gets what in it.

mod burst;
mod capacity;
mod choice;
mod outlook;
mod preferred;
mod room;
mod time;
mod trace;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{RouterLimits, RouterMachine};
use crate::domain::agent::Presence;
use crate::domain::callback::{Declined, Fallback, PreferMode, Preferred, Unroutable};
use crate::domain::effect::{Answer, Effect, StepOutput, Trace};
use crate::domain::ids::{AgentId, CallbackId, Fresh, QueueId, SkillName};
use crate::domain::message::{
    AgentReport, CallbackMessage, Claim, Letter, Machine, Missed, RouterMessage, SchedulerMessage,
    Token, Work,
};
use crate::domain::policy::{AgentSettings, Capacity, Medium, Membership, QueueSettings};
use crate::domain::queue::{Paused, Queue};
use crate::domain::rank::Rank;
use crate::domain::refusal::Refusal;
use crate::domain::skills::{
    Held, Level, MAX_REQUIREMENTS, Preference, Requirement, Requirements, Skills, Widening,
};
use crate::domain::time::{Now, Span, Timestamp};

pub(super) fn agent_id(number: u32) -> AgentId {
    AgentId::parse(&format!("agent-{number}")).expect("a slug")
}

pub(super) fn queue_id(number: u32) -> QueueId {
    QueueId::parse(&format!("queue-{number}")).expect("a slug")
}

pub(super) fn callback(number: u32) -> CallbackId {
    CallbackId(u128::from(number))
}

pub(super) fn now_at(at: Timestamp) -> Now {
    Now { wall: at, steady: at, fresh: Fresh(0) }
}

pub(super) fn queue_with(settings: QueueSettings, offers_paused: Option<Paused>) -> Arc<Queue> {
    Arc::new(Queue {
        settings: Arc::new(settings),
        version: 1,
        intake_paused: None,
        offers_paused,
        pauses: Vec::new(),
        unchecked: false,
    })
}

/// Skills by name, level and preference.
pub(super) fn skills(held: &[(&str, u32, u32)]) -> Skills {
    let held = held.iter().map(|(name, level, preference)| {
        let held = Held {
            level: Level::new(i64::from(*level)).expect("1 to 5"),
            preference: Preference::new(i64::from(*preference)).expect("1 to 9"),
        };
        (SkillName::parse(name).expect("a slug"), held)
    });
    Skills::new(held.collect::<BTreeMap<_, _>>()).expect("a few")
}

pub(super) fn require(
    skill: &str,
    level: u32,
    mandatory: bool,
    expires_after_seconds: Option<u32>,
) -> Requirement {
    Requirement {
        skill: SkillName::parse(skill).expect("a slug"),
        mandatory,
        min_level: Level::new(i64::from(level)).expect("1 to 5"),
        expires_after_seconds,
    }
}

/// Serves queue 0 only, holds no skill, is there, and has been idle for an hour.
fn agent(number: u32) -> AgentReport {
    let settings = AgentSettings {
        id: agent_id(number),
        name: String::new(),
        queues: vec![Membership { queue: queue_id(0), preference: 1 }],
        skills: Skills::default(),
        capacity: Capacity::default(),
    };
    AgentReport {
        settings: Arc::new(settings),
        presence: Presence::Available,
        connected: true,
        idle_since: Timestamp(-3_600_000),
        external_units: 0,
        last_chance: true,
    }
}

/// The same with other settings.
fn agent_with(number: u32, change: impl FnOnce(&mut AgentSettings)) -> AgentReport {
    let mut report = agent(number);
    change(Arc::make_mut(&mut report.settings));
    report
}

/// Voice of size 1 in queue 0 that asks for nothing and waits since 0.
fn work(number: u32) -> Work {
    Work {
        id: callback(number),
        queue: queue_id(0),
        medium: Medium::Voice,
        size: 1,
        requirements: Requirements::default(),
        rank: Rank(0),
        waiting_since: Timestamp(0),
        preferred: None,
        declined: Vec::new(),
        gathers: false,
        promise: None,
        unroutable: None,
    }
}

fn requirements(list: Vec<Requirement>) -> Requirements {
    Requirements::new(list, MAX_REQUIREMENTS).expect("a few")
}

fn at(seconds: u32) -> Timestamp {
    Timestamp(0) + Span::seconds(seconds)
}

fn prefer(number: u32, until: Timestamp) -> (Preferred, Timestamp) {
    wish(number, PreferMode::Prefer, Fallback::Anyone, until)
}

fn wish(
    number: u32,
    mode: PreferMode,
    fallback: Fallback,
    until: Timestamp,
) -> (Preferred, Timestamp) {
    let preferred = Preferred { agent: agent_id(number), mode, wait_seconds: 60, fallback };
    (preferred, until)
}

fn declined(number: u32, until: Timestamp, lone_until: Timestamp) -> Declined {
    Declined { agent: agent_id(number), times: 1, until, lone_until }
}

fn barred(number: u32) -> Declined {
    declined(number, Timestamp::NEVER, Timestamp::NEVER)
}

/// What the router said in one step.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    proposals: Vec<(u32, u32)>,
    unroutable: Vec<(u32, Option<Unroutable>)>,
    claimed: Vec<Result<(), Refusal>>,
    timers: Vec<Option<Timestamp>>,
}

/// A router, the time, and queue 0.
struct Centre {
    router: RouterMachine,
    now: Timestamp,
}

impl Centre {
    fn new() -> Self {
        Self::with_queue(|_| {})
    }

    fn with_queue(change: impl FnOnce(&mut QueueSettings)) -> Self {
        Self::with_limits(RouterLimits::default(), change)
    }

    fn with_limits(limits: RouterLimits, change: impl FnOnce(&mut QueueSettings)) -> Self {
        let mut centre = Self { router: RouterMachine::new(limits), now: Timestamp(0) };
        let mut settings = QueueSettings::new(queue_id(0));
        change(&mut settings);
        centre.tell(RouterMessage::PutQueue(queue_with(settings, None)));
        centre
    }

    fn tell(&mut self, message: RouterMessage) -> Said {
        let mut said = Said::default();
        for effect in self.effects(message) {
            match effect {
                Effect::Send(Letter::Callback(id, CallbackMessage::Propose { agent })) => {
                    let number = agent.as_str().trim_start_matches("agent-").parse();
                    said.proposals.push((short(id), number.expect("a number")));
                }
                Effect::Send(Letter::Callback(id, CallbackMessage::SetUnroutable(reason))) => {
                    said.unroutable.push((short(id), reason));
                }
                Effect::Send(Letter::Callback(_, CallbackMessage::Claimed { result, .. })) => {
                    said.claimed.push(result);
                }
                Effect::Send(Letter::Scheduler(SchedulerMessage::SetTimer {
                    machine: Machine::Router,
                    wall: None,
                    steady,
                })) => said.timers.push(steady),
                other => panic!("unexpected: {other:?}"),
            }
        }
        said
    }

    fn effects(&mut self, message: RouterMessage) -> Vec<Effect> {
        let mut out = StepOutput::default();
        self.router.step(&now_at(self.now), message, &mut out);
        self.router.matching.check();
        out.effects
    }

    fn put(&mut self, report: AgentReport) -> Vec<(u32, u32)> {
        self.tell(RouterMessage::PutAgent(Box::new(report))).proposals
    }

    fn enqueue(&mut self, work: Work) -> Vec<(u32, u32)> {
        self.tell(RouterMessage::Enqueue(Box::new(work))).proposals
    }

    fn release(&mut self, number: u32, agent: u32) -> Vec<(u32, u32)> {
        let (callback, agent) = (callback(number), agent_id(agent));
        self.tell(RouterMessage::Release { callback, agent }).proposals
    }

    fn missed(&mut self, number: u32, agent: u32, what: Missed) -> Vec<(u32, u32)> {
        let (callback, agent) = (callback(number), agent_id(agent));
        self.tell(RouterMessage::Missed { callback, agent, what }).proposals
    }

    fn wake_at(&mut self, now: Timestamp) -> Vec<(u32, u32)> {
        self.now = now;
        self.tell(RouterMessage::Wake).proposals
    }

    fn claim(&mut self, number: u32, agent: u32, change: impl FnOnce(&mut Claim)) -> Said {
        let mut claim = Claim {
            token: Token(1),
            callback: callback(number),
            queue: queue_id(0),
            medium: Medium::Voice,
            size: 1,
            agent: agent_id(agent),
            force: false,
            by_agent: false,
        };
        change(&mut claim);
        self.tell(RouterMessage::Claim(Box::new(claim)))
    }

    fn trace(&mut self, work: Work) -> Trace {
        let work = Box::new(work);
        let effects = self.effects(RouterMessage::Trace { token: Token(1), work });
        let [Effect::Answer { result, .. }] = &effects[..] else {
            panic!("one answer, not {effects:?}");
        };
        match &**result {
            Ok(Answer::Trace(trace)) => (**trace).clone(),
            other => panic!("unexpected: {other:?}"),
        }
    }
}

fn short(id: CallbackId) -> u32 {
    u32::try_from(id.0).expect("a small number")
}
