//! `loadtest soak`: half of what the machine can do, for long, with every callback followed to its
//! end.
//!
//! Customers ask, agents serve at once; the time is cut into windows, and each window's memory and
//! latency stand beside the others'. Afterwards every acknowledged callback is looked up.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::value_parser;
use serde_json::json;

use crate::agents;
use crate::check;
use crate::clock;
use crate::flood;
use crate::house::{self, Ground, House};
use crate::report::{Report, Spread, Table, Unit};

/// How long the capacity is measured.
const PROBE_SECONDS: u64 = 10;
/// Connections on which callbacks are asked for.
const CONNECTIONS: u32 = 32;
/// How long the last callbacks may take to end.
const PATIENCE: Duration = Duration::from_secs(30);
/// Memory and latency may be higher in the second half by so much: more is growth or drift.
const MOST_GROWTH: f64 = 1.15;
const MOST_DRIFT: f64 = 1.5;

/// Load a server of its own at half of its capacity for long, and account for every callback
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) ground: Ground,
    /// How long
    #[arg(long, default_value_t = 600, value_parser = value_parser!(u64).range(4..=86_400))]
    pub(crate) seconds: u64,
    /// Into how many windows that is cut
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u32).range(4..=1_000))]
    pub(crate) windows: u32,
    /// How many agents serve
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..=10_000))]
    pub(crate) agents: u32,
    /// Callbacks a second [default: half of what is measured first]
    #[arg(long, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(crate) rate: Option<u32>,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What a window saw.
struct Window {
    resident: f64,
    latency: Spread,
    asked: u64,
}

/// Runs it to its end.
pub(crate) async fn run(args: Args) -> Result<Report> {
    let rate = match args.rate {
        Some(rate) => rate,
        None => capacity(&args).await? / 2,
    };
    ensure!(rate > 0, "the machine serves less than two callbacks a second");
    let house = House::open(&args.ground).await?;
    let ledger = house.folder().join("ledger.jsonl");
    let window_seconds = args.seconds / u64::from(args.windows);
    let window_seconds = window_seconds.max(1);
    let mut crowd = agents::Args::quick(&house, args.agents, args.seconds + PROBE_SECONDS);
    crowd.ledger = Some(house.folder().join("agents.jsonl"));
    let asking = async {
        let mut windows = Vec::new();
        for _ in 0..args.windows {
            let mut asking = asking(&house, window_seconds);
            asking.rate = Some(rate);
            asking.ledger = Some(ledger.clone());
            let flooded = flood::run(asking).await?;
            let latency = flooded.times("POST /v1/callbacks").cloned().unwrap_or_default();
            #[expect(clippy::cast_precision_loss, reason = "bytes of a process are below 2^52")]
            let resident = house.resident_bytes() as f64 / f64::from(1 << 20);
            windows.push(Window { resident, asked: latency.count(), latency });
        }
        anyhow::Ok(windows)
    };
    let (served, windows) = tokio::join!(agents::run(crowd), asking);
    let (served, windows) = (served?, windows?);
    let asked: u64 = windows.iter().map(|window| window.asked).sum();
    let ended = ended(&house, asked).await?;
    let checked = check::run(check::Args {
        ledger: vec![ledger, house.folder().join("agents.jsonl")],
        server: house.target().clone(),
        token: house::SUPERVISOR.to_owned(),
        json: false,
    });
    let checked = checked.await?;
    Ok(report(&args, rate, &windows, (asked, ended), &[served, checked]))
}

fn asking(house: &House, seconds: u64) -> flood::Args {
    let mut asking = flood::Args::to(house.target(), house::CHANNEL, house::QUEUE);
    asking.connections = CONNECTIONS;
    asking.scheduled_share = 0.0;
    asking.seconds = Some(seconds);
    asking
}

/// Whole callbacks a second, with more in line than agents can serve.
async fn capacity(args: &Args) -> Result<u32> {
    let house = House::open(&args.ground).await?;
    let crowd = agents::Args::quick(&house, args.agents, PROBE_SECONDS);
    let (served, asked) =
        tokio::join!(agents::run(crowd), flood::run(asking(&house, PROBE_SECONDS)));
    let (served, asked) = (served?, asked?);
    let served = served.figure("finished").context("it is always told")?;
    let asked = asked.figure("created per second").context("it is always told")?;
    #[expect(clippy::cast_precision_loss, reason = "it is a few seconds")]
    let rate = (served / PROBE_SECONDS as f64).min(asked);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 10^6")]
    Ok(rate as u32)
}

/// Waits until as many have ended as were asked for; how many have.
async fn ended(house: &House, asked: u64) -> Result<u64> {
    let give_up = clock::now() + PATIENCE;
    loop {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let ended = house.metric("ringback_callbacks_ended_total").await? as u64;
        if ended >= asked || clock::now() >= give_up {
            return Ok(ended);
        }
        clock::sleep_until(clock::now() + Duration::from_millis(200)).await;
    }
}

fn report(
    args: &Args,
    rate: u32,
    windows: &[Window],
    (asked, ended): (u64, u64),
    others: &[Report],
) -> Report {
    let mut report = Report::new("soak");
    report.fact("store", args.ground.store.name());
    report.fact("rate per second", rate);
    report.fact("windows", args.windows);
    report.fact("asked", asked);
    report.fact("ended", ended);
    let median = |window: &Window| window.latency.quantile(0.5).as_secs_f64();
    // The first window fills caches and is left out.
    let grown = later_over_earlier(&windows[1..], |window| window.resident);
    let drifted = later_over_earlier(&windows[1..], median);
    report.fact("memory of the second half over the first's", round(grown));
    report.fact("median latency of the second half over the first's", round(drifted));
    let rows = (1_u32..).zip(windows).map(|(number, window)| {
        let show = |share| Unit::Milliseconds.show(window.latency.quantile(share));
        let resident = json!(round(window.resident));
        vec![json!(number), json!(window.asked), json!(show(0.5)), json!(show(0.99)), resident]
    });
    report.table(Table {
        name: "windows",
        columns: vec!["window", "asked", "p50 ms", "p99 ms", "memory MiB"],
        rows: rows.collect(),
    });
    let unaccounted = usize::try_from(asked.abs_diff(ended)).unwrap_or(usize::MAX);
    report.verdict("unaccounted for", unaccounted);
    report.verdict("memory grows", usize::from(grown > MOST_GROWTH));
    report.verdict("latency drifts", usize::from(drifted > MOST_DRIFT));
    for other in others {
        report.adopt(other);
    }
    report
}

fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

/// The mean of the second half over that of the first.
fn later_over_earlier(windows: &[Window], figure: impl Fn(&Window) -> f64) -> f64 {
    let (earlier, later) = windows.split_at(windows.len() / 2);
    let mean = |part: &[Window]| {
        let sum: f64 = part.iter().map(&figure).sum();
        #[expect(clippy::cast_precision_loss, reason = "a few windows")]
        let count = part.len() as f64;
        sum / count
    };
    mean(later) / mean(earlier)
}
