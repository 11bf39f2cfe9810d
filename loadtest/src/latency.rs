//! `loadtest latency`: from the POST of an asap callback to the notification on an idle agent's
//! socket, in an open loop.
//!
//! As many agents are idle as callbacks are asked for, and each takes none: whoever is offered one
//! had nothing to do. Times run from the moment at which a request was meant to go out. Beside it
//! stands the least that such a notification takes on this machine: a POST to a handler that
//! stores nothing, an echo on a WebSocket and a synchronised write, one after the other, at the
//! same rate.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::value_parser;
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::agents::allow_sockets;
use crate::client::{Call, Client, Target, dial};
use crate::clock;
use crate::desk::{Conduct, Desk, Finish, Reply};
use crate::flood;
use crate::house::{self, Ground, House};
use crate::pace::{Course, Pace};
use crate::report::{Report, Spread, Unit};
use crate::setup;
use crate::shift::{Shift, work};
use crate::socket::Callback;
use crate::tally::Shared;

/// Connections on which callbacks are asked for, and on which the comparison goes.
const CONNECTIONS: u32 = 16;
/// How long the last notification may take to come.
const GRACE: Duration = Duration::from_secs(30);
/// How long agents may take to connect.
const PATIENCE: Duration = Duration::from_mins(1);
/// An agent who was offered something doesn't answer within any run.
const NEVER: Duration = Duration::from_hours(1);
/// As long as a callback's request.
const WRITTEN: [u8; 600] = [b'x'; 600];

/// Measure how fast an idle agent hears of a callback, on a server of its own
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) ground: Ground,
    /// Callbacks a second
    #[arg(long, default_value_t = 500, value_parser = value_parser!(u32).range(1..=10_000))]
    pub(crate) rate: u32,
    /// How long; rate times seconds agents are connected, at most 19000
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u32).range(1..=600))]
    pub(crate) seconds: u32,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// When customers' callbacks were heard of.
type Heard = Arc<Mutex<Vec<(String, Instant)>>>;

/// An agent who only listens.
#[derive(Debug, Clone)]
struct Listener {
    heard: Heard,
}

impl Conduct for Listener {
    fn offer(&mut self, callback: &Callback) -> (Reply, Duration) {
        let customer = callback.customer.id.clone().unwrap_or_default();
        let mut heard = self.heard.lock().expect("nobody panics while holding it");
        heard.push((customer, clock::now()));
        (Reply::Accept, NEVER)
    }

    fn ring(&mut self, _: &Callback) -> (&'static str, Duration) {
        ("answered", Duration::ZERO)
    }

    fn talk(&mut self, _: &Callback) -> Duration {
        Duration::ZERO
    }

    fn wrap_up(&mut self, _: &Callback) -> Option<(Finish, Duration)> {
        None
    }
}

/// Runs it to its end.
pub(crate) async fn run(args: Args) -> Result<Report> {
    let notified = notified(&args).await?;
    let mut report = Report::new("latency");
    report.fact("store", args.ground.store.name());
    report.fact("rate asked per second", args.rate);
    report.spread("POST to notification", Unit::Milliseconds, notified);
    Ok(report)
}

/// From POSTs to notifications.
pub(crate) async fn notified(args: &Args) -> Result<Spread> {
    let agents = args.rate.saturating_mul(args.seconds);
    allow_sockets(agents)?;
    let house = House::open(&args.ground).await?;
    let names: Vec<String> = (1..=agents).map(|number| format!("agent-{number}")).collect();
    let queues = [house::QUEUE.to_owned()];
    setup::put_agents(house.target(), house::ADMIN, names.clone(), &queues).await?;
    let (heard, tally) = (Heard::default(), Shared::default());
    let connecting = clock::seconds(f64::from(agents) / 2_000.0);
    let leaves = clock::now() + connecting + PATIENCE + Duration::from_secs(args.seconds.into());
    let mut shifts = JoinSet::new();
    for (number, name) in (0_u32..).zip(&names) {
        let shift = Shift {
            target: house.target().clone(),
            token: House::signing().mint(name, 3_600)?.token,
            starts: clock::now() + connecting * number / agents.max(1),
            ends: leaves,
            leaves,
            toggle: None,
            ledger: None,
        };
        let desk = Desk::new(name, Listener { heard: Arc::clone(&heard) }, tally.clone());
        shifts.spawn(work(shift, desk, tally.clone()));
    }
    until_idle(&house, agents).await?;
    let mut asking = flood::Args::to(house.target(), house::CHANNEL, house::QUEUE);
    asking.connections = CONNECTIONS;
    asking.rate = Some(args.rate);
    asking.count = Some(u64::from(agents));
    asking.scheduled_share = 0.0;
    let (asked, sent) = flood::play(asking).await?;
    let sent = sent.context("it is an open loop")?;
    let made = asked.sum_of("status 201");
    let give_up = clock::now() + GRACE;
    let count = || heard.lock().expect("nobody panics while holding it").len();
    while count() < made && clock::now() < give_up {
        clock::sleep_until(clock::now() + Duration::from_millis(20)).await;
    }
    ensure!(count() >= made, "of {made} callbacks agents were told of {} only", count());
    let heard = heard.lock().expect("nobody panics while holding it");
    let mut notified = Spread::default();
    for (customer, at) in heard.iter() {
        let meant = sent.meant(customer).context("a callback of somebody else came")?;
        notified.record(at.saturating_duration_since(meant));
    }
    Ok(notified)
}

