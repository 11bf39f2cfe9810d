//! The commands and how they are run: two threads, one report, one verdict.
//!
//! Separate so that `main` has nothing to decide.

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::peers::noop;
use crate::report::Report;
use crate::{
    agents, bench, check, cycle, estimate, fanout, flood, footprint, growth, latency, recover,
    replay, simulate, soak, storm,
};

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
    Storm(storm::Args),
    Cycle(cycle::Args),
    Latency(latency::Args),
    Fanout(fanout::Args),
    Recover(recover::Args),
    Footprint(footprint::Args),
    Growth(growth::Args),
    Soak(soak::Args),
    Bench(bench::Args),
    /// Answer 201 and keep nothing: what the server is compared with
    #[command(hide = true)]
    Noop,
    Estimate(estimate::Args),
    Simulate(simulate::Args),
    Science(simulate::science::Args),
}

/// Runs a command and prints its report; says whether all that must be 0 is.
pub(crate) fn run(line: Line) -> Result<bool> {
    match line.command {
        Command::Flood(args) => finish(args.json, &wait(flood::run(args))?),
        Command::Agents(args) => finish(args.json, &wait(agents::run(args))?),
        Command::Replay(args) if args.what_if => finish(args.json, &args.what_if()?),
        Command::Replay(args) => finish(args.json, &wait(replay::run(args))?),
        Command::Check(args) => finish(args.json, &wait(check::run(args))?),
        Command::Storm(args) => finish(args.json, &wait(storm::run(args))?),
        Command::Cycle(args) => finish(args.json, &wait(cycle::run(args))?),
        Command::Latency(args) => finish(args.json, &wait(latency::run(args))?),
        Command::Fanout(args) => finish(args.json, &wait(fanout::run(args))?),
        Command::Recover(args) => finish(args.json, &wait(recover::run(args))?),
        Command::Footprint(args) => finish(args.json, &wait(footprint::run(args))?),
        Command::Growth(args) => finish(args.json, &wait(growth::run(args))?),
        Command::Soak(args) => finish(args.json, &wait(soak::run(args))?),
        Command::Bench(args) => wait(bench::run(args)).map(|()| true),
        Command::Noop => noop::serve().map(|()| true),
        Command::Estimate(args) => {
            estimate::run(&args)?.print(args.json).context("printing the result")?;
            Ok(true)
        }
        Command::Simulate(args) => simulate::run(&args).map(|()| true),
        Command::Science(args) => finish(args.json, &simulate::science::run(&args)?),
    }
}

/// Runs something to its end, or until the process is told to end: then what it started ends too.
fn wait<T>(run: impl Future<Output = Result<T>>) -> Result<T> {
    // Two threads at most: the driver shares the machine with the server it measures.
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().context("starting the runtime")?;
    runtime.block_on(async {
        let mut terminated = signal(SignalKind::terminate()).context("hearing SIGTERM")?;
        tokio::select! {
            done = run => done,
            told = tokio::signal::ctrl_c() => {
                told.context("hearing Ctrl-C")?;
                bail!("interrupted")
            }
            _ = terminated.recv() => bail!("terminated"),
        }
    })
}

fn finish(json: bool, report: &Report) -> Result<bool> {
    report.print(json).context("printing the report")?;
    Ok(report.is_clean())
}
