//! The fold against a slow model that looks at every second and at every fact.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::facts::{Fact, OfferStep, Standing};
use super::ledger::{Name, TICK};
use super::series::Window;
use super::*;
use crate::domain::effect::QueueStats;

const SECOND: Span = Span::seconds(1);

/// Two seconds before a quarter begins.
const START: Timestamp = Timestamp(1_795_507_198_000);

fn queue() -> QueueId {
    QueueId::parse("billing").expect("a slug")
}

fn agent(number: usize) -> AgentId {
    AgentId::parse(["mara", "noor"][number]).expect("a slug")
}

/// What a test does, and for how long nothing happens then.
#[derive(Debug, Clone)]
enum Deed {
    Stand(usize, usize, u32),
    Hold(usize, bool),
    Connect(usize, bool),
    Offer(usize, usize),
    Call(usize),
    Reach(usize, u32),
    FirstCall(u32, bool),
    /// The process ends in good order and starts after so many seconds.
    Restart(u32),
}

fn deed() -> impl Strategy<Value = (Deed, u32)> {
    let who = 0..2_usize;
    let deed = prop_oneof![
        (who.clone(), 0..4_usize, 0..3_u32).prop_map(|(a, b, c)| Deed::Stand(a, b, c)),
        (who.clone(), any::<bool>()).prop_map(|(a, b)| Deed::Hold(a, b)),
        (who.clone(), any::<bool>()).prop_map(|(a, b)| Deed::Connect(a, b)),
        (who.clone(), 0..5_usize).prop_map(|(a, b)| Deed::Offer(a, b)),
        who.clone().prop_map(Deed::Call),
        (who, 0..2_000_u32).prop_map(|(a, b)| Deed::Reach(a, b)),
        (0..4_000_u32, any::<bool>()).prop_map(|(a, b)| Deed::FirstCall(a, b)),
        (1..3_000_u32).prop_map(Deed::Restart),
    ];
    (deed, prop_oneof![0..5_u32, 0..300_u32, 0..3_000_u32])
}

const STEPS: [OfferStep; 5] = [
    OfferStep::Made,
    OfferStep::Accepted,
    OfferStep::Declined,
    OfferStep::Missed,
    OfferStep::Revoked,
];

/// The ledger with what it stores.
struct Bench {
    at: Timestamp,
    ledger: Ledger,
    stored: BTreeMap<(Timestamp, u8, String), Tally>,
}

impl Bench {
    fn new() -> Self {
        let ledger = Ledger::new(START, Vec::new());
        Self { at: START, ledger, stored: BTreeMap::new() }
    }

    fn store(&mut self, rows: Vec<Measured>) {
        for Measured { quarter, tally } in rows {
            let key = match &tally {
                Tally::Intake(queue, _) => (quarter, 0, queue.to_string()),
                Tally::Work(queue, _) => (quarter, 1, queue.to_string()),
                Tally::Agent(agent, _) => (quarter, 2, agent.to_string()),
                Tally::Line(queue, _) => (quarter, 3, queue.to_string()),
            };
            self.stored.insert(key, tally);
        }
    }

    fn learn(&mut self, facts: Vec<Fact>) {
        let rows = self.ledger.learn(self.at, facts);
        self.store(rows);
    }

    fn tick(&mut self) {
        let names = self.ledger.names();
        let rows = self.ledger.tick(self.at, &names);
        self.store(rows);
    }

    /// A new ledger from what is stored.
    fn restart(&mut self, down: u32) {
        self.at = self.at + Span::seconds(down);
        let from = Ledger::stored_from(self.at);
        let stored = self.stored.iter().filter(|((quarter, ..), _)| *quarter >= from);
        let stored = stored
            .map(|((quarter, ..), tally)| Measured { quarter: *quarter, tally: tally.clone() });
        self.ledger = Ledger::new(self.at, stored.collect());
    }

    fn agent_row(&self, quarter: Timestamp, number: usize) -> AgentTally {
        match self.stored.get(&(quarter, 2, agent(number).to_string())) {
            Some(Tally::Agent(_, tally)) => (**tally).clone(),
            _ => AgentTally::default(),
        }
    }

    fn work_row(&self, quarter: Timestamp) -> Work {
        match self.stored.get(&(quarter, 1, queue().to_string())) {
            Some(Tally::Work(_, work)) => (**work).clone(),
            _ => Work::default(),
        }
    }
}

/// An agent as the model knows them.
#[derive(Debug, Clone)]
struct Person {
    standing: Standing,
    connected: bool,
    held: u32,
}

