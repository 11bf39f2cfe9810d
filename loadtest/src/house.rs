//! A server of the driver's own: on a free port, with a store, keys and one queue, in a folder
//! that goes with it.
//!
//! Separate because most measurements begin with one. Its configuration leaves everything at the
//! defaults but what would end callbacks or refuse them while they are counted.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::child::Process;
use crate::client::{Client, Target};
use crate::clock;
use crate::peers::redis::{Fsync, Redis};
use crate::setup;
use crate::token::Signing;

/// The queue that everything is asked of.
pub(crate) const QUEUE: &str = "load";
/// A secret channel key.
pub(crate) const CHANNEL: &str = "channel-key";
/// A supervisor's key, which may book any instant and follow events.
pub(crate) const SUPERVISOR: &str = "supervisor-key";
/// An administrator's key.
pub(crate) const ADMIN: &str = "administrator-key";
const JWT_SECRET: &str = "what the tokens of agents are signed with";

/// Someone who serves the queue without being there, so that what waits could be served.
const CONFIG: &str = r#"
listen = "127.0.0.1:0"
[[workspace]]
id = "main"
phone_requests_per_minute = 0
  [workspace.jwt]
  hs256_secret = "what the tokens of agents are signed with"
  [[workspace.key]]
  role = "admin"
  token = "administrator-key"
  [[workspace.key]]
  role = "supervisor"
  token = "supervisor-key"
  [[workspace.key]]
  role = "channel"
  channel = "portal"
  token = "channel-key"
  [[workspace.queue]]
  id = "load"
  contact_hours = { from = "00:00", to = "24:00" }
  slot_capacity = 0
  min_notice_minutes = 0
  max_days_ahead = 365
  lead_seconds = 0
  expire_after_minutes = 10080
  offer_timeout_seconds = 600
  max_missed_offers = 0
  [[workspace.agent]]
  id = "desk"
  queues = ["load"]
"#;

/// Where a measured server keeps things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum StoreKind {
    /// Its own files, synchronised with each group
    Embedded,
    /// A Redis with `appendfsync everysec`
    RedisEverysec,
    /// A Redis with `appendfsync always`
    RedisAlways,
}

impl StoreKind {
    /// The name that a table has for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::RedisEverysec => "Redis everysec",
            Self::RedisAlways => "Redis always",
        }
    }
}

/// Where servers of the driver's own come from, and what they keep.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Ground {
    /// Where the server keeps things
    #[arg(long, value_enum, default_value = "embedded")]
    pub(crate) store: StoreKind,
    /// The server's program [default: beside this one]
    #[arg(long)]
    pub(crate) ringback: Option<PathBuf>,
    /// Stores are made in here, and go with the run; its disk is the one that is measured
    #[arg(long, default_value = "target/bench")]
    pub(crate) folder: PathBuf,
}

impl Ground {
    /// The same with another store.
    pub(crate) fn with(&self, store: StoreKind) -> Self {
        Self { store, ..self.clone() }
    }

    /// A folder that goes with its value.
    pub(crate) fn folder(&self) -> Result<TempDir> {
        let made = fs::create_dir_all(&self.folder).and_then(|()| {
            let path = fs::canonicalize(&self.folder)?;
            tempfile::Builder::new().prefix("run-").tempdir_in(path)
        });
        made.with_context(|| format!("making a folder in {}", self.folder.display()))
    }

    /// The server's program.
    pub(crate) fn program(&self) -> Result<PathBuf> {
        let program = match &self.ringback {
            Some(program) => program.clone(),
            None => env::current_exe().context("where this program is")?.with_file_name("ringback"),
        };
        let hint = "build it beside this program, or name it with --ringback";
        ensure!(program.is_file(), "{} is not there: {hint}", program.display());
        Ok(program)
    }
}

/// A server and all that it needs.
#[derive(Debug)]
pub(crate) struct House {
    ground: Ground,
    process: Option<Process>,
    redis: Option<Redis>,
    target: Target,
    // Last, so that it goes when nobody writes into it any more.
    folder: TempDir,
}

