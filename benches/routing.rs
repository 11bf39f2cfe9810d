//! How many routing decisions a second, and how does that change with the number of agents?
//!
//! The world: each agent serves 3 of 50 queues, holds 10 of 200 skills at levels 1–5 and is idle
//! in one case of ten; 100,000 callbacks wait under 2,000 signatures that ask for 0–2 mandatory
//! skills at levels 1–3. What no skill is asked for never waits here, or nobody would be idle.
//!
//! One cycle makes two assignments, one each way, and puts the world back as it was: a callback
//! arrives in a queue where somebody is idle and takes the best of them; that agent is done, finds
//! nothing and reports idle again; a busy agent is done and takes the best of what waits; another
//! callback arrives in its place and finds nobody. All of it is timed, the two assignments alone
//! are counted.
//!
//! Beside it stands a linear scan that finds the same answers, over all agents for a callback and
//! over all that waits for an agent; that they are the same is asserted.
//!
//! Run with `cargo bench --bench routing`, or as a part of `make bench`.

#![expect(clippy::print_stdout, reason = "a table on the terminal is what this program is for")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringback::domain::agent::Presence;
use ringback::domain::effect::{Effect, StepOutput};
use ringback::domain::ids::{AgentId, CallbackId, Fresh, QueueId, SkillName};
use ringback::domain::machines::router::{RouterLimits, RouterMachine};
use ringback::domain::message::{AgentReport, CallbackMessage, Letter, RouterMessage, Work};
use ringback::domain::policy::{AgentSettings, Capacity, Medium, Membership, QueueSettings};
use ringback::domain::queue::Queue;
use ringback::domain::rank::Rank;
use ringback::domain::skills::{Held, Level, Preference, Requirement, Requirements, Skills};
use ringback::domain::time::{Now, Span, Timestamp};

/// As the server has it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const QUEUES: usize = 50;
const SKILLS: usize = 200;
const SIGNATURES: usize = 2_000;
const WAITING: usize = 100_000;
const ROUNDS: usize = 5;
/// In each round.
const CYCLES: usize = 40_000;
const SCANNED_CYCLES: usize = 50;
const START: Timestamp = Timestamp(1_000_000_000);

/// A repeatable source of numbers (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((word >> 33) % below as u64).expect("smaller than `below`")
    }

    /// So many different numbers below a bound.
    fn choose(&mut self, count: usize, below: usize) -> Vec<usize> {
        let mut chosen = Vec::new();
        while chosen.len() < count {
            let one = self.roll(below);
            if !chosen.contains(&one) {
                chosen.push(one);
            }
        }
        chosen
    }
}

fn queue_id(number: usize) -> QueueId {
    QueueId::parse(&format!("queue-{number}")).expect("a slug")
}

fn skill(number: usize) -> SkillName {
    SkillName::parse(&format!("skill-{number}")).expect("a slug")
}

fn level(dice: &mut Dice, highest: usize) -> Level {
    let value = i64::try_from(1 + dice.roll(highest)).expect("small");
    Level::new(value).expect("1 to 5")
}

fn agent(dice: &mut Dice, number: usize) -> Arc<AgentSettings> {
    let held = dice.choose(10, SKILLS).into_iter().map(|number| {
        (skill(number), Held { level: level(dice, 5), preference: Preference::FIRST })
    });
    let skills = Skills::new(held.collect()).expect("ten");
    let queues = dice.choose(3, QUEUES).into_iter().map(|number| {
        let preference = u8::try_from(1 + dice.roll(3)).expect("small");
        Membership { queue: queue_id(number), preference }
    });
    Arc::new(AgentSettings {
        id: AgentId::parse(&format!("agent-{number}")).expect("a slug"),
        name: String::new(),
        queues: queues.collect(),
        skills,
        capacity: Capacity::default(),
    })
}

/// Queue and requirements; the first of each queue asks for nothing.
fn signatures(dice: &mut Dice) -> Vec<(QueueId, Requirements)> {
    let mut made = BTreeSet::new();
    while made.len() < SIGNATURES {
        let number = made.len();
        let count = if number < QUEUES { 0 } else { 1 + dice.roll(2) };
        let list = dice.choose(count, SKILLS).into_iter().map(|number| Requirement {
            skill: skill(number),
            mandatory: true,
            min_level: level(dice, 3),
            expires_after_seconds: None,
        });
        let requirements = Requirements::new(list.collect(), 8).expect("two at most");
        made.insert((count > 0, queue_id(number % QUEUES), requirements));
    }
    made.into_iter().map(|(_, queue, requirements)| (queue, requirements)).collect()
}