/// Looks at every second, and keeps every fact.
struct Model {
    people: [Person; 2],
    seconds: Vec<(Timestamp, [Person; 2])>,
    facts: Vec<(Timestamp, Fact)>,
    restarted: Option<Timestamp>,
}

impl Model {
    fn new() -> Self {
        let standing = Standing { presence: Presence::Offline, reason: None, units: 0 };
        let person = Person { standing, connected: false, held: 0 };
        let people = [person.clone(), person];
        Self { people, seconds: Vec::new(), facts: Vec::new(), restarted: None }
    }

    /// An agent's time within these seconds, one by one.
    fn time(&self, number: usize, within: impl Fn(Timestamp) -> bool) -> AgentTally {
        let mut tally = AgentTally::default();
        for (_, people) in self.seconds.iter().filter(|(at, _)| within(*at)) {
            let Person { standing, connected, held } = &people[number];
            if standing.presence != Presence::Offline {
                tally.present(standing.presence, standing.reason.as_deref(), SECOND);
            }
            let can_work = standing.presence == Presence::Available && *connected;
            let available = if can_work { (*held).max(standing.units) } else { *held };
            tally.held += Span::seconds(*held);
            tally.available += Span::seconds(available);
        }
        tally
    }

    fn counted(&self, within: impl Fn(Timestamp) -> bool, is: impl Fn(&Fact) -> bool) -> u64 {
        let such = self.facts.iter().filter(|(at, fact)| within(*at) && is(fact));
        such.count() as u64
    }
}

fn fact_of(deed: &Deed, people: &mut [Person; 2], at: Timestamp) -> Option<Fact> {
    match deed {
        Deed::Stand(who, how, units) => {
            let (presence, reason) = [
                (Presence::Available, None),
                (Presence::Away, Some("lunch")),
                (Presence::Away, Some("no_call")),
                (Presence::Offline, None),
            ][*how];
            let reason = reason.map(str::to_owned);
            people[*who].standing = Standing { presence, reason, units: *units };
            Some(Fact::Stands(agent(*who), people[*who].standing.clone()))
        }
        Deed::Hold(who, true) => {
            people[*who].held += 1;
            Some(Fact::Holds(agent(*who), 1))
        }
        Deed::Hold(who, false) => {
            people[*who].held = people[*who].held.checked_sub(1)?;
            Some(Fact::Releases(agent(*who), 1))
        }
        Deed::Connect(who, connected) => {
            people[*who].connected = *connected;
            Some(Fact::Connected(agent(*who), *connected))
        }
        Deed::Offer(who, step) => Some(Fact::Offer(queue(), agent(*who), STEPS[*step])),
        Deed::Call(who) => Some(Fact::Called(queue(), agent(*who))),
        Deed::Reach(who, before) => {
            let called_at = at - Span::seconds(*before);
            Some(Fact::Reached { queue: queue(), agent: agent(*who), called_at, reached: true })
        }
        Deed::FirstCall(wait, in_time) => {
            let (kind, wait) = (CallbackType::Asap, Span::seconds(*wait));
            Some(Fact::FirstCalled { queue: queue(), kind, wait, in_time: *in_time })
        }
        Deed::Restart(_) => None,
    }
}

/// What stands in the queue's rows, and in the agents'.
fn check_rows(bench: &Bench, model: &Model, quarter: Timestamp) {
    let within = |at: Timestamp| quarter_of(at) == quarter;
    let offers = |is_of: &dyn Fn(&AgentId) -> bool| {
        let of = |step| {
            model.counted(
                within,
                |fact| matches!(fact, Fact::Offer(_, agent, one) if *one == step && is_of(agent)),
            )
        };
        let [made, accepted, declined, missed, revoked] = STEPS.map(of);
        Offers { made, accepted, declined, missed, revoked }
    };
    let reached = |is_of: &dyn Fn(&AgentId) -> bool| Share {
        met: model.counted(
            |_| true,
            |fact| {
                matches!(fact, Fact::Reached { agent, called_at, .. }
                    if within(*called_at) && is_of(agent))
            },
        ),
        of: model.counted(within, |fact| matches!(fact, Fact::Called(_, agent) if is_of(agent))),
    };
    let work = bench.work_row(quarter);
    assert_eq!((work.offers, work.calls.reached), (offers(&|_| true), reached(&|_| true)));
    let mut waits = Waits::default();
    let mut service_level = Share::default();
    for (_, fact) in model.facts.iter().filter(|(at, _)| within(*at)) {
        if let Fact::FirstCalled { wait, in_time, .. } = fact {
            waits.add(*wait);
            service_level.met += u64::from(*in_time);
            service_level.of += 1;
        }
    }
    assert_eq!((work.waits, work.service_level), (waits, service_level));
    for number in 0..2 {
        let id = agent(number);
        let expected = AgentTally {
            offers: offers(&|one| *one == id),
            calls: Calls { reached: reached(&|one| *one == id), ..Calls::default() },
            ..model.time(number, within)
        };
        assert_eq!(bench.agent_row(quarter, number), expected, "{id} at {quarter:?}");
    }
}

