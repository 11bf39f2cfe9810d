//! `loadtest footprint`: what a dormant callback, a live one and an agent's session cost the
//! server in memory.
//!
//! Each is a difference of what the process holds when it stands still: with so many, and with so
//! many more. The server is started anew before each look, so that what a burst of requests left in
//! caches and buffers isn't counted; sessions are looked at once, without a start. No two looks at
//! the same find the same, since what recovery leaves behind differs by some megabytes; so of
//! callbacks there are several looks and very many callbacks, and with each difference stands how
//! far it may be off: who judges takes the upper end. By how much a burst moves a server that isn't
//! started anew is told as well.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::value_parser;

use crate::agents;
use crate::clock;
use crate::house::{Ground, House};
use crate::recover::fill;
use crate::report::Report;

/// Looks at the same, each after a start of its own.
const LOOKS: u32 = 2;
/// How long all agents may take to connect.
const PATIENCE: Duration = Duration::from_mins(1);

/// Measure the memory that callbacks and sessions take, of a server of its own
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) ground: Ground,
    /// Callbacks that wait for their time: so many, and as many again
    #[arg(long, default_value_t = 300_000, value_parser = value_parser!(u64).range(1..=5_000_000))]
    pub(crate) dormant: u64,
    /// Callbacks in line
    #[arg(long, default_value_t = 100_000, value_parser = value_parser!(u64).range(1..=1_000_000))]
    pub(crate) live: u64,
    /// Agents' sessions
    #[arg(long, default_value_t = 5_000, value_parser = value_parser!(u32).range(1..=19_000))]
    pub(crate) agents: u32,
    /// A fresh server gets a hundredth of so many that wait for their time, and then so many
    #[arg(long, default_value_t = 100_000, value_parser = value_parser!(u64).range(1..=5_000_000))]
    pub(crate) first: u64,
    /// How long the server stands still before it is looked at
    #[arg(long, default_value_t = 30, value_parser = value_parser!(u64).range(1..=600))]
    pub(crate) rest_seconds: u64,
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
    pub(crate) dormant: Share,
    pub(crate) live: Share,
    pub(crate) session: Share,
    /// By so many bytes the first dormant ones moved a fresh server's memory, all together.
    pub(crate) first: f64,
    /// The same of a server that had a hundredth of them before.
    pub(crate) warm: f64,
}

/// A difference between looks, and between what it lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    pub(crate) low: f64,
    pub(crate) middle: f64,
    pub(crate) high: f64,
}

/// What was held at each look.
#[derive(Debug, Clone)]
struct Looks(Vec<f64>);

/// Runs it to its end.
pub(crate) async fn run(args: Args) -> Result<Report> {
    let found = measure(&args).await?;
    let mut report = Report::new("footprint");
    report.fact("store", args.ground.store.name());
    report.fact("bytes of a dormant callback", found.dormant.middle.round());
    report.fact("bytes of a dormant callback, at most", found.dormant.high.round());
    report.fact("bytes of a live callback", found.live.middle.round());
    report.fact("bytes of a live callback, at most", found.live.high.round());
    report.fact("bytes of a session", found.session.middle.round());
    report.fact("first dormant callbacks of a fresh server", args.first);
    report.fact("bytes by which they moved it", found.first.round());
    report.fact("bytes but for the first hundredth", found.warm.round());
    Ok(report)
}

/// Measures all of them.
pub(crate) async fn measure(args: &Args) -> Result<Footprint> {
    let rest = Duration::from_secs(args.rest_seconds);
    let mut house = House::open(&args.ground).await?;
    let fresh = Looks::one(house.bytes_at_rest(rest).await);
    fill(&house, args.first / 100, 0).await?;
    let warm = Looks::one(house.bytes_at_rest(3 * rest).await);
    fill(&house, args.first, 0).await?;
    // By then the numbers that were counted in their minute are forgotten.
    let first = Looks::one(house.bytes_at_rest(3 * rest).await);
    fill(&house, args.dormant, 0).await?;
    let some = look(&mut house, rest).await?;
    fill(&house, args.dormant, 0).await?;
    let more = look(&mut house, rest).await?;
    fill(&house, 0, args.live).await?;
    let lively = look(&mut house, rest).await?;
    drop(house);
    Ok(Footprint {
        dormant: some.share(&more, args.dormant),
        live: more.share(&lively, args.live),
        session: session(args).await?,
        first: fresh.share(&first, 1).middle,
        warm: warm.share(&first, 1).middle,
    })
}

/// What the server holds when it has been started anew and stands still.
async fn look(house: &mut House, rest: Duration) -> Result<Looks> {
    let mut looks = Vec::new();
    for _ in 0..LOOKS {
        house.crash();
        house.start()?;
        house.ready().await?;
        looks.extend(Looks::one(house.bytes_at_rest(rest).await).0);
    }
    Ok(Looks(looks))
}

async fn session(args: &Args) -> Result<Share> {
    let house = House::open(&args.ground).await?;
    // Made and gone again: the agents themselves aren't counted.
    agents::run(agents::Args::quick(&house, args.agents, 1)).await?;
    let half = Duration::from_secs(args.stay_seconds) / 2;
    let before = Looks::one(house.bytes_at_rest(Duration::from_secs(args.rest_seconds)).await);
    let staying = agents::Args::quick(&house, args.agents, args.stay_seconds);
    let watching = async {
        let wanted = f64::from(args.agents);
        let give_up = clock::now() + PATIENCE;
        while house.metric("ringback_agent_sessions").await? < wanted {
            anyhow::ensure!(clock::now() < give_up, "not all agents could connect");
            clock::sleep_until(clock::now() + Duration::from_millis(100)).await;
        }
        anyhow::Ok(Looks::one(house.bytes_at_rest(half).await))
    };
    let (stayed, with) = tokio::join!(agents::run(staying), watching);
    stayed.context("the agents")?;
    Ok(before.share(&with?, u64::from(args.agents)))
}

impl Looks {
    fn one(bytes: u64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "bytes of a process are below 2^52")]
        Self(vec![bytes as f64])
    }

    /// What each of so many takes that came between these looks and the later ones.
    fn share(&self, later: &Self, count: u64) -> Share {
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        let count = count as f64;
        let each = |before: f64, after: f64| (after - before) / count;
        Share {
            low: each(self.highest(), later.lowest()),
            middle: each(self.mean(), later.mean()),
            high: each(self.lowest(), later.highest()),
        }
    }

    fn lowest(&self) -> f64 {
        self.0.iter().copied().fold(f64::NAN, f64::min)
    }

    fn highest(&self) -> f64 {
        self.0.iter().copied().fold(f64::NAN, f64::max)
    }

    fn mean(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "there are two or three")]
        let count = self.0.len() as f64;
        self.0.iter().sum::<f64>() / count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_says_how_far_it_may_be_off() {
        let (before, after) = (Looks(vec![1_000.0, 1_200.0]), Looks(vec![1_100.0, 1_500.0]));
        let share = before.share(&after, 10);
        let found = [share.low, share.middle, share.high].map(f64::to_bits);
        assert_eq!(found, [-10.0, 20.0, 50.0].map(f64::to_bits));
    }
}
