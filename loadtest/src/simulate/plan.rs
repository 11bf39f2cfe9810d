//! A scenario checked and worked out: queues and agents as the engine takes them, classes with
//! whom they may be served by, times in microseconds.
//!
//! Separate from `scenario`, which is the file as written, and from `run`, which plays it: all
//! that can be wrong with a scenario is found here, before anything runs.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use ringback::domain::ids::{AgentId, QueueId};
use ringback::domain::policy::{
    AgentSettings, DuplicatePolicy, Medium, Membership, QueueSettings, WrapUpMode,
};
use ringback::domain::rank::Priority;
use ringback::domain::skills::{MAX_REQUIREMENTS, Requirements};
use ringback::domain::time::Span;
use ringback::wire::json::Json;
use ringback::wire::settings;
use ringback::wire::settings::fields::{Fault, Item};
use serde_json::{Map, Value, json};

use super::arrivals::{Arrivals, Traced};
use super::scenario::{self, Scenario};
use super::tally::seconds;

/// Microseconds: finer than the engine's clock, so that figures aren't rounded by it.
pub(crate) type Micros = i64;

/// The most agents of a scenario, and the most classes.
const MOST_AGENTS: usize = 100_000;
/// Intervals over fewer replications say little.
const FEWEST_REPLICATIONS: u32 = 10;
/// When nothing that is asked of agents for a time only is asked any more.
const LONG_AFTER: Span = Span::seconds(u32::MAX);
/// The longest a scenario may last: some hundred years.
const LONGEST_SECONDS: f64 = 4e9;

/// A scenario that can be run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) name: String,
    pub(crate) seed: u64,
    pub(crate) replications: u32,
    pub(crate) duration: Micros,
    pub(crate) warmup: Micros,
    pub(crate) until_empty: bool,
    pub(crate) service_level: Micros,
    /// Queues close at times.
    pub(crate) keeps_hours: bool,
    pub(crate) queues: Vec<Arc<QueueSettings>>,
    pub(crate) classes: Vec<Class>,
    pub(crate) groups: Vec<Group>,
    pub(crate) agents: Vec<Arc<AgentSettings>>,
    /// The group of each agent.
    pub(crate) group_of: Vec<usize>,
}

/// Customers who are alike.
#[derive(Debug, Clone)]
pub(crate) struct Class {
    pub(crate) id: String,
    pub(crate) queue: QueueId,
    /// Counts those who share waiting places.
    pub(crate) line: usize,
    pub(crate) priority: Priority,
    pub(crate) requirements: Requirements,
    pub(crate) arrivals: Arrivals,
    pub(crate) service: Times,
    pub(crate) patience: Option<Times>,
    pub(crate) balk_share: f64,
    pub(crate) waiting_places: u64,
    pub(crate) callback: Option<Callback>,
    /// Groups that may serve it from the beginning; others may when less is asked for.
    pub(crate) groups: Vec<usize>,
}

/// How long something takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Times {
    Exponential {
        mean: f64,
    },
    Lognormal {
        mean: f64,
        scv: f64,
    },
    Deterministic {
        mean: f64,
    },
    /// As the trace says; beyond what it says exponential (patience), or `mean` (conversations).
    Traced {
        mean: f64,
    },
}

/// A callback offered to those who would have to wait.
#[derive(Debug, Clone)]
pub(crate) struct Callback {
    /// Where it waits: a queue of its own, which agents take from when no live caller waits.
    pub(crate) queue: QueueId,
    pub(crate) offer_above_seconds: f64,
    pub(crate) accept_share: f64,
    pub(crate) promise: Option<Micros>,
}

/// Agents who are alike; they stand one after another among all agents.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) first: usize,
    pub(crate) size: usize,
    /// How many are there, period by period; always all where there are none.
    pub(crate) shifts: Option<Shifts>,
    /// What a class's service times are multiplied by.
    pub(crate) pace: Vec<f64>,
}

/// How many of a group are there.
#[derive(Debug, Clone)]
pub(crate) struct Shifts {
    pub(crate) period: Micros,
    pub(crate) counts: Vec<usize>,
}