impl House {
    /// Starts a server on an empty store.
    pub(crate) async fn open(ground: &Ground) -> Result<Self> {
        let folder = ground.folder()?;
        let redis = match ground.store {
            StoreKind::Embedded => None,
            StoreKind::RedisEverysec => Some(Redis::start(folder.path(), Fsync::Everysec).await?),
            StoreKind::RedisAlways => Some(Redis::start(folder.path(), Fsync::Always).await?),
        };
        let config = folder.path().join("ringback.toml");
        fs::write(&config, CONFIG).with_context(|| format!("writing {}", config.display()))?;
        let target = Target::parse("http://127.0.0.1:1")?;
        let mut house = Self { ground: ground.clone(), process: None, redis, target, folder };
        house.start()?;
        Ok(house)
    }

    /// Starts the server again on the same store, after [`Self::crash`].
    pub(crate) fn start(&mut self) -> Result<()> {
        let store = self.store_url();
        let mut command = Command::new(self.ground.program()?);
        command.env_clear().env("RUST_LOG", "warn").args(["serve", "--store", &store]);
        command.arg("--config").arg(self.folder.path().join("ringback.toml"));
        let mut process = Process::start(&mut command, self.folder.path())?;
        let line = process.line()?;
        let url = line.strip_prefix("listening on ");
        self.target = Target::parse(url.with_context(|| format!("{line:?} is no address"))?)?;
        self.process = Some(process);
        Ok(())
    }

    /// `kill -9`.
    pub(crate) fn crash(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// Waits until the server says that it is ready; says when.
    pub(crate) async fn ready(&self) -> Result<Instant> {
        let mut client = Client::new(&self.target, SUPERVISOR)?;
        client.get("/readyz", clock::now() + setup::PATIENCE).await?;
        Ok(clock::now())
    }

    /// Where it listens.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// The URL of its store.
    pub(crate) fn store_url(&self) -> String {
        match &self.redis {
            Some(redis) => redis.url(),
            None => format!("embedded:{}", self.folder.path().join("data").display()),
        }
    }

    /// A folder on the same disk.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// How agents' tokens are signed.
    pub(crate) fn signing() -> Signing {
        Signing {
            jwt_secret: Some(JWT_SECRET.to_owned()),
            jwt_audience: "ringback".to_owned(),
            jwt_issuer: None,
            workspace: "main".to_owned(),
        }
    }

    /// The server's memory, in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.process.as_ref().map_or(0, Process::resident_bytes)
    }

    /// The server's memory after so long without anything to do: a burst's rows go to disk within
    /// 15 s, and what that freed goes back over another 10. The lowest of 5 s, or of as long a rest
    /// again if that is shorter.
    pub(crate) async fn bytes_at_rest(&self, rest: Duration) -> u64 {
        const LOOKS: u32 = 10;
        const APART: Duration = Duration::from_millis(500);
        clock::sleep_until(clock::now() + rest).await;
        let mut lowest = u64::MAX;
        for _ in 0..LOOKS {
            lowest = lowest.min(self.process.as_ref().map_or(0, Process::anonymous_bytes));
            clock::sleep_until(clock::now() + APART.min(rest / LOOKS)).await;
        }
        lowest
    }

    /// A metric's sum over all its labels.
    pub(crate) async fn metric(&self, name: &str) -> Result<f64> {
        let mut client = Client::new(&self.target, SUPERVISOR)?;
        let text = client.text("/metrics", clock::now() + setup::PATIENCE).await?;
        let values = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let value = match rest.strip_prefix('{') {
                Some(labelled) => labelled.split_once("} ")?.1,
                None => rest.strip_prefix(' ')?,
            };
            value.trim().parse::<f64>().ok()
        });
        let values: Vec<f64> = values.collect();
        if values.is_empty() {
            bail!("/metrics has no {name}");
        }
        Ok(values.into_iter().sum())
    }
}
