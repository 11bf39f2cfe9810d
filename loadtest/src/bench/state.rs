//! P8 and P9, and how costs grow: what is kept, and what it takes to have it again.

use anyhow::Result;

use super::rows::{Pair, Rounds, Row};
use super::{Bench, say};
use crate::footprint::{self, Share};
use crate::growth;
use crate::house::{House, StoreKind};
use crate::recover;
use crate::report::Table;

/// P8: memory.
pub(super) async fn footprint(bench: &Bench) -> Result<Vec<Row>> {
    say("P8");
    let args = footprint::Args {
        ground: bench.ground.with(StoreKind::Embedded),
        dormant: bench.dormant / 2,
        live: bench.live,
        agents: bench.agents / 2,
        first: bench.dormant / 10,
        rest_seconds: if bench.quick { 1 } else { 30 },
        stay_seconds: if bench.quick { 14 } else { 60 },
        json: false,
    };
    let found = footprint::measure(&args).await?;
    let rounds = |share: Share| Rounds(vec![share.low, share.middle, share.high]);
    let first = format!("a fresh server's growth by {} dormant ones", args.first);
    let warm = format!("the same of one that had {} before", args.first / 100);
    let growth = |what: &str, bytes: f64| {
        Row::bound("P8", what, &Rounds(vec![bytes / f64::from(1 << 20)]), "MiB", 8.0)
    };
    let row = |what: &str, share: Share, most: f64| {
        Row::surely("P8", &format!("memory of {what}"), &rounds(share), "B", most)
    };
    Ok(vec![
        row("a dormant callback", found.dormant, 64.0),
        row("a live callback", found.live, 2_048.0),
        row("an agent's session", found.session, 24_576.0),
        growth(&first, found.first),
        growth(&warm, found.warm),
    ])
}

/// P9: ready again after `kill -9`.
pub(super) async fn recovery(bench: &Bench) -> Result<Vec<Row>> {
    say("P9, filling the store");
    let mut house = House::open(&bench.ground.with(StoreKind::Embedded)).await?;
    recover::fill(&house, bench.dormant, bench.live).await?;
    let (mut ready, mut reading) = (Rounds::default(), Rounds::default());
    for round in 1..=bench.rounds {
        say(&format!("P9, round {round}"));
        let crashed = recover::crash(&mut house).await?;
        ready.push(crashed.ready.as_secs_f64());
        reading.push(crashed.reading.as_secs_f64());
    }
    let what = format!("kill -9 to ready, {} live, {} dormant", bench.live, bench.dormant);
    let theirs = ("reading the callbacks alone", &reading);
    let pair = Pair { target: "P9", what: &what, unit: "s", ours: &ready, theirs };
    Ok(vec![pair.at_most(3.0), Row::bound("P9", "the same", &ready, "s", 10.0)])
}

/// A page of lists, what falls due, and recovery, at 1, 10 and 100 times as much.
pub(super) async fn growth(bench: &Bench) -> Result<Table> {
    say("growth");
    let args = growth::Args {
        ground: bench.ground.with(StoreKind::Embedded),
        dormant: (bench.dormant / 200).max(10),
        steps: 2,
        due: (bench.due / 20).max(10),
        json: false,
    };
    Ok(growth::table(&growth::measure(&args).await?))
}
