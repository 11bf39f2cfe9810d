//! The composition root: opens the stores, starts the workspaces, serves, drains.
//!
//! The only place that knows all layers. Decides nothing about callbacks.

mod access;
mod demo;
mod outward;
mod workspaces;

use std::io::{self, Write};
use std::net::TcpListener;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use self::access::BadAccess;
use self::outward::{OutwardFault, Senders};
use self::workspaces::{Started, StoreFault};
use crate::config::Settings;
use crate::domain::phone;
use crate::engine::ports::StoreError;
use crate::engine::recovery::OpenError;
use crate::engine::system::{Ended, StartError};
use crate::http::Http;
use crate::notify::webhook::{self, Couriers};

/// Why the server ended when it shouldn't have, or didn't start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The address can't be listened on.
    #[error("can't listen on {address}: {source}; choose another one by --listen ADDRESS:PORT")]
    Listen {
        /// The address.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// Serving failed.
    #[error("serving failed: {0}")]
    Serve(#[source] io::Error),
    /// The workspaces' stores can't be used.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// Webhooks can't be sent.
    #[error(transparent)]
    Webhooks(#[from] webhook::StartError),
    /// Credentials can't be read.
    #[error(transparent)]
    Access(#[from] BadAccess),
    /// What goes out can't.
    #[error(transparent)]
    Outward(#[from] OutwardFault),
    /// Another process took a workspace.
    #[error("another process took the workspace; this one has stopped writing")]
    Fenced,
    /// A workspace's thread died.
    #[error("a workspace has ended by a fault; the log says which")]
    Crashed,
}

impl RunError {
    /// The process's exit code: 2 for what the operator must mend before starting again, 3 when
    /// another process has taken over.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Listen { .. } | Self::Serve(_) | Self::Webhooks(_) | Self::Crashed => 1,
            Self::Store(fault) if is_fenced(fault) => 3,
            Self::Store(_) | Self::Access(_) | Self::Outward(_) => 2,
            Self::Fenced => 3,
        }
    }
}

fn is_fenced(fault: &StoreFault) -> bool {
    match fault {
        StoreFault::Open(StoreError::Fenced { .. }) => true,
        StoreFault::Start(StartError::Store { source, .. }) => {
            matches!(source, OpenError::Store(StoreError::Fenced { .. }))
        }
        StoreFault::Open(_)
        | StoreFault::Url(_)
        | StoreFault::Start(_)
        | StoreFault::NotDurable(_) => false,
    }
}

/// Threads that speak HTTP: the engine has one of its own, and so has each log.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).max(2)
}

/// Whether what the settings point to can be read, as far as that needs neither network nor store.
pub fn check(settings: &Settings) -> Result<(), RunError> {
    access::verifiers(settings)?;
    workspaces::store_url(&settings.store).map_err(StoreFault::from)?;
    Ok(())
}

/// Serves until SIGTERM or SIGINT.
pub async fn run(settings: Settings) -> Result<(), RunError> {
    // Before the address is told: whoever reads it may end the process at once.
    let mut signals = Signals::new()?;
    // Each agent's socket takes a descriptor; the usual soft limit ends at a thousand.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "the limit of open files can't be raised");
    }
    phone::load_plans();
    let listener = listen(&settings.listen)?;
    let address = listener.local_addr().map_err(RunError::Serve)?;
    let public_url = settings.public_url.clone();
    let public_url = public_url.unwrap_or_else(|| format!("http://{address}"));
    let senders = Senders::new(&settings, &public_url)?;
    let verifiers = access::verifiers(&settings)?;
    // A start may wait for its store for minutes.
    let mut started = Vec::new();
    tokio::select! {
        all = workspaces::start(&settings, &senders, &mut started) => all?,
        () = signals.come() => {
            drain(started).await;
            return Ok(());
        }
    }
    let couriers = couriers(&settings, &started)?;
    let sender = couriers.sender();
    let http = access::http_state(&settings, verifiers, &started, public_url, sender);
    let http = Http::new(http);
    let hooks = access::hooks(&settings, &http, &started);
    let server = http.run(listener, hooks, workers()).map_err(RunError::Serve)?;
    let handle = server.handle();
    let serving = actix_web::rt::spawn(server);
    announce(&format!("listening on http://{address}"));
    if settings.demo
        && let Some((first, workspace)) = started.first().zip(settings.workspaces.first())
    {
        demo::play(&first.handle);
        for line in demo::guide(workspace, address) {
            announce(&line);
        }
    }
    let ended = wait(signals, &mut started).await;
    let mut outcome = outcome_of(ended);
    let mut time = std::pin::pin!(tokio::time::sleep(settings.limits.drain));
    // While the engine still takes down how far they have come.
    couriers.stop(time_of_couriers(settings.limits.drain)).await;
    // No more intake, sessions told, journal flushed; then HTTP goes down: all in one time.
    drain(started).await;
    // Clients that don't read would hold it up for longer: their connections end with the process.
    tokio::select! {
        ended = async { handle.stop(true).await; serving.await } => {
            if let Ok(Err(error)) = ended {
                outcome = outcome.and(Err(RunError::Serve(error)));
            }
        }
        () = &mut time => tracing::warn!("not all connections ended in time"),
    }
    outcome
}

