//! `loadtest cycle`: whole callbacks a second through actors and journal, without HTTP.
//!
//! The engine runs in this process. Each of so many agents has one callback at a time: request,
//! offer, accept, call, answered, end, close. Beside the cycles stands the journal alone: the
//! entries of such cycles, as many under way, onto a store of the same kind.

mod entries;

use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::value_parser;
use ringback::domain::agent::Presence;
use ringback::domain::callback::{Channel, Customer, Origin, Outcome, Request};
use ringback::domain::effect::Notice;
use ringback::domain::ids::{AgentId, CallbackId, QueueId, SessionId, WorkspaceId};
use ringback::domain::message::{Action, OfferAnswer, Who, Wish};
use ringback::domain::policy::{AgentSettings, Capacity, Membership, QueueSettings};
use ringback::domain::skills::Skills;
use ringback::engine::clock::Clock;
use ringback::engine::handle::{Handle, SessionOutlet, ToSession};
use ringback::engine::outward::Outward;
use ringback::engine::system::{Ended, EngineConfig, Limits, Workspace};
use ringback::store::index::RowCodec;
use ringback::store::library::StoreLibrary;
use ringback::store::{OpenStore, StoreUrl};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::entries::{Recorder, commit};
use crate::clock;
use crate::house::{self, Ground, StoreKind};
use crate::peers::redis::{Fsync, Redis};
use crate::report::Report;

/// How long one step of a cycle may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Run whole callbacks through actors and journal, in this process
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) ground: Ground,
    /// Agents, each with one callback at a time
    #[arg(long, default_value_t = 64, value_parser = value_parser!(u32).range(1..=1_000))]
    pub(crate) agents: u32,
    /// How long, each of two times
    #[arg(long, default_value_t = 8, value_parser = value_parser!(u64).range(1..=600))]
    pub(crate) seconds: u64,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What was reached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cycles {
    pub(crate) per_second: f64,
    /// Journal entries of one cycle.
    pub(crate) entries: f64,
    /// Cycles a second of the journal alone.
    pub(crate) commits_alone: f64,
}

/// Runs it to its end.
pub(crate) async fn run(args: Args) -> Result<Report> {
    let reached = measure(&args).await?;
    let mut report = Report::new("cycle");
    report.fact("store", args.ground.store.name());
    report.fact("agents", args.agents);
    report.fact("cycles per second", reached.per_second.round());
    report.fact("journal entries of a cycle", (reached.entries * 100.0).round() / 100.0);
    report.fact("their commits alone, cycles per second", reached.commits_alone.round());
    Ok(report)
}

/// Cycles, and then the journal alone. Its entries are those of other cycles, which nobody times:
/// to keep them all costs memory that is new each time.
pub(crate) async fn measure(args: &Args) -> Result<Cycles> {
    let folder = args.ground.folder()?;
    let redis = match args.ground.store {
        StoreKind::Embedded => None,
        StoreKind::RedisEverysec => Some(Redis::start(folder.path(), Fsync::Everysec).await?),
        StoreKind::RedisAlways => Some(Redis::start(folder.path(), Fsync::Always).await?),
    };
    let store = async |name: &str| {
        let url = match &redis {
            Some(redis) => redis.url(),
            None => format!("embedded:{}", folder.path().join(name).display()),
        };
        let url: StoreUrl = url.parse().context("the store's URL")?;
        // What the one before has left to write would be written meanwhile.
        let status = Command::new("sync").status().context("running sync")?;
        ensure!(status.success(), "sync ended with {status}");
        let workspace = WorkspaceId::parse(name).context("an id")?;
        url.open(&workspace).await.context("opening the store")
    };
    let timed = cycles(args, store("timed").await?, || ()).await?;
    let OpenStore { log, tables } = store("recorded").await?;
    let recorder = Recorder::new(log);
    let entries = recorder.entries();
    let taken = || std::mem::take(&mut *entries.lock().expect("nobody panics while holding it"));
    // What comes before the first cycle isn't among them.
    let others = OpenStore { log: Box::new(recorder), tables };
    let others = cycles(args, others, || drop(taken())).await?;
    let entries = taken();
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    let count = entries.len() as f64;
    let fresh = store("commits").await?;
    let alone = commit(fresh, entries, usize::try_from(args.agents)?).await?;
    Ok(Cycles {
        per_second: timed.cycles / timed.took.as_secs_f64(),
        entries: count / others.cycles,
        commits_alone: others.cycles / alone.as_secs_f64(),
    })
}

/// How many cycles there were, and how long they took.
struct Served {
    cycles: f64,
    took: Duration,
}

/// Runs cycles on an empty store; tells when they begin.
async fn cycles(args: &Args, store: OpenStore, begins: impl FnOnce()) -> Result<Served> {
    let OpenStore { log, tables } = store;
    let config = config(args.agents)?;
    let library = Box::new(|rows| Arc::new(StoreLibrary::new(rows)) as Arc<_>);
    let started = Workspace::start(config, log, tables, Arc::new(RowCodec), library).await;
    let (handle, running) = started.context("starting the engine")?;
    begins();
    let began = clock::now();
    let ends = began + Duration::from_secs(args.seconds);
    let mut agents = JoinSet::new();
    for number in 1..=args.agents {
        agents.spawn(agent(handle.clone(), agent_id(number)?, ends));
    }
    let mut cycles = 0_u32;
    while let Some(ended) = agents.join_next().await {
        cycles += ended.context("an agent's task panicked")??;
    }
    let took = clock::now().duration_since(began);
    if running.drain().await != Ended::Drained {
        bail!("the engine didn't end in order");
    }
    Ok(Served { cycles: cycles.into(), took })
}

