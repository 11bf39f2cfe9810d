//! The commands and how they are run: two threads, one report, one verdict.
//!
//! Separate so that `main` has nothing to decide.

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use crate::{agents, check, estimate, flood, replay};

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
}

/// Runs a command and prints its report; says whether all that must be 0 is.
pub(crate) fn run(line: Line) -> Result<bool> {
    if let Command::Estimate(args) = &line.command {
        estimate::run(args)?.print(args.json).context("printing the result")?;
        return Ok(true);
    }
    // Two threads at most: the driver shares the machine with the server it measures.
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().context("starting the runtime")?;
    let (json, report) = match line.command {
        Command::Flood(args) => (args.json, runtime.block_on(flood::run(args))?),
        Command::Agents(args) => (args.json, runtime.block_on(agents::run(args))?),
        Command::Replay(args) => (args.json, runtime.block_on(replay::run(args))?),
        Command::Check(args) => (args.json, runtime.block_on(check::run(args))?),
        Command::Estimate(_) => unreachable!("it was run above"),
    };
    report.print(json).context("printing the report")?;
    Ok(report.is_clean())
}
