//! `loadtest flood`: many callbacks asked for at once, each by another customer.
//!
//! Every POST has a key of its own and is repeated with that key until it is answered, so that
//! what is counted as acknowledged is counted once. With a rate, times run from the moment at
//! which a request was meant to go out, so that a slow server can't hide its queue.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, Utc};
use clap::value_parser;
use hyper::body::Bytes;
use indicatif::ProgressBar;
use serde_json::json;

use crate::client::{self, Call, Client, Repeats, Target};
use crate::clock;
use crate::customers;
use crate::ledger::{Created, Entry, Ledger, Writer};
use crate::pace::{Course, Pace};
use crate::report::{Report, Spread, Unit};
use crate::setup;

/// How long after the end of a run a request is still repeated.
const GRACE: Duration = Duration::from_secs(30);
/// The longest that a run bounded by a count alone may take.
const LONGEST_SECONDS: u64 = 600;

/// Ask for many callbacks at once over keep-alive connections
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The server, on this machine
    #[arg(long, value_parser = Target::parse)]
    pub(crate) server: Target,
    /// A secret channel key
    #[arg(long)]
    pub(crate) token: String,
    /// The queue that is asked for
    #[arg(long)]
    pub(crate) queue: String,
    /// Keep-alive connections, each with one request under way
    #[arg(long, default_value_t = 64, value_parser = value_parser!(u32).range(1..=4_096))]
    pub(crate) connections: u32,
    /// Requests a second (open loop); left out: as fast as answers come (closed loop)
    #[arg(long, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(crate) rate: Option<u32>,
    /// How long to go on [default: 10, or 600 with --count]
    #[arg(long, value_parser = value_parser!(u64).range(1..=7_200))]
    pub(crate) seconds: Option<u64>,
    /// Stop after so many requests
    #[arg(long, value_parser = value_parser!(u64).range(1..=10_000_000))]
    pub(crate) count: Option<u64>,
    /// The share of scheduled callbacks; the rest are asap
    #[arg(long, default_value_t = 1.0)]
    pub(crate) scheduled_share: f64,
    /// How far ahead the scheduled ones are booked, rounded up to a slot's start
    #[arg(long, default_value_t = 86_400, value_parser = value_parser!(u32).range(0..=31_536_000))]
    pub(crate) start_in_seconds: u32,
    /// The queue's `slot_minutes`; slots are taken to start at midnight UTC
    #[arg(long, default_value_t = 15, value_parser = value_parser!(u32).range(1..=1_440))]
    pub(crate) slot_minutes: u32,
    /// Over how many slots, one after the other, the bookings are spread
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u32).range(1..=3_000))]
    pub(crate) spread_slots: u32,
    /// Book all of them at this instant instead, as agents and supervisors may
    #[arg(long, value_parser = instant, conflicts_with_all = ["start_in_seconds", "spread_slots"])]
    pub(crate) start: Option<DateTime<Utc>>,
    /// Append each acknowledged callback to this file before it is counted
    #[arg(long)]
    pub(crate) ledger: Option<PathBuf>,
    /// Make the queue first (always open, slots without limit) with this credential
    #[arg(long)]
    pub(crate) admin_token: Option<String>,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Args {
    /// A closed loop of scheduled callbacks, which other commands change to what they need.
    pub(crate) fn to(server: &Target, token: &str, queue: &str) -> Self {
        Self {
            server: server.clone(),
            token: token.to_owned(),
            queue: queue.to_owned(),
            connections: 64,
            rate: None,
            seconds: None,
            count: None,
            scheduled_share: 1.0,
            start_in_seconds: 86_400,
            slot_minutes: 15,
            spread_slots: 1,
            start: None,
            ledger: None,
            admin_token: None,
            json: false,
        }
    }
}

/// When an open loop meant to send which customer's request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    course: Course,
    first_customer: u64,
}

impl Sent {
    /// When the request of this customer (`LT42`) was meant to go out.
    pub(crate) fn meant(&self, customer: &str) -> Option<Instant> {
        let customer: u64 = customer.strip_prefix("LT")?.parse().ok()?;
        Some(self.course.meant(customer.wrapping_sub(self.first_customer)))
    }
}

fn instant(text: &str) -> Result<DateTime<Utc>> {
    Ok(DateTime::parse_from_rfc3339(text).context("as in 2026-11-24T15:00:00Z")?.to_utc())
}

/// Bodies with everything in place but the customer.
struct Bodies {
    asap: Vec<u8>,
    scheduled: Vec<Vec<u8>>,
    scheduled_share: f64,
}