impl Times {
    pub(crate) const fn mean(self) -> f64 {
        match self {
            Self::Exponential { mean }
            | Self::Lognormal { mean, .. }
            | Self::Deterministic { mean }
            | Self::Traced { mean } => mean,
        }
    }
}

impl Plan {
    /// Reads a file; traces are looked for beside it.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let named = || format!("{}", path.display());
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", named()))?;
        let scenario: Scenario = toml::from_str(&text).with_context(named)?;
        Self::new(&scenario, path.parent().unwrap_or(Path::new("."))).with_context(named)
    }

    /// Works a scenario out; traces are looked for in `folder`.
    pub(crate) fn new(scenario: &Scenario, folder: &Path) -> Result<Self> {
        check_times(scenario)?;
        let settings = &scenario.settings;
        let live = queues(scenario)?;
        let classes = scenario.classes.iter().map(|class| {
            self::class(class, &live, folder).with_context(|| format!("class {:?}", class.id))
        });
        let mut classes = classes.collect::<Result<Vec<Class>>>()?;
        distinct("class", classes.iter().map(|class| class.id.as_str()))?;
        let mut plan = Self {
            name: scenario.name.clone(),
            seed: scenario.seed,
            replications: scenario.replications,
            duration: micros(scenario.duration_seconds),
            warmup: micros(scenario.warmup_seconds),
            until_empty: scenario.until_empty,
            service_level: micros(f64::from(scenario.service_level_seconds)),
            keeps_hours: ["hours", "exceptions"].iter().any(|key| settings.contains_key(*key)),
            queues: live,
            classes: Vec::new(),
            groups: Vec::new(),
            agents: Vec::new(),
            group_of: Vec::new(),
        };
        distinct("agents", scenario.agents.iter().map(|group| group.id.as_str()))?;
        for group in &scenario.agents {
            let name = format!("agents {:?}", group.id);
            plan.add_group(group, scenario, &classes).with_context(|| name)?;
        }
        plan.offer_callbacks(&mut classes)?;
        for class in &mut classes {
            class.groups = plan.groups_for(class, Span::ZERO);
            let ever = plan.groups_for(class, LONG_AFTER);
            ensure!(
                !ever.is_empty(),
                "class {:?}: no agents serve its queue with the skills that it asks for",
                class.id
            );
        }
        plan.classes = classes;
        Ok(plan)
    }

    /// Plays only so much of the scenario: first with fewer replications, then with shorter ones.
    pub(crate) fn shorten(&mut self, share: f64) {
        let all = f64::from(self.replications);
        let fewest = FEWEST_REPLICATIONS.min(self.replications);
        while self.replications > fewest && f64::from(self.replications) > all * share {
            self.replications -= 1;
        }
        let share = (all * share / f64::from(self.replications)).min(1.0);
        let part = |whole: Micros| micros(seconds(whole) * share);
        self.duration = part(self.duration).max(1);
        self.warmup = part(self.warmup);
    }

    fn add_group(
        &mut self,
        group: &scenario::Agents,
        scenario: &Scenario,
        classes: &[Class],
    ) -> Result<()> {
        let shifts = shifts(group, scenario)?;
        let size = shifts.as_ref().map_or_else(
            || group.count.unwrap_or_default() as usize,
            |shifts| shifts.counts.iter().copied().max().unwrap_or_default(),
        );
        ensure!(size > 0, "count must be at least 1");
        ensure!(self.agents.len() + size <= MOST_AGENTS, "at most {MOST_AGENTS} agents are taken");
        positive("speed", group.speed)?;
        for (class, mean) in &group.service_mean_seconds {
            positive("service_mean_seconds", *mean)?;
            let known: Vec<&str> = classes.iter().map(|class| class.id.as_str()).collect();
            ensure!(
                known.contains(&class.as_str()),
                "service_mean_seconds: there is no class {class:?}; there are {}",
                known.join(", ")
            );
        }
        let pace = classes.iter().map(|class| {
            let own = group.service_mean_seconds.get(&class.id);
            own.map_or(1.0, |mean| mean / class.service.mean()) / group.speed
        });
        let queues: Value = serde_json::to_value(&group.queues).context("queues")?;
        let skills: Value = serde_json::to_value(&group.skills).context("skills")?;
        let body = json!({ "queues": queues, "skills": skills });
        let first = self.agents.len();
        let id = |number: usize| AgentId::parse(&format!("{}-{number}", group.id));
        let known = |id: &QueueId| self.queues.iter().any(|queue| queue.id == *id);
        let like =
            settings::agent(&Json::from(&body), &id(1).context("id")?, &known).map_err(told)?;
        ensure!(!like.queues.is_empty(), "queues must name at least one queue");
        for number in 1..=size {
            let id = id(number).context("id")?;
            let name = id.to_string();
            self.agents.push(Arc::new(AgentSettings { id, name, ..like.clone() }));
            self.group_of.push(self.groups.len());
        }
        let (id, pace) = (group.id.clone(), pace.collect());
        self.groups.push(Group { id, first, size, shifts, pace });
        Ok(())
    }

    /// Callbacks wait in queues of their own, which every agent of the class's queue takes from
    /// after all live callers: at a preference behind every other.
    fn offer_callbacks(&mut self, classes: &mut [Class]) -> Result<()> {
        let members = self.agents.iter().flat_map(|agent| &agent.queues);
        let skills = self.agents.iter().flat_map(|agent| agent.skills.iter());
        let skills = skills.map(|(_, held)| held.preference.value());
        let last = members.map(|one| one.preference).chain(skills).max().unwrap_or(1);
        for class in classes {
            let Some(option) = &class.callback else { continue };
            ensure!(
                last < 9,
                "class {:?}: callback needs a preference of agents behind all others; use 1 to 8",
                class.id
            );
            let id = &option.queue;
            let taken = self.queues.iter().any(|queue| queue.id == *id);
            ensure!(!taken, "class {:?}: the name {id} is needed for its callbacks", class.id);
            let own = self.queues.iter().find(|queue| queue.id == class.queue);
            let mut queue = QueueSettings::clone(own.context("a class has its queue")?);
            queue.id = id.clone();
            if let Some(promise) = option.promise {
                let minutes = u32::try_from(promise / 60_000_000);
                queue.promise_window_minutes = Some(minutes.context("promise_window_minutes")?);
            }
            self.queues.push(Arc::new(queue));
            for agent in &mut self.agents {
                let Some(member) = agent.membership(&class.queue) else { continue };
                let preference = (member.preference + last).min(9);
                let mut changed = AgentSettings::clone(agent);
                changed.queues.push(Membership { queue: id.clone(), preference });
                changed.queues.sort();
                *agent = Arc::new(changed);
            }
        }
        Ok(())
    }

    /// Who may serve those of a class who have waited so long.
    fn groups_for(&self, class: &Class, waited: Span) -> Vec<usize> {
        let queue = &self.queues[class.line];
        let asked = class.requirements.with(&queue.requirements).widened(&queue.steps);
        let asked = asked.in_force(waited);
        let fits = |group: &Group| {
            let agent = &self.agents[group.first];
            agent.membership(&class.queue).is_some() && asked.met_by(&agent.skills)
        };
        (0..self.groups.len()).filter(|number| fits(&self.groups[*number])).collect()
    }
}

