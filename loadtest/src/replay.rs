//! `loadtest replay`: a day of a real call centre, played as callbacks at a chosen speed.
//!
//! Who asked for an agent asks for a callback at that moment; whoever worked that day works from
//! their first call to their last; each call takes the time that it took. Nobody hangs up while
//! waiting, so those who did then are called now. Afterwards every acknowledged callback is
//! looked up: none may be lost, none may have been with two agents.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use crate::agents::watch;
use crate::bank::{self, Row};
use crate::client::{Call, Client, Target};
use crate::clock;
use crate::customers;
use crate::desk::{Conduct, Desk, Finish, Reply};
use crate::ledger::Created;
use crate::report::{Report, Spread, Table, Unit};
use crate::setup;
use crate::shift::{Shift, work};
use crate::simulate::what_if::{self, Offer};
use crate::socket::Callback;
use crate::tally::Shared;
use crate::token::Signing;

/// Connections on which callbacks are asked for.
const CONNECTIONS: usize = 8;
/// The longest that a replay may take.
const LONGEST_SECONDS: f64 = 14_400.0;
/// How long agents may take after their last moment to finish a call.
const FINISH: Duration = Duration::from_mins(1);
/// The head start that the bank gave its best customers.
const HEAD_START_SECONDS: f64 = 90.0;

/// Play a day of a bank's call centre as callbacks
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A month of calls, as CSV, gzipped or not
    file: PathBuf,
    /// The day, as 1999-01-05, or `busiest`; with --what-if the whole file where none is given
    #[arg(long, required_unless_present = "what_if")]
    date: Option<String>,
    /// Play it without a server: as it was, and with callbacks offered, at the same staff
    #[arg(long)]
    pub(crate) what_if: bool,
    #[command(flatten)]
    offer: Offer,
    /// With --what-if: draw the comparison into this file, as SVG
    #[arg(long)]
    plot: Option<PathBuf>,
    /// How many times faster than life
    #[arg(long, default_value_t = 60.0)]
    speed: f64,
    /// The time of day to begin at, as 09:00
    #[arg(long, default_value = "00:00", value_parser = time_of_day)]
    from: u32,
    /// The time of day to end at, as 17:30
    #[arg(long, default_value = "24:00", value_parser = time_of_day)]
    to: u32,
    /// The server, on this machine
    #[arg(long, value_parser = Target::parse, required_unless_present = "what_if")]
    server: Option<Target>,
    /// Makes queues and agents, and looks callbacks up at the end
    #[arg(long, required_unless_present = "what_if")]
    admin_token: Option<String>,
    /// A secret channel key
    #[arg(long, required_unless_present = "what_if")]
    channel_token: Option<String>,
    #[command(flatten)]
    signing: Signing,
    /// Agents' ids are this and their name in the file
    #[arg(long, default_value = "bank-")]
    prefix: String,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// One callback that will be asked for.
#[derive(Debug, Clone, PartialEq)]
struct Request {
    /// Seconds of the day.
    at: u32,
    queue: String,
    external_id: String,
    priority: u8,
    talk_seconds: f64,
}

/// A day turned into requests and shifts, in seconds of that day.
#[derive(Debug)]
struct Day {
    requests: Vec<Request>,
    agents: BTreeMap<String, bank::Presence>,
    /// Mean service time by queue, in seconds.
    means: BTreeMap<String, f64>,
    from: u32,
    to: u32,
}

/// An acknowledged request.
#[derive(Debug, Clone)]
struct Asked {
    queue: String,
    created: Created,
    acknowledged: Instant,
}

/// An agent who talks as long as the file says.
#[derive(Debug, Clone)]
struct Traced {
    talks: Arc<BTreeMap<String, Duration>>,
    means: Arc<BTreeMap<String, Duration>>,
}

impl Conduct for Traced {
    fn offer(&mut self, _: &Callback) -> (Reply, Duration) {
        (Reply::Accept, Duration::ZERO)
    }

    fn ring(&mut self, _: &Callback) -> (&'static str, Duration) {
        ("answered", Duration::ZERO)
    }

    /// A callback left over from an earlier run takes its queue's mean.
    fn talk(&mut self, callback: &Callback) -> Duration {
        let external_id = callback.external_id.as_deref().unwrap_or_default();
        let known = self.talks.get(external_id).or_else(|| self.means.get(&callback.queue));
        known.copied().unwrap_or(Duration::from_secs(1))
    }

