//! `loadtest simulate`: a call centre played with the engine's own machines under a virtual clock.
//!
//! A scenario says who asks, how long they wait and talk, and which agents are there; the machines
//! that run in production decide who is called by whom. Nothing is sent to any server.

mod arrivals;
mod burst;
mod dice;
mod floor;
mod office;
mod outcome;
mod people;
mod plan;
mod plot;
mod reference;
mod run;
mod scenario;
pub(crate) mod science;
mod show;
mod student;
mod tally;
#[cfg(test)]
mod tests;
pub(crate) mod what_if;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::{clock, report};
use outcome::Outcome;
use plan::Plan;

/// Play a call centre's scenario with the engine's own machines
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The scenario, as TOML
    file: PathBuf,
    /// In place of the scenario's
    #[arg(long)]
    seed: Option<u64>,
    /// In place of the scenario's
    #[arg(long)]
    replications: Option<u32>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// Write the tables into this folder
    #[arg(long)]
    csv: Option<PathBuf>,
    /// Draw the classes' waits into this file
    #[arg(long)]
    plot: Option<PathBuf>,
}

/// Plays a scenario and prints what came of it.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut plan = Plan::read(&args.file)?;
    plan.seed = args.seed.unwrap_or(plan.seed);
    plan.replications = args.replications.unwrap_or(plan.replications);
    ensure!(plan.replications > 0, "--replications must be at least 1");
    let hours = plan.duration / (3_600 * 1_000_000);
    eprintln!("{}: playing {hours} hours, {} times", plan.name, plan.replications);
    let outcome = play(&plan)?;
    if let Some(folder) = &args.csv {
        show::csv(&outcome, folder)?;
    }
    if let Some(path) = &args.plot {
        let picture = show::picture(&outcome);
        fs::write(path, picture).with_context(|| format!("writing {}", path.display()))?;
    }
    if args.json {
        return report::print_value(&outcome.json()).context("printing the result");
    }
    show::report(&outcome).print(false).context("printing the report")
}

/// Plays all replications of a scenario.
fn play(plan: &Plan) -> Result<Outcome<'_>> {
    let began = clock::now();
    let replications = (0..plan.replications).map(|number| run::replicate(plan, number));
    let replications = replications.collect::<Result<_>>()?;
    Ok(Outcome { plan, replications, wall_seconds: began.elapsed().as_secs_f64() })
}
