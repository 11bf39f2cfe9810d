//! `loadtest science`: what the machines do, beside what theory says, with verdicts that can fail.
//!
//! Each scenario of the folder is played and compared with its row of the reference: means, shares
//! and utilisations, each at `1 - 0.01 / n` so that all `n` of one kind hold together at 99 %. The
//! seeds stand in the files. Where the reference itself was simulated, its half-width is added.

mod tables;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::burst;
use super::outcome::{Figure, count};
use super::plan::Plan;
use crate::report::{Report, Table};
use tables::Tables;

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
    bounded: Vec<Bounded>,
}

/// What must lie on one side of a bound.
struct Bounded {
    what: String,
    found: f64,
    bound: Bound,
}

/// The side.
enum Bound {
    Most(f64),
    Least(f64),
}

/// How the scenarios' files begin.
const KINDS: [&str; 8] =
    ["alis", BURST, "callback", "erlang_a", "erlang_c", "fairness", "inverted_v", "pooling"];

/// What has no file: fifty callbacks and fifty agents at once.
const BURST: &str = "burst";
const BURST_ROUNDS: u32 = 1_000;
/// Of fifty: at least so many when they fall due together; and what is known of the longest idle
/// alone, which was simulated.
const BURST_FILLED: f64 = 49.5;
const BURST_ONE_BY_ONE: (f64, f64) = (47.5, 0.1);

/// Plays all scenarios and compares them.
pub(crate) fn run(args: &Args) -> Result<Report> {
    ensure!(args.share > 0.0 && args.share <= 1.0, "--share is more than 0 and at most 1");
    let tables = Tables::read(&args.reference)?;
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
    if BURST.starts_with(&args.only) {
        played.push(burst(args.share)?);
    }
    ensure!(!played.is_empty(), "no scenarios begin with {:?} there", args.only);
    Ok(report(&played))
}

/// Much at once, decided one by one and together.
fn burst(share: f64) -> Result<Played> {
    let rounds =
        (1..=BURST_ROUNDS).take_while(|round| f64::from(*round) <= f64::from(BURST_ROUNDS) * share);
    let rounds: Vec<u64> = rounds.map(u64::from).collect();
    let filled = |manner| -> Result<Vec<(f64, f64)>> {
        let one = |round: &u64| Ok((count(burst::filled(*round, manner)?), 1.0));
        rounds.iter().map(one).collect()
    };
    let (exact, slack) = BURST_ONE_BY_ONE;
    let one_by_one = filled(burst::Manner::OneByOne)?;
    let mut compared = Compared::new("of 50, decided one by one", one_by_one, exact);
    compared.slack = slack;
    let together = Figure::ratio(&filled(burst::Manner::Together)?, 0.99);
    let (what, found) = ("of 50, falling due together".to_owned(), together.value.unwrap_or(0.0));
    let bounded = vec![Bounded { what, found, bound: Bound::Least(BURST_FILLED) }];
    Ok(Played { kind: BURST, file: BURST.to_owned(), compared: vec![compared], bounded })
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
            for bounded in &one.bounded {
                let (fails, bound) = bounded.verdict();
                rows.push(vec![
                    json!(one.file),
                    json!(bounded.what),
                    json!(format!("{:.5}", bounded.found)),
                    json!(null),
                    json!(bound),
                    json!(if fails { "FAILS" } else { "holds" }),
                ]);
                let Bounded { what, found, .. } = bounded;
                let why = || format!("{} {what}: {found:.5} isn't {bound}", one.file);
                outside.extend(fails.then(why));
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

impl Bounded {
    /// Whether it fails, and its bound as it is shown.
    fn verdict(&self) -> (bool, String) {
        let unknown = self.found.is_nan();
        match self.bound {
            Bound::Most(most) => (unknown || self.found > most, format!("≤ {most:.5}")),
            Bound::Least(least) => (unknown || self.found < least, format!("≥ {least:.5}")),
        }
    }
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

impl Compared {
    fn new(what: &str, pairs: Vec<(f64, f64)>, exact: f64) -> Self {
        Self { what: what.to_owned(), pairs, exact, slack: 0.0, narrow: false }
    }
}