    /// The queues are made without wrap-up, so the engine ends it at once.
    fn wrap_up(&mut self, _: &Callback) -> Option<(Finish, Duration)> {
        None
    }
}

impl Day {
    fn new(rows: &[Row], run: &str, from: u32, to: u32) -> Result<Self> {
        let means = bank::mean_services(rows);
        let mut requests: Vec<Request> = rows
            .iter()
            .filter_map(|row| {
                let at = row.asked_at.filter(|at| (from..to).contains(at))?;
                let seconds = row.service.as_ref().map(|service| f64::from(service.seconds));
                Some(Request {
                    at,
                    queue: row.kind.to_lowercase(),
                    external_id: format!("{run}-{}", row.call),
                    priority: if row.priority == 2 { 6 } else { 5 },
                    talk_seconds: seconds.unwrap_or_else(|| means[&row.kind]),
                })
            })
            .collect();
        requests.sort_by(|a, b| (a.at, &a.external_id).cmp(&(b.at, &b.external_id)));
        let present = bank::agents(rows).into_iter().filter_map(|(name, presence)| {
            let (from, to) = (presence.from.max(from), presence.to.min(to));
            (from < to).then(|| (name.to_lowercase(), bank::Presence { from, to }))
        });
        let agents: BTreeMap<String, bank::Presence> = present.collect();
        let (Some(first), Some(last)) = (requests.first(), requests.last()) else {
            bail!("nobody asked for an agent in that time");
        };
        ensure!(!agents.is_empty(), "no agent worked in that time");
        let from = agents.values().map(|presence| presence.from).fold(first.at, u32::min);
        let to = agents.values().map(|presence| presence.to).fold(last.at, u32::max);
        let means = means.into_iter().map(|(kind, mean)| (kind.to_lowercase(), mean)).collect();
        Ok(Self { requests, agents, means, from, to })
    }
}

impl Args {
    /// Plays the month, or a day of it, without a server: as it was, and with callbacks offered.
    pub(crate) fn what_if(&self) -> Result<Report> {
        what_if::run(&self.file, self.date.as_deref(), self.offer, self.plot.as_deref())
    }

    /// The server and the keys that it takes. Without them only `--what-if` can be run.
    fn live(&self) -> Result<Live> {
        let missing = "--date, --server, --admin-token and --channel-token are needed";
        Ok(Live {
            date: self.date.clone().context(missing)?,
            server: self.server.clone().context(missing)?,
            admin_token: self.admin_token.clone().context(missing)?,
            channel_token: self.channel_token.clone().context(missing)?,
        })
    }
}

/// What a day is played against.
#[derive(Debug)]
struct Live {
    date: String,
    server: Target,
    admin_token: String,
    channel_token: String,
}

/// Plays a day to its end.
pub(crate) async fn run(args: Args) -> Result<Report> {
    ensure!((0.1..=10_000.0).contains(&args.speed), "--speed is from 0.1 to 10000");
    let live = args.live()?;
    let rows = bank::day(bank::read(&args.file)?, &live.date)?;
    let date = rows.first().map(|row| row.date.clone()).unwrap_or_default();
    let nanos = clock::utc().timestamp_nanos_opt().context("the clock is off by centuries")?;
    let nanos = nanos.unsigned_abs();
    let day = Day::new(&rows, &format!("replay-{nanos:x}"), args.from, args.to)?;
    let seconds = f64::from(day.to - day.from) / args.speed;
    ensure!(
        seconds <= LONGEST_SECONDS,
        "that would take {seconds:.0} s; raise --speed, or narrow --from and --to"
    );
    prepare(&args, &live, &day).await?;
    let tally = Shared::default();
    let began = clock::now();
    let moment = |at: u32| began + clock::seconds(f64::from(at - day.from) / args.speed);
    let shifts = shifts(&args, &live, &day, &tally, seconds, moment)?;
    let asking = tokio::spawn(ask_all(
        live.server.clone(),
        live.channel_token.clone(),
        day.requests.iter().map(|request| (moment(request.at), request.clone())).collect(),
        customers::first(nanos),
    ));
    watch(shifts, &tally, clock::seconds(seconds).as_secs() + 1).await?;
    let (asked, refusals) = asking.await.context("a driver's task panicked")??;
    look_over(&args, &live, &date, &day, &tally, (asked, refusals)).await
}

/// What one step of priority is worth: the bank's head start, at least a second.
fn head_start_seconds(speed: f64) -> u64 {
    clock::seconds(HEAD_START_SECONDS / speed + 0.5).as_secs().max(1)
}