fn check_times(scenario: &Scenario) -> Result<()> {
    positive("duration_seconds", scenario.duration_seconds)?;
    ensure!(
        scenario.duration_seconds <= LONGEST_SECONDS,
        "duration_seconds must be at most {LONGEST_SECONDS}"
    );
    ensure!(
        scenario.warmup_seconds >= 0.0 && scenario.warmup_seconds < scenario.duration_seconds,
        "warmup_seconds must be at least 0 and less than duration_seconds"
    );
    ensure!(
        !scenario.until_empty || scenario.warmup_seconds == 0.0,
        "warmup_seconds must be 0 with until_empty, which looks at whole days"
    );
    ensure!((1..=1_000_000).contains(&scenario.replications), "replications: 1 to 1000000");
    ensure!(!scenario.classes.is_empty(), "there must be at least one [[class]]");
    ensure!(!scenario.agents.is_empty(), "there must be at least one [[agents]]");
    Ok(())
}

fn positive(key: &str, value: f64) -> Result<()> {
    ensure!(value.is_finite() && value > 0.0, "{key} must be more than 0, not {value}");
    Ok(())
}

fn share(key: &str, value: f64) -> Result<()> {
    ensure!((0.0..=1.0).contains(&value), "{key} must be from 0 to 1, not {value}");
    Ok(())
}

