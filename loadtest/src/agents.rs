//! `loadtest agents`: many agents at their desks, each over a socket of its own.
//!
//! They take offers, call, talk and close in times drawn from a seed, come back after every loss,
//! and report what they saw; a callback at two of them at once fails the run.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::value_parser;
use tokio::task::JoinSet;

use crate::client::{self, Target};
use crate::clock;
use crate::desk::{Conduct, Desk, Finish, Reply};
use crate::house::{self, House};
use crate::ledger::Ledger;
use crate::report::Report;
use crate::setup;
use crate::shift::{Shift, work};
use crate::socket::Callback;
use crate::tally::Shared;
use crate::token::{self, AgentToken, Signing};

/// The longest that agents go on after the end, to finish what they hold.
const LONGEST_FINISH: Duration = Duration::from_mins(5);
/// Descriptors beside the sockets: the setup's connections, files, the runtime's own.
const SPARE_DESCRIPTORS: u64 = 128;

/// Work as many agents over WebSockets
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("credential").required(true)
    .args(["tokens", "token", "jwt_secret"]))]
pub(crate) struct Args {
    /// The server, on this machine
    #[arg(long, value_parser = Target::parse)]
    pub(crate) server: Target,
    /// A file of `{"agent_id", "token"}` lines; the first `--agents` of them are used
    #[arg(long)]
    pub(crate) tokens: Option<PathBuf>,
    /// One credential that names an agent, for a single agent
    #[arg(long)]
    pub(crate) token: Option<String>,
    #[command(flatten)]
    pub(crate) signing: Signing,
    /// How many agents
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u32).range(1..=20_000))]
    pub(crate) agents: u32,
    /// Agents' ids are this and a number, from 1 (with --jwt-secret)
    #[arg(long, default_value = "demo-")]
    pub(crate) prefix: String,
    /// Make the agents that don't exist with this credential
    #[arg(long, requires = "queues")]
    pub(crate) admin_token: Option<String>,
    /// The queues of agents that are made
    #[arg(long, value_delimiter = ',')]
    pub(crate) queues: Vec<String>,
    /// How long they want work; what they hold then is finished
    #[arg(long, default_value_t = 30, value_parser = value_parser!(u64).range(1..=7_200))]
    pub(crate) seconds: u64,
    /// How many agents connect a second
    #[arg(long, default_value_t = 500, value_parser = value_parser!(u32).range(1..=20_000))]
    pub(crate) connect_rate: u32,
    /// Mean seconds from an offer to the reply; the reply comes at once by default
    #[arg(long, default_value_t = 0.0)]
    pub(crate) reply: f64,
    /// Mean seconds that a call rings
    #[arg(long, default_value_t = 1.0)]
    pub(crate) ring: f64,
    /// Mean seconds of an answered call
    #[arg(long, default_value_t = 5.0)]
    pub(crate) talk: f64,
    /// Mean seconds of wrap-up
    #[arg(long, default_value_t = 1.0)]
    pub(crate) wrap: f64,
    /// The share of calls that are answered
    #[arg(long, default_value_t = 0.7)]
    pub(crate) answer_share: f64,
    /// The share of offers that are declined
    #[arg(long, default_value_t = 0.0)]
    pub(crate) decline_share: f64,
    /// The share of unanswered calls that are retried later; the others are closed
    #[arg(long, default_value_t = 0.0)]
    pub(crate) retry_share: f64,
    /// Go away and come back in turn every so many seconds, as load
    #[arg(long)]
    pub(crate) presence_every: Option<f64>,
    /// Where all times and shares come from
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Append each offer and acknowledged accept to this file
    #[arg(long)]
    pub(crate) ledger: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Args {
    /// Agents of one queue, made where they aren't there, who do everything at once.
    pub(crate) fn quick(house: &House, agents: u32, seconds: u64) -> Self {
        Self {
            server: house.target().clone(),
            tokens: None,
            token: None,
            signing: House::signing(),
            agents,
            prefix: "agent-".to_owned(),
            admin_token: Some(house::ADMIN.to_owned()),
            queues: vec![house::QUEUE.to_owned()],
            seconds,
            connect_rate: 1_000,
            reply: 0.0,
            ring: 0.0,
            talk: 0.0,
            wrap: 0.0,
            answer_share: 1.0,
            decline_share: 0.0,
            retry_share: 0.0,
            presence_every: None,
            seed: 1,
            ledger: None,
            json: false,
        }
    }
}

