//! P4–P7 and P10: what becomes of callbacks once they are taken.

use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

use super::rows::{Pair, Rounds, Row};
use super::{Bench, say};
use crate::child::Process;
use crate::cycle;
use crate::fanout;
use crate::house::{House, StoreKind};
use crate::latency;
use crate::peers::bullmq::BullMq;
use crate::peers::noop::Noop;
use crate::peers::redis::{Fsync, Redis};
use crate::report::Spread;
use crate::storm::{self, Storm};
use crate::tally;

/// Jobs that BullMQ gets at once.
const JOBS: u32 = 20_000;

fn millis(spread: &Spread, share: f64) -> f64 {
    spread.quantile(share).as_secs_f64() * 1_000.0
}

/// P4: from the POST to the notification.
pub(super) async fn notified(bench: &Bench) -> Result<Vec<Row>> {
    let seconds = u32::try_from(bench.seconds.min(19_000 / u64::from(bench.rate)))?;
    let args = latency::Args {
        ground: bench.ground.with(StoreKind::Embedded),
        rate: bench.rate,
        seconds: seconds.max(1),
        json: false,
    };
    let mut quantiles = [0.5, 0.99].map(|share| (share, Rounds::default(), Rounds::default()));
    for round in 1..=bench.rounds {
        say(&format!("P4, round {round}"));
        let folder = bench.ground.folder()?;
        let noop = Noop::start(folder.path())?;
        let least = latency::least(&args, noop.target(), folder.path()).await?;
        drop(noop);
        let notified = latency::notified(&args).await?;
        for (share, ours, theirs) in &mut quantiles {
            ours.push(millis(&notified, *share));
            theirs.push(millis(&least, *share));
        }
    }
    let [(_, p50, least_p50), (_, p99, least_p99)] = &quantiles;
    let what = format!("POST to notification, {}/s, median", bench.rate);
    let pair = |what, ours, theirs| {
        let theirs = ("POST, echo and fsync", theirs);
        Pair { target: "P4", what, unit: "ms", ours, theirs }
    };
    Ok(vec![
        pair(&what, p50, least_p50).at_most(2.0),
        pair("its 99th percentile", p99, least_p99).at_most(4.0),
    ])
}

/// P5: many due at once.
pub(super) async fn storm(bench: &Bench) -> Result<Vec<Row>> {
    let bullmq = BullMq::find(&bench.packages);
    let (mut ours, mut late, mut on_redis) =
        (Rounds::default(), Rounds::default(), Rounds::default());
    let mut theirs = Rounds::default();
    for round in 1..=bench.rounds {
        say(&format!("P5, round {round}"));
        if let Ok(bullmq) = &bullmq {
            let folder = bench.ground.folder()?;
            let redis = Redis::start(folder.path(), Fsync::Everysec).await?;
            let jobs = JOBS.min(bench.due);
            theirs.push(bullmq.storm(&redis.url(), folder.path(), jobs).await?);
        }
        let storm = raise(bench, StoreKind::Embedded).await?;
        ours.push(storm.per_second());
        late.push(storm.lateness.quantile(0.99).as_secs_f64());
        on_redis.push(raise(bench, StoreKind::RedisEverysec).await?.per_second());
    }
    let what = format!("{} due in one second, embedded store", bench.due);
    let redis = "the same on Redis, appendfsync everysec";
    let pair = |what, ours| {
        let theirs = ("BullMQ's worker", &theirs);
        Pair { target: "P5", what, unit: "/s", ours, theirs }
    };
    let late = Row::bound("P5", "99th percentile of lateness", &late, "s", 2.0);
    Ok(match bullmq {
        Ok(_) => vec![pair(&what, &ours).at_least(8.0), pair(redis, &on_redis).shown(), late],
        Err(error) => vec![Row::not_run("P5", &format!("{error:#}")), late],
    })
}

async fn raise(bench: &Bench, store: StoreKind) -> Result<Storm> {
    let house = House::open(&bench.ground.with(store)).await?;
    storm::raise(&house, bench.due).await
}

/// What the benchmark of routing prints with `--json` for each number of agents.
#[derive(Debug, Deserialize)]
struct Routed {
    agents: u32,
    decisions_per_second: f64,
    times_the_scan: f64,
}