struct World {
    dice: Dice,
    router: RouterMachine,
    out: StepOutput,
    now: Timestamp,
    /// Everything again, for the scan; what waits with its signature.
    agents: Vec<AgentReport>,
    idle: Vec<bool>,
    /// Signatures that ask for no skill, of queues where somebody is idle.
    staffed: Vec<usize>,
    numbers: BTreeMap<AgentId, usize>,
    waiting: BTreeMap<CallbackId, (Work, usize)>,
    /// Agents who find work when they are done, and what they hold.
    takers: Vec<(usize, CallbackId)>,
    signatures: Vec<(QueueId, Requirements)>,
    last_id: u128,
    /// By all messages.
    spent: Duration,
    /// By the last one.
    last_spent: Duration,
    /// By those that led to an assignment: of an agent to work, of work to an agent.
    deciding: [Duration; 2],
}

impl World {
    fn new(agents: usize) -> Self {
        let mut dice = Dice(agents as u64);
        let signatures = signatures(&mut dice);
        let reports = (0..agents).map(|number| AgentReport {
            settings: agent(&mut dice, number),
            presence: Presence::Available,
            connected: true,
            idle_since: START - Span::seconds(u32::try_from(dice.roll(3_600)).expect("small")),
            external_units: 0,
            last_chance: true,
        });
        let agents: Vec<_> = reports.collect();
        let numbers = agents.iter().enumerate();
        let mut world = Self {
            numbers: numbers.map(|(no, report)| (report.settings.id.clone(), no)).collect(),
            idle: vec![false; agents.len()],
            staffed: Vec::new(),
            agents,
            dice,
            router: RouterMachine::new(RouterLimits::default()),
            out: StepOutput::default(),
            now: START,
            waiting: BTreeMap::new(),
            takers: Vec::new(),
            signatures,
            last_id: 0,
            spent: Duration::ZERO,
            last_spent: Duration::ZERO,
            deciding: [Duration::ZERO; 2],
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        for number in 0..QUEUES {
            let queue = Queue {
                settings: Arc::new(QueueSettings::new(queue_id(number))),
                version: 1,
                intake_paused: None,
                offers_paused: None,
                pauses: Vec::new(),
                unchecked: false,
            };
            self.step(RouterMessage::PutQueue(Arc::new(queue)));
        }
        let (medium, size) = (Medium::Voice, 1);
        for number in 0..self.agents.len() {
            let report = self.agents[number].clone();
            let agent = report.settings.id.clone();
            self.last_id += 1;
            let callback = CallbackId(self.last_id);
            self.step(RouterMessage::PutAgent(Box::new(report)));
            self.step(RouterMessage::Hold { callback, agent, medium, size });
            self.takers.push((number, callback));
        }
        for _ in 0..WAITING {
            let signature = QUEUES + self.dice.roll(SIGNATURES - QUEUES);
            let found = self.enqueue(signature);
            assert_eq!(found, None, "everybody is busy");
        }
        // Of those who find nothing when they are done, one in ten of all becomes idle.
        let mut idle = (self.agents.len() / 10).max(1);
        for (number, held) in std::mem::take(&mut self.takers) {
            if let Some(taken) = self.release(held, number) {
                self.replace(taken);
                self.takers.push((number, taken));
            } else if idle > 0 {
                idle -= 1;
                self.idle[number] = true;
            } else {
                let agent = self.agents[number].settings.id.clone();
                self.step(RouterMessage::Hold { callback: held, agent, medium, size });
            }
        }
        let staffed = (0..QUEUES).filter(|no| self.scan_agents(&self.signatures[*no].0).is_some());
        self.staffed = staffed.collect();
        self.spent = Duration::ZERO;
    }

    #[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
    fn step(&mut self, message: RouterMessage) -> Option<(CallbackId, usize)> {
        self.out.effects.clear();
        let now = Now { wall: self.now, steady: self.now, fresh: Fresh(0) };
        let begun = Instant::now();
        self.router.step(&now, message, &mut self.out);
        self.last_spent = begun.elapsed();
        self.spent += self.last_spent;
        let mut found = None;
        for effect in &self.out.effects {
            if let Effect::Send(Letter::Callback(id, CallbackMessage::Propose { agent })) = effect {
                assert!(found.is_none(), "each message leads to one assignment at most");
                found = Some((*id, self.numbers[agent]));
            }
        }
        found
    }

    fn work(&mut self, signature: usize) -> Work {
        self.last_id += 1;
        let (queue, requirements) = self.signatures[signature].clone();
        Work {
            id: CallbackId(self.last_id),
            queue,
            medium: Medium::Voice,
            size: 1,
            requirements,
            rank: Rank(self.now.0 - 300_000 * i64::try_from(self.dice.roll(10)).expect("small")),
            waiting_since: self.now,
            preferred: None,
            declined: Vec::new(),
            gathers: false,
            promise: None,
            unroutable: None,
        }
    }

    /// A callback arrives; who takes it.
    fn enqueue(&mut self, signature: usize) -> Option<usize> {
        let work = self.work(signature);
        let found = self.step(RouterMessage::Enqueue(Box::new(work.clone())));
        if found.is_none() {
            self.waiting.insert(work.id, (work, signature));
        }
        found.map(|(_, agent)| agent)
    }

    /// Another callback like the one that was taken arrives, and waits.
    fn replace(&mut self, taken: CallbackId) {
        let (_, signature) = self.waiting.remove(&taken).expect("it waited");
        assert_eq!(self.enqueue(signature), None, "who could take it is busy");
    }

    /// An agent is done; what they take.
    fn release(&mut self, callback: CallbackId, agent: usize) -> Option<CallbackId> {
        let agent = self.agents[agent].settings.id.clone();
        self.step(RouterMessage::Release { callback, agent }).map(|(callback, _)| callback)
    }

    /// Two assignments; `scan` says whether the same answers are sought by scanning, too.
    fn cycle(&mut self, scan: Option<&mut [Duration; 2]>) {
        self.now = self.now + Span::millis(1);
        let [mut by_agents, mut by_work] = [Duration::ZERO; 2];

        let signature = self.staffed[self.dice.roll(self.staffed.len())];
        let queue = self.signatures[signature].0.clone();
        let expected = scan.is_some().then(|| timed(&mut by_agents, || self.scan_agents(&queue)));
        let found = self.enqueue(signature);
        assert!(expected.is_none_or(|expected| expected == found), "the scan finds the same");
        self.deciding[0] += self.last_spent;
        let agent = found.expect("somebody is idle");
        assert_eq!(self.release(CallbackId(self.last_id), agent), None);
        self.agents[agent].idle_since = self.now;
        let report = self.agents[agent].clone();
        assert_eq!(self.step(RouterMessage::PutAgent(Box::new(report))), None);

        let place = self.dice.roll(self.takers.len());
        let (agent, held) = self.takers[place];
        let expected = scan.is_some().then(|| timed(&mut by_work, || self.scan_work(agent)));
        let taken = self.release(held, agent);
        self.deciding[1] += self.last_spent;
        assert!(expected.is_none_or(|expected| expected == taken), "the scan finds the same");
        let taken = taken.expect("there is always some");
        self.takers[place].1 = taken;
        self.replace(taken);
        if let Some(spent) = scan {
            spent[0] += by_agents;
            spent[1] += by_work;
        }
    }

    /// The best idle agent for work of a queue that asks for no skill.
    fn scan_agents(&self, queue: &QueueId) -> Option<usize> {
        let asked = Requirements::default().in_force(Span::ZERO);
        let idle = self.agents.iter().enumerate().filter(|(number, _)| self.idle[*number]);
        let fit = idle.filter_map(|(number, report)| {
            let settings = &report.settings;
            let membership = settings.membership(queue)?;
            asked.met_by(&settings.skills).then(|| {
                let preference =
                    membership.preference.max(asked.preference(&settings.skills).value());
                (preference, report.idle_since, &settings.id, number)
            })
        });
        fit.min().map(|(_, _, _, number)| number)
    }

    /// The best work for an agent.
    fn scan_work(&self, agent: usize) -> Option<CallbackId> {
        let settings = &self.agents[agent].settings;
        let fit = self.waiting.values().filter_map(|(work, _)| {
            let membership = settings.membership(&work.queue)?;
            let waited = self.now.since(work.waiting_since);
            let asked = work.requirements.in_force(waited);
            asked.met_by(&settings.skills).then(|| {
                let preference =
                    membership.preference.max(asked.preference(&settings.skills).value());
                let aged = waited >= Span::seconds(900);
                (if aged { 1 } else { preference }, work.rank, work.id)
            })
        });
        fit.min().map(|(_, _, id)| id)
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn timed<T>(spent: &mut Duration, run: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = run();
    *spent += begun.elapsed();
    result
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn per_second(count: usize, spent: Duration) -> f64 {
    count as f64 / spent.as_secs_f64()
}

fn micros(count: usize, spent: Duration) -> f64 {
    1e6 / per_second(count, spent)
}

/// Times of one round: all messages, those that decide, and the scans.
struct Round {
    all: Duration,
    deciding: [Duration; 2],
    scans: [Duration; 2],
}

fn round(world: &mut World) -> Round {
    world.spent = Duration::ZERO;
    world.deciding = [Duration::ZERO; 2];
    for _ in 0..CYCLES {
        world.cycle(None);
    }
    let (all, deciding) = (world.spent, world.deciding);
    let mut scans = [Duration::ZERO; 2];
    for _ in 0..SCANNED_CYCLES {
        world.cycle(Some(&mut scans));
    }
    Round { all, deciding, scans }
}

/// The fastest round for each figure, the scan's as well: others use the machine, too.
fn fastest(rounds: &[Round], figure: impl Fn(&Round) -> Duration) -> Duration {
    rounds.iter().map(figure).min().expect("there are some")
}

/// What one number of agents came to.
struct Size {
    agents: usize,
    /// Assignments a second, with all messages that they take.
    rate: f64,
    /// By how much that is more than the scan makes.
    times: f64,
    /// Microseconds of a decision each way, and of the scan's.
    deciding: [f64; 2],
    scanning: [f64; 2],
}

fn measure(agents: usize, rounds: usize) -> Size {
    let mut world = World::new(agents);
    round(&mut world);
    let rounds: Vec<_> = (0..rounds).map(|_| round(&mut world)).collect();
    let rate = per_second(2 * CYCLES, fastest(&rounds, |round| round.all));
    let deciding = [0, 1].map(|way| micros(CYCLES, fastest(&rounds, |round| round.deciding[way])));
    let scans = [0, 1].map(|way| fastest(&rounds, |round| round.scans[way]));
    let times = rate / per_second(2 * SCANNED_CYCLES, scans[0] + scans[1]);
    let scanning = scans.map(|spent| micros(SCANNED_CYCLES, spent));
    Size { agents, rate, times, deciding, scanning }
}

/// `--json`: an object a line in place of the table. `--quick`: one round.
fn main() {
    let asked = |flag: &str| std::env::args().any(|argument| argument == flag);
    let rounds = if asked("--quick") { 1 } else { ROUNDS };
    let sizes = [100, 1_000, 10_000, 100_000].into_iter().map(|agents| measure(agents, rounds));
    if asked("--json") {
        for Size { agents, rate, times, .. } in sizes {
            println!(
                "{{\"agents\": {agents}, \"decisions_per_second\": {rate:.0}, \
                 \"times_the_scan\": {times:.1}}}"
            );
        }
        return;
    }
    println!("routing: {WAITING} waiting, {SIGNATURES} signatures, {QUEUES} queues, 10 % idle");
    println!("{:>30} {:>32} {:>32}", "", "work → agent, µs", "agent → work, µs");
    println!(
        "{:>8} {:>12} {:>8} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}",
        "agents", "decisions/s", "× scan", "router", "scan", "ratio", "router", "scan", "ratio"
    );
    let mut rates = Vec::new();
    for Size { agents, rate, times, deciding, scanning } in sizes {
        let [[to_agent, to_work], [agents_scan, work_scan]] = [deciding, scanning];
        println!(
            "{agents:>8} {rate:>12.0} {times:>8.0} {to_agent:>10.2} {agents_scan:>10.1} {:>10.0} \
             {to_work:>10.2} {work_scan:>10.0} {:>10.0}",
            agents_scan / to_agent,
            work_scan / to_work,
        );
        rates.push(rate);
    }
    let slower = rates[0] / rates[rates.len() - 1];
    println!("1,000 × the agents: {slower:.1} × the time of a decision");
}
