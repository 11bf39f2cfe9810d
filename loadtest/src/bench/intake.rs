//! P1–P3: durable intake over HTTP, beside the handler that stores nothing and other people's
//! queues.

use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::rows::{Pair, Rounds, Row};
use super::{Bench, say};
use crate::client::Target;
use crate::flood;
use crate::house::{self, House, StoreKind};
use crate::peers::beanstalkd::Beanstalkd;
use crate::peers::bullmq::BullMq;
use crate::peers::noop::Noop;

/// Connections of every driver, and jobs under way at BullMQ and beanstalkd.
const IN_FLIGHT: u32 = 64;
/// What a driver bounded by time may send at most.
const MOST: u64 = 5_000_000;
const UNIT: &str = "/s";
const LIMIT: &str = "handler without a store";

/// One run of `flood`.
struct Flooded {
    per_second: f64,
    p99_ms: f64,
}

async fn flood(target: &Target, seconds: u64) -> Result<Flooded> {
    let mut asking = flood::Args::to(target, house::CHANNEL, house::QUEUE);
    asking.connections = IN_FLIGHT;
    asking.seconds = Some(seconds);
    asking.count = Some(MOST);
    asking.spread_slots = 96;
    let report = flood::run(asking).await?;
    let times = report.times("POST /v1/callbacks").context("nothing was acknowledged")?;
    Ok(Flooded {
        per_second: report.figure("created per second").context("it is always told")?,
        p99_ms: times.quantile(0.99).as_secs_f64() * 1_000.0,
    })
}

/// What both sides reached, round by round.
#[derive(Default)]
struct Sides {
    limit: Rounds,
    ours: Rounds,
    p99_ms: Rounds,
    others: Rounds,
}

impl Sides {
    async fn limit(&mut self, bench: &Bench, folder: &TempDir) -> Result<()> {
        let noop = Noop::start(folder.path())?;
        self.limit.push(flood(noop.target(), bench.seconds).await?.per_second);
        Ok(())
    }

    async fn ours(&mut self, bench: &Bench, house: &House) -> Result<()> {
        let flooded = flood(house.target(), bench.seconds).await?;
        self.ours.push(flooded.per_second);
        self.p99_ms.push(flooded.p99_ms);
        Ok(())
    }

    fn against_limit<'a>(&'a self, target: &'a str, what: &'a str) -> Pair<'a> {
        Pair { target, what, unit: UNIT, ours: &self.ours, theirs: (LIMIT, &self.limit) }
    }

    fn against<'a>(&'a self, target: &'a str, what: &'a str, name: &'a str) -> Pair<'a> {
        Pair { target, what, unit: UNIT, ours: &self.ours, theirs: (name, &self.others) }
    }
}

/// On the embedded store, and kept up for long.
pub(super) async fn embedded(bench: &Bench) -> Result<Vec<Row>> {
    let mut sides = Sides::default();
    for round in 1..=bench.rounds {
        say(&format!("P1, round {round}"));
        let folder = bench.ground.folder()?;
        sides.limit(bench, &folder).await?;
        let house = House::open(&bench.ground.with(StoreKind::Embedded)).await?;
        sides.ours(bench, &house).await?;
    }
    say(&format!("P1, kept up for {} s", bench.kept_up_seconds));
    let folder = bench.ground.folder()?;
    let mut kept_up = Sides::default();
    kept_up.limit(bench, &folder).await?;
    let house = House::open(&bench.ground.with(StoreKind::Embedded)).await?;
    let flooded = flood(house.target(), bench.kept_up_seconds).await?;
    kept_up.ours.push(flooded.per_second);
    let long = format!("kept up for {} s with the tables following", bench.kept_up_seconds);
    Ok(vec![
        sides.against_limit("P1", "durable intake, embedded store").at_least(0.40),
        Row::bound("P1", "its 99th percentile", &sides.p99_ms, "ms", 10.0),
        kept_up.against_limit("P1", &long).at_least(0.25),
    ])
}

/// On Redis that synchronises once a second, beside BullMQ on the same.
pub(super) async fn redis_everysec(bench: &Bench) -> Result<Vec<Row>> {
    let bullmq = BullMq::find(&bench.packages);
    let mut sides = Sides::default();
    for round in 1..=bench.rounds {
        say(&format!("P2, round {round}"));
        let folder = bench.ground.folder()?;
        sides.limit(bench, &folder).await?;
        let house = House::open(&bench.ground.with(StoreKind::RedisEverysec)).await?;
        sides.ours(bench, &house).await?;
        if let Ok(bullmq) = &bullmq {
            let bounds = (IN_FLIGHT, Duration::from_secs(bench.seconds));
            let added = bullmq.add(&house.store_url(), folder.path(), bounds, MOST).await?;
            sides.others.push(added);
        }
    }
    let what = "durable intake, Redis, appendfsync everysec";
    Ok(vec![
        sides.against_limit("P2", what).at_least(0.40),
        Row::bound("P2", "its 99th percentile", &sides.p99_ms, "ms", 10.0),
        match bullmq {
            Ok(_) => sides.against("P2", what, "BullMQ, queue.add").at_least(2.0),
            Err(error) => Row::not_run("P2", &format!("{error:#}")),
        },
    ])
}

/// On Redis that synchronises before each answer, beside beanstalkd that does.
pub(super) async fn redis_always(bench: &Bench) -> Result<Vec<Row>> {
    let mut sides = Sides::default();
    let mut missing = None;
    for round in 1..=bench.rounds {
        say(&format!("P3, round {round}"));
        let folder = bench.ground.folder()?;
        sides.limit(bench, &folder).await?;
        let house = House::open(&bench.ground.with(StoreKind::RedisAlways)).await?;
        sides.ours(bench, &house).await?;
        drop(house);
        match Beanstalkd::start(folder.path()).await {
            Ok(beanstalkd) => {
                let time = Duration::from_secs(bench.seconds);
                sides.others.push(beanstalkd.put(IN_FLIGHT, time, MOST).await?);
            }
            Err(error) => missing = Some(format!("{error:#}")),
        }
    }
    let what = "durable intake, Redis, appendfsync always";
    Ok(vec![
        sides.against_limit("P3", what).at_least(0.33),
        Row::bound("P3", "its 99th percentile", &sides.p99_ms, "ms", 10.0),
        match missing {
            None => sides.against("P3", what, "beanstalkd, put, fsync each").at_least(4.5),
            Some(why) => Row::not_run("P3", &why),
        },
    ])
}