/// P6: the router's decisions.
pub(super) async fn routing(bench: &Bench) -> Result<Vec<Row>> {
    say("P6");
    let routed = routed(bench).await?;
    let at = |agents: u32| routed.iter().find(|size| size.agents == agents);
    let [few, many, most] = [100, 10_000, 100_000].map(at);
    let (few, many) = (few.context("100 agents")?, many.context("10,000 agents")?);
    let most = most.context("100,000 agents")?;
    let one = |figure: f64| Rounds(vec![figure]);
    let slower = few.decisions_per_second / most.decisions_per_second;
    // From a hundred to a hundred thousand the logarithm grows so many times.
    let logarithm = f64::from(most.agents).log(f64::from(few.agents));
    let logarithm = (logarithm * 100.0).round() / 100.0;
    let growth = "time of a decision with 100,000 agents over that with 100";
    let scan = "times as many as a linear scan finds";
    let rate = one(many.decisions_per_second);
    Ok(vec![
        Row::floor("P6", "routing decisions, 10,000 agents", &rate, "/s", 200_000.0),
        Row::floor("P6", scan, &one(many.times_the_scan), "×", 100.0),
        Row::bound("P6", growth, &one(slower), "×", logarithm),
    ])
}

async fn routed(bench: &Bench) -> Result<Vec<Routed>> {
    let folder = bench.ground.folder()?;
    let mut build = Command::new("cargo");
    build.args(["bench", "--quiet", "--locked", "--bench", "routing", "--no-run"]);
    build.arg("--message-format=json");
    let messages = Process::start(&mut build, folder.path())?.output().await?;
    let program = messages.lines().find_map(|line| {
        let artifact: Value = serde_json::from_str(line).ok()?;
        let ours = artifact["target"]["name"] == "routing";
        artifact["executable"].as_str().filter(|_| ours).map(str::to_owned)
    });
    let mut command = Command::new(program.context("cargo doesn't say where the benchmark is")?);
    command.arg("--json");
    if bench.quick {
        command.arg("--quick");
    }
    let said = Process::start(&mut command, folder.path())?.output().await?;
    said.lines().map(|line| serde_json::from_str(line).context("a line of it")).collect()
}

/// P7: whole callbacks.
pub(super) async fn cycles(bench: &Bench) -> Result<Vec<Row>> {
    let args = cycle::Args {
        ground: bench.ground.with(StoreKind::Embedded),
        agents: 64,
        seconds: bench.seconds,
        json: false,
    };
    let (mut ours, mut alone, mut entries) =
        (Rounds::default(), Rounds::default(), Rounds::default());
    for round in 1..=bench.rounds {
        say(&format!("P7, round {round}"));
        let reached = cycle::measure(&args).await?;
        ours.push(reached.per_second);
        alone.push(reached.commits_alone);
        entries.push(reached.entries);
    }
    let what = format!("full cycles, {:.1} journal entries each", entries.median());
    let theirs = ("its commits alone", &alone);
    let pair = Pair { target: "P7", what: &what, unit: "/s", ours: &ours, theirs };
    Ok(vec![pair.at_least(0.5)])
}

/// P10: many agents.
pub(super) async fn crowd(bench: &Bench) -> Result<Vec<Row>> {
    let args = fanout::Args {
        ground: bench.ground.with(StoreKind::Embedded),
        agents: bench.agents,
        seconds: bench.seconds.max(2),
        json: false,
    };
    let (mut p99, mut moving, mut lost) = (Rounds::default(), Rounds::default(), Rounds::default());
    for round in 1..=bench.rounds {
        say(&format!("P10, round {round}"));
        let report = fanout::run(args.clone()).await?;
        p99.push(millis(report.times("all frames").context("no frame was answered")?, 0.99));
        let unsteady = report.times(tally::UNSTEADY).context("nobody came")?;
        moving.push(millis(unsteady, 0.99));
        lost.push(f64::from(u32::try_from(report.sum_of("session lost"))?));
    }
    let what = format!("{} agents, a change a second each: 99th percentile", bench.agents);
    Ok(vec![
        Row::bound("P10", &what, &p99, "ms", 50.0),
        Row::figure(
            "P10",
            "the same while they connect, and when all leave at once",
            &moving,
            "ms",
        ),
        Row::bound("P10", "sessions lost", &lost, "", 0.0),
    ])
}
