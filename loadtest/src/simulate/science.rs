//! `loadtest science`: what the machines do, beside what theory says, with verdicts that can fail.
//!
//! Each scenario of the folder is played and compared with its row of the reference: means, shares
//! and utilisations, each at `1 - 0.01 / n` so that all `n` of one kind hold together at 99 %. The
//! seeds stand in the files. Where the reference itself was simulated, its half-width is added.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use super::outcome::{Figure, Measure, Outcome, count};
use super::plan::Plan;
use super::reference::Reference;
use super::tally::Replication;
use crate::report::{Report, Table};

/// Hold the simulator's results against exact ones
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of scenarios
    #[arg(long, default_value = "loadtest/scenarios")]
    scenarios: PathBuf,
    /// The folder of exact values
    #[arg(long)]
    reference: PathBuf,
    /// Only scenarios whose file's name begins like this
    #[arg(long, default_value = "")]
    only: String,
    /// How much of each scenario's length is played
    #[arg(long, default_value_t = 1.0)]
    share: f64,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
impl Args {
    /// Only some scenarios, and only a share of their length.
    pub(crate) fn short(scenarios: PathBuf, reference: PathBuf, only: &str, share: f64) -> Self {
        Self { scenarios, reference, only: only.to_owned(), share, json: false }
    }
}

/// Half-widths of skills-based systems must be below this share of the exact value.
const NARROW: f64 = 0.02;
/// The reference's unit of time is a mean conversation, which the scenarios make this long.
const UNIT_SECONDS: f64 = 200.0;
/// Among equal agents the spread of offers per hour is at most this, over a day.
const FAIR: f64 = 0.05;

/// Something measured, and what it should be.
struct Compared {
    what: String,
    /// At some confidence, which is known when all of a kind are counted.
    pairs: Vec<(f64, f64)>,
    exact: f64,
    /// By how much the reference itself may be off.
    slack: f64,
    narrow: bool,
}

/// What a scenario is compared in.
struct Played {
    kind: &'static str,
    file: String,
    compared: Vec<Compared>,
    /// What must not be larger than its bound.
    bounded: Vec<(String, f64, f64)>,
}

/// All tables of exact values.
struct Tables(BTreeMap<&'static str, Reference>);

/// How the scenarios' files begin.
const KINDS: [&str; 7] =
    ["alis", "callback", "erlang_a", "erlang_c", "fairness", "inverted_v", "pooling"];

/// The files of exact values.
const TABLES: [&str; 7] = [
    "callback_option",
    "erlang_a",
    "erlang_c",
    "fcfs_alis",
    "fcfs_alis_utilisation",
    "inverted_v",
    "pooling_skills",
];

/// Plays all scenarios and compares them.
pub(crate) fn run(args: &Args) -> Result<Report> {
    ensure!(args.share > 0.0 && args.share <= 1.0, "--share is more than 0 and at most 1");
    let read = |table: &'static str| -> Result<(&'static str, Reference)> {
        Ok((table, Reference::read(&args.reference.join(format!("{table}.csv")))?))
    };
    let tables = Tables(TABLES.into_iter().map(read).collect::<Result<_>>()?);
    let mut played = Vec::new();
    for path in files(&args.scenarios, &args.only)? {
        let mut plan = Plan::read(&path)?;
        plan.shorten(args.share);
        let outcome = super::play(&plan)?;
        let file = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        eprintln!("{file}: {:.1} s", outcome.wall_seconds);
        let mut one = tables.compare(&file, &outcome).with_context(|| file)?;
        if args.share < 1.0 {
            // A short run can't be that sure.
            for compared in &mut one.compared {
                compared.narrow = false;
            }
            one.bounded.clear();
        }
        played.push(one);
    }
    ensure!(!played.is_empty(), "no scenarios begin with {:?} there", args.only);
    Ok(report(&played))
}

