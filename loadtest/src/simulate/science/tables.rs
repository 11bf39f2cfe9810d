//! Which figures of a scenario are held against which row of the reference.
//!
//! Separate from `science`, which plays and prints: here is only what a figure should be.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::super::outcome::{Measure, Outcome, count};
use super::super::reference::{Exact, Reference};
use super::super::tally::Replication;
use super::{Bound, Bounded, Compared, FAIR, KINDS, NARROW, Played, UNIT_SECONDS};

/// All tables of exact values.
pub(super) struct Tables(BTreeMap<&'static str, Reference>);

/// Their files.
const TABLES: [&str; 7] = [
    "callback_option",
    "erlang_a",
    "erlang_c",
    "fcfs_alis",
    "fcfs_alis_utilisation",
    "inverted_v",
    "pooling_skills",
];

impl Tables {
    /// Reads them from a folder.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let read = |table: &'static str| -> Result<(&'static str, Reference)> {
            Ok((table, Reference::read(&folder.join(format!("{table}.csv")))?))
        };
        Ok(Self(TABLES.into_iter().map(read).collect::<Result<_>>()?))
    }

    fn table(&self, name: &'static str) -> Result<&Reference> {
        self.0.get(name).with_context(|| format!("no table {name}"))
    }

    /// Holds a scenario against its rows, which its file's name tells.
    pub(super) fn compare(&self, file: &str, outcome: &Outcome<'_>) -> Result<Played> {
        let kind = KINDS.into_iter().find(|kind| file.starts_with(kind));
        let kind = kind.context("no reference for it")?;
        let rest: Vec<&str> = file[kind.len()..].trim_start_matches('_').split('_').collect();
        let (mut compared, mut bounded) = (Vec::new(), Vec::new());
        match kind {
            "alis" => compared = self.alis(outcome)?,
            "erlang_c" => compared = self.erlang_c(outcome, &rest)?,
            "erlang_a" => compared = self.erlang_a(outcome, &rest)?,
            "inverted_v" => compared = self.inverted_v(outcome, &rest)?,
            "pooling" => compared = self.pooling(outcome, &rest)?,
            "callback" => compared = self.callback(outcome, &rest)?,
            "fairness" => bounded = vec![fairness(outcome)],
            other => bail!("no comparison for {other}"),
        }
        bounded.push(little(outcome));
        Ok(Played { kind, file: file.to_owned(), compared, bounded })
    }

    /// Skills-based routing in product form: waits and shares by class, utilisation by agent.
    fn alis(&self, outcome: &Outcome<'_>) -> Result<Vec<Compared>> {
        let system = outcome.plan.name.as_str();
        let mut compared = Vec::new();
        for class in 0..outcome.plan.classes.len() {
            let number = class.to_string();
            let row =
                self.table("fcfs_alis")?.one(&[("system", system), ("class", number.as_str())])?;
            let wait = row.number("EW_exact")? * UNIT_SECONDS;
            let at_once = row.number("P_nowait_exact")?;
            let named = |what: &str| format!("{what} of class {class}");
            compared.push(of(outcome, &[class], Measure::MeanWait, wait, &named("mean wait")));
            let what = named("share not waiting");
            compared.push(of(outcome, &[class], Measure::NoWaitShare, at_once, &what));
        }
        for agent in 0..outcome.plan.agents.len() {
            let number = agent.to_string();
            let table = self.table("fcfs_alis_utilisation")?;
            let row = table.one(&[("system", system), ("server", number.as_str())])?;
            let exact = row.number("util_exact")?;
            let what = format!("utilisation of agent {agent}");
            compared.push(busy(outcome, agent..agent + 1, exact, &what));
        }
        for one in &mut compared {
            one.narrow = true;
        }
        Ok(compared)
    }

    fn erlang_c(&self, outcome: &Outcome<'_>, rest: &[&str]) -> Result<Vec<Compared>> {
        let [agents, load] = rest else { bail!("its name has no number of agents and load") };
        let load = hundredths(load)?;
        let row = self.table("erlang_c")?.one(&[("s", *agents), ("rho", load.as_str())])?;
        let wait = row.number("EW")? * UNIT_SECONDS;
        let at_once = 1.0 - row.number("P_wait")?;
        let square = row.number("ASE_QL")? * UNIT_SECONDS * UNIT_SECONDS;
        let tallies = |one: &Replication| one.classes[0].clone();
        let squares = outcome.replications.iter().map(|one| {
            let tally = tallies(one);
            (tally.squares_by_length, count(tally.foretold))
        });
        let ratio = outcome.replications.iter().map(|one| {
            let tally = tallies(one);
            (tally.squares_by_head, tally.squares_by_length)
        });
        let by_length = "squared error by the line's length";
        let by_head = "squared error by its head / by its length";
        Ok(vec![
            of(outcome, &[0], Measure::MeanWait, wait, "mean wait"),
            of(outcome, &[0], Measure::NoWaitShare, at_once, "share not waiting"),
            Compared::new(by_length, squares.collect(), square),
            Compared::new(by_head, ratio.collect(), 2.0),
        ])
    }

    fn erlang_a(&self, outcome: &Outcome<'_>, rest: &[&str]) -> Result<Vec<Compared>> {
        let [agents, load, patience] = rest else {
            bail!("its name has no agents, load, patience")
        };
        let (load, patience) = (hundredths(load)?, hundredths(patience)?);
        let wanted = [("s", *agents), ("rho", load.as_str()), ("theta", patience.as_str())];
        let row = self.table("erlang_a")?.one(&wanted)?;
        let wait = row.number("EW_served")? * UNIT_SECONDS;
        let at_once = 1.0 - row.number("P_wait")?;
        let gone = row.number("P_ab")?;
        let all = 0..outcome.plan.agents.len();
        Ok(vec![
            of(outcome, &[0], Measure::MeanWait, wait, "mean wait of the served"),
            of(outcome, &[0], Measure::NoWaitShare, at_once, "share not waiting"),
            of(outcome, &[0], Measure::AbandonedShare, gone, "share giving up"),
            busy(outcome, all, row.number("occupancy")?, "utilisation"),
        ])
    }

    /// Two pools of different speed. The longest idle first has the same law as an agent by chance
    /// (Adan and Weiss 2014).
    fn inverted_v(&self, outcome: &Outcome<'_>, rest: &[&str]) -> Result<Vec<Compared>> {
        let [fast, speed, load, rule @ ..] = rest else { bail!("its name has no pools and load") };
        let (speed, load) = (tenths(speed)?, hundredths(load)?);
        let rule = match rule {
            ["fastest", "first"] => "FSF",
            ["longest", "idle"] => "random",
            _ => bail!("its name has no rule"),
        };
        let wanted = [("n_fast", *fast), ("mu_fast", &speed), ("rho", &load), ("rule", rule)];
        let row = self.table("inverted_v")?.one(&wanted)?;
        let wait = row.number("EW")? * UNIT_SECONDS;
        let at_once = 1.0 - row.number("P_wait")?;
        let groups = &outcome.plan.groups;
        let pool = |number: usize| groups[number].first..groups[number].first + groups[number].size;
        let idle = |number: usize| {
            let pairs = outcome.busy_pairs(pool(number)).into_iter();
            let each = count(groups[number].size as u64);
            pairs.map(move |(busy, there)| (there - busy) / each)
        };
        let ratio = idle(1).zip(idle(0)).collect();
        Ok(vec![
            of(outcome, &[0], Measure::MeanWait, wait, "mean wait"),
            of(outcome, &[0], Measure::NoWaitShare, at_once, "share not waiting"),
            busy(outcome, pool(0), row.number("util_fast")?, "utilisation, fast"),
            busy(outcome, pool(1), row.number("util_slow")?, "utilisation, slow"),
            Compared::new("idleness, slow by fast", ratio, row.number("idle_ratio_slow/fast")?),
        ])
    }

    /// Six types of call and agents with some of six skills. One and all skills are exact.
    fn pooling(&self, outcome: &Outcome<'_>, rest: &[&str]) -> Result<Vec<Compared>> {
        let [variant, skills] = rest else { bail!("its name has no variant and skills") };
        let room = *variant == "room";
        let variant =
            if room { "K=30 no abandonment" } else { "infinite room, patience mean 10 min" };
        let wanted = [("variant", variant), ("skills", *skills), ("idle_rule", "0")];
        let row = self.table("pooling_skills")?.one(&wanted)?;
        let all: Vec<usize> = (0..outcome.plan.classes.len()).collect();
        let lost = if room { Measure::BlockedShare } else { Measure::AbandonedShare };
        let key = if room { "P_block" } else { "P_ab" };
        let mut compared = Vec::new();
        for (what, measure, key, scale) in
            [("mean wait", Measure::MeanWait, "EW_min", 60.0), ("share lost", lost, key, 1.0)]
        {
            // The mean wait of the reference is over all who come in, those who give up as well.
            let of_all = measure == Measure::MeanWait && !room;
            let exact = row.maybe(&format!("exact_{key}"));
            let slack = if exact.is_some() { 0.0 } else { half_width(row, key) };
            let value = exact.map_or_else(|| row.number(key), Ok)?;
            let mut one = of(outcome, &all, measure, value * scale, what);
            if of_all {
                one.pairs = outcome.replications.iter().map(on_the_line).collect();
            }
            // Who has which skills isn't the same there in every detail.
            one.slack = (slack + if exact.is_some() { 0.0 } else { 0.05 * value }) * scale;
            compared.push(one);
        }
        Ok(compared)
    }

    fn callback(&self, outcome: &Outcome<'_>, rest: &[&str]) -> Result<Vec<Compared>> {
        let [agents, load, accept] = rest else { bail!("its name has no agents, load, share") };
        let (load, accept) = (hundredths(load)?, hundredths(accept)?);
        let wanted = [
            ("s", *agents),
            ("rho", load.as_str()),
            ("p_accept", accept.as_str()),
            ("K_offer", "0"),
            ("R_reserve", "0"),
        ];
        let row = self.table("callback_option")?.one(&wanted)?;
        let exact = |key: &str| row.number(key);
        let delay = exact("E_callback_delay")? * UNIT_SECONDS;
        let measure = |measure, value, what: &str| of(outcome, &[0], measure, value, what);
        let all = 0..outcome.plan.agents.len();
        Ok(vec![
            measure(Measure::NoWaitShare, 1.0 - exact("P_offer")?, "share not waiting"),
            measure(Measure::CallbackShare, exact("P_callback")?, "share called back"),
            measure(Measure::AbandonedShare, exact("P_ab")?, "share giving up"),
            measure(Measure::CallbackDelay, delay, "until called back"),
            busy(outcome, all, exact("util")?, "utilisation"),
            Compared::new(
                "time on the line",
                outcome.replications.iter().map(on_the_line).collect(),
                exact("EW_inbound")? * UNIT_SECONDS,
            ),
        ])
    }
}

