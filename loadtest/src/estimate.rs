//! `loadtest estimate`: a month of real calls run past the engine's estimator, call by call.
//!
//! Each estimate is made at the moment of queueing from what was known then, and scored when the
//! call is answered; so is that of two plain estimators beside it. A day's line begins empty, as
//! the centre closes at midnight; what was learned stays.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::{Result, ensure};
use ringback::domain::estimate::{Ahead, Estimate, Estimator};
use ringback::domain::time::Span;
use serde::Serialize;

use crate::bank::{self, Row};

/// The head start of callers of priority 2, in seconds.
const HEAD_START_SECONDS: u32 = 90;

/// Calls that another desk answered.
const OTHER_DESK: &str = "IN";

/// Run a month of calls past the engine's estimator of waits
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A month of calls, as in the bank's data; may be gzipped
    file: PathBuf,
    /// Types of call that share the line; all but IN unless named
    #[arg(long, value_delimiter = ',')]
    types: Vec<String>,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How far estimates were from what came true.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Scored {
    /// Calls that were estimated when they queued, and answered.
    answered: u32,
    rmse_seconds: ByEstimator,
    bias_seconds: ByEstimator,
    /// The share of waits inside the range that is said to hold for 80 of 100.
    coverage_80: f64,
}

/// A figure of each estimator.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
struct ByEstimator {
    engine: f64,
    queue_length: f64,
    last_to_enter_service: f64,
}

/// Runs it.
pub(crate) fn run(args: &Args) -> Result<Scored> {
    let mut rows = bank::read(&args.file)?;
    let known: BTreeSet<&str> = rows.iter().map(|row| row.kind.as_str()).collect();
    let list = known.iter().copied().collect::<Vec<_>>().join(", ");
    for kind in &args.types {
        ensure!(known.contains(kind.as_str()), "no calls of type {kind:?}: there are {list}");
    }
    rows.retain(|row| match args.types.as_slice() {
        [] => row.kind != OTHER_DESK,
        types => types.contains(&row.kind),
    });
    let scored = score(&rows);
    ensure!(scored.answered > 0, "none of these calls was answered after an estimate");
    Ok(scored)
}

impl Scored {
    /// Prints it to standard output.
    pub(crate) fn print(&self, json: bool) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if json {
            return writeln!(out, "{}", serde_json::to_string(self)?);
        }
        let mut text = format!("{:<24}{:>8}{:>8}\n", "", "RMSE s", "bias s");
        let lines = [
            ("engine", self.rmse_seconds.engine, self.bias_seconds.engine),
            ("queue length", self.rmse_seconds.queue_length, self.bias_seconds.queue_length),
            (
                "last to enter service",
                self.rmse_seconds.last_to_enter_service,
                self.bias_seconds.last_to_enter_service,
            ),
        ];
        for (name, rmse, bias) in lines {
            // Writing to a String can't fail.
            let _ = writeln!(text, "{name:<24}{rmse:>8.1}{bias:>8.1}");
        }
        let covered = self.coverage_80 * 100.0;
        let _ = writeln!(text, "{} answered; in range: {covered:.1} %", self.answered);
        out.write_all(text.as_bytes())
    }
}

/// What happens to the line, in the order in which it is taken within one second: who ends gives
/// an agent back before the next begins, and who comes finds those gone who left in that second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Ends,
    Leaves,
    Queues,
    /// Leaves in the very second of coming.
    LeavesAtOnce,
}

/// A caller in the line.
#[derive(Debug, Clone, Copy)]
struct Told {
    engine: Option<Estimate>,
    queue_length: f64,
    last_to_enter_service: f64,
}

/// Everything that is known at one moment.
#[derive(Default)]
struct Centre {
    estimator: Estimator,
    /// Who waits: by what the line is ordered by, with the call.
    line: BTreeSet<(i64, usize)>,
    busy: u32,
    /// The wait of the caller who was answered last.
    last_wait: f64,
    sums: Sums,
}

#[derive(Default)]
struct Sums {
    answered: u32,
    inside: u32,
    squares: ByEstimator,
    errors: ByEstimator,
}

fn score(rows: &[Row]) -> Scored {
    let mut centre = Centre::default();
    let days: BTreeSet<&str> = rows.iter().map(|row| row.date.as_str()).collect();
    for day in days {
        let of_day: Vec<&Row> = rows.iter().filter(|row| row.date == day).collect();
        centre.day(&of_day);
    }
    centre.sums.means()
}