impl Bodies {
    fn new(queue: &str, starts: &[String], scheduled_share: f64) -> Self {
        let tail = |when: &str| {
            format!(
                "\",\"name\":\"Ada Lovelace\",\"kind\":\"contact\",\"account\":\"ACME\",\
                 \"email\":\"ada@example.com\",\"time_zone\":\"America/New_York\",\
                 \"locale\":\"en-US\"}},\"queue\":{},\"medium\":\"voice\",{when},\
                 \"short_description\":\"Charged twice for one month\",\
                 \"description\":\"The invoice of last month shows the same line twice. I have \
                 paid it once and would like to know whether the second one will be refunded.\",\
                 \"context\":{{\"articles\":[{{\"title\":\"How to read your invoice\",\
                 \"url\":\"https://help.example/articles/42\"}}]}},\"priority\":5}}",
                json!(queue)
            )
            .into_bytes()
        };
        let scheduled = starts.iter().map(|start| {
            tail(&format!("\"type\":\"scheduled\",\"schedule\":{{\"start\":\"{start}\"}}"))
        });
        Self { asap: tail("\"type\":\"asap\""), scheduled: scheduled.collect(), scheduled_share }
    }

    /// The body of one customer's request; scheduled ones are spread evenly among the others.
    fn body(&self, ticket: u64, customer: u64) -> Bytes {
        #[expect(clippy::cast_precision_loss, reason = "tickets stay far below 2^52")]
        let scheduled_before = |ticket: u64| (ticket as f64 * self.scheduled_share).floor();
        let scheduled = scheduled_before(ticket + 1) > scheduled_before(ticket);
        let slot = usize::try_from(ticket).unwrap_or_default() % self.scheduled.len().max(1);
        let tail = if scheduled { &self.scheduled[slot] } else { &self.asap };
        let phone = customers::phone(customer);
        let mut body = Vec::with_capacity(tail.len() + 64);
        body.extend_from_slice(b"{\"customer\":{\"id\":\"LT");
        body.extend_from_slice(customer.to_string().as_bytes());
        body.extend_from_slice(b"\",\"phone\":\"+");
        body.extend_from_slice(phone.to_string().as_bytes());
        body.extend_from_slice(tail);
        Bytes::from(body)
    }
}

/// The body of one asap request, such as `flood` sends.
pub(crate) fn sample_body(queue: &str) -> Bytes {
    Bodies::new(queue, &[], 0.0).body(0, 0)
}

/// What the connections of one run share.
struct Run {
    bodies: Bodies,
    began: Instant,
    ends: Instant,
    count: u64,
    /// `None` in a closed loop.
    pace: Option<Pace>,
    tickets: AtomicU64,
    first_customer: u64,
    key: String,
    ledger: Option<Writer>,
    bar: ProgressBar,
}

/// What one connection found.
#[derive(Default)]
struct Findings {
    latency: Spread,
    statuses: BTreeMap<u16, u64>,
    repeats: Repeats,
    given_up: u64,
    refusals: Vec<String>,
}

impl Findings {
    /// Keeps the first refusal in full: they tend to be alike.
    fn refused(&mut self, why: String) {
        if self.refusals.is_empty() {
            self.refusals.push(why);
        }
    }
}

/// Runs a flood to its end.
pub(crate) async fn run(args: Args) -> Result<Report> {
    Ok(play(args).await?.0)
}

/// Runs a flood to its end; says also when its open loop meant to send what.
pub(crate) async fn play(args: Args) -> Result<(Report, Option<Sent>)> {
    ensure!((0.0..=1.0).contains(&args.scheduled_share), "--scheduled-share is from 0 to 1");
    // A server that isn't there at all is an error at once; one that goes away is waited for.
    drop(client::dial(&args.server).await?);
    if let Some(admin) = &args.admin_token {
        let settings = json!({
            "name": args.queue, "time_zone": "UTC", "slot_minutes": args.slot_minutes,
            "slot_capacity": 0, "min_notice_minutes": 0, "max_days_ahead": 365,
        });
        setup::put_queue(&args.server, admin, &args.queue, &settings).await?;
    }
    let ledger = args.ledger.as_deref().map(Ledger::open).transpose()?;
    let run = Arc::new(start(&args, ledger.as_ref().map(Ledger::writer))?);
    let mut connections = Vec::new();
    for _ in 0..args.connections {
        let client = Client::new(&args.server, &args.token)?;
        connections.push(tokio::spawn(connection(Arc::clone(&run), client)));
    }
    let mut all = Findings::default();
    for task in connections {
        let found = task.await.context("a driver's task panicked")??;
        all.latency.add(&found.latency);
        all.repeats.add(&found.repeats);
        all.given_up += found.given_up;
        all.refusals.extend(found.refusals);
        for (status, count) in found.statuses {
            *all.statuses.entry(status).or_default() += count;
        }
    }
    let took = clock::now().duration_since(run.began);
    run.bar.finish_and_clear();
    let run = Arc::into_inner(run).context("a task of the run is still there")?;
    let sent = run.tickets.load(Ordering::Relaxed).min(run.count);
    let first_customer = run.first_customer;
    let meant = run.pace.as_ref().map(|pace| Sent { course: pace.course(), first_customer });
    drop(run);
    let durable = ledger.map(Ledger::close).transpose()?;
    Ok((report(&args, all, sent, took, durable), meant))
}

