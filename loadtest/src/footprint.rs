//! `loadtest footprint`: what a dormant callback, a live one and an agent's session cost the
//! server in memory.
//!
//! Each is a difference of what the process holds when it stands still: with so many, and with so
//! many more. The server is started anew before each look, so that what a burst of requests left in
//! caches and buffers isn't counted; sessions are counted as they are.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::value_parser;

use crate::agents;
use crate::clock;
use crate::house::{Ground, House};
use crate::recover::fill;
use crate::report::Report;

/// How long the server may take to stand still.
const PATIENCE: Duration = Duration::from_secs(30);

/// Measure the memory that callbacks and sessions take, of a server of its own
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) ground: Ground,
    /// Callbacks that wait for their time: so many, and as many again
    #[arg(long, default_value_t = 200_000, value_parser = value_parser!(u64).range(1..=5_000_000))]
    pub(crate) dormant: u64,
    /// Callbacks in line
    #[arg(long, default_value_t = 20_000, value_parser = value_parser!(u64).range(1..=1_000_000))]
    pub(crate) live: u64,
    /// Agents' sessions
    #[arg(long, default_value_t = 5_000, value_parser = value_parser!(u32).range(1..=19_000))]
    pub(crate) agents: u32,
    /// How long agents stay after all are connected
    #[arg(long, default_value_t = 20, value_parser = value_parser!(u64).range(1..=600))]
    pub(crate) stay_seconds: u64,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Bytes that one of each takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Footprint {
    pub(crate) dormant: f64,
    pub(crate) live: f64,
    pub(crate) session: f64,
}

/// Runs it to its end.
pub(crate) async fn run(args: Args) -> Result<Report> {
    let found = measure(&args).await?;
    let mut report = Report::new("footprint");
    report.fact("store", args.ground.store.name());
    report.fact("bytes of a dormant callback", found.dormant.round());
    report.fact("bytes of a live callback", found.live.round());
    report.fact("bytes of a session", found.session.round());
    Ok(report)
}

/// Measures all three.
pub(crate) async fn measure(args: &Args) -> Result<Footprint> {
    let mut house = House::open(&args.ground).await?;
    fill(&house, args.dormant, 0).await?;
    let some = look(&mut house).await?;
    fill(&house, args.dormant, 0).await?;
    let more = look(&mut house).await?;
    fill(&house, 0, args.live).await?;
    let lively = look(&mut house).await?;
    drop(house);
    Ok(Footprint {
        dormant: each(some, more, args.dormant),
        live: each(more, lively, args.live),
        session: session(args).await?,
    })
}

/// What the server holds when it has been started anew and stands still.
async fn look(house: &mut House) -> Result<u64> {
    house.crash();
    house.start()?;
    house.ready().await?;
    Ok(house.settled_bytes(PATIENCE).await)
}

async fn session(args: &Args) -> Result<f64> {
    let house = House::open(&args.ground).await?;
    // Made and gone again: the agents themselves aren't counted.
    agents::run(agents::Args::quick(&house, args.agents, 1)).await?;
    let half = Duration::from_secs(args.stay_seconds) / 2;
    let before = house.settled_bytes(half).await;
    let staying = agents::Args::quick(&house, args.agents, args.stay_seconds);
    let watching = async {
        let wanted = f64::from(args.agents);
        let give_up = clock::now() + PATIENCE;
        while house.metric("ringback_agent_sessions").await? < wanted {
            anyhow::ensure!(clock::now() < give_up, "not all agents could connect");
            clock::sleep_until(clock::now() + Duration::from_millis(100)).await;
        }
        anyhow::Ok(house.settled_bytes(half).await)
    };
    let (stayed, with) = tokio::join!(agents::run(staying), watching);
    stayed.context("the agents")?;
    Ok(each(before, with?, u64::from(args.agents)))
}

/// What one of so many takes.
fn each(before: u64, after: u64, count: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "bytes of a process are below 2^52")]
    let [before, after, count] = [before, after, count].map(|it| it as f64);
    (after - before) / count
}