fn of(
    outcome: &Outcome<'_>,
    classes: &[usize],
    measure: Measure,
    exact: f64,
    what: &str,
) -> Compared {
    Compared::new(what, outcome.pairs(classes, measure), exact)
}

fn busy(outcome: &Outcome<'_>, agents: Range<usize>, exact: f64, what: &str) -> Compared {
    Compared::new(what, outcome.busy_pairs(agents), exact)
}

fn half_width(row: Exact<'_>, key: &str) -> f64 {
    let key = key.strip_suffix("_min").unwrap_or(key);
    row.maybe(&format!("{key}_hw")).unwrap_or(0.0)
}

/// Time spent waiting by all who came in, whatever became of them.
fn on_the_line(one: &Replication) -> (f64, f64) {
    let all = one.classes.iter().map(|tally| {
        (tally.on_the_line, count(tally.arrivals - tally.blocked - tally.balked - tally.callbacks))
    });
    all.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
}

/// The line's mean length is the rate of arrivals times the mean time on it (Little 1961): how far
/// the two are apart, as a share. Not exact, since the line isn't empty at both ends.
fn little(outcome: &Outcome<'_>) -> Bounded {
    let (mut area, mut waited) = (0.0, 0.0);
    for tally in outcome.replications.iter().flat_map(|one| &one.classes) {
        area += tally.line_area;
        waited += tally.on_the_line;
    }
    let apart = if waited > 0.0 { (area / waited - 1.0).abs() } else { 0.0 };
    let what = "Little's law, off by".to_owned();
    Bounded { what, found: apart, bound: Bound::Most(NARROW) }
}

/// How unevenly equal agents were offered work, by the hours that they were there.
fn fairness(outcome: &Outcome<'_>) -> Bounded {
    let spread = outcome.replications.iter().map(|one| {
        let rates = one.agents.iter().map(|agent| count(agent.served) / agent.there);
        let rates: Vec<f64> = rates.collect();
        let number = count(rates.len() as u64);
        let mean = rates.iter().sum::<f64>() / number;
        let variance = rates.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / (number - 1.0);
        variance.sqrt() / mean
    });
    let spread: Vec<f64> = spread.collect();
    let mean = spread.iter().sum::<f64>() / count(spread.len() as u64);
    let what = "spread of offers per hour".to_owned();
    Bounded { what, found: mean, bound: Bound::Most(FAIR) }
}

/// `095` as `0.95`.
fn hundredths(text: &str) -> Result<String> {
    scaled(text, 100.0)
}

/// `15` as `1.5`.
fn tenths(text: &str) -> Result<String> {
    scaled(text, 10.0)
}

fn scaled(text: &str, by: f64) -> Result<String> {
    let number: f64 = text.parse().with_context(|| format!("{text:?} is no number"))?;
    Ok((number / by).to_string())
}
