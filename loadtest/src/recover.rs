//! `loadtest recover`: how long a server takes to be ready again after `kill -9`.
//!
//! Beside it stands reading the same callbacks through the store's own ports with nothing done to
//! them: every row of the table of callbacks, and the end of the log.

use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use clap::value_parser;
use ringback::domain::ids::WorkspaceId;
use ringback::engine::ports::{RangeRead, Table};
use ringback::store::{StoreUrl, keys};

use crate::clock;
use crate::flood;
use crate::house::{self, Ground, House};
use crate::report::{Report, Spread, Unit};

/// Over how many slots bookings are spread: a month of quarters of an hour.
const SLOTS: u32 = 2_880;
/// Rows read at once.
const ROWS: usize = 4_096;

/// Kill a server of its own that has much to remember, and wait until it is ready again
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) ground: Ground,
    /// Callbacks in line
    #[arg(long, default_value_t = 10_000, value_parser = value_parser!(u64).range(0..=1_000_000))]
    pub(crate) live: u64,
    /// Callbacks that wait for their time
    #[arg(long, default_value_t = 100_000, value_parser = value_parser!(u64).range(0..=5_000_000))]
    pub(crate) dormant: u64,
    /// 100,000 in line and 1,000,000 that wait, as the target has it
    #[arg(long, conflicts_with_all = ["live", "dormant"])]
    pub(crate) full: bool,
    /// How often it is killed
    #[arg(long, default_value_t = 3, value_parser = value_parser!(u32).range(1..=20))]
    pub(crate) rounds: u32,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// One recovery, beside reading alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    pub(crate) ready: Duration,
    pub(crate) reading: Duration,
    pub(crate) rows: usize,
}

/// Runs it to its end.
pub(crate) async fn run(args: Args) -> Result<Report> {
    let (live, dormant) = if args.full { (100_000, 1_000_000) } else { (args.live, args.dormant) };
    let mut house = House::open(&args.ground).await?;
    fill(&house, dormant, live).await?;
    let (mut ready, mut reading) = (Spread::default(), Spread::default());
    let mut rows = 0;
    for _ in 0..args.rounds {
        let round = crash(&mut house).await?;
        ready.record(round.ready);
        reading.record(round.reading);
        rows = round.rows;
    }
    let mut report = Report::new("recover");
    report.fact("store", args.ground.store.name());
    report.fact("live", live);
    report.fact("dormant", dormant);
    report.fact("rows read", rows);
    report.spread("until ready", Unit::Seconds, ready);
    report.spread("reading alone", Unit::Seconds, reading);
    Ok(report)
}

/// Books so many for the next month, and has so many wait in line.
pub(crate) async fn fill(house: &House, dormant: u64, live: u64) -> Result<()> {
    for (count, scheduled_share) in [(dormant, 1.0), (live, 0.0)] {
        if count > 0 {
            let mut asking = flood::Args::to(house.target(), house::CHANNEL, house::QUEUE);
            asking.count = Some(count);
            asking.scheduled_share = scheduled_share;
            asking.spread_slots = SLOTS;
            let made = flood::run(asking).await?.figure("status 201").unwrap_or(0.0);
            #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
            let wanted = count as f64;
            anyhow::ensure!(made >= wanted, "only {made} of {count} callbacks were made");
        }
    }
    Ok(())
}

/// Kills the server, reads its store, and starts it again.
pub(crate) async fn crash(house: &mut House) -> Result<Round> {
    house.crash();
    let began = clock::now();
    let rows = read(&house.store_url()).await?;
    let reading = clock::now().duration_since(began);
    let began = clock::now();
    house.start()?;
    let ready = house.ready().await?.duration_since(began);
    Ok(Round { ready, reading, rows })
}

/// Reads all callbacks and the end of the log; says how many rows and entries that were.
async fn read(store: &str) -> Result<usize> {
    let url: StoreUrl = store.parse().context("the store's URL")?;
    let workspace = WorkspaceId::parse("main").context("the workspace's id")?;
    let mut store = url.open(&workspace).await.context("opening the store")?;
    let taken = store.log.take().await.context("taking the log")?;
    let watermark = store.tables.take(taken.epoch).await.context("taking the tables")?;
    let mut read = 0;
    let mut next = watermark + 1;
    loop {
        let entries = store.log.read(next, ROWS).await.context("reading the log")?;
        let Some(last) = entries.last() else { break };
        next = last.number + 1;
        read += entries.len();
    }
    // An embedded table is in order whether ranges are asked of it or not, so all of it is read in
    // one go. Elsewhere callbacks are found by their states.
    let in_one_go = matches!(url, StoreUrl::Embedded(_));
    let all = Table::ordered(keys::CALLBACK.number, keys::CALLBACK.name);
    let walked = if in_one_go { all } else { keys::BY_STATE };
    let mut start = Bytes::new();
    loop {
        let range = RangeRead { table: walked, start, end: None, reverse: false, limit: ROWS };
        let rows = store.tables.range(range).await.context("reading the callbacks")?;
        read += rows.len();
        let Some((last, _)) = rows.last() else { break };
        // The next key after one is itself and a zero.
        start = [last.as_ref(), &[0]].concat().into();
        if !in_one_go {
            let ids = rows.iter().filter_map(|(key, _)| keys::id_at_end(key));
            let records = ids.map(keys::callback).collect();
            store.tables.get(records).await.context("reading the callbacks")?;
        }
    }
    Ok(read)
}