fn run(deeds: &[(Deed, u32)]) -> (Bench, Model) {
    let (mut bench, mut model) = (Bench::new(), Model::new());
    let mut since_tick = Span::ZERO;
    for (deed, pause) in deeds {
        if let Some(fact) = fact_of(deed, &mut model.people, bench.at) {
            model.facts.push((bench.at, fact.clone()));
            bench.learn(vec![fact]);
        }
        if let Deed::Restart(down) = deed {
            bench.tick();
            bench.restart(*down);
            model.restarted = Some(bench.at);
            // At start all is told again; nobody is connected.
            for (number, person) in model.people.iter_mut().enumerate() {
                person.connected = false;
                let (id, standing) = (agent(number), person.standing.clone());
                bench.learn(vec![Fact::Stands(id.clone(), standing), Fact::Holds(id, person.held)]);
            }
            since_tick = Span::ZERO;
        }
        for _ in 0..*pause {
            model.seconds.push((bench.at, model.people.clone()));
            bench.at = bench.at + SECOND;
            since_tick += SECOND;
            if since_tick == TICK {
                bench.tick();
                since_tick = Span::ZERO;
            }
        }
    }
    (bench, model)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_second_and_every_fact_is_counted_once(deeds in prop::collection::vec(deed(), 1..40)) {
        let (mut bench, model) = run(&deeds);
        // What is asked for now has the time since the last tick too.
        let whole = Window::since(bench.at - Span::minutes(24 * 60));
        let lately = [1, 15, 60].map(|minutes| Window::last(Span::minutes(minutes), bench.at));
        for number in 0..2 {
            let (id, now) = (agent(number), bench.at);
            let timed = |tally: AgentTally| (tally.presence, tally.held, tally.available);
            let all = bench.ledger.agent(now, &id, whole);
            let day = model.time(number, |at| at >= whole.from());
            prop_assert_eq!(timed(all), timed(day));
            // A restart knows the time before by the quarter only.
            for window in lately.iter().filter(|_| model.restarted.is_none()) {
                let told = bench.ledger.agent(now, &id, *window);
                let expected = model.time(number, |at| at >= window.from());
                prop_assert_eq!(timed(told), timed(expected));
            }
        }
        bench.tick();
        let mut quarter = quarter_of(START - Span::minutes(60));
        while quarter <= bench.at {
            check_rows(&bench, &model, quarter);
            quarter = quarter + QUARTER;
        }
        // What readers are told of memory is what is stored.
        let (from, to) = (bench.ledger.floor(), bench.at + QUARTER);
        for name in bench.ledger.names() {
            for told in bench.ledger.quarters(bench.at, &name, from, to) {
                let found = bench.stored.values().any(|tally| *tally == told.tally);
                let nothing = matches!(&told.tally,
                    Tally::Intake(_, intake) if *intake == Intake::default())
                    || matches!(&told.tally, Tally::Work(_, work) if **work == Work::default());
                prop_assert!(found || nothing, "{:?}", told);
            }
        }
    }
}

#[test]
fn time_in_which_nobody_watched_is_not_counted() {
    let mut bench = Bench::new();
    let standing = Standing { presence: Presence::Available, reason: None, units: 1 };
    bench.learn(vec![
        Fact::Stands(agent(0), standing.clone()),
        Fact::Connected(agent(0), true),
        Fact::Holds(agent(0), 1),
    ]);
    bench.at = bench.at + TICK;
    bench.tick();
    // Killed half a minute later: that half minute is lost, and what follows never was.
    bench.restart(30 + 7_200);
    bench.learn(vec![Fact::Stands(agent(0), standing), Fact::Holds(agent(0), 1)]);
    bench.at = bench.at + Span::seconds(10);
    bench.tick();
    let day = bench.ledger.agent(bench.at, &agent(0), Window::since(START));
    assert_eq!(day.time_in(Presence::Available), Span::seconds(70));
    assert_eq!((day.held, day.available), (Span::seconds(70), Span::seconds(70)));
    // A machine that slept, or a clock that was set, in between.
    bench.at = bench.at + Span::days(1);
    bench.tick();
    bench.at = bench.at - Span::days(2);
    bench.tick();
    let all: Span = bench.stored.values().fold(Span::ZERO, |sum, tally| match tally {
        Tally::Agent(_, tally) => sum + tally.held,
        _ => sum,
    });
    assert_eq!(all, Span::seconds(70 + 180));
}

