//! `loadtest storm`: many callbacks due in the same second, until each is queued and durable.
//!
//! It follows the server's event stream, which shows nothing that isn't durable; a callback counts
//! when its `callback.queued` has arrived here. So reading the stream is part of what is measured.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::value_parser;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::client::Client;
use crate::clock;
use crate::flood;
use crate::house::{self, Ground, House};
use crate::report::{Report, Spread, Unit};

/// How long the storm may go on after it began.
const PATIENCE: Duration = Duration::from_mins(3);
/// Requests by which it is found out how long booking will take.
const PROBED: u64 = 2_000;
/// By so much longer booking may take than that says.
const SLACK: f64 = 1.6;
/// Between the last booking and the moment at which all are due, at least.
const CALM_SECONDS: f64 = 5.0;
const EVENT: &[u8] = b"event: callback.queued";

/// Let many callbacks fall due in the same second, on a server of its own
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) ground: Ground,
    /// How many
    #[arg(long, default_value_t = 100_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(crate) count: u32,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What a storm was like.
#[derive(Debug)]
pub(crate) struct Storm {
    /// From the moment at which all were due until the last was queued and durable.
    pub(crate) took: Duration,
    pub(crate) lateness: Spread,
}

impl Storm {
    /// Callbacks a second.
    pub(crate) fn per_second(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        let count = self.lateness.count() as f64;
        count / self.took.as_secs_f64()
    }
}

/// Runs one storm on a server of its own.
pub(crate) async fn run(args: Args) -> Result<Report> {
    let house = House::open(&args.ground).await?;
    let storm = raise(&house, args.count).await?;
    let mut report = Report::new("storm");
    report.fact("store", args.ground.store.name());
    report.fact("due", args.count);
    report.fact("seconds", Unit::Seconds.show(storm.took));
    report.fact("queued per second", storm.per_second().round());
    report.spread("lateness", Unit::Seconds, storm.lateness);
    Ok(report)
}

/// Books so many for one instant, and waits until all are queued.
pub(crate) async fn raise(house: &House, count: u32) -> Result<Storm> {
    let mut probe = flood::Args::to(house.target(), house::CHANNEL, house::QUEUE);
    probe.count = Some(u64::from(count).min(PROBED));
    let probed = flood::run(probe).await?;
    let rate = probed.figure("created per second").filter(|rate| *rate > 0.0);
    let rate = rate.context("nothing could be booked")?;
    let ahead = clock::seconds(f64::from(count) / rate * SLACK + CALM_SECONDS);
    let due = (clock::utc() + ahead).timestamp() + 1;
    let due = chrono::DateTime::from_timestamp(due, 0).context("the clock is off")?;

    let mut booking = flood::Args::to(house.target(), house::SUPERVISOR, house::QUEUE);
    booking.count = Some(u64::from(count));
    booking.start = Some(due);
    let booked = flood::run(booking).await?;
    let made = booked.figure("status 201").unwrap_or(0.0);
    ensure!(made >= f64::from(count), "only {made} of {count} were booked: {}", booked.to_json());
    let left = (due - clock::utc()).to_std();
    let Ok(left) = left else { bail!("not all were booked before they were due") };
    let due = clock::now() + left;
    let events = Client::new(house.target(), house::SUPERVISOR)?.follow("/v1/events").await?;
    ensure!(clock::now() < due, "not all were booked before they were due");
    let counted = tokio::time::timeout_at((due + PATIENCE).into(), count_queued(events, count));
    let (lateness, last) = counted.await.context("not all were queued within three minutes")??;
    let lateness = lateness.into_iter().fold(Spread::default(), |mut spread, at| {
        spread.record(at.saturating_duration_since(due));
        spread
    });
    Ok(Storm { took: last.saturating_duration_since(due), lateness })
}

/// Reads the stream until so many are queued; when each was, and the last.
async fn count_queued(mut events: Incoming, count: u32) -> Result<(Vec<Instant>, Instant)> {
    let mut queued = Vec::with_capacity(usize::try_from(count)?);
    let mut rest = Vec::new();
    while queued.len() < usize::try_from(count)? {
        let frame = events.frame().await.context("the event stream ended")?;
        let frame = frame.context("reading the event stream")?;
        let Ok(part) = frame.into_data() else { continue };
        let now = clock::now();
        rest.extend_from_slice(&part);
        let mut begun = 0;
        while let Some(end) = rest[begun..].iter().position(|byte| *byte == b'\n') {
            if &rest[begun..begun + end] == EVENT {
                queued.push(now);
            }
            begun += end + 1;
        }
        rest.drain(..begun);
    }
    let last = queued.last().copied().context("nothing was to be queued")?;
    Ok((queued, last))
}