fn agent_id(number: u32) -> Result<AgentId> {
    AgentId::parse(&format!("agent-{number}")).context("an id")
}

fn queue_id() -> Result<QueueId> {
    QueueId::parse(house::QUEUE).context("an id")
}

fn config(agents: u32) -> Result<EngineConfig> {
    let queue = queue_id()?;
    let agents: Result<Vec<AgentSettings>> = (1..=agents)
        .map(|number| {
            Ok(AgentSettings {
                id: agent_id(number)?,
                name: String::new(),
                queues: vec![Membership { queue: queue.clone(), preference: 1 }],
                skills: Skills::default(),
                capacity: Capacity::default(),
            })
        })
        .collect();
    Ok(EngineConfig {
        workspace: WorkspaceId::parse("main").context("an id")?,
        limits: Limits::default(),
        queues: vec![QueueSettings::new(queue)],
        agents: agents?,
        keys: Vec::new(),
        secret: None,
        clock: Arc::new(Clock::system()),
        outward: Outward::default(),
    })
}

/// Puts what a session is sent where its task reads it.
struct Outlet(Mutex<mpsc::UnboundedSender<ToSession>>);

impl SessionOutlet for Outlet {
    fn put(&self, message: ToSession) {
        // A task that has ended reads no more.
        let _ = self.0.lock().expect("nobody panics while holding it").send(message);
    }
}

/// One agent's session.
struct Session {
    handle: Handle,
    id: SessionId,
    sent: mpsc::UnboundedReceiver<ToSession>,
    frames: u64,
}

/// Asks for a callback, serves what it is offered, and again until the time is over; says how
/// many it has served.
async fn agent(handle: Handle, id: AgentId, ends: Instant) -> Result<u32> {
    let (outlet, sent) = mpsc::unbounded_channel();
    let name = id.to_string();
    let session = handle.connect(id, Box::new(Outlet(Mutex::new(outlet)))).await?;
    let mut session = Session { handle, id: session, sent, frames: 0 };
    session.show(Presence::Available).await?;
    let mut served = 0;
    while clock::now() < ends {
        session.handle.create(wish(&format!("{name}-{served}"))?, None).await?;
        session.serve().await?;
        served += 1;
    }
    // Who stays would be offered what another has just asked for, and answer no more.
    session.show(Presence::Away).await?;
    Ok(served)
}

impl Session {
    async fn show(&mut self, presence: Presence) -> Result<()> {
        self.frames += 1;
        self.handle.session_presence(self.id, self.frames, presence, None).await;
        self.answered(self.frames).await
    }

    /// Serves the next callback that it is offered.
    async fn serve(&mut self) -> Result<()> {
        let (callback, offer) = loop {
            if let ToSession::Notice(Notice::Offered { callback }) = self.next().await? {
                let offer = callback.offer().context("it has a pending offer")?.id;
                break (callback.id, offer);
            }
        };
        self.frames += 1;
        self.handle.session_answer_offer(self.id, self.frames, offer, OfferAnswer::Accept).await;
        self.answered(self.frames).await?;
        let outcome = Action::Outcome { outcome: Outcome::Answered, notes: None };
        self.act(callback, Action::Call).await?;
        self.act(callback, outcome).await?;
        self.act(callback, Action::EndCall { notes: None }).await?;
        let close = Action::Close { disposition: None, notes: None, resolved: None };
        self.act(callback, close).await
    }

    async fn act(&mut self, callback: CallbackId, action: Action) -> Result<()> {
        self.frames += 1;
        self.handle.session_act(self.id, self.frames, callback, action).await;
        self.answered(self.frames).await
    }

    async fn answered(&mut self, frame: u64) -> Result<()> {
        loop {
            if let ToSession::Answer { frame: told, result } = self.next().await?
                && told == frame
            {
                return result.map_err(|refusal| anyhow!("refused: {refusal}"));
            }
        }
    }

    async fn next(&mut self) -> Result<ToSession> {
        let next = tokio::time::timeout(PATIENCE, self.sent.recv()).await;
        next.context("nothing comes any more")?.context("the session has ended")
    }
}

fn wish(customer: &str) -> Result<Wish> {
    let request = Request {
        version: 1,
        customer: Customer {
            id: Some(customer.to_owned()),
            kind: None,
            account: Some("ACME".to_owned()),
            name: "Ada Lovelace".to_owned(),
            phone: None,
            phone_extension: None,
            email: None,
            time_zone: None,
            locale: Some("en-US".to_owned()),
        },
        reason: None,
        short_description: Some("Charged twice for one month".to_owned()),
        description: Some("The invoice of last month shows the same line twice.".to_owned()),
        origin: Origin {
            channel: Channel::Portal,
            interaction_ref: None,
            case_id: None,
            page_url: None,
            waiting_since: None,
        },
        context: None,
        external_id: None,
        customer_agreed: false,
    };
    Ok(Wish::asap(queue_id()?, Who::Channel, request))
}