#[test]
fn a_correction_takes_back_what_was_counted_where_it_was() {
    let mut bench = Bench::new();
    let called_at = bench.at;
    let reached =
        |reached| vec![Fact::Reached { queue: queue(), agent: agent(0), called_at, reached }];
    bench.learn(vec![Fact::Called(queue(), agent(0))]);
    bench.learn(reached(true));
    bench.at = bench.at + Span::minutes(20);
    bench.learn(reached(false));
    assert_eq!(bench.work_row(quarter_of(called_at)).calls.reached, Share { met: 0, of: 1 });
    assert_eq!(bench.work_row(quarter_of(bench.at)), Work::default());
}

#[test]
fn demand_is_counted_by_what_is_new_and_written_with_the_next_row() {
    let mut bench = Bench::new();
    let stats = |asap_requests, callback_offers| QueueStats {
        asap_requests,
        callback_offers,
        ..QueueStats::default()
    };
    bench.ledger.demand(bench.at, &queue(), &stats(2, 5));
    bench.ledger.demand(bench.at, &queue(), &stats(3, 5));
    assert!(bench.stored.is_empty());
    bench.tick();
    // A queue of the same name that begins anew.
    bench.ledger.demand(bench.at, &queue(), &stats(1, 1));
    bench.tick();
    let row = bench.stored.get(&(quarter_of(bench.at), 0, queue().to_string()));
    let Some(Tally::Intake(_, intake)) = row else { panic!("it is written: {row:?}") };
    assert_eq!((intake.asap_requests, intake.callback_offers), (4, 6));
}

#[test]
fn a_line_is_written_once_a_minute_and_known_after_a_restart() {
    let mut bench = Bench::new();
    let is = |bench: &mut Bench, waiting| {
        let stats = QueueStats { waiting, ..QueueStats::default() };
        bench.ledger.demand(bench.at, &queue(), &stats);
    };
    let last = |bench: &Bench, minutes: usize| {
        bench.ledger.last_hour(bench.at, &queue()).waiting.split_off(60 - minutes)
    };
    is(&mut bench, 5);
    is(&mut bench, 2);
    bench.learn(vec![Fact::Queued(queue())]);
    assert!(bench.stored.keys().all(|(_, kind, _)| *kind != 3), "not with a step");
    bench.at = bench.at + TICK;
    bench.tick();
    is(&mut bench, 9);
    // Killed at once: what came after the tick is lost, and nobody watched until the start.
    bench.restart(120);
    assert_eq!(last(&bench, 4), [Some(5), Some(2), None, None]);
    is(&mut bench, 1);
    assert_eq!(last(&bench, 4), [Some(5), Some(2), None, Some(1)]);
    bench.learn(vec![Fact::QueueRemoved(queue())]);
    bench.at = bench.at + TICK;
    bench.tick();
    assert_eq!(last(&bench, 2), [Some(1), None]);
}

#[test]
fn what_is_too_old_is_forgotten_and_never_counted_over() {
    let mut bench = Bench::new();
    bench.learn(vec![Fact::Queued(queue())]);
    bench.at = bench.at + Span::days(2);
    bench.tick();
    assert!(bench.ledger.quarters(bench.at, &Name::Queue(queue()), START, bench.at).is_empty());
    // A clock set back: nothing that is stored is written anew from nothing.
    bench.at = START;
    bench.learn(vec![Fact::Queued(queue())]);
    let row = bench.stored.get(&(quarter_of(START), 0, queue().to_string()));
    let Some(Tally::Intake(_, intake)) = row else { panic!("it is there: {row:?}") };
    assert_eq!(intake.queued, 1);
}

#[test]
fn reasons_are_told_apart_up_to_a_number() {
    let mut tally = AgentTally::default();
    for number in 0..40 {
        tally.present(Presence::Away, Some(&format!("reason {number}")), SECOND);
    }
    assert_eq!(tally.presence.len(), MAX_REASONS + 1);
    assert_eq!(tally.time_in(Presence::Away), Span::seconds(40));
}