/// What happens on a day, in order.
fn events(rows: &[&Row]) -> Vec<(u32, Kind, usize)> {
    let mut events = Vec::new();
    for (call, row) in rows.iter().enumerate() {
        let Some(asked_at) = row.asked_at else { continue };
        let leaves_at = match &row.service {
            Some(service) => {
                events.push((service.at + service.seconds, Kind::Ends, call));
                service.at
            }
            None => asked_at + row.waited.unwrap_or(0),
        };
        let leaves = if leaves_at > asked_at { Kind::Leaves } else { Kind::LeavesAtOnce };
        events.push((asked_at.min(leaves_at), Kind::Queues, call));
        events.push((leaves_at, leaves, call));
    }
    events.sort_unstable();
    events
}

impl Centre {
    fn day(&mut self, rows: &[&Row]) {
        self.line.clear();
        self.busy = 0;
        let mut told: Vec<Option<Told>> = vec![None; rows.len()];
        let mut began = vec![false; rows.len()];
        let mut last = 0;
        for (at, kind, call) in events(rows) {
            let waiting = u32::try_from(self.line.len()).expect("a day's calls");
            self.estimator.waited(Span(i64::from(at - last) * i64::from(waiting) * 1_000));
            last = at;
            let row = rows[call];
            match (kind, &row.service) {
                (Kind::Queues, _) => {
                    // Who was answered at once found an agent free, and was told of no wait.
                    told[call] = row.waited.map(|_| self.tell(place(row), call));
                    self.line.insert((place(row), call));
                }
                (Kind::Ends, Some(service)) => {
                    self.busy -= u32::from(began[call]);
                    began[call] = false;
                    self.estimator.served(Span::seconds(service.seconds));
                }
                (Kind::Leaves | Kind::LeavesAtOnce, Some(service)) => {
                    self.line.remove(&(place(row), call));
                    let ended = service.seconds == 0 && kind == Kind::Leaves;
                    began[call] = !ended;
                    self.busy += u32::from(!ended);
                    if let (Some(told), Some(waited)) = (told[call], row.waited) {
                        self.answered(told, waited);
                    }
                }
                (Kind::Leaves | Kind::LeavesAtOnce, None) => {
                    self.line.remove(&(place(row), call));
                    self.estimator.gave_up();
                }
                (Kind::Ends, None) => unreachable!("only a service ends"),
            }
        }
    }

    /// What a caller is told who joins the line.
    fn tell(&self, place: i64, call: usize) -> Told {
        let waiting = self.line.range(..=(place, call)).count();
        let waiting = u32::try_from(waiting).expect("a day's calls");
        let ahead = Ahead { waiting, busy: self.busy, free: 0 };
        let service = self.estimator.mean_service().unwrap_or(0.0);
        Told {
            engine: self.estimator.estimate(ahead),
            queue_length: f64::from(waiting + 1) * service / f64::from(self.busy.max(1)),
            last_to_enter_service: self.last_wait,
        }
    }

    fn answered(&mut self, told: Told, waited: u32) {
        self.last_wait = f64::from(waited);
        let Some(estimate) = told.engine else { return };
        let inside = self.estimator.score(&estimate, Span::seconds(waited));
        self.sums.add(told, &estimate, waited, inside);
    }
}

/// What the line is ordered by: when a caller came, less the head start.
fn place(row: &Row) -> i64 {
    let head_start = if row.priority == 2 { HEAD_START_SECONDS } else { 0 };
    i64::from(row.asked_at.unwrap_or(0)) - i64::from(head_start)
}

impl Sums {
    fn add(&mut self, told: Told, estimate: &Estimate, waited: u32, inside: bool) {
        self.answered += 1;
        self.inside += u32::from(inside);
        let errors = ByEstimator {
            engine: f64::from(estimate.seconds),
            queue_length: told.queue_length,
            last_to_enter_service: told.last_to_enter_service,
        };
        let errors = errors.map(|value| value - f64::from(waited));
        self.errors = self.errors.with(errors, |sum, error| sum + error);
        self.squares = self.squares.with(errors, |sum, error| error.mul_add(error, sum));
    }

    fn means(&self) -> Scored {
        let count = f64::from(self.answered.max(1));
        let tenth = |value: f64| (value * 10.0).round() / 10.0;
        Scored {
            answered: self.answered,
            rmse_seconds: self.squares.map(|sum| tenth((sum / count).sqrt())),
            bias_seconds: self.errors.map(|sum| tenth(sum / count)),
            coverage_80: (f64::from(self.inside) / count * 10_000.0).round() / 10_000.0,
        }
    }
}

impl ByEstimator {
    fn map(self, each: impl Fn(f64) -> f64) -> Self {
        self.with(self, |value, _| each(value))
    }

    fn with(self, other: Self, each: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            engine: each(self.engine, other.engine),
            queue_length: each(self.queue_length, other.queue_length),
            last_to_enter_service: each(self.last_to_enter_service, other.last_to_enter_service),
        }
    }
}

#[cfg(test)]
mod tests;