fn distinct<'a>(what: &str, ids: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut ids: Vec<&str> = ids.collect();
    ids.sort_unstable();
    if let Some((id, _)) = ids.iter().zip(ids.iter().skip(1)).find(|(one, next)| one == next) {
        bail!("two [[{what}]] have the id {id:?}");
    }
    Ok(())
}

/// Seconds as microseconds.
#[expect(clippy::cast_possible_truncation, reason = "rounded, and bounded by a century")]
pub(crate) fn micros(seconds: f64) -> Micros {
    (seconds * 1e6).round() as Micros
}

/// Faults of settings as one sentence.
fn told(faults: Vec<Fault>) -> anyhow::Error {
    let sentence = |fault: Fault| format!("{} {}", fault.pointer, fault.detail);
    anyhow::anyhow!(faults.into_iter().map(sentence).collect::<Vec<_>>().join("; "))
}

/// The queue of each class, with what isn't asked for switched off.
fn queues(scenario: &Scenario) -> Result<Vec<Arc<QueueSettings>>> {
    let mut body = serde_json::to_value(&scenario.settings).context("settings")?;
    let given: Map<String, Value> = body.as_object().cloned().unwrap_or_default();
    if let Some(map) = body.as_object_mut() {
        map.entry("strategy").or_insert_with(|| json!(scenario.strategy));
    }
    let mut queues: Vec<Arc<QueueSettings>> = Vec::new();
    for class in &scenario.classes {
        let name = class.queue.as_ref().unwrap_or(&class.id);
        let id = QueueId::parse(name).with_context(|| format!("class {:?}: queue", class.id))?;
        if queues.iter().any(|queue| queue.id == id) {
            continue;
        }
        let mut queue = settings::queue(&Json::from(&body), &id, MAX_REQUIREMENTS)
            .map_err(told)
            .context("settings (and strategy)")?;
        switch_off(&mut queue, &given);
        queues.push(Arc::new(queue));
    }
    Ok(queues)
}

/// What people do is in the scenario; what the engine does by itself happens only if it is asked
/// for by name.
fn switch_off(queue: &mut QueueSettings, given: &Map<String, Value>) {
    let off = |key: &str, value: &mut u32, to: u32| {
        if !given.contains_key(key) {
            *value = to;
        }
    };
    off("expire_after_minutes", &mut queue.expire_after_minutes, u32::MAX);
    off("offer_timeout_seconds", &mut queue.offer_timeout_seconds, u32::MAX);
    off("preview_seconds", &mut queue.preview_seconds, u32::MAX);
    off("max_call_seconds", &mut queue.max_call_seconds, u32::MAX);
    off("max_offers", &mut queue.max_offers, u32::MAX);
    off("preference_limit_seconds", &mut queue.preference_limit_seconds, 0);
    if !given.contains_key("wrap_up_mode") && !given.contains_key("wrap_up_seconds") {
        queue.wrap_up_mode = WrapUpMode::None;
    }
    if !given.contains_key("duplicate_policy") {
        queue.duplicate_policy = DuplicatePolicy::Allow;
    }
    queue.media = vec![Medium::Voice];
}