fn start(args: &Args, ledger: Option<Writer>) -> Result<Run> {
    let utc = clock::utc();
    let slot = i64::from(args.slot_minutes) * 60;
    let earliest = utc.timestamp() + i64::from(args.start_in_seconds);
    let first_slot = earliest.div_euclid(slot) + i64::from(earliest.rem_euclid(slot) > 0);
    let starts: Option<Vec<String>> = (0..i64::from(args.spread_slots))
        .map(|number| DateTime::from_timestamp((first_slot + number) * slot, 0))
        .map(|start| start.map(clock::rfc3339))
        .collect();
    let starts = starts.context("--start-in-seconds leads beyond the calendar")?;
    let starts = args.start.map_or(starts, |start| vec![clock::rfc3339(start)]);
    let nanos = utc.timestamp_nanos_opt().context("the clock is off by centuries")?.unsigned_abs();
    let default_seconds = if args.count.is_some() { LONGEST_SECONDS } else { 10 };
    let seconds = args.seconds.unwrap_or(default_seconds);
    let count = args.count.unwrap_or(u64::MAX);
    let bar = setup::bar(args.count.unwrap_or_else(|| expected(args, seconds)), "asked");
    let began = clock::now();
    let ends = began + Duration::from_secs(seconds);
    let course = args.rate.map(|rate| Course { began, rate: f64::from(rate) });
    Ok(Run {
        bodies: Bodies::new(&args.queue, &starts, args.scheduled_share),
        began,
        ends,
        count,
        pace: course.map(|course| Pace::begin(course, ends, count)),
        tickets: AtomicU64::new(0),
        first_customer: customers::first(nanos),
        key: format!("flood-{nanos:x}-{}", std::process::id()),
        ledger,
        bar,
    })
}

/// How many requests a run bounded by time will make; a closed loop can't know.
fn expected(args: &Args, seconds: u64) -> u64 {
    args.rate.map_or(0, |rate| u64::from(rate) * seconds)
}

async fn connection(run: Arc<Run>, mut client: Client) -> Result<Findings> {
    let mut found = Findings::default();
    loop {
        if let Some(pace) = &run.pace
            && !pace.turn().await
        {
            break;
        }
        if clock::now() >= run.ends {
            break;
        }
        let ticket = run.tickets.fetch_add(1, Ordering::Relaxed);
        if ticket >= run.count {
            break;
        }
        let meant = match &run.pace {
            Some(pace) => pace.course().meant(ticket),
            None => clock::now(),
        };
        ask(&run, &mut client, ticket, meant, &mut found).await?;
        run.bar.inc(1);
    }
    found.repeats = client.repeats().clone();
    Ok(found)
}

async fn ask(
    run: &Run,
    client: &mut Client,
    ticket: u64,
    meant: Instant,
    found: &mut Findings,
) -> Result<()> {
    let body = run.bodies.body(ticket, run.first_customer.wrapping_add(ticket));
    let call = Call::post("/v1/callbacks", &format!("{}-{ticket}", run.key), body)?;
    let reply = match client.persist(&call, run.ends + GRACE).await {
        Ok(reply) => reply,
        Err(error) => {
            found.given_up += 1;
            found.refused(format!("{error:#}"));
            return Ok(());
        }
    };
    *found.statuses.entry(reply.status).or_default() += 1;
    if !reply.is_success() {
        found.refused(reply.detail());
        return Ok(());
    }
    found.latency.record(clock::now().saturating_duration_since(meant));
    if let Some(ledger) = &run.ledger {
        let created = Created::from_answer(&reply.body);
        match created {
            Ok(created) => ledger.write(Entry::Created(created)).await?,
            Err(error) => bail!("POST /v1/callbacks: {error:#}"),
        }
    }
    Ok(())
}

fn report(args: &Args, found: Findings, sent: u64, took: Duration, durable: Option<u64>) -> Report {
    let mut report = Report::new("flood");
    report.fact("connections", args.connections);
    report.fact("loop", if args.rate.is_some() { "open" } else { "closed" });
    if let Some(rate) = args.rate {
        report.fact("rate asked per second", rate);
    }
    let made = found.statuses.get(&201).copied().unwrap_or(0);
    let seconds = took.as_secs_f64();
    report.fact("seconds", (seconds * 1_000.0).round() / 1_000.0);
    report.fact("sent", sent);
    report.fact("acknowledged", durable.unwrap_or(found.latency.count()));
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    report.fact("created per second", (made as f64 / seconds).round());
    for (status, count) in &found.statuses {
        report.fact(format!("status {status}"), *count);
    }
    for (status, count) in &found.repeats.refused {
        report.fact(format!("repeated after {status}"), *count);
    }
    report.fact("repeated after a lost connection", found.repeats.lost);
    report.fact("given up", found.given_up);
    if let Some(refusal) = found.refusals.first() {
        report.fact("a refusal", refusal.clone());
    }
    report.spread("POST /v1/callbacks", Unit::Milliseconds, found.latency);
    report
}

#[cfg(test)]
mod tests;