/// An agent whose times are drawn.
#[derive(Debug, Clone)]
struct Drawn {
    random: fastrand::Rng,
    reply: f64,
    ring: f64,
    talk: f64,
    wrap: f64,
    answer_share: f64,
    decline_share: f64,
    retry_share: f64,
    /// Whether the call just made was answered.
    reached: bool,
}

impl Drawn {
    fn new(args: &Args, number: u64) -> Self {
        // Neighbouring seeds give unlike streams only once they are mixed.
        let mut mixer = fastrand::Rng::with_seed(args.seed ^ number.rotate_left(32));
        Self {
            random: fastrand::Rng::with_seed(mixer.u64(..)),
            reply: args.reply,
            ring: args.ring,
            talk: args.talk,
            wrap: args.wrap,
            answer_share: args.answer_share,
            decline_share: args.decline_share,
            retry_share: args.retry_share,
            reached: false,
        }
    }

    /// An exponential time by inversion; 1 − u is never 0, so the logarithm is finite.
    fn time(&mut self, mean: f64) -> Duration {
        clock::seconds(-mean * (1.0 - self.random.f64()).ln())
    }

    fn chance(&mut self, share: f64) -> bool {
        self.random.f64() < share
    }
}

impl Conduct for Drawn {
    fn offer(&mut self, _: &Callback) -> (Reply, Duration) {
        let declines = self.chance(self.decline_share);
        let reply = if declines { Reply::Decline } else { Reply::Accept };
        (reply, self.time(self.reply))
    }

    fn ring(&mut self, _: &Callback) -> (&'static str, Duration) {
        self.reached = self.chance(self.answer_share);
        let outcome = match self.random.u8(0..3) {
            _ if self.reached => "answered",
            0 => "no_answer",
            1 => "busy",
            _ => "voicemail",
        };
        (outcome, self.time(self.ring))
    }

    fn talk(&mut self, _: &Callback) -> Duration {
        self.time(self.talk)
    }

    fn wrap_up(&mut self, callback: &Callback) -> Option<(Finish, Duration)> {
        let reached = self.reached || callback.is_answered();
        let retries = !reached && self.chance(self.retry_share);
        let finish = if retries { Finish::Retry } else { Finish::Close };
        Some((finish, self.time(self.wrap)))
    }
}