fn files(folder: &Path, only: &str) -> Result<Vec<PathBuf>> {
    let named = || format!("reading {}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(named)? {
        let path = entry.with_context(named)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let compared = KINDS.iter().any(|kind| name.starts_with(kind));
        let toml = path.extension().is_some_and(|extension| extension == "toml");
        if toml && name.starts_with(only) && compared {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn report(played: &[Played]) -> Report {
    let mut report = Report::new("science");
    let (mut rows, mut outside) = (Vec::new(), Vec::new());
    for kind in KINDS {
        let alike = || played.iter().filter(|one| one.kind == kind);
        let number = alike().map(|one| one.compared.len()).sum::<usize>().max(1);
        let confidence = 1.0 - 0.01 / count(number as u64);
        for one in alike() {
            for compared in &one.compared {
                let figure = Figure::ratio(&compared.pairs, confidence);
                let verdict = compared.verdict(figure);
                let number = |value: Option<f64>| value.map(|value| format!("{value:.5}"));
                rows.push(vec![
                    json!(one.file),
                    json!(compared.what),
                    json!(number(figure.value)),
                    json!(number(figure.half_width)),
                    json!(format!("{:.5}", compared.exact)),
                    json!(verdict.as_ref().map_or("holds", |_| "FAILS")),
                ]);
                outside.extend(verdict.map(|why| format!("{} {}: {why}", one.file, compared.what)));
            }
            for (what, found, bound) in &one.bounded {
                let fails = found.is_nan() || found > bound;
                let verdict = if fails { "FAILS" } else { "holds" };
                rows.push(vec![
                    json!(one.file),
                    json!(what),
                    json!(format!("{found:.5}")),
                    json!(null),
                    json!(format!("≤ {bound:.5}")),
                    json!(verdict),
                ]);
                if fails {
                    outside.push(format!("{} {what}: {found:.5} is above {bound:.5}", one.file));
                }
            }
        }
    }
    report.fact("scenarios", played.len());
    report.fact("comparisons", rows.len());
    report.table(Table {
        name: "comparisons",
        columns: vec!["scenario", "figure", "found", "±", "exact", "verdict"],
        rows,
    });
    report.verdict("beside the reference", outside.len());
    report.violations(outside);
    report
}

impl Compared {
    /// Why it doesn't hold, if it doesn't.
    fn verdict(&self, figure: Figure) -> Option<String> {
        let (Some(value), Some(half)) = (figure.value, figure.half_width) else {
            return Some("there was nothing to measure".to_owned());
        };
        if (value - self.exact).abs() > half + self.slack {
            return Some(format!("{value:.5} ± {half:.5} isn't {:.5}", self.exact));
        }
        let wide = self.narrow && half > NARROW * self.exact;
        wide.then(|| format!("± {half:.5} is more than 2 % of {:.5}", self.exact))
    }
}

impl Tables {
    fn table(&self, name: &'static str) -> Result<&Reference> {
        self.0.get(name).with_context(|| format!("no table {name}"))
    }

    fn compare(&self, file: &str, outcome: &Outcome<'_>) -> Result<Played> {
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

    /// Two pools of different speed. Fastest first is exact; longest idle was simulated.
    fn inverted_v(&self, outcome: &Outcome<'_>, rest: &[&str]) -> Result<Vec<Compared>> {
        let [fast, speed, load, rule @ ..] = rest else { bail!("its name has no pools and load") };
        let speed = tenths(speed)?;
        let load = hundredths(load)?;
        let fastest = rule == ["fastest", "first"];
        let rule = if fastest { ("rule", "FSF") } else { ("sim_rule", "LISF") };
        let wanted = [("n_fast", *fast), ("mu_fast", speed.as_str()), ("rho", load.as_str()), rule];
        let row = self.table("inverted_v")?.one(&wanted)?;
        let groups = &outcome.plan.groups;
        let pool = |number: usize| groups[number].first..groups[number].first + groups[number].size;
        let (wait, slack) = if fastest {
            (row.number("EW")?, 0.0)
        } else {
            (row.number("sim_EW")?, row.number("sim_EW_hw")?)
        };
        let mut wait = of(outcome, &[0], Measure::MeanWait, wait * UNIT_SECONDS, "mean wait");
        wait.slack = slack * UNIT_SECONDS;
        let mut compared = vec![wait];
        for (number, name) in ["fast", "slow"].into_iter().enumerate() {
            let (prefix, slack) = if fastest { ("util_", 0.0) } else { ("sim_util_", 0.002) };
            let exact = row.number(&format!("{prefix}{name}"))?;
            let mut one = busy(outcome, pool(number), exact, &format!("utilisation, {name}"));
            one.slack = slack;
            compared.push(one);
        }
        if fastest {
            let at_once = 1.0 - row.number("P_wait")?;
            let what = "share not waiting";
            compared.push(of(outcome, &[0], Measure::NoWaitShare, at_once, what));
        }
        Ok(compared)
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
        ])
    }
}

impl Compared {
    fn new(what: &str, pairs: Vec<(f64, f64)>, exact: f64) -> Self {
        Self { what: what.to_owned(), pairs, exact, slack: 0.0, narrow: false }
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

fn busy(outcome: &Outcome<'_>, agents: std::ops::Range<usize>, exact: f64, what: &str) -> Compared {
    Compared::new(what, outcome.busy_pairs(agents), exact)
}

fn half_width(row: super::reference::Exact<'_>, key: &str) -> f64 {
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
fn little(outcome: &Outcome<'_>) -> (String, f64, f64) {
    let (mut area, mut waited) = (0.0, 0.0);
    for tally in outcome.replications.iter().flat_map(|one| &one.classes) {
        area += tally.line_area;
        waited += tally.on_the_line;
    }
    let apart = if waited > 0.0 { (area / waited - 1.0).abs() } else { 0.0 };
    ("Little's law, off by".to_owned(), apart, NARROW)
}

/// How unevenly equal agents were offered work, by the hours that they were there.
fn fairness(outcome: &Outcome<'_>) -> (String, f64, f64) {
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
    ("spread of offers per hour".to_owned(), mean, FAIR)
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