/// Queues in which nothing runs out because of the speed, and the agents of the day.
async fn prepare(args: &Args, live: &Live, day: &Day) -> Result<()> {
    for queue in day.means.keys() {
        let settings = json!({
            "name": queue, "time_zone": "UTC", "media": ["voice"], "wrap_up_mode": "none",
            "contact_hours": {"from": "00:00", "to": "24:00"},
            "age_step_seconds": head_start_seconds(args.speed), "preference_limit_seconds": 0,
            "offer_timeout_seconds": 600, "preview_seconds": 86_400, "max_call_seconds": 86_400,
            "max_missed_offers": 1_000, "expire_after_minutes": 10_080,
        });
        setup::put_queue(&live.server, &live.admin_token, queue, &settings).await?;
    }
    let queues: Vec<String> = day.means.keys().cloned().collect();
    let agents = day.agents.keys().map(|name| format!("{}{name}", args.prefix)).collect();
    setup::put_agents(&live.server, &live.admin_token, agents, &queues).await
}

/// Starts every agent's shift.
fn shifts(
    args: &Args,
    live: &Live,
    day: &Day,
    tally: &Shared,
    seconds: f64,
    moment: impl Fn(u32) -> Instant,
) -> Result<JoinSet<Result<()>>> {
    let lasting = |seconds: f64| clock::seconds(seconds / args.speed);
    let talks = day.requests.iter();
    let talks = talks.map(|asked| (asked.external_id.clone(), lasting(asked.talk_seconds)));
    let means = day.means.iter().map(|(queue, mean)| (queue.clone(), lasting(*mean)));
    let conduct = Traced { talks: Arc::new(talks.collect()), means: Arc::new(means.collect()) };
    let longest = conduct.talks.values().max().copied().unwrap_or_default();
    let mut shifts = JoinSet::new();
    for (name, presence) in &day.agents {
        let agent_id = format!("{}{name}", args.prefix);
        let good_for = clock::seconds(seconds) + longest + FINISH;
        let token = args.signing.mint(&agent_id, good_for.as_secs())?.token;
        let ends = moment(presence.to);
        let shift = Shift {
            target: live.server.clone(),
            token,
            starts: moment(presence.from),
            ends,
            leaves: ends + longest + FINISH,
            toggle: None,
            ledger: None,
        };
        let desk = Desk::new(&agent_id, conduct.clone(), tally.clone());
        shifts.spawn(work(shift, desk, tally.clone()));
    }
    Ok(shifts)
}

/// Asks for every callback at its moment; what is late because all connections are busy is asked
/// for as soon as one is free. Says what was acknowledged, and why the rest was not.
async fn ask_all(
    target: Target,
    token: String,
    requests: Vec<(Instant, Request)>,
    first_customer: u64,
) -> Result<(Vec<Asked>, Vec<String>)> {
    let (queue, waiting) = mpsc::channel(CONNECTIONS);
    let waiting = Arc::new(Mutex::new(waiting));
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let mut client = Client::new(&target, &token)?;
        let waiting = Arc::clone(&waiting);
        connections.spawn(async move {
            let mut answers = Vec::new();
            loop {
                let next = waiting.lock().await.recv().await;
                let Some((customer, request)) = next else { return answers };
                answers.push(ask(&mut client, customer, request).await);
            }
        });
    }
    for (customer, (at, request)) in (first_customer..).zip(requests) {
        clock::sleep_until(at).await;
        ensure!(queue.send((customer, request)).await.is_ok(), "the connections are gone");
    }
    drop(queue);
    let (mut asked, mut refusals) = (Vec::new(), Vec::new());
    while let Some(answers) = connections.join_next().await {
        for answer in answers.context("a driver's task panicked")? {
            match answer {
                Ok(answer) => asked.push(answer),
                Err(error) => refusals.push(format!("{error:#}")),
            }
        }
    }
    Ok((asked, refusals))
}

async fn ask(client: &mut Client, customer: u64, request: Request) -> Result<Asked> {
    let body = json!({
        "queue": request.queue, "type": "asap", "medium": "voice",
        "customer": {
            "id": format!("LT{customer}"), "name": "Ada Lovelace",
            "phone": format!("+{}", customers::phone(customer)),
        },
        "priority": request.priority, "external_id": request.external_id,
    });
    let body = Bytes::from(body.to_string());
    let call = Call::post("/v1/callbacks", &request.external_id, body)?;
    let reply = client.persist(&call, clock::now() + setup::PATIENCE).await?;
    ensure!(reply.is_success(), "{}: {}", request.external_id, reply.detail());
    let acknowledged = clock::now();
    Ok(Asked { queue: request.queue, created: Created::from_answer(&reply.body)?, acknowledged })
}