/// Runs all agents to the end of their shifts.
pub(crate) async fn run(args: Args) -> Result<Report> {
    check_bounds(&args)?;
    let agents = credentials(&args)?;
    // A server that isn't there at all is an error at once; one that goes away is waited for.
    drop(client::dial(&args.server).await?);
    if let Some(admin) = &args.admin_token {
        let ids = agents.iter().map(|agent| agent.agent_id.clone()).collect();
        setup::put_agents(&args.server, admin, ids, &args.queues).await?;
    }
    let ledger = args.ledger.as_deref().map(Ledger::open).transpose()?;
    let tally = Shared::default();
    let connecting = clock::seconds(f64::from(args.agents) / f64::from(args.connect_rate));
    let connected = clock::now() + connecting;
    let ends = connected + Duration::from_secs(args.seconds);
    // This load is even only once all are connected, and before all leave at once.
    tally.lock().steady = args.presence_every.map(|_| connected..ends);
    let finish = clock::seconds(10.0 + 10.0 * (args.reply + args.ring + args.talk + args.wrap));
    let mut shifts = JoinSet::new();
    for (number, agent) in (0_u32..).zip(agents) {
        let conduct = Drawn::new(&args, u64::from(number));
        let desk = Desk::new(&agent.agent_id, conduct, tally.clone());
        let after = clock::seconds(f64::from(number) / f64::from(args.connect_rate));
        let shift = Shift {
            target: args.server.clone(),
            token: agent.token,
            starts: clock::now() + after,
            ends,
            leaves: ends + finish.min(LONGEST_FINISH),
            toggle: args.presence_every.map(clock::seconds),
            ledger: ledger.as_ref().map(Ledger::writer),
        };
        shifts.spawn(work(shift, desk, tally.clone()));
    }
    watch(shifts, &tally, args.seconds).await?;
    let mut report = Report::new("agents");
    report.fact("agents", args.agents);
    report.fact("seed", args.seed);
    if let Some(ledger) = ledger {
        report.fact("ledger entries", ledger.close()?);
    }
    tally.lock().report(&mut report);
    Ok(report)
}

fn check_bounds(args: &Args) -> Result<()> {
    let shares = [args.answer_share, args.decline_share, args.retry_share];
    ensure!(shares.iter().all(|share| (0.0..=1.0).contains(share)), "shares are from 0 to 1");
    let means = [args.reply, args.ring, args.talk, args.wrap];
    ensure!(
        means.iter().all(|mean| (0.0..=3_600.0).contains(mean)),
        "mean times are from 0 to 3600 seconds"
    );
    ensure!(
        args.presence_every.is_none_or(|every| (0.01..=3_600.0).contains(&every)),
        "--presence-every is from 0.01 to 3600 seconds"
    );
    allow_sockets(args.agents)
}

/// Raises the limit of open files so that as many agents can have a socket each.
pub(crate) fn allow_sockets(agents: u32) -> Result<()> {
    let wanted = u64::from(agents) + SPARE_DESCRIPTORS;
    let limit = rlimit::increase_nofile_limit(wanted).context("the limit of open files")?;
    ensure!(
        limit >= wanted,
        "{agents} agents need {wanted} open files, and {limit} are allowed: raise `ulimit -Hn`"
    );
    Ok(())
}

fn credentials(args: &Args) -> Result<Vec<AgentToken>> {
    let wanted = usize::try_from(args.agents)?;
    if let Some(path) = &args.tokens {
        let mut agents = token::read(path)?;
        ensure!(
            agents.len() >= wanted,
            "{} has {} tokens for {wanted} agents",
            path.display(),
            agents.len()
        );
        agents.truncate(wanted);
        return Ok(agents);
    }
    if let Some(token) = &args.token {
        if wanted != 1 {
            bail!("--token is one agent's credential: use --tokens or --jwt-secret for more");
        }
        let agent_id = format!("{}1", args.prefix);
        return Ok(vec![AgentToken { agent_id, token: token.clone() }]);
    }
    let mint = |number| args.signing.mint(&format!("{}{number}", args.prefix), args.seconds);
    (1..=args.agents).map(mint).collect()
}

/// Waits for every shift, and shows meanwhile how far the run is.
pub(crate) async fn watch(
    mut shifts: JoinSet<Result<()>>,
    tally: &Shared,
    seconds: u64,
) -> Result<()> {
    let bar = setup::bar(seconds, "agents");
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.tick().await;
    loop {
        tokio::select! {
            ended = shifts.join_next() => match ended {
                Some(ended) => ended.context("an agent's task panicked")??,
                None => break,
            },
            _ = ticks.tick() => {
                let (offers, accepted) = {
                    let tally = tally.lock();
                    (tally.offers, tally.accepted)
                };
                bar.set_message(format!("{offers} offers, {accepted} accepted"));
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    Ok(())
}

#[cfg(test)]
mod tests;
