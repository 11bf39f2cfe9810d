//! `loadtest bench`: every target measured beside what it is compared with, in turns.
//!
//! It starts all that it needs and ends it again; what can't run here is told as not run. Targets
//! go one after the other, so that nothing else of ours loads the machine. What was measured is
//! kept beside the stores, so that a part can be measured again without losing the rest.

mod intake;
mod page;
mod rows;
mod state;
mod work;

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{ValueEnum, value_parser};

use self::page::{Machine, Results};
use self::rows::Row;
use crate::clock;
use crate::house::Ground;
use crate::report;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
#[value(rename_all = "UPPER")]
enum Target {
    P1,
    P2,
    P3,
    P4,
    P5,
    P6,
    P7,
    P8,
    P9,
    P10,
    /// How costs grow with what is stored
    G,
}

/// Measure all targets beside what they are compared with, and say which are met
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    ground: Ground,
    /// Only these, as P1,P3 (G: how costs grow); the others stay as they were measured last
    #[arg(long, value_delimiter = ',', ignore_case = true)]
    only: Vec<Target>,
    /// How often each side of a comparison is run
    #[arg(long, default_value_t = 3, value_parser = value_parser!(u32).range(1..=20))]
    rounds: u32,
    /// How long each run of a driver takes
    #[arg(long, default_value_t = 8, value_parser = value_parser!(u64).range(1..=300))]
    seconds: u64,
    /// How long intake is kept up (P1)
    #[arg(long, default_value_t = 60, value_parser = value_parser!(u64).range(1..=600))]
    kept_up_seconds: u64,
    /// Everything at a hundredth, one round of a second: to see that it runs, not how fast. So it
    /// judges nothing, and what was measured before stays
    #[arg(long)]
    quick: bool,
    /// Where `.ci/install bullmq` has put its packages
    #[arg(long, default_value = "target/bench")]
    packages: PathBuf,
    /// Write the tables into this page, between its marks
    #[arg(long)]
    write: Option<PathBuf>,
    /// Print the results as JSON
    #[arg(long)]
    json: bool,
}

/// A run's sizes.
#[derive(Debug)]
struct Bench {
    ground: Ground,
    packages: PathBuf,
    rounds: u32,
    seconds: u64,
    kept_up_seconds: u64,
    quick: bool,
    /// P4: callbacks a second.
    rate: u32,
    /// P5: due at once.
    due: u32,
    /// P8, P9.
    live: u64,
    dormant: u64,
    /// P8, P10.
    agents: u32,
}

impl Bench {
    fn new(args: &Args) -> Self {
        let full = Self {
            ground: args.ground.clone(),
            packages: args.packages.clone(),
            rounds: args.rounds,
            seconds: args.seconds,
            kept_up_seconds: args.kept_up_seconds,
            quick: args.quick,
            rate: 500,
            due: 100_000,
            live: 100_000,
            dormant: 1_000_000,
            agents: 10_000,
        };
        if !args.quick {
            return full;
        }
        Self {
            rounds: 1,
            seconds: 1,
            kept_up_seconds: 1,
            rate: 50,
            due: 1_000,
            live: 1_000,
            dormant: 10_000,
            agents: 100,
            ..full
        }
    }
}

/// Runs what is asked for, prints the table, and writes it down.
pub(crate) async fn run(args: Args) -> Result<()> {
    let bench = Bench::new(&args);
    bench.ground.program()?;
    std::fs::create_dir_all(&bench.ground.folder).context("making the folder for stores")?;
    let kept = bench.ground.folder.join("results.json");
    let begins_anew = args.only.is_empty() || args.quick;
    let mut results = if begins_anew { Results::default() } else { page::read(&kept)? };
    results.machine = Machine::look(&bench.packages);
    results.command = format!("loadtest bench {}", page::options(&args));
    let wanted: BTreeSet<Target> = if args.only.is_empty() {
        Target::value_variants().iter().copied().collect()
    } else {
        args.only.iter().copied().collect()
    };
    for target in wanted {
        measure(&bench, target, &mut results).await;
        // After each, so that an interrupted run leaves what it has found.
        if !args.quick {
            page::keep(&kept, &results)?;
        }
    }
    if args.json {
        report::print_value(&serde_json::to_value(&results)?)?;
    } else {
        report::print_line(&page::tables(&results))?;
    }
    if let Some(path) = args.write.filter(|_| !args.quick) {
        page::write(&path, &results)?;
    }
    Ok(())
}

async fn measure(bench: &Bench, target: Target, results: &mut Results) {
    let name = format!("{target:?}");
    let measured: Result<Vec<Row>> = match target {
        Target::P1 => intake::embedded(bench).await,
        Target::P2 => intake::redis_everysec(bench).await,
        Target::P3 => intake::redis_always(bench).await,
        Target::P4 => work::notified(bench).await,
        Target::P5 => work::storm(bench).await,
        Target::P6 => work::routing(bench).await,
        Target::P7 => work::cycles(bench).await,
        Target::P8 => state::footprint(bench).await,
        Target::P9 => state::recovery(bench).await,
        Target::P10 => work::crowd(bench).await,
        Target::G => match state::growth(bench).await {
            Ok(table) => {
                results.grown(&table);
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        },
    };
    let mut rows =
        measured.unwrap_or_else(|error| vec![Row::not_run(&name, &format!("{error:#}"))]);
    if bench.quick {
        rows.iter_mut().for_each(Row::shown_only);
    }
    results.replace(&name, rows);
}

/// Says how far the run is.
fn say(what: &str) {
    let at = clock::utc().format("%H:%M:%S");
    eprintln!("{at} {what}");
}
