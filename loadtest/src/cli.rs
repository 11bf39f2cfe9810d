//! The commands and how they are run: two threads, one report, one verdict.
//!
//! Separate so that `main` has nothing to decide.

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use crate::report::Report;
use crate::{agents, check, estimate, flood, replay, simulate};

/// Load drivers for Ringback; they speak to servers on this machine only
#[derive(Parser)]
#[command(name = "loadtest", version)]
pub(crate) struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Flood(flood::Args),
    Agents(agents::Args),
    Replay(replay::Args),
    Check(check::Args),
    Estimate(estimate::Args),
    Simulate(simulate::Args),
    Science(simulate::science::Args),
}

/// Runs a command and prints its report; says whether all that must be 0 is.
pub(crate) fn run(line: Line) -> Result<bool> {
    match &line.command {
        Command::Estimate(args) => {
            estimate::run(args)?.print(args.json).context("printing the result")?;
            return Ok(true);
        }
        Command::Simulate(args) => {
            simulate::run(args)?;
            return Ok(true);
        }
        Command::Science(args) => return finish(args.json, &simulate::science::run(args)?),
        Command::Replay(args) if args.what_if => return finish(args.json, &args.what_if()?),
        Command::Flood(_) | Command::Agents(_) | Command::Replay(_) | Command::Check(_) => {}
    }
    // Two threads at most: the driver shares the machine with the server it measures.
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().context("starting the runtime")?;
    let (json, report) = match line.command {
        Command::Flood(args) => (args.json, runtime.block_on(flood::run(args))?),
        Command::Agents(args) => (args.json, runtime.block_on(agents::run(args))?),
        Command::Replay(args) => (args.json, runtime.block_on(replay::run(args))?),
        Command::Check(args) => (args.json, runtime.block_on(check::run(args))?),
        Command::Estimate(_) | Command::Simulate(_) | Command::Science(_) => {
            unreachable!("they were run above")
        }
    };
    finish(json, &report)
}

fn finish(json: bool, report: &Report) -> Result<bool> {
    report.print(json).context("printing the report")?;
    Ok(report.is_clean())
}