/// Lets all that is under way become durable.
async fn drain(started: Vec<Started>) {
    let drains = started.into_iter().map(|one| async { (one.id, one.running.drain().await) });
    for (workspace, ended) in futures_util::future::join_all(drains).await {
        if ended == Ended::DrainedLate {
            tracing::warn!(%workspace, "the drain took too long");
        }
    }
}

/// How much of the time to end in is for webhooks' couriers, who end first; the rest is the
/// engine's.
fn time_of_couriers(drain: Duration) -> Duration {
    (drain / 4).min(Duration::from_secs(3))
}

fn outcome_of(ended: Option<Ended>) -> Result<(), RunError> {
    match ended {
        None | Some(Ended::Drained | Ended::DrainedLate) => Ok(()),
        Some(Ended::Fenced) => Err(RunError::Fenced),
        Some(Ended::Crashed) => Err(RunError::Crashed),
    }
}

/// Whoever delivers the workspaces' webhooks.
fn couriers(settings: &Settings, started: &[Started]) -> Result<Couriers, webhook::StartError> {
    let workspaces = started.iter().map(|one| (one.id.clone(), one.handle.clone()));
    Couriers::start(&settings.webhooks, workspaces)
}

/// Waits for a signal, or for a workspace to end by itself.
async fn wait(mut signals: Signals, started: &mut [Started]) -> Option<Ended> {
    let ends = started.iter_mut().map(|one| Box::pin(one.running.ended()));
    let ends: Vec<_> = ends.collect();
    tokio::select! {
        () = signals.come() => None,
        (ended, ..) = futures_util::future::select_all(ends) => Some(ended),
    }
}

fn listen(address: &str) -> Result<TcpListener, RunError> {
    TcpListener::bind(address)
        .map_err(|source| RunError::Listen { address: address.to_owned(), source })
}

fn announce(line: &str) {
    // Whoever started the process may have gone away; that is no fault of ours.
    let _ = writeln!(io::stdout(), "{line}");
}

/// The signals that end the process.
struct Signals {
    terminated: Signal,
    interrupted: Signal,
}

impl Signals {
    fn new() -> Result<Self, RunError> {
        let hear = |kind| signal(kind).map_err(RunError::Serve);
        let terminated = hear(SignalKind::terminate())?;
        Ok(Self { terminated, interrupted: hear(SignalKind::interrupt())? })
    }

    async fn come(&mut self) {
        tokio::select! {
            _ = self.terminated.recv() => {}
            _ = self.interrupted.recv() => {}
        }
    }
}
