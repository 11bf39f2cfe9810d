//! `loadtest fanout`: many agents connected, each changing its state once a second.
//!
//! Each change is an entry of the journal; its answer comes when that is durable, and the change
//! itself goes to the agent's sessions after it. Frames sent while the agents connect, and when all
//! of them leave at once, are told apart: that is another load.

use anyhow::Result;
use clap::value_parser;

use crate::agents;
use crate::house::{Ground, House};
use crate::report::Report;

/// How often an agent goes away or comes back, in seconds.
const EVERY: f64 = 1.0;

/// Connect many agents who change their state once a second, to a server of its own
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) ground: Ground,
    /// How many agents
    #[arg(long, default_value_t = 10_000, value_parser = value_parser!(u32).range(1..=19_000))]
    pub(crate) agents: u32,
    /// How long, once all are connected
    #[arg(long, default_value_t = 20, value_parser = value_parser!(u64).range(1..=3_600))]
    pub(crate) seconds: u64,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs it to its end.
pub(crate) async fn run(args: Args) -> Result<Report> {
    let house = House::open(&args.ground).await?;
    let mut crowd = agents::Args::quick(&house, args.agents, args.seconds);
    crowd.presence_every = Some(EVERY);
    let mut report = agents::run(crowd).await?;
    report.fact("store", args.ground.store.name());
    let lost = report.sum_of("session lost");
    report.verdict("sessions lost", lost);
    Ok(report)
}