fn class(class: &scenario::Class, queues: &[Arc<QueueSettings>], folder: &Path) -> Result<Class> {
    let queue = QueueId::parse(class.queue.as_ref().unwrap_or(&class.id)).context("queue")?;
    let line = queues.iter().position(|one| one.id == queue).context("queue")?;
    let asked = serde_json::to_value(&class.requirements).context("requirements")?;
    let asked = Json::from(&asked);
    let mut faults = Vec::new();
    let requirements =
        settings::read_requirements(Item::root(&asked, &mut faults), MAX_REQUIREMENTS);
    if !faults.is_empty() {
        return Err(told(faults)).context("requirements");
    }
    let mut trace = None;
    if let scenario::Arrivals::Trace { file, date, types } = &class.arrivals {
        let traced = Traced::read(&folder.join(file), date, types.as_deref());
        trace = Some(traced.context("arrivals")?);
    }
    share("balk_share", class.balk_share)?;
    let service = service(&class.service, trace.as_ref()).context("service")?;
    let callback = class.callback.as_ref().map(|option| callback(&class.id, option)).transpose()?;
    Ok(Class {
        id: class.id.clone(),
        queue,
        line,
        priority: Priority::new(class.priority).context("priority")?,
        requirements: requirements.unwrap_or_default(),
        arrivals: Arrivals::new(&class.arrivals, trace).context("arrivals")?,
        service,
        patience: class.patience.as_ref().map(patience).transpose().context("patience")?,
        balk_share: class.balk_share,
        waiting_places: class.waiting_places,
        callback,
        groups: Vec::new(),
    })
}

fn service(service: &scenario::Service, trace: Option<&Traced>) -> Result<Times> {
    let times = match *service {
        scenario::Service::Exponential { mean_seconds: mean } => Times::Exponential { mean },
        scenario::Service::Lognormal { mean_seconds: mean, scv } => Times::Lognormal { mean, scv },
        scenario::Service::Deterministic { mean_seconds: mean } => Times::Deterministic { mean },
        scenario::Service::Trace {} => {
            let trace = trace.context("kind trace needs arrivals of kind trace")?;
            Times::Traced { mean: trace.mean_service }
        }
    };
    check(times)
}

fn patience(patience: &scenario::Duration) -> Result<Times> {
    check(match *patience {
        scenario::Duration::Exponential { mean_seconds: mean } => Times::Exponential { mean },
        scenario::Duration::Lognormal { mean_seconds: mean, scv } => Times::Lognormal { mean, scv },
        scenario::Duration::Deterministic { mean_seconds: mean } => Times::Deterministic { mean },
    })
}

fn check(times: Times) -> Result<Times> {
    positive("mean_seconds", times.mean())?;
    if let Times::Lognormal { scv, .. } = times {
        positive("scv", scv)?;
    }
    Ok(times)
}

fn callback(class: &str, option: &scenario::Callback) -> Result<Callback> {
    share("callback.accept_share", option.accept_share)?;
    ensure!(
        option.offer_above_seconds.is_finite() && option.offer_above_seconds >= 0.0,
        "callback.offer_above_seconds must be at least 0"
    );
    let minutes = option.promise_window_minutes;
    ensure!(
        minutes.is_none_or(|minutes| settings::YEAR_MINUTES.contains(&minutes)),
        "callback.promise_window_minutes must be from 0 to 525600"
    );
    let queue = format!("{class}--callbacks");
    Ok(Callback {
        queue: QueueId::parse(&queue).context("the id is too long for a callback's queue")?,
        offer_above_seconds: option.offer_above_seconds,
        accept_share: option.accept_share,
        promise: minutes.map(|minutes| Micros::from(minutes) * 60_000_000),
    })
}

fn shifts(group: &scenario::Agents, scenario: &Scenario) -> Result<Option<Shifts>> {
    let Some(counts) = &group.counts else {
        ensure!(group.count.is_some(), "count (or counts, per period) must be given");
        ensure!(group.period_seconds.is_none(), "period_seconds goes with counts, not with count");
        return Ok(None);
    };
    ensure!(group.count.is_none(), "either count or counts, not both");
    ensure!(!counts.is_empty(), "counts must have a number for each period");
    let of_arrivals = scenario.classes.iter().find_map(|class| {
        let scenario::Arrivals::Periods { period_seconds, .. } = &class.arrivals else {
            return None;
        };
        Some(*period_seconds)
    });
    let period = group.period_seconds.or(of_arrivals);
    let period = period.context("counts need period_seconds, here or in the arrivals")?;
    positive("period_seconds", period)?;
    let counts = counts.iter().map(|count| *count as usize).collect();
    Ok(Some(Shifts { period: micros(period).max(1), counts }))
}