/// Waits until all agents are there and want work.
async fn until_idle(house: &House, agents: u32) -> Result<()> {
    let give_up = clock::now() + PATIENCE;
    let idle = "ringback_agents{workspace=\"main\",presence=\"available\",engagement=\"idle\"}";
    while house.metric(idle).await.unwrap_or(0.0) < f64::from(agents) {
        ensure!(clock::now() < give_up, "not all agents could connect");
        clock::sleep_until(clock::now() + Duration::from_millis(100)).await;
    }
    Ok(())
}

/// The same rate and time of a POST to `noop`, an echo and a synchronised write in `folder`.
pub(crate) async fn least(args: &Args, noop: &Target, folder: &Path) -> Result<Spread> {
    let began = clock::now();
    let course = Course { began, rate: f64::from(args.rate) };
    let ends = began + Duration::from_secs(args.seconds.into());
    let count = u64::from(args.rate) * u64::from(args.seconds);
    let pace = Arc::new(Pace::begin(course, ends, count));
    let turns = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for number in 0..CONNECTIONS {
        let path = folder.join(format!("probe-{number}"));
        let probe = Probe::open(noop, &path).await?;
        let (pace, turns) = (Arc::clone(&pace), Arc::clone(&turns));
        tasks.spawn(async move {
            let (mut probe, mut spread) = (probe, Spread::default());
            while pace.turn().await {
                let turn = turns.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                probe.go().await?;
                let meant = pace.course().meant(turn);
                spread.record(clock::now().saturating_duration_since(meant));
            }
            anyhow::Ok(spread)
        });
    }
    let mut all = Spread::default();
    while let Some(ended) = tasks.join_next().await {
        all.add(&ended.context("a driver's task panicked")??);
    }
    Ok(all)
}

/// What one connection of the comparison uses.
struct Probe {
    client: Client,
    socket: WebSocketStream<TcpStream>,
    file: Arc<File>,
    call: Call,
}

impl Probe {
    async fn open(noop: &Target, path: &Path) -> Result<Self> {
        let file = File::options().create(true).truncate(true).write(true).open(path);
        let file = file.with_context(|| format!("opening {}", path.display()))?;
        // Written once before, so that a write changes no length, as in a preallocated log.
        file.write_all_at(&WRITTEN, 0).and_then(|()| file.sync_all()).context("writing")?;
        let url = format!("ws://{}/v1/agent/socket", noop.authority());
        let stream = dial(noop).await?;
        let (socket, _) =
            tokio_tungstenite::client_async(url, stream).await.context("shaking hands")?;
        let body = flood::sample_body(house::QUEUE);
        let call = Call::post("/v1/callbacks", "probe", body)?;
        let client = Client::new(noop, house::CHANNEL)?;
        Ok(Self { client, socket, file: Arc::new(file), call })
    }

    async fn go(&mut self) -> Result<()> {
        let reply = self.client.persist(&self.call, clock::now() + GRACE).await?;
        ensure!(reply.is_success(), "the handler that stores nothing said {}", reply.detail());
        let frame = json!({"type": "callback.offered", "callback": "x".repeat(1_200)});
        self.socket.send(Message::text(frame.to_string())).await.context("sending a frame")?;
        self.socket.next().await.context("the echo ended")?.context("reading the echo")?;
        let file = Arc::clone(&self.file);
        let written = tokio::task::spawn_blocking(move || {
            file.write_all_at(&WRITTEN, 0).and_then(|()| file.sync_data())
        });
        written.await.context("the writer panicked")?.context("writing")
    }
}
