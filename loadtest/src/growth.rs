//! `loadtest growth`: what grows with what is stored, at 1, 10 and 100 times as much.
//!
//! A page of a list, what falls due, and being ready again after `kill -9`. (Routing by the number
//! of agents is `cargo bench --bench routing`.)

use std::time::Duration;

use anyhow::{Context, Result};
use clap::value_parser;
use serde_json::json;

use crate::client::Client;
use crate::clock;
use crate::house::{self, Ground, House};
use crate::recover;
use crate::report::{Report, Spread, Table, Unit};
use crate::setup;
use crate::storm;

/// Pages read for each figure.
const PAGES: u32 = 200;
/// Dormant callbacks for each live one.
const DORMANT_PER_LIVE: u64 = 10;
const LISTS: [(&str, &str); 3] = [
    ("page by state, ms", "/v1/callbacks?state=open&limit=50"),
    ("page by queue, newest first, ms", "/v1/callbacks?queue=load&sort=-created_at&limit=50"),
    ("page by number, ms", "/v1/callbacks?number=CB0000042"),
];

/// Measure how costs grow with what is stored, on servers of its own
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) ground: Ground,
    /// Dormant callbacks at first; a tenth as many are live
    #[arg(long, default_value_t = 5_000, value_parser = value_parser!(u64).range(10..=100_000))]
    pub(crate) dormant: u64,
    /// How often that grows tenfold
    #[arg(long, default_value_t = 2, value_parser = value_parser!(u32).range(0..=3))]
    pub(crate) steps: u32,
    /// Callbacks that fall due in the same second
    #[arg(long, default_value_t = 5_000, value_parser = value_parser!(u32).range(1..=100_000))]
    pub(crate) due: u32,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What one size costs.
#[derive(Debug)]
pub(crate) struct Size {
    pub(crate) dormant: u64,
    pub(crate) live: u64,
    /// A page of each of the lists, at half of the reads.
    pub(crate) lists: Vec<Duration>,
    pub(crate) queued_per_second: f64,
    pub(crate) ready: Duration,
}

/// Runs it to its end.
pub(crate) async fn run(args: Args) -> Result<Report> {
    let mut report = Report::new("growth");
    report.fact("store", args.ground.store.name());
    report.fact("due at once", args.due);
    report.table(table(&measure(&args).await?));
    Ok(report)
}

/// All sizes as rows.
pub(crate) fn table(sizes: &[Size]) -> Table {
    let mut columns = vec!["dormant", "live"];
    columns.extend(LISTS.map(|(name, _)| name));
    columns.extend(["due, queued per second", "ready again, s"]);
    let rows = sizes.iter().map(|size| {
        let mut row = vec![json!(size.dormant), json!(size.live)];
        row.extend(size.lists.iter().map(|time| json!(Unit::Milliseconds.show(*time))));
        row.push(json!(size.queued_per_second.round()));
        row.push(json!(Unit::Seconds.show(size.ready)));
        row
    });
    Table { name: "sizes", columns, rows: rows.collect() }
}

/// Measures each size on an empty store of its own.
pub(crate) async fn measure(args: &Args) -> Result<Vec<Size>> {
    let mut sizes = Vec::new();
    for step in 0..=args.steps {
        let dormant = args.dormant * 10_u64.pow(step);
        let live = dormant / DORMANT_PER_LIVE;
        let mut house = House::open(&args.ground).await?;
        recover::fill(&house, dormant, 0).await?;
        let lists = lists(&house).await?;
        let queued_per_second = storm::raise(&house, args.due).await?.per_second();
        recover::fill(&house, 0, live).await?;
        let ready = recover::crash(&mut house).await?.ready;
        let live = live + u64::from(args.due);
        sizes.push(Size { dormant, live, lists, queued_per_second, ready });
    }
    Ok(sizes)
}

async fn lists(house: &House) -> Result<Vec<Duration>> {
    let mut client = Client::new(house.target(), house::SUPERVISOR)?;
    let mut medians = Vec::new();
    for (name, path) in LISTS {
        let mut times = Spread::default();
        for _ in 0..PAGES {
            let asked = clock::now();
            client.get(path, asked + setup::PATIENCE).await.context(name)?;
            times.record(clock::now().duration_since(asked));
        }
        medians.push(times.quantile(0.5));
    }
    Ok(medians)
}