/// Looks every acknowledged callback up and adds it all together.
async fn look_over(
    args: &Args,
    live: &Live,
    date: &str,
    day: &Day,
    tally: &Shared,
    (asked, refusals): (Vec<Asked>, Vec<String>),
) -> Result<Report> {
    let paths = asked.iter().map(|asked| format!("/v1/callbacks/{}", asked.created.id)).collect();
    let target = &live.server;
    let looked =
        setup::each(target, &live.admin_token, "looked up", paths, |mut client, path| async move {
            let found = client.get(&path, clock::now() + setup::PATIENCE).await;
            (client, found)
        });
    let found = looked.await?;
    let mut report = Report::new("replay");
    report.fact("date", date);
    report.fact("speed", args.speed);
    report.fact("agents", day.agents.len());
    report.fact("requests", day.requests.len());
    report.fact("acknowledged", asked.len());
    report.fact("refused", refusals.len());
    if let Some(refusal) = refusals.first() {
        report.fact("a refusal", refusal.clone());
    }
    let lost: Vec<String> = asked
        .iter()
        .zip(&found)
        .filter(|(asked, found)| !is_kept(&asked.created, found.as_ref()))
        .map(|(asked, _)| format!("{} {} is lost", asked.created.number, asked.created.id))
        .collect();
    report.verdict("lost", lost.len());
    report.violations(lost);
    let mut tally = tally.lock();
    report.table(per_queue(args.speed, &asked, &found, &tally.called));
    tally.report(&mut report);
    Ok(report)
}

/// Whether the server still has what it acknowledged, at that version or a later one.
fn is_kept(created: &Created, found: Option<&Value>) -> bool {
    found.is_some_and(|found| found["version"].as_u64() >= Some(created.version))
}

/// What became of the callbacks of each queue; waits in seconds of the day that was played.
fn per_queue(
    speed: f64,
    asked: &[Asked],
    found: &[Option<Value>],
    called: &BTreeMap<Arc<str>, Instant>,
) -> Table {
    #[derive(Default)]
    struct Sums {
        asked: u64,
        called: u64,
        open: u64,
        waits: Spread,
    }
    let mut queues: BTreeMap<&str, Sums> = BTreeMap::new();
    for (asked, found) in asked.iter().zip(found) {
        let sums = queues.entry(&asked.queue).or_default();
        sums.asked += 1;
        let finished = ["closed_complete", "closed_abandoned", "canceled"];
        let state = found.as_ref().and_then(|found| found["state"].as_str());
        sums.open += u64::from(state.is_some_and(|state| !finished.contains(&state)));
        if let Some(called) = called.get(asked.created.id.as_str()) {
            sums.called += 1;
            let wait = called.saturating_duration_since(asked.acknowledged);
            sums.waits.record(clock::seconds(wait.as_secs_f64() * speed));
        }
    }
    let rows = queues.into_iter().map(|(queue, sums)| {
        let wait = |share| match sums.called {
            0 => Value::Null,
            _ => json!(Unit::Seconds.show(sums.waits.quantile(share))),
        };
        vec![
            json!(queue),
            json!(sums.asked),
            json!(sums.called),
            json!(sums.open),
            wait(0.5),
            wait(0.9),
            wait(1.0),
        ]
    });
    let columns =
        vec!["queue", "asked", "called", "still open", "wait p50 s", "wait p90 s", "wait max s"];
    Table { name: "queues", columns, rows: rows.collect() }
}

/// Reads `HH:MM`, up to 24:00, as seconds after midnight.
fn time_of_day(text: &str) -> Result<u32, String> {
    let fault = || format!("{text:?} is not a time of day such as 09:30");
    let (hours, minutes) = text.split_once(':').ok_or_else(fault)?;
    let hours: u32 = hours.parse().map_err(|_| fault())?;
    let minutes: u32 = minutes.parse().map_err(|_| fault())?;
    let seconds = hours.saturating_mul(3_600).saturating_add(minutes.saturating_mul(60));
    if minutes < 60 && seconds <= 86_400 { Ok(seconds) } else { Err(fault()) }
}

#[cfg(test)]
mod tests;
